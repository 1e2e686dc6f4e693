//! MsPASS actors.

/// Workflows: what a job does, and what it did.
pub mod workflow {
    pub mod report;
}
