//! Looks after all links of a node a few times a second.

use std::time::Duration;

use crate::link::{State, Tick};
use crate::mailbox::Lane;
use crate::node::Home;
use crate::wire::{Header, Kind};

const EVERY: Duration = Duration::from_millis(100);

/// Pings, suspects, gives up; until the node stops.
pub(crate) async fn watch_links(home: Home) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !home.is_stopped() {
        ticks.tick().await;
        for link in home.links() {
            match link.tick(home.elapsed()) {
                Tick::Ping => {
                    if let Some(session) = link.session() {
                        session.urgent(Lane::Control, Header::new(Kind::Ping), &[]);
                    }
                }
                Tick::Suspect => tracing::warn!("node {} is silent", link.node),
                Tick::Down => {
                    tracing::warn!("node {} is down", link.node);
                    home.fence(&link.node, link.incarnation);
                }
                Tick::Nothing | Tick::Recovered => {}
            }
            // The side that dialed dials again; the other waits to be dialed.
            let dialed = link.session().is_none_or(|session| session.dialed);
            if link.state() == State::Suspect && dialed {
                home.redial(&link);
            }
        }
    }
}
