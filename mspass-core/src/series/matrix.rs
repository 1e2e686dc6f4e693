//! Transformation matrices of three components.

use crate::kernel::rotate::{Matrix, transposed};

/// The transformation that changes nothing.
pub(super) const IDENTITY: Matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

/// The product `a b`.
pub(super) fn product(a: &Matrix, b: &Matrix) -> Matrix {
    let columns = transposed(b);
    let dot = |row: [f64; 3], column: [f64; 3]| {
        row[0] * column[0] + row[1] * column[1] + row[2] * column[2]
    };
    a.map(|row| columns.map(|column| dot(row, column)))
}

/// Whether no element of the two differs by more than `tolerance`.
pub(crate) fn agree(a: &Matrix, b: &Matrix, tolerance: f64) -> bool {
    a.as_flattened().iter().zip(b.as_flattened()).all(|(a, b)| (a - b).abs() <= tolerance)
}
