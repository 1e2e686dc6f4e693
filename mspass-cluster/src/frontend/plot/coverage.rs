//! When there are data, one row a channel.

use mspass_actors::workflow::report::Coverage;
use mspass_core::UtcTime;

use super::axis::TimeAxis;
use super::svg::{Anchor, Drawing, PathText};
use super::trace::{Frame, RIGHT, TIME_LABELS};
use crate::frontend::quantity::count;

/// Channels drawn; more are only counted.
const ROWS_MAX: usize = 60;
const ROW_HEIGHT: f64 = 18.0;
const NAME_WIDTH: f64 = 116.0;
const HEADING: f64 = 10.0;
/// Gaps shorter than this on paper are drawn this wide, so that none goes unseen.
const GAP_WIDTH_MIN: f64 = 2.0;

/// Draws the first [`ROWS_MAX`] channels; `left_out` more are not in the list at all.
pub(crate) fn draw_coverage(coverage: &[Coverage], left_out: u64, width: f64) -> Drawing {
    let shown = &coverage[..coverage.len().min(ROWS_MAX)];
    let left_out = left_out.saturating_add((coverage.len() - shown.len()) as u64);
    let height = shown.len().max(1) as f64 * ROW_HEIGHT;
    let more = if left_out > 0 { 18.0 } else { 0.0 };
    let mut drawing = Drawing::new(width, HEADING + height + TIME_LABELS + more);
    let frame = Frame { left: NAME_WIDTH, top: HEADING, width: width - NAME_WIDTH - RIGHT, height };
    let ends = shown.iter().flat_map(|channel| &channel.spans);
    let ends = ends.copied().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let Some((start, end)) = ends else {
        frame.outline(&mut drawing);
        frame.remark(&mut drawing, "no data");
        return drawing;
    };
    let axis = TimeAxis::between(start, end);
    frame.draw_time_grid(&mut drawing, &axis);
    for (number, channel) in shown.iter().enumerate() {
        let middle = HEADING + (number as f64 + 0.5) * ROW_HEIGHT;
        let at = (frame.left - 8.0, middle + 4.0);
        drawing.text(at, Anchor::End, "", &channel.id.to_string());
        draw_row(&mut drawing, frame, &axis, middle, &channel.spans);
    }
    frame.outline(&mut drawing);
    frame.draw_time_labels(&mut drawing, &axis);
    if more > 0.0 {
        let text = format!("and {} more channels", count(left_out));
        let at = (frame.left, drawing.height - 6.0);
        drawing.text(at, Anchor::Start, "note", &text);
    }
    drawing
}

/// Draws spans as bars and short gaps as marks over them.
fn draw_row(
    drawing: &mut Drawing,
    frame: Frame,
    axis: &TimeAxis,
    middle: f64,
    spans: &[(UtcTime, UtcTime)],
) {
    let (mut bars, mut gaps) = (PathText::default(), PathText::default());
    let stroke = |path: &mut PathText, from: f64, to: f64| {
        path.move_to(from, middle);
        path.line_to(to.max(from + 0.5), middle);
    };
    let mut bar: Option<(f64, f64)> = None;
    let mut marked = f64::NEG_INFINITY;
    let mut marks = Vec::new();
    for span in spans {
        let [from, to] = [span.0, span.1].map(|time| frame.x(axis.fraction(time, 0.0)));
        bar = match bar {
            Some(bar) if from - bar.1 < GAP_WIDTH_MIN => {
                let place = (bar.1 + from) / 2.0;
                if place - marked >= 2.0 * GAP_WIDTH_MIN {
                    marks.push(place);
                    marked = place;
                }
                Some((bar.0, bar.1.max(to)))
            }
            Some(bar) => {
                stroke(&mut bars, bar.0, bar.1);
                Some((from, to))
            }
            None => Some((from, to)),
        };
    }
    if let Some(bar) = bar {
        stroke(&mut bars, bar.0, bar.1);
    }
    for place in marks {
        stroke(&mut gaps, place - GAP_WIDTH_MIN / 2.0, place + GAP_WIDTH_MIN / 2.0);
    }
    drawing.path("cover c0", bars);
    drawing.path("gap", gaps);
}
