//! Three traces of one station as a seismogram.

use serde::{Deserialize, Serialize};

use crate::datum::Datum;
use crate::elog::Life;
use crate::error::{Error, Result};
use crate::history::History;
use crate::metadata::{Key, key};
use crate::process::{Facts, Process, Scratch, by_name};
use crate::series::{Ensemble, Seismogram, TimeSeries};

/// Azimuth and tilt of a channel under the names that its own document has for them.
const OWN: [Key<f64>; 2] = [Key::new("hang"), Key::new("vang")];

/// Makes a seismogram of the three live members of an ensemble, the components in the order of
/// their channel codes (E, N, Z; 1, 2, Z), as [`Seismogram::from_traces`] does.
///
/// Where a component points to, say `channel_hang` and `channel_vang` of its metadata (degrees
/// clockwise from north, and from up), else `hang` and `vang`, else the last letter of its channel
/// code, if that is E, N or Z. The ensemble's log goes before those of the members; its metadata
/// fill in what those of the seismogram lack. Group the data by station, location, and band and
/// instrument codes first.
///
/// # Errors
/// Other than three live members, two of the same channel, a component of unknown direction, and
/// those of [`Seismogram::from_traces`].
///
/// ```
/// use mspass_core::process::{Bundle, Process, Scratch};
/// use mspass_core::series::Ensemble;
/// use mspass_core::{Hertz, TimeSeries, UtcTime};
/// let trace = |id: &str| {
///     let rate = Hertz::new(20.0).unwrap();
///     TimeSeries::new(id.parse().unwrap(), UtcTime::default(), rate, vec![0.0; 9])
/// };
/// let ids = ["YA.UV05..HHZ", "YA.UV05..HHE", "YA.UV05..HHN"];
/// let mut ensemble = Ensemble::from_iter(ids.map(trace));
/// let seismogram = Bundle.apply(&mut ensemble, &mut Scratch::default()).unwrap();
/// assert_eq!(seismogram.id.to_string(), "YA.UV05..HH");
/// assert!(seismogram.is_cardinal());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle;

impl Process<Ensemble<TimeSeries>> for Bundle {
    type Output = Seismogram;

    fn name(&self) -> &str {
        "bundle"
    }

    fn parameters(&self) -> serde_json::Value {
        by_name(self)
    }

    fn foresee(&self, facts: &mut Facts) -> Result<()> {
        let mut bundled = facts.members();
        bundled.put_all(facts);
        OWN.iter().for_each(|key| bundled.remove(key.name()));
        *facts = bundled;
        Ok(())
    }

    /// Leaves headstones in the place of the members.
    fn apply(&self, datum: &mut Ensemble<TimeSeries>, _: &mut Scratch) -> Result<Seismogram> {
        let living = datum.members.iter_mut().filter(|member| member.life == Life::Live);
        let mut traces: Vec<TimeSeries> = living
            .map(|member| {
                let headstone = member.headstone();
                std::mem::replace(member, headstone)
            })
            .collect();
        traces.sort_by(|a, b| a.id.channel().cmp(b.id.channel()));
        let mut traces: [TimeSeries; 3] =
            traces.try_into().map_err(|traces: Vec<TimeSeries>| {
                let ids: Vec<_> = traces.iter().map(|trace| trace.id.to_string()).collect();
                Error::unfit(format!("{} live components ({}), not 3", ids.len(), ids.join(", ")))
            })?;
        if let Some([twin, _]) = traces.array_windows().find(|[a, b]| a.id == b.id) {
            return Err(Error::unfit(format!("two components are {}", twin.id)));
        }
        traces.iter_mut().try_for_each(point)?;
        let members = traces.each_ref().map(|trace| &trace.history);
        let history = History::joined(&datum.history, &members);
        let mut seismogram = Seismogram::from_traces(traces)?;
        seismogram.history = history;
        for (name, value) in datum.metadata.iter() {
            if seismogram.metadata.get(name).is_none() {
                seismogram.metadata.insert(name, value.clone());
            }
        }
        let mut log = std::mem::take(&mut datum.log);
        log.append(&seismogram.log);
        seismogram.log = log;
        Ok(seismogram)
    }
}

/// Writes the direction of a component where [`Seismogram::from_traces`] looks for it.
fn point(trace: &mut TimeSeries) -> Result<()> {
    let channel = [key::CHANNEL_HANG, key::CHANNEL_VANG];
    for (channel, own) in channel.into_iter().zip(OWN) {
        let value = trace.metadata.remove(own.name());
        if let (None, Some(value)) = (trace.metadata.get(channel.name()), value) {
            trace.metadata.insert(channel.name(), value);
        }
    }
    if channel.iter().any(|key| trace.metadata.get(key.name()).is_some()) {
        return Ok(());
    }
    let angles = match trace.id.channel().chars().last() {
        Some('E') => [90.0, 90.0],
        Some('N') => [0.0, 90.0],
        Some('Z') => [0.0, 0.0],
        _ => {
            return Err(Error::unfit(format!(
                "neither the metadata of {} nor its code say where it points to",
                trace.id
            )));
        }
    };
    channel.into_iter().zip(angles).for_each(|(key, angle)| trace.metadata.put(key, angle));
    Ok(())
}
