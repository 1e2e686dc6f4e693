//! What a node is started with.

use std::net::SocketAddr;

use crate::security::{Secret, Tls};

/// The most that a node takes from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeLimits {
    /// Bytes of one blob.
    pub blob_bytes_max: usize,
    /// Bytes of blobs held at a time, from all peers.
    pub blobs_bytes_max: usize,
}

impl Default for NodeLimits {
    fn default() -> Self {
        Self { blob_bytes_max: 1 << 30, blobs_bytes_max: 1 << 30 }
    }
}

/// What a [`super::Node`] is started with.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// The cluster it belongs to; others are refused.
    pub cluster: String,
    /// Its name there, which no other node has.
    pub name: String,
    /// Where it listens; port 0 takes a free one. `None`: it only dials.
    pub bind: Option<SocketAddr>,
    /// Where others reach it, as `host:port`, when that is not where it listens; port 0 stands for
    /// the one that it gets.
    pub advertise: Vec<String>,
    /// What all nodes of the cluster know.
    pub secret: Secret,
    /// Encrypts the links.
    pub tls: Option<Tls>,
    /// The most that it takes.
    pub limits: NodeLimits,
    /// Names its executable.
    pub build: String,
    /// The roles that it plays.
    pub roles: Vec<String>,
}

impl NodeOptions {
    /// A node of that name, listening nowhere, with the usual limits.
    pub fn new(cluster: &str, name: &str, secret: Secret) -> Self {
        Self {
            cluster: cluster.to_owned(),
            name: name.to_owned(),
            bind: None,
            advertise: Vec::new(),
            secret,
            tls: None,
            limits: NodeLimits::default(),
            build: String::new(),
            roles: Vec::new(),
        }
    }
}
