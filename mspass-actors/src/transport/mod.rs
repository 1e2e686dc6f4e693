//! Links over TCP: sockets, and the tasks that move bytes between them and the link's machines.

mod accept;
mod dial;
mod lane;
mod watch;

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) use accept::listen;
pub(crate) use dial::{dial, redial};
pub(crate) use watch::watch_links;

use crate::link::SILENCE_MAX;
use crate::security::Wire;
use crate::wire::{HEADER_BYTES, Header, Kind};

/// How long a connection may take to be taken into use once both ends have proved themselves.
const START_TIME_MAX: Duration = Duration::from_secs(5);

/// This incarnation was declared down.
pub(crate) const FENCED: u8 = 1;
/// The other connection between the same two nodes is kept.
const DUPLICATE: u8 = 2;

/// Small messages leave at once; a peer that does not acknowledge is given up.
fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(5))
        .with_interval(Duration::from_secs(2))
        .with_retries(5);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(SILENCE_MAX + Duration::from_secs(5)))?;
    Ok(())
}

/// Sends one frame without a body.
async fn say(wire: &mut Wire, header: Header) -> io::Result<()> {
    wire.write_all(&header.encode()).await?;
    wire.flush().await
}

/// Sends a goodbye and waits until it is taken.
async fn dismiss(mut wire: Wire, reason: u8) {
    let header = Header { flags: reason, ..Header::new(Kind::GoAway) };
    let said = tokio::time::timeout(START_TIME_MAX, async {
        say(&mut wire, header).await?;
        wire.shutdown().await?;
        wire.read(&mut [0; 64]).await
    });
    drop(said.await);
}

/// Reads one frame without a body.
async fn hear(wire: &mut Wire) -> Option<Header> {
    let mut bytes = [0; HEADER_BYTES];
    let read = tokio::time::timeout(START_TIME_MAX, wire.read_exact(&mut bytes)).await;
    read.ok()?.ok()?;
    Header::decode(&bytes).ok().filter(|header| header.length == 0)
}
