//! The cluster over hosts with addresses of their own, and with a wire cut.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and wait")]

mod hosts;
mod program;
#[path = "../benches/raw_archive/mod.rs"]
mod raw_archive;
#[path = "../benches/signal/mod.rs"]
mod signal;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hosts::Hosts;
use program::{assert_equal, built, embedded};
use serde_json::Value;

/// Files of the archive: some seconds of work.
const STATIONS: usize = 48;
/// When the wire is cut: the work has begun.
const CUT_AFTER: Duration = Duration::from_millis(800);

/// A process of the cluster, on one of the hosts.
struct Part(Child);

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn part(hosts: &Hosts, host: u8, role: &str, workdir: &Path) -> Part {
    let mut command = hosts.command(host, &built("examples/cluster"));
    command.args(["--role", role, "--bind", &hosts.address(host).to_string()]);
    command.arg("--workdir").arg(workdir).args(["--threads", "1"]);
    let log = std::fs::File::create(workdir.join(format!("{role}-{host}.log"))).unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    Part(command.spawn().unwrap())
}

fn last_line(output: &std::process::Output) -> Value {
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {err}", output.status);
    serde_json::from_str(out.lines().last().unwrap_or_default()).unwrap()
}

#[test]
fn a_wire_can_be_cut_and_joined() {
    let hosts = Hosts::new(3).unwrap();
    let reaches = |from: u8, to: u8| {
        let ping = "exec 3<>/dev/tcp/$0/9; read -t 1 -n 1 x <&3";
        let mut command = hosts.command(from, Path::new("timeout"));
        command.args(["1", "bash", "-c", ping]).arg(hosts.address(to).to_string());
        let output = command.output().unwrap();
        // Nobody listens: a host that is reached says so at once.
        String::from_utf8_lossy(&output.stderr).contains("refused")
    };
    assert!(reaches(1, 2) && reaches(2, 1) && reaches(3, 1));
    hosts.cut(1, 2).unwrap();
    assert!(!reaches(1, 2) && !reaches(2, 1) && reaches(3, 1) && reaches(2, 3));
    hosts.join(1, 2).unwrap();
    assert!(reaches(1, 2) && reaches(2, 1));
}

#[test]
fn four_hosts_give_the_result_of_one_though_a_wire_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, alone) = (folder.path().join("archive"), folder.path().join("alone"));
    let workdir = folder.path().join("cluster");
    raw_archive::write(&archive, STATIONS, 7).unwrap();
    std::fs::create_dir(&workdir).unwrap();
    let mut desktop = Command::new(built("examples/desktop"));
    desktop.arg("--archive").arg(&archive).arg("--workdir").arg(&alone).arg("--json");
    let expected = last_line(&desktop.output().unwrap());

    let hosts = Hosts::new(4).unwrap();
    let _parts = [(1, "scheduler"), (2, "db"), (3, "worker"), (4, "worker")]
        .map(|(host, role)| part(&hosts, host, role, &workdir));
    let mut driver = hosts.command(1, &built("examples/cluster"));
    driver.args(["--role", "frontend", "--json"]).arg("--archive").arg(&archive);
    driver.arg("--workdir").arg(&workdir).stdin(Stdio::null());
    let driver = driver.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Scheduler and worker lose each other while the job runs; the worker is silent, not gone.
    std::thread::sleep(CUT_AFTER);
    hosts.cut(1, 3).unwrap();
    let counts = last_line(&driver.wait_with_output().unwrap());
    for key in ["in", "live", "dead", "aborted", "saved", "samples_in"] {
        assert_eq!(counts[key], expected[key], "{key}");
    }
    drop(_parts);
    assert_equal(&embedded(&alone), &embedded(&workdir));
}
