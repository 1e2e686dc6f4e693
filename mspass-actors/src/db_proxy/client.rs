//! A database seen through the mailbox of its proxy: the same traits, wherever the store is, and
//! through the death of the proxy's process too.
//!
//! A call without a reply is asked again, of the same proxy or of the one in its place, until its
//! deadline. So every call must bear being done twice: documents get their ids here, an insert that
//! finds its own document has inserted it, a page of a cursor is never asked for twice, and an
//! update that adds to what is there ([`Error::Store`]) is left to the caller to repeat.

use std::sync::Arc;
use std::time::Duration;

use bson::oid::ObjectId;
use bson::{Bson, Document};
use bytes::Bytes;
use mspass_io::store::{
    Aggregate, Blob, BlobStore, Cursor, Database, DocumentStore, Explanation, Find,
};
use mspass_io::{Error, Result};

use super::actor::DbProxy;
use super::found::{FoundStore, StoreFinder, StoreMailboxes};
use super::insert;
use super::messages::{Action, Answer, Packed, PackedFind, ReadBlob, Save, StoreCall};
use super::pages::Pages;
use crate::mailbox::{Address, MailError, Mailbox, Message};
use crate::runtime::Waiter;

/// How long a store call may take, restarts of the proxy included.
pub const STORE_DEADLINE: Duration = Duration::from_secs(300);

/// Update operators whose effect is the same when applied twice.
const REPEATABLE: [&str; 6] = ["$set", "$unset", "$min", "$max", "$addToSet", "$setOnInsert"];

/// A db-proxy as a store, with the means to wait for it on a thread that may block.
#[derive(Clone, Debug)]
pub struct ProxyStore {
    waiter: Waiter,
    found: FoundStore,
}

impl ProxyStore {
    /// The store behind a proxy of this process.
    pub fn new(waiter: Waiter, proxy: &Address<DbProxy>) -> Self {
        Self { waiter, found: FoundStore::fixed(StoreMailboxes::of(proxy)) }
    }

    /// The store behind whichever proxy the [`StoreFinder`] names; calls wait until there is one.
    pub fn following(waiter: Waiter) -> (StoreFinder, Self) {
        let (finder, found) = FoundStore::following();
        (finder, Self { waiter, found })
    }

    /// The store as a database.
    pub fn database(&self) -> Database {
        Database { documents: Arc::new(self.clone()), blobs: Arc::new(self.clone()) }
    }

    /// Stores an output.
    ///
    /// # Errors
    /// When it could not be stored before the deadline; whether it was is not known then, and
    /// storing it again changes nothing.
    pub async fn save(&self, save: Save) -> Result<()> {
        let asked = self.found.clone().ask(|store| &store.saves, save, STORE_DEADLINE);
        let (saved, _) = asked.await.map_err(Error::store("db-proxy", "answer"))?;
        Ok(saved?)
    }

    /// The reply, and whether the message may have been handled more than once.
    fn wait<M: Message + Clone>(
        &self,
        pick: fn(&StoreMailboxes) -> &Mailbox<M>,
        message: M,
    ) -> Result<(M::Reply, bool)> {
        let asked = self.found.clone().ask(pick, message, STORE_DEADLINE);
        let reply = self.waiter.wait(asked).unwrap_or(Err(MailError::Gone(M::TYPE)));
        reply.map_err(Error::store("db-proxy", "answer"))
    }

    pub(super) fn call(&self, collection: &str, action: Action) -> Result<Answer> {
        let call = StoreCall { collection: collection.to_owned(), action };
        Ok(self.wait(|store| &store.calls, call)?.0?)
    }

    /// Asks the present proxy only, and once.
    pub(super) fn call_once(&self, collection: &str, action: Action) -> Result<Answer> {
        let call = StoreCall { collection: collection.to_owned(), action };
        let calls = self.found.current().map(|store| store.calls);
        let asked = calls.and_then(|calls| {
            self.waiter.wait(async move { calls.ask(call, STORE_DEADLINE).await })
        });
        let reply = asked.unwrap_or(Err(MailError::Gone(StoreCall::TYPE)));
        Ok(reply.map_err(Error::store("db-proxy", "answer"))??)
    }

    /// Closes a cursor, if its proxy is still there and has room.
    pub(super) fn close(&self, cursor: u64) {
        let call = StoreCall { collection: String::new(), action: Action::Close { cursor } };
        if let Some(store) = self.found.current() {
            drop(store.calls.try_tell(call));
        }
    }

    fn count_of(&self, collection: &str, action: Action) -> Result<u64> {
        match self.call(collection, action)? {
            Answer::Count(count) => Ok(count),
            _ => Err(unexpected()),
        }
    }
}

pub(super) fn unexpected() -> Error {
    Error::Refused("the db-proxy gave an answer of another kind: versions differ".into())
}

