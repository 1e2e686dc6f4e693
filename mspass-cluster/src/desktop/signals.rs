//! Ctrl-C and SIGTERM: the first lets the job stop in good order, the second ends at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use mspass_actors::runtime::Waiter;
use tokio::signal::unix::{SignalKind, signal};

/// Which signal came, if any.
#[derive(Clone, Debug, Default)]
pub(super) struct Interrupt(Arc<AtomicI32>);

impl Interrupt {
    /// Listens on the runtime's thread.
    pub(super) fn listen(waiter: &Waiter) -> Self {
        let interrupt = Self::default();
        for (kind, number) in [(SignalKind::interrupt(), 2), (SignalKind::terminate(), 15)] {
            let seen = Arc::clone(&interrupt.0);
            waiter.spawn(async move {
                let Ok(mut signals) = signal(kind) else { return };
                while signals.recv().await.is_some() {
                    if seen.swap(number, Ordering::Relaxed) != 0 {
                        // Everything acknowledged is stored; a kill would do no harm either.
                        std::process::exit(128 + number);
                    }
                }
            });
        }
        interrupt
    }

    /// The exit code of an interrupted program, once it is.
    pub(super) fn exit_code(&self) -> Option<u8> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            number => u8::try_from(128 + number).ok(),
        }
    }
}
