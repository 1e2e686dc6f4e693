//! Waveforms in a database: read, saved, changed, deleted.
//!
//! Where the samples of a document are, only the document says: `storage_mode` "gridfs" means the
//! blob `gridfs_id`; "file" means `dir`/`dfile` from byte `foff` on, in miniSEED records (`format`
//! "mseed"), as a SAC file ("sac") or as bare doubles ("binary", or no `format`); "url" the same in
//! an object (see [`crate::store::Objects`]). A blob holds component after component, native bytes
//! in files and objects hold sample after sample.

mod append;
mod burial;
mod change;
mod encode;
mod gaps;
mod place;
mod read;
mod samples;
mod save;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bson::oid::ObjectId;
use bson::{Document, doc};

use mspass_core::Metadata;
use mspass_core::metadata::Value;

use super::collection::{WF_MINISEED, WF_SEISMOGRAM, WF_TIME_SERIES};
use crate::db::id::to_object_id;
use crate::db::schema::Schema;
use crate::error::Result;
use crate::format::mseed::RecordError;
use crate::store::{Database, Find, Objects};

pub use burial::{cremate, mummify};
pub use encode::FileForm;
pub use gaps::{GapPolicy, MERGED_SAMPLES_MAX};
pub use read::{ReadOptions, WaveformCursor};
pub use save::{BATCH_BYTES_MAX, Outcome, SaveOptions, Storage};

/// The ObjectId that metadata hold under a key.
fn object_id_of(metadata: &Metadata, key: &str) -> Option<ObjectId> {
    match metadata.get(key) {
        Some(Value::Id(id)) => Some(to_object_id(*id)),
        _ => None,
    }
}

/// The waveforms of a database.
#[derive(Clone, Debug)]
pub struct Waveforms {
    database: Database,
    schema: Arc<Schema>,
    objects: Objects,
}

/// The samples of one document.
#[derive(Clone, Debug, PartialEq)]
pub struct Pieces<T> {
    /// Gap-free stretches in the order of the file; one unless the samples are miniSEED.
    pub data: Vec<T>,
    /// Records that could not be read, or not for certain.
    pub errors: Vec<RecordError>,
}

impl Waveforms {
    /// Those of `database`.
    pub fn new(database: &Database) -> Self {
        let (schema, objects) = (Schema::mspass(), Objects::default());
        Self { database: database.clone(), schema, objects }
    }

    /// With another schema.
    #[must_use]
    pub fn with_schema(self, schema: Arc<Schema>) -> Self {
        Self { schema, ..self }
    }

    /// With stores of their own for samples by address.
    #[must_use]
    pub fn with_objects(self, objects: Objects) -> Self {
        Self { objects, ..self }
    }

    /// The document with this `_id` in one of the `wf_` collections.
    ///
    /// # Errors
    /// What the store says.
    pub fn find(&self, id: ObjectId) -> Result<Option<Document>> {
        for collection in [WF_TIME_SERIES, WF_SEISMOGRAM, WF_MINISEED] {
            if let Some(document) = self.find_in(collection, id)? {
                return Ok(Some(document));
            }
        }
        Ok(None)
    }

    fn find_in(&self, collection: &str, id: ObjectId) -> Result<Option<Document>> {
        let find = Find::filter(doc! { "_id": id }).limit(1);
        self.database.documents.find(collection, &find)?.next().transpose()
    }
}
