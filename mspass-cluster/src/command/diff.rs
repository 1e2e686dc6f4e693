//! `mspass diff`: whether two databases are equal document for document.

use std::io::Write;

use bson::Bson;
use mspass_io::db::diff::{
    CollectionDiff, Diff, DiffOptions, Difference, DifferenceKind, KEYS_PASSED_OVER, diff,
};
use mspass_io::store::{Database, DatabaseName};
use serde_json::{Value, json};

use super::failure::Failure;
use super::{DONE, FAILED, database};

const AFTER_HELP: &str = "\
Documents are matched by _id; left is DB_A. Samples must be equal bit for bit. Keys that only say
who computed when and where are passed over: job_id, build, process_id, hostname, dir, _mslot, and
time in history_*.

Examples:
  mspass diff embedded:first/db embedded:second/db
  mspass diff embedded:first/db mongodb://localhost:27017/second --collection wf_TimeSeries

Exit codes: 0 the databases are equal; 1 they differ, or the comparison failed; 2 bad input.";

/// Tell whether two databases are equal document for document, and where they first differ
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// One database: embedded:PATH (a folder), or mongodb://HOST:PORT/NAME
    db_a: String,

    /// The database to compare it with
    db_b: String,

    /// Compare these collections only [default: all of both]
    #[arg(long = "collection", value_name = "NAME", num_args = 1..)]
    collections: Vec<String>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Failure> {
    let (name_a, name_b) = (database::parse(&arguments.db_a)?, database::parse(&arguments.db_b)?);
    let left = database::open(&name_a)?;
    let right = if is_same(&name_a, &name_b) { left.clone() } else { database::open(&name_b)? };
    refuse_unknown(&arguments.collections, &left, &right)?;
    let options = DiffOptions::default().collections(&arguments.collections);
    let found = diff(&left, &right, &options)?;
    if arguments.json {
        writeln!(out, "{}", to_json(&found))?;
    } else {
        writeln!(out, "{found}")?;
    }
    Ok(if found.is_equal() { DONE } else { FAILED })
}

/// Whether both names are one store, which can be opened only once.
fn is_same(a: &DatabaseName, b: &DatabaseName) -> bool {
    match (a, b) {
        (DatabaseName::Embedded(a), DatabaseName::Embedded(b)) => {
            a.canonicalize().ok().is_some_and(|a| b.canonicalize().is_ok_and(|b| a == b))
        }
        _ => a == b,
    }
}

/// A collection that neither has would compare as equal: more likely its name is misspelt.
fn refuse_unknown(asked: &[String], left: &Database, right: &Database) -> Result<(), Failure> {
    if asked.is_empty() {
        return Ok(());
    }
    let mut known = left.documents.collections()?;
    known.extend(right.documents.collections()?);
    known.sort_unstable();
    known.dedup();
    match asked.iter().find(|name| !known.contains(name)) {
        Some(name) => Err(Failure::bad_input(format!(
            "neither database has a collection '{name}'; there are {}",
            known.join(", ")
        ))),
        None => Ok(()),
    }
}

fn to_json(found: &Diff) -> Value {
    let collections: Vec<Value> = found.collections.iter().map(collection_json).collect();
    json!({
        "equal": found.is_equal(),
        "collections": collections,
        "passed_over": KEYS_PASSED_OVER,
    })
}

fn collection_json(found: &CollectionDiff) -> Value {
    json!({
        "name": found.name,
        "equal": found.is_equal(),
        "documents_a": found.left,
        "documents_b": found.right,
        "differing": found.differing,
        "only_a": found.only_left,
        "only_b": found.only_right,
        "blobs": found.blobs,
        "first": found.first.as_ref().map(difference_json),
    })
}

fn difference_json(difference: &Difference) -> Value {
    let shown = |value: &Option<Bson>| value.clone().map(Bson::into_relaxed_extjson);
    let mut json = json!({
        "_id": difference.id.clone().into_relaxed_extjson(),
        "what": difference.to_string(),
    });
    if let DifferenceKind::Key { path, left, right } = &difference.kind {
        json["key"] = json!(path);
        json["a"] = json!(shown(left));
        json["b"] = json!(shown(right));
    }
    json
}
