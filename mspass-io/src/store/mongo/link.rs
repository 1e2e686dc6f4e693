//! The connections of a store, and how its commands are sent and sent again.

use std::future::Future;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use mongodb::Database;

use super::driver::{Driver, Pending};
use super::failure::Failure;

/// How often a command that may be repeated is sent at most when the connection is lost or the
/// server is no longer, or not yet, the primary.
const ATTEMPTS_MAX: u32 = 5;

/// Pause before the second attempt; it doubles from one attempt to the next.
const PAUSE: Duration = Duration::from_millis(100);

/// The connections of a store. The fields are dropped in order: the client, then its thread.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) database: Database,
    pub(super) driver: Driver,
    /// Hosts, without user and password.
    pub(super) address: String,
    /// Set when the indexes of `fs.*` are known to be there.
    pub(super) indexed: AtomicBool,
}

impl Link {
    /// Starts `work` on the driver's thread.
    pub(super) fn begin<T, F, R>(&self, work: F) -> Pending<T>
    where
        T: Send + 'static,
        F: FnOnce(Database) -> R,
        R: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        self.driver.begin(work(self.database.clone()))
    }

    /// Does `work` once and waits for its end.
    pub(super) fn once<T, F, R>(&self, work: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(Database) -> R,
        R: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        self.begin(work).wait()
    }

    /// Does `work`, which must be idempotent, until it ends other than by a transient failure,
    /// [`ATTEMPTS_MAX`] times at most.
    pub(super) fn idempotent<T, F, R>(&self, work: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Fn(Database) -> R,
        R: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        self.repeat(|| self.once(&work))
    }

    /// As [`idempotent`](Self::idempotent), for work that waits by itself.
    pub(super) fn repeat<T>(&self, work: impl Fn() -> Result<T, Failure>) -> Result<T, Failure> {
        for attempt in 1..ATTEMPTS_MAX {
            match work() {
                Err(failure) if failure.is_transient() => {
                    tracing::debug!(
                        "MongoDB at {}, attempt {attempt}: {}",
                        self.address,
                        failure.text()
                    );
                    let pause = PAUSE * 2_u32.pow(attempt - 1);
                    self.driver.run(async move {
                        tokio::time::sleep(pause).await;
                        Ok(())
                    })?;
                }
                other => return other,
            }
        }
        work()
    }
}
