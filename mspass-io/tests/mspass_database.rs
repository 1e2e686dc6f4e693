//! Reads every waveform of a database that MsPASS wrote, from MongoDB and from the embedded store,
//! and compares with what MsPASS itself reads, by the rules of the folder's README.
//!
//! The folder is `MSPASS_DATABASE_DIR`, else `../shared/data/mspass/made` beside the workspace. The
//! last line of the output is `mspass_database: P passed, F failed`, one count for each entry of
//! `reads` in its `expected.json`, passed when both stores agree with it. Beside `made`, the legacy
//! dump in `db_dump` is read: what its files hold are waveforms, all others abortions.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use bson::oid::ObjectId;
use bson::{Document, doc};
use mspass_core::series::Seismogram;
use mspass_core::{Life, TimeSeries};
use mspass_io::db::{ReadOptions, Waveform, Waveforms};
use mspass_io::dump::{ImportOptions, import};
use mspass_io::store::{Database, EmbeddedOptions, EmbeddedStore, Find};
use serde_json::Value;

mod expected_datum;
mod mongod;

use expected_datum::{Seen, check};

fn main() -> ExitCode {
    let folder = folder();
    let Ok(expected) = std::fs::read_to_string(folder.join("expected.json")) else {
        println!("skipped: there is no expected.json in {}", folder.display());
        println!("mspass_database: 0 passed, 0 failed");
        return ExitCode::SUCCESS;
    };
    println!("database of {}", folder.display());
    let expected: Value = serde_json::from_str(&expected).expect("JSON");
    let files = folder.join("files").canonicalize().expect("the folder of its waveform files");
    let work = tempfile::tempdir().expect("a temporary folder");
    let stores = [
        ("embedded", embedded(&work.path().join("made"))),
        ("MongoDB", mongod::store("mspass_database").database()),
    ];
    let mut failed = 0;
    for (name, database) in &stores {
        bring_in(database, &folder, &[("@FILES@".to_owned(), text(&files))]);
        for (collection, due) in counts(&expected) {
            let count = database.documents.count(collection, &doc! {}).expect("a count");
            if !collection.starts_with("fs.") && count != due {
                failed += 1;
                println!("FAILED {name}, {collection}: {count} documents, not {due}");
            }
        }
    }
    let (mut passed, empty) = (0, Vec::new());
    for entry in expected["reads"].as_array().unwrap_or(&empty) {
        let told: Vec<String> = stores
            .iter()
            .filter_map(|(name, database)| {
                let reason = read_and_check(database, entry, &text(&files)).err()?;
                Some(format!("{name}: {reason}"))
            })
            .collect();
        if told.is_empty() {
            passed += 1;
            continue;
        }
        failed += 1;
        println!("FAILED {} {}: {}", entry["collection"], entry["_id"], told.join("; "));
    }
    failed += legacy(&folder.with_file_name("db_dump"), &stores[1].1, &work.path().join("dump"));
    println!("mspass_database: {passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn folder() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    if let Some(folder) = std::env::var_os("MSPASS_DATABASE_DIR") {
        // cargo runs tests in the crate's folder: a relative path may mean the workspace
        let folder = PathBuf::from(folder);
        return if folder.exists() { folder } else { workspace.join(folder) };
    }
    workspace.join("../shared/data/mspass/made")
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn embedded(folder: &Path) -> Database {
    let store = EmbeddedStore::open(folder, &EmbeddedOptions::default());
    Database::of(Arc::new(store.expect("an embedded store can be made")))
}

fn bring_in(database: &Database, folder: &Path, moved: &[(String, String)]) {
    let options = ImportOptions { moved: moved.to_vec(), ..ImportOptions::default() };
    import(database, folder, &options, &mut |_| {}).expect("the folder can be imported");
}

fn counts(expected: &Value) -> impl Iterator<Item = (&str, u64)> {
    let counts = expected["counts"].as_object().into_iter().flatten();
    counts.map(|(name, count)| (name.as_str(), count.as_u64().unwrap_or_default()))
}

/// Reads the datum that an entry is about, and compares.
fn read_and_check(database: &Database, due: &Value, files: &str) -> Result<(), String> {
    let collection = due["collection"].as_str().unwrap_or_default();
    let id = ObjectId::parse_str(due["_id"].as_str().unwrap_or_default());
    let find = Find::filter(doc! { "_id": id.map_err(|error| error.to_string())? });
    let mut found = database.documents.find(collection, &find).map_err(|e| e.to_string())?;
    let document = found.next().ok_or("its document is not there")?.map_err(|e| e.to_string())?;
    let seen = match collection {
        "wf_Seismogram" => see_seismogram(database, &document)?,
        _ => see::<TimeSeries>(database, &document)?.1,
    };
    check(&seen, due, files)
}

fn see<T: Waveform>(database: &Database, document: &Document) -> Result<(T, Seen), String> {
    let datum: Result<T, _> =
        Waveforms::new(database).read_document(document, &ReadOptions::default());
    let datum = datum.map_err(|error| format!("an error, not a datum: {error}"))?;
    let seen = Seen::of(&datum, document);
    Ok((datum, seen))
}

fn see_seismogram(database: &Database, document: &Document) -> Result<Seen, String> {
    let (datum, mut seen) = see::<Seismogram>(database, document)?;
    seen.components = datum.components().map(<[f64]>::to_vec).to_vec();
    seen.tmatrix = Some(datum.tmatrix());
    Ok(seen)
}

/// Documents of the legacy dump whose files are there.
const LEGACY_LIVE: usize = 3;

/// Reads all waveforms of the legacy dump beside `made`, and gives how many are not as they should.
fn legacy(dump: &Path, mongo: &Database, store: &Path) -> usize {
    if !dump.is_dir() {
        println!("skipped: {} is not there", dump.display());
        return 0;
    }
    let place = dump.parent().map(text).unwrap_or_default();
    let moved = [("python/tests/data/db_mseeds".to_owned(), place)];
    let mut failed = 0;
    for (name, database) in [("embedded", &embedded(store)), ("MongoDB", mongo)] {
        for collection in ["wf_TimeSeries", "wf_miniseed", "site", "source", "arrival"] {
            database.documents.delete(collection, &doc! {}).expect("a collection can be emptied");
        }
        bring_in(database, dump, &moved);
        let mut tally = [0; 2];
        for collection in ["wf_TimeSeries", "wf_miniseed"] {
            let found = database.documents.find(collection, &Find::default()).expect("a cursor");
            for document in found {
                let document = document.expect("a document");
                match legacy_datum(database, &document) {
                    Ok(life) => tally[usize::from(life == Life::Aborted)] += 1,
                    Err(reason) => {
                        failed += 1;
                        println!(
                            "FAILED {name}, db_dump {collection} {:?}: {reason}",
                            document.get("_id")
                        );
                    }
                }
            }
        }
        let [live, aborted] = tally;
        if live != LEGACY_LIVE {
            failed += 1;
            println!("FAILED {name}, db_dump: {live} waveforms, not {LEGACY_LIVE}");
        }
        println!(
            "db_dump, {name}: {live} waveforms, {aborted} abortions that name what is missing"
        );
    }
    failed
}

fn legacy_datum(database: &Database, document: &Document) -> Result<Life, String> {
    let (datum, _) = see::<TimeSeries>(database, document)?;
    let log: Vec<&str> = datum.log.entries().iter().map(|entry| entry.message.as_str()).collect();
    let dfile = document.get_str("dfile").unwrap_or_default();
    if ["test_277.mseed", "test_2622.mseed"].contains(&dfile) {
        // Of start and npts the file's are right; the start of one document is another's. MsPASS
        // leaves the last packet out of nbytes.
        let last = document.get_f64("last_packet_time").unwrap_or(f64::NAN);
        let span = datum.axis.span(datum.npts());
        let is_there = span.is_some_and(|span| span.start < last && last < span.end + 1.0);
        let (station, channel) = (datum.id.station(), datum.id.channel());
        let is_his = document.get_str("sta").is_ok_and(|name| name == station)
            && document.get_str("chan").is_ok_and(|name| name == channel);
        return match datum.life == Life::Live && is_there && is_his {
            true => Ok(datum.life),
            false => Err(format!("{:?}, {} samples, {log:?}", datum.life, datum.npts())),
        };
    }
    let missing = match document.get_object_id("gridfs_id") {
        Ok(id) if document.get_str("storage_mode").is_ok_and(|mode| mode == "gridfs") => {
            id.to_hex()
        }
        _ => dfile.to_owned(),
    };
    match datum.life == Life::Aborted && log.iter().any(|message| message.contains(&missing)) {
        true => Ok(datum.life),
        false => Err(format!("{:?}, and {missing} is not named in {log:?}", datum.life)),
    }
}
