//! The `mspass` command: looks at waveform files, indexes archives, queries, compares and draws.
//!
//! One module a subcommand. Results go to standard output, everything else to standard error; a
//! reader that closes the pipe ends the command quietly.

mod cluster;
mod database;
mod db;
mod diff;
mod failure;
mod find;
mod history;
mod index;
mod letters;
mod plot;
mod read;
mod replay;
mod status;
mod table;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use failure::Failure;

/// Exit code of a command that did what it was asked.
const DONE: u8 = 0;
/// Exit code of a command that failed, or that found a difference.
const FAILED: u8 = 1;
/// Exit code of a command that was asked for something that cannot be.
const BAD_INPUT: u8 = 2;

const DATABASE: &str = "The database: embedded:PATH (a folder), or mongodb://HOST:PORT/NAME";

const AFTER_HELP: &str = "\
Examples:
  mspass read day.mseed                          what is in a waveform file
  mspass index archive --db embedded:work/db     index a folder of miniSEED files
  mspass find wf_miniseed --db embedded:work/db  look at what was indexed
  mspass diff embedded:a/db embedded:b/db        whether two databases are equal
  mspass history ID --db embedded:work/db        what a saved waveform was made of, and how
  mspass plot day.mseed                          a picture of its traces
  mspass cluster local --workers 3               a cluster on this machine, until Ctrl-C
  mspass status                                  what it is doing
  mspass db export carried --db embedded:work/db the database in files

`mspass COMMAND --help` says more of each, with examples.

Exit codes: 0 done; 1 failed (of diff: the databases differ); 2 bad input.";

/// Seismic data from the command line: read waveform files, index archives, query and compare
/// databases, draw traces, start clusters
#[derive(Debug, Parser)]
#[command(name = "mspass", version, after_help = AFTER_HELP)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Read(read::Arguments),
    Index(index::Arguments),
    Find(find::Arguments),
    Diff(diff::Arguments),
    History(history::Arguments),
    Replay(replay::Arguments),
    Plot(plot::Arguments),
    Db(db::Arguments),
    Cluster(cluster::Arguments),
    Status(status::Arguments),
}

/// Does what the command line `arguments` ask for, the program's own name first among them, and
/// gives the exit code: 0 done, 1 failed, 2 bad input.
///
/// ```
/// let code = mspass_cluster::command::run(["mspass", "find", "site", "--db", "nowhere"]);
/// assert_eq!(code, std::process::ExitCode::from(2));
/// ```
pub fn run<I>(arguments: I) -> ExitCode
where
    I: IntoIterator<Item: Into<OsString> + Clone>,
{
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return explain(&error),
    };
    let mut out = io::stdout().lock();
    let ended = match arguments.command {
        Command::Read(arguments) => read::run(&arguments, &mut out),
        Command::Index(arguments) => index::run(&arguments, &mut out),
        Command::Find(arguments) => find::run(&arguments, &mut out),
        Command::Diff(arguments) => diff::run(&arguments, &mut out),
        Command::History(arguments) => history::run(&arguments, &mut out),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Plot(arguments) => plot::run(&arguments, &mut out),
        Command::Db(arguments) => db::run(&arguments, &mut out),
        Command::Cluster(arguments) => cluster::run(arguments, &mut out),
        Command::Status(arguments) => status::run(&arguments, &mut out),
    };
    let ended = ended.and_then(|code| Ok(out.flush().map(|()| code)?));
    let (code, sentence) = match ended {
        Ok(code) => return ExitCode::from(code),
        Err(Failure::ClosedPipe) => return ExitCode::from(DONE),
        Err(Failure::BadInput(sentence)) => (BAD_INPUT, sentence),
        Err(Failure::Failed(sentence)) => (FAILED, sentence),
    };
    complain(&sentence);
    ExitCode::from(code)
}

/// Prints help to standard output, or what is wrong with the arguments to standard error.
fn explain(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Nothing is left to say where standard output is closed.
        drop(error.print());
        return ExitCode::from(DONE);
    }
    let text = error.render().to_string();
    match text.strip_prefix("error: ") {
        Some(text) => complain(&one_sentence(text)),
        None => drop(error.print()),
    }
    ExitCode::from(BAD_INPUT)
}

/// What is wrong and perhaps a tip, without the summary of the usage.
fn one_sentence(text: &str) -> String {
    let is_told = |part: &&str| !part.starts_with("Usage:") && !part.starts_with("For more");
    let parts = text.split("\n\n").map(str::trim).filter(|part| !part.is_empty() && is_told(part));
    let joined = |part: &str| part.split_whitespace().collect::<Vec<_>>().join(" ");
    let sentence = parts.map(joined).collect::<Vec<_>>().join("; ");
    format!("{sentence}; --help says more")
}

/// A line on standard error, which may be closed.
fn complain(sentence: &str) {
    drop(writeln!(io::stderr(), "mspass: {sentence}"));
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        super::Arguments::command().debug_assert();
    }
}
