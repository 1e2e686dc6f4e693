//! Reads a document element by element.

use quick_xml::NsReader;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::ResolveResult;

use super::element::{Element, attribute, line_at, shortened};
use super::{ATTRIBUTES_MAX, DEPTH_MAX, ELEMENTS_MAX};
use crate::error::{Error, Result};

/// The start of an element.
#[derive(Debug)]
pub(crate) struct Tag {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) offset: u64,
}

impl Tag {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        attribute(&self.attributes, name)
    }
}

/// Reads a document element by element; whatever is foreign is passed over.
pub(crate) struct Pull<'a> {
    format: &'static str,
    document: &'a str,
    reader: NsReader<&'a [u8]>,
    /// Whether a namespace is the format's own; `None` is an element without any.
    own: fn(Option<&str>) -> bool,
    /// Elements open now.
    open: Vec<String>,
    /// Namespace of the root.
    namespace: Option<String>,
}

/// What comes next inside an element.
enum Piece {
    Start(Tag),
    Foreign,
    Text(String),
    End,
    Eof,
}

impl<'a> Pull<'a> {
    pub(crate) fn new(
        format: &'static str,
        document: &'a str,
        own: fn(Option<&str>) -> bool,
    ) -> Self {
        let mut reader = NsReader::from_str(document);
        reader.config_mut().expand_empty_elements = true;
        Self { format, document, reader, own, open: Vec::new(), namespace: None }
    }

    /// The root, which must have this name.
    pub(crate) fn root(&mut self, name: &str) -> Result<Tag> {
        loop {
            match self.piece()? {
                Piece::Start(tag) if tag.name == name => return Ok(tag),
                Piece::Text(text) if text.trim().is_empty() => {}
                Piece::Start(_) | Piece::Foreign | Piece::Text(_) => {
                    return Err(self.error(format!("this is not {}: no <{name}>", self.format)));
                }
                Piece::End | Piece::Eof => {
                    return Err(self.error(format!("the document ends without <{name}>")));
                }
            }
        }
    }

    /// The namespace of the root, once that was read.
    pub(crate) fn root_namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// The next element inside the one that is open; `None` at its end.
    pub(crate) fn next(&mut self) -> Result<Option<Tag>> {
        loop {
            match self.piece()? {
                Piece::Start(tag) => return Ok(Some(tag)),
                Piece::Foreign => self.skip()?,
                Piece::Text(_) => {}
                Piece::End => return Ok(None),
                Piece::Eof => return Err(self.ends_early()),
            }
        }
    }

    /// Passes over the rest of the element that is open.
    pub(crate) fn skip(&mut self) -> Result<()> {
        let depth = self.open.len();
        while self.open.len() >= depth {
            if let Piece::Eof = self.piece()? {
                return Err(self.ends_early());
            }
        }
        Ok(())
    }

    /// The element of `tag`, which is open, with all that it holds.
    pub(crate) fn tree(&mut self, tag: Tag) -> Result<Element> {
        let element = |Tag { name, attributes, offset }| Element {
            name,
            attributes,
            offset,
            ..Element::default()
        };
        let mut stack = vec![element(tag)];
        let mut elements = 1;
        loop {
            match self.piece()? {
                Piece::Start(tag) => {
                    elements += 1;
                    if elements > ELEMENTS_MAX {
                        let name = &stack[0].name;
                        let reason = format!("<{name}> holds more than {ELEMENTS_MAX} elements");
                        return Err(self.error(reason));
                    }
                    stack.push(element(tag));
                }
                Piece::Foreign => self.skip()?,
                Piece::Text(text) => {
                    if let Some(top) = stack.last_mut() {
                        top.text.push_str(&text);
                    }
                }
                Piece::End => {
                    let Some(mut done) = stack.pop() else { return Err(self.ends_early()) };
                    let trimmed = done.text.trim();
                    if trimmed.len() < done.text.len() {
                        done.text = trimmed.to_owned();
                    }
                    match stack.last_mut() {
                        Some(parent) => parent.children.push(done),
                        None => return Ok(done),
                    }
                }
                Piece::Eof => return Err(self.ends_early()),
            }
        }
    }

