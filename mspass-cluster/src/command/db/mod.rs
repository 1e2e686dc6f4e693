//! `mspass db`: what is done to a database as a whole.

mod export;
mod import;

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mspass_io::dump::Progress;

use super::failure::Failure;
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
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Failure> {
    match &arguments.command {
        Command::Import(arguments) => import::run(arguments, out),
        Command::Export(arguments) => export::run(arguments, out),
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
