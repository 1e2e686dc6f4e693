//! Filling a job's report from its counts and from the database.

use bson::{Document, doc};
use mspass_actors::foreman::{JobStatus, StageStatus};
use mspass_actors::workflow::partition::{Part, Partition};
use mspass_actors::workflow::report::{
    Bounded, CHANNELS_MAX, ChannelReport, Coverage, FILES_MAX, FileProblem, JobReport,
    PICTURES_MAX, Picture, REASONS_MAX, StageReport, StepReport,
};
use mspass_actors::workflow::stage::{Bench, Stage};
use mspass_actors::workflow::{PieceGrid, Save, Workflow};
use mspass_core::{SeedId, UtcTime};
use mspass_io::Result;
use mspass_io::db::collection::{ARCHIVE_FILE, CEMETERY, WF_MINISEED, WF_TIME_SERIES};
use mspass_io::db::id::job_id;
use mspass_io::store::{Aggregate, Database, Find};

use crate::frontend::plot::TracePlot;

/// Runs looked at for the picture of coverage; beyond, the picture shows the first ones.
const COVERAGE_RUNS_MAX: u64 = 200_000;
/// Pictures of a job: one of each of the first channels.
const PICTURES: usize = 4;

/// Fills counts, steps and reasons.
pub(super) fn counts(report: &mut JobReport, status: &JobStatus, stage: &Stage) {
    let totals = &status.totals;
    report.in_count = totals.entered;
    report.live = totals.live;
    report.dead = totals.dead;
    report.aborted = totals.aborted;
    report.saved = totals.saved;
    report.samples_in = totals.samples_in;
    report.samples_out = totals.samples_saved;
    report.bytes_read = totals.bytes_read;
    report.bytes_saved = totals.bytes_saved;
    report.resumed = status.resumed;
    let steps = stage.workflow().steps().iter().zip(&totals.steps);
    report.steps = steps
        .map(|(step, tally)| StepReport {
            name: step.name.clone(),
            parameters: serde_json::from_str(&step.parameters).unwrap_or_default(),
            entered: tally.entered,
            live: tally.entered - tally.died - tally.left_out,
            died: tally.died,
            seconds: tally.nanos as f64 * 1e-9,
        })
        .collect();
    let mut first_step = 0;
    let stages = status.stages.iter().zip(stage.workflow().stage_steps());
    report.stages = stages
        .map(|(StageStatus { tally, .. }, steps)| {
            let first = first_step;
            first_step += steps.len();
            StageReport {
                first_step: first,
                in_count: tally.entered,
                live: tally.live,
                dead: tally.dead,
                aborted: tally.aborted,
            }
        })
        .collect();
    report.reasons = Bounded::default();
    for reason in &totals.reasons {
        report.reasons.push(reason.clone(), REASONS_MAX);
    }
}

/// Fills what the database tells: channels, coverage, files with faults, pictures.
pub(super) fn contents(report: &mut JobReport, database: &Database, stage: &Stage) -> Result<()> {
    if let Some(pieces) = stage.workflow().source().archive() {
        files(report, database, &pieces.archive)?;
        coverage(report, database, &pieces.archive)?;
    }
    channels(report, database, stage.job())?;
    pictures(report, database, stage)
}

fn files(report: &mut JobReport, database: &Database, archive: &str) -> Result<()> {
    let filter = doc! { "archive": archive, "error_count": { "$gt": 0 } };
    let find = Find::filter(filter).sort(doc! { "path": 1 }).limit(FILES_MAX as u64 + 1);
    for document in database.documents.find(ARCHIVE_FILE, &find)? {
        let document = document?;
        let file = document.get_str("path").unwrap_or_default();
        for error in document.get_array("errors").into_iter().flatten() {
            let Some(error) = error.as_document() else { continue };
            let problem = FileProblem {
                file: file.to_owned(),
                offset: error.get_i64("offset").ok().and_then(|offset| u64::try_from(offset).ok()),
                reason: error.get_str("reason").unwrap_or_default().to_owned(),
            };
            report.files.push(problem, FILES_MAX);
        }
    }
    Ok(())
}

