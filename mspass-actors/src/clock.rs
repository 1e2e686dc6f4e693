//! The one place of this crate that reads a clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mspass_core::UtcTime;

/// Monotonic now.
#[allow(clippy::disallowed_methods)]
pub fn now() -> Instant {
    Instant::now()
}

/// Wall-clock now.
#[allow(clippy::disallowed_methods)]
pub fn utc_now() -> UtcTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    UtcTime::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
