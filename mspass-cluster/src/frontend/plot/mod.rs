//! Pictures of traces as SVG text.
//!
//! Every picture is a file of its own: no scripts, nothing fetched, light or dark as the viewer
//! prefers. Its size does not grow with the traces: what is drawn of a trace is the minimum and
//! maximum of equal parts, so no spike is lost, and averaged spectra.
//!
//! Any input can be drawn: samples that are not finite leave holes and are counted, a trace of no
//! samples or without a usable sampling rate is drawn as a sentence that says so.

pub(crate) mod axis;
pub(crate) mod coverage;
pub(crate) mod envelope;
mod png;
mod power;
mod section;
pub(crate) mod spectrum;
pub(crate) mod svg;
#[cfg(test)]
mod tests;
pub(crate) mod trace;

use mspass_actors::workflow::report::{Coverage, ENVELOPE_COLUMNS_MAX, Picture, PictureTrace};
use mspass_core::UtcTime;

use svg::Drawing;

/// Width of a picture, units (pixels at its natural size).
pub(crate) const WIDTH: f64 = 960.0;

/// A trace to draw.
#[derive(Clone, Debug)]
pub struct TracePlot<'a> {
    /// SEED id or another name.
    pub label: String,
    /// Unit of the samples, such as `counts` or `m/s`; may be empty.
    pub unit: String,
    /// Time of the first sample.
    pub starttime: UtcTime,
    /// Samples a second, Hz.
    pub sampling_rate: f64,
    /// The samples.
    pub samples: &'a [f64],
}

impl TracePlot<'_> {
    /// Reads all samples once and keeps what a picture shows of them: envelope, power spectral
    /// density (Welch's method, Hann segments of about 1/8 of the trace, overlapping by half) and
    /// spectrogram. About 60 KB whatever the length of the trace.
    pub fn to_picture(&self) -> PictureTrace {
        PictureTrace {
            spectrum: power::spectrum(self.samples, self.sampling_rate),
            spectrogram: power::spectrogram(self.samples, self.sampling_rate),
            ..self.to_wave()
        }
    }

    /// Label, times and envelope, without spectra.
    fn to_wave(&self) -> PictureTrace {
        let (envelope, nonfinite) = envelope::envelope(self.samples, ENVELOPE_COLUMNS_MAX);
        PictureTrace {
            label: self.label.clone(),
            unit: self.unit.clone(),
            starttime: self.starttime,
            sampling_rate: self.sampling_rate,
            npts: self.samples.len() as u64,
            nonfinite,
            envelope,
            spectrum: Vec::new(),
            spectrogram: None,
        }
    }
}

/// Draws traces under each other on one UTC time axis, each with its own amplitude axis; of more
/// than 40 the first 40, with the number left out.
///
/// ```
/// use mspass_cluster::frontend::plot::{TracePlot, plot_traces};
/// let samples: Vec<f64> = (0..1000).map(|n| (n as f64 * 0.1).sin()).collect();
/// let trace = TracePlot {
///     label: "YA.UV05.00.HHZ".to_owned(),
///     unit: "counts".to_owned(),
///     starttime: "2010-09-01".parse().unwrap(),
///     sampling_rate: 100.0,
///     samples: &samples,
/// };
/// let svg = plot_traces(&[trace]);
/// assert!(svg.starts_with("<svg") && svg.contains("YA.UV05.00.HHZ"));
/// ```
pub fn plot_traces(traces: &[TracePlot<'_>]) -> String {
    let waves: Vec<_> = traces.iter().take(trace::TRACES_MAX).map(TracePlot::to_wave).collect();
    let blank = PictureTrace::default();
    let mut drawn: Vec<_> = waves.iter().map(|wave| ("", wave)).collect();
    drawn.resize(traces.len(), ("", &blank));
    framed(&trace::draw_traces(&drawn, WIDTH)).document(&name_of(traces))
}

/// A row of a [`Section`]: a trace on an axis of seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct SectionRow {
    /// What it is called: a pair of stations, an event.
    pub label: String,
    /// Time of the first sample, seconds.
    pub start: f64,
    /// Samples a second, Hz.
    pub sampling_rate: f64,
    /// The samples.
    pub samples: Vec<f64>,
    /// Whether it stands out from the others, as a stack does below what it was made of.
    pub strong: bool,
}

impl SectionRow {
    /// Time of the last sample, seconds.
    fn end(&self) -> f64 {
        self.start + self.samples.len().saturating_sub(1) as f64 / self.sampling_rate
    }
}

