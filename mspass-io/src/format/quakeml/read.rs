//! Events and what they hold, from their elements.

use mspass_core::event::{
    Amplitude, Arrival, Contribution, Description, Event, FocalMechanism, Magnitude, Origin, Pick,
    StationMagnitude, WaveformId,
};

use super::super::xml::{Element, Pull, Remarks};
use super::{EventReading, words};
use crate::error::Result;

pub(super) fn document(mut pull: Pull, mut remarks: Remarks) -> Result<EventReading> {
    pull.root("quakeml")?;
    let version = pull.root_namespace().and_then(|name| name.rsplit('/').next());
    let version = version.map(str::to_owned);
    let mut events = Vec::new();
    while let Some(tag) = pull.next()? {
        if tag.name != "eventParameters" {
            pull.skip()?;
            continue;
        }
        while let Some(tag) = pull.next()? {
            if tag.name != "event" {
                pull.skip()?;
                continue;
            }
            let element = pull.tree(tag)?;
            events.extend(event(&element, &mut remarks));
        }
    }
    pull.finish()?;
    Ok(EventReading { events, version, remarks: remarks.into_list() })
}

fn event(element: &Element, remarks: &mut Remarks) -> Option<Event> {
    let mut event = Event {
        id: id_of(element, remarks)?,
        kind: element.word_of("type", &words::EVENT_TYPES, remarks),
        kind_certainty: element.word_of("typeCertainty", &words::CERTAINTIES, remarks),
        preferred_origin_id: element.text_of("preferredOriginID"),
        preferred_magnitude_id: element.text_of("preferredMagnitudeID"),
        preferred_focal_mechanism_id: element.text_of("preferredFocalMechanismID"),
        ..Event::default()
    };
    for child in &element.children {
        match child.name.as_str() {
            "description" => event.descriptions.push(Description {
                text: child.text_of("text").unwrap_or_default(),
                kind: child.text_of("type"),
            }),
            "origin" => event.origins.extend(origin(child, remarks)),
            "magnitude" => event.magnitudes.extend(magnitude(child, remarks)),
            "stationMagnitude" => {
                event.station_magnitudes.extend(station_magnitude(child, remarks));
            }
            "amplitude" => event.amplitudes.extend(amplitude(child, remarks)),
            "pick" => event.picks.extend(pick(child, remarks)),
            "focalMechanism" => event.focal_mechanisms.extend(focal_mechanism(child, remarks)),
            _ => {}
        }
    }
    Some(event)
}

/// The public id, empty where there is none; `None` for an element that holds nothing at all.
fn id_of(element: &Element, remarks: &mut Remarks) -> Option<String> {
    let id = element.attribute("publicID");
    if id.is_none() {
        let fate = if element.children.is_empty() { "left out" } else { "kept" };
        let name = &element.name;
        remarks.note(element.offset, || format!("{name} without a publicID; {fate}"));
    }
    (id.is_some() || !element.children.is_empty()).then(|| id.unwrap_or_default().to_owned())
}

/// The number in the `value` of a child.
fn quantity(element: &Element, name: &str, remarks: &mut Remarks) -> Option<f64> {
    element.child(name)?.number_of("value", remarks)
}

fn creation(element: &Element) -> (Option<String>, Option<String>) {
    let Some(creation) = element.child("creationInfo") else { return (None, None) };
    (creation.text_of("agencyID"), creation.text_of("author"))
}

fn origin(element: &Element, remarks: &mut Remarks) -> Option<Origin> {
    let (agency, author) = creation(element);
    Some(Origin {
        id: id_of(element, remarks)?,
        time: element.child("time").and_then(|time| time.time_of("value", remarks)),
        latitude: quantity(element, "latitude", remarks),
        longitude: quantity(element, "longitude", remarks),
        depth: quantity(element, "depth", remarks),
        depth_kind: element.word_of("depthType", &words::DEPTH_TYPES, remarks),
        evaluation_mode: element.word_of("evaluationMode", &words::MODES, remarks),
        evaluation_status: element.word_of("evaluationStatus", &words::STATUSES, remarks),
        agency,
        author,
        arrivals: element.all("arrival").map(|child| arrival(child, remarks)).collect(),
    })
}

