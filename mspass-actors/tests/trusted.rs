//! A peer that proved itself and then sends what no peer may: its connection ends with one line in
//! the log, nothing is taken for what it claims, and others are served.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and wait")]

mod log;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use log::Log;
use mspass_actors::link::{LinkTrial, URGENT_BYTES_MAX};
use mspass_actors::mailbox::{Context, Handler, Lane, Message, Reply, start};
use mspass_actors::node::{Node, NodeOptions};
use mspass_actors::runtime::Runtime;
use mspass_actors::security::{Guard, Hello, Limits, Secret, Wire};
use mspass_actors::wire::{HEADER_BYTES, Header, Kind, Malformed};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const LATE: Duration = Duration::from_secs(60);
/// Bytes that memory may grow by while nothing sound is received.
const GROWTH_MAX: u64 = 64 << 20;
/// Bytes of address space that may be reserved meanwhile: each new thread that allocates has the C
/// library reserve 64 MiB, untouched; a claim that was believed would take four times this.
const RESERVED_MAX: u64 = 1 << 30;

/// Lines about the connection to this node.
fn about(log: &Log, node: &str) -> Vec<String> {
    let needle = format!("the connection to {node} ");
    log.lines().into_iter().filter(|line| line.contains(&needle)).collect()
}

fn secret() -> Secret {
    let variable = |name: &str| (name == "MSPASS_SECRET").then(|| "known to all of them".into());
    Secret::from_variables(variable, Path::new("/nowhere")).unwrap()
}

#[derive(Debug, Serialize, Deserialize)]
struct Echo(u64);

impl Message for Echo {
    const TYPE: &'static str = "trusted.echo";
    type Reply = u64;
}

struct Echoing;

impl Handler<Echo> for Echoing {
    fn handle(&mut self, echo: Echo, reply: Reply<Echo>, _: &Context<Self>) {
        reply.send(echo.0);
    }
}

fn node(runtime: &Runtime, name: &str, bind: Option<&str>) -> Node {
    let mut options = NodeOptions::new("noise", name, secret());
    options.bind = bind.map(|address| address.parse().unwrap());
    let node = Node::start(runtime, options).unwrap();
    node.register("echo", start(runtime, "echo", 16, |_| Echoing).mailbox::<Echo>());
    node
}

