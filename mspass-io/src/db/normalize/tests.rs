use std::sync::Arc;

use bson::oid::ObjectId;
use bson::{Document, doc};
use mspass_core::{Hertz, Life, TimeSeries, UtcTime};
use proptest::prelude::*;

use super::*;
use crate::store::{Database, MemoryStore};

fn database() -> Database {
    let store = Arc::new(MemoryStore::new());
    Database { documents: store.clone(), blobs: store }
}

fn channel(loc: &str, chan: &str, start: f64, end: f64) -> Document {
    doc! {
        "_id": ObjectId::new(), "net": "BW", "sta": "RJOB", "loc": loc, "chan": chan,
        "lat": 47.7, "lon": 12.8, "elev": 0.86, "hang": 0.0, "vang": 90.0,
        "starttime": start, "endtime": end,
    }
}

fn wave(loc: &str, chan: &str, start: f64) -> Document {
    doc! { "net": "BW", "sta": "RJOB", "loc": loc, "chan": chan, "starttime": start }
}

/// What both kinds of matcher answer, which must be the same.
fn both(database: &Database, spec: &MatchSpec, subject: &Document) -> Outcome {
    let cached = Matcher::cached(database, spec.clone()).unwrap().find(subject).unwrap();
    let asked = Matcher::in_database(database, spec.clone()).find(subject).unwrap();
    assert_eq!(cached, asked);
    cached
}

#[test]
fn the_epoch_that_holds_the_start_is_found() {
    let database = database();
    let (old, new) = (channel("", "EHZ", 0.0, 99.0), channel("", "EHZ", 100.0, 200.0));
    let other = channel("00", "EHZ", 0.0, 200.0);
    database.documents.insert("channel", &[old.clone(), new.clone(), other.clone()]).unwrap();
    let spec = MatchSpec::channel();
    let id = |outcome| match outcome {
        Outcome::Found(taken) => taken.get_object_id("channel_id").unwrap(),
        other => panic!("{other:?}"),
    };
    let of = |document: &Document| document.get_object_id("_id").unwrap();
    assert_eq!(id(both(&database, &spec, &wave("", "EHZ", 99.0))), of(&old));
    assert_eq!(id(both(&database, &spec, &wave("--", "EHZ", 100.0))), of(&new));
    assert_eq!(id(both(&database, &spec, &wave("00", "EHZ", 99.5))), of(&other));
    for lost in [wave("", "EHZ", 99.5), wave("10", "EHZ", 50.0), wave("", "EHN", 50.0), doc! {}] {
        assert!(matches!(both(&database, &spec, &lost), Outcome::Missing(_)), "{lost}");
    }
    let mut renamed = wave("", "EHZ", 99.0);
    let net = renamed.remove("net").unwrap();
    renamed.insert("READONLYERROR_net", net);
    assert_eq!(id(both(&database, &spec, &renamed)), of(&old));
}

#[test]
fn several_matches_are_a_failure_or_the_last_begun_wins() {
    let database = database();
    let (first, second) = (channel("", "EHZ", 0.0, 150.0), channel("", "EHZ", 100.0, 200.0));
    database.documents.insert("channel", &[second.clone(), first]).unwrap();
    let mut spec = MatchSpec::channel();
    let subject = wave("", "EHZ", 120.0);
    let Outcome::Ambiguous(reason) = both(&database, &spec, &subject) else { panic!() };
    assert!(reason.contains("2 of channel match BW.RJOB..EHZ at 1970-01-01T00:02:00Z"), "{reason}");
    spec.require_unique = false;
    let Outcome::Found(taken) = both(&database, &spec, &subject) else { panic!() };
    assert_eq!(taken.get("channel_id"), second.get("_id"));

    let keys = vec![("sta".to_owned(), "sta".to_owned())];
    let equal =
        MatchSpec { require_unique: false, ..MatchSpec::new("channel", Rule::Equality { keys }) };
    assert!(matches!(both(&database, &equal, &subject), Outcome::Found(_)));
}

#[test]
fn names_are_as_asked_for() {
    let database = database();
    database.documents.insert("channel", &[channel("", "EHZ", 0.0, 9.0)]).unwrap();
    let subject = wave("", "EHZ", 1.0);
    let rule = Rule::Miniseed { with_channel: true };
    let mut spec = MatchSpec::new("channel", rule).load(&["lat"]).alias("lat", "north");
    spec = spec.load_if_defined(&["elev", "edepth"]);
    let Outcome::Found(taken) = both(&database, &spec, &subject) else { panic!() };
    assert_eq!(taken.keys().collect::<Vec<_>>(), ["channel_id", "channel_north", "channel_elev"]);
    spec.prepend_collection = false;
    let Outcome::Found(taken) = both(&database, &spec, &subject) else { panic!() };
    assert_eq!(taken.keys().collect::<Vec<_>>(), ["channel_id", "north", "elev"]);
    let spec = spec.load(&["edepth"]);
    let Outcome::Incomplete(reason) = both(&database, &spec, &subject) else { panic!() };
    assert!(reason.contains("has no edepth"), "{reason}");
}

