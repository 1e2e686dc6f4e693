//! Normalises a whole collection.

use std::collections::HashMap;

use bson::{Bson, Document, doc};
use mspass_core::{ErrorLog, Severity};
use serde::{Deserialize, Serialize};

use super::cache::CACHE_DOCUMENTS_MAX;
use super::{Cache, MatchSpec, Matcher, Outcome};
use crate::db::collection::ELOG;
use crate::db::elog_document;
use crate::db::id::{Derived, job_id};
use crate::error::Result;
use crate::store::{Database, Find};

/// What is normalised and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NormalizeOptions {
    /// Collection of the waveforms.
    pub collection: String,
    /// Which of them; empty for all.
    pub filter: Document,
    /// What to look for.
    pub matchers: Vec<MatchSpec>,
    /// Whether only the id of each match is written, not what the spec takes over.
    pub ids_only: bool,
    /// Whether each matcher's collection is read into memory first.
    pub cached: bool,
    /// Waveforms between two writes, [`BATCH_MAX`] at most.
    pub batch: usize,
    /// Whether waveforms without a match get a document in `elog`.
    pub log: bool,
    /// Only tell what would be written.
    pub dry_run: bool,
}

/// Waveforms between two writes at most.
pub const BATCH_MAX: usize = 100_000;

/// Examples of failures kept in a report at most.
pub const EXAMPLES_MAX: usize = 20;

impl Default for NormalizeOptions {
    /// All of `wf_miniseed` with its channel and site, from memory, ids alone, failures logged.
    fn default() -> Self {
        Self {
            collection: crate::db::collection::WF_MINISEED.to_owned(),
            filter: Document::new(),
            matchers: vec![MatchSpec::channel(), MatchSpec::site()],
            ids_only: true,
            cached: true,
            batch: 10_000,
            log: true,
            dry_run: false,
        }
    }
}

/// What came of one matcher.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchCounts {
    /// Collection of the matches.
    pub collection: String,
    /// Waveforms with a match.
    pub matched: u64,
    /// Waveforms without one.
    pub missing: u64,
    /// Waveforms with several.
    pub ambiguous: u64,
    /// Waveforms whose match lacks a key.
    pub incomplete: u64,
}

/// What came of normalising a collection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NormalizeReport {
    /// Waveforms looked at.
    pub seen: u64,
    /// Waveforms written to, or that would be.
    pub updated: u64,
    /// Of each matcher, in the order of the options.
    pub matchers: Vec<MatchCounts>,
    /// The first failures, in words.
    pub examples: Vec<String>,
}

/// What is to be written of one batch.
#[derive(Default)]
struct Writes {
    /// Waveforms by what is set in them: many share one channel.
    sets: HashMap<String, (Document, Vec<Bson>)>,
    logs: Vec<Document>,
}

/// Finds the matches of all waveforms of a collection and writes their ids into the waveforms.
///
/// Only the keys of the matches are set, by `_id`, so it may run again, beside others, or over
/// parts of the collection in several processes at once. `progress` is told after every batch.
/// Failures are counted, and logged under derived ids if so asked.
pub fn bulk_normalize(
    database: &Database,
    options: &NormalizeOptions,
    progress: &mut dyn FnMut(&NormalizeReport),
) -> Result<NormalizeReport> {
    let matchers = matchers(database, options)?;
    let mut report = NormalizeReport::default();
    let count = |matcher: &Matcher| MatchCounts {
        collection: matcher.spec().collection.clone(),
        ..MatchCounts::default()
    };
    report.matchers = matchers.iter().map(count).collect();
    let batch = options.batch.clamp(1, BATCH_MAX);
    let mut writes = Writes::default();
    let find = Find::filter(options.filter.clone());
    for (number, waveform) in database.documents.find(&options.collection, &find)?.enumerate() {
        one(&waveform?, &matchers, options, &mut report, &mut writes)?;
        if (number + 1) % batch == 0 {
            write(database, options, std::mem::take(&mut writes), &mut report)?;
            progress(&report);
        }
    }
    write(database, options, writes, &mut report)?;
    progress(&report);
    Ok(report)
}

fn matchers(database: &Database, options: &NormalizeOptions) -> Result<Vec<Matcher>> {
    let specs = options.matchers.iter().map(|spec| {
        let mut spec = spec.clone();
        if options.ids_only {
            spec.load.clear();
            spec.load_if_defined.clear();
        }
        if options.cached {
            let cache = Cache::build(database, &spec, CACHE_DOCUMENTS_MAX)?;
            Ok(Matcher::with_cache(cache.into(), spec))
        } else {
            Ok(Matcher::in_database(database, spec))
        }
    });
    specs.collect()
}

/// Looks for the matches of one waveform.
fn one(
    waveform: &Document,
    matchers: &[Matcher],
    options: &NormalizeOptions,
    report: &mut NormalizeReport,
    writes: &mut Writes,
) -> Result<()> {
    report.seen += 1;
    let mut set = Document::new();
    let mut log = ErrorLog::default();
    for (matcher, counts) in matchers.iter().zip(&mut report.matchers) {
        let (counter, reason) = match matcher.find(waveform)? {
            Outcome::Found(taken) => {
                counts.matched += 1;
                set.extend(taken);
                continue;
            }
            Outcome::Missing(reason) => (&mut counts.missing, reason),
            Outcome::Ambiguous(reason) => (&mut counts.ambiguous, reason),
            Outcome::Incomplete(reason) => (&mut counts.incomplete, reason),
        };
        *counter += 1;
        if report.examples.len() < EXAMPLES_MAX {
            report.examples.push(reason.clone());
        }
        log.push("normalize", Severity::Complaint, reason);
    }
    let Some(id) = waveform.get("_id") else { return Ok(()) };
    if options.log && !log.is_empty() {
        let collection = &options.collection;
        let log_id = Derived::new("normalize").text(collection).text(&id.to_string());
        let extra = doc! { format!("{collection}_id"): id.clone() };
        writes.logs.push(elog_document(log_id.object_id(), &log, job_id("normalize"), &extra));
    }
    if !set.is_empty() {
        let key = set.to_string();
        writes.sets.entry(key).or_insert_with(|| (set, Vec::new())).1.push(id.clone());
    }
    Ok(())
}

fn write(
    database: &Database,
    options: &NormalizeOptions,
    writes: Writes,
    report: &mut NormalizeReport,
) -> Result<()> {
    if options.dry_run {
        let waveforms = writes.sets.into_values().map(|(_, ids)| ids.len() as u64);
        report.updated += waveforms.sum::<u64>();
        return Ok(());
    }
    for (set, ids) in writes.sets.into_values() {
        let filter = doc! { "_id": { "$in": ids } };
        let update = doc! { "$set": set };
        report.updated += database.documents.update(&options.collection, &filter, &update)?;
    }
    if !writes.logs.is_empty() {
        database.documents.upsert(ELOG, &writes.logs)?;
    }
    Ok(())
}
