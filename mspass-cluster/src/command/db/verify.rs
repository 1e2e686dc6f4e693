//! `mspass db verify`: whether documents are as the schema says.

use std::io::Write;
use std::path::PathBuf;

use mspass_io::db::upkeep::{CollectionVerify, Problem, Test, VerifyOptions, verify};
use serde_json::{Value, json};

use super::super::failure::Failure;
use super::super::table::Table;
use super::super::{DATABASE, DONE, FAILED, database, find};
use super::{chosen, schema, threads};
use crate::frontend::quantity::{count, counted};

const AFTER_HELP: &str = "\
Tests: xref (a key that names a document elsewhere names one that is there), type (a value is of the
type of its key), required (keys that every document has), undefined (keys that the schema does not
know), normalization (site_id, channel_id and source_id are there and name documents).

Examples:
  mspass db verify --db embedded:work/db
  mspass db verify wf_TimeSeries --db embedded:work/db --test normalization --key site_id
  mspass db verify wf_miniseed --db mongodb://localhost:27017/quakes --test undefined type --json

Exit codes: 0 all is sound; 1 problems were found, or it failed; 2 bad input.";

/// Tell which documents are not as the schema says
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in super::super) struct Arguments {
    /// Collections [default: all that the schema knows]
    collections: Vec<String>,

    #[arg(long, help = DATABASE)]
    db: String,

    /// What to look at [default: xref type required]
    #[arg(long = "test", value_name = "TEST", num_args = 1.., value_parser = parse_test)]
    tests: Vec<Test>,

    /// Keys of the test of normalization
    #[arg(long = "key", value_name = "KEY", num_args = 1..)]
    keys: Vec<String>,

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

fn parse_test(text: &str) -> Result<Test, String> {
    let names = || Test::ALL.map(Test::name).join(", ");
    let found = Test::ALL.into_iter().find(|test| test.name() == text);
    found.ok_or_else(|| format!("there are {}", names()))
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Failure> {
    let name = database::parse(&arguments.db)?;
    let mut options = VerifyOptions::default();
    options.schema = schema(arguments.schema.as_deref())?;
    options.filter = find::document("--filter", arguments.filter.as_deref())?;
    options.normalize_keys = arguments.keys.clone();
    options.threads = threads(arguments.threads);
    if !arguments.tests.is_empty() {
        options.tests = arguments.tests.clone();
    }
    let database = database::open(&name)?;
    let mut reports = Vec::new();
    for collection in chosen(&database, &arguments.collections, &options.schema)? {
        reports.push(verify(&database, &collection, &options)?);
    }
    match arguments.json {
        true => writeln!(out, "{}", to_json(&reports))?,
        false => print(&reports, out)?,
    }
    Ok(if reports.iter().all(CollectionVerify::is_sound) { DONE } else { FAILED })
}

fn print(reports: &[CollectionVerify], out: &mut dyn Write) -> Result<(), Failure> {
    for CollectionVerify { name, documents, unsound, problems } in reports {
        let documents = counted(*documents, "document", "documents");
        if problems.is_empty() {
            writeln!(out, "{name}: {documents}, all sound")?;
            continue;
        }
        writeln!(out, "{name}: {documents}, {} with problems", count(*unsound))?;
        let mut table = Table::new(["test", "key", "documents", "what", "first _id"], [2]);
        for Problem { test, key, what, count: number, examples } in problems {
            let first = examples.first().cloned().unwrap_or_default();
            table.push([test.name().into(), key.clone(), count(*number), what.clone(), first]);
        }
        table.print(out)?;
    }
    if reports.is_empty() {
        writeln!(out, "no collection of the schema holds a document")?;
    }
    Ok(())
}

fn to_json(reports: &[CollectionVerify]) -> Value {
    let problem = |p: &Problem| {
        json!({
            "test": p.test.name(), "key": p.key, "what": p.what, "documents": p.count,
            "examples": p.examples,
        })
    };
    let collection = |report: &CollectionVerify| {
        json!({
            "name": report.name, "documents": report.documents, "unsound": report.unsound,
            "problems": report.problems.iter().map(problem).collect::<Vec<_>>(),
        })
    };
    json!({
        "sound": reports.iter().all(CollectionVerify::is_sound),
        "collections": reports.iter().map(collection).collect::<Vec<_>>(),
    })
}
