//! The desktop example as a person runs it: the real program, real files, a real mongod.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and wait")]

mod program;

use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use mspass::io::store::mongo::{MongodOptions, MongodServer};
use mspass::{Database, Find};
use program::{assert_equal, built, embedded, refused, text};
use serde_json::Value;

/// Pieces in the sample: three channels, each cut at 06:00 and 07:00.
const SAMPLE_PIECES: u64 = 9;

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/sds")
}

fn desktop(workdir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(built("examples/desktop"));
    command.arg("--workdir").arg(workdir).arg("--json").args(arguments);
    command.stdin(Stdio::null()).output().unwrap()
}

/// The JSON object that a run that must succeed ends with.
fn counts(workdir: &Path, arguments: &[&str]) -> Value {
    let output = desktop(workdir, arguments);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{}: {err}", output.status);
    let last = out.lines().last().unwrap_or_default();
    let counts: Value = serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {out}"));
    let count = |key: &str| counts[key].as_u64().unwrap_or_else(|| panic!("no {key} in {last}"));
    assert_eq!(count("in"), count("live") + count("dead") + count("aborted"));
    for key in ["saved", "samples_in", "bytes_read", "peak_rss_bytes"] {
        count(key);
    }
    assert!(counts["seconds"].as_f64().unwrap() > 0.0);
    counts
}

#[test]
fn the_sample_is_processed_and_a_second_run_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let output = desktop(folder.path(), &[]);
    let out = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(out.contains("slowest") && out.contains("desktop.html"), "{out}");
    let page = std::fs::read_to_string(folder.path().join("desktop.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("YA.UV05.00.HHZ"));
    assert!(!page.contains("<script"));

    let again = counts(folder.path(), &[]);
    assert_eq!(again["in"], SAMPLE_PIECES);
    assert_eq!(again["resumed"], SAMPLE_PIECES);
    let output = desktop(folder.path(), &[]);
    assert!(text(&output.stdout).contains("finished before"), "{}", text(&output.stdout));
}

#[test]
fn damaged_files_are_named_and_the_job_finishes() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("archive");
    std::fs::create_dir(&archive).unwrap();
    let good = sample().join("2010/YA/UV05/HHZ.D/YA.UV05.00.HHZ.D.2010.244");
    let bytes = std::fs::read(good).unwrap();
    std::fs::write(archive.join("good.mseed"), &bytes).unwrap();
    std::fs::write(archive.join("truncated.mseed"), &bytes[..300_001]).unwrap();
    std::fs::write(archive.join("empty.mseed"), b"").unwrap();
    std::fs::write(archive.join("notes.txt"), b"remember to buy batteries\n").unwrap();
    let noise: Vec<u8> =
        (0..100_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    std::fs::write(archive.join("noise.bin"), noise).unwrap();
    std::fs::write(archive.join("secret.mseed"), &bytes).unwrap();
    let forbidden = std::fs::Permissions::from_mode(0o000);
    std::fs::set_permissions(archive.join("secret.mseed"), forbidden).unwrap();
    std::os::unix::fs::symlink("/nowhere", archive.join("gone.mseed")).unwrap();
    let workdir = folder.path().join("work");
    std::fs::DirBuilder::new().mode(0o777).create(&workdir).unwrap();
    for path in [folder.path(), &workdir, &archive] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    // A user without rights: root could read anything.
    let copy = folder.path().join("desktop");
    std::fs::copy(built("examples/desktop"), &copy).unwrap();
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(&copy);
    command.arg("--archive").arg(&archive).arg("--workdir").arg(&workdir).arg("--json");
    if may_become_nobody() {
        use std::os::unix::process::CommandExt;
        command.uid(65534).gid(65534);
    }
    let output = command.current_dir(&workdir).stdin(Stdio::null()).output().unwrap();
    let out = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let counts: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert_eq!(counts["aborted"], 5, "{out}");
    assert_eq!(counts["in"], 5 + 3 + 2, "{out}");
    for name in ["truncated", "empty", "notes.txt", "noise.bin", "secret", "gone"] {
        assert!(out.contains(name), "{name} is not named: {out}");
    }
    assert!(out.contains("Permission denied"), "{out}");
}

/// Whether this process may change its user: true for root.
fn may_become_nobody() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0"))
}