fn seed_id(document: &Document) -> Option<SeedId> {
    let code = |key| document.get_str(key).ok();
    SeedId::new(code("net")?, code("sta")?, code("loc")?, code("chan")?).ok()
}

fn instant(document: &Document, key: &str) -> UtcTime {
    UtcTime::from_nanos(document.get_i64(key).unwrap_or(0))
}

fn coverage(report: &mut JobReport, database: &Database, archive: &str) -> Result<()> {
    let keys = doc! {
        "net": 1, "sta": 1, "loc": 1, "chan": 1,
        "starttime_ns": 1, "endtime_ns": 1, "sampling_rate": 1,
    };
    let find = Find::filter(doc! { "archive": archive }).projection(keys).limit(COVERAGE_RUNS_MAX);
    let mut known: std::collections::BTreeMap<SeedId, Coverage> = std::collections::BTreeMap::new();
    for document in database.documents.find(WF_MINISEED, &find)? {
        let document = document?;
        let Some(id) = seed_id(&document) else { continue };
        if !known.contains_key(&id) && known.len() >= CHANNELS_MAX {
            report.coverage.left_out += 1;
            continue;
        }
        let channel = known.entry(id.clone()).or_insert_with(|| Coverage { id, spans: Vec::new() });
        let tolerance = 1.5e9 / document.get_f64("sampling_rate").unwrap_or(1.0);
        let (start, end) = (instant(&document, "starttime_ns"), instant(&document, "endtime_ns"));
        channel.add(start, end, tolerance as i64);
    }
    report.coverage.items = known.into_values().collect();
    Ok(())
}

const CODES: [&str; 4] = ["net", "sta", "loc", "chan"];

fn channels(report: &mut JobReport, database: &Database, job: &str) -> Result<()> {
    let filter = doc! { "job_id": job_id(job) };
    let aggregates = [
        ("live", Aggregate::Count, ""),
        ("samples", Aggregate::Sum, "npts"),
        ("start", Aggregate::Min, "starttime_ns"),
        ("end", Aggregate::Max, "endtime"),
    ];
    let live = database.documents.group(WF_TIME_SERIES, &filter, &CODES, &aggregates)?;
    let mut known = std::collections::BTreeMap::new();
    for group in &live {
        let Some(id) = group.get_document("_id").ok().and_then(seed_id) else { continue };
        let count = |key| number(group, key) as u64;
        known.insert(
            id.clone(),
            ChannelReport {
                id,
                data: count("live"),
                live: count("live"),
                dead: 0,
                samples: count("samples"),
                starttime: instant(group, "start"),
                endtime: UtcTime::from_seconds(number(group, "end")),
            },
        );
    }
    let keys = CODES.map(|code| format!("tombstone.{code}"));
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let dead = [("dead", Aggregate::Count, "")];
    for group in database.documents.group(CEMETERY, &filter, &keys, &dead)? {
        let codes = group.get_document("_id").ok().map(|codes| {
            codes.iter().map(|(key, code)| (key.replace("tombstone_", ""), code.clone())).collect()
        });
        let Some(id) = codes.as_ref().and_then(seed_id) else { continue };
        let count = number(&group, "dead") as u64;
        let empty = ChannelReport { id: id.clone(), ..ChannelReport::default() };
        let channel = known.entry(id).or_insert(empty);
        channel.dead += count;
        channel.data += count;
    }
    report.channels = Bounded::default();
    for channel in known.into_values() {
        report.channels.push(channel, CHANNELS_MAX);
    }
    Ok(())
}

fn number(document: &Document, key: &str) -> f64 {
    match document.get(key) {
        Some(bson::Bson::Int32(value)) => f64::from(*value),
        Some(bson::Bson::Int64(value)) => *value as f64,
        Some(bson::Bson::Double(value)) => *value,
        _ => 0.0,
    }
}

