//! Design of recursive filters: Butterworth (1930) and Chebyshev of the second kind.
//!
//! Designs start from the poles of the analogue low-pass at 1 rad/s, turn each pole pair into
//! analogue second-order sections for the wanted band, and map those to digital ones by the
//! bilinear transform with warped corner frequencies, as SciPy does; the sections differ from
//! SciPy's in pairing and order, their product does not.

use std::f64::consts::PI;

use rustfft::num_complex::Complex64;

use super::sos::{SECTIONS_MAX, Section, Sos};
use crate::error::{Error, Result};

/// The constant of the bilinear transform, `s = K (z - 1) / (z + 1)`, at a sampling rate of 2 Hz.
const K: f64 = 4.0;

/// Highest order of a Chebyshev filter.
pub const ORDER_MAX: usize = 2 * SECTIONS_MAX;

/// Loss of a Chebyshev filter in its pass band and its stop band, dB.
const PASS_DB: f64 = 1.0;
const STOP_DB: f64 = 96.0;

/// Band-pass with `corners` corners on either side: `corners` sections.
///
/// [`Error::Parameter`] unless `0 < freqmin < freqmax < Nyquist frequency`.
///
/// ```
/// use mspass_core::kernel::filter::butterworth_bandpass;
/// assert_eq!(butterworth_bandpass(4, 0.05, 8.0, 100.0).unwrap().sections().len(), 4);
/// let error = butterworth_bandpass(4, 0.05, 60.0, 100.0).unwrap_err();
/// assert!(error.to_string().contains("Nyquist frequency of 50 Hz"));
/// ```
pub fn butterworth_bandpass(
    corners: usize,
    freqmin: f64,
    freqmax: f64,
    sampling_rate: f64,
) -> Result<Sos> {
    check_corners(corners, SECTIONS_MAX)?;
    let band = Band::new(freqmin, freqmax, sampling_rate)?;
    digital(butterworth_poles(corners).flat_map(|pole| band.pass(pole)))
}

/// Band-stop with `corners` corners on either side: `corners` sections.
///
/// [`Error::Parameter`] unless `0 < freqmin < freqmax < Nyquist frequency`.
pub fn butterworth_bandstop(
    corners: usize,
    freqmin: f64,
    freqmax: f64,
    sampling_rate: f64,
) -> Result<Sos> {
    check_corners(corners, SECTIONS_MAX)?;
    let band = Band::new(freqmin, freqmax, sampling_rate)?;
    digital(butterworth_poles(corners).flat_map(|pole| band.stop(pole)))
}

/// Low-pass with `corners` poles.
///
/// [`Error::Parameter`] unless `0 < freq < Nyquist frequency`.
pub fn butterworth_lowpass(corners: usize, freq: f64, sampling_rate: f64) -> Result<Sos> {
    check_corners(corners, 2 * SECTIONS_MAX)?;
    let corner = warp("freq", freq, sampling_rate)?;
    digital(butterworth_poles(corners).map(|pole| {
        let den = pole.scaled(corner).denominator();
        Analogue { num: [0.0, 0.0, den[2]], den }
    }))
}

/// High-pass with `corners` poles.
///
/// [`Error::Parameter`] unless `0 < freq < Nyquist frequency`.
pub fn butterworth_highpass(corners: usize, freq: f64, sampling_rate: f64) -> Result<Sos> {
    check_corners(corners, 2 * SECTIONS_MAX)?;
    let corner = warp("freq", freq, sampling_rate)?;
    digital(butterworth_poles(corners).map(|pole| match pole {
        // Inverting a pole of the unit circle gives its conjugate.
        Pole::Pair(_) => Analogue { num: [1.0, 0.0, 0.0], den: pole.scaled(corner).denominator() },
        Pole::Real(_) => Analogue { num: [0.0, 1.0, 0.0], den: pole.scaled(corner).denominator() },
    }))
}

