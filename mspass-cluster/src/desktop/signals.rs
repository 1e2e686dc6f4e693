//! Ctrl-C and SIGTERM: the first lets the job stop in good order, the second ends at once; and a
//! time at which the job stops by itself.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use mspass_actors::clock;
use mspass_actors::runtime::Waiter;
use mspass_core::UtcTime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use super::guard;

/// Exit code of a program that stopped at its time: run again, it goes on.
pub(crate) const STOPPED: u8 = 75;

/// Which signal came, if any, and whether time is up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    number: AtomicI32,
    /// When time is up, nanoseconds since 1970; 0 means never.
    deadline: AtomicI64,
    /// Whether it was: a clock may be set back.
    late: AtomicBool,
    come: Notify,
    /// For threads that wait: whether one came, and its news.
    seen: Mutex<bool>,
    news: Condvar,
    /// Where stands what this process works on.
    slate: OnceLock<PathBuf>,
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
                        // One signal to all processes comes here twice: whoever guards this one
                        // passes it on, and knows when it is the second.
                        if guard::is_guarded() {
                            continue;
                        }
                        // Everything acknowledged is stored; a kill would do no harm either.
                        if let Some(slate) = shared.slate.get() {
                            drop(std::fs::remove_file(slate));
                        }
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

    /// What stands on this slate is given up when the second signal comes, not died of.
    pub(crate) fn gives_up(&self, slate: PathBuf) {
        let _ = self.0.slate.set(slate);
    }

    /// The exit code of a program that was interrupted or whose time is up, once it is.
    pub(crate) fn exit_code(&self) -> Option<u8> {
        match self.0.number.load(Ordering::Relaxed) {
            0 => self.is_late().then_some(STOPPED),
            number => u8::try_from(128 + number).ok(),
        }
    }

    /// Has the job stop at this time as if a signal came then.
    pub(crate) fn stop_at(&self, deadline: Option<UtcTime>) {
        let nanos = deadline.map_or(0, |deadline| deadline.nanos().max(1));
        self.0.deadline.store(nanos, Ordering::Relaxed);
    }

    fn is_late(&self) -> bool {
        let deadline = self.0.deadline.load(Ordering::Relaxed);
        if deadline != 0 && clock::utc_now().nanos() >= deadline {
            self.0.late.store(true, Ordering::Relaxed);
        }
        self.0.late.load(Ordering::Relaxed)
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
