//! Making one saved waveform again from its history, and comparing it with what is stored.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;

use bson::oid::ObjectId;
use bson::{Bson, Document, doc};
use bytes::Bytes;
use mspass_io::db::collection::{ARCHIVE_FILE, HISTORY_OBJECT, WF_MINISEED};
use mspass_io::db::diff::{DifferenceKind, first_difference, samples_difference};
use mspass_io::db::id::{history_id, job_id};
use mspass_io::db::provenance::{TraceLimits, provenance};
use mspass_io::store::{Database, Find};

use super::plan::{each_origin, parts_of_file};
use super::planner::bucket_origin;
use super::record;
use crate::db_proxy::messages::Save;
use crate::error::{Error, Result};
use crate::worker::pieces::PieceAccess;
use crate::workflow::partition::{Part, Partition};
use crate::workflow::stage::{Bench, GROUP_BYTES, Stage};
use crate::workflow::{FLAT_MAP_MAX, Source};

/// Numbers that a datum of a numbered source may have had before data were made of it, and of
/// these, and so on.
const FLAT_MAPS_MAX: u32 = 3;

/// A waveform that was made again. Displayed, it is a sentence for a person.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Replayed {
    /// Its collection.
    pub collection: String,
    /// Its `_id`.
    pub id: ObjectId,
    /// The job that saved it.
    pub job: String,
    /// Bytes of samples that were compared.
    pub bytes: u64,
    /// What came of it.
    pub verdict: Verdict,
}

/// Whether a waveform that was made again is the one that is stored.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Verdict {
    /// All keys but those of the run agree, and samples bit for bit.
    Equal,
    /// The first difference; left is what is stored.
    Differs(Box<DifferenceKind>),
    /// Its inputs do not give it any more.
    NotMade,
}

impl Replayed {
    /// Whether it is the same.
    pub fn is_equal(&self) -> bool {
        self.verdict == Verdict::Equal
    }
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { collection, id, job, bytes, verdict } = self;
        write!(f, "{collection} {id} of job '{job}' ")?;
        match verdict {
            Verdict::Equal => {
                write!(f, "was made again and is equal: its keys, and {bytes} bytes of samples")
            }
            Verdict::Differs(kind) => {
                write!(f, "was made again and differs, stored and made: {kind}")
            }
            Verdict::NotMade => f.write_str("is not made any more of the inputs that it names"),
        }
    }
}

/// Makes the waveform `id` again, of the inputs that its history names, and compares it with what
/// is stored; nothing is stored. `stage` is the workflow that its job ran, under whatever name;
/// what does not fit in memory on the way lies in `folder`.
///
/// A grouped datum is made of all inputs that its history names, which are all there were for what
/// is made of a whole group.
///
/// # Errors
/// [`Error::Refused`], one sentence, when there is no such waveform or history, the workflow is
/// another one, or the history does not name enough to make it again.
pub fn replay(database: &Database, stage: Stage, id: ObjectId, folder: &Path) -> Result<Replayed> {
    let found = provenance(database, id, &TraceLimits::default().inputs_max(0))?;
    let (Some(made), Some(collection)) = (found.made, found.collection) else {
        return Err(Error::Refused(format!("{id} has no history")));
    };
    let stage = stage.under(&made.job);
    if let Some(change) = record::changed(database, &stage)? {
        return Err(Error::Refused(format!(
            "job '{}' was run with other steps: {change}; give the parameters that it had",
            made.job
        )));
    }
    let history = document(database, HISTORY_OBJECT, history_id(id))?;
    let target = Target {
        id,
        document: found.document,
        inputs: ids(&history, "inputs"),
        history,
        output: u64::try_from(made.output).unwrap_or(0),
        stage: stage_of(&stage, &made.saved_by),
        collection,
    };
    let replayer = Replayer { database, stage: &stage, target: &target };
    let verdict = replayer.run(folder)?;
    if verdict != Verdict::Equal && !replayer.names_all() {
        return Err(Error::Refused(format!(
            "{id} is one of a group, whose others its history does not name: it cannot be made \
             again from its history alone"
        )));
    }
    let bytes = database.blobs.read(id).map_or(0, |bytes| bytes.len() as u64);
    Ok(Replayed { collection: target.collection, id, job: made.job, bytes, verdict })
}