fn memory(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// A connection of a lane to the node at `address`, proved and taken into use.
async fn trusted(address: SocketAddr, name: &str, lane: Lane) -> Wire {
    let hello = Hello {
        cluster: "noise".to_owned(),
        node: name.to_owned(),
        incarnation: 1,
        roles: Vec::new(),
        build: String::new(),
        addresses: Vec::new(),
        lane,
        limits: Limits::default(),
    };
    let stream = TcpStream::connect(address).await.unwrap();
    let guard = Guard::new(secret(), None);
    let (_, mut wire) = guard.enter(stream, &address.to_string(), &hello).await.unwrap();
    let begin = Header { id: 77, ..Header::new(Kind::Start) };
    wire.write_all(&begin.encode()).await.unwrap();
    wire.flush().await.unwrap();
    let mut heard = [0; HEADER_BYTES];
    wire.read_exact(&mut heard).await.unwrap();
    assert_eq!(Header::decode(&heard).unwrap().kind, Kind::Started);
    wire
}

/// What a peer sends, on which lane, and what the log then says.
fn offences() -> Vec<(Lane, Vec<u8>, &'static str)> {
    let whole = |header: Header| header.encode().to_vec();
    let claims = |kind| whole(Header { length: u32::MAX, sequence: 1, ..Header::new(kind) });
    let mut damaged = whole(Header::new(Kind::Ping));
    damaged[9] ^= 1;
    let mut unknown = whole(Header::new(Kind::Ping));
    unknown[4] = 99;
    let sum = crc32c::crc32c(&unknown[..32]).to_le_bytes();
    unknown[32..].copy_from_slice(&sum);
    vec![
        (Lane::Control, claims(Kind::Tell), "a frame claims 4294967295 bytes where at most 262144"),
        (Lane::Control, claims(Kind::Ping), "a frame claims 4294967295 bytes where at most 4096"),
        (Lane::Bulk, claims(Kind::Ask), "a frame claims 4294967295 bytes where at most 67108864"),
        (Lane::Bulk, claims(Kind::Chunk), "a frame claims 4294967295 bytes where at most 262144"),
        (Lane::Control, claims(Kind::Chunk), "a frame is out of place: blobs"),
        (Lane::Control, damaged, "a frame's header is damaged"),
        (Lane::Control, unknown, "a frame is of the unknown kind 99"),
        (
            Lane::Control,
            whole(Header { sequence: 1, target: 9, ..Header::new(Kind::Tell) }),
            "a frame is out of place: a message for nobody",
        ),
        (
            Lane::Control,
            whole(Header { sequence: 7, ..Header::new(Kind::Tell) }),
            "a frame is out of place: a message is missing or came twice",
        ),
        (
            Lane::Control,
            whole(Header { target: 4000, ..Header::new(Kind::Open) }),
            "a frame is out of place: the number of a target",
        ),
    ]
}

#[tokio::test]
async fn offenders_are_cut_off_with_one_line_each() {
    let log = Log::default();
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    let runtime = Runtime::start("here").unwrap();
    let here = node(&runtime, "here", Some("127.0.0.1:0"));
    let addresses = here.addresses();
    let address: SocketAddr = addresses[0].parse().unwrap();
    let friend = node(&runtime, "friend", None);
    let echo = friend.dial(&addresses).await.unwrap().lookup::<Echo>("echo").await.unwrap();
    assert_eq!(echo.ask(Echo(0), LATE).await, Ok(0));

    let before = (memory("VmPeak:"), memory("VmHWM:"));
    for (number, (lane, bytes, expected)) in offences().into_iter().enumerate() {
        let name = format!("offender-{number}");
        let mut control = trusted(address, &name, Lane::Control).await;
        let mut bulk = trusted(address, &name, Lane::Bulk).await;
        let wire = if lane == Lane::Control { &mut control } else { &mut bulk };
        wire.write_all(&bytes).await.unwrap();
        wire.flush().await.unwrap();
        for wire in [&mut control, &mut bulk] {
            let mut rest = Vec::new();
            let ended = tokio::time::timeout(LATE, wire.read_to_end(&mut rest)).await;
            assert!(ended.is_ok(), "{name} is not cut off");
        }
        let lines = about(&log, &name);
        assert_eq!(lines.len(), 1, "{lines:#?}");
        let line = &lines[0];
        assert!(line.starts_with("WARN") && line.contains(expected), "'{expected}' not in: {line}");
        assert_eq!(echo.ask(Echo(number as u64), LATE).await, Ok(number as u64));
    }
    let grown = (memory("VmPeak:") - before.0, memory("VmHWM:") - before.1);
    assert!(grown.0 < RESERVED_MAX && grown.1 < GROWTH_MAX, "{grown:?} bytes for nothing");
    assert!(about(&log, "friend").is_empty(), "{:#?}", about(&log, "friend"));
}

#[test]
fn one_that_asks_and_never_reads_is_given_up() {
    let runtime = Runtime::start("there").unwrap();
    let there = node(&runtime, "there", None);
    let pings = Header::new(Kind::Ping).encode().repeat(10_000);
    let mut trial = LinkTrial::new(&there, Lane::Control);
    let ended = loop {
        if let Err(malformed) = trial.receive(&pings) {
            break malformed;
        }
        assert!(trial.held_bytes() <= 2 * URGENT_BYTES_MAX + (1 << 20), "{trial:?}");
    };
    assert_eq!(ended, Malformed::Unread);
    assert!(!trial.is_open() && trial.held_bytes() < 1 << 20, "{}", trial.held_bytes());
    // One that reads may ask as often as it likes.
    let mut trial = LinkTrial::new(&there, Lane::Control);
    for _ in 0..200 {
        trial.receive(&pings).unwrap();
        assert!(trial.sent().len() >= pings.len());
    }
}
