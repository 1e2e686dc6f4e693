//! Writing, reading and counting documents.

use std::thread;

use bson::oid::ObjectId;
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, DateTime, Document, Timestamp, bson, doc};

use super::{all, ids, regex};
use crate::error::{Error, Result};
use crate::store::{Aggregate, DocumentStore, Find};

pub(super) fn unknown_collection_is_empty(store: &dyn DocumentStore, name: &str) -> Result<()> {
    assert_eq!(all(store, name, &Find::default())?, []);
    assert_eq!(store.count(name, &doc! {})?, 0);
    assert_eq!(store.delete(name, &doc! { "a": 1 })?, 0);
    assert_eq!(store.update(name, &doc! {}, &doc! { "$set": { "a": 1 } })?, 0);
    assert_eq!(store.distinct(name, "a", &doc! {})?, []);
    assert_eq!(store.group(name, &doc! {}, &["a"], &[])?, []);
    assert!(!store.collections()?.iter().any(|known| known == name));
    Ok(())
}

pub(super) fn insert_gives_ids(store: &dyn DocumentStore, name: &str) -> Result<()> {
    let ids = store.insert(name, &[doc! { "_id": 7, "a": 1 }, doc! { "a": 2 }])?;
    assert_eq!(ids.first(), Some(&Bson::Int32(7)));
    let Some(Bson::ObjectId(made)) = ids.get(1) else { panic!("an ObjectId was to be made") };
    let found = all(store, name, &Find::filter(doc! { "_id": *made }))?;
    assert_eq!(found, [doc! { "_id": *made, "a": 2 }]);
    assert_eq!(store.insert(name, &[])?, []);
    Ok(())
}

pub(super) fn insert_stops_at_a_taken_id(store: &dyn DocumentStore, name: &str) -> Result<()> {
    store.insert(name, &[doc! { "_id": "b", "a": 1 }])?;
    let batch = [doc! { "_id": "a" }, doc! { "_id": "b", "a": 2 }, doc! { "_id": "c" }];
    match store.insert(name, &batch) {
        Err(Error::DuplicateKey { collection, id }) => {
            assert_eq!((collection.as_str(), id.as_str()), (name, "\"b\""));
        }
        other => panic!("a taken _id was to be refused, not {other:?}"),
    }
    let found = all(store, name, &Find::default().sort(doc! { "_id": 1 }))?;
    assert_eq!(found, [doc! { "_id": "a" }, doc! { "_id": "b", "a": 1 }]);
    // Numbers that are equal are one _id, whatever their type.
    store.insert(name, &[doc! { "_id": 1 }])?;
    let again = store.insert(name, &[doc! { "_id": 1.0 }]);
    assert!(matches!(again, Err(Error::DuplicateKey { .. })), "{again:?}");
    Ok(())
}

pub(super) fn upsert_replaces_whole_documents(store: &dyn DocumentStore, name: &str) -> Result<()> {
    let first = [doc! { "_id": 1, "a": 1, "b": 1 }, doc! { "_id": 2, "a": 2 }];
    for _ in 0..2 {
        store.upsert(name, &first)?;
        assert_eq!(all(store, name, &Find::default().sort(doc! { "_id": 1 }))?, first);
    }
    store.upsert(name, &[doc! { "_id": 1, "a": 3 }, doc! { "_id": 3, "a": 1 }])?;
    assert_eq!(ids(store, name, &Find::filter(doc! { "b": 1 }))?, []);
    assert_eq!(store.count(name, &doc! {})?, 3);
    // The last of two with one _id stays.
    store.upsert(name, &[doc! { "_id": 4, "a": 1 }, doc! { "_id": 4, "a": 2 }])?;
    assert_eq!(all(store, name, &Find::filter(doc! { "_id": 4 }))?, [doc! { "_id": 4, "a": 2 }]);
    // The _id comes first, wherever it was given.
    store.upsert(name, &[doc! { "a": 1, "_id": 5 }])?;
    let found = all(store, name, &Find::filter(doc! { "_id": 5 }))?;
    assert_eq!(found[0].keys().collect::<Vec<_>>(), ["_id", "a"]);
    store.upsert(name, &[])
}

