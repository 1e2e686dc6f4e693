//! A host with a runtime and work of its own, and two clusters inside it: each has scheduler,
//! workers and db, runs a workflow with steps and data of the host's own, and tells an actor of
//! the host's own what it finds.
//!
//! ```text
//! cargo run --release --manifest-path examples/embedding/Cargo.toml -- WORKDIR
//! ```
//! prints one JSON object for each cluster, with its counts and its loudest moment, and one for
//! the host, which goes on ticking meanwhile.

mod levels;
mod loudest;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use levels::{Levels, WindowLevels};
use loudest::{AskLoudest, Loudest};
use mspass::cluster::launch::{Composition, EmbeddedJob};
use mspass::process::Detrend;
use mspass::{ArchivePieces, DatabaseName, Save, Workflow};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let workdir = std::env::args_os().nth(1).unwrap_or_else(|| "mspass-embedding".into());
    let workdir = PathBuf::from(workdir);
    let (minutes, seconds) = (workdir.join("minutes"), workdir.join("seconds"));
    let clusters = async { tokio::try_join!(measure(&minutes, 60.0), measure(&seconds, 1.0)) };
    let (mut clock, mut ticks) = (tokio::time::interval(Duration::from_millis(5)), 0);
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    tokio::pin!(clusters);
    let (minutes, seconds) = loop {
        tokio::select! { _ = clock.tick() => ticks += 1, ended = &mut clusters => break ended? }
    };
    println!("{minutes}\n{seconds}\n{}", serde_json::json!({ "ticks": ticks }));
    Ok(())
}

/// A cluster that saves the level of the sample archive over windows of so many seconds.
async fn measure(workdir: &Path, seconds: f64) -> Result<serde_json::Value, Box<dyn Error>> {
    let db = DatabaseName::Embedded(workdir.join("db"));
    let roles = Composition { db, scheduler: workdir.to_owned(), workers: vec![1, 1] };
    let cluster = roles.start().await?;
    let loudest = Loudest::start(cluster.runtime());
    let workflow = Workflow::read(ArchivePieces::hours("sample"))
        .map(Detrend::linear())
        .map(WindowLevels { seconds })
        .try_map("tell_loudest", loudest.teller(cluster.runtime()))
        .try_map("trace_of_levels", Levels::into_trace)
        .save(Save::new().data_tag("levels"))?;
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/sds");
    let job = EmbeddedJob { name: "levels".to_owned(), archive, fresh: true };
    let counts = cluster.run(workflow, job).await?.totals;
    let loudest = loudest.mailbox.ask(AskLoudest, Duration::from_secs(10)).await?;
    cluster.stop().await?;
    Ok(serde_json::json!({
        "workdir": workdir, "in": counts.entered, "live": counts.live, "dead": counts.dead,
        "aborted": counts.aborted, "saved": counts.saved, "loudest": loudest,
    }))
}
