use std::path::Path;
use std::sync::Arc;

use bson::oid::ObjectId;
use bson::{Document, doc};
use mspass_core::inventory::{Channel, Inventory, Network};
use mspass_core::{Event, UtcTime};

use super::*;
use crate::format::{quakeml, stationxml};
use crate::store::{Database, Find, MemoryStore};

fn database() -> Database {
    let store = Arc::new(MemoryStore::new());
    Database { documents: store.clone(), blobs: store }
}

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::fs::read(folder.join(name)).unwrap()
}

fn all(database: &Database, collection: &str) -> Vec<Document> {
    let find = Find::filter(doc! {}).sort(doc! { "loc": 1, "chan": 1 });
    database.documents.find(collection, &find).unwrap().map(|d| d.unwrap()).collect()
}

fn save(database: &Database, inventory: &Inventory) -> [u64; 4] {
    let report = save_inventory(database, inventory, &InventoryOptions::default()).unwrap();
    [report.sites_saved, report.channels_saved, report.sites_seen, report.channels_seen]
}

fn keys(document: &Document) -> Vec<&str> {
    document.keys().map(String::as_str).collect()
}

/// What MsPASS 2.4.3 wrote of the same document, its pickle aside; `edepth` is in metres there.
#[test]
fn documents_have_the_keys_and_units_of_mspass() {
    let database = database();
    let reading = stationxml::read(&fixture("stations/stationxml_with_availability.xml")).unwrap();
    assert_eq!(save(&database, &reading.inventory), [1, 1, 1, 1]);
    let site = &all(&database, SITE)[0];
    let place = doc! {
        "loc": "00", "net": "IU", "sta": "ANMO", "lat": 34.94591, "lon": -106.4572,
        "coords": [-106.4572, 34.94591],
        "location": { "type": "Point", "coordinates": [-106.4572, 34.94591] },
        "elev": 1.82, "starttime": 1_214_856_000.0, "endtime": 19_880_899_199.0, "edepth": 0.145,
    };
    for (key, value) in &place {
        assert_eq!(site.get(key), Some(value), "{key}");
    }
    assert_eq!(site.get("site_id"), site.get("_id"));
    let channel = &all(&database, CHANNEL)[0];
    let due = doc! {
        "lat": 34.945981, "lon": -106.457133, "elev": 1.671, "edepth": 0.145, "chan": "BH1",
        "vang": 90.0, "hang": 328.0, "starttime": 1_331_584_080.0, "endtime": 19_880_899_199.0,
    };
    for (key, value) in &due {
        assert_eq!(channel.get(key), Some(value), "{key}");
    }
    assert_eq!(channel.get("chan_id"), channel.get("_id"));
    assert_ne!(channel.get("_id"), site.get("_id"), "a channel is not its site");
    let texts = ["stationxml"];
    let known = ["_id", "site_id", "chan_id"];
    for document in [site, channel] {
        let odd = |key: &&str| !place.contains_key(key) && !due.contains_key(key);
        let others: Vec<&str> = keys(document).into_iter().filter(odd).collect();
        assert!(others.iter().all(|key| texts.contains(key) || known.contains(key)), "{others:?}");
    }
}

#[test]
fn an_inventory_comes_back_out() {
    for name in ["BW_RJOB.xml", "stationxml_with_availability.xml", "full_random_stationxml.xml"] {
        let database = database();
        let inventory = stationxml::read(&fixture(&format!("stations/{name}"))).unwrap().inventory;
        let [sites, channels, ..] = save(&database, &inventory);
        assert!(sites > 0 && channels > 0);
        assert_eq!(save(&database, &inventory)[..2], [0, 0], "saving again adds nothing");
        let back = read_inventory(&database, &Selection::default()).unwrap();
        let of = |inventory: &Inventory| {
            let mut all: Vec<(String, Channel)> = inventory
                .channels()
                .map(|(n, s, c)| (format!("{}.{}", n.code, s.code), c.clone()))
                .collect();
            all.sort_by_key(|(station, c)| {
                (station.clone(), c.location.clone(), c.code.clone(), c.epoch)
            });
            all
        };
        assert_eq!(of(&back), of(&inventory), "{name}");
        let none = Selection { network: Some("QQ".to_owned()), ..Selection::default() };
        assert!(read_inventory(&database, &none).unwrap().networks.is_empty());
    }
}

