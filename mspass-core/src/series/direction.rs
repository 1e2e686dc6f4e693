//! Directions and slownesses in the geographic frame east, north, up.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A direction in spherical coordinates.
///
/// ```
/// use mspass_core::series::Direction;
/// let north = Direction::of_vector([0.0, 2.0, 0.0]).unwrap();
/// assert!((north.azimuth_degrees()).abs() < 1e-12);
/// assert!((north.theta_radians.to_degrees() - 90.0).abs() < 1e-12);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Direction {
    /// Angle from up, radians.
    pub theta_radians: f64,
    /// Angle from east, counterclockwise seen from above, radians: a right angle less the azimuth.
    pub phi_radians: f64,
}

impl Direction {
    /// The direction of a vector east, north, up; an error when it has no length.
    pub fn of_vector([east, north, up]: [f64; 3]) -> Result<Self> {
        let horizontal = east.hypot(north);
        let length = horizontal.hypot(up);
        if !(length.is_finite() && length > 0.0) {
            return Err(Error::unfit("a vector without length has no direction"));
        }
        Ok(Self { theta_radians: horizontal.atan2(up), phi_radians: north.atan2(east) })
    }

    /// The direction that a channel of SEED azimuth (degrees clockwise from north, MsPASS `hang`)
    /// and tilt (degrees from up, MsPASS `vang`, that is dip + 90) senses.
    pub fn of_channel(azimuth_degrees: f64, tilt_degrees: f64) -> Self {
        Self {
            theta_radians: tilt_degrees.to_radians(),
            phi_radians: (90.0 - azimuth_degrees).to_radians(),
        }
    }

    /// The vector of length 1 east, north, up.
    pub fn unit_vector(&self) -> [f64; 3] {
        let (sin_theta, cos_theta) = self.theta_radians.sin_cos();
        let (sin_phi, cos_phi) = self.phi_radians.sin_cos();
        [sin_theta * cos_phi, sin_theta * sin_phi, cos_theta]
    }

    /// Azimuth in degrees clockwise from north, 0 to 360.
    pub fn azimuth_degrees(&self) -> f64 {
        (90.0 - self.phi_radians.to_degrees()).rem_euclid(360.0)
    }
}

/// Horizontal slowness of a plane wave, in the direction of propagation.
///
/// ```
/// use mspass_core::series::Slowness;
/// let slowness = Slowness { ux: 0.0, uy: -0.06 };
/// assert_eq!(slowness.azimuth_degrees(), Some(180.0));
/// assert_eq!(slowness.back_azimuth_degrees(), Some(0.0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Slowness {
    /// Eastward slowness, s/km.
    pub ux: f64,
    /// Northward slowness, s/km.
    pub uy: f64,
}

impl Slowness {
    /// Its length, s/km.
    pub fn magnitude(&self) -> f64 {
        self.ux.hypot(self.uy)
    }

    /// Direction of propagation, degrees clockwise from north, 0 to 360; `None` for a vertical
    /// wave.
    pub fn azimuth_degrees(&self) -> Option<f64> {
        let vertical = self.ux == 0.0 && self.uy == 0.0;
        (!vertical).then(|| self.ux.atan2(self.uy).to_degrees().rem_euclid(360.0))
    }

    /// Direction that the wave comes from, degrees clockwise from north, 0 to 360.
    pub fn back_azimuth_degrees(&self) -> Option<f64> {
        self.azimuth_degrees().map(|azimuth| (azimuth + 180.0).rem_euclid(360.0))
    }
}

impl std::ops::Add for Slowness {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { ux: self.ux + other.ux, uy: self.uy + other.uy }
    }
}

impl std::ops::Sub for Slowness {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self { ux: self.ux - other.ux, uy: self.uy - other.uy }
    }
}
