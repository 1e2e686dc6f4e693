//! When a child that ended is started again: a state machine without a clock.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How often and how soon a child is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartLimits {
    /// Restarts within [`RestartLimits::window`] at most; one more end and it is given up.
    pub restarts_max: u32,
    /// The time over which restarts are counted; a child that lived longer begins anew.
    pub window: Duration,
    /// Pause before the first restart; doubled with each within the window.
    pub pause_min: Duration,
    /// Longest pause.
    pub pause_max: Duration,
}

impl Default for RestartLimits {
    /// 15 restarts a minute, 50 ms to 5 s apart: a child that fails at once is given up after three
    /// quarters of a minute.
    fn default() -> Self {
        Self {
            restarts_max: 15,
            window: Duration::from_secs(60),
            pause_min: Duration::from_millis(50),
            pause_max: Duration::from_secs(5),
        }
    }
}

impl RestartLimits {
    /// No restart at all.
    pub fn never() -> Self {
        Self { restarts_max: 0, ..Self::default() }
    }
}

/// The ends of one child within the window.
#[derive(Clone, Debug)]
pub struct Restarts {
    limits: RestartLimits,
    ends: VecDeque<Instant>,
}

impl Restarts {
    /// No end so far.
    pub fn new(limits: RestartLimits) -> Self {
        Self { limits, ends: VecDeque::new() }
    }

    /// The child ended: the pause until it is started again, or `None` when it ended too often.
    pub fn ended(&mut self, now: Instant) -> Option<Duration> {
        let window = self.limits.window;
        self.ends.retain(|end| now.saturating_duration_since(*end) < window);
        let before = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        if before >= self.limits.restarts_max {
            return None;
        }
        self.ends.push_back(now);
        let pause = self.limits.pause_min.saturating_mul(1 << before.min(20));
        Some(pause.min(self.limits.pause_max))
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test needs some instant to begin at")]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_then_it_is_given_up() {
        let limits = RestartLimits::default();
        let (mut restarts, mut now) = (Restarts::new(limits), Instant::now());
        let mut pauses = Vec::new();
        while let Some(pause) = restarts.ended(now) {
            now += pause;
            pauses.push(pause.as_millis());
        }
        assert_eq!(pauses[..9], [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(pauses.len(), 15);
    }

    #[test]
    fn a_child_that_lives_long_is_never_given_up() {
        let (mut restarts, mut now) = (Restarts::new(RestartLimits::default()), Instant::now());
        for _ in 0..1000 {
            assert_eq!(restarts.ended(now), Some(Duration::from_millis(50)));
            now += Duration::from_secs(61);
        }
        assert_eq!(restarts.ends.len(), 1);
    }

    #[test]
    fn never_means_never() {
        assert_eq!(Restarts::new(RestartLimits::never()).ended(Instant::now()), None);
    }
}
