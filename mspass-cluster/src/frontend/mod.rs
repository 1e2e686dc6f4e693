//! What a person sees of a job: pictures, the report page and the table in the terminal.

pub mod http;
#[cfg(test)]
mod markup;
pub mod plot;
pub(crate) mod quantity;
pub mod report;
