//! What was saved is read, bit for bit; what contradicts itself is refused in words.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use bson::raw::RawDocumentBuf;
use mspass_core::metadata::Value;
use mspass_core::series::TimeStandard;
use serde_json::Value as Json;

use bson::Bson;
use mspass_core::series::{Seismogram, TimeAxis};
use mspass_core::{Hertz, Life, Severity, TimeSeries, UtcTime};

use super::*;
use crate::db::{Waveform, encode_samples, wf_document};
use crate::store::{Blob, BlobStore, DocumentStore, MemoryStore};

fn save(trace: &TimeSeries) -> (Database, Document) {
    let database = Database::of(Arc::new(MemoryStore::new()));
    let id = ObjectId::new();
    database.blobs.put(&[Blob { id, bytes: encode_samples(&trace.samples) }]).unwrap();
    (database, wf_document(id, trace, &doc! { "data_tag": "test" }))
}

fn trace(rate: f64) -> TimeSeries {
    let start = UtcTime::from_nanos(1_283_299_200_123_456_789);
    let samples = vec![1.5, -0.0, f64::NAN, 1e300];
    let id = "YA.UV05.00.HHZ".parse().unwrap();
    TimeSeries::new(id, start, Hertz::new(rate).unwrap(), samples)
}

fn bits(samples: &[f64]) -> Vec<u64> {
    samples.iter().map(|sample| sample.to_bits()).collect()
}

fn read<T: Waveform>(database: &Database, document: &Document) -> T {
    Waveforms::new(database).read_document(document, &ReadOptions::default()).unwrap()
}

/// Why a document gives no datum.
fn reason(database: &Database, document: &Document) -> String {
    let read: TimeSeries = read(database, document);
    assert_eq!((read.life, read.npts()), (Life::Aborted, 0));
    read.log.entries()[0].message.clone()
}

#[test]
fn a_trace_comes_back_as_it_was_saved() {
    let mut saved = trace(100.0);
    saved.metadata.insert("snr", 7.5);
    let (database, document) = save(&saved);
    let read = read::<TimeSeries>(&database, &document);
    assert_eq!((&read.id, read.axis), (&saved.id, saved.axis));
    assert_eq!(bits(&read.samples), bits(&saved.samples));
    assert_eq!(read.metadata.get("snr"), Some(&Value::Double(7.5)));
    assert_eq!(read.metadata.get("data_tag"), Some(&Value::Text("test".into())));
    assert_eq!(read.metadata.get("storage_mode"), Some(&Value::Text("gridfs".into())));
    assert_eq!(read.metadata.get("npts"), None, "a field holds it");
    assert_eq!(read.metadata.modified().count(), 0);
    assert_eq!(read.history.inputs[0].to_string(), document.get_object_id("_id").unwrap().to_hex());
}

#[test]
fn relative_times_keep_their_origin_to_the_nanosecond() {
    let mut saved = trace(40.0);
    saved.axis.to_relative(UtcTime::from_nanos(1_283_299_205_000_000_001));
    let (database, document) = save(&saved);
    assert_eq!(read::<TimeSeries>(&database, &document).axis, saved.axis);

    saved.axis = TimeAxis::relative(-2.5, None, saved.sampling_rate());
    let (database, document) = save(&saved);
    let axis = read::<TimeSeries>(&database, &document).axis;
    assert_eq!(axis.standard(), TimeStandard::Relative { origin: None });
    assert_eq!(axis.start(), -2.5);
}

#[test]
fn nanoseconds_yield_to_seconds_that_were_changed() {
    let (database, mut document) = save(&trace(20.0));
    document.insert("starttime", 1_283_299_300.25);
    let read = read::<TimeSeries>(&database, &document);
    assert_eq!(read.axis.starttime().unwrap().nanos(), 1_283_299_300_250_000_000);
}

