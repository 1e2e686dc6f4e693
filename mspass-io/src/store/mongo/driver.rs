//! The thread that runs the asynchronous driver, and how blocking callers hand it work.

use std::fmt;
use std::future::Future;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::failure::Failure;

/// The longest that one command may take; the call fails then and the command is abandoned.
pub(super) const COMMAND_TIME_MAX: Duration = Duration::from_secs(600);

/// One thread with an asynchronous runtime on it. Callers wait on plain channels, so they may be
/// on any thread, one of another runtime included.
pub(super) struct Driver {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Driver {
    /// Starts the thread.
    pub(super) fn start() -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("mongodb".into()).spawn(move || {
            // Ends when `stop` is sent or dropped; what still runs is cancelled with the runtime.
            let _ = runtime.block_on(stopped);
        })?;
        Ok(Self { handle, stop: Some(stop), thread: Some(thread) })
    }

    /// Starts `future` on the thread.
    pub(super) fn begin<T, F>(&self, future: F) -> Pending<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let (sender, receiver) = channel();
        let task = self.handle.spawn(async move {
            // A caller that no longer waits has timed out; there is nobody to tell.
            let _ = sender.send(future.await);
        });
        Pending { receiver, task: task.abort_handle() }
    }

    /// Runs `future` on the thread and waits for its end.
    pub(super) fn run<T, F>(&self, future: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        self.begin(future).wait()
    }

    /// Starts a task that answers through channels of its own.
    pub(super) fn detach<F>(&self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.handle.spawn(future);
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            // It fails only if the runtime panicked, which has been reported then.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}

/// Work under way on the driver's thread.
#[must_use]
pub(super) struct Pending<T> {
    receiver: Receiver<Result<T, Failure>>,
    task: AbortHandle,
}

impl<T> Pending<T> {
    /// Waits for the end of the work, [`COMMAND_TIME_MAX`] at most.
    pub(super) fn wait(self) -> Result<T, Failure> {
        match self.receiver.recv_timeout(COMMAND_TIME_MAX) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => {
                self.task.abort();
                Err(Failure::TimedOut)
            }
            Err(RecvTimeoutError::Disconnected) => Err(Failure::Stopped),
        }
    }
}
