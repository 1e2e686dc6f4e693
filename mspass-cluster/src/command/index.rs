//! `mspass index`: a folder of waveform files becomes documents.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use bson::{Bson, Document, doc};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mspass_actors::clock;
use mspass_io::archive::{IndexOptions, IndexProgress, ScanOptions, index};
use mspass_io::db::collection::ARCHIVE_FILE;
use mspass_io::store::{Aggregate, Database, Find};
use serde_json::json;

use super::failure::Failure;
use super::{DATABASE, DONE, database};
use crate::desktop::THREADS_MAX;
use crate::frontend::quantity::{bytes, count, counted, duration};

/// Files without waveforms named one by one; further ones are only counted.
const BARREN_MAX: u64 = 20;

const AFTER_HELP: &str = "\
Every run of miniSEED records of one channel becomes a document of wf_miniseed, every file one of
archive_file. Only the headers of records are read. A file is read again only when its size or time
of modification changed, so indexing again is quick and adds what is new. A job over the archive
starts with the same index.

Examples:
  mspass index /data/sds --db embedded:work/db
  mspass index /data/sds --db mongodb://localhost:27017/quakes --name network-YA --threads 8
  mspass find archive_file --db embedded:work/db --filter '{\"error_count\": {\"$gt\": 0}}'

Exit codes: 0 done, also when some files give nothing; 1 failed; 2 bad input.";

/// Index a folder of miniSEED files (an SDS tree or any other) into a database
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// Folder of the files
    archive: PathBuf,

    #[arg(long, help = format!("{DATABASE}; an embedded one is made if there is none"))]
    db: String,

    /// Name of the archive in the database; one name has one root
    #[arg(long, default_value = "", hide_default_value = true)]
    name: String,

    /// Threads that read; 0 means one for each core
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Failure> {
    let began = clock::now();
    let name = database::parse(&arguments.db)?;
    refuse_no_folder(arguments)?;
    let database = database::open_or_create(&name)?;
    let options = IndexOptions {
        root: arguments.archive.clone(),
        name: arguments.name.clone(),
        exclude: match &name {
            mspass_io::store::DatabaseName::Embedded(path) => Some(path.clone()),
            _ => None,
        },
        threads: match arguments.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads.min(THREADS_MAX),
        },
        scan: ScanOptions::default(),
    };
    let known_before = files_known(&database, &arguments.name)?;
    let bar = bar();
    let indexed = index(&database, &options, &mut |progress| show(&bar, progress));
    bar.finish_and_clear();
    let indexed = indexed?;
    let summary = Summary {
        indexed,
        new: files_known(&database, &arguments.name)?.saturating_sub(known_before),
        runs: runs_known(&database, &arguments.name)?,
        barren: Barren::of(&database, &arguments.name)?,
        seconds: began.elapsed().as_secs_f64(),
    };
    if arguments.json {
        summary.print_json(out)?
    } else {
        summary.print(out)?
    }
    Ok(DONE)
}

/// Before a database is made for nothing.
fn refuse_no_folder(arguments: &Arguments) -> Result<(), Failure> {
    std::fs::read_dir(&arguments.archive).map(drop).map_err(|error| {
        let path = arguments.archive.display();
        Failure::bad_input(format!(
            "cannot read the archive {path}: {error}; name a folder of miniSEED files"
        ))
    })
}

fn bar() -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(Some(0), target);
    let template = "indexing [{bar:30}] {pos} of {len} files  {msg}  eta {eta}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

fn show(bar: &ProgressBar, progress: &IndexProgress) {
    bar.set_length(progress.files);
    bar.set_position(progress.unchanged + progress.scanned);
    bar.set_message(format!("{} runs", count(progress.runs)));
}

fn files_known(database: &Database, archive: &str) -> Result<u64, Failure> {
    Ok(database.documents.count(ARCHIVE_FILE, &doc! { "archive": archive })?)
}

/// Runs of all files of the archive, also of those that were known before.
fn runs_known(database: &Database, archive: &str) -> Result<u64, Failure> {
    let sum = [("runs", Aggregate::Sum, "runs")];
    let filter = doc! { "archive": archive };
    let groups = database.documents.group(ARCHIVE_FILE, &filter, &["archive"], &sum)?;
    let runs = groups.first().and_then(|group| group.get("runs"));
    Ok(match runs {
        Some(Bson::Int32(runs)) => u64::try_from(*runs).unwrap_or(0),
        Some(Bson::Int64(runs)) => u64::try_from(*runs).unwrap_or(0),
        Some(Bson::Double(runs)) => *runs as u64,
        _ => 0,
    })
}

/// Files of the archive that give no waveforms.
struct Barren {
    count: u64,
    /// The first of them by path, with the reason.
    named: Vec<(String, String)>,
}

impl Barren {
    fn of(database: &Database, archive: &str) -> Result<Self, Failure> {
        let filter = doc! { "archive": archive, "runs": 0 };
        let count = database.documents.count(ARCHIVE_FILE, &filter)?;
        let keys = doc! { "path": 1, "errors": 1 };
        let find = Find::filter(filter).sort(doc! { "path": 1 }).projection(keys).limit(BARREN_MAX);
        let mut named = Vec::new();
        for file in database.documents.find(ARCHIVE_FILE, &find)? {
            let file = file?;
            let path = file.get_str("path").unwrap_or_default().to_owned();
            named.push((path, first_reason(&file)));
        }
        Ok(Self { count, named })
    }
}

fn first_reason(file: &Document) -> String {
    let errors = file.get_array("errors").ok();
    let first = errors.and_then(|errors| errors.first()?.as_document()?.get_str("reason").ok());
    first.unwrap_or("no waveforms in it").to_owned()
}

struct Summary {
    indexed: IndexProgress,
    new: u64,
    runs: u64,
    barren: Barren,
    seconds: f64,
}

impl Summary {
    fn print(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let Self { indexed, new, runs, barren, seconds } = self;
        if barren.count > 0 {
            writeln!(out, "{} without waveforms:", counted(barren.count, "file", "files"))?;
            for (path, reason) in &barren.named {
                writeln!(out, "  {path}: {reason}")?;
            }
            let unnamed = barren.count - barren.named.len() as u64;
            if unnamed > 0 {
                writeln!(out, "  and {} more", count(unnamed))?;
            }
        }
        writeln!(
            out,
            "{}: {} new, {} changed, {} unchanged; {} of records; {} read of {} in {}",
            counted(indexed.files, "file", "files"),
            count(*new),
            count(indexed.changed),
            count(indexed.unchanged),
            counted(*runs, "run", "runs"),
            bytes(indexed.bytes_read),
            bytes(indexed.bytes),
            duration(*seconds),
        )?;
        Ok(())
    }

    fn print_json(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let named = self.barren.named.iter();
        let named: Vec<_> =
            named.map(|(path, reason)| json!({ "file": path, "reason": reason })).collect();
        let line = json!({
            "files": self.indexed.files,
            "new": self.new,
            "changed": self.indexed.changed,
            "unchanged": self.indexed.unchanged,
            "runs": self.runs,
            "without_waveforms": self.barren.count,
            "without_waveforms_named": named,
            "bytes": self.indexed.bytes,
            "bytes_read": self.indexed.bytes_read,
            "seconds": self.seconds,
        });
        writeln!(out, "{line}")?;
        Ok(())
    }
}
