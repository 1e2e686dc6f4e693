//! Values between samples, as ObsPy's `Trace.interpolate` gives them.

use std::f64::consts::PI;

use super::fft::{Scratch, fit};
use crate::error::{Error, Result};

/// Widest Lanczos kernel, samples on either side.
pub const LANCZOS_MAX: usize = 1000;

/// A position outside the trace by no more than this, in samples, counts as the end.
const TOLERANCE: f64 = 1e-6;

/// Where values are wanted: at `start`, `start + step`, ..., in samples after the first one. All of
/// them must lie within the trace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// The first position.
    pub start: f64,
    /// From one position to the next; above 0.
    pub step: f64,
}

/// A grid that fits a trace.
struct Positions {
    grid: Grid,
    last: f64,
}

impl Grid {
    /// Checks the grid against a trace and what a method needs of it.
    fn within(self, x: &[f64], out: &[f64], least: usize) -> Result<Positions> {
        let Self { start, step } = self;
        if !start.is_finite() {
            return Err(Error::parameter("start", start, "a position is finite"));
        }
        if !(step.is_finite() && step > 0.0) {
            return Err(Error::parameter("step", step, "positions are finite steps apart"));
        }
        let npts = x.len();
        if npts < least {
            return Err(Error::unfit(format!(
                "{npts} samples are too few: this interpolation needs {least}"
            )));
        }
        let last = (npts - 1) as f64;
        let end = start + step * out.len().saturating_sub(1) as f64;
        if !out.is_empty() && (start < -TOLERANCE || end > last + TOLERANCE) {
            return Err(Error::unfit(format!(
                "positions {start} to {end} are not within {npts} samples: nothing is extrapolated"
            )));
        }
        Ok(Positions { grid: self, last })
    }
}

impl Positions {
    /// Calls `f` with each value to set and its position.
    #[inline(always)]
    fn each(&self, out: &mut [f64], mut f: impl FnMut(&mut f64, f64)) {
        for (i, to) in out.iter_mut().enumerate() {
            f(to, (self.grid.start + self.grid.step * i as f64).clamp(0.0, self.last));
        }
    }

    /// Calls `f` with each value to set between two samples, the sample before it and the way from
    /// there; sets it where it is at a sample of `x`.
    #[inline(always)]
    fn between(&self, x: &[f64], out: &mut [f64], mut f: impl FnMut(&mut f64, usize, f64)) {
        self.each(out, |to, position| {
            let before = position as usize;
            let t = position - before as f64;
            if t == 0.0 { *to = x[before] } else { f(to, before, t) }
        });
    }
}

/// Straight lines between samples.
///
/// ```
/// use mspass_core::kernel::interpolate::{self, Grid};
/// let x = [0.0, 10.0, 20.0, 10.0];
/// let mut out = [0.0; 3];
/// interpolate::linear(&x, Grid { start: 0.5, step: 1.0 }, &mut out).unwrap();
/// assert_eq!(out, [5.0, 15.0, 15.0]);
/// ```
pub fn linear(x: &[f64], grid: Grid, out: &mut [f64]) -> Result<()> {
    let positions = grid.within(x, out, 1)?;
    positions.between(x, out, |to, i, t| *to = x[i] + (x[i + 1] - x[i]) * t);
    Ok(())
}

/// Wiggins' weighted average slopes (Bull. Seismol. Soc. Am. 66, 1976): cubics between samples
/// whose slopes are averages of those on both sides, the lesser slope weighing more, and zero at
/// extremes: no overshoot. SAC's and ObsPy's default.
///
/// [`Error::Unfit`] for fewer than two samples.
pub fn weighted_average_slopes(x: &[f64], grid: Grid, out: &mut [f64]) -> Result<()> {
    let positions = grid.within(x, out, 2)?;
    let slope = |i: usize| {
        let before = i.checked_sub(1).map(|before| x[i] - x[before]);
        let after = x.get(i + 1).map(|after| after - x[i]);
        match (before, after) {
            (Some(before), Some(after)) if before * after <= 0.0 => 0.0,
            // Each weighted by the inverse of its size: the harmonic mean.
            (Some(before), Some(after)) => 2.0 * before / (1.0 + before / after),
            (one, other) => one.or(other).unwrap_or(0.0),
        }
    };
    positions.between(x, out, |to, i, t| {
        let rise = x[i + 1] - x[i];
        let first = rise - slope(i);
        let second = slope(i + 1) - rise;
        *to = x[i] + (rise + (first + (second - first) * t) * (t - 1.0)) * t;
    });
    Ok(())
}

