//! Writing documents of one collection together with their index entries.

use bson::Document;
use bson::raw::RawDocument;
use redb::{ReadableTable, Table, TableDefinition, WriteTransaction};

use super::failed;
use super::index::{self, CATALOG, EntryTable, Index};
use crate::error::Result;

/// Documents of one collection: key of the `_id` to BSON.
pub(super) type DocumentTable<'n> = TableDefinition<'n, &'static [u8], &'static [u8]>;

/// Begins the names of the tables of documents.
pub(super) const DOCUMENTS: &str = "documents/";

pub(super) fn documents_table(collection: &str) -> String {
    format!("{DOCUMENTS}{collection}")
}

/// A collection open for writing.
pub(super) struct Writer<'t> {
    transaction: &'t WriteTransaction,
    collection: &'t str,
    pub(super) documents: Table<'t, &'static [u8], &'static [u8]>,
    pub(super) indexes: Vec<OpenIndex<'t>>,
}

pub(super) struct OpenIndex<'t> {
    pub(super) index: Index,
    pub(super) entries: Table<'t, &'static [u8], u32>,
    became_multikey: bool,
}

impl<'t> Writer<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction, collection: &'t str) -> Result<Self> {
        let indexes = {
            let catalog = transaction.open_table(CATALOG).map_err(failed("open the indexes"))?;
            index::load(&catalog, collection)?
        };
        let open = |index: Index| {
            let name = index.table(collection);
            let entries =
                transaction.open_table(EntryTable::new(&name)).map_err(failed("open an index"))?;
            Ok(OpenIndex { index, entries, became_multikey: false })
        };
        let name = documents_table(collection);
        let documents = transaction
            .open_table(DocumentTable::new(&name))
            .map_err(failed("open a collection"))?;
        let indexes = indexes.into_iter().map(open).collect::<Result<_>>()?;
        Ok(Self { transaction, collection, documents, indexes })
    }

    pub(super) fn read(&self, id: &[u8]) -> Result<Option<Document>> {
        let Some(bytes) = self.documents.get(id).map_err(failed("read a document"))? else {
            return Ok(None);
        };
        let raw = RawDocument::from_bytes(bytes.value()).map_err(failed("read a document"))?;
        Document::try_from(raw).map(Some).map_err(failed("read a document"))
    }

    /// Puts a document in the place of the one with its id.
    pub(super) fn put(&mut self, id: &[u8], document: &RawDocument) -> Result<()> {
        let before =
            self.documents.insert(id, document.as_bytes()).map_err(failed("write a document"))?;
        if self.indexes.is_empty() {
            return Ok(());
        }
        let before = before.map(|bytes| bytes.value().to_vec());
        self.index(id, before.as_deref(), Some(document))
    }

    /// Puts a document whose id is not taken, and tells whether it was not.
    pub(super) fn insert(&mut self, id: &[u8], document: &RawDocument) -> Result<bool> {
        let mut put = |bytes: &[u8]| {
            let before = self.documents.insert(id, bytes).map_err(failed("write a document"))?;
            Ok(before.map(|bytes| bytes.value().to_vec()))
        };
        // Ids are seldom taken: to put one back costs less than to look for each.
        if let Some(taken) = put(document.as_bytes())? {
            put(&taken)?;
            return Ok(false);
        }
        if !self.indexes.is_empty() {
            self.index(id, None, Some(document))?;
        }
        Ok(true)
    }

    pub(super) fn remove(&mut self, id: &[u8]) -> Result<()> {
        let before = self.documents.remove(id).map_err(failed("delete a document"))?;
        let before = before.map(|bytes| bytes.value().to_vec());
        self.index(id, before.as_deref(), None)
    }

    fn index(
        &mut self,
        id: &[u8],
        before: Option<&[u8]>,
        after: Option<&RawDocument>,
    ) -> Result<()> {
        let before =
            before.map(RawDocument::from_bytes).transpose().map_err(failed("read a document"))?;
        for OpenIndex { index, entries, became_multikey } in &mut self.indexes {
            let old = before.map(|document| index.entries(document)).unwrap_or_default();
            let new = after.map(|document| index.entries(document)).unwrap_or_default();
            for entry in &old.entries {
                if new.entries.binary_search(entry).is_err() {
                    let (row, _) = index::row(entry, id);
                    entries.remove(row.as_slice()).map_err(failed("write an index"))?;
                }
            }
            for entry in &new.entries {
                if old.entries.binary_search(entry).is_err() {
                    let (row, length) = index::row(entry, id);
                    entries.insert(row.as_slice(), length).map_err(failed("write an index"))?;
                }
            }
            *became_multikey |= new.multikey && !index.multikey;
        }
        Ok(())
    }

    /// Writes down what the documents made of the indexes.
    pub(super) fn finish(self) -> Result<()> {
        for OpenIndex { mut index, became_multikey, .. } in self.indexes {
            if became_multikey {
                index.multikey = true;
                index.save(self.transaction, self.collection)?;
            }
        }
        Ok(())
    }
}
