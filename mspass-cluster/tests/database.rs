//! `mspass db` as a person runs it: the real program on a database that MsPASS wrote.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::fs;
use std::path::{Path, PathBuf};

use bson::oid::ObjectId;
use bson::{Document, doc};
use mspass_io::store::{Blob, BlobStore, DocumentStore, EmbeddedStore, Find};
use serde_json::{Value, json};

mod program;

use program::{code, embedded, indexed, json_lines, mspass, out, printed, refusal, with_store};

/// A dump: that of `MSPASS_DATABASE_DIR`, else the one beside the workspace, else one of our own.
fn dump(work: &Path) -> PathBuf {
    if let Some(folder) = std::env::var_os("MSPASS_DATABASE_DIR") {
        return folder.into();
    }
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/mspass/made");
    if shared.exists() {
        return shared;
    }
    println!("{} is not there: an index of the sample stands for it", shared.display());
    let (name, _folder) = indexed();
    let folder = work.join("sample");
    printed(&["db", "export", text(&folder), "--db", &name]);
    folder
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What a command prints under `--json` on success, or with exit code 1.
fn told(due: i32, arguments: &[&str]) -> Value {
    let output = mspass(&[arguments, &["--json"]].concat());
    assert_eq!(code(&output), due, "{output:?}");
    json_lines(&out(&output)).remove(0)
}

/// Names and bytes of a folder's files.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let named = entries
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()));
    let mut files: Vec<_> = named.collect();
    files.sort();
    files
}

#[test]
fn a_database_goes_into_files_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let dump = dump(folder.path());
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let (first_name, second_name) = (embedded(&first), embedded(&second));
    let import = |from: &Path, to: &str| told(0, &["db", "import", text(from), "--db", to]);
    let found = import(&dump, &first_name);
    let collections = found["collections"].as_array().unwrap();
    let sum = |found: &Value, key: &str| -> u64 {
        let collections = found["collections"].as_array().unwrap();
        collections.iter().map(|c| c[key].as_u64().unwrap()).sum()
    };
    assert!(collections.len() >= 3 && sum(&found, "new") > 0);
    if let Ok(expected) = fs::read_to_string(dump.join("expected.json")) {
        let expected: Value = serde_json::from_str(&expected).unwrap();
        for collection in collections {
            let name = collection["name"].as_str().unwrap();
            assert_eq!(collection["new"], expected["counts"][name], "{name}");
        }
    }
    let whole = folder.path().join("bson");
    for (form, more) in [("bson", &[][..]), ("json", &["--json"])] {
        let carried = folder.path().join(form);
        printed(&[&["db", "export", text(&carried), "--db", &first_name], more].concat());
        let name = embedded(&second.with_extension(form));
        assert_eq!(import(&carried, &name)["collections"], found["collections"], "{form}");
        let again = import(&carried, &name);
        assert_eq!((sum(&again, "new"), sum(&again, "present")), (0, sum(&found, "new")));
        // The copy's files are the same to the byte.
        let again = folder.path().join(format!("{form}-again"));
        printed(&["db", "export", text(&again), "--db", &name]);
        assert!(files(&again) == files(&whole), "{form}");
    }
    assert!(
        !second.exists() && refusal(&["find", "site", "--db", &second_name]).contains("second")
    );
}

