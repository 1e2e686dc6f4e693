//! Workflows: what is done to which data, and the counts of it.

mod builder;
pub mod collected;
mod foresight;
mod groups;
mod join;
mod outlet;
pub mod partition;
mod pieces;
mod reader;
pub mod report;
mod shuffle;
mod source;
pub mod stage;
mod stored;
pub mod tally;

pub use builder::{FLAT_MAP_MAX, Pipeline, Step, Workflow};
pub(crate) use foresight::Kind;
pub use groups::Groups;
pub use outlet::Save;
pub use pieces::PieceGrid;
pub use reader::FAULTS_MAX;
pub use shuffle::{BUCKETS, BUCKETS_MAX, KEY_BYTES_MAX};
pub use source::{ArchivePieces, Numbered, Query, Source};
pub(crate) use stored::{PLACE_KEYS, both};
