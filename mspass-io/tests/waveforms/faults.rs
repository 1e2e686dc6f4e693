//! A full disk, a read-only folder, many writers at once: nothing half-written, nothing mixed up.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use mspass_core::{Life, TimeSeries};
use mspass_io::db::{FileForm, ReadOptions, SaveOptions, Storage, Waveforms};
use mspass_io::store::{Database, EmbeddedOptions, EmbeddedStore, Find};

use crate::stores::{all, memory, saved, trace};

fn into_file(dir: &Path, form: FileForm) -> SaveOptions {
    let storage = Storage::File { dir: dir.into(), dfile: Some("shared".into()), form };
    SaveOptions { storage, ..SaveOptions::default() }
}

/// A small file system of its own, unmounted when dropped.
struct Mounted(tempfile::TempDir);

impl Mounted {
    fn new(options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder.path());
        if mount.status().is_ok_and(|status| status.success()) {
            return Some(Self(folder));
        }
        println!("SKIPPED: no file system can be mounted here");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status();
    }
}

#[test]
fn a_full_disk_leaves_the_file_as_it_was() {
    let Some(disk) = Mounted::new("size=64k") else { return };
    let (database, waveforms) = memory();
    for form in [FileForm::Native, FileForm::Sac] {
        let options = match form {
            FileForm::Sac => SaveOptions {
                storage: Storage::File { dir: disk.path().into(), dfile: None, form },
                ..SaveOptions::default()
            },
            _ => into_file(disk.path(), form),
        };
        let (mut stored, mut fault) = (0, None);
        while fault.is_none() && stored < 100 {
            match waveforms.save(&mut trace(), &options) {
                Ok(_) => stored += 1,
                Err(error) => fault = Some(error.to_string()),
            }
        }
        let fault = fault.unwrap();
        assert!(fault.contains("cannot write") && fault.contains("No space left"), "{fault}");
        assert!(stored > 0, "{form:?}");
        let parts = std::fs::read_dir(disk.path()).unwrap().map(|entry| entry.unwrap().path());
        let parts: Vec<PathBuf> = parts.collect();
        assert!(parts.iter().all(|path| path.extension().is_none_or(|e| e != "part")));
        if form == FileForm::Native {
            let length = std::fs::metadata(disk.path().join("shared")).unwrap().len();
            assert_eq!(length, stored * 8000, "whole traces only");
        }
        let read = waveforms.cursor::<TimeSeries>(&Find::default(), &ReadOptions::default());
        let whole = read.unwrap().map(Result::unwrap).filter(|read| read.life == Life::Live);
        assert_eq!(whole.count(), all(&database, "wf_TimeSeries").len());
        for path in parts {
            std::fs::remove_file(path).unwrap();
        }
        database.documents.delete("wf_TimeSeries", &bson::doc! {}).unwrap();
    }
}

#[test]
fn the_first_write_on_a_full_disk_leaves_no_file() {
    let Some(disk) = Mounted::new("size=4k") else { return };
    let (_, waveforms) = memory();
    let options = into_file(disk.path(), FileForm::Native);
    assert!(waveforms.save(&mut trace(), &options).is_err());
    assert_eq!(std::fs::read_dir(disk.path()).unwrap().count(), 0);
}

#[test]
fn a_read_only_folder_is_one_sentence() {
    let Some(disk) = Mounted::new("size=64k,ro") else { return };
    let (database, waveforms) = memory();
    let options = into_file(disk.path(), FileForm::Native);
    let message = waveforms.save(&mut trace(), &options).unwrap_err().to_string();
    assert!(message.contains("shared") && message.contains("Read-only"), "{message}");
    assert!(all(&database, "wf_TimeSeries").is_empty());
}

#[test]
fn what_vanished_is_an_abortion_that_names_it_and_the_rest_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (database, waveforms) = memory();
    let storage = |name: &str| Storage::File {
        dir: folder.path().into(),
        dfile: Some(name.into()),
        form: FileForm::Native,
    };
    let save = |storage| {
        let options = SaveOptions { storage, ..SaveOptions::default() };
        saved(waveforms.save(&mut trace(), &options).unwrap())
    };
    let (gone, cut) = (save(storage("gone")), save(storage("cut")));
    let (blob, sound) = (save(Storage::Blobs), save(storage("sound")));
    std::fs::remove_file(folder.path().join("gone")).unwrap();
    std::fs::File::options()
        .write(true)
        .open(folder.path().join("cut"))
        .unwrap()
        .set_len(7)
        .unwrap();
    let lost = database.blobs.ids().unwrap();
    database.blobs.delete(&lost).unwrap();
    let find = Find::default().sort(bson::doc! { "_id": 1 });
    let read = waveforms.cursor::<TimeSeries>(&find, &ReadOptions::default()).unwrap();
    let read: Vec<TimeSeries> = read.map(Result::unwrap).collect();
    assert_eq!(read.len(), 4);
    for (id, due) in [(gone, "gone"), (cut, "cut"), (blob, lost[0].to_hex().as_str())] {
        let read: TimeSeries = waveforms.read(id, &ReadOptions::default()).unwrap();
        let message = &read.log.entries()[0].message;
        assert!(read.life == Life::Aborted && read.samples.is_empty(), "{id}");
        assert!(message.contains(due), "{message}");
    }
    let read: TimeSeries = waveforms.read(sound, &ReadOptions::default()).unwrap();
    assert_eq!((read.life, read.samples), (Life::Live, trace().samples));
}

