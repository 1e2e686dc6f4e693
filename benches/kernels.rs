//! The kernels of the main job, one thread, on an hour of one channel at 100 Hz.
//!
//! Unit: samples of the input per second. Reference: ObsPy 1.5.1 and SciPy 1.17.1 on one core of a
//! 2.8 GHz Xeon virtual machine, 2026-11-23, at 360,000 samples (Msamples/s):
//!
//! | kernel | peer | here | limit of the machine |
//! |---|---|---|---|
//! | demean | 423 | 1,040 | 1,400: two passes over the cache, 24 bytes a sample |
//! | linear detrend | 17.7 | 1,060 | as demean |
//! | Hann taper | | 15,700 | touches a tenth of the trace only |
//! | band-pass, 4 corners, one pass | 77 | 356 | 350: 8 cycles a sample, a section's latency |
//! | the same, zero-phase | 28 | 172 | 175: two passes |
//! | FFT resampling to 20 Hz | 18 | 222 | 220: 54 operations a sample at 12 GFlop/s |
//! | all of it, as the main job does | 6.7 | 90 | 95: the sum of the parts |
//!
//! "Here" is one core of a 2-core 2.6 GHz Xeon virtual machine that others used too, 2026-11-23.
//!
//! ```sh
//! cargo bench --bench kernels
//! ```

#![allow(clippy::disallowed_methods)] // reading the clock is what a bench is for

mod signal;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use mspass_core::kernel::taper::{Shape, Side};
use mspass_core::kernel::{Scratch, detrend, filter, resample, taper};

const NPTS: usize = 360_000;
const NPTS_OUT: usize = NPTS / 5;

/// Times `kernel` on a fresh copy of the samples each time; the copying is not timed.
fn time(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    samples: &[f64],
    mut kernel: impl FnMut(&mut Vec<f64>),
) {
    let mut work = Vec::with_capacity(samples.len());
    group.throughput(Throughput::Elements(samples.len() as u64));
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|rounds| {
            let mut spent = Duration::ZERO;
            for _ in 0..rounds {
                work.clear();
                work.extend_from_slice(samples);
                let started = Instant::now();
                kernel(black_box(&mut work));
                spent += started.elapsed();
            }
            spent
        });
    });
}

fn kernels(criterion: &mut Criterion) {
    let samples: Vec<f64> = signal::counts(NPTS, 1).into_iter().map(f64::from).collect();
    let band = filter::butterworth_bandpass(4, 0.05, 8.0, signal::SAMPLING_RATE);
    let band = band.expect("a band below half the rate");
    let ramp = taper::ramp_npts(NPTS, 0.05).expect("a twentieth");
    let mut scratch = Scratch::new();
    let mut resampled = |x: &mut Vec<f64>| {
        resample::fft(x, NPTS_OUT, &mut scratch).expect("neither length is zero");
    };

    let mut group = criterion.benchmark_group("kernels");
    time(&mut group, "demean", &samples, |x| detrend::demean(x));
    time(&mut group, "detrend_linear", &samples, |x| detrend::linear(x));
    time(&mut group, "taper_hann", &samples, |x| taper::ends(x, ramp, Shape::Hann, Side::Both));
    time(&mut group, "bandpass", &samples, |x| band.filter(x));
    time(&mut group, "bandpass_zerophase", &samples, |x| band.filter_zerophase(x));
    time(&mut group, "resample_fft", &samples, &mut resampled);
    time(&mut group, "main_job", &samples, |x| {
        detrend::linear(x);
        taper::ends(x, ramp, Shape::Hann, Side::Both);
        band.filter_zerophase(x);
        resampled(x);
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    kernels(&mut criterion);
    criterion.final_summary();
}
