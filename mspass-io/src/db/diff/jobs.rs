//! Whether two runs under other names gave the same data.
//!
//! Ids are made of the name of a job, so two runs have none in common. What a datum is made of they
//! do have: the step that saved it, its inputs and its number among what was made of them, as its
//! history records them. Inputs that are themselves outputs of a job are named in the same way.

mod identity;
#[cfg(test)]
mod tests;
mod words;

use std::cmp::Ordering;
use std::collections::HashMap;

use bson::oid::ObjectId;
use bson::{Bson, Document, doc};

use super::{DifferenceKind, differing_samples, first_difference};
use crate::db::collection::{ABORTIONS, CEMETERY, COLLECTED, HISTORY_GLOBAL, HISTORY_OBJECT};
use crate::db::collection::{WF_SEISMOGRAM, WF_TIME_SERIES};
use crate::db::id::{history_id, job_id};
use crate::error::{Error, Result};
use crate::store::{Database, Find};
use identity::{Output, outputs_of};

/// Pairs of data whose documents are held at a time.
const PAIRS_MAX: usize = 256;
/// Names of jobs that a refusal lists.
const NAMES_MAX: usize = 20;

/// How two runs differ. Displayed, it is a summary for a person.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct JobsDiff {
    /// Names of the jobs.
    pub jobs: [String; 2],
    /// Data that each saved and whose history it recorded.
    pub data: [u64; 2],
    /// Data of both that are equal.
    pub equal: u64,
    /// Data of both that differ.
    pub differing: u64,
    /// Data that only one of them has.
    pub only: [u64; 2],
    /// Samples compared byte by byte.
    pub blobs: u64,
    /// The first step in which the workflows differ, in words.
    pub steps: Option<String>,
    /// The first data of both that differ.
    pub first: Option<DatumDifference>,
    /// The first datum that only one of them has.
    pub first_only: [Option<DatumName>; 2],
    /// What histories do not tell apart is counted.
    pub counts: Vec<Count>,
}

/// How often something is in each of two runs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Count {
    /// What was counted: a collection, or data without history.
    pub what: String,
    /// In each run.
    pub counts: [u64; 2],
}

/// A datum as people find it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DatumName {
    /// Its collection.
    pub collection: String,
    /// Its `_id`.
    pub id: ObjectId,
}

/// How a datum of both runs differs.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DatumDifference {
    /// Channel and start, as its document says.
    pub label: String,
    /// The datum in each run.
    pub data: [DatumName; 2],
    /// What differs: the keys of steps begin with `steps`.
    pub kind: DifferenceKind,
}

impl JobsDiff {
    /// Whether both runs have the same data.
    pub fn is_equal(&self) -> bool {
        let differences = self.differing + self.only[0] + self.only[1];
        differences == 0 && self.counts.iter().all(|count| count.counts[0] == count.counts[1])
    }
}

/// One of the two runs.
struct Run<'a> {
    database: &'a Database,
    job: &'a str,
}

/// Compares what two jobs saved, datum for datum, by the rule of
/// [`KEYS_PASSED_OVER`](super::KEYS_PASSED_OVER) and but for names of jobs and ids made of them.
///
/// Memory grows with the number of data, some tens of bytes each, and not with their samples.
///
/// # Errors
/// [`Error::Refused`] when a database does not know its job; what reading a store gives.
pub fn diff_jobs(left: (&Database, &str), right: (&Database, &str)) -> Result<JobsDiff> {
    let runs = [left, right].map(|(database, job)| Run { database, job });
    let [l, r] = &runs;
    let steps = first_changed_step(&l.steps()?, &r.steps()?);
    let [mut lefts, mut rights] = [outputs_of(l.database, l.job)?, outputs_of(r.database, r.job)?];
    lefts.sort_unstable();
    rights.sort_unstable();
    let mut found = JobsDiff {
        jobs: [l.job.to_owned(), r.job.to_owned()],
        data: [lefts.len() as u64, rights.len() as u64],
        steps,
        counts: counts(&runs, [lefts.len() as u64, rights.len() as u64])?,
        ..JobsDiff::default()
    };
    let (mut at, mut pairs) = ([0, 0], Vec::new());
    loop {
        let order = match (lefts.get(at[0]), rights.get(at[1])) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(l), Some(r)) => l.identity.cmp(&r.identity),
        };
        match order {
            Ordering::Equal => pairs.push((lefts[at[0]], rights[at[1]])),
            Ordering::Less => found.is_only(0, lefts[at[0]]),
            Ordering::Greater => found.is_only(1, rights[at[1]]),
        }
        at[0] += usize::from(order.is_le());
        at[1] += usize::from(order.is_ge());
        if pairs.len() == PAIRS_MAX {
            compare(&runs, &std::mem::take(&mut pairs), &mut found)?;
        }
    }
    compare(&runs, &pairs, &mut found)?;
    Ok(found)
}

