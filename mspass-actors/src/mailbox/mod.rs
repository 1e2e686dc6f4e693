//! Typed, bounded, location-transparent mailboxes: the same handle, errors and bounds whether the
//! actor is in this process or elsewhere.
//!
//! An actor is a value with a [`Handler`] for each message it understands. It never awaits and
//! never blocks: what takes long goes to threads of its own, and the [`Reply`] with it.

mod arrive;
mod local;
mod remote;
mod travel;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

pub(crate) use arrive::Arrivals;
use local::Deliver;
pub use local::{Address, Context, start};
pub(crate) use remote::Remote;

use crate::clock;
use crate::link::ReturnPath;
use crate::wire;

/// Which lane of a link carries a message: small ones are never behind samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Lane {
    /// Small, many, urgent.
    Control,
    /// Samples.
    Bulk,
}

/// What can be sent to a mailbox. Types are versioned because they cross programs.
pub trait Message: Serialize + DeserializeOwned + Send + 'static {
    /// Name on the wire, unique in a cluster.
    const TYPE: &'static str;
    /// Raised when the meaning of a field changes; a field that is added needs no new version.
    const VERSION: u16 = 1;
    /// The lane it takes.
    const LANE: Lane = Lane::Control;
    /// What the actor answers.
    type Reply: Serialize + DeserializeOwned + Send + 'static;
}

/// An actor's way of handling one type of message.
pub trait Handler<M: Message>: Sized + 'static {
    /// Handles `message`; `reply` may be answered now, kept for later, or dropped, which tells the
    /// one who asks that there will be no reply.
    fn handle(&mut self, message: M, reply: Reply<M>, context: &Context<Self>);
}

/// Why a message was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MailError {
    /// The actor is gone, or dropped the question.
    #[error("the actor at {0} is gone or gave no reply")]
    Gone(&'static str),
    /// No reply in time; the message may yet be handled.
    #[error("no reply from {0} before the deadline")]
    Deadline(&'static str),
    /// The connection broke.
    #[error("the connection to the actor at {to} broke{}", if *maybe_delivered {
        "; whether the message was handled is not known"
    } else {
        " before the message was sent"
    })]
    LinkLost {
        /// The message's type.
        to: &'static str,
        /// Whether the message may have been handled.
        maybe_delivered: bool,
    },
    /// Too much is under way already.
    #[error("too many questions wait for the node of the actor at {0}")]
    Overloaded(&'static str),
    /// The other node has no room for it, or nothing takes so much.
    #[error("a message for {0} is larger than its node takes")]
    TooLarge(&'static str),
    /// The actor does not know such messages, in this version.
    #[error("the actor does not understand {0} of this version: start the same build everywhere")]
    Unsupported(&'static str),
}

/// The message came back: its mailbox is full.
pub struct Full<M>(pub M);

impl<M> fmt::Debug for Full<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Full")
    }
}

/// A message under way, with the room it takes in the mailbox.
pub(crate) struct Envelope<M: Message> {
    pub(crate) message: M,
    pub(crate) reply: Reply<M>,
}

enum Asker<M: Message> {
    Nobody,
    Here(oneshot::Sender<M::Reply>),
    /// In this process, through the codec.
    Near(oneshot::Sender<M::Reply>),
    There(ReturnPath),
}

/// The right and the duty to answer one message. Its room in the mailbox is free again when this
/// is answered or dropped, so that a mailbox bounds what is *in work*, not only what waits.
pub struct Reply<M: Message> {
    asker: Asker<M>,
    room: Option<OwnedSemaphorePermit>,
}

impl<M: Message> Reply<M> {
    /// Answers; nothing happens when nobody asked or the asker has gone.
    pub fn send(self, reply: M::Reply) {
        // The room first: who has the reply in hand finds the mailbox as free as it is.
        drop(self.room);
        match self.asker {
            Asker::Nobody => {}
            Asker::Here(asker) => drop(asker.send(reply)),
            Asker::Near(asker) => {
                if let Some(reply) = wire::round_trip(&reply) {
                    drop(asker.send(reply));
                }
            }
            Asker::There(path) => path.answer(&reply),
        }
    }

    /// Whether somebody waits for the reply.
    pub fn is_awaited(&self) -> bool {
        match &self.asker {
            Asker::Nobody => false,
            Asker::Here(asker) | Asker::Near(asker) => !asker.is_closed(),
            Asker::There(path) => path.is_ask(),
        }
    }
}

impl<M: Message> fmt::Debug for Reply<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply<{}>", M::TYPE)
    }
}

/// A mailbox of this process.
pub(crate) struct Local<M: Message> {
    room: Arc<Semaphore>,
    actor: Arc<dyn Deliver<M>>,
    alive: watch::Receiver<()>,
    capacity: usize,
    through_codec: bool,
}

impl<M: Message> Clone for Local<M> {
    fn clone(&self) -> Self {
        Self {
            room: Arc::clone(&self.room),
            actor: Arc::clone(&self.actor),
            alive: self.alive.clone(),
            capacity: self.capacity,
            through_codec: self.through_codec,
        }
    }
}

impl<M: Message> Local<M> {
    async fn acquire(&self) -> Result<OwnedSemaphorePermit, MailError> {
        let room = Arc::clone(&self.room).acquire_owned().await;
        room.map_err(|_| MailError::Gone(M::TYPE))
    }

