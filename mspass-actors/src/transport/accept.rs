//! Letting others in.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use super::dial::is_better;
use super::{DUPLICATE, FENCED, dismiss, hear, lane, say, tune};
use crate::link::Session;
use crate::mailbox::Lane;
use crate::node::Home;
use crate::security::{Hello, Wire};
use crate::wire::{Header, Kind};

/// Pause after the system refused a socket, which it does when there are too many.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections until the node stops.
pub(crate) async fn listen(home: Home, listener: std::net::TcpListener) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(e) => {
            tracing::error!("this node cannot listen: {e}");
            return;
        }
    };
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((stream, from)) => {
                    let own = home.clone();
                    home.spawn(Lane::Control, async move { admit(&own, stream, from).await });
                }
                Err(e) => {
                    tracing::warn!("a connection could not be accepted: {e}");
                    tokio::time::sleep(REFUSED_PAUSE).await;
                }
            }
        }
    };
    let stopping = home.0.stopping.notified();
    if home.is_stopped() {
        return;
    }
    tokio::select! {
        () = accepting => {}
        () = stopping => {}
    }
}

async fn admit(home: &Home, stream: TcpStream, from: SocketAddr) {
    let Some(guard) = &home.0.guard else { return };
    if tune(&stream).is_err() {
        return;
    }
    let Some((peer, mut wire)) = guard.admit(stream, from, &home.hello(Lane::Control)).await else {
        return;
    };
    let Some(start) = hear(&mut wire).await else { return };
    match (start.kind, start.flags, peer.hello.lane) {
        (Kind::GoAway, FENCED, _) => home.renew(),
        (Kind::Start, _, Lane::Control) => admit_control(home, peer.hello, start.id, wire).await,
        (Kind::Start, _, Lane::Bulk) => admit_bulk(home, &peer.hello, start.id, wire).await,
        _ => {}
    }
}

async fn admit_control(home: &Home, hello: Hello, key: u64, mut wire: Wire) {
    let (node, incarnation) = (hello.node.clone(), hello.incarnation);
    if home.identity().0 == node {
        tracing::warn!("refused a node that has this node's own name, '{node}'");
        return;
    }
    if home.is_fenced(&node, incarnation) {
        return dismiss(wire, FENCED).await;
    }
    // Another life of the node ends those before it.
    if incarnation > 0 {
        home.fence(&node, incarnation - 1);
    }
    let Some(link) = home.link(&node, incarnation, &hello.addresses) else { return };
    if let Some(other) = link.session()
        && !is_better(home, &node, false, other.dialed, link.state())
    {
        return dismiss(wire, DUPLICATE).await;
    }
    let session = Session::new(key, false, home.clone());
    if !link.attach(&session, hello, home.elapsed()) {
        return dismiss(wire, FENCED).await;
    }
    if say(&mut wire, Header::new(Kind::Started)).await.is_err() {
        return link.detach(&session, home.elapsed());
    }
    lane::run_here(home, &link, &session, Lane::Control, wire).await;
}

async fn admit_bulk(home: &Home, hello: &Hello, key: u64, mut wire: Wire) {
    let Some(link) = home.link(&hello.node, hello.incarnation, &hello.addresses) else { return };
    let session = link.session().filter(|session| session.key == key && !session.dialed);
    let Some(session) = session else {
        return dismiss(wire, DUPLICATE).await;
    };
    if say(&mut wire, Header::new(Kind::Started)).await.is_ok() {
        lane::start(home, &link, &Arc::clone(&session), Lane::Bulk, wire);
    }
}
