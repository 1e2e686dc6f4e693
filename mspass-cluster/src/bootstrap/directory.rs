//! Announcements in a folder that all processes of a cluster see, on shared file systems too: each
//! is a file of its own under a name never used before, so that no cache of attributes or of
//! contents can show an older one, and it appears whole or not at all.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ADDRESSES_MAX;
use crate::error::{Error, Result};
use crate::options::Role;

/// Largest announcement that is read.
pub const ANNOUNCEMENT_BYTES_MAX: u64 = 64 << 10;
/// Announcements of one role that are looked at, the newest ones; older are deleted by whoever
/// announces the same role next.
pub const FILES_MAX: usize = 1024;
/// Of a role that only one process plays at a time, so many announcements are kept.
const SINGLE_KEPT: usize = 4;

/// Says that a process plays a role, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The cluster's name.
    pub cluster: String,
    /// The process's name in the cluster.
    pub node: String,
    /// Raised each time it starts.
    pub incarnation: u64,
    /// Every address it is reached under.
    pub addresses: Vec<SocketAddr>,
    /// Its process id, for people.
    #[serde(default)]
    pub pid: u32,
    /// Its build, for people.
    #[serde(default)]
    pub build: String,
}

/// The folder of a cluster's announcements.
#[derive(Clone, Debug)]
pub struct Directory {
    path: PathBuf,
    cluster: String,
}

impl Directory {
    /// The one in this workdir.
    pub fn of(workdir: &Path, cluster: &str) -> Self {
        Self { path: workdir.join("cluster"), cluster: cluster.to_owned() }
    }

    /// Announces, and gives the file's path; [`Directory::withdraw`] takes it back.
    ///
    /// # Errors
    /// [`Error::Workdir`] where the folder cannot be written to.
    pub fn announce(&self, role: Role, announcement: &Announcement) -> Result<PathBuf> {
        let refuse = |error| Error::Workdir { path: self.path.clone(), error };
        fs::create_dir_all(&self.path).map_err(refuse)?;
        let kept = if role == Role::Worker { FILES_MAX } else { SINGLE_KEPT };
        for (_, old) in self.files(role).into_iter().skip(kept - 1) {
            drop(fs::remove_file(old));
        }
        let name = format!("{role}-{:020}", announcement.incarnation);
        let path = self.path.join(format!("{name}.json"));
        let draft = self.path.join(format!(".{name}.draft"));
        let text = serde_json::to_vec_pretty(announcement)
            .map_err(|error| refuse(std::io::Error::other(error)))?;
        let write = || {
            let mut file = File::create(&draft)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&draft, &path)?;
            // The name itself, too, must last; not every file system can sync a folder.
            drop(File::open(&self.path).and_then(|folder| folder.sync_all()));
            Ok(())
        };
        write().map_err(refuse)?;
        Ok(path)
    }

    /// Takes an announcement back, by the path that [`Directory::announce`] gave.
    pub fn withdraw(path: &Path) {
        drop(fs::remove_file(path));
    }

    /// What is announced of a role, the newest first; unreadable files and those of other clusters
    /// are passed over.
    pub fn list(&self, role: Role) -> Vec<Announcement> {
        let files = self.files(role).into_iter().take(FILES_MAX);
        let read = files.filter_map(|(incarnation, path)| {
            let announcement = read(&path)?;
            let ours = announcement.cluster == self.cluster;
            (ours && announcement.incarnation == incarnation).then_some(announcement)
        });
        read.collect()
    }

    /// Incarnations and paths of a role's files, the newest first.
    fn files(&self, role: Role) -> Vec<(u64, PathBuf)> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let incarnation = name
                .to_str()
                .and_then(|name| name.strip_suffix(".json")?.strip_prefix(role.name()))
                .and_then(|rest| rest.strip_prefix('-')?.parse::<u64>().ok());
            found.extend(incarnation.map(|incarnation| (incarnation, entry.path())));
        }
        found.sort_unstable_by(|a, b| b.cmp(a));
        found
    }
}

fn read(path: &Path) -> Option<Announcement> {
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(ANNOUNCEMENT_BYTES_MAX + 1).read_to_end(&mut bytes).ok()?;
    if bytes.len() as u64 > ANNOUNCEMENT_BYTES_MAX {
        return None;
    }
    let mut announcement: Announcement = serde_json::from_slice(&bytes).ok()?;
    announcement.addresses.truncate(ADDRESSES_MAX);
    (!announcement.addresses.is_empty()).then_some(announcement)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announcement(incarnation: u64) -> Announcement {
        Announcement {
            cluster: "test".into(),
            node: format!("node-{incarnation}"),
            incarnation,
            addresses: vec!["127.0.0.1:900".parse().unwrap(), "[::1]:900".parse().unwrap()],
            pid: 1,
            build: "b".into(),
        }
    }

    #[test]
    fn the_newest_comes_first_and_what_is_withdrawn_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::of(folder.path(), "test");
        assert!(directory.list(Role::Scheduler).is_empty());
        directory.announce(Role::Scheduler, &announcement(9)).unwrap();
        let path = directory.announce(Role::Scheduler, &announcement(10)).unwrap();
        directory.announce(Role::Worker, &announcement(11)).unwrap();
        let found = directory.list(Role::Scheduler);
        assert_eq!(found, [announcement(10), announcement(9)]);
        Directory::withdraw(&path);
        assert_eq!(directory.list(Role::Scheduler), [announcement(9)]);
    }

    #[test]
    fn damaged_foreign_and_endless_files_are_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::of(folder.path(), "test");
        directory.announce(Role::Db, &announcement(1)).unwrap();
        let other = Directory::of(folder.path(), "other");
        other
            .announce(Role::Db, &Announcement { cluster: "other".into(), ..announcement(2) })
            .unwrap();
        let write = |name: &str, bytes: &[u8]| {
            fs::write(folder.path().join("cluster").join(name), bytes).unwrap();
        };
        write("db-3.json", b"{");
        write("db-x.json", b"{}");
        write("db-5.json", &vec![b' '; ANNOUNCEMENT_BYTES_MAX as usize + 10]);
        write(".db-6.draft", b"{}");
        fs::create_dir(folder.path().join("cluster/db-7.json")).unwrap();
        // Copied under another name: not what that name announced.
        let text = serde_json::to_vec(&announcement(1)).unwrap();
        write("db-8.json", &text);
        assert_eq!(directory.list(Role::Db), [announcement(1)]);
    }

    #[test]
    fn old_announcements_do_not_pile_up() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::of(folder.path(), "test");
        for incarnation in 1..50 {
            directory.announce(Role::Scheduler, &announcement(incarnation)).unwrap();
        }
        assert_eq!(directory.list(Role::Scheduler).len(), SINGLE_KEPT);
        for incarnation in 1..=FILES_MAX as u64 + 5 {
            directory.announce(Role::Worker, &announcement(incarnation)).unwrap();
        }
        assert_eq!(directory.list(Role::Worker).len(), FILES_MAX);
    }
}
