//! The memory that a child may take, held by whatever this system lets us use.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mspass_actors::worker::memory::resident_bytes;
use rustix::process::{Pid, Resource, Rlimit, prlimit};

/// How often the memory of a child is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// Beginning of the names of our control groups.
const GROUP: &str = "mspass-";

/// The memory that a child may take.
///
/// Where our own control group (version 2, else 1) lets us make another beneath it, the kernel
/// holds the child to it and ends it when it takes more. Elsewhere the child may map at most twice
/// as much (`RLIMIT_DATA`), so that one absurd allocation fails at once. In both cases its resident
/// memory is looked at ten times a second, and a child over its limit is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimit {
    /// Bytes.
    pub bytes: u64,
}

/// Who holds a child to its limit, beside the one who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Holder {
    /// A control group of its own.
    ControlGroup,
    /// A limit on what it maps.
    ResourceLimit,
    /// Nobody.
    Nobody,
}

/// A limit in force; with it goes the control group.
#[derive(Debug)]
pub(super) struct Hold {
    bytes: u64,
    group: Option<PathBuf>,
    holder: Holder,
    look_at: Option<Instant>,
}

impl MemoryLimit {
    /// Puts the limit on a process.
    pub(super) fn hold(self, pid: u32) -> Hold {
        let Self { bytes } = self;
        let cgroups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let group = own_groups(&cgroups, Path::new("/sys/fs/cgroup"))
            .into_iter()
            .find_map(|(own, file)| put_into_group(&own, file, bytes, pid));
        let holder = if group.is_some() {
            Holder::ControlGroup
        } else {
            let twice = bytes.saturating_mul(2);
            let limit = Rlimit { current: Some(twice), maximum: Some(twice) };
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
            let limited = pid.map(|pid| prlimit(Some(pid), Resource::Data, limit));
            if matches!(limited, Some(Ok(_))) { Holder::ResourceLimit } else { Holder::Nobody }
        };
        Hold { bytes, group, holder, look_at: None }
    }
}

/// Our own groups that may account memory, with the name of the file of the limit.
fn own_groups(cgroups: &str, root: &Path) -> Vec<(PathBuf, &'static str)> {
    let mut groups = Vec::new();
    for line in cgroups.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let path = path.trim_start_matches('/');
        if controllers.is_empty() && root.join("cgroup.controllers").exists() {
            groups.push((root.join(path), "memory.max"));
        } else if controllers.split(',').any(|name| name == "memory") {
            groups.push((root.join("memory").join(path), "memory.limit_in_bytes"));
        }
    }
    groups
}

fn put_into_group(own: &Path, file: &str, bytes: u64, pid: u32) -> Option<PathBuf> {
    // Groups of parents that were killed: those that still hold a process stay.
    for entry in fs::read_dir(own).ok()?.flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(GROUP)) {
            let _ = fs::remove_dir(entry.path());
        }
    }
    let group = own.join(format!("{GROUP}{pid}"));
    fs::create_dir(&group).ok()?;
    let limited = fs::write(group.join(file), bytes.to_string())
        .and_then(|()| fs::write(group.join("cgroup.procs"), pid.to_string()));
    if limited.is_err() {
        let _ = fs::remove_dir(&group);
        return None;
    }
    Some(group)
}

impl Hold {
    /// Who holds.
    pub(super) fn holder(&self) -> Holder {
        self.holder
    }

    /// Why the process is to be killed, if it takes too much.
    pub(super) fn exceeded(&mut self, pid: u32, now: Instant) -> Option<String> {
        if self.look_at.is_some_and(|at| now < at) {
            return None;
        }
        self.look_at = Some(now + LOOK);
        let resident = resident_bytes(pid)?;
        (resident > self.bytes).then(|| {
            let (resident, limit) = (resident >> 20, self.bytes >> 20);
            format!("killed: it took {resident} MiB of memory, its limit is {limit} MiB")
        })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(group) = &self.group {
            // The kernel may need a moment to take the dead process out; what stays is removed when
            // the next limit is set.
            let _ = fs::remove_dir(group);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_groups_are_found_in_both_versions() {
        let root = tempfile::tempdir().unwrap();
        let text = "9:name=systemd:/\n4:cpu,memory:/a/b\n0::/user/c\nnonsense\n";
        let one = (root.path().join("memory/a/b"), "memory.limit_in_bytes");
        assert_eq!(own_groups(text, root.path()), std::slice::from_ref(&one));
        fs::write(root.path().join("cgroup.controllers"), "").unwrap();
        let two = (root.path().join("user/c"), "memory.max");
        assert_eq!(own_groups(text, root.path()), [one, two]);
    }

    #[test]
    fn what_cannot_be_written_holds_nobody() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(put_into_group(&root.path().join("none"), "memory.max", 1, 1), None);
    }
}
