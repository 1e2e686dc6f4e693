//! Tapers: weights that bring the ends of a trace to zero.

use std::f64::consts::PI;

use crate::error::{Error, Result};

/// Cosines made per exact evaluation of sine and cosine.
const BLOCK: usize = 64;

/// How the weights of a taper rise from the end of a trace to 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Shape {
    /// Half a cosine, from 0.
    Hann,
    /// Half a cosine on a pedestal: from 0.08.
    Hamming,
    /// Two cosines, from 0; steeper than Hann.
    Blackman,
    /// A straight line, from nearly 0.
    Triangle,
}

/// Which ends of a trace a taper touches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Side {
    /// Both ends.
    #[default]
    Both,
    /// The first samples only.
    Head,
    /// The last samples only.
    Tail,
}

/// Samples that a taper of `fraction` (0 to 0.5 of the trace at each end, more counts as 0.5)
/// touches at each end of `npts` samples.
pub fn ramp_npts(npts: usize, fraction: f64) -> Result<usize> {
    if !(fraction.is_finite() && fraction >= 0.0) {
        return Err(Error::parameter(
            "fraction",
            fraction,
            "a fraction is finite and not negative",
        ));
    }
    Ok(((fraction * npts as f64) as usize).min(npts / 2))
}

/// Multiplies the ends of `x` by the halves of a symmetric window, as ObsPy's `Trace.taper` does:
/// `ramp` samples at each end (at most half of `x`) are touched, and the window has one more point
/// between its halves unless these meet.
///
/// ```
/// use mspass_core::kernel::taper::{self, Shape, Side};
/// let mut x = vec![1.0; 200];
/// let ramp = taper::ramp_npts(x.len(), 0.05).unwrap();
/// taper::ends(&mut x, ramp, Shape::Hann, Side::Both);
/// assert_eq!((x[0], x[100]), (0.0, 1.0));
/// assert!((x[5] - 0.5).abs() < 1e-12 && (x[194] - 0.5).abs() < 1e-12);
/// ```
pub fn ends(x: &mut [f64], ramp: usize, shape: Shape, side: Side) {
    let npts = x.len();
    let ramp = ramp.min(npts / 2);
    let window = if 2 * ramp == npts { 2 * ramp } else { 2 * ramp + 1 };
    if ramp == 0 {
        return;
    }
    let (head, tail) = (side != Side::Tail, side != Side::Head);
    let mut weigh = |i: usize, weight: f64| {
        if head {
            x[i] *= weight;
        }
        if tail {
            x[npts - 1 - i] *= weight;
        }
    };
    if shape == Shape::Triangle {
        let peak = if window % 2 == 0 { window as f64 / 2.0 } else { (window as f64 + 1.0) / 2.0 };
        let offset = if window % 2 == 0 { 0.5 } else { 1.0 };
        (0..ramp).for_each(|i| weigh(i, (i as f64 + offset) / peak));
        return;
    }
    let step = 2.0 * PI / (window - 1) as f64;
    match shape {
        Shape::Hamming => cosines(step, ramp, |i, c| weigh(i, 0.54 - 0.46 * c)),
        Shape::Blackman => {
            // 0.42 - 0.5 cos a + 0.08 cos 2a, factored so that it is exactly 0 where cos a = 1.
            cosines(step, ramp, |i, c| weigh(i, (1.0 - c) * (0.34 - 0.16 * c)))
        }
        _ => cosines(step, ramp, |i, c| weigh(i, 0.5 - 0.5 * c)),
    }
}

/// Multiplies `x` by ObsPy's `cosine_taper(npts, fraction)`: `fraction` (0 to 1) is the tapered
/// part of the whole trace, half of it at each end; each end rises as half a cosine from exactly 0
/// to exactly 1.
pub fn cosine(x: &mut [f64], fraction: f64) -> Result<()> {
    if !(0.0..=1.0).contains(&fraction) {
        return Err(Error::parameter("fraction", fraction, "a fraction is 0 to 1"));
    }
    let npts = x.len();
    let half = npts as f64 * fraction / 2.0;
    let ramp = if fraction == 1.0 { half as usize } else { (half + 0.5) as usize };
    let ramp = ramp.min(npts / 2);
    match ramp {
        0 => {}
        1 => (x[0], x[npts - 1]) = (0.0 * x[0], 0.0 * x[npts - 1]),
        _ => cosines(PI / (ramp - 1) as f64, ramp, |i, c| {
            let weight = 0.5 - 0.5 * c;
            x[i] *= weight;
            x[npts - 1 - i] *= weight;
        }),
    }
    Ok(())
}

/// How the weights of a ramp rise from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Curve {
    /// A straight line.
    Linear,
    /// Half a cosine.
    Cosine,
}

/// Mutes `x` before the position `zero` and lets it rise to its full size at the position `one`
/// (both in samples after the first, not necessarily whole or within `x`): the head of MsPASS's
/// tapers and its top mute. Equal positions change nothing.
///
/// [`Error::Parameter`] when a position is not finite, or `one` lies before `zero`.
pub fn ramp_up(x: &mut [f64], zero: f64, one: f64, curve: Curve) -> Result<()> {
    if !(zero.is_finite() && one.is_finite() && zero <= one) {
        let reason = format!("the ramp to {one} starts at a finite position before it");
        return Err(Error::parameter("zero", zero, reason));
    }
    if zero == one {
        return Ok(());
    }
    // A float beyond the ends of an integer becomes that end.
    let mute = ((zero.floor() + 1.0) as usize).min(x.len());
    let end = (one.ceil() as usize).clamp(mute, x.len());
    x[..mute].fill(0.0);
    for (i, v) in x[mute..end].iter_mut().enumerate() {
        let rise = ((mute + i) as f64 - zero) / (one - zero);
        *v *= match curve {
            Curve::Linear => rise,
            Curve::Cosine => 0.5 - 0.5 * (PI * rise).cos(),
        };
    }
    Ok(())
}

/// Lets `x` fall from its full size at the position `one` and mutes it from the position `zero` on:
/// the tail of MsPASS's tapers. Otherwise like [`ramp_up`].
pub fn ramp_down(x: &mut [f64], one: f64, zero: f64, curve: Curve) -> Result<()> {
    let last = x.len() as f64 - 1.0;
    x.reverse();
    let done = ramp_up(x, last - zero, last - one, curve);
    x.reverse();
    done
}

/// Calls `f(i, cos(i step))` for `i` in `0..npts`: exact angles every [`BLOCK`] steps, the angles
/// between by the addition theorem.
fn cosines(step: f64, npts: usize, mut f: impl FnMut(usize, f64)) {
    let mut near = [(1.0, 0.0); BLOCK];
    for (j, pair) in near.iter_mut().enumerate() {
        let (sine, cosine) = (j as f64 * step).sin_cos();
        *pair = (cosine, sine);
    }
    for start in (0..npts).step_by(BLOCK) {
        let (sine, cosine) = (start as f64 * step).sin_cos();
        for (j, (c, s)) in near[..BLOCK.min(npts - start)].iter().enumerate() {
            f(start + j, cosine * c - sine * s);
        }
    }
}
