//! One function per parser of bytes from the network: handshakes and messages. Each takes any
//! bytes, and panics only when a promise is broken: no panic inside, no more taken than announced
//! caps, nothing let in.

use std::path::Path;

use bson::doc;
use mspass_actors::db_proxy::messages::{
    Action, Answer, Packed, ReadBlob, Save, StoreCall, StoreFault,
};
use mspass_actors::foreman::lease::{Ended, Grant, Heartbeat, Join};
use mspass_actors::mailbox::{Lane, Message};
use mspass_actors::security::{HANDSHAKE_BYTES_MAX, Handshake, Hello, Limits, Secret, Step};
use mspass_actors::worker::pieces::{DropPieces, FetchPiece, ListPieces, Listing, PieceName};

/// What takes the bytes.
pub type Entry = fn(&[u8]);
/// Makes examples of bytes, from which others are made.
pub type Examples = fn() -> Vec<Vec<u8>>;

/// The name, what takes the bytes, and examples.
pub const ENTRIES: [(&str, Entry, Examples); 6] = [
    ("listener", listener, dialed),
    ("dialer", dialer, answered),
    ("store_messages", store_messages, store_examples),
    ("lease_messages", lease_messages, lease_examples),
    ("authorization", authorization, authorization_examples),
    ("peer_messages", peer_messages, peer_examples),
];

/// The secret of this text.
pub fn secret(text: &str) -> Secret {
    let variable = |name: &str| (name == "MSPASS_SECRET").then(|| text.into());
    Secret::from_variables(variable, Path::new("/")).expect("it is long enough")
}

fn hello() -> Hello {
    Hello {
        cluster: "noise".to_owned(),
        node: "worker-1".to_owned(),
        incarnation: 1 << 40,
        roles: vec!["worker".to_owned()],
        build: "mspass/0.1.0".to_owned(),
        addresses: vec!["127.0.0.1:4000".to_owned(), "[::1]:4000".to_owned()],
        lane: Lane::Bulk,
        limits: Limits::default(),
    }
}

/// A listener hears strangers who do not know its secret: it never lets one in.
pub fn listener(bytes: &[u8]) {
    let Some((&first, bytes)) = bytes.split_first() else { return };
    let made = Handshake::listen(&secret("the listener's own"), first & 1 == 1, &hello(), [2; 32]);
    converse(made.expect("the hello is sound"), bytes);
}

/// A dialer hears a listener that does not know its secret: it never trusts it.
pub fn dialer(bytes: &[u8]) {
    let Some((&first, bytes)) = bytes.split_first() else { return };
    let made = Handshake::dial(&secret("the dialer's own one"), first & 1 == 1, &hello(), [1; 32]);
    converse(made.expect("the hello is sound"), bytes);
}

fn converse(mut handshake: Handshake, mut bytes: &[u8]) {
    let mut taken = 0;
    loop {
        match handshake.step() {
            Step::Write(bytes) => assert!(bytes.len() <= HANDSHAKE_BYTES_MAX),
            Step::Secure => handshake.secured(b"a session"),
            Step::Done(peer) => panic!("let in without the secret: {peer:?}"),
            Step::Read(length) => {
                taken += length;
                assert!(taken <= HANDSHAKE_BYTES_MAX, "{taken} bytes of a stranger were asked for");
                let Some((part, rest)) = bytes.split_at_checked(length) else { return };
                bytes = rest;
                if let Err(refusal) = handshake.receive(part) {
                    let sentence = refusal.to_string();
                    assert!(sentence.len() < 400, "no sentence: {sentence}");
                    assert!(sentence.chars().all(|c| matches!(c, ' '..='~')), "{sentence:?}");
                    assert!(handshake.last_words(&refusal).len() <= 64);
                    return;
                }
            }
        }
    }
}

/// What one good dialer says, and what it hears.
fn meeting() -> [Vec<u8>; 2] {
    let secret = secret("known to these two only");
    let dial = Handshake::dial(&secret, false, &hello(), [1; 32]);
    let listen = Handshake::listen(&secret, false, &hello(), [2; 32]);
    let mut ends = [dial, listen].map(|end| end.expect("the hello is sound"));
    let (mut said, mut read) = ([vec![0], vec![0]], [1, 1]);
    let mut turn = 0;
    loop {
        match ends[turn].step() {
            Step::Write(bytes) => said[turn].extend(bytes),
            Step::Read(length) => match said[1 - turn].get(read[turn]..read[turn] + length) {
                Some(bytes) => {
                    ends[turn].receive(bytes).expect("they know the secret");
                    read[turn] += length;
                }
                None => turn = 1 - turn,
            },
            Step::Secure => panic!("nobody wanted TLS"),
            Step::Done(_) if turn == 0 => return said,
            Step::Done(_) => turn = 0,
        }
    }
}

fn dialed() -> Vec<Vec<u8>> {
    let [dialed, _] = meeting();
    vec![dialed, b"\0MSPA\x01\0\0\0\x01\xff\xff\xff\xff".to_vec(), b"\x01MSPA\x01\0\x01\0".to_vec()]
}

fn answered() -> Vec<Vec<u8>> {
    let [_, answered] = meeting();
    vec![answered, b"\0MSPA\x01\0\0\0\x05\x01\0\0\0\x01".to_vec(), b"\x01MSPA\x01\0\x01\0".to_vec()]
}

/// What was understood can be said again, and is then understood the same way.
pub fn body<M: Message>(bytes: &[u8]) {
    let Ok(message) = rmp_serde::from_slice::<M>(bytes) else { return };
    let again = rmp_serde::to_vec_named(&message).expect("what was read can be written");
    let twice = rmp_serde::from_slice::<M>(&again).expect("what was written can be read");
    let thrice = rmp_serde::to_vec_named(&twice).expect("what was read can be written");
    assert_eq!(again, thrice, "{} changed on its way", M::TYPE);
}

