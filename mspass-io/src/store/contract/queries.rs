//! Filters, sorts and projections, table by table.

use bson::oid::ObjectId;
use bson::{Bson, DateTime, Document, bson, doc};

use super::{all, ids, regex};
use crate::error::{Error, Result};
use crate::store::{DocumentStore, Find};

/// The documents that the filters are tried on, `_id`s from 0.
fn documents() -> Vec<Document> {
    let rows = [
        doc! { "a": 1, "s": "ANMO" },
        doc! { "a": 2.5, "s": "anmo" },
        doc! { "a": 5_i64, "s": "COLA\nX" },
        doc! { "a": null, "s": null },
        doc! { "s": 7 },
        doc! { "a": "5", "d": DateTime::from_millis(1_000) },
        doc! { "a": [1, 5, 9], "d": DateTime::from_millis(2_000) },
        doc! { "a": [] },
        doc! { "a": { "b": 1 } },
        doc! { "a": { "b": 1, "c": 2 } },
        doc! { "a": [{ "b": 1, "c": 1 }, { "b": 3, "c": 3 }] },
        doc! { "a": [[1, 5], 3] },
        doc! { "a": true, "o": ObjectId::from_bytes([1; 12]) },
        doc! { "a": f64::NAN },
        doc! { "a": { "b": [10, 20] } },
    ];
    let with_id = |(i, row): (i32, Document)| {
        let mut document = doc! { "_id": i };
        document.extend(row);
        document
    };
    (0..).zip(rows).map(with_id).collect()
}

/// Filters and the `_id`s of the documents that match.
fn table() -> Vec<(Document, Vec<i32>)> {
    vec![
        (doc! {}, (0..15).collect()),
        (doc! { "_id": 3 }, vec![3]),
        (doc! { "_id": { "$in": [4, 2.0, 99] } }, vec![2, 4]),
        (doc! { "_id": { "$gt": 12 } }, vec![13, 14]),
        (doc! { "a": 1 }, vec![0, 6]),
        (doc! { "a": 5 }, vec![2, 6]),
        (doc! { "a": { "$eq": null } }, vec![3, 4]),
        (doc! { "a": { "$ne": null } }, vec![0, 1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]),
        (doc! { "a": { "$gt": 2 } }, vec![1, 2, 6, 11]),
        (doc! { "a": { "$gte": 2.5, "$lte": 5 } }, vec![1, 2, 6, 11]),
        (doc! { "a": { "$gt": 5, "$lt": 3 } }, vec![6]),
        (doc! { "a": { "$lt": "6" } }, vec![5]),
        (doc! { "a": f64::NAN }, vec![13]),
        (doc! { "a": { "$in": [2.5, "5", null] } }, vec![1, 3, 4, 5]),
        (doc! { "a": { "$in": [] } }, vec![]),
        (doc! { "a": { "$nin": [1, null, true] } }, vec![1, 2, 5, 7, 8, 9, 10, 11, 13, 14]),
        (doc! { "a": [1, 5, 9] }, vec![6]),
        (doc! { "a": [1, 5] }, vec![11]),
        (doc! { "a": { "b": 1 } }, vec![8]),
        (doc! { "a": { "c": 2, "b": 1 } }, vec![]),
        (doc! { "a.b": 1 }, vec![8, 9, 10]),
        (doc! { "a.b": 20 }, vec![14]),
        (doc! { "a.b": { "$exists": true } }, vec![8, 9, 10, 14]),
        (doc! { "a.b": null, "a": { "$exists": true } }, vec![0, 1, 2, 3, 5, 12, 13]),
        (doc! { "a.0": 1 }, vec![6]),
        (doc! { "a.1.b": 3 }, vec![10]),
        (doc! { "a.0.1": 5 }, vec![11]),
        (doc! { "a": { "$size": 2 } }, vec![10, 11]),
        (doc! { "a": { "$size": 0 } }, vec![7]),
        (doc! { "a": { "$all": [9, 1] } }, vec![6]),
        (doc! { "a": { "$all": [] } }, vec![]),
        (doc! { "a": { "$elemMatch": { "$gt": 4, "$lt": 6 } } }, vec![6]),
        (doc! { "a": { "$elemMatch": { "b": 1, "c": 3 } } }, vec![]),
        (doc! { "a": { "$elemMatch": { "b": 3, "c": 3 } } }, vec![10]),
        (doc! { "a.b": 1, "a.c": 3 }, vec![10]),
        (doc! { "a": { "$type": "number" } }, vec![0, 1, 2, 6, 11, 13]),
        (doc! { "a": { "$type": ["string", 8] } }, vec![5, 12]),
        (doc! { "a": { "$type": "array" } }, vec![6, 7, 10, 11]),
        (doc! { "a": { "$mod": [2, 1] } }, vec![0, 2, 6, 11]),
        (doc! { "a": { "$not": { "$gte": 0 } } }, vec![3, 4, 5, 7, 8, 9, 10, 12, 13, 14]),
        (doc! { "a": { "$exists": false } }, vec![4]),
        (doc! { "$or": [{ "a": 1 }, { "s": 7 }] }, vec![0, 4, 6]),
        (doc! { "$nor": [{ "a": { "$exists": true } }, { "s": 8 }] }, vec![4]),
        (doc! { "$and": [{ "a": { "$gt": 1 } }, { "a": { "$lt": 3 } }] }, vec![1, 6]),
        (doc! { "s": regex("^an", "i") }, vec![0, 1]),
        (doc! { "s": { "$regex": "^AN" } }, vec![0]),
        (doc! { "s": { "$regex": "^x$", "$options": "im" } }, vec![2]),
        (doc! { "s": { "$in": [regex("O$", ""), 7] } }, vec![0, 4]),
        (doc! { "s": { "$not": regex("[A-Z]", "") }, "a": { "$gt": 0 } }, vec![1, 6, 11]),
        (doc! { "d": { "$gt": DateTime::from_millis(1_500) } }, vec![6]),
        (doc! { "o": ObjectId::from_bytes([1; 12]) }, vec![12]),
        (doc! { "a": { "$gt": Bson::MinKey }, "_id": { "$lt": 3 } }, vec![0, 1, 2]),
    ]
}

