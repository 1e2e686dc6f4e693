//! Aligns an earthquake after the other on its P wave, and stacks them.
//!
//! ```text
//! cargo run --release --example event_gathers        # 13 earthquakes at CX.PB01, Chile
//! cargo run --release --example event_gathers -- --archive DIR --arrivals FILE
//! cargo run --release --example event_gathers -- --processes --workers 2
//! ```
//! Every trace is detrended, tapered and band-passed, and learns from a table which arrival it
//! holds; the three components of an event become a seismogram, which is turned to radial,
//! transverse and vertical, set to time zero at the arrival, cut and scaled. All that is saved, and
//! the stack over the events for each direction. It ends with a table of counts, a report, and a
//! picture of the gather and its stack.

mod either;
mod gathers;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bson::doc;
use either::Example;
use gathers::{Arrival, GATHER, Gathers, JoinArrivals, STACK};
use mspass::actors::Result;
use mspass::cluster::frontend::plot::{Section, SectionRow, plot_sections};
use mspass::core::metadata::Value;
use mspass::io::db::id::job_id;
use mspass::io::db::{ReadOptions, Waveforms};
use mspass::process::{Bandpass, Detrend, Taper};
use mspass::{ArchivePieces, Database, Find, TimeSeries, UtcTime, Workflow};
use serde::{Deserialize, Serialize};

/// Longest piece that is read at once: no record of an event is cut, unless at midnight.
const DAY_SECONDS: u32 = 86_400;

/// Which events, and how they become gathers.
#[derive(Clone, Debug, clap::Args, Serialize, Deserialize)]
struct Events {
    /// Table of arrivals: origin_id, net, sta, phase, utc, distance_deg, back_azimuth
    #[arg(long, value_name = "FILE", default_value = concat!(
        env!("CARGO_MANIFEST_DIR"), "/examples/data/gathers/arrivals.csv"
    ), hide_default_value = true)]
    arrivals: PathBuf,

    /// Lower corner of the band-pass, Hz
    #[arg(long, value_name = "HZ", default_value_t = 0.4)]
    freqmin: f64,

    /// Upper corner of the band-pass, Hz
    #[arg(long, value_name = "HZ", default_value_t = 1.5)]
    freqmax: f64,

    #[command(flatten)]
    gathers: Gathers,
}

impl Events {
    fn build(&self, mut pieces: ArchivePieces) -> Result<Workflow> {
        pieces.piece_seconds = DAY_SECONDS;
        let (freqmin, freqmax) = (self.freqmin, self.freqmax);
        let traces = Workflow::read(pieces)
            .map(Detrend::linear())
            .map(Taper::hann(0.01))
            .map(Bandpass { freqmin, freqmax, corners: 2, zerophase: true });
        self.gathers.build(traces, join(&self.arrivals)?)
    }
}

fn join(path: &Path) -> Result<JoinArrivals> {
    let arrivals = Arrival::read(path).map_err(mspass::actors::Error::Refused)?;
    Ok(JoinArrivals::new(&arrivals)?)
}

/// The gather of the first station and its stack below, a column for each direction.
fn draw(
    database: &Database,
    job: &str,
) -> std::result::Result<String, Box<dyn Error + Send + Sync>> {
    let mut columns: BTreeMap<String, Vec<SectionRow>> = BTreeMap::new();
    let mut station = None;
    for (tag, strong) in [(GATHER, false), (STACK, true)] {
        let filter = doc! { "job_id": job_id(job), "data_tag": tag };
        let find = Find::filter(filter).sort(doc! { "net": 1, "sta": 1, "arrival_time": 1 });
        let read = ReadOptions::default();
        for trace in Waveforms::new(database).cursor::<TimeSeries>(&find, &read)? {
            let trace = trace?;
            let of = (trace.id.network().to_owned(), trace.id.station().to_owned());
            if *station.get_or_insert_with(|| of.clone()) != of {
                continue;
            }
            let (label, start) = (label(&trace, strong), trace.axis.start());
            let sampling_rate = trace.sampling_rate().value();
            let row = SectionRow { label, start, sampling_rate, samples: trace.samples, strong };
            columns.entry(trace.id.to_string()).or_default().push(row);
        }
    }
    let sections = columns.into_iter().map(|(title, rows)| Section { title, rows });
    let sections: Vec<Section> = sections.collect();
    Ok(plot_sections("time after P, s", &sections))
}

/// When the wave arrived, and from how far.
fn label(trace: &TimeSeries, is_stack: bool) -> String {
    let number = |key: &str| trace.metadata.get(key).and_then(|value| f64::try_from(value).ok());
    if is_stack {
        return format!("stack of {}", number("stack_count").unwrap_or_default());
    }
    let time = UtcTime::from_seconds(number("arrival_time").unwrap_or_default()).to_string();
    let phase = match trace.metadata.get("arrival_phase") {
        Some(Value::Text(phase)) => phase,
        _ => "",
    };
    let day = time.split('T').next().unwrap_or_default();
    format!("{day} · {phase} · {:.0}°", number("arrival_delta").unwrap_or_default())
}

fn main() -> ExitCode {
    let example = Example {
        name: "event_gathers",
        workdir: "mspass-gathers",
        about: "Gathers of earthquakes: detrend, taper, band-pass, join arrivals, bundle three \
                components, rotate, align on P, cut, scale, save, stack over events, draw.",
        sample: "gathers/waveforms",
        build: Events::build,
        draw: Some(draw),
    };
    example.run()
}
