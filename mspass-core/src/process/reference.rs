//! Going to relative time and back.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::metadata::{Metadata, Value};
use crate::process::{Facts, Process, Scratch, by_name};
use crate::series::{Sampled, TimeStandard};
use crate::time::UtcTime;

/// Which instant becomes time zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Origin {
    /// The same for all data.
    Utc(UtcTime),
    /// Each datum's own: a metadata key that holds seconds since 1970, such as an arrival time.
    Key(String),
    /// The first sample.
    Start,
}

/// Makes times relative to an origin (MsPASS `ator` and `ArrivalTimeReference`), which is kept for
/// the way back; data in relative time stay as they are.
///
/// ```
/// use mspass_core::Datum;
/// use mspass_core::process::{Origin, Process, Scratch, ToRelative};
/// use mspass_core::TimeSeries;
/// let mut trace = TimeSeries { samples: vec![0.0; 10], ..TimeSeries::default() }; // from 1970 on
/// trace.metadata.insert("Ptime", 4.5);
/// let relative = ToRelative { origin: Origin::Key("Ptime".into()) };
/// let trace = relative.apply(&mut trace, &mut Scratch::default()).unwrap();
/// assert_eq!((trace.axis.start(), trace.endtime()), (-4.5, Some(4.5)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToRelative {
    /// What becomes time zero.
    pub origin: Origin,
}

/// Takes times back to UTC (MsPASS `rtoa`); data in UTC stay as they are, and data whose times
/// never were in UTC are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToUtc;

/// The instant that metadata hold under a name, as seconds since 1970.
fn seconds_of(name: &str, metadata: &Metadata) -> Result<UtcTime> {
    let value = metadata.get(name);
    let seconds = value.and_then(|value| f64::try_from(value).ok());
    let seconds = seconds.filter(|seconds| seconds.is_finite()).ok_or_else(|| {
        let found = value.map_or("nothing", Value::kind);
        let reason = "not seconds since 1970";
        Error::unfit(format!("metadata key '{name}' holds {found}, {reason}"))
    })?;
    Ok(UtcTime::from_seconds(seconds))
}

impl<T: Sampled> Process<T> for ToRelative {
    type Output = T;

    fn name(&self) -> &str {
        "to_relative"
    }

    fn parameters(&self) -> serde_json::Value {
        by_name(self)
    }

    fn check(&self) -> Result<()> {
        match &self.origin {
            Origin::Key(name) if name.is_empty() => {
                Err(Error::parameter("origin", "", "must be a metadata key"))
            }
            _ => Ok(()),
        }
    }

    fn foresee(&self, facts: &mut Facts) -> Result<()> {
        if let Origin::Key(name) = &self.origin
            && facts.lacks(name)
        {
            seconds_of(name, &Metadata::default())?;
        }
        if facts.standard == Some(TimeStandard::Utc) {
            facts.standard = Some(TimeStandard::Relative { origin: Some(UtcTime::default()) });
        }
        Ok(())
    }

    fn apply(&self, datum: &mut T, _: &mut Scratch) -> Result<T> {
        let origin = match &self.origin {
            Origin::Utc(instant) => Some(*instant),
            Origin::Start => datum.axis().starttime(),
            Origin::Key(name) => Some(seconds_of(name, datum.metadata())?),
        };
        // Without a place in UTC the times are relative already.
        if let Some(origin) = origin {
            datum.axis_mut().to_relative(origin);
        }
        Ok(std::mem::take(datum))
    }
}

impl<T: Sampled> Process<T> for ToUtc {
    type Output = T;

    fn name(&self) -> &str {
        "to_utc"
    }

    fn parameters(&self) -> serde_json::Value {
        by_name(self)
    }

    fn foresee(&self, facts: &mut Facts) -> Result<()> {
        if let Some(mut axis) = facts.axis() {
            axis.to_utc()?;
        }
        facts.standard = Some(TimeStandard::Utc);
        Ok(())
    }

    fn apply(&self, datum: &mut T, _: &mut Scratch) -> Result<T> {
        datum.axis_mut().to_utc()?;
        Ok(std::mem::take(datum))
    }
}
