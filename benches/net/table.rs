//! What was measured, as a table.

use crate::Measurement;
use crate::drive::Figures;

/// The most that the sender's memory may grow, in MiB.
const GROWTH_MIB_MAX: f64 = 32.0;
/// The most that the slowest ask beside blobs may take.
const SLOWEST_US_MAX: f64 = 20_000.0;

/// What a ratio should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
}

impl Target {
    fn judge(self, ratio: f64) -> (String, &'static str) {
        let (text, met) = match self {
            Self::AtMost(most) => (format!("<= {most:.2}"), ratio <= most),
            Self::AtLeast(least) => (format!(">= {least:.2}"), ratio >= least),
        };
        (text, if ratio.is_nan() { "" } else { verdict(met) })
    }
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

/// Our figures and the raw loop's, round by round.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) rounds: Vec<(Figures, Figures)>,
}

impl Measured {
    fn median(&self, figure: impl Fn(&(Figures, Figures)) -> f64) -> f64 {
        let mut all: Vec<f64> = self.rounds.iter().map(figure).collect();
        all.sort_unstable_by(f64::total_cmp);
        let most = all.len() - 1;
        (all[most / 2] + all[most.div_ceil(2)]) / 2.0
    }

    fn range(&self, figure: impl Fn(&(Figures, Figures)) -> f64) -> (f64, f64) {
        let all = self.rounds.iter().map(figure);
        all.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), one| {
            (least.min(one), most.max(one))
        })
    }
}

fn show(figure: f64) -> String {
    match figure {
        figure if figure.is_nan() => "-".to_owned(),
        figure if figure >= 1e6 => format!("{:.2} M", figure / 1e6),
        figure if figure >= 1e4 => format!("{:.0} k", figure / 1e3),
        figure if figure >= 100.0 => format!("{figure:.0}"),
        figure => format!("{figure:.2}"),
    }
}

pub(crate) fn load_average() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

pub(crate) fn heading() {
    println!(
        "{:18}{:12}{:>9}{:>9}{:>9}{:>9}{:>8}{:>15}{:>9}",
        "measurement", "unit", "ours", "p99 us", "raw", "p99 us", "ratio", "least-most", "target"
    );
}

/// One measurement.
pub(crate) fn line(one: &Measurement, measured: &Measured) {
    let ratio = |(ours, raw): &(Figures, Figures)| (one.figure)(ours) / (one.figure)(raw);
    let ours = show(measured.median(|(ours, _)| (one.figure)(ours)));
    let raw = show(measured.median(|(_, raw)| (one.figure)(raw)));
    let our_p99 = show(measured.median(|(ours, _)| ours.p99_us));
    let raw_p99 = show(measured.median(|(_, raw)| raw.p99_us));
    let middle = measured.median(ratio);
    let (least, most) = measured.range(ratio);
    let range = if middle.is_nan() { String::new() } else { format!("{least:.2}-{most:.2}") };
    let (target, met) = one.target.judge(middle);
    println!(
        "{:18}{:12}{ours:>9}{our_p99:>9}{raw:>9}{raw_p99:>9}{:>8}{range:>15}{target:>9} {met}",
        one.name,
        one.unit,
        show(middle),
    );
    if one.name == "ask-during-blobs" {
        let (_, slowest) = measured.range(|(ours, _)| ours.slowest_us);
        let blobs = measured.median(|(ours, _)| ours.gb_per_s);
        let beside = measured.median(|(_, raw)| raw.gb_per_s);
        println!(
            "{:18}slowest {:.1} ms of all rounds, target <= 20 ms {}; blobs {blobs:.2} GB/s, \
             raw {}",
            "",
            slowest / 1e3,
            verdict(slowest <= SLOWEST_US_MAX),
            show(beside),
        );
    }
}

/// Growth of memory, in bytes.
pub(crate) fn growth(name: &str, bytes: u64) {
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    let met = verdict(mebibytes <= GROWTH_MIB_MAX);
    println!("{name:18}{:12}{mebibytes:>9.1}   target <= {GROWTH_MIB_MAX} {met}", "MiB grown");
}
