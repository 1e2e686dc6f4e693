//! What happened to a datum, and whether it lives.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How bad an entry of the error log is, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Severity {
    /// The job cannot go on.
    Fatal,
    /// The datum is killed.
    Invalid,
    /// The datum lives but is doubtful.
    Suspect,
    /// A fault found and repaired.
    Complaint,
    /// For whoever looks for a fault.
    Debug,
    /// For the curious.
    Informational,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One entry: what, where and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// The algorithm or step that speaks.
    pub algorithm: String,
    /// How bad it is (MsPASS's `badness`).
    pub severity: Severity,
    /// What happened, to what, and why.
    pub message: String,
}

/// Entries kept at most; a datum that produces more keeps the first ones and one line that says so.
pub const LOG_ENTRIES_MAX: usize = 256;

/// The ordered entries of one datum.
///
/// ```
/// use mspass_core::{ErrorLog, Severity};
/// let mut log = ErrorLog::default();
/// log.push("detrend", Severity::Complaint, "gap of 3 samples filled");
/// log.push("resample", Severity::Invalid, "2 samples are too few");
/// assert_eq!(log.worst(), Some(Severity::Invalid));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ErrorLog {
    entries: Vec<LogEntry>,
}

impl ErrorLog {
    /// Adds an entry; beyond [`LOG_ENTRIES_MAX`] the last place says that entries were left out.
    pub fn push(
        &mut self,
        algorithm: impl Into<String>,
        severity: Severity,
        message: impl Into<String>,
    ) {
        if self.entries.len() < LOG_ENTRIES_MAX {
            let (algorithm, message) = (algorithm.into(), message.into());
            self.entries.push(LogEntry { algorithm, severity, message });
        } else if let Some(last) = self.entries.last_mut() {
            let severity = severity.min(last.severity);
            *last = LogEntry {
                algorithm: "error log".into(),
                severity,
                message: format!("more than {LOG_ENTRIES_MAX} entries: the rest is left out"),
            };
        }
    }

    /// Appends the entries of `other`.
    pub fn append(&mut self, other: &Self) {
        for LogEntry { algorithm, severity, message } in &other.entries {
            self.push(algorithm.clone(), *severity, message.clone());
        }
    }

    /// All entries in order.
    pub fn entries(&self) -> &[LogEntry] {
        &self.entries
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The worst severity found.
    pub fn worst(&self) -> Option<Severity> {
        self.entries.iter().map(|entry| entry.severity).min()
    }
}

/// Whether a datum lives; a dead one keeps its place and passes every step untouched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Life {
    /// Processed on.
    #[default]
    Live,
    /// Killed by a step; goes to the cemetery.
    Dead,
    /// Never came to life: a reader could not build it; goes to the abortions.
    Aborted,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_is_bounded_and_keeps_the_worst() {
        let mut log = ErrorLog::default();
        for number in 0..LOG_ENTRIES_MAX + 10 {
            let severity =
                if number == LOG_ENTRIES_MAX + 5 { Severity::Invalid } else { Severity::Debug };
            log.push("test", severity, format!("entry {number}"));
        }
        assert_eq!(log.entries().len(), LOG_ENTRIES_MAX);
        assert_eq!(log.worst(), Some(Severity::Invalid));
        assert!(log.entries()[LOG_ENTRIES_MAX - 1].message.contains("left out"));
    }
}