#[test]
fn bad_input_is_one_sentence_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path().join("work");
    refused(&desktop(&work, &["--archive", "/no/such/archive"]), &["/no/such/archive", "archive"]);
    assert!(!work.exists());
    let file = folder.path().join("file");
    std::fs::write(&file, b"in the way").unwrap();
    refused(&desktop(&file, &[]), &["file", "--workdir"]);
    refused(&desktop(&work, &["--db", "mongodb://127.0.0.1:9/x"]), &["127.0.0.1:9"]);
    refused(&desktop(&work, &["--db", "oracle"]), &["oracle", "mongodb://"]);
    refused(&desktop(&work, &["--freqmin", "9"]), &["bandpass", "freqm"]);
    refused(&desktop(&work, &["--piece-seconds", "0"]), &["piece_seconds"]);
}

#[test]
fn another_job_of_the_same_name_is_refused_unless_fresh() {
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path();
    counts(work, &[]);
    // Something of another's in the same database.
    let database = embedded(work);
    let foreign = bson::doc! { "_id": "mine", "npts": 3 };
    database.documents.upsert("wf_TimeSeries", &[foreign]).unwrap();
    drop(database);
    refused(&desktop(work, &["--freqmax", "6"]), &["bandpass", "8.0", "6.0", "--fresh"]);
    let fresh = counts(work, &["--freqmax", "6", "--fresh"]);
    assert_eq!((&fresh["in"], &fresh["resumed"]), (&SAMPLE_PIECES.into(), &0.into()));
    let database = embedded(work);
    assert_eq!(
        database.documents.count("wf_TimeSeries", &bson::doc! {}).unwrap(),
        SAMPLE_PIECES + 1
    );
    assert_eq!(database.blobs.ids().unwrap().len() as u64, SAMPLE_PIECES);
    let other = folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    drop(database);
    let other = other.display().to_string();
    refused(&desktop(work, &["--archive", &other]), &["root", "archive name"]);
}

#[test]
fn a_store_in_use_is_refused_naming_its_holder() {
    let folder = tempfile::tempdir().unwrap();
    let held = embedded(folder.path());
    let pid = std::process::id().to_string();
    refused(&desktop(folder.path(), &[]), &["in use", &pid]);
    drop(held);
}

#[test]
fn stores_and_threads_give_equal_results() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    counts(&path("one"), &["--workers", "1"]);
    counts(&path("three"), &["--workers", "3"]);
    let mongo = counts(&path("mongo"), &["--db", "mongod"]);
    assert_eq!(mongo["saved"], SAMPLE_PIECES);
    let one = embedded(&path("one"));
    assert_equal(&one, &embedded(&path("three")));
    let server =
        MongodServer::start(&path("mongo").join("mongod"), &MongodOptions::default()).unwrap();
    let mongo = Database::open(&server.uri("mspass").parse().unwrap()).unwrap();
    assert_eq!(mongo.documents.find("wf_TimeSeries", &Find::default()).unwrap().count(), 9);
    assert_equal(&one, &mongo);
}

#[test]
fn an_interrupt_stops_in_good_order_and_the_job_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (undisturbed, work) = (folder.path().join("whole"), folder.path().join("work"));
    counts(&undisturbed, &["--piece-seconds", "60"]);
    let mut child = Command::new(built("examples/desktop"));
    child.arg("--workdir").arg(&work).args(["--piece-seconds", "60", "--quiet"]);
    let mut child = child.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(40));
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupted.unwrap().success());
    let code = child.wait().unwrap().code();
    // It may have been too quick, or not yet listening.
    assert!(matches!(code, Some(130 | 0) | None), "{code:?}");
    counts(&work, &["--piece-seconds", "60"]);
    assert_equal(&embedded(&undisturbed), &embedded(&work));
}

#[test]
fn a_job_whose_time_is_up_stops_with_75_and_goes_on_when_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let (undisturbed, work) = (folder.path().join("whole"), folder.path().join("work"));
    let pieces = ["--piece-seconds", "60"];
    let due = counts(&undisturbed, &pieces);
    let last = |output: &Output| {
        let out = text(&output.stdout);
        serde_json::from_str::<Value>(out.lines().last().unwrap_or_default()).unwrap()
    };
    // Before anything is indexed; then, as its tasks run, a few of them at a time.
    let stopped = desktop(&work, &["--piece-seconds", "60", "--until", "2020-01-01T00:00:00Z"]);
    assert_eq!(stopped.status.code(), Some(75), "{}", text(&stopped.stderr));
    assert!(text(&stopped.stdout).contains("the same command goes on"));
    assert_eq!(last(&stopped)["state"], "interrupted");
    for _ in 0..3 {
        let output = desktop(&work, &["--piece-seconds", "60", "--until", "0.05s"]);
        assert!(matches!(output.status.code(), Some(0 | 75)), "{}", text(&output.stderr));
    }
    let then = counts(&work, &pieces);
    assert_eq!((&then["in"], &then["live"]), (&due["in"], &due["live"]));
    assert_equal(&embedded(&undisturbed), &embedded(&work));
    // Finished, with nothing left to stop, though its time is up.
    let again = desktop(&work, &["--piece-seconds", "60", "--until", "0s"]);
    assert!(matches!(again.status.code(), Some(0 | 75)), "{}", text(&again.stderr));
    assert_equal(&embedded(&undisturbed), &embedded(&work));
    let fresh = folder.path().join("fresh");
    refused(&desktop(&fresh, &["--until", "soon"]), &["--until soon", "90m"]);
    assert!(!fresh.exists());
}

