//! A process mapped over the members of an ensemble.

use std::any::Any;
use std::sync::Arc;

use crate::datum::Datum;
use crate::elog::Life;
use crate::error::Result;
use crate::history::Passage;
use crate::process::runner::{attempt, passage_of};
use crate::process::{Facts, Process, Scratch};
use crate::series::Ensemble;

/// A process that does to every member of an ensemble what another does to one datum; made by
/// [`members`].
#[derive(Clone, Debug)]
pub struct Members<P> {
    process: P,
    passage: Arc<Passage>,
}

/// Maps `process` over the members of ensembles. A member that it cannot take dies and keeps its
/// place, dead ones are passed over, and the ensemble lives as long as one of them does.
///
/// ```
/// use mspass_core::process::{Detrend, Process, Scratch, members};
/// use mspass_core::series::Ensemble;
/// use mspass_core::{Hertz, TimeSeries, UtcTime};
/// let rate = Hertz::new(20.0).unwrap();
/// let trace =
///     TimeSeries::new("YA.UV05..HHZ".parse().unwrap(), UtcTime::default(), rate, vec![2.0; 9]);
/// let mut ensemble = Ensemble::from_iter([trace.clone(), trace]);
/// let demean = members::<TimeSeries, _>(Detrend::demean());
/// let ensemble = demean.apply(&mut ensemble, &mut Scratch::default()).unwrap();
/// assert_eq!(ensemble.members[1].samples, [0.0; 9]);
/// ```
pub fn members<T: Datum, P: Process<T>>(process: P) -> Members<P> {
    Members { passage: passage_of::<T, P>(&process), process }
}

impl<T: Datum, P: Process<T>> Process<Ensemble<T>> for Members<P> {
    type Output = Ensemble<P::Output>;

    fn name(&self) -> &str {
        self.process.name()
    }

    fn parameters(&self) -> serde_json::Value {
        self.process.parameters()
    }

    fn check(&self) -> Result<()> {
        self.process.check()
    }

    fn foresee(&self, facts: &mut Facts) -> Result<()> {
        let mut members = facts.members();
        self.process.foresee(&mut members)?;
        facts.replace_members(members);
        Ok(())
    }

    fn apply(&self, datum: &mut Ensemble<T>, scratch: &mut Scratch) -> Result<Ensemble<P::Output>> {
        let mut one = |mut member: T| {
            if member.life() != Life::Live {
                return carry(member);
            }
            match attempt(&self.process, &self.passage, &mut member, scratch) {
                Some(output) => output,
                None => carry(member),
            }
        };
        let members = std::mem::take(&mut datum.members).into_iter().map(&mut one);
        let mut output = Ensemble::from_iter(members);
        output.metadata = std::mem::take(&mut datum.metadata);
        output.log = std::mem::take(&mut datum.log);
        output.history = std::mem::take(&mut datum.history);
        Ok(output)
    }
}

/// A dead datum in the place of one of another type: as it is where the types are the same.
fn carry<T: Datum, U: Datum>(dead: T) -> U {
    let mut dead = Some(dead);
    if let Some(same) = (&mut dead as &mut dyn Any).downcast_mut::<Option<U>>() {
        return std::mem::take(same).unwrap_or_default();
    }
    let mut other = U::default();
    if let Some(tombstone) = dead.map(T::into_tombstone) {
        other.set_life(tombstone.life);
        *other.metadata_mut() = tombstone.metadata;
        *other.log_mut() = tombstone.log;
        *other.history_mut() = tombstone.history;
    }
    other
}
