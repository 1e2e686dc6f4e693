//! `mspass plot`: a picture of traces.

use std::io::Write;
use std::path::{Path, PathBuf};

use bson::oid::ObjectId;
use mspass_core::{TimeSeries, UtcTime};
use mspass_io::db::Waveforms;
use mspass_io::format::{SampleType, read_file};

use super::failure::Failure;
use super::{DATABASE, DONE, complain, database, read};
use crate::frontend::plot::{TracePlot, plot_overview, plot_spectrum, plot_traces};
use crate::frontend::quantity::counted;

const AFTER_HELP: &str = "\
The picture is an SVG file of its own, which every browser shows: each trace with its own amplitude
axis over one time axis. However long the traces are, no spike is lost and the file stays small.

Examples:
  mspass plot YA.UV05.00.HHZ.D.2010.244
  mspass plot day.mseed --start 2010-09-01T06:00 --end 2010-09-01T07:00 --spectrum
  mspass find wf_TimeSeries --db embedded:work/db --limit 3 --projection '{\"_id\": 1}'
  mspass plot 6b0402a04e6cf10946250b78 --db embedded:work/db --output hour.svg

Exit codes: 0 done; 1 failed; 2 bad input.";

/// Draw the traces of a waveform file or of a saved waveform
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// A waveform file, or (with --db) the _id of a document of wf_TimeSeries or wf_miniseed
    #[arg(value_name = "FILE|ID")]
    what: String,

    #[arg(long, help = DATABASE)]
    db: Option<String>,

    /// Where the picture goes [default: FILE.svg or ID.svg in the current folder]
    #[arg(long, value_name = "FILE.svg")]
    output: Option<PathBuf>,

    /// Draw power spectral densities: of one trace beside it, with a spectrogram; of several, up
    /// to eight, over each other in place of the traces
    #[arg(long)]
    spectrum: bool,

    /// Draw nothing before this instant: ISO 8601, UTC
    #[arg(long, value_name = "TIME")]
    start: Option<String>,

    /// Draw nothing from this instant on
    #[arg(long, value_name = "TIME")]
    end: Option<String>,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Failure> {
    let window = Window::parse(arguments)?;
    let output = output_path(arguments)?;
    let mut traces = match &arguments.db {
        Some(db) => saved_traces(&arguments.what, db)?,
        None => file_traces(&arguments.what)?,
    };
    let starts = traces.iter().map(|trace| trace.starttime).min();
    let ends = traces.iter().map(Drawn::endtime).max();
    traces.retain_mut(|trace| window.cut(trace));
    if traces.is_empty() {
        let (first, last) = (starts.unwrap_or_default(), ends.unwrap_or_default());
        return Err(Failure::bad_input(format!(
            "{} has no samples in that time: it runs from {first} to {last}",
            arguments.what
        )));
    }
    let plots: Vec<TracePlot<'_>> = traces.iter().map(Drawn::to_plot).collect();
    let svg = match (&plots[..], arguments.spectrum) {
        ([one], true) => plot_overview(one),
        (several, true) => plot_spectrum(several),
        (several, false) => plot_traces(several),
    };
    std::fs::write(&output, svg).map_err(|error| {
        let path = output.display();
        let remedy = "name another place with --output";
        Failure::bad_input(format!("cannot write the picture {path}: {error}; {remedy}"))
    })?;
    writeln!(out, "{}", output.display())?;
    Ok(DONE)
}

/// Where the picture goes.
fn output_path(arguments: &Arguments) -> Result<PathBuf, Failure> {
    let Some(path) = &arguments.output else {
        let name = Path::new(&arguments.what).file_name().unwrap_or_default();
        let mut name = name.to_owned();
        name.push(".svg");
        return Ok(name.into());
    };
    match path.extension() {
        Some(extension) if extension.eq_ignore_ascii_case("svg") => Ok(path.clone()),
        _ => Err(Failure::bad_input(format!(
            "--output {}: pictures are SVG, so name it *.svg",
            path.display()
        ))),
    }
}

/// A trace to draw, which owns its samples.
struct Drawn {
    label: String,
    unit: &'static str,
    starttime: UtcTime,
    sampling_rate: f64,
    samples: Vec<f64>,
}

impl Drawn {
    fn of_saved(trace: TimeSeries, is_raw: bool) -> Self {
        let mut label = trace.id.to_string();
        let starttime = trace.axis.starttime().unwrap_or_else(|| {
            label.push_str(" (times are relative, to an origin unknown)");
            UtcTime::from_seconds(trace.axis.start())
        });
        let sampling_rate = trace.sampling_rate().value();
        let unit = if is_raw { "counts" } else { "" };
        Self { label, unit, starttime, sampling_rate, samples: trace.samples }
    }