pub(super) fn every_type_comes_back(store: &dyn DocumentStore, name: &str) -> Result<()> {
    let id = ObjectId::from_bytes([3; 12]);
    let document = doc! {
        "_id": id,
        "double": -0.1,
        "string": "Å\u{0}ngström",
        "document": { "b": 1, "a": { "": [] } },
        "array": [1, "a", [2.5], {}],
        "binary": Binary { subtype: BinarySubtype::Generic, bytes: vec![0, 1, 255] },
        "bool": true,
        "date": DateTime::from_millis(-1),
        "null": Bson::Null,
        "regex": regex("^a", "i"),
        "int": i32::MIN,
        "long": i64::MAX,
        "timestamp": Timestamp { time: 1, increment: 2 },
        "decimal": Bson::Decimal128(bson::Decimal128::from_bytes([9; 16])),
        "min": Bson::MinKey,
        "max": Bson::MaxKey,
        "nan": f64::INFINITY,
    };
    store.insert(name, std::slice::from_ref(&document))?;
    assert_eq!(all(store, name, &Find::filter(doc! { "_id": id }))?, [document]);
    for (i, id) in [bson!(null), bson!("x"), bson!({ "a": 1 }), bson!(2.5), bson!(true)]
        .into_iter()
        .enumerate()
    {
        let document = doc! { "_id": id.clone(), "i": i as i32 };
        store.upsert(name, std::slice::from_ref(&document))?;
        assert_eq!(all(store, name, &Find::filter(doc! { "_id": id }))?, [document]);
    }
    Ok(())
}

pub(super) fn unsound_documents_are_refused(store: &dyn DocumentStore, name: &str) -> Result<()> {
    let mut deep = doc! {};
    for _ in 0..150 {
        deep = doc! { "a": deep };
    }
    let big = doc! { "a": "x".repeat(17 << 20) };
    for unsound in [doc! { "_id": [1] }, deep, big] {
        let key = format!("{:?}", unsound.keys().next());
        assert!(store.insert(name, std::slice::from_ref(&unsound)).is_err(), "{key}");
        assert!(store.upsert(name, std::slice::from_ref(&unsound)).is_err(), "{key}");
    }
    for collection in ["", "a$b", "a\0b"] {
        assert!(store.insert(collection, &[doc! {}]).is_err(), "{collection:?}");
    }
    assert_eq!(store.count(name, &doc! {})?, 0);
    Ok(())
}

pub(super) fn delete_and_count(store: &dyn DocumentStore, name: &str) -> Result<()> {
    let documents: Vec<_> = (0..20).map(|i| doc! { "_id": i, "even": i % 2 == 0 }).collect();
    store.upsert(name, &documents)?;
    assert_eq!(store.count(name, &doc! { "even": true })?, 10);
    assert_eq!(store.delete(name, &doc! { "even": true, "_id": { "$lt": 10 } })?, 5);
    assert_eq!(store.delete(name, &doc! { "even": true, "_id": { "$lt": 10 } })?, 0);
    assert_eq!(store.count(name, &doc! {})?, 15);
    assert_eq!(store.delete(name, &doc! {})?, 15);
    assert_eq!(all(store, name, &Find::default())?, []);
    store.upsert(name, &documents)?;
    assert_eq!(store.count(name, &doc! {})?, 20);
    Ok(())
}

