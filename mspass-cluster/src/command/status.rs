//! `mspass status`: what a cluster is doing.

use std::io::Write;
use std::path::PathBuf;

use mspass_actors::job::Expected;

use super::DONE;
use super::failure::Failure;
use super::table::Table;
use crate::cluster::{ClusterStatus, Progress, ask_status, frontend_token};
use crate::frontend::quantity::bytes;
use crate::options::ClusterOptions;

const AFTER_HELP: &str = "\
Examples:
  mspass status --workdir run1
  mspass status --scheduler-address node1:8786 --json

Exit codes: 0 done; 1 no cluster answers; 2 bad input.";

/// Show a running cluster: its nodes, its job, its mailboxes
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// The cluster's workdir
    #[arg(long, value_name = "DIR", env = "MSPASS_WORK_DIR", default_value = "mspass-cluster")]
    workdir: PathBuf,

    #[command(flatten)]
    cluster: ClusterOptions,

    /// One JSON object
    #[arg(long)]
    json: bool,

    /// Print the token for the frontend's `/status` instead: it opens that page, and nothing else
    #[arg(long, conflicts_with = "json")]
    token: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Failure> {
    if arguments.token {
        writeln!(out, "{}", frontend_token(&arguments.workdir, &arguments.cluster)?.reveal())?;
        return Ok(DONE);
    }
    let status = ask_status(&arguments.workdir, &arguments.cluster)?;
    if arguments.json {
        let text = serde_json::to_string(&status).unwrap_or_default();
        writeln!(out, "{text}")?;
    } else {
        print(&status, out)?;
    }
    Ok(DONE)
}

fn print(status: &ClusterStatus, out: &mut dyn Write) -> Result<(), Failure> {
    let mut nodes = Table::new(["node", "roles", "state"], []);
    for node in &status.nodes {
        nodes.push([node.node.clone(), node.roles.join(", "), node.state.clone()]);
    }
    nodes.print(out)?;
    match &status.job {
        None => writeln!(out, "\nno job yet\n")?,
        Some((name, progress)) => writeln!(out, "\njob {name}: {}\n", job(progress))?,
    }
    let mut mailboxes = Table::new(["mailbox", "message", "depth"], [2]);
    for (actor, of, depth) in &status.mailboxes {
        mailboxes.push([actor.clone(), of.clone(), depth.to_string()]);
    }
    Ok(mailboxes.print(out)?)
}

fn job(progress: &Progress) -> String {
    match progress {
        Progress::Unknown => "unknown".to_owned(),
        Progress::Refused(refusal) => format!("refused: {}", refusal.sentence),
        Progress::Indexing { files, done } => format!("indexing, {done} of {files} files"),
        Progress::Running { status, expected } => {
            let totals = &status.totals;
            let phase = match (&status.failure, status.finished, status.drained) {
                (Some(reason), ..) => format!("failed: {reason}"),
                (None, true, _) => "finished".to_owned(),
                (None, false, true) => "drained".to_owned(),
                (None, false, false) => match status.stalled_seconds {
                    Some(seconds) => format!("stalled: no worker for {seconds} s"),
                    None => "running".to_owned(),
                },
            };
            let read = match *expected {
                Expected { bytes: 0, data: 0 } => String::new(),
                Expected { bytes: 0, data } => format!(" of {data} to read"),
                Expected { bytes: all, .. } => {
                    format!(", {} of {} read", bytes(totals.bytes_read), bytes(all))
                }
            };
            format!(
                "{phase}, {} data = {} live + {} dead + {} aborted{read}, {} tasks known, {} set \
                 aside, {} workers",
                totals.entered,
                totals.live,
                totals.dead,
                totals.aborted,
                status.tasks_waiting,
                status.set_aside,
                status.workers
            )
        }
    }
}
