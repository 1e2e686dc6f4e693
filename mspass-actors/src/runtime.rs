//! The thread that light actors live on, and the threads that compute.

use std::fmt;
use std::future::Future;
use std::sync::mpsc;
use std::thread::JoinHandle;

use crate::error::{Error, Result};

/// One thread with an actix system of its own: foreman, db-proxy and a worker's coordinator live
/// together on it. Several runtimes live side by side in one process, inside a host that owns a
/// tokio runtime as well.
pub struct Runtime {
    arbiter: actix::ArbiterHandle,
    system: actix::System,
    thread: Option<JoinHandle<()>>,
    through_codec: bool,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").finish_non_exhaustive()
    }
}

impl Runtime {
    /// Starts the thread.
    pub fn start(name: &str) -> Result<Self> {
        let (started, when_started) = mpsc::sync_channel(1);
        let thread = spawn_thread(name, move || {
            let runner = actix::System::new();
            runner.block_on(async move {
                let arbiter = actix::Arbiter::current();
                drop(started.send((arbiter.clone(), actix::System::current())));
            });
            drop(runner.run());
        })?;
        let (arbiter, system) = when_started.recv().map_err(|_| Error::Thread {
            name: name.to_owned(),
            source: std::io::Error::other("its actor system did not start"),
        })?;
        Ok(Self { arbiter, system, thread: Some(thread), through_codec: false })
    }

    /// Sends what actors started from here get through the codec of links, also between neighbours:
    /// for tests that what works in one process works in several.
    #[must_use]
    pub fn through_codec(mut self) -> Self {
        self.through_codec = true;
        self
    }

    pub(crate) fn is_through_codec(&self) -> bool {
        self.through_codec
    }

    /// Runs `call` on the runtime's thread and waits for it; not for handlers.
    pub(crate) fn run(&self, call: impl FnOnce() + Send + 'static) {
        let (done, when_done) = mpsc::sync_channel(1);
        let sent = self.arbiter.spawn_fn(move || {
            call();
            let _ = done.send(());
        });
        if sent {
            let _ = when_done.recv();
        }
    }

    /// Runs a future on the runtime's thread.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.arbiter.spawn(future);
    }

    /// A handle for threads that must wait for a future.
    pub fn waiter(&self) -> Waiter {
        Waiter { arbiter: self.arbiter.clone() }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.system.stop();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Waits for futures on threads that may block: compute, stores, the driver.
#[derive(Clone)]
pub struct Waiter {
    arbiter: actix::ArbiterHandle,
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waiter")
    }
}

impl Waiter {
    /// Blocks this thread until the future, run on the runtime's thread, is done; `None` when the
    /// runtime stopped first. Must not be called on a runtime's own thread.
    pub fn wait<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (done, when_done) = mpsc::sync_channel(1);
        let sent = self.arbiter.spawn(async move { drop(done.send(future.await)) });
        if sent { when_done.recv().ok() } else { None }
    }

    /// Runs a future on the runtime's thread without waiting.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.arbiter.spawn(future);
    }
}

/// Starts a named thread.
pub fn spawn_thread(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    started.map_err(|source| Error::Thread { name: name.to_owned(), source })
}
