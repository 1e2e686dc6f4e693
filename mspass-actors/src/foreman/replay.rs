//! What a journal knew when it was opened, in little memory: some 70 bytes for each task done.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufReader, Read, Seek};

use bson::oid::ObjectId;
use serde::Deserialize;

use super::journal::{RECORD_BYTES_MAX, Record};
use super::state::BLAMED_MAX;
use super::task::{
    CHARGES_KEPT_MAX, CHARGES_MAX, Charge, DeadLetter, POISON_MAX, UNSEEN_PER_CHARGE,
};
use crate::workflow::partition::TaskKey;
use crate::workflow::tally::Tally;

/// Charges against a task that can matter: with more it is set aside.
const CHARGES_READ_MAX: usize = CHARGES_KEPT_MAX + POISON_MAX * CHARGES_MAX * UNSEEN_PER_CHARGE;

/// What a journal knew when it was opened.
#[derive(Debug, Default)]
pub struct Replay {
    /// The foreman's next incarnation.
    pub epoch: u64,
    /// Tasks done of the version of an origin that was read last.
    pub done: DoneTasks,
    /// Tasks set aside and not queued anew.
    pub set_aside: HashMap<TaskKey, DeadLetter>,
    /// What is held against tasks, those that are done among them: they may be done again.
    pub charges: BTreeMap<TaskKey, Vec<Charge>>,
    /// The version of each origin that was read last.
    versions: HashMap<ObjectId, u64>,
}

impl Replay {
    /// First pass: which version of each origin counts.
    pub(super) fn look_ahead(&mut self, record: &Record) {
        if let Record::Done { origin, version, .. } = record {
            self.versions.insert(*origin, *version);
        }
    }

    /// Second pass: everything that counts.
    pub(super) fn take(&mut self, record: Record) {
        match record {
            Record::Start { epoch } => self.epoch = epoch,
            Record::Done { key, origin, version, tally } => {
                if self.versions.get(&origin) == Some(&version) {
                    self.done.insert(key, &tally);
                }
                self.set_aside.remove(&key);
            }
            Record::SetAside(letter) => drop(self.set_aside.insert(letter.key, *letter)),
            Record::Charged { key, charge } => {
                if self.charges.len() < BLAMED_MAX || self.charges.contains_key(&key) {
                    let charges = self.charges.entry(key).or_default();
                    if charges.len() <= CHARGES_READ_MAX {
                        charges.push(*charge);
                    }
                }
            }
            Record::Requeued(key) => {
                self.set_aside.remove(&key);
                self.charges.remove(&key);
            }
            Record::Header { .. } => {}
        }
    }

    /// After the last record.
    pub(super) fn settle(&mut self) {
        self.epoch += 1;
        self.versions = HashMap::new();
    }
}

/// Tasks done and what each brought, packed.
#[derive(Debug, Default)]
pub struct DoneTasks {
    /// Where a task's counts begin.
    places: HashMap<TaskKey, usize>,
    tallies: Vec<u8>,
}

impl DoneTasks {
    /// A task is done.
    pub fn insert(&mut self, key: TaskKey, tally: &Tally) {
        self.places.insert(key, self.tallies.len());
        rmp_serde::encode::write(&mut self.tallies, tally).expect("counts are plain data");
    }

    /// What a task brought, if it is done.
    pub fn get(&self, key: TaskKey) -> Option<Tally> {
        let place = *self.places.get(&key)?;
        let mut packed = rmp_serde::Deserializer::from_read_ref(self.tallies.get(place..)?);
        Tally::deserialize(&mut packed).ok()
    }

    /// How many are done.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether none is done.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

/// Goes through all sound records from the beginning, and tells where they end.
pub(super) fn for_each_record(
    file: &mut File,
    mut take: impl FnMut(Record),
) -> std::io::Result<u64> {
    file.rewind()?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let (mut body, mut sound) = (Vec::new(), 0);
    let mut head = [0; 8];
    while reader.read_exact(&mut head).is_ok() {
        let number =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let length = number(0) as usize;
        if length > RECORD_BYTES_MAX {
            break;
        }
        body.resize(length, 0);
        if reader.read_exact(&mut body).is_err() || crc32c::crc32c(&body) != number(4) {
            break;
        }
        let Ok(record) = rmp_serde::from_slice(&body) else { break };
        take(record);
        sound += 8 + length as u64;
    }
    Ok(sound)
}
