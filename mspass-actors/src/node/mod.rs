//! A node: a register of actors, and its links to other nodes. Explicit registration, explicit
//! lookup, no globals; several nodes live in one process.

mod home;
mod options;
mod peer;
mod register;

use std::fmt;
use std::net::TcpListener;
use std::sync::Arc;

pub(crate) use home::Home;
pub use options::{NodeLimits, NodeOptions};
pub(crate) use peer::Link;
pub use peer::Peer;
pub use register::REGISTER_MAX;
pub(crate) use register::Register;

use crate::error::{Error, Result};
use crate::mailbox::{Mailbox, Message};
use crate::runtime::Runtime;
use crate::transport;

/// Ends a node's links when its last handle goes.
struct Owner {
    home: Home,
    /// The thread of the bulk lanes, and of what looks after all links.
    _bulk: Option<Runtime>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.home.stop();
    }
}

/// The actors that can be found by name, here and on other nodes; clones are the same node. Its
/// links end with its last handle.
#[derive(Clone)]
pub struct Node {
    owner: Arc<Owner>,
}

impl Default for Node {
    fn default() -> Self {
        Self::local()
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Node").field(&self.home()).finish()
    }
}

impl Node {
    /// A node that nobody else can reach and that reaches nobody.
    pub fn local() -> Self {
        Self { owner: Arc::new(Owner { home: Home::local(), _bulk: None }) }
    }

    /// A node with links to others: control lanes on the runtime's thread, bulk lanes and what
    /// looks after the links on one of their own. It listens where the options say.
    ///
    /// # Errors
    /// [`Error::Network`] when it cannot listen there, [`Error::Thread`] when there is no thread.
    pub fn start(runtime: &Runtime, options: NodeOptions) -> Result<Self> {
        let bulk = Runtime::start("bulk")?;
        let listener = match options.bind {
            Some(address) => {
                let listener = TcpListener::bind(address)
                    .and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
                Some(listener.map_err(|e| {
                    Error::Network(format!("cannot listen at {address}: {e}; choose another"))
                })?)
            }
            None => None,
        };
        let bound = listener.as_ref().and_then(|listener| listener.local_addr().ok());
        let home = Home::start(options, bound, runtime.waiter(), bulk.waiter());
        if let Some(listener) = listener {
            runtime.spawn(transport::listen(home.clone(), listener));
        }
        // Not on the control lanes' thread: where a timer is near, each wait for a message sets the
        // machine's clock, twice, and that costs as much as the message.
        bulk.spawn(transport::watch_links(home.clone()));
        Ok(Self { owner: Arc::new(Owner { home, _bulk: Some(bulk) }) })
    }

    pub(crate) fn home(&self) -> &Home {
        &self.owner.home
    }

    /// Lets `mailbox` be found under the actor's name, in the place of an earlier one.
    pub fn register<M: Message>(&self, actor: &str, mailbox: Mailbox<M>) {
        self.home().0.register.insert(actor, mailbox);
    }

    /// The mailbox for messages of type `M` of this node's actor of that name.
    pub fn lookup<M: Message>(&self, actor: &str) -> Option<Mailbox<M>> {
        self.home().lookup(actor)
    }

    /// Links this node to the one that listens at one of the addresses, `host:port`; the first
    /// that answers is taken. A node that is linked already is not linked twice.
    ///
    /// # Errors
    /// [`Error::Network`] when none of them can be linked, with the reason of the last.
    pub async fn dial(&self, addresses: &[String]) -> Result<Peer> {
        self.home().dial(addresses.to_vec(), None).await
    }

    /// Where it listens, as `host:port`; empty when it does not.
    pub fn addresses(&self) -> Vec<String> {
        self.home().identity().2
    }

    /// Its name.
    pub fn name(&self) -> String {
        self.home().identity().0
    }

    /// Which life of the node this is. Another one begins when a peer had given this one up.
    pub fn incarnation(&self) -> u64 {
        self.home().identity().1
    }

    /// The nodes that it is linked to now.
    pub fn peers(&self) -> Vec<Peer> {
        self.home().peers()
    }

    /// How many messages wait or are in work in each registered mailbox, by actor and message.
    pub fn depths(&self) -> Vec<(String, &'static str, usize)> {
        self.home().0.register.depths()
    }
}
