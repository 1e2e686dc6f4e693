//! The documents that MsPASS expects, stated key by key: name, type, and unit where it has one.

use bson::spec::ElementType;
use bson::{Document, doc};
use mspass_core::history::Passage;
use mspass_core::series::Seismogram;
use mspass_core::{Datum, DocumentId, History, Severity, TimeSeries};
use mspass_io::db::schema::{Mode, Schema};
use mspass_io::db::{FileForm, ReadOptions, SaveOptions, Storage};

use crate::stores::{memory, one, saved, seismogram, trace};

use ElementType::{
    Array, Binary, Boolean, Double, EmbeddedDocument as Map, Int32, Int64, ObjectId, String as Text,
};

/// Keys of a document with their types; units as the schema states them.
fn check(document: &Document, collection: &str, due: &[(&str, ElementType, &str)]) {
    let schema = Schema::mspass();
    for (key, element, unit) in due {
        let value = document.get(key).unwrap_or_else(|| panic!("{collection} lacks {key}"));
        assert_eq!(value.element_type(), *element, "{collection}.{key} is {value}");
        let stated = schema.key(collection, key).and_then(|key| key.unit.clone());
        assert_eq!(stated.unwrap_or_default(), *unit, "{collection}.{key}");
    }
    let others = document.keys().filter(|key| !due.iter().any(|(name, ..)| name == key));
    let others: Vec<&String> = others.collect();
    assert!(others.is_empty(), "{collection} has {others:?} too");
}

fn options() -> SaveOptions {
    SaveOptions {
        data_tag: Some("mine".into()),
        history: true,
        mode: Mode::Pedantic,
        ..SaveOptions::default()
    }
}

const COMMON: [(&str, ElementType, &str); 12] = [
    ("_id", ObjectId, ""),
    ("net", Text, ""),
    ("sta", Text, ""),
    ("npts", Int32, "samples"),
    ("nbytes", Int32, "bytes"),
    ("delta", Double, "s"),
    ("sampling_rate", Double, "Hz"),
    ("starttime", Double, "s"),
    ("endtime", Double, "s"),
    ("utc_convertible", Boolean, ""),
    ("time_standard", Text, ""),
    ("storage_mode", Text, ""),
];

fn with(
    more: &[(&'static str, ElementType, &'static str)],
) -> Vec<(&'static str, ElementType, &'static str)> {
    COMMON.iter().chain(more).copied().collect()
}

#[test]
fn wf_time_series() {
    let (database, waveforms) = memory();
    let mut datum = trace();
    datum.metadata = [("calib", 1.5)].into_iter().collect();
    datum.log.push("quality", Severity::Suspect, "amplitude is doubtful");
    let passage = Passage { step: "detrend".into(), parameters: "{}".into() };
    datum.history = History::of(DocumentId([7; 12]), 0);
    datum.history.record(&std::sync::Arc::new(passage));
    let id = saved(waveforms.save(&mut datum, &options()).unwrap());
    let document = one(&database, "wf_TimeSeries");
    let keys = with(&[
        ("loc", Text, ""),
        ("chan", Text, ""),
        ("calib", Double, "nm/s per count"),
        ("starttime_ns", Int64, "ns"),
        ("gridfs_id", ObjectId, ""),
        ("data_tag", Text, ""),
        ("elog_id", ObjectId, ""),
        ("history_object_id", ObjectId, ""),
    ]);
    check(&document, "wf_TimeSeries", &keys);
    assert_eq!(document.get_str("time_standard").ok(), Some("UTC"));
    assert_eq!(document.get_f64("starttime").unwrap(), 1_283_299_200.123_456_8);

    let elog = one(&database, "elog");
    let keys = [
        ("_id", ObjectId, ""),
        ("logdata", Array, ""),
        ("wf_TimeSeries_id", ObjectId, ""),
        ("data_tag", Text, ""),
    ];
    check(&elog, "elog", &keys);
    assert_eq!(elog.get_object_id("wf_TimeSeries_id").ok(), Some(id));
    let entry = elog.get_array("logdata").unwrap()[0].as_document().unwrap().clone();
    let keys = [
        ("job_id", Int32, ""),
        ("algorithm", Text, ""),
        ("badness", Text, ""),
        ("error_message", Text, ""),
        ("process_id", Int32, ""),
    ];
    check(&entry, "entries of logdata", &keys);
    assert_eq!(entry.get_str("badness").ok(), Some("ErrorSeverity.Suspect"));

    let history = one(&database, "history_object");
    let keys = [
        ("_id", ObjectId, ""),
        ("save_uuid", Text, ""),
        ("save_stage", Int32, ""),
        ("processing_history", Binary, ""),
        ("alg_id", Text, ""),
        ("alg_name", Text, ""),
        ("inputs", Array, ""),
        ("output", Int32, ""),
        ("steps", Array, ""),
        ("wf_TimeSeries_id", ObjectId, ""),
    ];
    check(&history, "history_object", &keys);
}

