//! What one compute thread keeps from datum to datum.

use crate::error::Result;
use crate::kernel::decimate::FirDecimator;
use crate::kernel::{self, Sos, filter};

/// Filter designs of a kind kept at most; the oldest goes first.
pub const DESIGNS_MAX: usize = 64;

/// Spare sample buffers kept at most.
pub const SPARE_BUFFERS_MAX: usize = 8;

/// Bytes that the spare sample buffers hold together at most.
pub const SPARE_BYTES_MAX: usize = 64 << 20;

/// A spare buffer serves a request when it is at most this many times as large.
const SPARE_EXCESS: usize = 4;

/// Plans, filter designs and spare buffers that one compute thread keeps from datum to datum, so
/// that a steady stream of alike data allocates nothing. Everything it keeps is bounded.
///
/// ```
/// use mspass_core::process::Scratch;
/// let mut scratch = Scratch::default();
/// let buffer = scratch.take_buffer(1000);
/// let place = buffer.as_ptr();
/// scratch.give_back(buffer);
/// assert_eq!(scratch.take_buffer(900).as_ptr(), place); // the same memory again
/// ```
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) kernel: kernel::Scratch,
    filters: Cache<FilterDesign, Sos>,
    decimators: Cache<usize, FirDecimator>,
    spare: Vec<Vec<f64>>,
}

impl Scratch {
    /// A buffer of `npts` samples that hold anything: the caller writes them all.
    pub fn take_buffer(&mut self, npts: usize) -> Vec<f64> {
        let mut buffer = self.take_spare(npts);
        buffer.resize(npts, 0.0);
        buffer
    }

    /// An empty buffer with room for `npts` samples.
    pub fn take_room(&mut self, npts: usize) -> Vec<f64> {
        let mut buffer = self.take_spare(npts);
        buffer.clear();
        buffer
    }

    fn take_spare(&mut self, npts: usize) -> Vec<f64> {
        let fits = |buffer: &Vec<f64>| {
            (npts..=npts.saturating_mul(SPARE_EXCESS)).contains(&buffer.capacity())
        };
        let fitting = self.spare.iter().enumerate().filter(|(_, buffer)| fits(buffer));
        match fitting.min_by_key(|(_, buffer)| buffer.capacity()) {
            Some((index, _)) => self.spare.swap_remove(index),
            None => Vec::with_capacity(npts),
        }
    }

    /// Takes a buffer that nobody needs any more; one too many frees the one kept longest.
    pub fn give_back(&mut self, buffer: Vec<f64>) {
        let bytes = |buffer: &Vec<f64>| buffer.capacity() * size_of::<f64>();
        if buffer.capacity() == 0 || bytes(&buffer) > SPARE_BYTES_MAX {
            return;
        }
        let held = |spare: &[Vec<f64>]| spare.iter().map(bytes).sum::<usize>();
        while self.spare.len() >= SPARE_BUFFERS_MAX
            || held(&self.spare) + bytes(&buffer) > SPARE_BYTES_MAX
        {
            self.spare.remove(0);
        }
        self.spare.push(buffer);
    }

    /// Bytes that the spare buffers hold, for memory budgets.
    pub fn spare_bytes(&self) -> usize {
        self.spare.iter().map(|buffer| buffer.capacity() * size_of::<f64>()).sum()
    }

    /// The filter of a design, made when it is first asked for.
    pub(super) fn filter(&mut self, design: FilterDesign) -> Result<&Sos> {
        self.filters.find_or_make(design, || design.make())
    }

    /// The decimator of a factor, made when it is first asked for.
    pub(super) fn decimator(&mut self, factor: usize) -> Result<&FirDecimator> {
        self.decimators.find_or_make(factor, || FirDecimator::new(factor))
    }
}

/// At most [`DESIGNS_MAX`] designs by their parameters.
#[derive(Debug)]
struct Cache<K, V> {
    entries: Vec<(K, V)>,
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<K: PartialEq, V> Cache<K, V> {
    fn find_or_make(&mut self, key: K, make: impl FnOnce() -> Result<V>) -> Result<&V> {
        let found = self.entries.iter().position(|(kept, _)| *kept == key);
        let index = match found {
            Some(index) => index,
            None => {
                let value = make()?;
                if self.entries.len() == DESIGNS_MAX {
                    self.entries.remove(0);
                }
                self.entries.push((key, value));
                self.entries.len() - 1
            }
        };
        Ok(&self.entries[index].1)
    }
}

/// A recursive filter for one sampling rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct FilterDesign {
    pub(super) band: Band,
    pub(super) corners: usize,
    /// Hz.
    pub(super) sampling_rate: f64,
}

/// What a filter lets pass or stops; corner frequencies in Hz.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Band {
    Pass(f64, f64),
    Stop(f64, f64),
    Below(f64),
    Above(f64),
    /// Chebyshev's second kind: all from this frequency up is gone; `corners` is the highest order.
    NothingFrom(f64),
}

impl FilterDesign {
    pub(super) fn make(&self) -> Result<Sos> {
        let Self { band, corners, sampling_rate } = *self;
        match band {
            Band::Pass(low, high) => {
                filter::butterworth_bandpass(corners, low, high, sampling_rate)
            }
            Band::Stop(low, high) => {
                filter::butterworth_bandstop(corners, low, high, sampling_rate)
            }
            Band::Below(freq) => filter::butterworth_lowpass(corners, freq, sampling_rate),
            Band::Above(freq) => filter::butterworth_highpass(corners, freq, sampling_rate),
            Band::NothingFrom(freq) => filter::chebyshev2_lowpass(corners, freq, sampling_rate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn design(number: usize) -> FilterDesign {
        let sampling_rate = 100.0 + number as f64;
        FilterDesign { band: Band::Pass(1.0, 8.0), corners: 2, sampling_rate }
    }

    #[test]
    fn designs_are_kept_and_bounded() {
        let mut scratch = Scratch::default();
        for number in 0..DESIGNS_MAX {
            scratch.filter(design(number)).unwrap();
        }
        let kept = scratch.filter(design(0)).unwrap().sections().as_ptr();
        assert_eq!(scratch.filter(design(0)).unwrap().sections().as_ptr(), kept);
        for number in 0..10 * DESIGNS_MAX {
            assert_eq!(*scratch.filter(design(number)).unwrap(), design(number).make().unwrap());
            assert!(scratch.filters.entries.len() <= DESIGNS_MAX);
        }
        assert_eq!(scratch.filters.entries.len(), DESIGNS_MAX);
    }

    #[test]
    fn spare_buffers_are_bounded_in_number_and_bytes() {
        let mut scratch = Scratch::default();
        for npts in 1..3 * SPARE_BUFFERS_MAX {
            scratch.give_back(vec![0.0; npts]);
        }
        assert_eq!(scratch.spare.len(), SPARE_BUFFERS_MAX);
        for _ in 0..SPARE_BUFFERS_MAX {
            scratch.give_back(vec![0.0; SPARE_BYTES_MAX / 8 / 3]);
            assert!(scratch.spare_bytes() <= SPARE_BYTES_MAX);
        }
        assert_eq!(scratch.spare.len(), 3);
        scratch.give_back(vec![0.0; SPARE_BYTES_MAX / 8 + 1]);
        assert_eq!(scratch.spare.len(), 3);
        assert_eq!(scratch.take_buffer(100).len(), 100);
        assert_eq!(scratch.spare.len(), 3, "none is far larger than asked for");
    }
}
