//! Db-proxy: the one holder of a node's database connections.
//!
//! [`DbProxy`] is the actor; [`ProxyStore`] is the same database seen from elsewhere.

mod actor;
mod calls;
mod client;
mod found;
mod insert;
pub mod messages;
mod pages;

pub use actor::{
    CALL_THREADS, CALLS_MAX, CURSOR_LEASE, CURSORS_MAX, DbProxy, SAVE_ROUND_BYTES_MAX,
};
pub use calls::{PAGE_BYTES, PAGE_DOCUMENTS_MAX};
pub use client::{ProxyStore, STORE_DEADLINE};
pub use found::{ATTEMPTS_MAX, StoreFinder, StoreMailboxes};
pub use pages::RESUMES_MAX;
