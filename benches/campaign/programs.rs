//! The real programs that campaigns put on trial, built, watched and compared.

#![allow(clippy::disallowed_methods)] // a driver: it reads the clock and waits

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const POLL: Duration = Duration::from_millis(1);

/// The programs under trial.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) desktop: PathBuf,
    pub(crate) cluster: PathBuf,
    pub(crate) deep_stack: PathBuf,
    mspass: PathBuf,
}

impl Programs {
    /// Brings them up to date, in the profile that this program was built in.
    pub(crate) fn build() -> Result<Self, String> {
        let profile = profile_folder()?;
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["build", "--quiet", "--workspace", "--bin", "mspass"]);
        let examples = ["desktop", "cluster", "deep_stack"];
        command.args(examples.iter().flat_map(|name| ["--example", name]));
        if profile.ends_with("release") {
            command.arg("--release");
        }
        command.arg("--target-dir").arg(profile.join(".."));
        // What cargo told this program about itself would make some build scripts run again.
        for (key, _) in std::env::vars_os() {
            let name = key.to_string_lossy();
            if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|start| name.starts_with(start)) {
                command.env_remove(&key);
            }
        }
        let status = command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null()).status();
        let status = status.map_err(|error| format!("cannot start cargo: {error}"))?;
        if !status.success() {
            return Err(format!("building the programs: {status}"));
        }
        let suffix = std::env::consts::EXE_SUFFIX;
        let example = |name| profile.join(format!("examples/{name}{suffix}"));
        let mspass = profile.join(format!("mspass{suffix}"));
        let [desktop, cluster, deep_stack] = examples.map(example);
        Ok(Self { desktop, cluster, deep_stack, mspass })
    }

    /// Compares the databases of two workdirs, document for document.
    pub(crate) fn same_documents(&self, one: &Path, other: &Path) -> Result<(), String> {
        let name = |workdir: &Path| format!("embedded:{}", workdir.join("db").display());
        let mut command = Command::new(&self.mspass);
        command.arg("diff").arg(name(one)).arg(name(other));
        let output = command.output().map_err(failed("start", &self.mspass))?;
        if output.status.code() == Some(0) {
            return Ok(());
        }
        let told = [output.stdout, output.stderr].concat();
        Err(format!("mspass diff, {}: {}", output.status, String::from_utf8_lossy(&told)))
    }
}

/// `target/release`, of which this program lies in `deps`.
fn profile_folder() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| format!("where am I? {error}"))?;
    let folder = own.parent().and_then(Path::parent);
    folder.map(Path::to_path_buf).ok_or(format!("{} lies too high", own.display()))
}

/// Whether in = live + dead + aborted.
pub(crate) fn adds_up(counts: &Value) -> bool {
    let count = |key: &str| counts[key].as_u64();
    let parts = [count("live"), count("dead"), count("aborted")];
    count("in").is_some() && count("in") == parts.into_iter().sum()
}

/// Waits for the end, at most so long; `None` if it still runs.
pub(crate) fn end_within(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>, String> {
    let started = Instant::now();
    loop {
        let status = child.try_wait().map_err(|error| format!("cannot wait: {error}"))?;
        let left = limit.saturating_sub(started.elapsed());
        if status.is_some() || left.is_zero() {
            return Ok(status);
        }
        std::thread::sleep(left.min(POLL));
    }
}

/// Sends a signal, by name, to a process; one that is gone already is no fault.
pub(crate) fn signal_to(process: u32, name: &str) -> Result<(), String> {
    let mut command = Command::new("kill");
    command.arg(format!("-{name}")).arg(process.to_string()).stderr(Stdio::null());
    command.status().map(drop).map_err(|error| format!("cannot send SIG{name}: {error}"))
}

pub(crate) fn failed<'a>(verb: &'a str, path: &'a Path) -> impl Fn(std::io::Error) -> String + 'a {
    move |error| format!("cannot {verb} {}: {error}", path.display())
}
