//! `mspass replay`: which program can make a saved waveform again.

use mspass_io::db::provenance::{TraceLimits, provenance};

use super::failure::Failure;
use super::history::parse_id;
use super::{DATABASE, database};

const AFTER_HELP: &str = "\
This command knows no workflows. A program that does makes a waveform again from its history, with
the parameters that it was made with, and compares: PROGRAM --workdir DIR --replay ID.

Examples:
  mspass replay 6f2a5d0c9b8e7f6a5b4c3d2e --db embedded:work/db  names the program
  desktop --workdir work --replay 6f2a5d0c9b8e7f6a5b4c3d2e      does it

Exit codes: 2 always: this command cannot do it.";

/// Say which program can make a saved waveform again from its history
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// The _id of a saved waveform, 24 hexadecimal digits
    id: String,

    #[arg(long, help = DATABASE)]
    db: String,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let id = parse_id(&arguments.id)?;
    let database = database::open(&database::parse(&arguments.db)?)?;
    let found = provenance(&database, id, &TraceLimits::default().inputs_max(0))?;
    let made = found.made.unwrap_or_default();
    let program = match &made.program {
        Some(program) => format!("'{program}', which began that job:"),
        None => "the one that ran that job:".to_owned(),
    };
    Err(Failure::bad_input(format!(
        "{id} was made by job '{}', whose workflow this command does not know; use the program \
         {program} --replay {id}, with its --workdir or --db and the job's parameters",
        made.job
    )))
}