fn check_table(store: &dyn DocumentStore, name: &str) -> Result<()> {
    for (filter, expected) in table() {
        let expected: Vec<Bson> = expected.into_iter().map(Bson::Int32).collect();
        let find = Find::filter(filter.clone()).sort(doc! { "_id": 1 });
        assert_eq!(ids(store, name, &find)?, expected, "{filter}");
        assert_eq!(store.count(name, &filter)?, expected.len() as u64, "{filter}");
        let mut unsorted = ids(store, name, &Find::filter(filter.clone()))?;
        unsorted.sort_by_key(|id| id.as_i32());
        assert_eq!(unsorted, expected, "{filter}");
    }
    Ok(())
}

pub(super) fn filters(store: &dyn DocumentStore, name: &str) -> Result<()> {
    store.insert(name, &documents())?;
    check_table(store, name)
}

/// Indexes change no answer, whether made before the documents or after.
pub(super) fn filters_with_indexes(store: &dyn DocumentStore, name: &str) -> Result<()> {
    store.create_index(name, &doc! { "a": 1 })?;
    store.create_index(name, &doc! { "a.b": -1 })?;
    store.insert(name, &documents())?;
    store.create_index(name, &doc! { "s": -1, "_id": 1 })?;
    store.create_index(name, &doc! { "d": 1 })?;
    store.create_index(name, &doc! { "a": 1 })?;
    for bad in [doc! {}, doc! { "a": 2 }, doc! { "a..b": 1 }] {
        assert!(store.create_index(name, &bad).is_err(), "{bad}");
    }
    check_table(store, name)?;
    store.upsert(name, &documents())?;
    check_table(store, name)
}

/// A store that has no indexes scans, and says so; one that cannot tell refuses.
pub(super) fn explain_tells_index_from_scan(store: &dyn DocumentStore, name: &str) -> Result<()> {
    let documents: Vec<Document> = (0..500)
        .map(|number| doc! { "_id": number, "sta": format!("S{}", number % 50), "n": number })
        .collect();
    store.insert(name, &documents)?;
    let by_station = Find::filter(doc! { "sta": "S7" });
    let before = match store.explain(name, &by_station) {
        Err(Error::Refused(_)) => return Ok(()),
        other => other?,
    };
    assert_eq!(before.index, None);
    assert_eq!((before.documents_examined, before.returned), (500, 10));
    store.create_index(name, &doc! { "sta": 1, "n": -1 })?;
    let after = store.explain(name, &by_station)?;
    assert_eq!(after.returned, 10);
    match after.index.as_deref() {
        Some(index) => {
            assert_eq!((index, after.documents_examined), ("sta_1_n_-1", 10));
            assert!((10..=11).contains(&after.keys_examined), "{after:?}");
        }
        None => assert_eq!(after, before),
    }
    let by_id = store.explain(name, &Find::filter(doc! { "_id": 77 }))?;
    assert_eq!(by_id.returned, 1);
    match by_id.index.as_deref() {
        Some(index) => {
            assert_eq!((index, by_id.keys_examined, by_id.documents_examined), ("_id_", 1, 1));
        }
        None => assert_eq!(by_id.documents_examined, 500),
    }
    let unindexed = store.explain(name, &Find::filter(doc! { "n": { "$gte": 490 } }).limit(3))?;
    assert_eq!((unindexed.index, unindexed.returned), (None, 3));
    assert!((493..=500).contains(&unindexed.documents_examined));
    Ok(())
}

