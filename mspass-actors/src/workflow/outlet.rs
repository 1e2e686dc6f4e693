//! Saving what a workflow gives, at its end or on the way.

use std::sync::Arc;
use std::time::Duration;

use bson::Document;
use mspass_core::Datum;
use mspass_core::process::Scratch;
use mspass_core::series::{Ensemble, Sampled};
use mspass_io::db::Waveform;
use serde::{Deserialize, Serialize};

use super::builder::{Pipeline, Step, Workflow};
use super::stage::{Emit, Task};
use crate::error::Result;

/// How results are saved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Save {
    /// The user's name for this stage of processing, kept in every document.
    pub data_tag: Option<String>,
}

impl Save {
    /// Into the collection of the kind of datum, samples beside it.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a data tag.
    #[must_use]
    pub fn data_tag(self, tag: impl Into<String>) -> Self {
        Self { data_tag: Some(tag.into()) }
    }

    /// Keys that all documents get.
    fn mark(&self) -> Document {
        let mut mark = Document::new();
        if let Some(tag) = &self.data_tag {
            mark.insert("data_tag", tag);
        }
        mark
    }

    fn step(&self, name: &str) -> Step {
        Step::new(name, &serde_json::json!(self))
    }
}

/// Gives the samples of a datum that nobody needs any more to those that come.
fn give_back<T: Sampled>(datum: &mut T, scratch: &mut Scratch) {
    let axis = *datum.axis();
    scratch.give_back(datum.replace(axis, Vec::new()));
}

/// Saves the living members, which get the metadata of the whole, and buries the dead.
fn save_all<T: Waveform>(
    place: &str,
    mark: &Document,
    ensemble: &mut Ensemble<T>,
    task: &mut Task<'_>,
) {
    ensemble.sync_metadata(&[]);
    for member in &mut ensemble.members {
        if member.life() == mspass_core::Life::Live {
            task.save(place, member, mark);
        }
    }
}

impl<T: Waveform> Pipeline<T> {
    /// Saves a copy of each datum, and goes on.
    pub fn tee(self, save: &Save) -> Self {
        let mark = save.mark();
        self.look_at(save.step("tee"), move |place, datum, task| task.save(place, datum, &mark))
    }

    /// Ends with saving the data.
    ///
    /// # Errors
    /// The first step whose parameters can never work.
    pub fn save(self, save: Save) -> Result<Workflow> {
        let mark = save.mark();
        let emit: Emit<T> = Arc::new(move |mut datum, task, bench| {
            bench.weigh(&datum);
            task.output.tally.live += 1;
            task.save("save", &datum, &mark);
            give_back(&mut datum, &mut bench.scratch);
        });
        self.end(save.step("save"), emit)
    }
}

impl<T: Waveform> Pipeline<Ensemble<T>> {
    /// Saves a copy of the living members of each ensemble, and goes on.
    pub fn tee_members(self, save: &Save) -> Self {
        let mark = save.mark();
        self.look_at(save.step("tee_members"), move |place, ensemble, task| {
            save_all(place, &mark, &mut ensemble.clone(), task);
        })
    }

    /// Ends with saving the members of the ensembles; those that died in them are buried, and
    /// counted as data of their own.
    ///
    /// # Errors
    /// The first step whose parameters can never work.
    pub fn save_members(self, save: Save) -> Result<Workflow> {
        let mark = save.mark();
        let emit: Emit<Ensemble<T>> = Arc::new(move |mut ensemble, task, bench| {
            task.output.tally.live += 1;
            save_all("save", &mark, &mut ensemble, task);
            for mut member in ensemble.members {
                if member.life() == mspass_core::Life::Live {
                    give_back(&mut member, &mut bench.scratch);
                } else {
                    task.bury_member(&member.into_tombstone());
                }
            }
        });
        self.end(save.step("save_members"), emit)
    }
}

impl<T: Datum> Pipeline<T> {
    /// Adds a step that looks at each datum and lets it pass.
    fn look_at(
        mut self,
        step: Step,
        look: impl Fn(&str, &T, &mut Task<'_>) + Send + Sync + 'static,
    ) -> Self {
        let mut draft = self.take_draft();
        let number = draft.add(step);
        let place = format!("tee {number}");
        self.then(draft, move |next: Emit<T>| {
            Arc::new(move |datum, task, bench| {
                bench.count(number, Duration::ZERO, false);
                look(&place, &datum, task);
                next(datum, task, bench);
            })
        })
    }
}
