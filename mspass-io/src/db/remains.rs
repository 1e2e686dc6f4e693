//! What is left of data that did not live: `cemetery`, `abortions` and `elog`.

use bson::oid::ObjectId;
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, Document, doc};
use mspass_core::{ErrorLog, History, Life, Tombstone};

use super::fields::{header, whole};
use super::id::{Derived, to_object_id};
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

/// The document of what a datum went through. MsPASS keeps a Python pickle; here the bytes are the
/// history as JSON text.
pub(super) fn history_document(id: ObjectId, history: &History, about: &Document) -> Document {
    let steps: Vec<serde_json::Value> = history
        .passages
        .iter()
        .map(
            |passage| serde_json::json!({ "step": passage.step, "parameters": passage.parameters }),
        )
        .collect();
    let inputs: Vec<String> = history.inputs.iter().map(ToString::to_string).collect();
    let text = serde_json::json!({ "inputs": inputs, "output": history.output, "steps": steps });
    let bytes = text.to_string().into_bytes();
    let last = history.passages.last();
    let (step, parameters) = last.map_or(("", ""), |last| (&last.step, &last.parameters));
    let mut document = doc! {
        "_id": id,
        "save_uuid": id.to_hex(),
        "save_stage": whole(history.passages.len() as u64),
        "processing_history": Binary { subtype: BinarySubtype::Generic, bytes },
        "alg_id": Derived::new("algorithm").text(step).text(parameters).object_id().to_hex(),
        "alg_name": "save_data",
    };
    document.extend(about.clone());
    document
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
