//! The MsPASS database over the stores.

pub mod diff;
