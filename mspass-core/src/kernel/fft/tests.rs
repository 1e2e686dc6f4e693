use std::f64::consts::PI;

use proptest::prelude::*;

use super::*;

/// Reproducible noise in -1 to 1.
fn noise(npts: usize, mut seed: u64) -> Vec<f64> {
    let next = || {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    std::iter::repeat_with(next).take(npts).collect()
}

/// The transform over a plan of exactly this length.
fn exact(x: &[f64]) -> Vec<Complex64> {
    let plan = RealFftPlanner::new().plan_fft_forward(x.len());
    let mut bins = plan.make_output_vec();
    plan.process(&mut x.to_vec(), &mut bins).unwrap();
    bins
}

fn largest<T>(values: &[T], size: impl Fn(&T) -> f64) -> f64 {
    values.iter().map(size).fold(0.0, f64::max)
}

#[test]
fn small_transform_is_the_sum_it_stands_for() {
    let x = noise(7, 1);
    let mut scratch = Scratch::new();
    scratch.forward(&mut x.clone(), 4);
    for (k, bin) in scratch.spectrum.iter().enumerate() {
        let term = |(n, v): (usize, &f64)| Complex64::cis(-2.0 * PI * (n * k) as f64 / 7.0) * v;
        let sum: Complex64 = x.iter().enumerate().map(term).sum();
        assert!((bin - sum).norm() < 1e-14, "bin {k} is {bin} instead of {sum}");
    }
}

#[test]
fn grids_are_large_enough_and_smooth() {
    for npts in (DIRECT_MAX..400_000).step_by(997) {
        let grid = gridding::grid_for(npts);
        let ratio = grid as f64 / npts as f64;
        assert!((1.35..1.35 * 1.13).contains(&ratio), "{grid} points for {npts} samples");
        assert!(grid.is_multiple_of(16) && is_smooth(grid), "{grid}");
    }
}

#[test]
fn buffers_of_a_large_datum_are_given_back() {
    let mut buffer = Vec::new();
    assert_eq!(fit(&mut buffer, 4 * BUFFER_KEPT, 0.0).len(), 4 * BUFFER_KEPT);
    assert_eq!(fit(&mut buffer, BUFFER_KEPT / 2, 0.0).len(), BUFFER_KEPT / 2);
    assert!(buffer.capacity() >= 4 * BUFFER_KEPT);
    assert_eq!(fit(&mut buffer, BUFFER_KEPT / 8, 0.0).len(), BUFFER_KEPT / 8);
    assert!(buffer.capacity() < 2 * BUFFER_KEPT, "{}", buffer.capacity());
    fit(&mut buffer, 1, 0.0);
    assert!(buffer.capacity() >= BUFFER_KEPT);
}

#[test]
fn the_least_recently_used_plan_goes_first() {
    let mut plans = Plans::default();
    for npts in 1..=PLANS_MAX {
        plans.forward(npts);
    }
    plans.forward(1);
    plans.inverse(1);
    assert_eq!(plans.kept.len(), PLANS_MAX);
    let kept = |npts| plans.kept.iter().any(|kept| kept.npts == npts);
    assert!(kept(1) && kept(3) && !kept(2));
}

#[test]
fn plans_are_bounded_by_their_points() {
    let mut plans = Plans::default();
    let half = PLAN_POINTS_MAX / 2;
    plans.forward(half);
    plans.inverse(half);
    plans.forward(16);
    plans.inverse(16);
    assert_eq!(plans.kept.len(), PLANS_LEAST);
    plans.forward(32);
    let mut kept: Vec<usize> = plans.kept.iter().map(|kept| kept.npts).collect();
    kept.sort_unstable();
    assert_eq!(kept, [16, 16, 32, half]);
}

#[test]
fn a_used_scratch_plans_and_allocates_nothing_more() {
    let mut scratch = Scratch::new();
    let mut x = noise(5003, 2);
    let mut out = vec![0.0; 3001];
    let mut turn = |scratch: &mut Scratch| {
        scratch.forward(&mut x, 1501);
        scratch.inverse(&mut out);
        let buffers = [scratch.samples.as_ptr().addr(), scratch.spectrum.as_ptr().addr()];
        (scratch.plans.kept.len(), buffers)
    };
    let first = turn(&mut scratch);
    assert_eq!(turn(&mut scratch), first);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_grid_gives_the_exact_transform(npts in DIRECT_MAX..30_000, seed: u64) {
        let x = noise(npts, seed);
        let expected = exact(&x);
        let mut scratch = Scratch::new();
        scratch.spectrum = vec![Complex64::ZERO; npts / 2 + 1];
        scratch.forward_over_grid(&x);
        let error = scratch.spectrum.iter().zip(&expected).map(|(a, b)| (a - b).norm());
        let relative = error.fold(0.0, f64::max) / largest(&expected, |bin| bin.norm());
        prop_assert!(relative < 1e-11, "{npts} samples: {relative:e}");
    }

    #[test]
    fn a_grid_gives_the_samples_back(npts in DIRECT_MAX..30_000, seed: u64) {
        let x = noise(npts, seed);
        let mut scratch = Scratch::new();
        scratch.spectrum = exact(&x);
        let mut out = vec![0.0; npts];
        scratch.inverse_over_grid(&mut out);
        let error = out.iter().zip(&x).map(|(a, b)| (a / npts as f64 - b).abs());
        let relative = error.fold(0.0, f64::max);
        prop_assert!(relative < 1e-11, "{npts} samples: {relative:e}");
    }

    #[test]
    fn forward_and_inverse_undo_each_other(npts in 1usize..6000, seed: u64) {
        let x = noise(npts, seed);
        let mut scratch = Scratch::new();
        scratch.forward(&mut x.clone(), npts);
        let mut out = vec![0.0; npts];
        scratch.inverse(&mut out);
        let error = out.iter().zip(&x).map(|(a, b)| (a / npts as f64 - b).abs());
        prop_assert!(error.fold(0.0, f64::max) < 1e-11);
    }
}