pub(super) fn pack(documents: &[Document]) -> Vec<Packed> {
    documents.iter().cloned().map(Packed).collect()
}

impl DocumentStore for ProxyStore {
    fn find(&self, collection: &str, find: &Find) -> Result<Cursor> {
        Ok(Box::new(Pages::find(self, collection, find)?))
    }

    fn insert(&self, collection: &str, documents: &[Document]) -> Result<Vec<Bson>> {
        let documents = insert::with_ids(documents);
        let ids = insert::ids(&documents);
        let mut rest = documents;
        while !rest.is_empty() {
            let action = Action::Insert(pack(&rest));
            let call = StoreCall { collection: collection.to_owned(), action };
            let (reply, repeated) = self.wait(|store| &store.calls, call)?;
            match reply.map_err(Error::from) {
                Err(Error::DuplicateKey { .. }) if repeated => {
                    // One of them may be our own, of an ask whose reply was lost.
                    let ids = insert::ids(&rest);
                    let find = Find::filter(bson::doc! { "_id": { "$in": ids } });
                    let there = self.find(collection, &find)?.collect::<Result<Vec<_>>>()?;
                    rest = insert::not_there_yet(collection, rest, &there)?;
                }
                reply => {
                    reply?;
                    break;
                }
            }
        }
        Ok(ids)
    }

    fn upsert(&self, collection: &str, documents: &[Document]) -> Result<()> {
        self.call(collection, Action::Upsert(pack(&insert::with_ids(documents)))).map(drop)
    }

    fn update(&self, collection: &str, filter: &Document, update: &Document) -> Result<u64> {
        let repeatable = update.keys().all(|operator| REPEATABLE.contains(&&**operator));
        let (filter, update) = (Packed(filter.clone()), Packed(update.clone()));
        let action = Action::Update { filter, update };
        if repeatable {
            return self.count_of(collection, action);
        }
        match self.call_once(collection, action)? {
            Answer::Count(count) => Ok(count),
            _ => Err(unexpected()),
        }
    }

    fn delete(&self, collection: &str, filter: &Document) -> Result<u64> {
        self.count_of(collection, Action::Delete(Packed(filter.clone())))
    }

    fn count(&self, collection: &str, filter: &Document) -> Result<u64> {
        self.count_of(collection, Action::Count(Packed(filter.clone())))
    }

    fn distinct(&self, collection: &str, path: &str, filter: &Document) -> Result<Vec<Bson>> {
        let filter = Packed(filter.clone());
        match self.call(collection, Action::Distinct { path: path.to_owned(), filter })? {
            Answer::Values(values) => {
                Ok(values.into_iter().filter_map(|Packed(mut value)| value.remove("")).collect())
            }
            _ => Err(unexpected()),
        }
    }

    fn group(
        &self,
        collection: &str,
        filter: &Document,
        keys: &[&str],
        aggregates: &[(&str, Aggregate, &str)],
    ) -> Result<Vec<Document>> {
        let aggregates = aggregates
            .iter()
            .map(|(name, what, path)| ((*name).to_owned(), *what, (*path).to_owned()));
        let action = Action::Group {
            filter: Packed(filter.clone()),
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            aggregates: aggregates.collect(),
        };
        match self.call(collection, action)? {
            Answer::Page { documents, .. } => {
                Ok(documents.into_iter().map(|Packed(document)| document).collect())
            }
            _ => Err(unexpected()),
        }
    }

    fn create_index(&self, collection: &str, keys: &Document) -> Result<()> {
        self.call(collection, Action::CreateIndex(Packed(keys.clone()))).map(drop)
    }

    fn explain(&self, collection: &str, find: &Find) -> Result<Explanation> {
        match self.call(collection, Action::Explain(PackedFind::from(find)))? {
            Answer::Explained(explanation) => Ok(explanation),
            _ => Err(unexpected()),
        }
    }

    fn collections(&self) -> Result<Vec<String>> {
        match self.call("", Action::Collections)? {
            Answer::Names(names) => Ok(names),
            _ => Err(unexpected()),
        }
    }
}

impl BlobStore for ProxyStore {
    fn put(&self, blobs: &[Blob]) -> Result<()> {
        let blobs = blobs.iter().map(|blob| (blob.id, blob.bytes.clone())).collect();
        Ok(self.wait(|store| &store.saves, Save { blobs, documents: Vec::new() })?.0?)
    }

    fn read(&self, id: ObjectId) -> Result<Bytes> {
        Ok(self.wait(|store| &store.blobs, ReadBlob(id))?.0?.0)
    }

    fn delete(&self, ids: &[ObjectId]) -> Result<u64> {
        self.count_of("", Action::DeleteBlobs(ids.to_vec()))
    }

    fn ids(&self) -> Result<Vec<ObjectId>> {
        match self.call("", Action::BlobIds)? {
            Answer::Ids(ids) => Ok(ids),
            _ => Err(unexpected()),
        }
    }
}
