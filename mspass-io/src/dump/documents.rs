//! The documents of one file, one after another, with their places.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use bson::raw::RawDocumentBuf;
use bson::{Bson, Document};

use super::folder::{DumpFile, Form};
use super::json::{JsonText, to_document};
use crate::db::id::Derived;
use crate::error::{Error, Result};
use crate::query::DOCUMENT_BYTES_MAX;
use crate::store::prepare;

/// Bytes read from a file at once.
const READ_BYTES: usize = 256 << 10;

/// A document and where it begins.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) offset: u64,
    /// Its `_id` comes first.
    pub(super) document: Document,
    pub(super) raw: RawDocumentBuf,
}

/// Reads a file's documents, each checked; ends at the first that is damaged.
pub(super) struct Documents {
    path: PathBuf,
    collection: String,
    source: Source,
    ended: bool,
}

enum Source {
    Bson { reader: BufReader<File>, offset: u64 },
    Json(JsonText<BufReader<File>>),
}

impl Documents {
    pub(super) fn open(file: &DumpFile) -> Result<Self> {
        let opened = File::open(&file.path).map_err(Error::file("open", &file.path))?;
        let reader = BufReader::with_capacity(READ_BYTES, opened);
        let source = match file.form {
            Form::Bson => Source::Bson { reader, offset: 0 },
            Form::Json => Source::Json(JsonText::new(reader)),
        };
        let (path, collection) = (file.path.clone(), file.collection.clone());
        Ok(Self { path, collection, source, ended: false })
    }

    fn read(&mut self) -> Result<Option<Placed>> {
        let (offset, document) = match &mut self.source {
            Source::Bson { reader, offset } => {
                let began = *offset;
                match next_bson(reader, offset, &self.path)? {
                    Some(document) => (began, document),
                    None => return Ok(None),
                }
            }
            Source::Json(text) => match text.next_value() {
                Ok(Some((offset, value))) => {
                    let document = to_document(value);
                    (offset, document.map_err(|reason| damaged(&self.path, offset, &reason))?)
                }
                Ok(None) => return Ok(None),
                Err((offset, reason)) => return Err(damaged(&self.path, offset, &reason)),
            },
        };
        let document = self.with_id(offset, document);
        if let Some(Bson::Document(id)) = document.get("_id")
            && id.keys().any(|key| key.starts_with('$'))
        {
            return Err(damaged(&self.path, offset, "the keys of an _id may not begin with $"));
        }
        let prepared = prepare(&document);
        let raw = prepared.map_err(|error| damaged(&self.path, offset, &error.to_string()))?.raw;
        let document = Document::try_from(raw.clone());
        let document = document.map_err(|error| damaged(&self.path, offset, &error.to_string()))?;
        Ok(Some(Placed { offset, document, raw }))
    }

    /// A document without `_id` gets one made of its place and content, the same every time.
    fn with_id(&self, offset: u64, mut document: Document) -> Document {
        if !document.contains_key("_id") {
            let text = Bson::Document(document.clone()).into_canonical_extjson().to_string();
            let id = Derived::new("import").text(&self.collection).number(offset).text(&text);
            document.insert("_id", id.object_id());
        }
        document
    }
}

impl Iterator for Documents {
    type Item = Result<Placed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.read().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

/// The sentence for a file that is not what it should be.
pub(super) fn damaged(path: &Path, offset: u64, reason: &str) -> Error {
    let reason = reason.strip_prefix("query: ").unwrap_or(reason);
    let reason: Vec<&str> = reason.split_whitespace().collect();
    Error::Refused(format!(
        "{} is damaged at byte {offset}: {}; nothing was imported",
        path.display(),
        reason.join(" ")
    ))
}

fn next_bson(reader: &mut impl Read, offset: &mut u64, path: &Path) -> Result<Option<Document>> {
    let began = *offset;
    let bad = |reason: &str| damaged(path, began, reason);
    let mut head = Vec::with_capacity(4);
    read_up_to(reader, &mut head, 4).map_err(Error::file("read", path))?;
    if head.is_empty() {
        return Ok(None);
    }
    let Some(length) = head.as_array().copied().map(u32::from_le_bytes) else {
        return Err(bad("the file ends within the length of a document"));
    };
    let length = length as usize;
    if !(5..=DOCUMENT_BYTES_MAX).contains(&length) {
        let reason =
            format!("a document of {length} bytes, and 5 to {DOCUMENT_BYTES_MAX} are possible");
        return Err(bad(&reason));
    }
    // Grows with what is there, not with what the length promises.
    read_up_to(reader, &mut head, length - 4).map_err(Error::file("read", path))?;
    if head.len() < length {
        let reason = format!("a document of {length} bytes, of which {} are there", head.len());
        return Err(bad(&reason));
    }
    *offset += length as u64;
    let raw = RawDocumentBuf::from_bytes(head).map_err(|error| bad(&error.to_string()))?;
    Document::try_from(raw).map(Some).map_err(|error| bad(&error.to_string()))
}

/// Appends `count` bytes, or those that are left.
fn read_up_to(reader: &mut impl Read, bytes: &mut Vec<u8>, count: usize) -> std::io::Result<usize> {
    reader.by_ref().take(count as u64).read_to_end(bytes)
}
