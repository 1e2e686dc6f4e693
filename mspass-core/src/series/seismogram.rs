//! Three components of ground motion.

use ndarray::{Array2, ArrayView2, ArrayViewMut2};
use serde::{Deserialize, Serialize};

use crate::datum::{Datum, Tombstone};
use crate::elog::{ErrorLog, Life};
use crate::error::{Error, Result};
use crate::history::History;
use crate::id::SeedId;
use crate::kernel::rotate::{self, Matrix};
use crate::metadata::{Metadata, Value};
use crate::series::axis::TimeAxis;
use crate::series::facts;
use crate::series::gaps::Gaps;
use crate::series::matrix::{self, IDENTITY};
use crate::series::sampled::Sampled;
use crate::series::samples;
use crate::series::time_series::{combine_from, covered, overlap_start};
use crate::time::{TimeWindow, UtcTime};
use crate::units::Hertz;

/// Elements of transformation matrices within this of each other count as equal.
pub const DIRECTION_TOLERANCE: f64 = 1e-6;

/// Ground motion in three components, 3 x npts.
///
/// The transformation matrix takes east, north, up to the components as they are now: component
/// `i` is its row `i` times the vector (E, N, Z). Every rotation updates both.
///
/// ```
/// use mspass_core::series::Seismogram;
/// use mspass_core::{Hertz, UtcTime};
/// let samples = ndarray::array![[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]];
/// let id = "YA.UV05.00.HH".parse().unwrap();
/// let rate = Hertz::new(100.0).unwrap();
/// let mut seismogram = Seismogram::new(id, UtcTime::default(), rate, samples).unwrap();
/// seismogram.transform_to_rtz(180.0).unwrap(); // from the south: radial is north
/// assert!((seismogram.vector(1).unwrap()[0] - 1.0).abs() < 1e-15);
/// assert!(!seismogram.is_cardinal() && seismogram.is_orthogonal());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Seismogram {
    /// Network, station and location; the channel code is what the three have in common ("HH").
    pub id: SeedId,
    /// Where the samples lie in time.
    pub axis: TimeAxis,
    /// One component after the other.
    #[serde(with = "samples")]
    samples: Vec<f64>,
    tmatrix: Matrix,
    /// Where data are missing, in nanoseconds since the first sample.
    pub gaps: Gaps,
    /// Everything that is not structure.
    pub metadata: Metadata,
    /// What happened to it.
    pub log: ErrorLog,
    /// Where it comes from.
    pub history: History,
    /// Whether it lives.
    pub life: Life,
}

/// A seismogram as it arrives from elsewhere, unchecked.
#[derive(Deserialize)]
struct Stored {
    id: SeedId,
    axis: TimeAxis,
    #[serde(with = "samples")]
    samples: Vec<f64>,
    tmatrix: Matrix,
    #[serde(default)]
    gaps: Gaps,
    metadata: Metadata,
    log: ErrorLog,
    history: History,
    life: Life,
}

impl TryFrom<Stored> for Seismogram {
    type Error = Error;
    fn try_from(stored: Stored) -> Result<Self> {
        let Stored { id, axis, samples, tmatrix, gaps, metadata, log, history, life } = stored;
        if !samples.len().is_multiple_of(3) {
            let count = samples.len();
            return Err(Error::unfit(format!("{count} samples are not three equal components")));
        }
        Ok(Self { id, axis, samples, tmatrix, gaps, metadata, log, history, life })
    }
}

impl Default for Seismogram {
    /// A dead seismogram without samples at 1 Hz.
    fn default() -> Self {
        let rate = Hertz::new(1.0).expect("1 Hz is a sampling rate");
        let axis = TimeAxis::utc(UtcTime::default(), rate);
        Self { life: Life::Dead, ..Self::of_planar(SeedId::default(), axis, Vec::new()) }
    }
}

impl Seismogram {
    /// A live seismogram in UTC of the rows east, north, up; an error unless `samples` has three
    /// rows.
    pub fn new(
        id: SeedId,
        starttime: UtcTime,
        sampling_rate: Hertz,
        samples: Array2<f64>,
    ) -> Result<Self> {
        if samples.nrows() != 3 {
            let rows = samples.nrows();
            return Err(Error::unfit(format!("a seismogram has 3 components, not {rows}")));
        }
        let planar = if samples.is_standard_layout() {
            samples.into_raw_vec_and_offset()
        } else {
            samples.as_standard_layout().into_owned().into_raw_vec_and_offset()
        };
        let samples = match planar {
            (samples, None | Some(0)) => samples,
            (samples, Some(offset)) => samples[offset..].to_vec(),
        };
        Ok(Self::of_planar(id, TimeAxis::utc(starttime, sampling_rate), samples))
    }

