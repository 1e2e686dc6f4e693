//! Random documents and queries: the embedded store with indexes answers as the one in memory
//! without, and byte keys are in the order of the values.

use bson::oid::ObjectId;
use bson::raw::RawBson;
use bson::{Bson, DateTime, Document, doc};
use mspass_io::query::{compare, encode_key};
use mspass_io::store::{DocumentStore, EmbeddedOptions, EmbeddedStore, Find, MemoryStore};
use proptest::collection::vec;
use proptest::prelude::*;

fn scalar() -> impl Strategy<Value = Bson> {
    prop_oneof![
        6 => (-2..6_i32).prop_map(Bson::Int32),
        2 => prop_oneof![Just(1_i64), Just(1 << 53), Just((1 << 53) + 1), Just(i64::MAX),
            any::<i64>()]
            .prop_map(Bson::Int64),
        3 => prop_oneof![Just(1.0), Just(2.5), Just(-0.0), Just(f64::NAN), Just(f64::INFINITY),
            any::<f64>()]
            .prop_map(Bson::Double),
        1 => prop_oneof![Just("1.0"), Just("0.1"), Just("9007199254740993"), Just("NaN"),
            Just("1E+400")]
            .prop_map(|text| Bson::Decimal128(text.parse().expect("a decimal"))),
        4 => prop_oneof![Just(""), Just("a"), Just("ab"), Just("a\0b"), Just("Z")]
            .prop_map(Bson::from),
        2 => Just(Bson::Null),
        1 => any::<bool>().prop_map(Bson::Boolean),
        1 => (0..3_u8).prop_map(|n| ObjectId::from_bytes([n; 12]).into()),
        1 => (-1..2_i64).prop_map(|n| Bson::DateTime(DateTime::from_millis(n))),
        1 => prop_oneof![Just(Bson::MinKey), Just(Bson::MaxKey)],
    ]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![Just("a"), Just("b"), Just("c"), Just("0")].prop_map(str::to_owned)
}

fn document_of(value: impl Strategy<Value = Bson>) -> impl Strategy<Value = Document> {
    vec((key(), value), 0..4).prop_map(|pairs| pairs.into_iter().collect())
}

fn value() -> impl Strategy<Value = Bson> {
    scalar().prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Bson::Array),
            document_of(inner).prop_map(Bson::Document),
        ]
    })
}

fn path() -> impl Strategy<Value = String> {
    let paths = ["a", "a", "b", "c", "a.b", "a.0", "a.b.c", "b.a", "a.0.b", "_id"];
    (0..paths.len()).prop_map(move |i| paths[i].to_owned())
}

fn condition() -> impl Strategy<Value = Bson> {
    let operators = ["$eq", "$gt", "$gte", "$lt", "$lte", "$ne"];
    let one = (0..operators.len(), value())
        .prop_map(move |(i, value)| doc! { operators[i]: value })
        .boxed();
    prop_oneof![
        4 => value(),
        4 => one.clone().prop_map(Bson::from),
        2 => (one.clone(), one.clone()).prop_map(|(mut a, b)| { a.extend(b); a.into() }),
        2 => vec(value(), 0..4).prop_map(|values| doc! { "$in": values }.into()),
        1 => one.clone().prop_map(|inner| doc! { "$elemMatch": inner }.into()),
        1 => one.prop_map(|inner| doc! { "$not": inner }.into()),
        1 => any::<bool>().prop_map(|exists| doc! { "$exists": exists }.into()),
    ]
}

fn filter() -> impl Strategy<Value = Document> {
    let flat = vec((path(), condition()), 0..3).prop_map(|pairs| pairs.into_iter().collect());
    let flat = flat.boxed();
    prop_oneof![
        5 => flat.clone(),
        1 => vec(flat.clone(), 1..3).prop_map(|filters| doc! { "$or": filters }),
        1 => vec(flat, 1..3).prop_map(|filters| doc! { "$and": filters }),
    ]
}

fn sort() -> impl Strategy<Value = Document> {
    vec((path(), prop_oneof![Just(1), Just(-1)]), 0..3).prop_map(|pairs| {
        let mut sort: Document = pairs.into_iter().map(|(k, d)| (k, Bson::Int32(d))).collect();
        sort.entry("_id".to_owned()).or_insert(Bson::Int32(1));
        sort
    })
}

fn documents() -> impl Strategy<Value = Vec<Document>> {
    vec(document_of(value()), 1..25).prop_map(|documents| {
        let with_id = |(i, mut document): (i32, Document)| {
            document.remove("_id");
            let mut whole = doc! { "_id": i };
            whole.extend(document);
            whole
        };
        (0..).zip(documents).map(with_id).collect()
    })
}

fn answer(store: &dyn DocumentStore, find: &Find) -> Result<Vec<Document>, String> {
    let cursor = store.find("x", find).map_err(|e| e.to_string())?;
    cursor.collect::<Result<_, _>>().map_err(|e| e.to_string())
}

/// NaN is not equal to itself, but its text is.
fn text(documents: &Result<Vec<Document>, String>) -> String {
    format!("{documents:?}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None,
        ..Default::default() })]

    #[test]
    fn indexes_change_no_answer(
        documents in documents(),
        more in documents(),
        queries in vec((filter(), sort(), 0..5_u64), 25),
        doomed in filter(),
        changed in filter(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let embedded = EmbeddedStore::open(folder.path(), &EmbeddedOptions::default()).unwrap();
        let memory = MemoryStore::new();
        let stores: [&dyn DocumentStore; 2] = [&embedded, &memory];
        for keys in [doc! { "a": 1 }, doc! { "b": -1, "c": 1 }, doc! { "a.b": 1, "a.0": -1 }] {
            embedded.create_index("x", &keys).unwrap();
        }
        for store in stores {
            store.upsert("x", &documents).unwrap();
        }
        embedded.create_index("x", &doc! { "c": -1, "a": 1 }).unwrap();
        let check = || {
            for (filter, sort, limit) in &queries {
                let find = Find::filter(filter.clone()).sort(sort.clone()).limit(*limit);
                let found = stores.map(|store| text(&answer(store, &find)));
                prop_assert_eq!(&found[0], &found[1], "{:?}", find);
                let count = stores.map(|store| store.count("x", filter).unwrap());
                prop_assert_eq!(count[0], count[1], "{}", filter);
            }
            Ok(())
        };
        check()?;
        let counts = stores.map(|store| {
            store.upsert("x", &more).unwrap();
            let update = doc! { "$set": { "c": [1, { "a": 2 }] }, "$unset": { "b": "" } };
            let updated = store.update("x", &changed, &update).unwrap();
            (updated, store.delete("x", &doomed).unwrap())
        });
        prop_assert_eq!(counts[0], counts[1]);
        check()?;
        let distinct = stores.map(|store| format!("{:?}", store.distinct("x", "a.b", &doc! {})));
        prop_assert_eq!(&distinct[0], &distinct[1]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None,
        ..Default::default() })]

    #[test]
    fn keys_are_in_the_order_of_the_values(a in value(), b in value()) {
        let raw = |value: &Bson| RawBson::try_from(value.clone()).unwrap();
        let key = |value: &RawBson| {
            let mut key = Vec::new();
            encode_key(&mut key, value.as_raw_bson_ref());
            key
        };
        let (a, b) = (raw(&a), raw(&b));
        let order = compare(a.as_raw_bson_ref(), b.as_raw_bson_ref());
        prop_assert_eq!(key(&a).cmp(&key(&b)), order, "{:?} {:?}", a, b);
    }
}
