//! What the kernels promise beyond the golden answers.

use std::f64::consts::PI;

use proptest::prelude::*;

use super::interpolate::Grid;
use super::*;
use crate::Error;

mod edges;
mod filters;
mod noise;
mod shapes;

/// Reproducible noise in -1 to 1.
fn noise(npts: usize, seed: u64) -> Vec<f64> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    std::iter::repeat_with(next).take(npts).collect()
}

fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn assert_close(a: &[f64], b: &[f64], tolerance: f64) {
    let difference = largest_difference(a, b);
    assert!(difference <= tolerance, "difference {difference:e}");
}
