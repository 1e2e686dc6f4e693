//! What joins two nodes, without sockets or clocks: windows, credits, asks, health.
//!
//! A `Session` is one pair of connections (a control and a bulk lane) to one incarnation of
//! a node. When it breaks, everything under way on it is lost and said to be; nothing is replayed.

mod asks;
mod health;
mod inbound;
mod outbox;
#[cfg(test)]
mod simulation;
mod trial;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, Semaphore};

use crate::mailbox::Lane;
use crate::wire::{Header, Kind, Scope, encode_into};

pub use asks::ASKS_MAX;
pub(crate) use asks::{Answered, Asks};
pub(crate) use health::{Health, Tick};
pub use health::{PING_AFTER, RESUME_MAX, SILENCE_MAX, State};
pub(crate) use inbound::{Arrived, Inbound, Sink};
pub(crate) use outbox::window_of;
pub use outbox::{BULK_WINDOW, CONTROL_WINDOW, URGENT_BYTES_MAX};
pub(crate) use outbox::{Outbox, Put};
pub use trial::LinkTrial;

/// Messages that may be under way to one mailbox on the control lane.
pub const CONTROL_CREDITS: u32 = 1024;
/// Messages that may be under way to one mailbox on the bulk lane.
pub const BULK_CREDITS: u32 = 32;
/// Targets that one end may open on one lane.
pub const TARGETS_MAX: usize = 4096;

/// The reply gives back a credit of the control lane.
pub(crate) const FLAG_CREDIT_CONTROL: u8 = 2;
/// The reply gives back a credit of the bulk lane.
pub(crate) const FLAG_CREDIT_BULK: u8 = 4;

/// Why a message got no reply, as it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Fault {
    Gone = 1,
    Deadline = 2,
    Overloaded = 3,
    TooLarge = 4,
    Unsupported = 5,
}

impl Fault {
    pub(crate) fn of(code: u8) -> Self {
        match code {
            2 => Self::Deadline,
            3 => Self::Overloaded,
            4 => Self::TooLarge,
            5 => Self::Unsupported,
            _ => Self::Gone,
        }
    }
}

/// What names a target when it is opened.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Opening {
    pub(crate) actor: String,
    pub(crate) message: String,
    pub(crate) version: u16,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One lane's way out.
pub(crate) struct LaneOut {
    pub(crate) outbox: Mutex<Outbox>,
    pub(crate) drained: Notify,
    slots: Mutex<Slots>,
}

impl LaneOut {
    fn new(lane: Lane) -> Self {
        let outbox = Mutex::new(Outbox::new(lane));
        Self { outbox, drained: Notify::new(), slots: Mutex::default() }
    }
}

#[derive(Default)]
struct Slots {
    named: HashMap<(String, &'static str), Arc<Slot>>,
    all: Vec<Arc<Slot>>,
    free: Vec<u32>,
}

const OPENING: u8 = 0;
const OPEN: u8 = 100;

/// A target at the other end, and the credit that it gives.
pub(crate) struct Slot {
    pub(crate) id: u32,
    pub(crate) credits: Semaphore,
    total: AtomicU64,
    limit: AtomicU64,
    state: AtomicU8,
    answered: Semaphore,
    gone: Semaphore,
}

impl Slot {
    fn new(id: u32) -> Self {
        Self {
            id,
            credits: Semaphore::new(0),
            total: AtomicU64::new(0),
            limit: AtomicU64::new(0),
            state: AtomicU8::new(OPENING),
            answered: Semaphore::new(0),
            gone: Semaphore::new(0),
        }
    }

    /// Waits for the other end's answer.
    pub(crate) async fn opened(&self) -> Result<(), Fault> {
        if self.state.load(Ordering::Acquire) == OPENING {
            drop(self.answered.acquire().await);
        }
        self.is_open().unwrap_or(Err(Fault::Gone))
    }

    /// What the other end answered; `None` when it did not yet.
    pub(crate) fn is_open(&self) -> Option<Result<(), Fault>> {
        match self.state.load(Ordering::Acquire) {
            OPENING => None,
            OPEN => Some(Ok(())),
            code => Some(Err(Fault::of(code))),
        }
    }

    /// Waits until the actor or the session is gone.
    pub(crate) async fn gone(&self) {
        drop(self.gone.acquire().await);
    }

    /// Credits out of use.
    pub(crate) fn in_use(&self) -> usize {
        let limit = usize::try_from(self.limit.load(Ordering::Acquire)).unwrap_or(usize::MAX);
        limit.saturating_sub(self.credits.available_permits())
    }

    fn answer(&self, code: u8, credits: u64) {
        self.limit.store(credits, Ordering::Release);
        self.add(credits);
        self.state.store(code, Ordering::Release);
        self.answered.close();
    }

