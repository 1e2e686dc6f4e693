//! The mailboxes that a node lets be found, by the names of their actors.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::Home;
use crate::link::{BULK_CREDITS, CONTROL_CREDITS, Fault, Opening, Session, Sink, lock};
use crate::mailbox::{Arrivals, Lane, Local, Mailbox, Message};
use crate::runtime::Waiter;
use crate::wire::{Header, Kind};

/// Mailboxes that one node lets be found.
pub const REGISTER_MAX: usize = 65_536;

/// A registered mailbox whose type is forgotten.
struct Entry {
    mailbox: Box<dyn Any + Send>,
    version: u16,
    open: Open,
    depth: Box<dyn Fn() -> usize + Send>,
}

type Open = Box<dyn Fn(&Home, &Waiter, &Arc<Session>, Lane, u32) -> Opened + Send>;
/// Where messages for the target go, and its credits.
type Opened = (Box<dyn Sink>, u32);

/// See the module. An actor that was sent inside a message without ever having been registered is
/// found by a number, until it ends.
#[derive(Default)]
pub(crate) struct Register {
    entries: Mutex<HashMap<(String, &'static str), Entry>>,
    numbered: AtomicU64,
}

impl fmt::Debug for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(lock(&self.entries).keys()).finish()
    }
}

impl Register {
    pub(super) fn insert<M: Message>(&self, actor: &str, mailbox: Mailbox<M>) {
        let entry = entry(mailbox);
        lock(&self.entries).insert((actor.to_owned(), M::TYPE), entry);
    }

    pub(super) fn remove<M: Message>(&self, actor: &str) {
        let removed = lock(&self.entries).remove(&(actor.to_owned(), M::TYPE));
        // Without the lock: what goes with the mailbox may want the register.
        drop(removed);
    }

    pub(super) fn find<M: Message>(&self, actor: &str) -> Option<Mailbox<M>> {
        let entries = lock(&self.entries);
        let entry = entries.get(&(actor.to_owned(), M::TYPE))?;
        entry.mailbox.downcast_ref::<Mailbox<M>>().cloned()
    }

    /// The name of a mailbox, and whether it was given now; `None` when too many have one.
    pub(super) fn name_of<M: Message>(&self, mailbox: &Mailbox<M>) -> Option<(String, bool)> {
        let mut entries = lock(&self.entries);
        let known = entries.iter().find(|((_, message), entry)| {
            let other = entry.mailbox.downcast_ref::<Mailbox<M>>();
            *message == M::TYPE && other.is_some_and(|other| other.is_same(mailbox))
        });
        if let Some(((actor, _), _)) = known {
            return Some((actor.clone(), false));
        }
        if entries.len() >= REGISTER_MAX {
            return None;
        }
        let actor = format!("~{}", self.numbered.fetch_add(1, Ordering::Relaxed));
        entries.insert((actor.clone(), M::TYPE), entry(mailbox.clone()));
        Some((actor, true))
    }

    pub(super) fn depths(&self) -> Vec<(String, &'static str, usize)> {
        let entries = lock(&self.entries);
        let depths =
            entries.iter().map(|((actor, kind), entry)| (actor.clone(), *kind, (entry.depth)()));
        let mut depths: Vec<_> = depths.collect();
        depths.sort_unstable();
        depths
    }

    /// Opens what `opening` names with `call`.
    pub(super) fn open(
        &self,
        opening: &Opening,
        call: &dyn Fn(&Open) -> Opened,
    ) -> Result<Opened, Fault> {
        let entries = lock(&self.entries);
        let found = entries
            .iter()
            .find(|((actor, kind), _)| *actor == opening.actor && *kind == opening.message);
        let Some((_, entry)) = found else {
            let known = entries.keys().any(|(actor, _)| *actor == opening.actor);
            return Err(if known { Fault::Unsupported } else { Fault::Gone });
        };
        if entry.version != opening.version {
            return Err(Fault::Unsupported);
        }
        Ok(call(&entry.open))
    }
}

fn entry<M: Message>(mailbox: Mailbox<M>) -> Entry {
    let (here, measured) = (mailbox.here().cloned(), mailbox.clone());
    let open = move |home: &Home, waiter: &Waiter, session: &Arc<Session>, lane, target| {
        let Some(local) = &here else { return (Box::new(Nobody) as Box<dyn Sink>, 0) };
        waiter.spawn(tell_when_gone(local.clone(), Arc::clone(session), lane, target));
        let most = if lane == Lane::Control { CONTROL_CREDITS } else { BULK_CREDITS };
        let credits = u32::try_from(local.capacity()).unwrap_or(most).clamp(1, most);
        let arrivals = Arrivals::new(local.clone(), home.clone(), waiter.clone());
        (Box::new(arrivals) as Box<dyn Sink>, credits)
    };
    let depth = move || measured.here().map_or(0, Local::in_use);
    let (open, depth) = (Box::new(open), Box::new(depth));
    Entry { mailbox: Box::new(mailbox), version: M::VERSION, open, depth }
}

async fn tell_when_gone<M: Message>(
    local: Local<M>,
    session: Arc<Session>,
    lane: Lane,
    target: u32,
) {
    tokio::select! {
        () = local.gone() => {
            let header = Header { target, ..Header::new(Kind::Gone) };
            session.urgent(lane, header, &[]);
        }
        () = session.over() => {}
    }
}

/// A mailbox of a third node, registered here, takes nothing from others: they find it there.
struct Nobody;

impl Sink for Nobody {
    fn push(&mut self, arrived: crate::link::Arrived<'_>) {
        arrived.path.fail(Fault::Unsupported);
    }

    fn flush(&mut self) {}
}
