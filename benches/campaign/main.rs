//! Long randomised trials, run by hand or at night; the test suite runs a slice of each.
//!
//! ```sh
//! cargo bench --bench campaign                          # lists the campaigns
//! cargo bench --bench campaign -- NAME --seed S --count N
//! ```
//!
//! A campaign prints its seed, its progress and last the line
//! `campaign NAME: N runs, F failed, seed S`. It ends with 1 if any run failed. The seed decides
//! what is drawn; what the machine does at that moment it cannot decide.

#![allow(clippy::disallowed_methods)] // campaigns are drivers: they read the clock and wait

mod cluster;
mod deep_stack;
mod desktop_kill;
mod faults;
#[path = "../../tests/hosts/mod.rs"]
mod hosts;
mod programs;
#[path = "../../mspass-io/tests/campaign/queries.rs"]
mod queries;
#[path = "../raw_archive/mod.rs"]
mod raw_archive;
#[path = "../signal/mod.rs"]
mod signal;
#[path = "../../mspass-actors/tests/simulate/mod.rs"]
mod simulate;
#[path = "../../mspass-io/tests/campaign/store_kill.rs"]
mod store_kill;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use bson::doc;
use mspass_io::store::mongo::{MongoOptions, MongoStore, MongodOptions, MongodServer};
use mspass_io::store::{DocumentStore, EmbeddedOptions, EmbeddedStore, MemoryStore};

/// What the user chose.
#[derive(Debug)]
struct Choice {
    seed: u64,
    /// Runs to make; each campaign has its own default.
    count: Option<usize>,
    /// Folder of raw data, for campaigns that read one.
    archive: Option<PathBuf>,
}

/// What came out.
#[derive(Debug)]
struct Tally {
    runs: usize,
    failed: usize,
}

struct Campaign {
    name: &'static str,
    about: &'static str,
    run: fn(&Choice) -> Result<Tally, String>,
}

/// Every campaign. To add one: a module beside this file with the trial itself, an entry here,
/// and a slice of it in the tests.
const CAMPAIGNS: [Campaign; 6] = [
    Campaign {
        name: "deep-stack",
        about: "stacks N traces in little memory, then over workers of which one is killed",
        run: deep_stack,
    },
    Campaign {
        name: "desktop-kill",
        about: "kills the desktop job at random moments, restarts it, compares the end result",
        run: desktop_kill,
    },
    Campaign {
        name: "faults",
        about: "kills, stops, adds, drains and cuts off a cluster's processes, compares the result",
        run: faults,
    },
    Campaign {
        name: "queries",
        about: "asks memory, the embedded store and a real mongod the same random queries",
        run: queries,
    },
    Campaign {
        name: "simulate",
        about: "lives through histories of a foreman, its workers and their links, judges each",
        run: simulate,
    },
    Campaign {
        name: "store-kill",
        about: "kills a process that writes to the embedded store, checks all it acknowledged",
        run: store_kill,
    },
];

fn deep_stack(choice: &Choice) -> Result<Tally, String> {
    let settings = deep_stack::Settings {
        seed: choice.seed,
        traces: choice.count.map_or(deep_stack::TRACES, |count| count as u64),
        folder: Path::new(env!("CARGO_TARGET_TMPDIR")).join("deep-stack"),
    };
    let wrong = deep_stack::run(&settings, &mut |line| println!("{line}"))?;
    wrong.iter().for_each(|wrong| println!("FAILED: {wrong}"));
    Ok(Tally { runs: settings.traces as usize, failed: wrong.len() })
}

const DESKTOP_KILLS: usize = 200;

fn desktop_kill(choice: &Choice) -> Result<Tally, String> {
    let settings = desktop_kill::Settings {
        seed: choice.seed,
        kills: choice.count.unwrap_or(DESKTOP_KILLS),
        archive: choice.archive.clone(),
        folder: Path::new(env!("CARGO_TARGET_TMPDIR")).join("desktop-kill"),
    };
    let outcome = desktop_kill::run(&settings, &mut |line| println!("{line}"))?;
    Ok(Tally { runs: outcome.kills, failed: outcome.failures.len() })
}

const FAULT_SEQUENCES: usize = 50;

fn faults(choice: &Choice) -> Result<Tally, String> {
    let count = choice.count.unwrap_or(FAULT_SEQUENCES);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults");
    let settings = faults::Settings::random(choice.seed, count, folder);
    let failures = faults::run(&settings, &mut |line| println!("{line}"))?;
    Ok(Tally { runs: count, failed: failures.len() })
}

const HISTORIES: usize = 100_000;

/// Histories between two lines of progress.
const HISTORIES_TOLD: usize = 10_000;

fn simulate(choice: &Choice) -> Result<Tally, String> {
    let count = choice.count.unwrap_or(HISTORIES);
    let (mut failed, mut whole) = (0, simulate::History::default());
    for number in 0..count {
        match simulate::live(choice.seed.wrapping_add(number as u64)) {
            Ok(history) => {
                whole.tasks += history.tasks;
                whole.set_aside += history.set_aside;
                whole.events += history.events;
                whole.kills += history.kills;
                whole.recalls += history.recalls;
                whole.poison += history.poison;
                whole.missing += history.missing;
            }
            Err(fault) => {
                failed += 1;
                println!("FAILED: {fault}");
            }
        }
        if (number + 1).is_multiple_of(HISTORIES_TOLD) {
            println!("{} histories", number + 1);
        }
    }
    println!("{whole:?}");
    Ok(Tally { runs: count, failed })
}

