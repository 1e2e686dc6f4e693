//! Events as QuakeML 1.2.

use mspass_core::event::{
    Amplitude, Arrival, Event, FocalMechanism, Magnitude, Origin, Pick, StationMagnitude,
    WaveformId,
};

use super::super::xml::{Writer, iso};
use super::NAMESPACES;

/// Public id of the list of events, which the standard demands and nobody refers to.
const LIST_ID: &str = "smi:local/events";

pub(super) fn document(events: &[Event]) -> String {
    let mut out = Writer::document();
    let namespace = |part: &str| Some(format!("{NAMESPACES}{part}/1.2"));
    out.open("q:quakeml", &[("xmlns:q", namespace("quakeml")), ("xmlns", namespace("bed"))]);
    out.open("eventParameters", &[("publicID", Some(LIST_ID.to_owned()))]);
    for each in events {
        event(&mut out, each);
    }
    out.finish()
}

fn open(out: &mut Writer, name: &'static str, id: &str) {
    out.open(name, &[("publicID", (!id.is_empty()).then(|| id.to_owned()))]);
}

/// A number in the `value` of an element.
fn quantity(out: &mut Writer, name: &'static str, number: Option<f64>) {
    if number.is_some() {
        out.open(name, &[]);
        out.number("value", number);
        out.close();
    }
}

fn creation(out: &mut Writer, agency: Option<&String>, author: Option<&String>) {
    if agency.is_some() || author.is_some() {
        out.open("creationInfo", &[]);
        out.maybe("agencyID", agency);
        out.maybe("author", author);
        out.close();
    }
}

fn event(out: &mut Writer, event: &Event) {
    open(out, "event", &event.id);
    out.maybe("preferredOriginID", event.preferred_origin_id.as_ref());
    out.maybe("preferredMagnitudeID", event.preferred_magnitude_id.as_ref());
    out.maybe("preferredFocalMechanismID", event.preferred_focal_mechanism_id.as_ref());
    out.maybe("type", event.kind.as_ref());
    out.maybe("typeCertainty", event.kind_certainty.as_ref());
    for description in &event.descriptions {
        out.open("description", &[]);
        out.text("text", &description.text);
        out.maybe("type", description.kind.as_ref());
        out.close();
    }
    event.focal_mechanisms.iter().for_each(|each| focal_mechanism(out, each));
    event.amplitudes.iter().for_each(|each| amplitude(out, each));
    event.magnitudes.iter().for_each(|each| magnitude(out, each));
    event.station_magnitudes.iter().for_each(|each| station_magnitude(out, each));
    event.origins.iter().for_each(|each| origin(out, each));
    event.picks.iter().for_each(|each| pick(out, each));
    out.close();
}

fn origin(out: &mut Writer, origin: &Origin) {
    open(out, "origin", &origin.id);
    if let Some(time) = origin.time {
        out.open("time", &[]);
        out.text("value", &iso(time));
        out.close();
    }
    quantity(out, "latitude", origin.latitude);
    quantity(out, "longitude", origin.longitude);
    quantity(out, "depth", origin.depth);
    out.maybe("depthType", origin.depth_kind.as_ref());
    out.maybe("evaluationMode", origin.evaluation_mode.as_ref());
    out.maybe("evaluationStatus", origin.evaluation_status.as_ref());
    creation(out, origin.agency.as_ref(), origin.author.as_ref());
    origin.arrivals.iter().for_each(|each| arrival(out, each));
    out.close();
}

fn arrival(out: &mut Writer, arrival: &Arrival) {
    open(out, "arrival", arrival.id.as_deref().unwrap_or_default());
    out.maybe("pickID", arrival.pick_id.as_ref());
    out.text("phase", &arrival.phase);
    out.number("azimuth", arrival.azimuth);
    out.number("distance", arrival.distance);
    quantity(out, "takeoffAngle", arrival.takeoff_angle);
    out.number("timeResidual", arrival.time_residual);
    out.number("timeWeight", arrival.time_weight);
    out.close();
}

