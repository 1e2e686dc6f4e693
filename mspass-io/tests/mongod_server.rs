//! The MongoDB server that the crate starts: it lives and dies with its process.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]
#![allow(clippy::disallowed_methods, reason = "these tests measure how long calls wait")]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bson::doc;
use bson::oid::ObjectId;
use mspass_io::store::mongo::{MongoOptions, MongoStore, MongodOptions, MongodServer};
use mspass_io::store::{Blob, BlobStore, DocumentStore, Find};

/// Names the folder in which the child process of a test shall hold a server.
const HOLDER: &str = "MSPASS_TEST_HOLDS_SERVER";

fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn start(folder: &Path) -> MongodServer {
    MongodServer::start(folder, &MongodOptions::default()).unwrap()
}

fn open(server: &MongodServer) -> MongoStore {
    MongoStore::open(&server.uri("x"), &MongoOptions::default()).unwrap()
}

/// The process id that a running mongod writes into its folder.
fn mongod_pid(folder: &Path) -> u32 {
    std::fs::read_to_string(folder.join("data/mongod.lock")).unwrap().trim().parse().unwrap()
}

fn is_running(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}/exe")).read_link().is_ok()
}

fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap().success());
}

#[test]
fn data_outlive_the_server_and_nothing_else_does() {
    let folder = folder();
    let server = start(folder.path());
    let pid = mongod_pid(folder.path());
    assert!(is_running(pid));
    open(&server).upsert("c", &[doc! {"_id": 1}]).unwrap();
    server.stop().unwrap();
    assert!(!is_running(pid));
    let server = start(folder.path());
    assert_eq!(open(&server).count("c", &doc! {}).unwrap(), 1);
    let pid = mongod_pid(folder.path());
    drop(server);
    assert!(!is_running(pid));
}

#[test]
fn a_mongod_that_dies_is_started_again() {
    let folder = folder();
    let server = start(folder.path());
    let options = MongoOptions::default().selection_time(Duration::from_secs(60));
    let store = MongoStore::open(&server.uri("x"), &options).unwrap();
    store.upsert("c", &[doc! {"_id": 1}]).unwrap();
    for restarts in 1..=2 {
        let pid = mongod_pid(folder.path());
        kill(pid);
        // The same store finds the new server: the socket's path is the same.
        assert_eq!(store.count("c", &doc! {}).unwrap(), 1);
        assert_ne!(mongod_pid(folder.path()), pid);
        assert_eq!(server.restarts(), restarts);
    }
    let pid = mongod_pid(folder.path());
    server.stop().unwrap();
    assert!(!is_running(pid));
}

#[test]
fn a_mongod_that_dies_too_often_is_reported_and_recovers_when_started_by_hand() {
    let folder = folder();
    let options = MongodOptions::default().restarts_max(1);
    let server = MongodServer::start(folder.path(), &options).unwrap();
    let store = open(&server);
    store.upsert("c", &[doc! {"_id": 1}]).unwrap();
    let first = mongod_pid(folder.path());
    kill(first);
    let options = MongoOptions::default().selection_time(Duration::from_secs(60));
    let patient = MongoStore::open(&server.uri("x"), &options).unwrap();
    assert_eq!(patient.count("c", &doc! {}).unwrap(), 1);
    kill(mongod_pid(folder.path()));
    let error = store.count("c", &doc! {}).unwrap_err().to_string();
    assert!(error.contains("MongoDB store failed to count c"), "{error}");
    let error = server.stop().unwrap_err().to_string();
    assert!(error.starts_with("mongod ended with exit status: 137"), "{error}");
    let server = start(folder.path());
    assert_eq!((store.count("c", &doc! {}).unwrap(), server.restarts()), (1, 0));
}

#[test]
fn idempotent_calls_wait_for_a_server_that_comes_back() {
    let folder = folder();
    let server = start(folder.path());
    let options = MongoOptions::default().selection_time(Duration::from_secs(60));
    let store = MongoStore::open(&server.uri("x"), &options).unwrap();
    let stopped = AtomicBool::new(false);
    let rounds = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut rounds = 0;
            while !stopped.load(Ordering::Relaxed) {
                let batch: Vec<_> = (0..100).map(|i| doc! {"_id": rounds * 100 + i}).collect();
                store.upsert("c", &batch).unwrap();
                let id = ObjectId::new();
                store.put(&[Blob { id, bytes: vec![7; 1000].into() }]).unwrap();
                assert_eq!(store.read(id).unwrap().len(), 1000);
                rounds += 1;
                assert_eq!(store.count("c", &doc! {}).unwrap(), rounds as u64 * 100);
            }
            rounds
        });
        while store.count("c", &doc! {}).unwrap() < 500 {}
        kill(mongod_pid(folder.path()));
        let acknowledged = store.count("c", &doc! {}).unwrap();
        assert!(acknowledged >= 500, "{acknowledged}");
        while store.count("c", &doc! {}).unwrap() < acknowledged + 300 {}
        stopped.store(true, Ordering::Relaxed);
        let rounds: i32 = writer.join().unwrap();
        rounds
    });
    assert!(rounds > 5 && server.restarts() == 1, "{rounds}");
}

