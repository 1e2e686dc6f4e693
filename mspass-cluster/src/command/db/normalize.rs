//! `mspass db normalize`: waveforms get the ids of what belongs to them.

mod matching;

use std::io::Write;

use mspass_io::db::collection::WF_MINISEED;
use mspass_io::db::normalize::{
    BATCH_MAX, MatchCounts, NormalizeOptions, NormalizeReport, bulk_normalize,
};
use mspass_io::db::schema::Schema;
use mspass_io::store::Database;
use serde_json::{Value, json};

use self::matching::Matching;
use super::super::failure::Failure;
use super::super::table::Table;
use super::super::{DATABASE, DONE, database, find};
use super::chosen;
use crate::frontend::quantity::{count, counted};

const AFTER_HELP: &str = "\
Each waveform is looked up in the collections of --against, and gets <collection>_id of the document
that matches, and of it what --load names (channel_lat, ...). How documents match is said by --by:
  miniseed  net, sta, loc and, except of site, chan are equal, and the waveform begins within the
            document's starttime and endtime; that of channel and site unless said otherwise
  id        the waveform's <collection>_id, or --key, is the document's _id
  equality  the keys of --key are equal: KEY, or KEY=KEY_OF_THE_DOCUMENT where names differ
  origin    the document's time is nearest to the waveform's starttime, or --key, less --offset,
            and within --tolerance; that of source
  arrival   the document's time lies within the waveform, and sta and net are equal; that of arrival

A waveform with no match, or with several, is left as it is, counted, and told of in elog. It may be
run again, and beside a job; `mspass db verify --test normalization` finds what has no match.

Examples:
  mspass db normalize --db embedded:work/db
  mspass db normalize --db embedded:work/db --against channel --load lat lon elev hang vang
  mspass db normalize wf_TimeSeries --db embedded:work/db --against source --offset 30 --dry-run
  mspass db normalize wf_TimeSeries --db mongodb://localhost:27017/quakes --against site \\
         --by equality --key net sta=station --latest

Exit codes: 0 done, also where waveforms have no match; 1 failed; 2 bad input.";

/// Find the channel, site, source or arrival of each waveform and write its id there
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in super::super) struct Arguments {
    /// Collection of the waveforms
    #[arg(default_value = WF_MINISEED)]
    collection: String,

    #[arg(long, help = DATABASE)]
    db: String,

    #[command(flatten)]
    matching: Matching,

    /// Which waveforms [default: all]
    #[arg(long, value_name = "JSON")]
    filter: Option<String>,

    /// Waveforms between two writes
    #[arg(long, value_name = "N", default_value_t = 10_000,
        value_parser = clap::value_parser!(u64).range(1..=BATCH_MAX as u64))]
    batch: u64,

    /// Ask the database for each waveform: of collections too large for memory
    #[arg(long)]
    in_database: bool,

    /// Write nothing into elog
    #[arg(long)]
    no_log: bool,

    /// Only tell what would be written
    #[arg(long)]
    dry_run: bool,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Failure> {
    let name = database::parse(&arguments.db)?;
    let options = options(arguments)?;
    let database = database::open(&name)?;
    check_collections(&database, &options)?;
    let total = database.documents.count(&options.collection, &options.filter)?;
    let bar = super::bar();
    let report = bulk_normalize(&database, &options, &mut |report| {
        bar.tick();
        let (seen, all) = (count(report.seen), counted(total, "document", "documents"));
        bar.set_message(format!("normalise {}: {seen} of {all}", options.collection));
    });
    bar.finish_and_clear();
    let report = report?;
    match arguments.json {
        true => writeln!(out, "{}", to_json(&options, &report))?,
        false => print(&options, &report, out)?,
    }
    Ok(DONE)
}

fn options(arguments: &Arguments) -> Result<NormalizeOptions, Failure> {
    let matchers = arguments.matching.specs()?;
    Ok(NormalizeOptions {
        collection: arguments.collection.clone(),
        filter: find::document("--filter", arguments.filter.as_deref())?,
        ids_only: matchers.iter().all(|m| m.load.is_empty() && m.load_if_defined.is_empty()),
        matchers,
        cached: !arguments.in_database,
        batch: usize::try_from(arguments.batch).unwrap_or(BATCH_MAX),
        log: !arguments.no_log,
        dry_run: arguments.dry_run,
    })
}

/// A collection that is not there is a slip of the pen, not one in which nothing matches.
fn check_collections(database: &Database, options: &NormalizeOptions) -> Result<(), Failure> {
    chosen(database, std::slice::from_ref(&options.collection), &Schema::mspass())?;
    let there = database.documents.collections()?;
    let looked_in = options.matchers.iter().map(|matcher| &matcher.collection);
    let is_missing = |name: &&String| !there.contains(name);
    let Some(missing) = looked_in.clone().find(is_missing) else { return Ok(()) };
    let rest: Vec<&str> =
        looked_in.filter(|name| there.contains(name)).map(String::as_str).collect();
    let remedy = match rest.as_slice() {
        [] => "bring it in first".to_owned(),
        rest => format!("bring it in first, or say --against {}", rest.join(" ")),
    };
    let there = there.join(", ");
    Err(Failure::bad_input(format!(
        "no collection '{missing}' here to match against: {remedy}; there are {there}"
    )))
}

fn rows(report: &NormalizeReport) -> impl Iterator<Item = (&MatchCounts, [u64; 4])> {
    report.matchers.iter().map(|c| (c, [c.matched, c.missing, c.ambiguous, c.incomplete]))
}

fn print(
    options: &NormalizeOptions,
    report: &NormalizeReport,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let would = if options.dry_run { "would be " } else { "" };
    let documents = counted(report.seen, "document", "documents");
    writeln!(out, "{}: {documents}, {} {would}updated", options.collection, count(report.updated))?;
    let heads = ["against", "matched", "missing", "ambiguous", "incomplete"];
    let mut table = Table::new(heads, [1, 2, 3, 4]);
    for (counts, numbers) in rows(report) {
        let [matched, missing, ambiguous, incomplete] = numbers.map(count);
        table.push([counts.collection.clone(), matched, missing, ambiguous, incomplete]);
    }
    table.print(out)?;
    let failures: u64 =
        rows(report).map(|(_, [_, missing, several, part])| missing + several + part).sum();
    if failures > 0 {
        let more = failures - report.examples.len() as u64;
        writeln!(out, "without a match:")?;
        report.examples.iter().try_for_each(|example| writeln!(out, "  {example}"))?;
        if more > 0 {
            writeln!(out, "  and {} more", count(more))?;
        }
    }
    Ok(())
}

fn to_json(options: &NormalizeOptions, report: &NormalizeReport) -> Value {
    let matcher =
        |(counts, [matched, missing, ambiguous, incomplete]): (&MatchCounts, [u64; 4])| {
            json!({
                "against": counts.collection, "matched": matched, "missing": missing,
                "ambiguous": ambiguous, "incomplete": incomplete,
            })
        };
    json!({
        "collection": options.collection, "dry_run": options.dry_run,
        "documents": report.seen, "updated": report.updated,
        "matchers": rows(report).map(matcher).collect::<Vec<_>>(),
        "examples": report.examples,
    })
}
