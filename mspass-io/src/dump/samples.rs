//! Blobs put together from GridFS's chunks.

use std::collections::{BTreeMap, HashMap};

use bson::oid::ObjectId;
use bson::{Bson, Document};
use bytes::Bytes;

use super::documents::{Documents, damaged};
use super::folder::DumpFile;
use super::{BLOBS_MAX, PENDING_BYTES_MAX};
use crate::error::Result;
use crate::store::Blob;

/// Ids and lengths of all blobs.
#[derive(Debug, Default)]
pub(super) struct Descriptions {
    /// Sorted by id.
    known: Vec<Description>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Description {
    id: ObjectId,
    length: u64,
    /// Where in the file it stands.
    offset: u64,
}

impl Descriptions {
    pub(super) fn read(file: &DumpFile) -> Result<Self> {
        let mut known = Vec::new();
        for placed in Documents::open(file)? {
            let placed = placed?;
            let refuse = |reason: &str| damaged(&file.path, placed.offset, reason);
            let id = placed.document.get_object_id("_id");
            let id = id.map_err(|_| refuse("its _id is no ObjectId, which samples have"))?;
            let length = whole(placed.document.get("length"));
            let length = length.ok_or_else(|| refuse("its length is no count of bytes"))?;
            if known.len() == BLOBS_MAX {
                return Err(refuse(&format!("more than {BLOBS_MAX} blobs in one dump")));
            }
            known.push(Description { id, length, offset: placed.offset });
        }
        known.sort_by_key(|description| description.id);
        known.dedup_by_key(|description| description.id);
        Ok(Self { known })
    }
}

/// A whole number not below 0, of any type.
fn whole(value: Option<&Bson>) -> Option<u64> {
    match value? {
        Bson::Int32(value) => u64::try_from(*value).ok(),
        Bson::Int64(value) => u64::try_from(*value).ok(),
        Bson::Double(value) if value.fract() == 0.0 && (0.0..9e15).contains(value) => {
            Some(*value as u64)
        }
        _ => None,
    }
}

/// Gathers chunks until blobs are whole.
pub(super) struct Assembly<'d> {
    known: &'d [Description],
    done: Vec<bool>,
    pending: HashMap<ObjectId, Pending>,
    pending_bytes: usize,
    pending_bytes_max: usize,
    orphans: u64,
}

#[derive(Default)]
struct Pending {
    chunks: BTreeMap<u64, Vec<u8>>,
    bytes: u64,
}

impl<'d> Assembly<'d> {
    pub(super) fn new(descriptions: &'d Descriptions) -> Self {
        let known = descriptions.known.as_slice();
        Self {
            known,
            done: vec![false; known.len()],
            pending: HashMap::new(),
            pending_bytes: 0,
            pending_bytes_max: PENDING_BYTES_MAX,
            orphans: 0,
        }
    }

    /// Blobs without bytes, which have no chunks.
    pub(super) fn empty_ones(&mut self) -> Vec<Blob> {
        let mut empty = Vec::new();
        for (done, description) in self.done.iter_mut().zip(self.known) {
            if description.length == 0 {
                *done = true;
                empty.push(Blob { id: description.id, bytes: Bytes::new() });
            }
        }
        empty
    }

    /// Takes one chunk, and gives the blob that it completes.
    pub(super) fn take(&mut self, chunk: &Document) -> Result<Option<Blob>, String> {
        let id = chunk.get_object_id("files_id").ok();
        let found = id.and_then(|id| self.known.binary_search_by_key(&id, |d| d.id).ok());
        let (Some(id), Some(at)) = (id, found) else {
            self.orphans += 1;
            return Ok(None);
        };
        let number = whole(chunk.get("n")).ok_or("its n is no number of a chunk")?;
        let Some(Bson::Binary(data)) = chunk.get("data") else {
            return Err("its data are no bytes".to_owned());
        };
        let length = self.known[at].length;
        if self.done[at] {
            return match data.bytes.is_empty() {
                true => Ok(None),
                false => Err(format!("more chunks of the blob {id} than its {length} bytes need")),
            };
        }
        let pending = self.pending.entry(id).or_default();
        if pending.chunks.contains_key(&number) {
            return Err(format!("chunk {number} of the blob {id} comes twice"));
        }
        pending.bytes += data.bytes.len() as u64;
        self.pending_bytes += data.bytes.len();
        pending.chunks.insert(number, data.bytes.clone());
        if pending.bytes > length {
            return Err(format!("the blob {id} has more than its {length} bytes"));
        }
        if pending.bytes == length {
            return self.complete(id, at).map(Some);
        }
        if self.pending_bytes > self.pending_bytes_max {
            return Err(format!(
                "chunks of {} blobs are mixed, more than {} bytes of them",
                self.pending.len(),
                self.pending_bytes_max
            ));
        }
        Ok(None)
    }