fn magnitude(out: &mut Writer, magnitude: &Magnitude) {
    open(out, "magnitude", &magnitude.id);
    for each in &magnitude.contributions {
        out.open("stationMagnitudeContribution", &[]);
        out.text("stationMagnitudeID", &each.station_magnitude_id);
        out.number("weight", each.weight);
        out.number("residual", each.residual);
        out.close();
    }
    quantity(out, "mag", magnitude.value);
    out.maybe("type", magnitude.kind.as_ref());
    out.whole("stationCount", magnitude.station_count);
    out.maybe("originID", magnitude.origin_id.as_ref());
    creation(out, magnitude.agency.as_ref(), magnitude.author.as_ref());
    out.close();
}

fn station_magnitude(out: &mut Writer, magnitude: &StationMagnitude) {
    open(out, "stationMagnitude", &magnitude.id);
    out.maybe("originID", magnitude.origin_id.as_ref());
    quantity(out, "mag", magnitude.value);
    out.maybe("type", magnitude.kind.as_ref());
    out.maybe("amplitudeID", magnitude.amplitude_id.as_ref());
    waveform(out, magnitude.waveform.as_ref());
    out.close();
}

fn amplitude(out: &mut Writer, amplitude: &Amplitude) {
    open(out, "amplitude", &amplitude.id);
    quantity(out, "genericAmplitude", amplitude.value);
    out.maybe("type", amplitude.kind.as_ref());
    out.maybe("unit", amplitude.unit.as_ref());
    quantity(out, "period", amplitude.period);
    out.maybe("pickID", amplitude.pick_id.as_ref());
    waveform(out, amplitude.waveform.as_ref());
    out.close();
}

fn pick(out: &mut Writer, pick: &Pick) {
    open(out, "pick", &pick.id);
    if pick.time.is_some() || pick.uncertainty.is_some() {
        out.open("time", &[]);
        out.time("value", pick.time);
        out.number("uncertainty", pick.uncertainty);
        out.close();
    }
    waveform(out, pick.waveform.as_ref());
    out.maybe("onset", pick.onset.as_ref());
    out.maybe("phaseHint", pick.phase_hint.as_ref());
    out.maybe("polarity", pick.polarity.as_ref());
    out.maybe("evaluationMode", pick.evaluation_mode.as_ref());
    out.maybe("evaluationStatus", pick.evaluation_status.as_ref());
    out.close();
}

fn waveform(out: &mut Writer, waveform: Option<&WaveformId>) {
    let Some(waveform) = waveform else { return };
    let code = |text: &String| (!text.is_empty()).then(|| text.clone());
    let codes = [
        ("networkCode", code(&waveform.network)),
        ("stationCode", code(&waveform.station)),
        ("locationCode", waveform.location.clone()),
        ("channelCode", waveform.channel.clone()),
    ];
    out.text_with("waveformID", &codes, waveform.resource.as_deref().unwrap_or_default());
}

fn focal_mechanism(out: &mut Writer, mechanism: &FocalMechanism) {
    open(out, "focalMechanism", &mechanism.id);
    out.maybe("triggeringOriginID", mechanism.triggering_origin_id.as_ref());
    if mechanism.nodal_planes.iter().any(Option::is_some) {
        out.open("nodalPlanes", &[]);
        for (name, plane) in ["nodalPlane1", "nodalPlane2"].into_iter().zip(mechanism.nodal_planes)
        {
            if let Some(angles) = plane {
                out.open(name, &[]);
                for (name, angle) in ["strike", "dip", "rake"].into_iter().zip(angles) {
                    quantity(out, name, Some(angle));
                }
                out.close();
            }
        }
        out.close();
    }
    let FocalMechanism { scalar_moment, moment_tensor, derived_origin_id, .. } = mechanism;
    if scalar_moment.is_some() || moment_tensor.is_some() || derived_origin_id.is_some() {
        open(out, "momentTensor", &format!("{}/tensor", mechanism.id));
        out.maybe("derivedOriginID", derived_origin_id.as_ref());
        quantity(out, "scalarMoment", *scalar_moment);
        if let Some(parts) = moment_tensor {
            out.open("tensor", &[]);
            for (name, part) in ["Mrr", "Mtt", "Mpp", "Mrt", "Mrp", "Mtp"].into_iter().zip(parts) {
                quantity(out, name, Some(*part));
            }
            out.close();
        }
        out.close();
    }
    out.close();
}
