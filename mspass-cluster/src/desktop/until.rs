//! When a job stops by itself: at a time that a person named, or before Slurm ends it.

use mspass_core::UtcTime;

use super::DesktopOptions;
use crate::error::{Error, Result};

/// How long before the end of a Slurm job its work is stopped, seconds: enough for the tasks that
/// run to end and to be stored.
pub const SLURM_MARGIN_SECONDS: f64 = 60.0;
/// Longest duration that may be asked for, seconds: ten years.
const SECONDS_MAX: f64 = 3650.0 * 86_400.0;

/// The earlier of the time that was asked for and, by its margin, of the end of a Slurm job.
///
/// # Errors
/// [`Error::Option`] when `--until` says no time.
pub(super) fn deadline(options: &DesktopOptions, now: UtcTime) -> Result<Option<UtcTime>> {
    let given = |text: &Option<String>| text.as_deref().map(str::trim).unwrap_or("").to_owned();
    let (until, slurm) = (given(&options.until), given(&options.slurm_job_end_time));
    let asked = match until.as_str() {
        "" => None,
        text => Some(moment(text, now).ok_or_else(|| {
            Error::Option(format!(
                "--until {text}: write a time such as 2026-01-31T18:00:00Z, or how long from now, \
                 such as 90m or 1h30m"
            ))
        })?),
    };
    // What Slurm says is no word of the person's: where it says nothing useful, nothing is stopped.
    let end = slurm.parse::<f64>().ok().filter(|end| end.is_finite() && *end > 0.0);
    let end = end.map(|end| UtcTime::default().plus_seconds(end - SLURM_MARGIN_SECONDS));
    Ok(asked.into_iter().chain(end).min())
}

fn moment(text: &str, now: UtcTime) -> Option<UtcTime> {
    match text.parse() {
        Ok(time) => Some(time),
        Err(_) => Some(now.plus_seconds(duration(text)?)),
    }
}

/// Seconds of numbers with units, such as `1h30m`.
fn duration(text: &str) -> Option<f64> {
    let (mut seconds, mut rest) = (0.0, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let unit = match rest[digits..].chars().next()? {
            'd' => 86_400.0,
            'h' => 3600.0,
            'm' => 60.0,
            's' => 1.0,
            _ => return None,
        };
        seconds += rest[..digits].parse::<f64>().ok()? * unit;
        rest = &rest[digits + 1..];
    }
    (!text.is_empty() && seconds <= SECONDS_MAX).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        options: DesktopOptions,
    }

    const NOW: i64 = 1_700_000_000;

    fn at(until: &str, slurm: &str) -> Result<Option<i64>> {
        let mut options = Program::parse_from(["program"]).options;
        options.until = Some(until.to_owned());
        options.slurm_job_end_time = Some(slurm.to_owned());
        let deadline = deadline(&options, UtcTime::from_nanos(NOW * 1_000_000_000))?;
        Ok(deadline.map(|time| time.nanos() / 1_000_000_000))
    }

    #[test]
    fn times_and_durations_are_understood() {
        let until = |text: &str| at(text, "").unwrap();
        assert_eq!(until(""), None);
        assert_eq!(until("2023-11-14T22:13:20Z"), Some(NOW));
        assert_eq!(until("2023-11-15T00:13:20+02:00"), Some(NOW));
        assert_eq!(until("90m"), Some(NOW + 5400));
        assert_eq!(until("1h30m"), Some(NOW + 5400));
        assert_eq!(until("0s"), Some(NOW));
        assert_eq!(until("1.5d"), Some(NOW + 129_600));
    }

    #[test]
    fn what_is_no_time_is_refused_in_one_sentence() {
        for bad in ["soon", "90", "m", "1x", "1h30", "-5m", "9999999d", "1..5h", "5\u{e9}"] {
            let error = at(bad, "").unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().starts_with(&format!("--until {bad}: write")), "{error}");
        }
    }

    #[test]
    fn the_end_of_a_slurm_job_counts_by_its_margin() {
        let end = (NOW + 600).to_string();
        assert_eq!(at("", &end).unwrap(), Some(NOW + 540));
        assert_eq!(at("5m", &end).unwrap(), Some(NOW + 300));
        assert_eq!(at("5h", &end).unwrap(), Some(NOW + 540));
        for odd in ["", "never", "nan", "-1"] {
            assert_eq!(at("", odd).unwrap(), None);
        }
    }
}
