//! Getting a piece from the worker that keeps it.

use std::time::Duration;

use bytes::Bytes;

use super::{FetchPiece, ListPieces, Listing, PieceFault, PieceName};
use crate::mailbox::{MailError, Mailbox};

/// How often a piece is asked for when there is no reply.
pub const FETCH_ATTEMPTS_MAX: u32 = 4;
/// How long one attempt may take: the largest piece over a slow network.
const ATTEMPT: Duration = Duration::from_secs(120);
/// Pause before the second attempt; doubled with each.
const PAUSE: Duration = Duration::from_millis(100);

/// Why there is no piece.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// Nobody has it: it has to be made again from its inputs.
    #[error("the {0} is lost: it is made again")]
    Lost(PieceName),
    /// The worker that keeps it did not answer or cannot read it; it may later.
    #[error("the {name} cannot be had just now: {reason}")]
    Away {
        /// The piece.
        name: PieceName,
        /// What happened last.
        reason: String,
    },
}

/// Has a worker list its pieces; asks again where the connection broke, as it does when two workers
/// dial each other at once.
pub(super) async fn list(
    keeper: &Mailbox<ListPieces>,
    asked: ListPieces,
    deadline: Duration,
) -> Result<Listing, MailError> {
    let mut pause = PAUSE;
    for _ in 1..FETCH_ATTEMPTS_MAX {
        match keeper.ask(asked.clone(), deadline).await {
            Err(MailError::LinkLost { .. }) => tokio::time::sleep(pause).await,
            listed => return listed,
        }
        pause *= 2;
    }
    keeper.ask(asked, deadline).await
}

/// Fetches a piece from the worker behind `keeper`.
///
/// # Errors
/// [`FetchError::Lost`] when that worker is there and has no such piece, or is gone for good;
/// [`FetchError::Away`] when it does not answer in [`FETCH_ATTEMPTS_MAX`] attempts.
pub async fn fetch(keeper: &Mailbox<FetchPiece>, name: &PieceName) -> Result<Bytes, FetchError> {
    let mut pause = PAUSE;
    let mut attempt = 1;
    loop {
        let reason = match keeper.ask(FetchPiece(name.clone()), ATTEMPT).await {
            Ok(Ok(bytes)) => return Ok(bytes),
            Ok(Err(PieceFault::Lost(name))) => return Err(FetchError::Lost(name)),
            Ok(Err(fault)) => fault.to_string(),
            // Pieces die with their keeper; an actor that was made anew still has them.
            Err(MailError::Gone(_)) if attempt == FETCH_ATTEMPTS_MAX => {
                return Err(FetchError::Lost(name.clone()));
            }
            Err(error) => error.to_string(),
        };
        if attempt == FETCH_ATTEMPTS_MAX {
            return Err(FetchError::Away { name: name.clone(), reason });
        }
        attempt += 1;
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}
