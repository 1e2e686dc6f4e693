//! The entry points that the fuzz targets and the tests share.

pub mod entries;
