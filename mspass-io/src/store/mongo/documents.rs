//! Documents in collections.

use bson::{Bson, Document, RawBson, RawDocumentBuf, doc, rawdoc};
use mongodb::options::FindOptions;
use mongodb::{Collection, IndexModel};

use super::MongoStore;
use super::command::Updates;
use super::cursor::Batches;
use super::driver::Pending;
use super::failure::{DUPLICATE_KEY, Failure};
use crate::error::{Error, Result};
use crate::query::{Grouping, Sort, encode_key};
use crate::store::prepare::{check_collection, id_of, prepare};
use crate::store::{Aggregate, Cursor, DocumentStore, Explanation, Find};

/// Documents asked for in one reply of the server.
const BATCH_DOCUMENTS: u32 = 1000;

/// Documents, and about how many bytes of them, in one insert command.
const INSERTED_MAX: usize = 10_000;
const INSERTED_BYTES: usize = 8 << 20;

/// Codes with which MongoDB says that the keys are indexed already, though under other options.
const INDEX_EXISTS: [i32; 2] = [85, 86];

impl DocumentStore for MongoStore {
    fn find(&self, collection: &str, find: &Find) -> Result<Cursor> {
        let options = find_options(find);
        let cursor = self.link.idempotent(|database| {
            let query = raw(&database, collection);
            let (filter, options) = (find.filter.clone(), options.clone());
            async move { Ok(query.find(filter).with_options(options).batch().await?) }
        });
        let cursor = cursor.map_err(|failure| failure.during(format!("read {collection}")))?;
        Ok(Box::new(Batches::new(&self.link, collection, cursor)))
    }

    fn insert(&self, collection: &str, documents: &[Document]) -> Result<Vec<Bson>> {
        check_collection(collection)?;
        if documents.is_empty() {
            return Ok(Vec::new());
        }
        let mut ids = Vec::with_capacity(documents.len());
        let mut rest = documents;
        let mut under_way: Option<(usize, Pending<()>)> = None;
        loop {
            // While the server inserts, the next command is encoded.
            let first = ids.len();
            let command = encode(&mut rest, &mut ids);
            if let Some((first, pending)) = under_way.take() {
                pending.wait().map_err(|failure| refused(failure, collection, &ids[first..]))?;
            }
            let command = command?;
            if command.is_empty() {
                return Ok(ids);
            }
            let insert = self.link.begin(|database| {
                let target = raw(&database, collection);
                async move { Ok(target.insert_many(command).ordered(true).await.map(drop)?) }
            });
            under_way = Some((first, insert));
        }
    }

    fn upsert(&self, collection: &str, documents: &[Document]) -> Result<()> {
        let failed = |failure: Failure| failure.during(format!("write to {collection}"));
        check_collection(collection)?;
        let mut updates = Updates::new(&self.link, collection);
        for document in documents {
            let document = prepare(document)?.raw;
            let id = rawdoc! {"_id": RawBson::try_from(id_of(&document)?).map_err(encoding)?};
            updates.upsert(&id, &document).map_err(failed)?;
        }
        updates.finish().map_err(failed)
    }

    fn update(&self, collection: &str, filter: &Document, update: &Document) -> Result<u64> {
        let matched = self.link.once(|database| {
            let target = raw(&database, collection);
            let (filter, update) = (filter.clone(), update.clone());
            async move { Ok(target.update_many(filter, update).await?.matched_count) }
        });
        matched.map_err(|failure| failure.during(format!("update {collection}")))
    }

    fn delete(&self, collection: &str, filter: &Document) -> Result<u64> {
        let deleted = self.link.once(|database| {
            let (target, filter) = (raw(&database, collection), filter.clone());
            async move { Ok(target.delete_many(filter).await?.deleted_count) }
        });
        deleted.map_err(|failure| failure.during(format!("delete from {collection}")))
    }

    fn count(&self, collection: &str, filter: &Document) -> Result<u64> {
        let count = self.link.idempotent(|database| {
            let (target, filter) = (raw(&database, collection), filter.clone());
            async move { Ok(target.count_documents(filter).await?) }
        });
        count.map_err(|failure| failure.during(format!("count {collection}")))
    }

