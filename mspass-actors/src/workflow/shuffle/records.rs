//! How data lie in a piece on their way from one stage to the next.
//!
//! ```text
//! table_len u32 | MessagePack list of lists of passages | records
//! record: length u32 | key_len u16 | key | order_len u16 | order | entry u32 | MessagePack datum
//! ```
//! Numbers are little-endian. What data passed is alike for most of them, so it stands once in the
//! table. Records are compared by key and order as bytes.

use std::sync::Arc;

use bytes::Bytes;
use mspass_core::history::Passage;
use mspass_core::metadata::Value;
use mspass_core::{Datum, History};
use xxhash_rust::xxh3::xxh3_64;

/// Bytes of a group's key, or of what orders its members, at most.
pub const KEY_BYTES_MAX: usize = 4096;

type Passages = Vec<Arc<Passage>>;

/// Records of one bucket, being written.
#[derive(Debug, Default)]
pub(super) struct PieceWriter {
    records: Vec<u8>,
    table: Vec<Passages>,
}

impl PieceWriter {
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.records.len()
    }

    /// Adds a datum under its key.
    ///
    /// # Errors
    /// One sentence when it cannot be written down; nothing is added then.
    pub(super) fn push<T: Datum>(
        &mut self,
        key: &[u8],
        order: &[u8],
        datum: &mut T,
    ) -> Result<(), String> {
        let start = self.records.len();
        let passages = std::mem::take(&mut datum.history_mut().passages);
        let entry = self.entry(&passages);
        self.records.extend_from_slice(&[0; 4]);
        for part in [key, order] {
            let length =
                u16::try_from(part.len()).ok().filter(|n| usize::from(*n) <= KEY_BYTES_MAX);
            let Some(length) = length else {
                self.records.truncate(start);
                return Err(format!("its key takes more than {KEY_BYTES_MAX} bytes"));
            };
            self.records.extend_from_slice(&length.to_le_bytes());
            self.records.extend_from_slice(part);
        }
        self.records.extend_from_slice(&entry.to_le_bytes());
        if let Err(error) = rmp_serde::encode::write(&mut self.records, datum) {
            self.records.truncate(start);
            return Err(format!("it cannot be written down: {error}"));
        }
        let Ok(length) = u32::try_from(self.records.len() - start - 4) else {
            self.records.truncate(start);
            return Err("it takes more than 4 GiB".into());
        };
        self.records[start..start + 4].copy_from_slice(&length.to_le_bytes());
        Ok(())
    }

    /// The place of these passages in the table: mostly the last one's.
    fn entry(&mut self, passages: &Passages) -> u32 {
        let same = |known: &Passages| {
            known.len() == passages.len()
                && known.iter().zip(passages).all(|(a, b)| Arc::ptr_eq(a, b) || a == b)
        };
        let place = self.table.iter().rposition(same).unwrap_or_else(|| {
            self.table.push(passages.clone());
            self.table.len() - 1
        });
        u32::try_from(place).unwrap_or(u32::MAX)
    }

    /// The piece; the writer is empty afterwards.
    pub(super) fn finish(&mut self) -> Bytes {
        let table = rmp_serde::to_vec(&self.table).expect("names and texts can be written");
        let mut piece = Vec::with_capacity(4 + table.len() + self.records.len());
        piece.extend_from_slice(&u32::try_from(table.len()).unwrap_or(u32::MAX).to_le_bytes());
        piece.extend_from_slice(&table);
        piece.extend_from_slice(&self.records);
        self.records.clear();
        self.table.clear();
        Bytes::from(piece)
    }
}

/// A record of a piece, not decoded yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    pub(super) key: &'a [u8],
    pub(super) order: &'a [u8],
    pub(super) entry: u32,
    pub(super) datum: &'a [u8],
    /// Where the datum begins in the piece.
    pub(super) at: usize,
}

/// The passages of a piece, and its records in order.
///
/// # Errors
/// One sentence when the bytes are no piece.
pub(super) fn parse(piece: &[u8]) -> Result<(Vec<Passages>, Vec<Record<'_>>), String> {
    let torn = || "a piece of a shuffle is torn".to_owned();
    let mut at = 0;
    let take = |at: &mut usize, length: usize| {
        let end = at.checked_add(length)?;
        let part = piece.get(*at..end)?;
        *at = end;
        Some(part)
    };
    let whole = |bytes: &[u8]| bytes.try_into().map(u32::from_le_bytes).map(|n| n as usize);
    let length = take(&mut at, 4).and_then(|bytes| whole(bytes).ok()).ok_or_else(torn)?;
    let table = take(&mut at, length).ok_or_else(torn)?;
    let table = rmp_serde::from_slice(table).map_err(|error| format!("{}: {error}", torn()))?;
    let mut records = Vec::new();
    while at < piece.len() {
        let mut record = || {
            let length = whole(take(&mut at, 4)?).ok()?;
            let end = at.checked_add(length)?;
            let short = |at: &mut usize| {
                let length = u16::from_le_bytes(take(at, 2)?.try_into().ok()?);
                take(at, length.into())
            };
            let (key, order) = (short(&mut at)?, short(&mut at)?);
            let entry = u32::from_le_bytes(take(&mut at, 4)?.try_into().ok()?);
            let begin = at;
            let datum = take(&mut at, end.checked_sub(begin)?)?;
            Some(Record { key, order, entry, datum, at: begin })
        };
        records.push(record().ok_or_else(torn)?);
    }
    Ok((table, records))
}

