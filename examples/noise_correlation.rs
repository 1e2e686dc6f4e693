//! Correlates ambient noise between stations and stacks it: what every pair of stations has in
//! common, as if one of them were a source of waves.
//!
//! ```text
//! cargo run --release --example noise_correlation                    # a small real sample
//! cargo run --release --example noise_correlation -- --archive DIR   # an SDS tree, or any folder
//! cargo run --release --example noise_correlation -- --processes --workers 3
//! ```
//! Every channel is cut at UTC into windows, which are prepared and made white; the stations'
//! windows of the same time meet, every two are correlated, and the correlations of each
//! pair become one stack. It ends with a table of counts, a report, and a picture of the stacks.
//! Stop it, kill it, start it again: it goes on where it was, and the result is the same.

mod either;

use std::error::Error;
use std::process::ExitCode;

use bson::doc;
use either::Example;
use mspass::actors::Result;
use mspass::cluster::frontend::plot::{Section, SectionRow, plot_sections};
use mspass::core::metadata::Value;
use mspass::core::series::Ensemble;
use mspass::io::db::id::job_id;
use mspass::io::db::{ReadOptions, Waveforms};
use mspass::process::{Bandpass, CorrelatePairs, Detrend, OneBit, Resample, Stack, Taper, Whiten};
use mspass::{ArchivePieces, Database, Find, Save, TimeSeries, Workflow};
use serde::{Deserialize, Serialize};

/// How noise becomes stacks.
#[derive(Clone, Debug, clap::Args, Serialize, Deserialize)]
struct Noise {
    /// Length of the windows, seconds; they start at multiples of it in UTC
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    window_seconds: u32,

    /// Lower corner of the band-pass, Hz
    #[arg(long, value_name = "HZ", default_value_t = 0.1)]
    freqmin: f64,

    /// Upper corner of the band-pass, Hz
    #[arg(long, value_name = "HZ", default_value_t = 4.0)]
    freqmax: f64,

    /// Sampling rate after it, Hz
    #[arg(long, value_name = "HZ", default_value_t = 20.0)]
    sampling_rate: f64,

    /// Keep only the signs of the samples, before the spectrum is made flat
    #[arg(long)]
    one_bit: bool,

    /// Keep the spectrum, rather than make it flat
    #[arg(long)]
    no_whiten: bool,

    /// Lowest frequency of the flat spectrum, Hz
    #[arg(long, value_name = "HZ", default_value_t = 0.1)]
    whitemin: f64,

    /// Highest frequency of the flat spectrum, Hz
    #[arg(long, value_name = "HZ", default_value_t = 1.0)]
    whitemax: f64,

    /// Largest lag of the correlations, seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 20.0)]
    max_lag: f64,
}

impl Noise {
    fn build(&self, mut pieces: ArchivePieces) -> Result<Workflow> {
        pieces.piece_seconds = self.window_seconds;
        let (freqmin, freqmax) = (self.freqmin, self.freqmax);
        let seconds = f64::from(self.window_seconds);
        let mut windows = Workflow::read(pieces)
            .filter("whole windows", move |window| is_whole(window, seconds))
            .map(Detrend::linear())
            .map(Taper::hann(0.05))
            .map(Bandpass { freqmin, freqmax, corners: 4, zerophase: true })
            .map(Resample::to_hz(self.sampling_rate));
        if self.one_bit {
            windows = windows.map(OneBit);
        }
        if !self.no_whiten {
            windows = windows.map(Whiten::band(self.whitemin, self.whitemax));
        }
        windows
            .group_by_fn("window", move |window| number_of(window, seconds))
            .map(CorrelatePairs::up_to(self.max_lag))
            .flat_map("pairs", |pairs: Ensemble<TimeSeries>| Ok::<_, String>(pairs.members))
            .group_by(&["pair"])
            .fold(Stack::mean())
            .save(Save::new().data_tag("stack"))
    }
}

/// Whether a window has all its samples: recordings begin and end, and have gaps.
fn is_whole(window: &TimeSeries, seconds: f64) -> bool {
    window.npts() as f64 > seconds * window.sampling_rate().value() - 0.5
}

/// The number of a window among those of its length since 1970, the same for all stations.
fn number_of(window: &TimeSeries, seconds: f64) -> std::result::Result<i64, &'static str> {
    let start = window.axis.starttime().ok_or("a window without a place in UTC")?;
    Ok((start.seconds() / seconds).round() as i64)
}

/// The stacks under each other, over lag.
fn draw(
    database: &Database,
    job: &str,
) -> std::result::Result<String, Box<dyn Error + Send + Sync>> {
    let find = Find::filter(doc! { "job_id": job_id(job) }).sort(doc! { "pair": 1 });
    let mut rows = Vec::new();
    for stack in Waveforms::new(database).cursor::<TimeSeries>(&find, &ReadOptions::default())? {
        let stack = stack?;
        let text = |key: &str| match stack.metadata.get(key) {
            Some(Value::Text(text)) => text.clone(),
            Some(Value::Int(number)) => number.to_string(),
            _ => String::new(),
        };
        rows.push(SectionRow {
            label: format!("{} – {} · {}", text("sta1"), text("sta2"), text("stack_count")),
            start: stack.axis.start(),
            sampling_rate: stack.sampling_rate().value(),
            samples: stack.samples,
            strong: false,
        });
    }
    let title = "Stacked noise correlations: pair of stations · windows".to_owned();
    let axis = "lag, s (positive: the first station is reached later)";
    Ok(plot_sections(axis, &[Section { title, rows }]))
}

fn main() -> ExitCode {
    let example = Example {
        name: "noise_correlation",
        workdir: "mspass-noise",
        about: "Correlates ambient noise: windows of UTC, detrend, taper, band-pass, resample, \
                whiten, correlate every pair of channels, stack, draw.",
        sample: "sds",
        build: Noise::build,
        draw: Some(draw),
    };
    example.run()
}
