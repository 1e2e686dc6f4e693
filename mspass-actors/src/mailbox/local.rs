//! Mailboxes of actors in this process, on actix; nothing outside this file and `runtime.rs` names
//! it. actix does not survive a panic in a handler, so panics are caught here and the actor is made
//! anew behind the same address.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::{Actor, Addr};
use tokio::sync::{Semaphore, watch};

use super::{Envelope, Handler, Local, Mailbox, Message};
use crate::runtime::Runtime;

/// Restarts after panics that an actor gets in its life; then it stops and its mailboxes are gone.
pub(crate) const RESTARTS_MAX: u32 = 100;

impl<M: Message> actix::Message for Envelope<M> {
    type Result = ();
}

/// Messages of one sender that came together, handled one after the other.
struct Run<M: Message>(Vec<Envelope<M>>);

impl<M: Message> actix::Message for Run<M> {
    type Result = ();
}

/// An actor as its mailboxes see it. What is delivered has its room already; it is dropped, and
/// its asker told, when the actor is gone.
pub(crate) trait Deliver<M: Message>: Send + Sync {
    fn one(&self, envelope: Envelope<M>);
    fn run(&self, envelopes: Vec<Envelope<M>>);
}

impl<A: Handler<M>, M: Message> Deliver<M> for Addr<Cell<A>> {
    fn one(&self, envelope: Envelope<M>) {
        self.do_send(envelope);
    }

    fn run(&self, envelopes: Vec<Envelope<M>>) {
        self.do_send(Run(envelopes));
    }
}

type Make<A> = Box<dyn FnMut(&Context<A>) -> A + Send>;

/// The actix actor around ours.
struct Cell<A: 'static> {
    actor: Option<Box<A>>,
    make: Make<A>,
    restarts: u32,
    name: &'static str,
    context: Context<A>,
    /// Its end tells those who watch.
    _alive: watch::Sender<()>,
}

impl<A: 'static> Actor for Cell<A> {
    type Context = actix::Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.actor = Some(Box::new((self.make)(&self.context)));
    }
}

impl<A: 'static> Cell<A> {
    fn handle_one<M: Message>(&mut self, envelope: Envelope<M>, actix: &mut actix::Context<Self>)
    where
        A: Handler<M>,
    {
        let Some(actor) = &mut self.actor else { return };
        let context = &self.context;
        let Envelope { message, reply } = envelope;
        let handled = catch_unwind(AssertUnwindSafe(|| actor.handle(message, reply, context)));
        let Err(panic) = handled else {
            if context.ending.get() {
                self.end(actix);
            }
            return;
        };
        let text = mspass_core::process::runner::panic_text(panic.as_ref());
        tracing::error!(actor = self.name, message = M::TYPE, text, "an actor panicked");
        self.restarts += 1;
        if self.restarts > RESTARTS_MAX {
            self.end(actix);
        } else {
            self.actor = Some(Box::new((self.make)(context)));
        }
    }

    /// The actor is gone, and whoever asks it is told so.
    fn end(&mut self, actix: &mut actix::Context<Self>) {
        self.actor = None;
        self.context.address.close();
        actix::ActorContext::stop(actix);
    }
}

impl<A: Handler<M>, M: Message> actix::Handler<Envelope<M>> for Cell<A> {
    type Result = ();

    fn handle(&mut self, envelope: Envelope<M>, actix: &mut Self::Context) {
        self.handle_one(envelope, actix);
    }
}

impl<A: Handler<M>, M: Message> actix::Handler<Run<M>> for Cell<A> {
    type Result = ();

    fn handle(&mut self, run: Run<M>, actix: &mut Self::Context) {
        run.0.into_iter().for_each(|envelope| self.handle_one(envelope, actix));
    }
}

/// What a handler has at hand: its actor's own address.
#[derive(Debug)]
pub struct Context<A: 'static> {
    address: Address<A>,
    ending: std::cell::Cell<bool>,
}

