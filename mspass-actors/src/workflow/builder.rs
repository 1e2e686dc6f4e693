//! Building a workflow in code: typed steps, checked before any datum is read.

use std::fmt;
use std::sync::Arc;

use mspass_core::history::Passage;
use mspass_core::process::runner;
use mspass_core::process::{Facts, FnProcess, map_fn};
use mspass_core::{Datum, Process, TimeSeries};
use mspass_io::db::Waveform;
use mspass_io::db::id::Derived;
use serde::{Deserialize, Serialize};

use super::foresight::Foresee;
use super::groups::Groups;
use super::source::{ArchivePieces, Numbered, Query, Source};
use super::stage::{Emit, Run};
use super::{reader, stored};
use crate::clock;
use crate::error::{Error, Result};

/// Data that one step makes of one datum at most.
pub const FLAT_MAP_MAX: u64 = 1 << 16;

/// What a step is called and set to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// Its parameters, as JSON text.
    pub parameters: String,
}

impl Step {
    pub(super) fn new(name: &str, parameters: &serde_json::Value) -> Self {
        Self { name: name.to_owned(), parameters: parameters.to_string() }
    }

    pub(super) fn passage(&self) -> Arc<Passage> {
        let Self { name: step, parameters } = self.clone();
        Arc::new(Passage { step, parameters })
    }
}

/// What a stage that is complete does, and where its steps begin.
pub(super) struct StagePlan {
    pub(super) run: Run,
    pub(super) first_step: usize,
    /// Buckets that its input lies in; 0 where it reads the source.
    pub(super) buckets: u32,
}

/// Everything of a workflow but what the step in work gives.
pub(super) struct Draft {
    pub(super) source: Source,
    pub(super) steps: Vec<Step>,
    pub(super) stages: Vec<StagePlan>,
    /// By number of the step, what is known beforehand of the data that it takes and gives.
    pub(super) foresees: Vec<(usize, Foresee)>,
    /// Where the steps of the stage in work begin, and the buckets of its input.
    pub(super) first_step: usize,
    pub(super) buckets: u32,
    /// The first step that can never work.
    pub(super) refused: Option<Error>,
}

impl Draft {
    /// Without a step so far.
    fn of(source: Source) -> Self {
        Self {
            source,
            steps: Vec::new(),
            stages: Vec::new(),
            foresees: Vec::new(),
            first_step: 0,
            buckets: 0,
            refused: None,
        }
    }

    /// Adds a step; its number.
    pub(super) fn add(&mut self, step: Step) -> usize {
        self.steps.push(step);
        self.steps.len() - 1
    }

    /// Says what is known beforehand of the data that a step takes and gives; one of which nothing
    /// is said changes nothing.
    pub(super) fn foresee(
        &mut self,
        step: usize,
        foresee: impl Fn(&mut Facts) -> mspass_core::Result<()> + Send + Sync + 'static,
    ) {
        self.foresees.push((step, Arc::new(foresee)));
    }

    /// Remembers why a step can never work, if it cannot.
    pub(super) fn refuse(&mut self, step: &str, checked: mspass_core::Result<()>) {
        if let (Err(source), None) = (checked, &self.refused) {
            self.refused = Some(Error::Step { step: step.to_owned(), source });
        }
    }

    /// The stage in work is complete.
    pub(super) fn end_stage(&mut self, run: Run, next_buckets: u32) {
        let (first_step, buckets) = (self.first_step, self.buckets);
        self.stages.push(StagePlan { run, first_step, buckets });
        (self.first_step, self.buckets) = (self.steps.len(), next_buckets);
    }
}

/// A workflow being built: it gives data of type `T` so far.
#[must_use = "a pipeline does nothing until it is saved, collected or counted, and run"]
pub struct Pipeline<T> {
    pub(super) draft: Draft,
    /// Makes the stage in work, once it is known what becomes of its data.
    pub(super) connect: Box<dyn FnOnce(Emit<T>) -> Run>,
}

impl<T> fmt::Debug for Pipeline<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline").field("steps", &self.draft.steps).finish_non_exhaustive()
    }
}

/// A whole workflow, ready to run: the same value on every node, whatever runs it.
#[must_use = "a workflow does nothing until it is run"]
pub struct Workflow {
    pub(crate) source: Source,
    pub(crate) steps: Vec<Step>,
    pub(super) stages: Vec<StagePlan>,
    pub(super) foresees: Vec<(usize, Foresee)>,
    /// What becomes of the results, as a step.
    outlet: Step,
}

