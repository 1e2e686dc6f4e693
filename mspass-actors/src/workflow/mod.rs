//! Workflows: what is done to which data, and the counts of it.

mod builder;
pub mod partition;
mod pieces;
mod reader;
pub mod report;
pub mod stage;
pub mod tally;

pub use builder::{ArchivePieces, Pipeline, Save, Step, Workflow};
pub use pieces::PieceGrid;
pub use reader::FAULTS_MAX;
