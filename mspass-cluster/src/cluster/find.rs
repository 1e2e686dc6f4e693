//! Finding the scheduler and the store, and following them when they come back elsewhere.

use std::time::Duration;

use mspass_actors::db_proxy::{ProxyStore, StoreMailboxes};
use mspass_actors::mailbox::MailError;
use mspass_actors::node::{Node, Peer};
use mspass_actors::runtime::Waiter;

use crate::bootstrap::{Pauses, candidates};
use crate::options::{Role, Settings};

/// Name of the scheduler's actor for drivers.
pub const SCHEDULER: &str = "scheduler";
/// Name of the db-proxy on its node.
pub const STORE: &str = "db-proxy";
/// Name of the foreman on the scheduler's node.
pub(super) const FOREMAN: &str = "foreman";

/// A link to whoever plays the role, or why there is none.
pub(super) async fn reach(
    node: &Node,
    settings: &Settings,
    role: Role,
) -> std::result::Result<Peer, String> {
    let mut reason = format!("no {role} is announced in {}", settings.workdir.display());
    for addresses in candidates(settings, role).await {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        match node.dial(&addresses).await {
            Ok(peer) => return Ok(peer),
            Err(error) => reason = error.to_string(),
        }
    }
    Err(reason)
}

/// A link to whoever plays the role, waited for as long as it takes.
pub(super) async fn await_role(node: &Node, settings: &Settings, role: Role) -> Peer {
    let mut pauses = Pauses::default();
    loop {
        match reach(node, settings, role).await {
            Ok(peer) => return peer,
            Err(reason) => tracing::debug!("waiting for the {role}: {reason}"),
        }
        tokio::time::sleep(pauses.next_pause()).await;
    }
}

/// As [`await_role`], but for `patience` at most.
pub(super) async fn await_role_within(
    node: &Node,
    settings: &Settings,
    role: Role,
    patience: Duration,
) -> std::result::Result<Peer, String> {
    let found = tokio::time::timeout(patience, await_role(node, settings, role)).await;
    match found {
        Ok(peer) => Ok(peer),
        Err(_) => {
            let reason = reach(node, settings, role).await;
            reason.map_err(|reason| format!("no {role} within {} s: {reason}", patience.as_secs()))
        }
    }
}

async fn store_of(peer: &Peer) -> std::result::Result<StoreMailboxes, MailError> {
    Ok(StoreMailboxes {
        calls: peer.lookup(STORE).await?,
        saves: peer.lookup(STORE).await?,
        blobs: peer.lookup(STORE).await?,
    })
}

/// The store of the cluster: its db-proxy, wherever that is just now.
pub(super) fn follow_store(node: &Node, settings: &Settings, waiter: Waiter) -> ProxyStore {
    let (finder, store) = ProxyStore::following(waiter.clone());
    let (node, settings) = (node.clone(), settings.clone());
    waiter.spawn(async move {
        let mut pauses = Pauses::default();
        loop {
            let peer = await_role(&node, &settings, Role::Db).await;
            if let Ok(found) = store_of(&peer).await {
                finder.found(Some(found));
                peer.down().await;
                finder.found(None);
                tracing::warn!("the db-proxy at {} is gone; looking for it again", peer.node());
                pauses = Pauses::default();
            } else {
                tokio::time::sleep(pauses.next_pause()).await;
            }
        }
    });
    store
}
