//! Why a connection was not let in, each in one sentence.

use super::handshake::{MAJOR, MINOR};

/// Why a connection was refused. No sentence holds a secret or bytes that a stranger sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The other end proved knowledge of another secret.
    #[error(
        "it knows another secret than this node: give both the same MSPASS_SECRET_FILE or \
         MSPASS_SECRET"
    )]
    WrongSecret,
    /// The other end offered no proof.
    #[error("it has no secret: give it this cluster's MSPASS_SECRET_FILE or MSPASS_SECRET")]
    NoSecret,
    /// The other end speaks a protocol that this program does not.
    #[error(
        "it speaks protocol {major}.{minor} and this program {MAJOR}.{MINOR}: start the same \
         release on both sides"
    )]
    OtherMajor {
        /// Its major version.
        major: u8,
        /// Its minor version.
        minor: u8,
    },
    /// The other end knows the secret and belongs elsewhere.
    #[error(
        "it belongs to cluster '{theirs}' and this node to '{ours}': check the addresses given"
    )]
    OtherCluster {
        /// Its cluster.
        theirs: String,
        /// This node's.
        ours: String,
    },
    /// What came is no handshake.
    #[error("what it sent is not this protocol: it is some other program, or the address is wrong")]
    Garbage,
    /// More was announced than a stranger may send.
    #[error(
        "it announced {bytes} bytes before it proved itself, more than is taken from strangers"
    )]
    TooLarge {
        /// Bytes that it announced.
        bytes: u64,
    },
    /// The handshake was not over in time.
    #[error("it did not prove itself within {seconds} s")]
    TooSlow {
        /// The time it had.
        seconds: u64,
    },
    /// Others came later while it had not proved itself.
    #[error("it had not proved itself when too many others were waiting to")]
    TooMany,
    /// It went away, or the network failed.
    #[error("it went away before it had proved itself")]
    Closed,
    /// The other end wants TLS and this one has none.
    #[error("it wants TLS and this node has none: give both certificates, or neither")]
    TlsUnknown,
    /// This end wants TLS and the other has none.
    #[error("this node wants TLS and it has none: give both certificates, or neither")]
    TlsMissing,
    /// TLS itself failed, mostly over a certificate.
    #[error("TLS failed: {0}")]
    TlsFailed(String),
    /// This node's own side of the handshake cannot be said.
    #[error(
        "this node cannot introduce itself: a name of cluster, node, role, build or address is \
         empty, too long or has other characters than letters, digits and ._:-+[]/@%"
    )]
    Unspeakable,
    /// The operating system refused what the handshake needs.
    #[error("this node cannot complete a handshake: {0}")]
    System(String),
    /// The listener said that it refused this node.
    #[error("it refused this node: {0}")]
    Told(Told),
}

/// What a listener tells the one that it refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Told {
    /// See [`Refusal::WrongSecret`].
    #[error("the secrets differ: give both the same MSPASS_SECRET_FILE or MSPASS_SECRET")]
    WrongSecret,
    /// See [`Refusal::NoSecret`].
    #[error("it wants a secret: set MSPASS_SECRET_FILE or MSPASS_SECRET here")]
    NoSecret,
    /// See [`Refusal::OtherCluster`].
    #[error("it belongs to another cluster: check the address and the cluster's name")]
    OtherCluster,
    /// See [`Refusal::Garbage`] and [`Refusal::TooLarge`].
    #[error("it did not understand the handshake: start the same release on both sides")]
    NotUnderstood,
    /// A reason that this program does not know.
    #[error("for a reason that this program is too old to know: start the same release on both")]
    Unknown,
}

impl Refusal {
    /// The byte that tells the other end, where it is to be told.
    pub(super) fn code(&self) -> Option<u8> {
        match self {
            Self::WrongSecret => Some(1),
            Self::NoSecret => Some(2),
            Self::OtherCluster { .. } => Some(3),
            Self::Garbage | Self::TooLarge { .. } => Some(4),
            _ => None,
        }
    }

    pub(super) fn told(code: u8) -> Self {
        Self::Told(match code {
            1 => Told::WrongSecret,
            2 => Told::NoSecret,
            3 => Told::OtherCluster,
            4 => Told::NotUnderstood,
            _ => Told::Unknown,
        })
    }

    /// Whether trying again later may help; the others need a person.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Closed | Self::TooSlow { .. } | Self::TooMany)
    }
}
