//! A job that saves into a `mongod` of its own: few connections, and a server that is killed.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and wait")]

mod program;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bson::doc;
use mspass::io::db::diff::{DiffOptions, diff};
use mspass::io::store::mongo::{MongodOptions, MongodServer};
use mspass::{Database, DatabaseName};
use program::built;
use serde_json::Value;

/// Files of the archive, and so tasks.
const FILES: usize = 200;

/// Bytes of each: 16 records of the sample.
const FILE_BYTES: usize = 16 * 4096;

/// Connections of a node at most, those that watch the server included.
const CONNECTIONS_MAX: usize = 16;

/// An archive of many small files.
fn archive(folder: &Path) -> PathBuf {
    let day = "examples/data/sds/2010/YA/UV05/HHZ.D/YA.UV05.00.HHZ.D.2010.244";
    let bytes = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(day)).unwrap();
    let archive = folder.join("archive");
    std::fs::create_dir(&archive).unwrap();
    for number in 0..FILES {
        let from = number % 8 * FILE_BYTES;
        let part = &bytes[from..from + FILE_BYTES];
        std::fs::write(archive.join(format!("part-{number:03}.mseed")), part).unwrap();
    }
    archive
}

fn begin(archive: &Path, workdir: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new(built("examples/desktop"));
    command.arg("--archive").arg(archive).arg("--workdir").arg(workdir).arg("--json");
    command.args(["--piece-seconds", "20"]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The counts that a run that must succeed ends with.
fn end(child: Child) -> Value {
    let output = child.wait_with_output().unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {err}", output.status);
    let counts: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    let count = |key: &str| counts[key].as_u64().unwrap();
    assert_eq!(count("in"), count("live") + count("dead") + count("aborted"));
    counts
}

fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The process that holds the data of the server in `folder`.
fn mongod(folder: &Path) -> Option<u32> {
    std::fs::read_to_string(folder.join("data/mongod.lock")).ok()?.trim().parse().ok()
}

/// The database of the job, seen from outside while it runs.
fn look_in(folder: &Path) -> Database {
    let socket = folder.join("mongodb-27017.sock");
    until("the server is up", || socket.exists().then_some(()));
    let socket = socket.to_str().unwrap().replace('/', "%2F");
    let name = format!("mongodb://{socket}/mspass?directConnection=true&maxPoolSize=1");
    let name: DatabaseName = name.parse().unwrap();
    until("the server answers", || Database::open(&name).ok())
}

/// Connections that a process has open.
fn connections(pid: u32) -> usize {
    let Ok(files) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return 0 };
    let targets = files.filter_map(|file| file.ok()?.path().read_link().ok());
    let inode = |path: PathBuf| {
        Some(path.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
    };
    let sockets: HashSet<String> = targets.filter_map(inode).collect();
    let table = std::fs::read_to_string("/proc/net/unix").unwrap();
    let is_connected = |line: &&str| {
        // Number, references, protocol, flags, type, state (3: connected), inode, path.
        let columns: Vec<&str> = line.split_whitespace().collect();
        columns.get(5) == Some(&"03")
            && columns.get(6).is_some_and(|inode| sockets.contains(*inode))
    };
    table.lines().filter(is_connected).count()
}

#[test]
fn two_hundred_tasks_at_once_hold_few_connections() {
    let folder = tempfile::tempdir().unwrap();
    let archive = archive(folder.path());
    let workdir = folder.path().join("work");
    let mut child = begin(&archive, &workdir, &["--db", "mongod", "--workers", "200"]);
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        most = most.max(mongod(&workdir.join("mongod")).map_or(0, connections));
    }
    let counts = end(child);
    println!("{FILES} tasks, {} saved, {most} connections at most", counts["saved"]);
    assert!((2..=CONNECTIONS_MAX).contains(&most), "{most}");
    assert!(counts["saved"].as_u64().unwrap() >= FILES as u64);
}

#[test]
fn a_killed_mongod_loses_nothing_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let archive = archive(folder.path());
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    let due = end(begin(&archive, &whole, &[]));
    let saved = due["saved"].as_u64().unwrap();
    let child = begin(&archive, &killed, &["--db", "mongod"]);
    let mongod_folder = killed.join("mongod");
    let database = look_in(&mongod_folder);
    let mut kills = Vec::new();
    for part in [4, 2] {
        let count = until("the job saves", || {
            let count = database.documents.count("wf_TimeSeries", &doc! {}).ok()?;
            (count > saved / part).then_some(count)
        });
        let pid = mongod(&mongod_folder).unwrap().to_string();
        assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
        kills.push(count);
    }
    drop(database);
    let counts = end(child);
    println!("{saved} to save, mongod killed at {kills:?}");
    assert!(kills.iter().all(|count| *count < saved), "too late: {kills:?} of {saved}");
    let restarts = std::fs::read_to_string(mongod_folder.join("restarts")).unwrap();
    assert_eq!(restarts.lines().count(), 2, "{restarts}");
    for key in ["in", "live", "dead", "aborted", "saved", "samples_in"] {
        assert_eq!(counts[key], due[key], "{key}");
    }
    let server = MongodServer::start(&mongod_folder, &MongodOptions::default()).unwrap();
    let name = server.uri("mspass").parse().unwrap();
    let killed = Database::open(&name).unwrap();
    let whole = Database::open(&DatabaseName::Embedded(whole.join("db"))).unwrap();
    let found = diff(&whole, &killed, &DiffOptions::default()).unwrap();
    assert!(found.is_equal(), "{found}");
    assert_eq!(
        killed.blobs.ids().unwrap(),
        whole.blobs.ids().unwrap(),
        "no samples without a name"
    );
}