pub(super) fn sorts(store: &dyn DocumentStore, name: &str) -> Result<()> {
    store.insert(name, &documents())?;
    let by_a = vec![7, 3, 4, 13, 0, 6, 1, 11, 2, 5, 8, 10, 9, 14, 12];
    let table = [
        (doc! { "a": 1, "_id": 1 }, by_a),
        (doc! { "a": -1, "_id": 1 }, vec![12, 11, 14, 10, 9, 8, 5, 6, 2, 1, 0, 13, 3, 4, 7]),
        (doc! { "_id": -1 }, (0..15).rev().collect()),
        (doc! { "s": 1, "_id": -1 }, vec![14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 3, 4, 0, 2, 1]),
    ];
    for indexed in [false, true] {
        if indexed {
            store.create_index(name, &doc! { "a": 1, "_id": 1 })?;
            store.create_index(name, &doc! { "s": -1, "_id": 1 })?;
        }
        for (sort, expected) in &table {
            let expected: Vec<_> = expected.iter().copied().map(Bson::Int32).collect();
            let find = Find::default().sort(sort.clone());
            assert_eq!(ids(store, name, &find)?, expected, "{sort}");
            assert_eq!(ids(store, name, &find.limit(4))?, expected[..4], "{sort}");
        }
    }
    Ok(())
}

pub(super) fn projections(store: &dyn DocumentStore, name: &str) -> Result<()> {
    let whole =
        doc! { "_id": 1, "a": 1, "b": { "c": 2, "d": { "e": 3 } }, "l": [{ "c": 4, "x": 5 }, 6] };
    store.insert(name, std::slice::from_ref(&whole))?;
    let table = [
        (doc! {}, whole),
        (doc! { "a": 1 }, doc! { "_id": 1, "a": 1 }),
        (doc! { "a": 1, "_id": 0 }, doc! { "a": 1 }),
        (doc! { "_id": 1 }, doc! { "_id": 1 }),
        (doc! { "b.d": 1, "nope": 1 }, doc! { "_id": 1, "b": { "d": { "e": 3 } } }),
        (doc! { "l.c": 1, "a.x": 1 }, doc! { "_id": 1, "l": [{ "c": 4 }] }),
        (doc! { "b": 0, "l": false }, doc! { "_id": 1, "a": 1 }),
        (
            doc! { "b.d.e": 0, "l.c": 0, "_id": 0 },
            doc! { "a": 1, "b": { "c": 2, "d": {} }, "l": [{ "x": 5 }, 6] },
        ),
        (doc! { "b": { "c": 1 } }, doc! { "_id": 1, "b": { "c": 2 } }),
    ];
    for (projection, expected) in table {
        let find = Find::default().projection(projection.clone());
        assert_eq!(all(store, name, &find)?, [expected], "{projection}");
    }
    Ok(())
}

pub(super) fn unknown_queries_are_refused(store: &dyn DocumentStore, name: &str) -> Result<()> {
    store.insert(name, &[doc! { "_id": 1, "a": [1], "b": [2] }])?;
    let unknown = |outcome: Result<Vec<Document>>, what: &Document| {
        assert!(matches!(outcome, Err(Error::Query { .. })), "{what}: {outcome:?}");
    };
    let filters = [
        doc! { "$frobnicate": 1 },
        doc! { "a": { "$frobnicate": 1 } },
        doc! { "a": { "$gt": 1, "b": 2 } },
        doc! { "$and": [] },
        doc! { "$or": { "a": 1 } },
        doc! { "a": { "$in": 1 } },
        doc! { "a": { "$mod": [0, 1] } },
        doc! { "a": { "$size": -1 } },
        doc! { "a": { "$type": "float" } },
        doc! { "a": { "$not": 1 } },
        doc! { "a": { "$regex": "(" } },
        doc! { "a": { "$regex": "a", "$options": "q" } },
        doc! { "a": { "$elemMatch": 1 } },
        doc! { "a": { "$all": 1 } },
    ];
    for filter in filters {
        unknown(all(store, name, &Find::filter(filter.clone())), &filter);
        assert!(store.count(name, &filter).is_err(), "{filter}");
        assert!(store.delete(name, &filter).is_err(), "{filter}");
    }
    for sort in [doc! { "a": 2 }, doc! { "a": "up" }, doc! { "a": 1, "b": 1 }] {
        unknown(all(store, name, &Find::default().sort(sort.clone())), &sort);
    }
    for projection in [doc! { "a": 1, "b": 0 }, doc! { "a": 1, "a.b": 1 }] {
        unknown(all(store, name, &Find::default().projection(projection.clone())), &projection);
    }
    assert_eq!(store.distinct(name, "a", &doc! {})?, [bson!(1)]);
    Ok(())
}
