//! Extended JSON in a stream: where one value ends and the next begins, and what its legacy
//! forms mean.

use std::io::BufRead;

use bson::{Bson, Document};
use serde_json::{Map, Value};

/// Bytes of text that one document may have: the largest document in base64 and more.
const TEXT_BYTES_MAX: usize = 128 << 20;

/// Tokens that are no JSON, and stand for numbers in the JSON of Python.
const WORDS: [(&str, &str); 3] = [
    ("NaN", r#"{"$numberDouble":"NaN"}"#),
    ("Infinity", r#"{"$numberDouble":"Infinity"}"#),
    ("-Infinity", r#"{"$numberDouble":"-Infinity"}"#),
];

/// Objects of a text: one after another, or in arrays.
pub(super) struct JsonText<R> {
    reader: R,
    offset: u64,
    /// Whether an array has begun and not ended.
    in_array: bool,
    /// In an array: whether a comma or the end must come next.
    after_value: bool,
    text_max: usize,
}

/// Where a text is wrong, and how.
type Refusal = (u64, String);

/// An object and where it begins.
type Object = (u64, Map<String, Value>);

impl<R: BufRead> JsonText<R> {
    pub(super) fn new(reader: R) -> Self {
        let text_max = TEXT_BYTES_MAX;
        Self { reader, offset: 0, in_array: false, after_value: false, text_max }
    }

    fn peek(&mut self) -> Result<Option<u8>, Refusal> {
        let offset = self.offset;
        let bytes = self.reader.fill_buf();
        Ok(bytes.map_err(|error| (offset, format!("cannot read: {error}")))?.first().copied())
    }

    fn skip(&mut self) {
        self.reader.consume(1);
        self.offset += 1;
    }

    /// The next object and where it begins.
    pub(super) fn next_value(&mut self) -> Result<Option<Object>, Refusal> {
        loop {
            let offset = self.offset;
            let refuse = |reason: String| Err((offset, reason));
            let Some(byte) = self.peek()? else {
                let open = self.in_array;
                return if open { refuse("the array has no end".into()) } else { Ok(None) };
            };
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => self.skip(),
                b'[' if !self.in_array => {
                    (self.in_array, self.after_value) = (true, false);
                    self.skip();
                }
                b']' if self.in_array => {
                    self.in_array = false;
                    self.skip();
                }
                b',' if self.in_array && self.after_value => {
                    self.after_value = false;
                    self.skip();
                }
                b'{' if !(self.in_array && self.after_value) => {
                    self.after_value = true;
                    let text = self.object()?;
                    let value = serde_json::from_slice(&text);
                    let value = value.map_err(|error| (offset, format!("no JSON, {error}")))?;
                    return Ok(Some((offset, value)));
                }
                other => {
                    let shown = char::from(other).escape_default();
                    return refuse(format!("'{shown}' where a document should begin"));
                }
            }
        }
    }

    /// The text of the object that begins here.
    fn object(&mut self) -> Result<Vec<u8>, Refusal> {
        let began = self.offset;
        let mut text = Vec::new();
        let mut scan = Scan::default();
        loop {
            let bytes = self.reader.fill_buf();
            let bytes = bytes.map_err(|error| (self.offset, format!("cannot read: {error}")))?;
            if bytes.is_empty() {
                return Err((began, "the document has no end".to_owned()));
            }
            let mut used = 0;
            for byte in bytes {
                used += 1;
                scan.take(*byte, &mut text);
                if scan.depth == 0 {
                    break;
                }
            }
            self.reader.consume(used);
            self.offset += used as u64;
            if scan.depth == 0 {
                return Ok(text);
            }
            if text.len() > self.text_max {
                let reason = format!("a document of more than {} bytes of text", self.text_max);
                return Err((began, reason));
            }
        }
    }
}

/// Where in an object a byte is.
#[derive(Default)]
struct Scan {
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// Where the bare word at hand begins in the text.
    word: Option<usize>,
}

impl Scan {
    /// Appends a byte, numbers of Python in a form that JSON has.
    fn take(&mut self, byte: u8, text: &mut Vec<u8>) {
        if self.in_string {
            self.in_string = byte != b'"' || self.escaped;
            self.escaped = byte == b'\\' && !self.escaped;
            return text.push(byte);
        }
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.') {
            self.word.get_or_insert(text.len());
            return text.push(byte);
        }
        if let Some(began) = self.word.take() {
            let known = WORDS.iter().find(|(word, _)| word.as_bytes() == &text[began..]);
            if let Some((_, form)) = known {
                text.truncate(began);
                text.extend(form.as_bytes());
            }
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth -= 1,
            _ => {}
        }
        text.push(byte);
    }
}

/// The document that extended JSON says.
pub(super) fn to_document(map: Map<String, Value>) -> Result<Document, String> {
    map.into_iter().map(|(key, value)| Ok((key, to_bson(value)?))).collect()
}

fn to_bson(value: Value) -> Result<Bson, String> {
    match value {
        Value::Array(values) => values.into_iter().map(to_bson).collect::<Result<_, _>>(),
        Value::Object(map) => match map.keys().find(|key| is_type(key)) {
            Some(_) => typed(map),
            None => to_document(map).map(Bson::Document),
        },
        scalar => Bson::try_from(scalar).map_err(|error| error.to_string()),
    }
}

/// Keys that make an object a value of a type of its own.
fn is_type(key: &str) -> bool {
    matches!(
        key,
        "$oid"
            | "$symbol"
            | "$regularExpression"
            | "$numberInt"
            | "$numberLong"
            | "$numberDouble"
            | "$numberDecimal"
            | "$binary"
            | "$uuid"
            | "$code"
            | "$timestamp"
            | "$date"
            | "$minKey"
            | "$maxKey"
            | "$dbPointer"
            | "$undefined"
            | "$regex"
    )
}

/// A value of a type that JSON does not have; legacy forms are put into today's first.
fn typed(mut map: Map<String, Value>) -> Result<Bson, String> {
    let unsound = |error: bson::error::Error| error.to_string();
    if let (Some(Value::String(base64)), Some(subtype)) = (map.get("$binary"), map.get("$type")) {
        let subtype = match subtype {
            Value::Number(number) => format!("{:02x}", number.as_u64().unwrap_or(256)),
            Value::String(text) => format!("{:0>2}", text.trim_start_matches("0x")),
            other => return Err(format!("{other} is no type of $binary")),
        };
        let body = serde_json::json!({ "base64": base64, "subType": subtype });
        return Bson::try_from(serde_json::json!({ "$binary": body })).map_err(unsound);
    }
    if let Some(Value::String(pattern)) = map.get("$regex") {
        let options = map.get("$options").and_then(Value::as_str).unwrap_or_default();
        let body = serde_json::json!({ "pattern": pattern, "options": options });
        return Bson::try_from(serde_json::json!({ "$regularExpression": body })).map_err(unsound);
    }
    if map.contains_key("$regex") {
        // A regular expression within a stored query.
        return to_document_only(map);
    }
    match map.get_mut("$date") {
        Some(Value::Number(number)) if number.is_i64() => {
            let millis = number.as_i64().unwrap_or_default();
            return Ok(Bson::DateTime(bson::DateTime::from_millis(millis)));
        }
        Some(Value::String(text)) => *text = with_colon(text),
        _ => {}
    }
    if let Some(Value::Number(number)) = map.get("$numberLong")
        && let Some(number) = number.as_i64()
    {
        return Ok(Bson::Int64(number));
    }
    Bson::try_from(map).map_err(unsound)
}

fn to_document_only(map: Map<String, Value>) -> Result<Bson, String> {
    to_document(map).map(Bson::Document)
}

/// `+0000` at the end of a date as `+00:00`.
fn with_colon(date: &str) -> String {
    let split = date.len().checked_sub(5).and_then(|at| date.split_at_checked(at));
    match split {
        Some((front, zone))
            if zone.starts_with(['+', '-']) && zone[1..].bytes().all(|b| b.is_ascii_digit()) =>
        {
            format!("{front}{}:{}", &zone[..3], &zone[3..])
        }
        _ => date.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;
    use bson::spec::BinarySubtype;

    use super::*;

    fn all(text: &str) -> Result<Vec<Document>, String> {
        let mut json = JsonText::new(text.as_bytes());
        let mut documents = Vec::new();
        while let Some((_, value)) = json.next_value().map_err(|(at, why)| format!("{at} {why}"))? {
            documents.push(to_document(value)?);
        }
        Ok(documents)
    }

    #[test]
    fn lines_arrays_and_both_after_another() {
        let due = vec![doc! { "a": 1 }, doc! { "b": "]}\"" }];
        for text in [
            "{\"a\":1}\n{\"b\":\"]}\\\"\"}\n",
            "[{\"a\": 1},\n {\"b\": \"]}\\\"\"}]",
            " [ {\"a\":1} ]\n[{\"b\":\"]}\\\"\"}]",
        ] {
            assert_eq!(all(text).unwrap(), due, "{text}");
        }
        assert_eq!(all(" \n").unwrap(), Vec::new());
        assert_eq!(all("[]").unwrap(), Vec::new());
    }

    #[test]
    fn damage_is_named_with_its_place() {
        for (text, due) in [
            ("{\"a\":1}\n{\"b\":", "8 the document has no end"),
            ("[{\"a\":1}", "8 the array has no end"),
            ("[{\"a\":1} {\"b\":2}]", "9 '{' where a document should begin"),
            ("{\"a\":1} x", "8 'x' where a document should begin"),
            ("{\"a\":}", "0 no JSON"),
        ] {
            let error = all(text).unwrap_err();
            assert!(error.starts_with(due), "{error}");
        }
    }

    #[test]
    fn a_document_without_end_is_not_gathered_for_ever() {
        let text = format!("{{\"a\":\"{}\"}}", "x".repeat(10_000));
        let mut json = JsonText::new(std::io::BufReader::with_capacity(64, text.as_bytes()));
        json.text_max = 1000;
        let (offset, reason) = json.next_value().unwrap_err();
        assert_eq!((offset, reason.as_str()), (0, "a document of more than 1000 bytes of text"));
        assert!(json.offset < 1200);
    }

    #[test]
    fn legacy_and_current_forms_mean_the_same() {
        let day = bson::DateTime::from_millis(1_356_351_330_501);
        let binary = bson::Binary { subtype: BinarySubtype::Generic, bytes: vec![1, 2, 3] };
        let body = serde_json::json!({ "pattern": "^a", "options": "i" });
        let regex = Bson::try_from(serde_json::json!({ "$regularExpression": body })).unwrap();
        let due = doc! { "t": day, "b": binary, "r": regex, "n": 5_i64, "big": 1_i64 << 40 };
        for text in [
            r#"{"t":{"$date":1356351330501},"b":{"$binary":"AQID","$type":"00"},
                "r":{"$regex":"^a","$options":"i"},"n":{"$numberLong":"5"},"big":1099511627776}"#,
            r#"{"t":{"$date":"2012-12-24T12:15:30.501+0000"},"b":{"$binary":"AQID","$type":0},
                "r":{"$regex":"^a","$options":"i"},"n":{"$numberLong":5},"big":1099511627776}"#,
            r#"{"t":{"$date":{"$numberLong":"1356351330501"}},
                "b":{"$binary":{"base64":"AQID","subType":"00"}},
                "r":{"$regularExpression":{"pattern":"^a","options":"i"}},
                "n":{"$numberLong":"5"},"big":{"$numberLong":"1099511627776"}}"#,
            r#"{"t":{"$date":"2012-12-24T12:15:30.501Z"},
                "b":{"$binary":{"base64":"AQID","subType":"0"}},
                "r":{"$regularExpression":{"pattern":"^a","options":"i"}},
                "n":{"$numberLong":"5"},"big":1099511627776}"#,
        ] {
            let text = text.replace(r#""subType":"0"}"#, r#""subType":"00"}"#);
            assert_eq!(all(&text).unwrap(), std::slice::from_ref(&due), "{text}");
        }
    }

    #[test]
    fn nested_legacy_forms_and_the_numbers_of_python_are_read() {
        let text = r#"{"x":[{"t":{"$date":1}},NaN,-Infinity,"NaN, {"],"r":{"$ref":"c","$id":
            {"$oid":"0123456789abcdef01234567"}}}"#;
        let found = all(text).unwrap().remove(0);
        let array = found.get_array("x").unwrap();
        let day = bson::DateTime::from_millis(1);
        assert_eq!(array[0], Bson::Document(doc! { "t": day }));
        assert!(array[1].as_f64().unwrap().is_nan());
        assert_eq!(array[2], Bson::Double(f64::NEG_INFINITY));
        assert_eq!(array[3], Bson::from("NaN, {"));
        let reference = found.get_document("r").unwrap();
        assert!(reference.get_object_id("$id").is_ok(), "{reference}");
        assert!(all(r#"{"a":{"$oid":"zz"}}"#).is_err());
    }
}
