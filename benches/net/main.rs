//! Mailboxes across TCP between two processes of this program, each proved to the other, and
//! beside them, in the same minutes, what this machine allows with no actors at all.
//!
//! ```sh
//! cargo bench --bench net -- [--rawloop PROGRAM] [--rounds 5] [--seconds 2] [--only NAME]
//! ```
//!
//! The raw loop is a program of its own: tokio on one thread, loopback TCP and rmp-serde, which
//! takes `--rounds 1 --runtime current --seconds S --only MODE` and prints a line of JSON with
//! `p50_us`, `p99_us`, `per_second` and `gb_per_s`. `MSPASS_BENCH_RAWLOOP` names it as well;
//! without it only our own figures are printed. In every round each measurement runs beside its
//! mode, now the one first and now the other; the ratio is the median of the rounds' ratios.
//!
//! | name | what | mode | target |
//! |---|---|---|---|
//! | ask | question and answer, one in flight; p50 | `echo` | at most 1.3 of it |
//! | ask64 | asks a second, 64 in flight | `ask64` | at least 0.40 |
//! | one-way | messages a second at the receiver, with credits | `oneway` | at least 0.35 |
//! | blobs | 16 MiB each | `bulk` | at least 0.70 |
//! | ask-during-blobs | p99 of asks while blobs flow | `ask-during-pieces` | 3 at most; 20 ms |
//! | stalled-actor, stalled-process | growth of the sender's memory | | at most 32 MiB |

#![allow(clippy::disallowed_methods)] // a driver: it reads the clock and waits

mod drive;
mod ends;
mod messages;
mod raw;
mod stall;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use drive::{Figures, NONE};
use ends::{Link, Result};
use raw::RawLoop;
use stall::Stall;
use table::{Measured, Target};

/// Measures mailboxes across TCP.
#[derive(Debug, Parser)]
struct Choice {
    /// The raw loop's program, to measure beside.
    #[arg(long, env = "MSPASS_BENCH_RAWLOOP")]
    rawloop: Option<PathBuf>,
    /// Rounds of each measurement; the medians are told.
    #[arg(long)]
    rounds: Option<usize>,
    /// Seconds that each measurement takes in a round.
    #[arg(long)]
    seconds: Option<f64>,
    /// The one measurement to make.
    #[arg(long)]
    only: Option<String>,
    /// Be the server, with the secret in this file.
    #[arg(long, hide = true)]
    server: Option<PathBuf>,
    /// Cargo adds this when it benchmarks; without it a moment is enough.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Choice {
    fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.bench { 5 } else { 1 }).max(1)
    }

    fn time(&self) -> Result<Duration> {
        let seconds = self.seconds.unwrap_or(if self.bench { 2.0 } else { 0.1 });
        let time = Duration::try_from_secs_f64(seconds);
        Ok(time.map_err(|_| format!("--seconds {seconds}: not a time that a round can take"))?)
    }
}

/// A measurement and what it is measured against.
struct Measurement {
    name: &'static str,
    /// The raw loop's mode.
    mode: &'static str,
    unit: &'static str,
    /// The figure that is compared, and its unit's worth.
    figure: fn(&Figures) -> f64,
    target: Target,
    run: fn(&Link, Duration) -> Result<Figures>,
}

const MEASUREMENTS: [Measurement; 5] = [
    Measurement {
        name: "ask",
        mode: "echo",
        unit: "us p50",
        figure: |figures| figures.p50_us,
        target: Target::AtMost(1.3),
        run: |link, time| drive::asks(link, 1, time),
    },
    Measurement {
        name: "ask64",
        mode: "ask64",
        unit: "asks/s",
        figure: |figures| figures.per_second,
        target: Target::AtLeast(0.40),
        run: |link, time| drive::asks(link, 64, time),
    },
    Measurement {
        name: "one-way",
        mode: "oneway",
        unit: "messages/s",
        figure: |figures| figures.per_second,
        target: Target::AtLeast(0.35),
        run: drive::one_way,
    },
    Measurement {
        name: "blobs",
        mode: "bulk",
        unit: "GB/s",
        figure: |figures| figures.gb_per_s,
        target: Target::AtLeast(0.70),
        run: drive::blobs,
    },
    Measurement {
        name: "ask-during-blobs",
        mode: "ask-during-pieces",
        unit: "us p99",
        figure: |figures| figures.p99_us,
        target: Target::AtMost(3.0),
        run: drive::asks_during_blobs,
    },
];

const STALLS: [(&str, Stall); 2] =
    [("stalled-actor", Stall::Actor), ("stalled-process", Stall::Process)];
/// How long a stalled receiver is watched; shorter than a silent node is given up.
const STALL_TIME: Duration = Duration::from_secs(5);

fn measure(choice: &Choice) -> Result<()> {
    let (rounds, time) = (choice.rounds(), choice.time()?);
    let raw = choice.rawloop.clone().map(RawLoop);
    let wanted = |name: &str| choice.only.as_deref().is_none_or(|only| only == name);
    let names = MEASUREMENTS.iter().map(|one| one.name).chain(STALLS.map(|(name, _)| name));
    if !names.clone().any(wanted) {
        let names: Vec<_> = names.collect();
        return Err(format!("--only takes one of {}", names.join(", ")).into());
    }
    let chosen = MEASUREMENTS.iter().filter(|one| wanted(one.name));
    let mut all: Vec<_> = chosen.map(|one| (one, Measured::default())).collect();
    println!("{rounds} rounds of {time:?} each, load average before {}", table::load_average());
    let link = Link::new()?;
    for round in 0..rounds {
        for (one, measured) in &mut all {
            let beside = || raw.as_ref().map_or(Ok(NONE), |raw| raw.round(one.mode, time));
            let pair = if round.is_multiple_of(2) {
                let theirs = beside()?;
                ((one.run)(&link, time)?, theirs)
            } else {
                ((one.run)(&link, time)?, beside()?)
            };
            measured.rounds.push(pair);
        }
    }
    drop(link);
    table::heading();
    for (one, measured) in &all {
        table::line(one, measured);
    }
    // Once: what the first receiver made grow would hide what the second does.
    let before = stall::resident_bytes()?;
    for (name, stall) in STALLS.into_iter().filter(|(name, _)| wanted(name)) {
        let time = if choice.bench { STALL_TIME } else { time };
        let most = stall::most_bytes(&Link::new()?, stall, time)?;
        table::growth(name, most.saturating_sub(before));
    }
    println!("load average after {}", table::load_average());
    Ok(())
}

fn main() -> ExitCode {
    let choice = Choice::parse();
    let done = match &choice.server {
        Some(secret) => ends::serve(secret),
        None => measure(&choice),
    };
    if let Err(error) = done {
        eprintln!("net: {error}");
        return ExitCode::from(2);
    }
    ExitCode::SUCCESS
}
