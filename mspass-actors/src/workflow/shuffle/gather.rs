//! Taking data out of their pieces, group by group.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use mspass_core::history::Passage;
use mspass_core::metadata::Value;
use mspass_core::process::runner::panic_text;
use mspass_core::process::{Fold, Scratch};
use mspass_core::series::Ensemble;
use mspass_core::{Datum, History, Life, Tombstone};
use xxhash_rust::xxh3::xxh3_64;

use super::records::{decode, key_values, parse};
use crate::clock;
use crate::worker::pieces::PieceAccess;
use crate::workflow::partition::{Part, Partition};
use crate::workflow::stage::{Bench, Emit, POISON, Run, StageFault, Task};
use crate::workflow::stored::unseen;

/// Members of a fold that are added one to another before what they give is merged: the leaves of
/// the tree have so many, whoever makes them.
const LEAF_MEMBERS: usize = 64;
/// Bytes of records for each byte of a group's budget: decoded data take about as many.
const DECODED_PER_BYTE: usize = 2;

type Passages = Vec<Arc<Passage>>;

/// Where a record lies.
struct Entry {
    key: Range<usize>,
    order: Range<usize>,
    /// Number of its piece, for its passages.
    piece: u32,
    entry: u32,
    at: u64,
    length: usize,
}

/// The bytes of a bucket's pieces: in memory, or in a file when they are too many.
enum Held {
    Memory(Vec<Bytes>),
    File(File, u64),
}

/// All records of a bucket, in order of key and order.
struct Bucket {
    held: Held,
    tables: Vec<Vec<Passages>>,
    /// Keys and orders of all records, one after another.
    names: Vec<u8>,
    entries: Vec<Entry>,
}

impl Bucket {
    fn read(task: &Task<'_>, partition: &Partition, bench: &Bench) -> Result<Self, StageFault> {
        let (Part::Bucket(bucket), Some(access)) = (&partition.part, &bench.pieces) else {
            return Err(StageFault::Broken("a bucket was asked of a worker without pieces".into()));
        };
        let stage = partition.stage.saturating_sub(1);
        let found = access.find(task.job(), (stage, *bucket), bench.epoch)?;
        let total: u64 = found.iter().map(|piece| piece.bytes).sum();
        let held = if total > bench.bucket_bytes_max as u64 {
            Held::File(access.scratch_file()?, 0)
        } else {
            Held::Memory(Vec::with_capacity(found.len()))
        };
        let mut read = Self { held, tables: Vec::new(), names: Vec::new(), entries: Vec::new() };
        for piece in &found {
            read.add(access.read(piece)?, access)?;
        }
        let names = &read.names;
        // Stable: pieces come in order of their parts.
        read.entries.sort_by(|a, b| {
            let by_key = names[a.key.clone()].cmp(&names[b.key.clone()]);
            by_key.then_with(|| names[a.order.clone()].cmp(&names[b.order.clone()]))
        });
        Ok(read)
    }

    fn add(&mut self, piece: Bytes, access: &PieceAccess) -> Result<(), StageFault> {
        let (table, records) = parse(&piece).map_err(StageFault::Broken)?;
        let base = match &self.held {
            Held::Memory(_) => 0,
            Held::File(_, written) => *written,
        };
        let number = u32::try_from(self.tables.len()).unwrap_or(u32::MAX);
        let mut name = |bytes: &[u8]| {
            let start = self.names.len();
            self.names.extend_from_slice(bytes);
            start..self.names.len()
        };
        for record in &records {
            self.entries.push(Entry {
                key: name(record.key),
                order: name(record.order),
                piece: number,
                entry: record.entry,
                at: base + record.at as u64,
                length: record.datum.len(),
            });
        }
        self.tables.push(table);
        match &mut self.held {
            Held::Memory(pieces) => pieces.push(piece),
            Held::File(file, written) => {
                file.write_all_at(&piece, *written).map_err(|error| access.full(&error))?;
                *written += piece.len() as u64;
            }
        }
        Ok(())
    }

    /// Groups of equal keys.
    fn groups(&self) -> impl Iterator<Item = &[Entry]> {
        self.entries.chunk_by(|a, b| self.names[a.key.clone()] == self.names[b.key.clone()])
    }

    fn key(&self, group: &[Entry]) -> &[u8] {
        group.first().map_or(&[], |entry| &self.names[entry.key.clone()])
    }

    fn datum<T: Datum>(&self, entry: &Entry) -> Result<T, StageFault> {
        let passages = self.tables[entry.piece as usize].get(entry.entry as usize);
        let passages = passages.ok_or_else(|| StageFault::Broken("a piece is torn".into()))?;
        let decoded = match &self.held {
            Held::Memory(pieces) => {
                let at = entry.at as usize;
                decode(&pieces[entry.piece as usize][at..at + entry.length], passages)
            }
            Held::File(file, _) => {
                let mut bytes = vec![0; entry.length];
                let read = file.read_exact_at(&mut bytes, entry.at);
                read.map_err(|error| StageFault::Store(format!("a spilled bucket: {error}")))?;
                decode(&bytes, passages)
            }
        };
        decoded.map_err(StageFault::Broken)
    }
}

