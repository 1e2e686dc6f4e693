//! How large a trace is, by the four measures of MsPASS's `scale`.
//!
//! Three-component data are measured by the [`lengths`] of their vectors. A sample that is not a
//! number makes every measure not a number.

use super::fft::{Scratch, fit};
use crate::error::{Error, Result};

/// Accumulators of a sum.
const LANES: usize = 8;

/// Samples measured at a time.
const BLOCK: usize = 4096;

/// The largest absolute value; 0 for no samples.
///
/// ```
/// use mspass_core::kernel::{Scratch, amplitude};
/// let x = [3.0, -4.0, 0.0, 1.0];
/// assert_eq!(amplitude::peak(&x), 4.0);
/// assert_eq!(amplitude::rms(&x), 6.5f64.sqrt());
/// assert_eq!(amplitude::mad(&x, &mut Scratch::new()), 3.0);
/// ```
pub fn peak(x: &[f64]) -> f64 {
    let (mut lanes, mut strange) = ([0.0; LANES], false);
    for block in x.chunks(BLOCK) {
        let (whole, rest) = block.as_chunks::<LANES>();
        for chunk in whole {
            for (max, v) in lanes.iter_mut().zip(chunk) {
                *max = if v.abs() > *max { v.abs() } else { *max };
            }
        }
        lanes[0] = rest.iter().fold(lanes[0], |max, v| f64::max(max, v.abs()));
        // Comparisons pass over what is not a number.
        strange |= block.iter().fold(false, |found, v| found | v.is_nan());
    }
    if strange { f64::NAN } else { lanes.into_iter().fold(0.0, f64::max) }
}

/// The root of the mean square; 0 for no samples.
pub fn rms(x: &[f64]) -> f64 {
    if x.is_empty() {
        return 0.0;
    }
    let sum = x.chunks(BLOCK).map(|block| {
        let (whole, rest) = block.as_chunks::<LANES>();
        let mut sums = [0.0; LANES];
        for chunk in whole {
            for (sum, v) in sums.iter_mut().zip(chunk) {
                *sum += v * v;
            }
        }
        sums.iter().sum::<f64>() + rest.iter().map(|v| v * v).sum::<f64>()
    });
    (sum.sum::<f64>() / x.len() as f64).sqrt()
}

/// The absolute value that `fraction` (above 0, at most 1) of all absolute values lie below: number
/// `fraction * npts` of them in order, counted from 0; 0 for no samples.
pub fn perc(x: &[f64], fraction: f64, scratch: &mut Scratch) -> Result<f64> {
    if !(fraction > 0.0 && fraction <= 1.0) {
        return Err(Error::parameter("fraction", fraction, "a fraction is above 0 and at most 1"));
    }
    if x.is_empty() {
        return Ok(0.0);
    }
    if x.iter().any(|v| v.is_nan()) {
        return Ok(f64::NAN);
    }
    let sizes = fit(&mut scratch.samples, x.len(), 0.0);
    for (to, v) in sizes.iter_mut().zip(x) {
        *to = v.abs();
    }
    let place = ((fraction * x.len() as f64) as usize).min(x.len() - 1);
    Ok(*sizes.select_nth_unstable_by(place, f64::total_cmp).1)
}

/// The median of the absolute values, the greater of the middle two for an even number; 0 for no
/// samples.
pub fn mad(x: &[f64], scratch: &mut Scratch) -> f64 {
    perc(x, 0.5, scratch).expect("a half is a fraction")
}

/// Writes the lengths of the vectors that three components form.
///
/// [`Error::Unfit`] when the components differ in length.
pub fn lengths(components: [&[f64]; 3], out: &mut Vec<f64>) -> Result<()> {
    let [a, b, c] = components;
    if a.len() != b.len() || a.len() != c.len() {
        let counts = components.map(<[f64]>::len);
        return Err(Error::unfit(format!("components of {counts:?} samples do not go together")));
    }
    out.clear();
    out.extend(a.iter().zip(b).zip(c).map(|((a, b), c)| (a * a + b * b + c * c).sqrt()));
    Ok(())
}
