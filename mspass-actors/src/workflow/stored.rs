//! Reading waveforms of the database, and data that a function makes.

use std::sync::Arc;

use bson::{Document, doc};
use mspass_core::{Datum, ErrorLog, History, Life, Metadata, SeedId, Severity, Tombstone, UtcTime};
use mspass_io::db::id::to_document_id;
use mspass_io::db::{ReadOptions, Waveform, Waveforms, from_bson};
use mspass_io::store::Find;

use super::builder::guarded;
use super::partition::Part;
use super::source::{Numbered, Query};
use super::stage::{Bench, Emit, POISON, Run, StageFault, Task};

/// Reads the documents of a part, one datum each, by their `_id`s.
pub(super) fn read_documents<T: Waveform>(collection: String, query: Query, emit: Emit<T>) -> Run {
    let options = ReadOptions::default().collection(&collection);
    Arc::new(move |task, partition, bench| {
        let Part::Documents { first, last } = partition.part else {
            return Err(StageFault::Broken("this part is of no collection".into()));
        };
        let within = doc! { "_id": { "$gte": first, "$lte": last } };
        let filter = both(&query.filter_for(task.stage.job_id), within);
        let find = Find::filter(filter).sort(doc! { "_id": 1 });
        let waveforms = Waveforms::new(&bench.database);
        for document in bench.database.documents.find(&collection, &find)? {
            let document = document?;
            // Reading its samples may be what breaks the process.
            if let Some(reason) = task.note(|| name_of(&document), bench) {
                task.count_entered(0);
                task.bury(&unread::<T>(&document, reason));
                task.settle(bench)?;
                continue;
            }
            let data = waveforms.read_pieces::<T>(&document, &options)?;
            let is_one = data.len() == 1;
            for mut datum in data {
                task.count_entered(datum.npts());
                // Each of several stretches has a name of its own.
                let name = || format!("{} {}", datum.seed_id(), start_of(&datum));
                let poison = if is_one { None } else { task.note(name, bench) };
                for key in PLACE_KEYS {
                    datum.metadata_mut().remove(key);
                }
                datum.metadata_mut().clear_modified();
                if let Some(reason) = poison {
                    datum.kill(POISON, reason);
                }
                go_on(datum, &emit, task, bench)?;
            }
        }
        Ok(())
    })
}

fn seed_id_of(document: &Document) -> Option<SeedId> {
    let code = |key| document.get_str(key).unwrap_or_default();
    SeedId::new(code("net"), code("sta"), code("loc"), code("chan")).ok()
}

/// The name of what a document speaks of, before its samples are read.
fn name_of(document: &Document) -> String {
    let nanos = document.get_i64("starttime_ns").ok().map(UtcTime::from_nanos);
    let seconds = || match document.get_str("time_standard") {
        Ok("Relative") => None,
        _ => document.get_f64("starttime").ok().map(UtcTime::from_seconds),
    };
    let start = nanos.or_else(seconds).map(|time| time.to_string()).unwrap_or_default();
    match seed_id_of(document) {
        Some(id) => format!("{id} {start}"),
        None => document.get("_id").map(ToString::to_string).unwrap_or_default(),
    }
}

/// What is buried of a document whose samples are not read: its keys.
fn unread<T: Datum>(document: &Document, reason: String) -> Tombstone {
    let keys = document.iter().filter(|(key, _)| !PLACE_KEYS.contains(&key.as_str()));
    let mut metadata: Metadata =
        keys.map(|(key, value)| (key.as_str(), from_bson(value))).collect();
    metadata.clear_modified();
    let id = document.get_object_id("_id").map(to_document_id);
    let history = id.map(|id| History::of(id, 0)).unwrap_or_default();
    let id = seed_id_of(document);
    Tombstone { id, ..unseen::<T>(POISON, reason, metadata, history) }
}