/// One datum of each of the first channels, the longest there is, before and after.
fn pictures(report: &mut JobReport, database: &Database, stage: &Stage) -> Result<()> {
    let job = doc! { "job_id": job_id(stage.job()) };
    let longest = [("npts", Aggregate::Max, "npts")];
    let groups = database.documents.group(WF_TIME_SERIES, &job, &CODES, &longest)?;
    for group in groups.iter().take(PICTURES.min(PICTURES_MAX)) {
        let mut filter = job.clone();
        filter.extend(group.get_document("_id").cloned().unwrap_or_default());
        filter.insert("npts", group.get("npts").cloned().unwrap_or(bson::Bson::Null));
        let found = database.documents.find(WF_TIME_SERIES, &Find::filter(filter).limit(1))?.next();
        let Some(document) = found.transpose()? else { continue };
        if let Some(picture) = picture(database, stage, &document)? {
            report.pictures.push(picture);
        }
    }
    Ok(())
}

fn picture(database: &Database, stage: &Stage, saved: &Document) -> Result<Option<Picture>> {
    let Ok(id) = saved.get_object_id("_id") else { return Ok(None) };
    let processed = samples(&database.blobs.read(id)?);
    let Some((raw, raw_document)) = raw_piece(database, stage, saved)? else { return Ok(None) };
    let label = seed_id(saved).map(|id| id.to_string()).unwrap_or_default();
    let plot = |document: &Document, samples: &[f64]| {
        let trace = TracePlot {
            label: label.clone(),
            unit: "counts".into(),
            starttime: instant(document, "starttime_ns"),
            sampling_rate: document.get_f64("sampling_rate").unwrap_or(1.0),
            samples,
        };
        trace.to_picture()
    };
    let start = instant(saved, "starttime_ns");
    Ok(Some(Picture {
        title: format!("{label}, {start}"),
        caption: String::new(),
        output_id: Some(id.to_hex()),
        raw: plot(&raw_document, &raw),
        processed: plot(saved, &processed),
    }))
}

/// The piece that a saved datum was made of, read again: a workflow without steps gives it.
fn raw_piece(
    database: &Database,
    stage: &Stage,
    saved: &Document,
) -> Result<Option<(Vec<f64>, Document)>> {
    let Ok(run_id) = saved.get_object_id("wf_miniseed_id") else { return Ok(None) };
    let find = Find::filter(doc! { "_id": run_id }).limit(1);
    let Some(run) = database.documents.find(WF_MINISEED, &find)?.next().transpose()? else {
        return Ok(None);
    };
    let Some(source) = stage.workflow().source().archive() else { return Ok(None) };
    let grid = PieceGrid {
        starttime: instant(&run, "starttime_ns"),
        sampling_rate: run.get_f64("sampling_rate").unwrap_or(1.0),
        piece_seconds: source.piece_seconds,
    };
    let first = grid.index(instant(saved, "starttime_ns"));
    let Ok(workflow) = Workflow::read(source.clone()).save(Save::new()) else { return Ok(None) };
    let (Ok(file), Ok(foff)) = (run.get_object_id("archive_file_id"), run.get_i64("foff")) else {
        return Ok(None);
    };
    let foff = u64::try_from(foff).unwrap_or(0);
    let part = Part::File {
        foff_first: foff,
        foff_last: foff,
        samples: Some((first, grid.piece_end(first))),
        first_of_file: false,
    };
    let partition = Partition { part, ..Partition::whole(file, 0, 0) };
    let raw =
        Stage::new(workflow, "raw").run(&partition, &mut Bench::for_looking(database.clone()));
    let Ok(output) = raw else { return Ok(None) };
    let documents = output.save.documents.into_iter().find(|(name, _)| name == WF_TIME_SERIES);
    let document = documents.and_then(|(_, mut documents)| documents.pop());
    let blob = output.save.blobs.last().map(|(_, bytes)| samples(bytes));
    Ok(blob.zip(document.map(|packed| packed.0)))
}

fn samples(bytes: &[u8]) -> Vec<f64> {
    let (chunks, _) = bytes.as_chunks::<8>();
    chunks.iter().map(|chunk| f64::from_le_bytes(*chunk)).collect()
}
