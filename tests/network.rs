//! The cluster over hosts with addresses of their own.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and wait")]

mod hosts;

use hosts::Hosts;

#[test]
fn a_wire_can_be_cut_and_joined() {
    let hosts = Hosts::new(3);
    let reaches = |from: u8, to: u8| {
        let ping = "exec 3<>/dev/tcp/$0/9; read -t 1 -n 1 x <&3";
        let mut command = hosts.command(from, std::path::Path::new("timeout"));
        command.args(["1", "bash", "-c", ping]).arg(hosts.address(to).to_string());
        let output = command.output().unwrap();
        // Nobody listens: a host that is reached says so at once.
        String::from_utf8_lossy(&output.stderr).contains("refused")
    };
    assert!(reaches(1, 2) && reaches(2, 1) && reaches(3, 1));
    hosts.cut(1, 2);
    assert!(!reaches(1, 2) && !reaches(2, 1) && reaches(3, 1) && reaches(2, 3));
    hosts.join(1, 2);
    assert!(reaches(1, 2) && reaches(2, 1));
}
