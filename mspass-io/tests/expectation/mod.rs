//! Compares what is read from a file with an entry of `expected.json`, by the rules of the README
//! beside the data: traces as a multiset; ids and npts exact; start within 1 us (SAC 1 ms); rate
//! 1e-9 relative; integers exact, floats 1e-6; sums within 1e-9 of npts times the largest value.

use std::path::Path;

use mspass_io::format::{self, Format, SampleType, Samples, Trace};
use serde_json::Value;

/// The first difference, as text.
pub(crate) fn check(path: &Path, due: &Value) -> Result<(), String> {
    let contents = format::read_file(path);
    if let Some(error) = due["error"].as_str() {
        return match contents {
            Ok(contents) if contents.errors.is_empty() => {
                Err(format!("{error} is due, nothing was reported"))
            }
            _ => Ok(()),
        };
    }
    let mut contents = contents.map_err(|error| error.to_string())?;
    let traces = due["traces"].as_array().ok_or("no traces due")?;
    let due: Vec<&Value> = traces.iter().filter(|trace| trace["npts"] != 0).collect();
    if due.len() != contents.traces.len() {
        let found: Vec<String> = contents.traces.iter().map(|t| t.id.to_string()).collect();
        return Err(format!("{} traces due, found {found:?} {:?}", due.len(), contents.errors));
    }
    let start_tolerance = if contents.format == Format::MiniSeed { 1000 } else { 1_000_000 };
    for due in due {
        let mut reasons = Vec::new();
        let same = contents.traces.iter().position(|trace| {
            check_trace(due, trace, start_tolerance).map_err(|reason| reasons.push(reason)).is_ok()
        });
        match same {
            Some(index) => drop(contents.traces.remove(index)),
            None => return Err(format!("no trace {}: {reasons:?}", due["id"])),
        }
    }
    Ok(())
}

fn check_trace(due: &Value, trace: &Trace, start_tolerance: i64) -> Result<(), String> {
    let id = trace.id.to_string();
    ensure(due["id"] == id.as_str(), || format!("id {id}"))?;
    let npts = trace.samples.len();
    ensure(due["npts"] == npts, || format!("{npts} samples, due {}", due["npts"]))?;
    let start = due["starttime_ns"].as_i64().ok_or("no start due")?;
    let late = trace.starttime.nanos() - start;
    ensure(late.abs() <= start_tolerance, || format!("start {late} ns late"))?;
    if let Samples::Text(text) = &trace.samples {
        let text = String::from_utf8_lossy(text);
        return ensure(due["text"] == text.as_ref(), || {
            format!("text {text}, due {}", due["text"])
        });
    }
    let rate = due["sampling_rate"].as_f64().ok_or("no rate due")?;
    let found = trace.sampling_rate;
    ensure((found - rate).abs() <= 1e-9 * rate, || format!("rate {found}, due {rate}"))?;
    let dtype = due["dtype"].as_str().unwrap_or_default();
    let fits = match trace.samples.sample_type() {
        SampleType::Int => dtype == "int32",
        SampleType::Float => dtype.ends_with("f4") || dtype == "float32",
        SampleType::Double => dtype.ends_with("f8") || dtype == "float64",
        _ => false,
    };
    ensure(fits, || format!("{:?}, due {dtype}", trace.samples.sample_type()))?;
    check_samples(due, &trace.samples)
}

fn check_samples(due: &Value, samples: &Samples) -> Result<(), String> {
    let values = samples.to_f64();
    let exact = samples.sample_type() == SampleType::Int;
    let equal = |found: f64, due: &Value| match due.as_f64() {
        Some(due) if exact => found == due,
        Some(due) => (found - due).abs() <= 1e-6 * due.abs().max(1.0),
        None => !found.is_finite(),
    };
    for (place, from) in [("first", 0), ("last", values.len().saturating_sub(4))] {
        let ends = due[place].as_array().ok_or("no samples due")?;
        for (found, due) in values[from..].iter().zip(ends) {
            ensure(equal(*found, due), || format!("{place} sample {found}, due {due}"))?;
        }
    }
    let numbers = || values.iter().copied().filter(|x| !x.is_nan());
    let abs_max = numbers().fold(0.0, |max: f64, x| max.max(x.abs()));
    let sum: f64 = numbers().sum();
    let due_abs_max = due["abs_max"].as_f64().unwrap_or(0.0);
    let due_sum = due["sum"].as_f64().unwrap_or(0.0);
    let tolerance = 1e-9 * values.len() as f64 * due_abs_max;
    ensure((abs_max - due_abs_max).abs() <= tolerance, || {
        format!("abs_max {abs_max}, due {due_abs_max}")
    })?;
    ensure((sum - due_sum).abs() <= tolerance, || format!("sum {sum}, due {due_sum}"))
}

fn ensure(holds: bool, reason: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(reason()) }
}
