//! What the two ends of a connection tell each other about themselves.

use serde::{Deserialize, Serialize};

use crate::mailbox::Lane;

const NAME_BYTES_MAX: usize = 128;
const BUILD_BYTES_MAX: usize = 256;
const ROLES_MAX: usize = 16;
const ADDRESSES_MAX: usize = 32;
/// Leaves room for the rest of the handshake within its cap.
const HELLO_BYTES_MAX: usize = 3840;

/// One end of a connection. Fields that are added later have defaults, so that programs of
/// neighbouring versions understand each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The cluster it belongs to.
    pub cluster: String,
    /// Its name there.
    pub node: String,
    /// Which life of that node this is; a restarted node has another.
    pub incarnation: u64,
    /// The roles it plays.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Names its executable.
    #[serde(default)]
    pub build: String,
    /// Where it listens, as `host:port`.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// What this connection carries.
    pub lane: Lane,
    /// The most it takes at once.
    #[serde(default)]
    pub limits: Limits,
}

/// The most that one end takes; the other keeps to it. Zero means that it did not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Bytes of one frame, blobs apart.
    pub frame_bytes: u64,
    /// Bytes of one blob.
    pub blob_bytes: u64,
    /// Bytes under way on this connection that were not yet taken.
    pub window_bytes: u64,
    /// Messages under way to one mailbox.
    pub credits: u32,
}

impl Hello {
    /// Reads what a peer sent; `None` when it is not a hello or one that could not be shown in a
    /// log: every text is short and of letters, digits and `._:-+[]/@%` alone.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let hello: Self = rmp_serde::from_slice(bytes).ok()?;
        hello.is_sound().then_some(hello)
    }

    /// As sent; `None` when [`Self::decode`] or the handshake's cap would refuse it.
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        let bytes = self.is_sound().then(|| rmp_serde::to_vec_named(self).ok()).flatten();
        bytes.filter(|bytes| bytes.len() <= HELLO_BYTES_MAX)
    }

    fn is_sound(&self) -> bool {
        let texts = [&self.cluster, &self.node];
        texts.iter().all(|text| !text.is_empty() && is_plain(text, NAME_BYTES_MAX))
            && is_plain(&self.build, BUILD_BYTES_MAX)
            && self.roles.len() <= ROLES_MAX
            && self.roles.iter().all(|role| is_plain(role, NAME_BYTES_MAX))
            && self.addresses.len() <= ADDRESSES_MAX
            && self.addresses.iter().all(|address| is_plain(address, NAME_BYTES_MAX))
    }
}

fn is_plain(text: &str, bytes_max: usize) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._:-+[]/@%".contains(c);
    text.len() <= bytes_max && text.chars().all(plain)
}
