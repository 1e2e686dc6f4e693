//! A stack of more data than memory holds: a weak wave, buried in noise, rises out of it.
//!
//! ```text
//! cargo run --release --example deep_stack                    # half a gigabyte of traces
//! cargo run --release --example deep_stack -- --traces 32768 --memory-limit 512M     # 4 GB
//! cargo run --release --example deep_stack -- --processes --workers 3
//! ```
//! A source repeats, and a line of stations records it again and again; each trace is noise ten
//! times as large as the wave. No archive is read: the traces are made by their numbers, the same
//! on every node. They are grouped by station, lie in files where a process's memory is too small
//! for them, and each group becomes one stack, however large it is. It ends with a table of counts,
//! a report, and a picture: the wave passes along the line at 3 km/s.

mod either;

use std::error::Error;
use std::process::ExitCode;

use bson::doc;
use either::Example;
use mspass::actors::Result;
use mspass::cluster::frontend::plot::{Section, SectionRow, plot_sections};
use mspass::io::db::id::job_id;
use mspass::io::db::{ReadOptions, Waveforms};
use mspass::process::{Detrend, Stack};
use mspass::{
    ArchivePieces, Database, Find, Hertz, Numbered, Save, SeedId, TimeSeries, UtcTime, Workflow,
};
use serde::{Deserialize, Serialize};

/// Samples a second.
const SAMPLING_RATE: f64 = 20.0;
/// Distance of one station from the next, km.
const SPACING: f64 = 30.0;
/// Speed of the wave, km/s.
const SPEED: f64 = 3.0;
/// The wave leaves the first station so long after the start, seconds.
const ONSET: f64 = 20.0;
/// Samples that a task makes, about.
const SAMPLES_PER_TASK: usize = 1 << 18;
/// Stations in the picture.
const ROWS_MAX: usize = 40;

/// What is recorded.
#[derive(Clone, Debug, clap::Args, Serialize, Deserialize)]
struct Line {
    /// Traces, of all stations together
    #[arg(long, value_name = "N", default_value_t = 4096)]
    traces: u64,

    /// Samples of each, 20 a second
    #[arg(long, value_name = "N", default_value_t = 16_384)]
    npts: usize,

    /// Stations
    #[arg(long, value_name = "N", default_value_t = 16)]
    stations: u64,
}

impl Line {
    fn build(&self, _: ArchivePieces) -> Result<Workflow> {
        let line = self.clone();
        let per_task = (SAMPLES_PER_TASK / self.npts.max(1)).max(1) as u64;
        let traces = Numbered::new("line", self.traces).per_task(per_task);
        Workflow::generate(traces, move |number| line.trace(number))
            .map(Detrend::demean())
            .group_by(&["sta"])
            .fold(Stack::mean())
            .save(Save::new().data_tag("stack"))
    }

    /// Trace number `number`: the wave, and noise of its own.
    fn trace(&self, number: u64) -> TimeSeries {
        let station = number % self.stations.max(1);
        let arrival = ONSET + station as f64 * SPACING / SPEED;
        let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut noise = || {
            // Marsaglia's xorshift: even noise between -10 and 10.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 * (20.0 / (1_u64 << 53) as f64) - 10.0
        };
        let mut samples: Vec<f64> = (0..self.npts).map(|_| noise()).collect();
        let first = ((arrival - 5.0) * SAMPLING_RATE) as usize;
        for (at, sample) in samples.iter_mut().enumerate().skip(first).take(200) {
            // Ricker's wavelet of 0.5 Hz.
            let phase = std::f64::consts::PI * 0.5 * (at as f64 / SAMPLING_RATE - arrival);
            *sample += (1.0 - 2.0 * phase * phase) * (-phase * phase).exp();
        }
        let station = format!("L{station:03}");
        let id = SeedId::new("XX", &station, "", "BHZ").expect("codes of letters and digits");
        let rate = Hertz::new(SAMPLING_RATE).expect("a rate above 0");
        TimeSeries::new(id, UtcTime::default(), rate, samples)
    }
}

/// The stacks of the first stations under each other, until the wave has passed them.
fn draw(
    database: &Database,
    job: &str,
) -> std::result::Result<String, Box<dyn Error + Send + Sync>> {
    let find = Find::filter(doc! { "job_id": job_id(job) }).sort(doc! { "sta": 1 });
    let find = find.limit(ROWS_MAX as u64);
    let mut rows = Vec::new();
    for stack in Waveforms::new(database).cursor::<TimeSeries>(&find, &ReadOptions::default())? {
        let stack = stack?;
        rows.push(SectionRow {
            label: stack.id.station().to_owned(),
            start: stack.axis.start(),
            sampling_rate: stack.sampling_rate().value(),
            samples: stack.samples,
            strong: false,
        });
    }
    let seconds = 2.0 * ONSET + rows.len() as f64 * SPACING / SPEED;
    rows.iter_mut().for_each(|row| row.samples.truncate((seconds * SAMPLING_RATE) as usize));
    let title = "Stacks along the line".to_owned();
    Ok(plot_sections("time, s", &[Section { title, rows }]))
}

fn main() -> ExitCode {
    let example = Example {
        name: "deep_stack",
        workdir: "mspass-deep-stack",
        about: "Stacks more data than memory holds: synthetic traces of a line of stations, \
                grouped by station, stacked, drawn.",
        sample: "",
        build: Line::build,
        draw: Some(draw),
    };
    example.run()
}
