//! One stage over one partition: what a task does on a compute thread.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bson::oid::ObjectId;
use bson::{Bson, Document, doc};
use mspass_core::process::Scratch;
use mspass_core::{Datum, ErrorLog, History, Life, Severity, Tombstone};
use mspass_io::db::id::{Derived, history_id, job_id, output_id, to_object_id};
use mspass_io::db::{self, Waveform, collection};
use mspass_io::format::mseed::RecordError;
use mspass_io::store::{Blob, Database};

use super::builder::Workflow;
use super::partition::{Part, Partition, TaskKey};
use super::reader::Faults;
use super::report::{ReasonCount, ReasonKind};
use super::shuffle::Scatter;
use super::tally::{StepTally, Tally};
use crate::db_proxy::messages::{Packed, Save};
use crate::foreman::lease::{Lease, Poison};
use crate::worker::pieces::{PieceAccess, PieceName};
use crate::worker::slate::{Pen, short};

/// A task that holds more bytes of samples stores them before it is done: memory does not grow with
/// the length of a run.
pub const UNSAVED_BYTES_MAX: usize = 16 << 20;
/// Bytes of a bucket that a thread holds in memory, unless the worker says otherwise; a larger one
/// lies in a file while it is worked on.
pub const BUCKET_BYTES: usize = 32 << 20;
/// Bytes that a group may take as an ensemble, unless the worker says otherwise.
pub const GROUP_BYTES: usize = 256 << 20;

/// What happens to a live datum next.
pub(super) type Emit<T> = Arc<dyn Fn(T, &mut Task<'_>, &mut Bench) + Send + Sync>;
/// What a stage does with one part of its input.
pub(super) type Run =
    Arc<dyn Fn(&mut Task<'_>, &Partition, &mut Bench) -> Result<(), StageFault> + Send + Sync>;

/// What becomes of outputs when a task has many of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outputs {
    /// They are stored before the task is done.
    Stored,
    /// The task keeps them all.
    Kept,
    /// They are counted and forgotten.
    Counted,
}

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
    /// The worker's pieces, and those of others.
    pub(super) pieces: Option<PieceAccess>,
    /// The foreman's incarnation that leased the task in work.
    pub(super) epoch: u64,
    /// Its data that are buried unseen.
    poison: Vec<Poison>,
    pub(super) bucket_bytes_max: usize,
    pub(super) group_bytes_max: usize,
    outputs: Outputs,
    /// Bytes of the largest datum so far, where outputs are only counted.
    largest: usize,
    steps: Vec<StepTally>,
    /// Where the datum in work is noted.
    pen: Option<Pen>,
}

impl Bench {
    /// A bench with nothing on it.
    pub fn new(database: Database) -> Self {
        Self {
            scratch: Scratch::default(),
            database,
            file: None,
            decoded: Vec::new(),
            pieces: None,
            epoch: 0,
            poison: Vec::new(),
            bucket_bytes_max: BUCKET_BYTES,
            group_bytes_max: GROUP_BYTES,
            outputs: Outputs::Stored,
            largest: 0,
            steps: Vec::new(),
            pen: None,
        }
    }

    /// A bench on which each datum is noted before its steps begin.
    pub(crate) fn noting_on(self, pen: Pen) -> Self {
        Self { pen: Some(pen), ..self }
    }

    /// A bench at which stages are joined by pieces; a thread may use `bytes` for a group.
    pub(crate) fn with_pieces(self, pieces: PieceAccess, bytes: usize) -> Self {
        let (bucket_bytes_max, group_bytes_max) = (BUCKET_BYTES.min(bytes / 4), bytes);
        Self { pieces: Some(pieces), bucket_bytes_max, group_bytes_max, ..self }
    }

    /// A bench that stores nothing: for looking at a few data.
    pub fn for_looking(database: Database) -> Self {
        Self { outputs: Outputs::Kept, ..Self::new(database) }
    }

    /// A bench that stores nothing and does not keep much: for counting what comes out.
    pub(crate) fn for_counting(database: Database) -> Self {
        Self { outputs: Outputs::Counted, ..Self::new(database) }
    }

