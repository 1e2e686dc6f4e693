//! `mspass read`: what is in waveform files.

use std::io::Write;
use std::path::{Path, PathBuf};

use mspass_io::Error;
use mspass_io::format::mseed::RecordError;
use mspass_io::format::{Contents, Format, Samples, Trace, read_file};
use serde_json::{Number, Value, json};

use super::failure::Failure;
use super::table::Table;
use super::{DONE, FAILED};
use crate::frontend::quantity::{count, counted, duration, rate};

/// Errors of one file shown in the table; further ones are only counted.
const ERRORS_SHOWN: usize = 10;
/// Characters of a text shown in the table.
const TEXT_SHOWN: usize = 24;

const AFTER_HELP: &str = "\
Formats are told by content: miniSEED 2 and 3, SAC (binary or alphanumeric). Contiguous records
join to one trace. Damaged records are listed with the byte at which they begin, under the sound
ones.

With --json each file is one line:
  {\"file\": ..., \"format\": ..., \"traces\": [...], \"errors\": [{\"offset\": ..., ...}]}
and a trace has id, npts, sampling_rate (Hz), starttime_ns (since 1970), sum and abs_max (of all
samples but NaN), or text where the samples are text.

Examples:
  mspass read YA.UV05.00.HHZ.D.2010.244
  mspass read --json *.mseed | jq '.traces[].id'

Exit codes: 0 every file gave something; 1 some file gave nothing; 2 bad input.";

/// Read waveform files and tell what is in them, trace by trace
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// Waveform files
    #[arg(required = true)]
    files: Vec<PathBuf>,

    /// Print one JSON object a file, each on a line of its own
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Failure> {
    arguments.files.iter().try_for_each(|path| refuse_no_file(path))?;
    let mut code = DONE;
    for (place, path) in arguments.files.iter().enumerate() {
        let read = FileRead::of(path);
        if read.traces.is_empty() {
            code = FAILED;
        }
        if arguments.json {
            writeln!(out, "{}", read.to_json(path))?;
        } else {
            if place > 0 {
                writeln!(out)?;
            }
            read.print(path, out)?;
        }
    }
    Ok(code)
}

/// Before anything is read: a path that is misspelt, or a folder.
pub(super) fn refuse_no_file(path: &Path) -> Result<(), Failure> {
    let name = path.display();
    match std::fs::metadata(path) {
        Err(error) => {
            Err(Failure::bad_input(format!("cannot read {name}: {error}; check the path")))
        }
        Ok(found) if found.is_dir() => Err(Failure::bad_input(format!(
            "{name} is a folder: name files in it, or index it with `mspass index`"
        ))),
        Ok(_) => Ok(()),
    }
}

/// Why a file cannot be read, without its name.
pub(super) fn reason_of(error: Error) -> String {
    match error {
        Error::File { action, source, .. } => format!("cannot {action}: {source}"),
        Error::Format { reason, .. } => reason,
        other => other.to_string(),
    }
}

/// What a file gave, without the samples.
struct FileRead {
    format: Option<Format>,
    traces: Vec<Summary>,
    errors: Vec<RecordError>,
}

impl FileRead {
    fn of(path: &Path) -> Self {
        match read_file(path) {
            Ok(Contents { format, traces, errors }) => {
                let traces = traces.into_iter().map(Summary::of).collect();
                Self { format: Some(format), traces, errors }
            }
            Err(error) => {
                let is_empty = std::fs::metadata(path).is_ok_and(|found| found.len() == 0);
                let reason = if is_empty { "an empty file".to_owned() } else { reason_of(error) };
                let errors = vec![RecordError::whole_file(reason)];
                Self { format: None, traces: Vec::new(), errors }
            }
        }
    }

    fn to_json(&self, path: &Path) -> Value {
        let errors = self.errors.iter();
        let errors: Vec<Value> =
            errors.map(|error| json!({ "offset": error.offset, "reason": error.reason })).collect();
        json!({
            "file": path.to_string_lossy(),
            "format": self.format.map(format_name),
            "traces": self.traces.iter().map(Summary::to_json).collect::<Vec<_>>(),
            "errors": errors,
        })
    }

    fn print(&self, path: &Path, out: &mut dyn Write) -> Result<(), Failure> {
        if self.traces.is_empty() {
            writeln!(out, "{}: no waveforms", path.display())?;
            return self.print_errors(out);
        }
        let format = self.format.map_or("", format_name);
        let traces = counted(self.traces.len() as u64, "trace", "traces");
        let samples: u64 = self.traces.iter().map(|trace| trace.npts).sum();
        let samples = counted(samples, "sample", "samples");
        writeln!(out, "{}: {format}, {traces}, {samples}", path.display())?;
        let heads = ["id", "npts", "rate", "start", "duration", "abs_max"];
        let mut table = Table::new(heads, [1, 2, 4, 5]);
        self.traces.iter().for_each(|trace| table.push(trace.to_row()));
        table.print(out)?;
        self.print_errors(out)
    }

    fn print_errors(&self, out: &mut dyn Write) -> Result<(), Failure> {
        for error in self.errors.iter().take(ERRORS_SHOWN) {
            let kept = if error.kept { " (samples kept)" } else { "" };
            writeln!(out, "  error {error}{kept}")?;
        }
        if let Some(more) = self.errors.len().checked_sub(ERRORS_SHOWN + 1) {
            let more = counted(more as u64 + 1, "error", "errors");
            writeln!(out, "  and {more} more; --json lists all")?;
        }
        Ok(())
    }
}

fn format_name(format: Format) -> &'static str {
    match format {
        Format::MiniSeed => "miniSEED",
        Format::Sac => "SAC",
        Format::SacText => "SAC (alphanumeric)",
        _ => "a waveform format",
    }
}

