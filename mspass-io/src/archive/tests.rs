use std::fs;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use mspass_core::UtcTime;

use super::*;
use crate::format::mseed::{WriteOptions, read_window, write};
use crate::format::{Samples, Trace};

const START: UtcTime = UtcTime::from_nanos(1_283_299_200_000_000_000);

/// A trace that starts so many samples after `START`, whose samples count from `at`.
fn trace(id: &str, at: i64, npts: i32, sampling_rate: f64) -> Trace {
    Trace {
        id: id.parse().unwrap(),
        publication: 2,
        starttime: START + (at as f64 * 1e9 / sampling_rate).round() as i64,
        sampling_rate,
        samples: Samples::Int((0..npts).map(|i| i + at as i32).collect()),
    }
}

fn bytes(traces: &[Trace]) -> Vec<u8> {
    let options = WriteOptions { record_length: 512, ..Default::default() };
    let mut bytes = Vec::new();
    for trace in traces {
        write(trace.into(), &options, &mut bytes).unwrap();
    }
    bytes
}

fn scan(bytes: &[u8], options: &ScanOptions) -> FileScan {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, bytes).unwrap();
    scan_file(&path, options).unwrap()
}

/// Runs as (id, npts, starttime in samples of 100 Hz).
fn runs(scan: &FileScan) -> Vec<(String, u64, i64)> {
    let place = |run: &Run| (run.starttime - START) / 10_000_000;
    scan.runs.iter().map(|run| (run.id.to_string(), run.npts, place(run))).collect()
}

#[test]
fn a_tree_is_listed_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir_all(root.join("2010/YA")).unwrap();
    fs::create_dir_all(root.join("aside/2010")).unwrap();
    for name in ["2010/YA/b", "2010/YA/a", "z", ".hidden", "aside/2010/c"] {
        fs::write(root.join(name), name).unwrap();
    }
    symlink(root.join("z"), root.join("link_to_file")).unwrap();
    symlink(root, root.join("2010/cycle")).unwrap();
    symlink(root.join("aside"), root.join("2010/again")).unwrap();
    symlink(root.join("nowhere"), root.join("broken_link")).unwrap();
    let odd = std::ffi::OsString::from_vec(b"not\xffutf8".to_vec());
    fs::write(root.join(odd), "").unwrap();
    let found = walk(root).unwrap();
    let names: Vec<&str> = found.files.iter().map(|file| file.relative.as_str()).collect();
    let due = [".hidden", "2010/YA/a", "2010/YA/b", "aside/2010/c", "link_to_file", "z"];
    assert_eq!(names, due);
    assert!(found.files.iter().all(|file| file.mtime_nanos > START.nanos()));
    assert_eq!(found.files[1].size, 9);
    let reasons: Vec<&str> = found.errors.iter().map(|error| error.reason.as_str()).collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(found.errors[0].path.ends_with("broken_link"));
    assert_eq!(reasons[1], "its name is not UTF-8");
}

#[test]
fn a_folder_outside_the_tree_is_followed_once() {
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(outside.path().join("a"), "").unwrap();
    for name in ["first", "second"] {
        symlink(outside.path(), folder.path().join(name)).unwrap();
    }
    let found = walk(folder.path()).unwrap();
    assert_eq!(found.files.len(), 1);
    assert_eq!(found.files[0].relative, "first/a");
}

#[test]
fn a_missing_root_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    assert!(walk(&folder.path().join("nothing")).is_err());
    fs::write(folder.path().join("file"), "").unwrap();
    assert!(walk(&folder.path().join("file")).is_err());
}

#[test]
fn runs_end_at_tears_and_at_other_channels() {
    let (z, n) = ("YA.UV05.00.HHZ", "YA.UV05.00.HHN");
    let file = bytes(&[
        trace(z, 0, 3000, 100.0),
        trace(z, 3000, 2000, 100.0),
        trace(z, 5001, 1000, 100.0),
        trace(n, 0, 500, 100.0),
        trace(z, 6001, 500, 100.0),
        trace(z, 6400, 100, 100.0),
    ]);
    let found = scan(&file, &ScanOptions::default());
    let z = z.to_owned();
    let due = [
        (z.clone(), 5000, 0),
        (z.clone(), 1000, 5001),
        (n.to_owned(), 500, 0),
        (z.clone(), 500, 6001),
        (z, 100, 6400),
    ];
    assert_eq!(runs(&found), due);
    assert_eq!(found.error_count, 0);
    let total: u64 = found.runs.iter().map(|run| run.extent.nbytes).sum();
    assert_eq!(total, file.len() as u64);
    assert!(found.runs.iter().all(|run| run.extent.record_length == Some(512)));
    assert_eq!(found.runs[0].endtime, START + 4999 * 10_000_000);
    let last_packet = found.runs[0].last_packet_time;
    assert!(START + 3000 * 10_000_000 <= last_packet && last_packet <= found.runs[0].endtime);
}

#[test]
fn gaps_are_listed_where_runs_span_them() {
    let id = "YA.UV05.00.HHZ";
    let options = ScanOptions { segment_time_tears: false, ..Default::default() };
    let file = bytes(&[
        trace(id, 0, 1000, 100.0),
        trace(id, 1500, 1000, 100.0),
        trace(id, 2499, 1000, 100.0),
        trace(id, 100, 50, 100.0),
    ]);
    let found = scan(&file, &options);
    assert_eq!(runs(&found), [(id.to_owned(), 3000, 0), (id.to_owned(), 50, 100)]);
    let at = |sample: i64| START + sample * 10_000_000;
    let gaps = [Gap { start: at(1000), end: at(1500) }, Gap { start: at(2500), end: at(2499) }];
    assert_eq!(found.runs[0].gaps, gaps);
}

