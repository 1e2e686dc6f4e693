//! SVG text: escaped content, short numbers, compact paths.

use std::fmt::Write as _;

/// Looks of all plots; light unless the viewer asks for dark. Also part of the report page.
pub(crate) const STYLE: &str = include_str!("plot.css");

/// Longest text written into a picture or page for one label, characters.
const TEXT_MAX: usize = 400;

/// Text made safe for XML and HTML, element content and quoted attributes alike.
///
/// Characters that XML forbids and those that reorder text (bidirectional controls) become U+FFFD,
/// line breaks become blanks, and text beyond [`TEXT_MAX`] characters is cut.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(4 * TEXT_MAX));
    for (number, character) in text.chars().enumerate() {
        if number == TEXT_MAX {
            out.push('…');
            break;
        }
        match plain(character) {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// The character, or a stand-in where it would break a line, a terminal, XML or the reading order.
pub(crate) fn plain(character: char) -> char {
    match character {
        '\t' | '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => ' ',
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        other if other.is_control() => '\u{fffd}',
        other => other,
    }
}

/// A coordinate with at most one decimal; 0 where it is not finite.
pub(crate) fn coordinate(value: f64) -> String {
    if !value.is_finite() {
        return "0".to_owned();
    }
    let tenths = (value * 10.0).round();
    if tenths % 10.0 == 0.0 {
        format!("{}", tenths / 10.0)
    } else {
        format!("{:.1}", tenths / 10.0)
    }
}

/// Where a text stands relative to its position.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// A drawing of fixed size in user units (one unit is about one pixel), origin at the top left.
#[derive(Debug)]
pub(crate) struct Drawing {
    pub(crate) width: f64,
    pub(crate) height: f64,
    body: String,
}

impl Drawing {
    pub(crate) fn new(width: f64, height: f64) -> Self {
        Self { width, height, body: String::new() }
    }

    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(coordinate);
        let _ = write!(self.body, r#"<path class="{class}" d="M{x1} {y1}L{x2} {y2}"/>"#);
    }

    pub(crate) fn rectangle(&mut self, at: (f64, f64), size: (f64, f64), class: &str) {
        let [x, y, w, h] = [at.0, at.1, size.0.max(0.0), size.1.max(0.0)].map(coordinate);
        let _ = write!(
            self.body,
            r#"<rect class="{class}" x="{x}" y="{y}" width="{w}" height="{h}"/>"#
        );
    }

    /// Writes `text` (escaped here) on the base line at `at`.
    pub(crate) fn text(&mut self, at: (f64, f64), anchor: Anchor, class: &str, text: &str) {
        let [x, y] = [at.0, at.1].map(coordinate);
        let side = match anchor {
            Anchor::Start => "",
            Anchor::Middle => r#" text-anchor="middle""#,
            Anchor::End => r#" text-anchor="end""#,
        };
        let text = escape(text);
        let _ = write!(self.body, r#"<text class="{class}" x="{x}" y="{y}"{side}>{text}</text>"#);
    }

    /// Writes `text` (escaped here) upwards, its middle at `at`.
    pub(crate) fn text_upwards(&mut self, at: (f64, f64), text: &str) {
        let [x, y] = [at.0, at.1].map(coordinate);
        let text = escape(text);
        let _ = write!(
            self.body,
            r#"<text transform="translate({x} {y}) rotate(-90)" text-anchor="middle">{text}</text>"#
        );
    }

    pub(crate) fn path(&mut self, class: &str, path: PathText) {
        if !path.text.is_empty() {
            let text = path.text;
            let _ = write!(
                self.body,
                r#"<g transform="scale(.1)"><path class="{class}" d="{text}"/></g>"#
            );
        }
    }

    /// Places the image at the address `href` (escaped here), stretched to `size`.
    pub(crate) fn image(&mut self, at: (f64, f64), size: (f64, f64), href: &str) {
        let [x, y, w, h] = [at.0, at.1, size.0, size.1].map(coordinate);
        let _ = write!(
            self.body,
            "<image x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" \
             preserveAspectRatio=\"none\" href=\"{href}\"/>"
        );
    }

    /// Places another drawing with its top left corner at `at`, in its own size.
    pub(crate) fn place(&mut self, at: (f64, f64), inner: &Self) {
        let [x, y] = [at.0, at.1].map(coordinate);
        let _ = write!(self.body, r#"<g transform="translate({x} {y})">{}</g>"#, inner.body);
    }

    /// The drawing as a part of a page whose style sheet holds [`STYLE`]; `label` says what it is.
    pub(crate) fn fragment(&self, label: &str) -> String {
        self.element("", "", label)
    }

    /// The drawing as a file of its own.
    pub(crate) fn document(&self, label: &str) -> String {
        let [w, h] = [self.width, self.height].map(coordinate);
        let head = format!(r#" xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}""#);
        let ground = format!(
            r#"<style>{STYLE}</style><rect class="ground" width="{w}" height="{h}" rx="6"/>"#
        );
        self.element(&head, &ground, label)
    }

    fn element(&self, head: &str, ground: &str, label: &str) -> String {
        let [w, h] = [self.width, self.height].map(coordinate);
        let (label, body) = (escape(label), &self.body);
        format!(
            "<svg{head} class=\"plot\" viewBox=\"0 0 {w} {h}\" role=\"img\" \
             aria-label=\"{label}\">{ground}{body}</svg>"
        )
    }
}

/// Path commands in whole tenths of a unit, written relative to the last point: short, and without
/// an error that adds up.
#[derive(Debug, Default)]
pub(crate) struct PathText {
    text: String,
    last: (i64, i64),
}

impl PathText {
    pub(crate) fn move_to(&mut self, x: f64, y: f64) {
        self.last = (tenths(x), tenths(y));
        let _ = write!(self.text, "M{} {}l", self.last.0, self.last.1);
    }

    pub(crate) fn line_to(&mut self, x: f64, y: f64) {
        let point = (tenths(x), tenths(y));
        let (dx, dy) = (point.0 - self.last.0, point.1 - self.last.1);
        if !self.text.ends_with('l') && dx >= 0 {
            self.text.push(' ');
        }
        let _ = write!(self.text, "{dx}");
        if dy >= 0 {
            self.text.push(' ');
        }
        let _ = write!(self.text, "{dy}");
        self.last = point;
    }

    pub(crate) fn close(&mut self) {
        self.text.push('z');
    }
}

/// Tenths of a unit, held within what any drawing needs.
fn tenths(value: f64) -> i64 {
    (value * 10.0).round().clamp(-1e6, 1e6) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_harmless() {
        assert_eq!(escape("<script>\"a'&b"), "&lt;script&gt;&quot;a&#39;&amp;b");
        assert_eq!(escape("a\0b\x1b[31m\u{202e}c\nd"), "a\u{fffd}b\u{fffd}[31m\u{fffd}c d");
        assert_eq!(escape(&"x".repeat(9999)).chars().count(), TEXT_MAX + 1);
    }

    #[test]
    fn coordinates_are_short_and_finite() {
        let texts = [3.0, 2.04, -0.06, f64::NAN, f64::INFINITY].map(coordinate);
        assert_eq!(texts, ["3", "2", "-0.1", "0", "0"]);
    }

    #[test]
    fn paths_do_not_drift() {
        let mut path = PathText::default();
        path.move_to(0.0, 0.0);
        for step in 1..=1000 {
            path.line_to(f64::from(step) * 0.333, -f64::from(step) * 0.1);
        }
        assert_eq!(path.last, (3330, -1000));
        assert!(path.text.starts_with("M0 0l3-1 4-1 3-1"), "{}", &path.text[..30]);
    }
}
