//! Our half of `benches/read_with_mspass.sh`, in which a real MsPASS reads a database of ours.
//!
//! `--write FOLDER` starts a mongod in `FOLDER/mongod`, writes the database `ours` into it with
//! waveform files in `FOLDER/files`, and says in `FOLDER/written.json` and `written.samples` what
//! a reader should find. Then it prints `ready` and answers commands, one a line:
//!
//! - `uri NAME`: the address of the database NAME;
//! - `see NAME FILE`: writes what we ourselves read from the waveforms of NAME into `FILE.json` and
//!   `FILE.samples`, and prints how many there are.
//!
//! It ends when its input does.
//!
//! ```sh
//! benches/read_with_mspass.sh --python VENV/bin/python
//! ```

mod entry;
mod inventory;
mod write;

use std::io::BufRead;
use std::path::{Path, PathBuf};

use entry::Entries;
use mspass_core::TimeSeries;
use mspass_core::series::Seismogram;
use mspass_io::Result;
use mspass_io::db::collection::{WF_MINISEED, WF_SEISMOGRAM, WF_TIME_SERIES};
use mspass_io::db::{ReadOptions, Waveform, Waveforms};
use mspass_io::store::mongo::{MongoOptions, MongoStore, MongodOptions, MongodServer};
use mspass_io::store::{Database, Find};

/// The database that is written.
const OURS: &str = "ours";

fn open(server: &MongodServer, name: &str) -> Result<Database> {
    Ok(MongoStore::open(&server.uri(name), &MongoOptions::default())?.database())
}

/// What we read from every waveform document of a database.
fn see(database: &Database) -> Result<Entries> {
    let mut entries = Entries::default();
    see_collection::<TimeSeries>(database, WF_TIME_SERIES, &mut entries)?;
    see_collection::<TimeSeries>(database, WF_MINISEED, &mut entries)?;
    see_collection::<Seismogram>(database, WF_SEISMOGRAM, &mut entries)?;
    Ok(entries)
}

fn see_collection<T: Waveform>(
    database: &Database,
    collection: &str,
    entries: &mut Entries,
) -> Result<()> {
    let waveforms = Waveforms::new(database);
    let options = ReadOptions::default().collection(collection);
    for document in database.documents.find(collection, &Find::default())? {
        let document = document?;
        let datum: T = waveforms.read_document(&document, &options)?;
        let Ok(id) = document.get_object_id("_id") else { continue };
        entries.add(collection, id, &datum);
    }
    Ok(())
}

fn answer(server: &MongodServer, command: &str) -> Result<String> {
    match command.split_whitespace().collect::<Vec<_>>()[..] {
        ["uri", name] => Ok(server.uri(name)),
        ["see", name, file] => {
            let entries = see(&open(server, name)?)?;
            entries.store(Path::new(file))?;
            Ok(entries.len().to_string())
        }
        _ => panic!("what is {command}?"),
    }
}

fn run(folder: &Path) -> Result<()> {
    let server = MongodServer::start(&folder.join("mongod"), &MongodOptions::default())?;
    let store = MongoStore::open(&server.uri(OURS), &MongoOptions::default())?;
    store.drop_database()?;
    let database = store.database();
    let written = write::write(&database, &folder.join("files"))?;
    inventory::write(&database)?;
    written.store(&folder.join("written"))?;
    println!("ready");
    for line in std::io::stdin().lock().lines().map_while(std::io::Result::ok) {
        println!("{}", answer(&server, &line)?);
    }
    drop((database, store));
    server.stop()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(at) = arguments.iter().position(|argument| argument == "--write") else {
        println!("run benches/read_with_mspass.sh");
        return;
    };
    let folder = PathBuf::from(arguments.get(at + 1).expect("--write FOLDER"));
    if let Err(error) = run(&folder) {
        eprintln!("{error}");
        std::process::exit(1);
    }
}
