//! What every waveform format is read into and written from.

use mspass_core::{SeedId, UtcTime};

use crate::format::mseed::RecordError;

/// Waveform formats known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// miniSEED 2 or 3 (a file may mix them).
    MiniSeed,
    /// SAC, binary, either byte order.
    Sac,
    /// SAC, alphanumeric.
    SacText,
}

/// What one sample is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SampleType {
    /// 32-bit integers.
    Int,
    /// 32-bit floats.
    Float,
    /// 64-bit floats.
    Double,
    /// Bytes of text (log records).
    Text,
}

/// Samples in the type that the file has.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Samples {
    /// 32-bit integers.
    Int(Vec<i32>),
    /// 32-bit floats.
    Float(Vec<f32>),
    /// 64-bit floats.
    Double(Vec<f64>),
    /// Bytes of text (log records), not necessarily UTF-8.
    Text(Vec<u8>),
}

impl Samples {
    /// No samples yet, of a type.
    pub fn empty(sample_type: SampleType) -> Self {
        match sample_type {
            SampleType::Int => Self::Int(Vec::new()),
            SampleType::Float => Self::Float(Vec::new()),
            SampleType::Double => Self::Double(Vec::new()),
            SampleType::Text => Self::Text(Vec::new()),
        }
    }

    /// Their type.
    pub fn sample_type(&self) -> SampleType {
        self.as_slice().sample_type()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The samples, borrowed.
    pub fn as_slice(&self) -> SampleSlice<'_> {
        match self {
            Self::Int(samples) => SampleSlice::Int(samples),
            Self::Float(samples) => SampleSlice::Float(samples),
            Self::Double(samples) => SampleSlice::Double(samples),
            Self::Text(samples) => SampleSlice::Text(samples),
        }
    }

    /// The samples as `f64`; exact for every type, text by its bytes.
    pub fn to_f64(&self) -> Vec<f64> {
        match self {
            Self::Int(samples) => samples.iter().map(|&x| f64::from(x)).collect(),
            Self::Float(samples) => samples.iter().map(|&x| f64::from(x)).collect(),
            Self::Double(samples) => samples.clone(),
            Self::Text(samples) => samples.iter().map(|&x| f64::from(x)).collect(),
        }
    }
}

/// Samples to be written, borrowed.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum SampleSlice<'a> {
    /// 32-bit integers.
    Int(&'a [i32]),
    /// 32-bit floats.
    Float(&'a [f32]),
    /// 64-bit floats.
    Double(&'a [f64]),
    /// Bytes of text (log records).
    Text(&'a [u8]),
}

impl SampleSlice<'_> {
    /// Their type.
    pub fn sample_type(&self) -> SampleType {
        match self {
            Self::Int(_) => SampleType::Int,
            Self::Float(_) => SampleType::Float,
            Self::Double(_) => SampleType::Double,
            Self::Text(_) => SampleType::Text,
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Int(samples) => samples.len(),
            Self::Float(samples) => samples.len(),
            Self::Double(samples) => samples.len(),
            Self::Text(samples) => samples.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A gap-free stretch of samples of one channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Whose samples.
    pub id: SeedId,
    /// Publication version of miniSEED 3; miniSEED 2's quality as R = 1, D = 2, Q = 3, M = 4; else
    /// 0.
    pub publication: u8,
    /// Time of the first sample.
    pub starttime: UtcTime,
    /// Hz; 0 for text that has no rate.
    pub sampling_rate: f64,
    /// The samples.
    pub samples: Samples,
}

/// What a file holds: its sound traces, and what is wrong with the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct Contents {
    /// What the bytes are.
    pub format: Format,
    /// Traces in the order of their first record; those without samples are left out.
    pub traces: Vec<Trace>,
    /// What is broken, in file order.
    pub errors: Vec<RecordError>,
}