#[test]
fn a_document_that_differs_is_told_and_left_unless_it_shall_be_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("files");
    fs::create_dir(&files).unwrap();
    fs::write(files.join("site.json"), "{\"_id\":1,\"sta\":\"A\"}\n{\"_id\":2,\"sta\":\"B\"}\n")
        .unwrap();
    let db = folder.path().join("db");
    let other = doc! { "_id": 2, "sta": "C" };
    with_store(&db, |store| store.insert("site", &[other]).unwrap());
    let name = embedded(&db);
    let output = mspass(&["db", "import", text(&files), "--db", &name]);
    let said = out(&output);
    assert_eq!(code(&output), 1, "{said}");
    assert!(said.contains("site: 1 is there with other content, the first 2"), "{said}");
    let station = || printed(&["find", "site", "--db", &name, "--filter", r#"{"_id": 2}"#]);
    assert!(station().contains("\"C\""));
    let replaced = told(0, &["db", "import", text(&files), "--db", &name, "--replace"]);
    assert_eq!(replaced["collections"][0]["replaced"], 1);
    assert!(station().contains("\"B\""));
}

/// Waveforms of which four are not as the schema says, and the site of the others.
fn faulty(path: &Path) {
    let id = |number: u8| ObjectId::from_bytes([number; 12]);
    let waveform = |number: u8| {
        doc! {
            "_id": id(number), "npts": 2_i64, "delta": 0.05, "starttime": 0.0,
            "starttime_shift": 0.0, "utc_convertible": true, "time_standard": "UTC",
            "storage_mode": "gridfs", "gridfs_id": id(100 + number), "site_id": id(1), "calib": 1.0,
        }
    };
    let mut all: Vec<Document> = (0..40).map(waveform).collect();
    all[10].insert("npts", "2");
    all[11].insert("site_id", id(2));
    all[12].remove("delta");
    all[13].insert("sampling", 20.0);
    let site = doc! { "_id": id(1), "net": "IU", "sta": "ANMO", "lat": 1.0, "lon": 2.0, "elev": 0.1,
    "loc": "", "starttime": 0.0, "endtime": 1.0 };
    let blobs = (0..40).map(|number| Blob { id: id(100 + number), bytes: vec![0; 16].into() });
    with_store(path, |store| {
        store.insert("wf_TimeSeries", &all).unwrap();
        store.insert("site", &[site]).unwrap();
        store.put(&blobs.collect::<Vec<_>>()).unwrap();
    });
}

#[test]
fn what_verify_finds_clean_mends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    faulty(&path);
    let name = embedded(&path);
    let verify = |due: i32, more: &[&str]| {
        told(due, &[&["db", "verify", "wf_TimeSeries", "--db", &name], more].concat())
    };
    let all = ["--test", "xref", "type", "required", "undefined"];
    let found = verify(1, &all);
    for threads in ["1", "3"] {
        assert_eq!(verify(1, &[&all[..], &["--threads", threads]].concat()), found);
    }
    let report = &found["collections"][0];
    assert_eq!((&report["documents"], &report["unsound"]), (&json!(40), &json!(4)), "{found}");
    let problems = report["problems"].as_array().unwrap().iter();
    let problems: Vec<_> = problems.map(|p| (p["test"].clone(), p["key"].clone())).collect();
    let due =
        [("xref", "site_id"), ("type", "npts"), ("undefined", "sampling"), ("required", "delta")];
    assert_eq!(problems, due.map(|(test, key)| (json!(test), json!(key))));
    let output = mspass(&["db", "verify", "wf_TimeSeries", "--db", &name]);
    assert_eq!(code(&output), 1);
    let said = out(&output);
    assert!(said.contains("wf_TimeSeries: 40 documents, 3 with problems"), "{said}");
    assert!(said.contains("it names no document of site") && !said.contains("undefined"), "{said}");

    let options = "--rename sampling=sampling_rate --delete-missing-xref site_id \
                   --delete-missing-required";
    let clean = |more: &[&str]| {
        let options: Vec<&str> = options.split_whitespace().collect();
        let whole = [&["db", "clean", "wf_TimeSeries", "--db", &name], &options[..], more].concat();
        told(0, &whole)["collections"][0].clone()
    };
    let documents = || printed(&["find", "wf_TimeSeries", "--db", &name, "--canonical"]);
    let before = documents();
    let dry = clean(&["--dry-run"]);
    assert_eq!(documents(), before, "a dry run changes nothing");
    let report = clean(&[]);
    assert_eq!((&report["changed"], &report["deleted"]), (&json!(2), &json!(2)), "{report}");
    assert_eq!((&dry["changed"], &dry["deleted"]), (&report["changed"], &report["deleted"]));
    assert_eq!((&report["blobs"], &report["converted"]["npts"]), (&json!(2), &json!(1)));
    verify(0, &all);
    assert_eq!(
        with_store(&path, |store| store.ids().unwrap().len()),
        38,
        "samples went with their documents"
    );
    let said = printed(&["db", "clean", "wf_TimeSeries", "--db", &name]);
    assert_eq!(said, "wf_TimeSeries: 38 documents, 0 changed, 0 deleted\n");
}

