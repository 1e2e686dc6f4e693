//! Mailboxes inside messages: a name on the way, a mailbox again where it arrives.

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Mailbox, Message, Place, Remote};
use crate::wire;

/// A mailbox as it travels.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Ticket {
    /// Inside this process.
    Parked(u32),
    Named(Named),
}

#[derive(Debug, Serialize, Deserialize)]
struct Named {
    node: String,
    incarnation: u64,
    addresses: Vec<String>,
    actor: String,
}

impl<M: Message> Serialize for Mailbox<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(home) = wire::home() else {
            return Err(S::Error::custom("a mailbox travels only inside a message"));
        };
        let ticket = match (home, &self.0) {
            (None, _) => wire::park(Box::new(self.clone())).map(Ticket::Parked),
            (Some(home), Place::Here(_)) => home.actor_of(self).map(|actor| {
                let (node, incarnation, addresses) = home.identity();
                Ticket::Named(Named { node, incarnation, addresses, actor })
            }),
            (Some(_), Place::There(remote)) => Some(Ticket::Named(Named {
                node: remote.peer().node().to_owned(),
                incarnation: remote.peer().incarnation(),
                addresses: remote.peer().addresses().to_vec(),
                actor: remote.actor().to_owned(),
            })),
        };
        match ticket {
            Some(ticket) => ticket.serialize(serializer),
            None => Err(S::Error::custom("this node has no room for another mailbox to be found")),
        }
    }
}

impl<'de, M: Message> Deserialize<'de> for Mailbox<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let gone = || D::Error::custom("a mailbox is named that cannot be found");
        match (Ticket::deserialize(deserializer)?, wire::home()) {
            (Ticket::Parked(place), Some(None)) => {
                let parked = wire::unpark(place).and_then(|parked| parked.downcast::<Self>().ok());
                parked.map(|mailbox| *mailbox).ok_or_else(gone)
            }
            (Ticket::Named(named), Some(Some(home))) => {
                let (node, ..) = home.identity();
                if node == named.node {
                    let found = home.lookup::<M>(&named.actor);
                    return found.filter(|_| home.was(named.incarnation)).ok_or_else(gone);
                }
                let peer = home.peer(named.node, named.incarnation, named.addresses);
                Ok(Self::remote(Remote::new(peer.ok_or_else(gone)?, named.actor)))
            }
            _ => Err(gone()),
        }
    }
}