impl fmt::Debug for Workflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workflow").field("steps", &self.fingerprint()).finish_non_exhaustive()
    }
}

impl Workflow {
    fn start<T>(source: Source, connect: Box<dyn FnOnce(Emit<T>) -> Run>) -> Pipeline<T> {
        let refused = source.check().err();
        Pipeline { draft: Draft { refused, ..Draft::of(source) }, connect }
    }

    /// Starts with pieces of an indexed archive.
    pub fn read(pieces: ArchivePieces) -> Pipeline<TimeSeries> {
        let piece_seconds = pieces.piece_seconds;
        let connect = move |emit: Emit<TimeSeries>| -> Run {
            Arc::new(move |task, partition, bench| {
                reader::read_partition(task, partition, piece_seconds, &emit, bench)
            })
        };
        Self::start(Source::Archive(pieces), Box::new(connect))
    }

    /// Starts with waveforms of the database.
    pub fn read_stored<T: Waveform>(query: Query) -> Pipeline<T> {
        let collection = query.collection.clone().unwrap_or_else(|| T::COLLECTION.to_owned());
        let source = Source::Stored { collection: collection.clone(), query: query.clone() };
        let connect = move |emit: Emit<T>| stored::read_documents(collection, query, emit);
        Self::start(source, Box::new(connect))
    }

    /// Starts with ensembles of waveforms of the database that agree in the values of these keys.
    pub fn read_ensembles<T: Waveform>(query: Query, keys: &[&str]) -> Groups<T> {
        Self::read_stored(query).group_by(keys)
    }

    /// Starts with data that a function makes by their numbers, the same on every node.
    pub fn generate<T: Datum>(
        source: Numbered,
        make: impl Fn(u64) -> T + Send + Sync + 'static,
    ) -> Pipeline<T> {
        let (numbered, make) = (source.clone(), Arc::new(make));
        let connect = move |emit: Emit<T>| stored::make_numbered(&source, make, emit);
        Self::start(Source::Numbered(numbered), Box::new(connect))
    }

    /// The steps between reading and saving.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Where its data come from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// How many stages it has: one more than it groups data.
    pub fn stage_count(&self) -> u32 {
        u32::try_from(self.stages.len()).unwrap_or(u32::MAX)
    }

    /// Buckets that the input of a stage lies in; 0 where it reads the source.
    pub fn buckets(&self, stage: u32) -> u32 {
        self.stages.get(stage as usize).map_or(0, |stage| stage.buckets)
    }

    /// The steps of each stage.
    pub fn stage_steps(&self) -> impl Iterator<Item = &[Step]> {
        let ends = self.stages.iter().skip(1).map(|stage| stage.first_step);
        let ends = ends.chain([self.steps.len()]);
        self.stages.iter().zip(ends).map(|(stage, end)| &self.steps[stage.first_step..end])
    }

    /// What becomes of its results: `save`, `collect` or `count`.
    pub fn outlet(&self) -> &Step {
        &self.outlet
    }

    /// Everything that decides the result, step by step: a job of the same name must have the
    /// same.
    pub fn fingerprint(&self) -> Vec<Step> {
        let steps = self.steps.iter().cloned();
        [self.source.step()].into_iter().chain(steps).chain([self.outlet.clone()]).collect()
    }
}

impl<T: Datum> Pipeline<T> {
    /// Goes on with what a step gives of each datum: `pass` calls `next` with it, or buries it.
    pub(super) fn then<U: Datum>(
        self,
        draft: Draft,
        pass: impl FnOnce(Emit<U>) -> Emit<T> + 'static,
    ) -> Pipeline<U> {
        let before = self.connect;
        Pipeline { draft, connect: Box::new(move |next| before(pass(next))) }
    }

    pub(super) fn take_draft(&mut self) -> Draft {
        let empty = Draft::of(self.draft.source.clone());
        std::mem::replace(&mut self.draft, empty)
    }

