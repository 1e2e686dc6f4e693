//! Messages from other nodes on their way into a mailbox of this process.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::{Asker, Envelope, Local, Message, Reply};
use crate::clock;
use crate::link::{Arrived, Fault, Sink, lock};
use crate::node::Home;
use crate::runtime::Waiter;
use crate::wire::{Scope, decode};

/// What the credits of several senders together let come before the mailbox has room; bounded by
/// those credits.
#[derive(Default)]
struct Overflow<M: Message> {
    waiting: VecDeque<(Envelope<M>, Option<Instant>)>,
    pumping: bool,
}

/// One sender's messages for one mailbox.
pub(crate) struct Arrivals<M: Message> {
    mailbox: Local<M>,
    home: Home,
    waiter: Waiter,
    run: Vec<Envelope<M>>,
    overflow: Arc<Mutex<Overflow<M>>>,
    /// The deadline of the last ask of the run; asks of one run came together.
    until: Option<Instant>,
}

impl<M: Message> Arrivals<M> {
    pub(crate) fn new(mailbox: Local<M>, home: Home, waiter: Waiter) -> Self {
        let overflow = Arc::new(Mutex::new(Overflow { waiting: VecDeque::new(), pumping: false }));
        Self { mailbox, home, waiter, run: Vec::new(), overflow, until: None }
    }

    fn hand_over(&mut self) {
        let mut overflow = lock(&self.overflow);
        if !overflow.pumping {
            let count = u32::try_from(self.run.len()).unwrap_or(u32::MAX);
            let room = Arc::clone(&self.mailbox.room);
            if let Ok(mut room) = room.try_acquire_many_owned(count) {
                for envelope in &mut self.run {
                    envelope.reply.room = room.split(1);
                }
                self.mailbox.actor.run(std::mem::take(&mut self.run));
                return;
            }
            if self.mailbox.room.is_closed() {
                self.run.clear();
                return;
            }
        }
        let until = self.until.take();
        overflow.waiting.extend(self.run.drain(..).map(|envelope| (envelope, until)));
        if !std::mem::replace(&mut overflow.pumping, true) {
            let (mailbox, overflow) = (self.mailbox.clone(), Arc::clone(&self.overflow));
            self.waiter.spawn(async move { pump(&mailbox, &overflow).await });
        }
    }
}

/// Hands messages over as the mailbox gets room, until none waits.
async fn pump<M: Message>(mailbox: &Local<M>, overflow: &Mutex<Overflow<M>>) {
    loop {
        let room = mailbox.acquire().await.ok();
        let mut overflow = lock(overflow);
        let Some((mut envelope, until)) = overflow.waiting.pop_front() else {
            overflow.pumping = false;
            return;
        };
        if until.is_some_and(|until| until <= clock::now())
            && matches!(&envelope.reply.asker, Asker::There(path) if path.is_ask())
        {
            if let Asker::There(path) = std::mem::replace(&mut envelope.reply.asker, Asker::Nobody)
            {
                path.fail(Fault::Deadline);
            }
            continue;
        }
        // Without room the actor is gone: dropping the envelope tells its asker.
        if let Some(room) = room {
            envelope.reply.room = Some(room);
            mailbox.actor.one(envelope);
        }
    }
}

impl<M: Message> Sink for Arrivals<M> {
    fn push(&mut self, arrived: Arrived<'_>) {
        let scope = Scope::with_blobs(Some(self.home.clone()), arrived.blobs);
        let Ok(message) = decode::<M>(scope, arrived.body) else {
            tracing::warn!(message = M::TYPE, "refused a message that cannot be read");
            arrived.path.fail(Fault::Unsupported);
            return;
        };
        if let Some(left) = arrived.left
            && lock(&self.overflow).pumping
        {
            self.until = Some(clock::now() + left);
        }
        let reply = Reply { asker: Asker::There(arrived.path), room: None };
        self.run.push(Envelope { message, reply });
    }

    fn flush(&mut self) {
        if !self.run.is_empty() {
            self.hand_over();
        }
    }
}
