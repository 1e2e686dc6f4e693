//! The raw loop: the same measurements with nothing but tokio, TCP and a codec, by a program of
//! its own.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use crate::drive::Figures;
use crate::ends::Result;

/// The program that measures it.
#[derive(Debug)]
pub(crate) struct RawLoop(pub(crate) PathBuf);

#[derive(Deserialize)]
struct Line {
    p50_us: Option<f64>,
    p99_us: Option<f64>,
    per_second: Option<f64>,
    gb_per_s: Option<f64>,
}

impl RawLoop {
    /// One round of one of its modes.
    pub(crate) fn round(&self, mode: &str, time: Duration) -> Result<Figures> {
        let seconds = time.as_secs_f64().to_string();
        let mut command = Command::new(&self.0);
        command.args(["--rounds", "1", "--runtime", "current", "--seconds", &seconds]);
        let run = command.args(["--only", mode]).output();
        let run = run.map_err(|e| format!("cannot start {}: {e}", self.0.display()))?;
        if !run.status.success() {
            let told = String::from_utf8_lossy(&run.stderr);
            return Err(format!("{} {mode}: {told}", self.0.display()).into());
        }
        let line: Line = serde_json::from_slice(&run.stdout)?;
        Ok(Figures {
            p50_us: line.p50_us.unwrap_or(f64::NAN),
            p99_us: line.p99_us.unwrap_or(f64::NAN),
            slowest_us: f64::NAN,
            per_second: line.per_second.unwrap_or(f64::NAN),
            gb_per_s: line.gb_per_s.unwrap_or(f64::NAN),
        })
    }
}
