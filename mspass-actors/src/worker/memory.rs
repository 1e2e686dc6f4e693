//! How much memory a worker may take, how much it takes, and what follows.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// Percent of the budget above which a worker asks for nothing beyond what its threads work on.
pub const PREFETCH_PERCENT_MAX: u64 = 60;
/// Percent above which it gives back the leases that it has not started.
pub const UNSTARTED_PERCENT_MAX: u64 = 70;
/// Percent above which it starts a task only when no other runs.
pub const START_PERCENT_MAX: u64 = 80;
/// Percent above which it drains and is started anew.
pub const LIFE_PERCENT_MAX: u64 = 95;
/// How long it may go on so; then it is started anew as well, so that memory which the process
/// keeps without using it does not slow it down for good.
pub const PAUSE_MAX: Duration = Duration::from_secs(60);

/// A limit of this size or more is none: that is how version 1 of control groups says so.
const NO_LIMIT: u64 = 1 << 60;

/// Where a budget comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BudgetSource {
    /// An option named it.
    Option,
    /// The control group of this process.
    ControlGroup,
    /// The memory of the machine.
    Machine,
}

/// Memory that one worker process may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes.
    pub bytes: u64,
    /// Who says so.
    pub source: BudgetSource,
}

impl Budget {
    /// The budget of each of `processes` workers of this node: what the option says, else their
    /// share of the control group's limit, else of the machine's memory. An option beyond the
    /// share is cut down to it.
    pub fn find(option: Option<u64>, processes: usize) -> Self {
        let cgroups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let group = group_limit(&cgroups, Path::new("/sys/fs/cgroup"));
        let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
        Self::choose(option, group, machine, processes)
    }

    fn choose(
        option: Option<u64>,
        group: Option<u64>,
        machine: Option<u64>,
        processes: usize,
    ) -> Self {
        let machine = machine.unwrap_or(u64::MAX);
        let (whole, source) = match group {
            Some(limit) if limit <= machine => (limit, BudgetSource::ControlGroup),
            _ => (machine, BudgetSource::Machine),
        };
        let share = whole / processes.max(1) as u64;
        match option {
            Some(bytes) if bytes <= share => Self { bytes, source: BudgetSource::Option },
            _ => Self { bytes: share, source },
        }
    }
}

/// The least limit of a control group and of all above it, in either version; `cgroups` is what
/// `/proc/self/cgroup` says.
fn group_limit(cgroups: &str, root: &Path) -> Option<u64> {
    let mut least = None;
    for line in cgroups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (top, file) = if controllers.is_empty() {
            (root.to_owned(), "memory.max")
        } else if controllers.split(',').any(|name| name == "memory") {
            (root.join("memory"), "memory.limit_in_bytes")
        } else {
            continue;
        };
        // In a container the path may be the host's: what is not there is passed over.
        for above in Path::new(path.trim_start_matches('/')).ancestors() {
            let text = fs::read_to_string(top.join(above).join(file)).unwrap_or_default();
            let limit = text.trim().parse().ok().filter(|limit| *limit < NO_LIMIT);
            least = [least, limit].into_iter().flatten().min();
        }
    }
    least
}

/// Bytes of a line of `/proc` in kB.
fn kib(text: &str, key: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(key))?;
    let number: u64 =
        rest.trim_start_matches(':').trim().strip_suffix("kB")?.trim().parse().ok()?;
    number.checked_mul(1024)
}

fn total(meminfo: &str) -> Option<u64> {
    kib(meminfo, "MemTotal")
}

/// Resident memory of a process, in bytes; `None` when it is gone.
pub fn resident_bytes(pid: u32) -> Option<u64> {
    kib(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "VmRSS")
}

/// What a worker does about its memory; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum MemoryAdvice {
    /// All is well.
    Go,
    /// Ask for no more than the threads work on.
    StopPrefetch,
    /// Give back the leases that are not started.
    ReturnUnstarted,
    /// Start a task only when no other runs.
    Pause,
    /// Let what runs end, leave, and be started anew.
    Restart,
}

/// Compares memory with a budget; it reads neither clock nor system.
#[derive(Clone, Debug)]
pub struct MemoryWatch {
    budget: u64,
    paused_since: Option<Instant>,
}

impl MemoryWatch {
    /// A watch over a budget in bytes.
    pub fn new(budget: u64) -> Self {
        Self { budget: budget.max(1), paused_since: None }
    }