/// What was understood of a reply can be said again.
pub fn reply<M: Message>(bytes: &[u8]) {
    if let Ok(reply) = rmp_serde::from_slice::<M::Reply>(bytes) {
        rmp_serde::to_vec_named(&reply).expect("what was read can be written");
    }
}

/// Messages and replies of stores, with the documents in them.
pub fn store_messages(bytes: &[u8]) {
    body::<StoreCall>(bytes);
    reply::<StoreCall>(bytes);
    body::<Save>(bytes);
    reply::<Save>(bytes);
    body::<ReadBlob>(bytes);
    reply::<ReadBlob>(bytes);
}

fn store_examples() -> Vec<Vec<u8>> {
    let find = doc! { "sta": { "$in": ["ANMO", "COLA"] }, "starttime": { "$gte": 1.5e9 } };
    let call = |action| {
        let call = StoreCall { collection: "wf_TimeSeries".to_owned(), action };
        rmp_serde::to_vec_named(&call).expect("it can be written")
    };
    let page = Answer::Page { documents: vec![Packed(find.clone())], cursor: Some(7) };
    let fault: Result<Answer, _> = Err(StoreFault::Failed("disk".to_owned()));
    let documents = vec![("wf".to_owned(), vec![Packed(find.clone())])];
    let save = Save {
        blobs: vec![(bson::oid::ObjectId::from_bytes([7; 12]), vec![3; 64].into())],
        documents,
    };
    vec![
        call(Action::Update {
            filter: Packed(find.clone()),
            update: Packed(doc! { "$set": { "a": 1 } }),
        }),
        call(Action::Upsert(vec![Packed(find)])),
        call(Action::Next { cursor: u64::MAX, page: 1 }),
        deep(100),
        deep(60_000),
        rmp_serde::to_vec_named(&Ok::<_, StoreFault>(page)).expect("it can be written"),
        rmp_serde::to_vec_named(&fault).expect("it can be written"),
        rmp_serde::to_vec_named(&save).expect("it can be written"),
    ]
}

/// `Action::Count` of a document in a document, `depth` times.
fn deep(depth: usize) -> Vec<u8> {
    let mut document = Vec::new();
    for level in (1..=depth).rev() {
        document.extend((8 * level as u32 + 5).to_le_bytes());
        document.extend(b"\x03a\0");
    }
    document.extend([5, 0, 0, 0, 0]);
    document.extend(vec![0; depth]);
    let length = (document.len() as u32).to_be_bytes();
    let call = b"\x82\xaacollection\xa2wf\xa6action\x81\xa5Count\xc6";
    [&call[..], &length, &document].concat()
}

/// Messages between foreman and workers.
pub fn lease_messages(bytes: &[u8]) {
    body::<Join>(bytes);
    body::<Heartbeat>(bytes);
    reply::<Heartbeat>(bytes);
    body::<Ended>(bytes);
    body::<Grant>(bytes);
}

fn lease_examples() -> Vec<Vec<u8>> {
    let grant = Grant { leases: Vec::new() };
    let mut examples = vec![rmp_serde::to_vec_named(&grant).expect("it can be written")];
    // Maps and arrays that claim more than there is: {"leases": [2^32 - 1 entries
    let mut claims = b"\x81\xa6leases\xdd\xff\xff\xff\xff".to_vec();
    claims.extend([0xc0; 32]);
    examples.push(claims);
    examples.push([&b"\x81\xa6leases"[..], &[0x91; 4096]].concat());
    examples
}

/// The header with which a client of the frontend shows its token.
pub fn authorization(bytes: &[u8]) {
    let token = secret("the frontend's secret").token();
    let offered = String::from_utf8_lossy(bytes);
    let parts = offered.split_once(' ');
    let right = parts.is_some_and(|(scheme, digits)| {
        scheme.eq_ignore_ascii_case("bearer") && digits == token.reveal()
    });
    assert_eq!(token.admits(&offered), right, "only the token is admitted");
}

fn authorization_examples() -> Vec<Vec<u8>> {
    let near = format!("Bearer {}", "0".repeat(64));
    let right = format!("bearer {}", secret("the frontend's secret").token().reveal());
    vec![near.into_bytes(), right.into_bytes(), b"Bearer ".to_vec(), b"Basic eDp5".to_vec()]
}

/// What workers ask each other for, and who belongs to the cluster: a copy of the list takes in
/// whatever its scheduler says, and the list whoever joins.
pub fn peer_messages(bytes: &[u8]) {
    body::<FetchPiece>(bytes);
    reply::<FetchPiece>(bytes);
    body::<DropPieces>(bytes);
    body::<ListPieces>(bytes);
    reply::<ListPieces>(bytes);
}

fn peer_examples() -> Vec<Vec<u8>> {
    let name = PieceName { job: "noise".to_owned(), stage: 1, bucket: 2, part: u64::MAX, chunk: 0 };
    let list = ListPieces { job: "noise".to_owned(), stage: 1, bucket: 2, with_parts: true };
    let listing = Listing {
        pieces: vec![(7, 0, 100), (9, 1, 1 << 40)],
        part_count: 2,
        part_sum: 16,
        parts: vec![7, 9],
    };
    let written = [
        rmp_serde::to_vec_named(&list),
        rmp_serde::to_vec_named(&listing),
        rmp_serde::to_vec_named(&FetchPiece(name)),
        rmp_serde::to_vec_named(&DropPieces { job: "noise".to_owned(), stage: Some(1) }),
    ];
    written.into_iter().map(|written| written.expect("it can be written")).collect()
}
