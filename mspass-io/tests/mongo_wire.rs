//! What the MongoDB store says to its server: every write asks for a majority and the journal.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bson::oid::ObjectId;
use bson::{Document, doc};
use mspass_io::store::mongo::{MongoOptions, MongoStore, MongodOptions, MongodServer};
use mspass_io::store::{Blob, BlobStore, DocumentStore};

/// Number of the one kind of message that carries commands.
const OP_MSG: i32 = 2013;

/// Commands that change something.
const WRITES: [&str; 8] = [
    "insert",
    "update",
    "delete",
    "bulkWrite",
    "findAndModify",
    "createIndexes",
    "drop",
    "dropDatabase",
];

type Seen = Arc<Mutex<Vec<Document>>>;

/// Listens at a port, hands everything on to the server at `socket` and notes the commands.
fn relay(socket: PathBuf, seen: Seen) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = UnixStream::connect(&socket).unwrap();
            let (mut back, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut { server }, &mut back));
            let seen = Arc::clone(&seen);
            std::thread::spawn(move || while hand_on(&client, &mut to, &seen).is_ok() {});
        }
    });
    port
}

/// Hands on one message.
fn hand_on(mut from: &TcpStream, to: &mut UnixStream, seen: &Seen) -> std::io::Result<()> {
    let mut header = [0; 16];
    from.read_exact(&mut header)?;
    let number = |at: usize| i32::from_le_bytes(header[at..at + 4].try_into().unwrap());
    let mut body = vec![0; number(0) as usize - header.len()];
    from.read_exact(&mut body)?;
    if number(12) == OP_MSG {
        seen.lock().unwrap().push(command(&body));
    }
    to.write_all(&header)?;
    to.write_all(&body)
}

/// The command of a message: flags, then sections, of which that of kind 0 is it.
fn command(body: &[u8]) -> Document {
    let mut sections = &body[4..];
    loop {
        let (kind, rest) = sections.split_first().unwrap();
        if *kind == 0 {
            return Document::from_reader(rest).unwrap();
        }
        let length = i32::from_le_bytes(rest[..4].try_into().unwrap());
        sections = &rest[length as usize..];
    }
}

fn write_everything(store: &MongoStore) {
    let blob = |id, length: usize| Blob { id, bytes: vec![7; length].into() };
    store.insert("c", &[doc! { "_id": 1 }, doc! { "_id": 2 }]).unwrap();
    store.upsert("c", &[doc! { "_id": 2, "n": 1 }, doc! { "_id": 3 }]).unwrap();
    store.update("c", &doc! { "n": 1 }, &doc! { "$set": { "n": 2 } }).unwrap();
    DocumentStore::delete(store, "c", &doc! { "_id": 3 }).unwrap();
    store.create_index("c", &doc! { "n": 1 }).unwrap();
    let id = ObjectId::new();
    store.put(&[blob(id, 600_000)]).unwrap();
    store.put(&[blob(id, 300_000)]).unwrap();
    BlobStore::delete(store, &[id]).unwrap();
    store.drop_database().unwrap();
}

#[test]
fn every_write_asks_for_a_majority_and_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let server = MongodServer::start(folder.path(), &MongodOptions::default()).unwrap();
    let socket: &Path = "mongodb-27017.sock".as_ref();
    let seen = Seen::default();
    let port = relay(server.folder().join(socket), Arc::clone(&seen));
    // A name that asks for less does not get it.
    for more in ["", "&w=1&journal=false"] {
        seen.lock().unwrap().clear();
        let uri = format!("mongodb://127.0.0.1:{port}/wire?directConnection=true{more}");
        let store = MongoStore::open(&uri, &MongoOptions::default()).unwrap();
        write_everything(&store);
        let seen = seen.lock().unwrap();
        let mut kinds: Vec<&str> = Vec::new();
        for command in &*seen {
            let name = command.keys().next().unwrap();
            if !WRITES.contains(&name.as_str()) {
                continue;
            }
            let concern = command.get_document("writeConcern");
            let due = doc! { "w": "majority", "j": true };
            assert_eq!(concern.ok(), Some(&due), "{name}");
            kinds.push(name);
        }
        kinds.sort_unstable();
        kinds.dedup();
        println!("{} commands, of which write: {}", seen.len(), kinds.join(", "));
        let due = ["createIndexes", "delete", "dropDatabase", "insert", "update"];
        assert_eq!(kinds, due);
    }
}
