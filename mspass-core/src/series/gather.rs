//! Members of one length in one dense array.

use ndarray::{ArrayView2, ArrayView3, ArrayViewMut2};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::datum::{Datum, Tombstone};
use crate::elog::{ErrorLog, Life};
use crate::error::{Error, Result};
use crate::history::History;
use crate::metadata::{Metadata, Value};
use crate::series::axis::TimeAxis;
use crate::series::ensemble::Ensemble;
use crate::series::sampled::Sampled;
use crate::series::samples;
use crate::series::time_series::{covered, overlap_start};

/// Members over the same span of time as one dense array, members x components x npts.
///
/// Each member keeps its place, its metadata, log, history and life; its row holds its samples,
/// zeros where it was dead when the gather was made.
///
/// ```
/// use mspass_core::series::{Ensemble, Gather};
/// use mspass_core::{Hertz, TimeSeries, UtcTime};
/// let trace = |start, samples| {
///     let rate = Hertz::new(1.0).unwrap();
///     TimeSeries::new("YA.UV05..HHZ".parse().unwrap(), UtcTime::from_seconds(start), rate,
///     samples)
/// };
/// let members = [trace(0.0, vec![1.0, 2.0, 3.0]), trace(1.1, vec![5.0, 6.0, 7.0])];
/// let gather = Gather::new(Ensemble::from_iter(members)).unwrap();
/// assert_eq!(gather.array().shape(), [2, 1, 2]); // what all have: from 1 s to 2 s
/// assert_eq!(gather.member(1).unwrap().samples, [5.0, 6.0]);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    try_from = "Stored<T>",
    bound(serialize = "T: Serialize", deserialize = "T: Sampled + DeserializeOwned")
)]
pub struct Gather<T> {
    /// The members without their samples.
    heads: Vec<T>,
    /// Member after member, of each one component after the other.
    #[serde(with = "samples")]
    samples: Vec<f64>,
    components: usize,
    npts: usize,
    /// What holds for all members.
    pub metadata: Metadata,
    /// What happened to it as a whole.
    pub log: ErrorLog,
    /// Where it comes from.
    pub history: History,
    life: Life,
}

/// A gather as it arrives from elsewhere, unchecked.
#[derive(Deserialize)]
#[serde(bound(deserialize = "T: DeserializeOwned"))]
struct Stored<T> {
    heads: Vec<T>,
    #[serde(with = "samples")]
    samples: Vec<f64>,
    components: usize,
    npts: usize,
    metadata: Metadata,
    log: ErrorLog,
    history: History,
    life: Life,
}

impl<T: Sampled> TryFrom<Stored<T>> for Gather<T> {
    type Error = Error;
    fn try_from(stored: Stored<T>) -> Result<Self> {
        let Stored { heads, samples, components, npts, metadata, log, history, life } = stored;
        // An array view needs a sound shape even when it has no members.
        let row = components.checked_mul(npts).filter(|row| isize::try_from(*row).is_ok());
        let whole = row.and_then(|row| heads.len().checked_mul(row));
        let alike = heads.iter().all(|h| h.component_count() == components && h.npts() == 0);
        if whole != Some(samples.len()) || components == 0 || !alike {
            return Err(Error::unfit(format!(
                "{} samples are not {} members of {components} components of {npts} samples",
                samples.len(),
                heads.len()
            )));
        }
        Ok(Self { heads, samples, components, npts, metadata, log, history, life })
    }
}

impl<T> Default for Gather<T> {
    /// Without members, hence dead.
    fn default() -> Self {
        Self {
            heads: Vec::new(),
            samples: Vec::new(),
            components: 1,
            npts: 0,
            metadata: Metadata::default(),
            log: ErrorLog::default(),
            history: History::default(),
            life: Life::Live,
        }
    }
}

impl<T: Sampled> Gather<T> {
    /// Lines the members up on the span that all live ones have. Each member's samples are snapped
    /// to the grid of the first live one, its time moved by less than half a sample; resample or
    /// interpolate first where rates or phases matter.
    ///
    /// # Errors
    /// Rates, numbers of components or time standards that differ, or no time in common.
    pub fn new(ensemble: Ensemble<T>) -> Result<Self> {
        let life = Ensemble::life(&ensemble);
        let Ensemble { members, metadata, log, history, .. } = ensemble;
        let mut gather = Self { metadata, log, history, life, ..Self::default() };
        let Some(first) = members.iter().find(|member| member.life() == Life::Live) else {
            gather.heads = members.iter().map(T::headstone).collect();
            gather.components = members.first().map_or(1, T::component_count);
            return Ok(gather);
        };
        let grid = *first.axis();
        let (start, npts) = common_span(&grid, &members)?;
        gather.npts = npts;
        gather.components = first.component_count();
        let axis = grid.advanced(start);
        gather.heads.reserve(members.len());
        gather.samples.reserve(members.len() * gather.components * npts);
        for member in members {
            let live = member.life() == Life::Live;
            let offset = if live { overlap_start(&grid, member.axis())? } else { start };
            gather.push(member, start.saturating_sub(offset), &axis)?;
        }
        Ok(gather)
    }

