//! What is framed: links between nodes, and the journal of a job. Bytes that are only random fail
//! at the first checksum, so most inputs are given sound ones before they are tried.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mspass_actors::foreman::journal::Journal;
use mspass_actors::link::LinkTrial;
use mspass_actors::mailbox::{Context, Handler, Lane, Mailbox, Message, Reply, start};
use mspass_actors::node::{Node, NodeLimits, NodeOptions};
use mspass_actors::runtime::Runtime;
use mspass_actors::wire::{Blob, HEADER_BYTES, Header, Kind};
use serde::{Deserialize, Serialize};

use crate::entries::{Entry, Examples, secret};

/// The name, what takes the bytes, and examples.
pub const ENTRIES: [(&str, Entry, Examples); 3] = [
    ("frame_header", frame_header, header_examples),
    ("link", link, link_examples),
    ("journal", journal, journal_examples),
];

/// Bytes of a header before its checksum.
const FIELDS: usize = HEADER_BYTES - 4;
/// Bytes of blobs that the node of the trials holds.
const BLOBS_BYTES_MAX: usize = 1 << 20;
/// Bytes that a lane holds beside twice what came: its first buffer, and what it has to send.
const HELD_BYTES_MAX: usize = 1 << 20;

fn with_checksum(fields: &[u8; FIELDS]) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..FIELDS].copy_from_slice(fields);
    bytes[FIELDS..].copy_from_slice(&crc32c::crc32c(fields).to_le_bytes());
    bytes
}

/// The fixed part of a frame, as it is and with a sound checksum: what is understood is said again
/// in the same bytes.
pub fn frame_header(bytes: &[u8]) {
    if let Some(bytes) = bytes.first_chunk::<HEADER_BYTES>()
        && let Ok(header) = Header::decode(bytes)
    {
        assert_eq!(header.encode(), *bytes);
    }
    if let Some(fields) = bytes.first_chunk::<FIELDS>() {
        let bytes = with_checksum(fields);
        match Header::decode(&bytes) {
            Ok(header) => assert_eq!(header.encode(), bytes),
            Err(malformed) => assert!(malformed.to_string().len() < 200),
        }
    }
}

fn header_examples() -> Vec<Vec<u8>> {
    let header = Header { length: 7, target: 1, id: 1 << 40, ..Header::new(Kind::Ask) };
    vec![header.encode().to_vec(), Header::new(Kind::Ping).encode().to_vec()]
}

/// A message with all that can travel in one.
#[derive(Debug, Serialize, Deserialize)]
struct Parcel {
    number: u64,
    text: String,
    samples: Blob,
    back: Option<Mailbox<Self>>,
}

impl Message for Parcel {
    const TYPE: &'static str = "fuzz.parcel";
    type Reply = u64;
}

/// Parcels that arrived.
static ARRIVED: AtomicU64 = AtomicU64::new(0);

#[derive(Debug)]
struct Receiver;

impl Handler<Parcel> for Receiver {
    fn handle(&mut self, parcel: Parcel, reply: Reply<Parcel>, _: &Context<Self>) {
        ARRIVED.fetch_add(1, Ordering::Relaxed);
        match parcel.number % 3 {
            0 => drop(reply),
            _ => reply.send(parcel.samples.len() as u64),
        }
    }
}

/// A node with one actor, which dials nobody.
static NODE: LazyLock<(Runtime, Node)> = LazyLock::new(|| {
    let runtime = Runtime::start("fuzz").expect("a thread");
    let mut options = NodeOptions::new("noise", "here", secret("of nobody else at all"));
    options.limits =
        NodeLimits { blob_bytes_max: BLOBS_BYTES_MAX / 2, blobs_bytes_max: BLOBS_BYTES_MAX };
    let node = Node::start(&runtime, options).expect("a node");
    let receiver = start(&runtime, "receiver", 64, |_| Receiver);
    node.register("receiver", receiver.mailbox::<Parcel>());
    (runtime, node)
});