#[test]
fn a_job_stops_before_slurm_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let soon = std::time::SystemTime::now() + Duration::from_secs(30);
    let soon = soon.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let mut command = Command::new(built("examples/desktop"));
    command.arg("--workdir").arg(folder.path()).env("SLURM_JOB_END_TIME", soon.to_string());
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(75), "{}", text(&output.stderr));
    counts(folder.path(), &[]);
}

#[test]
fn a_saved_waveform_is_explained_and_made_again() {
    let folder = tempfile::tempdir().unwrap();
    counts(folder.path(), &[]);
    let store = embedded(folder.path());
    let saved = store.documents.find("wf_TimeSeries", &Find::default().limit(1)).unwrap().next();
    let id = saved.unwrap().unwrap().get_object_id("_id").unwrap().to_hex();
    drop(store);
    let db = format!("embedded:{}/db", folder.path().display());
    let mspass = |arguments: &[&str]| {
        Command::new(built("mspass")).args(arguments).args(["--db", &db]).output().unwrap()
    };
    let told = text(&mspass(&["history", &id]).stdout);
    for words in [
        "job 'desktop', saved by its step save, program desktop, build ",
        "\n  3. bandpass {\"",
        "\n  output ",
        "\n    wf_miniseed ",
        "\n      file /",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    refused(&mspass(&["history", &"9".repeat(24)]), &["no waveform has the _id 999"]);
    refused(&mspass(&["history", "nine"]), &["24 hexadecimal digits"]);
    let words = ["'desktop'", &id, "does not know", "--replay"];
    refused(&mspass(&["replay", &id]), &words);

    let replayed = desktop(folder.path(), &["--replay", &id]);
    assert!(replayed.status.success(), "{}", text(&replayed.stderr));
    let told: Value = serde_json::from_slice(&replayed.stdout).unwrap();
    assert_eq!(told["equal"], true, "{told}");
    let other = desktop(folder.path(), &["--replay", &id, "--freqmax", "6"]);
    refused(&other, &["job 'desktop' was run with other steps", "8.0", "6.0"]);
    let nowhere = desktop(&folder.path().join("nowhere"), &["--replay", &id]);
    assert_eq!(nowhere.status.code(), Some(2), "{}", text(&nowhere.stderr));
    assert!(!folder.path().join("nowhere").exists());
}

/// Where a file system is mounted until this is dropped.
struct Mounted<'p>(&'p Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn a_full_disk_ends_the_job_in_one_sentence_and_with_room_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let disk = tempfile::tempdir().unwrap();
    let mount = |options: &str| {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(disk.path());
        mount.status().is_ok_and(|status| status.success())
    };
    if !mount("size=12m") {
        println!("SKIPPED: no file system can be mounted here");
        return;
    }
    let _mounted = Mounted(disk.path());
    let (whole, work) = (folder.path().join("whole"), disk.path().join("work"));
    let due = counts(&whole, &["--piece-seconds", "5"]);
    let full = desktop(&work, &["--piece-seconds", "5"]);
    assert!(mount("remount,size=64m"));
    let then = counts(&work, &["--piece-seconds", "5"]);
    assert_equal(&embedded(&whole), &embedded(&work));
    let sentence = text(&full.stderr);
    assert_eq!((full.status.code(), sentence.trim().lines().count()), (Some(2), 1), "{sentence}");
    let words = ["No space left", "blobs.dat", "make room", "the same command goes on"];
    assert!(words.iter().all(|word| sentence.contains(word)), "{sentence}");
    assert_eq!((&then["in"], &then["live"]), (&due["in"], &due["live"]));
}
