//! Samples in serialised form, for `#[serde(with = "samples")]`.
//!
//! Binary formats hold them as one run of bytes, eight to a sample, the least significant first,
//! so that every bit survives and a run is copied at once; formats for people hold a sequence of
//! numbers. Both forms are read from either.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

pub(super) fn serialize<S: Serializer>(samples: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        samples.serialize(serializer)
    } else {
        serializer.serialize_bytes(&bytes(samples))
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<f64>, D::Error> {
    if deserializer.is_human_readable() {
        deserializer.deserialize_any(Samples)
    } else {
        deserializer.deserialize_byte_buf(Samples)
    }
}

/// The samples as they lie in memory where its bytes are in the right order.
fn bytes(samples: &[f64]) -> Cow<'_, [u8]> {
    if cfg!(target_endian = "little") {
        Cow::Borrowed(bytemuck::cast_slice(samples))
    } else {
        Cow::Owned(samples.iter().flat_map(|sample| sample.to_le_bytes()).collect())
    }
}

struct Samples;

impl<'de> Visitor<'de> for Samples {
    type Value = Vec<f64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("samples: numbers, or eight bytes for each")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<f64>, E> {
        let (samples, rest) = bytes.as_chunks();
        if !rest.is_empty() {
            return Err(E::invalid_length(bytes.len(), &self));
        }
        Ok(samples.iter().map(|sample| f64::from_le_bytes(*sample)).collect())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, numbers: A) -> Result<Vec<f64>, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(numbers))
    }
}
