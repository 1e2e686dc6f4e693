//! Hosts with addresses of their own on this machine: network namespaces joined in pairs, so that
//! the wire between any two can be cut while all others hold.
//!
//! It needs root and iproute2, which it installs where it is missing.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::{Command, Stdio};

/// Hosts at most: each has a wire to every other.
const HOSTS_MAX: u8 = 16;
/// A hardware address that nobody has: what is sent to it arrives nowhere, and no one is told.
const NOBODY: &str = "02:00:00:00:00:fe";

/// A few hosts; they are gone when this is dropped, with everything that still runs on them.
#[derive(Debug)]
pub(crate) struct Hosts {
    name: String,
    /// Third byte of their addresses.
    net: u8,
    count: u8,
}

impl Hosts {
    /// Makes `count` hosts, numbered from 1, with wires between all of them.
    pub(crate) fn new(count: u8) -> Self {
        assert!((1..=HOSTS_MAX).contains(&count), "{count} hosts, at most {HOSTS_MAX}");
        install_tools();
        let process = std::process::id();
        let net = u8::try_from(process % 250).unwrap_or(0) + 1;
        let hosts = Self { name: format!("mspass-{process}"), net, count };
        for host in 1..=count {
            ip(&["netns", "add", &hosts.host(host)]);
            hosts.on(host, &["link", "set", "lo", "up"]);
            hosts
                .on(host, &["address", "add", &format!("{}/32", hosts.address(host)), "dev", "lo"]);
        }
        for (a, b) in hosts.pairs() {
            let (at, peer) = (hosts.host(a), hosts.host(b));
            let (near, far) = (wire_to(b), wire_to(a));
            let ends = ["type", "veth", "peer", "name", &far, "netns", &peer];
            ip(&[&["link", "add", &near, "netns", &at], &ends[..]].concat());
            for (from, to) in [(a, b), (b, a)] {
                let (wire, own) = (wire_to(to), hosts.address(from).to_string());
                let route = format!("{}/32", hosts.address(to));
                hosts.on(from, &["link", "set", &wire, "up"]);
                hosts.on(from, &["route", "add", &route, "dev", &wire, "src", &own]);
            }
        }
        hosts
    }

    /// The address of a host.
    pub(crate) fn address(&self, host: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 77, self.net, host))
    }

    /// A command that will run on a host: one process, the same that `kill` reaches.
    pub(crate) fn command(&self, host: u8, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.host(host)]).arg(program);
        command
    }

    /// Cuts the wire between two hosts: silence, no error.
    pub(crate) fn cut(&self, a: u8, b: u8) {
        for (from, to) in [(a, b), (b, a)] {
            let (to, wire) = (self.address(to).to_string(), wire_to(to));
            let nobody = ["lladdr", NOBODY, "dev", &wire, "nud", "permanent"];
            self.on(from, &[&["neighbour", "replace", &to], &nobody[..]].concat());
        }
    }

    /// Joins a cut wire again.
    pub(crate) fn join(&self, a: u8, b: u8) {
        for (from, to) in [(a, b), (b, a)] {
            let (to, wire) = (self.address(to).to_string(), wire_to(to));
            self.on(from, &["neighbour", "delete", &to, "dev", &wire]);
        }
    }

    fn host(&self, host: u8) -> String {
        format!("{}-{host}", self.name)
    }

    fn on(&self, host: u8, arguments: &[&str]) {
        ip(&[&["-n", &self.host(host)], arguments].concat());
    }

    fn pairs(&self) -> Vec<(u8, u8)> {
        let all = |a| (a + 1..=self.count).map(move |b| (a, b));
        (1..=self.count).flat_map(all).collect()
    }

    /// Ends whatever runs on a host.
    fn end_processes(&self, host: u8) {
        let listed = Command::new("ip").args(["netns", "pids", &self.host(host)]).output();
        let listed = listed.map(|output| output.stdout).unwrap_or_default();
        for process in String::from_utf8_lossy(&listed).split_whitespace() {
            let _ = Command::new("kill").args(["-9", process]).stderr(Stdio::null()).status();
        }
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for host in 1..=self.count {
            self.end_processes(host);
            let host = self.host(host);
            let _ = Command::new("ip").args(["netns", "delete", &host]).status();
        }
    }
}

fn wire_to(host: u8) -> String {
    format!("to{host}")
}

#[track_caller]
fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().expect("iproute2 is there");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {}: {complaint}", arguments.join(" "));
}

/// Gets iproute2 where it is missing.
fn install_tools() {
    let works = |program: &str, argument: &str| {
        let quiet = Command::new(program).arg(argument).stdout(Stdio::null()).status();
        quiet.is_ok_and(|status| status.success())
    };
    if works("ip", "-V") {
        return;
    }
    works("apt-get", "update");
    let install = Command::new("apt-get").args(["install", "-y", "iproute2"]).status();
    let installed = install.is_ok_and(|status| status.success());
    assert!(installed && works("ip", "-V"), "these tests need root and iproute2: install it");
}
