//! Removal of a mean, a line or a polynomial, in place.

use crate::error::{Error, Result};

/// Highest degree of [`polynomial`].
pub const DEGREE_MAX: usize = 20;

/// Accumulators of a sum: enough to keep the adders of a processor busy.
const LANES: usize = 8;

/// Samples summed before the sum joins the total, which keeps rounding errors small.
const BLOCK: usize = 4096;

/// Subtracts the mean.
pub fn demean(x: &mut [f64]) {
    let Some(&pivot) = x.first() else { return };
    let mean = pivot + sum_from(x, pivot) / x.len() as f64;
    x.iter_mut().for_each(|v| *v -= mean);
}

/// Subtracts the straight line that fits best in the sense of least squares.
///
/// ```
/// let mut x = [3.0, 5.0, 7.0, 9.0];
/// mspass_core::kernel::detrend::linear(&mut x);
/// assert!(x.iter().all(|v| v.abs() < 1e-12));
/// ```
pub fn linear(x: &mut [f64]) {
    let Some(&pivot) = x.first() else { return };
    let n = x.len() as f64;
    let (sum, moment) = moments_from(x, pivot);
    // The sum of (i - centre)^2 over all samples is n (n^2 - 1) / 12.
    let slope = if x.len() > 1 { moment / n * 12.0 / ((n - 1.0) * (n + 1.0)) } else { 0.0 };
    subtract_line(x, pivot + sum / n, slope);
}

/// Subtracts the straight line through the first and the last sample.
pub fn simple(x: &mut [f64]) {
    let (Some(&first), Some(&last)) = (x.first(), x.last()) else { return };
    let slope = if x.len() > 1 { (last - first) / (x.len() - 1) as f64 } else { 0.0 };
    subtract_line(x, first / 2.0 + last / 2.0, slope);
}

/// Subtracts the polynomial of `degree` (at most [`DEGREE_MAX`]) that fits best in the sense of
/// least squares, by projection on the discrete Chebyshev (Gram) polynomials.
///
/// [`Error::Unfit`] when there are not more samples than `degree`.
pub fn polynomial(x: &mut [f64], degree: usize) -> Result<()> {
    if degree > DEGREE_MAX {
        let reason = format!("a polynomial has at most degree {DEGREE_MAX}");
        return Err(Error::parameter("degree", degree, reason));
    }
    let npts = x.len();
    if npts <= degree {
        return Err(Error::unfit(format!(
            "{npts} samples cannot fix a polynomial of degree {degree}"
        )));
    }
    let gram = Gram::new(npts, degree);
    let pivot = x[0];
    let mut coefficients = [0.0; DEGREE_MAX + 1];
    for (b, block) in x.chunks(BLOCK).enumerate() {
        let mut sums = [0.0; DEGREE_MAX + 1];
        for (i, v) in block.iter().enumerate() {
            gram.each(b * BLOCK + i, |k, p| sums[k] += p * (v - pivot));
        }
        for (total, sum) in coefficients.iter_mut().zip(sums) {
            *total += sum;
        }
    }
    for (c, norm) in coefficients.iter_mut().zip(gram.norms) {
        *c /= norm;
    }
    for (i, v) in x.iter_mut().enumerate() {
        let mut trend = pivot;
        gram.each(i, |k, p| trend += coefficients[k] * p);
        *v -= trend;
    }
    Ok(())
}

/// Monic Gram polynomials over `npts` equally spaced points of [-1, 1]:
/// `p[k+1](t) = t p[k](t) - beta[k] p[k-1](t)`.
struct Gram {
    degree: usize,
    centre: f64,
    step: f64,
    betas: [f64; DEGREE_MAX + 1],
    norms: [f64; DEGREE_MAX + 1],
}

impl Gram {
    fn new(npts: usize, degree: usize) -> Self {
        let n = npts as f64;
        let step = 2.0 / n;
        let mut betas = [0.0; DEGREE_MAX + 1];
        let mut norms = [1.0; DEGREE_MAX + 1];
        norms[0] = n;
        for k in 1..=degree {
            let order = k as f64;
            let ratio = (n - order) * (n + order) / (4.0 * (4.0 * order * order - 1.0));
            betas[k] = order * order * ratio * step * step;
            norms[k] = norms[k - 1] * betas[k];
        }
        Self { degree, centre: (n - 1.0) / 2.0, step, betas, norms }
    }

    /// Calls `f(k, p[k])` for the value of every polynomial at point `i`.
    #[inline(always)]
    fn each(&self, i: usize, mut f: impl FnMut(usize, f64)) {
        let t = (i as f64 - self.centre) * self.step;
        let (mut before, mut p) = (0.0, 1.0);
        f(0, p);
        for k in 1..=self.degree {
            (before, p) = (p, t * p - self.betas[k - 1] * before);
            f(k, p);
        }
    }
}

/// Sum of `x - pivot`.
fn sum_from(x: &[f64], pivot: f64) -> f64 {
    let block_sum = |block: &[f64]| {
        let (whole, rest) = block.as_chunks::<LANES>();
        let mut sums = [0.0; LANES];
        for chunk in whole {
            for (sum, v) in sums.iter_mut().zip(chunk) {
                *sum += v - pivot;
            }
        }
        sums.iter().sum::<f64>() + rest.iter().map(|v| v - pivot).sum::<f64>()
    };
    x.chunks(BLOCK).map(block_sum).sum()
}

/// Sums of `x - pivot` and of `(i - centre) (x - pivot)`.
fn moments_from(x: &[f64], pivot: f64) -> (f64, f64) {
    let centre = (x.len() as f64 - 1.0) / 2.0;
    let mut total = (0.0, 0.0);
    for (b, block) in x.chunks(BLOCK).enumerate() {
        let (sum, moment) = block_moments(block, pivot);
        total.0 += sum;
        total.1 += moment + ((b * BLOCK) as f64 - centre) * sum;
    }
    total
}

/// Sums of `x - pivot` and of `i (x - pivot)`.
fn block_moments(x: &[f64], pivot: f64) -> (f64, f64) {
    let (mut sums, mut moments) = ([0.0; LANES], [0.0; LANES]);
    let (whole, rest) = x.as_chunks::<LANES>();
    let mut start = 0.0;
    for chunk in whole {
        for ((sum, moment), v) in sums.iter_mut().zip(&mut moments).zip(chunk) {
            let v = v - pivot;
            *sum += v;
            *moment += start * v;
        }
        start += LANES as f64;
    }
    for ((sum, moment), v) in sums.iter_mut().zip(&mut moments).zip(rest) {
        *sum += v - pivot;
        *moment += start * (v - pivot);
    }
    let within: f64 = sums.iter().enumerate().map(|(k, sum)| k as f64 * sum).sum();
    (sums.iter().sum(), moments.iter().sum::<f64>() + within)
}

/// Subtracts the line that has the value `middle` in the middle of `x`.
fn subtract_line(x: &mut [f64], middle: f64, slope: f64) {
    let centre = (x.len() as f64 - 1.0) / 2.0;
    let mut t: [f64; LANES] = std::array::from_fn(|k| k as f64 - centre);
    let (whole, rest) = x.as_chunks_mut::<LANES>();
    for chunk in whole {
        for k in 0..LANES {
            chunk[k] -= middle + slope * t[k];
            t[k] += LANES as f64;
        }
    }
    for (v, t) in rest.iter_mut().zip(t) {
        *v -= middle + slope * t;
    }
}
