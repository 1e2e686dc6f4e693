//! Counts of what happened, kept per task and summed per job: in = live + dead + aborted.

use serde::{Deserialize, Serialize};

use super::report::{REASONS_MAX, ReasonCount};

/// Text that stands for the reasons beyond [`REASONS_MAX`].
const OTHER_REASONS: &str = "other reasons";

/// What one step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StepTally {
    /// Live data that came to the step.
    pub entered: u64,
    /// Those that it killed.
    pub died: u64,
    /// Compute time, nanoseconds.
    pub nanos: u64,
    /// Those that it left out on purpose.
    pub left_out: u64,
}

/// Counts of one task, or of a whole job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Data that came in.
    #[serde(rename = "in")]
    pub entered: u64,
    /// Data that lived to the end.
    pub live: u64,
    /// Data that a step killed.
    pub dead: u64,
    /// Data that never came to life.
    pub aborted: u64,
    /// Data saved.
    pub saved: u64,
    /// Samples read.
    pub samples_in: u64,
    /// Samples saved.
    pub samples_saved: u64,
    /// Bytes read from files.
    pub bytes_read: u64,
    /// Bytes of samples saved.
    pub bytes_saved: u64,
    /// Per step of the workflow, in order.
    pub steps: Vec<StepTally>,
    /// Per reason.
    pub reasons: Vec<ReasonCount>,
}

impl Tally {
    /// Whether every datum is accounted for.
    pub fn balances(&self) -> bool {
        self.entered == self.live + self.dead + self.aborted
    }

    /// Adds the counts of `other`.
    pub fn add(&mut self, other: &Self) {
        self.entered += other.entered;
        self.live += other.live;
        self.dead += other.dead;
        self.aborted += other.aborted;
        self.saved += other.saved;
        self.samples_in += other.samples_in;
        self.samples_saved += other.samples_saved;
        self.bytes_read += other.bytes_read;
        self.bytes_saved += other.bytes_saved;
        if self.steps.len() < other.steps.len() {
            self.steps.resize(other.steps.len(), StepTally::default());
        }
        for (mine, theirs) in self.steps.iter_mut().zip(&other.steps) {
            mine.entered += theirs.entered;
            mine.died += theirs.died;
            mine.nanos += theirs.nanos;
            mine.left_out += theirs.left_out;
        }
        for reason in &other.reasons {
            self.add_reason(reason.clone());
        }
    }

    /// Counts a reason; beyond [`REASONS_MAX`] different ones together with others of its kind.
    pub fn add_reason(&mut self, mut reason: ReasonCount) {
        if self.count_known(&reason) {
            return;
        }
        // The last places are for the reasons that no longer have one of their own.
        if self.reasons.len() + 3 >= REASONS_MAX {
            OTHER_REASONS.clone_into(&mut reason.reason);
            reason.step.clear();
            if self.count_known(&reason) {
                return;
            }
        }
        self.reasons.push(reason);
    }

    fn count_known(&mut self, reason: &ReasonCount) -> bool {
        let known = self.reasons.iter_mut().find(|known| {
            known.kind == reason.kind && known.step == reason.step && known.reason == reason.reason
        });
        known.map(|known| known.count += reason.count).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::ReasonKind;
    use super::*;

    fn reason(number: u64) -> ReasonCount {
        let reason = format!("reason {number}");
        let (step, example) = ("test".to_owned(), "x".to_owned());
        ReasonCount { kind: ReasonKind::Dead, step, reason, count: 1, example }
    }

    #[test]
    fn reasons_are_bounded_and_none_is_lost() {
        let mut tally = Tally::default();
        (0..1000).for_each(|number| tally.add_reason(reason(number)));
        tally.add_reason(reason(0));
        assert!(tally.reasons.len() <= REASONS_MAX);
        assert_eq!(tally.reasons.iter().map(|reason| reason.count).sum::<u64>(), 1001);
        assert_eq!(tally.reasons[0].count, 2);
    }

    #[test]
    fn tallies_add() {
        let one = Tally { entered: 3, live: 1, dead: 1, aborted: 1, ..Tally::default() };
        let mut sum = one.clone();
        sum.add(&one);
        assert_eq!((sum.entered, sum.balances()), (6, true));
    }
}
