//! The report of a job: a page for people, and a table for the terminal.
//!
//! Both are drawn from a [`JobReport`], which the job fills. The page is one HTML file: style and
//! pictures inside, no scripts, nothing fetched; it follows the viewer's choice of light or dark,
//! reads on a phone and prints.

mod page;
mod pictures;
mod tables;
#[cfg(test)]
mod tests;
mod text;

pub use mspass_actors::workflow::report::JobReport;
pub use page::render_html;
pub use text::render_text;
