//! The embedded store under `kill -9`: a writer process is killed again and again at random
//! moments; after each kill everything that it had acknowledged is there, nothing is there by
//! halves, and the indexes agree with the documents.
//!
//! The program that runs the campaign is its own writer: it starts itself with [`WRITER_PATH`] and
//! [`WRITER_START`] in the environment and then calls [`write_if_asked`] before anything else.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use bson::oid::ObjectId;
use bson::{Bson, Document, doc};
use mspass_io::store::{Blob, BlobStore, DocumentStore, EmbeddedOptions, EmbeddedStore, Find};

/// Names the folder of the store to the writer.
pub(crate) const WRITER_PATH: &str = "MSPASS_STORE_KILL_PATH";
/// Names the first batch of each writer, with commas between.
pub(crate) const WRITER_START: &str = "MSPASS_STORE_KILL_START";

/// Writers at the same time in the one process, so that they share commits.
const WRITERS: usize = 2;
/// From one batch of a writer to its next.
const STRIDE: u64 = WRITERS as u64;
/// A batch is updated by the one this many later, and deleted by the one `DELETE_LAG` later.
const UPDATE_LAG: u64 = 4;
const DELETE_LAG: u64 = 12;
/// Writes of one batch: blobs, documents, update, deletion of documents, deletion of blobs.
const STEPS: u64 = 5;
/// Acknowledged writes that the campaign waits for before a kill, at most.
const WRITES_MAX: u64 = 120;
const STATIONS: u64 = 5;

type Failure = Box<dyn Error + Send + Sync>;

/// What a campaign did.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// Kills.
    pub(crate) kills: usize,
    /// Writes that were acknowledged before a kill, and were all there after it.
    pub(crate) acknowledged: u64,
    /// Writes under way at a kill that were there after it, whole.
    pub(crate) arrived: u64,
    /// Writes under way at a kill that left no trace.
    pub(crate) absent: u64,
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

fn id(batch: u64, number: u64) -> ObjectId {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&batch.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    bytes[8..].copy_from_slice(&(number as u32).to_be_bytes());
    ObjectId::from_bytes(bytes)
}

/// The blobs of a batch, the same whenever they are made.
fn blobs(batch: u64) -> Vec<Blob> {
    let mut random = Random(batch);
    (0..1 + random.below(6))
        .map(|number| {
            let length = random.below(60_000) as usize;
            let start = random.next();
            let byte = |i: usize| (start.wrapping_add(i as u64 * 31) >> (i % 8)) as u8;
            Blob { id: id(batch, number), bytes: (0..length).map(byte).collect() }
        })
        .collect()
}

/// The documents of a batch as they were before or after its update.
fn documents(batch: u64, updated: bool) -> Vec<Document> {
    let mut random = Random(!batch);
    (0..1 + random.below(40))
        .map(|number| {
            let station = format!("S{}", random.below(STATIONS));
            let tags = ["a", "b", "c"][..random.below(4) as usize].to_vec();
            let mut document = doc! {
                "_id": id(batch, number), "batch": batch as i64, "sta": station, "tags": tags,
                "text": "x".repeat(random.below(400) as usize),
            };
            if updated {
                document.insert("updated", (batch + UPDATE_LAG) as i64);
            }
            document
        })
        .collect()
}

/// Writes without end if this process was started as a writer; else returns.
pub(crate) fn write_if_asked() {
    let (Ok(path), Ok(start)) = (std::env::var(WRITER_PATH), std::env::var(WRITER_START)) else {
        return;
    };
    let starts: Vec<u64> =
        start.split(',').map(|n| n.parse().expect("the campaign passes numbers")).collect();
    if let Err(error) = write(Path::new(&path), &starts) {
        eprintln!("the writer failed: {error}");
    }
    std::process::exit(1);
}