/// A datum again.
pub(super) fn decode<T: Datum>(bytes: &[u8], passages: &Passages) -> Result<T, String> {
    let mut datum: T = rmp_serde::from_slice(bytes)
        .map_err(|error| format!("a datum of a shuffle cannot be read: {error}"))?;
    datum.history_mut().passages.clone_from(passages);
    Ok(datum)
}

/// Appends the bytes of a group's key: equal for equal values.
pub(super) fn push_key(key: &mut Vec<u8>, values: &[Value]) {
    rmp_serde::encode::write(key, values).expect("values can be written");
}

/// The values that a key was made of.
pub(super) fn key_values(key: &[u8]) -> Vec<Value> {
    rmp_serde::from_slice(key).unwrap_or_default()
}

/// What orders the members of a group: their input ids, then their number among the outputs of
/// these. Of many inputs the first counts, then a hash of them all.
pub(super) fn push_order(order: &mut Vec<u8>, history: &History) {
    let first = history.inputs.first().copied().unwrap_or_default();
    order.extend_from_slice(&first.0);
    order.extend_from_slice(&history.output.to_be_bytes());
    if history.inputs.len() > 1 {
        let all: Vec<u8> = history.inputs.iter().flat_map(|input| input.0).collect();
        order.extend_from_slice(&xxh3_64(&all).to_be_bytes());
    }
}

/// Appends bytes that compare as the value does: nothing, then truth values, numbers, texts, and
/// everything else by its written form.
pub(super) fn push_sortable(order: &mut Vec<u8>, value: &Value) {
    let number = |order: &mut Vec<u8>, number: f64| {
        let bits = number.to_bits();
        let mask = if bits >> 63 == 1 { u64::MAX } else { 1 << 63 };
        order.push(2);
        order.extend_from_slice(&(bits ^ mask).to_be_bytes());
    };
    match value {
        Value::Null => order.push(0),
        Value::Bool(truth) => order.extend_from_slice(&[1, u8::from(*truth)]),
        Value::Int(int) => number(order, *int as f64),
        Value::Double(double) => number(order, *double),
        Value::Text(text) => {
            order.push(3);
            order.extend_from_slice(text.as_bytes());
            order.push(0);
        }
        other => {
            order.push(4);
            order.extend(rmp_serde::to_vec(other).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use mspass_core::{DocumentId, Hertz, TimeSeries, UtcTime};
    use proptest::prelude::*;

    use super::*;

    fn trace(number: u64) -> TimeSeries {
        let rate = Hertz::new(20.0).unwrap();
        let samples = vec![number as f64, f64::NAN, -0.0];
        let mut trace =
            TimeSeries::new("YA.UV05..HHZ".parse().unwrap(), UtcTime::default(), rate, samples);
        trace.history = History::of(DocumentId([number as u8; 12]), number);
        for step in ["detrend", "filter"] {
            let passage = Passage { step: step.into(), parameters: "{}".into() };
            trace.history.record(&Arc::new(passage));
        }
        trace
    }

    #[test]
    fn data_come_out_as_they_went_in() {
        let mut writer = PieceWriter::default();
        for number in 0..5 {
            let mut order = Vec::new();
            push_order(&mut order, &trace(number).history);
            writer.push(b"key", &order, &mut trace(number)).unwrap();
        }
        let piece = writer.finish();
        assert!(writer.is_empty());
        let (table, records) = parse(&piece).unwrap();
        assert_eq!((table.len(), records.len()), (1, 5));
        assert!(records.is_sorted_by_key(|record| record.order));
        for (number, record) in (0..).zip(&records) {
            let again: TimeSeries = decode(record.datum, &table[record.entry as usize]).unwrap();
            assert_eq!((again.history.clone(), record.key), (trace(number).history, &b"key"[..]));
            let bits = |trace: &TimeSeries| -> Vec<u64> {
                trace.samples.iter().map(|sample| sample.to_bits()).collect()
            };
            assert_eq!(bits(&again), bits(&trace(number)));
        }
        assert!(writer.push(&[0; KEY_BYTES_MAX + 1], b"", &mut trace(1)).is_err());
        assert!(writer.is_empty());
    }

    proptest! {
        #[test]
        fn torn_pieces_are_told(cut in 0_usize..400, byte in 0_usize..400, to: u8) {
            let mut writer = PieceWriter::default();
            writer.push(b"key", b"order", &mut trace(1)).unwrap();
            let whole = writer.finish();
            let _ = parse(&whole[..cut.min(whole.len())]);
            let mut changed = whole.to_vec();
            let at = byte % changed.len();
            changed[at] = to;
            if let Ok((table, records)) = parse(&changed) {
                for record in records {
                    let passages = table.get(record.entry as usize).cloned().unwrap_or_default();
                    let _ = decode::<TimeSeries>(record.datum, &passages);
                }
            }
        }

        #[test]
        fn sortable_bytes_sort_as_numbers_do(a: f64, b: f64) {
            let bytes = |number| {
                let mut bytes = Vec::new();
                push_sortable(&mut bytes, &Value::Double(number));
                bytes
            };
            prop_assert_eq!(bytes(a).cmp(&bytes(b)), a.total_cmp(&b));
        }
    }
}
