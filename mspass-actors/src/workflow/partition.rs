//! Parts of a workflow's input: what a task is given.

use bson::oid::ObjectId;
use mspass_io::db::id::Derived;
use serde::{Deserialize, Serialize};

/// A part of one indexed file: everything a worker needs to know to find its input.
///
/// Its bounds come from the index alone, never from workers, so that the same archive is parted in
/// the same way everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// The `archive_file` document.
    pub file: ObjectId,
    /// Version of the file: derived from its size and time of modification.
    pub version: u64,
    /// Offset of the first run in the file.
    pub foff_first: u64,
    /// Offset of the last run in the file.
    pub foff_last: u64,
    /// Where the part lies within its run, if it is part of one run: samples from .. to.
    pub samples: Option<(u64, u64)>,
    /// Bytes to be read.
    pub bytes: u64,
    /// Whether it begins its file, and so tells what concerns the file as a whole.
    pub first_of_file: bool,
}

impl Partition {
    /// The whole of a file in one part.
    pub fn whole(file: ObjectId, version: u64, bytes: u64) -> Self {
        let (foff_first, foff_last) = (0, u64::MAX);
        Self { file, version, foff_first, foff_last, samples: None, bytes, first_of_file: true }
    }

    /// Names this part of this version of the file.
    pub fn key(&self) -> TaskKey {
        let (from, to) = self.samples.unwrap_or((0, u64::MAX));
        let key = Derived::new("partition").id(self.file).number(self.version);
        let key = key.number(self.foff_first).number(self.foff_last).number(from).number(to);
        TaskKey(key.key())
    }
}

/// Name of a task, the same in every run of a job.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskKey(pub u128);

impl std::fmt::Debug for TaskKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "task {:032x}", self.0)
    }
}
