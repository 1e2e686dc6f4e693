//! StationXML and QuakeML files become documents of `site`, `channel` and `source`.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use mspass_core::event::Event;
use mspass_core::inventory::Inventory;
use mspass_io::db::inventory::{
    EventReport, InventoryOptions, InventoryReport, save_events, save_inventory,
};
use mspass_io::format::{quakeml, stationxml};
use mspass_io::store::Database;
use serde_json::{Value, json};

use super::super::super::failure::Failure;
use crate::frontend::quantity::{count, counted};

/// Bytes of a file in which its root element is looked for.
const HEAD_BYTES: u64 = 4096;

/// A file and what it holds.
pub(super) struct XmlFile<'p> {
    path: &'p Path,
    content: Content,
    /// Places of which no use could be made.
    remarks: usize,
}

enum Content {
    Stations(Inventory),
    Events(Vec<Event>),
}

/// What came of a file.
enum Saved {
    Stations(InventoryReport),
    Events(EventReport),
}

/// Reads all files: one that is damaged is refused before anything is written.
pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<XmlFile<'_>>, Failure> {
    paths.iter().map(|path| read_file(path)).collect()
}

fn read_file(path: &Path) -> Result<XmlFile<'_>, Failure> {
    let shown = path.display();
    let unreadable = |error: io::Error| {
        Failure::bad_input(format!(
            "cannot read {shown}: {error}; name a dump's folder, or StationXML or QuakeML files"
        ))
    };
    let mut head = Vec::new();
    File::open(path)
        .and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head))
        .map_err(unreadable)?;
    // Of UTF-16 every other byte is zero.
    head.retain(|byte| *byte != 0);
    let head = String::from_utf8_lossy(&head);
    let damaged = |error: mspass_io::Error| Failure::bad_input(format!("{shown}: {error}"));
    if head.contains("quakeml") {
        let reading = quakeml::read_file(path).map_err(damaged)?;
        let remarks = reading.remarks.len();
        return Ok(XmlFile { path, content: Content::Events(reading.events), remarks });
    }
    let reading = stationxml::read_file(path).map_err(|error| {
        if head.contains("FDSNStationXML") {
            return damaged(error);
        }
        Failure::bad_input(format!(
            "{shown} is neither StationXML nor QuakeML; name files of these, or a dump's folder"
        ))
    })?;
    let remarks = reading.remarks.len();
    Ok(XmlFile { path, content: Content::Stations(reading.inventory), remarks })
}

/// Saves what was read and tells of it.
pub(super) fn save(
    database: &Database,
    files: &[XmlFile<'_>],
    as_json: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut told = Vec::new();
    for file in files {
        let saved = match &file.content {
            Content::Stations(inventory) => {
                let options = InventoryOptions::default();
                Saved::Stations(save_inventory(database, inventory, &options)?)
            }
            Content::Events(events) => Saved::Events(save_events(database, events)?),
        };
        match as_json {
            true => told.push(to_json(file, &saved)),
            false => print(file, &saved, out)?,
        }
    }
    if as_json {
        writeln!(out, "{}", json!({ "files": told }))?;
    }
    Ok(())
}

fn print(file: &XmlFile<'_>, saved: &Saved, out: &mut dyn Write) -> io::Result<()> {
    let mut parts = match saved {
        Saved::Stations(report) => vec![
            format!(
                "{} ({} new)",
                counted(report.sites_seen, "site", "sites"),
                count(report.sites_saved)
            ),
            format!(
                "{} ({} new)",
                counted(report.channels_seen, "channel", "channels"),
                count(report.channels_saved)
            ),
        ],
        Saved::Events(report) => {
            vec![format!(
                "{} ({} new)",
                counted(report.seen, "event", "events"),
                count(report.saved)
            )]
        }
    };
    let left_out = match saved {
        Saved::Stations(report) => report.texts_left_out,
        Saved::Events(report) => report.texts_left_out,
    };
    if let Saved::Events(EventReport { without_origin: events @ 1.., .. }) = saved {
        parts.push(format!("{} without an origin left out", count(*events)));
    }
    if left_out > 0 {
        parts.push(format!("{} too long to be kept whole", counted(left_out, "text", "texts")));
    }
    if file.remarks > 0 {
        parts.push(counted(
            file.remarks as u64,
            "value that makes no sense",
            "values that make no sense",
        ));
    }
    writeln!(out, "{}: {}", file.path.display(), parts.join(", "))
}

fn to_json(file: &XmlFile<'_>, saved: &Saved) -> Value {
    let path = file.path.display().to_string();
    match saved {
        Saved::Stations(report) => json!({
            "file": path, "format": "StationXML", "remarks": file.remarks,
            "sites": report.sites_seen, "new_sites": report.sites_saved,
            "channels": report.channels_seen, "new_channels": report.channels_saved,
            "texts_left_out": report.texts_left_out,
        }),
        Saved::Events(report) => json!({
            "file": path, "format": "QuakeML", "remarks": file.remarks,
            "events": report.seen, "new_events": report.saved,
            "duplicates": report.duplicates, "without_origin": report.without_origin,
            "texts_left_out": report.texts_left_out,
        }),
    }
}
