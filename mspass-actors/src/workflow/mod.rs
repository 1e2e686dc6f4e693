//! Workflows: what is done to which data, and the counts of it.

pub mod partition;
pub mod tally;
