//! Stations and events in the collections `site`, `channel` and `source`, and back out of them.
//!
//! Keys and units are MsPASS's: kilometres for `elev`, `edepth` and `depth`, epoch seconds for
//! times, `hang` from north and `vang` from upward vertical in degrees. What MsPASS keeps as Python
//! pickles is kept as text under `stationxml` and `quakeml`.

mod events;
mod stations;
mod stations_back;

use bson::Document;

use super::fields::number;

pub use events::{EventReport, event_of, read_events, save_events, source_document};
pub use stations::{
    InventoryOptions, InventoryReport, channel_document, save_inventory, site_document,
};
pub use stations_back::{Selection, channel_of, read_inventory};

/// Stations.
pub const SITE: &str = "site";
/// Channels.
pub const CHANNEL: &str = "channel";
/// Events.
pub const SOURCE: &str = "source";

/// Text kept in one document at most, bytes: MongoDB takes 16 MiB in all.
pub const TEXT_BYTES_MAX: usize = 8 << 20;

/// Documents written in one call to the store.
const BATCH_MAX: usize = 500;

/// What MsPASS writes for an epoch that has not ended: 2051-01-01.
const OPEN_END: f64 = 2_556_144_000.0;

/// What archives write for an epoch without end: 2599-12-31T23:59:59.
const FOR_EVER: f64 = 19_880_899_199.0;

/// The text under a key; empty where there is none.
pub(crate) fn text<'a>(document: &'a Document, key: &str) -> &'a str {
    document.get_str(key).unwrap_or_default()
}

#[cfg(test)]
mod tests;
