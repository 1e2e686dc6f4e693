//! The pictures of the page.

use std::fmt::Write as _;

use mspass_actors::workflow::report::{JobReport, PICTURES_MAX, Picture};

use crate::frontend::plot::WIDTH;
use crate::frontend::plot::coverage::draw_coverage;
use crate::frontend::plot::spectrum::{draw_spectra, draw_spectrogram};
use crate::frontend::plot::svg::{Drawing, escape};
use crate::frontend::plot::trace::draw_traces;

/// Width of what a phone shows in place of a full-width picture.
const NARROW: f64 = 360.0;
/// Width of pictures that stand side by side.
const HALF: f64 = 440.0;

pub(super) fn coverage(page: &mut String, report: &JobReport) {
    if report.coverage.items.is_empty() {
        return;
    }
    page.push_str("<section>\n<h2>When there are data</h2>\n");
    let drawn = |width| draw_coverage(&report.coverage.items, report.coverage.left_out, width);
    both_widths(page, drawn, "times with data, one row a channel");
    page.push_str("</section>\n");
}

pub(super) fn pictures(page: &mut String, report: &JobReport) {
    if report.pictures.is_empty() {
        return;
    }
    page.push_str("<section class=\"long\">\n<h2>Before and after</h2>\n");
    for picture in report.pictures.iter().take(PICTURES_MAX) {
        figure(page, picture);
    }
    page.push_str("</section>\n");
}

fn figure(page: &mut String, picture: &Picture) {
    let _ = write!(page, "<figure>\n<figcaption><h3>{}</h3>", escape(&picture.title));
    if !picture.caption.is_empty() {
        let _ = write!(page, "<p>{}</p>", escape(&picture.caption));
    }
    page.push_str("</figcaption>\n");
    let (raw, processed) = (&picture.raw, &picture.processed);
    let label = format!("raw and processed trace of {}", raw.label);
    let named = [("raw", raw), ("processed", processed)];
    both_widths(page, |width| draw_traces(&named, width), &label);
    let spectra = draw_spectra(&named, HALF);
    let spectrogram = draw_spectrogram("raw", raw, HALF);
    let _ = writeln!(
        page,
        "<div class=\"pair\">{}{}</div>\n</figure>",
        spectra.fragment("power spectral density, raw and processed"),
        spectrogram.fragment("spectrogram of the raw trace")
    );
}

/// A picture twice: for wide and for narrow viewers, of which a style rule shows one.
fn both_widths(page: &mut String, draw: impl Fn(f64) -> Drawing, label: &str) {
    for (class, width) in [("wide", WIDTH), ("narrow", NARROW)] {
        let drawing = draw(width).fragment(label);
        let _ = writeln!(page, "<div class=\"{class}\">{drawing}</div>");
    }
}
