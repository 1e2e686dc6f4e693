//! Networks, stations, channels and the response of each: what StationXML says.
//!
//! Lengths are metres and angles degrees here, as in StationXML; documents of `site` and `channel`
//! are in kilometres. What has no field (comments, operators, external references, uncertainties)
//! is not kept.

mod response;

use serde::{Deserialize, Serialize};

use crate::time::UtcTime;

pub use response::{
    Coefficients, Decimation, Filter, Fir, Gain, ListElement, PolesZeros, Polynomial, Response,
    ResponseList, Sensitivity, Stage, Units,
};

/// All networks of a document.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Inventory {
    /// Who holds the original.
    pub source: String,
    /// Who sent the document.
    pub sender: Option<String>,
    /// When it was made.
    pub created: Option<UtcTime>,
    /// The networks in the document's order; a code may occur more than once.
    pub networks: Vec<Network>,
}

/// When something was in operation; a bound that is not known stands open.
///
/// Ends beyond the year 2262 saturate at [`UtcTime::MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Epoch {
    /// First instant.
    pub start: Option<UtcTime>,
    /// Last instant.
    pub end: Option<UtcTime>,
}

impl Epoch {
    /// Whether `time` lies in the epoch, both ends part of it.
    ///
    /// ```
    /// use mspass_core::{UtcTime, inventory::Epoch};
    /// let epoch = Epoch { start: Some(UtcTime::from_nanos(5)), end: None };
    /// assert!(epoch.contains(UtcTime::from_nanos(5)) && !epoch.contains(UtcTime::from_nanos(4)));
    /// ```
    pub fn contains(&self, time: UtcTime) -> bool {
        self.start.is_none_or(|start| start <= time) && self.end.is_none_or(|end| time <= end)
    }
}

/// One network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// Network code.
    pub code: String,
    /// When it was in operation.
    pub epoch: Epoch,
    /// What it is.
    pub description: Option<String>,
    /// "open", "closed" or "partial".
    pub restricted_status: Option<String>,
    /// Number of stations it has, which may be more than stand here.
    pub total_stations: Option<i64>,
    /// Its stations; one per epoch, so a code may occur more than once.
    pub stations: Vec<Station>,
}

/// One epoch of one station.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Station {
    /// Station code.
    pub code: String,
    /// When it was in operation.
    pub epoch: Epoch,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// Metres above sea level.
    pub elevation: f64,
    /// Name of the place.
    pub site: Option<String>,
    /// What it is.
    pub description: Option<String>,
    /// "open", "closed" or "partial".
    pub restricted_status: Option<String>,
    /// When it was first installed.
    pub creation_date: Option<UtcTime>,
    /// Number of channels it has, which may be more than stand here.
    pub total_channels: Option<i64>,
    /// Its channels; one per epoch.
    pub channels: Vec<Channel>,
}

/// One epoch of one channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Channel {
    /// Channel code.
    pub code: String,
    /// Location code, blanks removed; often empty.
    pub location: String,
    /// When it was in operation.
    pub epoch: Epoch,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// Metres above sea level of the ground.
    pub elevation: f64,
    /// Metres of the sensor below the ground.
    pub depth: f64,
    /// Degrees from north, clockwise.
    pub azimuth: Option<f64>,
    /// Degrees down from the horizontal; a vertical that is positive up has -90.
    pub dip: Option<f64>,
    /// Samples per second.
    pub sample_rate: Option<f64>,
    /// Seconds per sample.
    pub clock_drift: Option<f64>,
    /// "CONTINUOUS", "GEOPHYSICAL", ...
    pub types: Vec<String>,
    /// What it is.
    pub description: Option<String>,
    /// "open", "closed" or "partial".
    pub restricted_status: Option<String>,
    /// The sensor.
    pub sensor: Option<Equipment>,
    /// What digitises.
    pub data_logger: Option<Equipment>,
    /// From ground motion to counts; `None` when the document says nothing of it.
    pub response: Option<Response>,
}

/// A thing with a serial number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Equipment {
    /// Kind of thing.
    pub kind: Option<String>,
    /// What it is.
    pub description: Option<String>,
    /// Who made it.
    pub manufacturer: Option<String>,
    /// Who sold it.
    pub vendor: Option<String>,
    /// Its model.
    pub model: Option<String>,
    /// Its number.
    pub serial_number: Option<String>,
}

impl Inventory {
    /// All channels with their network and station.
    pub fn channels(&self) -> impl Iterator<Item = (&Network, &Station, &Channel)> {
        self.networks.iter().flat_map(|network| {
            network.stations.iter().flat_map(move |station| {
                station.channels.iter().map(move |channel| (network, station, channel))
            })
        })
    }
}
