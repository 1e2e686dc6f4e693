//! The `mspass` program, run to its end, and data for it.

#![allow(dead_code, reason = "not every test program needs all of it")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{PoisonError, RwLock};

use mspass_io::store::{EmbeddedOptions, EmbeddedStore};
use serde_json::Value;

pub(crate) fn command<S: AsRef<OsStr>>(arguments: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mspass"));
    command.args(arguments);
    command
}

/// A process that is being started holds, until it is its own program, the locks of the files that
/// this one has open: so none is started while a store is.
static STORES: RwLock<()> = RwLock::new(());

/// Works on an embedded store that no program has open.
pub(crate) fn with_store<T>(path: &Path, work: impl FnOnce(&EmbeddedStore) -> T) -> T {
    let _alone = STORES.write().unwrap_or_else(PoisonError::into_inner);
    work(&EmbeddedStore::open(path, &EmbeddedOptions::default()).unwrap())
}

/// Runs a command to its end.
pub(crate) fn output_of(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let starting = STORES.read().unwrap_or_else(PoisonError::into_inner);
    let child = command.spawn().unwrap();
    drop(starting);
    child.wait_with_output().unwrap()
}

/// Runs the command to its end.
pub(crate) fn mspass<S: AsRef<OsStr>>(arguments: &[S]) -> Output {
    output_of(&mut command(arguments))
}

pub(crate) fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// What a command printed that must succeed.
pub(crate) fn printed<S: AsRef<OsStr>>(arguments: &[S]) -> String {
    let output = mspass(arguments);
    assert_eq!(code(&output), 0, "{output:?}");
    out(&output)
}

/// The sentence with which a command refuses: exit code 2, nothing printed, one line.
pub(crate) fn refusal<S: AsRef<OsStr>>(arguments: &[S]) -> String {
    let output = mspass(arguments);
    assert_eq!((code(&output), out(&output).as_str()), (2, ""), "{output:?}");
    let sentence = String::from_utf8(output.stderr).unwrap();
    assert!(sentence.starts_with("mspass: ") && sentence.lines().count() == 1, "{sentence}");
    sentence
}

pub(crate) fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Three channels of seventy minutes.
pub(crate) fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data/sds")
}

/// An index of the sample, with one file that is none; the database's name and its folder.
pub(crate) fn indexed() -> (String, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let name = format!("embedded:{}", folder.path().join("db").display());
    let archive = folder.path().join("archive");
    std::fs::create_dir(&archive).unwrap();
    std::fs::write(archive.join("notes.txt"), b"not a waveform").unwrap();
    for station in ["UV05", "UV06", "UV10"] {
        let file = format!("YA.{station}.00.HHZ.D.2010.244");
        let from = sample().join("2010/YA").join(station).join("HHZ.D").join(&file);
        std::fs::copy(from, archive.join(file)).unwrap();
    }
    let text = printed(&["index", archive.to_str().unwrap(), "--db", &name]);
    assert!(text.contains("1 file without waveforms:\n  notes.txt: "), "{text}");
    assert!(text.contains("4 files: 4 new, 0 changed, 0 unchanged; 3 runs of records; "), "{text}");
    (name, folder)
}

/// An embedded database's path as `--db` wants it.
pub(crate) fn embedded(path: &Path) -> String {
    format!("embedded:{}", path.display())
}

/// A small file system of its own, unmounted when dropped.
pub(crate) struct Mounted(tempfile::TempDir);

impl Mounted {
    /// None, and a word about it, where this user may mount none.
    pub(crate) fn new(options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder.path());
        if output_of(&mut mount).status.success() {
            return Some(Self(folder));
        }
        println!("SKIPPED: no file system can be mounted here");
        None
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        output_of(Command::new("umount").arg(self.path()));
    }
}