#[test]
fn each_location_has_its_own_channels_and_epochs_their_slack() {
    let text = r#"<FDSNStationXML><Network code="XX"><Station code="A" startDate="2010-01-01">
        <Latitude>1</Latitude><Longitude>2</Longitude><Elevation>3000</Elevation>
        <Channel code="HHZ" locationCode="00" startDate="2010-01-01" endDate="2011-01-01">
        <Latitude>1</Latitude><Longitude>2</Longitude><Elevation>3000</Elevation>
        <Depth>10</Depth></Channel>
        <Channel code="HHZ" locationCode="10" startDate="2010-01-01">
        <Latitude>1</Latitude><Longitude>2</Longitude><Elevation>3000</Elevation>
        <Depth>20</Depth></Channel></Station></Network></FDSNStationXML>"#;
    let database = database();
    let inventory = stationxml::read(text.as_bytes()).unwrap().inventory;
    assert_eq!(save(&database, &inventory), [2, 2, 2, 2]);
    let depths: Vec<_> =
        all(&database, SITE).iter().map(|d| d.get_f64("edepth").unwrap()).collect();
    assert_eq!(depths, [0.01, 0.02]);
    let ends: Vec<_> =
        all(&database, CHANNEL).iter().map(|d| d.get_f64("endtime").unwrap()).collect();
    assert_eq!(ends, [1_293_840_000.0, 2_556_144_000.0]);
    let near = text.replace("2011-01-01", "2011-01-01T00:00:09");
    let inventory = stationxml::read(near.as_bytes()).unwrap().inventory;
    assert_eq!(save(&database, &inventory)[..2], [0, 0]);
    let far = text.replace("2011-01-01", "2011-01-01T00:00:11");
    let inventory = stationxml::read(far.as_bytes()).unwrap().inventory;
    assert_eq!(save(&database, &inventory)[..2], [0, 1]);
    let synthetic = text.replace("\"XX\"", "\"SY\"");
    let inventory = stationxml::read(synthetic.as_bytes()).unwrap().inventory;
    assert_eq!(save(&database, &inventory), [0; 4]);
    let time = Some(UtcTime::from_seconds(1_300_000_000.0));
    let back = read_inventory(&database, &Selection { time, ..Selection::default() }).unwrap();
    let codes: Vec<_> = back.channels().map(|(_, _, channel)| channel.location.as_str()).collect();
    assert_eq!(codes, ["10"]);
}

#[test]
fn documents_of_mspass_read_back() {
    let database = database();
    let id = ObjectId::new();
    let place = doc! {
        "_id": id, "loc": "00", "net": "IU", "sta": "ANMO", "lat": 34.9, "lon": -106.4,
        "elev": 1.671, "edepth": 145.0, "starttime": 1_331_584_080.0, "endtime": 2_556_144_000.0,
    };
    let mut channel = place.clone();
    channel.extend(doc! { "chan": "BH1", "vang": 0.0, "hang": 328.0 });
    channel.insert("serialized_channel_data", "a pickle");
    database.documents.insert(SITE, &[place]).unwrap();
    database.documents.insert(CHANNEL, &[channel]).unwrap();
    let back = read_inventory(&database, &Selection::default()).unwrap();
    let (_, station, channel) = back.channels().next().unwrap();
    assert!((station.elevation - 1671.0).abs() < 1e-9);
    assert_eq!((channel.depth, channel.dip, channel.azimuth), (145.0, Some(-90.0), Some(328.0)));
    assert_eq!(channel.epoch.end, None);
    assert_eq!(back.networks.len(), 1);
}

#[test]
fn sources_have_the_keys_and_units_of_mspass_and_are_saved_once() {
    let database = database();
    let events = quakeml::read(&fixture("events/iris_events.xml")).unwrap().events;
    let report = save_events(&database, &events).unwrap();
    assert_eq!((report.saved, report.seen, report.duplicates), (2, 2, 0));
    assert_eq!(save_events(&database, &events).unwrap().duplicates, 2);
    let find = Find::filter(doc! { "magnitude": 9.1 });
    let source = database.documents.find(SOURCE, &find).unwrap().next().unwrap().unwrap();
    let due = doc! {
        "lat": 38.297, "lon": 142.373, "coords": [142.373, 38.297],
        "epicenter": { "type": "Point", "coordinates": [142.373, 38.297] },
        "depth": 0.029, "time": 1_299_822_384.12, "magnitude": 9.1, "magnitude_type": "MW",
    };
    for (key, value) in &due {
        assert_eq!(source.get(key), Some(value), "{key}");
    }
    assert_eq!(source.get("source_id"), source.get("_id"));
    let mut back = read_events(&database, &doc! {}).unwrap();
    back.reverse();
    assert_eq!(back, events);
}

#[test]
fn an_event_without_preferences_or_origin_does_not_fail() {
    let database = database();
    let mut events = quakeml::read(&fixture("events/quakeml_1.2_event.xml")).unwrap().events;
    events.extend(quakeml::read(&fixture("events/invalid_enum.xml")).unwrap().events);
    events.push(Event::default());
    let report = save_events(&database, &events).unwrap();
    assert_eq!((report.saved, report.without_origin), (1, 2));
    let mspass = doc! { "_id": ObjectId::new(), "lat": 1.0, "lon": 2.0, "depth": 3.0, "time": 4.0 };
    database.documents.insert(SOURCE, &[mspass]).unwrap();
    let back = read_events(&database, &doc! { "time": 4.0 }).unwrap();
    assert_eq!(back[0].preferred_origin().unwrap().depth, Some(3000.0));
}

#[test]
fn a_text_too_long_for_a_document_is_left_out_and_counted() {
    let long = "x".repeat(TEXT_BYTES_MAX);
    let description = Some(long.clone());
    let station = mspass_core::inventory::Station { description, ..<_>::default() };
    let network = Network { code: "XX".to_owned(), stations: vec![station], ..<_>::default() };
    let inventory = Inventory { networks: vec![network], ..Inventory::default() };
    let database = database();
    let report = save_inventory(&database, &inventory, &InventoryOptions::default()).unwrap();
    assert_eq!((report.sites_saved, report.texts_left_out), (1, 1));
    assert!(!all(&database, SITE)[0].contains_key("stationxml"));
}
