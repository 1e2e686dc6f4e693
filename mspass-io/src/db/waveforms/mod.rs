//! Waveforms in a database: read, saved, changed, deleted.
//!
//! Where the samples of a document are, only the document says: `storage_mode` "gridfs" means the
//! blob `gridfs_id`; "file" means `dir`/`dfile` from byte `foff` on, in miniSEED records (`format`
//! "mseed"), as a SAC file ("sac") or as bare doubles ("binary", or no `format`). A blob holds
//! component after component, a native file sample after sample.

mod gaps;
mod place;
mod read;
mod samples;
#[cfg(test)]
mod tests;

use bson::oid::ObjectId;
use bson::{Document, doc};

use super::collection::{WF_MINISEED, WF_SEISMOGRAM, WF_TIME_SERIES};
use crate::error::Result;
use crate::format::mseed::RecordError;
use crate::store::{Database, Find};

pub use gaps::{GapPolicy, MERGED_SAMPLES_MAX};
pub use read::ReadOptions;

/// The waveforms of a database.
#[derive(Clone, Debug)]
pub struct Waveforms {
    database: Database,
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
        Self { database: database.clone() }
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
