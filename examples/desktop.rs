//! Prepares an archive of raw miniSEED for noise studies, on this machine, in one process.
//!
//! ```text
//! cargo run --release --example desktop                             # a small real sample
//! cargo run --release --example desktop -- --archive DIR            # an SDS tree, or any folder
//! ```
//! Every hour of every channel is detrended, tapered, band-passed and resampled, then saved with
//! its history in `mspass-desktop/db`. Stop it, kill it, start it again: it goes on where it was,
//! and the result is the same. It ends with a table of counts and the path of a report to look at.

mod prepare;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use mspass::{DesktopOptions, desktop};
use prepare::Prepare;

/// Prepares an archive of raw miniSEED: index, cut at UTC hours, detrend, taper, band-pass,
/// resample, save, report.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    #[command(flatten)]
    desktop: DesktopOptions,

    #[command(flatten)]
    prepare: Prepare,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/sds");
    desktop::run(&options.desktop, &sample, |pieces| options.prepare.build(pieces))
}
