//! A slice of the campaign of queries: memory, embedded and MongoDB answer alike.
//!
//! `MSPASS_CAMPAIGN_COUNT` queries (default 5,000) from `MSPASS_CAMPAIGN_SEED` (default 1).

#[path = "campaign/queries.rs"]
mod campaign;
mod mongod;

use bson::doc;
use mspass_io::store::{DocumentStore, EmbeddedOptions, EmbeddedStore, MemoryStore};

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn all_stores_answer_alike() {
    let count = number("MSPASS_CAMPAIGN_COUNT", 5_000) as usize;
    let seed = number("MSPASS_CAMPAIGN_SEED", 1);
    let folder = tempfile::tempdir().unwrap();
    let embedded = EmbeddedStore::open(folder.path(), &EmbeddedOptions::default()).unwrap();
    for keys in [doc! { "a": 1 }, doc! { "b": -1, "c": 1 }, doc! { "a.b": 1, "d": -1 }] {
        embedded.create_index("queries", &keys).unwrap();
    }
    let (memory, mongo) = (MemoryStore::new(), mongod::store("queries"));
    let stores: [campaign::Named<'_>; 3] =
        [("memory", &memory), ("embedded", &embedded), ("MongoDB", &mongo)];
    let summary = campaign::campaign(&stores, count, seed, &mut |_| {}).unwrap();
    summary.told.iter().for_each(|told| println!("{told}"));
    println!(
        "queries: {} asked of {} stores, {} found something, {} refused by all, {} different, \
         seed {seed}",
        summary.queries,
        stores.len(),
        summary.found,
        summary.refused,
        summary.different
    );
    assert_eq!((summary.queries, summary.different), (count, 0));
    assert!(summary.found * 5 > count && summary.refused * 10 < count, "{summary:?}");
}