#[test]
fn a_full_disk_under_the_embedded_store_loses_nothing_that_was_acknowledged() {
    let Some(disk) = Mounted::new("size=16m") else { return };
    let (path, ballast) = (disk.path().join("db"), disk.path().join("ballast"));
    std::fs::write(&ballast, vec![7; 4 << 20]).unwrap();
    let open = || Arc::new(EmbeddedStore::open(&path, &EmbeddedOptions::default()).unwrap());
    let mut ids = Vec::new();
    let waveforms = Waveforms::new(&Database::of(open()));
    let error = loop {
        match waveforms.save(&mut trace(), &SaveOptions::default()) {
            Ok(outcome) => ids.push(saved(outcome)),
            Err(error) => break error,
        }
        assert!(ids.len() < 10_000, "the disk is never full");
    };
    let message = error.to_string();
    assert!(matches!(error, mspass_io::Error::Disk { .. }), "{error:?}");
    assert!(message.contains("No space left") && message.contains("make room"), "{message}");
    assert!(!message.contains('\n') && ids.len() > 100, "{} {message}", ids.len());
    drop(waveforms);
    std::fs::remove_file(&ballast).unwrap();
    let database = Database::of(open());
    let waveforms = Waveforms::new(&database);
    assert_eq!(all(&database, "wf_TimeSeries").len(), ids.len(), "no document of what failed");
    for id in &ids {
        let read: TimeSeries = waveforms.read(*id, &ReadOptions::default()).unwrap();
        assert_eq!((read.life, read.samples), (Life::Live, trace().samples));
    }
    ids.push(saved(waveforms.save(&mut trace(), &SaveOptions::default()).unwrap()));
    assert_eq!(all(&database, "wf_TimeSeries").len(), ids.len(), "and it goes on");
}

#[test]
fn a_read_only_disk_under_the_embedded_store_is_one_sentence() {
    let Some(disk) = Mounted::new("size=1m,ro") else { return };
    let path = disk.path().join("db");
    let error = EmbeddedStore::open(&path, &EmbeddedOptions::default()).unwrap_err().to_string();
    assert!(error.contains("/db") && error.contains("Read-only"), "{error}");
}

/// Set in the processes that the test below starts: the folder to write into.
const WRITER_FOLDER: &str = "WAVEFORMS_TEST_FOLDER";

const WRITERS: usize = 4;

const TRACES: usize = 50;

fn marked(writer: f64, number: usize) -> TimeSeries {
    let mut datum = trace();
    datum.samples = vec![writer * 1000.0 + number as f64; 100 + number];
    datum
}

/// What each process does: saves its traces and prints where each one is.
fn write_as(writer: f64, folder: &Path) {
    let (_, waveforms) = memory();
    for number in 0..TRACES {
        let form = FileForm::Native;
        let id =
            saved(waveforms.save(&mut marked(writer, number), &into_file(folder, form)).unwrap());
        let document = waveforms.find(id).unwrap().unwrap();
        let text = bson::Bson::Document(document).into_canonical_extjson();
        println!("\nWROTE {text}");
    }
}

#[test]
fn many_processes_add_to_one_file() {
    if let Some(folder) = std::env::var_os(WRITER_FOLDER) {
        return write_as(f64::from(std::process::id()), Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let mut writer = Command::new(std::env::current_exe().unwrap());
            writer.args(["--exact", "faults::many_processes_add_to_one_file", "--nocapture"]);
            writer.env(WRITER_FOLDER, folder.path()).stdout(std::process::Stdio::piped());
            writer.spawn().unwrap()
        })
        .collect();
    let (_, waveforms) = memory();
    let mut count = 0;
    for writer in writers {
        let mark = f64::from(writer.id());
        let output = writer.wait_with_output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        for (number, line) in text.lines().filter_map(|l| l.strip_prefix("WROTE ")).enumerate() {
            let json: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(line).unwrap();
            let document = bson::Document::try_from(json).unwrap();
            check(&waveforms, &document, &marked(mark, number));
            count += 1;
        }
    }
    assert_eq!(count, WRITERS * TRACES);
}

fn check(waveforms: &Waveforms, document: &bson::Document, due: &TimeSeries) {
    let read: TimeSeries = waveforms.read_document(document, &ReadOptions::default()).unwrap();
    assert_eq!(read.samples, due.samples, "{document}");
}
