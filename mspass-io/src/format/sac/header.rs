//! The header: 70 floats, 40 integers, 24 words of eight characters, by name.

use mspass_core::{SeedId, UtcTime};

use super::refuse;
use crate::error::Result;
use crate::format::Trace;
use crate::format::mseed::ByteOrder;

/// Bytes of the header.
pub(super) const HEADER_BYTES: usize = 632;

/// What stands for "undefined".
const UNDEFINED: i32 = -12345;

const FLOATS: usize = 70;
const INTS: usize = 40;
const TEXT_BYTES: usize = 192;

/// Names of the floats, in order; the rest is unused.
const FLOAT_NAMES: &str = "delta depmin depmax scale odelta b e o a internal0 \
    t0 t1 t2 t3 t4 t5 t6 t7 t8 t9 f resp0 resp1 resp2 resp3 resp4 resp5 resp6 resp7 resp8 resp9 \
    stla stlo stel stdp evla evlo evel evdp mag user0 user1 user2 user3 user4 user5 user6 user7 \
    user8 user9 dist az baz gcarc internal1 internal2 depmen cmpaz cmpinc xminimum xmaximum \
    yminimum ymaximum";

/// Names of the integers, in order.
const INT_NAMES: &str = "nzyear nzjday nzhour nzmin nzsec nzmsec nvhdr norid nevid npts nspts \
    nwfid nxsize nysize unused13 iftype idep iztype unused14 iinst istreg ievreg ievtyp iqual \
    isynth imagtyp imagsrc ibody unused16 unused17 unused18 unused19 unused20 unused21 unused22 \
    leven lpspol lovrok lcalda unused23";

/// Names of the words, in order; `kevnm` has two.
const TEXT_NAMES: &str = "kstnm kevnm kevnm2 khole ko ka kt0 kt1 kt2 kt3 kt4 kt5 kt6 kt7 kt8 kt9 \
    kf kuser0 kuser1 kuser2 kcmpnm knetwk kdatrd kinst";

/// Values that header version 7 repeats in double precision, in order.
const FOOTER_NAMES: [&str; 22] = [
    "delta", "b", "e", "o", "a", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8", "t9", "f",
    "evlo", "evla", "stlo", "stla", "sb", "sdelta",
];

fn place(names: &str, name: &str) -> Option<usize> {
    names.split_ascii_whitespace().position(|n| n == name)
}

/// The named values of a SAC file; undefined ones (-12345) read as `None`.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// In double precision, for header version 7 has some so.
    floats: [f64; FLOATS],
    ints: [i32; INTS],
    text: [u8; TEXT_BYTES],
    /// `sb` and `sdelta` of version 7's footer.
    extra: [f64; 2],
}

impl Default for Header {
    /// Everything undefined but the version, 6.
    fn default() -> Self {
        let mut header = Self {
            floats: [f64::from(UNDEFINED); FLOATS],
            ints: [UNDEFINED; INTS],
            text: [b' '; TEXT_BYTES],
            extra: [f64::from(UNDEFINED); 2],
        };
        for word in header.text.as_chunks_mut::<8>().0 {
            *word = *b"-12345  ";
        }
        header.set_int("nvhdr", 6);
        for logical in ["lpspol", "lovrok"] {
            header.set_int(logical, 0);
        }
        header
    }
}

impl Header {
    /// A float by its SAC name, such as `b` or `stla`; `None` where undefined or unknown.
    pub fn float(&self, name: &str) -> Option<f64> {
        let value = *self.floats.get(place(FLOAT_NAMES, name)?)?;
        (value != f64::from(UNDEFINED)).then_some(value)
    }

    /// Sets a float; false where no float has this name.
    pub fn set_float(&mut self, name: &str, value: f64) -> bool {
        let slot = place(FLOAT_NAMES, name).and_then(|at| self.floats.get_mut(at));
        slot.map(|slot| *slot = value).is_some()
    }

    /// An integer, enumeration or logical by its SAC name, such as `npts` or `leven`.
    pub fn int(&self, name: &str) -> Option<i32> {
        let value = *self.ints.get(place(INT_NAMES, name)?)?;
        (value != UNDEFINED).then_some(value)
    }

    /// Sets an integer; false where none has this name.
    pub fn set_int(&mut self, name: &str, value: i32) -> bool {
        let slot = place(INT_NAMES, name).and_then(|at| self.ints.get_mut(at));
        slot.map(|slot| *slot = value).is_some()
    }

    /// A word by its SAC name, such as `kstnm`: up to the first NUL, trimmed, `?` for what is not
    /// printable ASCII.
    pub fn text(&self, name: &str) -> Option<String> {
        let at = place(TEXT_NAMES, name)? * 8;
        let length = if name == "kevnm" { 16 } else { 8 };
        let bytes = self.text.get(at..at + length)?.split(|b| *b == 0).next()?;
        let printable = |b: &u8| b.is_ascii_graphic() || *b == b' ';
        let shown = |b: &u8| if printable(b) { char::from(*b) } else { '?' };
        let word: String = bytes.iter().map(shown).collect();
        let word = word.trim();
        (!word.is_empty() && word != "-12345").then(|| word.to_owned())
    }

