//! Regular expressions as MongoDB means them (PCRE), on the `regex` crate.

mod lines;

use bson::raw::RawBsonRef;
use regex::{Regex, RegexBuilder};

use self::lines::Lines;
use crate::error::{Error, Result};

/// Bytes that a pattern may have at most; MongoDB's own limit.
const PATTERN_BYTES_MAX: usize = 32_764;

/// Bytes that a compiled pattern may take at most.
const COMPILED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A compiled regular expression and the text it came from.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    pattern: String,
    options: String,
    regex: Regex,
    /// Decides where `^` may have met the end of the text.
    lines: Option<Lines>,
}

impl Pattern {
    /// Compiles a pattern with the options `i`, `m`, `s`, `x` (and `u`, which changes nothing).
    pub(crate) fn parse(pattern: &str, options: &str) -> Result<Self> {
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(Error::query(format!(
                "a regular expression is longer than {PATTERN_BYTES_MAX} bytes"
            )));
        }
        if pattern.contains('\0') {
            return Err(Error::query("a regular expression holds a zero byte"));
        }
        if let Some(option) = options.chars().find(|c| !"imsxu".contains(*c)) {
            return Err(Error::query(format!("no regular expression has the option '{option}'")));
        }
        let has = |option| options.contains(option);
        let translated = translate(pattern, has('m'), has('x'))?;
        let regex = RegexBuilder::new(&translated)
            .case_insensitive(has('i'))
            .multi_line(has('m'))
            .dot_matches_new_line(has('s'))
            .ignore_whitespace(has('x'))
            .size_limit(COMPILED_BYTES_MAX)
            .dfa_size_limit(COMPILED_BYTES_MAX)
            .build()
            .map_err(|e| {
                let reason = e.to_string().lines().last().unwrap_or_default().to_owned();
                Error::query(format!("the regular expression /{pattern}/ is not one: {reason}"))
            })?;
        let lines = match has('m') && translated.contains('^') {
            true => Some(Lines::parse(&translated, has)?),
            false => None,
        };
        Ok(Self { pattern: pattern.to_owned(), options: options.to_owned(), regex, lines })
    }

    /// Whether a text holds a match.
    fn is_in(&self, text: &str) -> bool {
        let found = self.regex.is_match(text);
        match &self.lines {
            // PCRE sees no line after a last newline.
            Some(lines) if found && text.ends_with('\n') => lines.are_in(text),
            _ => found,
        }
    }

    /// A string that holds a match, or the same regular expression as a value.
    pub(crate) fn accepts(&self, value: RawBsonRef<'_>) -> bool {
        match value {
            RawBsonRef::String(text) | RawBsonRef::Symbol(text) => self.is_in(text),
            RawBsonRef::RegularExpression(regex) => {
                regex.pattern.as_str() == self.pattern && regex.options.as_str() == self.options
            }
            _ => false,
        }
    }
}

/// What a quantifier would repeat.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Atom,
    /// A quantifier, which only `?` may follow.
    Quantifier,
    /// The beginning, an assertion, or a quantifier with its `?`.
    Nothing,
}

/// Where the two dialects differ in meaning, the pattern is rewritten: ASCII classes, the end of
/// the text before a last newline, literal braces and brackets, and other escapes. What only the
/// `regex` crate accepts is refused.
fn translate(pattern: &str, multi_line: bool, extended: bool) -> Result<String> {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    let mut before = Before::Nothing;
    while let Some(c) = rest.chars().next() {
        let tail = &rest[c.len_utf8()..];
        let mut after = Before::Atom;
        let mut used = c.len_utf8();
        match c {
            '\\' => {
                if tail.starts_with(['A', 'b', 'B', 'Z', 'z', 'G']) {
                    after = Before::Nothing;
                }
                used += translate_escape(tail, false, &mut out)?;
            }
            '[' => used += translate_class(tail, &mut out)?,
            '^' | '$' | '|' => {
                out.push_str(if c == '$' && !multi_line { r"(?:\n?\z)" } else { &rest[..1] });
                after = Before::Nothing;
            }
            '{' => match counted(tail) {
                Some(length) => {
                    after = quantify(before, c)?;
                    out.push_str(&rest[..length + 1]);
                    used += length;
                }
                None => out.push_str(r"\{"),
            },
            '}' => out.push_str(r"\}"),
            // Not a quantifier: the beginning of a group's flags or name.
            '?' if out.ends_with('(') && before == Before::Nothing => out.push(c),
            '*' | '+' | '?' => {
                after = quantify(before, c)?;
                out.push(c);
            }
            '(' => {
                out.push(c);
                after = Before::Nothing;
            }
            '#' if extended => match tail.find('\n') {
                Some(length) => {
                    used += length;
                    after = before;
                }
                None => return Err(Error::query("a comment of a regular expression has no end")),
            },
            c if extended && c.is_ascii_whitespace() => after = before,
            _ => out.push(c),
        }
        before = after;
        rest = &rest[used..];
    }
    Ok(out)
}

