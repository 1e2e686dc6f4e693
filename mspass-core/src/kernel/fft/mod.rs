//! Fourier transforms of real samples, of any length, with plans and buffers kept by the caller.
//!
//! Lengths up to [`DIRECT_MAX`] and lengths whose prime factors are 2, 3, 5 and 7 are transformed
//! as they are; any other length (a piece of an hour has hundreds of them) goes over a longer
//! smooth grid (`gridding`), so that pieces of nearly the same length share one plan.

use std::fmt;
use std::sync::Arc;

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::num_complex::Complex64;

mod gridding;

#[cfg(test)]
mod tests;

/// Most plans kept in a [`Scratch`]; the least recently used one goes first.
pub const PLANS_MAX: usize = 16;

/// Most points of all plans kept in a [`Scratch`] together (about 12 bytes each), not counting the
/// [`PLANS_LEAST`] used last.
pub const PLAN_POINTS_MAX: usize = 1 << 22;

/// Plans kept however large they are: as many as one resampling uses.
pub const PLANS_LEAST: usize = 4;

/// Longest transform that is never done over a grid.
pub const DIRECT_MAX: usize = 2048;

/// Elements that a buffer keeps however few are needed; a larger one shrinks when less than a
/// sixteenth of it is needed.
pub const BUFFER_KEPT: usize = 1 << 20;

/// Plans and buffers of the kernels that need them; keep one per thread.
///
/// After the first datum of a kind nothing is allocated any more. What is kept is bounded by
/// [`PLANS_MAX`], [`PLAN_POINTS_MAX`] and the largest of the recent data.
#[derive(Default)]
pub struct Scratch {
    plans: Plans,
    /// Samples of the grid; free for any other kernel between transforms.
    pub(super) samples: Vec<f64>,
    /// The spectrum that [`Scratch::forward`] leaves and [`Scratch::inverse`] takes.
    pub(super) spectrum: Vec<Complex64>,
    /// A spectrum kept while another one is made.
    pub(super) held: Vec<Complex64>,
    grid: Vec<Complex64>,
    work: Vec<Complex64>,
}

impl Scratch {
    /// Nothing yet: plans and buffers come with use.
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves the first `bins` bins (at most `x.len() / 2 + 1`) of the Fourier transform of `x`,
    /// not scaled, in `self.spectrum`. What `x` holds afterwards has no meaning.
    pub(super) fn forward(&mut self, x: &mut [f64], bins: usize) {
        let bins = if x.is_empty() { 0 } else { bins.min(x.len() / 2 + 1) };
        fit(&mut self.spectrum, bins, Complex64::ZERO);
        self.spectrum.truncate(bins);
        if bins == 0 {
            return;
        }
        if is_direct(x.len()) {
            let plan = self.plans.forward(x.len());
            let all = fit(&mut self.grid, x.len() / 2 + 1, Complex64::ZERO);
            let work = fit(&mut self.work, plan.get_scratch_len(), Complex64::ZERO);
            plan.process_with_scratch(x, all, work).expect("buffers have the lengths of the plan");
            self.spectrum.copy_from_slice(&all[..bins]);
        } else {
            self.forward_over_grid(x);
        }
    }

    /// Writes to `out` the inverse Fourier transform, not scaled, of the spectrum of a real signal
    /// whose first bins are `self.spectrum`; bins beyond those are zero. Afterwards `self.spectrum`
    /// has no meaning.
    pub(super) fn inverse(&mut self, out: &mut [f64]) {
        let npts = out.len();
        if npts == 0 {
            return;
        }
        self.spectrum.resize(npts / 2 + 1, Complex64::ZERO);
        self.spectrum[0].im = 0.0;
        if npts.is_multiple_of(2) {
            self.spectrum[npts / 2].im = 0.0;
        }
        if is_direct(npts) {
            let plan = self.plans.inverse(npts);
            let work = fit(&mut self.work, plan.get_scratch_len(), Complex64::ZERO);
            plan.process_with_scratch(&mut self.spectrum, out, work)
                .expect("buffers have the lengths of the plan");
        } else {
            self.inverse_over_grid(out);
        }
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch").field("plans", &self.plans).finish_non_exhaustive()
    }
}