#[test]
fn ids_equal_keys_origins_and_arrivals_match() {
    let database = database();
    let sources = [(100.0, 5.0), (103.0, 6.0), (500.0, 7.0)].map(|(time, magnitude)| {
        doc! { "_id": ObjectId::new(), "time": time, "magnitude": magnitude, "evid": magnitude }
    });
    database.documents.insert("source", &sources).unwrap();
    let source = |at: usize| sources[at].get("_id").cloned();
    let found = |spec: &MatchSpec, subject: Document| match both(&database, spec, &subject) {
        Outcome::Found(taken) => taken.get("source_id").cloned(),
        _ => None,
    };
    let id = MatchSpec::new("source", Rule::Id { key: None });
    assert_eq!(found(&id, doc! { "source_id": source(1).unwrap() }), source(1));
    assert_eq!(found(&id, doc! { "source_id": ObjectId::new() }), None);
    let keys = vec![("event".to_owned(), "evid".to_owned())];
    let equal = MatchSpec::new("source", Rule::Equality { keys });
    assert_eq!(found(&equal, doc! { "event": 7 }), source(2));
    assert_eq!(found(&equal, doc! { "event": "7" }), None);
    let rule = |key: Option<&str>| Rule::OriginTime {
        offset: 10.0,
        tolerance: 4.0,
        key: key.map(str::to_owned),
    };
    let origin = MatchSpec::new("source", rule(None));
    assert_eq!(found(&origin, doc! { "starttime": 112.0 }), source(1));
    assert_eq!(found(&origin, doc! { "starttime": 111.0 }), source(0));
    assert_eq!(found(&origin, doc! { "starttime": 514.5 }), None);
    let origin = MatchSpec::new("source", rule(Some("t")));
    assert_eq!(found(&origin, doc! { "t": 510.0 }), source(2));

    let arrivals = [("BW", "RJOB", 10.0, "P"), ("BW", "RJOB", 20.0, "S"), ("", "FUR", 10.0, "P")];
    let arrivals = arrivals.map(|(net, sta, time, phase)| {
        let mut arrival = doc! { "sta": sta, "time": time, "phase": phase };
        if !net.is_empty() {
            arrival.insert("net", net);
        }
        arrival
    });
    database.documents.insert("arrival", &arrivals).unwrap();
    let arrival = |phase: Option<&str>| {
        let rule = Rule::Arrival { phase: phase.map(str::to_owned) };
        MatchSpec::new("arrival", rule).load(&["time"])
    };
    let span = |net: &str, sta: &str, start: f64, end: f64| {
        doc! { "net": net, "sta": sta, "starttime": start, "endtime": end }
    };
    let outcome = |spec: MatchSpec, subject: Document| both(&database, &spec, &subject);
    let all = span("BW", "RJOB", 0.0, 30.0);
    assert!(matches!(outcome(arrival(None), all.clone()), Outcome::Ambiguous(_)));
    let Outcome::Found(taken) = outcome(arrival(Some("S")), all) else { panic!() };
    assert_eq!(taken.get_f64("arrival_time").unwrap(), 20.0);
    let Outcome::Found(_) = outcome(arrival(None), span("GR", "FUR", 5.0, 15.0)) else { panic!() };
    let late = span("BW", "RJOB", 21.0, 30.0);
    assert!(matches!(outcome(arrival(None), late), Outcome::Missing(_)));
}

#[test]
fn a_datum_takes_over_or_dies_or_lives_with_a_log() {
    let database = database();
    let stored = channel("00", "EHZ", 0.0, 9.0);
    database.documents.insert("channel", std::slice::from_ref(&stored)).unwrap();
    let matcher = Matcher::cached(&database, MatchSpec::channel()).unwrap();
    let trace = |start: f64| {
        let id = "BW.RJOB.00.EHZ".parse().unwrap();
        TimeSeries::new(id, UtcTime::from_seconds(start), Hertz::new(1.0).unwrap(), vec![0.0; 3])
    };
    let mut found = trace(1.0);
    let subject = subject_of(&found);
    assert!(normalize(&mut found, &subject, &matcher, OnFailure::Kill).unwrap());
    let vang = found.metadata.value(mspass_core::metadata::key::CHANNEL_VANG);
    assert_eq!(vang, Ok(Some(90.0)));
    let id = found.metadata.value(mspass_core::metadata::key::CHANNEL_ID).unwrap().unwrap();
    assert_eq!(Some(&crate::db::id::to_object_id(id).into()), stored.get("_id"));
    let subject = subject_of(&trace(10.0));
    let (mut dead, mut alive) = (trace(10.0), trace(10.0));
    assert!(!normalize(&mut dead, &subject, &matcher, OnFailure::Kill).unwrap());
    assert_eq!(dead.life, Life::Dead);
    assert!(!normalize(&mut alive, &subject, &matcher, OnFailure::Log).unwrap());
    assert_eq!(alive.life, Life::Live);
    assert!(alive.log.entries()[0].message.contains("no channel matches BW.RJOB.00.EHZ"));
}

