//! A compute thread's way to pieces: those of its own worker, and those of all others.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::client::{self, FetchError, fetch};
use super::{
    FetchPiece, KeepError, ListPieces, Listing, PieceFault, PieceKeeper, PieceName, PieceOptions,
};
use crate::foreman::lease::{AskKeepers, Keeper, Keepers, WorkerName};
use crate::mailbox::Mailbox;
use crate::runtime::Waiter;
use crate::workflow::stage::StageFault;

/// How long foreman and keepers may take to say what is where.
const LIST_DEADLINE: Duration = Duration::from_secs(30);
/// Bytes of pieces that one who works alone holds in memory.
const ALONE_BYTES: u64 = 256 << 20;

/// Calls block: none belongs on a thread that polls.
#[derive(Clone, Debug)]
pub(crate) struct PieceAccess {
    pub(crate) worker: WorkerName,
    pub(crate) keeper: Arc<PieceKeeper>,
    /// None where there is nobody else: all pieces are here.
    pub(crate) others: Option<Others>,
}

/// The way to the pieces of other workers.
#[derive(Clone, Debug)]
pub(crate) struct Others {
    pub(crate) foreman: Mailbox<AskKeepers>,
    pub(crate) waiter: Waiter,
}

/// A piece, and where it is.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    name: PieceName,
    /// None where this worker keeps it.
    keeper: Option<Mailbox<FetchPiece>>,
    /// How large it is.
    pub(crate) bytes: u64,
}

impl PieceAccess {
    /// Of one who makes all pieces and uses them; they lie in `folder` when they are many.
    pub(crate) fn alone(folder: &Path) -> Self {
        let (folder, memory_bytes_max) = (folder.to_owned(), ALONE_BYTES);
        let keeper = PieceKeeper::start(&PieceOptions { folder, memory_bytes_max });
        Self { worker: WorkerName::default(), keeper: Arc::new(keeper), others: None }
    }

    /// Keeps a piece.
    pub(crate) fn keep(&self, name: PieceName, bytes: Bytes) -> Result<(), StageFault> {
        self.keeper.keep(name, bytes).map_err(|error| match error {
            KeepError::Spill { .. } => StageFault::Refused(error.to_string()),
            KeepError::TooMany => StageFault::Refused(error.to_string()),
        })
    }

    /// All pieces of a part are kept.
    pub(crate) fn finish_part(&self, name: &PieceName) {
        self.keeper.finish_part(&name.job, name.stage, name.part);
    }

    /// A file for a bucket that is too large for memory.
    pub(crate) fn scratch_file(&self) -> Result<std::fs::File, StageFault> {
        self.keeper.scratch_file().map_err(|error| self.full(&error))
    }

    /// What to say of a folder that takes no more.
    pub(crate) fn full(&self, error: &std::io::Error) -> StageFault {
        let folder = self.keeper.folder().display();
        StageFault::Refused(format!(
            "cannot write to {folder}: {error}; make room there, or name another folder in \
             MSPASS_WORKER_DIR"
        ))
    }

    /// All pieces of a bucket, in order of part and chunk, for a task leased in this incarnation of
    /// the foreman.
    ///
    /// # Errors
    /// [`StageFault::Missing`] where not all parts of the stage are to be had just now.
    pub(crate) fn find(
        &self,
        job: &str,
        (stage, bucket): (u32, u32),
        epoch: u64,
    ) -> Result<Vec<Found>, StageFault> {
        let Some(Others { foreman, waiter }) = &self.others else {
            let list = ListPieces { job: job.to_owned(), stage, bucket, with_parts: false };
            let mut found = Finding::default();
            found.take(&self.keeper.list(&list), None, &list);
            return Ok(found.pieces);
        };
        let asked = foreman.clone();
        let ask = AskKeepers { stage, epoch };
        let named = waiter.wait(async move { asked.ask(ask, LIST_DEADLINE).await });
        let again = format!("pieces of stage {} of job '{job}' are made again", stage + 1);
        let Keepers { part_count, part_sum, keepers } = match named {
            Some(Ok(Some(keepers))) => keepers,
            Some(Ok(None)) => return Err(StageFault::Missing(again)),
            _ => return Err(StageFault::Missing("the foreman does not answer".into())),
        };
        for with_parts in [false, true] {
            let list = ListPieces { job: job.to_owned(), stage, bucket, with_parts };
            let mut found = Finding::default();
            for keeper in &keepers {
                let listing = self.list(keeper, list.clone())?;
                let fetches = (keeper.worker != self.worker).then(|| keeper.fetches.clone());
                found.take(&listing, fetches, &list);
            }
            if (found.part_count, found.part_sum) == (part_count, part_sum) {
                found.pieces.sort_by(|a, b| a.name.cmp(&b.name));
                return Ok(found.pieces);
            }
        }
        Err(StageFault::Missing(again))
    }