    /// Checks that nothing but blanks and comments follows the root.
    pub(crate) fn finish(&mut self) -> Result<()> {
        loop {
            match self.piece()? {
                Piece::Eof => return Ok(()),
                Piece::Text(text) if text.trim().is_empty() => {}
                _ => return Err(self.error("something follows the end of the document")),
            }
        }
    }

    fn piece(&mut self) -> Result<Piece> {
        loop {
            let offset = self.reader.buffer_position();
            let (namespace, event) = match self.reader.read_resolved_event() {
                Ok(found) => found,
                Err(error) => {
                    let offset = self.reader.error_position().max(offset);
                    return Err(self.error_at(offset, error.to_string()));
                }
            };
            match event {
                Event::Start(start) => {
                    if let (true, ResolveResult::Bound(name)) = (self.open.is_empty(), &namespace) {
                        self.namespace = Some(name.0.to_owned());
                    }
                    let own = match namespace {
                        ResolveResult::Bound(namespace) => (self.own)(Some(namespace.0)),
                        ResolveResult::Unbound => (self.own)(None),
                        ResolveResult::Unknown(_) => false,
                    };
                    return self.start(&start, own, offset);
                }
                Event::End(_) => {
                    self.open.pop();
                    return Ok(Piece::End);
                }
                Event::Text(text) => return Ok(Piece::Text(text.xml10_content().into_owned())),
                Event::CData(text) => return Ok(Piece::Text(text.xml10_content().into_owned())),
                Event::GeneralRef(name) => return self.entity(&name, offset),
                Event::Eof => return Ok(Piece::Eof),
                Event::Empty(_)
                | Event::Comment(_)
                | Event::Decl(_)
                | Event::PI(_)
                | Event::DocType(_) => {}
            }
        }
    }

    fn start(&mut self, start: &BytesStart, own: bool, offset: u64) -> Result<Piece> {
        let name = start.local_name().as_ref().to_owned();
        if self.open.len() >= DEPTH_MAX {
            let reason = format!("<{}> is nested deeper than {DEPTH_MAX}", shortened(&name));
            return Err(self.error_at(offset, reason));
        }
        self.open.push(name.clone());
        if !own {
            return Ok(Piece::Foreign);
        }
        let mut attributes = Vec::new();
        for (number, attribute) in start.attributes().enumerate() {
            if number >= ATTRIBUTES_MAX {
                let reason = format!("<{name}> has more than {ATTRIBUTES_MAX} attributes");
                return Err(self.error_at(offset, reason));
            }
            let attribute = attribute.map_err(|e| self.error_at(offset, e.to_string()))?;
            if attribute.key.prefix().is_some() || attribute.key.as_ref() == "xmlns" {
                continue;
            }
            let value = attribute
                .normalized_value(quick_xml::XmlVersion::Explicit1_0)
                .map_err(|e| self.error_at(offset, e.to_string()))?;
            attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
        }
        Ok(Piece::Start(Tag { name, attributes, offset }))
    }

    /// What `&name;` stands for; only XML's own five and numbers are known.
    fn entity(&self, name: &BytesRef, offset: u64) -> Result<Piece> {
        let refuse = || {
            let name = shortened(name);
            self.error_at(offset, format!("the entity &{name}; is none of XML's own"))
        };
        if name.is_char_ref() {
            let found = name.resolve_char_ref().ok().flatten().ok_or_else(refuse)?;
            return Ok(Piece::Text(found.to_string()));
        }
        let text = match &**name {
            "lt" => "<",
            "gt" => ">",
            "amp" => "&",
            "apos" => "'",
            "quot" => "\"",
            _ => return Err(refuse()),
        };
        Ok(Piece::Text(text.to_owned()))
    }

    fn ends_early(&self) -> Error {
        let name = self.open.last().map_or("", String::as_str);
        self.error(format!("the document ends inside <{}>", shortened(name)))
    }

    /// An error at the place reached.
    pub(crate) fn error(&self, reason: impl Into<String>) -> Error {
        self.error_at(self.reader.buffer_position(), reason)
    }

    fn error_at(&self, offset: u64, reason: impl Into<String>) -> Error {
        let reason = format!("line {}: {}", line_at(self.document, offset), reason.into());
        Error::Format { format: self.format, offset, reason }
    }
}
