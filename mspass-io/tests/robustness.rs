//! Damaged files and noise: no panic, no hang, and what is left out is told.
//!
//! `MSPASS_FUZZ_ROUNDS` sets the number of damaged copies (default 4000), `MSPASS_FUZZ_SEED` the
//! first seed; the seed of a failure is printed.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mspass_io::archive::{ScanOptions, scan_file};
use mspass_io::format::mseed::Records;
use mspass_io::format::{Samples, mseed, read_bytes, sac};

/// Longest that one small file may take, with room for a busy machine.
const TIME_MAX: Duration = Duration::from_secs(5);

/// xorshift64*.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn fixtures() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut files: Vec<PathBuf> = ["waveforms/mseed", "waveforms/sac", "mseed3"]
        .iter()
        .flat_map(|name| std::fs::read_dir(folder.join(name)).expect("fixtures"))
        .map(|entry| entry.expect("a fixture").path())
        .filter(|path| path.extension().is_none_or(|extension| extension != "json"))
        .collect();
    files.sort();
    assert!(files.len() > 50);
    files.iter().map(|path| std::fs::read(path).expect("a fixture")).collect()
}

/// A damaged copy: flipped bits, overwritten, cut, doubled or moved stretches, foreign pieces.
fn damage(random: &mut Random, files: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = files[random.below(files.len())].clone();
    for _ in 0..=random.below(4) {
        let length = bytes.len();
        let at = random.below(length);
        match random.below(9) {
            // headers are where damage tells: near a multiple of 64
            0 | 1 if length > 64 => {
                let at = (at / 64 * 64 + random.below(56)).min(length - 1);
                bytes[at] = random.next() as u8;
            }
            2 if length > 0 => bytes[at] ^= 1 << random.below(8),
            3 => bytes.truncate(at),
            4 => {
                let end = (at + random.below(600)).min(length);
                bytes.drain(at..end);
            }
            5 => {
                let end = (at + random.below(600)).min(length);
                bytes[at..end].iter_mut().for_each(|byte| *byte = random.next() as u8);
            }
            6 => {
                let end = (at + random.below(600)).min(length);
                bytes[at..end].fill([0, 0xff, b' ', b'0'][random.below(4)]);
            }
            7 => {
                let other = &files[random.below(files.len())];
                let from = random.below(other.len());
                let piece = other[from..].iter().take(700).copied().collect::<Vec<u8>>();
                bytes.splice(at..at, piece);
            }
            _ if length > 64 => {
                // a field that counts or points, set to an extreme
                let at =
                    (at / 64 * 64 + [30, 32, 44, 46, 50, 54, 33, 36][random.below(8)]) % length;
                let extreme = [0u8, 1, 0x7f, 0x80, 0xff][random.below(5)];
                bytes[at..(at + 2).min(length)].fill(extreme);
            }
            _ => {}
        }
    }
    bytes
}

#[allow(clippy::disallowed_methods, reason = "a test of how long reading takes")]
fn check(bytes: &[u8]) -> u64 {
    let started = Instant::now();
    let mut traces = 0;
    // room: what is decoded never exceeds seven samples for each four bytes by much
    let samples_max = bytes.len() * 2 + 128;
    for contents in [read_bytes(bytes).ok(), Some(mseed::read(bytes)), Some(sac::read(bytes))] {
        let Some(contents) = contents else { continue };
        let samples: usize = contents.traces.iter().map(|trace| trace.samples.len()).sum();
        assert!(samples <= samples_max, "{samples} samples from {} bytes", bytes.len());
        for trace in &contents.traces {
            assert!(!trace.samples.is_empty() && trace.sampling_rate >= 0.0);
            traces += u64::from(!matches!(trace.samples, Samples::Text(_)));
        }
    }
    let mut records = Records::of_slice(bytes);
    let mut steps = 0;
    while let Some(item) = records.next_header() {
        steps += 1;
        assert!(item.map_or(true, |(offset, header)| {
            offset + u64::from(header.length) <= bytes.len() as u64
        }));
        assert!(steps <= bytes.len() / 20 + 4, "{steps} steps in {} bytes", bytes.len());
    }
    let elapsed = started.elapsed();
    assert!(elapsed < TIME_MAX, "{elapsed:?}");
    traces
}

/// Scans the bytes as a file and reads back the runs found.
fn check_file(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).expect("a file in a temporary folder");
    let scan = scan_file(path, &ScanOptions::default()).expect("a file");
    assert!(!scan.runs.is_empty() || scan.error_count > 0);
    let file = std::fs::File::open(path).expect("a file");
    let mut out = Vec::new();
    for run in scan.runs.iter().take(40) {
        assert!(run.extent.foff + run.extent.nbytes <= bytes.len() as u64);
        out.clear();
        let end = run.endtime + 1;
        let window = mseed::read_window(&file, &run.extent, run.starttime, end, &mut out)
            .expect("a file that can be read");
        assert!(out.len() as u64 <= run.npts, "{} samples of {}", out.len(), run.npts);
        let sound = window.errors.is_empty();
        assert!(!sound || out.len() as u64 == run.npts, "{} of {run:?}", out.len());
    }
}

#[test]
fn damaged_files_do_no_harm() {
    let files = fixtures();
    let rounds = setting("MSPASS_FUZZ_ROUNDS", 4000);
    let first = setting("MSPASS_FUZZ_SEED", 1);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged");
    let mut traces = 0;
    for seed in first..first + rounds {
        let bytes = damage(&mut Random::new(seed), &files);
        let caught = std::panic::catch_unwind(|| {
            if seed % 8 == 0 {
                check_file(&path, &bytes);
            }
            check(&bytes)
        });
        match caught {
            Ok(count) => traces += count,
            Err(_) => panic!("MSPASS_FUZZ_SEED={seed} MSPASS_FUZZ_ROUNDS=1 fails"),
        }
    }
    println!("{rounds} damaged files from seed {first}: {traces} traces read");
    assert!(traces > rounds / 10);
}

#[test]
fn noise_is_no_record() {
    let mut random = Random::new(7);
    println!("seed 7");
    for length in [0, 1, 47, 48, 512, 5000, 1 << 20] {
        let noise: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        assert!(read_bytes(&noise).is_err());
        assert_eq!(mseed::read(&noise).errors.len(), 1);
        assert!(mseed::read(&noise).traces.is_empty());
    }
}
