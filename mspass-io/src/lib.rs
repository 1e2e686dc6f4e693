//! MsPASS formats, archives, stores and document model.

pub mod db;
pub mod error;
pub mod query;
pub mod store;

pub use error::{Error, Result};
