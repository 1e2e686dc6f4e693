//! What a saved waveform was made of, and how, back to the archive.

use std::collections::HashMap;

use bson::oid::ObjectId;
use bson::{Bson, Document, doc};

use super::collection::{
    HISTORY_GLOBAL, HISTORY_OBJECT, WF_MINISEED, WF_SEISMOGRAM, WF_TIME_SERIES,
};
use crate::error::{Error, Result};
use crate::store::{Database, Find};

/// Where waveforms are.
const WAVEFORMS: [&str; 3] = [WF_TIME_SERIES, WF_SEISMOGRAM, WF_MINISEED];
/// What a job's record calls its head.
const HEAD: &str = "mspass job";

/// How far [`provenance`] looks back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceLimits {
    /// Jobs one after another.
    pub depth_max: usize,
    /// Inputs of one datum that are looked at; others are counted.
    pub inputs_max: usize,
    /// Data looked at in all.
    pub data_max: usize,
}

impl Default for TraceLimits {
    fn default() -> Self {
        Self { depth_max: 8, inputs_max: 20, data_max: 500 }
    }
}

impl TraceLimits {
    /// With so many inputs of each datum.
    #[must_use]
    pub fn inputs_max(self, inputs_max: usize) -> Self {
        Self { inputs_max, ..self }
    }
}

/// A waveform and what it was made of.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Provenance {
    /// Its `_id`.
    pub id: ObjectId,
    /// Its collection; none where no document has this id: it is gone, or a function made it.
    pub collection: Option<String>,
    /// Its document, empty where there is none.
    pub document: Document,
    /// How a job made it; none where none did.
    pub made: Option<Made>,
}

/// How a job made a waveform.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Made {
    /// Name of the job.
    pub job: String,
    /// What saved it: `save`, or `tee` with the number of the step.
    pub saved_by: String,
    /// The executable, by its content.
    pub build: Option<String>,
    /// The program that began the job.
    pub program: Option<String>,
    /// Its number among what was made of the same inputs.
    pub output: i64,
    /// Names and parameters of the steps that it passed, in order.
    pub steps: Vec<(String, String)>,
    /// What it was made of.
    pub inputs: Vec<Provenance>,
    /// Inputs that were not looked at.
    pub left_out: u64,
}

/// Finds what the waveform `id` was made of, back to what no job made.
///
/// # Errors
/// [`Error::Refused`], one sentence, when there is no such waveform or no history of it; what
/// reading the store gives.
pub fn provenance(database: &Database, id: ObjectId, limits: &TraceLimits) -> Result<Provenance> {
    let mut tracer = Tracer { database, limits, looked_at: 1, programs: HashMap::new() };
    let mut found = tracer.waveforms(&[id])?.remove(&id).unwrap_or_default();
    let Some(collection) = &found.collection else {
        return Err(Error::Refused(format!("no waveform has the _id {id} in this database")));
    };
    if let Err(error) = found.document.get_object_id("history_object_id") {
        let why = match (collection.as_str(), error) {
            (WF_MINISEED, _) => "it is a run of the archive, which no job made",
            _ => "it was saved without one",
        };
        return Err(Error::Refused(format!("{collection} {id} has no history: {why}")));
    }
    tracer.trace(std::slice::from_mut(&mut found), 0)?;
    if found.made.is_none() {
        return Err(Error::Refused(format!(
            "{} {id} has no history: the document that it names is not in {HISTORY_OBJECT}",
            found.collection.unwrap_or_default()
        )));
    }
    Ok(found)
}

struct Tracer<'a> {
    database: &'a Database,
    limits: &'a TraceLimits,
    looked_at: usize,
    programs: HashMap<String, Option<String>>,
}