impl<A: 'static> Context<A> {
    /// The actor ends with the message that it handles now.
    pub fn end(&self) {
        self.ending.set(true);
    }

    /// The actor's own address.
    pub fn address(&self) -> &Address<A> {
        &self.address
    }
}

/// A started actor, from which mailboxes are taken. Its actix address is known once it runs.
pub struct Address<A: 'static> {
    shared: Arc<Shared<A>>,
}

/// The bounds of an actor's mailboxes by type of message, each with what is kept beside it.
type Rooms = HashMap<TypeId, (Arc<Semaphore>, Box<dyn Any + Send>)>;

struct Shared<A: 'static> {
    addr: Mutex<Option<Addr<Cell<A>>>>,
    capacity: usize,
    rooms: Mutex<Rooms>,
    alive: watch::Receiver<()>,
    through_codec: bool,
    name: &'static str,
}

impl<A: 'static> Clone for Address<A> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<A: 'static> fmt::Debug for Address<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.shared.name)
    }
}

impl<A: 'static> Address<A> {
    fn set(&self, addr: Addr<Cell<A>>) {
        *self.shared.addr.lock().unwrap_or_else(PoisonError::into_inner) = Some(addr);
    }

    fn close(&self) {
        let rooms = self.shared.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.values().for_each(|(room, _)| room.close());
    }

    fn addr(&self) -> Addr<Cell<A>> {
        let addr = self.shared.addr.lock().unwrap_or_else(PoisonError::into_inner);
        addr.clone().expect("`start` returns only after the actor has its address")
    }

    /// The actor's mailbox for messages of type `M`; every call gives the same one.
    pub fn mailbox<M: Message>(&self) -> Mailbox<M>
    where
        A: Handler<M>,
    {
        let mut rooms = self.shared.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = rooms.get(&TypeId::of::<M>())
            && let Some(mailbox) = known.downcast_ref::<Mailbox<M>>()
        {
            return mailbox.clone();
        }
        let room = Arc::new(Semaphore::new(self.shared.capacity));
        let mailbox = Mailbox::local(Local {
            room: Arc::clone(&room),
            actor: Arc::new(self.addr()),
            alive: self.shared.alive.clone(),
            capacity: self.shared.capacity,
            through_codec: self.shared.through_codec,
        });
        rooms.insert(TypeId::of::<M>(), (room, Box::new(mailbox.clone())));
        mailbox
    }

    /// Sends the actor a message of its own every `period`, as long as it lives and has room.
    pub fn every<M: Message>(&self, runtime: &Runtime, period: Duration, message: fn() -> M)
    where
        A: Handler<M>,
    {
        let mailbox = self.mailbox::<M>();
        let addr = self.addr().downgrade();
        runtime.spawn(async move {
            let mut ticks = tokio::time::interval(period);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            while addr.upgrade().is_some_and(|addr| addr.connected()) {
                ticks.tick().await;
                // A tick that finds no room is one the actor does not miss: it is busy already.
                drop(mailbox.try_tell(message()));
            }
        });
    }
}

/// Starts an actor on the runtime's thread; `make` builds it, and again after each panic.
/// `capacity` bounds each of its mailboxes.
pub fn start<A: Send + 'static>(
    runtime: &Runtime,
    name: &'static str,
    capacity: usize,
    make: impl FnMut(&Context<A>) -> A + Send + 'static,
) -> Address<A> {
    let (ending, alive) = watch::channel(());
    let shared = Shared {
        addr: Mutex::new(None),
        capacity,
        rooms: Mutex::default(),
        alive,
        through_codec: runtime.is_through_codec(),
        name,
    };
    let address = Address { shared: Arc::new(shared) };
    let cell = Cell {
        actor: None,
        make: Box::new(make) as Make<A>,
        restarts: 0,
        name,
        context: Context { address: address.clone(), ending: false.into() },
        _alive: ending,
    };
    let at = address.clone();
    runtime.run(move || at.set(cell.start()));
    address
}
