//! Whether the other end lives, from when it was last heard. Pure: time is passed in.

use std::time::Duration;

/// A peer that was not heard for so long is asked whether it is there.
pub const PING_AFTER: Duration = Duration::from_secs(1);
/// A peer silent for so long is down.
pub const SILENCE_MAX: Duration = Duration::from_secs(15);
/// How long a peer whose connection broke may take to connect again.
pub const RESUME_MAX: Duration = Duration::from_millis(800);
/// Suspicion begins at this phi.
const PHI_SUSPECT: f64 = 8.0;
/// Pauses that are no reason for suspicion.
const PAUSE: Duration = Duration::from_secs(3);
/// The least standard deviation of gaps, in seconds.
const SIGMA_MIN: f64 = 0.2;
/// Weight of the newest gap in the running mean.
const WEIGHT: f64 = 0.1;

/// What is thought of the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It is there.
    Up,
    /// It is silent, or its connection broke.
    Suspect,
    /// It is gone for good: this incarnation never comes back.
    Down,
}

/// What a tick asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tick {
    Nothing,
    Ping,
    Suspect,
    Recovered,
    Down,
}

/// The detector of one link.
#[derive(Debug)]
pub(crate) struct Health {
    state: State,
    heard: Duration,
    broken: Option<Duration>,
    pinged: Duration,
    mean: f64,
    variance: f64,
}

impl Health {
    /// The other end was heard `now`.
    pub(crate) fn new(now: Duration) -> Self {
        let mean = PING_AFTER.as_secs_f64();
        Self { state: State::Up, heard: now, broken: None, pinged: now, mean, variance: 0.0 }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// The other end was last heard at `when`.
    pub(crate) fn hear(&mut self, when: Duration) {
        if self.state == State::Down || when <= self.heard || self.broken.is_some() {
            return;
        }
        // Gaps shorter than a ping say only that there was work.
        let gap = (when - self.heard).as_secs_f64().max(PING_AFTER.as_secs_f64());
        let off = gap - self.mean;
        self.mean += WEIGHT * off;
        self.variance = (1.0 - WEIGHT) * (self.variance + WEIGHT * off * off);
        self.heard = when;
    }

    /// The connection broke.
    pub(crate) fn break_off(&mut self, now: Duration) {
        if self.state != State::Down {
            self.state = State::Suspect;
            self.broken.get_or_insert(now);
        }
    }

    /// Another connection to the same incarnation stands.
    pub(crate) fn resume(&mut self, now: Duration) {
        if self.state != State::Down {
            self.broken = None;
            self.heard = now;
            self.state = State::Up;
        }
    }

    /// It will not come back: another incarnation did, or it said goodbye.
    pub(crate) fn end(&mut self) {
        self.state = State::Down;
    }

    /// What is to be done now; call it a few times a second.
    pub(crate) fn tick(&mut self, now: Duration) -> Tick {
        if self.state == State::Down {
            return Tick::Nothing;
        }
        let silent = now.saturating_sub(self.heard);
        let broken = self.broken.map(|at| now.saturating_sub(at));
        if silent >= SILENCE_MAX || broken.is_some_and(|since| since >= RESUME_MAX) {
            self.state = State::Down;
            return Tick::Down;
        }
        let suspicious = broken.is_some() || self.phi(silent) >= PHI_SUSPECT;
        match (self.state, suspicious) {
            (State::Up, true) => {
                self.state = State::Suspect;
                return Tick::Suspect;
            }
            (State::Suspect, false) => {
                self.state = State::Up;
                return Tick::Recovered;
            }
            _ => {}
        }
        if silent >= PING_AFTER && now.saturating_sub(self.pinged) >= PING_AFTER {
            self.pinged = now;
            return Tick::Ping;
        }
        Tick::Nothing
    }

    /// How unlikely such a silence is: minus the decimal logarithm of its probability.
    fn phi(&self, silent: Duration) -> f64 {
        let sigma = self.variance.sqrt().max(SIGMA_MIN);
        let y = (silent.as_secs_f64() - self.mean - PAUSE.as_secs_f64()) / sigma;
        // A logistic approximation of the normal distribution's tail.
        let exponent = y * (1.5976 + 0.070_566 * y * y);
        if exponent > 0.0 {
            (exponent + (-exponent).exp().ln_1p()) / std::f64::consts::LN_10
        } else {
            exponent.exp().ln_1p() / std::f64::consts::LN_10
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// The first time of each tick that says more than `Ping`, until `until`.
    fn ticks(health: &mut Health, from: u64, until: u64) -> Vec<(u64, Tick)> {
        let all = (from..until).step_by(250).map(|at| (at, health.tick(ms(at))));
        all.filter(|(_, tick)| !matches!(tick, Tick::Nothing | Tick::Ping)).collect()
    }

    #[test]
    fn silence_is_suspect_first_and_down_at_fifteen_seconds() {
        let mut health = Health::new(ms(0));
        let seen = ticks(&mut health, 0, 60_000);
        assert_eq!(seen.len(), 2, "{seen:?}");
        assert!(seen[0].1 == Tick::Suspect && (4_000..8_000).contains(&seen[0].0), "{seen:?}");
        assert_eq!(seen[1], (15_000, Tick::Down));
        health.hear(ms(60_001));
        health.resume(ms(60_001));
        assert_eq!(health.state(), State::Down);
    }

    #[test]
    fn one_who_answers_is_up_and_a_pause_is_forgiven() {
        let mut health = Health::new(ms(0));
        for second in 0..30 {
            health.hear(ms(second * 1_000 + 20));
            assert_eq!(ticks(&mut health, second * 1_000 + 250, second * 1_000 + 1_000), []);
        }
        assert_eq!(ticks(&mut health, 30_000, 32_500), []);
        let late = ticks(&mut health, 32_500, 40_000);
        assert_eq!(late.len(), 1);
        health.hear(ms(40_000));
        assert_eq!(health.tick(ms(40_250)), Tick::Recovered);
    }

    #[test]
    fn a_broken_connection_is_down_within_a_second_unless_it_resumes() {
        let mut health = Health::new(ms(0));
        health.break_off(ms(1_000));
        health.resume(ms(1_700));
        assert_eq!(ticks(&mut health, 1_750, 3_000), []);
        health.break_off(ms(3_000));
        assert_eq!(ticks(&mut health, 3_000, 5_000), [(4_000, Tick::Down)]);
    }
}