    fn deliver(
        &self,
        message: M,
        asker: Option<oneshot::Sender<M::Reply>>,
        room: OwnedSemaphorePermit,
    ) {
        let (message, asker) = match (self.through_codec, asker) {
            (false, None) => (Some(message), Asker::Nobody),
            (false, Some(asker)) => (Some(message), Asker::Here(asker)),
            (true, None) => (wire::round_trip(&message), Asker::Nobody),
            (true, Some(asker)) => (wire::round_trip(&message), Asker::Near(asker)),
        };
        let Some(message) = message else {
            tracing::error!(message = M::TYPE, "a message does not survive the codec");
            return;
        };
        self.actor.one(Envelope { message, reply: Reply { asker, room: Some(room) } });
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(crate) fn in_use(&self) -> usize {
        self.capacity.saturating_sub(self.room.available_permits())
    }

    pub(crate) async fn gone(&self) {
        self.end().await;
    }

    /// The actor's end; waiting for it does not keep the actor alive.
    pub(crate) fn end(&self) -> impl Future<Output = ()> + Send + use<M> {
        let mut alive = self.alive.clone();
        async move { while alive.changed().await.is_ok() {} }
    }
}

enum Place<M: Message> {
    Here(Local<M>),
    There(Arc<Remote<M>>),
}

/// Where to send messages of one type to one actor, in this process or another.
pub struct Mailbox<M: Message>(Place<M>);

impl<M: Message> Clone for Mailbox<M> {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Place::Here(local) => Place::Here(local.clone()),
            Place::There(remote) => Place::There(Arc::clone(remote)),
        })
    }
}

impl<M: Message> fmt::Debug for Mailbox<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Here(_) => write!(f, "Mailbox<{}>", M::TYPE),
            Place::There(remote) => write!(f, "Mailbox<{} at {}>", M::TYPE, remote.place()),
        }
    }
}

impl<M: Message> Mailbox<M> {
    pub(crate) fn local(local: Local<M>) -> Self {
        Self(Place::Here(local))
    }

    pub(crate) fn remote(remote: Remote<M>) -> Self {
        Self(Place::There(Arc::new(remote)))
    }

    /// Whether both are of the same actor of this process.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self.here(), other.here()) {
            (Some(one), Some(other)) => Arc::ptr_eq(&one.room, &other.room),
            _ => false,
        }
    }

    pub(crate) fn here(&self) -> Option<&Local<M>> {
        match &self.0 {
            Place::Here(local) => Some(local),
            Place::There(_) => None,
        }
    }

    /// Sends without waiting; the message comes back when there is no room, or no connection yet.
    ///
    /// # Errors
    /// [`Full`], also when the actor is gone.
    pub fn try_tell(&self, message: M) -> Result<(), Full<M>> {
        match &self.0 {
            Place::Here(local) => match Arc::clone(&local.room).try_acquire_owned() {
                Ok(room) => {
                    local.deliver(message, None, room);
                    Ok(())
                }
                Err(_) => Err(Full(message)),
            },
            Place::There(remote) => remote.try_tell(message),
        }
    }

    /// Sends as soon as there is room; nothing is known of its fate.
    ///
    /// # Errors
    /// [`MailError::Gone`] when the actor is gone; of a remote one also the others, when the
    /// message was not sent.
    pub async fn tell(&self, message: M) -> Result<(), MailError> {
        match &self.0 {
            Place::Here(local) => {
                let room = local.acquire().await?;
                local.deliver(message, None, room);
                Ok(())
            }
            Place::There(remote) => remote.tell(message).await,
        }
    }

    /// Sends as soon as there is room and waits for the reply, `deadline` in all.
    ///
    /// # Errors
    /// [`MailError::Gone`] when the actor is gone or gives no reply, [`MailError::Deadline`] when
    /// it comes too late; of a remote one also the others.
    pub async fn ask(&self, message: M, deadline: Duration) -> Result<M::Reply, MailError> {
        match &self.0 {
            Place::Here(local) => {
                let asked = async {
                    let room = local.acquire().await?;
                    let (asker, answer) = oneshot::channel();
                    local.deliver(message, Some(asker), room);
                    answer.await.map_err(|_| MailError::Gone(M::TYPE))
                };
                let in_time = tokio::time::timeout(deadline, asked).await;
                in_time.unwrap_or(Err(MailError::Deadline(M::TYPE)))
            }
            Place::There(remote) => remote.ask(message, deadline).await,
        }
    }

    /// As [`Self::ask`] for messages that may be handled twice without harm: asked again as often
    /// as a connection breaks, until the deadline.
    ///
    /// # Errors
    /// As for [`Self::ask`], but for [`MailError::LinkLost`].
    pub async fn ask_idempotent(
        &self,
        message: M,
        deadline: Duration,
    ) -> Result<M::Reply, MailError>
    where
        M: Clone,
    {
        let until = clock::now() + deadline;
        loop {
            let left = until.saturating_duration_since(clock::now());
            match self.ask(message.clone(), left).await {
                Err(MailError::LinkLost { .. }) if !left.is_zero() => {}
                other => return other,
            }
        }
    }

    /// Waits until the actor is gone, or its node's incarnation is down.
    pub async fn watch(&self) {
        match &self.0 {
            Place::Here(local) => local.gone().await,
            Place::There(remote) => remote.gone().await,
        }
    }

    /// How many messages are waiting or in work; of a remote mailbox those sent from here.
    pub fn depth(&self, capacity: usize) -> usize {
        match &self.0 {
            Place::Here(local) => capacity.saturating_sub(local.room.available_permits()),
            Place::There(remote) => remote.depth(),
        }
    }
}
