//! Reading the documents that a plan leads to.

use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bson::raw::RawDocument;
use redb::{AccessGuard, Range, ReadOnlyTable, ReadTransaction, ReadableTable, TableError};

use super::index::{self, CATALOG, EntryTable, Index};
use super::plan::Plan;
use super::writer::{DocumentTable, Writer, documents_table};
use super::{Shared, failed};
use crate::error::{Error, Result};
use crate::query::{Interval, Matcher, Sort};

/// A document in the store's pages.
pub(super) struct Stored(AccessGuard<'static, &'static [u8]>);

impl Stored {
    fn new(bytes: AccessGuard<'static, &'static [u8]>) -> Result<Self> {
        RawDocument::from_bytes(bytes.value()).map_err(failed("read a document"))?;
        Ok(Self(bytes))
    }
}

impl AsRef<RawDocument> for Stored {
    fn as_ref(&self) -> &RawDocument {
        RawDocument::from_bytes(self.0.value()).expect("checked when it was read")
    }
}

type Documents = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// What a scan has looked at.
#[derive(Debug, Default)]
pub(super) struct Examined {
    pub(super) keys: AtomicU64,
    pub(super) documents: AtomicU64,
}

fn one_more(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// One collection as it was when the transaction began.
pub(super) struct Reader {
    pub(super) examined: Arc<Examined>,
    documents: Arc<Documents>,
    transaction: ReadTransaction,
    collection: String,
    store: Arc<Shared>,
}

impl Reader {
    /// `None` where there is no such collection.
    pub(super) fn open(store: &Arc<Shared>, collection: &str) -> Result<Option<Self>> {
        let transaction = store.begin_read()?;
        let name = documents_table(collection);
        let Some(documents) = found(transaction.open_table(DocumentTable::new(&name)))? else {
            return Ok(None);
        };
        let documents = Arc::new(documents);
        let store = Arc::clone(store);
        let (collection, examined) = (collection.to_owned(), Arc::default());
        Ok(Some(Self { examined, documents, transaction, collection, store }))
    }

    pub(super) fn plan(&self, matcher: &Matcher, sort: &Sort) -> Result<Plan> {
        let indexes = match found(self.transaction.open_table(CATALOG))? {
            Some(catalog) => index::load(&catalog, &self.collection)?,
            None => Vec::new(),
        };
        Ok(Plan::choose(matcher, sort, indexes))
    }

    /// The documents that the plan leads to, each once, read as they are asked for.
    pub(super) fn scan(
        &self,
        plan: Plan,
    ) -> Result<Box<dyn Iterator<Item = Result<Stored>> + Send>> {
        let Plan { index, intervals, reverse, .. } = plan;
        let documents = Arc::clone(&self.documents);
        let store = Arc::clone(&self.store);
        let examined = Arc::clone(&self.examined);
        let Some(index) = index else {
            let rows = Rows::new(documents, intervals, reverse, store);
            return Ok(Box::new(rows.map(move |row| {
                one_more(&examined.documents);
                Stored::new(row?.1)
            })));
        };
        let name = index.table(&self.collection);
        let entries =
            self.transaction.open_table(EntryTable::new(&name)).map_err(failed("open an index"))?;
        let all = intervals.clone();
        let rows = Rows::new(Arc::new(entries), intervals, reverse, store);
        Ok(Box::new(rows.filter_map(move |row| {
            one_more(&examined.keys);
            let found = row.and_then(|(row, length)| {
                one_more(&examined.documents);
                let (entry, id) = split_row(row.value(), length.value())?;
                let bytes = documents.get(id).map_err(failed("read a document"))?;
                let document = Stored::new(bytes.ok_or_else(dangling)?)?;
                let first = is_first(&index, &all, entry, document.as_ref());
                Ok(first.then_some(document))
            });
            found.transpose()
        })))
    }

    /// Gives a document by the key of its `_id`.
    pub(super) fn fetch(&self) -> impl Fn(&[u8]) -> Result<Option<Stored>> + Send + 'static {
        let (documents, store) = (Arc::clone(&self.documents), Arc::clone(&self.store));
        move |id| {
            let _open = &store;
            documents.get(id).map_err(failed("read a document"))?.map(Stored::new).transpose()
        }
    }

    /// How many documents there are.
    pub(super) fn len(&self) -> Result<u64> {
        redb::ReadableTableMetadata::len(&*self.documents).map_err(failed("count the documents"))
    }
}

