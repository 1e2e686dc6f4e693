//! Networks, stations and channels.

use mspass_core::inventory::{Channel, Epoch, Equipment, Inventory, Network, Station};

use super::super::xml::{Element, Pull, Remarks, Tag, time};
use super::{StationReading, response};
use crate::error::Result;

pub(super) fn document(mut pull: Pull, mut remarks: Remarks) -> Result<StationReading> {
    let root = pull.root("FDSNStationXML")?;
    let version = root.attribute("schemaVersion").map(str::to_owned);
    let mut inventory = Inventory::default();
    while let Some(tag) = pull.next()? {
        if tag.name == "Network" {
            inventory.networks.extend(network(&mut pull, tag, &mut remarks)?);
            continue;
        }
        let element = pull.tree(tag)?;
        match element.name.as_str() {
            "Source" => inventory.source = element.text,
            "Sender" => inventory.sender = some(element.text),
            "Created" => {
                inventory.created = time("Created", &element.text, element.offset, &mut remarks);
            }
            _ => {}
        }
    }
    pull.finish()?;
    Ok(StationReading { inventory, version, remarks: remarks.into_list() })
}

pub(super) fn network(pull: &mut Pull, tag: Tag, remarks: &mut Remarks) -> Result<Option<Network>> {
    let Some(code) = tag.attribute("code").map(str::to_owned) else {
        remarks.note(tag.offset, || "a Network without a code; left out".to_owned());
        pull.skip()?;
        return Ok(None);
    };
    let mut network = Network {
        code,
        epoch: epoch(&tag, remarks),
        restricted_status: tag.attribute("restrictedStatus").map(str::to_owned),
        ..Network::default()
    };
    while let Some(tag) = pull.next()? {
        if tag.name == "Station" {
            network.stations.extend(station(pull, tag, remarks)?);
            continue;
        }
        let element = pull.tree(tag)?;
        match element.name.as_str() {
            "Description" => network.description = some(element.text),
            "TotalNumberStations" => network.total_stations = element.text.parse().ok(),
            _ => {}
        }
    }
    Ok(Some(network))
}

fn station(pull: &mut Pull, tag: Tag, remarks: &mut Remarks) -> Result<Option<Station>> {
    let code = tag.attribute("code").unwrap_or_default().to_owned();
    let mut station = Station {
        epoch: epoch(&tag, remarks),
        restricted_status: tag.attribute("restrictedStatus").map(str::to_owned),
        ..Station::default()
    };
    let (mut latitude, mut longitude, mut elevation) = (None, None, None);
    while let Some(tag) = pull.next()? {
        let element = pull.tree(tag)?;
        match element.name.as_str() {
            "Channel" => station.channels.extend(channel(&element, remarks)),
            "Latitude" => latitude = element.number(remarks),
            "Longitude" => longitude = element.number(remarks),
            "Elevation" => elevation = element.number(remarks),
            "Site" => station.site = element.text_of("Name"),
            "Description" => station.description = some(element.text),
            "CreationDate" => {
                station.creation_date =
                    time("CreationDate", &element.text, element.offset, remarks);
            }
            "TotalNumberChannels" => station.total_channels = element.text.parse().ok(),
            _ => {}
        }
    }
    let (Some(latitude), Some(longitude), Some(elevation), false) =
        (latitude, longitude, elevation, code.is_empty())
    else {
        remarks.note(tag.offset, || {
            format!("station '{code}' lacks its code or coordinates; left out")
        });
        return Ok(None);
    };
    Ok(Some(Station { code, latitude, longitude, elevation, ..station }))
}

pub(super) fn channel(element: &Element, remarks: &mut Remarks) -> Option<Channel> {
    let code = element.attribute("code").unwrap_or_default().to_owned();
    let place = ["Latitude", "Longitude", "Elevation", "Depth"]
        .map(|name| element.number_of(name, remarks));
    let ([Some(latitude), Some(longitude), Some(elevation), Some(depth)], false) =
        (place, code.is_empty())
    else {
        remarks.note(element.offset, || {
            format!("channel '{code}' lacks its code or coordinates; left out")
        });
        return None;
    };
    let start = element.attribute("startDate");
    let end = element.attribute("endDate");
    Some(Channel {
        location: element.attribute("locationCode").unwrap_or_default().to_owned(),
        epoch: Epoch {
            start: time("startDate", start.unwrap_or(""), element.offset, remarks),
            end: time("endDate", end.unwrap_or(""), element.offset, remarks),
        },
        code,
        latitude,
        longitude,
        elevation,
        depth,
        azimuth: element.number_of("Azimuth", remarks),
        dip: element.number_of("Dip", remarks),
        sample_rate: element.number_of("SampleRate", remarks),
        clock_drift: element.number_of("ClockDrift", remarks),
        types: element.all("Type").filter_map(|kind| some(kind.text.clone())).collect(),
        description: element.text_of("Description"),
        restricted_status: element.attribute("restrictedStatus").map(str::to_owned),
        sensor: element.child("Sensor").map(equipment),
        data_logger: element.child("DataLogger").map(equipment),
        response: element.child("Response").map(|child| response::read(child, remarks)),
    })
}

fn equipment(element: &Element) -> Equipment {
    Equipment {
        kind: element.text_of("Type"),
        description: element.text_of("Description"),
        manufacturer: element.text_of("Manufacturer"),
        vendor: element.text_of("Vendor"),
        model: element.text_of("Model"),
        serial_number: element.text_of("SerialNumber"),
    }
}

fn epoch(tag: &Tag, remarks: &mut Remarks) -> Epoch {
    let mut date = |name: &str| time(name, tag.attribute(name)?, tag.offset, remarks);
    Epoch { start: date("startDate"), end: date("endDate") }
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
