//! Samples by address: a server of files on this machine, and object stores.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use bson::Document;
use mspass_core::series::Seismogram;
use mspass_core::{Life, TimeSeries};
use mspass_io::db::{FileForm, ReadOptions, SaveOptions, Storage, Waveforms};
use mspass_io::store::Objects;
use object_store::memory::InMemory;

use crate::stores::{memory, one, saved, seismogram, trace};

/// Serves bytes by path and keeps the ranges asked for.
struct Server {
    address: String,
    ranges: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(files: HashMap<String, Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let ranges = Arc::new(Mutex::new(Vec::new()));
        let asked = Arc::clone(&ranges);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), &files, &asked);
            }
        });
        Self { address, ranges }
    }
}

fn answer(mut stream: TcpStream, files: &HashMap<String, Vec<u8>>, asked: &Mutex<Vec<String>>) {
    let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let Some(path) = head.first().and_then(|line| line.split(' ').nth(1)) else { return };
    let Some(bytes) = files.get(path) else {
        stream
            .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .unwrap();
        return;
    };
    let range = head.iter().find_map(|line| {
        line.to_ascii_lowercase().strip_prefix("range: bytes=").map(str::to_owned)
    });
    let total = bytes.len();
    let (status, part, more) = match range {
        None => ("200 OK", &bytes[..], String::new()),
        Some(range) => {
            asked.lock().unwrap().push(range.clone());
            let (first, last) = range.split_once('-').unwrap();
            let first: usize = first.parse().unwrap();
            let last = last.parse().unwrap_or(total - 1).min(total - 1);
            if first >= total {
                let status = "HTTP/1.1 416 Range Not Satisfiable";
                let rest = "Content-Length: 0\r\nConnection: close\r\n\r\n";
                stream.write_all(format!("{status}\r\n{rest}").as_bytes()).unwrap();
                return;
            }
            let more = format!("Content-Range: bytes {first}-{last}/{total}\r\n");
            ("206 Partial Content", &bytes[first..=last], more)
        }
    };
    let length = part.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{more}Accept-Ranges: bytes\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(part).unwrap();
}

/// Two traces in a native file, and in a miniSEED file, with their documents.
fn served(folder: &std::path::Path) -> (Server, Vec<Document>, Waveforms) {
    let (database, waveforms) = memory();
    let mut documents = Vec::new();
    for (name, form) in [("native", FileForm::Native), ("mseed", FileForm::MiniSeed)] {
        for _ in 0..2 {
            let storage = Storage::File { dir: folder.into(), dfile: Some(name.into()), form };
            let options = SaveOptions { storage, ..SaveOptions::default() };
            let id = saved(waveforms.save(&mut trace(), &options).unwrap());
            documents.push(waveforms.find(id).unwrap().unwrap());
        }
    }
    let files = ["native", "mseed"]
        .map(|name| (format!("/data/{name}"), std::fs::read(folder.join(name)).unwrap()));
    let server = Server::start(files.into_iter().collect());
    for document in &mut documents {
        let name = document.get_str("dfile").unwrap().to_owned();
        document.insert("storage_mode", "url");
        document.insert("url", format!("{}/data/{name}", server.address));
    }
    assert_eq!(database.blobs.ids().unwrap().len(), 0);
    (server, documents, waveforms)
}

#[test]
fn a_waveform_by_address_costs_only_its_own_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (server, documents, waveforms) = served(folder.path());
    for document in &documents {
        let read: TimeSeries = waveforms.read_document(document, &ReadOptions::default()).unwrap();
        assert_eq!(read.life, Life::Live, "{:?}", read.log);
        assert_eq!(read.samples, trace().samples);
    }
    let ranges = server.ranges.lock().unwrap().clone();
    assert_eq!(ranges[..2], ["0-7999", "8000-15999"]);
    assert_eq!(ranges.len(), 4);
}

#[test]
fn an_address_that_gives_nothing_is_an_abortion_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let (server, documents, waveforms) = served(folder.path());
    let reason = |key: &str, value: bson::Bson| {
        let mut document = documents[0].clone();
        document.insert(key, value);
        let read: TimeSeries = waveforms.read_document(&document, &ReadOptions::default()).unwrap();
        assert_eq!(read.life, Life::Aborted);
        read.log.entries()[0].message.clone()
    };
    let absent = format!("{}/data/absent", server.address);
    let message = reason("url", absent.clone().into());
    assert!(message.contains(&absent) && message.contains("not there"), "{message}");
    assert!(reason("url", "gopher://host/x".into()).contains("register one"));
    assert!(reason("url", "nonsense".into()).contains("no address"));
    assert!(reason("foff", 1_000_000.into()).contains("ends before"));
    assert!(reason("npts", 5000.into()).contains("npts is 5000"));
}

#[test]
fn a_server_that_is_gone_is_no_fault_of_the_datum() {
    let folder = tempfile::tempdir().unwrap();
    let (_, documents, waveforms) = served(folder.path());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut document = documents[0].clone();
    document.insert("url", format!("http://{port}/data/native"));
    let read = waveforms.read_document::<TimeSeries>(&document, &ReadOptions::default());
    let message = read.unwrap_err().to_string();
    assert!(message.contains("/data/native"), "{message}");
}

#[test]
fn object_stores_hold_samples_through_the_same_handle() {
    let (database, waveforms) = memory();
    let objects = Objects::default();
    objects.register("memory://bucket", Arc::new(InMemory::new())).unwrap();
    let waveforms = waveforms.with_objects(objects);
    let folder = tempfile::tempdir().unwrap();
    let local = format!("file://{}/a b", folder.path().display()).replace(' ', "%20");
    for url in ["memory://bucket/waveforms", &local] {
        for form in [FileForm::Native, FileForm::MiniSeed] {
            let storage = Storage::Object { url: url.to_owned(), form };
            let options = SaveOptions { storage, ..SaveOptions::default() };
            let id = saved(waveforms.save(&mut trace(), &options).unwrap());
            let read: TimeSeries = waveforms.read(id, &ReadOptions::default()).unwrap();
            assert_eq!(read.samples, trace().samples, "{url} {form:?}: {:?}", read.log);
            assert_eq!(one(&database, "wf_TimeSeries").get_str("storage_mode").ok(), Some("url"));
            assert!(waveforms.delete("wf_TimeSeries", id, true).unwrap());
            assert_eq!(std::fs::read_dir(folder.path().join("a b")).map_or(0, Iterator::count), 0);
        }
    }
    let storage = Storage::Object { url: local, form: FileForm::Native };
    let options = SaveOptions { storage, ..SaveOptions::default() };
    let id = saved(waveforms.save(&mut seismogram(), &options).unwrap());
    let read: Seismogram = waveforms.read(id, &ReadOptions::default()).unwrap();
    assert_eq!(read.components(), seismogram().components());
}