    /// What follows from so much resident memory.
    pub fn advise(&mut self, now: Instant, resident: u64) -> MemoryAdvice {
        let percent = u128::from(resident) * 100 / u128::from(self.budget);
        let over = |max: u64| percent > u128::from(max);
        if !over(START_PERCENT_MAX) {
            self.paused_since = None;
        }
        if over(LIFE_PERCENT_MAX) {
            MemoryAdvice::Restart
        } else if over(START_PERCENT_MAX) {
            let since = *self.paused_since.get_or_insert(now);
            let long = now.saturating_duration_since(since) > PAUSE_MAX;
            if long { MemoryAdvice::Restart } else { MemoryAdvice::Pause }
        } else if over(UNSTARTED_PERCENT_MAX) {
            MemoryAdvice::ReturnUnstarted
        } else if over(PREFETCH_PERCENT_MAX) {
            MemoryAdvice::StopPrefetch
        } else {
            MemoryAdvice::Go
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test needs some instant to begin at")]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_those_stated() {
        let (mut watch, now) = (MemoryWatch::new(1000), Instant::now());
        let advice: Vec<_> = [0, 609, 610, 709, 710, 809, 810, 959, 960, u64::MAX]
            .map(|resident| watch.advise(now, resident))
            .to_vec();
        use MemoryAdvice::*;
        let expected = [
            Go,
            Go,
            StopPrefetch,
            StopPrefetch,
            ReturnUnstarted,
            ReturnUnstarted,
            Pause,
            Pause,
            Restart,
            Restart,
        ];
        assert_eq!(advice, expected);
    }

    #[test]
    fn a_long_pause_ends_in_a_restart_and_a_short_one_is_forgotten() {
        let (mut watch, start) = (MemoryWatch::new(100), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(watch.advise(at(0), 85), MemoryAdvice::Pause);
        assert_eq!(watch.advise(at(60), 85), MemoryAdvice::Pause);
        assert_eq!(watch.advise(at(61), 85), MemoryAdvice::Restart);
        assert_eq!(watch.advise(at(62), 50), MemoryAdvice::Go);
        assert_eq!(watch.advise(at(63), 85), MemoryAdvice::Pause);
        assert_eq!(watch.advise(at(123), 85), MemoryAdvice::Pause);
        assert_eq!(watch.advise(at(124), 85), MemoryAdvice::Restart);
    }

    fn write(root: &Path, file: &str, text: &str) {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn the_least_limit_of_the_hierarchy_counts() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        assert_eq!(group_limit("0::/a/b/c\n", root), None);
        write(root, "a/memory.max", "4000\n");
        write(root, "a/b/memory.max", "max\n");
        write(root, "a/b/c/memory.max", "9000\n");
        assert_eq!(group_limit("0::/a/b/c\n", root), Some(4000));
        assert_eq!(group_limit("0::/host/only/a\n", root), None);
        write(root, "memory.max", "5000\n");
        assert_eq!(group_limit("0::/host/only/a\n", root), Some(5000));
        write(root, "memory/memory.limit_in_bytes", "9223372036854771712\n");
        write(root, "memory/x/memory.limit_in_bytes", "3000\n");
        assert_eq!(group_limit("4:cpu,memory:/x\n3:cpuset:/\n", root), Some(3000));
        assert_eq!(group_limit("4:memory:/\n", root), None);
        assert_eq!(group_limit("4:memory:/x\n0::/a\n", root), Some(3000));
        assert_eq!(group_limit("broken\n\n::\n", root), Some(5000));
    }

    #[test]
    fn an_option_holds_up_to_the_share() {
        let choose = |option, group, machine, processes| {
            let Budget { bytes, source } = Budget::choose(option, group, machine, processes);
            (bytes, source)
        };
        use BudgetSource::*;
        assert_eq!(choose(Some(10), Some(100), Some(1000), 2), (10, Option));
        assert_eq!(choose(Some(60), Some(100), Some(1000), 2), (50, ControlGroup));
        assert_eq!(choose(None, Some(100), Some(1000), 0), (100, ControlGroup));
        assert_eq!(choose(None, Some(5000), Some(1000), 4), (250, Machine));
        assert_eq!(choose(None, None, Some(1000), 1), (1000, Machine));
    }

    #[test]
    fn this_process_takes_memory_within_the_budget_of_this_machine() {
        let resident = resident_bytes(std::process::id()).unwrap();
        assert!(resident > 1 << 20, "{resident}");
        assert!(Budget::find(None, 1).bytes > resident);
        assert_eq!(resident_bytes(u32::MAX), None);
    }
}