    fn complete(&mut self, id: ObjectId, at: usize) -> Result<Blob, String> {
        let Pending { chunks, bytes } = self.pending.remove(&id).unwrap_or_default();
        self.pending_bytes -= bytes as usize;
        let last = chunks.keys().next_back().copied().unwrap_or_default();
        if last + 1 != chunks.len() as u64 {
            return Err(format!("chunks of the blob {id} are missing before chunk {last}"));
        }
        self.done[at] = true;
        let mut whole = Vec::with_capacity(bytes as usize);
        chunks.into_values().for_each(|chunk| whole.extend(chunk));
        Ok(Blob { id, bytes: whole.into() })
    }

    /// A blob that is not whole, and where it is described.
    pub(super) fn unfinished(&self) -> Option<(ObjectId, u64)> {
        let at = self.done.iter().position(|done| !done)?;
        Some((self.known[at].id, self.known[at].offset))
    }

    /// Chunks that belong to no blob.
    pub(super) fn orphans(&self) -> u64 {
        self.orphans
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    fn chunk(id: u8, n: i32, length: usize) -> Document {
        let subtype = bson::spec::BinarySubtype::Generic;
        let data = bson::Binary { subtype, bytes: vec![n as u8; length] };
        doc! { "files_id": ObjectId::from_bytes([id; 12]), "n": n, "data": data }
    }

    fn known(lengths: &[(u8, u64)]) -> Descriptions {
        let description = |(id, length): &(u8, u64)| Description {
            id: ObjectId::from_bytes([*id; 12]),
            length: *length,
            offset: u64::from(*id),
        };
        Descriptions { known: lengths.iter().map(description).collect() }
    }

    #[test]
    fn chunks_may_come_mixed_and_backwards() {
        let known = known(&[(1, 5), (2, 3), (3, 0), (4, 1)]);
        let mut assembly = Assembly::new(&known);
        assert_eq!(assembly.empty_ones().len(), 1);
        assert_eq!(assembly.take(&chunk(1, 1, 2)), Ok(None));
        assert_eq!(assembly.take(&chunk(9, 0, 2)), Ok(None));
        assert_eq!(assembly.take(&chunk(2, 0, 3)).unwrap().unwrap().bytes.len(), 3);
        let blob = assembly.take(&chunk(1, 0, 3)).unwrap().unwrap();
        assert_eq!(blob.bytes.as_ref(), [0, 0, 0, 1, 1]);
        assert_eq!(assembly.orphans(), 1);
        assert_eq!(assembly.unfinished().unwrap().1, 4);
        assert!(assembly.take(&chunk(2, 1, 3)).unwrap_err().contains("more chunks"));
    }

    #[test]
    fn chunks_that_wait_have_a_bound_and_faults_are_named() {
        let known = known(&[(1, 50), (2, 50), (3, 2)]);
        let mut assembly = Assembly::new(&known);
        assembly.pending_bytes_max = 40;
        assert_eq!(assembly.take(&chunk(1, 0, 20)), Ok(None));
        assert!(assembly.take(&chunk(1, 0, 20)).unwrap_err().contains("comes twice"));
        assert!(assembly.take(&chunk(2, 0, 30)).unwrap_err().contains("chunks of 2 blobs"));
        assert!(assembly.take(&chunk(3, 1, 2)).unwrap_err().contains("missing before chunk 1"));
        assert!(assembly.take(&chunk(3, 0, 9)).unwrap_err().contains("more than its 2 bytes"));
    }
}
