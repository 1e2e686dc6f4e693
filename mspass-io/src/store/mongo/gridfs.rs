//! Samples in GridFS, as MsPASS and every GridFS client lay them out: `fs.files` holds
//! `{_id, length, chunkSize, uploadDate}`, `fs.chunks` holds `{_id, files_id, n, data}`.
//!
//! A blob exists when its `fs.files` document does. [`put`](BlobStore::put) takes that document
//! away first and puts it back last, so a blob half written is never seen as whole; its chunks
//! have derived ids, so writing it again repairs what an interrupted write left.

use std::collections::{HashSet, VecDeque};
use std::pin::pin;
use std::sync::atomic::Ordering;

use bson::oid::ObjectId;
use bson::raw::cstr;
use bson::spec::BinarySubtype;
use bson::{Bson, DateTime, Document, RawArrayBuf, RawBinaryRef, RawDocumentBuf, doc, rawdoc};
use bytes::Bytes;
use futures_core::Stream;
use mongodb::error::ErrorKind;
use mongodb::options::IndexOptions;
use mongodb::raw_batch_cursor::RawBatchCursor;
use mongodb::{Collection, Database, IndexModel};
use xxhash_rust::xxh3::xxh3_128;

use super::MongoStore;
use super::command::Updates;
use super::driver::Pending;
use super::failure::{DUPLICATE_KEY, Failure};
use super::link::Link;
use crate::error::{Error, Result};
use crate::store::{Blob, BlobStore};

/// Collection of the descriptions.
const FILES: &str = "fs.files";

/// Collection of the bytes.
const CHUNKS: &str = "fs.chunks";

/// Bytes in a chunk, as all GridFS clients write them unless told otherwise.
const CHUNK_BYTES: usize = 255 * 1024;

/// Bytes of chunks in one command.
const COMMAND_BYTES_MAX: usize = 4 << 20;

/// Commands with chunks under way at once.
const COMMANDS_MAX: usize = 3;

/// Ids or statements in one command.
const IDS_MAX: usize = 1000;

/// Bytes reserved for a blob on the word of its description alone.
const RESERVED_BYTES_MAX: usize = 64 << 20;

impl BlobStore for MongoStore {
    fn put(&self, blobs: &[Blob]) -> Result<()> {
        let blobs = last_of_each(blobs);
        if blobs.is_empty() {
            return Ok(());
        }
        self.link
            .repeat(|| put(&self.link, &blobs))
            .map_err(|failure| failure.during("write samples"))
    }

    fn read(&self, id: ObjectId) -> Result<Bytes> {
        read(&self.link, id)
            .map_err(|failure| failure.during(format!("read the samples {id}")))?
            .ok_or_else(|| Error::NoBlob { id: id.to_hex() })
    }

    fn delete(&self, ids: &[ObjectId]) -> Result<u64> {
        let delete = |ids: &[ObjectId]| {
            let deleted = delete_files(&self.link, ids)?;
            self.link.idempotent(|database| {
                let filter = doc! {"files_id": {"$in": ids}};
                async move { Ok(chunks(&database).delete_many(filter).await.map(drop)?) }
            })?;
            Ok(deleted)
        };
        let deleted: Result<u64, Failure> = ids.chunks(IDS_MAX).map(delete).sum();
        deleted.map_err(|failure| failure.during("delete samples"))
    }

    fn ids(&self) -> Result<Vec<ObjectId>> {
        let ids = self.link.idempotent(|database| async move {
            let files = files(&database);
            let query = files.find(doc! {}).projection(doc! {"_id": 1}).sort(doc! {"_id": 1});
            let mut cursor = query.await?;
            let mut ids = Vec::new();
            while cursor.advance().await? {
                // Other clients of the bucket may use ids of other types.
                ids.extend(cursor.current().get_object_id("_id").ok());
            }
            Ok(ids)
        });
        ids.map_err(|failure| failure.during("list samples"))
    }
}

fn files(database: &Database) -> Collection<Document> {
    database.collection(FILES)
}

fn chunks(database: &Database) -> Collection<RawDocumentBuf> {
    database.collection(CHUNKS)
}

