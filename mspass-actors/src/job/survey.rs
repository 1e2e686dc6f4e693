//! A look at what a job is going to read, before it reads it: what is not there, and what can never
//! work on what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bson::{Bson, Document, doc};
use mspass_core::UtcTime;
use mspass_core::process::Facts;
use mspass_core::series::TimeStandard;
use mspass_core::units::Hertz;
use mspass_io::db::Schema;
use mspass_io::db::collection::{ARCHIVE, ARCHIVE_FILE, WF_MINISEED};
use mspass_io::db::id::job_id;
use mspass_io::store::{Aggregate, Database, Find};

use crate::error::{Error, Result};
use crate::workflow::stage::Stage;
use crate::workflow::{Kind, PLACE_KEYS, Query, Source};

/// Documents that are looked at, unless what is found in them would refuse a job: then all are.
const DOCUMENTS_MAX: u64 = 4096;
/// Files of an archive whose runs are looked at.
const FILES_MAX: u64 = 256;
/// Folders of native files that are looked for.
const FOLDERS_MAX: usize = 64;
/// Kinds of data told apart; the others count as data of which nothing is known.
const KINDS_MAX: usize = 256;

/// What a source is found to hold.
#[derive(Default)]
struct Survey {
    kinds: Vec<Kind>,
    count: u64,
    /// What was counted.
    what: &'static str,
    /// Whether there are more than were looked at.
    more: bool,
    remarks: Vec<String>,
}

/// Looks at what the source of a job holds, and refuses a workflow that can never work on it: a
/// collection that is not there, a query that finds nothing, an archive without a file, files that
/// cannot be reached, a step that no data can pass. What only some of the data will die of is told
/// in a sentence each.
///
/// Documents are looked at, samples are not; nothing is changed.
///
/// # Errors
/// [`Error::Refused`], one sentence with the remedy; otherwise where the store fails.
pub fn foresee(database: &Database, stage: &Stage) -> Result<Vec<String>> {
    let workflow = stage.workflow();
    let survey = |all: bool| match workflow.source() {
        Source::Archive(pieces) => archive(database, &pieces.archive, all),
        Source::Stored { collection, query } => {
            stored(database, collection, query, stage.job(), all)
        }
        Source::Numbered(_) => Ok(Survey::default()),
    };
    let foreseen = |survey: Survey| {
        let Survey { kinds, count, what, more, mut remarks } = survey;
        let of = format!("{}{count} {what}", if more { "the first " } else { "" });
        if !kinds.is_empty() {
            remarks.extend(workflow.foresee(kinds, &of)?);
        }
        Ok(remarks)
    };
    let first = survey(false)?;
    let more = first.more;
    match foreseen(first) {
        // What was not looked at may be of another kind.
        Err(Error::Refused(_)) if more => foreseen(survey(true)?),
        foreseen => foreseen,
    }
}

fn archive(database: &Database, name: &str, all: bool) -> Result<Survey> {
    let documents = &database.documents;
    let find = Find::filter(doc! { "archive": name }).sort(doc! { "_id": 1 }).limit(FILES_MAX);
    let find = find.projection(doc! { "_id": 1 });
    let files: Result<Vec<Bson>, mspass_io::Error> = documents
        .find(ARCHIVE_FILE, &find)?
        .map(|file| Ok(file?.get("_id").cloned().unwrap_or(Bson::Null)))
        .collect();
    let files = files?;
    if files.is_empty() {
        let known = documents.find(ARCHIVE, &Find::filter(doc! { "name": name }).limit(1))?.next();
        let sentence = match known.transpose()? {
            Some(known) => format!(
                "there is no file in the archive {}: name a folder of miniSEED files",
                known.get_str("dir").unwrap_or_default()
            ),
            None => format!(
                "this database has no index of an archive '{name}': name the one that it has, or \
                 index the archive first"
            ),
        };
        return Err(Error::Refused(sentence));
    }
    let of_file_count = files.len() as u64;
    let runs = if all {
        doc! { "archive": name }
    } else {
        doc! { "archive_file_id": { "$in": files } }
    };
    let counts = [("count", Aggregate::Count, "")];
    let mut survey = Survey { what: "runs", ..Survey::default() };
    survey.more = !all && of_file_count == FILES_MAX;
    for group in documents.group(WF_MINISEED, &runs, &["sampling_rate"], &counts)? {
        let rate = group.get_document("_id").ok().and_then(|id| id.get_f64("sampling_rate").ok());
        let count = number(&group, "count").unwrap_or(0.0) as u64;
        survey.count += count;
        let mut facts = Facts::of_waveforms::<String>([]);
        facts.sampling_rate = rate.and_then(|rate| Hertz::new(rate).ok());
        facts.standard = Some(TimeStandard::Utc);
        survey.kinds.push(Kind::of(facts, count));
    }
    Ok(survey)
}

/// Documents that are alike.
#[derive(Default)]
struct Alike {
    count: u64,
    names: BTreeSet<String>,
}

/// What the times of a document count from, as its reader will take it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Times {
    Unknown,
    Utc,
    /// Relative, with a way back to UTC.
    Shifted,
    Relative,
}