pub(super) fn find_skips_limits_and_sorts(store: &dyn DocumentStore, name: &str) -> Result<()> {
    let documents: Vec<_> = (0..30).map(|i| doc! { "_id": i, "a": (i * 7) % 30 }).collect();
    store.insert(name, &documents)?;
    let find = Find { skip: 3, ..Find::default().sort(doc! { "a": -1 }).limit(4) };
    let found = all(store, name, &find.projection(doc! { "_id": 0 }))?;
    assert_eq!(found, [doc! { "a": 26 }, doc! { "a": 25 }, doc! { "a": 24 }, doc! { "a": 23 }]);
    assert_eq!(all(store, name, &Find { skip: 28, ..Find::default() })?.len(), 2);
    assert_eq!(all(store, name, &Find { skip: 40, ..Find::default() })?.len(), 0);
    assert_eq!(all(store, name, &Find::default().limit(7))?.len(), 7);
    // A cursor may be left early.
    let mut cursor = store.find(name, &Find::default())?;
    assert!(cursor.next().is_some());
    Ok(())
}

pub(super) fn distinct_takes_arrays_apart(store: &dyn DocumentStore, name: &str) -> Result<()> {
    store.insert(
        name,
        &[
            doc! { "_id": 1, "a": "x", "b": [{ "c": 1 }, { "c": 2 }] },
            doc! { "_id": 2, "a": ["z", 3, 1.5], "b": { "c": [2, 9] } },
            doc! { "_id": 3, "a": 3.0, "b": 1 },
            doc! { "_id": 4, "a": null },
            doc! { "_id": 5 },
        ],
    )?;
    let found = store.distinct(name, "a", &doc! {})?;
    assert_eq!(found.len(), 5);
    assert_eq!((&found[0], &found[1]), (&Bson::Null, &Bson::Double(1.5)));
    assert_eq!((&found[3], &found[4]), (&bson!("x"), &bson!("z")));
    assert_eq!(store.distinct(name, "b.c", &doc! {})?, [bson!(1), bson!(2), bson!(9)]);
    assert_eq!(store.distinct(name, "b.c", &doc! { "_id": 1 })?, [bson!(1), bson!(2)]);
    Ok(())
}

pub(super) fn group_computes_aggregates(store: &dyn DocumentStore, name: &str) -> Result<()> {
    store.insert(
        name,
        &[
            doc! { "_id": 1, "net": "IU", "site": { "sta": "ANMO" }, "n": 1, "t": 3.5 },
            doc! { "_id": 2, "net": "IU", "site": { "sta": "ANMO" }, "n": 2, "t": 1 },
            doc! { "_id": 3, "net": "IU", "site": { "sta": "COLA" }, "n": "many", "t": null },
            doc! { "_id": 4, "site": { "sta": "COLA" }, "n": 2.5 },
            doc! { "_id": 5, "net": "GE", "out": true },
        ],
    )?;
    let aggregates = [
        ("total", Aggregate::Sum, "n"),
        ("count", Aggregate::Count, ""),
        ("first", Aggregate::Min, "t"),
        ("last", Aggregate::Max, "t"),
        ("mean", Aggregate::Avg, "n"),
    ];
    let filter = doc! { "out": { "$exists": false } };
    let found = store.group(name, &filter, &["net", "site.sta"], &aggregates)?;
    let group = |net: Bson, sta: &str, rest: Document| {
        let mut group = doc! { "_id": { "net": net, "site_sta": sta } };
        group.extend(rest);
        group
    };
    assert_eq!(
        found,
        [
            group(
                Bson::Null,
                "COLA",
                doc! { "total": 2.5, "count": 1, "first": null, "last": null, "mean": 2.5 }
            ),
            group(
                bson!("IU"),
                "ANMO",
                doc! { "total": 3, "count": 2, "first": 1, "last": 3.5, "mean": 1.5 }
            ),
            group(
                bson!("IU"),
                "COLA",
                doc! { "total": 0, "count": 1, "first": null, "last": null, "mean": null }
            ),
        ]
    );
    let whole = store.group(name, &doc! {}, &[], &[("count", Aggregate::Count, "")])?;
    assert_eq!(whole, [doc! { "_id": {}, "count": 5 }]);
    assert!(store.group(name, &doc! {}, &[], &[("_id", Aggregate::Count, "")]).is_err());
    Ok(())
}

