//! One datum, and what MsPASS says of it.

use bson::{Bson, Document};
use mspass_core::Life;
use mspass_core::series::TimeStandard;
use mspass_io::db::{Waveform, metadata_document};
use serde_json::Value;

/// MsPASS's value for a gap in integers: never data.
const FILL: f64 = -2_147_483_648.0;

/// What of a datum is compared.
pub(crate) struct Seen {
    life: Life,
    npts: usize,
    dt: f64,
    t0: f64,
    standard: TimeStandard,
    pub(crate) components: Vec<Vec<f64>>,
    pub(crate) tmatrix: Option<[[f64; 3]; 3]>,
    /// Metadata and what fields say, by MsPASS's names.
    keys: Document,
    log: Vec<String>,
}

impl Seen {
    pub(crate) fn of<T: Waveform>(datum: &T, document: &Document) -> Self {
        let mut keys = metadata_document(datum.metadata());
        if datum.life() == Life::Live {
            keys.extend(datum.header());
        }
        keys.insert("is_abortion", datum.life() == Life::Aborted);
        // Names of the document, and of the place that it names; no matter of the datum.
        for key in ["_id", "storage_mode", "gridfs_id", "nbytes"] {
            if let (false, Some(value)) = (keys.contains_key(key), document.get(key)) {
                keys.insert(key, value.clone());
            }
        }
        let log = datum.log().entries().iter().map(|entry| entry.message.clone()).collect();
        let axis = datum.axis();
        let samples: Vec<f64> = datum.samples().to_vec();
        Self {
            life: datum.life(),
            npts: datum.npts(),
            dt: axis.delta(),
            t0: axis.start(),
            standard: axis.standard(),
            components: vec![samples],
            tmatrix: None,
            keys,
            log,
        }
    }
}

/// Compares by the rules of the folder's README.
pub(crate) fn check(seen: &Seen, due: &Value, files: &str) -> Result<(), String> {
    let fills = |samples: &Vec<f64>| samples.iter().any(|x| *x == FILL || x.is_nan());
    let log = due["elog"].to_string();
    if due.get("raises").is_some() || due["live"] == false {
        return sound_or_dead(seen);
    }
    if log.contains("gaps detected") {
        // MsPASS filled them; ours is dead with a reason, or one stretch without a fill value.
        return match seen.components.iter().any(fills) && seen.life == Life::Live {
            true => Err("a fill value is passed off as data".to_owned()),
            false => sound_or_dead(seen),
        };
    }
    if seen.life != Life::Live {
        return Err(format!("{:?} {:?}", seen.life, seen.log));
    }
    check_axis(seen, due)?;
    check_samples(seen, due)?;
    check_directions(seen, due)?;
    check_metadata(seen, due, files)
}

