//! What the runner and the actors need of anything that flows through a workflow.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::elog::{ErrorLog, Life, Severity};
use crate::history::History;
use crate::id::SeedId;
use crate::metadata::Metadata;
use crate::series::TimeAxis;

/// Anything that flows through a workflow: ours or the user's own.
///
/// `Default` is a dead datum: it stands in the place of one that was moved out.
pub trait Datum: Default + Send + Serialize + DeserializeOwned + 'static {
    /// Name of the type in documents and messages.
    const KIND: &'static str;

    /// Whether it lives.
    fn life(&self) -> Life;

    /// Sets whether it lives.
    fn set_life(&mut self, life: Life);

    /// Its error log.
    fn log_mut(&mut self) -> &mut ErrorLog;

    /// Its provenance.
    fn history_mut(&mut self) -> &mut History;

    /// Bytes it holds, samples and all, for memory budgets.
    fn memory_bytes(&self) -> usize;

    /// A copy without samples: what is left to bury when the datum itself is lost in a step.
    fn headstone(&self) -> Self;

    /// What goes into the cemetery or the abortions.
    fn into_tombstone(self) -> Tombstone;

    /// Kills it with an entry of severity Invalid.
    fn kill(&mut self, algorithm: &str, reason: impl Into<String>) {
        self.log_mut().push(algorithm, Severity::Invalid, reason);
        if self.life() == Life::Live {
            self.set_life(Life::Dead);
        }
    }
}

/// The remains of a datum that died or never came to life: everything but the samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tombstone {
    /// Type of the datum ([`Datum::KIND`]).
    pub kind: String,
    /// [`Life::Dead`] or [`Life::Aborted`].
    pub life: Life,
    /// Its SEED id, if it has one.
    pub id: Option<SeedId>,
    /// Its time axis, if it has one.
    pub axis: Option<TimeAxis>,
    /// Number of samples it had.
    pub npts: usize,
    /// Its metadata.
    pub metadata: Metadata,
    /// Why it died: the last entry of the worst severity.
    pub log: ErrorLog,
    /// Where it came from and how far it got.
    pub history: History,
}

impl Tombstone {
    /// Name of the step that killed it and the reason: the first entry of the worst severity.
    pub fn cause(&self) -> (&str, &str) {
        let worst = self.log.worst();
        let entry = self.log.entries().iter().find(|entry| Some(entry.severity) == worst);
        entry.map_or(("", "no reason was given"), |e| (&e.algorithm, &e.message))
    }
}