fn put(link: &Link, blobs: &[&Blob]) -> Result<(), Failure> {
    ensure_indexes(link)?;
    let existing = hide_existing(link, blobs)?;
    let trimmed = trim(link, blobs)?;
    let (old, new): (Vec<Place>, Vec<Place>) =
        places(blobs).partition(|&(blob, _)| existing.contains(&blobs[blob].id));
    let taken = insert_chunks(link, blobs, new)?;
    trimmed.into_iter().try_for_each(Pending::wait)?;
    replace_chunks(link, blobs, &old)?;
    replace_chunks(link, blobs, &taken)?;
    let uploaded = DateTime::now();
    let mut updates = Updates::new(link, FILES);
    for blob in blobs {
        updates.upsert(
            &rawdoc! {"_id": blob.id},
            &rawdoc! {
                "_id": blob.id,
                "length": blob.bytes.len() as i64,
                "chunkSize": CHUNK_BYTES as i32,
                "uploadDate": uploaded,
            },
        )?;
    }
    updates.finish()
}

/// The blobs in order, without those that a later one of the same id replaces.
fn last_of_each(blobs: &[Blob]) -> Vec<&Blob> {
    let mut seen = HashSet::with_capacity(blobs.len());
    let mut kept: Vec<&Blob> = blobs.iter().rev().filter(|blob| seen.insert(blob.id)).collect();
    kept.reverse();
    kept
}

/// The indexes that every GridFS client makes, once in the life of a database.
fn ensure_indexes(link: &Link) -> Result<(), Failure> {
    if link.indexed.load(Ordering::Relaxed) {
        return Ok(());
    }
    link.once(|database| async move {
        let (files, chunks) = (files(&database), chunks(&database));
        let unique = IndexOptions::builder().unique(true).build();
        let by_number =
            IndexModel::builder().keys(doc! {"files_id": 1, "n": 1}).options(unique).build();
        let by_name = IndexModel::builder().keys(doc! {"filename": 1, "uploadDate": 1}).build();
        tokio::try_join!(chunks.create_index(by_number), files.create_index(by_name))?;
        Ok(())
    })?;
    link.indexed.store(true, Ordering::Relaxed);
    Ok(())
}

/// Takes the descriptions of those that exist away, so that they are not seen half replaced, and
/// returns which these are.
fn hide_existing(link: &Link, blobs: &[&Blob]) -> Result<HashSet<ObjectId>, Failure> {
    let mut hidden = HashSet::new();
    for blobs in blobs.chunks(IDS_MAX) {
        let ids: Vec<ObjectId> = blobs.iter().map(|blob| blob.id).collect();
        let existing = link.once(|database| async move {
            let query = doc! {"_id": {"$in": ids}};
            let mut cursor = files(&database).find(query).projection(doc! {"_id": 1}).await?;
            let mut existing = Vec::new();
            while cursor.advance().await? {
                existing.push(cursor.current().get_object_id("_id")?);
            }
            Ok(existing)
        })?;
        if !existing.is_empty() {
            delete_files(link, &existing)?;
        }
        hidden.extend(existing);
    }
    Ok(hidden)
}

fn delete_files(link: &Link, ids: &[ObjectId]) -> Result<u64, Failure> {
    let filter = doc! {"_id": {"$in": ids}};
    link.once(
        |database| async move { Ok(files(&database).delete_many(filter).await?.deleted_count) },
    )
}

/// Starts to delete the chunks beyond the end of each blob, left from a longer one of its id.
fn trim(link: &Link, blobs: &[&Blob]) -> Result<Vec<Pending<()>>, Failure> {
    let mut pending = Vec::new();
    for blobs in blobs.chunks(IDS_MAX) {
        let mut deletes = RawArrayBuf::new();
        for blob in blobs {
            let count = number(blob.bytes.len().div_ceil(CHUNK_BYTES))?;
            deletes.push(rawdoc! {
                "q": {"files_id": blob.id, "n": {"$gte": count}},
                "limit": 0,
            });
        }
        let command = rawdoc! {
            "delete": CHUNKS,
            "deletes": deletes,
            "ordered": false,
            "writeConcern": {"w": "majority", "j": true},
        };
        pending.push(link.begin(|database| async move {
            Failure::in_reply(&database.run_raw_command(command).await?)
        }));
    }
    Ok(pending)
}

