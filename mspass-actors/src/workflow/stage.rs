//! One stage over one partition: what a task does on a compute thread.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bson::oid::ObjectId;
use bson::{Document, doc};
use mspass_core::process::Scratch;
use mspass_core::{ErrorLog, Severity, TimeSeries, Tombstone};
use mspass_io::db::id::{Derived, job_id, output_id};
use mspass_io::db::{self, collection};
use mspass_io::format::mseed::RecordError;
use mspass_io::store::{Blob, Database};

use super::builder::Workflow;
use super::partition::Partition;
use super::reader::{self, Faults};
use super::report::{ReasonCount, ReasonKind};
use super::tally::{StepTally, Tally};
use crate::db_proxy::messages::{Packed, Save};
use crate::worker::slate::Pen;

/// A task that holds more bytes of samples stores them before it is done: memory does not grow with
/// the length of a run.
pub const UNSAVED_BYTES_MAX: usize = 16 << 20;

/// What one compute thread keeps from task to task.
#[derive(Debug)]
pub struct Bench {
    /// Buffers and designs of the processes.
    pub(crate) scratch: Scratch,
    /// The store behind the db-proxy.
    pub(super) database: Database,
    /// The file read last.
    pub(super) file: Option<(PathBuf, File)>,
    /// Samples of the record in work.
    pub(super) decoded: Vec<f64>,
    /// Whether outputs may be stored; else a task keeps them all.
    stores: bool,
    steps: Vec<StepTally>,
    /// Where the datum in work is noted.
    pen: Option<Pen>,
}

impl Bench {
    /// A bench with nothing on it.
    pub fn new(database: Database) -> Self {
        let (scratch, file, decoded) = (Scratch::default(), None, Vec::new());
        Self { scratch, database, file, decoded, stores: true, steps: Vec::new(), pen: None }
    }

    /// A bench on which each datum is noted before its steps begin.
    pub(crate) fn noting_on(self, pen: Pen) -> Self {
        Self { pen: Some(pen), ..self }
    }

    /// A bench that stores nothing: for looking at a few data.
    pub fn for_looking(database: Database) -> Self {
        Self { stores: false, ..Self::new(database) }
    }

    /// Counts what one step did to one datum.
    pub(crate) fn count(&mut self, step: usize, took: Duration, died: bool) {
        if let Some(tally) = self.steps.get_mut(step) {
            tally.entered += 1;
            tally.died += u64::from(died);
            tally.nanos += u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        }
    }
}

/// Why a task could not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StageFault {
    /// A store did not answer.
    Store(String),
    /// A store refused in a way that a person can mend: its disk is full, say.
    Refused(String),
    /// The task broke outside its steps.
    Broken(String),
}

impl StageFault {
    /// The system failed to read a file: it may do better another time.
    pub(super) fn unread(path: &Path, error: &RecordError) -> Self {
        Self::Store(format!("{} {error}", path.display()))
    }
}

impl From<mspass_io::Error> for StageFault {
    fn from(error: mspass_io::Error) -> Self {
        match error {
            mspass_io::Error::Disk { .. } | mspass_io::Error::Refused(_) => {
                Self::Refused(error.to_string())
            }
            other => Self::Store(other.to_string()),
        }
    }
}

/// What a task brings: counts, and what is to be stored before they count.
#[derive(Debug, Default)]
pub struct TaskOutput {
    /// Counts.
    pub tally: Tally,
    /// Samples and documents.
    pub save: Save,
}

/// A workflow under the name of a job.
#[derive(Debug)]
pub struct Stage {
    pub(super) workflow: Workflow,
    pub(super) job: String,
    pub(super) job_id: ObjectId,
    mark: Document,
}

impl Stage {
    /// The stage that a job runs over each partition.
    pub fn new(workflow: Workflow, job: &str) -> Self {
        let mut mark = workflow.mark();
        mark.insert("job_id", job_id(job));
        Self { mark, workflow, job: job.to_owned(), job_id: job_id(job) }
    }

    /// The workflow.
    pub fn workflow(&self) -> &Workflow {
        &self.workflow
    }

    /// Name of the job.
    pub fn job(&self) -> &str {
        &self.job
    }

    /// Reads, processes and prepares for saving all data of a partition.
    pub fn run(&self, partition: &Partition, bench: &mut Bench) -> Result<TaskOutput, StageFault> {
        bench.steps.clear();
        bench.steps.resize(self.workflow.steps.len(), StepTally::default());
        let mark = doc! { "archive_file_id": partition.file };
        let mark = mark.into_iter().chain(self.mark.clone()).collect();
        let mut task = Task { stage: self, mark, output: TaskOutput::default(), flush_fault: None };
        reader::read_partition(&mut task, partition, bench)?;
        let Task { mut output, .. } = task;
        output.tally.steps = bench.steps.clone();
        debug_assert!(output.tally.balances(), "every datum is accounted for");
        Ok(output)
    }
}

/// A task under way.
pub(super) struct Task<'a> {
    pub(super) stage: &'a Stage,
    /// Keys that every document of this task gets.
    mark: Document,
    pub(super) output: TaskOutput,
    /// What happened when outputs were stored early.
    pub(super) flush_fault: Option<StageFault>,
}

