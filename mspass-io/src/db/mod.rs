//! MsPASS's document model: which documents say what, and how our objects become them.

pub mod diff;
mod fields;
mod history;
pub mod id;
pub mod inventory;
pub mod normalize;
pub mod provenance;
mod remains;
pub mod schema;
pub mod upkeep;
mod value;
mod waveform;
pub mod waveforms;

pub use history::history_document;
pub use remains::{abortion_document, cemetery_document, elog_document, log_documents};
pub use schema::{Mode, Schema};
pub use value::{from_bson, metadata_document, to_bson};
pub use waveform::{Waveform, encode_samples, waveform_document, wf_document};
pub use waveforms::{
    FileForm, GapPolicy, Outcome, Pieces, ReadOptions, SaveOptions, Storage, Waveforms, cremate,
    mummify,
};

/// Collections by name.
pub mod collection {
    /// One document per root of indexed files.
    pub const ARCHIVE: &str = "archive";
    /// One document per indexed file.
    pub const ARCHIVE_FILE: &str = "archive_file";
    /// One document per run of miniSEED records of one channel.
    pub const WF_MINISEED: &str = "wf_miniseed";
    /// Saved traces.
    pub const WF_TIME_SERIES: &str = "wf_TimeSeries";
    /// Saved seismograms.
    pub const WF_SEISMOGRAM: &str = "wf_Seismogram";
    /// Error logs of what lives, and of files.
    pub const ELOG: &str = "elog";
    /// What died in processing.
    pub const CEMETERY: &str = "cemetery";
    /// What never came to life.
    pub const ABORTIONS: &str = "abortions";
    /// What jobs did.
    pub const HISTORY_GLOBAL: &str = "history_global";
    /// What single data went through.
    pub const HISTORY_OBJECT: &str = "history_object";
    /// Data that jobs collected, of any kind.
    pub const COLLECTED: &str = "collected";
    /// All collections that a job writes documents of its own into, its record last.
    pub const OF_JOBS: [&str; 8] = [
        WF_TIME_SERIES,
        WF_SEISMOGRAM,
        COLLECTED,
        ELOG,
        CEMETERY,
        ABORTIONS,
        HISTORY_OBJECT,
        HISTORY_GLOBAL,
    ];
}
