//! How much a job will read, for those who follow it.

use mspass_io::db::id::job_id;
use mspass_io::store::Database;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::workflow::Source;
use crate::workflow::stage::Stage;

/// What a source holds, as far as that is known before it is read; 0 where it is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// Bytes of files.
    pub bytes: u64,
    /// Data.
    pub data: u64,
}

impl Expected {
    /// What the source of a job holds; an archive has so many bytes.
    ///
    /// # Errors
    /// What the store says.
    pub fn of(database: &Database, stage: &Stage, archive_bytes: u64) -> Result<Self> {
        Ok(match stage.workflow().source() {
            Source::Archive(_) => Self { bytes: archive_bytes, data: 0 },
            Source::Stored { collection, query } => {
                let filter = query.filter_for(job_id(stage.job()));
                Self { bytes: 0, data: database.documents.count(collection, &filter)? }
            }
            Source::Numbered(numbered) => Self { bytes: 0, data: numbered.count },
        })
    }
}
