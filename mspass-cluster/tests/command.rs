//! The `mspass` command as a person runs it: the real program, on real data.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]
#![allow(clippy::disallowed_methods, reason = "a refusal must come within a second")]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bson::oid::ObjectId;
use bson::{Document, doc};
use mspass_core::{Hertz, TimeSeries};
use mspass_io::db::{encode_samples, wf_document};
use mspass_io::store::mongo::{MongodOptions, MongodServer};
use mspass_io::store::{Blob, BlobStore, DocumentStore, EmbeddedOptions, EmbeddedStore};
use serde_json::{Value, json};

mod program;

use program::{code, command, indexed, json_lines, mspass, out, printed, refusal, sample};

/// Formats of `expected.json` without a reader here.
const NOT_COVERED: [&str; 4] = ["SEGY", "SU", "GSE1", "GSE2"];

/// Waveform files of all kinds: those of `MSPASS_WAVEFORMS_DIR`, else those beside the workspace,
/// else the copy in the repository.
fn waveforms() -> PathBuf {
    if let Some(folder) = std::env::var_os("MSPASS_WAVEFORMS_DIR") {
        return folder.into();
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = here.join("../../shared/data/waveforms");
    if shared.exists() { shared } else { here.join("../mspass-io/tests/fixtures/waveforms") }
}

fn uv05() -> String {
    let path = "2010/YA/UV05/HHZ.D/YA.UV05.00.HHZ.D.2010.244";
    sample().join(path).to_str().unwrap().to_owned()
}

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or_else(|| panic!("{key} of {value}"))
}

fn agrees(due: &Value, found: &Value, is_sac: bool) -> bool {
    let late = number(due, "starttime_ns") - number(found, "starttime_ns");
    let in_time = late.abs() <= if is_sac { 1e6 } else { 1e3 };
    if due["id"] != found["id"] || due["npts"] != found["npts"] || !in_time {
        return false;
    }
    if due.get("text").is_some() {
        return due["text"] == found["text"];
    }
    let tolerance = 1e-9 * number(due, "npts") * number(due, "abs_max");
    let rate = number(due, "sampling_rate");
    (rate - number(found, "sampling_rate")).abs() <= 1e-9 * rate
        && (number(due, "sum") - number(found, "sum")).abs() <= tolerance
        && (number(due, "abs_max") - number(found, "abs_max")).abs() <= tolerance
}

fn is_covered(name: &str, due: &Value) -> bool {
    let is_known = |trace: &Value| !NOT_COVERED.contains(&trace["format"].as_str().unwrap());
    match due["traces"].as_array() {
        Some(traces) => traces.iter().all(is_known),
        None => !name.starts_with("gse2/") && !name.starts_with("segy/"),
    }
}

#[test]
fn read_tells_what_is_in_every_file() {
    let folder = waveforms();
    let expected = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let expected: serde_json::Map<String, Value> = serde_json::from_str(&expected).unwrap();
    let expected: Vec<_> = expected.iter().filter(|(name, due)| is_covered(name, due)).collect();
    let mut arguments = vec!["read".into(), "--json".into()];
    arguments.extend(expected.iter().map(|(name, _)| folder.join(name).into_os_string()));
    let output = mspass(&arguments);
    // Some of the files are no waveform files.
    assert_eq!(code(&output), 1, "{output:?}");
    let lines = json_lines(&out(&output));
    assert!(lines.len() > 30);
    assert_eq!(lines.len(), expected.len());
    for (found, (name, due)) in lines.iter().zip(&expected) {
        assert!(found["file"].as_str().unwrap().ends_with(name.as_str()));
        let (traces, errors) = (found["traces"].as_array(), found["errors"].as_array());
        let (traces, errors) = (traces.unwrap(), errors.unwrap());
        let Some(due_traces) = due["traces"].as_array() else {
            assert!(errors[0]["offset"].is_u64() && errors[0]["reason"].is_string(), "{found}");
            continue;
        };
        let due_traces: Vec<_> = due_traces.iter().filter(|trace| trace["npts"] != 0).collect();
        assert_eq!(traces.len(), due_traces.len(), "{name}");
        let is_sac = name.starts_with("sac/");
        for due in due_traces {
            assert!(traces.iter().any(|found| agrees(due, found, is_sac)), "{name}: {due}");
        }
    }
}

