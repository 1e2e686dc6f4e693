//! The `history_object` document of a datum.
//!
//! What it says for people and for us stands under `inputs`, `output` and `steps`. MsPASS looks
//! for a Python pickle of its `ProcessingHistory` under `processing_history`, whose content is a
//! text archive of Boost; that is written too, so that MsPASS goes on from it. It is never read.

use bson::oid::ObjectId;
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, Document, doc};
use mspass_core::{Datum, History, TimeSeries};

use super::fields::whole;
use super::id::{Derived, to_object_id};

/// What MsPASS calls the algorithm that reads, and the one that saves.
const READ: &str = "read_data";
const SAVE: &str = "save_data";

/// MsPASS's numbers for the status of a node: its data came from the database, passed, or went
/// there.
const ORIGIN: u32 = 1;
const VOLATILE: u32 = 2;
const SAVED: u32 = 3;

/// Version of the archive's layout, as Boost 1.81 writes it and later ones read it.
const ARCHIVE_VERSION: u32 = 19;

/// A state that a datum passed.
struct Node {
    status: u32,
    uuid: String,
    stage: usize,
    algorithm: String,
    algorithm_id: String,
}

/// The document `id` of what a datum of a kind went through; `about` says whose history it is.
pub fn history_document(id: ObjectId, kind: &str, history: &History, about: &Document) -> Document {
    let steps = history.passages.iter().map(|passage| {
        Bson::Document(doc! { "step": &passage.step, "parameters": &passage.parameters })
    });
    let inputs = history.inputs.iter().map(|input| Bson::ObjectId(to_object_id(*input)));
    let (links, last) = chain(id, history);
    let bytes = pickle(&archive(&links, &last, kind));
    let mut document = doc! {
        "_id": id,
        "save_uuid": &last.uuid,
        "save_stage": whole(last.stage as u64),
        "processing_history": Binary { subtype: BinarySubtype::Generic, bytes },
        "alg_id": &last.algorithm_id,
        "alg_name": SAVE,
        "inputs": inputs.collect::<Vec<Bson>>(),
        "output": whole(history.output),
        "steps": steps.collect::<Vec<Bson>>(),
    };
    document.extend(about.clone());
    document
}

/// Each state before the last with the uuid of the one that was made of it, and the last.
fn chain(id: ObjectId, history: &History) -> (Vec<(String, Node)>, Node) {
    let uuid = |stage: usize| {
        let key = Derived::new("state").id(id).number(stage as u64).key();
        let hex = format!("{key:032x}");
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
    };
    let node = |status, uuid, stage, algorithm: &str, parameters: &str| {
        let id = Derived::new("algorithm").text(algorithm).text(parameters).object_id();
        Node { status, uuid, stage, algorithm: algorithm.to_owned(), algorithm_id: id.to_hex() }
    };
    let origins =
        history.inputs.iter().map(|input| (uuid(1), node(ORIGIN, input.to_string(), 0, READ, "")));
    let mut links: Vec<(String, Node)> = origins.collect();
    for (before, passage) in history.passages.iter().enumerate() {
        let stage = before + 1;
        let is_first = links.is_empty();
        let status = if is_first { ORIGIN } else { VOLATILE };
        let passed = node(status, uuid(stage), stage, &passage.step, &passage.parameters);
        links.push((uuid(stage + 1), passed));
    }
    let stage = history.passages.len() + 1;
    (links, node(SAVED, uuid(stage), stage, SAVE, ""))
}

/// A text archive of Boost: numbers in digits, text after its length in bytes, one blank between.
struct Archive(String);

impl Archive {
    fn number(&mut self, number: u64) -> &mut Self {
        self.0.push_str(&format!(" {number}"));
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.0.push_str(&format!(" {} {text}", text.len()));
        self
    }

    /// What stands before the first object of a class: not tracked, version 0.
    fn class(&mut self) -> &mut Self {
        self.number(0).number(0)
    }
}