#[test]
fn delta_comes_back_bit_for_bit() {
    for delta in [0.01_f64, 0.025, 1.0 / 3.0, 0.008, 0.1 + 0.2, 1.0 / 99.999873] {
        let (database, mut document) = save(&trace(1.0));
        document.insert("delta", delta);
        document.insert("sampling_rate", 1.0 / delta);
        let read = read::<TimeSeries>(&database, &document);
        assert_eq!(read.axis.delta().to_bits(), delta.to_bits(), "{delta}");
        assert!(read.log.is_empty());
    }
    let (database, mut document) = save(&trace(100.0));
    document.insert("delta", 0.02);
    let read = read::<TimeSeries>(&database, &document);
    assert_eq!(read.sampling_rate().value(), 50.0);
    assert_eq!(read.log.worst(), Some(Severity::Complaint));
}

#[test]
fn contradictions_are_named() {
    let (database, document) = save(&trace(100.0));
    let with = |key: &str, value: Bson| {
        let mut document = document.clone();
        document.insert(key, value);
        reason(&database, &document)
    };
    let message = with("npts", 5.into());
    assert!(message.contains("npts is 5") && message.contains("are 4"), "{message}");
    assert!(with("npts", (-1).into()).contains("npts is no count"));
    assert!(with("delta", 0.0.into()).contains("sampling rate"));
    assert!(with("starttime", "now".into()).contains("starttime is no number"));
    assert!(with("time_standard", "TAI".into()).contains("'TAI'"));
    assert!(with("storage_mode", "tape".into()).contains("'tape'"));
    assert!(with("sta", "A.B".into()).contains("'A.B'"));
    assert!(with("gridfs_id", ObjectId::new().into()).contains("no samples are stored"));
}

#[test]
fn doubles_are_read_from_their_place_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let saved = trace(100.0);
    let mut bytes = vec![7; 16];
    bytes.extend_from_slice(&encode_samples(&saved.samples));
    std::fs::write(folder.path().join("native.bin"), bytes).unwrap();
    let (database, mut document) = save(&saved);
    document.insert("storage_mode", "file");
    document.insert("dir", folder.path().to_str().unwrap());
    document.insert("dfile", "native.bin");
    document.insert("foff", 16);
    let read = read::<TimeSeries>(&database, &document);
    assert_eq!(bits(&read.samples), bits(&saved.samples));
    document.insert("foff", 24_i64);
    let message = reason(&database, &document);
    assert!(message.contains("npts is 4") && message.contains("holds 3 samples"), "{message}");
    document.insert("foff", i64::MAX);
    assert!(reason(&database, &document).contains("holds 0 samples"));
    document.insert("dfile", "absent");
    assert!(reason(&database, &document).contains("cannot open"));
}

/// Documents end to end, as mongodump writes them.
fn dumped(path: &Path, files: &str) -> Vec<Document> {
    let bytes = std::fs::read(path).unwrap();
    let mut rest = &bytes[..];
    let mut documents = Vec::new();
    while let Some((length, _)) = rest.split_first_chunk() {
        let (document, next) = rest.split_at(i32::from_le_bytes(*length) as usize);
        let raw = RawDocumentBuf::from_bytes(document.to_vec()).unwrap();
        let mut document = Document::try_from(&*raw).unwrap();
        if let Ok(dir) = document.get_str("dir") {
            document.insert("dir", dir.replace("@FILES@", files));
        }
        documents.push(document);
        rest = next;
    }
    documents
}

/// A database that MsPASS wrote, with its samples.
fn made(folder: &Path) -> Database {
    let store = Arc::new(MemoryStore::new());
    let files = folder.join("files").display().to_string();
    for collection in [WF_TIME_SERIES, WF_SEISMOGRAM, WF_MINISEED] {
        let documents = dumped(&folder.join(format!("{collection}.bson")), &files);
        store.insert(collection, &documents).unwrap();
    }
    let mut chunks = dumped(&folder.join("fs.chunks.bson"), &files);
    chunks.sort_by_key(|chunk| chunk.get_i32("n").unwrap());
    let mut blobs: HashMap<ObjectId, Vec<u8>> = HashMap::new();
    for chunk in chunks {
        let bytes = chunk.get_binary_generic("data").unwrap();
        blobs.entry(chunk.get_object_id("files_id").unwrap()).or_default().extend(bytes);
    }
    let blobs = blobs.into_iter().map(|(id, bytes)| Blob { id, bytes: bytes.into() });
    store.put(&blobs.collect::<Vec<_>>()).unwrap();
    Database::of(store)
}