#[test]
fn read_prints_a_table() {
    let text = printed(&["read", &uv05()]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].contains("HHZ.D.2010.244: miniSEED, 1 trace, 418,764 samples"), "{text}");
    let head: Vec<&str> = lines[1].split_whitespace().collect();
    assert_eq!(head, ["id", "npts", "rate", "start", "duration", "abs_max"]);
    let row: Vec<&str> = lines[2].split_whitespace().collect();
    assert_eq!((row[0], row[2], row[3]), ("YA.UV05.00.HHZ", "100", "Hz"), "{text}");
    assert!(row[4].starts_with("2010-09-01T05:55:14.44Z"), "{text}");
    assert!(text.lines().all(|line| line == line.trim_end()));
}

#[test]
fn read_lists_errors_under_the_sound_traces() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.mseed");
    let mut bytes = std::fs::read(uv05()).unwrap();
    bytes.truncate(10 * 4096 + 100);
    bytes[3 * 4096..4 * 4096].fill(7);
    std::fs::write(&path, &bytes).unwrap();
    let path = path.to_str().unwrap();
    let found = json_lines(&printed(&["read", "--json", path])).remove(0);
    assert_eq!(found["format"], "miniSEED");
    assert!(found["traces"].as_array().unwrap().len() >= 2, "{found}");
    let errors = found["errors"].as_array().unwrap();
    let offsets: Vec<u64> = errors.iter().map(|e| e["offset"].as_u64().unwrap()).collect();
    assert!(offsets.contains(&(3 * 4096)) && offsets.contains(&(10 * 4096)), "{found}");
    let text = printed(&["read", path]);
    assert!(text.contains("\n  error at byte 12288: "), "{text}");

    let empty = folder.path().join("empty");
    std::fs::write(&empty, b"").unwrap();
    let output = mspass(&["read", empty.to_str().unwrap()]);
    assert_eq!(code(&output), 1);
    assert!(out(&output).contains("empty: no waveforms\n  error at byte 0: an empty file\n"));
}

#[test]
fn read_refuses_what_is_no_file() {
    let sentence = refusal(&["read", &uv05(), "/nonexistent/day.mseed"]);
    assert!(sentence.contains("/nonexistent/day.mseed") && sentence.contains("No such file"));
    assert!(refusal(&["read", sample().to_str().unwrap()]).contains("is a folder"));
}

#[test]
fn index_adds_only_what_is_new_or_changed() {
    let (name, folder) = indexed();
    let archive = folder.path().join("archive");
    let again = || {
        let arguments = ["index", archive.to_str().unwrap(), "--db", &name, "--json"];
        json_lines(&printed(&arguments)).remove(0)
    };
    let counts =
        |found: &Value| ["new", "changed", "unchanged", "runs"].map(|key| found[key].clone());
    let found = again();
    assert_eq!(counts(&found), [0, 0, 4, 3]);
    assert_eq!(found["bytes_read"], 0);
    assert_eq!(found["without_waveforms_named"][0]["file"], "notes.txt");
    std::fs::copy(uv05(), archive.join("notes.txt")).unwrap();
    std::fs::copy(uv05(), archive.join("twice")).unwrap();
    let found = again();
    assert_eq!(counts(&found), [1, 1, 3, 5]);
    assert_eq!(found["without_waveforms"], 0);

    assert!(refusal(&["index", "/nonexistent", "--db", &name]).contains("/nonexistent"));
    let sentence = refusal(&["index", sample().to_str().unwrap(), "--db", &name]);
    assert!(sentence.contains("has the root"), "{sentence}");
    let unmade = folder.path().join("unmade");
    refusal(&["index", "/nonexistent", "--db", &format!("embedded:{}", unmade.display())]);
    assert!(!unmade.exists());
}