pub(super) fn collections_are_those_with_documents(
    store: &dyn DocumentStore,
    name: &str,
) -> Result<()> {
    let (full, emptied, indexed) =
        (format!("{name}.full"), format!("{name}.emptied"), format!("{name}.indexed"));
    store.insert(&full, &[doc! {}])?;
    store.insert(&emptied, &[doc! {}])?;
    store.delete(&emptied, &doc! {})?;
    store.create_index(&indexed, &doc! { "a": 1 })?;
    let found = store.collections()?;
    assert!(found.contains(&full));
    assert!(!found.contains(&emptied) && !found.contains(&indexed), "{found:?}");
    assert!(found.is_sorted(), "{found:?}");
    Ok(())
}

pub(super) fn big_batches_arrive_whole(store: &dyn DocumentStore, name: &str) -> Result<()> {
    store.create_index(name, &doc! { "half": 1, "i": -1 })?;
    let document = |i: i32| doc! { "_id": i, "i": i, "half": i / 2, "pad": "x".repeat(300) };
    let documents: Vec<_> = (0..20_000).map(document).collect();
    store.upsert(name, &documents)?;
    assert_eq!(store.count(name, &doc! {})?, 20_000);
    let mut sum = 0;
    for found in store.find(name, &Find::default().projection(doc! { "i": 1 }))? {
        sum += i64::from(found?.get_i32("i").unwrap_or(-1_000_000));
    }
    assert_eq!(sum, 20_000 * 19_999 / 2);
    let sorted = ids(store, name, &Find::filter(doc! { "half": 77 }).sort(doc! { "i": -1 }))?;
    assert_eq!(sorted, [bson!(155), bson!(154)]);
    let wanted: Vec<_> = (0..20_000).step_by(500).map(Bson::Int32).collect();
    let filter = doc! { "_id": { "$in": wanted.clone() } };
    assert_eq!(ids(store, name, &Find::filter(filter).sort(doc! { "_id": 1 }))?, wanted);
    assert_eq!(store.update(name, &doc! {}, &doc! { "$inc": { "i": 1 } })?, 20_000);
    assert_eq!(store.count(name, &doc! { "i": { "$gt": 19_990 } })?, 10);
    assert_eq!(store.delete(name, &doc! { "half": { "$gte": 5_000 } })?, 10_000);
    assert_eq!(store.count(name, &doc! { "i": { "$gt": 0 } })?, 10_000);
    Ok(())
}

pub(super) fn writers_do_not_disturb_each_other(
    store: &dyn DocumentStore,
    name: &str,
) -> Result<()> {
    const WRITERS: i32 = 6;
    const BATCHES: i32 = 12;
    store.create_index(name, &doc! { "writer": 1 })?;
    let write = |writer: i32| -> Result<()> {
        for batch in 0..BATCHES {
            let id = |i| writer * 10_000 + batch * 100 + i;
            let documents: Vec<_> =
                (0..20).map(|i| doc! { "_id": id(i), "writer": writer, "sum": 0 }).collect();
            store.upsert(name, &documents)?;
            store.update(name, &doc! { "writer": writer }, &doc! { "$inc": { "sum": 1 } })?;
            let taken = store.insert(name, &[doc! { "_id": id(100) }, doc! { "_id": id(0) }]);
            assert!(matches!(taken, Err(Error::DuplicateKey { .. })), "{taken:?}");
            assert_eq!(store.delete(name, &doc! { "_id": id(100) })?, 1);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS).map(|w| scope.spawn(move || write(w))).collect();
        writers.into_iter().try_for_each(|writer| match writer.join() {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })?;
    assert_eq!(store.count(name, &doc! {})?, (WRITERS * BATCHES * 20) as u64);
    for writer in 0..WRITERS {
        for batch in 0..BATCHES {
            let filter = doc! { "writer": writer, "sum": BATCHES - batch };
            assert_eq!(store.count(name, &filter)?, 20, "writer {writer} batch {batch}");
        }
    }
    Ok(())
}
