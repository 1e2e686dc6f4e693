//! Directions of a seismogram's components: rotations, and the way from and to traces.

use crate::elog::{Life, Severity};
use crate::error::{Error, Result};
use crate::history::History;
use crate::id::SeedId;
use crate::kernel::rotate::{self, Matrix};
use crate::metadata::{Metadata, key};
use crate::series::axis::TimeAxis;
use crate::series::direction::{Direction, Slowness};
use crate::series::gaps::Gaps;
use crate::series::matrix::{self, IDENTITY};
use crate::series::seismogram::Seismogram;
use crate::series::time_series::{TimeSeries, overlap_start};

impl Seismogram {
    /// Takes the components back to east, north, up by the inverse of the transformation matrix
    /// (its transpose where it is orthogonal). An error, and nothing changed, when it is singular.
    pub fn rotate_to_standard(&mut self) -> Result<()> {
        self.turn_to(IDENTITY)
    }

    /// Ray coordinates of a direction: after a return to the standard, x3 is the direction itself
    /// (longitudinal), x2 the one perpendicular to it in its vertical plane (radial), and x1 the
    /// horizontal one that makes them right-handed (transverse).
    pub fn rotate(&mut self, direction: Direction) -> Result<()> {
        self.turn_to(ray_frame(direction))
    }