/// The fields of `ProcessingHistory` in its order: its base's (job id and name), all nodes by the
/// uuid of what was made of them, the present one, and an empty log.
fn archive(links: &[(String, Node)], last: &Node, kind: &str) -> String {
    let kind = u64::from(kind == TimeSeries::KIND);
    let mut archive = Archive(String::new());
    archive.text("serialization::archive").number(ARCHIVE_VERSION.into());
    archive.class().class().text("").text("");
    archive.class().number(links.len() as u64).number(0);
    for (at, (child, node)) in links.iter().enumerate() {
        if at == 0 {
            archive.class();
        }
        archive.text(child);
        if at == 0 {
            archive.class();
        }
        archive.number(node.status.into()).text(&node.uuid).number(kind);
        archive.number(node.stage as u64).text(&node.algorithm).text(&node.algorithm_id);
    }
    archive.number(last.status.into()).text(&last.uuid).number(last.stage as u64).number(kind);
    archive.text(&last.algorithm).text(&last.algorithm_id);
    // The log: its class and job, then a list of no entries.
    archive.class().number(0).class().number(0).number(0);
    archive.0.split_off(1)
}

/// A pickle (protocol 4) of a `ProcessingHistory` whose state is one text.
fn pickle(state: &str) -> Vec<u8> {
    let mut bytes = vec![0x80, 4];
    for name in ["mspasspy.ccore.utility", "ProcessingHistory"] {
        short_text(&mut bytes, name);
    }
    // The class of these two names, made without arguments.
    bytes.extend_from_slice(b"\x93)\x81X");
    let length = u32::try_from(state.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(state.as_bytes());
    // The text in a tuple becomes its state; the end.
    bytes.extend_from_slice(b"\x85b.");
    bytes
}

fn short_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.push(0x8c);
    bytes.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    bytes.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mspass_core::DocumentId;
    use mspass_core::history::Passage;

    use super::*;

    /// As MsPASS 2.4.3 archives a trace that was read, filtered and saved, ids apart.
    #[test]
    fn a_history_is_laid_out_as_mspass_archives_it() {
        let mut history = History::of(DocumentId([7; 12]), 2);
        let passage = Passage { step: "filter".into(), parameters: "{}".into() };
        history.record(&Arc::new(passage));
        let (mut links, mut last) = chain(ObjectId::from_bytes([1; 12]), &history);
        assert_eq!((links[0].0.as_str(), links[0].1.stage), (links[1].1.uuid.as_str(), 0));
        assert_eq!((links[1].0.as_str(), links[1].1.stage), (last.uuid.as_str(), 1));
        assert_eq!((last.uuid.len(), last.stage), (36, 2));
        for (child, node) in &mut links {
            child.replace_range(8.., "");
            node.algorithm_id = "1".into();
        }
        links[0].0 = "child".into();
        links[1].1.uuid = "child".into();
        links[1].0 = "last".into();
        (last.uuid, last.algorithm_id) = ("last".into(), "3".into());
        let due = "22 serialization::archive 19 0 0 0 0 0  0  0 0 2 0 0 0 5 child 0 0 1 24 \
                   070707070707070707070707 1 0 9 read_data 1 1 4 last 2 5 child 1 1 6 filter \
                   1 1 3 4 last 2 1 9 save_data 1 3 0 0 0 0 0 0 0";
        assert_eq!(archive(&links, &last, "TimeSeries"), due);
        assert!(archive(&links, &last, "Seismogram").contains("070707 0 0 9 read_data"));
    }

    #[test]
    fn a_datum_without_inputs_begins_with_its_first_step() {
        let mut history = History::default();
        let passage = Passage { step: "synthesize".into(), parameters: "{}".into() };
        history.record(&Arc::new(passage));
        let (links, last) = chain(ObjectId::from_bytes([1; 12]), &history);
        assert_eq!((links.len(), links[0].1.status, last.stage), (1, ORIGIN, 2));
    }

    #[test]
    fn a_pickle_names_its_class_and_holds_one_text() {
        let due = b"\x80\x04\x8c\x16mspasspy.ccore.utility\x8c\x11ProcessingHistory\x93)\x81\
                    X\x02\x00\x00\x00ab\x85b.";
        assert_eq!(pickle("ab"), due);
    }
}
