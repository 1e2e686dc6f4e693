//! Minimum and maximum of equal parts of a trace: what a picture of given width can show of it.

/// Smallest and largest finite sample of each of at most `columns_max` equal parts of `samples`,
/// `None` where a part has none; with it the number of samples that are not finite.
///
/// No sample is passed over, so the extremes of the whole are those of the result. Fewer samples
/// than columns give one column each.
pub(crate) fn envelope(samples: &[f64], columns_max: usize) -> (Vec<Option<(f64, f64)>>, u64) {
    let columns = samples.len().min(columns_max);
    let mut nonfinite = 0;
    let part = |column| {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for &sample in &samples[bounds(samples.len(), columns, column)] {
            if sample.is_finite() {
                low = if sample < low { sample } else { low };
                high = if sample > high { sample } else { high };
            } else {
                nonfinite += 1;
            }
        }
        (low <= high).then_some((low, high))
    };
    let columns = (0..columns).map(part).collect();
    (columns, nonfinite)
}

/// An envelope in at most `columns_max` columns; exact, as each new column joins whole old ones.
pub(crate) fn coarsen(
    envelope: &[Option<(f64, f64)>],
    columns_max: usize,
) -> Vec<Option<(f64, f64)>> {
    let columns = envelope.len().min(columns_max);
    let join = |column| {
        let part = envelope[bounds(envelope.len(), columns, column)].iter().flatten();
        part.copied().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    };
    (0..columns).map(join).collect()
}

/// The smallest and largest value of an envelope.
pub(crate) fn extremes(envelope: &[Option<(f64, f64)>]) -> Option<(f64, f64)> {
    coarsen(envelope, 1).first().copied().flatten()
}

/// Indices of the items in part `number` of `parts` equal parts of `length` items.
fn bounds(length: usize, parts: usize, number: usize) -> std::ops::Range<usize> {
    let at = |number: usize| (number as u128 * length as u128 / parts as u128) as usize;
    at(number)..at(number + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_lies_in_its_column_and_the_extremes_survive() {
        let samples: Vec<f64> = (0..1_000_003u64)
            .map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f64 - 8e6)
            .collect();
        let (columns, nonfinite) = envelope(&samples, 1600);
        assert_eq!((columns.len(), nonfinite), (1600, 0));
        let low = samples.iter().copied().fold(f64::INFINITY, f64::min);
        let high = samples.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        assert_eq!(extremes(&columns), Some((low, high)));
        let mut at = 0;
        for (number, column) in columns.iter().enumerate() {
            let (low, high) = column.unwrap();
            let end = (number + 1) * samples.len() / 1600;
            assert!(samples[at..end].iter().all(|s| (low..=high).contains(s)));
            at = end;
        }
        assert_eq!(at, samples.len());
        assert_eq!(extremes(&coarsen(&columns, 77)), Some((low, high)));
    }

    #[test]
    fn a_single_spike_survives() {
        let mut samples = vec![0.0; 8_640_000];
        samples[4_321_987] = -3.25;
        let (columns, _) = envelope(&samples, 1600);
        assert_eq!(extremes(&columns), Some((-3.25, 0.0)));
    }

    #[test]
    fn what_is_not_finite_is_counted_and_left_out() {
        let samples = [f64::NAN, 1.0, f64::INFINITY, f64::NEG_INFINITY, 3.0, f64::NAN];
        assert_eq!(envelope(&samples, 3), (vec![Some((1.0, 1.0)), None, Some((3.0, 3.0))], 4));
        assert_eq!(envelope(&samples, 9).0.len(), 6);
        assert_eq!(envelope(&[], 9), (vec![], 0));
        assert_eq!(extremes(&[None, None]), None);
    }
}
