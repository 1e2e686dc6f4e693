//! What is left of data that did not live: `cemetery`, `abortions` and `elog`.

use bson::oid::ObjectId;
use bson::{Bson, Document, doc};
use mspass_core::{ErrorLog, Life, Tombstone};

use super::fields::{header, whole};
use super::id::to_object_id;
use super::value::metadata_document;

/// The `logdata` list of a log, as MsPASS lays it out.
pub fn log_documents(log: &ErrorLog, job_id: impl Into<Option<ObjectId>>) -> Vec<Bson> {
    // MsPASS's number for no job.
    let job_id = job_id.into().map_or(Bson::Int32(0), Bson::ObjectId);
    let entries = log.entries().iter().map(|entry| {
        Bson::Document(doc! {
            "job_id": job_id.clone(),
            "algorithm": &entry.algorithm,
            "badness": format!("ErrorSeverity.{}", entry.severity),
            "error_message": &entry.message,
            "process_id": whole(std::process::id().into()),
        })
    });
    entries.collect()
}

fn tombstone_document(tombstone: &Tombstone) -> Document {
    let mut document = metadata_document(&tombstone.metadata);
    if let (Some(id), Some(axis)) = (&tombstone.id, &tombstone.axis) {
        document.extend(header(id, axis, tombstone.npts));
    }
    if let Some(input) = tombstone.history.inputs.first() {
        document.insert("wf_miniseed_id", to_object_id(*input));
    }
    document
}

/// What the record of a dead datum says of its kind.
pub(super) fn type_name(kind: &str, life: Life) -> String {
    match life {
        Life::Aborted => format!("<class 'mspasspy.ccore.seismic.{kind}'>"),
        _ => kind.to_owned(),
    }
}

/// The document of a datum that a step killed.
pub fn cemetery_document(
    id: ObjectId,
    tombstone: &Tombstone,
    job_id: ObjectId,
    extra: &Document,
) -> Document {
    let mut document = doc! {
        "_id": id,
        "type": &tombstone.kind,
        "tombstone": tombstone_document(tombstone),
        "logdata": log_documents(&tombstone.log, job_id),
    };
    document.extend(extra.clone());
    document
}

/// The document of a datum that never came to life.
pub fn abortion_document(
    id: ObjectId,
    tombstone: &Tombstone,
    job_id: ObjectId,
    extra: &Document,
) -> Document {
    let mut document = cemetery_document(id, tombstone, job_id, extra);
    document.insert("type", type_name(&tombstone.kind, Life::Aborted));
    document
}

/// The document of a log kept beside what it speaks of; `extra` says what that is.
pub fn elog_document(
    id: ObjectId,
    log: &ErrorLog,
    job_id: impl Into<Option<ObjectId>>,
    extra: &Document,
) -> Document {
    let mut document = doc! { "_id": id, "logdata": log_documents(log, job_id) };
    document.extend(extra.clone());
    document
}
