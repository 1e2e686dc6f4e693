//! What becomes of a document whose samples have gaps.

use mspass_core::Severity;
use mspass_core::series::TimeAxis;

use crate::db::waveform::Waveform;

/// Samples of a datum whose gaps are filled, per component, at most: 64 Mi, 7 days at 100 Hz.
pub const MERGED_SAMPLES_MAX: usize = 64 << 20;

/// Two rates within this (relative) are one.
const RATE_TOLERANCE: f64 = 1e-4;

/// What becomes of miniSEED with gaps in it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum GapPolicy {
    /// Each gap-free stretch is a datum of its own. Where one datum is asked for, several kill it.
    #[default]
    Segment,
    /// This value stands in the gaps, which the datum's `gaps` tell.
    Fill(f64),
    /// Samples on a straight line over each gap, which the datum's `gaps` tell.
    Interpolate,
    /// A datum with gaps is dead.
    Kill,
}

impl GapPolicy {
    /// The data that stretches become.
    pub(super) fn apply<T: Waveform>(self, mut pieces: Vec<T>) -> Vec<T> {
        if pieces.len() < 2 || self == Self::Segment {
            return pieces;
        }
        let count = pieces.len();
        pieces.sort_by_key(|piece| piece.axis().starttime());
        let merged = match self {
            Self::Kill => Err(format!("it has {count} gap-free stretches, not one")),
            _ => merge(&pieces, self),
        };
        let mut first = pieces.swap_remove(0);
        match merged {
            Ok(Merged { samples, holes, overlaps }) => {
                let axis = *first.axis();
                first.replace(axis, samples);
                let hole = format!("{} gaps between {count} stretches are filled", holes.len());
                first.log_mut().push("read", Severity::Complaint, hole);
                for (from, to) in holes {
                    let nanos = |index: usize| nanos_of(&axis, index);
                    let added = first.gaps_mut().add(nanos(from), nanos(to - 1));
                    debug_assert!(added.is_ok(), "a hole begins before it ends");
                }
                if overlaps > 0 {
                    let message = format!("{overlaps} samples overlap: the earlier stretch holds");
                    first.log_mut().push("read", Severity::Complaint, message);
                }
            }
            Err(reason) => first.kill("read", reason),
        }
        vec![first]
    }
}

struct Merged {
    samples: Vec<f64>,
    /// Sample numbers from, and before, which there was nothing.
    holes: Vec<(usize, usize)>,
    overlaps: usize,
}

/// Stretches of one component in order of their start on the grid of the first.
fn merge<T: Waveform>(pieces: &[T], policy: GapPolicy) -> Result<Merged, String> {
    let grid = *pieces[0].axis();
    let mut merged = Merged { samples: Vec::new(), holes: Vec::new(), overlaps: 0 };
    for piece in pieces {
        let (rate, due) = (piece.axis().sampling_rate(), grid.sampling_rate());
        if !rate.agrees_with(due, RATE_TOLERANCE) {
            return Err(format!("stretches of {due} and of {rate} cannot be joined"));
        }
        let first = grid.sample_number(piece.axis().start());
        let first = usize::try_from(first).unwrap_or(0);
        if first.saturating_add(piece.samples().len()) > MERGED_SAMPLES_MAX {
            return Err(format!("its stretches span more than {MERGED_SAMPLES_MAX} samples"));
        }
        let held = merged.samples.len();
        if first > held {
            fill(&mut merged.samples, first, piece.samples().first().copied(), policy);
            merged.holes.push((held, first));
        }
        let overlap = held.saturating_sub(first).min(piece.samples().len());
        merged.overlaps += overlap;
        merged.samples.extend_from_slice(&piece.samples()[overlap..]);
    }
    Ok(merged)
}

fn fill(samples: &mut Vec<f64>, until: usize, next: Option<f64>, policy: GapPolicy) {
    let (before, count) = (samples.last().copied().unwrap_or(0.0), until - samples.len());
    let value = |index: usize| match policy {
        GapPolicy::Fill(value) => value,
        _ => {
            let step = (next.unwrap_or(before) - before) / (count + 1) as f64;
            before + step * (index + 1) as f64
        }
    };
    samples.extend((0..count).map(value));
}

fn nanos_of(axis: &TimeAxis, index: usize) -> i64 {
    let index = i64::try_from(index).unwrap_or(i64::MAX);
    axis.instant(index).zip(axis.instant(0)).map_or(0, |(at, start)| at - start)
}