/// Place of a chunk: which of the blobs, and its number in it.
type Place = (usize, usize);

/// The places of all chunks.
fn places(blobs: &[&Blob]) -> impl Iterator<Item = Place> {
    blobs.iter().enumerate().flat_map(|(blob, Blob { bytes, .. })| {
        (0..bytes.len().div_ceil(CHUNK_BYTES)).map(move |n| (blob, n))
    })
}

/// Inserts chunks, several commands at a time. Returns the places of those that were there, which
/// an interrupted write has left.
fn insert_chunks(link: &Link, blobs: &[&Blob], places: Vec<Place>) -> Result<Vec<Place>, Failure> {
    let mut taken = Vec::new();
    let mut under_way = VecDeque::with_capacity(COMMANDS_MAX);
    let mut finish = |(places, pending): (Vec<Place>, Pending<Vec<usize>>)| {
        for index in pending.wait()? {
            taken.extend(places.get(index));
        }
        Ok::<_, Failure>(())
    };
    let (mut command, mut held, mut bytes) = (Vec::new(), Vec::new(), 0);
    for place in places {
        let chunk = chunk(blobs, place)?;
        if bytes + chunk.as_bytes().len() > COMMAND_BYTES_MAX && !command.is_empty() {
            if under_way.len() == COMMANDS_MAX {
                under_way.pop_front().map_or(Ok(()), &mut finish)?;
            }
            let full = std::mem::take(&mut command);
            under_way.push_back((std::mem::take(&mut held), insert(link, full)));
            bytes = 0;
        }
        bytes += chunk.as_bytes().len();
        command.push(chunk);
        held.push(place);
    }
    if !command.is_empty() {
        under_way.push_back((held, insert(link, command)));
    }
    under_way.into_iter().try_for_each(finish)?;
    Ok(taken)
}

/// Starts to insert chunks; the result tells which of them were there.
fn insert(link: &Link, command: Vec<RawDocumentBuf>) -> Pending<Vec<usize>> {
    link.begin(|database| async move {
        let result = chunks(&database).insert_many(command).ordered(false).await;
        let Err(error) = result else { return Ok(Vec::new()) };
        if let ErrorKind::InsertMany(insert) = error.kind.as_ref()
            && insert.write_concern_error.is_none()
            && let Some(refused) = &insert.write_errors
            && refused.iter().all(|write| write.code == DUPLICATE_KEY)
        {
            return Ok(refused.iter().map(|write| write.index).collect());
        }
        Err(error.into())
    })
}

/// Overwrites chunks, or adds those that are not there.
fn replace_chunks(link: &Link, blobs: &[&Blob], places: &[Place]) -> Result<(), Failure> {
    let mut updates = Updates::new(link, CHUNKS);
    for &(blob, n) in places {
        let id = blobs[blob].id;
        let number = number(n)?;
        let mut data = RawDocumentBuf::new();
        data.append(cstr!("data"), binary(slice(blobs[blob], n)));
        updates.upsert(
            &rawdoc! {"files_id": id, "n": number},
            &rawdoc! {"$set": data, "$setOnInsert": {"_id": chunk_id(id, number)}},
        )?;
    }
    updates.finish()
}

fn chunk(blobs: &[&Blob], (blob, n): Place) -> Result<RawDocumentBuf, Failure> {
    let blob = blobs[blob];
    let number = number(n)?;
    let id = chunk_id(blob.id, number);
    let mut chunk = rawdoc! {"_id": id, "files_id": blob.id, "n": number};
    chunk.append(cstr!("data"), binary(slice(blob, n)));
    Ok(chunk)
}

/// The bytes of the `n`-th chunk.
fn slice(blob: &Blob, n: usize) -> &[u8] {
    let start = n * CHUNK_BYTES;
    &blob.bytes[start..blob.bytes.len().min(start + CHUNK_BYTES)]
}

