//! Typed names of the metadata known to the framework.

use std::marker::PhantomData;

use crate::history::DocumentId;

/// A metadata name with the type of its value.
#[derive(Debug)]
pub struct Key<T> {
    name: &'static str,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Key<T> {}

impl<T> Key<T> {
    /// A key called `name`.
    pub const fn new(name: &'static str) -> Self {
        Self { name, of: PhantomData }
    }

    /// The name.
    pub const fn name(self) -> &'static str {
        self.name
    }
}

/// Names that documents have for what the fields of the objects say; header edits write none of
/// them.
pub const STRUCTURE: [&str; 18] = [
    "net",
    "sta",
    "loc",
    "chan",
    "npts",
    "delta",
    "sampling_rate",
    "starttime",
    "starttime_ns",
    "starttime_shift",
    "endtime",
    "endtime_ns",
    "time_standard",
    "utc_convertible",
    "tmatrix",
    "cardinal",
    "orthogonal",
    "gaps",
];

/// Factor from counts to the ground-motion unit (nominally nm/s).
pub const CALIB: Key<f64> = Key::new("calib");
/// Latitude of the site, degrees.
pub const SITE_LATITUDE: Key<f64> = Key::new("site_lat");
/// Longitude of the site, degrees.
pub const SITE_LONGITUDE: Key<f64> = Key::new("site_lon");
/// Elevation of the site, km.
pub const SITE_ELEVATION: Key<f64> = Key::new("site_elev");
/// Azimuth of the channel, degrees clockwise from north.
pub const CHANNEL_HANG: Key<f64> = Key::new("channel_hang");
/// Tilt of the channel, degrees from upward vertical.
pub const CHANNEL_VANG: Key<f64> = Key::new("channel_vang");
/// The channel document.
pub const CHANNEL_ID: Key<DocumentId> = Key::new("channel_id");
/// The site document.
pub const SITE_ID: Key<DocumentId> = Key::new("site_id");
/// The source document.
pub const SOURCE_ID: Key<DocumentId> = Key::new("source_id");
/// Latitude of the source, degrees.
pub const SOURCE_LATITUDE: Key<f64> = Key::new("source_lat");
/// Longitude of the source, degrees.
pub const SOURCE_LONGITUDE: Key<f64> = Key::new("source_lon");
/// Depth of the source, km.
pub const SOURCE_DEPTH: Key<f64> = Key::new("source_depth");
/// Origin time of the source, epoch seconds.
pub const SOURCE_TIME: Key<f64> = Key::new("source_time");
/// The user's name for a stage of processing.
pub const DATA_TAG: Key<String> = Key::new("data_tag");
