//! Pieces between workers, over mailboxes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mspass_actors::mailbox::Mailbox;
use mspass_actors::node::{Node, NodeOptions};
use mspass_actors::runtime::Runtime;
use mspass_actors::security::Secret;
use mspass_actors::worker::pieces::{
    DropPieces, FETCHES_MAX, FetchError, FetchPiece, PieceKeeper, PieceName, PieceOptions,
    PieceServer, fetch,
};

fn name(part: u64) -> PieceName {
    PieceName { job: "noise".into(), stage: 1, bucket: 2, part, chunk: 0 }
}

#[test]
fn pieces_are_served_dropped_and_known_to_be_lost() {
    let folder = tempfile::tempdir().unwrap();
    let options = PieceOptions { folder: folder.path().into(), memory_bytes_max: 1 << 20 };
    let keeper = Arc::new(PieceKeeper::start(&options));
    for part in 0..8 {
        keeper.keep(name(part), Bytes::from(vec![part as u8; 300 << 10])).unwrap();
    }
    assert!(keeper.memory_bytes() <= 1 << 20);
    let (server, client) = (Runtime::start("server").unwrap(), Runtime::start("client").unwrap());
    let pieces = PieceServer::start(&server, &keeper).unwrap();
    let fetches: Mailbox<FetchPiece> = pieces.mailbox();
    let drops: Mailbox<DropPieces> = pieces.mailbox();
    let waiter = client.waiter();
    let asked = fetches.clone();
    let get = move |part| {
        let asked = asked.clone();
        waiter.wait(async move { fetch(&asked, &name(part)).await }).unwrap()
    };
    for part in 0..8 {
        assert_eq!(get(part).unwrap(), vec![part as u8; 300 << 10]);
    }
    assert_eq!(get(9), Err(FetchError::Lost(name(9))));
    let all = DropPieces { job: "noise".into(), stage: None };
    let dropped = async move { drops.ask(all, Duration::from_secs(20)).await };
    assert_eq!(client.waiter().wait(dropped).unwrap(), Ok(8));
    assert_eq!(get(3), Err(FetchError::Lost(name(3))));
    // More than a mailbox holds wait their turn.
    keeper.keep(name(1), Bytes::from_static(b"abc")).unwrap();
    let many = fetches.clone();
    let counted = client.waiter().wait(async move {
        let mut told = 0;
        for _ in 0..10 * FETCHES_MAX {
            told += usize::from(many.tell(FetchPiece(name(1))).await.is_ok());
        }
        told
    });
    assert_eq!(counted, Some(10 * FETCHES_MAX));
    assert_eq!(get(1).unwrap(), "abc");
    drop(server);
    assert_eq!(get(1), Err(FetchError::Lost(name(1))), "gone with its worker");
}

/// A node of a cluster, with its runtime.
fn node(name: &str, workdir: &std::path::Path, listens: bool) -> (Runtime, Node) {
    let runtime = Runtime::start(name).unwrap();
    let secret = Secret::from_variables(|_| None, workdir).unwrap();
    let mut options = NodeOptions::new("test", name, secret);
    options.bind = listens.then(|| "127.0.0.1:0".parse().unwrap());
    let node = Node::start(&runtime, options).unwrap();
    (runtime, node)
}

#[test]
fn pieces_go_from_worker_to_worker_over_tcp() {
    let folder = tempfile::tempdir().unwrap();
    let options = PieceOptions { folder: folder.path().join("kept"), memory_bytes_max: 4 << 20 };
    let keeper = Arc::new(PieceKeeper::start(&options));
    let of = |part: u64| vec![part as u8; 3 << 20];
    (0..4).for_each(|part| keeper.keep(name(part), Bytes::from(of(part))).unwrap());
    assert!(keeper.memory_bytes() <= 4 << 20, "the rest is spilled");
    let (server, serving) = node("serving", folder.path(), true);
    let pieces = PieceServer::start(&server, &keeper).unwrap();
    serving.register("pieces", pieces.mailbox::<FetchPiece>());
    let (client, fetching) = node("fetching", folder.path(), false);
    let addresses = serving.addresses();
    let fetches = client.waiter().wait(async move {
        let peer = fetching.dial(&addresses).await.unwrap();
        (peer.lookup::<FetchPiece>("pieces").await.unwrap(), fetching)
    });
    let (fetches, _fetching) = fetches.unwrap();
    let get = |part| {
        let fetches = fetches.clone();
        client.waiter().wait(async move { fetch(&fetches, &name(part)).await }).unwrap()
    };
    for part in 0..4 {
        assert_eq!(get(part).unwrap(), of(part));
    }
    assert_eq!(get(4), Err(FetchError::Lost(name(4))));
    drop((serving, server));
    assert_eq!(get(1), Err(FetchError::Lost(name(1))), "gone with its worker");
}
