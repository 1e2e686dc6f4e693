//! Data that belong together.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::datum::{Datum, Tombstone};
use crate::elog::{ErrorLog, Life, Severity};
use crate::history::History;
use crate::metadata::Metadata;

/// Members that are handled as one datum: a shot gather, an event's stations.
///
/// It is dead when all of its members are; killing it kills them.
///
/// ```
/// use mspass_core::series::Ensemble;
/// use mspass_core::{Datum, Hertz, Life, TimeSeries, UtcTime};
/// let rate = Hertz::new(20.0).unwrap();
/// let trace = TimeSeries::new("YA.UV05..HHZ".parse().unwrap(), UtcTime::default(), rate, vec![]);
/// let mut ensemble: Ensemble<TimeSeries> = [trace].into_iter().collect();
/// ensemble.metadata.insert("source_depth", 12.5);
/// ensemble.sync_metadata(&[]);
/// assert!(ensemble.members[0].metadata.get("source_depth").is_some());
/// ensemble.members[0].life = Life::Dead;
/// assert_eq!(ensemble.life(), Life::Dead);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound(serialize = "T: Serialize", deserialize = "T: DeserializeOwned"))]
pub struct Ensemble<T> {
    /// The members, dead ones included.
    pub members: Vec<T>,
    /// What holds for all members.
    pub metadata: Metadata,
    /// What happened to it as a whole.
    pub log: ErrorLog,
    /// Where it comes from.
    pub history: History,
    life: Life,
}

impl<T> Default for Ensemble<T> {
    /// Without members, hence dead.
    fn default() -> Self {
        Self {
            members: Vec::new(),
            metadata: Metadata::default(),
            log: ErrorLog::default(),
            history: History::default(),
            life: Life::Live,
        }
    }
}

impl<T> FromIterator<T> for Ensemble<T> {
    fn from_iter<I: IntoIterator<Item = T>>(members: I) -> Self {
        Self { members: members.into_iter().collect(), ..Self::default() }
    }
}

impl<T: Datum> Ensemble<T> {
    /// Whether at least one member lives.
    pub fn validate(&self) -> bool {
        self.members.iter().any(|member| member.life() == Life::Live)
    }

    /// Brings it back to life where [`Self::validate`] holds; whether it lives now.
    pub fn set_live(&mut self) -> bool {
        if self.validate() {
            self.life = Life::Live;
        }
        self.life() == Life::Live
    }

    /// How many members live.
    pub fn live_count(&self) -> usize {
        self.members.iter().filter(|member| member.life() == Life::Live).count()
    }

    /// Copies its own metadata, but for the names in `exclude`, into every member, over what stands
    /// there.
    pub fn sync_metadata(&mut self, exclude: &[&str]) {
        for (name, value) in self.metadata.iter().filter(|(name, _)| !exclude.contains(name)) {
            for member in &mut self.members {
                member.metadata_mut().insert(name, value.clone());
            }
        }
    }

    /// Takes all entries of `other` into its own metadata; where both have a name, `other` wins.
    pub fn update_metadata(&mut self, other: &Metadata) {
        self.metadata.merge(other);
    }

    /// Parts the dead members from the living, both in order.
    pub fn bring_out_your_dead(mut self) -> (Self, Vec<T>) {
        let (living, dead) =
            std::mem::take(&mut self.members).into_iter().partition(|m| m.life() == Life::Live);
        self.members = living;
        (self, dead)
    }
}

impl<T: Datum> Datum for Ensemble<T> {
    const KIND: &'static str = "Ensemble";

    /// Dead where no member lives.
    fn life(&self) -> Life {
        match self.life {
            Life::Live if !self.validate() => Life::Dead,
            life => life,
        }
    }

    /// Any but [`Life::Live`] goes for every live member as well.
    fn set_life(&mut self, life: Life) {
        self.life = life;
        if life != Life::Live {
            let living = self.members.iter_mut().filter(|member| member.life() == Life::Live);
            living.for_each(|member| member.set_life(life));
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
        let members = self.members.iter().map(T::memory_bytes).sum::<usize>();
        let spare = (self.members.capacity() - self.members.len()) * size_of::<T>();
        size_of::<Self>()
            + members
            + spare
            + self.metadata.heap_bytes()
            + self.log.heap_bytes()
            + self.history.heap_bytes()
    }

    fn headstone(&self) -> Self {
        Self {
            members: self.members.iter().map(T::headstone).collect(),
            metadata: self.metadata.clone(),
            log: self.log.clone(),
            history: self.history.clone(),
            life: self.life,
        }
    }

    /// Its own log first, then those of its members; npts is the sum of theirs.
    fn into_tombstone(self) -> Tombstone {
        let life = self.life();
        let mut log = self.log;
        if log.worst().is_none_or(|worst| worst > Severity::Invalid) && life != Life::Live {
            let count = self.members.len();
            log.push(Self::KIND, Severity::Invalid, format!("none of {count} members lives"));
        }
        let mut npts = 0;
        for member in self.members {
            let tombstone = member.into_tombstone();
            npts += tombstone.npts;
            log.append(&tombstone.log);
        }
        Tombstone {
            kind: Self::KIND.to_owned(),
            life,
            id: None,
            axis: None,
            npts,
            metadata: self.metadata,
            log,
            history: self.history,
        }
    }
}
