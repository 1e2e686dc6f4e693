//! `mspass find`: documents of a collection, one line each.

use std::io::Write;

use bson::{Bson, Document};
use mspass_io::store::{Database, Find};
use serde_json::Value;

use super::failure::Failure;
use super::{DATABASE, DONE, complain, database};

const AFTER_HELP: &str = "\
Filters are MongoDB's, whatever the database: {\"sta\": \"UV05\"}, {\"npts\": {\"$gt\": 1000}},
{\"sta\": {\"$regex\": \"^UV\"}}, {\"$or\": [...]}. Times are epoch seconds. An _id is written
{\"_id\": {\"$oid\": \"24 hexadecimal digits\"}}. Quote JSON whole for the shell: '...'.

Examples:
  mspass find wf_TimeSeries --db embedded:work/db --limit 1 --pretty
  mspass find wf_miniseed --db embedded:work/db --filter '{\"chan\": \"HHZ\"}' \\
         --sort '{\"starttime\": 1}' --projection '{\"sta\": 1, \"npts\": 1, \"_id\": 0}'
  mspass find cemetery --db mongodb://localhost:27017/quakes --count

Exit codes: 0 done, also when nothing matches; 1 failed; 2 bad input.";

/// Print the documents of a collection that match a filter: extended JSON, one a line
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// Name of the collection: wf_TimeSeries, wf_miniseed, cemetery, ...
    collection: String,

    #[arg(long, help = DATABASE)]
    db: String,

    /// Which documents [default: all]
    #[arg(long, value_name = "JSON")]
    filter: Option<String>,

    /// In which order: keys with 1 (ascending) or -1, in order of weight
    #[arg(long, value_name = "JSON")]
    sort: Option<String>,

    /// Which keys: keys with 1 (only these, and _id) or 0 (all but these)
    #[arg(long, value_name = "JSON")]
    projection: Option<String>,

    /// Documents at most; 0 means all
    #[arg(long, value_name = "N", default_value_t = 0)]
    limit: u64,

    /// Documents passed over first
    #[arg(long, value_name = "N", default_value_t = 0)]
    skip: u64,

    /// Print how many documents match, and none of them
    #[arg(long, conflicts_with_all = ["sort", "projection", "limit", "skip", "pretty",
        "canonical"])]
    count: bool,

    /// Spread each document over several lines
    #[arg(long)]
    pretty: bool,

    /// Canonical extended JSON, which keeps the type of every number
    #[arg(long)]
    canonical: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Failure> {
    let name = database::parse(&arguments.db)?;
    let find = Find {
        filter: document("--filter", arguments.filter.as_deref())?,
        sort: document("--sort", arguments.sort.as_deref())?,
        projection: document("--projection", arguments.projection.as_deref())?,
        skip: arguments.skip,
        limit: arguments.limit,
    };
    let database = database::open(&name)?;
    let collection = &arguments.collection;
    let found = if arguments.count {
        let count = database.documents.count(collection, &find.filter)?;
        writeln!(out, "{count}")?;
        count
    } else {
        print(arguments, &database, &find, out)?
    };
    if found == 0 {
        hint(&database, collection)?;
    }
    Ok(DONE)
}

/// Prints documents as they come and gives how many.
fn print(
    arguments: &Arguments,
    database: &Database,
    find: &Find,
    out: &mut dyn Write,
) -> Result<u64, Failure> {
    let mut count = 0;
    let mut line = Vec::new();
    for document in database.documents.find(&arguments.collection, find)? {
        let document = Bson::Document(document?);
        let json = match arguments.canonical {
            true => document.into_canonical_extjson(),
            false => document.into_relaxed_extjson(),
        };
        line.clear();
        match arguments.pretty {
            true => serde_json::to_writer_pretty(&mut line, &json),
            false => serde_json::to_writer(&mut line, &json),
        }
        .expect("a JSON value has only text keys, and a vector takes any bytes");
        line.push(b'\n');
        // Standard output goes on at the end of a line, so that the first is seen at once.
        out.write_all(&line)?;
        count += 1;
    }
    Ok(count)
}

/// Says which collections there are, where the one asked for is not.
fn hint(database: &Database, collection: &str) -> Result<(), Failure> {
    let names = database.documents.collections()?;
    if names.is_empty() {
        complain("the database has no documents at all");
    } else if !names.iter().any(|name| name == collection) {
        complain(&format!("no collection '{collection}' here; there are {}", names.join(", ")));
    }
    Ok(())
}

/// The document that an option's JSON text says.
pub(super) fn document(option: &str, text: Option<&str>) -> Result<Document, Failure> {
    let Some(text) = text else { return Ok(Document::new()) };
    let example = "'{\"sta\": \"UV05\"}'";
    let refuse = |reason: String| Failure::bad_input(format!("{option}: {reason}"));
    let value: Value = serde_json::from_str(text).map_err(|error| {
        refuse(format!("not JSON, {error}; write {option} {example}, quoted whole for the shell"))
    })?;
    let Value::Object(map) = value else {
        return Err(refuse(format!("not a JSON object; write {option} {example}")));
    };
    Document::try_from(map).map_err(|error| refuse(format!("no extended JSON, {error}")))
}
