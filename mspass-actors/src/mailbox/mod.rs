//! Typed, bounded, location-transparent mailboxes: the same handle, errors and bounds whether the
//! actor is in this process or elsewhere.
//!
//! An actor is a value with a [`Handler`] for each message it understands. It never awaits and
//! never blocks: what takes long goes to threads of its own, and the [`Reply`] with it.

mod local;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

pub use local::{Address, Context, start};

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

/// The right and the duty to answer one message. Its room in the mailbox is free again when this
/// is answered or dropped, so that a mailbox bounds what is *in work*, not only what waits.
pub struct Reply<M: Message> {
    asker: Option<oneshot::Sender<M::Reply>>,
    _room: OwnedSemaphorePermit,
}

impl<M: Message> Reply<M> {
    /// Answers; nothing happens when nobody asked or the asker has gone.
    pub fn send(self, reply: M::Reply) {
        if let Some(asker) = self.asker {
            drop(asker.send(reply));
        }
    }
}

impl<M: Message> fmt::Debug for Reply<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply<{}>", M::TYPE)
    }
}

/// Where to send messages of one type to one actor.
pub struct Mailbox<M: Message> {
    room: Arc<Semaphore>,
    recipient: local::Recipient<M>,
}

impl<M: Message> Clone for Mailbox<M> {
    fn clone(&self) -> Self {
        Self { room: Arc::clone(&self.room), recipient: self.recipient.clone() }
    }
}

impl<M: Message> fmt::Debug for Mailbox<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mailbox<{}>", M::TYPE)
    }
}

impl<M: Message> Mailbox<M> {
    fn new(room: Arc<Semaphore>, recipient: local::Recipient<M>) -> Self {
        Self { room, recipient }
    }

    /// Sends without waiting; the message comes back when there is no room.
    ///
    /// # Errors
    /// [`Full`], also when the actor is gone.
    pub fn try_tell(&self, message: M) -> Result<(), Full<M>> {
        match Arc::clone(&self.room).try_acquire_owned() {
            Ok(room) => {
                self.deliver(message, None, room);
                Ok(())
            }
            Err(_) => Err(Full(message)),
        }
    }

    /// Sends as soon as there is room; nothing is known of its fate.
    ///
    /// # Errors
    /// [`MailError::Gone`] when the actor is gone.
    pub async fn tell(&self, message: M) -> Result<(), MailError> {
        let room = self.acquire().await?;
        self.deliver(message, None, room);
        Ok(())
    }

    /// Sends as soon as there is room and waits for the reply, `deadline` in all.
    ///
    /// # Errors
    /// [`MailError::Gone`] when the actor is gone or gives no reply, [`MailError::Deadline`] when
    /// it comes too late.
    pub async fn ask(&self, message: M, deadline: Duration) -> Result<M::Reply, MailError> {
        let asked = async {
            let room = self.acquire().await?;
            let (asker, answer) = oneshot::channel();
            self.deliver(message, Some(asker), room);
            answer.await.map_err(|_| MailError::Gone(M::TYPE))
        };
        let in_time = tokio::time::timeout(deadline, asked).await;
        in_time.unwrap_or(Err(MailError::Deadline(M::TYPE)))
    }

    /// How many messages are waiting or in work.
    pub fn depth(&self, capacity: usize) -> usize {
        capacity.saturating_sub(self.room.available_permits())
    }

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
        self.recipient.deliver(Envelope { message, reply: Reply { asker, _room: room } });
    }
}
