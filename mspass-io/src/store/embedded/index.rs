//! Indexes: what they are over, and the entries that a document has in them.

use bson::raw::{RawDocument, RawDocumentBuf};
use bson::{Bson, Document};
use redb::{ReadableTable, TableDefinition, WriteTransaction};

use super::{failed, writer};
use crate::error::{Error, Result};
use crate::query::{KEY_MISSING, Leaf, Path, Sort, encode_key};

/// Indexes of all collections: `COLLECTION \0 NAME` to a document of keys and `multikey`.
pub(super) const CATALOG: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("indexes");

/// Entries of one index: entry then key of the `_id`, to the length of the entry.
pub(super) type EntryTable<'n> = TableDefinition<'n, &'static [u8], u32>;

/// Entries that one document may have in an index, and bytes of one entry, at most; a document
/// beyond either is found through [`OVERFLOW`].
const ENTRIES_MAX: usize = 1_000;
const ENTRY_BYTES_MAX: usize = 1_024;

/// The entry of a document that is not indexed by its values; above all others.
pub(super) const OVERFLOW: &[u8] = &[0xff];

/// An index.
#[derive(Clone, Debug)]
pub(super) struct Index {
    /// As MongoDB names it: `net_1_sta_-1`.
    pub(super) name: String,
    pub(super) keys: Vec<(Path, bool)>,
    /// Whether a document ever had other than one entry, or overflowed.
    pub(super) multikey: bool,
    document: Document,
}

/// What a document has in an index, sorted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Entries {
    pub(super) entries: Vec<Vec<u8>>,
    pub(super) multikey: bool,
}

impl Index {
    /// An index over `{path: 1 or -1, ...}`.
    pub(super) fn parse(keys: &Document) -> Result<Self> {
        let sort = Sort::parse(keys)?;
        if sort.is_empty() {
            return Err(Error::query("an index needs at least one key"));
        }
        let part = |(path, descending): &(Path, bool)| {
            format!("{}_{}", path.as_str(), if *descending { -1 } else { 1 })
        };
        Ok(Self {
            name: sort.keys().iter().map(part).collect::<Vec<_>>().join("_"),
            keys: sort.keys().to_vec(),
            multikey: false,
            document: keys.clone(),
        })
    }

    pub(super) fn table(&self, collection: &str) -> String {
        format!("index/{collection}\0{}", self.name)
    }

    fn catalog_key(&self, collection: &str) -> String {
        format!("{collection}\0{}", self.name)
    }

    /// The entries of a document: every combination of the values that the matcher would meet at
    /// the paths, so that no document that matches is missed.
    pub(super) fn entries(&self, document: &RawDocument) -> Entries {
        let mut entries: Vec<Vec<u8>> = vec![Vec::new()];
        let mut multikey = false;
        for (path, descending) in &self.keys {
            let Some(values) = values(path, *descending, document) else {
                return Entries::overflow();
            };
            multikey |= values.len() != 1;
            let parts = if values.is_empty() { &[KEY_MISSING.to_vec()] } else { &values[..] };
            if entries.len() * parts.len() > ENTRIES_MAX {
                return Entries::overflow();
            }
            let extend = |entry: &Vec<u8>, part: &Vec<u8>| [entry.as_slice(), part].concat();
            entries = entries
                .iter()
                .flat_map(|entry| parts.iter().map(move |part| extend(entry, part)))
                .collect();
        }
        if entries.iter().any(|entry| entry.len() > ENTRY_BYTES_MAX) {
            return Entries::overflow();
        }
        entries.sort_unstable();
        entries.dedup();
        Entries { entries, multikey }
    }

    fn to_bytes(&self) -> Result<Vec<u8>> {
        let document = bson::doc! { "keys": self.document.clone(), "multikey": self.multikey };
        RawDocumentBuf::try_from(&document)
            .map(RawDocumentBuf::into_bytes)
            .map_err(failed("write an index"))
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let damaged = || Error::Format {
            format: "index catalog",
            offset: 0,
            reason: "an entry is not one of an index".to_owned(),
        };
        let raw = RawDocument::from_bytes(bytes).map_err(|_| damaged())?;
        let document = Document::try_from(raw).map_err(|_| damaged())?;
        let Some(Bson::Document(keys)) = document.get("keys") else { return Err(damaged()) };
        let multikey = document.get_bool("multikey").map_err(|_| damaged())?;
        Ok(Self { multikey, ..Self::parse(keys)? })
    }

    /// Writes the index to the catalog.
    pub(super) fn save(&self, transaction: &WriteTransaction, collection: &str) -> Result<()> {
        let mut catalog = transaction.open_table(CATALOG).map_err(failed("open the indexes"))?;
        let (key, bytes) = (self.catalog_key(collection), self.to_bytes()?);
        catalog.insert(key.as_str(), bytes.as_slice()).map_err(failed("write an index"))?;
        Ok(())
    }
}

impl Entries {
    fn overflow() -> Self {
        Self { entries: vec![OVERFLOW.to_vec()], multikey: true }
    }
}

/// The keys of the values at a path, sorted; `None` if they are too many.
fn values(path: &Path, descending: bool, document: &RawDocument) -> Option<Vec<Vec<u8>>> {
    let mut values = Vec::new();
    let too_many = path.any(document, Leaf::Elements, &mut |value| {
        let mut key = Vec::new();
        match value {
            Some(value) => encode_key(&mut key, value),
            None => key.extend(KEY_MISSING),
        }
        if descending {
            crate::query::invert(&mut key);
        }
        values.push(key);
        values.len() > ENTRIES_MAX
    });
    values.sort_unstable();
    values.dedup();
    (!too_many).then_some(values)
}

/// The indexes of a collection.
pub(super) fn load(
    catalog: &impl ReadableTable<&'static str, &'static [u8]>,
    collection: &str,
) -> Result<Vec<Index>> {
    let (first, end) = (format!("{collection}\0"), format!("{collection}\u{1}"));
    let range = catalog.range(first.as_str()..end.as_str()).map_err(failed("read the indexes"))?;
    range
        .map(|entry| {
            let (_, bytes) = entry.map_err(failed("read the indexes"))?;
            Index::from_bytes(bytes.value())
        })
        .collect()
}

/// Makes an index and fills it, unless it is there.
pub(super) fn create(
    transaction: &WriteTransaction,
    collection: &str,
    index: &Index,
) -> Result<()> {
    let known = {
        let catalog = transaction.open_table(CATALOG).map_err(failed("open the indexes"))?;
        load(&catalog, collection)?
    };
    if known.iter().any(|known| known.name == index.name) {
        return Ok(());
    }
    let mut index = index.clone();
    let name = index.table(collection);
    let mut table =
        transaction.open_table(EntryTable::new(&name)).map_err(failed("open an index"))?;
    let documents = writer::documents_table(collection);
    let documents = transaction
        .open_table(writer::DocumentTable::new(&documents))
        .map_err(failed("open a collection"))?;
    for entry in documents.iter().map_err(failed("read a collection"))? {
        let (key, bytes) = entry.map_err(failed("read a collection"))?;
        let document = RawDocument::from_bytes(bytes.value()).map_err(failed("read a document"))?;
        let entries = index.entries(document);
        index.multikey |= entries.multikey;
        for entry in &entries.entries {
            let (row, length) = row(entry, key.value());
            table.insert(row.as_slice(), length).map_err(failed("write an index"))?;
        }
    }
    index.save(transaction, collection)
}

/// The row of an entry in the index's table.
pub(super) fn row(entry: &[u8], id: &[u8]) -> (Vec<u8>, u32) {
    ([entry, id].concat(), entry.len() as u32)
}