    /// Sets a word; false where none has this name or `value` is too long (8 bytes, `kevnm` 16).
    pub fn set_text(&mut self, name: &str, value: &str) -> bool {
        let length = if name == "kevnm" { 16 } else { 8 };
        let Some(at) = place(TEXT_NAMES, name).map(|index| index * 8) else { return false };
        if value.len() > length {
            return false;
        }
        let Some(slot) = self.text.get_mut(at..at + length) else { return false };
        slot.fill(b' ');
        slot.iter_mut().zip(value.bytes()).for_each(|(slot, byte)| *slot = byte);
        true
    }

    /// Header version: 7 where there is a footer in double precision, else 6.
    pub fn version(&self) -> i32 {
        self.int("nvhdr").unwrap_or(6)
    }

    /// Id of `knetwk`, `kstnm`, `khole` and `kcmpnm`.
    pub fn id(&self) -> SeedId {
        let code = |name| self.text(name).unwrap_or_default().replace('.', "_");
        SeedId::new(&code("knetwk"), &code("kstnm"), &code("khole"), &code("kcmpnm"))
            .unwrap_or_default()
    }

    /// The reference time; `None` where a field is undefined or out of range. Years below 100,
    /// which the format does not allow and some writers use, are of the twentieth century.
    pub fn reference_time(&self) -> Option<UtcTime> {
        let field = |name| self.int(name).map(i64::from);
        let year = match field("nzyear")? {
            short @ 0..100 => 1900 + short,
            year => year,
        };
        let (day, hour, minute) = (field("nzjday")?, field("nzhour")?, field("nzmin")?);
        let nanos = field("nzmsec")?.checked_mul(1_000_000)?;
        UtcTime::from_ordinal(year, day, hour, minute, field("nzsec")?, nanos)
    }

    /// Time of the first sample: reference time (the epoch where undefined) plus `b`.
    pub fn starttime(&self) -> UtcTime {
        let reference = self.reference_time().unwrap_or_default();
        reference.plus_seconds(self.float("b").unwrap_or(0.0))
    }

    /// Sampling rate, Hz; 0 where `delta` is no interval.
    ///
    /// `delta` is a 32-bit float, often rounded badly: one within two units in the last place of a
    /// whole number of microseconds is taken as that number.
    pub fn sampling_rate(&self) -> f64 {
        let delta = match self.float("delta") {
            Some(delta) if delta.is_finite() && delta > 0.0 => delta,
            _ => return 0.0,
        };
        let micros = (delta * 1e6).round();
        let near = (micros * 1e-6 - delta).abs() <= delta * 2.5e-7;
        if micros >= 1.0 && near { 1.0 / (micros / 1e6) } else { 1.0 / delta }
    }

    /// The header of an evenly sampled trace.
    pub(super) fn of_trace(trace: &Trace, samples: &[f32]) -> Result<Self> {
        if !(trace.sampling_rate.is_finite() && trace.sampling_rate > 0.0) {
            return Err(refuse(0, "a trace without a sampling rate"));
        }
        let npts = i32::try_from(samples.len()).map_err(|_| refuse(0, "too many samples"))?;
        let mut header = Self::default();
        let id = &trace.id;
        let codes = [
            ("knetwk", id.network()),
            ("kstnm", id.station()),
            ("khole", id.location()),
            ("kcmpnm", id.channel()),
        ];
        for (name, code) in codes {
            if !code.is_empty() && !header.set_text(name, code) {
                return Err(refuse(0, format!("the code '{code}' is longer than eight bytes")));
            }
        }
        let delta = 1.0 / trace.sampling_rate;
        let rest = header.set_reference_time(trace.starttime)?;
        let extremes = samples
            .iter()
            .fold((f32::MAX, f32::MIN), |(low, high), &sample| (low.min(sample), high.max(sample)));
        let floats = [
            ("delta", delta),
            ("b", rest),
            ("e", rest + delta * f64::from((npts - 1).max(0))),
            ("depmin", f64::from(extremes.0)),
            ("depmax", f64::from(extremes.1)),
        ];
        floats.iter().for_each(|(name, value)| {
            header.set_float(name, *value);
        });
        // time series, evenly sampled, reference time at the first sample
        let ints = [("npts", npts), ("iftype", 1), ("iztype", 9), ("leven", 1), ("lcalda", 1)];
        ints.iter().for_each(|(name, value)| {
            header.set_int(name, *value);
        });
        Ok(header)
    }

    /// Sets the reference time to the whole millisecond before `time`; gives the rest, seconds.
    fn set_reference_time(&mut self, time: UtcTime) -> Result<f64> {
        let millis = time.nanos().div_euclid(1_000_000);
        let seconds = millis.div_euclid(1000);
        let (year, day) = year_and_day(seconds.div_euclid(86_400));
        let of_day = seconds.rem_euclid(86_400);
        let fields = [
            ("nzyear", year),
            ("nzjday", day),
            ("nzhour", of_day / 3600),
            ("nzmin", of_day / 60 % 60),
            ("nzsec", of_day % 60),
            ("nzmsec", millis.rem_euclid(1000)),
        ];
        for (name, value) in fields {
            let value = i32::try_from(value).map_err(|_| refuse(0, "a time out of range"))?;
            self.set_int(name, value);
        }
        Ok(time.nanos().rem_euclid(1_000_000) as f64 * 1e-9)
    }

