//! `mspass diff`: whether two databases are equal document for document.

use std::io::Write;

use bson::Bson;
use mspass_io::db::diff::{
    CollectionDiff, Diff, DiffOptions, Difference, DifferenceKind, JobsDiff, KEYS_PASSED_OVER,
    diff, diff_jobs,
};
use mspass_io::store::{Database, DatabaseName};
use serde_json::{Value, json};

use super::failure::Failure;
use super::{DONE, FAILED, database};

const AFTER_HELP: &str = "\
Documents are matched by _id; left is DB_A. Samples must be equal bit for bit. Keys that only say
who computed when and where are passed over: job_id, build, process_id, hostname, dir, _mslot, and
time in history_*.

With --jobs two runs of other names are compared: what they saved is matched by the step that saved
it, its inputs and its number among what was made of them, as histories record them. The dead and
what was collected are counted only. What only one run has is counted apart.

Examples:
  mspass diff embedded:first/db embedded:second/db
  mspass diff embedded:first/db mongodb://localhost:27017/second --collection wf_TimeSeries
  mspass diff embedded:first/db embedded:second/db --jobs monday,tuesday

Exit codes: 0 the databases, or the runs, are equal; 1 they differ, or the comparison failed; 2 bad
input.";

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

    /// Compare what job A saved in DB_A with what job B saved in DB_B
    #[arg(long, value_name = "A,B", value_delimiter = ',', conflicts_with = "collections")]
    jobs: Vec<String>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Failure> {
    let (name_a, name_b) = (database::parse(&arguments.db_a)?, database::parse(&arguments.db_b)?);
    let left = database::open(&name_a)?;
    let right = if is_same(&name_a, &name_b) { left.clone() } else { database::open(&name_b)? };
    if !arguments.jobs.is_empty() {
        return compare_jobs(arguments, &left, &right, out);
    }
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

fn compare_jobs(
    arguments: &Arguments,
    left: &Database,
    right: &Database,
    out: &mut dyn Write,
) -> Result<u8, Failure> {
    let [a, b] = &arguments.jobs[..] else {
        return Err(Failure::bad_input("--jobs: write the names of two jobs, such as --jobs A,B"));
    };
    let found = diff_jobs((left, a), (right, b))?;
    if arguments.json {
        writeln!(out, "{}", jobs_json(&found))?;
    } else {
        writeln!(out, "{found}")?;
    }
    Ok(if found.is_equal() { DONE } else { FAILED })
}

fn jobs_json(found: &JobsDiff) -> Value {
    let only = |side: usize| found.first_only[side].as_ref().map(|datum| datum.id.to_hex());
    let counts = found
        .counts
        .iter()
        .map(|count| json!({ "what": count.what, "a": count.counts[0], "b": count.counts[1] }));
    json!({
        "equal": found.is_equal(),
        "job_a": found.jobs[0],
        "job_b": found.jobs[1],
        "data_a": found.data[0],
        "data_b": found.data[1],
        "equal_data": found.equal,
        "differing": found.differing,
        "only_a": found.only[0],
        "only_b": found.only[1],
        "blobs": found.blobs,
        "steps": found.steps,
        "first": found.first.as_ref().map(|first| json!({
            "label": first.label,
            "id_a": first.data[0].id.to_hex(),
            "id_b": first.data[1].id.to_hex(),
            "what": first.to_string(),
        })),
        "first_only_a": only(0),
        "first_only_b": only(1),
        "counts": counts.collect::<Vec<Value>>(),
    })
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