fn write(path: &Path, starts: &[u64]) -> mspass_io::Result<()> {
    let store = EmbeddedStore::open(path, &EmbeddedOptions::default())?;
    store.create_index("wf", &doc! { "sta": 1, "batch": -1 })?;
    store.create_index("wf", &doc! { "tags": 1 })?;
    println!("open");
    std::thread::scope(|scope| {
        let writers: Vec<_> = starts
            .iter()
            .map(|start| {
                let store = &store;
                scope.spawn(move || {
                    for batch in (*start..).step_by(WRITERS) {
                        for step in 0..STEPS {
                            take_step(store, batch, step)?;
                            println!("done {batch} {step}");
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        writers.into_iter().try_for_each(|writer| writer.join().expect("no writer panics"))
    })
}

fn take_step(store: &EmbeddedStore, batch: u64, step: u64) -> mspass_io::Result<()> {
    let (updated, deleted) = (batch.checked_sub(UPDATE_LAG), batch.checked_sub(DELETE_LAG));
    match (step, updated, deleted) {
        (0, ..) => store.put(&blobs(batch)),
        (1, ..) => store.upsert("wf", &documents(batch, false)),
        (2, Some(earlier), _) => store
            .update(
                "wf",
                &doc! { "batch": earlier as i64 },
                &doc! { "$set": { "updated": batch as i64 } },
            )
            .map(drop),
        (3, _, Some(earlier)) => {
            DocumentStore::delete(store, "wf", &doc! { "batch": earlier as i64 }).map(drop)
        }
        (4, _, Some(earlier)) => {
            let ids: Vec<_> = blobs(earlier).iter().map(|blob| blob.id).collect();
            BlobStore::delete(store, &ids).map(drop)
        }
        _ => Ok(()),
    }
}

/// What is in the store of one batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Batch {
    blobs: bool,
    documents: bool,
    updated: bool,
}

/// What must be in the store, by batch.
type Model = BTreeMap<u64, Batch>;

fn model_step(model: &mut Model, batch: u64, step: u64) {
    let (updated, deleted) = (batch.checked_sub(UPDATE_LAG), batch.checked_sub(DELETE_LAG));
    match (step, updated, deleted) {
        (0, ..) => model.entry(batch).or_default().blobs = true,
        (1, ..) => {
            let entry = model.entry(batch).or_default();
            (entry.documents, entry.updated) = (true, false);
        }
        (2, Some(earlier), _) => {
            if let Some(entry) = model.get_mut(&earlier) {
                entry.updated = entry.documents;
            }
        }
        (3, _, Some(earlier)) => {
            if let Some(entry) = model.get_mut(&earlier) {
                (entry.documents, entry.updated) = (false, false);
            }
        }
        (4, _, Some(earlier)) => {
            if let Some(entry) = model.get_mut(&earlier) {
                entry.blobs = false;
            }
        }
        _ => {}
    }
    model.retain(|_, entry| *entry != Batch::default());
}

/// Kills `count` writers that `program` starts on the store in `path`.
///
/// `program` gives the command that runs this same program up to [`write_if_asked`].
pub(crate) fn campaign(
    path: &Path,
    count: usize,
    seed: u64,
    program: impl Fn() -> Command,
) -> Result<Summary, Failure> {
    let mut random = Random(seed);
    let mut model = Model::new();
    let mut starts: Vec<u64> = (0..WRITERS as u64).collect();
    let mut summary = Summary::default();
    for kill in 0..count {
        let done = run_and_kill(path, &starts, &mut random, &program)?;
        let mut under_way: Vec<(u64, u64)> = starts.iter().map(|batch| (*batch, 0)).collect();
        for (batch, step) in done {
            model_step(&mut model, batch, step);
            summary.acknowledged += 1;
            let next = if step + 1 == STEPS { (batch + STRIDE, 0) } else { (batch, step + 1) };
            under_way[batch as usize % WRITERS] = next;
        }
        // A batch that was under way is written again from its beginning.
        starts = under_way.iter().map(|(batch, _)| *batch).collect();
        let place = |error: Failure| format!("seed {seed}, kill {kill}: {error}");
        let found = inspect(path, &starts).map_err(place)?;
        settle(&mut model, &found, &under_way, &mut summary).map_err(place)?;
        summary.kills += 1;
    }
    Ok(summary)
}

/// Runs a writer, kills it at a random moment and returns the writes that it acknowledged.
fn run_and_kill(
    path: &Path,
    starts: &[u64],
    random: &mut Random,
    program: impl Fn() -> Command,
) -> Result<Vec<(u64, u64)>, Failure> {
    let starts: Vec<_> = starts.iter().map(u64::to_string).collect();
    let mut writer = program()
        .env(WRITER_PATH, path)
        .env(WRITER_START, starts.join(","))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = writer.stdout.take().ok_or("the writer has no output")?;
    let (line_out, line_in) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if line_out.send(line).is_err() {
                break;
            }
        }
    });
    // One kill in eight comes while the store is being opened.
    let opening = random.below(8) == 0;
    let wanted = if opening { 0 } else { 1 + random.below(WRITES_MAX) };
    let pause = Duration::from_micros(random.below(if opening { 20_000 } else { 4_000 }));
    let mut lines = Vec::new();
    while (lines.len() as u64) < wanted {
        match line_in.recv_timeout(Duration::from_secs(60)) {
            Ok(line) => lines.push(line),
            Err(_) => {
                writer.kill()?;
                return Err(format!("the writer ended by itself: {:?}", writer.wait()?).into());
            }
        }
    }
    // Nothing is sent here: a pause of its length.
    let (_held, never) = mpsc::channel::<()>();
    let _ = never.recv_timeout(pause);
    writer.kill()?;
    writer.wait()?;
    reader.join().map_err(|_| "the reader panicked")?;
    lines.extend(line_in.try_iter());
    let step = |line: &String| {
        let mut words = line.split(' ').skip_while(|word| *word != "done").skip(1);
        Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
    };
    Ok(lines.iter().filter_map(step).collect())
}

/// Opens the store and returns what is in it; fails where anything is there by halves, damaged, or
/// not what an index says.
fn inspect(path: &Path, starts: &[u64]) -> Result<Model, Failure> {
    let store = EmbeddedStore::open(path, &EmbeddedOptions::default())?;
    let mut by_batch: BTreeMap<u64, Vec<Document>> = BTreeMap::new();
    let mut all = Vec::new();
    for document in store.find("wf", &Find::default().sort(doc! { "_id": 1 }))? {
        let document = document?;
        by_batch.entry(document.get_i64("batch")? as u64).or_default().push(document.clone());
        all.push(document);
    }
    let mut model = Model::new();
    for (batch, mut found) in by_batch {
        let whole = |updated| {
            let mut documents = documents(batch, updated);
            documents.sort_by_key(|d| d.get_object_id("_id").ok());
            documents
        };
        found.sort_by_key(|d| d.get_object_id("_id").ok());
        let updated = found == whole(true);
        if !updated && found != whole(false) {
            return Err(
                format!("batch {batch} has {} documents, not all of it", found.len()).into()
            );
        }
        model.insert(batch, Batch { blobs: false, documents: true, updated });
    }
    check_indexes(&store, &all)?;
    let mut ids: Vec<ObjectId> = store.ids()?;
    // One writer may be far ahead of the other; each keeps its last batches.
    let oldest = starts.iter().min().copied().unwrap_or(0).saturating_sub(2 * DELETE_LAG);
    for batch in oldest..=starts.iter().max().copied().unwrap_or(0) {
        let blobs = blobs(batch);
        if !ids.contains(&blobs[0].id) {
            continue;
        }
        for blob in &blobs {
            if store.read(blob.id)? != blob.bytes {
                return Err(format!("a blob of batch {batch} has other bytes").into());
            }
        }
        ids.retain(|id| blobs.iter().all(|blob| blob.id != *id));
        model.entry(batch).or_default().blobs = true;
    }
    if ids.is_empty() { Ok(model) } else { Err(format!("blobs of no batch: {ids:?}").into()) }
}

/// Every query through an index gives what the documents themselves give.
fn check_indexes(store: &EmbeddedStore, all: &[Document]) -> Result<(), Failure> {
    let stations = (0..STATIONS).map(|i| ("sta", Bson::String(format!("S{i}"))));
    let tags = ["a", "b", "c"].map(|tag| ("tags", Bson::String(tag.to_owned())));
    for (key, value) in stations.chain(tags) {
        let holds = |document: &Document| match document.get(key) {
            Some(Bson::Array(values)) => values.contains(&value),
            single => single == Some(&value),
        };
        let expected: Vec<_> = all.iter().filter(|d| holds(d)).cloned().collect();
        let find = Find::filter(doc! { key: value.clone() });
        let mut found = store.find("wf", &find)?.collect::<Result<Vec<_>, _>>()?;
        found.sort_by_key(|d| d.get_object_id("_id").ok());
        if found != expected {
            let (found, expected) = (found.len(), expected.len());
            return Err(format!("{key} {value}: index {found}, documents {expected}").into());
        }
    }
    let sorted = Find::default().sort(doc! { "sta": 1, "batch": -1 });
    match store.find("wf", &sorted)?.count() {
        count if count == all.len() => Ok(()),
        count => Err(format!("the index has {count} of {} documents", all.len()).into()),
    }
}

/// Compares what was found with the model; a write under way at the kill may be there or not, and
/// the model takes over which.
fn settle(
    model: &mut Model,
    found: &Model,
    under_way: &[(u64, u64)],
    summary: &mut Summary,
) -> Result<(), Failure> {
    let mut possible = vec![(model.clone(), 0)];
    for (batch, step) in under_way {
        for (mut after, arrived) in possible.clone() {
            let before = after.clone();
            model_step(&mut after, *batch, *step);
            if after != before {
                possible.push((after, arrived + 1));
            }
        }
    }
    let most = possible.iter().map(|(_, arrived)| *arrived).max().unwrap_or(0);
    let Some((after, arrived)) = possible.into_iter().find(|(possible, _)| possible == found)
    else {
        return Err(format!("found {found:?}\nexpected {model:?}\nunder way {under_way:?}").into());
    };
    summary.arrived += arrived;
    summary.absent += most - arrived;
    *model = after;
    Ok(())
}