fn binary(bytes: &[u8]) -> RawBinaryRef<'_> {
    RawBinaryRef { subtype: BinarySubtype::Generic, bytes }
}

/// A chunk's number as GridFS stores it.
fn number(n: usize) -> Result<i32, Failure> {
    i32::try_from(n).map_err(|_| Failure::Reply("more chunks than GridFS can number".into()))
}

/// The id of a chunk: the first 12 bytes of xxh3_128 of its blob's id and its number, big endian.
fn chunk_id(blob: ObjectId, n: i32) -> ObjectId {
    let mut key = [0; 16];
    key[..12].copy_from_slice(&blob.bytes());
    key[12..].copy_from_slice(&n.to_be_bytes());
    let mut id = [0; 12];
    id.copy_from_slice(&xxh3_128(&key).to_be_bytes()[..12]);
    ObjectId::from_bytes(id)
}

fn read(link: &Link, id: ObjectId) -> Result<Option<Bytes>, Failure> {
    link.idempotent(|database| async move {
        let (files, chunks) = (files(&database), chunks(&database));
        let description = async { files.find_one(doc! {"_id": id}).await };
        let chunks = chunks.find(doc! {"files_id": id}).sort(doc! {"n": 1}).allow_disk_use(true);
        let (description, cursor) = tokio::try_join!(description, chunks.batch())?;
        match description {
            Some(description) => gather(&description, cursor).await.map(Some),
            None => Ok(None),
        }
    })
}

/// The bytes of all chunks, which must be complete, in order and of the sizes described.
async fn gather(description: &Document, cursor: RawBatchCursor) -> Result<Bytes, Failure> {
    let length = unsigned(description, "length")?;
    let chunk_bytes = unsigned(description, "chunkSize")?;
    if chunk_bytes == 0 {
        return Err(Failure::Reply("chunkSize is 0".into()));
    }
    let count = length.div_ceil(chunk_bytes);
    let mut bytes = Vec::with_capacity(length.min(RESERVED_BYTES_MAX));
    let mut next = 0;
    let mut cursor = pin!(cursor);
    while let Some(batch) = std::future::poll_fn(|cx| cursor.as_mut().poll_next(cx)).await {
        let batch = batch?;
        for chunk in batch.doc_slices()? {
            let chunk = chunk?;
            let chunk = chunk
                .as_document()
                .ok_or_else(|| Failure::Reply("a chunk is no document".into()))?;
            let data =
                chunk.get_binary("data").map_err(|error| Failure::Reply(error.to_string()))?;
            let n = match chunk.get("n")? {
                Some(n) => n.as_i32().map(i64::from).or(n.as_i64()),
                None => None,
            };
            if next == count {
                return Err(Failure::Damaged(format!("there are more than its {count} chunks")));
            }
            if n != i64::try_from(next).ok() {
                return Err(Failure::Damaged(format!("chunk {next} of {count} is missing")));
            }
            let due = chunk_bytes.min(length - next * chunk_bytes);
            if data.bytes.len() != due {
                let found = data.bytes.len();
                return Err(Failure::Damaged(format!(
                    "chunk {next} of {count} has {found} bytes in place of {due}"
                )));
            }
            bytes.extend_from_slice(data.bytes);
            next += 1;
        }
    }
    if next < count {
        return Err(Failure::Damaged(format!("chunk {next} of {count} is missing")));
    }
    Ok(bytes.into())
}

/// A count in a description, whichever number type its writer chose.
fn unsigned(description: &Document, key: &str) -> Result<usize, Failure> {
    let number = match description.get(key) {
        Some(Bson::Int32(number)) => usize::try_from(*number).ok(),
        Some(Bson::Int64(number)) => usize::try_from(*number).ok(),
        Some(Bson::Double(number)) if *number >= 0.0 && number.fract() == 0.0 => {
            Some(*number as usize)
        }
        _ => None,
    };
    number.ok_or_else(|| Failure::Damaged(format!("its description has no valid {key}")))
}
