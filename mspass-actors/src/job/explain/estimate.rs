//! From a sample to the whole.

use serde::{Deserialize, Serialize};

use crate::job::plan::SAMPLE_BYTES_PER_FILE_BYTE;
use crate::workflow::partition::{Part, Partition};

/// Partitions of a source kept to choose a sample from; beyond these every second one, and so on.
const KEPT_MAX: usize = 4096;
/// Partitions of a sample.
const SAMPLE_PARTITIONS_MAX: usize = 16;
/// Numbers of a numbered source that are looked at in one partition.
const SAMPLE_NUMBERS_MAX: u64 = 256;
/// Standard deviations to either side of an estimate: 95 in 100 lie within.
const DEVIATIONS: f64 = 2.0;
/// An estimate from one partition alone may be off by this factor.
const OF_ONE: f64 = 2.0;

/// What a number will probably be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// It will hardly be less.
    pub low: f64,
    /// The best guess.
    pub best: f64,
    /// It will hardly be more.
    pub high: f64,
}

impl Range {
    /// A number that is known.
    pub fn exact(number: f64) -> Self {
        Self { low: number, best: number, high: number }
    }

    /// Whether the number is known.
    pub fn is_exact(&self) -> bool {
        self.low == self.high
    }

    /// Whether a number lies within.
    pub fn holds(&self, number: f64) -> bool {
        (self.low..=self.high).contains(&number)
    }

    /// Of something of which a sample, `factor` times smaller than the whole, may hold none: then
    /// there may be as many as the rule of three says.
    pub(super) fn or_some(self, factor: f64) -> Self {
        let high = if self.high == 0.0 && factor > 1.0 { 3.0 * factor } else { self.high };
        Self { high, ..self }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        let Self { low, best, high } = other;
        Self { low: self.low + low, best: self.best + best, high: self.high + high }
    }

    pub(super) fn times(self, factor: f64) -> Self {
        Self { low: self.low * factor, best: self.best * factor, high: self.high * factor }
    }

    /// The whole of what was measured in parts of `total` weight altogether: the ratio estimator of
    /// survey sampling (Cochran 1977, Sampling Techniques, 6.2 to 6.4).
    pub(super) fn of_whole(parts: &[(f64, f64)], total: f64, part_count: u64) -> Self {
        let weight: f64 = parts.iter().map(|(weight, _)| weight).sum();
        let sum: f64 = parts.iter().map(|(_, measured)| measured).sum();
        if weight >= total {
            return Self::exact(sum);
        }
        let count = parts.len() as f64;
        let ratio = sum / weight;
        let best = ratio * total;
        // What was found is there.
        if parts.len() < 2 {
            return Self { low: (best / OF_ONE).max(sum), best, high: best * OF_ONE };
        }
        let off = |(weight, measured): &(f64, f64)| (measured - ratio * weight).powi(2);
        let variance = parts.iter().map(off).sum::<f64>() / (count - 1.0);
        let left = 1.0 - count / (part_count as f64).max(count);
        let deviation = (left * variance / count).sqrt() * total / (weight / count);
        let spread = DEVIATIONS * deviation;
        Self { low: (best - spread).max(sum), best, high: best + spread }
    }
}

/// The partitions of a source, of which some are kept that lie evenly in it.
#[derive(Default)]
pub(super) struct Spread {
    kept: Vec<Partition>,
    every: u64,
    pub(super) count: u64,
    pub(super) weight: f64,
    pub(super) bytes: u64,
    pub(super) bytes_max: u64,
}

impl Spread {
    pub(super) fn add(&mut self, partition: Partition) {
        let bytes = read_bytes(&partition);
        self.bytes += bytes;
        self.bytes_max = self.bytes_max.max(bytes);
        self.weight += weight(&partition);
        if self.kept.len() == KEPT_MAX {
            let mut number = 0;
            self.kept.retain(|_| {
                number += 1;
                number % 2 == 1
            });
            self.every *= 2;
        }
        self.every = self.every.max(1);
        if self.count.is_multiple_of(self.every) {
            self.kept.push(partition);
        }
        self.count += 1;
    }

