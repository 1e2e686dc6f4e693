//! What a reader should find, as JSON beside a file of samples.

use std::path::Path;

use bson::oid::ObjectId;
use bson::{Bson, Document};
use mspass_core::Life;
use mspass_core::series::TimeStandard;
use mspass_io::db::{Waveform, encode_samples, metadata_document};
use mspass_io::{Error, Result};
use serde_json::{Map, Value, json};

/// Entries about data, and their samples one after another.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    entries: Vec<Value>,
    samples: Vec<f64>,
}

impl Entries {
    /// Adds what `datum`, saved or read as document `id` of `collection`, is.
    pub(crate) fn add<T: Waveform>(&mut self, collection: &str, id: ObjectId, datum: &T) {
        let axis = datum.axis();
        let (standard, shift) = match axis.standard() {
            TimeStandard::Relative { origin } => ("Relative", origin.map(|at| at.seconds())),
            _ => ("UTC", None),
        };
        let live = datum.life() == Life::Live;
        let header = if live { datum.header() } else { Document::new() };
        let mut metadata = metadata_document(datum.metadata());
        metadata.extend(header.clone());
        self.entries.push(json!({
            "collection": collection,
            "_id": id.to_hex(),
            "live": live,
            "npts": datum.npts(),
            "dt": axis.delta(),
            "t0": axis.start(),
            "time_standard": standard,
            "shift": shift,
            "components": T::COMPONENTS,
            "first_sample": self.samples.len(),
            "tmatrix": header.get("tmatrix").map(|rows| rows.clone().into_relaxed_extjson()),
            "metadata": scalars(&metadata),
            "elog": log_entries(datum),
        }));
        self.samples.extend_from_slice(datum.samples());
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Adds a key to the last entry.
    pub(crate) fn note(&mut self, key: &str, value: Value) {
        if let Some(last) = self.entries.last_mut() {
            last[key] = value;
        }
    }

    /// Writes `FILE.json` and `FILE.samples`.
    pub(crate) fn store(&self, file: &Path) -> Result<()> {
        let text = Value::Array(self.entries.clone()).to_string();
        let files =
            [("json", text.into_bytes()), ("samples", encode_samples(&self.samples).into())];
        for (extension, bytes) in files {
            let path = file.with_extension(extension);
            std::fs::write(&path, bytes).map_err(Error::file("write", path))?;
        }
        Ok(())
    }
}

fn log_entries<T: Waveform>(datum: &T) -> Vec<Value> {
    let entries = datum.log().entries().iter().map(|entry| {
        let (algorithm, message) = (&entry.algorithm, &entry.message);
        let badness = format!("ErrorSeverity.{}", entry.severity);
        json!({ "algorithm": algorithm, "badness": badness, "message": message })
    });
    entries.collect()
}

/// The keys whose values JSON has too; ids become hexadecimal digits.
fn scalars(document: &Document) -> Map<String, Value> {
    let scalar = |value: &Bson| match value {
        Bson::ObjectId(id) => Some(id.to_hex().into()),
        Bson::String(text) => Some(text.clone().into()),
        Bson::Boolean(flag) => Some((*flag).into()),
        Bson::Int32(number) => Some((*number).into()),
        Bson::Int64(number) => Some((*number).into()),
        Bson::Double(number) => Some((*number).into()),
        _ => None,
    };
    document.iter().filter_map(|(key, value)| Some((key.clone(), scalar(value)?))).collect()
}