    fn endtime(&self) -> UtcTime {
        let last = self.samples.len().saturating_sub(1) as f64;
        self.starttime.plus_seconds(last / self.sampling_rate)
    }

    fn to_plot(&self) -> TracePlot<'_> {
        TracePlot {
            label: self.label.clone(),
            unit: self.unit.to_owned(),
            starttime: self.starttime,
            sampling_rate: self.sampling_rate,
            samples: &self.samples,
        }
    }
}

/// The traces of a waveform file; log text is left out.
fn file_traces(name: &str) -> Result<Vec<Drawn>, Failure> {
    let path = Path::new(name);
    if !path.exists() && ObjectId::parse_str(name).is_ok() {
        return Err(Failure::bad_input(format!(
            "there is no file {name}: if it is the _id of a saved waveform, name its database \
             with --db"
        )));
    }
    read::refuse_no_file(path)?;
    let contents = read_file(path).map_err(|error| {
        Failure::bad_input(format!("cannot draw {name}: {}", read::reason_of(error)))
    })?;
    let damaged = contents.errors.len() as u64;
    let drawable = contents.traces.into_iter().filter(|trace| {
        trace.sampling_rate > 0.0 && trace.samples.sample_type() != SampleType::Text
    });
    let drawn: Vec<Drawn> = drawable
        .map(|trace| Drawn {
            label: trace.id.to_string(),
            unit: if trace.samples.sample_type() == SampleType::Int { "counts" } else { "" },
            starttime: trace.starttime,
            sampling_rate: trace.sampling_rate,
            samples: trace.samples.to_f64(),
        })
        .collect();
    if drawn.is_empty() {
        let reason = contents.errors.first().map(ToString::to_string);
        let reason = reason.unwrap_or_else(|| "no waveforms in it".to_owned());
        return Err(Failure::bad_input(format!("cannot draw {name}: {reason}")));
    }
    warn_of(damaged, name);
    Ok(drawn)
}

/// The traces of a document of `wf_TimeSeries` or `wf_miniseed`.
fn saved_traces(id: &str, db: &str) -> Result<Vec<Drawn>, Failure> {
    let object_id = ObjectId::parse_str(id).map_err(|_| {
        Failure::bad_input(format!("'{id}' is no _id, which has 24 hexadecimal digits"))
    })?;
    let name = database::parse(db)?;
    let database = database::open(&name)?;
    let waveforms = Waveforms::new(&database);
    let Some(document) = waveforms.find(object_id)? else {
        return Err(Failure::bad_input(format!(
            "{name} has no document with _id {id} in wf_TimeSeries or wf_miniseed; \
             `mspass find` prints what there is"
        )));
    };
    let pieces = waveforms.pieces(&document)?;
    warn_of(pieces.errors.len() as u64, id);
    let says = |key: &str, due: &str| document.get_str(key).is_ok_and(|value| value == due);
    let is_raw = says("storage_mode", "file") && says("format", "mseed");
    Ok(pieces.data.into_iter().map(|trace| Drawn::of_saved(trace, is_raw)).collect())
}

fn warn_of(damaged: u64, name: &str) {
    if damaged > 0 {
        let records = counted(damaged, "damaged record", "damaged records");
        complain(&format!("{name} has {records}; `mspass read` on the file lists them"));
    }
}

/// The time asked for: from `start` on, before `end`.
#[derive(Default)]
struct Window {
    start: Option<UtcTime>,
    end: Option<UtcTime>,
}

impl Window {
    fn parse(arguments: &Arguments) -> Result<Self, Failure> {
        let parse = |option: &str, text: &Option<String>| {
            let text = text.as_deref();
            text.map(str::parse::<UtcTime>)
                .transpose()
                .map_err(|error| Failure::bad_input(format!("{option}: {error}")))
        };
        let window = Self {
            start: parse("--start", &arguments.start)?,
            end: parse("--end", &arguments.end)?,
        };
        match (window.start, window.end) {
            (Some(start), Some(end)) if start >= end => {
                Err(Failure::bad_input(format!("--start {start} is not before --end {end}")))
            }
            _ => Ok(window),
        }
    }

    /// Leaves the samples in the window; false where there are none.
    fn cut(&self, trace: &mut Drawn) -> bool {
        let npts = trace.samples.len();
        // The first sample at or after an instant, up to rounding.
        let index = |time: UtcTime| {
            let samples = time.seconds_since(trace.starttime) * trace.sampling_rate;
            (samples - 1e-3).ceil().clamp(0.0, npts as f64) as usize
        };
        let (first, end) = (self.start.map_or(0, index), self.end.map_or(npts, index));
        if first >= end {
            return false;
        }
        trace.samples.truncate(end);
        trace.samples.drain(..first);
        trace.starttime = trace.starttime.plus_seconds(first as f64 / trace.sampling_rate);
        true
    }
}
