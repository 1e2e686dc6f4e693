//! Slices of the campaigns on whole programs: killed, interrupted and disturbed, their end results
//! equal that of an undisturbed run, document for document.
//!
//! `MSPASS_CAMPAIGN_SEED` (default 1) draws the moments; `MSPASS_CAMPAIGN_COUNT` is the number of
//! kills of the desktop (default 12) and of random sequences of faults (default 2).

#[path = "../benches/campaign/cluster.rs"]
mod cluster;
#[path = "../benches/campaign/deep_stack.rs"]
mod deep_stack;
#[path = "../benches/campaign/desktop_kill.rs"]
mod desktop_kill;
#[path = "../benches/campaign/faults.rs"]
mod faults;
mod hosts;
#[path = "../benches/campaign/programs.rs"]
mod programs;
#[path = "../benches/raw_archive/mod.rs"]
mod raw_archive;
#[path = "../benches/signal/mod.rs"]
mod signal;

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cluster::Layout;
use faults::Fault;

/// Programs on trial run alone, so that the moments drawn fall into their work.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn a_killed_job_ends_like_an_undisturbed_one() {
    let _alone = alone();
    let seed = number("MSPASS_CAMPAIGN_SEED", 1);
    let kills = number("MSPASS_CAMPAIGN_COUNT", 12) as usize;
    println!("desktop kill campaign: {kills} kills, seed {seed}");
    let folder = folder("desktop-kill-slice");
    let settings = desktop_kill::Settings { seed, kills, archive: None, folder };
    let outcome = desktop_kill::run(&settings, &mut |line| println!("{line}"));
    let outcome = outcome.expect("the campaign can be carried out");
    assert!(outcome.kills >= kills, "{} of {kills} kills", outcome.kills);
    assert!(outcome.failures.is_empty(), "{:#?}", outcome.failures);
}

#[test]
fn a_stack_of_more_data_than_memory_is_the_same_though_a_worker_is_killed() {
    let _alone = alone();
    let seed = number("MSPASS_CAMPAIGN_SEED", 1);
    let traces = deep_stack::TRACES / 10;
    println!("deep stack campaign: {traces} traces, seed {seed}");
    let settings = deep_stack::Settings { seed, traces, folder: folder("deep-stack-slice") };
    let wrong = deep_stack::run(&settings, &mut |line| println!("{line}"));
    let wrong = wrong.expect("the campaign can be carried out");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn hold(settings: &faults::Settings) {
    let failures = faults::run(settings, &mut |line| println!("{line}"));
    let failures = failures.expect("the campaign can be carried out");
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn a_cluster_survives_each_fault_alone() {
    let _alone = alone();
    let seed = number("MSPASS_CAMPAIGN_SEED", 1);
    let alone = |layout, fault| faults::Sequence { layout, faults: vec![fault] };
    let launched = Fault::ALL.map(|fault| alone(Layout::Launched, fault));
    let spread = [Fault::KillScheduler, Fault::KillDb, Fault::KillLauncher, Fault::Cut(20.0)]
        .map(|fault| alone(Layout::Spread, fault));
    let sequences = [&launched[..], &spread[..]].concat();
    println!("faults, each alone: {} jobs, seed {seed}", sequences.len());
    hold(&faults::Settings { seed, sequences, folder: folder("faults-alone") });
}

#[test]
fn a_cluster_survives_random_faults() {
    let _alone = alone();
    let seed = number("MSPASS_CAMPAIGN_SEED", 1);
    let count = number("MSPASS_CAMPAIGN_COUNT", 2) as usize;
    println!("faults campaign: {count} sequences, seed {seed}");
    hold(&faults::Settings::random(seed, count, folder("faults-slice")));
}
