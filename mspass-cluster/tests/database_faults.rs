//! `mspass db` on what cannot be: one sentence that names it, exit code 2, nothing half-written.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use bson::{Document, doc};
use mspass_io::store::DocumentStore;

mod program;

use program::{Mounted, embedded, indexed, output_of, printed, refusal, with_store};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Some 8 MB of documents that do not pack.
fn filled(path: &Path) {
    let text = |i: u32| format!("{i}").repeat(100);
    let documents: Vec<Document> =
        (0..20_000).map(|i| doc! { "_id": i, "note": text(i) }).collect();
    with_store(path, |store| store.insert("notes", &documents).unwrap());
}

#[test]
fn an_import_of_what_is_damaged_makes_no_database() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("db");
    let refused = |arguments: &[&str], words: &[&str]| {
        let name = embedded(&db);
        let sentence = refusal(&[&["db", "import", "--db", &name], arguments].concat());
        assert!(words.iter().all(|word| sentence.contains(word)), "{sentence}");
        assert!(!db.exists(), "{sentence}");
    };
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    };
    refused(&["/nowhere/dump"], &["/nowhere/dump", "No such file"]);
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    refused(&[text(&empty)], &["empty", "no .bson or .json file"]);
    file("cut/site.bson", &[100, 0, 0, 0, 2]);
    refused(&[text(&folder.path().join("cut"))], &["site.bson", "byte 0"]);
    file("odd/site.json", b"{\"_id\": 1}\n{\"_id\": ");
    refused(&[text(&folder.path().join("odd"))], &["site.json", "byte"]);
    let gone = folder.path().join("gone");
    fs::create_dir(&gone).unwrap();
    fs::write(gone.join("channel.json"), "{\"_id\": 1}\n").unwrap();
    symlink("/nowhere/site.json", gone.join("site.json")).unwrap();
    refused(&[text(&gone)], &["site.json", "No such file"]);
    let good = file("good/site.json", b"{\"_id\": 1}\n");
    let good = text(good.parent().unwrap());
    refused(&[good, "--collection", "sites"], &["sites"]);
    refused(&[good, "--dir", "/old"], &["--dir /old", "OLD=NEW"]);

    let stations = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../mspass-io/tests/fixtures/stations/BW_RJOB.xml");
    let whole = fs::read(&stations).unwrap();
    let cut = file("cut.xml", &whole[..whole.len() / 2]);
    // The sound file before it is not saved either.
    refused(&[text(&stations), text(&cut)], &["cut.xml", "line", "byte"]);
    let page = file("page.xml", b"<html><body>502 Bad Gateway</body></html>");
    refused(&[text(&page)], &["page.xml is neither StationXML nor QuakeML"]);
    let events =
        file("events.xml", b"<q:quakeml xmlns:q=\"http://quakeml.org/xmlns/quakeml/1.2\">");
    refused(&[text(&events)], &["events.xml", "QuakeML"]);
    refused(&[text(&stations), "--replace"], &["--replace", "XML"]);
    refused(&[text(&stations), "/nowhere/stations.xml"], &["/nowhere/stations.xml"]);
}

