//! Samples as bytes, in the forms that files and blobs hold.

use bytes::Bytes;

use crate::db::waveform::{Waveform, encode_samples};
use crate::format::mseed::{self, ByteOrder, TraceSlice, WriteOptions};
use crate::format::sac::SacFile;
use crate::format::{SampleSlice, Samples, Trace};

/// In which form a file or object holds samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileForm {
    /// Bare little-endian doubles, sample after sample.
    #[default]
    Native,
    /// miniSEED records of doubles; one channel in UTC only.
    MiniSeed,
    /// A SAC file; one channel in UTC, samples rounded to 32-bit floats.
    Sac,
}

impl FileForm {
    /// The `format` of documents.
    pub(super) fn format(self) -> &'static str {
        match self {
            Self::Native => "binary",
            Self::MiniSeed => "mseed",
            Self::Sac => "sac",
        }
    }

    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::Native => "bin",
            Self::MiniSeed => "mseed",
            Self::Sac => "sac",
        }
    }
}

/// The bytes of a datum in a form, or as a blob; else why it cannot be put so.
pub(super) fn bytes<T: Waveform>(datum: &T, form: Option<FileForm>) -> Result<Bytes, String> {
    match form {
        None => Ok(encode_samples(datum.samples())),
        Some(FileForm::Native) if T::COMPONENTS == 1 => Ok(encode_samples(datum.samples())),
        Some(FileForm::Native) => Ok(encode_samples(&interleaved(datum))),
        Some(form) => of_trace(datum, form),
    }
}

/// Sample after sample.
fn interleaved<T: Waveform>(datum: &T) -> Vec<f64> {
    let (npts, samples) = (datum.npts(), datum.samples());
    let at = |index: usize| (0..T::COMPONENTS).map(move |component| component * npts + index);
    (0..npts).flat_map(at).map(|place| samples[place]).collect()
}

fn of_trace<T: Waveform>(datum: &T, form: FileForm) -> Result<Bytes, String> {
    let format = form.format();
    if T::COMPONENTS != 1 {
        let kind = T::KIND;
        return Err(format!("{format} holds one channel, no {kind}: save it as binary"));
    }
    let axis = datum.axis();
    let is_utc = axis.standard() == mspass_core::series::TimeStandard::Utc;
    let Some(starttime) = axis.starttime().filter(|_| is_utc) else {
        return Err(format!("{format} holds times in UTC, not relative ones: save it as binary"));
    };
    if datum.samples().is_empty() {
        return Err(format!("without samples there is no {format} to write: save it as binary"));
    }
    let (id, sampling_rate) = (datum.seed_id(), axis.sampling_rate().value());
    let written = match form {
        FileForm::Sac => {
            let samples = Samples::Double(datum.samples().to_vec());
            let trace = Trace { id: id.clone(), publication: 0, starttime, sampling_rate, samples };
            SacFile::from_trace(&trace).map(|file| file.to_bytes(ByteOrder::Little))
        }
        _ => {
            let samples = SampleSlice::Double(datum.samples());
            let trace = TraceSlice { id, publication: 0, starttime, sampling_rate, samples };
            let mut bytes = Vec::new();
            mseed::write(trace, &WriteOptions::default(), &mut bytes).map(|_| bytes)
        }
    };
    written.map(Bytes::from).map_err(|error| error.to_string())
}
