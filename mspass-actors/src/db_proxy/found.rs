//! Which db-proxy to ask just now, and asking again while it is away.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::actor::DbProxy;
use super::messages::{ReadBlob, Save, StoreCall};
use crate::mailbox::{Address, MailError, Mailbox, Message};

/// Asks of the same proxy at most, once it gave no reply; then only another one is asked.
pub const ATTEMPTS_MAX: u32 = 8;
/// Pause before the second ask; doubled with each.
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The mailboxes of one db-proxy.
#[derive(Clone, Debug)]
pub struct StoreMailboxes {
    /// For calls.
    pub calls: Mailbox<StoreCall>,
    /// For outputs.
    pub saves: Mailbox<Save>,
    /// For samples.
    pub blobs: Mailbox<ReadBlob>,
}

impl StoreMailboxes {
    /// Those of a proxy in this process.
    pub fn of(proxy: &Address<DbProxy>) -> Self {
        Self { calls: proxy.mailbox(), saves: proxy.mailbox(), blobs: proxy.mailbox() }
    }
}

/// The writing end of what a `ProxyStore` follows: told whenever a db-proxy is found, or lost.
#[derive(Clone, Debug)]
pub struct StoreFinder(Arc<watch::Sender<Option<StoreMailboxes>>>);

impl StoreFinder {
    /// This proxy is to be asked from now on; `None`: there is none just now.
    pub fn found(&self, store: Option<StoreMailboxes>) {
        self.0.send_replace(store);
    }
}

/// The db-proxy to ask just now; clones follow the same [`StoreFinder`].
#[derive(Clone, Debug)]
pub(super) struct FoundStore(watch::Receiver<Option<StoreMailboxes>>);

impl FoundStore {
    /// A proxy that is never another one.
    pub(super) fn fixed(store: StoreMailboxes) -> Self {
        Self(watch::channel(Some(store)).1)
    }

    /// None yet, and who tells.
    pub(super) fn following() -> (StoreFinder, Self) {
        let (finder, found) = watch::channel(None);
        (StoreFinder(Arc::new(finder)), Self(found))
    }

    /// The proxy, if there is one.
    pub(super) fn current(&self) -> Option<StoreMailboxes> {
        self.0.borrow().clone()
    }

    /// Asks until there is a reply or `deadline` has passed, whichever proxy gives it; also tells
    /// whether it was asked more than once, and so may have been done more than once.
    pub(super) async fn ask<M: Message + Clone>(
        mut self,
        pick: fn(&StoreMailboxes) -> &Mailbox<M>,
        message: M,
        deadline: Duration,
    ) -> Result<(M::Reply, bool), MailError> {
        let asked = async move {
            let (mut repeated, mut attempts) = (false, 0);
            loop {
                let store = self.0.borrow_and_update().clone();
                let mut error = MailError::Gone(M::TYPE);
                if let Some(store) = store {
                    let reply = pick(&store).ask(message.clone(), deadline).await;
                    error = match reply {
                        Ok(reply) => return Ok((reply, repeated)),
                        Err(error) if is_final(error) => return Err(error),
                        Err(error) => error,
                    };
                    repeated = true;
                    attempts += 1;
                }
                let pause = PAUSE_MIN.saturating_mul(1 << attempts.min(10)).min(PAUSE_MAX);
                if self.changed_within(attempts < ATTEMPTS_MAX, pause).await {
                    attempts = 0;
                } else if attempts == 0 || attempts >= ATTEMPTS_MAX {
                    return Err(error);
                }
            }
        };
        let in_time: Result<_, _> = within(deadline, asked).await;
        in_time.unwrap_or(Err(MailError::Deadline(M::TYPE)))
    }

    /// Waits for another proxy: `pause` long where the present one may be asked again, else as long
    /// as there can be one. Tells whether there is.
    async fn changed_within(&mut self, again: bool, pause: Duration) -> bool {
        let present = self.0.borrow().is_some();
        if again && present {
            let changed = within(pause, self.0.changed()).await;
            if let Ok(Err(_)) = changed {
                // Nobody will tell of another: what is left of the pause is waited out.
                tokio::time::sleep(pause).await;
            }
            return matches!(changed, Ok(Ok(())));
        }
        self.0.changed().await.is_ok()
    }
}

async fn within<T>(time: Duration, future: impl Future<Output = T>) -> Result<T, ()> {
    tokio::time::timeout(time, future).await.map_err(drop)
}

/// Whether asking again, or another, cannot help.
fn is_final(error: MailError) -> bool {
    matches!(error, MailError::Deadline(_))
}