/// StationXML of channels `NET.STA.LOC.CHAN` from one year to another.
fn stations(epochs: &[(&str, u32, u32)]) -> String {
    let place = "<Latitude>38.0</Latitude><Longitude>24.5</Longitude><Elevation>120</Elevation>";
    let station = |(id, from, to): &(&str, u32, u32)| {
        let codes: Vec<&str> = id.split('.').collect();
        let span = format!("startDate=\"{from}-01-01T00:00:00\" endDate=\"{to}-01-01T00:00:00\"");
        format!(
            "<Network code=\"{}\"><Station code=\"{}\" {span}>{place}<Site><Name>x</Name></Site>\
             <Channel locationCode=\"{}\" code=\"{}\" {span}>{place}<Depth>0</Depth>\
             <Azimuth>0</Azimuth><Dip>-90</Dip></Channel></Station></Network>",
            codes[0], codes[1], codes[2], codes[3]
        )
    };
    let networks: String = epochs.iter().map(station).collect();
    format!(
        "<FDSNStationXML xmlns=\"http://www.fdsn.org/xml/station/1\" schemaVersion=\"1.1\">\
         <Source>x</Source><Created>2020-01-01T00:00:00</Created>{networks}</FDSNStationXML>"
    )
}

/// Two of the three channels of the sample have an inventory, one of them twice.
fn with_stations() -> (String, tempfile::TempDir) {
    let (name, folder) = indexed();
    let epochs = [
        ("YA.UV05.00.HHZ", 2009, 2011),
        ("YA.UV06.00.HHZ", 2009, 2011),
        ("YA.UV06.00.HHZ", 2010, 2012),
    ];
    let file = folder.path().join("stations.xml");
    fs::write(&file, stations(&epochs)).unwrap();
    let said = printed(&["db", "import", text(&file), "--db", &name]);
    assert!(said.ends_with("stations.xml: 3 sites (3 new), 3 channels (3 new)\n"), "{said}");
    let said = printed(&["db", "import", text(&file), "--db", &name]);
    assert!(said.ends_with("stations.xml: 3 sites (0 new), 3 channels (0 new)\n"), "{said}");
    (name, folder)
}

