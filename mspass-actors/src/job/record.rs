//! What the database knows of a job: its steps, its run, and everything it wrote.

use bson::oid::ObjectId;
use bson::{Bson, Document, doc};
use mspass_core::UtcTime;
use mspass_io::db::collection::{
    ABORTIONS, CEMETERY, COLLECTED, ELOG, HISTORY_GLOBAL, HISTORY_OBJECT, OF_JOBS, WF_SEISMOGRAM,
    WF_TIME_SERIES,
};
use mspass_io::db::id::{Derived, job_id};
use mspass_io::store::{Database, Find};

use crate::error::{Error, Result};
use crate::workflow::Step;
use crate::workflow::stage::{Build, Stage};

/// Documents deleted at once.
const DELETE_MAX: u64 = 1000;

/// The run of a job that a database knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Names it.
    pub(super) name: String,
    /// Whether an earlier start wrote it.
    pub(super) known: bool,
}

/// Finds the run that this job goes on with, or begins one.
///
/// # Errors
/// [`Error::Refused`] when the job of this name had other steps; nothing is changed then.
pub(super) fn begin(database: &Database, stage: &Stage, now: UtcTime) -> Result<Run> {
    let head = head_id(stage.job());
    let find = Find::filter(doc! { "_id": head }).limit(1);
    let known = database.documents.find(HISTORY_GLOBAL, &find)?.next().transpose()?;
    let steps = stage.workflow().fingerprint();
    if let Some(known) = &known {
        if let Some(change) = first_change(&steps_of(known), &steps) {
            return Err(Error::Refused(format!(
                "job '{}' was run with other steps: {change}; take another --job name, or --fresh \
                 to delete what it wrote and start over",
                stage.job()
            )));
        }
        if let Ok(name) = known.get_str("process_id") {
            return Ok(Run { name: name.to_owned(), known: true });
        }
    }
    let pid = u64::from(std::process::id());
    let name = Derived::new("run").number(now.nanos() as u64).number(pid).object_id().to_hex();
    let mut documents: Vec<Document> = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let id = Derived::new("history_global").text(stage.job()).number(number as u64 + 1);
        let alg = Derived::new("algorithm").text(&step.name).text(&step.parameters);
        documents.push(doc! {
            "_id": id.object_id(), "job_id": job_id(stage.job()), "job_name": stage.job(),
            "alg_name": &step.name, "alg_id": alg.object_id(),
            "parameters": &step.parameters, "time": now.seconds(), "step": number as i32,
        });
    }
    // The head comes last: with it the run is known.
    documents.push(doc! {
        "_id": head, "job_id": job_id(stage.job()), "job_name": stage.job(),
        "alg_name": "mspass job", "alg_id": head,
        "parameters": serde_json::to_string(&steps).unwrap_or_default(),
        "time": now.seconds(), "process_id": &name,
    });
    let build = stage.build();
    if let (Some(head), false) = (documents.last_mut(), build.program.is_empty()) {
        let Build { program, executable } = build;
        head.insert("build", doc! { "program": program, "executable": executable });
    }
    database.documents.upsert(HISTORY_GLOBAL, &documents)?;
    Ok(Run { name, known: known.is_some() })
}

fn head_id(job: &str) -> ObjectId {
    Derived::new("history_global").text(job).number(0).object_id()
}

