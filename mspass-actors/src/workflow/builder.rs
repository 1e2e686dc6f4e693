//! Building a workflow in code: typed steps, checked before any datum is read.

use std::fmt;
use std::sync::Arc;

use bson::Document;
use mspass_core::process::runner::{self, Outcome};
use mspass_core::process::{FnProcess, map_fn};
use mspass_core::{Datum, Process, TimeSeries};
use serde::{Deserialize, Serialize};

use super::stage::Bench;
use crate::clock;
use crate::error::{Error, Result};

/// What a step is called and set to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// Its parameters, as JSON text.
    pub parameters: String,
}

/// Where a workflow's data come from: indexed files, read run by run and cut at UTC boundaries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArchivePieces {
    /// Name of the archive in the index.
    pub archive: String,
    /// Length of a piece, seconds; pieces start at multiples of it since 1970 UTC. They are
    /// half-open: a sample on the boundary is the first of the later piece.
    pub piece_seconds: u32,
}

impl ArchivePieces {
    /// Hours of the archive of this name.
    pub fn hours(archive: impl Into<String>) -> Self {
        Self { archive: archive.into(), piece_seconds: 3600 }
    }
}

/// Where results go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Save {
    /// The user's name for this stage of processing, kept in every document.
    pub data_tag: Option<String>,
}

impl Save {
    /// Into `wf_TimeSeries`, samples beside it.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a data tag.
    #[must_use]
    pub fn data_tag(self, tag: impl Into<String>) -> Self {
        Self { data_tag: Some(tag.into()) }
    }
}

pub(super) type Chain<T> = Arc<dyn Fn(TimeSeries, &mut Bench) -> Outcome<T> + Send + Sync>;

/// A workflow being built: it gives data of type `T` so far.
#[must_use = "a pipeline does nothing until it is saved into a workflow and run"]
pub struct Pipeline<T> {
    source: ArchivePieces,
    steps: Vec<Step>,
    chain: Chain<T>,
    refused: Option<Error>,
}

impl<T> fmt::Debug for Pipeline<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline").field("steps", &self.steps).finish_non_exhaustive()
    }
}

/// A whole workflow, ready to run: the same value on every node, whatever runs it.
#[must_use = "a workflow does nothing until it is run"]
pub struct Workflow {
    pub(crate) source: ArchivePieces,
    pub(crate) steps: Vec<Step>,
    pub(super) chain: Chain<TimeSeries>,
    pub(super) save: Save,
}

impl fmt::Debug for Workflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workflow").field("steps", &self.fingerprint()).finish_non_exhaustive()
    }
}

impl Workflow {
    /// Starts with the data of a source.
    pub fn read(source: ArchivePieces) -> Pipeline<TimeSeries> {
        Pipeline { source, steps: Vec::new(), chain: Arc::new(|trace, _| Ok(trace)), refused: None }
    }

    /// The steps between reading and saving.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Where its data come from.
    pub fn source(&self) -> &ArchivePieces {
        &self.source
    }

    /// Everything that decides the result, step by step: a job of the same name must have the
    /// same.
    pub fn fingerprint(&self) -> Vec<Step> {
        let text = |value| serde_json::to_string(&value).unwrap_or_default();
        let read = Step {
            name: "read".into(),
            parameters: text(serde_json::json!({ "pieces": self.source })),
        };
        let save = Step { name: "save".into(), parameters: text(serde_json::json!(self.save)) };
        [read].into_iter().chain(self.steps.iter().cloned()).chain([save]).collect()
    }

    /// Keys that all documents of a job get.
    pub(super) fn mark(&self) -> Document {
        let mut mark = Document::new();
        if let Some(tag) = &self.save.data_tag {
            mark.insert("data_tag", tag);
        }
        mark
    }
}

impl<T: Datum> Pipeline<T> {
    /// Adds a process.
    pub fn map<P: Process<T>>(mut self, process: P) -> Pipeline<P::Output> {
        let index = self.steps.len();
        if let (Err(source), None) = (process.check(), &self.refused) {
            self.refused = Some(Error::Step { step: process.name().to_owned(), source });
        }
        let passage = runner::passage_of(&process);
        self.steps.push(Step {
            name: passage.step.clone(),
            parameters: passage.parameters.clone(),
        });
        let before = self.chain;
        let chain: Chain<P::Output> = Arc::new(move |trace, bench| {
            let datum = before(trace, bench)?;
            let began = clock::now();
            let outcome = runner::run(&process, &passage, datum, &mut bench.scratch);
            bench.count(index, began.elapsed(), outcome.is_err());
            outcome
        });
        Pipeline { source: self.source, steps: self.steps, chain, refused: self.refused }
    }

    /// Adds a function of the user's own. An error, or a panic, kills that one datum.
    pub fn map_fn<U, E, F>(self, name: &str, function: F) -> Pipeline<U>
    where
        U: Datum,
        E: fmt::Display,
        F: Fn(T) -> Result<U, E> + Send + Sync + 'static,
        FnProcess<F>: Process<T, Output = U>,
    {
        self.map(map_fn(name, function))
    }
}

impl Pipeline<TimeSeries> {
    /// Ends with saving the traces.
    ///
    /// # Errors
    /// The first step whose parameters can never work.
    pub fn save(self, save: Save) -> Result<Workflow> {
        let Self { source, steps, chain, refused } = self;
        if source.piece_seconds == 0 || source.piece_seconds > 86_400 {
            let seconds = source.piece_seconds;
            let source = mspass_core::Error::parameter(
                "piece_seconds",
                seconds,
                "must lie between 1 second and a day",
            );
            return Err(Error::Step { step: "read".into(), source });
        }
        match refused {
            Some(error) => Err(error),
            None => Ok(Workflow { source, steps, chain, save }),
        }
    }
}
