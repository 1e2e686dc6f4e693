//! The crate's one error type.

/// What this crate refuses. Bad *data* is never an `Err` of a run: the runner turns it into an
/// error-log entry and a dead datum.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Text is not an ISO 8601 time between the years 1677 and 2262.
    #[error("'{text}' is not an ISO 8601 time")]
    Time {
        /// What was given.
        text: String,
    },
    /// A window whose ends are not finite or not in order.
    #[error("a time window cannot run from {start} s to {end} s")]
    Window {
        /// First instant, seconds.
        start: f64,
        /// Last instant, seconds.
        end: f64,
    },
    /// A code that cannot be part of a SEED id, or an id that is not four codes.
    #[error("'{text}' is not a SEED code (or four of them joined by '.')")]
    Code {
        /// What was given.
        text: String,
    },
    /// A sampling rate that is not finite and positive.
    #[error("{value} is not a sampling rate: it must be finite and above 0 Hz")]
    SamplingRate {
        /// What was given, Hz.
        value: f64,
    },
    /// A parameter outside what its algorithm allows.
    #[error("{parameter} = {value}: {reason}")]
    Parameter {
        /// Name of the parameter.
        parameter: &'static str,
        /// What was given.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Data that an algorithm cannot take (too short, of another length, singular, ...).
    #[error("{0}")]
    Unfit(String),
}

impl Error {
    /// An [`Error::Parameter`].
    pub fn parameter(
        parameter: &'static str,
        value: impl ToString,
        reason: impl Into<String>,
    ) -> Self {
        Self::Parameter { parameter, value: value.to_string(), reason: reason.into() }
    }

    /// An [`Error::Unfit`].
    pub fn unfit(reason: impl Into<String>) -> Self {
        Self::Unfit(reason.into())
    }
}

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