/// The names and values that a group's data have in common.
fn named(names: &[String], key: &[u8]) -> Vec<(String, Value)> {
    names.iter().cloned().zip(key_values(key)).collect()
}

/// A group as people know it.
fn label(values: &[(String, Value)]) -> String {
    let one = |(name, value): &(String, Value)| match value {
        Value::Text(text) => format!("{name} {text}"),
        Value::Int(int) => format!("{name} {int}"),
        Value::Double(double) => format!("{name} {double}"),
        Value::Id(id) => format!("{name} {id}"),
        other => format!("{name} {other:?}"),
    };
    values.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// What a whole group is made of: all inputs of its members, each once, and as its number a hash of
/// its key, for the same inputs may be in several groups.
fn history_of(key: &[u8], members: &mut [impl Datum]) -> History {
    let mut inputs = Vec::new();
    for member in members.iter_mut() {
        inputs.extend_from_slice(&member.history_mut().inputs);
    }
    let passages = members.first_mut().map(|first| first.history_mut().passages.clone());
    whole_history(key, inputs, passages.unwrap_or_default())
}

fn whole_history(
    key: &[u8],
    mut inputs: Vec<mspass_core::DocumentId>,
    passages: Passages,
) -> History {
    inputs.sort_unstable();
    inputs.dedup();
    // A number that BSON's signed integers hold.
    History { inputs, output: xxh3_64(key) >> 1, passages }
}

/// The beginning of a stage: each group of a bucket becomes an ensemble.
pub(in crate::workflow) fn ensembles<T: Datum>(
    names: Vec<String>,
    passage: Arc<Passage>,
    emit: Emit<Ensemble<T>>,
) -> Run {
    Arc::new(move |task, partition, bench| {
        let bucket = Bucket::read(task, partition, bench)?;
        for group in bucket.groups() {
            let key = bucket.key(group);
            let values = named(&names, key);
            if let Some(reason) = task.enter(|| label(&values), bench) {
                task.bury(&unmade::<Ensemble<T>>(key, values, POISON, reason));
                continue;
            }
            let bytes: usize = group.iter().map(|entry| entry.length).sum();
            let limit = bench.group_bytes_max;
            if bytes.saturating_mul(DECODED_PER_BYTE) > limit {
                let reason = format!(
                    "the group of {} has {} members of {bytes} bytes, more than half of the \
                     {limit} bytes that a thread of this worker may use: group by more keys, fold \
                     instead, or give workers more memory",
                    label(&values),
                    group.len()
                );
                task.refuse(&refused::<Ensemble<T>>(key, values, reason));
                continue;
            }
            let members: Result<Vec<T>, _> =
                group.iter().map(|entry| bucket.datum(entry)).collect();
            let mut ensemble: Ensemble<T> = members?.into_iter().collect();
            ensemble.history = history_of(key, &mut ensemble.members);
            ensemble.history.record(&passage);
            ensemble.metadata = values.into_iter().collect();
            emit(ensemble, task, bench);
            task.settle(bench)?;
        }
        Ok(())
    })
}

/// What is buried of a group that cannot be made.
fn refused<T: Datum>(key: &[u8], values: Vec<(String, Value)>, reason: String) -> Tombstone {
    Tombstone { life: Life::Aborted, ..unmade::<T>(key, values, "group_by", reason) }
}

/// What is buried of a group whose data are not taken out of their pieces.
fn unmade<T: Datum>(
    key: &[u8],
    values: Vec<(String, Value)>,
    algorithm: &str,
    reason: String,
) -> Tombstone {
    let history = whole_history(key, Vec::new(), Vec::new());
    unseen::<T>(algorithm, reason, values.into_iter().collect(), history)
}

/// Number and names of a fold.
pub(in crate::workflow) struct FoldStep {
    /// What its groups are grouped by.
    pub(in crate::workflow) keys: Vec<String>,
    pub(in crate::workflow) step: usize,
    pub(in crate::workflow) grouped: Arc<Passage>,
    pub(in crate::workflow) folded: Arc<Passage>,
}

/// The beginning of a stage: each group of a bucket is folded, member by member, as a tree whose
/// shape its members' order decides.
pub(in crate::workflow) fn folds<T: Datum, F: Fold<T>>(
    fold: Arc<F>,
    step: FoldStep,
    emit: Emit<F::Output>,
) -> Run {
    Arc::new(move |task, partition, bench| {
        let bucket = Bucket::read(task, partition, bench)?;
        for group in bucket.groups() {
            let key = bucket.key(group).to_vec();
            let values = named(&step.keys, &key);
            if let Some(reason) = task.enter(|| label(&values), bench) {
                task.bury(&unmade::<F::Output>(&key, values, POISON, reason));
                continue;
            }
            match fold_group(&*fold, &step, &bucket, group, task, bench)? {
                Ok(folded) => emit(folded, task, bench),
                Err(reason) => task.refuse(&refused::<F::Output>(&key, values, reason)),
            }
            task.settle(bench)?;
        }
        Ok(())
    })
}

/// What the members of a group so far give.
struct Tree<'a, F, P> {
    fold: &'a F,
    /// The subtree of 2^n leaves, where there is one.
    levels: Vec<Option<P>>,
}

