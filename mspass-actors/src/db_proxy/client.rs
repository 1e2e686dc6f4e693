//! A database seen through the mailbox of its proxy: the same traits, wherever the store is.

use std::sync::Arc;
use std::time::Duration;

use bson::oid::ObjectId;
use bson::{Bson, Document};
use bytes::Bytes;
use mspass_io::store::{Aggregate, Blob, BlobStore, Cursor, Database, DocumentStore, Find};
use mspass_io::{Error, Result};

use super::actor::DbProxy;
use super::messages::{Action, Answer, Packed, PackedFind, ReadBlob, Save, StoreCall};
use crate::mailbox::{Address, MailError, Mailbox, Message};
use crate::runtime::Waiter;

/// How long a store call may take.
pub const STORE_DEADLINE: Duration = Duration::from_secs(300);

/// The mailboxes of a db-proxy, with the means to wait for it on a thread that may block.
#[derive(Clone, Debug)]
pub struct ProxyStore {
    waiter: Waiter,
    calls: Mailbox<StoreCall>,
    saves: Mailbox<Save>,
    blobs: Mailbox<ReadBlob>,
}

impl ProxyStore {
    /// The store behind a proxy of this process.
    pub fn new(waiter: Waiter, proxy: &Address<DbProxy>) -> Self {
        Self { waiter, calls: proxy.mailbox(), saves: proxy.mailbox(), blobs: proxy.mailbox() }
    }

    /// The store as a database.
    pub fn database(&self) -> Database {
        Database { documents: Arc::new(self.clone()), blobs: Arc::new(self.clone()) }
    }

    /// Where to send outputs without waiting.
    pub fn saves(&self) -> &Mailbox<Save> {
        &self.saves
    }

    fn wait<M: Message + Clone>(&self, mailbox: &Mailbox<M>, message: M) -> Result<M::Reply> {
        let mailbox = mailbox.clone();
        let asked = self.waiter.wait(async move { mailbox.ask(message, STORE_DEADLINE).await });
        let reply = asked.unwrap_or(Err(MailError::Gone(M::TYPE)));
        reply.map_err(Error::store("db-proxy", "answer"))
    }

    fn call(&self, collection: &str, action: Action) -> Result<Answer> {
        let call = StoreCall { collection: collection.to_owned(), action };
        Ok(self.wait(&self.calls, call)??)
    }

    fn count_of(&self, collection: &str, action: Action) -> Result<u64> {
        match self.call(collection, action)? {
            Answer::Count(count) => Ok(count),
            _ => Err(unexpected()),
        }
    }

    fn values_of(&self, collection: &str, action: Action) -> Result<Vec<Bson>> {
        match self.call(collection, action)? {
            Answer::Values(values) => {
                Ok(values.into_iter().filter_map(|Packed(mut value)| value.remove("")).collect())
            }
            _ => Err(unexpected()),
        }
    }
}

fn unexpected() -> Error {
    Error::Refused("the db-proxy gave an answer of another kind: versions differ".into())
}

fn pack(documents: &[Document]) -> Vec<Packed> {
    documents.iter().cloned().map(Packed).collect()
}

/// Pages of a proxy's cursor, one at a time.
struct Pages {
    store: ProxyStore,
    collection: String,
    page: std::vec::IntoIter<Packed>,
    cursor: Option<u64>,
}

impl Iterator for Pages {
    type Item = Result<Document>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(Packed(document)) = self.page.next() {
                return Some(Ok(document));
            }
            let cursor = self.cursor.take()?;
            match self.store.call(&self.collection, Action::Next { cursor }) {
                Ok(Answer::Page { documents, cursor }) => {
                    self.page = documents.into_iter();
                    self.cursor = cursor;
                }
                Ok(_) => return Some(Err(unexpected())),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        if let Some(cursor) = self.cursor {
            let call = StoreCall { collection: String::new(), action: Action::Close { cursor } };
            drop(self.store.calls.try_tell(call));
        }
    }
}

impl DocumentStore for ProxyStore {
    fn find(&self, collection: &str, find: &Find) -> Result<Cursor> {
        match self.call(collection, Action::Find(PackedFind::from(find)))? {
            Answer::Page { documents, cursor } => Ok(Box::new(Pages {
                store: self.clone(),
                collection: collection.to_owned(),
                page: documents.into_iter(),
                cursor,
            })),
            _ => Err(unexpected()),
        }
    }

    fn insert(&self, collection: &str, documents: &[Document]) -> Result<Vec<Bson>> {
        self.values_of(collection, Action::Insert(pack(documents)))
    }

    fn upsert(&self, collection: &str, documents: &[Document]) -> Result<()> {
        self.call(collection, Action::Upsert(pack(documents))).map(drop)
    }

    fn update(&self, collection: &str, filter: &Document, update: &Document) -> Result<u64> {
        let (filter, update) = (Packed(filter.clone()), Packed(update.clone()));
        self.count_of(collection, Action::Update { filter, update })
    }

    fn delete(&self, collection: &str, filter: &Document) -> Result<u64> {
        self.count_of(collection, Action::Delete(Packed(filter.clone())))
    }

    fn count(&self, collection: &str, filter: &Document) -> Result<u64> {
        self.count_of(collection, Action::Count(Packed(filter.clone())))
    }

    fn distinct(&self, collection: &str, path: &str, filter: &Document) -> Result<Vec<Bson>> {
        let filter = Packed(filter.clone());
        self.values_of(collection, Action::Distinct { path: path.to_owned(), filter })
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
        Ok(self.wait(&self.saves, Save { blobs, documents: Vec::new() })??)
    }

    fn read(&self, id: ObjectId) -> Result<Bytes> {
        Ok(self.wait(&self.blobs, ReadBlob(id))??.0)
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