    /// Adds a process.
    ///
    /// It has to take what the steps before give; this one takes seismograms, so traces have to be
    /// bundled first:
    ///
    /// ```compile_fail,E0277
    /// use mspass_actors::workflow::{Numbered, Workflow};
    /// use mspass_core::TimeSeries;
    /// use mspass_core::process::Rotate;
    /// let traces = Workflow::generate(Numbered::new("traces", 3), |_| TimeSeries::default());
    /// traces.map(Rotate::to_standard()).count();
    /// ```
    pub fn map<P: Process<T>>(mut self, process: P) -> Pipeline<P::Output> {
        let mut draft = self.take_draft();
        draft.refuse(process.name(), process.check());
        let passage = runner::passage_of(&process);
        let (name, parameters) = (passage.step.clone(), passage.parameters.clone());
        let step = draft.add(Step { name, parameters });
        let process = Arc::new(process);
        let foreseeing = Arc::clone(&process);
        draft.foresee(step, move |facts| foreseeing.foresee(facts));
        self.then(draft, move |next: Emit<P::Output>| {
            Arc::new(move |datum, task, bench| {
                bench.weigh(&datum);
                let began = clock::now();
                let outcome = runner::run(&*process, &passage, datum, &mut bench.scratch);
                bench.count(step, began.elapsed(), outcome.is_err());
                match outcome {
                    Ok(output) => next(output, task, bench),
                    Err(tombstone) => task.bury(&tombstone),
                }
            })
        })
    }

    /// Adds a function of the user's own. An error, or a panic, kills that one datum.
    pub fn try_map<U, E, F>(self, name: &str, function: F) -> Pipeline<U>
    where
        U: Datum,
        E: fmt::Display,
        F: Fn(T) -> Result<U, E> + Send + Sync + 'static,
        FnProcess<F>: Process<T, Output = U>,
    {
        self.map(map_fn(name, function))
    }

    /// Lets those data pass for which `keeps` is true; the others are left out, and counted.
    pub fn filter(
        mut self,
        name: &str,
        keeps: impl Fn(&T) -> bool + Send + Sync + 'static,
    ) -> Self {
        let mut draft = self.take_draft();
        let step = Step::new(name, &serde_json::Value::Null);
        let passage = step.passage();
        let number = draft.add(step);
        self.then(draft, move |next: Emit<T>| {
            Arc::new(move |mut datum, task, bench| {
                let began = clock::now();
                let kept = guard(&mut datum, &passage, |datum| keeps(datum));
                bench.count(number, began.elapsed(), kept.is_none());
                match kept {
                    Some(true) => next(datum, task, bench),
                    Some(false) => {
                        bench.count_left_out(number);
                        task.output.tally.live += 1;
                    }
                    None => task.bury(&datum.into_tombstone()),
                }
            })
        })
    }

    /// Lets about one datum in `one_in` pass, chosen by what it was made of: the same ones in every
    /// run. For looking at a workflow before it runs over everything.
    pub fn sample(mut self, one_in: u32) -> Self {
        let mut draft = self.take_draft();
        let parameters = serde_json::json!({ "one_in": one_in });
        let step = Step::new("sample", &parameters);
        let passage = step.passage();
        let number = draft.add(step);
        if one_in == 0 {
            let reason = "must be at least 1: of so many data one passes";
            let refused = mspass_core::Error::parameter("one_in", one_in, reason);
            draft.refuse("sample", Err(refused));
        }
        self.then(draft, move |next: Emit<T>| {
            Arc::new(move |mut datum, task, bench| {
                let history = datum.history_mut();
                let key = history.inputs.iter().fold(Derived::new("sample"), |key, input| {
                    key.id(mspass_io::db::id::to_object_id(*input))
                });
                let passes = key.number(history.output).key() % u128::from(one_in.max(1)) == 0;
                bench.count(number, std::time::Duration::ZERO, false);
                if passes {
                    datum.history_mut().record(&passage);
                    return next(datum, task, bench);
                }
                bench.count_left_out(number);
                task.output.tally.live += 1;
            })
        })
    }