/// What is told of a trace.
struct Summary {
    id: String,
    npts: u64,
    sampling_rate: f64,
    starttime: mspass_core::UtcTime,
    samples: Extremes,
}

/// What is told of samples.
enum Extremes {
    /// Of whole numbers, exactly.
    Whole { sum: i64, abs_max: i64 },
    /// Of floating-point numbers, NaN passed over.
    Real { sum: f64, abs_max: f64 },
    /// Text has neither.
    Text(String),
}

impl Summary {
    fn of(trace: Trace) -> Self {
        Self {
            id: trace.id.to_string(),
            npts: trace.samples.len() as u64,
            sampling_rate: trace.sampling_rate,
            starttime: trace.starttime,
            samples: Extremes::of(&trace.samples),
        }
    }

    fn to_json(&self) -> Value {
        let mut json = json!({
            "id": self.id,
            "npts": self.npts,
            "sampling_rate": self.sampling_rate,
            "starttime_ns": self.starttime.nanos(),
        });
        match &self.samples {
            Extremes::Whole { sum, abs_max } => {
                json["sum"] = json!(sum);
                json["abs_max"] = json!(abs_max);
            }
            Extremes::Real { sum, abs_max } => {
                json["sum"] = real_json(*sum);
                json["abs_max"] = real_json(*abs_max);
            }
            Extremes::Text(text) => json["text"] = json!(text),
        }
        json
    }

    fn to_row(&self) -> [String; 6] {
        let (sampled, seconds) = match self.sampling_rate {
            hertz if hertz > 0.0 => (rate(hertz), duration(self.npts as f64 / hertz)),
            _ => ("-".to_owned(), "-".to_owned()),
        };
        let start = self.starttime.to_string();
        [self.id.clone(), count(self.npts), sampled, start, seconds, self.samples.to_text()]
    }
}

/// A number; null where JSON has none (an infinite sum).
fn real_json(value: f64) -> Value {
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

impl Extremes {
    fn of(samples: &Samples) -> Self {
        match samples {
            Samples::Int(samples) => {
                let sum = samples.iter().map(|x| i64::from(*x)).sum();
                let abs_max = samples.iter().map(|x| x.unsigned_abs()).max().unwrap_or(0);
                Self::Whole { sum, abs_max: i64::from(abs_max) }
            }
            Samples::Float(samples) => Self::of_reals(samples.iter().map(|x| f64::from(*x))),
            Samples::Double(samples) => Self::of_reals(samples.iter().copied()),
            Samples::Text(bytes) => Self::Text(String::from_utf8_lossy(bytes).into_owned()),
            other => Self::of_reals(other.to_f64().into_iter()),
        }
    }

    fn of_reals(samples: impl Iterator<Item = f64>) -> Self {
        let numbers = samples.filter(|x| !x.is_nan());
        let (sum, abs_max) =
            numbers.fold((0.0, 0.0), |(sum, max): (f64, f64), x| (sum + x, max.max(x.abs())));
        Self::Real { sum, abs_max }
    }

    fn to_text(&self) -> String {
        match self {
            Self::Whole { abs_max, .. } => count(abs_max.unsigned_abs()),
            Self::Real { abs_max, .. } => seven_digits(*abs_max),
            Self::Text(text) => {
                let shown: String = text.chars().take(TEXT_SHOWN).collect();
                let rest = if shown.len() < text.len() { "..." } else { "" };
                format!("{shown:?}{rest}")
            }
        }
    }
}

/// As many digits as single precision has.
fn seven_digits(value: f64) -> String {
    let short = format!("{value:.6e}");
    match short.parse::<f64>() {
        Ok(value) if value == 0.0 || (1e-4..1e9).contains(&value) => value.to_string(),
        Ok(value) => format!("{value:e}"),
        Err(_) => short,
    }
}