    fn list(&self, keeper: &Keeper, list: ListPieces) -> Result<Listing, StageFault> {
        if keeper.worker == self.worker {
            return Ok(self.keeper.list(&list));
        }
        let mailbox = keeper.lists.clone();
        let waiter = self.others.as_ref().map(|others| &others.waiter);
        let listed = waiter.and_then(|waiter| {
            waiter.wait(async move { client::list(&mailbox, list, LIST_DEADLINE).await })
        });
        let reason = match listed {
            Some(Ok(listing)) => return Ok(listing),
            Some(Err(error)) => error.to_string(),
            None => "this worker ends".to_owned(),
        };
        Err(StageFault::Missing(format!(
            "worker {} does not list its pieces ({reason}): is it reached from here where it \
             listens (--bind)?",
            keeper.worker
        )))
    }

    /// The bytes of a piece.
    ///
    /// # Errors
    /// [`StageFault::Missing`] where it cannot be had just now.
    pub(crate) fn read(&self, found: &Found) -> Result<Bytes, StageFault> {
        let (Some(keeper), Some(others)) = (found.keeper.clone(), &self.others) else {
            return self.keeper.read(&found.name).map_err(|fault| match fault {
                PieceFault::Lost(name) => StageFault::Missing(format!("the {name} is lost")),
                PieceFault::Unread(reason) => StageFault::Store(reason),
            });
        };
        let name = found.name.clone();
        let fetched = others.waiter.wait(async move { fetch(&keeper, &name).await });
        match fetched {
            Some(Ok(bytes)) => Ok(bytes),
            Some(Err(error @ (FetchError::Lost(_) | FetchError::Away { .. }))) => {
                Err(StageFault::Missing(error.to_string()))
            }
            None => Err(StageFault::Missing("this worker ends".into())),
        }
    }
}

/// What keepers say they have.
#[derive(Default)]
struct Finding {
    pieces: Vec<Found>,
    part_count: u64,
    part_sum: u64,
    parts: std::collections::HashSet<u64>,
}

impl Finding {
    /// Takes what one keeper has and none before it; where parts are not named, none has it twice,
    /// or the sums show it.
    fn take(&mut self, listing: &Listing, fetches: Option<Mailbox<FetchPiece>>, list: &ListPieces) {
        if !list.with_parts {
            self.part_count += listing.part_count;
            self.part_sum = self.part_sum.wrapping_add(listing.part_sum);
        }
        let mut new = std::collections::HashSet::new();
        for part in &listing.parts {
            if self.parts.insert(*part) {
                new.insert(*part);
                self.part_count += 1;
                self.part_sum = self.part_sum.wrapping_add(*part);
            }
        }
        for (part, chunk, bytes) in &listing.pieces {
            if !list.with_parts || new.contains(part) {
                let ListPieces { job, stage, bucket, .. } = list.clone();
                let name = PieceName { job, stage, bucket, part: *part, chunk: *chunk };
                self.pieces.push(Found { name, keeper: fetches.clone(), bytes: *bytes });
            }
        }
    }
}
