//! The actor itself: it holds the store and a bounded set of threads that may block on it.

use std::collections::HashMap;
use std::fmt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mspass_io::store::{Blob, Cursor, Database};

use super::calls;
use super::messages::{Packed, ReadBlob, Save, StoreCall, StoreFault};
use crate::clock;
use crate::error::Result;
use crate::mailbox::{Address, Context, Handler, Reply, start};
use crate::runtime::{Runtime, spawn_thread};
use crate::wire;

/// Calls waiting or in work at most, in each mailbox of a proxy.
pub const CALLS_MAX: usize = 256;
/// Threads that call the store at the same time, beside the one that saves.
pub const CALL_THREADS: usize = 4;
/// Bytes of samples that one round of saving takes together at most (one save alone may be more).
pub const SAVE_ROUND_BYTES_MAX: usize = 32 << 20;
/// Cursors open at the same time.
pub const CURSORS_MAX: usize = 256;
/// A cursor not read for so long is closed.
pub const CURSOR_LEASE: Duration = Duration::from_secs(600);

/// Open cursors of all clients.
pub(super) struct Cursors {
    open: HashMap<u64, Open>,
    last: u64,
}

struct Open {
    cursor: Cursor,
    /// Number of the page to be given next.
    page: u64,
    read: Instant,
}

impl Cursors {
    /// None open; their keys begin after `last`, so that no key of an earlier proxy is met again.
    pub(super) fn after(last: u64) -> Self {
        Self { open: HashMap::new(), last }
    }

    /// Takes a cursor in whose first page was given; none beyond [`CURSORS_MAX`] once those long
    /// unread are closed.
    pub(super) fn put(&mut self, cursor: Cursor, now: Instant) -> Option<u64> {
        if self.open.len() >= CURSORS_MAX {
            self.open.retain(|_, open| now.duration_since(open.read) < CURSOR_LEASE);
        }
        if self.open.len() >= CURSORS_MAX {
            return None;
        }
        self.last = self.last.wrapping_add(1);
        self.open.insert(self.last, Open { cursor, page: 1, read: now });
        Some(self.last)
    }

    /// Takes a cursor out to read this page of it.
    pub(super) fn take(&mut self, key: u64, page: u64) -> Option<Cursor> {
        if self.open.get(&key)?.page != page {
            return None;
        }
        self.open.remove(&key).map(|open| open.cursor)
    }

    /// Puts a cursor back under its key.
    pub(super) fn put_back(&mut self, key: u64, page: u64, cursor: Cursor, now: Instant) {
        self.open.insert(key, Open { cursor, page, read: now });
    }

    /// Ends a cursor.
    pub(super) fn close(&mut self, key: u64) {
        self.open.remove(&key);
    }
}

enum Job {
    Call(Box<StoreCall>, Reply<StoreCall>),
    ReadBlob(ReadBlob, Reply<ReadBlob>),
}

/// The one holder of a node's database connections.
pub struct DbProxy {
    // The queues have no limit of their own: what waits in them holds room in a mailbox.
    calls: Sender<Job>,
    saves: Sender<(Save, Reply<Save>)>,
}

impl fmt::Debug for DbProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbProxy").finish_non_exhaustive()
    }
}

impl DbProxy {
    /// Starts a proxy over `database` with its threads; they end with it.
    pub fn start(runtime: &Runtime, database: Database) -> Result<Address<Self>> {
        let (calls, when_called) = channel();
        let (saves, when_saved) = channel();
        let queue = Arc::new(Mutex::new(when_called));
        let began = u64::try_from(clock::utc_now().nanos()).unwrap_or(0);
        let cursors = Arc::new(Mutex::new(Cursors::after(began)));
        for number in 0..CALL_THREADS {
            let (queue, cursors) = (Arc::clone(&queue), Arc::clone(&cursors));
            let database = database.clone();
            spawn_thread(&format!("db-{number}"), move || serve(&database, &queue, &cursors))?;
        }
        spawn_thread("db-save", move || save_rounds(&database, &when_saved))?;
        Ok(start(runtime, "db-proxy", CALLS_MAX, move |_| Self {
            calls: calls.clone(),
            saves: saves.clone(),
        }))
    }
}

fn serve(database: &Database, queue: &Mutex<Receiver<Job>>, cursors: &Mutex<Cursors>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(Job::Call(call, reply)) => {
                reply.send(calls::answer(database, cursors, *call, clock::now()));
            }
            Ok(Job::ReadBlob(ReadBlob(id), reply)) => {
                reply.send(database.blobs.read(id).map(wire::Blob).map_err(StoreFault::from));
            }
            Err(_) => return,
        }
    }
}

/// Saves in rounds: whatever came in during one round is written together in the next.
fn save_rounds(database: &Database, queue: &Receiver<(Save, Reply<Save>)>) {
    while let Ok(first) = queue.recv() {
        let mut bytes = first.0.blob_bytes();
        let mut round = vec![first];
        while bytes < SAVE_ROUND_BYTES_MAX
            && let Ok(next) = queue.try_recv()
        {
            bytes += next.0.blob_bytes();
            round.push(next);
        }
        save_round(database, round);
    }
}

fn save_round(database: &Database, round: Vec<(Save, Reply<Save>)>) {
    let mut blobs = Vec::new();
    let mut documents: Vec<(String, Vec<bson::Document>)> = Vec::new();
    let mut replies = Vec::with_capacity(round.len());
    for (save, reply) in round {
        blobs.extend(save.blobs.into_iter().map(|(id, bytes)| Blob { id, bytes }));
        for (collection, packed) in save.documents {
            let packed = packed.into_iter().map(|Packed(document)| document);
            match documents.iter_mut().find(|(name, _)| *name == collection) {
                Some((_, group)) => group.extend(packed),
                None => documents.push((collection, packed.collect())),
            }
        }
        replies.push(reply);
    }
    let saved = write(database, &blobs, &documents).map_err(StoreFault::from);
    replies.into_iter().for_each(|reply| reply.send(saved.clone()));
}

fn write(
    database: &Database,
    blobs: &[Blob],
    documents: &[(String, Vec<bson::Document>)],
) -> mspass_io::Result<()> {
    if !blobs.is_empty() {
        database.blobs.put(blobs)?;
    }
    documents
        .iter()
        .filter(|(_, group)| !group.is_empty())
        .try_for_each(|(collection, group)| database.documents.upsert(collection, group))
}

impl Handler<StoreCall> for DbProxy {
    fn handle(&mut self, call: StoreCall, reply: Reply<StoreCall>, _: &Context<Self>) {
        drop(self.calls.send(Job::Call(Box::new(call), reply)));
    }
}

impl Handler<ReadBlob> for DbProxy {
    fn handle(&mut self, id: ReadBlob, reply: Reply<ReadBlob>, _: &Context<Self>) {
        drop(self.calls.send(Job::ReadBlob(id, reply)));
    }
}

impl Handler<Save> for DbProxy {
    fn handle(&mut self, save: Save, reply: Reply<Save>, _: &Context<Self>) {
        drop(self.saves.send((save, reply)));
    }
}
