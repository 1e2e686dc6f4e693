//! Earthquakes and their like: what QuakeML says.
//!
//! Depths are metres here, as in QuakeML; documents of `source` are in kilometres. What has no
//! field (comments, uncertainties, creation info beside agency and author) is not kept. Ids are
//! kept as written, though they may name what is not in the document.

use serde::{Deserialize, Serialize};

use crate::time::UtcTime;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its public id.
    pub id: String,
    /// "earthquake", "explosion", ...; `None` also for a word that QuakeML does not have.
    pub kind: Option<String>,
    /// "known" or "suspected".
    pub kind_certainty: Option<String>,
    /// Names and regions.
    pub descriptions: Vec<Description>,
    /// Id of the preferred origin.
    pub preferred_origin_id: Option<String>,
    /// Id of the preferred magnitude.
    pub preferred_magnitude_id: Option<String>,
    /// Id of the preferred focal mechanism.
    pub preferred_focal_mechanism_id: Option<String>,
    /// Where and when, by different authors.
    pub origins: Vec<Origin>,
    /// How large, by different authors and scales.
    pub magnitudes: Vec<Magnitude>,
    /// How large, seen from one station.
    pub station_magnitudes: Vec<StationMagnitude>,
    /// Measured amplitudes.
    pub amplitudes: Vec<Amplitude>,
    /// Measured onsets.
    pub picks: Vec<Pick>,
    /// How it ruptured.
    pub focal_mechanisms: Vec<FocalMechanism>,
}

/// A name or region of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The text.
    pub text: String,
    /// "Flinn-Engdahl region", "earthquake name", ...
    pub kind: Option<String>,
}

/// Where and when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// Its public id.
    pub id: String,
    /// When.
    pub time: Option<UtcTime>,
    /// Degrees north.
    pub latitude: Option<f64>,
    /// Degrees east.
    pub longitude: Option<f64>,
    /// Metres.
    pub depth: Option<f64>,
    /// How the depth was found, one of QuakeML's words.
    pub depth_kind: Option<String>,
    /// "manual" or "automatic".
    pub evaluation_mode: Option<String>,
    /// "preliminary", "final", ...
    pub evaluation_status: Option<String>,
    /// Who says so.
    pub agency: Option<String>,
    /// Who says so, by name.
    pub author: Option<String>,
    /// Picks that made it.
    pub arrivals: Vec<Arrival>,
}

/// A pick as an origin explains it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Arrival {
    /// Its public id.
    pub id: Option<String>,
    /// Id of the pick.
    pub pick_id: Option<String>,
    /// Name of the phase.
    pub phase: String,
    /// Degrees from the epicentre to the station, clockwise from north.
    pub azimuth: Option<f64>,
    /// Degrees from the epicentre to the station.
    pub distance: Option<f64>,
    /// Degrees from down at the source.
    pub takeoff_angle: Option<f64>,
    /// Seconds.
    pub time_residual: Option<f64>,
    /// Weight in the location.
    pub time_weight: Option<f64>,
}

/// How large.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Magnitude {
    /// Its public id.
    pub id: String,
    /// The value.
    pub value: Option<f64>,
    /// "MW", "mb", ... as written.
    pub kind: Option<String>,
    /// Id of the origin that it belongs to.
    pub origin_id: Option<String>,
    /// Stations used.
    pub station_count: Option<i64>,
    /// Who says so.
    pub agency: Option<String>,
    /// Who says so, by name.
    pub author: Option<String>,
    /// What station magnitudes contributed.
    pub contributions: Vec<Contribution>,
}

/// What a station magnitude contributed to a magnitude.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    /// Id of the station magnitude.
    pub station_magnitude_id: String,
    /// Its weight.
    pub weight: Option<f64>,
    /// Its residual.
    pub residual: Option<f64>,
}

/// How large, seen from one station.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StationMagnitude {
    /// Its public id.
    pub id: String,
    /// Id of the origin that it belongs to.
    pub origin_id: Option<String>,
    /// The value.
    pub value: Option<f64>,
    /// "MW", "mb", ... as written.
    pub kind: Option<String>,
    /// Id of the amplitude it comes from.
    pub amplitude_id: Option<String>,
    /// Where it was measured.
    pub waveform: Option<WaveformId>,
}

/// A measured amplitude.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Amplitude {
    /// Its public id.
    pub id: String,
    /// The value, in `unit`.
    pub value: Option<f64>,
    /// What kind of amplitude.
    pub kind: Option<String>,
    /// "m", "s", "m/s", ...
    pub unit: Option<String>,
    /// Seconds.
    pub period: Option<f64>,
    /// Id of the pick.
    pub pick_id: Option<String>,
    /// Where it was measured.
    pub waveform: Option<WaveformId>,
}

/// A measured onset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pick {
    /// Its public id.
    pub id: String,
    /// When.
    pub time: Option<UtcTime>,
    /// Where it was measured.
    pub waveform: Option<WaveformId>,
    /// Seconds.
    pub uncertainty: Option<f64>,
    /// Name of the phase, as whoever picked it thought.
    pub phase_hint: Option<String>,
    /// "emergent", "impulsive" or "questionable".
    pub onset: Option<String>,
    /// "positive", "negative" or "undecidable".
    pub polarity: Option<String>,
    /// "manual" or "automatic".
    pub evaluation_mode: Option<String>,
    /// "preliminary", "final", ...
    pub evaluation_status: Option<String>,
}

/// Codes of a channel, of which location and channel may be missing; displays as a SEED id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaveformId {
    /// Network code.
    pub network: String,
    /// Station code.
    pub station: String,
    /// Location code.
    pub location: Option<String>,
    /// Channel code.
    pub channel: Option<String>,
    /// Resource that it names, if any.
    pub resource: Option<String>,
}

impl std::fmt::Display for WaveformId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { network, station, location, channel, .. } = self;
        let (location, channel) = (location.as_deref(), channel.as_deref());
        write!(f, "{network}.{station}.{}.{}", location.unwrap_or(""), channel.unwrap_or(""))
    }
}

/// How it ruptured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FocalMechanism {
    /// Its public id.
    pub id: String,
    /// Id of the origin it began from.
    pub triggering_origin_id: Option<String>,
    /// Strike, dip and rake of the two nodal planes, degrees.
    pub nodal_planes: [Option<[f64; 3]>; 2],
    /// Newton metres.
    pub scalar_moment: Option<f64>,
    /// Mrr, Mtt, Mpp, Mrt, Mrp and Mtp, newton metres.
    pub moment_tensor: Option<[f64; 6]>,
    /// Id of the origin that the moment tensor gave.
    pub derived_origin_id: Option<String>,
}

impl Event {
    /// The preferred origin; the first where none is named, or none of that name is there.
    pub fn preferred_origin(&self) -> Option<&Origin> {
        let named = |id: &String| self.origins.iter().find(|origin| origin.id == *id);
        self.preferred_origin_id.as_ref().and_then(named).or(self.origins.first())
    }

    /// The preferred magnitude; the first where none is named, or none of that name is there.
    pub fn preferred_magnitude(&self) -> Option<&Magnitude> {
        let named = |id: &String| self.magnitudes.iter().find(|magnitude| magnitude.id == *id);
        self.preferred_magnitude_id.as_ref().and_then(named).or(self.magnitudes.first())
    }
}
