//! Steps that misbehave: each datum that they do it to dies with its reason, and no other.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and wait")]

mod program;

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use bson::Document;
use mspass::actors::worker::slate;
use mspass::io::db::collection::{CEMETERY, HISTORY_OBJECT, WF_TIME_SERIES};
use mspass::io::db::diff::{DiffOptions, diff};
use mspass::{Database, Find};
use program::{built, counts_of, embedded, until};

const EXAMPLE: &str = "examples/misbehaving";
const STATIONS: u64 = 3;
/// All data of the sample, five minutes each.
const DATA: u64 = 45;
const SIGABRT: i32 = 6;

/// Why each datum lies in the cemetery: by its time of day, or by its station where it is a group.
fn reasons(database: &Database) -> BTreeMap<String, String> {
    let found = database.documents.find(CEMETERY, &Find::default()).unwrap();
    let dead = found.map(|document| {
        let document = document.unwrap();
        let tombstone = document.get_document("tombstone").unwrap();
        let name = tombstone.get_i64("starttime_ns").map_or_else(
            |_| tombstone.get_str("sta").unwrap().to_owned(),
            |nanos| {
                let minutes = nanos / 60_000_000_000;
                format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60)
            },
        );
        let log = document.get_array("logdata").unwrap();
        let entry: &Document = log[0].as_document().unwrap();
        let text = |key| entry.get_str(key).unwrap();
        (name, format!("{}: {}", text("algorithm"), text("error_message")))
    });
    dead.collect()
}

#[track_caller]
fn assert_reasons(database: &Database, expected: &[(&str, &[&str])]) {
    let found = reasons(database);
    let names: Vec<&str> = found.keys().map(String::as_str).collect();
    let wanted: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, wanted, "{found:?}");
    for ((name, reason), (_, any)) in found.iter().zip(expected) {
        assert!(any.iter().any(|text| reason.contains(text)), "{name}: {reason}");
    }
}

/// All data but those that died are as in a run in which nothing died.
#[track_caller]
fn assert_others_live(workdir: &Path, whole: &Database, dead: u64) {
    let options = DiffOptions::default().collections([WF_TIME_SERIES, HISTORY_OBJECT]);
    let found = diff(whole, &embedded(workdir), &options).unwrap();
    assert_eq!(found.collections.len(), 2);
    for one in &found.collections {
        assert_eq!((one.only_left, one.only_right, one.differing), (dead, 0, 0), "{found}");
    }
}

fn whole(folder: &Path) -> Database {
    let counts = counts_of(EXAMPLE, folder, &[]);
    assert_eq!(counts["live"], DATA);
    embedded(folder)
}

/// One start that tells nothing.
fn start(workdir: &Path, arguments: &[&str]) -> ExitStatus {
    let mut command = Command::new(built(EXAMPLE));
    command.arg("--workdir").arg(workdir).arg("--quiet").args(arguments);
    command.stdin(Stdio::null()).stderr(Stdio::null()).status().unwrap()
}

fn folders(folder: &Path) -> (PathBuf, PathBuf) {
    (folder.join("whole"), folder.join("work"))
}

const FAULTY: [&str; 4] = ["--error", "06:00", "--panic", "06:10"];
const ERROR: (&str, &[&str]) = ("06:00", &["misbehave: what begins at 2010-09-01T06:00"]);
const PANIC: (&str, &[&str]) = ("06:10", &["misbehave: panicked: what begins at 2010-09-01T06:10"]);

#[test]
fn over_processes_whatever_a_step_does_costs_its_datum() {
    let folder = tempfile::tempdir().unwrap();
    let (undisturbed, work) = folders(folder.path());
    let whole = whole(&undisturbed);
    let cluster = ["--processes", "--workers", "3", "--datum-timeout", "2"];
    let limit = ["--memory-limit", "400MB"];
    let fatal = ["--endless", "06:20", "--greedy", "06:30", "--abort", "06:40"];
    let counts = counts_of(EXAMPLE, &work, &[&cluster[..], &limit, &FAULTY, &fatal].concat());
    assert_eq!((&counts["live"], &counts["dead"]), (&(DATA - 5).into(), &5.into()));
    let broke = "poison: it broke the process of its worker (";
    let endless = format!("{broke}killed: compute thread ");
    // By us, by the kernel, or when it asked for more than it may map.
    let greedy = ["killed: it took", "signal 9", "signal 6"].map(|how| format!("{broke}{how}"));
    let greedy: Vec<&str> = greedy.iter().map(String::as_str).collect();
    let abort = format!("{broke}signal 6), 3 times");
    assert_reasons(
        &embedded(&work),
        &[ERROR, PANIC, ("06:20", &[&endless]), ("06:30", &greedy), ("06:40", &[&abort])],
    );
    assert_others_live(&work, &whole, 5);
}