/// Dead or aborted with a reason, or sound.
fn sound_or_dead(seen: &Seen) -> Result<(), String> {
    let has_reason = seen.log.iter().any(|message| !message.is_empty());
    match seen.life {
        Life::Live if seen.components.iter().all(|c| c.len() == seen.npts && seen.npts > 0) => {
            Ok(())
        }
        Life::Live => Err("live, but its samples are not whole".to_owned()),
        _ if has_reason => Ok(()),
        life => Err(format!("{life:?} without a reason")),
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

fn check_axis(seen: &Seen, due: &Value) -> Result<(), String> {
    let npts = due["npts"].as_u64().unwrap_or_default();
    if seen.npts as u64 != npts {
        return Err(format!("{} samples, not {npts}", seen.npts));
    }
    let (dt, t0) = (number(&due["dt"]), number(&due["t0"]));
    if (seen.dt - dt).abs() > 1e-9 * dt {
        return Err(format!("dt is {}, not {dt}", seen.dt));
    }
    if (seen.t0 - t0).abs() > 1e-6 {
        return Err(format!("t0 is {}, not {t0}", seen.t0));
    }
    let (name, shift) = match seen.standard {
        TimeStandard::Relative { origin } => ("Relative", origin.map(|origin| origin.seconds())),
        _ => ("UTC", None),
    };
    if due["time_standard"] != name {
        return Err(format!("time standard {name}, not {}", due["time_standard"]));
    }
    match (shift, due["shift"].as_f64()) {
        (Some(shift), Some(due)) if (shift - due).abs() <= 1e-6 => Ok(()),
        (None, None) => Ok(()),
        (shift, due) => Err(format!("shift {shift:?}, not {due:?}")),
    }
}

fn check_samples(seen: &Seen, due: &Value) -> Result<(), String> {
    let empty = Vec::new();
    let components = due["components"].as_array().unwrap_or(&empty);
    if components.len() != seen.components.len() {
        return Err(format!("{} components, not {}", seen.components.len(), components.len()));
    }
    for (at, (samples, due)) in seen.components.iter().zip(components).enumerate() {
        let finite = || samples.iter().filter(|x| x.is_finite());
        let largest = finite().fold(0.0, |max: f64, x| max.max(x.abs()));
        let tolerance = 1e-9 * samples.len() as f64 * number(&due["abs_max"]).max(1e-300);
        if (finite().sum::<f64>() - number(&due["sum"])).abs() > tolerance
            || (largest - number(&due["abs_max"])).abs() > tolerance
        {
            return Err(format!("component {at}: sum or greatest magnitude differ"));
        }
        let not_finite = (samples.len() - finite().count()) as u64;
        if due["not_finite"] != not_finite {
            return Err(format!("component {at}: {not_finite} samples are not finite"));
        }
        let ends = |due: &Value| -> Vec<f64> {
            due.as_array().into_iter().flatten().map(number).collect()
        };
        let (first, last) = (ends(&due["first"]), ends(&due["last"]));
        let is_same =
            |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| a == b || a.is_nan() && b.is_nan());
        if first.len() > samples.len()
            || !is_same(&samples[..first.len()], &first)
            || !is_same(&samples[samples.len() - last.len()..], &last)
        {
            return Err(format!("component {at}: first or last samples differ"));
        }
    }
    Ok(())
}

fn check_directions(seen: &Seen, due: &Value) -> Result<(), String> {
    let Some(rows) = due["tmatrix"].as_array() else { return Ok(()) };
    let found = seen.tmatrix.ok_or("it has no tmatrix")?;
    for (i, row) in found.iter().enumerate() {
        for (j, value) in row.iter().enumerate() {
            let due = number(&rows[i][j]);
            if (value - due).abs() > 1e-12 {
                return Err(format!("tmatrix[{i}][{j}] is {value}, not {due}"));
            }
        }
    }
    Ok(())
}

/// Whether the rows are perpendicular to each other, whatever their lengths.
fn is_orthogonal(rows: &[[f64; 3]; 3]) -> bool {
    let dot = |a: &[f64; 3], b: &[f64; 3]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let [x, y, z] = rows;
    [(x, y), (y, z), (z, x)].iter().all(|(a, b)| dot(a, b).abs() <= 1e-6)
}

fn check_metadata(seen: &Seen, due: &Value, files: &str) -> Result<(), String> {
    for (key, due) in due["metadata"].as_object().into_iter().flatten() {
        let found = seen.keys.get(key);
        let same = match (found, due) {
            (_, Value::Array(_) | Value::Object(_)) => true,
            // MsPASS states false of every matrix that is not cardinal; here its rows decide.
            (Some(Bson::Boolean(true)), Value::Bool(false)) if key == "orthogonal" => {
                seen.tmatrix.as_ref().is_some_and(is_orthogonal)
            }
            (Some(Bson::Boolean(found)), Value::Bool(due)) => found == due,
            (Some(Bson::String(found)), Value::String(due)) => {
                *found == due.replace("@FILES@", files)
            }
            (Some(Bson::ObjectId(found)), Value::String(due)) => found.to_hex() == *due,
            (Some(Bson::Null), Value::Null) => true,
            (Some(found), Value::Number(_)) => {
                let found = match found {
                    Bson::Int32(found) => f64::from(*found),
                    Bson::Int64(found) => *found as f64,
                    Bson::Double(found) => *found,
                    _ => f64::NAN,
                };
                let due = number(due);
                // The ends of the time axis are times, as t0 is.
                let is_time = ["starttime", "endtime"].contains(&key.as_str());
                let tolerance = if is_time { 1e-6 } else { 0.0 };
                (found - due).abs() <= f64::max(tolerance, 1e-9 * due.abs())
            }
            _ => false,
        };
        if !same {
            return Err(format!("{key} is {found:?}, not {due}"));
        }
    }
    Ok(())
}