#[test]
fn normalize_writes_ids_and_tells_what_has_no_match() {
    let (name, _folder) = with_stations();
    let normalize = |more: &[&str]| told(0, &[&["db", "normalize", "--db", &name], more].concat());
    let counts = json!({
        "against": "channel", "matched": 1, "missing": 1, "ambiguous": 1, "incomplete": 0,
    });
    let with_key = |key: &str| {
        let filter = format!(r#"{{"{key}": {{"$exists": true}}}}"#);
        let find = ["find", "wf_miniseed", "--db", &name, "--filter", &filter, "--count"];
        printed(&find).trim().parse::<u64>().unwrap()
    };
    let dry = normalize(&["--dry-run"]);
    assert_eq!((&dry["documents"], &dry["updated"]), (&json!(3), &json!(1)), "{dry}");
    assert_eq!((with_key("channel_id"), dry["matchers"][0].clone()), (0, counts.clone()));
    assert_eq!(dry["matchers"][1]["against"], "site");
    let found = normalize(&["--in-database", "--batch", "1"]);
    assert_eq!((&found["matchers"], &found["updated"]), (&dry["matchers"], &json!(1)));
    assert_eq!((with_key("channel_id"), with_key("site_id"), with_key("channel_lat")), (1, 1, 0));
    assert_eq!(printed(&["find", "elog", "--db", &name, "--count"]), "2\n");

    let one = ["--against", "channel", "--latest", "--load", "lat", "elev=height"];
    let found = normalize(&[&one[..], &["--load-if-defined", "dip"]].concat());
    assert_eq!((&found["updated"], &found["matchers"][0]["matched"]), (&json!(2), &json!(2)));
    assert_eq!((with_key("channel_lat"), with_key("channel_height")), (2, 2));
    let found = normalize(&["--against", "channel", "--latest", "--load", "serial"]);
    assert_eq!(found["matchers"][0]["incomplete"], 2, "{found}");

    let said = printed(&["db", "normalize", "--db", &name, "--no-log"]);
    assert!(said.starts_with("wf_miniseed: 3 documents, 1 updated\n  against  matched"), "{said}");
    let missing = "  no channel matches YA.UV10.00.HHZ at 2010-09-01T0";
    assert!(said.contains("without a match:\n") && said.contains(missing), "{said}");
    assert!(said.contains("2 of channel match YA.UV06.00.HHZ"), "{said}");
}

/// A shot, picks, and a document of `id` that belong to the waveform of UV05.
fn around_a_waveform(store: &EmbeddedStore, id: ObjectId) {
    let chosen = doc! { "sta": "UV05" };
    let mut found = store.find("wf_miniseed", &Find::filter(chosen.clone())).unwrap();
    let start = found.next().unwrap().unwrap().get_f64("starttime").unwrap();
    let shot = doc! { "time": start - 30.0, "lat": 1.0, "lon": 2.0, "depth": 3.0 };
    store.insert("source", &[shot]).unwrap();
    let picks = ["P", "S"].map(|phase| doc! { "sta": "UV05", "time": start + 9.0, "phase": phase });
    store.insert("arrival", &picks).unwrap();
    store.insert("vault", &[doc! { "_id": id, "station": "UV06", "number": 5 }]).unwrap();
    store.update("wf_miniseed", &chosen, &doc! { "$set": { "house": id } }).unwrap();
}

#[test]
fn normalize_matches_by_every_rule() {
    let (name, folder) = indexed();
    let path = folder.path().join("db");
    let id = ObjectId::new();
    with_store(&path, |store| around_a_waveform(store, id));
    let matched = |options: &str| {
        let options: Vec<&str> = options.split(' ').collect();
        let start = ["db", "normalize", "--db", &name, "--no-log", "--against"];
        let found = told(0, &[&start[..], &options].concat());
        found["matchers"][0]["matched"].as_u64().unwrap()
    };
    assert_eq!(matched("source --offset 30"), 1);
    assert_eq!(matched("source --offset 30 --tolerance 4000"), 3);
    assert_eq!(matched("source --by origin"), 0);
    assert_eq!(matched("arrival"), 0, "P and S both lie in it");
    assert_eq!(matched("arrival --phase P --load time phase --no-prefix"), 1);
    assert_eq!(matched("vault --by equality --key sta=station"), 1);
    assert_eq!(matched("vault --by id --key house --load number"), 1);
    let found = printed(&["find", "wf_miniseed", "--db", &name, "--filter", r#"{"sta": "UV05"}"#]);
    let found = json_lines(&found).remove(0);
    assert_eq!((&found["phase"], &found["vault_number"]), (&json!("P"), &json!(5)), "{found}");
    assert_eq!(found["vault_id"]["$oid"], id.to_hex());
}

#[test]
fn help_teaches() {
    for name in ["import", "export", "verify", "clean", "normalize"] {
        let said = printed(&["db", name, "--help"]);
        let parts =
            ["Usage: mspass db ", "\nExamples:\n  mspass db ", "\nExit codes: 0 ", "--db <"];
        assert!(parts.iter().all(|part| said.contains(part)), "{said}");
        assert!(said.lines().all(|line| line.chars().count() <= 100), "{said}");
        assert!(printed(&["db", "--help"]).contains(&format!("\n  {name} ")));
    }
}
