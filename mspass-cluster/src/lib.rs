//! MsPASS cluster.

pub mod frontend;
