//! One end of a link without a connection: what a peer may send once it has proved itself, for
//! tests and fuzzing.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::asks::Outcome;
use super::{Inbound, Session, lock};
use crate::mailbox::Lane;
use crate::node::Node;
use crate::wire::{Blob, Header, Kind, Malformed};

/// Asks that wait for a reply.
const ASKS: usize = 4;
/// Bytes of blobs that wait to be sent on the bulk lane.
const BLOB_BYTES: usize = 100_000;

/// The end of one lane at a node, as if a peer had just been let in. A few asks wait for their
/// reply, and something waits to be sent, so that whatever the peer says has something to meet.
pub struct LinkTrial {
    session: Arc<Session>,
    inbound: Inbound,
    lane: Lane,
    received: u64,
    _asks: Vec<oneshot::Receiver<Outcome>>,
}

impl fmt::Debug for LinkTrial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinkTrial({:?}, {} bytes)", self.lane, self.received)
    }
}

impl Drop for LinkTrial {
    fn drop(&mut self) {
        self.session.close();
    }
}

impl LinkTrial {
    /// A lane into this node.
    pub fn new(node: &Node, lane: Lane) -> Self {
        let session = Session::new(1, false, node.home().clone());
        let inbound = Inbound::new(&session, lane).expect("a new session is open");
        let waiting = session.asks().expect("a new session is open");
        let asks = (0..ASKS).filter_map(|_| waiting.insert()).map(|(.., outcome)| outcome);
        let asks = asks.collect();
        if let Ok(slot) = session.slot("peer", "mspass.trial", 1, lane)
            && lane == Lane::Bulk
        {
            let header = Header { target: slot.id, ..Header::new(Kind::Tell) };
            session.send(lane, header, &Blob(Bytes::from(vec![7; BLOB_BYTES])));
        }
        Self { session, inbound, lane, received: 0, _asks: asks }
    }

    /// Takes in what the peer sends.
    ///
    /// # Errors
    /// [`Malformed`]: the connection ends with it.
    pub fn receive(&mut self, mut bytes: &[u8]) -> Result<(), Malformed> {
        while !bytes.is_empty() {
            let space = self.inbound.space();
            let (now, later) = bytes.split_at(space.len().min(bytes.len()));
            assert!(!now.is_empty(), "there is always room for what comes next");
            space[..now.len()].copy_from_slice(now);
            self.received += now.len() as u64;
            self.inbound.filled(now.len())?;
            bytes = later;
        }
        Ok(())
    }

    /// What this end has to send by now.
    pub fn sent(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let piece = lock(&self.session.lane(self.lane).outbox).take(&mut bytes);
        bytes.extend_from_slice(&piece.unwrap_or_default());
        bytes
    }

    /// Bytes received.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Bytes held beside the blobs, which the node admits: what came and is not whole yet, and
    /// what waits to be sent.
    pub fn held_bytes(&self) -> usize {
        let lane = lock(&self.session.lane(self.lane).outbox);
        self.inbound.held_bytes() + lane.held_bytes()
    }

    /// Whether this end still sends.
    pub fn is_open(&self) -> bool {
        self.session.is_open() && !lock(&self.session.lane(self.lane).outbox).is_closed()
    }
}