fn arrival(element: &Element, remarks: &mut Remarks) -> Arrival {
    Arrival {
        id: element.attribute("publicID").map(str::to_owned),
        pick_id: element.text_of("pickID"),
        phase: element.text_of("phase").unwrap_or_default(),
        azimuth: element.number_of("azimuth", remarks),
        distance: element.number_of("distance", remarks),
        takeoff_angle: quantity(element, "takeoffAngle", remarks),
        time_residual: element.number_of("timeResidual", remarks),
        time_weight: element.number_of("timeWeight", remarks),
    }
}

fn magnitude(element: &Element, remarks: &mut Remarks) -> Option<Magnitude> {
    let (agency, author) = creation(element);
    let contributions = element.all("stationMagnitudeContribution").map(|child| Contribution {
        station_magnitude_id: child.text_of("stationMagnitudeID").unwrap_or_default(),
        weight: child.number_of("weight", remarks),
        residual: child.number_of("residual", remarks),
    });
    let contributions = contributions.collect();
    Some(Magnitude {
        id: id_of(element, remarks)?,
        value: quantity(element, "mag", remarks),
        kind: element.text_of("type"),
        origin_id: element.text_of("originID"),
        station_count: element.whole_of("stationCount", remarks),
        agency,
        author,
        contributions,
    })
}

fn station_magnitude(element: &Element, remarks: &mut Remarks) -> Option<StationMagnitude> {
    Some(StationMagnitude {
        id: id_of(element, remarks)?,
        origin_id: element.text_of("originID"),
        value: quantity(element, "mag", remarks),
        kind: element.text_of("type"),
        amplitude_id: element.text_of("amplitudeID"),
        waveform: waveform(element),
    })
}

fn amplitude(element: &Element, remarks: &mut Remarks) -> Option<Amplitude> {
    Some(Amplitude {
        id: id_of(element, remarks)?,
        value: quantity(element, "genericAmplitude", remarks),
        kind: element.text_of("type"),
        unit: element.text_of("unit"),
        period: quantity(element, "period", remarks),
        pick_id: element.text_of("pickID"),
        waveform: waveform(element),
    })
}

fn pick(element: &Element, remarks: &mut Remarks) -> Option<Pick> {
    let time = element.child("time");
    Some(Pick {
        id: id_of(element, remarks)?,
        time: time.and_then(|time| time.time_of("value", remarks)),
        uncertainty: time.and_then(|time| time.number_of("uncertainty", remarks)),
        waveform: waveform(element),
        phase_hint: element.text_of("phaseHint"),
        onset: element.word_of("onset", &words::ONSETS, remarks),
        polarity: element.word_of("polarity", &words::POLARITIES, remarks),
        evaluation_mode: element.word_of("evaluationMode", &words::MODES, remarks),
        evaluation_status: element.word_of("evaluationStatus", &words::STATUSES, remarks),
    })
}

fn waveform(element: &Element) -> Option<WaveformId> {
    let child = element.child("waveformID")?;
    let code = |name: &str| child.attribute(name).map(str::to_owned);
    Some(WaveformId {
        network: code("networkCode").unwrap_or_default(),
        station: code("stationCode").unwrap_or_default(),
        location: code("locationCode"),
        channel: code("channelCode"),
        resource: (!child.text.is_empty()).then(|| child.text.clone()),
    })
}

fn focal_mechanism(element: &Element, remarks: &mut Remarks) -> Option<FocalMechanism> {
    let planes = element.child("nodalPlanes");
    let nodal_planes = ["nodalPlane1", "nodalPlane2"].map(|name| {
        let plane = planes?.child(name)?;
        let angle = |name: &str, remarks: &mut Remarks| quantity(plane, name, remarks);
        Some([angle("strike", remarks)?, angle("dip", remarks)?, angle("rake", remarks)?])
    });
    let moment = element.child("momentTensor");
    let tensor = moment.and_then(|moment| moment.child("tensor")).and_then(|tensor| {
        let parts = ["Mrr", "Mtt", "Mpp", "Mrt", "Mrp", "Mtp"];
        let parts = parts.map(|name| quantity(tensor, name, remarks));
        parts.iter().all(Option::is_some).then(|| parts.map(Option::unwrap_or_default))
    });
    Some(FocalMechanism {
        id: id_of(element, remarks)?,
        triggering_origin_id: element.text_of("triggeringOriginID"),
        nodal_planes,
        scalar_moment: moment.and_then(|moment| quantity(moment, "scalarMoment", remarks)),
        moment_tensor: tensor,
        derived_origin_id: moment.and_then(|moment| moment.text_of("derivedOriginID")),
    })
}
