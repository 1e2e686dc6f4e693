//! The alphanumeric form: 14 lines of five floats, 8 of five integers, 8 of three words, samples.

use std::fmt::Write;

use super::{Header, SacFile, refuse};
use crate::error::Result;

const FLOAT_LINES: usize = 14;
const INT_LINES: usize = 8;
const WORD_LINES: usize = 8;
const HEADER_LINES: usize = FLOAT_LINES + INT_LINES + WORD_LINES;

/// Whether the bytes begin with such a header.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    read_header(bytes).is_some()
}

/// The file in the bytes, `None` where they do not begin with a header.
///
/// An error where the samples are no numbers or not as many as the header says.
pub(super) fn read(bytes: &[u8]) -> Result<Option<SacFile>> {
    let Some((header, rest, offset)) = read_header(bytes) else { return Ok(None) };
    header.check()?;
    let text = String::from_utf8_lossy(rest);
    let mut samples = Vec::new();
    for token in text.split_ascii_whitespace() {
        match token.parse::<f32>() {
            Ok(sample) => samples.push(sample),
            Err(_) => return Err(refuse(offset, format!("'{token}' is no sample"))),
        }
    }
    let npts = header.int("npts").unwrap_or(0);
    if usize::try_from(npts).ok() != Some(samples.len()) {
        let reason = format!("{} samples, the header says {npts}", samples.len());
        return Err(refuse(offset, reason));
    }
    Ok(Some(SacFile { header, samples }))
}

/// Header, the bytes after it, and where these begin.
fn read_header(bytes: &[u8]) -> Option<(Header, &[u8], u64)> {
    let mut header = Header::default();
    let mut rest = bytes;
    let mut lines = Vec::with_capacity(HEADER_LINES);
    for _ in 0..HEADER_LINES {
        let end = rest.iter().position(|b| *b == b'\n')?;
        // no line of a header is longer than five numbers of fifteen characters
        let line = rest.get(..end).filter(|line| line.len() <= 100)?;
        lines.push(line);
        rest = rest.get(end + 1..)?;
    }
    let (floats, others) = lines.split_at(FLOAT_LINES);
    let (ints, words) = others.split_at(INT_LINES);
    fill(floats, header.floats_mut())?;
    fill(ints, header.ints_mut())?;
    for (line, slots) in words.iter().zip(header.words_mut().chunks_mut(3)) {
        for (index, slot) in slots.iter_mut().enumerate() {
            *slot = [b' '; 8];
            let word = line.iter().skip(index * 8).take(8).filter(|b| **b != b'\r');
            slot.iter_mut().zip(word).for_each(|(slot, byte)| *slot = *byte);
        }
    }
    let sane = header.float("delta")? > 0.0 && header.int("npts")? >= 0;
    let offset = (bytes.len() - rest.len()) as u64;
    sane.then_some((header, rest, offset))
}

/// Reads five numbers a line; `None` where there are others.
fn fill<T: std::str::FromStr>(lines: &[&[u8]], slots: &mut [T]) -> Option<()> {
    for (line, slots) in lines.iter().zip(slots.chunks_mut(5)) {
        let mut tokens = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
        for slot in slots {
            *slot = tokens.next()?.parse().ok()?;
        }
        if tokens.next().is_some() {
            return None;
        }
    }
    Some(())
}

/// The text of a file; samples with nine digits, so that they are read back unchanged.
pub(super) fn write(file: &SacFile) -> String {
    let mut text = String::new();
    for line in file.header.floats().chunks(5) {
        line.iter().for_each(|value| push(&mut text, format_args!("{:>15}", float(*value))));
        text.push('\n');
    }
    for line in file.header.ints().chunks(5) {
        line.iter().for_each(|value| push(&mut text, format_args!("{value:>10}")));
        text.push('\n');
    }
    for line in file.header.words().chunks(3) {
        for byte in line.iter().flatten() {
            let printable = byte.is_ascii_graphic();
            text.push(if printable { char::from(*byte) } else { ' ' });
        }
        text.push('\n');
    }
    for line in file.samples.chunks(5) {
        line.iter().for_each(|value| push(&mut text, format_args!("{value:>16.8e}")));
        text.push('\n');
    }
    text
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("writing to a String cannot fail");
}

/// A header value in at most fourteen characters.
fn float(value: f64) -> String {
    let plain = format!("{value:.5}");
    let exact = plain.parse() == Ok(value) && plain.len() <= 14;
    if exact { plain } else { format!("{value:.6e}") }
}
