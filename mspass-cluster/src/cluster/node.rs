//! A process of a cluster: its thread of actors, its node, its place among the others.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use mspass_actors::node::{Node, NodeOptions};
use mspass_actors::runtime::Runtime;
use mspass_actors::security::{Secret, may_bind};

use super::incarnation;
use crate::bootstrap::{Announcement, Directory, build_identity, reachable};
use crate::error::{Error, Result};
use crate::options::{Role, Settings};

/// A process that belongs to a cluster.
pub struct Member {
    pub(super) runtime: Arc<Runtime>,
    pub(super) node: Node,
    pub(super) secret: Secret,
    pub(super) build: String,
    announced: Option<PathBuf>,
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Member({})", self.node.name())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(path) = self.announced.take() {
            Directory::withdraw(&path);
        }
    }
}

/// Starts this process's node with the cluster's secret. A role that others look for listens, and
/// so does a worker, at a port of its own: others fetch its pieces.
///
/// # Errors
/// One sentence where the secret is unusable, or the address cannot be listened at.
pub fn connect(settings: &Settings, role: Role, name: &str) -> Result<Member> {
    let secret = Secret::from_environment(&settings.workdir)?;
    let bind = match role {
        Role::Scheduler | Role::Db => Some(settings.bind),
        Role::Worker => Some(SocketAddr::new(settings.bind.ip(), 0)),
        _ => None,
    };
    if let Some(address) = bind {
        may_bind(address.ip(), secret.origin(), settings.workdir_named)?;
    }
    let cannot = |error| Error::Cluster(format!("cannot read this program's own file: {error}"));
    let build = build_identity().map_err(cannot)?.to_owned();
    let runtime = Arc::new(Runtime::start("mspass")?);
    let mut options = NodeOptions::new(&settings.cluster, name, secret.clone());
    options.bind = bind;
    if let Some(address) = bind.filter(|address| address.ip().is_unspecified()) {
        let hosts = reachable(SocketAddr::new(address.ip(), 0)).into_iter();
        options.advertise = hosts.map(|host| host.to_string()).collect();
    }
    options.build.clone_from(&build);
    options.roles = vec![role.name().to_owned()];
    let node = Node::start(&runtime, options)?;
    Ok(Member { runtime, node, secret, build, announced: None })
}

impl Member {
    /// Lets the others know where this process listens; to be called once it is ready for them.
    pub(super) fn announce(&mut self, settings: &Settings, role: Role) -> Result<()> {
        let bound = self.node.addresses();
        let addresses = bound.iter().filter_map(|address| address.parse().ok());
        let announcement = Announcement {
            cluster: settings.cluster.clone(),
            node: self.node.name(),
            incarnation: incarnation(),
            addresses: addresses.flat_map(reachable).collect(),
            pid: std::process::id(),
            build: self.build.clone(),
        };
        let directory = Directory::of(&settings.workdir, &settings.cluster);
        self.announced = Some(directory.announce(role, &announcement)?);
        Ok(())
    }
}
