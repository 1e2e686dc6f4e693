//! Pieces between workers, over mailboxes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mspass_actors::mailbox::Mailbox;
use mspass_actors::runtime::Runtime;
use mspass_actors::worker::pieces::{
    DropPieces, FETCHES_MAX, FetchError, FetchPiece, PieceKeeper, PieceName, PieceOptions,
    PieceServer, fetch,
};

fn name(part: u64) -> PieceName {
    PieceName { job: "noise".into(), stage: 1, bucket: 2, part }
}

#[test]
fn pieces_are_served_dropped_and_known_to_be_lost() {
    let folder = tempfile::tempdir().unwrap();
    let options = PieceOptions { folder: folder.path().into(), memory_bytes_max: 1 << 20 };
    let keeper = Arc::new(PieceKeeper::start(&options).unwrap());
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
