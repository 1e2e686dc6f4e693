//! The analytic signal of a trace: its Hilbert transform and its envelope.

use rustfft::num_complex::Complex64;

use super::fft::Scratch;

/// Replaces `x` by its Hilbert transform, the imaginary part of its analytic signal: every sine
/// loses a quarter of its period. The signal is taken as periodic.
///
/// ```
/// use mspass_core::kernel::{Scratch, envelope};
/// let angle = |i: usize| std::f64::consts::TAU * i as f64 / 25.0;
/// let mut x: Vec<f64> = (0..100).map(|i| angle(i).cos()).collect();
/// envelope::hilbert(&mut x, &mut Scratch::new());
/// assert!(x.iter().enumerate().all(|(i, v)| (v - angle(i).sin()).abs() < 1e-12));
/// ```
pub fn hilbert(x: &mut [f64], scratch: &mut Scratch) {
    if x.is_empty() {
        return;
    }
    let npts = x.len();
    let scale = 1.0 / npts as f64;
    scratch.forward(x, npts / 2 + 1);
    for bin in &mut scratch.spectrum {
        *bin = Complex64::new(bin.im * scale, -bin.re * scale);
    }
    // A constant and the Nyquist frequency have no sine.
    scratch.spectrum[0] = Complex64::ZERO;
    if npts.is_multiple_of(2) {
        scratch.spectrum[npts / 2] = Complex64::ZERO;
    }
    scratch.inverse(x);
}

/// Replaces `x` by the absolute value of its analytic signal; `work` is overwritten.
pub fn envelope(x: &mut [f64], work: &mut Vec<f64>, scratch: &mut Scratch) {
    work.clear();
    work.extend_from_slice(x);
    hilbert(work, scratch);
    for (v, imaginary) in x.iter_mut().zip(work) {
        *v = v.hypot(*imaginary);
    }
}
