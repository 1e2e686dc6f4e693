//! The workflow of the examples `desktop` and `cluster`: raw miniSEED prepared for noise studies.

use mspass::actors::Result;
use mspass::process::{Bandpass, Detrend, Resample, Taper};
use mspass::{ArchivePieces, Save, Workflow};
use serde::{Deserialize, Serialize};

/// Cut at UTC, detrend, taper, band-pass, resample, save.
#[derive(Clone, Debug, clap::Args, Serialize, Deserialize)]
pub(crate) struct Prepare {
    /// Length of the pieces, seconds; they start at multiples of it in UTC
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    piece_seconds: u32,

    /// Part of a piece that is tapered at each end
    #[arg(long, value_name = "FRACTION", default_value_t = 0.05)]
    taper: f64,

    /// Lower corner of the band-pass, Hz
    #[arg(long, value_name = "HZ", default_value_t = 0.05)]
    freqmin: f64,

    /// Upper corner of the band-pass, Hz
    #[arg(long, value_name = "HZ", default_value_t = 8.0)]
    freqmax: f64,

    /// Corners (order) of the band-pass
    #[arg(long, value_name = "N", default_value_t = 4)]
    corners: usize,

    /// Filter forward only, with the phase shift that this brings
    #[arg(long)]
    one_pass: bool,

    /// Sampling rate of the result, Hz
    #[arg(long, value_name = "HZ", default_value_t = 20.0)]
    sampling_rate: f64,

    /// A name of your own for this stage of processing, kept in every document saved
    #[arg(long, value_name = "TAG")]
    data_tag: Option<String>,
}

impl Prepare {
    /// The workflow over pieces of an archive.
    pub(crate) fn build(&self, mut pieces: ArchivePieces) -> Result<Workflow> {
        pieces.piece_seconds = self.piece_seconds;
        let (freqmin, freqmax) = (self.freqmin, self.freqmax);
        let (corners, zerophase) = (self.corners, !self.one_pass);
        Workflow::read(pieces)
            .map(Detrend::linear())
            .map(Taper::hann(self.taper))
            .map(Bandpass { freqmin, freqmax, corners, zerophase })
            .map(Resample::to_hz(self.sampling_rate))
            .save(Save { data_tag: self.data_tag.clone() })
    }
}