/// Chebyshev low-pass of the second kind that holds 96 dB from `freq` up and loses at most 1 dB
/// below the highest frequency that `order_max` (1 to [`ORDER_MAX`]) poles allow: ObsPy's
/// `lowpass_cheby_2`, whose `order_max` is 12, and the antialias filter of its `decimate`.
///
/// [`Error::Parameter`] unless `0 < freq < Nyquist frequency`.
pub fn chebyshev2_lowpass(order_max: usize, freq: f64, sampling_rate: f64) -> Result<Sos> {
    /// Pass bands are tried from the stop frequency down, each this much of the one before.
    const STEP: f64 = 0.99;
    if !(1..=ORDER_MAX).contains(&order_max) {
        let reason = format!("this filter has 1 to {ORDER_MAX} poles");
        return Err(Error::parameter("order_max", order_max, reason));
    }
    let stop = warp("freq", freq, sampling_rate)?;
    let power = |decibel: f64| 10f64.powf(decibel / 10.0) - 1.0;
    let ratio = (power(STOP_DB) / power(PASS_DB)).sqrt().acosh();
    let (mut passed, mut order, mut pass) = (freq, usize::MAX, stop);
    while order > order_max {
        passed *= STEP;
        pass = warp("freq", passed, sampling_rate)?;
        order = (ratio / (stop / pass).acosh()).ceil() as usize;
    }
    // Where the attenuation really reaches its stop value with a whole number of poles.
    let edge = pass * (ratio / order as f64).cosh();
    let mu = power(STOP_DB).sqrt().asinh() / order as f64;
    digital(butterworth_poles(order).map(|pole| {
        // Poles: the inverses of those of the first kind; zeros: the inverses of its extremes.
        match pole {
            Pole::Real(_) => {
                let den = Pole::Real(-edge / mu.sinh()).denominator();
                Analogue { num: [0.0, 0.0, den[2]], den }
            }
            Pole::Pair(p) => {
                let first_kind = Complex64::new(p.re * mu.sinh(), p.im * mu.cosh());
                let den = Pole::Pair(first_kind.inv() * edge).denominator();
                Analogue { num: [den[2] * (p.im / edge).powi(2), 0.0, den[2]], den }
            }
        }
    }))
}

/// A pole of an analogue filter with its conjugate, or a real one.
#[derive(Clone, Copy, Debug)]
enum Pole {
    Pair(Complex64),
    Real(f64),
}

impl Pole {
    fn scaled(self, factor: f64) -> Self {
        match self {
            Self::Pair(p) => Self::Pair(p * factor),
            Self::Real(p) => Self::Real(p * factor),
        }
    }

    /// `(s - p)(s - p*)` or `s - p`, highest power of three first.
    fn denominator(self) -> [f64; 3] {
        match self {
            Self::Pair(p) => [1.0, -2.0 * p.re, p.norm_sqr()],
            Self::Real(p) => [0.0, 1.0, -p],
        }
    }
}

/// An analogue section of first or second order; coefficients of `s^2`, `s` and 1.
#[derive(Clone, Copy, Debug)]
struct Analogue {
    num: [f64; 3],
    den: [f64; 3],
}

impl Analogue {
    fn bilinear(self) -> Section {
        let [a, b, c] = self.den;
        let [n, m, l] = self.num;
        if a == 0.0 {
            let lead = b * K + c;
            return Section {
                b: [(m * K + l) / lead, (l - m * K) / lead, 0.0],
                a: [(c - b * K) / lead, 0.0],
            };
        }
        let lead = a * K * K + b * K + c;
        Section {
            b: [
                (n * K * K + m * K + l) / lead,
                2.0 * (l - n * K * K) / lead,
                (n * K * K - m * K + l) / lead,
            ],
            a: [2.0 * (c - a * K * K) / lead, (a * K * K - b * K + c) / lead],
        }
    }
}

fn digital(sections: impl Iterator<Item = Analogue>) -> Result<Sos> {
    Sos::new(sections.map(Analogue::bilinear).collect())
}

/// Poles of the analogue Butterworth low-pass at 1 rad/s, farthest from the imaginary axis first.
fn butterworth_poles(corners: usize) -> impl Iterator<Item = Pole> {
    let real = (corners % 2 == 1).then_some(Pole::Real(-1.0));
    let pairs = (0..corners / 2).rev().map(move |k| {
        let angle = PI * (2 * k + 1) as f64 / (2 * corners) as f64;
        Pole::Pair(Complex64::new(-angle.sin(), angle.cos()))
    });
    real.into_iter().chain(pairs)
}

