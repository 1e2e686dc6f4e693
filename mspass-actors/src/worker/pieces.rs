//! Pieces of a job that a worker keeps for others: bytes under a name, in memory up to a budget and
//! in its folder beyond it, served directly to the worker that needs them.

mod access;
mod client;
mod keep;

use std::fmt;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::mailbox::{Address, Context, Handler, Lane, Message, Reply, start};
use crate::runtime::{Runtime, spawn_thread};

pub(crate) use access::{Others, PieceAccess};
pub use client::{FETCH_ATTEMPTS_MAX, FetchError, fetch};
pub use keep::{PIECES_MAX, PieceKeeper, PieceOptions};

/// Requests for pieces waiting or in work at most, in each mailbox.
pub const FETCHES_MAX: usize = 64;
/// Threads that read spilled pieces.
const READERS: usize = 2;

/// Names one piece.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PieceName {
    /// The job.
    pub job: String,
    /// The stage that made it.
    pub stage: u32,
    /// The bucket of keys that it belongs to.
    pub bucket: u32,
    /// Which of the tasks of that stage made it.
    pub part: u64,
    /// Which of the pieces that it made for that bucket.
    pub chunk: u32,
}

impl fmt::Display for PieceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { job, stage, bucket, part, chunk } = self;
        write!(f, "piece {bucket}/{part}/{chunk} of stage {stage} of job '{job}'")
    }
}

/// Asks for a piece.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchPiece(pub PieceName);

/// Asks which pieces of a bucket are here, of parts that are whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListPieces {
    /// The job.
    pub job: String,
    /// The stage.
    pub stage: u32,
    /// The bucket.
    pub bucket: u32,
    /// Whether all whole parts are named.
    pub with_parts: bool,
}

/// The pieces of a bucket that a keeper has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Part, chunk and bytes of each, in order.
    pub pieces: Vec<(u64, u32, u64)>,
    /// How many parts of the stage are whole here, those without a piece in this bucket among them.
    pub part_count: u64,
    /// The sum of their names, wrapping.
    pub part_sum: u64,
    /// All of them, where they were asked for.
    pub parts: Vec<u64>,
}

/// Lets go of pieces: those of a job, or of one stage of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropPieces {
    /// The job.
    pub job: String,
    /// The stage; all of them where none is named.
    pub stage: Option<u32>,
}

/// Why a piece was not given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum PieceFault {
    /// It is not here: never made, dropped, or lost with the worker before this one. It has to be
    /// made again from its inputs.
    #[error("the {0} is not here")]
    Lost(PieceName),
    /// It is here and could not be read.
    #[error("{0}")]
    Unread(String),
}

impl Message for FetchPiece {
    const TYPE: &'static str = "mspass.worker.fetch_piece";
    const LANE: Lane = Lane::Bulk;
    type Reply = Result<Bytes, PieceFault>;
}

impl Message for ListPieces {
    const TYPE: &'static str = "mspass.worker.list_pieces";
    const LANE: Lane = Lane::Bulk;
    type Reply = Listing;
}

impl Message for DropPieces {
    const TYPE: &'static str = "mspass.worker.drop_pieces";
    /// How many there were.
    type Reply = u64;
}

/// A job for the threads that may block on the disk.
enum Job {
    Fetch(FetchPiece, Reply<FetchPiece>),
    List(ListPieces, Reply<ListPieces>),
    Drop(DropPieces, Reply<DropPieces>),
}

/// The actor that gives pieces to other workers.
pub struct PieceServer {
    // What waits in it holds room in a mailbox.
    jobs: Sender<Job>,
}

impl fmt::Debug for PieceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PieceServer")
    }
}

impl PieceServer {
    /// Starts the actor over the pieces of this worker, with its threads.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(runtime: &Runtime, keeper: &Arc<PieceKeeper>) -> Result<Address<Self>> {
        let (jobs, when_asked) = channel();
        let queue = Arc::new(Mutex::new(when_asked));
        for number in 0..READERS {
            let (queue, keeper) = (Arc::clone(&queue), Arc::clone(keeper));
            spawn_thread(&format!("pieces-{number}"), move || serve(&queue, &keeper))?;
        }
        let make = move |_: &Context<Self>| Self { jobs: jobs.clone() };
        Ok(start(runtime, "pieces", FETCHES_MAX, make))
    }
}

fn serve(queue: &Mutex<Receiver<Job>>, keeper: &PieceKeeper) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(Job::Fetch(FetchPiece(name), reply)) => reply.send(keeper.read(&name)),
            Ok(Job::List(list, reply)) => reply.send(keeper.list(&list)),
            Ok(Job::Drop(DropPieces { job, stage }, reply)) => {
                reply.send(keeper.drop_pieces(&job, stage));
            }
            Err(_) => return,
        }
    }
}

impl Handler<FetchPiece> for PieceServer {
    fn handle(&mut self, fetch: FetchPiece, reply: Reply<FetchPiece>, _: &Context<Self>) {
        drop(self.jobs.send(Job::Fetch(fetch, reply)));
    }
}

impl Handler<ListPieces> for PieceServer {
    fn handle(&mut self, list: ListPieces, reply: Reply<ListPieces>, _: &Context<Self>) {
        drop(self.jobs.send(Job::List(list, reply)));
    }
}

impl Handler<DropPieces> for PieceServer {
    fn handle(&mut self, pieces: DropPieces, reply: Reply<DropPieces>, _: &Context<Self>) {
        drop(self.jobs.send(Job::Drop(pieces, reply)));
    }
}

/// A piece could not be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeepError {
    /// The worker's folder cannot hold it.
    #[error(
        "cannot write {} bytes of pieces to {}: {error}; make room there, or name another folder \
         in MSPASS_WORKER_DIR", bytes, path.display()
    )]
    Spill {
        /// Bytes of the piece.
        bytes: usize,
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// Too many pieces are kept.
    #[error("a worker keeps {PIECES_MAX} pieces at most: use fewer buckets or larger partitions")]
    TooMany,
}
