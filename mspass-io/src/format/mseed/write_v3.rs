//! Headers of miniSEED 3 records.

use mspass_core::SeedId;

use super::v3::{CRC_AT, FIXED_BYTES, checksums};
use super::write::{Outline, TraceSlice, WriteOptions, civil, refuse};
use crate::error::Result;

/// What all records of a trace share.
pub(super) struct Template {
    pub(super) data_offset: usize,
    source: String,
    extra: String,
}

impl Template {
    pub(super) fn new(trace: &TraceSlice<'_>, options: &WriteOptions) -> Result<Self> {
        let source = source_of(trace.id)
            .filter(|source| source.len() <= usize::from(u8::MAX))
            .ok_or_else(|| refuse(format!("{} has no FDSN source identifier", trace.id)))?;
        let extra = options.extra_headers.clone().unwrap_or_default();
        let is_object =
            || serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&extra).is_ok();
        if !extra.is_empty() && (extra.len() > usize::from(u16::MAX) || !is_object()) {
            return Err(refuse("the extra headers are no JSON object of at most 65535 bytes"));
        }
        Ok(Self { data_offset: FIXED_BYTES + source.len() + extra.len(), source, extra })
    }

    pub(super) fn finish(&self, outline: &Outline, record: &mut [u8]) -> Result<()> {
        let (year, day, [hour, minute, second], nanos) = civil(outline.starttime);
        let year = u16::try_from(year).map_err(|_| refuse(format!("the year {year}")))?;
        let npts = u32::try_from(outline.npts).map_err(|_| refuse("too many samples"))?;
        let data_length = record.len().saturating_sub(self.data_offset);
        let data_length = u32::try_from(data_length).map_err(|_| refuse("too long a record"))?;
        let mut head = Vec::with_capacity(self.data_offset);
        head.extend(b"MS\x03\x00");
        head.extend(nanos.to_le_bytes());
        head.extend(year.to_le_bytes());
        head.extend((day as u16).to_le_bytes());
        head.extend([hour, minute, second, outline.encoding.code()]);
        head.extend(outline.sampling_rate.to_le_bytes());
        head.extend(npts.to_le_bytes());
        // the checksum comes last
        head.extend([0; 4]);
        head.extend([outline.publication, self.source.len() as u8]);
        head.extend((self.extra.len() as u16).to_le_bytes());
        head.extend(data_length.to_le_bytes());
        head.extend(self.source.bytes());
        head.extend(self.extra.bytes());
        record.iter_mut().zip(head).for_each(|(slot, byte)| *slot = byte);
        if let Some((checksum, _)) = checksums(record) {
            let slots = record.iter_mut().skip(CRC_AT).take(4);
            slots.zip(checksum.to_le_bytes()).for_each(|(slot, byte)| *slot = byte);
        }
        Ok(())
    }
}

/// The source identifier; a channel code of three parts joined by `_` is taken apart again.
fn source_of(id: &SeedId) -> Option<String> {
    let codes = [id.network(), id.station(), id.location()].join("_");
    match id.channel().split('_').collect::<Vec<_>>()[..] {
        [_, _, _] => Some(format!("FDSN:{codes}_{}", id.channel())),
        _ => id.to_fdsn_sid(),
    }
}
