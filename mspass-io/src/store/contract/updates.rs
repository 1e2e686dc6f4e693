//! Update operators.

use bson::{Document, bson, doc};

use super::all;
use crate::error::{Error, Result};
use crate::store::{DocumentStore, Find};

/// A document, an update, and what becomes of the document (all without `_id`).
fn table() -> Vec<(Document, Document, Document)> {
    vec![
        (doc! { "a": 1 }, doc! { "$set": { "c": 1, "b": 2 } }, doc! { "a": 1, "b": 2, "c": 1 }),
        (doc! { "a": {} }, doc! { "$set": { "a.b.c": 1 } }, doc! { "a": { "b": { "c": 1 } } }),
        (doc! { "a": [1] }, doc! { "$set": { "a.2": 3 } }, doc! { "a": [1, null, 3] }),
        (doc! { "a": 1, "b": 2 }, doc! { "$unset": { "a": "", "x.y": "" } }, doc! { "b": 2 }),
        (doc! { "a": [1, 2] }, doc! { "$unset": { "a.0": "" } }, doc! { "a": [null, 2] }),
        (doc! { "a": 1 }, doc! { "$inc": { "a": 2, "b": 5 } }, doc! { "a": 3, "b": 5 }),
        (doc! { "a": i32::MAX }, doc! { "$inc": { "a": 1 } }, doc! { "a": 2_147_483_648_i64 }),
        (doc! { "a": 1 }, doc! { "$inc": { "a": 0.5 } }, doc! { "a": 1.5 }),
        (doc! { "a": 3 }, doc! { "$mul": { "a": 2, "b": 2.5 } }, doc! { "a": 6, "b": 0.0 }),
        (doc! { "a": 3, "b": 3 }, doc! { "$min": { "a": 2, "b": 4 } }, doc! { "a": 2, "b": 3 }),
        (doc! { "a": 3 }, doc! { "$max": { "a": "x", "b": 4 } }, doc! { "a": "x", "b": 4 }),
        (
            doc! { "a": [1] },
            doc! { "$push": { "a": [2], "b": 1 } },
            doc! { "a": [1, [2]], "b": [1] },
        ),
        (
            doc! { "a": [1, 2] },
            doc! { "$push": { "a": { "$each": [3, 4], "$position": 1 } } },
            doc! { "a": [1, 3, 4, 2] },
        ),
        (
            doc! { "a": [1, 2] },
            doc! { "$push": { "a": { "$each": [3], "$slice": -2 } } },
            doc! { "a": [2, 3] },
        ),
        (
            doc! { "a": [1, { "b": 1 }] },
            doc! { "$addToSet": { "a": { "$each": [1.0, { "b": 1 }, 2, 2] } } },
            doc! { "a": [1, { "b": 1 }, 2] },
        ),
        (
            doc! { "a": [1, 5, 7], "b": [{ "c": 1, "d": 2 }, { "c": 2 }] },
            doc! { "$pull": { "a": { "$gte": 5 }, "b": { "c": 1 } } },
            doc! { "a": [1], "b": [{ "c": 2 }] },
        ),
        (doc! { "a": [1, 2, 1] }, doc! { "$pull": { "a": 1, "b": 1 } }, doc! { "a": [2] }),
        (
            doc! { "a": [1, 2], "b": [1, 2] },
            doc! { "$pop": { "a": 1, "b": -1 } },
            doc! { "a": [1], "b": [2] },
        ),
        (
            doc! { "a": 1, "b": 2 },
            doc! { "$rename": { "a": "c.d" } },
            doc! { "b": 2, "c": { "d": 1 } },
        ),
        (
            doc! { "a": 1 },
            doc! { "$rename": { "x": "a" }, "$setOnInsert": { "b": 1 } },
            doc! { "a": 1 },
        ),
    ]
}

pub(super) fn updates(store: &dyn DocumentStore, name: &str) -> Result<()> {
    for (i, (before, update, after)) in (0..).zip(table()) {
        let with_id = |document: Document| {
            let mut whole = doc! { "_id": i };
            whole.extend(document);
            whole
        };
        store.upsert(name, &[with_id(before)])?;
        assert_eq!(store.update(name, &doc! { "_id": i }, &update)?, 1, "{update}");
        let found = all(store, name, &Find::filter(doc! { "_id": i }))?;
        let keys = |d: &Document| d.keys().cloned().collect::<Vec<_>>();
        assert_eq!(found, [with_id(after.clone())], "{update}");
        assert_eq!(keys(&found[0]), keys(&with_id(after)), "order after {update}");
    }
    Ok(())
}

pub(super) fn update_counts_what_matched(store: &dyn DocumentStore, name: &str) -> Result<()> {
    store.create_index(name, &doc! { "a": 1 })?;
    let documents: Vec<_> = (0..10).map(|i| doc! { "_id": i, "a": i }).collect();
    store.insert(name, &documents)?;
    let filter = doc! { "a": { "$gte": 5 } };
    // Found through the key that it changes: each once.
    assert_eq!(store.update(name, &filter, &doc! { "$inc": { "a": 100 } })?, 5);
    assert_eq!(store.count(name, &doc! { "a": { "$gte": 105, "$lt": 110 } })?, 5);
    assert_eq!(store.update(name, &filter, &doc! { "$set": { "b": 1 } })?, 5);
    assert_eq!(store.update(name, &filter, &doc! { "$set": { "b": 1 } })?, 5);
    assert_eq!(store.update(name, &doc! { "a": -1 }, &doc! { "$set": { "b": 1 } })?, 0);
    assert_eq!(store.count(name, &doc! { "b": 1 })?, 5);
    Ok(())
}

pub(super) fn unsound_updates_are_refused(store: &dyn DocumentStore, name: &str) -> Result<()> {
    let before = doc! { "_id": 1, "a": "text", "b": [1] };
    store.insert(name, std::slice::from_ref(&before))?;
    let unsound = [
        doc! {},
        doc! { "a": 1 },
        doc! { "$frobnicate": { "a": 1 } },
        doc! { "$set": { "a": 1, "a.b": 2 } },
        doc! { "$set": { "_id": 2 } },
        doc! { "$unset": { "_id": "" } },
        doc! { "$inc": { "a": 1 } },
        doc! { "$inc": { "b": "x" } },
        doc! { "$push": { "a": 1 } },
        doc! { "$pop": { "b": 2 } },
        doc! { "$set": { "a.b": 1 } },
        doc! { "$set": { "b.x": 1 } },
        doc! { "$rename": { "b.0": "c" } },
        doc! { "$set": { "": 1 } },
        doc! { "$set": 1 },
        doc! { "$addToSet": { "b": { "$each": 1 } } },
    ];
    for update in unsound {
        let outcome = store.update(name, &doc! {}, &update);
        assert!(matches!(outcome, Err(Error::Query { .. })), "{update}: {outcome:?}");
        let found = all(store, name, &Find::default())?;
        assert_eq!(found, std::slice::from_ref(&before), "{update}");
    }
    assert_eq!(store.distinct(name, "b", &doc! {})?, [bson!(1)]);
    Ok(())
}