    /// The header that these bytes begin with and its byte order, if they do.
    pub(super) fn detect(bytes: &[u8]) -> Option<(Self, ByteOrder)> {
        let head = bytes.first_chunk::<HEADER_BYTES>()?;
        [ByteOrder::Little, ByteOrder::Big].into_iter().find_map(|order| {
            let header = Self::from_bytes(head, order);
            let logical = |name| matches!(header.int(name), None | Some(0 | 1));
            let sane = (1..=20).contains(&header.int("nvhdr")?)
                && header.float("delta")? > 0.0
                && header.int("npts")? >= 0
                && ["leven", "lpspol", "lovrok", "lcalda"].into_iter().all(logical);
            sane.then_some((header, order))
        })
    }

    fn from_bytes(bytes: &[u8; HEADER_BYTES], order: ByteOrder) -> Self {
        let mut header = Self::default();
        let (words, _) = bytes.as_chunks::<4>();
        for (slot, word) in header.floats.iter_mut().zip(words) {
            *slot = f64::from(order.f32(*word));
        }
        for (slot, word) in header.ints.iter_mut().zip(&words[FLOATS..]) {
            *slot = order.u32(*word).cast_signed();
        }
        header.text.copy_from_slice(&bytes[HEADER_BYTES - TEXT_BYTES..]);
        header
    }

    pub(super) fn to_bytes(&self, order: ByteOrder) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        self.floats.iter().for_each(|value| bytes.extend(float_bytes(order, *value as f32)));
        self.ints.iter().for_each(|value| bytes.extend(int_bytes(order, *value)));
        bytes.extend(self.text);
        bytes
    }

    /// Refuses what is no evenly sampled time series.
    pub(super) fn check(&self) -> Result<()> {
        if self.int("leven") == Some(0) {
            return Err(refuse(0, "the samples are not evenly spaced"));
        }
        match self.int("iftype") {
            Some(kind @ (2 | 3 | 51)) => {
                Err(refuse(0, format!("a spectrum or grid (iftype {kind}), not a time series")))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn set_footer(&mut self, bytes: &[u8], order: ByteOrder) {
        for (name, word) in FOOTER_NAMES.iter().zip(bytes.as_chunks::<8>().0) {
            let value = f64::from_bits(order.u64(*word));
            match *name {
                "sb" => self.extra[0] = value,
                "sdelta" => self.extra[1] = value,
                name => {
                    self.set_float(name, value);
                }
            }
        }
    }

    pub(super) fn footer_bytes(&self, order: ByteOrder) -> Vec<u8> {
        let value = |name: &str| match name {
            "sb" => self.extra[0],
            "sdelta" => self.extra[1],
            name => self.float(name).unwrap_or(f64::from(UNDEFINED)),
        };
        let bytes = |name: &&str| match order {
            ByteOrder::Big => value(name).to_be_bytes(),
            ByteOrder::Little => value(name).to_le_bytes(),
        };
        FOOTER_NAMES.iter().flat_map(bytes).collect()
    }

    pub(super) fn floats_mut(&mut self) -> &mut [f64] {
        &mut self.floats
    }

    pub(super) fn ints_mut(&mut self) -> &mut [i32] {
        &mut self.ints
    }

    pub(super) fn words_mut(&mut self) -> &mut [[u8; 8]] {
        self.text.as_chunks_mut::<8>().0
    }

    pub(super) fn floats(&self) -> &[f64] {
        &self.floats
    }

    pub(super) fn ints(&self) -> &[i32] {
        &self.ints
    }

    pub(super) fn words(&self) -> &[[u8; 8]] {
        self.text.as_chunks::<8>().0
    }
}

pub(super) fn float_bytes(order: ByteOrder, value: f32) -> [u8; 4] {
    match order {
        ByteOrder::Big => value.to_be_bytes(),
        ByteOrder::Little => value.to_le_bytes(),
    }
}

fn int_bytes(order: ByteOrder, value: i32) -> [u8; 4] {
    match order {
        ByteOrder::Big => value.to_be_bytes(),
        ByteOrder::Little => value.to_le_bytes(),
    }
}

/// Year and day of the year of a count of days since 1970.
pub(crate) fn year_and_day(days: i64) -> (i64, i64) {
    let days_before = |year: i64| {
        let past = year - 1;
        365 * (year - 1970) + past.div_euclid(4) - past.div_euclid(100) + past.div_euclid(400) - 477
    };
    let mut year = 1970 + days.div_euclid(366).min(days.div_euclid(365));
    while days_before(year + 1) <= days {
        year += 1;
    }
    (year, days - days_before(year) + 1)
}
