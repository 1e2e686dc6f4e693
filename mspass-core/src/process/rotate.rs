//! Rotations of seismograms.

use serde::{Deserialize, Serialize};

use crate::datum::Datum;
use crate::error::{Error, Result};
use crate::metadata::Metadata;
use crate::process::{Facts, Process, Scratch, by_name};
use crate::series::{Direction, Seismogram, Slowness, TimeSeries};

/// A number given once for all data, or the metadata key under which each datum has its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Angle {
    /// Degrees.
    Degrees(f64),
    /// A metadata key that holds degrees.
    Key(String),
}

impl From<f64> for Angle {
    fn from(degrees: f64) -> Self {
        Self::Degrees(degrees)
    }
}

impl From<&str> for Angle {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl Angle {
    fn degrees(&self, metadata: &Metadata) -> Result<f64> {
        let name = match self {
            Self::Degrees(degrees) => return Ok(*degrees),
            Self::Key(name) => name,
        };
        let value = metadata.get(name);
        value.and_then(|value| f64::try_from(value).ok()).ok_or_else(|| {
            let found = value.map_or("nothing", crate::metadata::Value::kind);
            Error::unfit(format!("metadata key '{name}' holds {found}, not degrees"))
        })
    }

    fn foresee(&self, facts: &Facts) -> Result<()> {
        match self {
            Self::Key(name) if facts.lacks(name) => self.degrees(&Metadata::default()).map(drop),
            _ => Ok(()),
        }
    }

    fn check(&self, parameter: &'static str) -> Result<()> {
        match self {
            Self::Degrees(degrees) if !degrees.is_finite() => {
                Err(Error::parameter(parameter, degrees, "must be finite"))
            }
            Self::Key(name) if name.is_empty() => {
                Err(Error::parameter(parameter, "", "must be a number or a metadata key"))
            }
            _ => Ok(()),
        }
    }
}

/// Where [`Rotate`] turns the components to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Turn {
    /// East, north, up.
    Standard,
    /// Transverse, radial and longitudinal to a direction ([`Seismogram::rotate`]).
    Ray(Direction),
    /// Counterclockwise about x3, from wherever they are ([`Seismogram::rotate_horizontals`]).
    Horizontals {
        /// By this angle, radians.
        phi_radians: f64,
    },
    /// By a matrix, from wherever they are ([`Seismogram::transform`]).
    Matrix([[f64; 3]; 3]),
    /// Radial, transverse, up ([`Seismogram::transform_to_rtz`]).
    Rtz {
        /// The direction the wave comes from, clockwise from north.
        back_azimuth: Angle,
    },
    /// Longitudinal, Q, transverse ([`Seismogram::transform_to_lqt`]).
    Lqt {
        /// The direction the wave comes from, clockwise from north.
        back_azimuth: Angle,
        /// The angle from up at which it emerges.
        emergence: Angle,
    },
    /// SH, SV, P without the free surface ([`Seismogram::free_surface_transformation`]).
    FreeSurface {
        /// Slowness of the wave.
        slowness: Slowness,
        /// P velocity at the surface, km/s.
        vp: f64,
        /// S velocity at the surface, km/s.
        vs: f64,
    },
}

/// Rotates or transforms the components of a seismogram.
///
/// ```
/// use mspass_core::Datum;
/// use mspass_core::process::{Process, Rotate, Scratch};
/// use mspass_core::series::Seismogram;
/// let mut seismogram = Seismogram::default();
/// seismogram.metadata_mut().insert("seaz", 123.4); // as MsPASS calls the back azimuth
/// let rotated = Rotate::to_rtz("seaz").apply(&mut seismogram, &mut Scratch::default()).unwrap();
/// assert!(rotated.is_orthogonal() && !rotated.is_cardinal());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rotate {
    /// Where to.
    pub to: Turn,
}

impl Rotate {
    /// To east, north, up.
    pub const fn to_standard() -> Self {
        Self { to: Turn::Standard }
    }

    /// To radial, transverse, up.
    pub fn to_rtz(back_azimuth: impl Into<Angle>) -> Self {
        Self { to: Turn::Rtz { back_azimuth: back_azimuth.into() } }
    }

    /// To longitudinal, Q, transverse.
    pub fn to_lqt(back_azimuth: impl Into<Angle>, emergence: impl Into<Angle>) -> Self {
        Self { to: Turn::Lqt { back_azimuth: back_azimuth.into(), emergence: emergence.into() } }
    }
}

impl Process<Seismogram> for Rotate {
    type Output = Seismogram;

    fn name(&self) -> &str {
        "rotate"
    }

    fn parameters(&self) -> serde_json::Value {
        by_name(self)
    }

    /// Tries it on a seismogram without samples.
    fn check(&self) -> Result<()> {
        let mut probe = Seismogram::default();
        match &self.to {
            Turn::Rtz { back_azimuth } => back_azimuth.check("back_azimuth"),
            Turn::Lqt { back_azimuth, emergence } => {
                back_azimuth.check("back_azimuth")?;
                emergence.check("emergence")
            }
            _ => self.turn(&mut probe),
        }
    }

    fn foresee(&self, facts: &mut Facts) -> Result<()> {
        match &self.to {
            Turn::Rtz { back_azimuth } => back_azimuth.foresee(facts),
            Turn::Lqt { back_azimuth, emergence } => {
                back_azimuth.foresee(facts)?;
                emergence.foresee(facts)
            }
            _ => Ok(()),
        }
    }

    fn apply(&self, datum: &mut Seismogram, _: &mut Scratch) -> Result<Seismogram> {
        self.turn(datum)?;
        Ok(std::mem::take(datum))
    }
}

impl Rotate {
    fn turn(&self, datum: &mut Seismogram) -> Result<()> {
        match &self.to {
            Turn::Standard => datum.rotate_to_standard(),
            Turn::Ray(direction) => datum.rotate(*direction),
            Turn::Horizontals { phi_radians } => datum.rotate_horizontals(*phi_radians),
            Turn::Matrix(matrix) => datum.transform(*matrix),
            Turn::Rtz { back_azimuth } => {
                datum.transform_to_rtz(back_azimuth.degrees(datum.metadata())?)
            }
            Turn::Lqt { back_azimuth, emergence } => {
                let angle = |angle: &Angle| angle.degrees(datum.metadata());
                let (back_azimuth, emergence) = (angle(back_azimuth)?, angle(emergence)?);
                datum.transform_to_lqt(back_azimuth, emergence)
            }
            Turn::FreeSurface { slowness, vp, vs } => {
                datum.free_surface_transformation(*slowness, *vp, *vs)
            }
        }
    }
}

/// Takes one component of a seismogram.
///
/// ```
/// use mspass_core::process::{Extract, Process, Scratch};
/// use mspass_core::series::Seismogram;
/// let vertical = Extract { component: 2 };
/// let trace = vertical.apply(&mut Seismogram::default(), &mut Scratch::default()).unwrap();
/// assert_eq!(trace.id.channel(), "Z");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extract {
    /// Its number: 0, 1 or 2.
    pub component: usize,
}

impl Process<Seismogram> for Extract {
    type Output = TimeSeries;

    fn name(&self) -> &str {
        "extract"
    }

    fn parameters(&self) -> serde_json::Value {
        by_name(self)
    }

    fn check(&self) -> Result<()> {
        Seismogram::default().extract(self.component).map(drop)
    }

    fn foresee(&self, _: &mut Facts) -> Result<()> {
        Ok(())
    }

    fn apply(&self, datum: &mut Seismogram, _: &mut Scratch) -> Result<TimeSeries> {
        datum.extract(self.component)
    }
}
