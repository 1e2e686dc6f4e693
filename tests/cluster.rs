//! Clusters as a person starts and asks them: the real programs.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and wait")]

mod program;

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use program::{built, until};
use serde_json::Value;

fn mspass(arguments: &[&str]) -> Output {
    Command::new(built("mspass")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A cluster that stays up until it is told to end.
struct Up(Child);

impl Up {
    fn start(workdir: &Path) -> Self {
        let mut command = Command::new(built("mspass"));
        command.args(["cluster", "local", "--workers", "2", "--workdir"]).arg(workdir);
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.0.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn pids(workdir: &Path) -> Vec<(String, u32)> {
    let lines = std::fs::read_to_string(workdir.join("pids")).unwrap_or_default();
    let pid = |line: &str| {
        let (role, pid) = line.split_once(' ').unwrap();
        (role.to_owned(), pid.parse().unwrap())
    };
    lines.lines().map(pid).collect()
}

fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

#[test]
fn a_cluster_stays_up_is_asked_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let workdir = folder.path().join("cluster");
    let place = workdir.to_str().unwrap();
    let mut up = Up::start(&workdir);
    let status: Value = until(|| {
        let output = mspass(&["status", "--workdir", place, "--json"]);
        let status = serde_json::from_slice::<Value>(&output.stdout);
        let status = status.map_err(|_| text(&output.stderr))?;
        let roles = status["nodes"].to_string();
        let all = ["worker", "db"].iter().all(|role| roles.contains(role));
        if all { Ok(status) } else { Err(roles) }
    });
    assert!(status["job"].is_null());
    assert!(status["mailboxes"].to_string().contains("mspass.scheduler.submit"));
    let shown = mspass(&["status", "--workdir", place]);
    assert!(text(&shown.stdout).contains("no job yet"), "{}", text(&shown.stdout));

    let letters = mspass(&["cluster", "dead-letters", "--workdir", place]);
    assert_eq!(letters.status.code(), Some(1));
    assert!(text(&letters.stderr).contains("no job runs in"), "{}", text(&letters.stderr));

    // The db process holds the store; the command goes through its proxy.
    let database = format!("embedded:{place}/db");
    let counted = mspass(&["find", "wf_TimeSeries", "--db", &database, "--count"]);
    assert_eq!(text(&counted.stdout).trim(), "0", "{}", text(&counted.stderr));

    let started = pids(&workdir);
    let of = |role: &str| started.iter().filter(|(known, _)| known == role).count();
    assert_eq!((of("scheduler"), of("db"), of("worker")), (1, 1, 4), "{started:?}");
    up.signal("-INT");
    let ended = until(|| up.0.try_wait().unwrap().ok_or_else(|| "it runs on".to_owned()));
    assert_eq!(ended.code(), Some(0));
    assert!(!started.iter().any(|(_, pid)| runs(*pid)), "{started:?}");
}

#[test]
fn nothing_outlives_a_killed_launcher() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path());
    let started = until(|| {
        let started = pids(folder.path());
        if started.len() >= 6 { Ok(started) } else { Err(format!("{started:?}")) }
    });
    drop(up);
    until(|| {
        let left: Vec<_> = started.iter().filter(|(_, pid)| runs(*pid)).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?} run on")) }
    });
}

#[test]
fn bad_input_is_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    let refused = |arguments: &[&str], words: &str| {
        let output = mspass(arguments);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(words) && told.trim().lines().count() == 1, "{told}");
    };
    refused(&["cluster", "node", "--workdir", place, "--role", "cook"], "cook: write scheduler");
    refused(&["cluster", "node", "--workdir", place], "name one with --role");
    refused(&["status", "--workdir", place], "no cluster was ever started");
    refused(&["status", "--workdir", "/nowhere/at/all"], "/nowhere/at/all");
    let letters = ["cluster", "dead-letters", "--workdir", place, "--requeue", "not-a-key"];
    refused(&letters, "--requeue not-a-key: not the key of a task");
    let far = ["cluster", "node", "--workdir", place, "--role", "worker", "--threads", "0"];
    refused(&far, "--threads");
}

/// What a program of a cluster says and its exit code, with a job over the sample.
fn driven(workdir: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(built("examples/cluster"));
    command.arg("--workdir").arg(workdir).args(["--piece-seconds", "60", "--json"]).args(arguments);
    let output = command.stdin(Stdio::null()).output().unwrap();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn a_job_whose_time_is_up_goes_on_in_the_next_cluster_and_in_one_that_stays_up() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let (whole, next, standing) = (place("whole"), place("next"), place("standing"));
    let (code, told) = driven(&whole, &["--workers", "2"]);
    assert_eq!(code, Some(0), "{told}");

    let (code, told) = driven(&next, &["--workers", "2", "--until", "2020-01-01T00:00:00Z"]);
    assert!(code == Some(75) && told.contains("\"state\":\"interrupted\""), "{told}");
    let (code, told) = driven(&next, &["--workers", "2"]);
    assert_eq!(code, Some(0), "{told}");

    let mut command = Command::new(built("examples/cluster"));
    command.args(["--role", "scheduler,db,worker", "--workdir"]).arg(&standing);
    let up = Up(command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let frontend = ["--role", "frontend"];
    let (code, told) = driven(&standing, &[&frontend[..], &["--until", "0s"]].concat());
    assert_eq!(code, Some(75), "{told}");
    // Drained in the middle, or at its end where the machine is quick.
    let (code, told) = driven(&standing, &[&frontend[..], &["--until", "1s"]].concat());
    assert!(code == Some(75) || code == Some(0), "{told}");
    let (code, told) = driven(&standing, &frontend);
    assert_eq!(code, Some(0), "{told}");
    // Submitted once more, it is over already: everything is taken over, nothing done again.
    let (code, told) = driven(&standing, &frontend);
    assert_eq!(code, Some(0), "{told}");
    let counts: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    assert!(counts["in"].as_u64() > Some(0) && counts["resumed"] == counts["in"], "{told}");
    let name = |workdir: &Path| format!("embedded:{}/db", workdir.display());
    for other in [&next, &standing] {
        let compared = mspass(&["diff", &name(&whole), &name(other)]);
        assert_eq!(compared.status.code(), Some(0), "{}", text(&compared.stdout));
    }
    // One of another name, and the first again: each finds its journal free.
    for job in ["other", "desktop"] {
        let (code, told) = driven(&standing, &[&frontend[..], &["--job", job]].concat());
        assert_eq!(code, Some(0), "{told}");
    }
    up.signal("-INT");
    drop(up);
}
