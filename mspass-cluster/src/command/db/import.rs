//! `mspass db import`: files become a database.

mod xml;

use std::io::Write;
use std::path::PathBuf;

use mspass_io::dump::{CollectionImport, ImportOptions, ImportReport, Progress, check};
use mspass_io::store::DatabaseName;
use serde_json::{Value, json};

use super::super::failure::Failure;
use super::super::table::Table;
use super::super::{DATABASE, DONE, FAILED, database};
use crate::frontend::quantity::{count, counted};

const AFTER_HELP: &str = "\
FOLDER holds a file a collection: NAME.bson, as mongodump writes it, or NAME.json, extended JSON
(legacy or current), one document a line or an array. Where there are .bson files, .json files
beside them are passed over, indexes in NAME.metadata.json excepted. Samples are in fs.files and
fs.chunks.

In place of a folder, StationXML and QuakeML files may be named: their stations go to site and
channel, their events to source; `mspass db normalize` then finds those of each waveform.

All files are checked before anything is written. A document that is there already, by its _id, is
not written again: an import that was interrupted is completed by the same command.

Examples:
  mspass db import dump/quakes --db embedded:work/db
  mspass db import dump/quakes --db embedded:work/db --dir /scratch/wf=/data/wf
  mspass db import stations.xml events.xml --db embedded:work/db
  mspass db import sites --db mongodb://localhost:27017/quakes --collection site channel

Exit codes: 0 done; 1 failed, or documents are there with other content; 2 bad input.";

/// Load a folder of .bson or extended JSON files, or StationXML and QuakeML, into a database
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in super::super) struct Arguments {
    /// Folder of a dump, or StationXML and QuakeML files
    #[arg(required = true, value_name = "FOLDER|FILE")]
    paths: Vec<PathBuf>,

    #[arg(long, help = format!("{DATABASE}; an embedded one is made if there is none"))]
    db: String,

    /// Import these collections only, fs.files for the samples [default: all]
    #[arg(long = "collection", value_name = "NAME", num_args = 1..)]
    collections: Vec<String>,

    /// A folder of waveform files that is elsewhere now: documents get the new dir
    #[arg(long = "dir", value_name = "OLD=NEW")]
    moved: Vec<String>,

    /// Replace documents and samples that are there with other content
    #[arg(long)]
    replace: bool,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Failure> {
    let name = database::parse(&arguments.db)?;
    let options = ImportOptions {
        collections: arguments.collections.clone(),
        replace: arguments.replace,
        moved: moved(&arguments.moved)?,
    };
    let [folder] = arguments.paths.as_slice() else {
        return run_xml(arguments, &name, out);
    };
    if folder.is_file() {
        return run_xml(arguments, &name, out);
    }
    std::fs::read_dir(folder).map_err(|error| {
        let path = folder.display();
        Failure::bad_input(format!("cannot read {path}: {error}; name the folder of a dump"))
    })?;
    let bar = super::bar();
    let mut show = |progress: &Progress| super::show(&bar, progress);
    let report = check(folder, &options, &mut show).map_err(Failure::from).and_then(|checked| {
        // No database is made for what cannot be imported.
        let database = database::open_or_create(&name)?;
        Ok(checked.import(&database, &mut show)?)
    });
    bar.finish_and_clear();
    let report = report?;
    match arguments.json {
        true => writeln!(out, "{}", to_json(&report))?,
        false => print(&report, out)?,
    }
    Ok(if report.kept() > 0 { FAILED } else { DONE })
}

fn run_xml(arguments: &Arguments, name: &DatabaseName, out: &mut dyn Write) -> Result<u8, Failure> {
    let given = [
        ("--collection", !arguments.collections.is_empty()),
        ("--dir", !arguments.moved.is_empty()),
        ("--replace", arguments.replace),
    ];
    if let Some((option, _)) = given.iter().find(|(_, given)| *given) {
        let reason = format!("{option} is nothing to XML files: it belongs to a dump's folder");
        return Err(Failure::bad_input(reason));
    }
    let files = xml::read(&arguments.paths)?;
    let database = database::open_or_create(name)?;
    xml::save(&database, &files, arguments.json, out)?;
    Ok(DONE)
}

fn moved(texts: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let split = |text: &String| {
        let (old, new) = text.split_once('=').filter(|(old, _)| !old.is_empty())?;
        let trim = |path: &str| path.trim_end_matches('/').to_owned();
        Some((trim(old), trim(new)))
    };
    let refused = |text: &String| Failure::bad_input(format!("--dir {text}: write OLD=NEW"));
    texts.iter().map(|text| split(text).ok_or_else(|| refused(text))).collect()
}

fn print(report: &ImportReport, out: &mut dyn Write) -> Result<(), Failure> {
    let heads = ["collection", "in file", "new", "already there", "replaced", "differ"];
    let mut table = Table::new(heads, [1, 2, 3, 4, 5]);
    for c in &report.collections {
        let numbers = [c.found, c.new, c.present, c.replaced, c.kept].map(count);
        let [found, new, present, replaced, kept] = numbers;
        table.push([c.name.clone(), found, new, present, replaced, kept]);
    }
    table.print(out)?;
    if report.indexes > 0 {
        writeln!(out, "{}", counted(report.indexes, "index", "indexes"))?;
    }
    if report.orphans > 0 {
        let chunks = counted(report.orphans, "chunk", "chunks");
        writeln!(out, "{chunks} of samples that fs.files does not name: not imported")?;
    }
    if !report.passed_over.is_empty() {
        writeln!(out, "passed over: {}", report.passed_over.join(", "))?;
    }
    for CollectionImport { name, kept, first_kept, .. } in &report.collections {
        if let Some(first) = first_kept {
            writeln!(
                out,
                "{name}: {} there with other content, the first {first}; left as they are \
                 (--replace writes those of the files)",
                counted(*kept, "is", "are"),
            )?;
        }
    }
    Ok(())
}

fn to_json(report: &ImportReport) -> Value {
    let collection = |c: &CollectionImport| {
        json!({
            "name": c.name, "found": c.found, "new": c.new, "present": c.present,
            "replaced": c.replaced, "differing": c.kept, "first_differing": c.first_kept,
        })
    };
    json!({
        "collections": report.collections.iter().map(collection).collect::<Vec<_>>(),
        "indexes": report.indexes,
        "orphan_chunks": report.orphans,
        "passed_over": report.passed_over,
    })
}
