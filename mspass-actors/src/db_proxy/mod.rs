//! Db-proxy: the one holder of a node's database; everyone else reaches it through its mailboxes.

mod actor;
mod calls;
mod client;
pub mod messages;

pub use actor::{
    CALL_THREADS, CALLS_MAX, CURSOR_LEASE, CURSORS_MAX, DbProxy, SAVE_ROUND_BYTES_MAX,
};
pub use calls::{PAGE_BYTES, PAGE_DOCUMENTS_MAX};
pub use client::{ProxyStore, STORE_DEADLINE};
