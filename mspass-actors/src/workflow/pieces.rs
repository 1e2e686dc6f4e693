//! Cutting a run of samples at UTC boundaries.

use mspass_core::UtcTime;
use mspass_core::time::NANOS_PER_SECOND;

/// Fraction of a sample by which a sample may come before a boundary and yet belong after it:
/// sample times are rounded to nanoseconds.
const BOUNDARY_SLACK: f64 = 1e-6;

/// The grid that pieces of one run are cut on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PieceGrid {
    /// Instant of sample 0 of the run.
    pub starttime: UtcTime,
    /// Samples per second.
    pub sampling_rate: f64,
    /// Length of a piece, seconds.
    pub piece_seconds: u32,
}

impl PieceGrid {
    /// The first sample after the piece that holds sample `index`.
    pub fn piece_end(&self, index: u64) -> u64 {
        let step = NANOS_PER_SECOND as f64 / self.sampling_rate;
        let length = i64::from(self.piece_seconds) * NANOS_PER_SECOND;
        // A sample within the slack before a boundary belongs to the piece that begins there.
        let slack = (step * BOUNDARY_SLACK).ceil() as i64;
        let boundary = (self.instant(index) + slack).floor_to(length) + length;
        let samples = (boundary - self.starttime) as f64 / step;
        let end = (samples - BOUNDARY_SLACK).ceil().max(0.0) as u64;
        end.max(index + 1)
    }

    /// Instant of a sample.
    pub fn instant(&self, index: u64) -> UtcTime {
        self.starttime.plus_seconds(index as f64 / self.sampling_rate)
    }

    /// The sample nearest to an instant; 0 before the run.
    pub fn index(&self, time: UtcTime) -> u64 {
        (time.seconds_since(self.starttime) * self.sampling_rate).round().max(0.0) as u64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bounds(grid: &PieceGrid, npts: u64) -> Vec<(u64, u64)> {
        let mut bounds = Vec::new();
        let mut first = 0;
        while first < npts {
            let end = grid.piece_end(first).min(npts);
            bounds.push((first, end));
            first = end;
        }
        bounds
    }

    #[test]
    fn an_hour_that_starts_late_gives_two_pieces() {
        let starttime = "2024-01-17T00:00:00.57".parse().unwrap();
        let grid = PieceGrid { starttime, sampling_rate: 100.0, piece_seconds: 3600 };
        assert_eq!(bounds(&grid, 360_000), [(0, 359_943), (359_943, 360_000)]);
        let starttime = "2024-01-17T00:00:00".parse().unwrap();
        let grid = PieceGrid { starttime, ..grid };
        assert_eq!(bounds(&grid, 360_000), [(0, 360_000)]);
        assert_eq!(bounds(&grid, 8_640_000).len(), 24);
    }

    proptest! {
        #[test]
        fn every_sample_is_in_the_piece_of_its_time(
            start in 0_i64..4_000_000_000_000_000_000,
            rate in prop_oneof![Just(100.0), Just(40.0), Just(1.0 / 3.0), 0.01..500.0_f64],
            piece_seconds in prop_oneof![Just(3600_u32), Just(60), 1..86_400_u32],
        ) {
            let starttime = UtcTime::from_nanos(start);
            let grid = PieceGrid { starttime, sampling_rate: rate, piece_seconds };
            let length = i64::from(piece_seconds) * NANOS_PER_SECOND;
            let mut first = 0;
            for _ in 0..5 {
                let end = grid.piece_end(first);
                prop_assert!(end > first);
                let (a, b) = (grid.instant(first), grid.instant(end - 1));
                let slack = (1e9 / rate * 1e-5).ceil() as i64 + 10;
                prop_assert!(b - (a + slack).floor_to(length) < length + slack, "{a} {b}");
                first = end;
            }
        }
    }
}
