//! What becomes of data whose steps misbehave.
//!
//! ```text
//! cargo run --release --example misbehaving -- --error 1 --panic 2
//! cargo run --release --example misbehaving -- --abort 7        # dies; run it again
//! cargo run --release --example misbehaving -- --processes --workers 3 \
//!     --error 1 --panic 2 --endless 3 --greedy 4 --abort 5 --memory-limit 1GB --datum-timeout 5
//! ```
//! Hours of noise are detrended and come to a step of our own, which does to some of them what
//! nobody wants: the hours named for it, at the station named. An error or a panic costs the one
//! datum. One that runs for ever, takes all memory, or ends the whole process takes its worker
//! with it; it is tried again alone, and after the third time buried. Each lies in the cemetery
//! with its reason, and all others are saved as if nothing had been.
//!
//! In one process there is nobody to end what runs for ever; after an abort the next start finds
//! out which datum it was, and finishes the rest.

mod either;

use std::process::ExitCode;
use std::time::Duration;

use either::Example;
use mspass::actors::Result;
use mspass::core::series::Ensemble;
use mspass::process::{Detrend, Resample, members};
use mspass::{ArchivePieces, Save, TimeSeries, Workflow};
use serde::{Deserialize, Serialize};

/// Bytes that the greedy step takes, and those of each time that it takes some.
const GREEDY_BYTES: usize = 100 << 30;
const GREEDY_PIECE: usize = 32 << 20;
const HOUR_SECONDS: f64 = 3600.0;

/// Which data misbehave, and how.
#[derive(Clone, Debug, Default, clap::Args, Serialize, Deserialize)]
struct Misdeeds {
    /// Station whose data misbehave
    #[arg(long, value_name = "STATION", default_value = "UV06")]
    station: String,

    /// Hours of the day, UTC, for which the step returns an error
    #[arg(long, value_name = "HOUR", value_delimiter = ',')]
    error: Vec<u32>,

    /// Hours for which it panics
    #[arg(long, value_name = "HOUR", value_delimiter = ',')]
    panic: Vec<u32>,

    /// Hours for which it runs for ever
    #[arg(long, value_name = "HOUR", value_delimiter = ',')]
    endless: Vec<u32>,

    /// Hours for which it takes 100 GB of memory
    #[arg(long, value_name = "HOUR", value_delimiter = ',')]
    greedy: Vec<u32>,

    /// Hours for which it ends the process
    #[arg(long, value_name = "HOUR", value_delimiter = ',')]
    abort: Vec<u32>,

    /// Group the hours by station, and let the station's group end the process
    #[arg(long)]
    group_aborts: bool,
}

impl Misdeeds {
    fn build(&self, pieces: ArchivePieces) -> Result<Workflow> {
        let misdeeds = self.clone();
        let hours = Workflow::read(pieces)
            .map(Detrend::linear())
            .try_map("misbehave", move |trace| misdeeds.misbehave(trace));
        if !self.group_aborts {
            return hours.map(Resample::to_hz(20.0)).save(Save::new());
        }
        let station = self.station.clone();
        hours
            .group_by(&["sta"])
            .map(members::<TimeSeries, _>(Resample::to_hz(20.0)))
            .try_map("abort", move |group: Ensemble<TimeSeries>| {
                if group.members.iter().any(|trace| trace.id.station() == station) {
                    std::process::abort();
                }
                Ok::<_, String>(group)
            })
            .save_members(Save::new())
    }

    fn misbehave(&self, trace: TimeSeries) -> std::result::Result<TimeSeries, String> {
        let start = trace.axis.starttime().map_or(0.0, |time| time.seconds());
        let hour = (start / HOUR_SECONDS) as u64 % 24;
        let is = |hours: &[u32]| {
            trace.id.station() == self.station && hours.iter().any(|one| u64::from(*one) == hour)
        };
        if is(&self.error) {
            return Err(format!("hour {hour} is not to our liking"));
        }
        assert!(!is(&self.panic), "hour {hour} was not expected");
        if is(&self.endless) {
            loop {
                std::thread::sleep(Duration::from_secs(1));
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