    fn end(&self, fault: Fault) {
        self.state.store(fault as u8, Ordering::Release);
        self.answered.close();
        self.credits.close();
        self.gone.close();
    }

    fn add(&self, credits: u64) {
        let room = (Semaphore::MAX_PERMITS - self.credits.available_permits()) as u64;
        self.credits.add_permits(credits.min(room).min(u64::from(u32::MAX)) as usize);
    }

    /// In all so many credits were told by frames of their own.
    fn told(&self, total: u64) {
        let before = self.total.fetch_max(total, Ordering::AcqRel);
        self.add(total.saturating_sub(before));
    }
}

/// See the module.
pub(crate) struct Session {
    /// Chosen by the dialer; joins the two lanes.
    pub(crate) key: u64,
    /// Whether this end dialed.
    pub(crate) dialed: bool,
    pub(crate) lanes: [LaneOut; 2],
    asks: Mutex<Option<Arc<Asks>>>,
    closed: AtomicBool,
    heard: AtomicU64,
    over: Semaphore,
    pub(crate) home: crate::node::Home,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("dialed", &self.dialed).finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn new(key: u64, dialed: bool, home: crate::node::Home) -> Arc<Self> {
        Arc::new(Self {
            key,
            dialed,
            lanes: [LaneOut::new(Lane::Control), LaneOut::new(Lane::Bulk)],
            asks: Mutex::new(Some(Arc::default())),
            closed: AtomicBool::new(false),
            heard: AtomicU64::new(0),
            over: Semaphore::new(0),
            home,
        })
    }

    pub(crate) fn lane(&self, lane: Lane) -> &LaneOut {
        &self.lanes[lane as usize]
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.closed.load(Ordering::Acquire)
    }

    /// Ends it: all who wait are told.
    pub(crate) fn close(&self) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        for lane in &self.lanes {
            lock(&lane.outbox).close();
            let slots = std::mem::take(&mut *lock(&lane.slots));
            slots.all.iter().for_each(|slot| slot.end(Fault::Gone));
            lane.drained.notify_waiters();
        }
        drop(lock(&self.asks).take());
        self.over.close();
    }

    /// Waits until it is closed.
    pub(crate) async fn over(&self) {
        drop(self.over.acquire().await);
    }

    /// The other end was heard at so many milliseconds of the node's clock.
    pub(crate) fn hear(&self, milliseconds: u64) {
        self.heard.fetch_max(milliseconds, Ordering::Relaxed);
    }

    pub(crate) fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    pub(crate) fn asks(&self) -> Option<Arc<Asks>> {
        lock(&self.asks).clone()
    }

    pub(crate) fn urgent(&self, lane: Lane, header: Header, body: &[u8]) {
        lock(&self.lane(lane).outbox).urgent(header, body);
    }

    /// The target of that name at the other end, opened when it was not.
    pub(crate) fn slot(
        &self,
        actor: &str,
        message: &'static str,
        version: u16,
        lane: Lane,
    ) -> Result<Arc<Slot>, Fault> {
        let mut slots = lock(&self.lane(lane).slots);
        let name = (actor.to_owned(), message);
        if let Some(slot) = slots.named.get(&name) {
            return Ok(Arc::clone(slot));
        }
        let next = u32::try_from(slots.all.len()).unwrap_or(u32::MAX);
        let id = slots.free.pop().unwrap_or(next);
        if id as usize >= TARGETS_MAX {
            return Err(Fault::Overloaded);
        }
        let slot = Arc::new(Slot::new(id));
        if id == next {
            slots.all.push(Arc::clone(&slot));
        } else {
            slots.all[id as usize] = Arc::clone(&slot);
        }
        slots.named.insert(name, Arc::clone(&slot));
        let opening = Opening { actor: actor.to_owned(), message: message.to_owned(), version };
        let body = rmp_serde::to_vec_named(&opening).map_err(|_| Fault::TooLarge)?;
        self.urgent(lane, Header { target: id, ..Header::new(Kind::Open) }, &body);
        if !self.is_open() {
            slot.end(Fault::Gone);
        }
        Ok(slot)
    }

    fn slot_at(&self, lane: Lane, id: u32) -> Option<Arc<Slot>> {
        lock(&self.lane(lane).slots).all.get(id as usize).cloned()
    }

    pub(crate) fn opened(&self, lane: Lane, id: u32, code: u8, credits: u64) {
        let mut slots = lock(&self.lane(lane).slots);
        let Some(slot) = slots.all.get(id as usize).cloned() else { return };
        if slot.is_open().is_some() {
            return;
        }
        if code == OPEN {
            slot.answer(OPEN, credits);
            return;
        }
        slots.named.retain(|_, other| !Arc::ptr_eq(other, &slot));
        slots.free.push(id);
        slot.end(Fault::of(code));
    }

