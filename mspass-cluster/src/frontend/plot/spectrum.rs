//! Power spectral densities over logarithmic frequency, and power over time and frequency.

use mspass_actors::workflow::report::PictureTrace;

use super::axis::{LogAxis, ValueAxis};
use super::png;
use super::svg::{Anchor, Drawing, PathText};
use super::trace::{Frame, LEFT, RIGHT, TIME_LABELS, shared_axis};

/// Power this far below the peak, in dB, is below the picture.
const DEPTH_DB: f64 = 80.0;
/// Spectra drawn in one picture.
const SPECTRA_MAX: usize = 8;
/// Height of the plots of this module.
const HEIGHT: f64 = 250.0;
const HEADING: f64 = 30.0;

/// Draws the spectra of the named traces over each other, in the colours of `draw_traces`.
pub(crate) fn draw_spectra(traces: &[(&str, &PictureTrace)], width: f64) -> Drawing {
    let mut drawing = Drawing::new(width, HEADING + HEIGHT + TIME_LABELS);
    let frame = Frame { left: LEFT, top: HEADING, width: width - LEFT - RIGHT, height: HEIGHT };
    drawing.text((frame.left, 18.0), Anchor::Start, "title", "Power spectral density");
    let shown = &traces[..traces.len().min(SPECTRA_MAX)];
    if shown.len() > 1 {
        draw_key(&mut drawing, shown, frame);
    }
    let points = || shown.iter().flat_map(|(_, trace)| drawable(trace));
    let Some((low, high)) = span(points().map(|point| point.1)) else {
        frame.outline(&mut drawing);
        frame.remark(&mut drawing, "no power: too few finite samples, or all of them equal");
        return drawing;
    };
    let (first, last) = span(points().map(|point| point.0)).unwrap_or((1.0, 1.0));
    let frequencies = LogAxis::between(first, last);
    let floor = low.max(high - DEPTH_DB);
    let powers = ValueAxis::around(floor, high.max(floor + 10.0), 6);
    draw_frequencies(&mut drawing, frame, &frequencies);
    let unit = shown.first().map_or("", |(_, trace)| trace.unit.as_str());
    let unit = if unit.is_empty() { "unit" } else { unit };
    frame.draw_values(&mut drawing, &powers, &format!("dB rel. ({unit})²/Hz"));
    frame.outline(&mut drawing);
    for (number, (_, trace)) in shown.iter().enumerate() {
        let place = |point: (f64, f64)| (frequencies.fraction(point.0), powers.fraction(point.1));
        draw_curve(&mut drawing, frame, drawable(trace).map(place), number);
    }
    drawing
}

/// The points of a spectrum that have a place on logarithmic axes.
fn drawable(trace: &PictureTrace) -> impl Iterator<Item = (f64, f64)> {
    let sound = |point: &(f64, f64)| point.0 > 0.0 && point.0.is_finite() && point.1.is_finite();
    trace.spectrum.iter().copied().filter(sound)
}