impl Times {
    fn of(document: &Document) -> Self {
        let convertible = document.get_bool("utc_convertible").unwrap_or(false);
        let shift = number(document, "starttime_shift").filter(|shift| shift.is_finite());
        match document.get_str("time_standard") {
            Ok("Relative") if convertible && shift.is_some() => Self::Shifted,
            Ok("Relative") => Self::Relative,
            Ok("UTC") | Err(_) => Self::Utc,
            Ok(_) => Self::Unknown,
        }
    }

    fn standard(self) -> Option<TimeStandard> {
        match self {
            Self::Unknown => None,
            Self::Utc => Some(TimeStandard::Utc),
            Self::Shifted => Some(TimeStandard::Relative { origin: Some(UtcTime::default()) }),
            Self::Relative => Some(TimeStandard::Relative { origin: None }),
        }
    }
}

/// Whether rate and times of what is read are those of its document; else those of its file are
/// taken, in UTC.
fn is_native(document: &Document) -> bool {
    let in_file = !document.get_str("storage_mode").is_ok_and(|mode| mode == "gridfs");
    !in_file
        || document.get_str("format").map_or(true, |format| format.eq_ignore_ascii_case("binary"))
}

/// What tells data apart: the bits of their sampling rate, and their times.
type Likeness = (Option<u64>, Times);

fn stored(
    database: &Database,
    collection: &str,
    query: &Query,
    job: &str,
    all: bool,
) -> Result<Survey> {
    let limit = if all { 0 } else { DOCUMENTS_MAX };
    let find = Find::filter(query.filter_for(job_id(job))).limit(limit);
    let mut survey = Survey { what: "documents", ..Survey::default() };
    let mut kinds: BTreeMap<Likeness, Alike> = BTreeMap::new();
    let (mut folders, mut in_files) = (BTreeSet::new(), 0);
    for document in database.documents.find(collection, &find)? {
        let document = document?;
        survey.count += 1;
        if document.get_str("storage_mode").is_ok_and(|mode| mode == "file") {
            in_files += 1;
            if folders.len() < FOLDERS_MAX {
                folders.extend(document.get_str("dir").ok().map(str::to_owned));
            }
        }
        let mut likeness = likeness(&document);
        if kinds.len() >= KINDS_MAX && !kinds.contains_key(&likeness) {
            likeness = (None, Times::Unknown);
        }
        let alike = kinds.entry(likeness).or_default();
        alike.count += 1;
        let schema = Schema::mspass();
        for key in document.keys() {
            if !alike.names.contains(key) {
                alike.names.insert(schema.unique_name(collection, key).to_owned());
                alike.names.insert(key.clone());
            }
        }
    }
    if survey.count == 0 {
        return Err(nothing_found(database, collection, query)?);
    }
    survey.more = limit > 0 && survey.count == limit;
    let is_there = |dir: &str| dir.is_empty() || Path::new(dir).is_dir();
    let missing: Vec<&String> = folders.iter().filter(|dir| !is_there(dir)).collect();
    if let Some(first) = missing.first() {
        let sentence = format!(
            "samples of documents of {collection} lie in files of {first}, a folder that cannot be \
             reached from here: mount it, or read others"
        );
        let all_met = folders.len() < FOLDERS_MAX && !survey.more;
        if missing.len() == folders.len() && in_files == survey.count && all_met {
            return Err(Error::Refused(sentence));
        }
        survey.remarks.push(sentence);
    }
    for ((rate, times), Alike { count, mut names }) in kinds {
        names.retain(|name| !PLACE_KEYS.contains(&name.as_str()));
        let mut facts = Facts::of_waveforms(names);
        facts.sampling_rate = rate.and_then(|bits| Hertz::new(f64::from_bits(bits)).ok());
        facts.standard = times.standard();
        survey.kinds.push(Kind::of(facts, count));
    }
    Ok(survey)
}

fn likeness(document: &Document) -> Likeness {
    if !is_native(document) {
        return (None, Times::Utc);
    }
    let stated = number(document, "sampling_rate");
    let rate = number(document, "delta").map(|delta| 1.0 / delta);
    // The inverse of the interval may miss the rate by the last bit.
    let rate = match (rate, stated) {
        (Some(rate), Some(stated)) if (rate / stated - 1.0).abs() < 1e-9 => Some(stated),
        (rate, stated) => rate.or(stated),
    };
    (rate.map(f64::to_bits), Times::of(document))
}

fn number(document: &Document, key: &str) -> Option<f64> {
    match document.get(key)? {
        Bson::Double(value) => Some(*value),
        Bson::Int32(value) => Some(f64::from(*value)),
        Bson::Int64(value) => Some(*value as f64),
        _ => None,
    }
}

/// Why a query finds nothing.
fn nothing_found(database: &Database, collection: &str, query: &Query) -> Result<Error> {
    let any = database.documents.find(collection, &Find::default().limit(1))?.next().transpose()?;
    if any.is_none() {
        let mut known = database.documents.collections()?;
        known.retain(|name| name.starts_with("wf_"));
        let known = match known[..] {
            [] => "it has no waveforms".to_owned(),
            _ => format!("its collections of waveforms are {}", known.join(", ")),
        };
        return Ok(Error::Refused(format!(
            "this database holds nothing in the collection {collection}: {known}"
        )));
    }
    let filter = Bson::Document(query.whole_filter()).into_relaxed_extjson();
    Ok(Error::Refused(format!(
        "the query {filter} finds nothing in the collection {collection} but what this job itself \
         may have put there: change the query, or fill the collection first"
    )))
}