#[test]
fn bad_arguments_are_one_sentence_and_change_nothing() {
    let (name, folder) = indexed();
    let documents = || printed(&["find", "wf_miniseed", "--db", &name, "--canonical"]);
    let before = documents();
    let full = folder.path().join("full");
    fs::create_dir(&full).unwrap();
    let mine = full.join("mine");
    fs::write(&mine, "mine").unwrap();
    let out = folder.path().join("out");
    let schema = folder.path().join("schema.yaml");
    fs::write(&schema, "Database: [").unwrap();
    let cases: [(&[&str], &[&str]); 20] = [
        (&["export", text(&full)], &["full is not empty"]),
        (&["export", text(&mine)], &["mine"]),
        (&["export", text(&out), "--collection", "sites"], &["'sites'", "wf_miniseed"]),
        (&["verify", "wf_minised"], &["'wf_minised'", "wf_miniseed"]),
        (&["verify", "archive"], &["'archive'"]),
        (&["verify", "--test", "all"], &["all", "xref, type"]),
        (&["verify", "--filter", "{sta"], &["--filter", "not JSON"]),
        (&["verify", "--filter", r#"{"_id": {"$near": 1}}"#], &["$near"]),
        (&["verify", "--schema", "/nowhere.yaml"], &["/nowhere.yaml"]),
        (&["verify", "--schema", text(&schema)], &["schema.yaml"]),
        (&["clean", "wf_minised"], &["'wf_minised'"]),
        (&["clean", "wf_miniseed", "--rename", "npts"], &["--rename npts", "OLD=NEW"]),
        (&["clean", "wf_miniseed", "--rename", "npts=n"], &["npts is a key"]),
        (&["normalize"], &["'channel'", "bring it in first"]),
        (&["normalize", "sites"], &["'sites'"]),
        (&["normalize", "--against", "vault"], &["--by", "vault", "equality"]),
        (&["normalize", "--by", "equality"], &["--by equality", "--key"]),
        (&["normalize", "--phase", "P"], &["--phase", "--by miniseed", "--by arrival"]),
        (&["normalize", "--batch", "0"], &["--batch", "1..="]),
        (&["normalize", "--by", "id", "--key", "a=b"], &["--key a=b"]),
    ];
    for (arguments, words) in cases {
        let sentence = refusal(&[&["db"], arguments, &["--db", &name]].concat());
        assert!(words.iter().all(|word| sentence.contains(word)), "{sentence}");
        assert!(!out.exists() && names(&full) == ["mine"], "{sentence}");
    }
    assert_eq!(documents(), before);
    let absent = folder.path().join("absent");
    for command in ["export", "verify", "clean", "normalize"] {
        let more: &[&str] = match command {
            "export" => &["out"],
            "clean" => &["site"],
            _ => &[],
        };
        let db = embedded(&absent);
        let sentence = refusal(&[&["db", command, "--db", &db], more].concat());
        assert!(sentence.contains("absent") && !absent.exists(), "{sentence}");
    }
}

#[test]
fn an_export_to_a_full_disk_leaves_nothing_there() {
    let Some(disk) = Mounted::new("size=1m") else { return };
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("db");
    filled(&db);
    let name = embedded(&db);
    for form in [&[][..], &["--json"]] {
        let into = disk.path().join("carried");
        let sentence = refusal(&[&["db", "export", text(&into), "--db", &name], form].concat());
        assert!(sentence.contains("No space left") && sentence.contains("notes"), "{sentence}");
        assert!(names(disk.path()).is_empty(), "{:?}", names(disk.path()));
    }
}

#[test]
fn an_import_onto_a_full_disk_is_completed_once_there_is_room() {
    let Some(disk) = Mounted::new("size=48m") else { return };
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("db");
    filled(&source);
    let carried = folder.path().join("carried");
    printed(&["db", "export", text(&carried), "--db", &embedded(&source)]);
    let ballast = disk.path().join("ballast");
    fs::write(&ballast, vec![7; 42 << 20]).unwrap();
    let name = embedded(&disk.path().join("db"));
    let import = ["db", "import", text(&carried), "--db", &name];
    let sentence = refusal(&import);
    assert!(sentence.contains("No space left") && sentence.contains("make room"), "{sentence}");
    fs::remove_file(&ballast).unwrap();
    // Whole documents are there or none, and the same command goes on.
    printed(&import);
    assert!(printed(&["diff", &embedded(&source), &name]).starts_with("equal: 20000 documents"));
}

#[test]
fn a_change_on_a_full_disk_is_made_whole_or_not_at_all() {
    let Some(disk) = Mounted::new("size=48m") else { return };
    let db = disk.path().join("db");
    let wave = |i: i64| doc! { "_id": i, "npts": i.to_string(), "note": "x".repeat(4000) };
    let documents: Vec<Document> = (0..500).map(wave).collect();
    with_store(&db, |store| store.insert("wf_TimeSeries", &documents).unwrap());
    let name = embedded(&db);
    let documents = || printed(&["find", "wf_TimeSeries", "--db", &name, "--canonical"]);
    let before = documents();
    // All that is left, and a little more than that.
    let full = fs::write(disk.path().join("ballast"), vec![7; 64 << 20]);
    assert!(full.is_err());
    let sentence = refusal(&["db", "clean", "wf_TimeSeries", "--db", &name]);
    assert!(sentence.contains("No space left"), "{sentence}");
    fs::remove_file(disk.path().join("ballast")).unwrap();
    assert_eq!(documents(), before);
    let said = printed(&["db", "clean", "wf_TimeSeries", "--db", &name]);
    assert!(said.contains("500 changed"), "{said}");
}

#[test]
fn a_read_only_disk_is_one_sentence() {
    let Some(disk) = Mounted::new("size=1m,ro") else { return };
    let (name, folder) = indexed();
    let into = disk.path().join("carried");
    let sentence = refusal(&["db", "export", text(&into), "--db", &name]);
    assert!(sentence.contains("carried") && sentence.contains("Read-only"), "{sentence}");
    let carried = folder.path().join("carried");
    printed(&["db", "export", text(&carried), "--db", &name]);
    let db = embedded(&disk.path().join("db"));
    let sentence = refusal(&["db", "import", text(&carried), "--db", &db]);
    assert!(sentence.contains("/db") && sentence.contains("Read-only"), "{sentence}");
}

/// Whether this process may change its user: true for root.
fn may_become_nobody() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let own = status.lines().find(|line| line.starts_with("Uid:")).unwrap_or_default();
    own.split_whitespace().nth(2) == Some("0")
}

#[test]
fn a_folder_without_the_right_to_write_is_one_sentence() {
    if !may_become_nobody() {
        println!("SKIPPED: this user cannot become another");
        return;
    }
    let (name, folder) = indexed();
    let carried = folder.path().join("carried");
    printed(&["db", "export", text(&carried), "--db", &name]);
    // Where nobody may look, and the program too.
    let copy = folder.path().join("mspass");
    fs::copy(env!("CARGO_BIN_EXE_mspass"), &copy).unwrap();
    let open_to_all = fs::Permissions::from_mode(0o755);
    for path in [folder.path(), &copy] {
        fs::set_permissions(path, open_to_all.clone()).unwrap();
    }
    let into = folder.path().join("again");
    let db = embedded(&folder.path().join("other"));
    let secret = folder.path().join("secret");
    fs::create_dir(&secret).unwrap();
    fs::write(secret.join("site.json"), "{\"_id\": 1}\n").unwrap();
    fs::set_permissions(secret.join("site.json"), fs::Permissions::from_mode(0o000)).unwrap();
    let before = names(folder.path()).len();
    let cases: [(&[&str], &str); 4] = [
        (&["db", "import", text(&carried), "--db", &db], "other"),
        (&["db", "import", text(&secret), "--db", &db], "site.json"),
        (&["db", "export", text(&into), "--db", &name], "db"),
        (&["db", "clean", "wf_miniseed", "--db", &name], "db"),
    ];
    for (arguments, word) in cases {
        let mut command = Command::new(&copy);
        let output = output_of(command.args(arguments).uid(65534).gid(65534));
        let sentence = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{sentence}");
        assert!(sentence.contains(word) && sentence.contains("Permission denied"), "{sentence}");
        assert_eq!((sentence.lines().count(), output.stdout.len()), (1, 0), "{sentence}");
        assert_eq!(names(folder.path()).len(), before, "{sentence}");
    }
}