/// Traces under each other on one axis of seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Section {
    /// What stands above it.
    pub title: String,
    /// From top to bottom.
    pub rows: Vec<SectionRow>,
}

/// Draws up to four sections side by side, each row scaled to its own largest amplitude and named
/// left of the first section; of more than 60 rows the first 60, with the number left out.
/// `axis_name` says what the seconds count from.
///
/// ```
/// use mspass_cluster::frontend::plot::{Section, SectionRow, plot_sections};
/// let row = SectionRow {
///     label: "UV05 - UV06".to_owned(),
///     start: -1.0,
///     sampling_rate: 20.0,
///     samples: (-20..=20).map(|lag| 1.0 / (1.0 + f64::from(lag * lag))).collect(),
///     strong: false,
/// };
/// let section = Section { title: "correlations".to_owned(), rows: vec![row] };
/// let svg = plot_sections("lag, s", &[section]);
/// assert!(svg.starts_with("<svg") && svg.contains("UV05 - UV06") && svg.contains("lag, s"));
/// ```
pub fn plot_sections(axis_name: &str, sections: &[Section]) -> String {
    let titles: Vec<_> = sections.iter().map(|section| section.title.as_str()).collect();
    framed(&section::draw_sections(axis_name, sections, WIDTH)).document(&titles.join(", "))
}

/// Draws the power spectral densities of up to eight traces over each other: dB relative to
/// unit^2 / Hz over logarithmic frequency (Welch's method, see [`TracePlot::to_picture`]).
pub fn plot_spectrum(traces: &[TracePlot<'_>]) -> String {
    let pictures: Vec<_> = traces
        .iter()
        .take(8)
        .map(|trace| PictureTrace {
            spectrum: power::spectrum(trace.samples, trace.sampling_rate),
            label: trace.label.clone(),
            unit: trace.unit.clone(),
            ..PictureTrace::default()
        })
        .collect();
    let named: Vec<_> = pictures.iter().map(|trace| (trace.label.as_str(), trace)).collect();
    let label = format!("power spectral density of {}", name_of(traces));
    framed(&spectrum::draw_spectra(&named, WIDTH)).document(&label)
}

/// Draws power over time and frequency.
pub fn plot_spectrogram(trace: &TracePlot<'_>) -> String {
    let drawing = spectrum::draw_spectrogram(&trace.label, &trace.to_picture(), WIDTH);
    framed(&drawing).document(&format!("spectrogram of {}", trace.label))
}

/// Draws a trace with its spectrum and spectrogram.
pub fn plot_overview(trace: &TracePlot<'_>) -> String {
    let picture = trace.to_picture();
    overview(&[("", &picture)]).document(&trace.label)
}

/// Draws a datum before and after processing: both traces, both spectra, and the spectrogram of
/// the datum as read.
pub fn plot_picture(picture: &Picture) -> String {
    let named = [("raw", &picture.raw), ("processed", &picture.processed)];
    overview(&named).document(&picture.title)
}

/// Draws when there are data, one row a channel (of more than 60 the first 60), with gaps too
/// short for the scale marked.
pub fn plot_coverage(coverage: &[Coverage]) -> String {
    framed(&coverage::draw_coverage(coverage, 0, WIDTH)).document("times with data")
}

/// Traces above; spectra and the spectrogram of the first below, side by side.
fn overview(named: &[(&str, &PictureTrace)]) -> Drawing {
    let top = trace::draw_traces(named, WIDTH);
    let left = spectrum::draw_spectra(named, WIDTH / 2.0);
    let mut drawing = Drawing::new(WIDTH, top.height + 8.0 + left.height);
    drawing.place((0.0, 0.0), &top);
    drawing.place((0.0, top.height + 8.0), &left);
    if let Some((name, trace)) = named.first() {
        let right = spectrum::draw_spectrogram(name, trace, WIDTH / 2.0);
        drawing.place((WIDTH / 2.0, top.height + 8.0), &right);
    }
    framed(&drawing)
}

/// The drawing with a margin around it, as a file of its own needs.
fn framed(drawing: &Drawing) -> Drawing {
    const MARGIN: f64 = 10.0;
    let mut out = Drawing::new(drawing.width + 2.0 * MARGIN, drawing.height + 2.0 * MARGIN);
    out.place((MARGIN, MARGIN), drawing);
    out
}

fn name_of(traces: &[TracePlot<'_>]) -> String {
    match traces {
        [] => "no traces".to_owned(),
        [one] => one.label.clone(),
        [first, rest @ ..] => format!("{} and {} more traces", first.label, rest.len()),
    }
}