#[test]
fn wf_time_series_in_a_file() {
    let (database, waveforms) = memory();
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::File { dir: folder.path().into(), dfile: None, form: FileForm::Native };
    let mut datum = trace();
    datum.metadata = Default::default();
    saved(waveforms.save(&mut datum, &SaveOptions { storage, ..SaveOptions::default() }).unwrap());
    let keys = with(&[
        ("loc", Text, ""),
        ("chan", Text, ""),
        ("starttime_ns", Int64, "ns"),
        ("format", Text, ""),
        ("dir", Text, ""),
        ("dfile", Text, ""),
        ("foff", Int32, "bytes"),
    ]);
    check(&one(&database, "wf_TimeSeries"), "wf_TimeSeries", &keys);
}

#[test]
fn wf_seismogram() {
    let (database, waveforms) = memory();
    saved(waveforms.save(&mut seismogram(), &options()).unwrap());
    let document = one(&database, "wf_Seismogram");
    let keys = with(&[
        ("starttime_shift", Double, "s"),
        ("starttime_ns", Int64, "ns"),
        ("gridfs_id", ObjectId, ""),
        ("tmatrix", Array, ""),
        ("cardinal", Boolean, ""),
        ("orthogonal", Boolean, ""),
        ("data_tag", Text, ""),
    ]);
    check(&document, "wf_Seismogram", &keys);
    let tmatrix = document.get_array("tmatrix").unwrap();
    let row = tmatrix[..3].iter().map(|value| value.as_f64().unwrap());
    assert_eq!(row.collect::<Vec<_>>(), [0.0, 1.0, 0.25], "row by row");
    assert_eq!(tmatrix.len(), 9);
}

#[test]
fn cemetery_and_abortions() {
    let (database, waveforms) = memory();
    let mut datum: TimeSeries = trace();
    let id = saved(waveforms.save(&mut datum, &SaveOptions::default()).unwrap());
    datum.kill("quality", "too noisy");
    waveforms.save(&mut datum, &SaveOptions::default()).unwrap();
    let cemetery = one(&database, "cemetery");
    let keys = [
        ("_id", ObjectId, ""),
        ("logdata", Array, ""),
        ("wf_TimeSeries_id", ObjectId, ""),
        ("tombstone", Map, ""),
    ];
    let mut without_type = cemetery.clone();
    assert_eq!(without_type.remove("type"), Some("TimeSeries".into()), "a key of our own");
    check(&without_type, "cemetery", &keys);
    assert_eq!(cemetery.get_object_id("wf_TimeSeries_id").ok(), Some(id));

    let absent = doc! { "_id": bson::oid::ObjectId::new(), "storage_mode": "tape", "npts": 3 };
    let read: Seismogram = waveforms.read_document(&absent, &ReadOptions::default()).unwrap();
    waveforms.bury(&read, &SaveOptions::default()).unwrap();
    let abortion = one(&database, "abortions");
    let keys =
        [("_id", ObjectId, ""), ("tombstone", Map, ""), ("logdata", Array, ""), ("type", Text, "")];
    check(&abortion, "abortions", &keys);
    assert_eq!(abortion.get_str("type").ok(), Some("<class 'mspasspy.ccore.seismic.Seismogram'>"));
    assert_eq!(abortion.get_document("tombstone").ok(), Some(&absent));
}

#[test]
fn copies_aliases_and_read_only_keys() {
    let (database, waveforms) = memory();
    let text = "Metadata:\n  TimeSeries:\n    schema:\n      event: {}\n      other: {}\n";
    let schema = Schema::mspass().extended("mine", text).unwrap();
    let waveforms = waveforms.with_schema(schema.into());
    let mut datum = trace();
    let axis = datum.axis;
    datum.metadata = [("event", 1.0), ("other", 2.0)].into_iter().collect();
    datum.metadata.clear_modified();
    for (key, value) in [("site_lat", 1.0), ("dt", 9.0), ("event", 3.0)] {
        datum.metadata.insert(key, value);
    }
    saved(waveforms.save(&mut datum, &SaveOptions::default()).unwrap());
    let document = one(&database, "wf_TimeSeries");
    for key in ["site_lat", "dt", "event", "other"] {
        assert!(!document.contains_key(key), "{key}");
    }
    assert_eq!(document.get_f64("READONLYERROR_event").ok(), Some(3.0));
    assert_eq!(
        document.get_f64("delta").ok(),
        Some(axis.delta()),
        "the field holds, not the alias"
    );
    let message = one(&database, "elog").to_string();
    assert!(message.contains("event is read-only"), "{message}");
}