    /// Number of members, dead ones included.
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Number of samples of each component.
    pub fn npts(&self) -> usize {
        self.npts
    }

    /// All samples, members x components x npts.
    pub fn array(&self) -> ArrayView3<'_, f64> {
        ArrayView3::from_shape((self.len(), self.components, self.npts), &self.samples)
            .expect("a gather holds equal members")
    }

    /// The members without their samples: axes, metadata, logs, lives.
    pub fn heads(&self) -> &[T] {
        &self.heads
    }

    /// The members without their samples, to be changed; they have no samples of their own to
    /// change.
    pub fn heads_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.heads.iter_mut()
    }

    /// Whether member `index` is there and lives.
    pub fn is_live(&self, index: usize) -> bool {
        self.heads.get(index).is_some_and(|head| head.life() == Life::Live)
    }

    /// The samples of member `index`, components x npts.
    pub fn samples(&self, index: usize) -> Option<ArrayView2<'_, f64>> {
        let shape = (self.components, self.npts);
        ArrayView2::from_shape(shape, self.samples.get(self.row(index))?).ok()
    }

    /// The samples of member `index`, components x npts, to be changed.
    pub fn samples_mut(&mut self, index: usize) -> Option<ArrayViewMut2<'_, f64>> {
        let (shape, row) = ((self.components, self.npts), self.row(index));
        ArrayViewMut2::from_shape(shape, self.samples.get_mut(row)?).ok()
    }

    /// Member `index` with a copy of its samples.
    pub fn member(&self, index: usize) -> Option<T> {
        let mut member = self.heads.get(index)?.headstone();
        let (axis, samples) = (*member.axis(), self.samples.get(self.row(index))?.to_vec());
        member.replace(axis, samples);
        Some(member)
    }

    /// Adds a member that covers the span of the gather. An error, and nothing added, when it does
    /// not, or differs in rate, components or time standard.
    pub fn append(&mut self, member: T) -> Result<()> {
        match self.heads.iter().find(|head| head.life() == Life::Live) {
            Some(head) => {
                let axis = *head.axis();
                let live = member.life() == Life::Live;
                let first = if live { overlap_start(member.axis(), &axis)? } else { 0 };
                self.push(member, first, &axis)
            }
            None if self.is_empty() => {
                (self.npts, self.components) = (member.npts(), member.component_count());
                let axis = *member.axis();
                self.push(member, 0, &axis)
            }
            None => Err(Error::unfit("a gather whose members are all dead has no span to cover")),
        }
    }

    /// The members of these numbers, in that order; an error when one is not there.
    pub fn subset(&self, indices: impl IntoIterator<Item = usize>) -> Result<Self> {
        let mut subset = Self {
            npts: self.npts,
            components: self.components,
            metadata: self.metadata.clone(),
            log: self.log.clone(),
            history: self.history.clone(),
            life: self.life,
            ..Self::default()
        };
        for index in indices {
            let Some(head) = self.heads.get(index) else {
                let reason = format!("the gather has {} members", self.len());
                return Err(Error::parameter("index", index, reason));
            };
            subset.heads.push(head.headstone());
            subset.samples.extend_from_slice(&self.samples[self.row(index)]);
        }
        Ok(subset)
    }

    /// The value that each member has under `name`.
    pub fn column_values(&self, name: &str) -> Vec<Option<Value>> {
        self.heads.iter().map(|head| head.metadata().get(name).cloned()).collect()
    }

    /// Copies its own metadata, but for the names in `exclude`, into every member.
    pub fn sync_metadata(&mut self, exclude: &[&str]) {
        for (name, value) in self.metadata.iter().filter(|(name, _)| !exclude.contains(name)) {
            for head in &mut self.heads {
                head.metadata_mut().insert(name, value.clone());
            }
        }
    }

    /// Its members one by one.
    pub fn into_ensemble(mut self) -> Ensemble<T> {
        let length = self.components * self.npts;
        let mut ensemble = Ensemble::from_iter(std::mem::take(&mut self.heads));
        for (index, member) in ensemble.members.iter_mut().enumerate() {
            let axis = *member.axis();
            member.replace(axis, self.samples[index * length..(index + 1) * length].to_vec());
        }
        ensemble.metadata = self.metadata;
        ensemble.log = self.log;
        ensemble.history = self.history;
        if self.life != Life::Live {
            ensemble.set_life(self.life);
        }
        ensemble
    }

    fn row(&self, index: usize) -> std::ops::Range<usize> {
        let length = self.components * self.npts;
        let start = index.saturating_mul(length);
        if index < self.len() { start..start + length } else { usize::MAX..usize::MAX }
    }

    /// Adds a member, cut to the gather's npts from its sample `first` on, which `axis` starts
    /// with.
    fn push(&mut self, member: T, first: i64, axis: &TimeAxis) -> Result<()> {
        let mut head = member.headstone();
        if member.component_count() != self.components {
            return Err(Error::unfit(format!(
                "a member of {} components among those of {}",
                member.component_count(),
                self.components
            )));
        }
        if member.life() == Life::Live {
            let range = covered(first, self.npts, member.npts()).ok_or_else(|| {
                Error::unfit("a member does not cover the span of time of the gather")
            })?;
            let mut rows = Vec::with_capacity(self.components * self.npts);
            for component in 0..self.components {
                let start = component * member.npts();
                rows.extend_from_slice(&member.samples()[start + range.start..start + range.end]);
            }
            head.replace(member.axis().snapped(axis), rows);
            self.samples.extend_from_slice(head.samples());
            head = head.headstone();
        } else {
            self.samples.resize(self.samples.len() + self.components * self.npts, 0.0);
        }
        self.heads.push(head);
        Ok(())
    }
}

