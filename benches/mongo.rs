//! The MongoDB store, for `benches/compare_pymongo.sh`, which times pymongo beside it.
//!
//! Holds a server of its own and answers commands of standard input, one a line, with the seconds
//! that each took: `insert` and `find` 100,000 documents like those of wf_TimeSeries (about 400
//! bytes), `put` and `read` 100 waveforms of 1 MB in GridFS. One task, writes acknowledged by
//! `{w: "majority", j: true}`.
//!
//! ```sh
//! benches/compare_pymongo.sh
//! ```

#![allow(clippy::disallowed_methods)] // a bench reads the clock

use std::io::BufRead;
use std::path::Path;
use std::time::Instant;

use bson::oid::ObjectId;
use bson::{Document, doc};
use bytes::Bytes;
use mspass_io::store::mongo::{MongoOptions, MongoStore, MongodOptions, MongodServer};
use mspass_io::store::{Blob, BlobStore, DocumentStore, Find};

const DOCUMENTS: u64 = 100_000;
const WAVEFORMS: u64 = 100;
const WAVEFORM_BYTES: usize = 1_000_000;

fn id(number: u64) -> ObjectId {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    ObjectId::from_bytes(bytes)
}

fn document(number: u64) -> Document {
    let start = 1.7e9 + 3600.0 * (number / 3000) as f64;
    let channel = ["HHE", "HHN", "HHZ"][number as usize % 3];
    doc! {
        "_id": id(number), "net": "XX", "sta": format!("S{:03}", number % 1000), "loc": "00",
        "chan": channel, "npts": 360_000, "delta": 0.01,
        "sampling_rate": 100.0, "calib": 1.0, "starttime": start, "endtime": start + 3599.99,
        "time_standard": "UTC", "utc_convertible": true, "storage_mode": "gridfs",
        "gridfs_id": id(number + (1 << 40)), "nbytes": 2_880_000,
        "channel_id": id(number % 3000), "site_id": id(number % 1000), "data_tag": "raw",
    }
}

struct Contestant {
    store: MongoStore,
    documents: Vec<Document>,
    samples: Bytes,
}

impl Contestant {
    /// Does what a command says; the seconds that it took.
    fn run(&self, command: &str) -> f64 {
        let store = &self.store;
        match command {
            "insert" | "put" => store.drop_database().expect("an empty database"),
            _ => {}
        }
        let began = Instant::now();
        match command {
            "insert" => drop(store.insert("wf", &self.documents).expect("an insert")),
            "find" => {
                let found = store.find("wf", &Find::default()).expect("a cursor");
                let count = found.inspect(|found| assert!(found.is_ok())).count();
                assert_eq!(count as u64, DOCUMENTS);
            }
            "put" => {
                for number in 0..WAVEFORMS {
                    let blob = Blob { id: id(number), bytes: self.samples.clone() };
                    store.put(&[blob]).expect("a put");
                }
            }
            "read" => {
                for number in 0..WAVEFORMS {
                    let read = BlobStore::read(store, id(number)).expect("a blob");
                    assert_eq!(read.len(), WAVEFORM_BYTES);
                }
            }
            other => panic!("what is {other}?"),
        }
        began.elapsed().as_secs_f64()
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(at) = arguments.iter().position(|argument| argument == "--serve") else {
        println!("run benches/compare_pymongo.sh");
        return;
    };
    let folder = arguments.get(at + 1).expect("--serve FOLDER");
    let server = MongodServer::start(Path::new(folder), &MongodOptions::default());
    let server = server.expect("a mongod starts");
    println!("{}", server.uri("peer"));
    let store = MongoStore::open(&server.uri("ours"), &MongoOptions::default());
    let contestant = Contestant {
        store: store.expect("our server answers"),
        documents: (0..DOCUMENTS).map(document).collect(),
        samples: (0..WAVEFORM_BYTES).map(|at| at as u8).collect(),
    };
    for line in std::io::stdin().lock().lines() {
        println!("{}", contestant.run(line.expect("a line").trim()));
    }
    drop(contestant);
    server.stop().expect("the server ends in order");
}
