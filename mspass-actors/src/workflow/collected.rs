//! What a job collected, read back as data.

use bson::doc;
use mspass_core::Datum;
use mspass_io::db::collection::COLLECTED;
use mspass_io::db::id::job_id;
use mspass_io::store::{Database, Find};

use crate::error::{Error, Result};

/// The data that the job of this name collected, in order of their ids, one after another.
///
/// # Errors
/// What the store says; an item is an error where it is of another type.
pub fn collected<T: Datum>(
    database: &Database,
    job: &str,
) -> Result<impl Iterator<Item = Result<T>> + use<T>> {
    let find = Find::filter(doc! { "job_id": job_id(job) }).sort(doc! { "_id": 1 });
    let found = database.documents.find(COLLECTED, &find)?;
    let blobs = std::sync::Arc::clone(&database.blobs);
    Ok(found.map(move |document| {
        let document = document?;
        let refuse = |reason: String| Error::Refused(format!("a collected datum: {reason}"));
        let id = document.get_object_id("_id").map_err(|error| refuse(error.to_string()))?;
        rmp_serde::from_slice(&blobs.read(id)?).map_err(|error| refuse(error.to_string()))
    }))
}
