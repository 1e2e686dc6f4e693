//! Transformations of three components.

use crate::error::{Error, Result};

/// Rows of a 3 x 3 matrix.
pub(super) type Matrix = [[f64; 3]; 3];

/// The transformation that changes nothing.
pub(super) const IDENTITY: Matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

/// A determinant below this, relative to the lengths of the rows, makes a matrix singular.
const SINGULAR_BELOW: f64 = 1e-12;

/// The product `a b`.
pub(super) fn product(a: &Matrix, b: &Matrix) -> Matrix {
    let column = |j: usize| [b[0][j], b[1][j], b[2][j]];
    a.map(|row| [dot(&row, &column(0)), dot(&row, &column(1)), dot(&row, &column(2))])
}

/// Rows for columns.
pub(super) fn transposed(m: &Matrix) -> Matrix {
    [0, 1, 2].map(|j| [m[0][j], m[1][j], m[2][j]])
}

/// The inverse by cofactors; an error when the rows lie (almost) in a plane.
pub(super) fn inverse(m: &Matrix) -> Result<Matrix> {
    let [a, b, c] = m;
    let cofactors = [cross(b, c), cross(c, a), cross(a, b)];
    let determinant = dot(a, &cofactors[0]);
    let lengths: f64 = m.iter().map(|row| dot(row, row).sqrt()).product();
    if !(determinant.abs() > SINGULAR_BELOW * lengths && determinant.is_finite()) {
        return Err(Error::unfit(format!(
            "the transformation matrix {m:?} is singular: its components lie in one plane"
        )));
    }
    Ok(transposed(&cofactors.map(|row| row.map(|x| x / determinant))))
}

/// Whether every element of the two differs by no more than `tolerance`.
pub(super) fn agree(a: &Matrix, b: &Matrix, tolerance: f64) -> bool {
    a.as_flattened().iter().zip(b.as_flattened()).all(|(a, b)| (a - b).abs() <= tolerance)
}

/// Applies `m` to every sample of three components of one length.
pub(super) fn apply(m: &Matrix, [x, y, z]: [&mut [f64]; 3]) {
    for ((x, y), z) in x.iter_mut().zip(y).zip(z) {
        let vector = [*x, *y, *z];
        [*x, *y, *z] = [dot(&m[0], &vector), dot(&m[1], &vector), dot(&m[2], &vector)];
    }
}

fn dot(a: &[f64; 3], b: &[f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: &[f64; 3], b: &[f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}