/// What is to be made again.
struct Target {
    id: ObjectId,
    collection: String,
    document: Document,
    history: Document,
    inputs: Vec<ObjectId>,
    output: u64,
    /// The stage that saved it.
    stage: u32,
}

fn document(database: &Database, collection: &str, id: ObjectId) -> Result<Document> {
    let find = Find::filter(doc! { "_id": id }).limit(1);
    let found = database.documents.find(collection, &find)?.next().transpose()?;
    found.ok_or_else(|| Error::Refused(format!("{collection} has no document {id} any more")))
}

fn ids(document: &Document, key: &str) -> Vec<ObjectId> {
    let ids = document.get_array(key).into_iter().flatten();
    ids.filter_map(Bson::as_object_id).collect()
}

/// The stage with the step that saved a datum.
fn stage_of(stage: &Stage, saved_by: &str) -> u32 {
    let workflow = stage.workflow();
    let last = workflow.stage_count().saturating_sub(1);
    let number = saved_by.strip_prefix("tee ").and_then(|number| number.parse::<usize>().ok());
    let Some(number) = number else { return last };
    let mut end = 0;
    let ends = workflow.stage_steps().map(|steps| {
        end += steps.len();
        end
    });
    (0..).zip(ends).find(|(_, end)| number < *end).map_or(last, |(stage, _)| stage)
}

struct Replayer<'a> {
    database: &'a Database,
    stage: &'a Stage,
    target: &'a Target,
}

