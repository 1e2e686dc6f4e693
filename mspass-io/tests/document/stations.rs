//! StationXML.

use std::path::Path;

use mspass_core::UtcTime;
use mspass_core::inventory::{Channel, Filter, Network, Response, Stage, Station, Units};
use mspass_io::format::stationxml;
use serde_json::Value;

use super::{At, ensure, list};

pub(crate) fn check(path: &Path, due: &Value) -> Result<(), String> {
    let reading = stationxml::read_file(path);
    if due["valid"] == false {
        return ensure(reading.is_err(), || "an error is due".to_owned());
    }
    let reading = reading.map_err(|error| error.to_string())?;
    At { due, place: String::new() }.text("version", reading.version.as_deref())?;
    let inventory = &reading.inventory;
    let counts = At { due: &due["counts"], place: String::new() };
    counts.count("networks", inventory.networks.len())?;
    counts.count("stations", inventory.networks.iter().map(|n| n.stations.len()).sum())?;
    let mut channels: Vec<_> = inventory.channels().collect();
    counts.count("channels", channels.len())?;
    let responses = channels.iter().filter(|(_, _, channel)| channel.response.is_some()).count();
    counts.count("channels_with_response", responses)?;
    channels.sort_by_key(|(n, s, c)| {
        let start = c.epoch.start.map_or(0, UtcTime::nanos);
        (n.code.clone(), s.code.clone(), c.location.clone(), c.code.clone(), start)
    });
    for (due, found) in list(due, "channels", channels.len())?.iter().zip(channels) {
        check_channel(due, found)?;
    }
    let again = stationxml::read(stationxml::write(inventory).as_bytes());
    let again = again.map_err(|error| format!("what we write: {error}"))?;
    ensure(again.inventory == *inventory, || "writing and reading changes it".to_owned())
}

fn check_channel(due: &Value, found: (&Network, &Station, &Channel)) -> Result<(), String> {
    let (network, station, channel) = found;
    let place = format!("{}.{}.{}", station.code, channel.location, channel.code);
    let at = At { due, place: place.clone() };
    at.text("network", Some(&network.code))?;
    at.text("station", Some(&station.code))?;
    at.text("location", Some(&channel.location))?;
    at.text("channel", Some(&channel.code))?;
    at.number("latitude", Some(channel.latitude))?;
    at.number("longitude", Some(channel.longitude))?;
    at.number("elevation_m", Some(channel.elevation))?;
    at.number("depth_m", Some(channel.depth))?;
    at.number("azimuth", channel.azimuth)?;
    at.number("dip", channel.dip)?;
    at.number("sample_rate", channel.sample_rate)?;
    at.time("start_ns", channel.epoch.start)?;
    at.time("end_ns", channel.epoch.end)?;
    let Some(response) = &channel.response else {
        return ensure(due.get("stage_count").is_none(), || format!("{place}: no response"));
    };
    check_response(due, response, &place)
}

fn name(units: &Option<Units>) -> Option<&str> {
    units.as_ref().map(|units| units.name.as_str())
}

fn check_response(due: &Value, response: &Response, place: &str) -> Result<(), String> {
    let whole = &due["sensitivity"];
    ensure(whole.is_object() == response.sensitivity.is_some(), || {
        format!("{place}: sensitivity {:?}", response.sensitivity)
    })?;
    if let Some(found) = &response.sensitivity {
        let at = At { due: whole, place: format!("{place} sensitivity") };
        at.number("value", found.value)?;
        at.number("frequency", found.frequency)?;
        at.text("input_units", name(&found.input_units))?;
        at.text("output_units", name(&found.output_units))?;
    }
    let whole = &due["polynomial"];
    ensure(whole.is_object() == response.polynomial.is_some(), || {
        format!("{place}: polynomial {:?}", response.polynomial)
    })?;
    if let Some(found) = &response.polynomial {
        let at = At { due: whole, place: format!("{place} polynomial") };
        at.text("input_units", name(&found.input_units))?;
        at.text("output_units", name(&found.output_units))?;
        let due = list(whole, "coefficients", found.coefficients.len())?;
        let same = due.iter().zip(&found.coefficients).all(|(due, found)| {
            due.as_f64().is_some_and(|due| (due - found).abs() <= 1e-9 * due.abs())
        });
        ensure(same, || format!("{place}: {:?}", found.coefficients))?;
    }
    let stages = list(due, "stages", response.stages.len())?;
    At { due, place: place.to_owned() }.count("stage_count", stages.len())?;
    let units = response.stage_units();
    for ((due, stage), units) in stages.iter().zip(&response.stages).zip(units) {
        check_stage(due, stage, units, &format!("{place} stage {}", stage.number))?;
    }
    Ok(())
}

fn check_stage(
    due: &Value,
    stage: &Stage,
    inferred: (Option<&str>, Option<&str>),
    place: &str,
) -> Result<(), String> {
    let at = At { due, place: place.to_owned() };
    at.whole("number", Some(stage.number))?;
    at.number("gain", stage.gain.and_then(|gain| gain.value))?;
    at.number("gain_frequency", stage.gain.and_then(|gain| gain.frequency))?;
    let units = [
        ("input_units", &stage.input_units, inferred.0),
        ("output_units", &stage.output_units, inferred.1),
    ];
    for (key, written, inferred) in units {
        // Where the document is silent, the reference infers some units; ours may infer more.
        let found = if due[key].is_null() { name(written) } else { inferred };
        at.text(key, found)?;
    }
    check_filter(&at, &stage.filter)?;
    let decimation = &due["decimation"];
    ensure(decimation.is_object() == stage.decimation.is_some(), || {
        format!("{place}: decimation {:?}", stage.decimation)
    })?;
    let Some(found) = stage.decimation else { return Ok(()) };
    let at = At { due: decimation, place: format!("{place} decimation") };
    at.number("input_rate", found.input_rate)?;
    at.whole("factor", found.factor)?;
    at.number("delay", found.delay)?;
    at.whole("offset", found.offset)?;
    at.number("correction", found.correction)
}

fn check_filter(at: &At, filter: &Filter) -> Result<(), String> {
    match filter {
        Filter::None => at.text("type", Some("none")),
        Filter::PolesZeros(found) => {
            at.text("type", Some("PAZ"))?;
            at.text("pz_type", Some(&found.kind))?;
            at.number("normalization_factor", Some(found.normalization_factor))?;
            at.number("normalization_frequency", found.normalization_frequency)?;
            at.count("poles_count", found.poles.len())?;
            at.count("zeros_count", found.zeros.len())
        }
        Filter::Coefficients(found) => {
            at.text("type", Some("coefficients"))?;
            at.text("cf_type", Some(&found.kind))?;
            at.count("numerator_count", found.numerator.len())?;
            at.count("denominator_count", found.denominator.len())
        }
        Filter::Fir(found) => {
            at.text("type", Some("FIR"))?;
            at.text("symmetry", Some(&found.symmetry))?;
            at.count("coefficients_count", found.coefficients.len())
        }
        Filter::List(found) => {
            at.text("type", Some("response list"))?;
            at.count("response_list_elements_count", found.elements.len())
        }
        Filter::Polynomial(found) => {
            at.text("type", Some("polynomial"))?;
            at.count("coefficients_count", found.coefficients.len())
        }
        _ => Err(format!("{}: a filter that the comparison does not know", at.place)),
    }
}
