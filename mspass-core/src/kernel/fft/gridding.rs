//! Fourier transforms of awkward lengths over a longer, smooth grid.
//!
//! The bin `k` of a transform of `npts` samples lies at `k grid / npts` on the frequency axis of a
//! transform of `grid` points. Samples are divided by the transform of a kernel that is [`WIDTH`]
//! grid points wide, padded with zeros and transformed; each wanted bin is then a weighted sum of
//! the
//! [`WIDTH`] grid points about it. The inverse does the same steps backwards. The kernel is
//! Kaiser's (I0-sinh; Jackson et al., IEEE Trans. Med. Imaging 10, 1991), the scheme that of the
//! non-uniform fast Fourier transform (Fessler and Sutton, IEEE Trans. Signal Process. 51, 2003);
//! the error is about 1e-12 of the largest value. Preparation depends on the grid alone.

use std::f64::consts::PI;
use std::sync::LazyLock;

use rustfft::num_complex::Complex64;

use super::{Scratch, fit};

/// Grid points under the kernel.
const WIDTH: usize = 20;

/// A grid has at least this many points per sample.
const OVERSAMPLING: f64 = 1.35;

/// Shape of the kernel, best for [`WIDTH`] and [`OVERSAMPLING`].
const BETA: f64 = PI * WIDTH as f64 * (1.0 - 0.5 / OVERSAMPLING);

/// Rows of [`WEIGHTS`] per grid point.
const ROWS: usize = 1024;

/// Grid points kept on either side of the spectrum for what the kernel reaches there.
const MARGIN: usize = WIDTH / 2;

/// The kernel at `row / ROWS` of a grid point (the first row is -1) and each point under it, 1 at
/// the centre. Just outside its support the kernel goes on smoothly enough for interpolation.
static WEIGHTS: LazyLock<Vec<[f64; WIDTH]>> = LazyLock::new(|| {
    let centre = bessel_i0_of_square(BETA * BETA);
    let weight = |distance: f64| {
        let relative = 2.0 * distance / WIDTH as f64;
        bessel_i0_of_square(BETA * BETA * (1.0 - relative * relative)) / centre
    };
    let row = |row: usize| {
        let fraction = (row as f64 - 1.0) / ROWS as f64;
        std::array::from_fn(|j| weight(fraction + (MARGIN - 1) as f64 - j as f64))
    };
    (0..ROWS + 3).map(row).collect()
});

/// The modified Bessel function I0 of the square root of `square`, by its power series.
fn bessel_i0_of_square(square: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for k in 1..200 {
        term *= square / (4.0 * (k * k) as f64);
        sum += term;
        if f64::abs(term) < 1e-17 * sum {
            break;
        }
    }
    sum
}

/// Factors that undo the kernel for samples `0..=grid / (2 OVERSAMPLING)` away from the origin.
pub(super) fn correction(grid: usize) -> Vec<f64> {
    let reach = (grid as f64 / (2.0 * OVERSAMPLING)) as usize;
    let scale = bessel_i0_of_square(BETA * BETA) / WIDTH as f64;
    let factor = |i: usize| {
        let t = PI * WIDTH as f64 * i as f64 / grid as f64;
        let root = (BETA * BETA - t * t).sqrt();
        // Half an exponential is the hyperbolic sine of a root of 30 or more.
        2.0 * scale * root * (-root).exp()
    };
    (0..=reach).map(factor).collect()
}

/// The grid for `npts` samples: a multiple of 16 whose other prime factors are 2, 3 and at most one
/// 5, which transforms fastest.
pub(super) fn grid_for(npts: usize) -> usize {
    let least = ((npts as f64 * OVERSAMPLING) as usize + 1).div_ceil(16);
    let mut best = least.next_power_of_two();
    for mut odd in [1, 5] {
        while odd < best {
            best = best.min(odd * least.div_ceil(odd).next_power_of_two());
            odd *= 3;
        }
    }
    16 * best
}

/// Where the bins of a transform lie on the grid: counts up by `grid / npts` without rounding.
struct Positions {
    npts: usize,
    /// Grid points from bin to bin, and the rest of that division.
    step: (usize, usize),
    whole: usize,
    remainder: usize,
    /// Rows of the table per unit of the remainder.
    rows: f64,
}

/// Bins weighed at a time.
const BLOCK: usize = 32;

/// For each of some bins, the first grid point under the kernel and the weights of all of them.
struct Weighed {
    first: [usize; BLOCK],
    weights: [[f64; WIDTH]; BLOCK],
}

impl Default for Weighed {
    fn default() -> Self {
        Self { first: [0; BLOCK], weights: [[0.0; WIDTH]; BLOCK] }
    }
}

impl Positions {
    fn new(npts: usize, grid: usize) -> Self {
        let step = (grid / npts, grid % npts);
        Self { npts, step, whole: 0, remainder: 0, rows: ROWS as f64 / npts as f64 }
    }

    /// The next [`BLOCK`] bins.
    fn next_block(&mut self, table: &[[f64; WIDTH]], block: &mut Weighed) {
        for (first, weights) in block.first.iter_mut().zip(&mut block.weights) {
            *first = self.whole + 1;
            let row = self.remainder as f64 * self.rows;
            let below = (row as usize).min(ROWS - 1);
            let rows =
                table[below..].first_chunk::<4>().expect("the table has rows beyond the last");
            interpolate(rows, row - below as f64, weights);
            self.whole += self.step.0;
            self.remainder += self.step.1;
            if self.remainder >= self.npts {
                self.remainder -= self.npts;
                self.whole += 1;
            }
        }
    }
}