#[test]
fn bounds_hold() {
    let database = database();
    let many: Vec<Document> = (0..=CANDIDATES_MAX).map(|_| channel("", "EHZ", 0.0, 9.0)).collect();
    database.documents.insert("channel", &many).unwrap();
    let spec = MatchSpec::channel();
    let error = Cache::build(&database, &spec, CANDIDATES_MAX).unwrap_err().to_string();
    assert!(error.contains("narrow the filter"), "{error}");
    let matcher = Matcher::in_database(&database, spec.clone());
    let error = matcher.find(&wave("", "EHZ", 1.0)).unwrap_err().to_string();
    assert!(error.contains("match by more keys"), "{error}");

    let caches = Caches::default();
    let first = caches.cache(&database, &spec).unwrap();
    assert!(Arc::ptr_eq(&first, &caches.cache(&database, &spec).unwrap()));
    for number in 0..CACHES_MAX {
        let other = MatchSpec { filter: doc! { "sta": number.to_string() }, ..spec.clone() };
        assert!(caches.cache(&database, &other).unwrap().is_empty());
    }
    assert!(!Arc::ptr_eq(&first, &caches.cache(&database, &spec).unwrap()), "it was let go");
}

#[test]
fn a_collection_is_normalised_once_however_often() {
    let database = database();
    let channels = [channel("", "EHZ", 0.0, 9.0), channel("", "EHN", 0.0, 9.0)];
    database.documents.insert("channel", &channels).unwrap();
    let doubled = [channel("", "EHE", 0.0, 9.0), channel("", "EHE", 1.0, 9.0)];
    database.documents.insert("channel", &doubled).unwrap();
    let starts = [("EHZ", 1.0), ("EHZ", 2.0), ("EHN", 1.0), ("EHN", 10.0), ("EHE", 5.0)];
    let waves = starts.map(|(chan, start)| wave("", chan, start));
    database.documents.insert("wf_miniseed", &waves).unwrap();
    for cached in [true, false] {
        let matchers = vec![MatchSpec::channel()];
        let options = NormalizeOptions { matchers, cached, batch: 2, ..<_>::default() };
        let mut told = 0;
        let report = bulk_normalize(&database, &options, &mut |_| told += 1).unwrap();
        assert_eq!((report.seen, report.updated, told), (5, 3, 3));
        let MatchCounts { matched, missing, ambiguous, .. } = report.matchers[0];
        assert_eq!((matched, missing, ambiguous), (3, 1, 1));
        assert_eq!(report.examples.len(), 2);
        let id = channels[0].get("_id").unwrap();
        let count = database.documents.count("wf_miniseed", &doc! { "channel_id": id });
        assert_eq!(count.unwrap(), 2);
        assert_eq!(database.documents.count("elog", &doc! {}).unwrap(), 2);
        let keys = doc! { "channel_lat": { "$exists": true } };
        assert_eq!(database.documents.count("wf_miniseed", &keys).unwrap(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn cache_and_database_agree(
        epochs in prop::collection::vec((0..3_usize, 0..3_usize, 0..30_i32, 0..10_i32), 0..30),
        subjects in prop::collection::vec((0..3_usize, 0..3_usize, -1..42_i32), 1..20),
        require_unique in any::<bool>(),
    ) {
        let (locations, channels) = (["", "00", "--"], ["EHZ", "EHN", "EHE"]);
        let database = database();
        let documents: Vec<Document> = epochs
            .iter()
            .enumerate()
            .map(|(number, (loc, chan, start, length))| {
                let mut document = channel(
                    locations[*loc],
                    channels[*chan],
                    // no two begin together, so that the last begun is one
                    f64::from(*start) + number as f64 * 1e-3,
                    f64::from(start + length) + 0.5,
                );
                if length % 4 == 3 {
                    document.remove("endtime");
                }
                document
            })
            .collect();
        database.documents.insert("channel", &documents).unwrap();
        for with_channel in [true, false] {
            let spec = MatchSpec::new("channel", Rule::Miniseed { with_channel });
            let spec = MatchSpec { require_unique, ..spec };
            for (loc, chan, start) in &subjects {
                let start = f64::from(*start);
                both(&database, &spec, &wave(locations[*loc], channels[*chan], start));
            }
        }
    }
}

#[test]
fn examples_are_bounded_and_counts_are_not() {
    let database = database();
    let waves: Vec<Document> =
        (0..EXAMPLES_MAX + 5).map(|number| wave("", "EHZ", number as f64)).collect();
    database.documents.insert("wf_miniseed", &waves).unwrap();
    let matchers = vec![MatchSpec::channel()];
    let options = NormalizeOptions { matchers, batch: usize::MAX, log: false, ..<_>::default() };
    let report = bulk_normalize(&database, &options, &mut |_| {}).unwrap();
    assert_eq!(report.examples.len(), EXAMPLES_MAX);
    assert_eq!(report.matchers[0].missing, waves.len() as u64);
    assert_eq!(database.documents.count("elog", &doc! {}).unwrap(), 0);
}
