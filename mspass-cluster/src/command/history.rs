//! `mspass history`: what a saved waveform was made of, and how.

use std::io::Write;

use bson::Document;
use bson::oid::ObjectId;
use mspass_core::UtcTime;
use mspass_io::db::provenance::{Made, Provenance, TraceLimits, provenance};
use serde_json::{Value, json};

use super::failure::Failure;
use super::{DATABASE, DONE, database};

const AFTER_HELP: &str = "\
The steps stand in order with all their parameters, then what the waveform was made of; inputs that
a job made are told in the same way, back to the runs of the archive.

Examples:
  mspass find wf_TimeSeries --db embedded:work/db --limit 1     prints an _id
  mspass history 6f2a5d0c9b8e7f6a5b4c3d2e --db embedded:work/db

Exit codes: 0 done; 1 failed; 2 bad input: no such waveform, or none with a history.";

/// Print what a saved waveform was made of and how, back to the archive
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// The _id of a saved waveform, 24 hexadecimal digits
    id: String,

    #[arg(long, help = DATABASE)]
    db: String,

    /// Inputs shown of each waveform; the others are counted
    #[arg(long, value_name = "N", default_value_t = 20)]
    inputs: usize,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Failure> {
    let id = parse_id(&arguments.id)?;
    let database = database::open(&database::parse(&arguments.db)?)?;
    let limits = TraceLimits::default().inputs_max(arguments.inputs);
    let found = provenance(&database, id, &limits)?;
    if arguments.json {
        writeln!(out, "{}", to_json(&found))?;
    } else {
        write_datum(out, &found, 0)?;
    }
    Ok(DONE)
}

pub(super) fn parse_id(text: &str) -> Result<ObjectId, Failure> {
    ObjectId::parse_str(text).map_err(|_| {
        Failure::bad_input(format!("'{text}' is no _id, which has 24 hexadecimal digits"))
    })
}

fn write_datum(out: &mut dyn Write, datum: &Provenance, depth: usize) -> Result<(), Failure> {
    let indent = "    ".repeat(depth);
    let Some(collection) = &datum.collection else {
        writeln!(out, "{indent}{}: no document has this _id", datum.id)?;
        return Ok(());
    };
    writeln!(out, "{indent}{collection} {}: {}", datum.id, what_of(&datum.document))?;
    if let Some(place) = place_of(&datum.document) {
        writeln!(out, "{indent}  {place}")?;
    }
    let Some(made) = &datum.made else { return Ok(()) };
    write_made(out, made, &indent)?;
    made.inputs.iter().try_for_each(|input| write_datum(out, input, depth + 1))?;
    if made.left_out > 0 {
        writeln!(out, "{indent}    and {} more that are not shown", made.left_out)?;
    }
    Ok(())
}

fn write_made(out: &mut dyn Write, made: &Made, indent: &str) -> Result<(), Failure> {
    let Made { job, saved_by, output, .. } = made;
    write!(out, "{indent}  job '{job}'")?;
    if !saved_by.is_empty() {
        write!(out, ", saved by its step {saved_by}")?;
    }
    if let Some(program) = &made.program {
        write!(out, ", program {program}")?;
    }
    if let Some(build) = &made.build {
        write!(out, ", build {build}")?;
    }
    writeln!(out)?;
    for (number, (step, parameters)) in (1..).zip(&made.steps) {
        match parameters.as_str() {
            "" | "null" | "{}" => writeln!(out, "{indent}  {number}. {step}")?,
            parameters => writeln!(out, "{indent}  {number}. {step} {parameters}")?,
        }
    }
    let inputs = made.inputs.len() as u64 + made.left_out;
    let plural = if inputs == 1 { "" } else { "s" };
    writeln!(out, "{indent}  output {output} of {inputs} input{plural}:")?;
    Ok(())
}

/// A whole number, whichever integer type holds it.
fn whole(document: &Document, key: &str) -> Option<i64> {
    document.get_i64(key).or_else(|_| document.get_i32(key).map(i64::from)).ok()
}

/// Channel, time span and samples, as far as a document says them.
fn what_of(document: &Document) -> String {
    let codes = ["net", "sta", "loc", "chan"].map(|key| document.get_str(key).unwrap_or_default());
    let mut text = codes.join(".");
    let (npts, rate) = (whole(document, "npts"), document.get_f64("sampling_rate").ok());
    let start = match whole(document, "starttime_ns") {
        Some(nanos) => Some(UtcTime::from_nanos(nanos)),
        None => document.get_f64("starttime").ok().map(UtcTime::from_seconds),
    };
    if let (Some(start), Some(npts), Some(rate)) = (start, npts, rate) {
        let end = start.plus_seconds((npts - 1).max(0) as f64 / rate);
        text.push_str(&format!(", {start} to {end}, {npts} samples at {rate} Hz"));
    }
    text
}

/// Where in the archive a run is.
fn place_of(document: &Document) -> Option<String> {
    let (dir, file) = (document.get_str("dir").ok()?, document.get_str("dfile").ok()?);
    let (foff, nbytes) = (whole(document, "foff")?, whole(document, "nbytes"));
    let nbytes = nbytes.map_or_else(String::new, |nbytes| format!(", {nbytes} bytes"));
    Some(format!("file {dir}/{file} from byte {foff}{nbytes}"))
}

fn to_json(datum: &Provenance) -> Value {
    let document = bson::Bson::Document(datum.document.clone()).into_relaxed_extjson();
    let made = datum.made.as_ref().map(|made| {
        let steps = made.steps.iter().map(|(step, parameters)| {
            let parameters = serde_json::from_str(parameters).unwrap_or_else(|_| json!(parameters));
            json!({ "step": step, "parameters": parameters })
        });
        json!({
            "job": made.job,
            "saved_by": made.saved_by,
            "program": made.program,
            "build": made.build,
            "output": made.output,
            "steps": steps.collect::<Vec<Value>>(),
            "inputs": made.inputs.iter().map(to_json).collect::<Vec<Value>>(),
            "left_out": made.left_out,
        })
    });
    json!({
        "id": datum.id.to_hex(),
        "collection": datum.collection,
        "document": document,
        "made": made,
    })
}
