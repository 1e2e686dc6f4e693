//! What all handles, links and messages of one node share.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use super::{Link, NodeLimits, NodeOptions, Peer, Register};
use crate::clock;
use crate::error::{Error, Result};
use crate::link::{
    BULK_CREDITS, CONTROL_CREDITS, Fault, Opening, Session, Sink, State, lock, window_of,
};
use crate::mailbox::{Lane, Mailbox, Message};
use crate::runtime::Waiter;
use crate::security::{Guard, Hello, Limits};
use crate::transport;
use crate::wire::{BODY_MAX, Buffers, CONTROL_BODY_MAX};

/// Incarnations of other nodes that are remembered.
pub(crate) const LINKS_MAX: usize = 4096;

#[cfg(test)]
type Simulated = Box<dyn Fn(Lane) -> (Box<dyn Sink>, u32) + Send + Sync>;

/// See [`Home`].
pub(crate) struct Shared {
    cluster: String,
    name: String,
    build: String,
    roles: Vec<String>,
    addresses: Vec<String>,
    born: u64,
    incarnation: AtomicU64,
    started: Instant,
    limits: NodeLimits,
    buffers: Buffers,
    pub(crate) guard: Option<Guard>,
    waiters: Option<(Waiter, Waiter)>,
    pub(super) register: Register,
    links: Mutex<HashMap<(String, u64), Arc<Link>>>,
    /// The newest incarnation of each node that was declared down.
    fenced: Mutex<HashMap<String, u64>>,
    stopped: AtomicBool,
    pub(crate) stopping: Notify,
    #[cfg(test)]
    simulated: Option<Simulated>,
}

/// What all handles, links and messages of one node share; clones are cheap.
#[derive(Clone)]
pub(crate) struct Home(pub(crate) Arc<Shared>);

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.0.name, self.0.register)
    }
}

/// An address with the port that was bound where it names port 0.
fn with_port(address: &str, bound: SocketAddr) -> String {
    match address.strip_suffix(":0") {
        Some(host) => format!("{host}:{}", bound.port()),
        None => address.to_owned(),
    }
}

fn new_incarnation() -> u64 {
    u64::try_from(clock::utc_now().nanos()).unwrap_or(1)
}

impl Home {
    pub(crate) fn local() -> Self {
        Self(Arc::new(Shared {
            cluster: String::new(),
            name: String::new(),
            build: String::new(),
            roles: Vec::new(),
            addresses: Vec::new(),
            born: 0,
            incarnation: AtomicU64::new(0),
            started: clock::now(),
            limits: NodeLimits::default(),
            buffers: Buffers::new(NodeLimits::default().blobs_bytes_max),
            guard: None,
            waiters: None,
            register: Register::default(),
            links: Mutex::default(),
            fenced: Mutex::default(),
            stopped: AtomicBool::new(false),
            stopping: Notify::new(),
            #[cfg(test)]
            simulated: None,
        }))
    }

    /// A node whose targets are all there, and what `sink` makes.
    #[cfg(test)]
    pub(crate) fn simulated(
        sink: impl Fn(Lane) -> (Box<dyn Sink>, u32) + Send + Sync + 'static,
    ) -> Self {
        let mut home = Self::local();
        if let Some(shared) = Arc::get_mut(&mut home.0) {
            shared.simulated = Some(Box::new(sink));
        }
        home
    }

    pub(super) fn start(
        options: NodeOptions,
        bound: Option<SocketAddr>,
        control: Waiter,
        bulk: Waiter,
    ) -> Self {
        let incarnation = new_incarnation();
        let addresses = match bound {
            Some(bound) if options.advertise.is_empty() => vec![bound.to_string()],
            Some(bound) => options.advertise.iter().map(|at| with_port(at, bound)).collect(),
            None => options.advertise,
        };
        Self(Arc::new(Shared {
            cluster: options.cluster,
            name: options.name,
            build: options.build,
            roles: options.roles,
            addresses,
            born: incarnation,
            incarnation: AtomicU64::new(incarnation),
            started: clock::now(),
            limits: options.limits,
            buffers: Buffers::new(options.limits.blobs_bytes_max),
            guard: Some(Guard::new(options.secret, options.tls)),
            waiters: Some((control, bulk)),
            register: Register::default(),
            links: Mutex::default(),
            fenced: Mutex::default(),
            stopped: AtomicBool::new(false),
            stopping: Notify::new(),
            #[cfg(test)]
            simulated: None,
        }))
    }

