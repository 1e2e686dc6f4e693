//! Runs under other names, as jobs record them.

use std::sync::Arc;

use mspass_core::History;
use mspass_core::history::Passage;

use super::*;
use crate::db::history_document;
use crate::db::id::{output_id, to_document_id};
use crate::store::{Blob, MemoryStore};

/// A job in a database.
struct Made {
    database: Database,
    job: &'static str,
    parameters: &'static str,
}

impl Made {
    fn new(job: &'static str) -> Self {
        Self { database: Database::of(Arc::new(MemoryStore::new())), job, parameters: "{}" }.begun()
    }

    fn begun(self) -> Self {
        let steps = [("read", "{}"), ("bandpass", self.parameters), ("save", "{}")];
        for (step, (name, parameters)) in (0_i32..).zip(steps) {
            let step = doc! {
                "_id": format!("{}{step}", self.job), "job_name": self.job, "step": step,
                "alg_name": name, "parameters": parameters,
            };
            self.database.documents.insert(HISTORY_GLOBAL, &[step]).unwrap();
        }
        self
    }

    /// Another job in the same database.
    fn then(&self, job: &'static str) -> Self {
        Self { database: self.database.clone(), job, parameters: self.parameters }.begun()
    }

    fn saves(&self, inputs: &[ObjectId], output: u64, bytes: &'static [u8]) -> ObjectId {
        self.saves_at("save", inputs, output, bytes)
    }

    fn saves_at(
        &self,
        step: &str,
        inputs: &[ObjectId],
        output: u64,
        bytes: &'static [u8],
    ) -> ObjectId {
        let inputs: Vec<_> = inputs.iter().map(|id| to_document_id(*id)).collect();
        let id = output_id(self.job, step, &inputs, output);
        let passage = Passage { step: "bandpass".into(), parameters: self.parameters.into() };
        let history = History { inputs, output, passages: vec![Arc::new(passage)] };
        let job_id = job_id(self.job);
        let about = doc! {
            "wf_TimeSeries_id": id, "saved_by": step, "build": self.job, "job_name": self.job,
            "job_id": job_id,
        };
        let history = history_document(history_id(id), "TimeSeries", &history, &about);
        let document = doc! {
            "_id": id, "job_id": job_id, "gridfs_id": id, "storage_mode": "gridfs", "net": "XX",
            "sta": "S",
            "loc": "", "chan": "HHZ", "starttime": 0.0, "history_object_id": history_id(id),
        };
        self.database.documents.insert(HISTORY_OBJECT, &[history]).unwrap();
        self.database.documents.insert(WF_TIME_SERIES, &[document]).unwrap();
        self.database.blobs.put(&[Blob { id, bytes: bytes.into() }]).unwrap();
        id
    }

    fn diff(&self, other: &Self) -> JobsDiff {
        diff_jobs((&self.database, self.job), (&other.database, other.job)).unwrap()
    }
}

fn input(number: u8) -> ObjectId {
    ObjectId::from_bytes([number; 12])
}

#[test]
fn the_same_data_under_other_names_are_equal() {
    let (one, two) = (Made::new("one"), Made::new("two"));
    for number in 0..3 {
        one.saves(&[input(number)], 7, b"12345678");
        one.saves_at("tee 1", &[input(number)], 7, b"12345678");
    }
    for number in [2, 0, 1] {
        two.saves_at("tee 1", &[input(number)], 7, b"12345678");
        two.saves(&[input(number)], 7, b"12345678");
    }
    let found = one.diff(&two);
    assert!(found.is_equal(), "{found}");
    assert_eq!(found.to_string(), "equal: 6 data of jobs 'one' and 'two', the samples of 6");
}

#[test]
fn samples_steps_and_what_one_lacks_are_told() {
    let (one, two) = (Made::new("one"), Made::new("two"));
    one.saves(&[input(1)], 7, b"12345678");
    two.saves(&[input(1)], 7, b"12345x78");
    one.saves(&[input(2)], 7, b"12345678");
    two.saves(&[input(2)], 7, b"12345678");
    one.saves(&[input(3)], 7, b"12345678");
    two.saves(&[input(2)], 8, b"12345678");
    two.saves(&[input(3)], 8, b"12345678");
    let found = one.diff(&two);
    assert_eq!((found.equal, found.differing, found.only), (1, 1, [1, 2]));
    let text = found.to_string();
    assert!(text.contains("first: XX.S..HHZ 1970-01-01T00:00:00"), "{text}");
    assert!(text.contains("the samples differ, first at byte 5"), "{text}");
    assert!(text.contains("only in 'one': wf_TimeSeries "), "{text}");

    let other = Made { parameters: "{\"freqmax\":6.0}", ..Made::new("three") };
    let other = Made { database: Database::of(Arc::new(MemoryStore::new())), ..other }.begun();
    other.saves(&[input(2)], 7, b"12345678");
    let found = one.diff(&other);
    assert_eq!((found.equal, found.differing, found.only), (0, 1, [2, 0]));
    let text = found.to_string();
    assert!(text.contains("steps: step 2 'bandpass' has parameters {} and {\"freqmax\":6.0}"));
    assert!(text.contains("steps.0.parameters is \"{}\" and"), "{text}");
}

#[test]
fn outputs_as_inputs_are_known_whatever_their_jobs_were_called() {
    let (one, two) = (Made::new("one"), Made::new("two"));
    let makes = |first: &Made, then: &'static str| {
        let mut ids: Vec<_> =
            (0..9).map(|number| first.saves(&[input(number)], 1, b"12345678")).collect();
        // As a group has them.
        ids.sort_unstable();
        let stacks = first.then(then);
        let stacked = stacks.saves(&ids, 5, b"87654321");
        let last = first.then(if then == "stacks" { "last" } else { "final" });
        last.saves(&[stacked], 0, b"87654321");
        [stacks, last]
    };
    let (lefts, rights) = (makes(&one, "stacks"), makes(&two, "sums"));
    for (left, right) in lefts.iter().zip(&rights) {
        let found = left.diff(right);
        assert!(found.is_equal() && found.equal == 1, "{found}");
    }
    // Of the same outputs but one.
    let fewer = two.then("fewer");
    let mut ids: Vec<_> = (0..8)
        .map(|number| output_id("two", "save", &[to_document_id(input(number))], 1))
        .collect();
    ids.sort_unstable();
    fewer.saves(&ids, 5, b"87654321");
    assert_eq!(lefts[0].diff(&fewer).only, [1, 1]);
}

#[test]
fn unknown_jobs_are_refused_naming_those_there_are() {
    let (one, two) = (Made::new("one"), Made::new("two"));
    let refused = diff_jobs((&one.database, "one"), (&two.database, "one")).unwrap_err();
    let due = "no job 'one' in its database: it knows two";
    assert_eq!(refused.to_string(), due);
}

#[test]
fn the_dead_are_counted() {
    let (one, two) = (Made::new("one"), Made::new("two"));
    one.saves(&[input(1)], 7, b"12345678");
    two.saves(&[input(1)], 7, b"12345678");
    let dead = doc! { "job_id": job_id("two") };
    two.database.documents.insert(CEMETERY, &[dead]).unwrap();
    let found = one.diff(&two);
    assert!(!found.is_equal() && found.equal == 1);
    assert!(found.to_string().ends_with("\n  cemetery: 0 and 1"), "{found}");
}
