//! Cross-correlations of the members of an ensemble.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::elog::{Life, Severity};
use crate::error::{Error, Result};
use crate::history::{DocumentId, History};
use crate::kernel::correlate::Transform;
use crate::kernel::resample::NPTS_MAX;
use crate::process::{Facts, Process, Scratch, by_name};
use crate::series::{Ensemble, TimeAxis, TimeSeries, TimeStandard, overlap_start};

/// Correlates every pair of live members, in the order of their SEED ids; gives one trace of lags
/// for each pair.
///
/// At lag `k` stands the sum over `n` of `first[n + k] * second[n]`, as `scipy.signal.correlate`
/// has it: what reaches the second station earlier than the first stands at positive lags. A pair
/// whose members differ in number of samples, in sampling rate
/// ([`RATE_TOLERANCE`](crate::series::RATE_TOLERANCE), relative) or time standard, or in their
/// starts by more than half a sample is left out, and the log of the output says so (Complaint).
///
/// Each trace has the lags in seconds as its relative times, without a way back to UTC; the codes
/// that the two ids share, the others empty; the metadata on which the two agree, and `pair`
/// ("NET.STA.LOC.CHAN_NET.STA.LOC.CHAN"), `net1`, `sta1`, `loc1`, `chan1`, `net2`, `sta2`, `loc2`,
/// `chan2`, and `window_start` and `window_end`, the times of the first and last sample that were
/// correlated (seconds, of the axis of the first member). Its history has the inputs of both, the
/// steps of the first and those of the ensemble that it has not passed as a member; no two pairs of
/// the same inputs have the same output number.
///
/// ```
/// use mspass_core::process::{CorrelatePairs, Process, Scratch};
/// use mspass_core::series::Ensemble;
/// use mspass_core::{Hertz, TimeSeries, UtcTime};
/// let trace = |id: &str, pulse: usize| {
///     let mut samples = vec![0.0; 50];
///     samples[pulse] = 1.0;
///     let rate = Hertz::new(10.0).unwrap();
///     TimeSeries::new(id.parse().unwrap(), UtcTime::default(), rate, samples)
/// };
/// let mut ensemble = Ensemble::from_iter([trace("YA.UV06..HHZ", 20), trace("YA.UV05..HHZ", 25)]);
/// let lags = CorrelatePairs::up_to(1.0).apply(&mut ensemble, &mut Scratch::default()).unwrap();
/// let [pair] = &lags.members[..] else { panic!("there is one pair") };
/// assert_eq!((pair.axis.start(), pair.npts()), (-1.0, 21));
/// assert!((pair.samples[pair.axis.sample_number(0.5) as usize] - 1.0).abs() < 1e-15);
/// assert_eq!(pair.metadata.get("pair"), Some(&"YA.UV05..HHZ_YA.UV06..HHZ".into()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CorrelatePairs {
    /// The largest lag, seconds; rounded to whole samples.
    pub max_lag_seconds: f64,
    /// Whether to divide by the root of the product of the two energies: all lies between -1 and 1,
    /// and a pair without energy is left out.
    pub normalize: bool,
    /// Whether to pair every member with itself as well.
    pub autocorrelations: bool,
}

impl CorrelatePairs {
    /// Normalised, up to a lag in seconds, without autocorrelations.
    pub const fn up_to(max_lag_seconds: f64) -> Self {
        Self { max_lag_seconds, normalize: true, autocorrelations: false }
    }

    fn max_lag(&self, trace: &TimeSeries) -> Result<usize> {
        let lags = (self.max_lag_seconds * trace.sampling_rate().value()).round();
        if lags > NPTS_MAX as f64 {
            return Err(Error::unfit(format!("{lags} lags are more than {NPTS_MAX}")));
        }
        Ok(lags as usize)
    }