impl JobsDiff {
    fn is_only(&mut self, side: usize, output: Output) {
        self.only[side] += 1;
        self.first_only[side].get_or_insert_with(|| output.name());
    }
}

impl Run<'_> {
    /// The steps of the job with their parameters, as it recorded them.
    fn steps(&self) -> Result<Vec<(String, String)>> {
        let filter = doc! { "job_name": self.job, "step": { "$exists": true } };
        let find = Find::filter(filter).sort(doc! { "step": 1 });
        let text = |document: &Document, key| document.get_str(key).unwrap_or_default().to_owned();
        let steps = self.database.documents.find(HISTORY_GLOBAL, &find)?.map(|document| {
            let document = document?;
            Ok((text(&document, "alg_name"), text(&document, "parameters")))
        });
        let steps: Vec<_> = steps.collect::<Result<_>>()?;
        if steps.is_empty() {
            return Err(self.unknown()?);
        }
        Ok(steps)
    }

    fn unknown(&self) -> Result<Error> {
        let documents = &self.database.documents;
        let known = documents.distinct(HISTORY_GLOBAL, "job_name", &Document::new())?;
        let mut names: Vec<&str> = known.iter().filter_map(Bson::as_str).collect();
        let more = names.len().saturating_sub(NAMES_MAX);
        names.truncate(NAMES_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let there = match names.is_empty() {
            true => "it knows none".to_owned(),
            false => format!("it knows {}{more}", names.join(", ")),
        };
        Ok(Error::Refused(format!("no job '{}' in its database: {there}", self.job)))
    }

    /// Documents of these ids by their ids.
    fn documents(&self, collection: &str, ids: &[ObjectId]) -> Result<HashMap<ObjectId, Document>> {
        let mut documents = HashMap::with_capacity(ids.len());
        if ids.is_empty() {
            return Ok(documents);
        }
        let find = Find::filter(doc! { "_id": { "$in": ids } });
        for document in self.database.documents.find(collection, &find)? {
            let document = document?;
            if let Ok(id) = document.get_object_id("_id") {
                documents.insert(id, document);
            }
        }
        Ok(documents)
    }

    /// Waveforms and histories of some outputs.
    fn load(&self, outputs: &[Output]) -> Result<Loaded> {
        let of = |is_seismogram: bool| -> Vec<ObjectId> {
            let wanted = outputs.iter().filter(|output| output.is_seismogram == is_seismogram);
            wanted.map(|output| output.id).collect()
        };
        let mut waveforms = self.documents(WF_TIME_SERIES, &of(false))?;
        waveforms.extend(self.documents(WF_SEISMOGRAM, &of(true))?);
        let ids: Vec<ObjectId> = outputs.iter().map(|output| history_id(output.id)).collect();
        Ok(Loaded { waveforms, histories: self.documents(HISTORY_OBJECT, &ids)? })
    }
}

struct Loaded {
    waveforms: HashMap<ObjectId, Document>,
    histories: HashMap<ObjectId, Document>,
}

