//! MsPASS actors: mailboxes, foreman, worker, db-proxy and workflows.

pub mod clock;
pub mod db_proxy;
pub mod error;
pub mod foreman;
pub mod job;
pub mod link;
pub mod mailbox;
pub mod node;
pub mod runtime;
pub mod security;
mod transport;
pub mod wire;
pub mod worker;
pub mod workflow;

pub use error::{Error, Result};