    /// The lags of one pair.
    fn correlate(
        &self,
        [first, second]: [&Prepared<'_>; 2],
        scratch: &mut Scratch,
    ) -> Result<TimeSeries> {
        let (a, b) = (first.trace, second.trace);
        let offset = overlap_start(&a.axis, &b.axis)?;
        if offset != 0 {
            let starts = [a.axis.start(), b.axis.start()];
            return Err(Error::unfit(format!("they start at {starts:?} s")));
        }
        let (max_lag, rate) = (self.max_lag(a)?, a.sampling_rate());
        let mut lags = scratch.take_room(2 * max_lag + 1);
        let work = &mut scratch.kernel;
        first.transform.cross_correlate(&second.transform, self.normalize, &mut lags, work)?;
        let mut pair = TimeSeries {
            id: a.id.clone(),
            axis: TimeAxis::relative(-(max_lag as f64) / rate.value(), None, rate),
            samples: lags,
            metadata: a.metadata.clone(),
            life: Life::Live,
            ..TimeSeries::default()
        };
        pair.id.keep_common(&b.id);
        pair.metadata.retain(|name, value| b.metadata.get(name) == Some(value));
        pair.metadata.insert("pair", format!("{}_{}", a.id, b.id));
        for (id, number) in [(&a.id, 1), (&b.id, 2)] {
            let codes = [
                ("net", id.network()),
                ("sta", id.station()),
                ("loc", id.location()),
                ("chan", id.channel()),
            ];
            for (name, code) in codes {
                pair.metadata.insert(format!("{name}{number}"), code);
            }
        }
        if let Some(window) = a.axis.span(a.npts()) {
            pair.metadata.insert("window_start", window.start);
            pair.metadata.insert("window_end", window.end);
        }
        Ok(pair)
    }
}

/// A member with its spectrum.
struct Prepared<'a> {
    trace: &'a TimeSeries,
    transform: Transform,
}

impl Process<Ensemble<TimeSeries>> for CorrelatePairs {
    type Output = Ensemble<TimeSeries>;

    fn name(&self) -> &str {
        "correlate_pairs"
    }

    fn parameters(&self) -> serde_json::Value {
        by_name(self)
    }

    fn check(&self) -> Result<()> {
        if !(self.max_lag_seconds.is_finite() && self.max_lag_seconds >= 0.0) {
            let reason = "must be finite and 0 s or more";
            return Err(Error::parameter("max_lag_seconds", self.max_lag_seconds, reason));
        }
        Ok(())
    }

    fn foresee(&self, facts: &mut Facts) -> Result<()> {
        let mut pair = facts.members();
        let codes = ["net", "sta", "loc", "chan"];
        let codes = codes.iter().flat_map(|name| [1, 2].map(|number| format!("{name}{number}")));
        codes.for_each(|name| pair.put(&name));
        ["pair", "window_start", "window_end"].iter().for_each(|name| pair.put(name));
        pair.standard = Some(TimeStandard::Relative { origin: None });
        facts.replace_members(pair);
        Ok(())
    }

    /// Holds the spectra of all members while it works, about twice the size of their samples. An
    /// ensemble without a pair is refused.
    fn apply(
        &self,
        datum: &mut Ensemble<TimeSeries>,
        scratch: &mut Scratch,
    ) -> Result<Ensemble<TimeSeries>> {
        let mut log = datum.log.clone();
        let mut complain = |what: String, error: Error| {
            let step = Process::<Ensemble<TimeSeries>>::name(self);
            log.push(step, Severity::Complaint, format!("{what} is left out: {error}"));
        };
        let mut prepared = Vec::new();
        for trace in datum.members.iter().filter(|member| member.life == Life::Live) {
            let transform = self
                .max_lag(trace)
                .and_then(|max_lag| Transform::new(&trace.samples, max_lag, &mut scratch.kernel));
            match transform {
                Ok(transform) => prepared.push(Prepared { trace, transform }),
                Err(error) => complain(trace.id.to_string(), error),
            }
        }
        prepared.sort_by_cached_key(|member| member.trace.id.to_string());
        let mut pairs = Vec::new();
        let mut same: BTreeMap<(Vec<DocumentId>, u64), u64> = BTreeMap::new();
        for (index, first) in prepared.iter().enumerate() {
            for second in &prepared[index + usize::from(!self.autocorrelations)..] {
                match self.correlate([first, second], scratch) {
                    Ok(mut pair) => {
                        let histories = [&first.trace.history, &second.trace.history];
                        pair.history = History::joined(&datum.history, &histories);
                        let History { inputs, output, .. } = &mut pair.history;
                        let count = same.entry((inputs.clone(), *output)).or_default();
                        *output = output.wrapping_add(*count);
                        *count += 1;
                        pairs.push(pair);
                    }
                    Err(error) => {
                        complain(format!("{}_{}", first.trace.id, second.trace.id), error);
                    }
                }
            }
        }
        drop(prepared);
        if pairs.is_empty() {
            datum.log = log;
            return Err(Error::unfit("no two members can be correlated"));
        }
        let mut output = Ensemble::from_iter(pairs);
        output.metadata = std::mem::take(&mut datum.metadata);
        output.log = log;
        output.history = std::mem::take(&mut datum.history);
        Ok(output)
    }
}
