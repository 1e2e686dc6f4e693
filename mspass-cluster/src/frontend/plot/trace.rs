//! Traces under each other on one time axis.

use mspass_actors::workflow::report::{ENVELOPE_COLUMNS_MAX, PictureTrace};
use mspass_core::UtcTime;

use super::axis::{TimeAxis, ValueAxis};
use super::envelope::{coarsen, extremes};
use super::svg::{Anchor, Drawing, PathText};
use crate::frontend::quantity::{count, counted, instant, rate};

/// Traces drawn in one picture; more are only counted.
pub(crate) const TRACES_MAX: usize = 40;
/// Columns of all traces of a picture together: a bound on its size.
const COLUMNS_MAX: usize = 16_000;
/// Columns that one trace keeps in any case.
const TRACE_COLUMNS_MIN: usize = 400;

/// Space left and right of the frame of every plot with a time axis.
pub(crate) const LEFT: f64 = 66.0;
pub(crate) const RIGHT: f64 = 22.0;
/// Space below the frame for labels of time.
pub(crate) const TIME_LABELS: f64 = 38.0;
/// Plots narrower than this break their headings into two lines.
const NARROW: f64 = 600.0;

/// The part of a drawing that an axis spans.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Frame {
    pub(crate) fn x(&self, fraction: f64) -> f64 {
        self.left + fraction * self.width
    }

    pub(crate) fn y(&self, fraction: f64) -> f64 {
        self.top + (1.0 - fraction) * self.height
    }

    pub(crate) fn bottom(&self) -> f64 {
        self.top + self.height
    }

    pub(crate) fn outline(&self, drawing: &mut Drawing) {
        drawing.rectangle((self.left, self.top), (self.width, self.height), "frame");
    }

    /// A sentence in place of what cannot be drawn.
    pub(crate) fn remark(&self, drawing: &mut Drawing, text: &str) {
        let at = (self.x(0.5), self.y(0.5) + 4.0);
        drawing.text(at, Anchor::Middle, "note", text);
    }

    /// Lines and labels of a value axis at the left side.
    pub(crate) fn draw_values(&self, drawing: &mut Drawing, axis: &ValueAxis, unit: &str) {
        for (value, label) in &axis.ticks {
            let y = self.y(axis.fraction(*value));
            drawing.line((self.left, y), (self.left + self.width, y), "grid");
            drawing.text((self.left - 6.0, y + 4.0), Anchor::End, "", label);
        }
        let text = format!("{unit} {}", axis.remark);
        drawing.text_upwards((self.left - 50.0, self.y(0.5)), text.trim());
    }

    /// Lines of a time axis.
    pub(crate) fn draw_time_grid(&self, drawing: &mut Drawing, axis: &TimeAxis) {
        for tick in axis.ticks(self.width) {
            let x = self.x(axis.fraction(tick.time, 0.0));
            drawing.line((x, self.top), (x, self.bottom()), "grid");
        }
    }

    /// Labels of a time axis below the frame.
    pub(crate) fn draw_time_labels(&self, drawing: &mut Drawing, axis: &TimeAxis) {
        let ticks = axis.ticks(self.width);
        let mut free = 0.0;
        for tick in &ticks {
            let x = self.x(axis.fraction(tick.time, 0.0));
            let bottom = self.bottom();
            drawing.line((x, bottom), (x, bottom + 4.0), "tick");
            drawing.text((x, bottom + 17.0), Anchor::Middle, "", &tick.label);
            if let Some(date) = &tick.date
                && x >= free
            {
                drawing.text((x, bottom + 31.0), Anchor::Middle, "", date);
                free = x + 80.0;
            }
        }
        if ticks.iter().all(|tick| tick.date.is_none()) {
            drawing.text((self.x(0.5), self.bottom() + 31.0), Anchor::Middle, "", "UTC");
        }
    }
}

/// Whether the times of its samples are known.
fn has_time(trace: &PictureTrace) -> bool {
    trace.sampling_rate.is_finite() && trace.sampling_rate > 0.0
}

/// Where the trace ends on paper: one interval after its last sample, so that an hour of data
/// reaches the label of the next hour; a single sample has no length.
fn end(trace: &PictureTrace) -> UtcTime {
    let intervals = if trace.npts > 1 { trace.npts } else { 0 };
    trace.starttime.plus_seconds(intervals as f64 / trace.sampling_rate)
}

/// The axis that holds every trace that can be drawn.
pub(crate) fn shared_axis<'a>(traces: impl IntoIterator<Item = &'a PictureTrace>) -> TimeAxis {
    let drawn = traces.into_iter().filter(|trace| has_time(trace) && !trace.envelope.is_empty());
    let spans = drawn.map(|trace| (trace.starttime, end(trace)));
    let all = spans.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let (start, end) = all.unwrap_or_default();
    TimeAxis::between(start, end)
}