/// What stands before the next character when `quantifier` has been applied.
fn quantify(before: Before, quantifier: char) -> Result<Before> {
    match (before, quantifier) {
        (Before::Atom, _) => Ok(Before::Quantifier),
        (Before::Quantifier, '?') => Ok(Before::Nothing),
        (Before::Quantifier, '+') => {
            Err(Error::query("possessive quantifiers of regular expressions are not supported"))
        }
        _ => Err(Error::query(format!(
            "the quantifier {quantifier} of a regular expression has nothing to repeat"
        ))),
    }
}

/// Length of `n}`, `n,}` or `n,m}`, if the text begins with one.
fn counted(text: &str) -> Option<usize> {
    let end = text.find('}')?;
    let mut bounds = text[..end].splitn(2, ',');
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let first = bounds.next().filter(|s| !s.is_empty() && digits(s));
    (first.is_some() && bounds.next().is_none_or(digits)).then_some(end + 1)
}

/// One escape; `text` begins after the backslash. Returns how much of it was used.
fn translate_escape(text: &str, in_class: bool, out: &mut String) -> Result<usize> {
    let Some(c) = text.chars().next() else {
        return Err(Error::query("a regular expression ends with a backslash"));
    };
    let replacement = match c {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        'w' => "[0-9A-Za-z_]",
        'W' => "[^0-9A-Za-z_]",
        's' => r"[\x09-\x0d\x20]",
        'S' => r"[^\x09-\x0d\x20]",
        'h' => r"[\x09\x20\xa0]",
        'b' if in_class => r"\x08",
        'b' => r"(?-u:\b)",
        'B' => r"(?-u:\B)",
        'e' => r"\x1b",
        'Z' => r"(?:\n?\z)",
        '0' => r"\x00",
        '1'..='9' => return Err(Error::query("back-references are not supported")),
        'Q' => {
            let end = text.find("\\E").unwrap_or(text.len());
            out.push_str(&regex::escape(&text[1..end]));
            return Ok((end + 2).min(text.len()));
        }
        'E' => "",
        _ if c.is_alphabetic() => {
            out.push('\\');
            out.push(c);
            return Ok(c.len_utf8());
        }
        _ => {
            out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
            return Ok(c.len_utf8());
        }
    };
    out.push_str(replacement);
    Ok(c.len_utf8())
}

/// A character class; `text` begins after the bracket. Returns how much of it was used.
fn translate_class(text: &str, out: &mut String) -> Result<usize> {
    out.push('[');
    let mut rest = text;
    if let Some(tail) = rest.strip_prefix('^') {
        out.push('^');
        rest = tail;
    }
    let mut first = true;
    while let Some(c) = rest.chars().next() {
        let tail = &rest[c.len_utf8()..];
        let mut used = c.len_utf8();
        match c {
            ']' if !first => {
                out.push(']');
                return Ok(text.len() - tail.len());
            }
            ']' => out.push_str(r"\]"),
            '\\' => used += translate_escape(tail, true, out)?,
            '[' => match tail.find(":]").filter(|end| *end > 1 && tail.starts_with(':')) {
                Some(end) => {
                    out.push_str(&rest[..end + 3]);
                    used = end + 3;
                }
                None => out.push_str(r"\["),
            },
            '-' if tail.starts_with('-') => out.push_str(r"-\-"),
            '&' | '~' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_ascii_whitespace() || c == '#' => {
                out.push_str(&format!(r"\x{:02x}", u32::from(c)));
            }
            _ => out.push(c),
        }
        if c == '-' && tail.starts_with('-') {
            used += 1;
        }
        first = false;
        rest = &rest[used..];
    }
    Err(Error::query("a character class of a regular expression has no end"))
}