    /// Makes any number of data of each, [`FLAT_MAP_MAX`] at most. An error, or a panic, kills the
    /// one that they would have been made of.
    ///
    /// What is made without a history of its own has that of the datum it was made of; its output
    /// number tells it from the others.
    pub fn flat_map<U, E, F>(mut self, name: &str, function: F) -> Pipeline<U>
    where
        U: Datum,
        E: fmt::Display,
        F: Fn(T) -> Result<Vec<U>, E> + Send + Sync + 'static,
    {
        let mut draft = self.take_draft();
        let step = Step::new(name, &serde_json::Value::Null);
        let (passage, name) = (step.passage(), name.to_owned());
        let number = draft.add(step);
        draft.foresee(number, |facts| {
            *facts = Facts::default();
            Ok(())
        });
        self.then(draft, move |next: Emit<U>| {
            Arc::new(move |mut datum, task, bench| {
                let began = clock::now();
                datum.history_mut().record(&passage);
                let history = datum.history_mut().clone();
                let mut headstone = datum.headstone();
                let function = &function;
                let made = guarded(move || function(datum).map_err(|error| error.to_string()));
                let made = made.and_then(|made| match made.len() as u64 {
                    0..=FLAT_MAP_MAX => Ok(made),
                    count => Err(format!("made {count} data of one")),
                });
                bench.count(number, began.elapsed(), made.is_err());
                let made = match made {
                    Ok(made) => made,
                    Err(reason) => {
                        headstone.kill(&name, reason);
                        return task.bury(&headstone.into_tombstone());
                    }
                };
                // They take the place of the one that they were made of.
                task.output.tally.entered += (made.len() as u64).saturating_sub(1);
                task.output.tally.live += u64::from(made.is_empty());
                for (index, mut datum) in (first_number(history.output)..).zip(made) {
                    if datum.history_mut().inputs.is_empty() {
                        *datum.history_mut() = history.clone();
                    }
                    datum.history_mut().output = index;
                    match datum.life() {
                        mspass_core::Life::Live => next(datum, task, bench),
                        _ => task.bury(&datum.into_tombstone()),
                    }
                }
            })
        })
    }

    /// Groups data by the values of keys: structural facts (`net`, `sta`, `npts`) or metadata. A
    /// datum that lacks one dies.
    pub fn group_by(self, keys: &[&str]) -> Groups<T> {
        Groups::by_keys(self, keys)
    }

    /// Groups data by what a function gives, under this name. An error kills the datum.
    pub fn group_by_fn<V, E>(
        self,
        name: &str,
        key: impl Fn(&T) -> Result<V, E> + Send + Sync + 'static,
    ) -> Groups<T>
    where
        V: Into<mspass_core::metadata::Value>,
        E: fmt::Display,
    {
        Groups::by_function(self, name, key)
    }

    /// Ends with keeping the data for [`collected`](super::collected::collected).
    ///
    /// # Errors
    /// The first step whose parameters can never work.
    pub fn collect(self) -> Result<Workflow> {
        let step = Step::new("collect", &serde_json::Value::Null);
        self.end(
            step,
            Arc::new(move |mut datum: T, task, _| {
                task.output.tally.live += 1;
                task.collect(&mut datum);
            }),
        )
    }

    /// Ends with counting the data: `live` of the last stage.
    ///
    /// # Errors
    /// The first step whose parameters can never work.
    pub fn count(self) -> Result<Workflow> {
        let step = Step::new("count", &serde_json::Value::Null);
        self.end(step, Arc::new(move |_: T, task, _| task.output.tally.live += 1))
    }

    pub(super) fn end(self, outlet: Step, emit: Emit<T>) -> Result<Workflow> {
        let Self { mut draft, connect } = self;
        if let Some(error) = draft.refused {
            return Err(error);
        }
        draft.refused = None;
        draft.end_stage(connect(emit), 0);
        let Draft { source, steps, stages, foresees, .. } = draft;
        Ok(Workflow { source, steps, stages, foresees, outlet })
    }
}

/// The number of the first of the data made of one, with room for [`FLAT_MAP_MAX`]: the same for
/// the same output, another one for another output of the same inputs. What was joined of several
/// data has numbers that leave no room above them: those are hashed.
fn first_number(output: u64) -> u64 {
    output.checked_mul(FLAT_MAP_MAX).unwrap_or_else(|| {
        let hash = Derived::new("flat_map").number(output).key() as u64;
        hash - hash % FLAT_MAP_MAX
    })
}

/// Calls a user's function over a datum, records the passage, and kills the datum when it panics.
fn guard<T: Datum, R>(
    datum: &mut T,
    passage: &Arc<Passage>,
    call: impl FnOnce(&T) -> R,
) -> Option<R> {
    datum.history_mut().record(passage);
    match guarded(|| Ok(call(datum))) {
        Ok(result) => Some(result),
        Err(reason) => {
            datum.kill(&passage.step, reason);
            None
        }
    }
}

/// What a function gives; a panic is an error with its text.
pub(super) fn guarded<R>(call: impl FnOnce() -> Result<R, String>) -> Result<R, String> {
    let called = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call));
    called.unwrap_or_else(|panic| Err(format!("panicked: {}", runner::panic_text(panic.as_ref()))))
}
