//! Record sections: named traces under each other on an axis of seconds, in columns side by side.

use mspass_actors::workflow::report::ENVELOPE_COLUMNS_MAX;

use super::axis::ValueAxis;
use super::envelope::{envelope, extremes};
use super::svg::{Anchor, Drawing};
use super::trace::{Frame, RIGHT, draw_run};
use super::{Section, SectionRow};
use crate::frontend::quantity::count;

/// Rows drawn of one section; more are only counted.
pub(super) const ROWS_MAX: usize = 60;
/// Sections drawn side by side.
pub(super) const SECTIONS_MAX: usize = 4;

/// Space above the frames for the titles.
const HEADING: f64 = 24.0;
/// Space below the frames for labels and what the axis is.
const FOOT: f64 = 54.0;
/// Space between frames side by side.
const BETWEEN: f64 = 18.0;
/// Space above the first strong row, which parts it from the others.
const APART: f64 = 12.0;
/// Width that a character of a label takes at most.
const CHARACTER: f64 = 7.0;

/// Draws sections side by side; the labels of the rows stand left of the first.
pub(super) fn draw_sections(axis_name: &str, sections: &[Section], width: f64) -> Drawing {
    let shown = &sections[..sections.len().min(SECTIONS_MAX)];
    let rows = shown.iter().map(|section| section.rows.len().min(ROWS_MAX)).max().unwrap_or(0);
    let row_height = match rows {
        0..=4 => 96.0,
        5..=10 => 54.0,
        11..=24 => 34.0,
        _ => 22.0,
    };
    let height = row_height * rows.max(1) as f64 + APART;
    let labels = shown.iter().flat_map(|section| &section.rows);
    let longest = labels.map(|row| row.label.chars().count()).max().unwrap_or(0);
    let left = (longest as f64 * CHARACTER + 12.0).min(width / 3.0);
    let columns = shown.len().max(1) as f64;
    let each = (width - left - RIGHT - BETWEEN * (columns - 1.0)) / columns;
    let mut drawing = Drawing::new(width, HEADING + height + FOOT);
    for (number, section) in shown.iter().enumerate() {
        let offset = number as f64 * (each + BETWEEN);
        let frame = Frame { left: left + offset, top: HEADING, width: each, height };
        drawing.text((frame.left, HEADING - 9.0), Anchor::Start, "title", &section.title);
        draw_section(&mut drawing, section, frame, row_height, number == 0);
        let middle = (frame.x(0.5), frame.bottom() + 32.0);
        drawing.text(middle, Anchor::Middle, "", axis_name);
    }
    if rows == 0 {
        let frame = Frame { left, top: HEADING, width: each, height };
        frame.outline(&mut drawing);
        frame.remark(&mut drawing, "no traces");
    }
    let left_out = sections.iter().map(|section| section.rows.len()).max().unwrap_or(0) - rows;
    let mut note = "each trace is scaled to its own largest amplitude".to_owned();
    if left_out > 0 {
        note.push_str(&format!("; {} more rows are not drawn", count(left_out as u64)));
    }
    drawing.text((left, HEADING + height + FOOT - 5.0), Anchor::Start, "note", &note);
    drawing
}

/// The seconds that the rows of a section span.
fn span(rows: &[SectionRow]) -> Option<(f64, f64)> {
    let ends = rows.iter().filter(|row| is_drawable(row)).map(|row| (row.start, row.end()));
    ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

fn is_drawable(row: &SectionRow) -> bool {
    let has_axis = row.start.is_finite() && row.end().is_finite() && row.sampling_rate > 0.0;
    has_axis && row.samples.len() > 1
}

fn draw_section(
    drawing: &mut Drawing,
    section: &Section,
    frame: Frame,
    row_height: f64,
    labelled: bool,
) {
    let rows = &section.rows[..section.rows.len().min(ROWS_MAX)];
    let axis = span(rows).map(|(low, high)| {
        ValueAxis::between(low, high, ((frame.width / 70.0) as usize).clamp(2, 12))
    });
    if let Some(axis) = &axis {
        draw_axis(drawing, axis, frame);
    }
    let mut top = frame.top;
    let first_strong = rows.iter().position(|row| row.strong);
    for (number, row) in rows.iter().enumerate() {
        if Some(number) == first_strong && number > 0 {
            let y = top + APART / 2.0;
            drawing.line((frame.left, y), (frame.left + frame.width, y), "tick");
            top += APART;
        }
        let band = Frame { top, height: row_height, ..frame };
        top += row_height;
        if labelled {
            let class = if row.strong { "title" } else { "" };
            let at = (frame.left - 8.0, band.y(0.5) + 4.0);
            drawing.text(at, Anchor::End, class, &row.label);
        }
        match &axis {
            Some(axis) if is_drawable(row) => draw_row(drawing, row, band, axis),
            _ => band.remark(drawing, "no samples"),
        }
    }
    frame.outline(drawing);
}

/// Lines and labels of the axis of seconds; time zero stands out.
fn draw_axis(drawing: &mut Drawing, axis: &ValueAxis, frame: Frame) {
    for (value, label) in &axis.ticks {
        let (x, bottom) = (frame.x(axis.fraction(*value)), frame.bottom());
        let class =
            if label.trim_matches(|c| "0.".contains(c)).is_empty() { "tick" } else { "grid" };
        drawing.line((x, frame.top), (x, bottom), class);
        drawing.line((x, bottom), (x, bottom + 4.0), "tick");
        drawing.text((x, bottom + 17.0), Anchor::Middle, "", label);
    }
}

fn draw_row(drawing: &mut Drawing, row: &SectionRow, band: Frame, axis: &ValueAxis) {
    let room = ((2.0 * band.width) as usize).min(ENVELOPE_COLUMNS_MAX);
    let (columns, _) = envelope(&row.samples, room);
    let Some((low, high)) = extremes(&columns) else {
        band.remark(drawing, "no finite samples");
        return;
    };
    let peak = low.abs().max(high.abs());
    let peak = if peak > 0.0 { peak } else { 1.0 };
    let per_column = row.samples.len() as f64 / columns.len() as f64;
    let place = |column: usize, value: f64| {
        let sample = (column as f64 + 0.5) * per_column - 0.5;
        let x = band.x(axis.fraction(row.start + sample / row.sampling_rate));
        (x, band.y(0.5 + 0.46 * value / peak))
    };
    let class = if row.strong { "c1" } else { "c0" };
    let mut start = 0;
    for run in columns.split(Option::is_none) {
        let finite: Vec<_> = run.iter().flatten().copied().collect();
        draw_run(drawing, &finite, class, |column, value| place(start + column, value));
        start += run.len() + 1;
    }
}