/// A datum of a source begins: it goes to its first step, or where it belongs when it is dead.
fn go_on<T: Datum>(
    datum: T,
    emit: &Emit<T>,
    task: &mut Task<'_>,
    bench: &mut Bench,
) -> Result<(), StageFault> {
    match datum.life() {
        Life::Live => emit(datum, task, bench),
        Life::Dead => task.bury(&datum.into_tombstone()),
        _ => task.refuse(&datum.into_tombstone()),
    }
    task.settle(bench)
}

/// What is buried of a datum that was never made.
pub(super) fn unseen<T: Datum>(
    algorithm: &str,
    reason: String,
    metadata: Metadata,
    history: History,
) -> Tombstone {
    let mut log = ErrorLog::default();
    log.push(algorithm, Severity::Invalid, reason);
    let (kind, life) = (T::KIND.to_owned(), Life::Dead);
    Tombstone { kind, life, id: None, axis: None, npts: 0, metadata, log, history }
}

/// Keys that say where a document was, which say nothing of what is made of it.
pub(crate) const PLACE_KEYS: [&str; 4] = ["_id", "task_origin", "archive_file_id", "job_id"];

fn start_of<T: Waveform>(datum: &T) -> String {
    datum.axis().starttime().map(|time| time.to_string()).unwrap_or_default()
}

/// Documents that both filters let pass.
pub(crate) fn both(filter: &Document, other: Document) -> Document {
    if filter.is_empty() {
        other
    } else {
        doc! { "$and": [filter.clone(), other] }
    }
}