/// Draws the first [`TRACES_MAX`] traces, named beside their label where they have a name, each
/// with its own amplitude axis, and says how many more there are.
pub(crate) fn draw_traces(traces: &[(&str, &PictureTrace)], width: f64) -> Drawing {
    let shown = &traces[..traces.len().min(TRACES_MAX)];
    let narrow = width < NARROW;
    let heading = if narrow { 38.0 } else { 24.0 };
    let height = match shown.len() {
        0 | 1 => 220.0,
        2 => 150.0,
        3..=6 => 116.0,
        _ => 76.0,
    };
    let height = if narrow { f64::max(height * 0.75, 76.0) } else { height };
    let more = if shown.len() < traces.len() { 18.0 } else { 0.0 };
    let panels = shown.len().max(1) as f64;
    let total = panels * (heading + height + 8.0) + TIME_LABELS + more;
    let mut drawing = Drawing::new(width, total);
    let axis = shared_axis(shown.iter().map(|(_, trace)| *trace));
    let columns = (COLUMNS_MAX / shown.len().max(1)).clamp(TRACE_COLUMNS_MIN, ENVELOPE_COLUMNS_MAX);
    let mut frame = Frame { left: LEFT, top: 0.0, width: width - LEFT - RIGHT, height };
    for (number, (name, trace)) in shown.iter().enumerate() {
        frame.top = number as f64 * (heading + height + 8.0) + heading;
        draw_heading(&mut drawing, name, trace, frame, narrow);
        let class = format!("c{}", number % 4);
        draw_panel(&mut drawing, trace, frame, &axis, columns, &class);
    }
    if shown.is_empty() {
        frame.top = heading;
        frame.outline(&mut drawing);
        frame.remark(&mut drawing, "no traces");
    } else {
        frame.draw_time_labels(&mut drawing, &axis);
    }
    if more > 0.0 {
        let text = format!("and {} more", count((traces.len() - shown.len()) as u64));
        drawing.text((frame.left, total - 6.0), Anchor::Start, "note", &text);
    }
    drawing
}

/// Id at the left; start, rate and length at the right or, where space is short, below.
fn draw_heading(
    drawing: &mut Drawing,
    name: &str,
    trace: &PictureTrace,
    frame: Frame,
    narrow: bool,
) {
    let mut facts = format!(
        "{} · {} · {}",
        instant(trace.starttime),
        rate(trace.sampling_rate),
        counted(trace.npts, "sample", "samples")
    );
    if trace.nonfinite > 0 {
        facts.push_str(&format!(" · {} not finite", count(trace.nonfinite)));
    }
    let label = if trace.label.is_empty() { "trace" } else { &trace.label };
    let title = if name.is_empty() { label.to_owned() } else { format!("{label}, {name}") };
    let base = frame.top - 8.0;
    if narrow {
        drawing.text((frame.left, base - 15.0), Anchor::Start, "title", &title);
        drawing.text((frame.left, base), Anchor::Start, "", &facts);
    } else {
        drawing.text((frame.left, base), Anchor::Start, "title", &title);
        drawing.text((frame.left + frame.width, base), Anchor::End, "", &facts);
    }
}

fn draw_panel(
    drawing: &mut Drawing,
    trace: &PictureTrace,
    frame: Frame,
    axis: &TimeAxis,
    columns_max: usize,
    class: &str,
) {
    let range = extremes(&trace.envelope);
    let problem = match range {
        _ if trace.envelope.is_empty() => Some("no samples"),
        _ if !has_time(trace) => Some("no usable sampling rate"),
        None => Some("no finite samples"),
        Some(_) => None,
    };
    if let Some(text) = problem {
        frame.outline(drawing);
        frame.remark(drawing, text);
        return;
    }
    let (low, high) = range.unwrap_or_default();
    let values = ValueAxis::around(low, high, (frame.height / 28.0) as usize);
    frame.draw_time_grid(drawing, axis);
    frame.draw_values(drawing, &values, &trace.unit);
    frame.outline(drawing);
    let length = axis.fraction(end(trace), 0.0) - axis.fraction(trace.starttime, 0.0);
    let room = (2.0 * frame.width * length).ceil().max(8.0) as usize;
    let columns = coarsen(&trace.envelope, columns_max.min(room));
    let per_column = trace.npts as f64 / columns.len() as f64;
    let place = |column: usize, value: f64| {
        let sample = (column as f64 + 0.5) * per_column - 0.5;
        let x = frame.x(axis.fraction(trace.starttime, sample / trace.sampling_rate));
        (x, frame.y(values.fraction(value)))
    };
    let mut start = 0;
    for run in columns.split(Option::is_none) {
        let run_columns: Vec<_> = run.iter().flatten().copied().collect();
        draw_run(drawing, &run_columns, class, |column, value| place(start + column, value));
        start += run.len() + 1;
    }
}

/// Draws adjacent columns: as a line where each is one value, else as the band they span.
pub(super) fn draw_run(
    drawing: &mut Drawing,
    columns: &[(f64, f64)],
    class: &str,
    place: impl Fn(usize, f64) -> (f64, f64),
) {
    let Some(&(_, first)) = columns.first() else { return };
    let mut path = PathText::default();
    let (x, y) = place(0, first);
    path.move_to(x, y);
    let is_line = columns.iter().all(|column| column.0 == column.1);
    if is_line && columns.len() == 1 {
        path.line_to(x, y);
        drawing.path(&format!("dot {class}"), path);
        return;
    }
    for (number, column) in columns.iter().enumerate().skip(1) {
        let (x, y) = place(number, column.1);
        path.line_to(x, y);
    }
    if is_line {
        drawing.path(&format!("wave {class}"), path);
        return;
    }
    for (number, column) in columns.iter().enumerate().rev() {
        let (x, y) = place(number, column.0);
        path.line_to(x, y);
    }
    path.close();
    drawing.path(&format!("band {class}"), path);
}