fn check_made<T: Waveform>(due: &Json, read: &T) {
    let id = &due["_id"];
    assert_eq!(read.life(), Life::Live, "{id}: {:?}", read.log());
    assert_eq!(due["npts"], read.npts(), "{id}");
    let dt = due["dt"].as_f64().unwrap();
    assert!((read.axis().delta() - dt).abs() <= 1e-9 * dt, "{id}");
    assert!((read.axis().start() - due["t0"].as_f64().unwrap()).abs() <= 1e-6, "{id}");
    let origin = match read.axis().standard() {
        TimeStandard::Relative { origin } => {
            assert_eq!(due["time_standard"], "Relative", "{id}");
            origin
        }
        _ => {
            assert_eq!(due["time_standard"], "UTC", "{id}");
            None
        }
    };
    assert_eq!(due["shift_valid"], origin.is_some(), "{id}");
    if let Some(origin) = origin {
        assert!((origin.seconds() - due["shift"].as_f64().unwrap()).abs() <= 1e-6, "{id}");
    }
    for (number, due) in due["components"].as_array().unwrap().iter().enumerate() {
        let component = &read.samples()[number * read.npts()..][..read.npts()];
        for (found, due) in component.iter().zip(due["first"].as_array().unwrap()) {
            assert_eq!(Some(*found), due.as_f64(), "{id}");
        }
        let last = &component[component.len() - 4..];
        for (found, due) in last.iter().zip(due["last"].as_array().unwrap()) {
            assert_eq!(Some(*found), due.as_f64(), "{id}");
        }
        let sum: f64 = component.iter().sum();
        let tolerance = 1e-9 * read.npts() as f64 * due["abs_max"].as_f64().unwrap();
        assert!((sum - due["sum"].as_f64().unwrap()).abs() <= tolerance, "{id}");
    }
}

fn check_directions(due: &Json, read: &Seismogram) {
    let rows = read.tmatrix().map(|row| row.to_vec()).to_vec();
    assert_eq!(due["tmatrix"], serde_json::json!(rows), "{}", due["_id"]);
    assert_eq!(due["cardinal"], read.is_cardinal(), "{}", due["_id"]);
}

#[test]
fn a_database_of_mspass_reads_as_mspass_reads_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/mspass/made");
    if !folder.exists() {
        println!("SKIPPED: no database written by MsPASS at {}", folder.display());
        return;
    }
    let database = made(&folder);
    let waveforms = Waveforms::new(&database);
    let expected = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let expected: Json = serde_json::from_str(&expected).unwrap();
    let (mut whole, mut torn, mut refused) = (0, 0, 0);
    for due in expected["reads"].as_array().unwrap() {
        let id = ObjectId::parse_str(due["_id"].as_str().unwrap()).unwrap();
        let document = waveforms.find(id).unwrap().unwrap();
        let is_dead = due.get("raises").is_some() || due["live"] == false;
        if due["collection"] == "wf_Seismogram" {
            let read: Seismogram = read(&database, &document);
            if is_dead {
                assert_eq!(read.life, Life::Aborted);
                refused += 1;
            } else {
                check_made(due, &read);
                check_directions(due, &read);
                whole += 1;
            }
        } else if is_dead {
            println!("refused: {}", reason(&database, &document));
            refused += 1;
        } else if due["elog"].as_array().is_some_and(|elog| elog.iter().any(tells_of_gaps)) {
            // MsPASS fills the gaps; here they part the traces.
            let pieces = waveforms.pieces::<TimeSeries>(&document).unwrap();
            let samples = pieces.data.iter().flat_map(|trace| &trace.samples);
            assert!(samples.clone().all(|sample| *sample > f64::from(i32::MIN)), "{id}");
            let read: TimeSeries = read(&database, &document);
            assert_eq!(read.life != Life::Live, pieces.data.len() > 1, "{id}");
            torn += 1;
        } else {
            check_made::<TimeSeries>(due, &read(&database, &document));
            whole += 1;
        }
    }
    println!("{whole} as MsPASS reads them, {torn} with gaps, {refused} refused");
    assert_eq!((whole, torn, refused), (103, 3, 8));
}

fn tells_of_gaps(entry: &Json) -> bool {
    entry["message"].as_str().is_some_and(|message| message.contains("gaps detected"))
}
