//! Differentiation and integration in time, in place.

use crate::error::{Error, Result};

/// Replaces `x` by its derivative: central differences, one-sided ones at both ends; `delta` is the
/// sample interval, s.
///
/// [`Error::Unfit`] for fewer than two samples.
///
/// ```
/// let mut x = [0.0, 1.0, 4.0, 9.0];
/// mspass_core::kernel::calculus::differentiate(&mut x, 0.5).unwrap();
/// assert_eq!(x, [2.0, 4.0, 8.0, 10.0]);
/// ```
pub fn differentiate(x: &mut [f64], delta: f64) -> Result<()> {
    check(delta)?;
    let npts = x.len();
    if npts < 2 {
        return Err(Error::unfit(format!("a derivative needs two samples, not {npts}")));
    }
    let (single, double) = (1.0 / delta, 0.5 / delta);
    let end = (x[npts - 1] - x[npts - 2]) * single;
    let (mut before, mut here) = (x[0], x[1]);
    x[0] = (here - before) * single;
    for i in 1..npts - 1 {
        let after = x[i + 1];
        x[i] = (after - before) * double;
        (before, here) = (here, after);
    }
    x[npts - 1] = end;
    Ok(())
}

/// Replaces `x` by its integral from the first sample on, by the trapezoidal rule; `delta` is the
/// sample interval, s.
pub fn integrate(x: &mut [f64], delta: f64) -> Result<()> {
    check(delta)?;
    let half = delta / 2.0;
    let mut sum = 0.0;
    let mut before = None;
    for v in x {
        let here = *v;
        sum += before.map_or(0.0, |before| half * (before + here));
        before = Some(here);
        *v = sum;
    }
    Ok(())
}

fn check(delta: f64) -> Result<()> {
    if delta.is_finite() && delta > 0.0 {
        return Ok(());
    }
    Err(Error::parameter("delta", delta, "a sample interval is finite and above 0 s"))
}
