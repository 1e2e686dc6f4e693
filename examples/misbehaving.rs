//! What becomes of data whose steps misbehave.
//!
//! ```text
//! cargo run --release --example misbehaving -- --error 06:00 --panic 06:10
//! cargo run --release --example misbehaving -- --abort 06:40        # dies; run it again
//! cargo run --release --example misbehaving -- --processes --workers 3 --error 06:00 \
//!     --panic 06:10 --endless 06:20 --greedy 06:30 --abort 06:40 --memory-limit 1GB \
//!     --datum-timeout 5
//! ```
//! Five minutes of noise at a time are detrended and come to a step of our own, which does what
//! nobody wants to those of one station that begin at the times named. An error or a panic costs
//! the one datum. One that runs for ever, takes all memory, or ends the whole process takes its
//! worker with it; it is tried again alone, and after the third time buried. Each lies in the
//! cemetery with its reason, and all others are saved as if nothing had been.
//!
//! In one process there is nobody to end what runs for ever; after an abort the next start finds
//! out which datum it was, and finishes the rest.

mod either;

use std::process::ExitCode;

use either::Example;
use mspass::actors::Result;
use mspass::core::series::Ensemble;
use mspass::process::{Detrend, Resample, members};
use mspass::{ArchivePieces, Save, TimeSeries, Workflow};
use serde::{Deserialize, Serialize};

const PIECE_SECONDS: u32 = 300;
/// Bytes that the greedy step takes, and those of each time that it takes some.
const GREEDY_BYTES: usize = 100 << 30;
const GREEDY_PIECE: usize = 32 << 20;

/// Which data misbehave, and how.
#[derive(Clone, Debug, Default, clap::Args, Serialize, Deserialize)]
struct Misdeeds {
    /// Station whose data misbehave
    #[arg(long, value_name = "STATION", default_value = "UV06")]
    station: String,

    /// Beginnings of data, UTC, for which the step returns an error
    #[arg(long, value_name = "HH:MM", value_delimiter = ',')]
    error: Vec<String>,

    /// Beginnings of data for which it panics
    #[arg(long, value_name = "HH:MM", value_delimiter = ',')]
    panic: Vec<String>,

    /// Beginnings of data for which it runs for ever
    #[arg(long, value_name = "HH:MM", value_delimiter = ',')]
    endless: Vec<String>,

    /// Beginnings of data for which it takes 100 GB of memory
    #[arg(long, value_name = "HH:MM", value_delimiter = ',')]
    greedy: Vec<String>,

    /// Beginnings of data for which it ends the process
    #[arg(long, value_name = "HH:MM", value_delimiter = ',')]
    abort: Vec<String>,

    /// Beginnings of data for which it ends the process with exit code 1
    #[arg(long, value_name = "HH:MM", value_delimiter = ',')]
    exit: Vec<String>,

    /// Group the data by station, and let the station's group end the process
    #[arg(long)]
    group_aborts: bool,
}

impl Misdeeds {
    fn build(&self, mut pieces: ArchivePieces) -> Result<Workflow> {
        pieces.piece_seconds = PIECE_SECONDS;
        let misdeeds = self.clone();
        let traces = Workflow::read(pieces)
            .map(Detrend::linear())
            .try_map("misbehave", move |trace| misdeeds.misbehave(trace));
        if !self.group_aborts {
            return traces.map(Resample::to_hz(20.0)).save(Save::new());
        }
        let station = self.station.clone();
        traces
            .group_by(&["sta"])
            .map(members::<TimeSeries, _>(Resample::to_hz(20.0)))
            .try_map("look at the group", move |group: Ensemble<TimeSeries>| {
                if group.members.iter().any(|trace| trace.id.station() == station) {
                    std::process::abort();
                }
                Ok::<_, String>(group)
            })
            .save_members(Save::new())
    }

    fn misbehave(&self, trace: TimeSeries) -> std::result::Result<TimeSeries, String> {
        let start = trace.axis.starttime().map(|time| time.to_string()).unwrap_or_default();
        let (_, time) = start.split_once('T').unwrap_or_default();
        let is = |times: &[String]| {
            trace.id.station() == self.station && times.iter().any(|one| time.starts_with(one))
        };
        if is(&self.error) {
            return Err(format!("what begins at {start} is not to our liking"));
        }
        assert!(!is(&self.panic), "what begins at {start} was not expected");
        if is(&self.endless) {
            loop {
                std::thread::park();
            }
        }
        if is(&self.greedy) {
            let eaten: Vec<Vec<u8>> =
                (0..GREEDY_BYTES / GREEDY_PIECE).map(|_| vec![1; GREEDY_PIECE]).collect();
            return Err(format!("{} pieces of memory were free", eaten.len()));
        }
        if is(&self.abort) {
            std::process::abort();
        }
        if is(&self.exit) {
            std::process::exit(1);
        }
        Ok(trace)
    }
}

fn main() -> ExitCode {
    let example = Example {
        name: "misbehaving",
        workdir: "mspass-misbehaving",
        about: "What becomes of data whose steps misbehave: errors, panics, endless loops, memory \
                without end, aborts. Everybody else's data are detrended, resampled and saved.",
        sample: "sds",
        build: Misdeeds::build,
        draw: None,
    };
    example.run()
}
