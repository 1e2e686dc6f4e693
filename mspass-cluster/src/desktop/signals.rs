//! Ctrl-C and SIGTERM: the first lets the job stop in good order, the second ends at once.

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use mspass_actors::runtime::Waiter;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// Which signal came, if any.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    number: AtomicI32,
    come: Notify,
    /// For threads that wait: whether one came, and its news.
    seen: Mutex<bool>,
    news: Condvar,
}

impl Interrupt {
    /// Listens on the runtime's thread.
    pub(crate) fn listen(waiter: &Waiter) -> Self {
        let interrupt = Self::default();
        for (kind, number) in [(SignalKind::interrupt(), 2), (SignalKind::terminate(), 15)] {
            let shared = Arc::clone(&interrupt.0);
            waiter.spawn(async move {
                let Ok(mut signals) = signal(kind) else { return };
                while signals.recv().await.is_some() {
                    if shared.number.swap(number, Ordering::Relaxed) != 0 {
                        // Everything acknowledged is stored; a kill would do no harm either.
                        std::process::exit(128 + number);
                    }
                    *shared.seen.lock().unwrap_or_else(PoisonError::into_inner) = true;
                    shared.news.notify_all();
                    shared.come.notify_waiters();
                }
            });
        }
        interrupt
    }

    /// The exit code of an interrupted program, once it is.
    pub(crate) fn exit_code(&self) -> Option<u8> {
        match self.0.number.load(Ordering::Relaxed) {
            0 => None,
            number => u8::try_from(128 + number).ok(),
        }
    }

    /// Waits until a signal comes.
    pub(crate) async fn come(&self) {
        let mut come = std::pin::pin!(self.0.come.notified());
        come.as_mut().enable();
        if self.exit_code().is_none() {
            come.await;
        }
    }

    /// The same on a thread that may block.
    pub(crate) fn wait(&self) {
        let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        while !*seen {
            seen = self.0.news.wait(seen).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Blocks this thread for a while.
    pub(crate) fn pause(&self, most: Duration) {
        let seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.news.wait_timeout_while(seen, most, |_| true);
        drop(waited);
    }
}