    fn distinct(&self, collection: &str, path: &str, filter: &Document) -> Result<Vec<Bson>> {
        let values = self.link.idempotent(|database| {
            let target = raw(&database, collection);
            let (path, filter) = (path.to_owned(), filter.clone());
            async move { Ok(target.distinct(path, filter).await?) }
        });
        let failed = |failure: Failure| failure.during(format!("list values in {collection}"));
        in_order(values.map_err(failed)?)
    }

    fn group(
        &self,
        collection: &str,
        filter: &Document,
        keys: &[&str],
        aggregates: &[(&str, Aggregate, &str)],
    ) -> Result<Vec<Document>> {
        // Refuses the names that no group can have.
        Grouping::new(keys, aggregates)?;
        let pipeline = group_pipeline(filter, keys, aggregates);
        let cursor = self.link.idempotent(|database| {
            let (target, pipeline) = (raw(&database, collection), pipeline.clone());
            async move { Ok(target.aggregate(pipeline).allow_disk_use(true).batch().await?) }
        });
        let cursor = cursor.map_err(|failure| failure.during(format!("group {collection}")))?;
        Batches::new(&self.link, collection, cursor).collect()
    }

    fn create_index(&self, collection: &str, keys: &Document) -> Result<()> {
        check_collection(collection)?;
        if Sort::parse(keys)?.is_empty() {
            return Err(Error::query("an index needs at least one key"));
        }
        let made = self.link.idempotent(|database| {
            let target = raw(&database, collection);
            let index = IndexModel::builder().keys(keys.clone()).build();
            async move { Ok(target.create_index(index).await.map(drop)?) }
        });
        match made {
            Err(failure) if failure.code().is_some_and(|code| INDEX_EXISTS.contains(&code)) => {
                Ok(())
            }
            other => other.map_err(|failure| failure.during(format!("index {collection}"))),
        }
    }

    fn explain(&self, collection: &str, find: &Find) -> Result<Explanation> {
        check_collection(collection)?;
        let mut query = doc! { "find": collection, "filter": find.filter.clone() };
        for (key, value) in [("sort", &find.sort), ("projection", &find.projection)] {
            if !value.is_empty() {
                query.insert(key, value.clone());
            }
        }
        let number = |number: u64| Bson::Int64(i64::try_from(number).unwrap_or(i64::MAX));
        if find.skip > 0 {
            query.insert("skip", number(find.skip));
        }
        if find.limit > 0 {
            query.insert("limit", number(find.limit));
        }
        let command = doc! { "explain": query, "verbosity": "executionStats" };
        let told = self.link.idempotent(|database| {
            let command = command.clone();
            async move { Ok(database.run_command(command).await?) }
        });
        let told = told.map_err(|failure| failure.during(format!("explain {collection}")))?;
        explanation(&told).ok_or_else(|| {
            Error::store("MongoDB", format!("explain {collection}"))("its answer lacks figures")
        })
    }

    fn collections(&self) -> Result<Vec<String>> {
        let names = self.link.idempotent(|database| async move {
            let mut held = Vec::new();
            for name in database.list_collection_names().await? {
                let is_own = name.starts_with("system.") || name.starts_with("fs.");
                if !is_own && raw(&database, &name).find_one(doc! {}).await?.is_some() {
                    held.push(name);
                }
            }
            held.sort_unstable();
            Ok(held)
        });
        names.map_err(|failure| failure.during("list its collections"))
    }
}

/// Takes the documents of one insert command off `rest`, encoded, and adds their `_id`s.
fn encode(rest: &mut &[Document], ids: &mut Vec<Bson>) -> Result<Vec<RawDocumentBuf>> {
    let (mut encoded, mut bytes) = (Vec::new(), 0);
    while let [document, others @ ..] = rest
        && encoded.len() < INSERTED_MAX
        && bytes < INSERTED_BYTES
    {
        let document = prepare(document)?.raw;
        ids.push(id_of(&document)?);
        bytes += document.as_bytes().len();
        encoded.push(document);
        *rest = others;
    }
    Ok(encoded)
}

/// Why an insert command for the documents `ids` failed.
fn refused(failure: Failure, collection: &str, ids: &[Bson]) -> Error {
    match failure {
        Failure::Write { index, code: DUPLICATE_KEY, message }
            if message.contains("index: _id_") =>
        {
            let id = ids.get(index).cloned().unwrap_or(Bson::Null);
            let id = id.into_relaxed_extjson().to_string();
            Error::DuplicateKey { collection: collection.to_owned(), id }
        }
        failure => failure.during(format!("insert into {collection}")),
    }
}