#[test]
fn a_jitter_under_half_a_sample_is_no_tear() {
    let id = "YA.UV05.00.HHZ";
    for (shift, count) in [(4_900_000, 1), (5_100_000, 2), (-4_900_000, 1), (-5_100_000, 2)] {
        let mut late = trace(id, 1000, 1000, 100.0);
        late.starttime = late.starttime + shift;
        let found = scan(&bytes(&[trace(id, 0, 1000, 100.0), late]), &ScanOptions::default());
        assert_eq!(found.runs.len(), count, "{shift} ns");
    }
}

#[test]
fn rates_within_the_tolerance_are_one() {
    let id = "YA.UV05.00.HHZ";
    let mut other = trace(id, 0, 1000, 100.005);
    other.starttime = START + 10_000_000_000;
    let file = bytes(&[trace(id, 0, 1000, 100.0), other]);
    assert_eq!(scan(&file, &ScanOptions::default()).runs.len(), 1);
    let strict = ScanOptions { sample_rate_tolerance: 1e-5, ..Default::default() };
    assert_eq!(scan(&file, &strict).runs.len(), 2);
}

#[test]
fn another_quality_ends_a_run_if_asked() {
    let id = "YA.UV05.00.HHZ";
    let other = Trace { publication: 4, ..trace(id, 1000, 1000, 100.0) };
    let file = bytes(&[trace(id, 0, 1000, 100.0), other]);
    assert_eq!(scan(&file, &ScanOptions::default()).runs.len(), 2);
    let lenient = ScanOptions { segment_publications: false, ..Default::default() };
    assert_eq!(scan(&file, &lenient).runs.len(), 1);
}

#[test]
fn records_without_samples_make_no_run_and_cut_none() {
    let id = "YA.UV05.00.HHZ";
    let mut file = bytes(&[trace(id, 0, 3000, 100.0)]);
    let mut without = file[..512].to_vec();
    without[30..32].fill(0);
    file.splice(512..512, without.clone());
    let found = scan(&file, &ScanOptions::default());
    assert_eq!(runs(&found), [(id.to_owned(), 3000, 0)]);
    assert_eq!(found.runs[0].extent.nbytes, file.len() as u64);
    let log = Trace { samples: Samples::Text(b"clock locked".to_vec()), ..trace(id, 0, 1, 1.0) };
    for file in [without, bytes(&[log])] {
        let found = scan(&file, &ScanOptions::default());
        assert_eq!((found.runs.len(), found.error_count), (0, 1), "{found:?}");
    }
}

#[test]
fn every_file_without_a_datum_says_why() {
    for (content, reason) in [
        (&b""[..], "an empty file"),
        (b"a text file\n", "12 bytes that are no record"),
        (&bytes(&[trace("YA.UV05.00.HHZ", 0, 10, 100.0)])[..300], "cut 212 bytes short"),
    ] {
        let found = scan(content, &ScanOptions::default());
        assert_eq!((found.runs.len(), found.error_count), (0, 1));
        assert!(found.errors[0].reason.contains(reason), "{}", found.errors[0]);
    }
    assert!(scan_file(Path::new("/nothing/here"), &ScanOptions::default()).is_err());
}

#[test]
fn sound_records_around_a_broken_one_give_runs() {
    let id = "YA.UV05.00.HHZ";
    let mut file = bytes(&[trace(id, 0, 20_000, 100.0)]);
    let broken = 3 * 512;
    file[broken..broken + 10].fill(0xff);
    let found = scan(&file, &ScanOptions::default());
    assert_eq!((found.runs.len(), found.error_count), (2, 1));
    assert_eq!(found.errors[0].offset, broken as u64);
    assert_eq!(found.runs[1].extent.foff, broken as u64 + 512);
    assert!(found.runs.iter().all(|run| run.extent.record_length == Some(512)));
}

#[test]
fn a_run_is_read_back_by_its_extent() {
    let (z, n) = ("YA.UV05.00.HHZ", "YA.UV05.00.HHN");
    let traces = [trace(z, 0, 3000, 100.0), trace(n, 7, 2000, 100.0), trace(z, 3100, 99, 100.0)];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, bytes(&traces)).unwrap();
    let file = fs::File::open(&path).unwrap();
    let found = scan_file(&path, &ScanOptions::default()).unwrap();
    assert_eq!(found.runs.len(), 3);
    for (run, trace) in found.runs.iter().zip(&traces) {
        let mut out = Vec::new();
        let window = read_window(&file, &run.extent, run.starttime, run.endtime + 1, &mut out);
        let window = window.unwrap();
        assert_eq!((window.pieces.len(), window.errors.len()), (1, 0));
        assert_eq!(window.pieces[0].starttime, trace.starttime);
        assert_eq!(out, trace.samples.to_f64());
    }
}

#[test]
fn many_files_are_scanned_on_several_threads() {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<_> = (0..50).map(|i| folder.path().join(format!("{i}"))).collect();
    for (index, path) in paths.iter().enumerate().skip(1) {
        let npts = 100 + index as i32;
        fs::write(path, bytes(&[trace("YA.UV05.00.HHZ", 0, npts, 100.0)])).unwrap();
    }
    let mut npts = vec![0; 50];
    scan_files(&paths, &ScanOptions::default(), 4, |index, result| {
        npts[index] = result.map_or(1, |scan| scan.runs[0].npts);
        ControlFlow::Continue(())
    });
    let due: Vec<u64> = std::iter::once(1).chain(101..150).collect();
    assert_eq!(npts, due);
    let mut count = 0;
    scan_files(&paths, &ScanOptions::default(), 4, |_, _| {
        count += 1;
        if count == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(count, 3);
    scan_files::<&Path>(&[], &ScanOptions::default(), 4, |_, _| panic!("no files"));
}
