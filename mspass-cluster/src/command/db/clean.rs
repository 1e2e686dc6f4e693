//! `mspass db clean`: documents that are not as the schema says are mended.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use mspass_io::db::upkeep::{CleanOptions, CollectionClean, Removal, clean};
use serde_json::{Value, json};

use super::super::failure::Failure;
use super::super::{DATABASE, DONE, database, find};
use super::{chosen, schema, threads};
use crate::frontend::quantity::{count, counted};

const AFTER_HELP: &str = "\
Values of another type than their key's are converted where nothing is lost; all else is done only
where it is asked for. A deleted waveform takes its samples in the database and its error log along.
Let nobody write to the collections meanwhile; look first with --dry-run.

Examples:
  mspass db clean wf_TimeSeries --db embedded:work/db --dry-run
  mspass db clean wf_TimeSeries --db embedded:work/db --rename samp=sampling_rate --remove my_key
  mspass db clean wf_miniseed --db embedded:work/db --delete-missing-xref site_id

Exit codes: 0 done; 1 failed; 2 bad input.";

/// Mend documents that are not as the schema says
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in super::super) struct Arguments {
    /// Collections
    #[arg(required = true)]
    collections: Vec<String>,

    #[arg(long, help = DATABASE)]
    db: String,

    /// Leave values of another type as they are
    #[arg(long)]
    no_convert: bool,

    /// Give a key that the schema does not know another name
    #[arg(long, value_name = "OLD=NEW", num_args = 1..)]
    rename: Vec<String>,

    /// Remove these keys, which the schema does not know
    #[arg(long, value_name = "KEY", num_args = 1..)]
    remove: Vec<String>,

    /// Remove all keys that the schema does not know
    #[arg(long, conflicts_with = "remove")]
    remove_undefined: bool,

    /// Delete documents in which one of these keys names no document
    #[arg(long, value_name = "KEY", num_args = 1..)]
    delete_missing_xref: Vec<String>,

    /// Delete documents that lack a key that every document has
    #[arg(long)]
    delete_missing_required: bool,

    /// Only tell what would be done
    #[arg(long)]
    dry_run: bool,

    /// Which documents [default: all]
    #[arg(long, value_name = "JSON")]
    filter: Option<String>,

    /// A YAML file that extends the schema
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,

    /// Threads; 0 means one for each core
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Failure> {
    let name = database::parse(&arguments.db)?;
    let options = options(arguments)?;
    let database = database::open(&name)?;
    let mut reports = Vec::new();
    for collection in chosen(&database, &arguments.collections, &options.schema)? {
        reports.push(clean(&database, &collection, &options)?);
    }
    match arguments.json {
        true => {
            let reports: Vec<Value> = reports.iter().map(to_json).collect();
            writeln!(out, "{}", json!({ "dry_run": options.dry_run, "collections": reports }))?;
        }
        false => reports.iter().try_for_each(|report| print(report, options.dry_run, out))?,
    }
    Ok(DONE)
}

fn options(arguments: &Arguments) -> Result<CleanOptions, Failure> {
    let split = |text: &String| {
        let pair = text.split_once('=').filter(|(old, new)| !old.is_empty() && !new.is_empty());
        let pair = pair.map(|(old, new)| (old.to_owned(), new.to_owned()));
        pair.ok_or_else(|| Failure::bad_input(format!("--rename {text}: write OLD=NEW")))
    };
    let mut options = CleanOptions::default();
    options.schema = schema(arguments.schema.as_deref())?;
    options.filter = find::document("--filter", arguments.filter.as_deref())?;
    options.convert = !arguments.no_convert;
    options.rename = arguments.rename.iter().map(split).collect::<Result<_, _>>()?;
    options.remove = match (arguments.remove_undefined, arguments.remove.is_empty()) {
        (true, _) => Removal::All,
        (false, true) => Removal::Nothing,
        (false, false) => Removal::Keys(arguments.remove.clone()),
    };
    options.delete_missing_xref = arguments.delete_missing_xref.clone();
    options.delete_missing_required = arguments.delete_missing_required;
    options.dry_run = arguments.dry_run;
    options.threads = threads(arguments.threads);
    Ok(options)
}

fn print(report: &CollectionClean, dry_run: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let would = if dry_run { "would be " } else { "" };
    writeln!(
        out,
        "{}: {}, {} {would}changed, {} {would}deleted{}",
        report.name,
        counted(report.documents, "document", "documents"),
        count(report.changed),
        count(report.deleted),
        match report.blobs {
            0 => String::new(),
            blobs => format!(" with the samples of {}", count(blobs)),
        }
    )?;
    for (what, counts) in lists(report) {
        for (key, number) in counts {
            writeln!(out, "  {key}: {what} {}", counted(*number, "time", "times"))?;
        }
    }
    Ok(())
}

type Counts = BTreeMap<String, u64>;

fn lists(report: &CollectionClean) -> [(&'static str, &Counts); 5] {
    [
        ("converted", &report.converted),
        ("cannot be converted", &report.unconvertible),
        ("renamed", &report.renamed),
        ("removed", &report.removed),
        ("reason to delete", &report.reasons),
    ]
}

fn to_json(report: &CollectionClean) -> Value {
    json!({
        "name": report.name, "documents": report.documents, "changed": report.changed,
        "deleted": report.deleted, "blobs": report.blobs, "converted": report.converted,
        "unconvertible": report.unconvertible, "renamed": report.renamed,
        "removed": report.removed, "reasons": report.reasons,
    })
}
