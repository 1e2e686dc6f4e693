//! Events into `source`, and back out of it.

use bson::{Document, doc};
use mspass_core::UtcTime;
use mspass_core::event::{Event, Magnitude, Origin};

use super::{BATCH_MAX, SOURCE, TEXT_BYTES_MAX, number, text};
use crate::db::id::Derived;
use crate::error::Result;
use crate::format::quakeml;
use crate::store::{Database, Find};

/// Two sources at one place within so many seconds are one.
const SAME_TIME: f64 = 0.0005;

/// Two sources at one time within so many degrees are one.
const SAME_PLACE: f64 = 1e-6;

/// What came of saving events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventReport {
    /// Events that were new.
    pub saved: u64,
    /// Events given.
    pub seen: u64,
    /// Events that were there already.
    pub duplicates: u64,
    /// Events without an origin that has time and place, which a `source` cannot be made of.
    pub without_origin: u64,
    /// Documents whose QuakeML was longer than [`TEXT_BYTES_MAX`] and was left out.
    pub texts_left_out: u64,
}

/// Saves what is not there yet. Ids are derived from the event's id and time, so saving again adds
/// nothing; a source of the same time and place is the same event, whoever wrote it.
pub fn save_events(database: &Database, events: &[Event]) -> Result<EventReport> {
    let mut report = EventReport::default();
    let mut new: Vec<Document> = Vec::new();
    for event in events {
        report.seen += 1;
        let Some(mut document) = source_document(event) else {
            report.without_origin += 1;
            continue;
        };
        let stored = || {
            let find = Find::filter(twin(&document)).limit(1);
            database.documents.find(SOURCE, &find)?.next().transpose()
        };
        if new.iter().any(|other| is_twin(other, &document)) || stored()?.is_some() {
            report.duplicates += 1;
            continue;
        }
        if text(&document, "quakeml").len() > TEXT_BYTES_MAX {
            document.remove("quakeml");
            report.texts_left_out += 1;
        }
        report.saved += 1;
        new.push(document);
        if new.len() == BATCH_MAX {
            database.documents.upsert(SOURCE, &new)?;
            new.clear();
        }
    }
    if !new.is_empty() {
        database.documents.upsert(SOURCE, &new)?;
    }
    Ok(report)
}

const SAMENESS: [(&str, f64); 3] = [("time", SAME_TIME), ("lat", SAME_PLACE), ("lon", SAME_PLACE)];

/// A filter for sources that are the same event.
fn twin(document: &Document) -> Document {
    let near = SAMENESS.into_iter().map(|(key, slack)| {
        let value = number(document, key).unwrap_or(f64::NAN);
        (key.to_owned(), doc! { "$gte": value - slack, "$lte": value + slack }.into())
    });
    near.collect()
}

fn is_twin(one: &Document, other: &Document) -> bool {
    SAMENESS.into_iter().all(|(key, slack)| match (number(one, key), number(other, key)) {
        (Some(one), Some(other)) => (one - other).abs() <= slack,
        _ => false,
    })
}

/// The `source` document of an event, from its preferred origin and magnitude or else the first;
/// `None` without an origin that has time and place. Depth and magnitude stand where known.
pub fn source_document(event: &Event) -> Option<Document> {
    let origin = event.preferred_origin()?;
    let (time, latitude, longitude) = (origin.time?, origin.latitude?, origin.longitude?);
    let id = Derived::new(SOURCE).text(&event.id).number(time.nanos() as u64).object_id();
    let mut document = doc! {
        "_id": id,
        "lat": latitude, "lon": longitude,
        "coords": [longitude, latitude],
        "epicenter": { "type": "Point", "coordinates": [longitude, latitude] },
    };
    if let Some(depth) = origin.depth {
        document.insert("depth", depth / 1000.0);
    }
    document.insert("time", time.seconds());
    if let Some(magnitude) = event.preferred_magnitude() {
        if let Some(value) = magnitude.value {
            document.insert("magnitude", value);
        }
        if let Some(kind) = &magnitude.kind {
            document.insert("magnitude_type", kind);
        }
    }
    document.insert("source_id", id);
    document.insert("quakeml", quakeml::write(std::slice::from_ref(event)));
    Some(document)
}

/// The events of the sources that match, sorted by time. All of them are in memory at once.
pub fn read_events(database: &Database, filter: &Document) -> Result<Vec<Event>> {
    let find = Find::filter(filter.clone()).sort(doc! { "time": 1, "_id": 1 });
    let documents = database.documents.find(SOURCE, &find)?;
    documents.map(|document| document.map(|document| event_of(&document))).collect()
}

/// The event that a `source` document speaks of: of its QuakeML, or of its keys where there is none
/// (MsPASS keeps a pickle, which nobody should open).
pub fn event_of(document: &Document) -> Event {
    let written = quakeml::read(text(document, "quakeml").as_bytes()).ok();
    if let Some(event) = written.and_then(|reading| reading.events.into_iter().next()) {
        return event;
    }
    let id = document.get_object_id("_id").map(|id| id.to_hex()).unwrap_or_default();
    let name = |kind: &str| format!("smi:local/{kind}/{id}");
    let origin = Origin {
        id: name("origin"),
        time: number(document, "time").map(UtcTime::from_seconds),
        latitude: number(document, "lat"),
        longitude: number(document, "lon"),
        depth: number(document, "depth").map(|depth| depth * 1000.0),
        ..Origin::default()
    };
    let kind = document.get_str("magnitude_type").ok().map(str::to_owned);
    let magnitude = number(document, "magnitude").map(|value| Magnitude {
        id: name("magnitude"),
        value: Some(value),
        kind,
        origin_id: Some(origin.id.clone()),
        ..Magnitude::default()
    });
    Event {
        id: name("event"),
        preferred_origin_id: Some(origin.id.clone()),
        preferred_magnitude_id: magnitude.as_ref().map(|magnitude| magnitude.id.clone()),
        origins: vec![origin],
        magnitudes: magnitude.into_iter().collect(),
        ..Event::default()
    }
}
