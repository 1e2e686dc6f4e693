//! Characteristic functions of event detection and the triggers on them.
//!
//! Short-term averages (STA) and long-term averages (LTA) are those of squared samples, of `nsta`
//! and `nlta` samples; definitions follow ObsPy's `obspy.signal.trigger` (Withers et al., Bull.
//! Seismol. Soc. Am. 88, 1998). All functions work in place.

use std::ops::RangeInclusive;

use crate::error::{Error, Result};

/// STA over LTA, both ending at the sample; 0 before a whole `nlta` and where the LTA is 0.
///
/// [`Error::Parameter`] unless `0 < nsta < nlta`, [`Error::Unfit`] when `x` is shorter than `nlta`.
///
/// ```
/// let mut x = [1.0, -1.0, 1.0, 3.0];
/// mspass_core::kernel::trigger::classic_sta_lta(&mut x, 1, 4, &mut Vec::new()).unwrap();
/// assert_eq!(x, [0.0, 0.0, 0.0, 3.0]);
/// ```
pub fn classic_sta_lta(x: &mut [f64], nsta: usize, nlta: usize, work: &mut Vec<f64>) -> Result<()> {
    check(x, nsta, nlta, nlta)?;
    squares(x, work);
    let (mut sta, mut lta) = (RunningSum::new(nsta), RunningSum::new(nlta));
    for (i, v) in x.iter_mut().enumerate() {
        let (short, long) = (sta.next(work), lta.next(work));
        let ratio = short / nsta as f64 / (long / nlta as f64);
        *v = if i + 1 < nlta || long == 0.0 { 0.0 } else { ratio };
    }
    Ok(())
}

/// STA over LTA, both decaying exponentially; 0 for the first `nlta` samples.
///
/// Errors are those of [`classic_sta_lta`].
pub fn recursive_sta_lta(x: &mut [f64], nsta: usize, nlta: usize) -> Result<()> {
    check(x, nsta, nlta, nlta)?;
    let (short, long) = (1.0 / nsta as f64, 1.0 / nlta as f64);
    let (mut sta, mut lta) = (0.0, f64::MIN_POSITIVE);
    for (i, v) in x.iter_mut().enumerate() {
        if i > 0 {
            let square = *v * *v;
            sta = short * square + (1.0 - short) * sta;
            lta = long * square + (1.0 - long) * lta;
        }
        *v = if i < nlta { 0.0 } else { sta / lta };
    }
    Ok(())
}

/// The delayed STA over LTA of ObsPy, to the letter: sums to which each sample adds its own square
/// and that of the sample which leaves the window, and which start with samples from the end of the
/// trace; 0 for the first `nsta + nlta + 50` samples. Here for comparison with ObsPy.
///
/// Errors are those of [`classic_sta_lta`], for `nsta + nlta + 1` samples.
pub fn delayed_sta_lta(x: &mut [f64], nsta: usize, nlta: usize, work: &mut Vec<f64>) -> Result<()> {
    check(x, nsta, nlta, nsta.saturating_add(nlta).saturating_add(1))?;
    squares(x, work);
    let npts = work.len();
    let before =
        |i: usize, delay: usize| work[if i < delay { i + npts - delay } else { i - delay }];
    let (mut sta, mut lta) = (0.0, 0.0);
    for (i, v) in x.iter_mut().enumerate() {
        sta += (work[i] + before(i, nsta)) / nsta as f64;
        lta += (before(i, nsta + 1) + before(i, nsta + nlta + 1)) / nlta as f64;
        *v = if i < nsta + nlta + 50 || lta == 0.0 { 0.0 } else { sta / lta };
    }
    Ok(())
}

/// Swindell and Snell's Z detector: the sum of the `nsta` squares before each sample, in standard
/// deviations from its mean over the trace; all 0 when that sum never changes.
///
/// [`Error::Parameter`] when `nsta` is 0, [`Error::Unfit`] when `x` is not longer than `nsta`.
pub fn z_detect(x: &mut [f64], nsta: usize, work: &mut Vec<f64>) -> Result<()> {
    check(x, nsta, usize::MAX, nsta.saturating_add(1))?;
    squares(x, work);
    let mut sta = RunningSum::new(nsta);
    let mut sum = 0.0;
    for (i, v) in x.iter_mut().enumerate() {
        *v = if i < nsta { 0.0 } else { sum };
        sum = sta.next(work);
    }
    let npts = x.len() as f64;
    let mean = x.iter().sum::<f64>() / npts;
    let deviation = (x.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / npts).sqrt();
    let scale = if deviation == 0.0 { 0.0 } else { 1.0 / deviation };
    x.iter_mut().for_each(|v| *v = (*v - mean) * scale);
    Ok(())
}

/// Stretches of a characteristic function from where it reaches `on` to the last sample before it
/// falls below `off`, as sample indices.
///
/// [`Error::Parameter`] unless `on >= off`.
///
/// ```
/// let cft = [0.0, 3.0, 1.0, 0.0, 1.0, 2.0];
/// let found = mspass_core::kernel::trigger::onsets(&cft, 2.0, 1.0).unwrap();
/// assert_eq!(found, [1..=2, 5..=5]);
/// ```
pub fn onsets(cft: &[f64], on: f64, off: f64) -> Result<Vec<RangeInclusive<usize>>> {
    if !(on.is_finite() && off.is_finite() && on >= off) {
        let reason = format!("a trigger goes on at {on}, at or above where it goes off");
        return Err(Error::parameter("off", off, reason));
    }
    let mut found = Vec::new();
    let mut start = None;
    for (i, v) in cft.iter().enumerate() {
        // What is not a number ends a trigger, too.
        let (above_on, above_off) = (*v >= on, *v >= off);
        match start {
            None if above_on => start = Some(i),
            Some(first) if !above_off => {
                found.push(first..=i - 1);
                start = None;
            }
            _ => {}
        }
    }
    found.extend(start.map(|first| first..=cft.len() - 1));
    Ok(found)
}

/// The sum of the last `width` values up to a place that moves on; summed anew every `width`
/// places, so that rounding errors of large values do not outlive them for long.
struct RunningSum {
    width: usize,
    place: usize,
    sum: f64,
}

impl RunningSum {
    fn new(width: usize) -> Self {
        Self { width, place: 0, sum: 0.0 }
    }

    #[inline(always)]
    fn next(&mut self, values: &[f64]) -> f64 {
        let end = self.place + 1;
        if end.is_multiple_of(self.width) {
            self.sum = values[end - self.width..end].iter().sum();
        } else {
            self.sum += values[self.place];
            if end > self.width {
                self.sum -= values[self.place - self.width];
            }
        }
        self.place = end;
        self.sum
    }
}

fn squares(x: &[f64], work: &mut Vec<f64>) {
    work.clear();
    work.extend(x.iter().map(|v| v * v));
}

fn check(x: &[f64], nsta: usize, nlta: usize, least: usize) -> Result<()> {
    if nsta == 0 {
        return Err(Error::parameter("nsta", nsta, "an average is of at least one sample"));
    }
    if nlta <= nsta {
        return Err(Error::parameter("nlta", nlta, format!("the long average is over {nsta}")));
    }
    if x.len() < least {
        let npts = x.len();
        return Err(Error::unfit(format!(
            "{npts} samples are too few: at least {least} are needed"
        )));
    }
    Ok(())
}