/// Fields and bodies of frames, one after the other, given checksums, and sequences where they
/// count; a sequence of `0xffffffff` stays wrong.
fn framed(mut bytes: &[u8]) -> Vec<u8> {
    let (mut stream, mut sequence) = (Vec::new(), 0u32);
    while let Some((fields, rest)) = bytes.split_first_chunk::<FIELDS>() {
        let mut fields = *fields;
        if (1..16).contains(&fields[4]) && fields[24..28] != [255; 4] {
            sequence = sequence.wrapping_add(1);
            fields[24..28].copy_from_slice(&sequence.to_le_bytes());
        }
        let length = u32::from_le_bytes([fields[0], fields[1], fields[2], fields[3]]);
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(rest.len());
        stream.extend_from_slice(&with_checksum(&fields));
        stream.extend_from_slice(&rest[..length]);
        bytes = &rest[length..];
    }
    stream.extend_from_slice(bytes);
    stream
}

/// What comes over a connection once it is trusted, through mailboxes and blobs: memory grows no
/// faster than bytes arrive.
pub fn link(bytes: &[u8]) {
    let Some((&first, bytes)) = bytes.split_first() else { return };
    let lane = if first & 1 == 0 { Lane::Control } else { Lane::Bulk };
    let stream = if first & 2 == 0 { framed(bytes) } else { bytes.to_vec() };
    let at_once = match first >> 2 {
        0 => usize::MAX,
        some => usize::from(some),
    };
    let mut trial = LinkTrial::new(&NODE.1, lane);
    for part in stream.chunks(at_once) {
        if let Err(malformed) = trial.receive(part) {
            assert!(malformed.to_string().len() < 200, "no sentence: {malformed}");
            return;
        }
        let most = 2 * trial.received() as usize + HELD_BYTES_MAX;
        assert!(trial.held_bytes() <= most, "{trial:?} holds {}", trial.held_bytes());
        trial.sent();
    }
}

#[derive(Serialize)]
struct Opening<'a> {
    actor: &'a str,
    message: &'a str,
    version: u16,
}

fn written(message: &impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec_named(message).expect("it can be written")
}

/// A frame of an example, without checksum.
fn frame(header: Header, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("it is short");
    [&Header { length, ..header }.encode()[..FIELDS], body].concat()
}

fn link_examples() -> Vec<Vec<u8>> {
    let opening = |actor| written(&Opening { actor, message: Parcel::TYPE, version: 1 });
    let open = |target, actor| frame(Header { target, ..Header::new(Kind::Open) }, &opening(actor));
    let parcel = |number: u64, samples: Vec<u8>| {
        written(&Parcel { number, text: "noise".into(), samples: samples.into(), back: None })
    };
    let ask = Header { id: 3, ask: 1, deadline: 1000, ..Header::new(Kind::Ask) };
    let small = [
        open(0, "receiver"),
        frame(Header::new(Kind::Tell), &parcel(1, vec![5; 40])),
        frame(ask, &parcel(2, Vec::new())),
        open(1, "nobody"),
        frame(Header { id: 0, ask: 0, ..Header::new(Kind::Reply) }, &written(&7u64)),
        frame(Header { id: 1, ask: 1, ..Header::new(Kind::Fail) }, &[3]),
        frame(Header { flags: 100, id: 8, ..Header::new(Kind::Opened) }, &[]),
        frame(Header { id: 20, ..Header::new(Kind::Credit) }, &[]),
        frame(Header { id: 1 << 30, ..Header::new(Kind::Window) }, &[]),
        frame(Header::new(Kind::Ping), &[]),
        frame(Header::new(Kind::Gone), &[]),
        frame(Header { flags: 1, ..Header::new(Kind::GoAway) }, &[]),
    ];
    // A message whose blob follows it: its samples are number 0 of the blobs beside it.
    let body = b"\x84\xa6number\x02\xa4text\xa1x\xa7samples\x00\xa4back\xc0";
    let blobs = |length: u64| [&body[..], &length.to_le_bytes()].concat();
    let large = [
        open(0, "receiver"),
        frame(Header { blobs: 1, ..Header::new(Kind::Tell) }, &blobs(3000)),
        frame(Header::new(Kind::Chunk), &[1; 2000]),
        frame(Header::new(Kind::Chunk), &[2; 1000]),
        frame(Header { blobs: 1, ..ask }, &blobs(1 << 40)),
        frame(Header { flags: 1, ..Header::new(Kind::Chunk) }, &[]),
        frame(Header { id: 1, ..Header::new(Kind::Refuse) }, &[]),
    ];
    let elsewhere = b"\x84\xa6number\x02\xa4text\xa1x\xa7samples\xc4\x01\x07\xa4back\x84\xa4node\
        \xa5there\xabincarnation\x01\xa9addresses\x90\xa5actor\xa1a";
    let named = [open(0, "receiver"), frame(Header::new(Kind::Tell), elsewhere)];
    let claim = Header { length: u32::MAX, ..Header::new(Kind::Tell) }.encode();
    let mut examples = vec![
        [&[0][..], &small.concat()].concat(),
        [&[4 * 7], &small.concat()[..]].concat(),
        [&[1], &small.concat()[..]].concat(),
        [&[1], &large.concat()[..]].concat(),
        [&[1 + 4 * 50], &large.concat()[..]].concat(),
        [&[0], &named.concat()[..]].concat(),
    ];
    examples.extend([2, 3].map(|first| [&[first], &claim[..]].concat()));
    examples
}

