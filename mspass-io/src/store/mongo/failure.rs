//! What the driver reports, as the errors of this crate.

use bson::Document;
use mongodb::error::{ErrorKind, RETRYABLE_WRITE_ERROR, WriteFailure};

use crate::error::{BoxError, Error};

/// Name of this store in error messages.
const STORE: &str = "MongoDB";

/// Codes with which a server refuses a filter, update, sort, projection or pipeline. Those of the
/// form `LocationN` are refusals of the same kind, without a name of their own.
const QUERY_CODES: [i32; 18] =
    [2, 9, 14, 15, 28, 31, 40, 52, 53, 54, 55, 56, 57, 66, 67, 73, 168, 197];

/// Codes of a server that is stopping, starting or no longer primary: the same command may
/// succeed on the next server.
const TRANSIENT_CODES: [i32; 13] =
    [6, 7, 89, 91, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436];

/// Code of a violated unique index.
pub(super) const DUPLICATE_KEY: i32 = 11_000;

/// Why a command gave no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The driver's or the server's own words.
    Driver(mongodb::error::Error),
    /// A write within a command was refused.
    Write {
        /// Its place in the command.
        index: usize,
        /// MongoDB's error code.
        code: i32,
        /// The server's words.
        message: String,
    },
    /// The command succeeded but is not durable.
    WriteConcern(String),
    /// What is stored contradicts itself.
    Damaged(String),
    /// The reply is not what the command promises.
    Reply(String),
    /// The command took longer than allowed.
    TimedOut,
    /// The driver's thread has ended.
    Stopped,
}

impl From<mongodb::error::Error> for Failure {
    fn from(error: mongodb::error::Error) -> Self {
        if let ErrorKind::InsertMany(insert) = error.kind.as_ref() {
            if let Some(first) = insert.write_errors.iter().flatten().next() {
                let (index, code, message) = (first.index, first.code, first.message.clone());
                return Self::Write { index, code, message };
            }
            if let Some(concern) = &insert.write_concern_error {
                return Self::WriteConcern(concern.message.clone());
            }
        }
        Self::Driver(error)
    }
}

impl From<bson::error::Error> for Failure {
    fn from(error: bson::error::Error) -> Self {
        Self::Reply(error.to_string())
    }
}

impl Failure {
    /// Whether the same command may succeed when sent again.
    pub(super) fn is_transient(&self) -> bool {
        let Self::Driver(error) = self else { return false };
        if error.contains_label(RETRYABLE_WRITE_ERROR) {
            return true;
        }
        match error.kind.as_ref() {
            ErrorKind::Io(_) | ErrorKind::ConnectionPoolCleared { .. } => true,
            ErrorKind::Command(command) => TRANSIENT_CODES.contains(&command.code),
            _ => false,
        }
    }

    /// The code of a refused command or write.
    pub(super) fn code(&self) -> Option<i32> {
        match self {
            Self::Write { code, .. } => Some(*code),
            Self::Driver(error) => match error.kind.as_ref() {
                ErrorKind::Command(command) => Some(command.code),
                ErrorKind::Write(WriteFailure::WriteError(write)) => Some(write.code),
                _ => None,
            },
            _ => None,
        }
    }

    /// The crate's error for a failed `action`.
    pub(super) fn during(self, action: impl Into<String>) -> Error {
        let action = action.into();
        if let Some(reason) = self.refused_query() {
            return Error::Query { reason };
        }
        Error::Store { store: STORE, action, source: BoxError::from(self.text()) }
    }

    /// The server's words when it refused the query itself.
    fn refused_query(&self) -> Option<String> {
        match self {
            Self::Write { code, message, .. } if is_query_code(*code, None) => {
                Some(message.clone())
            }
            Self::Driver(error) => match error.kind.as_ref() {
                ErrorKind::Command(command)
                    if is_query_code(command.code, Some(&command.code_name)) =>
                {
                    Some(command.message.clone())
                }
                ErrorKind::Write(WriteFailure::WriteError(write))
                    if is_query_code(write.code, write.code_name.as_deref()) =>
                {
                    Some(write.message.clone())
                }
                ErrorKind::InvalidArgument { message, .. } => Some(message.clone()),
                _ => None,
            },
            _ => None,
        }
    }

    /// One line for a person.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Driver(error) => driver_text(error),
            Self::Write { message, .. } | Self::WriteConcern(message) | Self::Damaged(message) => {
                message.clone()
            }
            Self::Reply(reason) => format!("the reply makes no sense: {reason}"),
            Self::TimedOut => {
                format!("no answer within {} s", super::driver::COMMAND_TIME_MAX.as_secs())
            }
            Self::Stopped => "the connection is closed".into(),
        }
    }

    /// Looks for errors in the reply to a write command.
    pub(super) fn in_reply(reply: &Document) -> Result<(), Self> {
        if let Ok(errors) = reply.get_array("writeErrors")
            && let Some(first) = errors.first().and_then(|error| error.as_document())
        {
            return Err(Self::Write {
                index: first.get_i32("index").ok().and_then(|i| i.try_into().ok()).unwrap_or(0),
                code: first.get_i32("code").unwrap_or(0),
                message: first.get_str("errmsg").unwrap_or("write refused").to_owned(),
            });
        }
        if let Ok(concern) = reply.get_document("writeConcernError") {
            let message = concern.get_str("errmsg").unwrap_or("not acknowledged by a majority");
            return Err(Self::WriteConcern(message.to_owned()));
        }
        Ok(())
    }
}

fn is_query_code(code: i32, name: Option<&str>) -> bool {
    QUERY_CODES.contains(&code) || name.is_some_and(|name| name.starts_with("Location"))
}

fn driver_text(error: &mongodb::error::Error) -> String {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => command.message.clone(),
        ErrorKind::Write(WriteFailure::WriteError(write)) => write.message.clone(),
        ErrorKind::Write(WriteFailure::WriteConcernError(concern)) => concern.message.clone(),
        ErrorKind::ServerSelection { message, .. } => match cause_of_silence(message) {
            Some(cause) => format!("no server answers: {cause}"),
            None => "no server answers".into(),
        },
        kind => kind.to_string(),
    }
}

/// The error of the first server in the driver's description of a failed server selection.
pub(super) fn cause_of_silence(message: &str) -> Option<String> {
    let (_, error) = message.split_once("Error: Kind: ")?;
    let end = error.find(", labels: ").unwrap_or(error.len());
    let cause = error[..end].trim_start_matches("I/O error: ");
    let cause = cause.split(" (os error").next().unwrap_or(cause);
    Some(cause.to_owned())
}
