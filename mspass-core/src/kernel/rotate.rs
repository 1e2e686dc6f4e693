//! Rotation of three-component data, in place: the slices take turns in holding old and new axes.
//!
//! Angles are degrees. R points from the event to the station, T to the right of it (ObsPy and
//! SEED); L points along the ray, Q in the plane of L and Z.

use crate::error::{Error, Result};

/// Smallest determinant of three directions that still count as independent.
const DETERMINANT_MIN: f64 = 1e-6;

/// Rows by columns.
pub type Matrix = [[f64; 3]; 3];

/// North and east become radial and transverse for a back azimuth.
///
/// ```
/// let (mut north, mut east) = ([1.0, 0.0], [0.0, 1.0]);
/// mspass_core::kernel::rotate::ne_to_rt(&mut north, &mut east, 180.0).unwrap();
/// let [radial, transverse] = [north, east];
/// assert!((radial[0] - 1.0).abs() < 1e-15 && (transverse[1] - 1.0).abs() < 1e-15);
/// ```
pub fn ne_to_rt(north: &mut [f64], east: &mut [f64], back_azimuth: f64) -> Result<()> {
    let (sine, cosine) = sin_cos("back_azimuth", back_azimuth)?;
    check_lengths(north.len(), &[east.len()])?;
    for (n, e) in north.iter_mut().zip(east) {
        (*n, *e) = (-*e * sine - *n * cosine, -*e * cosine + *n * sine);
    }
    Ok(())
}

/// Radial and transverse become north and east: undoes [`ne_to_rt`].
pub fn rt_to_ne(radial: &mut [f64], transverse: &mut [f64], back_azimuth: f64) -> Result<()> {
    // The matrix of that rotation is its own transpose up to the sign of the angle.
    ne_to_rt(radial, transverse, 360.0 - back_azimuth)
}

/// The matrix that takes (Z, N, E) to (L, Q, T) for a back azimuth and an angle of incidence, which
/// is 0 for a ray that comes up vertically.
pub fn zne_to_lqt_matrix(back_azimuth: f64, incidence: f64) -> Result<Matrix> {
    let (sin_ba, cos_ba) = sin_cos("back_azimuth", back_azimuth)?;
    let (sin_inc, cos_inc) = sin_cos("incidence", incidence)?;
    Ok([
        [cos_inc, -sin_inc * cos_ba, -sin_inc * sin_ba],
        [sin_inc, cos_inc * cos_ba, cos_inc * sin_ba],
        [0.0, sin_ba, -cos_ba],
    ])
}

/// Z, N, E become L, Q, T.
pub fn zne_to_lqt(components: [&mut [f64]; 3], back_azimuth: f64, incidence: f64) -> Result<()> {
    transform(components, &zne_to_lqt_matrix(back_azimuth, incidence)?)
}

/// L, Q, T become Z, N, E: undoes [`zne_to_lqt`].
pub fn lqt_to_zne(components: [&mut [f64]; 3], back_azimuth: f64, incidence: f64) -> Result<()> {
    transform(components, &transposed(&zne_to_lqt_matrix(back_azimuth, incidence)?))
}

/// The direction of an instrument axis as parts along Z, N and E: `azimuth` clockwise from north,
/// `dip` down from the horizontal, as SEED and StationXML give them.
pub fn direction(azimuth: f64, dip: f64) -> Result<[f64; 3]> {
    let (sin_az, cos_az) = sin_cos("azimuth", azimuth)?;
    let (sin_dip, cos_dip) = sin_cos("dip", dip)?;
    Ok([-sin_dip, cos_az * cos_dip, sin_az * cos_dip])
}

/// The matrix that takes components along three axes, given as (azimuth, dip), to (Z, N, E).
///
/// [`Error::Unfit`] when the axes are not independent.
pub fn to_zne_matrix(axes: [(f64, f64); 3]) -> Result<Matrix> {
    let [a, b, c] = axes;
    inverse(&[direction(a.0, a.1)?, direction(b.0, b.1)?, direction(c.0, c.1)?])
}

/// Components along three axes, given as (azimuth, dip), become Z, N, E.
///
/// [`Error::Unfit`] when the axes are not independent.
pub fn to_zne(components: [&mut [f64]; 3], axes: [(f64, f64); 3]) -> Result<()> {
    transform(components, &to_zne_matrix(axes)?)
}

/// Multiplies the three components of every sample by a matrix.
///
/// [`Error::Unfit`] when the components differ in length; they are then as before.
pub fn transform(components: [&mut [f64]; 3], matrix: &Matrix) -> Result<()> {
    let [a, b, c] = components;
    check_lengths(a.len(), &[b.len(), c.len()])?;
    let [p, q, r] = *matrix;
    for ((a, b), c) in a.iter_mut().zip(b).zip(c) {
        (*a, *b, *c) = (
            p[0] * *a + p[1] * *b + p[2] * *c,
            q[0] * *a + q[1] * *b + q[2] * *c,
            r[0] * *a + r[1] * *b + r[2] * *c,
        );
    }
    Ok(())
}

/// The inverse of a matrix.
///
/// [`Error::Unfit`] when its rows are not independent (or not finite).
pub fn inverse(matrix: &Matrix) -> Result<Matrix> {
    let [a, b, c] = *matrix;
    let columns = [cross(b, c), cross(c, a), cross(a, b)];
    let determinant = dot(a, columns[0]);
    let size: f64 = [a, b, c].iter().map(|row| dot(*row, *row).sqrt()).product();
    if !determinant.is_finite() || determinant.abs() <= DETERMINANT_MIN * size {
        let reason = format!("three directions are not independent: determinant {determinant:e}");
        return Err(Error::unfit(reason));
    }
    Ok(transposed(&columns.map(|column| column.map(|v| v / determinant))))
}

/// Rows as columns.
pub fn transposed(matrix: &Matrix) -> Matrix {
    let [a, b, c] = *matrix;
    [[a[0], b[0], c[0]], [a[1], b[1], c[1]], [a[2], b[2], c[2]]]
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn sin_cos(parameter: &'static str, degrees: f64) -> Result<(f64, f64)> {
    if degrees.is_finite() {
        return Ok(degrees.to_radians().sin_cos());
    }
    Err(Error::parameter(parameter, degrees, "an angle is finite"))
}

fn check_lengths(npts: usize, others: &[usize]) -> Result<()> {
    if others.iter().all(|other| *other == npts) {
        return Ok(());
    }
    Err(Error::unfit(format!("components of {npts} and {others:?} samples do not go together")))
}
