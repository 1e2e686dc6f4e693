//! What data are, the names of jobs aside.

use std::collections::{HashMap, HashSet};

use bson::oid::ObjectId;
use bson::{Bson, Document, doc};

use super::DatumName;
use crate::db::collection::{HISTORY_OBJECT, WF_SEISMOGRAM, WF_TIME_SERIES};
use crate::db::id::{Derived, history_id};
use crate::error::{Error, Result};
use crate::store::{Database, Find};

/// Jobs that were made of jobs, one after another, at most.
const DEPTH_MAX: usize = 64;
/// Histories asked for at once.
const BATCH: usize = 500;

/// Something that a job saved. In order of what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Output {
    /// What it is, the name of its job aside.
    pub(super) identity: u128,
    pub(super) id: ObjectId,
    pub(super) is_seismogram: bool,
}

impl Output {
    pub(super) fn collection(self) -> &'static str {
        if self.is_seismogram { WF_SEISMOGRAM } else { WF_TIME_SERIES }
    }

    pub(super) fn name(self) -> DatumName {
        DatumName { collection: self.collection().to_owned(), id: self.id }
    }
}

/// A history, as far as it says what its datum is.
struct Record {
    id: ObjectId,
    is_seismogram: bool,
    saved_by: String,
    inputs: Vec<ObjectId>,
    output: u64,
}

impl Record {
    /// Of a `history_object` document; `None` where it is of no waveform.
    fn of(history: &Document) -> Option<Self> {
        let id = |collection: &str| history.get_object_id(format!("{collection}_id")).ok();
        let (id, is_seismogram) = match (id(WF_TIME_SERIES), id(WF_SEISMOGRAM)) {
            (Some(id), _) => (id, false),
            (None, id) => (id?, true),
        };
        let inputs = history.get_array("inputs").into_iter().flatten();
        let output = history.get_i64("output");
        let output = output.or_else(|_| history.get_i32("output").map(i64::from));
        Some(Self {
            id,
            is_seismogram,
            saved_by: history.get_str("saved_by").unwrap_or_default().to_owned(),
            inputs: inputs.filter_map(Bson::as_object_id).collect(),
            output: output.unwrap_or(0) as u64,
        })
    }

    fn identity(&self, inputs: &[(u128, bool)]) -> u128 {
        let mut inputs = inputs.to_vec();
        // Whole groups have their inputs in order of ids, which for outputs are made of the names
        // of their jobs.
        if inputs.iter().any(|(_, is_output)| *is_output) {
            inputs.sort_unstable();
        }
        let start = Derived::new("identity").text(&self.saved_by);
        let start = start.number(self.is_seismogram.into()).number(self.output);
        let all = inputs.iter().fold(start, |hash, (identity, _)| {
            hash.number(*identity as u64).number((*identity >> 64) as u64)
        });
        all.key()
    }
}

fn keys() -> Document {
    let mut keys = doc! { "inputs": 1, "output": 1, "saved_by": 1 };
    for collection in [WF_TIME_SERIES, WF_SEISMOGRAM] {
        keys.insert(format!("{collection}_id"), 1);
    }
    keys
}

/// Everything that a job saved and recorded a history of.
pub(super) fn outputs_of(database: &Database, job: &str) -> Result<Vec<Output>> {
    let mut identities = Identities { database, known: HashMap::new() };
    let find = Find::filter(doc! { "job_name": job }).projection(keys());
    let mut histories = database.documents.find(HISTORY_OBJECT, &find)?;
    let mut outputs = Vec::new();
    loop {
        let mut batch = Vec::new();
        for history in histories.by_ref().take(BATCH) {
            batch.extend(Record::of(&history?));
        }
        if batch.is_empty() {
            return Ok(outputs);
        }
        identities.learn(batch.iter().flat_map(|record| record.inputs.iter().copied()))?;
        outputs.extend(batch.iter().map(|record| {
            let inputs: Vec<_> = record.inputs.iter().map(|id| identities.of(*id)).collect();
            let (id, is_seismogram) = (record.id, record.is_seismogram);
            Output { identity: record.identity(&inputs), id, is_seismogram }
        }));
    }
}

/// What inputs are.
struct Identities<'a> {
    database: &'a Database,
    /// And whether they are outputs of a job.
    known: HashMap<ObjectId, (u128, bool)>,
}

impl Identities<'_> {
    fn of(&self, id: ObjectId) -> (u128, bool) {
        self.known.get(&id).copied().unwrap_or_else(|| document(id))
    }

    /// Learns what these are, and for that what those are that they were made of.
    fn learn(&mut self, inputs: impl Iterator<Item = ObjectId>) -> Result<()> {
        let mut wanted: HashSet<ObjectId> =
            inputs.filter(|id| !self.known.contains_key(id)).collect();
        let mut records: HashMap<ObjectId, Record> = HashMap::new();
        let mut depth = 0;
        while !wanted.is_empty() {
            depth += 1;
            if depth > DEPTH_MAX {
                return Err(too_deep());
            }
            let ids: Vec<ObjectId> = wanted.drain().collect();
            for batch in ids.chunks(BATCH) {
                for record in self.histories(batch)? {
                    records.insert(record.id, record);
                }
            }
            let outputs = ids.iter().filter(|id| records.contains_key(*id));
            let next = outputs.flat_map(|id| records[id].inputs.iter().copied());
            let next = next.filter(|id| !self.known.contains_key(id) && !records.contains_key(id));
            let next: HashSet<ObjectId> = next.collect();
            for id in ids.iter().filter(|id| !records.contains_key(*id)) {
                self.known.insert(*id, document(*id));
            }
            wanted = next;
        }
        let ids: Vec<ObjectId> = records.keys().copied().collect();
        ids.into_iter().try_for_each(|id| self.settle(id, &records, 0).map(drop))
    }

    /// What an output is, from what its inputs are.
    fn settle(
        &mut self,
        id: ObjectId,
        records: &HashMap<ObjectId, Record>,
        depth: usize,
    ) -> Result<(u128, bool)> {
        if let Some(known) = self.known.get(&id) {
            return Ok(*known);
        }
        let Some(record) = records.get(&id) else { return Ok(document(id)) };
        if depth > DEPTH_MAX {
            return Err(too_deep());
        }
        let inputs = record.inputs.iter().map(|input| self.settle(*input, records, depth + 1));
        let inputs: Vec<_> = inputs.collect::<Result<_>>()?;
        let identity = (record.identity(&inputs), true);
        self.known.insert(id, identity);
        Ok(identity)
    }

    fn histories(&self, ids: &[ObjectId]) -> Result<Vec<Record>> {
        let ids: Vec<ObjectId> = ids.iter().map(|id| history_id(*id)).collect();
        let find = Find::filter(doc! { "_id": { "$in": ids } }).projection(keys());
        let mut records = Vec::new();
        for history in self.database.documents.find(HISTORY_OBJECT, &find)? {
            records.extend(Record::of(&history?));
        }
        Ok(records)
    }
}

/// What no job made is its own id.
fn document(id: ObjectId) -> (u128, bool) {
    (Derived::new("document").id(id).key(), false)
}

fn too_deep() -> Error {
    Error::Refused(format!(
        "data were made of outputs of jobs more than {DEPTH_MAX} times in a row"
    ))
}
