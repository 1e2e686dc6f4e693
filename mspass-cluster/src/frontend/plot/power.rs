//! Spectral estimates for pictures: averaged periodograms of Hann segments that overlap by half.
//!
//! Welch (1967), IEEE Trans. Audio Electroacoust. 15, 70-73. For pictures only: processing has its
//! own kernels.

use std::sync::Arc;

use mspass_actors::workflow::report::Spectrogram;
use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use super::png;

/// Longest segment, samples.
const SEGMENT_MAX: usize = 1 << 16;
/// Shortest segment, samples.
const SEGMENT_MIN: usize = 16;
/// Points of a spectrum at most: more than the pixels of a plot.
const POINTS_MAX: usize = 400;
/// Cells of a spectrogram.
const COLUMNS_MAX: usize = 240;
const ROWS_MAX: usize = 96;

/// Estimates the one-sided power density of segments of one length.
struct Periodogram {
    fft: Arc<dyn RealToComplex<f64>>,
    taper: Vec<f64>,
    segment: Vec<f64>,
    spectrum: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
    /// Sum of the taper.
    weight: f64,
    /// Turns squared amplitudes into power density.
    scale: f64,
}

impl Periodogram {
    fn new(length: usize, sampling_rate: f64) -> Self {
        let fft = RealFftPlanner::new().plan_fft_forward(length);
        let turn = std::f64::consts::TAU / length as f64;
        let taper: Vec<f64> = (0..length).map(|n| 0.5 - 0.5 * (turn * n as f64).cos()).collect();
        let energy: f64 = taper.iter().map(|weight| weight * weight).sum();
        Self {
            segment: fft.make_input_vec(),
            spectrum: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            scale: 1.0 / (energy * sampling_rate),
            weight: taper.iter().sum(),
            fft,
            taper,
        }
    }

    /// Adds the power of `samples` (of the segment's length) to `sum`, their mean under
    /// the taper taken off first (a plain mean would leak into the lowest bins);
    /// false, and nothing added, where a sample is not finite.
    fn add(&mut self, samples: &[f64], sum: &mut [f64]) -> bool {
        let weighted = samples.iter().zip(&self.taper).map(|(sample, weight)| sample * weight);
        let mean = weighted.sum::<f64>() / self.weight;
        if !mean.is_finite() {
            return false;
        }
        let rounding = mean.abs() * 1e-13;
        for ((into, sample), weight) in self.segment.iter_mut().zip(samples).zip(&self.taper) {
            let swing = sample - mean;
            *into = if swing.abs() > rounding { swing * weight } else { 0.0 };
        }
        let (segment, spectrum) = (&mut self.segment, &mut self.spectrum);
        if self.fft.process_with_scratch(segment, spectrum, &mut self.scratch).is_err() {
            return false;
        }
        let last = self.spectrum.len() - 1;
        for (bin, (into, value)) in sum.iter_mut().zip(&self.spectrum).enumerate() {
            let sides = if bin == 0 || bin == last { 1.0 } else { 2.0 };
            *into += value.norm_sqr() * self.scale * sides;
        }
        true
    }
}

/// Power spectral density of a trace: frequency in Hz and dB relative to unit^2 / Hz.
///
/// Bins that would fall on one pixel of a logarithmic axis are averaged (their power, not their
/// decibels). Frequency 0, segments with samples that are not finite and bins without power are
/// left out; empty where nothing remains.
pub(crate) fn spectrum(samples: &[f64], sampling_rate: f64) -> Vec<(f64, f64)> {
    let Some(length) = segment_length(samples.len() / 8, samples.len(), SEGMENT_MAX) else {
        return Vec::new();
    };
    if !(sampling_rate.is_finite() && sampling_rate > 0.0) {
        return Vec::new();
    }
    let mut periodogram = Periodogram::new(length, sampling_rate);
    let mut sum = vec![0.0; length / 2 + 1];
    let mut segments = 0u64;
    for samples in samples.windows(length).step_by(length / 2) {
        segments += u64::from(periodogram.add(samples, &mut sum));
    }
    let bin_width = sampling_rate / length as f64;
    let bins = sum.iter().enumerate().skip(1);
    let density: Vec<_> =
        bins.map(|(bin, power)| (bin as f64 * bin_width, power / segments as f64)).collect();
    logarithmic(&density)
}

/// Averages linear bins into at most [`POINTS_MAX`] logarithmic ones; dB.
fn logarithmic(density: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let ratio = (density.len() as f64).powf(1.0 / POINTS_MAX as f64);
    let mut points = Vec::new();
    let mut first = 0;
    while first < density.len() {
        let end = ((first + 1) as f64 * ratio).floor() as usize;
        let part = &density[first..end.clamp(first + 1, density.len())];
        let power = part.iter().map(|bin| bin.1).sum::<f64>() / part.len() as f64;
        let frequency = (part[0].0 * part[part.len() - 1].0).sqrt();
        points.push((frequency, 10.0 * power.log10()));
        first += part.len();
    }
    points.retain(|point| point.1.is_finite());
    points
}

/// The power of two next below `wanted`, within the bounds and the trace; `None` for a trace too
/// short for any.
fn segment_length(wanted: usize, npts: usize, longest: usize) -> Option<usize> {
    let length = wanted.clamp(SEGMENT_MIN, longest);
    let length = 1 << length.ilog2();
    (length <= npts).then_some(length)
}