    /// Time since the node started.
    pub(crate) fn elapsed(&self) -> Duration {
        clock::now().duration_since(self.0.started)
    }

    pub(crate) fn identity(&self) -> (String, u64, Vec<String>) {
        let incarnation = self.0.incarnation.load(Ordering::Acquire);
        (self.0.name.clone(), incarnation, self.0.addresses.clone())
    }

    /// Whether an incarnation of this node's name is this process.
    pub(crate) fn was(&self, incarnation: u64) -> bool {
        (self.0.born..=self.0.incarnation.load(Ordering::Acquire)).contains(&incarnation)
    }

    /// A peer gave this incarnation up: what it opens from now on is another's.
    pub(crate) fn renew(&self) {
        let newer = new_incarnation();
        let before = self.0.incarnation.fetch_max(newer, Ordering::AcqRel);
        tracing::warn!(before, newer, "another node had given this one up; it begins anew");
    }

    pub(crate) fn hello(&self, lane: Lane) -> Hello {
        let (node, incarnation, addresses) = self.identity();
        let control = lane == Lane::Control;
        Hello {
            cluster: self.0.cluster.clone(),
            node,
            incarnation,
            roles: self.0.roles.clone(),
            build: self.0.build.clone(),
            addresses,
            lane,
            limits: Limits {
                frame_bytes: if control { CONTROL_BODY_MAX } else { BODY_MAX } as u64,
                blob_bytes: self.0.limits.blob_bytes_max as u64,
                window_bytes: window_of(lane),
                credits: if control { CONTROL_CREDITS } else { BULK_CREDITS },
            },
        }
    }

    pub(crate) fn limits(&self) -> &NodeLimits {
        &self.0.limits
    }

    pub(crate) fn buffers(&self) -> &Buffers {
        &self.0.buffers
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.0.stopped.load(Ordering::Acquire)
    }

    pub(super) fn stop(&self) {
        self.0.stopped.store(true, Ordering::Release);
        self.0.stopping.notify_waiters();
        for link in self.links() {
            link.end();
        }
    }

    /// Runs a future on the thread of a lane.
    pub(crate) fn spawn(&self, lane: Lane, future: impl Future<Output = ()> + Send + 'static) {
        if let Some((control, bulk)) = &self.0.waiters {
            if lane == Lane::Control { control } else { bulk }.spawn(future);
        }
    }

    // The register.

    pub(crate) fn lookup<M: Message>(&self, actor: &str) -> Option<Mailbox<M>> {
        self.0.register.find(actor)
    }

    /// The name under which a mailbox of this process is found; it gets one, for as long as its
    /// actor lives, when it has none.
    pub(crate) fn actor_of<M: Message>(&self, mailbox: &Mailbox<M>) -> Option<String> {
        let (actor, is_new) = self.0.register.name_of(mailbox)?;
        if is_new && let Some(local) = mailbox.here() {
            // The task holds neither the node nor the actor: it keeps nobody alive.
            let (gone, shared, name) = (local.end(), Arc::downgrade(&self.0), actor.clone());
            self.spawn(Lane::Control, async move {
                gone.await;
                if let Some(shared) = shared.upgrade() {
                    shared.register.remove::<M>(&name);
                }
            });
        }
        Some(actor)
    }

