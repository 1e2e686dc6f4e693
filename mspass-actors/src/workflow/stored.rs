//! Reading waveforms of the database, and data that a function makes.

use std::sync::Arc;

use bson::{Document, doc};
use mspass_core::{Datum, ErrorLog, History, Life, Metadata, Severity, Tombstone};
use mspass_io::db::{ReadOptions, Waveform, Waveforms};
use mspass_io::store::Find;

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
        for read in waveforms.cursor::<T>(&find, &options)? {
            let mut datum = read?;
            let name = || format!("{} {}", datum.seed_id(), start_of(&datum));
            let poison = task.enter(name, datum.npts(), bench);
            for key in PLACE_KEYS {
                datum.metadata_mut().remove(key);
            }
            datum.metadata_mut().clear_modified();
            if let Some(reason) = poison {
                datum.kill(POISON, reason);
            }
            go_on(datum, &emit, task, bench)?;
        }
        Ok(())
    })
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
const PLACE_KEYS: [&str; 4] = ["_id", "task_origin", "archive_file_id", "job_id"];

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
            if let Some(reason) = task.enter(|| format!("{name} {number}"), 0, bench) {
                // Making it may be what breaks the process.
                let history = History::of(input, number);
                task.bury(&unseen::<T>(POISON, reason, Metadata::default(), history));
                continue;
            }
            let mut datum = make(number);
            if datum.history_mut().inputs.is_empty() {
                *datum.history_mut() = History::of(input, number);
            }
            go_on(datum, &emit, task, bench)?;
        }
        Ok(())
    })
}