#[test]
fn what_was_acknowledged_outlives_a_kill_and_is_there_once() {
    const WRITERS: i64 = 4;
    let folder = folder();
    let server = start(folder.path());
    let options = MongoOptions::default().selection_time(Duration::from_secs(60));
    let store = MongoStore::open(&server.uri("x"), &options).unwrap();
    let (stopped, acknowledged) = (AtomicBool::new(false), AtomicU64::new(0));
    let until = |more: u64| {
        let (due, begun) = (acknowledged.load(Ordering::SeqCst) + more, Instant::now());
        while acknowledged.load(Ordering::SeqCst) < due {
            assert!(begun.elapsed() < Duration::from_secs(120), "nothing is acknowledged any more");
            std::thread::yield_now();
        }
    };
    // Inserts, which nobody repeats: one that fails may have arrived, or not.
    let write = |writer: i64| {
        let (mut kept, mut number) = (Vec::new(), 0_i64);
        while !stopped.load(Ordering::SeqCst) {
            let numbers = number..number + 10;
            let batch = numbers.clone().map(|n| doc! {"writer": writer, "number": n});
            if store.insert("c", &batch.collect::<Vec<_>>()).is_ok() {
                kept.extend(numbers.clone());
                acknowledged.fetch_add(10, Ordering::SeqCst);
            }
            number = numbers.end;
        }
        kept
    };
    std::thread::scope(|scope| {
        let write = &write;
        let writers: Vec<_> = (0..WRITERS).map(|w| scope.spawn(move || write(w))).collect();
        for _ in 0..2 {
            until(200);
            kill(mongod_pid(folder.path()));
            until(200);
        }
        stopped.store(true, Ordering::SeqCst);
        for (writer, kept) in (0..).zip(writers) {
            let kept = kept.join().unwrap();
            let find = Find::filter(doc! {"writer": writer as i64}).sort(doc! {"number": 1});
            let found = store.find("c", &find).unwrap().map(|found| found.unwrap());
            let found: Vec<i64> = found.map(|d| d.get_i64("number").unwrap()).collect();
            assert!(found.is_sorted_by(|a, b| a < b), "doubled");
            assert!(kept.iter().all(|number| found.binary_search(number).is_ok()), "lost");
        }
    });
    println!("{} acknowledged over 2 kills", acknowledged.load(Ordering::SeqCst));
    assert_eq!(server.restarts(), 2);
}

#[test]
fn a_folder_in_use_is_refused_at_once() {
    let folder = folder();
    let _server = start(folder.path());
    let before = Instant::now();
    let error = MongodServer::start(folder.path(), &MongodOptions::default()).unwrap_err();
    assert!(before.elapsed() < Duration::from_secs(1), "{:?}", before.elapsed());
    let text = error.to_string();
    assert!(text.contains("is in use by mongod_server-"), "{text}");
    assert!(text.contains(&format!("(pid {})", std::process::id())), "{text}");
}

#[test]
fn a_mongod_that_does_not_start_says_why() {
    let folder = folder();
    let options = MongodOptions::default().program("/bin/false");
    let text = MongodServer::start(folder.path(), &options).unwrap_err().to_string();
    assert_eq!(text, "mongod did not start (exit status: 1)");
    std::fs::create_dir_all(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/storage.bson"), "no BSON at all").unwrap();
    let text = MongodServer::start(folder.path(), &MongodOptions::default()).unwrap_err();
    let text = text.to_string();
    assert!(text.starts_with("mongod did not start (exit status: "), "{text}");
    assert!(text.contains("): ") && !text.contains('\n'), "{text}");
    println!("{text}");
}

#[test]
fn a_long_path_is_no_obstacle() {
    let folder = folder();
    let long = folder.path().join("n".repeat(100)).join("Large @ 100 % \u{e9}");
    let server = start(&long);
    let uri = server.uri("x");
    assert_eq!(open(&server).find("c", &Find::default()).unwrap().count(), 0);
    server.stop().unwrap();
    // The short way to the socket is gone with the server.
    let socket = uri.trim_start_matches("mongodb://").split("/x?").next().unwrap();
    let socket = socket.replace("%2F", "/");
    let short = Path::new(&socket).parent().unwrap().parent().unwrap();
    assert!(!short.exists() && !folder.path().starts_with(short), "{}", short.display());
}

#[test]
fn a_killed_process_leaves_no_mongod_behind() {
    if let Some(folder) = std::env::var_os(HOLDER) {
        hold_a_server(Path::new(&folder));
    }
    let folder = folder();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_killed_process_leaves_no_mongod_behind", "--nocapture"])
        .env(HOLDER, folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = lines.map(Result::unwrap).find(|line| line.contains("server is up"));
    assert!(ready.is_some(), "the child has not started its server");
    let pid = mongod_pid(folder.path());
    assert!(is_running(pid));
    kill(child.id());
    child.wait().unwrap();
    // A successor in the same folder waits for the dying server, and finds what it acknowledged.
    let server = start(folder.path());
    assert!(!is_running(pid));
    assert_eq!(open(&server).count("c", &doc! {}).unwrap(), 1);
}

/// What the child process does until it is killed.
fn hold_a_server(folder: &Path) {
    let server = start(folder);
    open(&server).upsert("c", &[doc! {"_id": 1}]).unwrap();
    println!("server is up");
    let _ = std::io::stdin().read(&mut [0]);
    panic!("the test has ended before it killed this process");
}