#[test]
fn find_prints_documents_that_match() {
    let (name, _folder) = indexed();
    let find = |more: &[&str]| printed(&[&["find", "wf_miniseed", "--db", &name], more].concat());
    let found = json_lines(&find(&["--filter", r#"{"sta": "UV05"}"#]));
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&found[0]["dfile"], &found[0]["delta"]),
        (&json!("YA.UV05.00.HHZ.D.2010.244"), &json!(0.01))
    );
    assert_eq!(found[0]["_id"]["$oid"].as_str().unwrap().len(), 24);

    let keys = r#"{"sta": 1, "_id": 0}"#;
    let sorted = ["--sort", r#"{"sta": -1}"#, "--projection", keys];
    assert_eq!(find(&sorted), "{\"sta\":\"UV10\"}\n{\"sta\":\"UV06\"}\n{\"sta\":\"UV05\"}\n");
    let part = [&sorted[..], &["--skip", "1", "--limit", "1"]].concat();
    assert_eq!(find(&part), "{\"sta\":\"UV06\"}\n");
    let pretty = [&sorted[..], &["--limit", "1", "--pretty"]].concat();
    assert_eq!(find(&pretty), "{\n  \"sta\": \"UV10\"\n}\n");
    let canonical = ["--projection", r#"{"npts": 1, "_id": 0}"#, "--canonical", "--limit", "1"];
    assert!(find(&canonical).starts_with(r#"{"npts":{"$numberLong":""#));
    assert_eq!(find(&["--count", "--filter", r#"{"sta": {"$ne": "UV05"}}"#]), "2\n");

    // A number and an _id that were printed find their document again.
    let (end, id) = (&found[0]["endtime"], &found[0]["_id"]);
    let again = json!({ "endtime": end, "_id": id }).to_string();
    assert_eq!(json_lines(&find(&["--filter", &again])), found);
    assert_eq!(find(&["--filter", r#"{"sta": "NONE"}"#]), "");
}

#[test]
fn find_says_what_is_wrong() {
    let (name, folder) = indexed();
    let find = |more: &[&str]| refusal(&[&["find", "wf_miniseed", "--db", &name], more].concat());
    assert!(find(&["--filter", "{\"sta\":\n \"UV05\",}"]).contains("at line 2 column 9"));
    assert!(find(&["--filter", "{sta: 1}"]).contains("--filter: not JSON"));
    assert!(find(&["--sort", "[1]"]).contains("--sort: not a JSON object"));
    assert!(find(&["--filter", r#"{"a": {"$near": 1}}"#]).contains("$near"));
    assert!(find(&["--filter", r#"{"_id": {"$oid": "12"}}"#]).contains("no extended JSON"));

    let output = mspass(&["find", "wf_minised", "--db", &name]);
    assert_eq!((code(&output), out(&output).as_str()), (0, ""));
    let hint = String::from_utf8(output.stderr).unwrap();
    assert!(hint.contains("'wf_minised'") && hint.contains("archive_file, wf_miniseed"), "{hint}");

    assert!(refusal(&["find", "site", "--db", "nowhere"]).contains("embedded:PATH"));
    let absent = folder.path().join("absent");
    let absent_name = format!("embedded:{}", absent.display());
    let refused = [
        refusal(&["find", "site", "--db", &absent_name]),
        refusal(&["diff", &name, &absent_name]),
        refusal(&["plot", &"a".repeat(24), "--db", &absent_name]),
    ];
    assert!(refused.iter().all(|sentence| sentence.contains("absent")), "{refused:?}");
    assert!(!absent.exists());
    let workdir = format!("embedded:{}", folder.path().display());
    assert!(refusal(&["find", "site", "--db", &workdir]).contains(&format!("is it {name}?")));
}

#[test]
fn find_streams_and_ends_quietly_when_nobody_reads_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let store = EmbeddedStore::open(&path, &EmbeddedOptions::default()).unwrap();
    let documents: Vec<Document> =
        (0..50_000).map(|i| doc! { "_id": i, "text": "x".repeat(40) }).collect();
    store.insert("many", &documents).unwrap();
    drop(store);
    let name = format!("embedded:{}", path.display());
    let mut child = command(&["find", "many", "--db", &name])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert!(line.starts_with("{\"_id\":0,"), "{line}");
    // 3 MB do not fit into a pipe: the command is still at work, and then finds it closed.
    assert_eq!(child.try_wait().unwrap(), None);
    drop(lines);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut complaint = String::new();
    child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
    assert_eq!(complaint, "");
}

#[test]
fn a_store_in_use_or_too_new_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let options = EmbeddedOptions { holder: Some("the test".into()), ..EmbeddedOptions::default() };
    let store = EmbeddedStore::open(&path, &options).unwrap();
    let name = format!("embedded:{}", path.display());
    let archive = sample();
    let commands: [&[&str]; 4] = [
        &["find", "site", "--db", &name],
        &["index", archive.to_str().unwrap(), "--db", &name],
        &["diff", &name, &name],
        &["plot", "aaaaaaaaaaaaaaaaaaaaaaaa", "--db", &name],
    ];
    let holder = format!("the test (pid {})", std::process::id());
    for arguments in commands {
        let before = Instant::now();
        let sentence = refusal(arguments);
        assert!(before.elapsed() < Duration::from_secs(1), "{:?}", before.elapsed());
        assert!(sentence.contains("in use by") && sentence.contains(&holder), "{sentence}");
    }
    drop(store);
    std::fs::write(path.join("FORMAT"), "mspass-embedded 99\n").unwrap();
    for arguments in commands {
        let sentence = refusal(arguments);
        assert!(sentence.contains("format 99") && sentence.contains("newer program"), "{sentence}");
    }
}

#[test]
fn diff_tells_equal_from_different() {
    let (a, folder) = indexed();
    let path_b = folder.path().join("copy");
    std::fs::create_dir(&path_b).unwrap();
    for entry in std::fs::read_dir(folder.path().join("db")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), path_b.join(entry.file_name())).unwrap();
    }
    let b = format!("embedded:{}", path_b.display());
    assert!(printed(&["diff", &a, &b]).starts_with("equal: 8 documents in 3 collections"));
    assert!(printed(&["diff", &a, &a]).starts_with("equal: "));

    let store = EmbeddedStore::open(&path_b, &EmbeddedOptions::default()).unwrap();
    let changed = doc! { "$set": { "npts": 7 } };
    store.update("wf_miniseed", &doc! { "sta": "UV06" }, &changed).unwrap();
    store.insert("site", &[doc! { "_id": 1, "sta": "UV05" }]).unwrap();
    drop(store);
    let output = mspass(&["diff", &a, &b]);
    assert_eq!(code(&output), 1);
    let text = out(&output);
    assert!(text.starts_with("different: 2 documents"), "{text}");
    assert!(text.contains("site: 0 and 1 documents, 0 differ, 0 only left, 1 only right"));
    assert!(text.contains("wf_miniseed: 3 and 3 documents, 1 differ"), "{text}");
    assert!(text.contains(": npts is 417600 and 7\n"), "{text}");

    let output = mspass(&["diff", &a, &b, "--json"]);
    assert_eq!(code(&output), 1);
    let found = json_lines(&out(&output)).remove(0);
    assert_eq!(found["equal"], false);
    let last = found["collections"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["name"], &last["differing"]), (&json!("wf_miniseed"), &json!(1)));
    assert_eq!((&last["first"]["key"], &last["first"]["b"]), (&json!("npts"), &json!(7)));

    printed(&["diff", &a, &b, "--collection", "archive", "archive_file"]);
    let sentence = refusal(&["diff", &a, &b, "--collection", "archives"]);
    assert!(sentence.contains("'archives'") && sentence.contains("archive_file"), "{sentence}");
    assert!(refusal(&["diff", &a, "mongo:x"]).contains("'mongo:x'"));
}

/// Runs `plot` in a folder; the name of the picture and its text.
fn drawn(folder: &Path, arguments: &[&str]) -> (String, String) {
    let arguments = [&["plot"][..], arguments].concat();
    let output = command(&arguments).current_dir(folder).output().unwrap();
    assert_eq!(code(&output), 0, "{output:?}");
    let path = out(&output).trim_end().to_owned();
    let svg = std::fs::read_to_string(folder.join(&path)).unwrap();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    (path, svg)
}

#[test]
fn plot_draws_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let (path, svg) = drawn(folder.path(), &[&uv05()]);
    assert_eq!(path, "YA.UV05.00.HHZ.D.2010.244.svg");
    assert!(svg.contains("YA.UV05.00.HHZ") && svg.contains("counts"));
    let hour = "--output hour.svg --spectrum --start 2010-09-01T06:00 --end 2010-09-01T07:00:00Z";
    let file = uv05();
    let arguments: Vec<&str> = std::iter::once(file.as_str()).chain(hour.split(' ')).collect();
    let (path, svg) = drawn(folder.path(), &arguments);
    assert_eq!(path, "hour.svg");
    assert!(svg.contains("360,000 samples") && svg.contains("Power spectral density"));

    assert!(refusal(&["plot", &uv05(), "--output", "a.png"]).contains("*.svg"));
    assert!(refusal(&["plot", &uv05(), "--start", "2011-01-01"]).contains("it runs from 2010-09"));
    assert!(refusal(&["plot", &uv05(), "--start", "noon"]).contains("--start: 'noon'"));
}

#[test]
fn plot_draws_a_saved_waveform() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let store = Arc::new(EmbeddedStore::open(&path, &EmbeddedOptions::default()).unwrap());
    let samples = (0..500).map(|i| (f64::from(i) * 0.1).sin()).collect();
    let (id, seed_id) = (ObjectId::new(), "XX.STA..BHZ".parse().unwrap());
    let start = "2020-02-29T12:00:00".parse().unwrap();
    let trace = TimeSeries::new(seed_id, start, Hertz::new(20.0).unwrap(), samples);
    store.put(&[Blob { id, bytes: encode_samples(&trace.samples) }]).unwrap();
    let mut document = wf_document(id, &trace, &doc! {});
    store.insert("wf_TimeSeries", &[document.clone()]).unwrap();
    let broken = ObjectId::new();
    document.extend(doc! { "_id": broken, "npts": 501 });
    store.insert("wf_TimeSeries", &[document]).unwrap();
    drop(store);
    let db = format!("embedded:{}", path.display());
    let (path, svg) = drawn(folder.path(), &[&id.to_hex(), "--db", &db]);
    assert_eq!(path, format!("{id}.svg"));
    assert!(svg.contains("XX.STA..BHZ") && svg.contains("500 samples"));

    let output = mspass(&["plot", &broken.to_hex(), "--db", &db]);
    assert_eq!(code(&output), 1);
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("npts is 501") && complaint.contains("are 500"), "{complaint}");
    let sentence = refusal(&["plot", "aaaaaaaaaaaaaaaaaaaaaaaa", "--db", &db]);
    assert!(sentence.contains("no document with _id"), "{sentence}");
    assert!(refusal(&["plot", &id.to_hex()]).contains("with --db"));
}

#[test]
fn plot_draws_an_indexed_run_from_its_file() {
    let (name, folder) = indexed();
    let filter = ["--filter", r#"{"sta": "UV10"}"#];
    let found = printed(&[&["find", "wf_miniseed", "--db", &name][..], &filter].concat());
    let id = json_lines(&found)[0]["_id"]["$oid"].as_str().unwrap().to_owned();
    let (path, svg) = drawn(folder.path(), &[&id, "--db", &name]);
    assert_eq!(path, format!("{id}.svg"));
    assert!(svg.contains("YA.UV10.00.HHZ") && svg.contains("counts"));
}

#[test]
fn a_database_of_mongodb_does_as_an_embedded_one() {
    let data = tempfile::tempdir().unwrap();
    let server = MongodServer::start(data.path(), &MongodOptions::default()).unwrap();
    let mongo = server.uri("command");
    let (embedded, folder) = indexed();
    let archive = folder.path().join("archive");
    printed(&["index", archive.to_str().unwrap(), "--db", &mongo]);
    let text = printed(&["diff", &embedded, &mongo]);
    assert!(text.starts_with("equal: 8 documents in 3 collections"), "{text}");
    let find =
        |name: &str| printed(&["find", "wf_miniseed", "--db", name, "--sort", r#"{"_id": 1}"#]);
    let (one, other) = (find(&embedded), find(&mongo));
    assert_eq!((one.lines().count(), one), (3, other));
    let refused = refusal(&["find", "site", "--db", &mongo, "--filter", r#"{"a": {"$no": 1}}"#]);
    assert!(refused.contains("$no"), "{refused}");
    server.stop().unwrap();
    let stopped = format!("{mongo}&serverSelectionTimeoutMS=300");
    let sentence = refusal(&["find", "site", "--db", &stopped]);
    assert!(sentence.contains("no MongoDB server answers"), "{sentence}");
}

#[test]
fn help_teaches() {
    let text = printed(&["--help"]);
    for name in ["read", "index", "find", "diff", "history", "plot"] {
        assert!(text.contains(&format!("\n  {name} ")), "{text}");
        let text = printed(&[name, "--help"]);
        let parts = ["Usage: mspass ", "\nExamples:\n  mspass ", "\nExit codes: 0 "];
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }
    assert_eq!(printed(&["--version"]), format!("mspass {}\n", env!("CARGO_PKG_VERSION")));
    let sentence = refusal(&["find", "--bogus"]);
    assert!(sentence.starts_with("mspass: unexpected argument '--bogus'"), "{sentence}");
    let sentence = refusal(&["find", "site"]);
    assert!(sentence.contains("--db <DB>; --help says more"), "{sentence}");
    assert_eq!(code(&mspass::<&str>(&[])), 2);
}