    /// The actor of a target of the other end's has ended.
    pub(crate) fn target_gone(&self, lane: Lane, id: u32) {
        let mut slots = lock(&self.lane(lane).slots);
        let Some(slot) = slots.all.get(id as usize).cloned() else { return };
        if slot.is_open() == Some(Ok(())) {
            slots.named.retain(|_, other| !Arc::ptr_eq(other, &slot));
            slots.free.push(id);
            slot.end(Fault::Gone);
        }
    }

    pub(crate) fn credit(&self, lane: Lane, id: u32, total: u64) {
        if let Some(slot) = self.slot_at(lane, id) {
            slot.told(total);
        }
    }

    fn credit_of_reply(&self, flags: u8, id: u32) {
        let lane = match flags {
            flags if flags & FLAG_CREDIT_CONTROL != 0 => Lane::Control,
            flags if flags & FLAG_CREDIT_BULK != 0 => Lane::Bulk,
            _ => return,
        };
        if let Some(slot) = self.slot_at(lane, id) {
            slot.add(1);
        }
    }

    /// Queues a message for which a credit was taken.
    pub(crate) fn send<T: Serialize>(&self, lane: Lane, header: Header, message: &T) -> Put {
        let scope = Scope::of(Some(self.home.clone()));
        lock(&self.lane(lane).outbox)
            .put(header, false, |out| encode_into(out, scope, message).ok())
    }

    /// Waits until a lane may have room again.
    pub(crate) async fn drained(&self, lane: Lane) {
        let lane = self.lane(lane);
        let drained = lane.drained.notified();
        if self.is_open() && !lock(&lane.outbox).has_room() {
            drained.await;
        }
    }
}

/// The way back for one message that came: it answers, or gives the credit back when dropped.
pub(crate) struct ReturnPath {
    session: Arc<Session>,
    lane: Lane,
    target: u32,
    /// Id and sequence of an ask.
    ask: Option<(u64, u32)>,
    done: bool,
}

impl ReturnPath {
    pub(crate) fn new(
        session: &Arc<Session>,
        lane: Lane,
        target: u32,
        ask: Option<(u64, u32)>,
    ) -> Self {
        Self { session: Arc::clone(session), lane, target, ask, done: false }
    }

    fn header(&self, kind: Kind, (id, sequence): (u64, u32)) -> Header {
        let flags = if self.lane == Lane::Control { FLAG_CREDIT_CONTROL } else { FLAG_CREDIT_BULK };
        Header { flags, id, ask: sequence, target: self.target, ..Header::new(kind) }
    }

    /// Sends the reply, if one was asked for.
    pub(crate) fn answer<T: Serialize>(mut self, reply: &T) {
        let Some(ask) = self.ask else { return };
        self.done = true;
        self.release();
        let header = self.header(Kind::Reply, ask);
        let home = || Scope::of(Some(self.session.home.clone()));
        let put = |lane| {
            lock(&self.session.lane(lane).outbox)
                .put(header, true, |out| encode_into(out, home(), reply).ok())
        };
        let sent = match put(Lane::Control) {
            Put::Bulk => put(Lane::Bulk),
            other => other,
        };
        if sent == Put::Refused {
            self.say(ask, Fault::TooLarge);
        } else if sent == Put::Closed {
            self.session.close();
        }
    }

    pub(crate) fn is_ask(&self) -> bool {
        self.ask.is_some() && self.session.is_open()
    }

    /// Says why there is no reply.
    pub(crate) fn fail(mut self, fault: Fault) {
        self.done = true;
        self.refuse(fault);
    }

    fn refuse(&self, fault: Fault) {
        match self.ask {
            Some(ask) => {
                self.release();
                self.say(ask, fault);
            }
            None => lock(&self.session.lane(self.lane).outbox).give_back(self.target),
        }
    }

    fn release(&self) {
        lock(&self.session.lane(self.lane).outbox).give_back_with_reply(self.target);
    }

    fn say(&self, ask: (u64, u32), fault: Fault) {
        let header = self.header(Kind::Fail, ask);
        let _ = lock(&self.session.lane(Lane::Control).outbox).put(header, true, |out| {
            out.push(fault as u8);
            Some(Scope::default())
        });
    }
}

impl Drop for ReturnPath {
    fn drop(&mut self) {
        if !self.done {
            self.refuse(Fault::Gone);
        }
    }
}

/// Forgets an ask when its asker stops waiting.
pub(crate) struct Waiting {
    pub(crate) asks: Weak<Asks>,
    pub(crate) id: u64,
    pub(crate) sequence: u32,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(asks) = self.asks.upgrade() {
            asks.forget(self.id, self.sequence);
        }
    }
}

/// Code of [`Kind::Opened`] for a target that is there.
pub(crate) const OPENED: u8 = OPEN;
