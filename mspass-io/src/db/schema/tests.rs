//! The shipped schema says what MsPASS's documents say; schema files extend or replace it.

use bson::{Document, doc, oid::ObjectId};
use mspass_core::{ErrorLog, Severity};

use super::*;

#[test]
fn the_shipped_schema_states_units_types_and_constraints() {
    let schema = Schema::mspass();
    assert_eq!(schema.default_collection("wf"), Some("wf_TimeSeries"));
    let elev = schema.key("channel", "elev").unwrap();
    assert_eq!((elev.key_type, elev.unit.as_deref()), (KeyType::Double, Some("km")));
    assert_eq!(elev.constraint, Constraint::Required);
    let required = schema.required_keys("wf_TimeSeries");
    let due = ["_id", "delta", "npts", "starttime", "storage_mode", "time_standard"];
    assert_eq!(required[..6], due);
    assert!(schema.required_keys("wf_Seismogram").contains(&"tmatrix"));
    assert!(schema.required_keys("wf_miniseed").contains(&"foff"));
    assert!(schema.xref_keys("wf_TimeSeries").contains(&"channel_id"));
    assert_eq!(schema.unique_name("wf_TimeSeries", "dt"), "delta");
    assert_eq!(schema.unique_name("wf_TimeSeries", "mine"), "mine");
    assert!(schema.is_readonly("Seismogram", "_id") && !schema.is_readonly("Seismogram", "npts"));
    assert!(schema.is_copy("site_lat") && !schema.is_copy("site_id") && !schema.is_copy("lat"));
    for name in schema.collections() {
        for (key, definition) in &schema.collection(name).unwrap().keys {
            assert!(!definition.concept.is_empty(), "{name}.{key} says nothing");
        }
    }
}

#[test]
fn a_file_extends_or_replaces() {
    let text = "
Database:
  wf_TimeSeries:
    schema:
      snr: {type: double, optional: true, aliases: SNR}
  pick:
    base: site
    schema:
      phase: {type: string}
      loc: {reference: channel}
      source_id: {reference: source}
Metadata:
  TimeSeries:
    schema:
      sta: {collection: wf_TimeSeries}
";
    let schema = Schema::mspass().extended("mine", text).unwrap();
    assert_eq!(schema.unique_name("wf_TimeSeries", "SNR"), "snr");
    assert!(schema.key("wf_TimeSeries", "npts").is_some());
    assert_eq!(schema.key("pick", "elev").unwrap().unit.as_deref(), Some("km"));
    assert_eq!(schema.key("pick", "loc").unwrap().key_type, KeyType::Text);
    assert_eq!(schema.key("pick", "source_id").unwrap().key_type, KeyType::ObjectId);
    assert_eq!(schema.key("pick", "source_id").unwrap().constraint, Constraint::CrossReference);
    assert!(schema.is_readonly("TimeSeries", "sta"));
    assert!(
        !schema.clone().with_readonly("TimeSeries", "sta", false).is_readonly("TimeSeries", "sta")
    );
    let alone =
        Schema::parse("mine", "Database:\n  a:\n    schema:\n      b: {type: int}\n").unwrap();
    assert_eq!(alone.collections().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn a_broken_file_is_one_sentence_with_its_line() {
    let cases = [
        ("Database:\n  a:\n    schema:\n      b: {type: moment}\n", 4, "moment"),
        ("Database: [\n", 1, "expected"),
        ("Database:\n  a:\n    base: none\n", 3, "'none'"),
        ("Database:\n  a:\n    base: b\n  b:\n    base: a\n", 3, "stands on itself"),
        ("Database:\n  a:\n    schema:\n      b: {reference: zzz}\n", 4, "zzz has no b"),
        ("Metadata:\n  A:\n    schema:\n      b: {collection: zzz}\n", 4, "'zzz'"),
        ("Database:\n  a:\n    schema:\n      b: {type: int, constraint: often}\n", 4, "often"),
    ];
    for (text, line, part) in cases {
        let error = Schema::parse("mine.yaml", text).unwrap_err().to_string();
        let start = format!("mine.yaml, line {line}: ");
        assert!(error.starts_with(&start) && error.contains(part), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

fn sound() -> Document {
    doc! {
        "_id": ObjectId::new(), "npts": 2, "delta": 0.5, "starttime": 1.5, "time_standard": "UTC",
        "utc_convertible": true, "storage_mode": "gridfs",
    }
}

fn check(change: impl Fn(&mut Document), mode: Mode) -> (Result<Document, String>, ErrorLog) {
    let (mut document, mut log) = (sound(), ErrorLog::default());
    change(&mut document);
    let checked = Schema::mspass().check("wf_TimeSeries", &mut document, mode, &mut log);
    (checked.map(|()| document), log)
}

#[test]
fn promiscuous_lets_everything_pass() {
    let (checked, log) = check(|d| drop(d.insert("npts", "two")), Mode::Promiscuous);
    assert!(checked.is_ok() && log.is_empty());
}

#[test]
fn cautious_mends_or_kills_by_constraint() {
    let (checked, log) = check(|d| drop(d.insert("npts", "2")), Mode::Cautious);
    assert_eq!(checked.unwrap().get_i32("npts").ok(), Some(2));
    assert_eq!(log.worst(), Some(Severity::Complaint));
    let (checked, _) = check(|d| drop(d.insert("npts", "two")), Mode::Cautious);
    assert!(checked.unwrap_err().contains("npts is \"two\", not of type int"));
    let (checked, log) = check(|d| drop(d.insert("calib", "two")), Mode::Cautious);
    assert!(!checked.unwrap().contains_key("calib"));
    assert!(log.entries()[0].message.contains("calib") && log.entries().len() == 1);
    let (checked, _) = check(|d| drop(d.remove("delta")), Mode::Cautious);
    assert_eq!(checked.unwrap_err(), "required key delta is missing");
    let (checked, log) = check(|d| drop(d.insert("mine", 1)), Mode::Cautious);
    assert!(checked.unwrap().contains_key("mine") && log.entries()[0].message.contains("mine"));
}

#[test]
fn pedantic_kills_whatever_has_a_wrong_type() {
    for (key, value) in [("npts", "2"), ("calib", "1.0"), ("dir", "x")] {
        let value = if key == "dir" { bson::Bson::Int32(1) } else { value.into() };
        let (checked, _) = check(|d| drop(d.insert(key, value.clone())), Mode::Pedantic);
        assert!(checked.unwrap_err().contains(key));
    }
    let (checked, log) = check(|_| (), Mode::Pedantic);
    assert!(checked.is_ok() && log.is_empty());
}

#[test]
fn conversions_lose_nothing() {
    use bson::Bson;
    let cases = [
        (KeyType::Int, Bson::Double(3.0), Some(Bson::Int32(3))),
        (KeyType::Int, Bson::Double(3.5), None),
        (KeyType::Int, Bson::Double(1e30), None),
        (KeyType::Double, Bson::Int64(1 << 60), None),
        (KeyType::Double, Bson::String("2.5".into()), Some(Bson::Double(2.5))),
        (KeyType::Double, Bson::String("inf".into()), None),
        (KeyType::Bool, Bson::Int32(1), Some(Bson::Boolean(true))),
        (KeyType::Bool, Bson::Int32(2), None),
        (KeyType::Text, Bson::Int32(12), Some(Bson::String("12".into()))),
        (KeyType::List, Bson::Int32(12), None),
        (KeyType::ObjectId, Bson::String("short".into()), None),
    ];
    for (key_type, value, due) in cases {
        assert_eq!(key_type.convert(&value), due, "{value} to {}", key_type.name());
    }
}
