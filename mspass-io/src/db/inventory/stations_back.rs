//! `site` and `channel` as an inventory.

use bson::{Document, doc};
use mspass_core::UtcTime;
use mspass_core::inventory::{Channel, Epoch, Inventory, Network, Station};

use super::{CHANNEL, FOR_EVER, OPEN_END, SITE, number, text};
use crate::error::Result;
use crate::format::stationxml;
use crate::store::{Database, Find};

/// Which stations to read; what is `None` does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Network code.
    pub network: Option<String>,
    /// Station code.
    pub station: Option<String>,
    /// Location code.
    pub location: Option<String>,
    /// An instant that the epoch holds.
    pub time: Option<UtcTime>,
}

impl Selection {
    fn filter(&self) -> Document {
        let mut filter = Document::new();
        let codes = [("net", &self.network), ("sta", &self.station), ("loc", &self.location)];
        for (key, code) in codes {
            if let Some(code) = code {
                filter.insert(key, code);
            }
        }
        if let Some(time) = self.time {
            filter.insert("starttime", doc! { "$lte": time.seconds() });
            filter.insert("endtime", doc! { "$gte": time.seconds() });
        }
        filter
    }
}

/// Slack between a channel's epoch and its station's, ns.
const SLACK: i64 = 10_000_000_000;

/// The stations and channels of a selection, sorted by codes and start.
///
/// A channel belongs to the station epoch that holds its start; where none does, a station is made
/// of the channel's own place and epoch. The whole selection is in memory at once.
pub fn read_inventory(database: &Database, selection: &Selection) -> Result<Inventory> {
    let sort = doc! { "net": 1, "sta": 1, "starttime": 1, "loc": 1, "chan": 1, "_id": 1 };
    let find = Find::filter(selection.filter()).sort(sort);
    let mut inventory = Inventory { source: "MsPASS".to_owned(), ..Inventory::default() };
    for document in database.documents.find(SITE, &find)? {
        let document = document?;
        let (alone, station) = station_of(&document);
        let stations = &mut network(&mut inventory, alone).stations;
        let same = |other: &Station| other.code == station.code && other.epoch == station.epoch;
        if !stations.iter().rev().any(same) {
            stations.push(station);
        }
    }
    for document in database.documents.find(CHANNEL, &find)? {
        let document = document?;
        let channel = channel_of(&document);
        let code = text(&document, "sta");
        let alone = Network { code: text(&document, "net").to_owned(), ..Network::default() };
        let stations = &mut network(&mut inventory, alone).stations;
        let holds = |station: &Station| station.code == code && fits(station, &channel);
        let at = stations.iter().position(holds).unwrap_or_else(|| {
            stations.push(Station {
                code: code.to_owned(),
                epoch: channel.epoch,
                latitude: channel.latitude,
                longitude: channel.longitude,
                elevation: channel.elevation,
                ..Station::default()
            });
            stations.len() - 1
        });
        stations[at].channels.push(channel);
    }
    Ok(inventory)
}

/// The network of this code, `alone` put in where there is none.
fn network(inventory: &mut Inventory, alone: Network) -> &mut Network {
    let networks = &mut inventory.networks;
    let same = |network: &Network| network.code == alone.code;
    let at = networks.iter().rposition(same).unwrap_or_else(|| {
        networks.push(Network { stations: Vec::new(), ..alone });
        networks.len() - 1
    });
    &mut networks[at]
}

fn fits(station: &Station, channel: &Channel) -> bool {
    let start = channel.epoch.start.unwrap_or_default();
    let epoch = Epoch {
        start: station.epoch.start.map(|start| start + -SLACK),
        end: station.epoch.end.map(|end| end + SLACK),
    };
    epoch.contains(start)
}

fn epoch_of(document: &Document) -> Epoch {
    let start = number(document, "starttime").filter(|start| *start != 0.0);
    let end = number(document, "endtime").filter(|end| *end != OPEN_END);
    let instant = |seconds: f64| {
        if seconds >= FOR_EVER { UtcTime::MAX } else { UtcTime::from_seconds(seconds) }
    };
    Epoch { start: start.map(instant), end: end.map(instant) }
}

/// The document's number wins over the text's where they differ by more than rounding.
fn settle(value: &mut f64, document: Option<f64>) {
    if let Some(number) = document
        && (number - *value).abs() > 1e-6
    {
        *value = number;
    }
}

/// Epochs of text and document are the same when they agree to the microsecond of a double.
fn settle_epoch(epoch: &mut Epoch, document: &Document) {
    let other = epoch_of(document);
    let same = |a: Option<UtcTime>, b: Option<UtcTime>| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1000,
        (a, b) => a == b,
    };
    if !same(epoch.start, other.start) {
        epoch.start = other.start;
    }
    if !same(epoch.end, other.end) {
        epoch.end = other.end;
    }
}

/// The network and station that a `site` document speaks of.
fn station_of(document: &Document) -> (Network, Station) {
    let written = stationxml::read_network(text(document, "stationxml")).ok();
    let mut network = written.unwrap_or_default();
    let mut station = network.stations.pop().unwrap_or_default();
    network.code = text(document, "net").to_owned();
    station.code = text(document, "sta").to_owned();
    settle(&mut station.latitude, number(document, "lat"));
    settle(&mut station.longitude, number(document, "lon"));
    settle(&mut station.elevation, number(document, "elev").map(|elev| elev * 1000.0));
    settle_epoch(&mut station.epoch, document);
    (network, station)
}

/// The channel that a `channel` document speaks of. Its keys win over its StationXML where they
/// differ. MsPASS wrote `edepth` in metres, so one beside MsPASS's pickle is taken for that.
pub fn channel_of(document: &Document) -> Channel {
    let written = stationxml::read_channel(text(document, "stationxml")).ok().flatten();
    let mut channel = written.unwrap_or_default();
    channel.code = text(document, "chan").to_owned();
    channel.location = text(document, "loc").trim().to_owned();
    settle(&mut channel.latitude, number(document, "lat"));
    settle(&mut channel.longitude, number(document, "lon"));
    settle(&mut channel.elevation, number(document, "elev").map(|elev| elev * 1000.0));
    let metres = if document.contains_key("serialized_channel_data") { 1.0 } else { 1000.0 };
    settle(&mut channel.depth, number(document, "edepth").map(|depth| depth * metres));
    for (angle, key, from) in
        [(&mut channel.azimuth, "hang", 0.0), (&mut channel.dip, "vang", -90.0)]
    {
        if let Some(number) = number(document, key) {
            settle(angle.get_or_insert(number + from), Some(number + from));
        }
    }
    settle_epoch(&mut channel.epoch, document);
    channel
}