/// The steps that the head of a job's record names.
fn steps_of(head: &Document) -> Vec<Step> {
    let text = head.get_str("parameters").ok();
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// Where the steps of a job that was run differ from those of `stage`, in words, if they do.
///
/// # Errors
/// [`Error::Refused`] when the database does not know the job.
pub(super) fn changed(database: &Database, stage: &Stage) -> Result<Option<String>> {
    let find = Find::filter(doc! { "_id": head_id(stage.job()) }).limit(1);
    let head = database.documents.find(HISTORY_GLOBAL, &find)?.next().transpose()?;
    let head = head.ok_or_else(|| {
        Error::Refused(format!("this database knows no job '{}' any more", stage.job()))
    })?;
    Ok(first_change(&steps_of(&head), &stage.workflow().fingerprint()))
}

/// Says in words where two fingerprints first differ.
fn first_change(before: &[Step], now: &[Step]) -> Option<String> {
    let longest = before.len().max(now.len());
    (0..longest).find_map(|number| match (before.get(number), now.get(number)) {
        (Some(a), Some(b)) if a == b => None,
        (Some(a), Some(b)) if a.name == b.name => Some(format!(
            "step {} '{}' had parameters {}, now {}",
            number + 1,
            a.name,
            a.parameters,
            b.parameters
        )),
        (Some(a), Some(b)) => {
            Some(format!("step {} was '{}', now '{}'", number + 1, a.name, b.name))
        }
        (Some(a), None) => Some(format!("step {} '{}' is gone", number + 1, a.name)),
        (None, Some(b)) => Some(format!("step {} '{}' is new", number + 1, b.name)),
        (None, None) => None,
    })
}

/// Deletes exactly what the job of this name wrote, samples before documents, its record last.
pub(super) fn delete_job(database: &Database, job: &str) -> Result<u64> {
    let filter = doc! { "job_id": job_id(job) };
    let mut deleted = 0;
    for collection in OF_JOBS {
        deleted += delete_outputs(database, collection, &filter)?;
    }
    Ok(deleted)
}

/// Deletes what the job made of one file.
pub(super) fn delete_file(database: &Database, job: &str, file: ObjectId) -> Result<()> {
    delete_made_of(database, job, "archive_file_id", file)
}

/// Deletes what the job made of one bucket of groups.
pub(super) fn delete_bucket(database: &Database, job: &str, origin: ObjectId) -> Result<()> {
    delete_made_of(database, job, "task_origin", origin)
}

fn delete_made_of(database: &Database, job: &str, key: &str, origin: ObjectId) -> Result<()> {
    let filter = doc! { key: origin, "job_id": job_id(job) };
    for collection in OF_TASKS {
        delete_outputs(database, collection, &filter)?;
    }
    Ok(())
}

/// Collections that tasks write into.
const OF_TASKS: [&str; 7] =
    [WF_TIME_SERIES, WF_SEISMOGRAM, COLLECTED, ELOG, CEMETERY, ABORTIONS, HISTORY_OBJECT];

/// Those whose documents have samples, or other bytes, beside them.
const WITH_BLOBS: [&str; 3] = [WF_TIME_SERIES, WF_SEISMOGRAM, COLLECTED];

fn delete_outputs(database: &Database, collection: &str, filter: &Document) -> Result<u64> {
    if !WITH_BLOBS.contains(&collection) {
        return Ok(database.documents.delete(collection, filter)?);
    }
    let mut deleted = 0;
    let find = Find::filter(filter.clone()).projection(doc! { "gridfs_id": 1 }).limit(DELETE_MAX);
    loop {
        let (mut ids, mut blobs) = (Vec::new(), Vec::new());
        for document in database.documents.find(collection, &find)? {
            let document = document?;
            ids.push(document.get("_id").cloned().unwrap_or(Bson::Null));
            let own = document.get_object_id("_id").ok().filter(|_| collection == COLLECTED);
            blobs.extend(document.get_object_id("gridfs_id").ok().or(own));
        }
        if ids.is_empty() {
            return Ok(deleted);
        }
        database.blobs.delete(&blobs)?;
        deleted += database.documents.delete(collection, &doc! { "_id": { "$in": ids } })?;
    }
}

/// Indexes that make planning and reading fast.
pub(super) fn create_indexes(database: &Database, of_archive: bool) -> Result<()> {
    use mspass_io::db::collection::{ARCHIVE_FILE, WF_MINISEED};
    let store = &database.documents;
    store.create_index(WF_MINISEED, &doc! { "archive_file_id": 1, "foff": 1 })?;
    store.create_index(ARCHIVE_FILE, &doc! { "archive": 1 })?;
    let key = if of_archive { "archive_file_id" } else { "task_origin" };
    for collection in OF_TASKS {
        store.create_index(collection, &doc! { key: 1 })?;
    }
    Ok(())
}