    /// Bytes of the partition in the middle when they are sorted by size.
    pub(super) fn bytes_median(&self) -> u64 {
        let mut sizes: Vec<u64> = self.kept.iter().map(read_bytes).collect();
        sizes.sort_unstable();
        sizes.get(sizes.len() / 2).copied().unwrap_or(0)
    }

    /// Partitions to be looked at, those first that lie farthest apart.
    pub(super) fn sample(&self) -> Vec<Partition> {
        let (kept, count) = (self.kept.len(), self.kept.len().min(SAMPLE_PARTITIONS_MAX));
        let mut order: Vec<usize> = (0..count).collect();
        // The bits the other way round: first the halves, then the quarters.
        order.sort_by_key(|number| (*number as u32).reverse_bits());
        let places = order.into_iter().map(|number| (2 * number + 1) * kept / (2 * count));
        places.filter_map(|place| self.kept.get(place).cloned().map(shortened)).collect()
    }
}

/// As much of a partition as is looked at.
fn shortened(mut partition: Partition) -> Partition {
    if let Part::Numbers { from, to } = &mut partition.part {
        *to = (*to).min(*from + SAMPLE_NUMBERS_MAX);
    }
    partition
}

/// What a partition counts among others: what costs grow with.
pub(super) fn weight(partition: &Partition) -> f64 {
    match &partition.part {
        Part::Numbers { from, to } => to.saturating_sub(*from) as f64,
        _ => partition.bytes.max(1) as f64,
    }
}

/// Bytes to be read for a partition.
pub(super) fn read_bytes(partition: &Partition) -> u64 {
    match &partition.part {
        Part::Documents { .. } => partition.bytes * SAMPLE_BYTES_PER_FILE_BYTE,
        _ => partition.bytes,
    }
}

#[cfg(test)]
mod tests {
    use bson::oid::ObjectId;

    use super::*;

    fn spread(count: u64) -> Spread {
        let mut spread = Spread::default();
        for number in 0..count {
            let partition = Partition::whole(ObjectId::new(), number, 100 + number % 7);
            spread.add(partition);
        }
        spread
    }

    #[test]
    fn a_sample_is_everything_where_there_is_little_and_spread_where_there_is_much() {
        let few = spread(5);
        let mut versions: Vec<u64> = few.sample().iter().map(|part| part.version).collect();
        versions.sort_unstable();
        assert_eq!(versions, [0, 1, 2, 3, 4]);
        let many = spread(100_000);
        assert!(many.kept.len() <= KEPT_MAX && many.count == 100_000);
        let sample: Vec<u64> = many.sample().iter().map(|part| part.version).collect();
        assert_eq!(sample.len(), SAMPLE_PARTITIONS_MAX);
        assert!(sample[0] < 10_000 && (45_000..60_000).contains(&sample[1]), "{sample:?}");
        assert!((100..107).contains(&many.bytes_median()) && many.bytes_max == 106);
        assert!(spread(0).sample().is_empty());
    }

    #[test]
    fn the_whole_lies_in_the_range_that_a_sample_gives() {
        let exact = Range::of_whole(&[(10.0, 3.0), (20.0, 5.0)], 30.0, 2);
        assert_eq!(exact, Range::exact(8.0));
        let one = Range::of_whole(&[(10.0, 4.0)], 100.0, 10);
        assert_eq!((one.low, one.best, one.high), (20.0, 40.0, 80.0));
        let alike: Vec<(f64, f64)> = (1..=8).map(|n| (f64::from(n), 2.0 * f64::from(n))).collect();
        let whole = Range::of_whole(&alike, 360.0, 80);
        assert!((whole.low - 720.0).abs() < 1e-9 && (whole.high - 720.0).abs() < 1e-9);
        let mixed = [(1.0, 2.0), (1.0, 0.0), (1.0, 1.0), (1.0, 1.0)];
        let whole = Range::of_whole(&mixed, 40.0, 40);
        assert!(whole.low < 40.0 && whole.high > 40.0 && whole.holds(35.0), "{whole:?}");
    }
}
