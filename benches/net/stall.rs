//! What the sender's memory does when the receiver stalls.

use std::process::Command;
use std::time::{Duration, Instant};

use mspass_actors::wire::Blob;

use crate::ends::{Link, Result};
use crate::messages::{Burden, FIRST, Load, MIB, Question};

/// How a receiver stalls.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stall {
    /// Its actor gets done with nothing.
    Actor,
    /// Its process stands still.
    Process,
}

/// This process's memory.
pub(crate) fn resident_bytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    Ok(kilobytes.ok_or("/proc/self/status does not tell the resident memory")?.parse::<u64>()?
        << 10)
}

fn signal(process: u32, name: &str) -> Result<()> {
    let status = Command::new("kill").args([&format!("-{name}"), &process.to_string()]).status()?;
    if status.success() { Ok(()) } else { Err(format!("kill -{name} failed").into()) }
}

/// Sends small messages and mebibytes, as many as the link takes, to a receiver that has stalled;
/// the most bytes of memory that the sender had. The link is of no use afterwards.
pub(crate) fn most_bytes(link: &Link, stall: Stall, time: Duration) -> Result<u64> {
    let (burdens, loads) = (link.mailbox::<Burden>()?, link.mailbox::<Load>()?);
    if let Stall::Process = stall {
        signal(link.server(), "STOP")?;
    }
    link.runtime
        .waiter()
        .spawn(async move { while burdens.tell(Burden(Question::new(FIRST))).await.is_ok() {} });
    link.runtime
        .waiter()
        .spawn(async move { while loads.tell(Load(Blob::from(vec![7; MIB]))).await.is_ok() {} });
    let (begun, mut most) = (Instant::now(), resident_bytes()?);
    while begun.elapsed() < time {
        most = most.max(resident_bytes()?);
        std::thread::sleep(Duration::from_millis(10));
    }
    if let Stall::Process = stall {
        signal(link.server(), "CONT")?;
    }
    Ok(most)
}