const STORE_KILLS: usize = 500;

fn store_kill(choice: &Choice) -> Result<Tally, String> {
    let count = choice.count.unwrap_or(STORE_KILLS);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("store-kill");
    let this = std::env::current_exe().map_err(|error| format!("where am I? {error}"))?;
    let program = || std::process::Command::new(&this);
    let gone = |error: std::io::Error| format!("cannot empty {}: {error}", folder.display());
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(gone)?;
    }
    match store_kill::campaign(&folder.join("db"), count, choice.seed, program) {
        Ok(summary) => {
            println!("{summary:?}");
            std::fs::remove_dir_all(&folder).map_err(gone)?;
            Ok(Tally { runs: summary.kills, failed: 0 })
        }
        Err(fault) => {
            println!("FAILED, kept in {}: {fault}", folder.display());
            Ok(Tally { runs: count, failed: 1 })
        }
    }
}

const QUERIES: usize = 100_000;

/// Queries between two lines of progress.
const QUERIES_TOLD: usize = 10_000;

fn queries(choice: &Choice) -> Result<Tally, String> {
    let count = choice.count.unwrap_or(QUERIES);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("queries");
    let _ = std::fs::remove_dir_all(&folder);
    let text = |error: mspass_io::Error| error.to_string();
    let server = MongodServer::start(&folder.join("mongod"), &MongodOptions::default());
    let server = server.map_err(text)?;
    let mongo = MongoStore::open(&server.uri("queries"), &MongoOptions::default()).map_err(text)?;
    let embedded = EmbeddedStore::open(folder.join("db"), &EmbeddedOptions::default());
    let embedded = embedded.map_err(text)?;
    for keys in [doc! { "a": 1 }, doc! { "b": -1, "c": 1 }, doc! { "a.b": 1, "d": -1 }] {
        embedded.create_index("queries", &keys).map_err(text)?;
    }
    let memory = MemoryStore::new();
    let stores: [queries::Named<'_>; 3] =
        [("memory", &memory), ("embedded", &embedded), ("MongoDB", &mongo)];
    let summary = queries::campaign(&stores, count, choice.seed, &mut |asked| {
        if asked.is_multiple_of(QUERIES_TOLD) {
            println!("{asked} queries");
        }
    })?;
    summary.told.iter().for_each(|told| println!("{told}"));
    println!("{} found something, {} refused by all", summary.found, summary.refused);
    drop((mongo, embedded));
    server.stop().map_err(text)?;
    std::fs::remove_dir_all(&folder).map_err(|error| error.to_string())?;
    Ok(Tally { runs: summary.queries, failed: summary.different })
}

fn usage() -> String {
    let mut text = String::from(
        "usage: cargo bench --bench campaign -- NAME [--seed S] [--count N] [--archive DIR]\n\n\
         NAME is one of\n",
    );
    for campaign in &CAMPAIGNS {
        text += &format!("  {:14} {}\n", campaign.name, campaign.about);
    }
    text + "\nWithout --seed one is taken from the time of day, and printed.\n"
}

/// Reads the arguments; `Ok(None)` asks for the list. Cargo adds `--bench` by itself.
fn parse(arguments: &[String]) -> Result<Option<(&'static Campaign, Choice)>, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let mut choice = Choice { seed: now as u64 % 1_000_000, count: None, archive: None };
    let mut chosen = None;
    let mut rest = arguments.iter().filter(|argument| *argument != "--bench");
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().ok_or(format!("{argument} wants a value"));
        let whole = |text: &String| format!("{argument} {text}: not a whole number");
        match argument.as_str() {
            "--seed" => choice.seed = value().and_then(|v| v.parse().map_err(|_| whole(v)))?,
            "--count" => {
                choice.count = Some(value().and_then(|v| v.parse().map_err(|_| whole(v)))?);
            }
            "--archive" => choice.archive = Some(PathBuf::from(value()?)),
            "--help" | "-h" => return Ok(None),
            name if chosen.is_none() => {
                let found = CAMPAIGNS.iter().find(|campaign| campaign.name == name);
                chosen = Some(found.ok_or(format!("there is no campaign {name}\n\n{}", usage()))?);
            }
            other => return Err(format!("what is {other}?\n\n{}", usage())),
        }
    }
    Ok(chosen.map(|campaign| (campaign, choice)))
}

fn main() -> ExitCode {
    // A campaign may start this program again, as the process to be killed.
    store_kill::write_if_asked();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (campaign, choice) = match parse(&arguments) {
        Ok(Some(chosen)) => chosen,
        Ok(None) => {
            print!("{}", usage());
            return ExitCode::SUCCESS;
        }
        Err(sentence) => {
            eprintln!("{sentence}");
            return ExitCode::from(2);
        }
    };
    println!("campaign {}: seed {}", campaign.name, choice.seed);
    let (tally, broken) = match (campaign.run)(&choice) {
        Ok(tally) => (tally, false),
        Err(sentence) => {
            eprintln!("campaign {}: {sentence}", campaign.name);
            (Tally { runs: 0, failed: 0 }, true)
        }
    };
    let Tally { runs, failed } = tally;
    println!("campaign {}: {runs} runs, {failed} failed, seed {}", campaign.name, choice.seed);
    ExitCode::from(u8::from(broken || failed > 0))
}