/// A missing table is an empty one.
pub(super) fn found<T>(table: Result<T, TableError>) -> Result<Option<T>> {
    match table {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(failed("open a table")(error)),
    }
}

fn dangling() -> Error {
    Error::Format {
        format: "index",
        offset: 0,
        reason: "an entry names a document that is not there".to_owned(),
    }
}

fn split_row(row: &[u8], length: u32) -> Result<(&[u8], &[u8])> {
    row.split_at_checked(length as usize).ok_or_else(|| Error::Format {
        format: "index",
        offset: 0,
        reason: "an entry is longer than its row".to_owned(),
    })
}

/// Whether `entry` is the first of a document's entries that the intervals hold, so that a
/// document with several is given once.
fn is_first(index: &Index, intervals: &[Interval], entry: &[u8], document: &RawDocument) -> bool {
    if !index.multikey {
        return true;
    }
    let entries = index.entries(document);
    let mut within = entries.entries.iter().filter(|e| intervals.iter().any(|i| i.contains(e)));
    within.next().is_some_and(|first| first == entry)
}

fn range_of(interval: &Interval) -> (Bound<&[u8]>, Bound<&[u8]>) {
    let end = interval.end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    (Bound::Included(interval.start.as_slice()), end)
}

type Row<V> = (AccessGuard<'static, &'static [u8]>, AccessGuard<'static, V>);

/// Rows of a table within intervals.
struct Rows<V: redb::Value + 'static> {
    current: Option<Range<'static, &'static [u8], V>>,
    intervals: std::collections::VecDeque<Interval>,
    table: Arc<ReadOnlyTable<&'static [u8], V>>,
    reverse: bool,
    /// Keeps the database open for as long as the rows are read.
    _store: Arc<Shared>,
}

impl<V: redb::Value + 'static> Rows<V> {
    fn new(
        table: Arc<ReadOnlyTable<&'static [u8], V>>,
        intervals: Vec<Interval>,
        reverse: bool,
        store: Arc<Shared>,
    ) -> Self {
        Self { current: None, intervals: intervals.into(), table, reverse, _store: store }
    }
}

impl<V: redb::Value + 'static> Iterator for Rows<V> {
    type Item = Result<Row<V>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let row = self.current.as_mut().and_then(|range| match self.reverse {
                true => range.next_back(),
                false => range.next(),
            });
            if let Some(row) = row {
                return Some(row.map_err(failed("read the database")));
            }
            let interval = match self.reverse {
                true => self.intervals.pop_back()?,
                false => self.intervals.pop_front()?,
            };
            match self.table.range::<&[u8]>(range_of(&interval)) {
                Ok(range) => self.current = Some(range),
                Err(error) => return Some(Err(failed("read the database")(error))),
            }
        }
    }
}

/// Keys of the ids of the documents that match, within a write transaction.
pub(super) fn matching_keys(writer: &Writer<'_>, matcher: &Matcher) -> Result<Vec<Vec<u8>>> {
    let indexes = writer.indexes.iter().map(|open| open.index.clone()).collect();
    let plan = Plan::choose(matcher, &Sort::default(), indexes);
    let mut keys = Vec::new();
    let tested = |bytes: &[u8]| {
        let document = RawDocument::from_bytes(bytes).map_err(failed("read a document"))?;
        Ok::<_, Error>(matcher.matches(document))
    };
    let Some(index) = &plan.index else {
        for interval in &plan.intervals {
            let range = writer.documents.range::<&[u8]>(range_of(interval));
            for row in range.map_err(failed("read a collection"))? {
                let (id, document) = row.map_err(failed("read a collection"))?;
                if tested(document.value())? {
                    keys.push(id.value().to_vec());
                }
            }
        }
        return Ok(keys);
    };
    let open = writer.indexes.iter().find(|open| open.index.name == index.name);
    let entries = &open.ok_or_else(dangling)?.entries;
    for interval in &plan.intervals {
        let range = entries.range::<&[u8]>(range_of(interval));
        for row in range.map_err(failed("read an index"))? {
            let (row, length) = row.map_err(failed("read an index"))?;
            let (_, id) = split_row(row.value(), length.value())?;
            let document = writer.documents.get(id).map_err(failed("read a document"))?;
            if tested(document.ok_or_else(dangling)?.value())? {
                keys.push(id.to_vec());
            }
        }
    }
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}
