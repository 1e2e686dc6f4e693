//! Bytes of an XML document as text.

use std::borrow::Cow;

use super::check_length;
use crate::error::{Error, Result};

/// Bytes looked at for the encoding that the document declares.
const DECLARATION_BYTES: usize = 256;

/// UTF-8, UTF-16 with a mark, or Latin-1 where the document declares it; the mark is left out.
pub(crate) fn decode<'a>(format: &'static str, bytes: &'a [u8]) -> Result<Cow<'a, str>> {
    check_length(format, bytes)?;
    if let Some(rest) = bytes.strip_prefix(&[0xFF, 0xFE]) {
        return utf16(format, rest, u16::from_le_bytes).map(Cow::Owned);
    }
    if let Some(rest) = bytes.strip_prefix(&[0xFE, 0xFF]) {
        return utf16(format, rest, u16::from_be_bytes).map(Cow::Owned);
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Cow::Borrowed(text)),
        Err(_) if declares_latin1(bytes) => {
            Ok(Cow::Owned(bytes.iter().map(|byte| char::from(*byte)).collect()))
        }
        Err(error) => {
            let (offset, sound) = (error.valid_up_to() as u64, &bytes[..error.valid_up_to()]);
            let line = 1 + sound.iter().filter(|byte| **byte == b'\n').count();
            let reason = format!("line {line}: not UTF-8, and no other encoding known is declared");
            Err(Error::Format { format, offset, reason })
        }
    }
}

fn declares_latin1(bytes: &[u8]) -> bool {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(DECLARATION_BYTES)]);
    let head = head.split("?>").next().unwrap_or_default().to_ascii_lowercase();
    let names = ["iso-8859-1", "latin1", "windows-1252", "us-ascii"];
    head.starts_with("<?xml") && names.iter().any(|name| head.contains(name))
}

fn utf16(format: &'static str, bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String> {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let text: Result<String, _> = char::decode_utf16(units).collect();
    text.map_err(|_| {
        let reason = "line 1: marked as UTF-16, which it is not".to_owned();
        Error::Format { format, offset: 0, reason }
    })
}
