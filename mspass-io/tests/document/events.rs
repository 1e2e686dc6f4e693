//! QuakeML.

use std::path::Path;

use mspass_core::Event;
use mspass_io::format::quakeml;
use serde_json::Value;

use super::{At, ensure, list};

pub(crate) fn check(path: &Path, due: &Value) -> Result<(), String> {
    let reading = quakeml::read_file(path);
    if due["valid"] == false {
        return ensure(reading.is_err(), || "an error is due".to_owned());
    }
    let reading = reading.map_err(|error| error.to_string())?;
    At { due, place: String::new() }.text("version", reading.version.as_deref())?;
    let events = list(due, "events", reading.events.len())?;
    for (due, event) in events.iter().zip(&reading.events) {
        check_event(due, event)?;
    }
    let again = quakeml::read(quakeml::write(&reading.events).as_bytes());
    let again = again.map_err(|error| format!("what we write: {error}"))?;
    ensure(again.events == reading.events, || "writing and reading changes it".to_owned())
}

fn check_event(due: &Value, event: &Event) -> Result<(), String> {
    let at = At { due, place: event.id.clone() };
    at.text("id", Some(&event.id))?;
    at.text("type", event.kind.as_deref())?;
    at.text("preferred_origin_id", event.preferred_origin_id.as_deref())?;
    at.text("preferred_magnitude_id", event.preferred_magnitude_id.as_deref())?;
    let counts = At { due: &due["counts"], place: event.id.clone() };
    let arrivals: usize = event.origins.iter().map(|origin| origin.arrivals.len()).sum();
    counts.count("arrivals", arrivals)?;
    counts.count("origins", event.origins.len())?;
    counts.count("magnitudes", event.magnitudes.len())?;
    counts.count("picks", event.picks.len())?;
    counts.count("amplitudes", event.amplitudes.len())?;
    counts.count("focal_mechanisms", event.focal_mechanisms.len())?;
    counts.count("station_magnitudes", event.station_magnitudes.len())?;
    for (due, origin) in list(due, "origins", event.origins.len())?.iter().zip(&event.origins) {
        let at = At { due, place: origin.id.clone() };
        at.text("id", Some(&origin.id))?;
        at.time("time_ns", origin.time)?;
        at.number("latitude", origin.latitude)?;
        at.number("longitude", origin.longitude)?;
        at.number("depth_m", origin.depth)?;
    }
    let magnitudes = list(due, "magnitudes", event.magnitudes.len())?;
    for (due, magnitude) in magnitudes.iter().zip(&event.magnitudes) {
        let at = At { due, place: magnitude.id.clone() };
        at.number("mag", magnitude.value)?;
        at.text("type", magnitude.kind.as_deref())?;
        at.text("origin_id", magnitude.origin_id.as_deref())?;
    }
    for (due, pick) in list(due, "picks", event.picks.len())?.iter().zip(&event.picks) {
        let at = At { due, place: pick.id.clone() };
        at.text("id", Some(&pick.id))?;
        at.time("time_ns", pick.time)?;
        let waveform = pick.waveform.as_ref().map(ToString::to_string);
        at.text("waveform_id", waveform.as_deref())?;
        at.text("phase_hint", pick.phase_hint.as_deref())?;
    }
    let found = event.origins.iter().flat_map(|o| o.arrivals.iter().map(move |a| (o, a)));
    for (due, (origin, arrival)) in list(due, "arrivals", arrivals)?.iter().zip(found) {
        let at = At { due, place: format!("arrival of {}", origin.id) };
        at.text("origin_id", Some(&origin.id))?;
        at.text("pick_id", arrival.pick_id.as_deref())?;
        at.text("phase", Some(&arrival.phase))?;
        at.number("azimuth", arrival.azimuth)?;
        at.number("distance_deg", arrival.distance)?;
        at.number("time_residual", arrival.time_residual)?;
    }
    Ok(())
}