#[test]
fn in_one_process_the_start_after_an_abort_buries_the_culprit_and_finishes_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let (undisturbed, work) = folders(folder.path());
    let whole = whole(&undisturbed);
    let arguments = [&FAULTY[..], &["--abort", "06:40", "--exit", "07:00"]].concat();
    assert_eq!(start(&work, &arguments).signal(), Some(SIGABRT));
    let counts = counts_of(EXAMPLE, &work, &arguments);
    assert_eq!((&counts["live"], &counts["dead"]), (&(DATA - 4).into(), &4.into()));
    let broke = |how| format!("poison: it broke the process of its worker ({how}), 3 times");
    let (abort, exit) = (broke("signal 6"), broke("exit code 1"));
    let fatal = [("06:40", &[&abort[..]][..]), ("07:00", &[&exit])];
    assert_reasons(&embedded(&work), &[ERROR, PANIC, fatal[0], fatal[1]]);
    assert_others_live(&work, &whole, 4);
    // Nothing is left to find out, and a start that begins anew knows nothing of it.
    assert_eq!(counts_of(EXAMPLE, &work, &arguments)["resumed"], DATA);
    assert_eq!(counts_of(EXAMPLE, &work, &["--fresh"])["live"], DATA);
    assert_others_live(&work, &whole, 0);
}

#[test]
fn a_group_that_breaks_its_process_is_buried_and_the_others_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let (one, many) = (folder.path().join("one"), folder.path().join("many"));
    let arguments = ["--group-aborts"];
    assert_eq!(start(&one, &arguments).signal(), Some(SIGABRT));
    let cluster = ["--group-aborts", "--processes", "--workers", "2"];
    let counts = [counts_of(EXAMPLE, &one, &arguments), counts_of(EXAMPLE, &many, &cluster)];
    for (workdir, counts) in [&one, &many].into_iter().zip(&counts) {
        assert_eq!((&counts["in"], &counts["dead"]), (&(DATA + STATIONS).into(), &1.into()));
        assert_eq!(counts["saved"], DATA / STATIONS * (STATIONS - 1));
        let abort: &[&str] = &["poison: it broke the process of its worker (signal 6), 3 times"];
        assert_reasons(&embedded(workdir), &[("UV06", abort)]);
    }
    program::assert_equal(&embedded(&one), &embedded(&many));
}

#[test]
fn who_guards_a_job_passes_signals_on_and_leaves_nobody_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (undisturbed, work) = folders(folder.path());
    let whole = whole(&undisturbed);
    let abort = ["--abort", "06:00"];
    assert_eq!(start(&work, &abort).signal(), Some(SIGABRT));
    // Whoever deletes the journals costs no more than what is done again.
    std::fs::remove_dir_all(work.join("jobs")).unwrap();
    let lock = work.join("jobs/misbehaving.journal");
    let is_free = || std::fs::File::open(&lock).is_ok_and(|file| file.try_lock().is_ok());
    let ends = [
        (&["-KILL"][..], false, None),
        (&["-INT", "-INT"], false, Some(130)),
        // The first comes to both; it is one all the same.
        (&["-TERM", "-TERM"], true, Some(143)),
    ];
    for (signals, to_both, expected) in ends {
        // Nobody was to blame when it was asked to end, so another culprit is needed.
        if to_both {
            assert_eq!(start(&work, &["--abort", "06:10"]).signal(), Some(SIGABRT));
        }
        // The culprit is found; then a datum takes for ever.
        let mut guard = Command::new(built(EXAMPLE));
        guard.arg("--workdir").arg(&work).args(abort).args(["--endless", "06:20", "--quiet"]);
        let mut guard = guard.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until(|| {
            let noted = slate::suspects(&work.join("work/misbehaving-1.slate"));
            let endless = noted.iter().any(|suspect| suspect.datum.contains("T06:20"));
            if endless && !is_free() { Ok(()) } else { Err(format!("{noted:?}")) }
        });
        // Another start is refused, and disturbs nobody.
        assert_eq!(start(&work, &abort).code(), Some(2));
        let pid = guard.id();
        let child = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        for (number, &signal) in signals.iter().enumerate() {
            assert!(guard.try_wait().unwrap().is_none());
            let mut kill = Command::new("kill");
            kill.args([signal, &pid.to_string()]);
            if to_both && number == 0 {
                kill.arg(child.trim());
            }
            assert!(kill.status().unwrap().success());
            std::thread::sleep(Duration::from_millis(200));
        }
        assert_eq!(guard.wait().unwrap().code(), expected);
        until(|| if is_free() { Ok(()) } else { Err("it is left behind".into()) });
    }
    let counts = counts_of(EXAMPLE, &work, &abort);
    assert_eq!(counts["dead"], 1);
    assert_reasons(&embedded(&work), &[("06:00", &["(signal 6), 3 times"])]);
    assert_others_live(&work, &whole, 1);
}

#[test]
fn who_is_killed_by_others_is_done_alone_and_lives() {
    program::goes_on_when_killed(EXAMPLE, &FAULTY, &[40, 50, 60, 70, 80, 90]);
}