/// How many parcels of the examples arrive: damage to them goes deep only if they do.
pub fn parcels_of_examples() -> u64 {
    let before = ARRIVED.load(Ordering::Relaxed);
    link_examples().iter().for_each(|example| link(example));
    // Whoever is answered comes after all others.
    let (runtime, node) = &*NODE;
    let receiver = node.lookup::<Parcel>("receiver").expect("it is registered");
    let last = Parcel { number: 1, text: String::new(), samples: Blob::default(), back: None };
    let answered = async move { receiver.ask(last, Duration::from_secs(60)).await };
    assert_eq!(runtime.waiter().wait(answered), Some(Ok(0)));
    ARRIVED.load(Ordering::Relaxed) - before - 1
}

/// A folder in memory, where there is one: no input waits for a disk.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    parent.join(format!("mspass-fuzz-{}", std::process::id()))
});

/// What `call` makes of an empty folder.
fn in_folder<T>(call: impl FnOnce(&Path) -> T) -> T {
    std::fs::create_dir_all(&*FOLDER).expect("a folder");
    let made = call(&FOLDER);
    std::fs::remove_dir_all(&*FOLDER).expect("it was made here");
    made
}

/// The file of a journal, whoever damaged it: what is replayed is replayed again, and it can be
/// written on.
pub fn journal(bytes: &[u8]) {
    let Some((&first, bytes)) = bytes.split_first() else { return };
    let file = if first & 1 == 0 { records(bytes) } else { bytes.to_vec() };
    in_folder(|folder| {
        let path = folder.join("journal");
        std::fs::write(&path, file).expect("the folder can be written to");
        // It is refused with a sentence, or opened.
        let Ok((journal, replay)) = Journal::open(&path, "job", "run") else { return };
        drop(journal);
        let (journal, again) = Journal::open(&path, "job", "run").expect("it was good before");
        drop(journal);
        assert_eq!(again.epoch, replay.epoch + 1);
        assert_eq!(again.done.len(), replay.done.len());
    });
}

/// Records as the journal frames them, from a `u16` of their length each.
fn records(mut bytes: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let (record, rest) = rest.split_at(rest.len().min(u16::from_le_bytes(*length).into()));
        file.extend_from_slice(&u32::try_from(record.len()).unwrap_or(u32::MAX).to_le_bytes());
        file.extend_from_slice(&crc32c::crc32c(record).to_le_bytes());
        file.extend_from_slice(record);
        bytes = rest;
    }
    file
}

fn journal_examples() -> Vec<Vec<u8>> {
    // What the journal itself writes, apart from its checksums.
    let whole = in_folder(|folder| {
        let path = folder.join("example");
        let (journal, _) = Journal::open(&path, "job", "run").expect("a journal");
        drop(journal);
        std::fs::read(&path).expect("it is there")
    });
    let (mut rest, mut apart) = (&whole[..], vec![0]);
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_le_bytes(*length)).expect("it is short");
        apart.extend(u16::try_from(length).expect("it is short").to_le_bytes());
        apart.extend_from_slice(&after[4..4 + length]);
        rest = &after[4 + length..];
    }
    vec![[&[1], &whole[..]].concat(), apart]
}