    /// Remembers how large a datum is that comes to a step, where outputs are only counted.
    pub(super) fn weigh(&mut self, datum: &impl Datum) {
        if self.outputs == Outputs::Counted {
            self.largest = self.largest.max(datum.memory_bytes());
        }
    }

    /// Bytes of the largest datum since [`Self::forget_largest`].
    pub(crate) fn largest(&self) -> usize {
        self.largest
    }

    pub(crate) fn forget_largest(&mut self) {
        self.largest = 0;
    }

    /// The task of a lease begins.
    pub(crate) fn begin(&mut self, job: &str, lease: &Lease) {
        self.epoch = lease.epoch;
        self.poison.clone_from(&lease.poison);
        if let Some(pen) = &mut self.pen {
            pen.begin(job, lease.key, lease.alone);
        }
    }

    /// The task has ended.
    pub(crate) fn end(&self) {
        if let Some(pen) = &self.pen {
            pen.end();
        }
    }

    /// Counts what one step did to one datum.
    pub(crate) fn count(&mut self, step: usize, took: Duration, died: bool) {
        if let Some(tally) = self.steps.get_mut(step) {
            tally.entered += 1;
            tally.died += u64::from(died);
            tally.nanos += u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        }
    }

    /// Counts a datum that a step left out on purpose.
    pub(super) fn count_left_out(&mut self, step: usize) {
        if let Some(tally) = self.steps.get_mut(step) {
            tally.left_out += 1;
        }
    }
}

/// What kills a datum that is buried unseen, because it broke the processes that it was in.
pub(super) const POISON: &str = "poison";

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
    /// What the stage before made is not all there: some of it is being made again.
    Missing(String),
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
    build: Build,
}

/// Which program runs a job; names nothing where that was not said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Build {
    /// Name of the program.
    pub program: String,
    /// Names its executable by its content.
    pub executable: String,
}

impl Stage {
    /// What a job does with each partition.
    pub fn new(workflow: Workflow, job: &str) -> Self {
        let build = Build::default();
        Self { workflow, job: job.to_owned(), job_id: job_id(job), build }
    }

    /// With the program that runs it, which histories name.
    #[must_use]
    pub fn of_build(self, build: Build) -> Self {
        Self { build, ..self }
    }

    /// The same workflow under the name of another job.
    pub(crate) fn under(self, job: &str) -> Self {
        Self { job: job.to_owned(), job_id: job_id(job), ..self }
    }

    /// The program that runs it.
    pub fn build(&self) -> &Build {
        &self.build
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
        let number = partition.stage as usize;
        let Some(plan) = self.workflow.stages.get(number) else {
            return Err(StageFault::Broken(format!("the workflow has no stage {number}")));
        };
        bench.steps.clear();
        bench.steps.resize(self.workflow.steps.len(), StepTally::default());
        let mut task = Task::new(self, partition);
        (plan.run)(&mut task, partition, bench)?;
        task.settle(bench)?;
        if number + 1 < self.workflow.stages.len() {
            task.finish_scatter(bench.pieces.as_ref())?;
        }
        let Task { mut output, .. } = task;
        output.tally.steps = bench.steps.clone();
        debug_assert!(output.tally.balances(), "every datum is accounted for");
        Ok(output)
    }
}

/// A task under way.
pub(super) struct Task<'a> {
    pub(super) stage: &'a Stage,
    number: u32,
    key: TaskKey,
    /// Keys that every document of this task gets.
    mark: Document,
    /// Data that have begun.
    begun: u64,
    pub(super) output: TaskOutput,
    /// What happened when outputs were stored early.
    pub(super) flush_fault: Option<StageFault>,
    /// Pieces for the next stage.
    pub(super) scatter: Scatter,
}

impl<'a> Task<'a> {
    fn new(stage: &'a Stage, partition: &Partition) -> Self {
        // What is done again later is found by these, and deleted first.
        let mark = match &partition.part {
            Part::File { .. } => doc! { "archive_file_id": partition.origin },
            _ => doc! { "task_origin": partition.origin },
        };
        Self {
            stage,
            number: partition.stage,
            key: partition.key(),
            mark,
            begun: 0,
            output: TaskOutput::default(),
            flush_fault: None,
            scatter: Scatter::default(),
        }
    }
}

