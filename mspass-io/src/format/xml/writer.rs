//! Writes XML, indented, with nothing in it that XML does not allow.

use std::fmt::Write as _;

use mspass_core::UtcTime;

/// Ends beyond representable time are written as what archives write for "for ever".
const FOR_EVER: &str = "2599-12-31T23:59:59Z";

/// Writes elements one after another.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    text: String,
    open: Vec<&'static str>,
}

impl Writer {
    /// A document that begins with the XML declaration.
    pub(crate) fn document() -> Self {
        let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>".to_owned();
        Self { text, open: Vec::new() }
    }

    /// Opens an element.
    pub(crate) fn open(&mut self, name: &'static str, attributes: &[(&str, Option<String>)]) {
        self.begin(name, attributes);
        self.text.push('>');
        self.open.push(name);
    }

    /// Closes the element opened last.
    pub(crate) fn close(&mut self) {
        if let Some(name) = self.open.pop() {
            self.line();
            let _ = write!(self.text, "</{name}>");
        }
    }

    /// An element that holds text alone.
    pub(crate) fn text(&mut self, name: &'static str, text: &str) {
        self.text_with(name, &[], text);
    }

    /// An element with attributes that holds text alone.
    pub(crate) fn text_with(
        &mut self,
        name: &'static str,
        attributes: &[(&str, Option<String>)],
        text: &str,
    ) {
        self.begin(name, attributes);
        if text.is_empty() {
            self.text.push_str("/>");
            return;
        }
        self.text.push('>');
        escape(&mut self.text, text);
        let _ = write!(self.text, "</{name}>");
    }

    /// An element that holds text alone, if there is any.
    pub(crate) fn maybe(&mut self, name: &'static str, text: Option<&String>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    /// An element that holds a number; none where it is not finite.
    pub(crate) fn number(&mut self, name: &'static str, number: Option<f64>) {
        if let Some(number) = number.filter(|number| number.is_finite()) {
            self.text(name, &decimal(number));
        }
    }

    /// An element that holds a whole number.
    pub(crate) fn whole(&mut self, name: &'static str, number: Option<i64>) {
        if let Some(number) = number {
            self.text(name, &number.to_string());
        }
    }

    /// An element that holds a time.
    pub(crate) fn time(&mut self, name: &'static str, time: Option<UtcTime>) {
        if let Some(time) = time {
            self.text(name, &iso(time));
        }
    }

    /// The text written.
    pub(crate) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.text.push('\n');
        self.text
    }

    fn begin(&mut self, name: &'static str, attributes: &[(&str, Option<String>)]) {
        self.line();
        let _ = write!(self.text, "<{name}");
        for (key, value) in attributes {
            if let Some(value) = value {
                let _ = write!(self.text, " {key}=\"");
                escape(&mut self.text, value);
                self.text.push('"');
            }
        }
    }

    fn line(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.extend(std::iter::repeat_n("  ", self.open.len()));
    }
}

/// The shortest text that reads back as the same number.
pub(crate) fn decimal(number: f64) -> String {
    format!("{number:?}")
}

/// A time as ISO 8601; one that saturated as what archives write for "for ever".
pub(crate) fn iso(time: UtcTime) -> String {
    if time == UtcTime::MAX { FOR_EVER.to_owned() } else { time.to_string() }
}

/// Characters that XML does not allow are left out.
fn escape(out: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\r' | '\t' => {
                let _ = write!(out, "&#{};", u32::from(letter));
            }
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
            _ => out.push(letter),
        }
    }
}
