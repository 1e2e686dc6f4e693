//! Parts of a stage's input: what a task is given.

use bson::oid::ObjectId;
use mspass_io::db::id::Derived;
use serde::{Deserialize, Serialize};

/// A part of a stage's input: everything a worker needs to know to find it.
///
/// Its bounds come from the source and the workflow alone, never from workers, so that the same
/// input is parted in the same way everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// The stage that works on it; 0 reads the source.
    pub stage: u32,
    /// What it is part of: the `archive_file` document, or an id derived from what else it is.
    pub origin: ObjectId,
    /// Version of the origin: what was done of another one counts no more.
    pub version: u64,
    /// Which part of it.
    pub part: Part,
    /// Bytes to be read.
    pub bytes: u64,
}

/// Which part of an origin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Part {
    /// Runs of an indexed file.
    File {
        /// Offset of the first run in the file.
        foff_first: u64,
        /// Offset of the last run in the file.
        foff_last: u64,
        /// Where the part lies within its run, if it is part of one run: samples from .. to.
        samples: Option<(u64, u64)>,
        /// Whether it begins its file, and so tells what concerns the file as a whole.
        first_of_file: bool,
    },
    /// Documents of a collection, by their `_id`s, both included.
    Documents {
        /// The first.
        first: ObjectId,
        /// The last.
        last: ObjectId,
    },
    /// Numbers from .. to of data that a source makes itself.
    Numbers {
        /// The first.
        from: u64,
        /// The one after the last.
        to: u64,
    },
    /// A bucket of the groups that the stage before made.
    Bucket(u32),
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File { foff_first, .. } => write!(f, "from byte {foff_first}"),
            Self::Documents { first, last } => write!(f, "documents {first} to {last}"),
            Self::Numbers { from, to } => write!(f, "numbers {from} to {to}"),
            Self::Bucket(bucket) => write!(f, "bucket {bucket}"),
        }
    }
}

impl Partition {
    /// The whole of a file in one part.
    pub fn whole(file: ObjectId, version: u64, bytes: u64) -> Self {
        let (foff_first, foff_last) = (0, u64::MAX);
        let part = Part::File { foff_first, foff_last, samples: None, first_of_file: true };
        Self { stage: 0, origin: file, version, part, bytes }
    }

    /// Names this part of this version of its origin.
    pub fn key(&self) -> TaskKey {
        let key = |kind: &str| Derived::new(kind).id(self.origin).number(self.version);
        let key = match &self.part {
            Part::File { foff_first, foff_last, samples, .. } => {
                let (from, to) = samples.unwrap_or((0, u64::MAX));
                let key = key("partition").number(*foff_first).number(*foff_last);
                key.number(from).number(to)
            }
            Part::Documents { first, last } => key("documents").id(*first).id(*last),
            Part::Numbers { from, to } => key("numbers").number(*from).number(*to),
            Part::Bucket(bucket) => {
                key("bucket").number(self.stage.into()).number((*bucket).into())
            }
        };
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