impl Task<'_> {
    /// Name of the job.
    pub(super) fn job(&self) -> &str {
        &self.stage.job
    }

    /// What the pieces of this task are called, bucket and chunk apart.
    pub(super) fn piece_name(&self) -> PieceName {
        let (job, stage) = (self.stage.job.clone(), self.number);
        PieceName { job, stage, bucket: 0, part: self.key.0 as u64, chunk: 0 }
    }

    /// A datum begins; it is noted under its name. Gives why it must not go on, if it is known as
    /// poison.
    #[must_use]
    pub(super) fn enter(&mut self, name: impl Fn() -> String, bench: &Bench) -> Option<String> {
        self.count_entered(0);
        self.note(name, bench)
    }

    /// Counts a datum that begins, of so many samples.
    pub(super) fn count_entered(&mut self, npts: usize) {
        self.output.tally.entered += 1;
        self.output.tally.samples_in += npts as u64;
    }

    /// A datum is noted under its name before anything of it is read. Gives why it must not go on,
    /// if it is known as poison.
    #[must_use]
    pub(super) fn note(&mut self, name: impl Fn() -> String, bench: &Bench) -> Option<String> {
        self.begun += 1;
        // The name too: what is read may have changed.
        let is_it = |known: &&Poison| {
            known.datum.ordinal == self.begun && known.datum.name == short(&name())
        };
        let poison = bench.poison.iter().find(is_it).map(|known| known.reason.clone());
        if let Some(pen) = &bench.pen {
            // What breaks the process after a datum that is buried is none that is known.
            let ordinal = if poison.is_some() { 0 } else { self.begun };
            pen.datum(ordinal, name);
        }
        poison
    }

    /// What is read now is of no datum that is known yet: the one before has ended.
    pub(super) fn pass_by(&self, what: impl Fn() -> String, bench: &Bench) {
        if let Some(pen) = &bench.pen {
            pen.datum(0, what);
        }
    }

    /// Stores what there is when it is much; gives what went wrong since the last time.
    pub(super) fn settle(&mut self, bench: &Bench) -> Result<(), StageFault> {
        if self.output.save.blob_bytes() > UNSAVED_BYTES_MAX {
            match bench.outputs {
                Outputs::Stored => {
                    let stored = self.store(&bench.database);
                    self.flush_fault = self.flush_fault.take().or(stored.err());
                }
                Outputs::Kept => {}
                Outputs::Counted => self.output.save = Save::default(),
            }
        }
        self.flush_fault.take().map_or(Ok(()), Err)
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

    /// Keys of this task, of the job, and of those who save.
    fn marked(&self, mark: &Document) -> Document {
        let own = self.mark.clone().into_iter().chain(mark.clone());
        own.chain([("job_id".to_owned(), Bson::ObjectId(self.stage.job_id))]).collect()
    }

    /// Saves a live waveform; `step` names the place in the workflow that saves it.
    pub(super) fn save<T: Waveform>(&mut self, step: &str, datum: &T, mark: &Document) {
        let id = self.output_id(step, datum.history());
        let samples = db::encode_samples(datum.samples());
        let tally = &mut self.output.tally;
        tally.saved += 1;
        tally.samples_saved += datum.npts() as u64;
        tally.bytes_saved += samples.len() as u64;
        let mut extra = self.marked(mark);
        if let ([input], Some(key)) =
            (&datum.history().inputs[..], self.stage.workflow.source.parent_key())
        {
            extra.insert(key, to_object_id(*input));
        }
        let mut document = db::wf_document(id, datum, &extra);
        let about = doc! { format!("{}_id", T::COLLECTION): id };
        if !datum.history().passages.is_empty() {
            let history_id = history_id(id);
            document.insert("history_object_id", history_id);
            let mut about = about.clone();
            about.insert("job_name", &self.stage.job);
            about.insert("job_id", self.stage.job_id);
            about.insert("saved_by", step);
            about.insert("collection", T::COLLECTION);
            let executable = &self.stage.build.executable;
            if !executable.is_empty() {
                about.insert("build", executable);
            }
            let (kind, history) = (T::KIND, datum.history());
            let history = db::history_document(history_id, kind, history, &about);
            self.write(collection::HISTORY_OBJECT, history);
        }
        self.output.save.blobs.push((id, samples));
        self.write(T::COLLECTION, document);
        if !datum.log().is_empty() {
            let (example, log) = (datum.seed_id().to_string(), datum.log().clone());
            for entry in log.entries() {
                self.count(ReasonKind::Logged, &entry.algorithm, &entry.message, &example);
            }
            let elog_id = Derived::new("elog").id(id).object_id();
            self.write_log(elog_id, &log, about.into_iter().chain(mark.clone()).collect());
        }
    }

    /// Keeps a live datum of any kind for whoever collects the job's results.
    pub(super) fn collect<T: Datum>(&mut self, datum: &mut T) {
        let id = self.output_id("collect", datum.history_mut());
        let written = rmp_serde::to_vec_named(datum);
        match written {
            Ok(bytes) => {
                self.output.tally.saved += 1;
                self.output.tally.bytes_saved += bytes.len() as u64;
                let document = doc! { "_id": id, "type": T::KIND };
                let document = document.into_iter().chain(self.marked(&Document::new())).collect();
                self.output.save.blobs.push((id, bytes.into()));
                self.write(collection::COLLECTED, document);
            }
            Err(error) => {
                let (step, reason) = ("collect", error.to_string());
                self.count(ReasonKind::Logged, step, &reason, &id.to_string());
            }
        }
    }

    pub(super) fn bury(&mut self, tombstone: &Tombstone) {
        self.output.tally.dead += 1;
        let (step, reason) = tombstone.cause();
        let example = tombstone.id.as_ref().map(ToString::to_string).unwrap_or_default();
        self.count(ReasonKind::Dead, step, reason, &example);
        let id = self.output_id("cemetery", &tombstone.history);
        let mark = self.marked(&Document::new());
        let mut document = db::cemetery_document(id, tombstone, self.stage.job_id, &mark);
        self.name_parent(&mut document, &tombstone.history);
        self.write(collection::CEMETERY, document);
    }

    /// A member of a group that died in it: a datum of its own.
    pub(super) fn bury_member(&mut self, tombstone: &Tombstone) {
        self.output.tally.entered += 1;
        self.bury(tombstone);
    }

    /// The tombstone names what the datum was read from, by the collection that it is in.
    fn name_parent(&self, document: &mut Document, history: &History) {
        let Ok(tombstone) = document.get_document_mut("tombstone") else { return };
        tombstone.remove(format!("{}_id", collection::WF_MINISEED));
        if let (Some(key), Some(input)) =
            (self.stage.workflow.source.parent_key(), history.inputs.first())
        {
            tombstone.insert(key, to_object_id(*input));
        }
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
        let reason = faults.kept.first().map_or("no reason was given", |fault| &fault.reason);
        let tombstone = Tombstone {
            kind: "TimeSeries".into(),
            life: Life::Aborted,
            id: None,
            axis: None,
            npts: 0,
            metadata: [("file", name)].into_iter().collect(),
            log,
            history: History::default(),
        };
        let id = Derived::new("abortion").text(&self.stage.job).id(partition.origin).object_id();
        self.write_abortion(id, "read", reason, name, &tombstone);
    }

    /// A datum that entered and never came to life.
    pub(super) fn refuse(&mut self, tombstone: &Tombstone) {
        let (step, reason) = tombstone.cause();
        let id = self.output_id("abortion", &tombstone.history);
        self.write_abortion(id, step, reason, &id.to_string(), tombstone);
    }

    fn write_abortion(
        &mut self,
        id: ObjectId,
        step: &str,
        reason: &str,
        example: &str,
        tombstone: &Tombstone,
    ) {
        self.output.tally.aborted += 1;
        self.count(ReasonKind::Aborted, step, reason, example);
        let mark = self.marked(&Document::new());
        let document = db::abortion_document(id, tombstone, self.stage.job_id, &mark);
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
        let keys = keys.into_iter().chain(self.marked(&Document::new())).collect();
        let document = db::elog_document(id, log, self.stage.job_id, &keys);
        self.write(collection::ELOG, document);
    }

    fn output_id(&self, step: &str, history: &History) -> ObjectId {
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