    /// Turns x1 and x2 counterclockwise about x3 by an angle in radians, from wherever they are.
    /// An error when the angle is not finite.
    pub fn rotate_horizontals(&mut self, phi_radians: f64) -> Result<()> {
        let (sin, cos) = phi_radians.sin_cos();
        self.transform([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
    }

    /// Multiplies every vector by `matrix` from the left, from wherever the components are; an
    /// error when an element is not finite.
    pub fn transform(&mut self, matrix: [[f64; 3]; 3]) -> Result<()> {
        if !matrix.as_flattened().iter().all(|element| element.is_finite()) {
            return Err(Error::parameter("matrix", format!("{matrix:?}"), "must be finite"));
        }
        self.multiply(&matrix);
        Ok(())
    }

    /// x1 radial, x2 transverse (radial turned left), x3 up, for a wave that comes from
    /// `back_azimuth_degrees` clockwise from north.
    pub fn transform_to_rtz(&mut self, back_azimuth_degrees: f64) -> Result<()> {
        let (sin, cos) = phi_of_back_azimuth(back_azimuth_degrees).sin_cos();
        self.turn_to([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
    }

    /// x1 longitudinal (upward), x2 = Q (the radial direction tilted downward), x3 transverse
    /// (radial turned left), for a wave that comes from `back_azimuth_degrees` and emerges
    /// `emergence_degrees` from up.
    pub fn transform_to_lqt(
        &mut self,
        back_azimuth_degrees: f64,
        emergence_degrees: f64,
    ) -> Result<()> {
        let [x1, x2, x3] = ray_frame(Direction {
            theta_radians: emergence_degrees.to_radians(),
            phi_radians: phi_of_back_azimuth(back_azimuth_degrees),
        });
        self.turn_to([x3, x2, x1.map(|x| -x)])
    }

    /// Removes the effect of the free surface on a plane wave of this slowness (Kennett 1991, The
    /// removal of free surface interactions from three-component seismograms, Geophys. J. Int. 104,
    /// 153-154): x1 becomes SH, x2 SV, x3 P, not orthogonal.
    ///
    /// `vp` and `vs` are the velocities at the surface, km/s. A vertical wave (slowness zero)
    /// leaves everything as it is. An error when the wave's apparent velocity is not above both
    /// (then it is evanescent).
    pub fn free_surface_transformation(
        &mut self,
        slowness: Slowness,
        vp: f64,
        vs: f64,
    ) -> Result<()> {
        for (parameter, velocity) in [("vp", vp), ("vs", vs)] {
            if !(velocity.is_finite() && velocity > 0.0) {
                return Err(Error::parameter(parameter, velocity, "must be a velocity above 0"));
            }
        }
        let p = slowness.magnitude();
        if p < f64::EPSILON {
            return Ok(());
        }
        if !(p * vp < 1.0 && p * vs < 1.0) {
            return Err(Error::unfit(format!(
                "the apparent velocity {} km/s is not above vp = {vp} and vs = {vs} km/s: the wave \
                 is evanescent",
                1.0 / p
            )));
        }
        let q_p = (1.0 / (vp * vp) - p * p).sqrt();
        let q_s = (1.0 / (vs * vs) - p * p).sqrt();
        let squared = vs * vs * p * p;
        let p_vertical = (1.0 - 2.0 * squared) / (2.0 * vp * q_p);
        let p_radial = p * vs * vs / vp;
        let sv_radial = (1.0 - 2.0 * squared) / (2.0 * vs * q_s);
        let sv_vertical = -p * vs;
        let phi_radians = slowness.uy.atan2(slowness.ux);
        let frame = ray_frame(Direction { theta_radians: 0.0, phi_radians });
        let surface = [[0.5, 0.0, 0.0], [0.0, sv_radial, sv_vertical], [0.0, p_radial, p_vertical]];
        self.turn_to(matrix::product(&surface, &frame))
    }

    /// Brings the components to where `frame` takes east, north, up, from wherever they are.
    fn turn_to(&mut self, frame: Matrix) -> Result<()> {
        if !frame.as_flattened().iter().all(|element| element.is_finite()) {
            return Err(Error::unfit("a direction that is not finite has no components"));
        }
        let present = self.tmatrix();
        if present != frame {
            self.multiply(&matrix::product(&frame, &rotate::inverse(&present)?));
            self.set_tmatrix(frame);
        }
        Ok(())
    }

    /// One component as a trace, named with the letter of its direction (E, N, Z, else 1, 2, 3) and
    /// with its direction in the metadata; an error unless `component` is 0, 1 or 2.
    pub fn extract(&self, component: usize) -> Result<TimeSeries> {
        let (Some(samples), Some(row)) =
            (self.components().get(component).copied(), self.tmatrix().get(component).copied())
        else {
            return Err(Error::parameter("component", component, "must be 0, 1 or 2"));
        };
        let letters = if self.is_cardinal() { ["E", "N", "Z"] } else { ["1", "2", "3"] };
        let channel = format!("{}{}", self.id.channel(), letters[component]);
        let (network, station) = (self.id.network(), self.id.station());
        let mut metadata = self.metadata.clone();
        if let Ok(direction) = Direction::of_vector(row) {
            metadata.put(key::CHANNEL_HANG, direction.azimuth_degrees());
            metadata.put(key::CHANNEL_VANG, direction.theta_radians.to_degrees());
        }
        Ok(TimeSeries {
            id: SeedId::new(network, station, self.id.location(), &channel)?,
            axis: self.axis,
            samples: samples.to_vec(),
            gaps: self.gaps.clone(),
            metadata,
            log: self.log.clone(),
            history: self.history.clone(),
            life: self.life,
        })
    }

    /// Bundles three traces of one station, whose metadata say their directions
    /// ([`key::CHANNEL_HANG`], [`key::CHANNEL_VANG`]), into components in the order given.
    ///
    /// Where they do not start and end with the same sample, the span common to all is taken and
    /// the log says so. Metadata that all three share are kept, their logs and inputs joined.
    ///
    /// # Errors
    /// A dead trace; another station, time standard or calibration; rates that would part by half a
    /// sample over the common span; nothing in common; no direction.
    pub fn from_traces(traces: [TimeSeries; 3]) -> Result<Self> {
        if let Some(dead) = traces.iter().find(|trace| trace.life != Life::Live) {
            return Err(Error::unfit(format!("component {} is dead", dead.id)));
        }
        let id = common_id(&traces)?;
        let (axis, starts, npts) = common_span(&traces)?;
        let mut tmatrix = IDENTITY;
        for (row, trace) in tmatrix.iter_mut().zip(&traces) {
            *row = direction_of(trace)?.unit_vector();
        }
        let mut samples = Vec::with_capacity(3 * npts);
        let mut gaps = Gaps::default();
        for (trace, start) in traces.iter().zip(starts) {
            samples.extend_from_slice(&trace.samples[start..start + npts]);
            let mut theirs = trace.gaps.clone();
            theirs.follow(&trace.axis, &axis, npts);
            gaps.merge(&theirs);
        }
        let mut seismogram = Self::of_planar(id, axis, samples);
        seismogram.set_tmatrix(tmatrix);
        seismogram.gaps = gaps;
        seismogram.metadata = common_metadata(&traces)?;
        seismogram.history = History {
            inputs: traces.iter().flat_map(|trace| trace.history.inputs.iter().copied()).collect(),
            output: traces[0].history.output,
            passages: traces[0].history.passages.clone(),
        };
        traces.iter().for_each(|trace| seismogram.log.append(&trace.log));
        if traces.iter().any(|trace| trace.npts() != npts) {
            let lengths = traces.each_ref().map(TimeSeries::npts);
            let message = format!("components of {lengths:?} samples cut to the {npts} in common");
            seismogram.log.push("bundle", Severity::Complaint, message);
        }
        Ok(seismogram)
    }
}

/// Rows transverse, radial, longitudinal for a direction of propagation.
fn ray_frame(direction: Direction) -> Matrix {
    let (sin_theta, cos_theta) = direction.theta_radians.sin_cos();
    let (sin_phi, cos_phi) = direction.phi_radians.sin_cos();
    [
        [sin_phi, -cos_phi, 0.0],
        [cos_phi * cos_theta, sin_phi * cos_theta, -sin_theta],
        [cos_phi * sin_theta, sin_phi * sin_theta, cos_theta],
    ]
}

/// Angle from east, counterclockwise, in which a wave from a back azimuth travels.
fn phi_of_back_azimuth(degrees: f64) -> f64 {
    (90.0 - (degrees + 180.0)).to_radians()
}

fn direction_of(trace: &TimeSeries) -> Result<Direction> {
    let angle = |key: key::Key<f64>| match trace.metadata.value(key) {
        Ok(Some(degrees)) if degrees.is_finite() => Ok(degrees),
        Ok(_) => Err(Error::unfit(format!("{} has no '{}' in degrees", trace.id, key.name()))),
        Err(error) => Err(Error::unfit(format!("{}: {error}", trace.id))),
    };
    Ok(Direction::of_channel(angle(key::CHANNEL_HANG)?, angle(key::CHANNEL_VANG)?))
}

/// Network, station and location of the three, with what their channel codes begin with.
fn common_id(traces: &[TimeSeries; 3]) -> Result<SeedId> {
    let station = |id: &SeedId| [id.network(), id.station(), id.location()].map(str::to_owned);
    let [network, code, location] = station(&traces[0].id);
    if traces.iter().any(|trace| station(&trace.id) != station(&traces[0].id)) {
        let ids = traces.each_ref().map(|trace| trace.id.to_string());
        return Err(Error::unfit(format!("{} are not of one station", ids.join(", "))));
    }
    let [a, b, c] = traces.each_ref().map(|trace| trace.id.channel());
    let alike = |((x, y), z): ((char, char), char)| (x == y && y == z).then_some(x);
    let channel: String = a.chars().zip(b.chars()).zip(c.chars()).map_while(alike).collect();
    SeedId::new(&network, &code, &location, &channel)
}

/// The axis of the span that all three have, the number of its first sample in each, and its npts.
fn common_span(traces: &[TimeSeries; 3]) -> Result<(TimeAxis, [usize; 3], usize)> {
    let mut offsets = [0; 3];
    for (offset, trace) in offsets.iter_mut().zip(traces) {
        *offset = overlap_start(&traces[0].axis, &trace.axis)?;
    }
    let end_of =
        |(trace, offset): (&TimeSeries, &i64)| offset.saturating_add_unsigned(trace.npts() as u64);
    let first = offsets.iter().copied().max().unwrap_or(0);
    let end = traces.iter().zip(&offsets).map(end_of).min().unwrap_or(0);
    let npts = usize::try_from(end.saturating_sub(first)).unwrap_or(0);
    if npts == 0 {
        return Err(Error::unfit("the three components have no time in common"));
    }
    let rates = traces.each_ref().map(|trace| trace.sampling_rate().value());
    let drift = rates.iter().map(|rate| (rate / rates[0] - 1.0).abs()).fold(0.0, f64::max);
    if drift * npts as f64 > 0.5 {
        return Err(Error::unfit(format!(
            "sampling rates {rates:?} Hz part by more than half a sample over {npts} samples"
        )));
    }
    let starts = offsets.map(|offset| usize::try_from(first.saturating_sub(offset)).unwrap_or(0));
    Ok((traces[0].axis.advanced(first), starts, npts))
}

/// What all three metadata agree on, without the directions; an error when they differ in `calib`.
fn common_metadata(traces: &[TimeSeries; 3]) -> Result<Metadata> {
    let [first, others @ ..] = traces.each_ref().map(|trace| &trace.metadata);
    if others.iter().any(|other| other.get(key::CALIB.name()) != first.get(key::CALIB.name())) {
        return Err(Error::unfit("the three components differ in 'calib': apply it first"));
    }
    let directions = [key::CHANNEL_HANG.name(), key::CHANNEL_VANG.name()];
    let shared = |(name, value): &(&str, &crate::metadata::Value)| {
        !directions.contains(name) && others.iter().all(|other| other.get(name) == Some(*value))
    };
    Ok(first.iter().filter(shared).map(|(name, value)| (name, value.clone())).collect())
}
