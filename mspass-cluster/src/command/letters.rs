//! `mspass cluster dead-letters`: the tasks that a job has set aside.

use std::io::Write;
use std::path::PathBuf;

use mspass_actors::foreman::DeadLetter;
use mspass_actors::workflow::partition::TaskKey;

use super::DONE;
use super::failure::Failure;
use super::table::Table;
use crate::cluster::dead_letters;
use crate::error::Error;
use crate::options::ClusterOptions;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The cluster's workdir
    #[arg(long, value_name = "DIR", env = "MSPASS_WORK_DIR", default_value = "mspass-cluster")]
    workdir: PathBuf,

    #[command(flatten)]
    cluster: ClusterOptions,

    /// Queue these tasks anew, or all when none is named
    #[arg(long, value_name = "KEY", num_args = 0..)]
    requeue: Option<Vec<String>>,

    /// One JSON array
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Failure> {
    let keys = arguments.requeue.as_ref();
    let keys = keys.map(|keys| keys.iter().map(|key| parse(key)).collect()).transpose()?;
    let (requeued, letters) = dead_letters(&arguments.workdir, &arguments.cluster, keys)?;
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string(&letters).unwrap_or_default())?;
        return Ok(DONE);
    }
    if arguments.requeue.is_some() {
        writeln!(out, "{requeued} tasks queued anew")?;
    }
    print(&letters, out)?;
    Ok(DONE)
}

fn parse(key: &str) -> Result<TaskKey, Error> {
    u128::from_str_radix(key, 16).map(TaskKey).map_err(|_| {
        Error::Option(format!(
            "--requeue {key}: not the key of a task; `mspass cluster dead-letters` shows them"
        ))
    })
}

fn print(letters: &[DeadLetter], out: &mut dyn Write) -> Result<(), Failure> {
    if letters.is_empty() {
        return Ok(writeln!(out, "no task is set aside")?);
    }
    let mut table = Table::new(["task", "archive_file", "part", "worker", "what happened"], []);
    for letter in letters {
        for charge in &letter.charges {
            let part = &letter.partition;
            let key = format!("{:032x}", letter.key.0);
            let datum = charge.datum.as_ref().map(|datum| format!(", at {}", datum.name));
            let reason = format!("{}{}", charge.reason, datum.unwrap_or_default());
            let worker = charge.worker.clone();
            table.push([key, part.origin.to_string(), part.part.to_string(), worker, reason]);
        }
    }
    Ok(table.print(out)?)
}
