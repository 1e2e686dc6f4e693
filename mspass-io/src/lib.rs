//! MsPASS formats, archives, stores and document model.

pub mod archive;
pub mod db;
pub mod dump;
pub mod error;
pub mod format;
pub mod query;
pub mod store;

pub use error::{Error, Result};
