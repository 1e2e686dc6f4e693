//! Prepares an archive of raw miniSEED for noise studies, on this machine, in one process.
//!
//! ```text
//! cargo run --release --example desktop                             # a small real sample
//! cargo run --release --example desktop -- --archive DIR            # an SDS tree, or any folder
//! ```
//! Every hour of every channel is detrended, tapered, band-passed and resampled, then saved with
//! its history in `mspass-desktop/db`. Stop it, kill it, start it again: it goes on where it was,
//! and the result is the same. It ends with a table of counts and the path of a report to look at.

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use mspass::process::{Bandpass, Detrend, Resample, Taper};
use mspass::{DesktopOptions, Save, Workflow, desktop};

/// Prepares an archive of raw miniSEED: index, cut at UTC hours, detrend, taper, band-pass,
/// resample, save, report.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    #[command(flatten)]
    desktop: DesktopOptions,

    /// Length of the pieces, seconds; they start at multiples of it in UTC
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    piece_seconds: u32,

    /// Part of a piece that is tapered at each end
    #[arg(long, value_name = "FRACTION", default_value_t = 0.05)]
    taper: f64,

    /// Lower corner of the band-pass, Hz
    #[arg(long, value_name = "HZ", default_value_t = 0.05)]
    freqmin: f64,

    /// Upper corner of the band-pass, Hz
    #[arg(long, value_name = "HZ", default_value_t = 8.0)]
    freqmax: f64,

    /// Corners (order) of the band-pass
    #[arg(long, value_name = "N", default_value_t = 4)]
    corners: usize,

    /// Filter forward only, with the phase shift that this brings
    #[arg(long)]
    one_pass: bool,

    /// Sampling rate of the result, Hz
    #[arg(long, value_name = "HZ", default_value_t = 20.0)]
    sampling_rate: f64,

    /// A name of your own for this stage of processing, kept in every document saved
    #[arg(long, value_name = "TAG")]
    data_tag: Option<String>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/sds");
    desktop::run(&options.desktop, &sample, |mut pieces| {
        pieces.piece_seconds = options.piece_seconds;
        let (freqmin, freqmax) = (options.freqmin, options.freqmax);
        let (corners, zerophase) = (options.corners, !options.one_pass);
        Workflow::read(pieces)
            .map(Detrend::linear())
            .map(Taper::hann(options.taper))
            .map(Bandpass { freqmin, freqmax, corners, zerophase })
            .map(Resample::to_hz(options.sampling_rate))
            .save(Save { data_tag: options.data_tag.clone() })
    })
}
