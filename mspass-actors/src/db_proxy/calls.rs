//! Store calls carried out on a thread that may block.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use bson::Document;
use mspass_io::store::{Cursor, Database, Find};

use super::actor::{CURSORS_MAX, Cursors};
use super::messages::{Action, Answer, Packed, StoreCall, StoreFault};

/// Documents in one page of a cursor at most.
pub const PAGE_DOCUMENTS_MAX: usize = 1000;
/// A page ends with the document that takes it past so many bytes.
pub const PAGE_BYTES: usize = 512 << 10;

/// Carries out one call.
pub(super) fn answer(
    database: &Database,
    cursors: &Mutex<Cursors>,
    call: StoreCall,
    now: Instant,
) -> Result<Answer, StoreFault> {
    let StoreCall { collection, action } = call;
    let (store, name) = (&database.documents, collection.as_str());
    Ok(match action {
        Action::Find(find) => {
            let cursor = store.find(name, &Find::from(find))?;
            let full = StoreFault::TooManyCursors(CURSORS_MAX);
            page(cursor, |rest| lock(cursors).put(rest, now).ok_or(full))?
        }
        Action::Explain(find) => Answer::Explained(store.explain(name, &Find::from(find))?),
        Action::Next { cursor: key, page: number } => {
            let cursor = lock(cursors).take(key, number).ok_or(StoreFault::NoCursor)?;
            page(cursor, |rest| {
                lock(cursors).put_back(key, number + 1, rest, now);
                Ok(key)
            })?
        }
        Action::Close { cursor } => {
            lock(cursors).close(cursor);
            Answer::Done
        }
        Action::Insert(documents) => Answer::of_values(store.insert(name, &unpack(documents))?),
        Action::Upsert(documents) => {
            store.upsert(name, &unpack(documents))?;
            Answer::Done
        }
        Action::Update { filter, update } => {
            Answer::Count(store.update(name, &filter.0, &update.0)?)
        }
        Action::Delete(filter) => Answer::Count(store.delete(name, &filter.0)?),
        Action::Count(filter) => Answer::Count(store.count(name, &filter.0)?),
        Action::Distinct { path, filter } => {
            Answer::of_values(store.distinct(name, &path, &filter.0)?)
        }
        Action::Group { filter, keys, aggregates } => {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let aggregates: Vec<_> =
                aggregates.iter().map(|(name, what, path)| (&name[..], *what, &path[..])).collect();
            let groups = store.group(name, &filter.0, &keys, &aggregates)?;
            Answer::Page { documents: pack(groups), cursor: None }
        }
        Action::CreateIndex(keys) => {
            store.create_index(name, &keys.0)?;
            Answer::Done
        }
        Action::Collections => Answer::Names(store.collections()?),
        Action::BlobIds => Answer::Ids(database.blobs.ids()?),
        Action::DeleteBlobs(ids) => Answer::Count(database.blobs.delete(&ids)?),
    })
}

fn lock(cursors: &Mutex<Cursors>) -> std::sync::MutexGuard<'_, Cursors> {
    cursors.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads one page; what is left of the cursor goes to `keep`.
fn page(
    mut cursor: Cursor,
    keep: impl FnOnce(Cursor) -> Result<u64, StoreFault>,
) -> Result<Answer, StoreFault> {
    let (mut documents, mut bytes) = (Vec::new(), 0);
    while documents.len() < PAGE_DOCUMENTS_MAX && bytes < PAGE_BYTES {
        match cursor.next() {
            Some(document) => {
                let document = document?;
                bytes += document.to_vec().map_or(0, |bytes| bytes.len());
                documents.push(Packed(document));
            }
            None => return Ok(Answer::Page { documents, cursor: None }),
        }
    }
    Ok(Answer::Page { documents, cursor: Some(keep(cursor)?) })
}

fn unpack(documents: Vec<Packed>) -> Vec<Document> {
    documents.into_iter().map(|Packed(document)| document).collect()
}

fn pack(documents: Vec<Document>) -> Vec<Packed> {
    documents.into_iter().map(Packed).collect()
}