fn span(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.map(|value| (value, value)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// Names and colours of the curves, right-aligned in the heading.
fn draw_key(drawing: &mut Drawing, traces: &[(&str, &PictureTrace)], frame: Frame) {
    let mut x = frame.left + frame.width;
    for (number, (name, _)) in traces.iter().enumerate().rev() {
        let length = name.chars().count().min(24);
        x -= length as f64 * 6.8;
        let name: String = name.chars().take(24).collect();
        if x < frame.left + 190.0 {
            break;
        }
        drawing.text((x, 18.0), Anchor::Start, "", &name);
        drawing.line((x - 22.0, 14.0), (x - 6.0, 14.0), &format!("key c{}", number % 4));
        x -= 36.0;
    }
}

fn draw_frequencies(drawing: &mut Drawing, frame: Frame, axis: &LogAxis) {
    for (value, label) in axis.ticks() {
        let x = frame.x(axis.fraction(value));
        let class = if label.is_some() { "grid" } else { "minor" };
        drawing.line((x, frame.top), (x, frame.bottom()), class);
        if let Some(label) = label {
            drawing.line((x, frame.bottom()), (x, frame.bottom() + 4.0), "tick");
            drawing.text((x, frame.bottom() + 17.0), Anchor::Middle, "", &label);
        }
    }
    drawing.text((frame.x(0.5), frame.bottom() + 32.0), Anchor::Middle, "", "frequency, Hz");
}

/// Draws a curve of points given as fractions of the axes, cut at the lower edge of the frame.
fn draw_curve(
    drawing: &mut Drawing,
    frame: Frame,
    points: impl Iterator<Item = (f64, f64)>,
    number: usize,
) {
    let mut path = PathText::default();
    let mut last: Option<(f64, f64)> = None;
    let mut is_down = false;
    for point in points {
        let inside = point.1 >= 0.0;
        match last {
            Some(last) if (last.1 >= 0.0) != inside => {
                let part = last.1 / (last.1 - point.1);
                let edge = (frame.x(last.0 + part * (point.0 - last.0)), frame.y(0.0));
                if inside {
                    path.move_to(edge.0, edge.1);
                    path.line_to(frame.x(point.0), frame.y(point.1));
                } else {
                    path.line_to(edge.0, edge.1);
                }
            }
            _ if !inside => {}
            Some(_) if is_down => path.line_to(frame.x(point.0), frame.y(point.1)),
            _ => path.move_to(frame.x(point.0), frame.y(point.1)),
        }
        is_down = inside;
        last = Some(point);
    }
    drawing.path(&format!("curve c{}", number % 4), path);
}

/// Draws the power of a trace over time and frequency.
pub(crate) fn draw_spectrogram(name: &str, trace: &PictureTrace, width: f64) -> Drawing {
    const SCALE: f64 = 52.0;
    let mut drawing = Drawing::new(width, HEADING + HEIGHT + TIME_LABELS);
    let frame =
        Frame { left: LEFT, top: HEADING, width: width - LEFT - RIGHT - SCALE, height: HEIGHT };
    let title = match name {
        "" => "Spectrogram".to_owned(),
        name => format!("Spectrogram, {name}"),
    };
    drawing.text((frame.left, 18.0), Anchor::Start, "title", &title);
    let sound = trace.spectrogram.as_ref().filter(|spectrogram| {
        let ends = [spectrogram.frequency_max, spectrogram.power_min_db, spectrogram.power_max_db];
        png::is_address(&spectrogram.image)
            && ends.iter().all(|end| end.is_finite())
            && spectrogram.frequency_max > 0.0
            && spectrogram.power_min_db < spectrogram.power_max_db
    });
    let Some(spectrogram) = sound else {
        frame.outline(&mut drawing);
        frame.remark(&mut drawing, "too few samples with power");
        return drawing;
    };
    let frequencies = ValueAxis::between(0.0, spectrogram.frequency_max, 5);
    frame.draw_values(&mut drawing, &frequencies, "frequency, Hz");
    drawing.image((frame.left, frame.top), (frame.width, frame.height), &spectrogram.image);
    frame.outline(&mut drawing);
    frame.draw_time_labels(&mut drawing, &shared_axis([trace]));
    let scale = Frame { left: frame.left + frame.width + 10.0, width: 10.0, ..frame };
    drawing.image((scale.left, scale.top), (scale.width, scale.height), &png::colour_scale());
    let powers = ValueAxis::between(spectrogram.power_min_db, spectrogram.power_max_db, 5);
    for (value, label) in &powers.ticks {
        let y = scale.y(powers.fraction(*value));
        drawing.line((scale.left + 10.0, y), (scale.left + 14.0, y), "tick");
        drawing.text((scale.left + 17.0, y + 4.0), Anchor::Start, "", label);
    }
    drawing.text((scale.left + 42.0, 18.0), Anchor::End, "", "dB");
    drawing
}