/// A collection whose documents stay bytes.
fn raw(database: &mongodb::Database, collection: &str) -> Collection<RawDocumentBuf> {
    database.collection(collection)
}

fn find_options(find: &Find) -> FindOptions {
    let some = |document: &Document| (!document.is_empty()).then(|| document.clone());
    let mut options = FindOptions::default();
    options.sort = some(&find.sort);
    options.projection = some(&find.projection);
    options.skip = (find.skip > 0).then_some(find.skip);
    options.limit = (find.limit > 0).then(|| i64::try_from(find.limit).unwrap_or(i64::MAX));
    options.batch_size = Some(BATCH_DOCUMENTS);
    options.allow_disk_use = Some(true);
    // A reader may work on one batch for longer than the 10 minutes of an idle cursor.
    options.no_cursor_timeout = Some(true);
    options
}

/// What MongoDB tells of a query it has carried out.
fn explanation(told: &Document) -> Option<Explanation> {
    let figures = told.get_document("executionStats").ok()?;
    let number = |key| match figures.get(key) {
        Some(Bson::Int32(number)) => u64::try_from(*number).ok(),
        Some(Bson::Int64(number)) => u64::try_from(*number).ok(),
        _ => None,
    };
    let plan = told.get_document("queryPlanner").ok()?.get_document("winningPlan").ok()?;
    Some(Explanation {
        index: index_of(plan, 0),
        keys_examined: number("totalKeysExamined")?,
        documents_examined: number("totalDocsExamined")?,
        returned: number("nReturned")?,
    })
}

/// Stages of a plan, one within another, that are looked through.
const STAGES_MAX: usize = 64;

/// The index that a stage of a plan, or one below it, reads.
fn index_of(stage: &Document, depth: usize) -> Option<String> {
    if matches!(stage.get_str("stage"), Ok("IDHACK")) {
        return Some("_id_".to_owned());
    }
    if let Ok(name) = stage.get_str("indexName") {
        return Some(name.to_owned());
    }
    if depth == STAGES_MAX {
        return None;
    }
    let single =
        ["inputStage", "queryPlan"].into_iter().filter_map(|key| stage.get_document(key).ok());
    let several = stage.get_array("inputStages").ok().into_iter().flatten();
    let mut below = single.chain(several.filter_map(Bson::as_document));
    below.find_map(|stage| index_of(stage, depth + 1))
}

/// Values in BSON order; MongoDB gives them in the order in which it met them.
fn in_order(values: Vec<Bson>) -> Result<Vec<Bson>> {
    let keyed = values.into_iter().map(|value| {
        let mut key = Vec::new();
        let raw = RawBson::try_from(value.clone()).map_err(encoding)?;
        encode_key(&mut key, raw.as_raw_bson_ref());
        Ok((key, value))
    });
    let mut keyed: Vec<(Vec<u8>, Bson)> = keyed.collect::<Result<_>>()?;
    keyed.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    Ok(keyed.into_iter().map(|(_, value)| value).collect())
}

fn encoding(error: bson::error::Error) -> Error {
    Error::query(format!("a document cannot be encoded: {error}"))
}

fn group_pipeline(
    filter: &Document,
    keys: &[&str],
    aggregates: &[(&str, Aggregate, &str)],
) -> Vec<Document> {
    let mut id = Document::new();
    for key in keys {
        // MongoDB itself leaves a missing key out.
        id.insert(key.replace('.', "_"), doc! {"$ifNull": [format!("${key}"), Bson::Null]});
    }
    let mut group = doc! {"_id": id};
    for (name, aggregate, path) in aggregates {
        let path = format!("${path}");
        let accumulator = match aggregate {
            Aggregate::Count => doc! {"$sum": 1},
            Aggregate::Sum => doc! {"$sum": path},
            Aggregate::Min => doc! {"$min": path},
            Aggregate::Max => doc! {"$max": path},
            Aggregate::Avg => doc! {"$avg": path},
        };
        group.insert(*name, accumulator);
    }
    vec![doc! {"$match": filter.clone()}, doc! {"$group": group}, doc! {"$sort": {"_id": 1}}]
}