/// A band of an analogue filter: its width and the square of its centre, rad/s.
#[derive(Clone, Copy, Debug)]
struct Band {
    width: f64,
    centre_squared: f64,
}

impl Band {
    fn new(freqmin: f64, freqmax: f64, sampling_rate: f64) -> Result<Self> {
        let low = warp("freqmin", freqmin, sampling_rate)?;
        let high = warp("freqmax", freqmax, sampling_rate)?;
        if freqmin >= freqmax {
            let reason = format!("the upper corner is not above the lower one, {freqmin} Hz");
            return Err(Error::parameter("freqmax", freqmax, reason));
        }
        Ok(Self { width: high - low, centre_squared: low * high })
    }

    /// Sections of the band-pass that a low-pass pole turns into: `s` becomes
    /// `(s^2 + centre^2) / (width s)`.
    fn pass(self, pole: Pole) -> impl Iterator<Item = Analogue> {
        let width = self.width;
        self.split(pole.scaled(width)).map(move |den| Analogue { num: [0.0, width, 0.0], den })
    }

    /// Sections of the band-stop that a low-pass pole turns into: `s` becomes
    /// `width s / (s^2 + centre^2)`.
    fn stop(self, pole: Pole) -> impl Iterator<Item = Analogue> {
        let inverse = match pole {
            Pole::Pair(p) => Pole::Pair(p.inv()),
            Pole::Real(p) => Pole::Real(1.0 / p),
        };
        let centre_squared = self.centre_squared;
        self.split(inverse.scaled(self.width))
            .map(move |den| Analogue { num: [1.0, 0.0, centre_squared], den })
    }

    /// Denominators whose roots solve `s^2 - p s + centre^2 = 0` for the pole `p` (and its
    /// conjugate).
    fn split(self, pole: Pole) -> impl Iterator<Item = [f64; 3]> {
        let dens = match pole {
            Pole::Real(p) => [Some([1.0, -p, self.centre_squared]), None],
            Pole::Pair(p) => {
                let half = p / 2.0;
                let root = square_root(half * half - self.centre_squared);
                // The larger root by addition of what points the same way, the smaller by division.
                let aligned = half.re * root.re + half.im * root.im >= 0.0;
                let large = if aligned { half + root } else { half - root };
                let small = large.inv() * self.centre_squared;
                [small, large].map(|p| Some(Pole::Pair(p).denominator()))
            }
        };
        dens.into_iter().flatten()
    }
}

/// The principal square root, accurate in both parts.
fn square_root(z: Complex64) -> Complex64 {
    let large = ((z.re.abs() + z.re.hypot(z.im)) / 2.0).sqrt();
    if large == 0.0 {
        return Complex64::new(0.0, 0.0);
    }
    let small = z.im.abs() / (2.0 * large);
    let (re, im) = if z.re >= 0.0 { (large, small) } else { (small, large) };
    Complex64::new(re, im.copysign(z.im))
}

/// The analogue frequency, rad/s at a sampling rate of 2 Hz, that the bilinear transform maps to
/// `freq`.
fn warp(parameter: &'static str, freq: f64, sampling_rate: f64) -> Result<f64> {
    if !(sampling_rate.is_finite() && sampling_rate > 0.0) {
        return Err(Error::SamplingRate { value: sampling_rate });
    }
    let nyquist = sampling_rate / 2.0;
    if !(freq > 0.0 && freq < nyquist) {
        let reason =
            format!("a corner lies above 0 and below the Nyquist frequency of {nyquist} Hz");
        return Err(Error::parameter(parameter, format!("{freq} Hz"), reason));
    }
    Ok(K * (PI * freq / sampling_rate).tan())
}

fn check_corners(corners: usize, max: usize) -> Result<()> {
    if (1..=max).contains(&corners) {
        return Ok(());
    }
    Err(Error::parameter("corners", corners, format!("this filter has 1 to {max} corners")))
}