/// The first `len` elements of `buffer`, whatever they hold; gives memory back where far more was
/// used by an earlier, much larger datum.
pub(super) fn fit<T: Clone>(buffer: &mut Vec<T>, len: usize, zero: T) -> &mut [T] {
    if buffer.capacity() > BUFFER_KEPT && buffer.capacity() / 16 > len {
        buffer.truncate(BUFFER_KEPT.max(len));
        buffer.shrink_to_fit();
    }
    if buffer.len() < len {
        buffer.resize(len, zero);
    }
    &mut buffer[..len]
}

/// Whether a length is transformed as it is.
fn is_direct(npts: usize) -> bool {
    npts <= DIRECT_MAX || is_smooth(npts)
}

/// Whether 2, 3, 5 and 7 are the only prime factors.
fn is_smooth(mut n: usize) -> bool {
    for prime in [2, 3, 5, 7] {
        while n.is_multiple_of(prime) {
            n /= prime;
        }
    }
    n == 1
}

/// The smallest even length from `npts` on that is transformed as it is.
pub(super) fn smooth_from(npts: usize) -> usize {
    let mut length = npts.next_multiple_of(2).max(2);
    while !is_smooth(length) {
        length += 2;
    }
    length
}

/// What is prepared once for a length.
#[derive(Clone)]
enum Plan {
    Forward(Arc<dyn RealToComplex<f64>>),
    Inverse(Arc<dyn ComplexToReal<f64>>),
    /// Factors that undo the kernel of a grid of this length.
    Correction(Arc<[f64]>),
}

struct Kept {
    npts: usize,
    used: u64,
    plan: Plan,
}

/// The plans used last.
#[derive(Default)]
struct Plans {
    kept: Vec<Kept>,
    uses: u64,
}

impl Plans {
    fn forward(&mut self, npts: usize) -> Arc<dyn RealToComplex<f64>> {
        let found = self.find(npts, |plan| match plan {
            Plan::Forward(plan) => Some(plan.clone()),
            _ => None,
        });
        found.unwrap_or_else(|| {
            // A planner keeps all that it ever planned; so one is made for each plan.
            let plan = RealFftPlanner::new().plan_fft_forward(npts);
            self.keep(npts, Plan::Forward(plan.clone()));
            plan
        })
    }

    fn inverse(&mut self, npts: usize) -> Arc<dyn ComplexToReal<f64>> {
        let found = self.find(npts, |plan| match plan {
            Plan::Inverse(plan) => Some(plan.clone()),
            _ => None,
        });
        found.unwrap_or_else(|| {
            let plan = RealFftPlanner::new().plan_fft_inverse(npts);
            self.keep(npts, Plan::Inverse(plan.clone()));
            plan
        })
    }

    fn correction(&mut self, grid: usize) -> Arc<[f64]> {
        let found = self.find(grid, |plan| match plan {
            Plan::Correction(factors) => Some(factors.clone()),
            _ => None,
        });
        found.unwrap_or_else(|| {
            let factors: Arc<[f64]> = gridding::correction(grid).into();
            self.keep(grid, Plan::Correction(factors.clone()));
            factors
        })
    }

    fn find<T>(&mut self, npts: usize, pick: impl Fn(&Plan) -> Option<T>) -> Option<T> {
        self.uses += 1;
        let uses = self.uses;
        self.kept.iter_mut().filter(|kept| kept.npts == npts).find_map(|kept| {
            let found = pick(&kept.plan)?;
            kept.used = uses;
            Some(found)
        })
    }

    fn keep(&mut self, npts: usize, plan: Plan) {
        let points = |kept: &[Kept]| npts + kept.iter().map(|kept| kept.npts).sum::<usize>();
        while self.kept.len() >= PLANS_MAX
            || self.kept.len() >= PLANS_LEAST && points(&self.kept) > PLAN_POINTS_MAX
        {
            let oldest = self.kept.iter().enumerate().min_by_key(|(_, kept)| kept.used);
            if let Some((oldest, _)) = oldest {
                self.kept.swap_remove(oldest);
            }
        }
        self.kept.push(Kept { npts, used: self.uses, plan });
    }
}

impl fmt::Debug for Plans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.kept.iter().map(|kept| kept.npts)).finish()
    }
}
