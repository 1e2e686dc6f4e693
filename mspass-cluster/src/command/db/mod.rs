//! `mspass db`: what is done to a database as a whole.

mod clean;
mod export;
mod import;
mod normalize;
mod verify;

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mspass_io::db::schema::Schema;
use mspass_io::dump::Progress;
use mspass_io::store::Database;

use super::failure::Failure;
use crate::desktop::THREADS_MAX;
use crate::frontend::quantity::{bytes, counted};

/// Carry a database in files, and keep it in order
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Import(import::Arguments),
    Export(export::Arguments),
    Verify(verify::Arguments),
    Clean(clean::Arguments),
    Normalize(Box<normalize::Arguments>),
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Failure> {
    match &arguments.command {
        Command::Import(arguments) => import::run(arguments, out),
        Command::Export(arguments) => export::run(arguments, out),
        Command::Verify(arguments) => verify::run(arguments, out),
        Command::Clean(arguments) => clean::run(arguments, out),
        Command::Normalize(arguments) => normalize::run(arguments, out),
    }
}

/// The shipped schema, with what a file adds.
fn schema(file: Option<&Path>) -> Result<Arc<Schema>, Failure> {
    let shipped = Schema::mspass();
    match file {
        Some(file) => Ok(Arc::new(shipped.extended_by_file(file)?)),
        None => Ok(shipped),
    }
}

fn threads(asked: usize) -> usize {
    match asked {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads.min(THREADS_MAX),
    }
}

/// The collections that were named and are there, else all that the schema knows.
fn chosen(database: &Database, named: &[String], schema: &Schema) -> Result<Vec<String>, Failure> {
    let there = database.documents.collections()?;
    if named.is_empty() {
        return Ok(there.into_iter().filter(|name| schema.collection(name).is_some()).collect());
    }
    match named.iter().find(|name| !there.contains(name)) {
        Some(name) => Err(Failure::bad_input(format!(
            "no collection '{name}' here; there are {}",
            there.join(", ")
        ))),
        None => Ok(named.to_vec()),
    }
}

/// A line on a terminal that says how far things are; nothing elsewhere.
fn bar() -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(None, target);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    bar
}

fn show(bar: &ProgressBar, progress: &Progress) {
    let total = match progress.bytes_total {
        0 => String::new(),
        total => format!(" of {}", bytes(total)),
    };
    bar.tick();
    bar.set_message(format!(
        "{} {}: {}{total}, {}",
        progress.doing,
        progress.collection,
        bytes(progress.bytes),
        counted(progress.documents, "document", "documents")
    ));
}