impl Replayer<'_> {
    fn run(&self, folder: &Path) -> Result<Verdict> {
        let last = self.target.stage;
        let bench = Bench::for_looking(self.database.clone());
        let mut bench = match last {
            0 => bench,
            _ => bench.with_pieces(PieceAccess::alone(folder), GROUP_BYTES),
        };
        for part in self.source_parts()? {
            if let Some(verdict) = self.made_of(&part, &mut bench)? {
                return Ok(verdict);
            }
        }
        for number in 1..=last {
            for bucket in 0..self.stage.workflow().buckets(number) {
                let origin = bucket_origin(number, bucket);
                if number == last && !names(&self.target.document, "task_origin", origin) {
                    continue;
                }
                let part = Part::Bucket(bucket);
                let bucket = Partition { stage: number, origin, version: 0, part, bytes: 0 };
                if let Some(verdict) = self.made_of(&bucket, &mut bench)? {
                    return Ok(verdict);
                }
            }
        }
        Ok(Verdict::NotMade)
    }

    /// What came of a part, if the datum was made of it.
    fn made_of(&self, part: &Partition, bench: &mut Bench) -> Result<Option<Verdict>> {
        let ran = self.stage.run(part, bench);
        let output = ran.map_err(|fault| {
            Error::Refused(format!("{} cannot be made again: {fault:?}", self.target.id))
        })?;
        self.compare(&output.save)
    }

    /// The parts of the source to be read.
    fn source_parts(&self) -> Result<Vec<Partition>> {
        let (source, target) = (self.stage.workflow().source(), self.target);
        let mut parts = Vec::new();
        match source {
            Source::Archive(pieces) => {
                for input in &target.inputs {
                    let run = document(self.database, WF_MINISEED, *input)?;
                    let refuse = |error: bson::error::Error| {
                        Error::Refused(format!("{WF_MINISEED} document {input}: {error}"))
                    };
                    let foff = run.get_i64("foff").map_err(refuse)? as u64;
                    let file = run.get_object_id("archive_file_id").map_err(refuse)?;
                    let file = document(self.database, ARCHIVE_FILE, file)?;
                    let mut of_file = parts_of_file(self.database, pieces, &file)?;
                    of_file.retain(|part| holds(part, foff));
                    if target.stage == 0 {
                        of_file.sort_by_key(|part| !has_sample(part, target.output));
                    }
                    parts.extend(of_file);
                }
            }
            Source::Stored { .. } => {
                let origin = source.origin();
                parts.extend(target.inputs.iter().map(|id| {
                    let part = Part::Documents { first: *id, last: *id };
                    Partition { stage: 0, origin, version: 0, part, bytes: 0 }
                }));
            }
            Source::Numbered(numbered) if target.stage == 0 => {
                let before = (0..=FLAT_MAPS_MAX).map(|times| FLAT_MAP_MAX.pow(times));
                let numbers = before.map(|divisor| target.output / divisor);
                let numbers = numbers.filter(|number| *number < numbered.count);
                parts.extend(numbers.map(|from| {
                    let (origin, part) = (source.origin(), Part::Numbers { from, to: from + 1 });
                    Partition { stage: 0, origin, version: 0, part, bytes: 0 }
                }));
            }
            Source::Numbered(_) => {
                let job_id = job_id(self.stage.job());
                each_origin(self.database, source, job_id, &mut |origin| {
                    parts.extend(origin.partitions);
                    Ok(true)
                })?;
            }
        }
        let mut seen = HashSet::new();
        parts.retain(|part| seen.insert(part.key()));
        Ok(parts)
    }

    /// Compares what is stored with what was made, if the datum is among it.
    fn compare(&self, made: &Save) -> Result<Option<Verdict>> {
        let Target { id, collection, document, history, .. } = self.target;
        let Some(new) = find(made, collection, *id) else { return Ok(None) };
        let kind = first_difference(collection, document, new);
        let kind = kind.or_else(|| {
            first_difference(HISTORY_OBJECT, history, find(made, HISTORY_OBJECT, history_id(*id))?)
        });
        if let Some(kind) = kind {
            return Ok(Some(Verdict::Differs(Box::new(kind))));
        }
        let stored: Option<Bytes> = match self.database.blobs.read(*id) {
            Ok(bytes) => Some(bytes),
            Err(mspass_io::Error::NoBlob { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let new = made.blobs.iter().find(|(blob, _)| blob == id).map(|(_, bytes)| &bytes[..]);
        let samples = samples_difference(stored.as_deref(), new);
        let differs =
            samples.map(|samples| Verdict::Differs(Box::new(DifferenceKind::Samples(samples))));
        Ok(Some(differs.unwrap_or(Verdict::Equal)))
    }

    /// Whether the history names everything that a grouped datum was made with: it has passed the
    /// step that grouped.
    fn names_all(&self) -> bool {
        let workflow = self.stage.workflow();
        let before = self.target.stage as usize;
        let grouped = workflow.stage_steps().take(before).last().and_then(<[_]>::last);
        let Some(grouped) = grouped else { return true };
        let steps = self.target.history.get_array("steps").into_iter().flatten();
        steps.filter_map(Bson::as_document).any(|step| {
            step.get_str("step").is_ok_and(|name| name == grouped.name)
                && step.get_str("parameters").is_ok_and(|text| text == grouped.parameters)
        })
    }
}

fn find<'a>(made: &'a Save, collection: &str, id: ObjectId) -> Option<&'a Document> {
    let (_, documents) = made.documents.iter().find(|(name, _)| name == collection)?;
    documents.iter().map(|packed| &packed.0).find(|made| names(made, "_id", id))
}

fn names(document: &Document, key: &str, id: ObjectId) -> bool {
    document.get_object_id(key).is_ok_and(|named| named == id)
}

/// Whether a part of a file has the run at this offset, or some of it.
fn holds(part: &Partition, foff: u64) -> bool {
    match part.part {
        Part::File { foff_first, foff_last, .. } => (foff_first..=foff_last).contains(&foff),
        _ => false,
    }
}

/// Whether a part of a run has this sample.
fn has_sample(part: &Partition, sample: u64) -> bool {
    match part.part {
        Part::File { samples: Some((from, to)), .. } => (from..to).contains(&sample),
        _ => true,
    }
}