impl Loaded {
    /// Steps, then the document without what the name of its job decides.
    fn whole(&self, output: Output) -> (Document, Option<Document>) {
        let history = self.histories.get(&history_id(output.id));
        let steps = history.and_then(|history| history.get("steps")).cloned();
        let waveform = self.waveforms.get(&output.id).map(|document| {
            let own = document.iter().filter(|(key, _)| !is_of_job(key));
            own.map(|(key, value)| (key.clone(), value.clone())).collect()
        });
        (doc! { "steps": steps.unwrap_or(Bson::Null) }, waveform)
    }
}

/// Whether a key names the datum, or what it was made of: by that data were matched.
fn is_of_job(key: &str) -> bool {
    let links = ["_id", "gridfs_id", "history_object_id", "elog_id", "task_origin"];
    links.contains(&key) || (key.starts_with("wf_") && key.ends_with("_id"))
}

/// Compares matched data.
fn compare(runs: &[Run<'_>; 2], pairs: &[(Output, Output)], found: &mut JobsDiff) -> Result<()> {
    let (lefts, rights): (Vec<Output>, Vec<Output>) = pairs.iter().copied().unzip();
    let loaded = [runs[0].load(&lefts)?, runs[1].load(&rights)?];
    for &(left, right) in pairs {
        let (left_steps, left_document) = loaded[0].whole(left);
        let (right_steps, right_document) = loaded[1].whole(right);
        let mut kind = first_difference(HISTORY_OBJECT, &left_steps, &right_steps);
        if kind.is_none() {
            kind = match (&left_document, &right_document) {
                (Some(l), Some(r)) => first_difference(left.collection(), l, r),
                (None, None) => None,
                (Some(_), None) => Some(DifferenceKind::OnlyLeft),
                (None, Some(_)) => Some(DifferenceKind::OnlyRight),
            };
        }
        if let (None, Some(l), Some(r)) =
            (&kind, loaded[0].waveforms.get(&left.id), loaded[1].waveforms.get(&right.id))
        {
            let samples =
                differing_samples((runs[0].database, l), (runs[1].database, r), &mut found.blobs)?;
            kind = samples.map(DifferenceKind::Samples);
        }
        let Some(kind) = kind else {
            found.equal += 1;
            continue;
        };
        found.differing += 1;
        if found.first.is_none() {
            let label = words::label(left_document.as_ref().or(right_document.as_ref()));
            let data = [left.name(), right.name()];
            found.first = Some(DatumDifference { label, data, kind });
        }
    }
    Ok(())
}

/// What is counted only: the dead, what was collected, and data that passed no step.
fn counts(runs: &[Run<'_>; 2], recorded: [u64; 2]) -> Result<Vec<Count>> {
    let count = |run: &Run<'_>, collection: &str| {
        run.database.documents.count(collection, &doc! { "job_id": job_id(run.job) })
    };
    let mut counts = Vec::new();
    for collection in [CEMETERY, ABORTIONS, COLLECTED] {
        let counted = [count(&runs[0], collection)?, count(&runs[1], collection)?];
        counts.push(Count { what: collection.to_owned(), counts: counted });
    }
    let mut unrecorded = [0, 0];
    for (side, run) in runs.iter().enumerate() {
        let saved = count(run, WF_TIME_SERIES)? + count(run, WF_SEISMOGRAM)?;
        unrecorded[side] = saved.saturating_sub(recorded[side]);
    }
    counts.push(Count { what: "data without history".to_owned(), counts: unrecorded });
    counts.retain(|count| count.counts != [0, 0]);
    Ok(counts)
}

/// Where two workflows first differ, in words.
fn first_changed_step(left: &[(String, String)], right: &[(String, String)]) -> Option<String> {
    (0..left.len().max(right.len())).find_map(|at| {
        let number = at + 1;
        match (left.get(at), right.get(at)) {
            (Some(l), Some(r)) if l == r => None,
            (Some((name, l)), Some((other, r))) if name == other => {
                Some(format!("step {number} '{name}' has parameters {l} and {r}"))
            }
            (Some((l, _)), Some((r, _))) => Some(format!("step {number} is '{l}' and '{r}'")),
            (Some((l, _)), None) => Some(format!("step {number} is '{l}' and missing")),
            (None, r) => r.map(|(r, _)| format!("step {number} is missing and '{r}'")),
        }
    })
}
