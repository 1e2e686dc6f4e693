//! An inventory into `site` and `channel`.

use std::collections::BTreeMap;

use bson::{Document, doc};
use mspass_core::inventory::{Channel, Epoch, Inventory, Network, Station};
use mspass_core::{UtcTime, inventory};

use super::{BATCH_MAX, CHANNEL, FOR_EVER, OPEN_END, SITE, TEXT_BYTES_MAX, number, text};
use crate::db::id::Derived;
use crate::error::Result;
use crate::format::stationxml;
use crate::store::{Database, Find};

/// How an inventory is saved.
#[derive(Clone, Debug, PartialEq)]
pub struct InventoryOptions {
    /// Networks left out; MsPASS leaves out SY, which is synthetic.
    pub exclude_networks: Vec<String>,
    /// Two epochs of the same codes are one when both ends agree within so many seconds.
    pub slack: f64,
}

impl Default for InventoryOptions {
    fn default() -> Self {
        Self { exclude_networks: vec!["SY".to_owned()], slack: 10.0 }
    }
}

/// What came of saving an inventory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InventoryReport {
    /// Sites that were new.
    pub sites_saved: u64,
    /// Channels that were new.
    pub channels_saved: u64,
    /// Sites in the inventory.
    pub sites_seen: u64,
    /// Channels in the inventory.
    pub channels_seen: u64,
    /// Documents whose StationXML was longer than [`TEXT_BYTES_MAX`] and was left out.
    pub texts_left_out: u64,
}

/// Saves what is not there yet: one `site` for each epoch and location code of a station, one
/// `channel` for each epoch of a channel. Ids are derived from codes and epoch, so saving again, or
/// in two processes at once, adds nothing.
pub fn save_inventory(
    database: &Database,
    inventory: &Inventory,
    options: &InventoryOptions,
) -> Result<InventoryReport> {
    let mut report = InventoryReport::default();
    let mut epochs: BTreeMap<(&str, &str), Vec<(&Network, &Station)>> = BTreeMap::new();
    for network in &inventory.networks {
        if options.exclude_networks.contains(&network.code) {
            continue;
        }
        for station in &network.stations {
            epochs.entry((&network.code, &station.code)).or_default().push((network, station));
        }
    }
    let (mut sites, mut channels) = (Vec::new(), Vec::new());
    for ((net, sta), epochs) in epochs {
        let mut known_sites = known(database, SITE, net, sta)?;
        let mut known_channels = known(database, CHANNEL, net, sta)?;
        for (network, station) in epochs {
            for loc in locations(station) {
                report.sites_seen += 1;
                let document = site_document(network, station, loc);
                if is_new(&mut known_sites, &document, options.slack) {
                    report.sites_saved += 1;
                    sites.push(checked(document, &mut report));
                }
            }
            for channel in &station.channels {
                report.channels_seen += 1;
                let document = channel_document(&network.code, &station.code, channel);
                if is_new(&mut known_channels, &document, options.slack) {
                    report.channels_saved += 1;
                    channels.push(checked(document, &mut report));
                }
            }
        }
        for (collection, documents) in [(SITE, &mut sites), (CHANNEL, &mut channels)] {
            if documents.len() >= BATCH_MAX {
                write(database, collection, documents)?;
            }
        }
    }
    write(database, SITE, &mut sites)?;
    write(database, CHANNEL, &mut channels)?;
    Ok(report)
}

fn write(database: &Database, collection: &str, documents: &mut Vec<Document>) -> Result<()> {
    for batch in documents.chunks(BATCH_MAX) {
        database.documents.upsert(collection, batch)?;
    }
    documents.clear();
    Ok(())
}