impl Tracer<'_> {
    /// The waveforms of these ids that there are.
    fn waveforms(&self, ids: &[ObjectId]) -> Result<HashMap<ObjectId, Provenance>> {
        let mut found = HashMap::new();
        for collection in WAVEFORMS {
            let wanted: Vec<_> =
                ids.iter().filter(|id| !found.contains_key(*id)).copied().collect();
            for (id, document) in by_id(self.database, collection, &wanted)? {
                let collection = Some(collection.to_owned());
                found.insert(id, Provenance { id, collection, document, made: None });
            }
        }
        Ok(found)
    }

    /// Finds how these were made, and what they were made of.
    fn trace(&mut self, data: &mut [Provenance], depth: usize) -> Result<()> {
        let named = |datum: &Provenance| datum.document.get_object_id("history_object_id").ok();
        let ids: Vec<ObjectId> = data.iter().filter_map(named).collect();
        let histories = by_id(self.database, HISTORY_OBJECT, &ids)?;
        for datum in data {
            let Some(history) = named(datum).and_then(|id| histories.get(&id)) else { continue };
            let mut made = self.made(history)?;
            let inputs: Vec<ObjectId> = history
                .get_array("inputs")
                .into_iter()
                .flatten()
                .filter_map(Bson::as_object_id)
                .collect();
            let room = self.limits.data_max.saturating_sub(self.looked_at);
            let most =
                if depth < self.limits.depth_max { self.limits.inputs_max.min(room) } else { 0 };
            let shown = &inputs[..inputs.len().min(most)];
            self.looked_at += shown.len();
            made.left_out = (inputs.len() - shown.len()) as u64;
            let mut found = self.waveforms(shown)?;
            let gone = |id: &ObjectId| Provenance { id: *id, ..Provenance::default() };
            made.inputs =
                shown.iter().map(|id| found.remove(id).unwrap_or_else(|| gone(id))).collect();
            self.trace(&mut made.inputs, depth + 1)?;
            datum.made = Some(made);
        }
        Ok(())
    }

    /// What a history says, its inputs apart.
    fn made(&mut self, history: &Document) -> Result<Made> {
        let text = |key| history.get_str(key).unwrap_or_default().to_owned();
        let job = text("job_name");
        let steps = history.get_array("steps").into_iter().flatten().filter_map(Bson::as_document);
        let steps = steps.map(|step| {
            let text = |key| step.get_str(key).unwrap_or_default().to_owned();
            (text("step"), text("parameters"))
        });
        let output = history.get_i64("output");
        let output = output.or_else(|_| history.get_i32("output").map(i64::from));
        Ok(Made {
            saved_by: text("saved_by"),
            build: history.get_str("build").ok().map(str::to_owned),
            program: self.program(&job)?,
            job,
            output: output.unwrap_or(0),
            steps: steps.collect(),
            ..Made::default()
        })
    }

    /// The program that began a job.
    fn program(&mut self, job: &str) -> Result<Option<String>> {
        if let Some(known) = self.programs.get(job) {
            return Ok(known.clone());
        }
        let program = program_of(self.database, job)?;
        self.programs.insert(job.to_owned(), program.clone());
        Ok(program)
    }
}

/// The program that began a job, where its record names it.
fn program_of(database: &Database, job: &str) -> Result<Option<String>> {
    let find = Find::filter(doc! { "job_name": job, "alg_name": HEAD }).limit(1);
    let head = database.documents.find(HISTORY_GLOBAL, &find)?.next().transpose()?;
    let build = head.as_ref().and_then(|head| head.get_document("build").ok());
    Ok(build.and_then(|build| build.get_str("program").ok()).map(str::to_owned))
}

/// Documents by their ids.
fn by_id(
    database: &Database,
    collection: &str,
    ids: &[ObjectId],
) -> Result<HashMap<ObjectId, Document>> {
    let mut found = HashMap::new();
    if ids.is_empty() {
        return Ok(found);
    }
    let find = Find::filter(doc! { "_id": { "$in": ids } });
    for document in database.documents.find(collection, &find)? {
        let document = document?;
        if let Ok(id) = document.get_object_id("_id") {
            found.insert(id, document);
        }
    }
    Ok(found)
}
