//! A small tree of elements, and remarks about what in it could not be used.

use std::str::FromStr;

use mspass_core::UtcTime;

/// Something in a document that could not be used and was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Line, from 1.
    pub line: u64,
    /// What it is and what was done.
    pub text: String,
}

/// Remarks kept of one document at most; the last one then says that more were left out.
pub const REMARKS_MAX: usize = 200;

/// Collects remarks about a document.
pub(crate) struct Remarks<'a> {
    document: &'a str,
    list: Vec<Remark>,
}

impl<'a> Remarks<'a> {
    pub(crate) fn new(document: &'a str) -> Self {
        Self { document, list: Vec::new() }
    }

    pub(crate) fn note(&mut self, offset: u64, text: impl FnOnce() -> String) {
        if self.list.len() >= REMARKS_MAX {
            return;
        }
        let last = self.list.len() + 1 == REMARKS_MAX;
        let text = if last { "more remarks are left out".to_owned() } else { text() };
        self.list.push(Remark { line: line_at(self.document, offset), text });
    }

    pub(crate) fn into_list(self) -> Vec<Remark> {
        self.list
    }
}

/// The line at a byte of a document, from 1.
pub(crate) fn line_at(document: &str, offset: u64) -> u64 {
    let end = usize::try_from(offset).unwrap_or(usize::MAX).min(document.len());
    1 + document.as_bytes()[..end].iter().filter(|byte| **byte == b'\n').count() as u64
}

/// An element with all that it holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
    /// Its own text, blanks at both ends removed.
    pub(crate) text: String,
    pub(crate) children: Vec<Self>,
    /// Where it begins, bytes.
    pub(crate) offset: u64,
}

impl Element {
    /// The children of a name.
    pub(crate) fn all<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The first child of a name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of a child; `None` where it is empty.
    pub(crate) fn text_of(&self, name: &str) -> Option<String> {
        let text = &self.child(name)?.text;
        (!text.is_empty()).then(|| text.clone())
    }

    /// An attribute, blanks at both ends removed; `None` where it is empty.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        attribute(&self.attributes, name)
    }

    /// Its own text as a finite number; a remark where it is none.
    pub(crate) fn number(&self, remarks: &mut Remarks) -> Option<f64> {
        let number = self.text.parse::<f64>().ok().filter(|number| number.is_finite());
        if number.is_none() && !self.text.is_empty() {
            self.refuse("a finite number", remarks);
        }
        number
    }

    /// The finite number of a child.
    pub(crate) fn number_of(&self, name: &str, remarks: &mut Remarks) -> Option<f64> {
        self.child(name)?.number(remarks)
    }

    /// The whole number of a child, which may be written with a fraction of zero.
    pub(crate) fn whole_of(&self, name: &str, remarks: &mut Remarks) -> Option<i64> {
        let child = self.child(name)?;
        if let Ok(whole) = i64::from_str(&child.text) {
            return Some(whole);
        }
        let number = child.number(remarks)?;
        let whole = (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64);
        if whole.is_none() {
            child.refuse("a whole number", remarks);
        }
        whole
    }

    /// The time of a child.
    pub(crate) fn time_of(&self, name: &str, remarks: &mut Remarks) -> Option<UtcTime> {
        let child = self.child(name)?;
        time(name, &child.text, child.offset, remarks)
    }

    /// The text of a child if it is one of `words`; else a remark.
    pub(crate) fn word_of(
        &self,
        name: &str,
        words: &[&str],
        remarks: &mut Remarks,
    ) -> Option<String> {
        let child = self.child(name)?;
        if words.contains(&child.text.as_str()) {
            return Some(child.text.clone());
        }
        child.refuse("one of the words that the standard allows", remarks);
        None
    }

    fn refuse(&self, due: &str, remarks: &mut Remarks) {
        let Self { name, text, .. } = self;
        remarks
            .note(self.offset, || format!("{name} '{}' is not {due}; left out", shortened(text)));
    }
}

/// An attribute, blanks at both ends removed; `None` where it is empty.
pub(crate) fn attribute<'a>(attributes: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let (_, value) = attributes.iter().find(|(key, _)| key == name)?;
    let value = value.trim();
    (!value.is_empty()).then_some(value)
}

/// A time; a remark where it is none.
pub(crate) fn time(name: &str, text: &str, offset: u64, remarks: &mut Remarks) -> Option<UtcTime> {
    let time = UtcTime::parse_saturating(text.trim()).ok();
    if time.is_none() && !text.trim().is_empty() {
        remarks.note(offset, || {
            format!("{name} '{}' is not an ISO 8601 time; left out", shortened(text))
        });
    }
    time
}

/// The first characters of a text, for messages.
pub(crate) fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push_str("...");
    }
    short
}
