//! What the runner and the actors need of anything that flows through a workflow.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::elog::{ErrorLog, Life, Severity};
use crate::history::History;
use crate::id::SeedId;
use crate::metadata::{Metadata, Value};
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

    /// Its names and values.
    fn metadata(&self) -> &Metadata;

    /// Its names and values, to be changed.
    fn metadata_mut(&mut self) -> &mut Metadata;

    /// What it says under a name that a document has for it: a fact of its structure where its
    /// fields hold one, whatever its metadata say; else the value that its metadata hold.
    ///
    /// ```
    /// use mspass_core::metadata::Value;
    /// use mspass_core::{Datum, TimeSeries};
    /// let mut trace = TimeSeries { samples: vec![0.0; 5], ..TimeSeries::default() };
    /// trace.metadata.insert("snr", 7.5);
    /// trace.metadata.insert("npts", 3);
    /// assert_eq!(trace.fact("snr"), Some(Value::Double(7.5)));
    /// assert_eq!(trace.fact("npts"), Some(Value::Int(5)));
    /// assert_eq!(trace.fact("endtime"), Some(Value::Double(4.0)));
    /// ```
    fn fact(&self, name: &str) -> Option<Value> {
        self.metadata().get(name).cloned()
    }

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

/// The accessors of [`Datum`] for a struct with the fields `life`, `metadata`, `log` and `history`,
/// to be put into its `impl Datum`.
///
/// ```
/// use mspass_core::{Datum, ErrorLog, History, Life, Metadata, Tombstone};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Default, Serialize, Deserialize)]
/// struct Count {
///     number: u32,
///     life: Life,
///     metadata: Metadata,
///     log: ErrorLog,
///     history: History,
/// }
///
/// impl Datum for Count {
///     const KIND: &'static str = "Count";
///     mspass_core::datum_fields!();
///
///     fn memory_bytes(&self) -> usize {
///         size_of::<Self>()
///     }
///
///     fn headstone(&self) -> Self {
///         self.clone()
///     }
///
///     fn into_tombstone(self) -> Tombstone {
///         let Self { life, metadata, log, history, .. } = self;
///         let kind = Self::KIND.to_owned();
///         Tombstone { kind, life, id: None, axis: None, npts: 0, metadata, log, history }
///     }
/// }
/// let mut count = Count::default();
/// count.kill("test", "it was odd");
/// assert_eq!(count.life(), Life::Dead);
/// ```
#[macro_export]
macro_rules! datum_fields {
    () => {
        fn life(&self) -> $crate::Life {
            self.life
        }

        fn set_life(&mut self, life: $crate::Life) {
            self.life = life;
        }

        fn metadata(&self) -> &$crate::Metadata {
            &self.metadata
        }

        fn metadata_mut(&mut self) -> &mut $crate::Metadata {
            &mut self.metadata
        }

        fn log_mut(&mut self) -> &mut $crate::ErrorLog {
            &mut self.log
        }

        fn history_mut(&mut self) -> &mut $crate::History {
            &mut self.history
        }
    };
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
