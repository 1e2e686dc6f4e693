//! Hosts with addresses of their own on this machine: network namespaces joined in pairs, so that
//! the wire between any two can be cut while all others hold.
//!
//! It needs root and iproute2, which it installs where it is missing.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Hosts at most: each has a wire to every other.
const HOSTS_MAX: u8 = 16;
/// A hardware address that nobody has: what is sent to it arrives nowhere, and no one is told.
const NOBODY: &str = "02:00:00:00:00:fe";

/// Sets of hosts that this process has made.
static SETS: AtomicU32 = AtomicU32::new(0);

/// A few hosts; they are gone when this is dropped, with everything that still runs on them.
#[derive(Debug)]
pub(crate) struct Hosts {
    name: String,
    /// Third byte of their addresses.
    net: u8,
    count: u8,
}

impl Hosts {
    /// Makes `count` hosts, numbered from 1, with wires between all of them. `Err` says what the
    /// system refuses.
    pub(crate) fn new(count: u8) -> Result<Self, String> {
        if !(1..=HOSTS_MAX).contains(&count) {
            return Err(format!("{count} hosts: one to {HOSTS_MAX} can be made"));
        }
        install_tools()?;
        let process = std::process::id();
        let net = u8::try_from(process % 250).unwrap_or(0) + 1;
        let set = SETS.fetch_add(1, Ordering::Relaxed);
        let hosts = Self { name: format!("mspass-{process}-{set}"), net, count };
        for host in 1..=count {
            let own = format!("{}/32", hosts.address(host));
            ip(&["netns", "add", &hosts.host(host)])?;
            hosts.on(host, &["link", "set", "lo", "up"])?;
            hosts.on(host, &["address", "add", &own, "dev", "lo"])?;
        }
        for (a, b) in hosts.pairs() {
            let (at, peer) = (hosts.host(a), hosts.host(b));
            let (near, far) = (wire_to(b), wire_to(a));
            let ends = ["type", "veth", "peer", "name", &far, "netns", &peer];
            ip(&[&["link", "add", &near, "netns", &at], &ends[..]].concat())?;
            for (from, to) in [(a, b), (b, a)] {
                let (wire, own) = (wire_to(to), hosts.address(from).to_string());
                let route = format!("{}/32", hosts.address(to));
                hosts.on(from, &["link", "set", &wire, "up"])?;
                hosts.on(from, &["route", "add", &route, "dev", &wire, "src", &own])?;
            }
        }
        Ok(hosts)
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
    pub(crate) fn cut(&self, a: u8, b: u8) -> Result<(), String> {
        for (from, to) in [(a, b), (b, a)] {
            let (to, wire) = (self.address(to).to_string(), wire_to(to));
            let nobody = ["lladdr", NOBODY, "dev", &wire, "nud", "permanent"];
            self.on(from, &[&["neighbour", "replace", &to], &nobody[..]].concat())?;
        }
        Ok(())
    }

    /// Joins a cut wire again.
    pub(crate) fn join(&self, a: u8, b: u8) -> Result<(), String> {
        for (from, to) in [(a, b), (b, a)] {
            let (to, wire) = (self.address(to).to_string(), wire_to(to));
            self.on(from, &["neighbour", "delete", &to, "dev", &wire])?;
        }
        Ok(())
    }

    /// What runs on a host.
    pub(crate) fn processes(&self, host: u8) -> Result<Vec<u32>, String> {
        let listed = ip(&["netns", "pids", &self.host(host)])?;
        Ok(listed.split_whitespace().filter_map(|process| process.parse().ok()).collect())
    }

    /// Ends whatever runs on any host.
    pub(crate) fn end_processes(&self) {
        for process in (1..=self.count).flat_map(|host| self.processes(host)).flatten() {
            let mut kill = Command::new("kill");
            let _ = kill.args(["-9", &process.to_string()]).stderr(Stdio::null()).status();
        }
    }

    fn host(&self, host: u8) -> String {
        format!("{}-{host}", self.name)
    }

    fn on(&self, host: u8, arguments: &[&str]) -> Result<(), String> {
        ip(&[&["-n", &self.host(host)], arguments].concat()).map(drop)
    }

    fn pairs(&self) -> Vec<(u8, u8)> {
        let all = |a| (a + 1..=self.count).map(move |b| (a, b));
        (1..=self.count).flat_map(all).collect()
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        self.end_processes();
        for host in 1..=self.count {
            let host = self.host(host);
            let _ = Command::new("ip").args(["netns", "delete", &host]).status();
        }
    }
}

fn wire_to(host: u8) -> String {
    format!("to{host}")
}

/// Runs `ip`; what it prints.
fn ip(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("ip").args(arguments).output();
    let output = output.map_err(|error| format!("cannot start ip: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(format!("ip {}: {}", arguments.join(" "), complaint.trim_end()))
}

/// Gets iproute2 where it is missing.
fn install_tools() -> Result<(), String> {
    let works = |program: &str, argument: &str| {
        let quiet = Command::new(program).arg(argument).stdout(Stdio::null()).status();
        quiet.is_ok_and(|status| status.success())
    };
    if works("ip", "-V") {
        return Ok(());
    }
    works("apt-get", "update");
    let install = Command::new("apt-get").args(["install", "-y", "iproute2"]).status();
    if install.is_ok_and(|status| status.success()) && works("ip", "-V") {
        return Ok(());
    }
    Err("hosts on this machine need root and iproute2: install it".into())
}