/// Makes the data of a part by their numbers.
pub(super) fn make_numbered<T: Datum>(
    source: &Numbered,
    make: Arc<dyn Fn(u64) -> T + Send + Sync>,
    emit: Emit<T>,
) -> Run {
    let (input, name) = (source.input(), source.name.clone());
    Arc::new(move |task, partition, bench| {
        let Part::Numbers { from, to } = partition.part else {
            return Err(StageFault::Broken("this part is of no numbered source".into()));
        };
        for number in from..to {
            if let Some(reason) = task.enter(|| format!("{name} {number}"), bench) {
                // Making it may be what breaks the process.
                let history = History::of(input, number);
                task.bury(&unseen::<T>(POISON, reason, Metadata::default(), history));
                continue;
            }
            let mut datum = match guarded(|| Ok(make(number))) {
                Ok(datum) => datum,
                Err(reason) => {
                    let history = History::of(input, number);
                    task.refuse(&unseen::<T>("read", reason, Metadata::default(), history));
                    continue;
                }
            };
            if datum.history_mut().inputs.is_empty() {
                *datum.history_mut() = History::of(input, number);
            }
            go_on(datum, &emit, task, bench)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use mspass_core::{Hertz, SeedId, TimeSeries, UtcTime};
    use mspass_io::db::collection::{CEMETERY, WF_TIME_SERIES};
    use mspass_io::store::{Database, MemoryStore};

    use super::super::partition::Partition;
    use super::super::stage::Stage;
    use super::super::{Query, Save, Workflow};
    use super::*;
    use crate::foreman::lease::{Lease, Poison, TaskDatum};

    const DATA: u64 = 5;

    fn trace(number: u64) -> TimeSeries {
        let id = SeedId::new("XX", &format!("S{number}"), "00", "HHZ").unwrap();
        TimeSeries::new(id, UtcTime::default(), Hertz::new(20.0).unwrap(), vec![1.0; 4])
    }

    #[test]
    fn a_datum_that_cannot_be_made_costs_itself() {
        let make = |number| {
            assert_ne!(number, 2, "on purpose");
            trace(number)
        };
        let workflow = Workflow::generate(Numbered::new("five", DATA), make).count().unwrap();
        let database = Database::of(Arc::new(MemoryStore::new()));
        let part = Part::Numbers { from: 0, to: DATA };
        let partition =
            Partition { stage: 0, origin: workflow.source().origin(), version: 0, part, bytes: 0 };
        let output = Stage::new(workflow, "test").run(&partition, &mut Bench::new(database));
        let tally = output.unwrap().tally;
        assert_eq!((tally.live, tally.dead, tally.aborted), (DATA - 1, 0, 1));
        assert!(tally.reasons[0].reason.contains("on purpose"), "{:?}", tally.reasons);
    }

    fn run(stage: &Stage, database: &Database, part: Part, poison: &[(u64, &str)]) -> (u64, u64) {
        let origin = stage.workflow().source().origin();
        let partition = Partition { stage: 0, origin, version: 0, part, bytes: 0 };
        let poison = poison.iter().map(|(ordinal, name)| Poison {
            datum: TaskDatum { ordinal: *ordinal, name: (*name).to_owned() },
            reason: format!("{name} broke it"),
        });
        let (key, poison) = (partition.key(), poison.collect());
        let lease = Lease { key, attempt: 1, epoch: 1, partition, alone: true, poison };
        let mut bench = Bench::new(database.clone());
        bench.begin(stage.job(), &lease);
        let output = stage.run(&lease.partition, &mut bench).unwrap();
        assert!(output.tally.balances());
        for (collection, packed) in &output.save.documents {
            let documents: Vec<Document> = packed.iter().map(|one| one.0.clone()).collect();
            database.documents.upsert(collection, &documents).unwrap();
        }
        for (id, bytes) in output.save.blobs {
            database.blobs.put(&[mspass_io::store::Blob { id, bytes }]).unwrap();
        }
        (output.tally.live, output.tally.dead)
    }

    #[test]
    fn what_is_poison_is_buried_unseen_if_it_is_still_the_same() {
        let database = Database::of(Arc::new(MemoryStore::new()));
        static MADE: AtomicU64 = AtomicU64::new(0);
        let make = |number| {
            MADE.fetch_add(1, Ordering::Relaxed);
            trace(number)
        };
        let source = Numbered::new("made", DATA);
        let made = Workflow::generate(source, make).save(Save::new()).unwrap();
        let poison = [(3, "made 2"), (4, "another")];
        let part = Part::Numbers { from: 0, to: DATA };
        let counts = run(&Stage::new(made, "made"), &database, part, &poison);
        assert_eq!((counts, MADE.load(Ordering::Relaxed)), ((DATA - 1, 1), DATA - 1));

        let copied = Workflow::read_stored::<TimeSeries>(Query::all()).save(Save::new()).unwrap();
        let find = Find::default().sort(doc! { "_id": 1 });
        let found = database.documents.find(WF_TIME_SERIES, &find).unwrap();
        let found: Vec<Document> = found.map(Result::unwrap).collect();
        let id = |at: usize| found[at].get_object_id("_id").unwrap();
        let part = Part::Documents { first: id(0), last: id(3) };
        let name = format!("XX.{}.00.HHZ 1970-01-01T00:00:00Z", found[1].get_str("sta").unwrap());
        // It would be refused if its samples were looked for.
        database.blobs.delete(&[found[1].get_object_id("gridfs_id").unwrap()]).unwrap();
        let copy = Stage::new(copied, "copied");
        assert_eq!(run(&copy, &database, part, &[(2, &name), (1, "another")]), (3, 1));

        let found = database.documents.find(CEMETERY, &Find::default()).unwrap();
        let mut reasons: Vec<String> = found
            .map(|buried| {
                let buried = buried.unwrap();
                let log = buried.get_array("logdata").unwrap()[0].as_document().unwrap().clone();
                assert_eq!(log.get_str("algorithm").unwrap(), POISON);
                log.get_str("error_message").unwrap().to_owned()
            })
            .collect();
        reasons.sort_unstable();
        assert_eq!(reasons, [format!("{name} broke it"), "made 2 broke it".to_owned()]);
    }
}
