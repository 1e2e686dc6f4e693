//! The files of a tree.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A file of an archive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FoundFile {
    /// Path below the root, with `/` between the parts.
    pub relative: String,
    /// Size, bytes.
    pub size: u64,
    /// Time of the last change, nanoseconds since the epoch.
    pub mtime_nanos: i64,
}

/// Something in the tree that could not be listed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WalkError {
    /// Where.
    pub path: PathBuf,
    /// Why not.
    pub reason: String,
}

/// What a tree holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// Files, sorted by relative path.
    pub files: Vec<FoundFile>,
    /// What could not be listed, sorted by path: unreadable folders, broken links, devices, names
    /// that are not UTF-8.
    pub errors: Vec<WalkError>,
}

/// Lists every file below `root`, whatever its name, an SDS tree or any other.
///
/// Links to files and folders are followed; a folder reached a second time, by a link, is not
/// listed again, so cycles end. An error where `root` is no readable folder.
///
/// ```
/// let folder = tempfile::tempdir().unwrap();
/// std::fs::write(folder.path().join("a.mseed"), b"x").unwrap();
/// let walk = mspass_io::archive::walk(folder.path()).unwrap();
/// assert_eq!(walk.files[0].relative, "a.mseed");
/// assert_eq!(walk.files[0].size, 1);
/// ```
pub fn walk(root: &Path) -> Result<Walk> {
    let found = fs::metadata(root).map_err(Error::file("open", root))?;
    fs::read_dir(root).map_err(Error::file("read", root))?;
    let mut walker =
        Walker { root, walk: Walk::default(), seen: HashSet::new(), links: Vec::new() };
    walker.seen.insert((found.dev(), found.ino()));
    walker.list(root);
    // links last, so that a folder is listed under its own name if it lies in the tree
    while !walker.links.is_empty() {
        let mut links = std::mem::take(&mut walker.links);
        links.sort();
        for link in links {
            if let Ok(found) = fs::metadata(&link)
                && walker.seen.insert((found.dev(), found.ino()))
            {
                walker.list(&link);
            }
        }
    }
    let mut walk = walker.walk;
    walk.files.sort();
    walk.errors.sort();
    Ok(walk)
}

struct Walker<'a> {
    root: &'a Path,
    walk: Walk,
    /// Folders listed, by device and inode.
    seen: HashSet<(u64, u64)>,
    /// Links to folders, for later.
    links: Vec<PathBuf>,
}

impl Walker<'_> {
    /// Lists a folder and, one after the other, those in it.
    fn list(&mut self, folder: &Path) {
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) => {
                    self.fail(folder, error.to_string());
                    continue;
                }
            };
            for entry in entries {
                match entry.and_then(|entry| Ok((entry.path(), entry.file_type()?.is_symlink()))) {
                    Ok((path, is_link)) => folders.extend(self.add(path, is_link)),
                    Err(error) => self.fail(folder.clone(), error.to_string()),
                }
            }
        }
    }

    /// Takes a file; gives back a folder to be listed.
    fn add(&mut self, path: PathBuf, is_link: bool) -> Option<PathBuf> {
        let found = match fs::metadata(&path) {
            Ok(found) => found,
            Err(error) => {
                self.fail(path, error.to_string());
                return None;
            }
        };
        if found.is_dir() && is_link {
            self.links.push(path);
        } else if found.is_dir() {
            return self.seen.insert((found.dev(), found.ino())).then_some(path);
        } else if found.is_file() {
            self.add_file(path, &found);
        } else {
            self.fail(path, "neither a file nor a folder");
        }
        None
    }

    fn add_file(&mut self, path: PathBuf, found: &Metadata) {
        let relative = path.strip_prefix(self.root).ok().and_then(Path::to_str).map(str::to_owned);
        match relative {
            Some(relative) => self.walk.files.push(FoundFile {
                relative,
                size: found.len(),
                mtime_nanos: found
                    .mtime()
                    .saturating_mul(1_000_000_000)
                    .saturating_add(found.mtime_nsec()),
            }),
            None => self.fail(path, "its name is not UTF-8"),
        }
    }

    fn fail(&mut self, path: PathBuf, reason: impl Into<String>) {
        self.walk.errors.push(WalkError { path, reason: reason.into() });
    }
}