/// The location codes of a station's channels; one empty code where there are no channels.
fn locations(station: &Station) -> Vec<&str> {
    let mut codes: Vec<&str> = station.channels.iter().map(|c| c.location.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    if codes.is_empty() { vec![""] } else { codes }
}

/// Codes and epochs of a station's documents that are there already.
fn known(database: &Database, collection: &str, net: &str, sta: &str) -> Result<Vec<Document>> {
    let keys = doc! { "loc": 1, "chan": 1, "starttime": 1, "endtime": 1 };
    let find = Find::filter(doc! { "net": net, "sta": sta }).projection(keys);
    database.documents.find(collection, &find)?.collect()
}

/// Whether no document of the same codes and epoch is known; it is from now on.
fn is_new(known: &mut Vec<Document>, document: &Document, slack: f64) -> bool {
    let near = |other: &Document, key: &str| {
        let open = if key == "starttime" { 0.0 } else { OPEN_END };
        let of = |document: &Document| number(document, key).unwrap_or(open);
        (of(other) - of(document)).abs() <= slack
    };
    let same = |other: &Document| {
        text(other, "loc").trim() == text(document, "loc")
            && text(other, "chan") == text(document, "chan")
            && near(other, "starttime")
            && near(other, "endtime")
    };
    let new = !known.iter().any(same);
    if new {
        let keys = ["loc", "chan", "starttime", "endtime"].into_iter();
        let codes = keys.filter_map(|key| Some((key.to_owned(), document.get(key)?.clone())));
        known.push(codes.collect());
    }
    new
}

fn checked(mut document: Document, report: &mut InventoryReport) -> Document {
    if text(&document, "stationxml").len() > TEXT_BYTES_MAX {
        document.remove("stationxml");
        report.texts_left_out += 1;
    }
    document
}

/// Codes, place and epoch, as `site` and `channel` share them.
fn place(net: &str, sta: &str, loc: &str, at: (f64, f64, f64), epoch: Epoch) -> Document {
    let (latitude, longitude, elevation) = at;
    let start = epoch.start.map_or(0.0, UtcTime::seconds);
    let end = epoch
        .end
        .map_or(OPEN_END, |end| if end == UtcTime::MAX { FOR_EVER } else { end.seconds() });
    doc! {
        "loc": loc, "net": net, "sta": sta,
        "lat": latitude, "lon": longitude,
        "coords": [longitude, latitude],
        "location": { "type": "Point", "coordinates": [longitude, latitude] },
        "elev": elevation / 1000.0,
        "starttime": start, "endtime": end,
    }
}

fn derived(kind: &str, codes: [&str; 4], epoch: Epoch) -> bson::oid::ObjectId {
    let time = |time: Option<UtcTime>| time.map_or(u64::MAX, |time| time.nanos() as u64);
    let id = codes.iter().fold(Derived::new(kind), |id, code| id.text(code));
    id.number(time(epoch.start)).number(time(epoch.end)).object_id()
}

/// The `site` document of a station for one of its location codes; `edepth` is that of its first
/// channel there.
pub fn site_document(network: &Network, station: &Station, loc: &str) -> Document {
    let id = derived(SITE, [&network.code, &station.code, loc, ""], station.epoch);
    let at = (station.latitude, station.longitude, station.elevation);
    let depth = station.channels.iter().find(|channel| channel.location == loc);
    let mut document = doc! { "_id": id };
    document.extend(place(&network.code, &station.code, loc, at, station.epoch));
    document.insert("edepth", depth.map_or(0.0, |channel| channel.depth / 1000.0));
    document.insert("site_id", id);
    let station = Station { channels: Vec::new(), ..station.clone() };
    let network = Network { stations: vec![station], ..network_alone(network) };
    document.insert("stationxml", stationxml::write_network(&network));
    document
}

fn network_alone(network: &Network) -> Network {
    Network {
        code: network.code.clone(),
        epoch: network.epoch,
        description: network.description.clone(),
        restricted_status: network.restricted_status.clone(),
        total_stations: network.total_stations,
        stations: Vec::new(),
    }
}

/// The `channel` document of a channel.
pub fn channel_document(net: &str, sta: &str, channel: &inventory::Channel) -> Document {
    let Channel { code, location, epoch, .. } = channel;
    let id = derived(CHANNEL, [net, sta, location, code], *epoch);
    let at = (channel.latitude, channel.longitude, channel.elevation);
    let mut document = doc! { "_id": id };
    document.extend(place(net, sta, location, at, *epoch));
    document.insert("chan", code);
    document.insert("edepth", channel.depth / 1000.0);
    if let Some(azimuth) = channel.azimuth {
        document.insert("hang", azimuth);
    }
    if let Some(dip) = channel.dip {
        document.insert("vang", dip + 90.0);
    }
    document.insert("chan_id", id);
    document.insert("stationxml", stationxml::write_channel(channel));
    document
}
