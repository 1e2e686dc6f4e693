//! Whether the documents that others refer to are there.

use std::collections::{HashMap, HashSet};

use bson::oid::ObjectId;
use bson::{Bson, Document, doc};

use crate::db::schema::Schema;
use crate::error::Result;
use crate::store::{Database, Find};

/// Ids of one collection that a thread remembers at most; then it begins anew.
const KNOWN_MAX: usize = 100_000;

/// Keys that refer to documents elsewhere, with the collections of those.
#[derive(Clone, Debug)]
pub(super) struct ReferenceKeys(pub(super) Vec<(String, String)>);

impl ReferenceKeys {
    /// Those that the schema names for a collection, and `more`; a key that the schema does not
    /// know refers to the collection of its name.
    pub(super) fn of(schema: &Schema, collection: &str, more: &[String]) -> Self {
        let known = schema.xref_keys(collection).into_iter().map(str::to_owned);
        let mut keys: Vec<String> = known.chain(more.iter().cloned()).collect();
        keys.sort_unstable();
        keys.dedup();
        let target = |key: &String| {
            let stated = schema.key(collection, key).and_then(|key| key.reference.clone());
            stated.or_else(|| key.strip_suffix("_id").map(str::to_owned))
        };
        Self(keys.into_iter().filter_map(|key| Some((target(&key)?, key))).map(swap).collect())
    }
}

fn swap((a, b): (String, String)) -> (String, String) {
    (b, a)
}

/// Ids known to be there.
#[derive(Debug, Default)]
pub(super) struct References {
    known: HashMap<String, HashSet<ObjectId>>,
}

impl References {
    /// Asks for all that a batch refers to, a query a collection.
    pub(super) fn look_up(
        &mut self,
        database: &Database,
        keys: &ReferenceKeys,
        batch: &[Document],
    ) -> Result<()> {
        let mut wanted: HashMap<&str, HashSet<ObjectId>> = HashMap::new();
        for (key, target) in &keys.0 {
            let known = self.known.get(target);
            let ids = batch.iter().filter_map(|document| document.get_object_id(key).ok());
            let unknown = ids.filter(|id| known.is_none_or(|known| !known.contains(id)));
            wanted.entry(target).or_default().extend(unknown);
        }
        for (target, ids) in wanted.into_iter().filter(|(_, ids)| !ids.is_empty()) {
            let known = self.known.entry(target.to_owned()).or_default();
            if known.len() + ids.len() > KNOWN_MAX {
                known.clear();
            }
            let ids: Vec<Bson> = ids.into_iter().map(Bson::ObjectId).collect();
            let find = Find::filter(doc! { "_id": { "$in": ids } }).projection(doc! { "_id": 1 });
            for found in database.documents.find(target, &find)? {
                known.extend(found?.get_object_id("_id").ok());
            }
        }
        Ok(())
    }

    /// Whether a document that was looked up is there.
    pub(super) fn holds(&self, target: &str, id: ObjectId) -> bool {
        self.known.get(target).is_some_and(|known| known.contains(&id))
    }
}
