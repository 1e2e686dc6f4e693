//! However many tasks call a db-proxy at once, its store holds a few connections.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::collections::HashSet;
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use bson::oid::ObjectId;
use bson::{Document, doc};
use mspass_actors::db_proxy::{DbProxy, ProxyStore};
use mspass_actors::runtime::Runtime;
use mspass_io::store::mongo::{MongoOptions, MongoStore, MongodOptions, MongodServer};
use mspass_io::store::{Blob, Database, Find};

/// Tasks that call at the same time.
const TASKS: usize = 200;

/// Calls of each kind that a task makes.
const ROUNDS: usize = 4;

/// Connections of a node at most, those that watch the server included.
const CONNECTIONS_MAX: usize = 16;

/// Connections that the server in `folder` has open now.
fn connections(folder: &Path) -> usize {
    let pid = std::fs::read_to_string(folder.join("data/mongod.lock")).unwrap();
    let files = std::fs::read_dir(format!("/proc/{}/fd", pid.trim())).unwrap();
    let targets = files.filter_map(|file| file.ok()?.path().read_link().ok());
    let sockets: HashSet<String> = targets
        .filter_map(|path| {
            let inode = path.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            Some(inode.to_owned())
        })
        .collect();
    let table = std::fs::read_to_string("/proc/net/unix").unwrap();
    let connected = table.lines().filter(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        // Number, references, protocol, flags, type, state (3: connected), inode, path.
        columns.get(5) == Some(&"03")
            && columns.get(6).is_some_and(|inode| sockets.contains(*inode))
    });
    connected.count()
}

fn work(database: &Database, task: usize) {
    for round in 0..ROUNDS {
        let id = ObjectId::new();
        let bytes = vec![task as u8; 300_000];
        database.blobs.put(&[Blob { id, bytes: bytes.clone().into() }]).unwrap();
        let document = doc! { "_id": id, "task": task as i64, "round": round as i64 };
        database.documents.upsert("wf", std::slice::from_ref(&document)).unwrap();
        let find = Find::filter(doc! { "task": task as i64 }).sort(doc! { "round": 1 });
        let found = database.documents.find("wf", &find).unwrap().map(Result::unwrap);
        let found: Vec<Document> = found.collect();
        assert_eq!((found.len(), found.last()), (round + 1, Some(&document)));
        assert_eq!(database.blobs.read(id).unwrap(), bytes);
    }
}

/// Counts a task as ended, also when it panics.
struct End<'a>(&'a AtomicUsize);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn two_hundred_tasks_share_a_few_connections() {
    let folder = tempfile::tempdir().unwrap();
    let server = MongodServer::start(folder.path(), &MongodOptions::default()).unwrap();
    let store = MongoStore::open(&server.uri("shared"), &MongoOptions::default()).unwrap();
    let runtime = Runtime::start("db").unwrap();
    let proxy = DbProxy::start(&runtime, store.database()).unwrap();
    let database = ProxyStore::new(runtime.waiter(), &proxy).database();
    database.documents.create_index("wf", &doc! { "task": 1 }).unwrap();
    let (begin, ended) = (Barrier::new(TASKS + 1), AtomicUsize::new(0));
    let (mut most, mut looks) = (0, 0);
    std::thread::scope(|scope| {
        for task in 0..TASKS {
            let (database, begin, ended) = (&database, &begin, &ended);
            scope.spawn(move || {
                let _end = End(ended);
                begin.wait();
                work(database, task);
            });
        }
        begin.wait();
        while ended.load(Ordering::SeqCst) < TASKS {
            most = most.max(connections(server.folder()));
            looks += 1;
        }
    });
    println!("{TASKS} tasks, {most} connections at most in {looks} looks");
    assert!((2..=CONNECTIONS_MAX).contains(&most) && looks > 10, "{most} in {looks} looks");
    let count = database.documents.count("wf", &doc! {}).unwrap();
    assert_eq!(count, (TASKS * ROUNDS) as u64);
}
