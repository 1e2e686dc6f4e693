//! A datum and a process of the host's own: how loud a trace is, window by window.

use mspass::core::{Error, ErrorLog, History, Life, Result, Tombstone};
use mspass::process::Scratch;
use mspass::{Datum, Hertz, Metadata, Process, SeedId, TimeSeries, UtcTime};
use serde::{Deserialize, Serialize};

/// Root mean squares of the samples of windows that follow each other.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Levels {
    /// The channel.
    pub id: SeedId,
    /// The beginning of the first window.
    pub starttime: UtcTime,
    /// Length of a window, seconds.
    pub seconds: f64,
    /// One for each whole window, in counts.
    pub values: Vec<f64>,
    life: Life,
    metadata: Metadata,
    log: ErrorLog,
    history: History,
}

impl Datum for Levels {
    const KIND: &'static str = "Levels";
    mspass::core::datum_fields!();

    fn memory_bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.values)
    }

    fn headstone(&self) -> Self {
        let (values, metadata) = (Vec::new(), self.metadata.clone());
        let (id, log, history) = (self.id.clone(), self.log.clone(), self.history.clone());
        Self { id, values, metadata, log, history, ..*self }
    }

    fn into_tombstone(self) -> Tombstone {
        let Self { id, values, life, metadata, log, history, .. } = self;
        let (kind, npts) = (Self::KIND.to_owned(), values.len());
        Tombstone { kind, life, id: Some(id), axis: None, npts, metadata, log, history }
    }
}

impl Levels {
    /// A trace with one sample for each window, to be saved.
    pub fn into_trace(self) -> Result<TimeSeries> {
        let rate = Hertz::new(1.0 / self.seconds)?;
        let mut trace = TimeSeries::new(self.id, self.starttime, rate, self.values);
        (trace.life, trace.metadata) = (self.life, self.metadata);
        (trace.log, trace.history) = (self.log, self.history);
        Ok(trace)
    }
}

/// Takes a trace and gives its [`Levels`].
#[derive(Clone, Copy, Debug, Serialize)]
pub struct WindowLevels {
    /// Length of a window, seconds.
    pub seconds: f64,
}

impl Process<TimeSeries> for WindowLevels {
    type Output = Levels;

    fn name(&self) -> &str {
        "window_levels"
    }

    fn parameters(&self) -> serde_json::Value {
        serde_json::json!(self)
    }

    fn check(&self) -> Result<()> {
        if self.seconds.is_finite() && self.seconds > 0.0 {
            return Ok(());
        }
        Err(Error::parameter("seconds", self.seconds, "a window has a length above zero"))
    }

    fn apply(&self, trace: &mut TimeSeries, _: &mut Scratch) -> Result<Levels> {
        let npts = (self.seconds * trace.sampling_rate().value()).round() as usize;
        let starttime = trace.axis.starttime();
        let (Some(starttime), true) = (starttime, (1..=trace.npts()).contains(&npts)) else {
            return Err(Error::unfit("it is no trace in UTC of a window or longer"));
        };
        let trace = std::mem::take(trace);
        let power = |window: &[f64]| window.iter().map(|sample| sample * sample).sum::<f64>();
        let level = |window: &[f64]| (power(window) / window.len() as f64).sqrt();
        let values = trace.samples.chunks_exact(npts).map(level).collect();
        let TimeSeries { id, life, metadata, log, history, .. } = trace;
        let seconds = self.seconds;
        Ok(Levels { id, starttime, seconds, values, life, metadata, log, history })
    }
}
