//! How the processes of a cluster find one another: by address, by DNS name, or through a folder
//! that they share; and what tells their builds apart.

mod directory;
mod identity;
mod interfaces;

use std::net::SocketAddr;
use std::time::Duration;

pub use directory::{ANNOUNCEMENT_BYTES_MAX, Announcement, Directory, FILES_MAX};
pub use identity::build_identity;
pub use interfaces::reachable;

use crate::options::{Address, Role, Settings};

/// First pause between two looks.
pub const POLL_MIN: Duration = Duration::from_millis(100);
/// Longest pause between two looks.
pub const POLL_MAX: Duration = Duration::from_secs(2);
/// Addresses tried for one process at most.
pub const ADDRESSES_MAX: usize = 64;

/// Pauses that grow from [`POLL_MIN`] to [`POLL_MAX`].
#[derive(Clone, Copy, Debug)]
pub struct Pauses(Duration);

impl Default for Pauses {
    fn default() -> Self {
        Self(POLL_MIN)
    }
}

impl Pauses {
    /// How long to wait before the next look.
    pub fn next_pause(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 3 / 2).min(POLL_MAX);
        pause
    }
}

/// Where a process that plays `role` may be, the likeliest first; each entry is one process, by all
/// its addresses. Some may be stale: whoever dials finds out.
///
/// A scheduler or db role that was named by address is looked up by that name each time, so that a
/// DNS name may move; every other role is looked for in the workdir.
pub async fn candidates(settings: &Settings, role: Role) -> Vec<Vec<SocketAddr>> {
    let named = match role {
        Role::Scheduler => &settings.scheduler,
        Role::Db => &settings.db_address,
        _ => &None,
    };
    match named {
        Some(address) => {
            let found = resolve(address).await;
            if found.is_empty() { Vec::new() } else { vec![found] }
        }
        None => {
            let directory = Directory::of(&settings.workdir, &settings.cluster);
            directory.list(role).into_iter().map(|found| found.addresses).collect()
        }
    }
}

async fn resolve(address: &Address) -> Vec<SocketAddr> {
    let found = tokio::net::lookup_host((address.host.as_str(), address.port)).await;
    found.map(|found| found.take(ADDRESSES_MAX).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stop_growing() {
        let mut pauses = Pauses::default();
        let first: Vec<Duration> = (0..20).map(|_| pauses.next_pause()).collect();
        assert_eq!(first[0], POLL_MIN);
        assert!(first.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(first[19], POLL_MAX);
    }
}
