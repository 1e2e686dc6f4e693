//! Who may speak to whom: secrets, the handshake that opens every connection, optional TLS.
//!
//! A listener believes nobody, loopback included: before anything else is parsed both ends prove
//! that they know the cluster's secret. Without TLS the secret keeps strangers out and does not
//! keep what is said from listeners on the wire.

mod gate;
mod guard;
mod handshake;
mod hello;
mod proof;
mod refusal;
mod secret;
mod tls;

pub use gate::{Gate, Pass, UNAUTHENTICATED_MAX};
pub use guard::{Guard, HANDSHAKE_TIME_MAX, Wire};
pub use handshake::{HANDSHAKE_BYTES_MAX, Handshake, MAJOR, MINOR, Nonce, Peer, Step};
pub use hello::{Hello, Limits};
pub use refusal::{Refusal, Told};
pub use secret::{Origin, SECRET_BYTES_MAX, SECRET_BYTES_MIN, Secret, Token, may_bind};
pub use tls::{Certificates, Tls};
