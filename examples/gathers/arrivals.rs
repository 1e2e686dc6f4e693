//! A step of one's own: which arrival of which event a trace holds.

use std::path::Path;

use bson::doc;
use mspass::core::Error;
use mspass::io::db::id::Derived;
use mspass::io::db::normalize::{MatchSpec, Matcher, OnFailure, Rule, normalize, subject_of};
use mspass::process::Scratch;
use mspass::{Database, DatabaseName, Process, TimeSeries, UtcTime};

/// Collection of the arrivals, and what their keys begin with in a trace's metadata.
const ARRIVAL: &str = "arrival";
/// Columns of the file that are looked at.
const COLUMNS: [&str; 7] =
    ["origin_id", "net", "sta", "phase", "utc", "distance_deg", "back_azimuth"];

/// A phase of an event at a station.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    /// Names the event.
    pub(crate) event: String,
    pub(crate) network: String,
    pub(crate) station: String,
    pub(crate) phase: String,
    pub(crate) time: UtcTime,
    pub(crate) distance_degrees: f64,
    /// From the station to the event, clockwise from north.
    pub(crate) back_azimuth: f64,
}

/// Gives each trace the arrival that lies in its span, as `arrival_event`, `arrival_phase`,
/// `arrival_time` and so on; a trace without one, or with several, dies.
#[derive(Debug)]
pub(crate) struct JoinArrivals {
    matcher: Matcher,
    count: usize,
    /// Names the arrivals, so that a job with others counts as another one.
    digest: String,
}

impl Arrival {
    /// Those of a table with a heading, values parted by commas.
    pub(crate) fn read(path: &Path) -> Result<Vec<Self>, String> {
        let refuse = |reason: String| format!("the arrivals in {}: {reason}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
        let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let heading = lines.next().unwrap_or_default();
        let column = |name: &str| heading.iter().position(|column| *column == name);
        let places: Option<Vec<usize>> = COLUMNS.into_iter().map(column).collect();
        let places = places.ok_or_else(|| refuse(format!("a column of {COLUMNS:?} lacks")))?;
        let arrival = |(number, values): (usize, Vec<&str>)| {
            let row: Option<Vec<&str>> =
                places.iter().map(|place| values.get(*place).copied()).collect();
            let arrival = row.and_then(|row| Self::of_row(&row));
            arrival.ok_or_else(|| refuse(format!("line {} cannot be read", number + 2)))
        };
        lines.enumerate().map(arrival).collect()
    }

    fn of_row(row: &[&str]) -> Option<Self> {
        let [event, network, station, phase, time, distance, back_azimuth] = row else {
            return None;
        };
        Some(Self {
            event: event.rsplit_once("originid=").map_or(*event, |(_, id)| id).to_owned(),
            network: (*network).to_owned(),
            station: (*station).to_owned(),
            phase: (*phase).to_owned(),
            time: time.parse().ok()?,
            distance_degrees: distance.parse().ok()?,
            back_azimuth: back_azimuth.parse().ok()?,
        })
    }
}

impl JoinArrivals {
    pub(crate) fn new(arrivals: &[Arrival]) -> mspass::io::Result<Self> {
        let documents = arrivals.iter().map(|arrival| {
            let Arrival { event, network, station, phase, time, .. } = arrival;
            let id = Derived::new(ARRIVAL).text(event).text(network).text(station).text(phase);
            doc! {
                "_id": id.object_id(), "event": event, "net": network, "sta": station,
                "phase": phase, "time": time.seconds(), "delta": arrival.distance_degrees,
                "seaz": arrival.back_azimuth,
            }
        });
        let documents: Vec<_> = documents.collect();
        let known = documents.iter().map(ToString::to_string);
        let digest = known.fold(Derived::new(ARRIVAL), |digest, text| digest.text(&text));
        // Documents in memory are all that a matcher needs.
        let database = Database::open(&DatabaseName::Memory)?;
        database.documents.upsert(ARRIVAL, &documents)?;
        let spec = MatchSpec::new(ARRIVAL, Rule::Arrival { phase: None });
        let spec = spec.load(&["event", "phase", "time", "delta", "seaz"]);
        Ok(Self {
            matcher: Matcher::cached(&database, spec)?,
            count: arrivals.len(),
            digest: digest.object_id().to_hex(),
        })
    }
}

impl Process<TimeSeries> for JoinArrivals {
    type Output = TimeSeries;

    fn name(&self) -> &str {
        "join_arrivals"
    }

    fn parameters(&self) -> serde_json::Value {
        serde_json::json!({ "arrivals": self.count, "digest": self.digest })
    }

    fn apply(&self, trace: &mut TimeSeries, _: &mut Scratch) -> mspass::core::Result<TimeSeries> {
        let subject = subject_of(trace);
        let joined = normalize(trace, &subject, &self.matcher, OnFailure::Kill);
        joined.map_err(|error| Error::unfit(error.to_string()))?;
        Ok(std::mem::take(trace))
    }
}