    /// A live seismogram on `axis` of samples component after component, in cardinal directions.
    ///
    /// # Errors
    /// Where they are not three equal components.
    pub fn from_planar(id: SeedId, axis: TimeAxis, samples: Vec<f64>) -> Result<Self> {
        let stored = Self::of_planar(id, axis, samples);
        if !stored.samples.len().is_multiple_of(3) {
            let count = stored.samples.len();
            return Err(Error::unfit(format!("{count} samples are not three equal components")));
        }
        Ok(stored)
    }

    pub(super) fn of_planar(id: SeedId, axis: TimeAxis, samples: Vec<f64>) -> Self {
        Self {
            id,
            axis,
            samples,
            tmatrix: IDENTITY,
            gaps: Gaps::default(),
            metadata: Metadata::default(),
            log: ErrorLog::default(),
            history: History::default(),
            life: Life::Live,
        }
    }

    /// Number of samples of each component.
    pub fn npts(&self) -> usize {
        self.samples.len() / 3
    }

    /// Samples per second.
    pub fn sampling_rate(&self) -> Hertz {
        self.axis.sampling_rate()
    }

    /// Time of the last sample in seconds of the axis' standard; `None` without samples.
    pub fn endtime(&self) -> Option<f64> {
        self.axis.span(self.npts()).map(|span| span.end)
    }

    /// The samples, 3 x npts.
    pub fn array(&self) -> ArrayView2<'_, f64> {
        ArrayView2::from_shape((3, self.npts()), &self.samples)
            .expect("a seismogram holds three equal components")
    }

    /// The samples, 3 x npts, to be changed.
    pub fn array_mut(&mut self) -> ArrayViewMut2<'_, f64> {
        let shape = (3, self.npts());
        ArrayViewMut2::from_shape(shape, &mut self.samples)
            .expect("a seismogram holds three equal components")
    }

    /// The three components.
    pub fn components(&self) -> [&[f64]; 3] {
        let (x1, rest) = self.samples.split_at(self.npts());
        let (x2, x3) = rest.split_at(self.npts());
        [x1, x2, x3]
    }

    /// The three components, to be changed.
    pub fn components_mut(&mut self) -> [&mut [f64]; 3] {
        let npts = self.npts();
        let (x1, rest) = self.samples.split_at_mut(npts);
        let (x2, x3) = rest.split_at_mut(npts);
        [x1, x2, x3]
    }

    /// The vector of sample `index`; `None` outside the data.
    pub fn vector(&self, index: usize) -> Option<[f64; 3]> {
        (index < self.npts()).then(|| self.components().map(|component| component[index]))
    }

    /// The vector of the sample nearest to `time` (seconds of the axis); `None` outside the data.
    pub fn vector_at(&self, time: f64) -> Option<[f64; 3]> {
        self.vector(usize::try_from(self.axis.sample_number(time)).ok()?)
    }

    /// The matrix that took east, north, up to the components as they are, by rows.
    pub fn tmatrix(&self) -> [[f64; 3]; 3] {
        self.tmatrix
    }

    /// Says that the components are `tmatrix` times east, north, up; the samples stay.
    pub fn set_tmatrix(&mut self, tmatrix: [[f64; 3]; 3]) {
        self.tmatrix = tmatrix;
    }

    /// Whether the components are east, north, up.
    pub fn is_cardinal(&self) -> bool {
        matrix::agree(&self.tmatrix, &IDENTITY, DIRECTION_TOLERANCE)
    }

    /// Whether the components are perpendicular to each other and of true length.
    pub fn is_orthogonal(&self) -> bool {
        let square = matrix::product(&self.tmatrix, &rotate::transposed(&self.tmatrix));
        matrix::agree(&square, &IDENTITY, DIRECTION_TOLERANCE)
    }

    /// Keeps a window, as [`TimeSeries::cut`](super::TimeSeries::cut) does.
    pub fn cut(&mut self, window: TimeWindow) -> Result<()> {
        let (first, count) = self.axis.samples_of(window)?;
        let npts = self.npts();
        let range = covered(first, count, npts).ok_or_else(|| {
            let TimeWindow { start, end } = window;
            Error::unfit(format!(
                "the window {start} to {end} s is not covered: it needs {count} samples from \
                 number {first} on of the {npts} there are"
            ))
        })?;
        for component in 0..3 {
            let from = component * npts + range.start;
            self.samples.copy_within(from..from + count, component * count);
        }
        self.samples.truncate(3 * count);
        let axis = self.axis.advanced(first);
        self.gaps.follow(&self.axis, &axis, count);
        self.axis = axis;
        Ok(())
    }

    /// Marks a window (times of the axis) as a gap; an error when it ends before it starts.
    pub fn add_gap(&mut self, window: TimeWindow) -> Result<()> {
        self.gaps.add_window(&self.axis, window)
    }

    /// Sets every sample in a gap to zero.
    pub fn zero_gaps(&mut self) {
        let (gaps, axis) = (std::mem::take(&mut self.gaps), self.axis);
        self.components_mut().into_iter().for_each(|component| gaps.zero(&axis, component));
        self.gaps = gaps;
    }

    /// Adds `other` sample by sample where the two overlap, the nearest samples matched; a dead
    /// `other` adds nothing. An error when rates, time standards or components differ.
    pub fn add(&mut self, other: &Self) -> Result<()> {
        self.combine(other, |mine, theirs| *mine += theirs)
    }

    /// Subtracts as [`Self::add`] adds.
    pub fn subtract(&mut self, other: &Self) -> Result<()> {
        self.combine(other, |mine, theirs| *mine -= theirs)
    }

    fn combine(&mut self, other: &Self, with: impl Fn(&mut f64, f64)) -> Result<()> {
        if other.life != Life::Live {
            return Ok(());
        }
        if !matrix::agree(&self.tmatrix, &other.tmatrix, DIRECTION_TOLERANCE) {
            return Err(Error::unfit("the two have components of different directions"));
        }
        let first = overlap_start(&self.axis, &other.axis)?;
        for (mine, theirs) in self.components_mut().into_iter().zip(other.components()) {
            combine_from(first, mine, theirs, &with);
        }
        Ok(())
    }

    /// Multiplies every sample.
    pub fn scale(&mut self, factor: f64) {
        self.samples.iter_mut().for_each(|sample| *sample *= factor);
    }

    /// Multiplies every vector and the transformation matrix by `matrix` from the left.
    pub(super) fn multiply(&mut self, by: &Matrix) {
        rotate::transform(self.components_mut(), by)
            .expect("the components of a seismogram have one length");
        self.tmatrix = matrix::product(by, &self.tmatrix);
    }
}