impl<F, P> Tree<'_, F, P> {
    /// Adds a leaf, and merges what is complete.
    fn grow<T: Datum>(&mut self, leaf: P) -> mspass_core::Result<()>
    where
        F: Fold<T, Partial = P>,
    {
        let mut carried = leaf;
        for level in &mut self.levels {
            match level.take() {
                None => {
                    *level = Some(carried);
                    return Ok(());
                }
                Some(mut earlier) => {
                    self.fold.merge(&mut earlier, &mut carried)?;
                    carried = earlier;
                }
            }
        }
        self.levels.push(Some(carried));
        Ok(())
    }

    /// Merges what is left, the earlier before the later.
    fn finish<T: Datum>(&mut self) -> mspass_core::Result<Option<P>>
    where
        F: Fold<T, Partial = P>,
    {
        let mut later: Option<P> = None;
        for level in &mut self.levels {
            later = match (level.take(), later) {
                (Some(mut earlier), Some(mut late)) => {
                    self.fold.merge(&mut earlier, &mut late)?;
                    Some(earlier)
                }
                (earlier, late) => earlier.or(late),
            };
        }
        Ok(later)
    }
}

/// One group, folded; or why it cannot be.
fn fold_group<T: Datum, F: Fold<T>>(
    fold: &F,
    step: &FoldStep,
    bucket: &Bucket,
    group: &[Entry],
    task: &mut Task<'_>,
    bench: &mut Bench,
) -> Result<Result<F::Output, String>, StageFault> {
    let mut tree = Tree { fold, levels: Vec::new() };
    let (mut inputs, mut passages) = (Vec::new(), None);
    let guarded = |call: &mut dyn FnMut() -> mspass_core::Result<()>| match catch_unwind(
        AssertUnwindSafe(call),
    ) {
        Ok(result) => result.map_err(|error| (error.to_string(), false)),
        Err(panic) => Err((format!("panicked: {}", panic_text(panic.as_ref())), true)),
    };
    for leaf in group.chunks(LEAF_MEMBERS) {
        let mut partial: Option<F::Partial> = None;
        for entry in leaf {
            let mut member: T = bucket.datum(entry)?;
            let began = clock::now();
            let own = std::mem::take(&mut member.history_mut().inputs);
            let mut add = || match &mut partial {
                Some(partial) => fold.add(partial, &mut member),
                none => fold.begin(&mut member).map(|begun| *none = Some(begun)),
            };
            let added = guarded(&mut add);
            bench.count(step.step, began.elapsed(), added.is_err());
            let Err((reason, panicked)) = added else {
                passages.get_or_insert_with(|| member.history_mut().passages.clone());
                inputs.extend(own);
                continue;
            };
            if panicked {
                bench.scratch = Scratch::default();
                return Ok(Err(reason));
            }
            member.history_mut().inputs = own;
            member.history_mut().record(&step.folded);
            member.kill(fold.name(), reason);
            task.bury_member(&member.into_tombstone());
        }
        if let Some(partial) = partial.take() {
            let mut leaf = Some(partial);
            let grown = guarded(&mut || leaf.take().map_or(Ok(()), |leaf| tree.grow::<T>(leaf)));
            if let Err((reason, _)) = grown {
                return Ok(Err(reason));
            }
        }
    }
    let mut folded: Option<F::Output> = None;
    let finished = guarded(&mut || {
        if let Some(mut whole) = tree.finish::<T>()? {
            folded = Some(fold.finish(&mut whole)?);
        }
        Ok(())
    });
    match (finished, folded) {
        (Ok(()), Some(mut output)) => {
            let key = bucket.key(group);
            let mut history = whole_history(key, inputs, passages.unwrap_or_default());
            history.record(&step.grouped);
            history.record(&step.folded);
            *output.history_mut() = history;
            for (name, value) in named(&step.keys, key) {
                if output.fact(&name).is_none() {
                    output.metadata_mut().insert(name, value);
                }
            }
            Ok(Ok(output))
        }
        (Ok(()), None) => Ok(Err("none of its members could be folded".into())),
        (Err((reason, _)), _) => Ok(Err(reason)),
    }
}
