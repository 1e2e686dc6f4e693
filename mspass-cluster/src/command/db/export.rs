//! `mspass db export`: a database becomes files.

use std::io::Write;
use std::path::PathBuf;

use mspass_io::dump::{ExportOptions, Form, export};

use super::super::failure::Failure;
use super::super::table::Table;
use super::super::{DATABASE, DONE, database};
use crate::frontend::quantity::{bytes, count};

const AFTER_HELP: &str = "\
FOLDER must not be there, or be empty. It gets NAME.bson for each collection, as mongodump writes
them, and fs.files and fs.chunks for the samples; mongorestore and `mspass db import` read them.

Examples:
  mspass db export carried --db embedded:work/db
  mspass db export carried --db mongodb://localhost:27017/quakes --json
  mspass db export carried --db embedded:work/db --collection site channel source

Exit codes: 0 done; 1 failed; 2 bad input.";

/// Write a database into a folder of .bson or extended JSON files
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in super::super) struct Arguments {
    /// Folder of the files, a new or empty one
    folder: PathBuf,

    #[arg(long, help = DATABASE)]
    db: String,

    /// Export these collections only, fs.files for the samples [default: all]
    #[arg(long = "collection", value_name = "NAME", num_args = 1..)]
    collections: Vec<String>,

    /// Write canonical extended JSON, one document a line, in place of BSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Failure> {
    let name = database::parse(&arguments.db)?;
    let database = database::open(&name)?;
    let form = if arguments.json { Form::Json } else { Form::Bson };
    let options = ExportOptions { collections: arguments.collections.clone(), form };
    let bar = super::bar();
    let report = export(&database, &arguments.folder, &options, &mut |p| super::show(&bar, p));
    bar.finish_and_clear();
    let report = report?;
    let mut table = Table::new(["collection", "documents"], [1]);
    for (name, documents) in &report.collections {
        table.push([name.clone(), count(*documents)]);
    }
    if report.blobs > 0 {
        table.push(["samples (fs.files)".to_owned(), count(report.blobs)]);
    }
    table.print(out)?;
    writeln!(out, "{} in {}", bytes(report.bytes), arguments.folder.display())?;
    Ok(DONE)
}