/// The span that all live members have: its first sample on the grid of `grid`, and its npts.
fn common_span<T: Sampled>(grid: &TimeAxis, members: &[T]) -> Result<(i64, usize)> {
    let (mut first, mut end) = (i64::MIN, i64::MAX);
    for member in members.iter().filter(|member| member.life() == Life::Live) {
        let start = overlap_start(grid, member.axis())?;
        first = first.max(start);
        end = end.min(start.saturating_add_unsigned(member.npts() as u64));
    }
    match usize::try_from(end.saturating_sub(first)) {
        Ok(npts) if npts > 0 => Ok((first, npts)),
        _ => Err(Error::unfit("the members have no time in common")),
    }
}

impl<T: Sampled> Datum for Gather<T> {
    const KIND: &'static str = "Gather";

    /// Dead where no member lives.
    fn life(&self) -> Life {
        match self.life {
            Life::Live if (0..self.len()).any(|index| self.is_live(index)) => Life::Live,
            Life::Live => Life::Dead,
            life => life,
        }
    }

    /// Any but [`Life::Live`] goes for every live member as well.
    fn set_life(&mut self, life: Life) {
        self.life = life;
        if life != Life::Live {
            let living = self.heads.iter_mut().filter(|head| head.life() == Life::Live);
            living.for_each(|head| head.set_life(life));
        }
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    fn log_mut(&mut self) -> &mut ErrorLog {
        &mut self.log
    }

    fn history_mut(&mut self) -> &mut History {
        &mut self.history
    }

    fn memory_bytes(&self) -> usize {
        let heads = self.heads.iter().map(T::memory_bytes).sum::<usize>();
        let spare = (self.heads.capacity() - self.heads.len()) * size_of::<T>();
        size_of::<Self>()
            + heads
            + spare
            + self.samples.capacity() * size_of::<f64>()
            + self.metadata.heap_bytes()
            + self.log.heap_bytes()
            + self.history.heap_bytes()
    }

    /// A gather of no samples: its members' headstones remain.
    fn headstone(&self) -> Self {
        Self {
            heads: self.heads.iter().map(T::headstone).collect(),
            samples: Vec::new(),
            components: self.components,
            npts: 0,
            metadata: self.metadata.clone(),
            log: self.log.clone(),
            history: self.history.clone(),
            life: self.life,
        }
    }

    fn into_tombstone(self) -> Tombstone {
        let npts = self.samples.len();
        let mut ensemble = Ensemble::from_iter(self.heads);
        ensemble.metadata = self.metadata;
        ensemble.log = self.log;
        ensemble.history = self.history;
        if self.life != Life::Live {
            ensemble.set_life(self.life);
        }
        Tombstone { kind: Self::KIND.to_owned(), npts, ..ensemble.into_tombstone() }
    }
}