impl Datum for Seismogram {
    const KIND: &'static str = "Seismogram";

    crate::datum_fields!();

    /// As a [`TimeSeries`](super::TimeSeries) answers; `npts` is that of one component.
    fn fact(&self, name: &str) -> Option<Value> {
        facts::of(&self.id, &self.axis, self.npts(), &self.metadata, name)
    }

    fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.samples.capacity() * size_of::<f64>()
            + self.gaps.heap_bytes()
            + self.id.heap_bytes()
            + self.metadata.heap_bytes()
            + self.log.heap_bytes()
            + self.history.heap_bytes()
    }

    fn headstone(&self) -> Self {
        Self {
            id: self.id.clone(),
            axis: self.axis,
            samples: Vec::new(),
            tmatrix: self.tmatrix,
            gaps: self.gaps.clone(),
            metadata: self.metadata.clone(),
            log: self.log.clone(),
            history: self.history.clone(),
            life: self.life,
        }
    }

    fn into_tombstone(self) -> Tombstone {
        Tombstone {
            kind: Self::KIND.to_owned(),
            life: self.life,
            npts: self.npts(),
            id: Some(self.id),
            axis: Some(self.axis),
            metadata: self.metadata,
            log: self.log,
            history: self.history,
        }
    }
}

impl Sampled for Seismogram {
    fn axis(&self) -> &TimeAxis {
        &self.axis
    }

    fn axis_mut(&mut self) -> &mut TimeAxis {
        &mut self.axis
    }

    fn component_count(&self) -> usize {
        3
    }

    fn samples(&self) -> &[f64] {
        &self.samples
    }

    fn samples_mut(&mut self) -> &mut [f64] {
        &mut self.samples
    }

    /// # Panics
    /// When `samples` is not three equal components.
    fn replace(&mut self, axis: TimeAxis, samples: Vec<f64>) -> Vec<f64> {
        assert!(samples.len().is_multiple_of(3), "a seismogram has three equal components");
        self.gaps.follow(&self.axis, &axis, samples.len() / 3);
        self.axis = axis;
        std::mem::replace(&mut self.samples, samples)
    }
}