    /// Opens a target for another node.
    pub(crate) fn open(
        &self,
        opening: &Opening,
        session: &Arc<Session>,
        lane: Lane,
        target: u32,
    ) -> Result<(Box<dyn Sink>, u32), Fault> {
        #[cfg(test)]
        if let Some(simulated) = &self.0.simulated {
            return Ok(simulated(lane));
        }
        let Some((control, _)) = &self.0.waiters else { return Err(Fault::Gone) };
        self.0.register.open(opening, &|open| open(self, control, session, lane, target))
    }

    // Links.

    pub(crate) fn links(&self) -> Vec<Arc<Link>> {
        lock(&self.0.links).values().cloned().collect()
    }

    pub(super) fn peers(&self) -> Vec<Peer> {
        let up = self.links().into_iter().filter(|link| link.session().is_some());
        up.map(|link| Peer::new(self.clone(), link)).collect()
    }

    /// What is known of an incarnation; `None` when too many are.
    pub(crate) fn link(
        &self,
        node: &str,
        incarnation: u64,
        addresses: &[String],
    ) -> Option<Arc<Link>> {
        let mut links = lock(&self.0.links);
        let key = (node.to_owned(), incarnation);
        if let Some(link) = links.get(&key) {
            return Some(Arc::clone(link));
        }
        if links.len() >= LINKS_MAX {
            links.retain(|_, link| link.state() != State::Down);
        }
        if links.len() >= LINKS_MAX {
            return None;
        }
        let link = Link::new(node.to_owned(), incarnation, addresses.to_vec());
        if self.is_fenced(node, incarnation) || self.is_stopped() {
            link.end();
        } else {
            links.insert(key, Arc::clone(&link));
        }
        Some(link)
    }

    pub(crate) fn peer(
        &self,
        node: String,
        incarnation: u64,
        addresses: Vec<String>,
    ) -> Option<Peer> {
        let link = self.link(&node, incarnation, &addresses)?;
        Some(Peer::new(self.clone(), link))
    }

    pub(crate) fn is_fenced(&self, node: &str, incarnation: u64) -> bool {
        lock(&self.0.fenced).get(node).is_some_and(|newest| incarnation <= *newest)
    }

    /// An incarnation, and all before it, never come back.
    pub(crate) fn fence(&self, node: &str, incarnation: u64) {
        {
            let mut fenced = lock(&self.0.fenced);
            if fenced.len() >= LINKS_MAX
                && let Some(oldest) = fenced.iter().min_by_key(|(_, at)| **at)
            {
                let oldest = oldest.0.clone();
                fenced.remove(&oldest);
            }
            let newest = fenced.entry(node.to_owned()).or_default();
            *newest = incarnation.max(*newest);
        }
        let ended: Vec<_> = {
            let mut links = lock(&self.0.links);
            let old = |(name, at): &(String, u64)| name == node && *at <= incarnation;
            links.extract_if(|key, _| old(key)).map(|(_, link)| link).collect()
        };
        ended.iter().for_each(|link| link.end());
    }

    pub(crate) async fn dial(
        &self,
        addresses: Vec<String>,
        expected: Option<(String, u64)>,
    ) -> Result<Peer> {
        let (tell, told) = oneshot::channel();
        let home = self.clone();
        self.spawn(Lane::Control, async move {
            drop(tell.send(transport::dial(&home, &addresses, expected.as_ref()).await));
        });
        let local = || Error::Network("this node has no network".to_owned());
        let link = told.await.map_err(|_| local())?.map_err(Error::Network)?;
        Ok(Peer::new(self.clone(), link))
    }

    /// Dials a link that has no session, unless somebody does.
    pub(crate) fn redial(&self, link: &Arc<Link>) {
        if link.addresses.is_empty() || std::mem::replace(&mut *lock(&link.dialing), true) {
            return;
        }
        let (home, link) = (self.clone(), Arc::clone(link));
        self.spawn(Lane::Control, async move {
            transport::redial(&home, &link).await;
            *lock(&link.dialing) = false;
        });
    }
}
