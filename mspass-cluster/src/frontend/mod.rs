//! What a person sees of a job: its plan, pictures, the report page and the table in the terminal.

pub mod http;
#[cfg(test)]
mod markup;
pub mod plan;
pub mod plot;
pub(crate) mod quantity;
pub mod report;
