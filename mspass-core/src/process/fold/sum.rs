//! A stack in the making.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::datum::{Datum, Tombstone};
use crate::elog::{ErrorLog, Life};
use crate::history::History;
use crate::metadata::{Metadata, Value};

/// The sum of the data stacked so far, and how many they were.
///
/// Life, metadata, log and history are those of the sum.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(bound(serialize = "T: Serialize", deserialize = "T: DeserializeOwned"))]
pub struct StackSum<T> {
    /// Sample by sample; what the data had in common besides.
    pub sum: T,
    /// How many data.
    pub count: u64,
}

impl<T: Datum> Datum for StackSum<T> {
    const KIND: &'static str = "StackSum";

    fn life(&self) -> Life {
        self.sum.life()
    }

    fn set_life(&mut self, life: Life) {
        self.sum.set_life(life);
    }

    fn metadata(&self) -> &Metadata {
        self.sum.metadata()
    }

    fn metadata_mut(&mut self) -> &mut Metadata {
        self.sum.metadata_mut()
    }

    fn fact(&self, name: &str) -> Option<Value> {
        self.sum.fact(name)
    }

    fn log_mut(&mut self) -> &mut ErrorLog {
        self.sum.log_mut()
    }

    fn history_mut(&mut self) -> &mut History {
        self.sum.history_mut()
    }

    fn memory_bytes(&self) -> usize {
        self.sum.memory_bytes() + size_of::<Self>() - size_of::<T>()
    }

    fn headstone(&self) -> Self {
        Self { sum: self.sum.headstone(), count: self.count }
    }

    fn into_tombstone(self) -> Tombstone {
        Tombstone { kind: Self::KIND.to_owned(), ..self.sum.into_tombstone() }
    }
}
