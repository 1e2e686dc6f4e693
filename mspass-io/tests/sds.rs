//! The station-days of `../shared/data/sds` hold what ObsPy reads from them, and are told by their
//! headers alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mspass_io::archive::{ScanOptions, scan_file, walk};
use serde_json::Value;

mod expectation;

fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/sds");
    if folder.join("expected.json").exists() {
        return Some(folder);
    }
    println!("skipped: there is no {}", folder.display());
    None
}

#[test]
fn samples_are_those_of_obspy() {
    let Some(folder) = folder() else { return };
    let expected = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let expected: BTreeMap<String, Value> = serde_json::from_str(&expected).unwrap();
    for (name, due) in &expected {
        expectation::check(&folder.join(name), due).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

#[test]
fn headers_tell_one_run_a_day() {
    let Some(folder) = folder() else { return };
    let found = walk(&folder).unwrap();
    assert_eq!((found.files.len(), found.errors.len()), (4, 0));
    for file in &found.files {
        let scan = scan_file(&folder.join(&file.relative), &ScanOptions::default()).unwrap();
        if file.relative == "expected.json" {
            assert_eq!((scan.runs.len(), scan.error_count), (0, 1));
            continue;
        }
        let [run] = &scan.runs[..] else { panic!("{} runs", scan.runs.len()) };
        assert_eq!((run.npts, run.sampling_rate), (8_640_000, 100.0));
        assert_eq!(run.starttime.to_string(), "2010-09-01T00:00:00Z");
        assert_eq!(run.endtime.to_string(), "2010-09-01T23:59:59.99Z");
        assert_eq!((run.extent.foff, run.extent.nbytes), (0, file.size));
        assert_eq!(run.extent.record_length, Some(4096));
        assert!(scan.bytes_read < file.size / 16, "{} bytes read", scan.bytes_read);
    }
}
