//! Opening links.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use super::{DUPLICATE, FENCED, dismiss, hear, lane, say, tune};
use crate::link::{SILENCE_MAX, Session, State};
use crate::mailbox::Lane;
use crate::node::{Home, Link};
use crate::security::{Hello, Wire};
use crate::wire::{Header, Kind};

/// How long one address may take to answer.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// The first pause before dialing again; each next one may be twice as long.
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A number that nobody chose.
fn chance() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Opens a link to the first of the addresses that answers; says why there is none.
pub(crate) async fn dial(
    home: &Home,
    addresses: &[String],
    expected: Option<&(String, u64)>,
) -> Result<Arc<Link>, String> {
    let mut why = "no address was given to connect to".to_owned();
    for address in addresses {
        why = format!("cannot link to the node at {address}: it does not take us in");
        // A node that was given up, or has given us up, is met again with new incarnations.
        for _ in 0..3 {
            match dial_one(home, address, expected).await {
                Ok(Dialed::Linked(link)) => return Ok(link),
                Ok(Dialed::Again) => tokio::time::sleep(PAUSE_MIN).await,
                Err(e) => {
                    why = format!("cannot link to the node at {address}: {e}");
                    break;
                }
            }
        }
    }
    Err(why)
}

enum Dialed {
    Linked(Arc<Link>),
    Again,
}

async fn enter(home: &Home, address: &str, on: Lane) -> Result<(Hello, Wire), String> {
    let guard = home.0.guard.as_ref().ok_or("this node has no network")?;
    let connected = tokio::time::timeout(CONNECT_TIME_MAX, TcpStream::connect(address)).await;
    let stream = connected.map_err(|_| "it does not answer")?.map_err(|e| e.to_string())?;
    tune(&stream).map_err(|e| e.to_string())?;
    let entered = guard.enter(stream, address, &home.hello(on)).await;
    let (peer, wire) = entered.map_err(|refusal| refusal.to_string())?;
    Ok((peer.hello, wire))
}

async fn dial_one(
    home: &Home,
    address: &str,
    expected: Option<&(String, u64)>,
) -> Result<Dialed, String> {
    let (hello, mut wire) = enter(home, address, Lane::Control).await?;
    let (node, incarnation) = (hello.node.clone(), hello.incarnation);
    if home.identity().0 == node {
        return Err(format!("it has this node's own name, '{node}'"));
    }
    if let Some((expected, at)) = expected
        && (*expected != node || *at != incarnation)
    {
        if *expected == node && incarnation > *at {
            home.fence(expected, *at);
        }
        return Err("another node, or another life of it, is there".to_owned());
    }
    if home.is_fenced(&node, incarnation) {
        dismiss(wire, FENCED).await;
        return Ok(Dialed::Again);
    }
    let mut listening = hello.addresses.clone();
    if listening.is_empty() || expected.is_some() {
        listening = vec![address.to_owned()];
    }
    let link = home.link(&node, incarnation, &listening).ok_or("too many nodes are known")?;
    if link.state() == State::Up && link.session().is_some() {
        return Ok(Dialed::Linked(link));
    }
    let key = chance();
    let start = Header { id: key, ..Header::new(Kind::Start) };
    say(&mut wire, start).await.map_err(|e| e.to_string())?;
    let heard = hear(&mut wire).await.ok_or("it went away")?;
    match (heard.kind, heard.flags) {
        (Kind::Started, _) => {}
        (Kind::GoAway, FENCED) => {
            home.renew();
            return Ok(Dialed::Again);
        }
        (Kind::GoAway, DUPLICATE) => return Ok(Dialed::Again),
        _ => return Err("what it says is out of place".to_owned()),
    }
    if let Some(other) = link.session()
        && !is_better(home, &node, true, other.dialed, link.state())
    {
        return Ok(Dialed::Linked(link));
    }
    if incarnation > 0 {
        home.fence(&node, incarnation - 1);
    }
    let session = Session::new(key, true, home.clone());
    if !link.attach(&session, hello, home.elapsed()) {
        return Err("it was given up".to_owned());
    }
    lane::start(home, &link, &session, Lane::Control, wire);
    let (home2, link2, address) = (home.clone(), Arc::clone(&link), address.to_owned());
    home.spawn(Lane::Bulk, async move { dial_bulk(&home2, &link2, &session, &address).await });
    Ok(Dialed::Linked(link))
}

async fn dial_bulk(home: &Home, link: &Arc<Link>, session: &Arc<Session>, address: &str) {
    let opened = async {
        let (_, mut wire) = enter(home, address, Lane::Bulk).await?;
        let start = Header { id: session.key, ..Header::new(Kind::Start) };
        say(&mut wire, start).await.map_err(|e| e.to_string())?;
        match hear(&mut wire).await {
            Some(header) if header.kind == Kind::Started => Ok(wire),
            _ => Err("it went away".to_owned()),
        }
    };
    match opened.await {
        Ok(wire) => lane::run_here(home, link, session, Lane::Bulk, wire).await,
        Err(e) => {
            tracing::info!("no bulk lane to {}: {e}", link.node);
            link.detach(session, home.elapsed());
        }
    }
}

/// Whether a new connection takes the place of one that stands: one that the same side dialed
/// does; of two that met half-way the one dialed by the node whose name sorts first is kept.
pub(super) fn is_better(
    home: &Home,
    node: &str,
    dialed: bool,
    other_dialed: bool,
    state: State,
) -> bool {
    if dialed == other_dialed || state != State::Up {
        return true;
    }
    let ours = home.identity().0;
    (ours.as_str() < node) == dialed
}

/// Dials a suspect peer until it is linked again or down.
pub(crate) async fn redial(home: &Home, link: &Arc<Link>) {
    let mut pause = PAUSE_MIN;
    let begun = home.elapsed();
    let expected = (link.node.clone(), link.incarnation);
    while link.state() == State::Suspect && !home.is_stopped() {
        if dial(home, &link.addresses, Some(&expected)).await.is_ok() {
            return;
        }
        // One that was never linked has no health to say when to give up.
        if home.elapsed().saturating_sub(begun) >= SILENCE_MAX {
            home.fence(&link.node, link.incarnation);
            return;
        }
        let part = chance() as f64 / u64::MAX as f64;
        tokio::time::sleep(pause.mul_f64(0.5 + part / 2.0)).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}