impl Task<'_> {
    /// Runs a datum through the steps and keeps what becomes of it.
    pub(super) fn process(&mut self, trace: TimeSeries, bench: &mut Bench) {
        let tally = &mut self.output.tally;
        tally.entered += 1;
        tally.samples_in += trace.npts() as u64;
        if let Some(pen) = &bench.pen {
            let start = trace.axis.starttime().map(|time| time.to_string()).unwrap_or_default();
            pen.datum(&format!("{} {start}", trace.id));
        }
        match (self.stage.workflow.chain)(trace, bench) {
            Ok(trace) => {
                self.keep(&trace);
                bench.scratch.give_back(trace.samples);
            }
            Err(tombstone) => self.bury(&tombstone),
        }
        if bench.stores && self.output.save.blob_bytes() > UNSAVED_BYTES_MAX {
            let stored = self.store(&bench.database);
            self.flush_fault = self.flush_fault.take().or(stored.err());
        }
    }

    /// Stores what there is so far; ids are derived, so doing it again changes nothing.
    fn store(&mut self, database: &Database) -> Result<(), StageFault> {
        let Save { blobs, documents } = std::mem::take(&mut self.output.save);
        let blobs: Vec<Blob> = blobs.into_iter().map(|(id, bytes)| Blob { id, bytes }).collect();
        database.blobs.put(&blobs)?;
        for (collection, packed) in documents {
            let documents: Vec<Document> = packed.into_iter().map(|Packed(doc)| doc).collect();
            database.documents.upsert(&collection, &documents)?;
        }
        Ok(())
    }

    fn keep(&mut self, trace: &TimeSeries) {
        let id = self.output_id("save", &trace.history);
        let samples = db::encode_samples(&trace.samples);
        let tally = &mut self.output.tally;
        tally.live += 1;
        tally.saved += 1;
        tally.samples_saved += trace.npts() as u64;
        tally.bytes_saved += samples.len() as u64;
        let document = db::wf_time_series_document(id, trace, &self.mark);
        self.output.save.blobs.push((id, samples));
        self.write(collection::WF_TIME_SERIES, document);
        if !trace.log.is_empty() {
            let (example, log) = (trace.id.to_string(), trace.log.clone());
            for entry in log.entries() {
                self.count(ReasonKind::Logged, &entry.algorithm, &entry.message, &example);
            }
            let about = doc! { "wf_TimeSeries_id": id };
            let elog_id = Derived::new("elog").id(id).object_id();
            self.write_log(elog_id, &log, about);
        }
    }

    fn bury(&mut self, tombstone: &Tombstone) {
        self.output.tally.dead += 1;
        let (step, reason) = tombstone.cause();
        let example = tombstone.id.as_ref().map(ToString::to_string).unwrap_or_default();
        self.count(ReasonKind::Dead, step, reason, &example);
        let id = self.output_id("cemetery", &tombstone.history);
        let document = db::cemetery_document(id, tombstone, self.stage.job_id, &self.mark);
        self.write(collection::CEMETERY, document);
    }

    /// A file that gives no datum.
    pub(super) fn abort(
        &mut self,
        partition: &Partition,
        name: &str,
        faults: &Faults,
        log: ErrorLog,
    ) {
        self.output.tally.entered += 1;
        self.output.tally.aborted += 1;
        let tombstone = Tombstone {
            kind: "TimeSeries".into(),
            life: mspass_core::Life::Aborted,
            id: None,
            axis: None,
            npts: 0,
            metadata: [("file", name)].into_iter().collect(),
            log,
            history: mspass_core::History::default(),
        };
        let reason = faults.kept.first().map_or("no reason was given", |fault| &fault.reason);
        self.count(ReasonKind::Aborted, "read", reason, name);
        let id = Derived::new("abortion").text(&self.stage.job).id(partition.file).object_id();
        let document = db::abortion_document(id, &tombstone, self.stage.job_id, &self.mark);
        self.write(collection::ABORTIONS, document);
    }

    /// Faults that cost no datum, of a file or of a part (from sample `from` on) of a run.
    pub(super) fn log(
        &mut self,
        about: ObjectId,
        from: u64,
        name: &str,
        faults: &Faults,
        keys: Document,
    ) {
        for fault in &faults.kept {
            self.count(ReasonKind::Logged, "read", &fault.reason, name);
        }
        let id = Derived::new("elog").text(&self.stage.job).id(about).number(from).object_id();
        self.write_log(id, &faults.to_log("read", Severity::Complaint), keys);
    }

    fn write_log(&mut self, id: ObjectId, log: &ErrorLog, keys: Document) {
        let keys = keys.into_iter().chain(self.mark.clone()).collect();
        let document = db::elog_document(id, log, self.stage.job_id, &keys);
        self.write(collection::ELOG, document);
    }

    fn output_id(&self, step: &str, history: &mspass_core::History) -> ObjectId {
        output_id(&self.stage.job, step, &history.inputs, history.output)
    }

    fn count(&mut self, kind: ReasonKind, step: &str, reason: &str, example: &str) {
        self.output.tally.add_reason(ReasonCount {
            kind,
            step: step.to_owned(),
            reason: reason.to_owned(),
            count: 1,
            example: example.to_owned(),
        });
    }

    fn write(&mut self, collection: &str, document: Document) {
        let groups = &mut self.output.save.documents;
        match groups.iter_mut().find(|(name, _)| name == collection) {
            Some((_, group)) => group.push(Packed(document)),
            None => groups.push((collection.to_owned(), vec![Packed(document)])),
        }
    }
}
