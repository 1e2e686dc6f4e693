//! Following a job of this process to its end.

use std::time::Duration;

use mspass_actors::Result;
use mspass_actors::foreman::JobStatus;
use mspass_actors::job::{Driver, Expected};
use mspass_actors::worker::memory::resident_bytes;

use super::bars::Bars;
use super::signals::Interrupt;

/// How often the job is asked where it stands.
const POLL: Duration = Duration::from_millis(20);

/// Follows a job until it is finished, failed or, after an interrupt or when time is up, drained.
pub(super) fn follow(
    driver: &Driver,
    bars: &Bars,
    expected: Expected,
    interrupt: &Interrupt,
) -> Result<JobStatus> {
    let mut draining = false;
    loop {
        if interrupt.exit_code().is_some() && !draining {
            draining = true;
            driver.drain()?;
        }
        let status = driver.status()?;
        let memory = resident_bytes(std::process::id()).unwrap_or(0);
        bars.processing(&status, expected, memory);
        if status.finished || status.failure.is_some() || status.drained {
            return Ok(status);
        }
        interrupt.pause(POLL);
    }
}