/// Lagrange's cubic through rows at -1, 0, 1 and 2.
#[inline(never)]
fn interpolate(rows: &[[f64; WIDTH]; 4], t: f64, out: &mut [f64; WIDTH]) {
    let (before, after, beyond) = (t + 1.0, t - 1.0, t - 2.0);
    let factors = [
        t * after * beyond / -6.0,
        before * after * beyond / 2.0,
        before * t * beyond / -2.0,
        before * t * after / 6.0,
    ];
    for j in 0..WIDTH {
        out[j] = (factors[0] * rows[0][j] + factors[1] * rows[1][j])
            + (factors[2] * rows[2][j] + factors[3] * rows[3][j]);
    }
}

/// Sum of grid points times weights.
#[inline(never)]
fn gather(points: &[Complex64; WIDTH], weights: &[f64; WIDTH]) -> Complex64 {
    let mut sums = [[0.0; 2]; 4];
    for (points, weights) in points.as_chunks::<4>().0.iter().zip(weights.as_chunks::<4>().0) {
        for i in 0..4 {
            sums[i][0] += weights[i] * points[i].re;
            sums[i][1] += weights[i] * points[i].im;
        }
    }
    Complex64::new(
        (sums[0][0] + sums[1][0]) + (sums[2][0] + sums[3][0]),
        (sums[0][1] + sums[1][1]) + (sums[2][1] + sums[3][1]),
    )
}

/// Adds a bin to grid points by weights.
#[inline(never)]
fn spread(bin: Complex64, points: &mut [Complex64; WIDTH], weights: &[f64; WIDTH]) {
    for (point, weight) in points.iter_mut().zip(weights) {
        *point += bin * weight;
    }
}

impl Scratch {
    /// [`Scratch::forward`] for awkward lengths: fills the bins that `self.spectrum` has.
    pub(super) fn forward_over_grid(&mut self, x: &[f64]) {
        let npts = x.len();
        let points = grid_for(npts);
        let (plan, factors) = (self.plans.forward(points), self.plans.correction(points));
        let samples = fit(&mut self.samples, points, 0.0);
        // Samples of the second half lie before the origin: a transform is periodic.
        let (first, second) = x.split_at(npts.div_ceil(2));
        let (head, rest) = samples.split_at_mut(first.len());
        let (middle, tail) = rest.split_at_mut(points - npts);
        middle.fill(0.0);
        for ((to, v), factor) in head.iter_mut().zip(first).zip(factors.iter()) {
            *to = v * factor;
        }
        for ((to, v), factor) in tail.iter_mut().zip(second).rev().zip(&factors[1..]) {
            *to = v * factor;
        }

        let half = points / 2;
        let grid = fit(&mut self.grid, half + 1 + 2 * MARGIN, Complex64::ZERO);
        let work = fit(&mut self.work, plan.get_scratch_len(), Complex64::ZERO);
        plan.process_with_scratch(samples, &mut grid[MARGIN..=MARGIN + half], work)
            .expect("buffers have the lengths of the plan");
        for i in 1..=MARGIN {
            grid[MARGIN - i] = grid[MARGIN + i].conj();
            grid[MARGIN + half + i] = grid[MARGIN + half - i].conj();
        }

        let mut positions = Positions::new(npts, points);
        let mut block = Weighed::default();
        for bins in self.spectrum.chunks_mut(BLOCK) {
            positions.next_block(&WEIGHTS, &mut block);
            for ((bin, &first), weights) in bins.iter_mut().zip(&block.first).zip(&block.weights) {
                let under = grid[first..].first_chunk().expect("margins hold the kernel");
                *bin = gather(under, weights);
            }
        }
    }

    /// [`Scratch::inverse`] for awkward lengths; the bins of frequency 0 and of an even length's
    /// Nyquist frequency are real.
    pub(super) fn inverse_over_grid(&mut self, out: &mut [f64]) {
        let npts = out.len();
        let points = grid_for(npts);
        let (plan, factors) = (self.plans.inverse(points), self.plans.correction(points));
        let half = points / 2;
        let grid = fit(&mut self.grid, half + 1 + 2 * MARGIN, Complex64::ZERO);
        grid.fill(Complex64::ZERO);
        // These two bins are their own mirror images, which are added below.
        self.spectrum[0] /= 2.0;
        if npts.is_multiple_of(2) {
            self.spectrum[npts / 2] /= 2.0;
        }
        let mut positions = Positions::new(npts, points);
        let mut block = Weighed::default();
        for bins in self.spectrum.chunks(BLOCK) {
            positions.next_block(&WEIGHTS, &mut block);
            for ((&bin, &first), weights) in bins.iter().zip(&block.first).zip(&block.weights) {
                let under = grid[first..].first_chunk_mut().expect("margins hold the kernel");
                spread(bin, under, weights);
            }
        }
        // The grid of a real signal is its own mirror image about 0 and about its end.
        for i in 1..=MARGIN {
            let (low, high) = (grid[MARGIN - i], grid[MARGIN + half + i]);
            grid[MARGIN + i] += low.conj();
            grid[MARGIN + half - i] += high.conj();
        }
        for i in [MARGIN, MARGIN + half] {
            grid[i] = Complex64::new(2.0 * grid[i].re, 0.0);
        }

        let samples = fit(&mut self.samples, points, 0.0);
        let work = fit(&mut self.work, plan.get_scratch_len(), Complex64::ZERO);
        plan.process_with_scratch(&mut grid[MARGIN..=MARGIN + half], samples, work)
            .expect("buffers have the lengths of the plan");
        let (first, second) = out.split_at_mut(npts.div_ceil(2));
        let tail = &samples[points - second.len()..];
        for ((to, v), factor) in first.iter_mut().zip(samples.iter()).zip(factors.iter()) {
            *to = v * factor;
        }
        for ((to, v), factor) in second.iter_mut().zip(tail).rev().zip(&factors[1..]) {
            *to = v * factor;
        }
    }
}