/// The cubic spline through all samples, its third derivative continuous at the second and the last
/// but one ("not a knot").
///
/// [`Error::Unfit`] for fewer than four samples.
pub fn cubic(x: &[f64], grid: Grid, out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
    let positions = grid.within(x, out, 4)?;
    let bend = fit(&mut scratch.samples, x.len(), 0.0);
    second_derivatives(x, bend);
    positions.between(x, out, |to, i, t| {
        let s = 1.0 - t;
        let bent = (s * s * s - s) * bend[i] + (t * t * t - t) * bend[i + 1];
        *to = s * x[i] + t * x[i + 1] + bent / 6.0;
    });
    Ok(())
}

/// Second derivatives of the not-a-knot spline through four samples or more, by elimination forward
/// and substitution backward in `out` alone: the factors of the elimination, which would need a
/// second buffer, approach a constant after a few steps.
fn second_derivatives(x: &[f64], out: &mut [f64]) {
    /// After this many steps the factors are constant to the last bit.
    const STEPS: usize = 40;
    let last = x.len() - 1;
    let bend = |i: usize| x[i + 1] - 2.0 * x[i] + x[i - 1];
    // out[i - 1] + 4 out[i] + out[i + 1] = 6 bend(i); not-a-knot makes out[1] = bend(1) and
    // likewise at the other end, so that only out[2..last - 1] is coupled.
    out[1] = bend(1);
    out[last - 1] = bend(last - 1);
    let mut factors = [0.0; STEPS];
    for i in 1..STEPS {
        factors[i] = 1.0 / (4.0 - factors[i - 1]);
    }
    let factor = |i: usize| factors[(i - 1).min(STEPS - 1)];
    for i in 2..last - 1 {
        out[i] = (6.0 * bend(i) - out[i - 1]) * factor(i);
    }
    for i in (2..last - 1).rev() {
        out[i] -= factor(i) * out[i + 1];
    }
    out[0] = 2.0 * out[1] - out[2];
    out[last] = 2.0 * out[last - 1] - out[last - 2];
}

/// Lanczos' windowed sinc with `half_width` samples (1 to [`LANCZOS_MAX`]) on either side; beyond
/// its ends the trace counts as zero.
pub fn lanczos(x: &[f64], grid: Grid, half_width: usize, out: &mut [f64]) -> Result<()> {
    if !(1..=LANCZOS_MAX).contains(&half_width) {
        let reason = format!("a Lanczos kernel has 1 to {LANCZOS_MAX} samples on either side");
        return Err(Error::parameter("half_width", half_width, reason));
    }
    let positions = grid.within(x, out, 1)?;
    let width = half_width as f64;
    // cos and sin of pi k / width: neighbours' angles follow by the addition theorem.
    let turns: Vec<(f64, f64)> =
        (0..=half_width).map(|k| PI * k as f64 / width).map(|a| (a.cos(), a.sin())).collect();
    positions.each(out, |to, position| {
        let nearest = position.round() as usize;
        let t = position - nearest as f64;
        if t == 0.0 {
            *to = x[nearest];
            return;
        }
        let (sine, cosine) = (PI * t / width).sin_cos();
        // The kernel at a distance d is sin(pi d) sin(pi d / width) width / (pi d)^2, and sin(pi d)
        // is that of t with the sign of alternate samples turned.
        let term = |v: f64, d: f64, sine: f64| v * sine / (d * d);
        let mut sum = term(x[nearest], t, sine);
        let ends = (usize::from(t < 0.0), usize::from(t > 0.0));
        let mut sign = -1.0;
        for (k, (turn_cosine, turn_sine)) in turns.iter().enumerate().skip(1) {
            let (straight, across) = (sine * turn_cosine, cosine * turn_sine);
            if k < half_width + ends.0
                && let Some(v) = nearest.checked_sub(k).and_then(|i| x.get(i))
            {
                sum += sign * term(*v, t + k as f64, straight + across);
            }
            if k < half_width + ends.1
                && let Some(v) = x.get(nearest + k)
            {
                sum += sign * term(*v, t - k as f64, straight - across);
            }
            sign = -sign;
        }
        *to = sum * (PI * t).sin() * width / (PI * PI);
    });
    Ok(())
}
