//! Byte keys in BSON order: `encode_key(a) < encode_key(b)` exactly when `a < b`.
//!
//! A key is a type byte and the value: numbers as the largest double not above them and, where
//! that is not the number itself, their decimal digits; texts with their zero bytes escaped;
//! documents and arrays as their elements and an end mark. No key is the beginning of another, so
//! keys can be put one after another, and inverted for a descending order.

use bson::raw::{RawBsonRef, RawDocument};

use super::number::{Decimal, Number};
use super::order::{Bracket, binary_length, value_bytes};
use super::path::elements;

/// The key of a missing value: in a sort it counts as null.
pub const KEY_MISSING: [u8; 1] = [Bracket::Null as u8];

/// Ends the elements of a document or array; below every [`Bracket`].
const END: u8 = 0;

/// Appends the key of `value` to `key`.
pub fn encode_key(key: &mut Vec<u8>, value: RawBsonRef<'_>) {
    key.push(Bracket::of(value) as u8);
    encode_content(key, value);
}

fn encode_content(key: &mut Vec<u8>, value: RawBsonRef<'_>) {
    use RawBsonRef as V;
    match value {
        V::MinKey | V::Undefined | V::Null | V::MaxKey => {}
        V::Double(_) | V::Int32(_) | V::Int64(_) | V::Decimal128(_) => {
            if let Some(number) = Number::of(value) {
                encode_number(key, number);
            }
        }
        V::String(text) | V::Symbol(text) | V::JavaScriptCode(text) => encode_text(key, text),
        V::Document(document) => encode_document(key, document),
        V::Array(array) => {
            elements(array).for_each(|element| encode_key(key, element));
            key.push(END);
        }
        V::Binary(binary) => {
            key.extend((binary_length(binary) as u32).to_be_bytes());
            key.push(binary.subtype.into());
            key.extend(binary.bytes);
        }
        V::ObjectId(id) => key.extend(id.bytes()),
        V::Boolean(value) => key.push(value.into()),
        V::DateTime(time) => key.extend(ordered_i64(time.timestamp_millis())),
        V::Timestamp(time) => {
            key.extend(time.time.to_be_bytes());
            key.extend(time.increment.to_be_bytes());
        }
        V::RegularExpression(regex) => {
            encode_text(key, regex.pattern.as_str());
            encode_text(key, regex.options.as_str());
        }
        V::DbPointer(_) => {
            let bytes = value_bytes(value);
            key.extend((bytes.len() as u32).to_be_bytes());
            key.extend(bytes);
        }
        V::JavaScriptCodeWithScope(code) => {
            encode_text(key, code.code);
            encode_document(key, code.scope);
        }
    }
}

fn encode_document(key: &mut Vec<u8>, document: &RawDocument) {
    for element in document.iter_elements().map_while(Result::ok) {
        let Ok(value) = element.value() else { break };
        key.push(Bracket::of(value) as u8);
        encode_text(key, element.key().as_str());
        encode_content(key, value);
    }
    key.push(END);
}

fn encode_text(key: &mut Vec<u8>, text: &str) {
    let mut pieces = text.as_bytes().split(|b| *b == 0);
    key.extend(pieces.next().unwrap_or_default());
    for piece in pieces {
        key.extend([0, 0xff]);
        key.extend(piece);
    }
    key.extend([0, 0]);
}

fn encode_number(key: &mut Vec<u8>, number: Number) {
    if number.is_nan() {
        return key.extend([0; 9]);
    }
    let (floor, exact) = number.floor_f64();
    key.extend(ordered_f64(floor));
    key.push(u8::from(!exact));
    if exact {
        return;
    }
    // Not a double, so a decimal or a large integer: all numbers between two doubles are, and all
    // have one sign there.
    let Some((power, digits)) = number.to_decimal().and_then(Decimal::digits) else { return };
    let start = key.len();
    key.extend((power + 0x8000).to_be_bytes());
    encode_text(key, &digits);
    if floor < 0.0 {
        invert(&mut key[start..]);
    }
}

/// Turns an ascending key into a descending one.
pub(crate) fn invert(key: &mut [u8]) {
    key.iter_mut().for_each(|b| *b = !*b);
}

fn ordered_i64(n: i64) -> [u8; 8] {
    ((n as u64) ^ (1 << 63)).to_be_bytes()
}

fn ordered_f64(x: f64) -> [u8; 8] {
    let bits = (x + 0.0).to_bits(); // -0 becomes 0
    let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    ordered.to_be_bytes()
}