/// Power over time and frequency, time to the right in as many columns as there are segments to
/// tell apart; `None` for a trace too short or without power.
pub(crate) fn spectrogram(samples: &[f64], sampling_rate: f64) -> Option<Spectrogram> {
    if !(sampling_rate.is_finite() && sampling_rate > 0.0) {
        return None;
    }
    let length = segment_length(samples.len() / 64, samples.len(), 512)?;
    let columns = COLUMNS_MAX.min(2 * samples.len() / length);
    let rows = ROWS_MAX.min(length / 2);
    let mut periodogram = Periodogram::new(length, sampling_rate);
    let mut sum = vec![0.0; length / 2 + 1];
    let mut cells = vec![f64::NEG_INFINITY; rows * columns];
    for column in 0..columns {
        let start = column * samples.len() / columns;
        let end = (column + 1) * samples.len() / columns;
        let latest = samples.len() - length;
        sum.fill(0.0);
        let mut segments = 0u32;
        for at in (start..end).step_by(length / 2) {
            let at = (at.saturating_sub(length / 4)).min(latest);
            segments += u32::from(periodogram.add(&samples[at..at + length], &mut sum));
        }
        for row in 0..rows {
            let first = 1 + row * (length / 2) / rows;
            let bins = &sum[first..1 + (row + 1) * (length / 2) / rows];
            let power = bins.iter().sum::<f64>() / (bins.len() as f64 * f64::from(segments));
            cells[(rows - 1 - row) * columns + column] = 10.0 * power.log10();
        }
    }
    colour(&cells, columns, sampling_rate / 2.0)
}

/// Turns decibels into colours between the values that leave out the extreme cells.
fn colour(cells: &[f64], columns: usize, frequency_max: f64) -> Option<Spectrogram> {
    let mut sorted: Vec<f64> = cells.iter().copied().filter(|cell| cell.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let at = |part: f64| sorted.get((part * (sorted.len() as f64 - 1.0)) as usize).copied();
    let (low, high) = (at(0.03)?, at(0.998)?);
    let low = low.max(high - 80.0).min(high - 10.0);
    let step = |&cell: &f64| {
        let part = ((cell - low) / (high - low)).clamp(0.0, 1.0);
        if cell.is_finite() { 1 + (part * 254.0).round() as u8 } else { 0 }
    };
    let indices: Vec<u8> = cells.iter().map(step).collect();
    let image = png::encode(&indices, columns as u32);
    Some(Spectrogram { frequency_max, power_min_db: low, power_max_db: high, image })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(npts: usize) -> Vec<f64> {
        let mut state = 20_100_901u64;
        let mut uniform = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
        };
        (0..npts).map(|_| uniform()).collect()
    }

    #[test]
    fn white_noise_has_its_variance_as_density() {
        let samples = noise(200_000);
        let points = spectrum(&samples, 100.0);
        assert!(points.len() <= POINTS_MAX + 1, "{}", points.len());
        let expected = 10.0 * (1.0 / 12.0 / 50.0f64).log10();
        let (mut sum, mut number) = (0.0, 0.0);
        for point in points.iter().filter(|point| point.0 > 0.5 && point.0 < 49.0) {
            sum += point.1;
            number += 1.0;
            assert!((point.1 - expected).abs() < 6.0, "{point:?}");
        }
        assert!((sum / number - expected).abs() < 0.3, "{} {expected}", sum / number);
    }

    #[test]
    fn a_sine_peaks_at_its_frequency_whatever_the_offset() {
        let wave = |n: usize| 1e4 + 3.0 * (std::f64::consts::TAU * 1.25 * n as f64 / 40.0).sin();
        let samples: Vec<f64> = (0..40_000).map(wave).collect();
        let points = spectrum(&samples, 40.0);
        let peak = points.iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        assert!((peak.0 - 1.25).abs() < 0.01, "{peak:?}");
        assert!(points[0].1 < peak.1 - 80.0, "the offset leaks: {:?}", points[0]);
        assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn odd_traces_have_no_spectrum_and_do_no_harm() {
        assert_eq!(spectrum(&[], 1.0), []);
        assert_eq!(spectrum(&[1.0; 15], 1.0), []);
        assert_eq!(spectrum(&[5.0; 4000], 1.0), []);
        assert_eq!(spectrum(&noise(4000), f64::NAN), []);
        assert_eq!(spectrum(&noise(4000), 0.0), []);
        assert_eq!(spectrum(&[f64::NAN; 4000], 1.0), []);
        assert_eq!(spectrogram(&[], 1.0), None);
        assert_eq!(spectrogram(&[5.0; 4000], 1.0), None);
        assert_eq!(spectrogram(&[f64::INFINITY; 4000], 1.0), None);
        assert_eq!(spectrogram(&noise(400), -1.0), None);
        assert!(spectrogram(&noise(16), 1.0).is_some());
        let mut holed = noise(4000);
        holed[1234] = f64::NAN;
        assert!(spectrum(&holed, 1.0).len() > 50);
        assert!(spectrogram(&holed, 1.0).is_some());
    }

    #[test]
    fn a_spectrogram_is_small() {
        let spectrogram = spectrogram(&noise(360_000), 100.0).unwrap();
        assert_eq!(spectrogram.frequency_max, 50.0);
        assert!(spectrogram.image.len() < 40_000, "{}", spectrogram.image.len());
    }
}
