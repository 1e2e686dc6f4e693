//! What writers ask of the database.

use bson::Document;
use bson::oid::ObjectId;
use redb::WriteTransaction;

use super::blobs::Place;
use super::index::{self, Index};
use super::writer::Writer;
use super::{BLOBS, failed, scan};
use crate::error::Result;
use crate::query::{Matcher, Update};
use crate::store::prepare::{Prepared, prepare};

/// One write.
#[derive(Debug)]
pub(super) enum Job {
    Insert { collection: String, documents: Vec<Prepared> },
    Upsert { collection: String, documents: Vec<Prepared> },
    Update { collection: String, matcher: Matcher, update: Update },
    Delete { collection: String, matcher: Matcher },
    CreateIndex { collection: String, keys: Document },
    PlaceBlobs(Vec<(ObjectId, Place)>),
    DeleteBlobs(Vec<ObjectId>),
}

/// What became of it.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    Done,
    /// How many documents were inserted before one whose `_id` was taken, or all.
    Inserted(usize),
    Count(u64),
    /// Places that are free once the transaction has committed.
    Freed(Vec<Place>),
}

impl Job {
    /// Whether it may fail by its own fault, and so must not share a transaction.
    pub(super) fn stands_alone(&self) -> bool {
        matches!(self, Self::Update { .. } | Self::CreateIndex { .. })
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Insert { documents, .. } | Self::Upsert { documents, .. } => {
                documents.iter().map(|d| d.key.len() + d.raw.as_bytes().len()).sum()
            }
            Self::PlaceBlobs(places) => places.len() * 64,
            _ => 0,
        }
    }

    pub(super) fn run(&self, transaction: &WriteTransaction) -> Result<Answer> {
        match self {
            Self::Insert { collection, documents } => {
                let mut writer = Writer::open(transaction, collection)?;
                let mut inserted = 0;
                for document in documents {
                    if !writer.insert(&document.key, &document.raw)? {
                        break;
                    }
                    inserted += 1;
                }
                writer.finish()?;
                Ok(Answer::Inserted(inserted))
            }
            Self::Upsert { collection, documents } => {
                let mut writer = Writer::open(transaction, collection)?;
                for document in documents {
                    writer.put(&document.key, &document.raw)?;
                }
                writer.finish()?;
                Ok(Answer::Done)
            }
            Self::Update { collection, matcher, update } => {
                run_update(transaction, collection, matcher, update)
            }
            Self::Delete { collection, matcher } => {
                let mut writer = Writer::open(transaction, collection)?;
                let keys = scan::matching_keys(&writer, matcher)?;
                for key in &keys {
                    writer.remove(key)?;
                }
                writer.finish()?;
                Ok(Answer::Count(keys.len() as u64))
            }
            Self::CreateIndex { collection, keys } => {
                index::create(transaction, collection, &Index::parse(keys)?)?;
                Ok(Answer::Done)
            }
            Self::PlaceBlobs(places) => place_blobs(transaction, places),
            Self::DeleteBlobs(ids) => delete_blobs(transaction, ids),
        }
    }
}

fn run_update(
    transaction: &WriteTransaction,
    collection: &str,
    matcher: &Matcher,
    update: &Update,
) -> Result<Answer> {
    let mut writer = Writer::open(transaction, collection)?;
    let keys = scan::matching_keys(&writer, matcher)?;
    for key in &keys {
        let Some(mut document) = writer.read(key)? else { continue };
        if update.apply(&mut document)? {
            writer.put(key, &prepare(&document)?.raw)?;
        }
    }
    writer.finish()?;
    Ok(Answer::Count(keys.len() as u64))
}

fn place_blobs(transaction: &WriteTransaction, places: &[(ObjectId, Place)]) -> Result<Answer> {
    let mut table = transaction.open_table(BLOBS).map_err(failed("open the blobs"))?;
    let mut freed = Vec::new();
    for (id, place) in places {
        let before = table.insert(id.bytes(), *place).map_err(failed("write a blob's place"))?;
        freed.extend(before.map(|place| place.value()));
    }
    Ok(Answer::Freed(freed))
}

fn delete_blobs(transaction: &WriteTransaction, ids: &[ObjectId]) -> Result<Answer> {
    let mut table = transaction.open_table(BLOBS).map_err(failed("open the blobs"))?;
    let mut freed = Vec::new();
    for id in ids {
        let before = table.remove(id.bytes()).map_err(failed("delete a blob"))?;
        freed.extend(before.map(|place| place.value()));
    }
    Ok(Answer::Freed(freed))
}
