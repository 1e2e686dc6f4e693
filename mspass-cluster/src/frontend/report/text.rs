//! The table in the terminal.

use std::fmt::Write as _;
use std::path::Path;

use mspass_actors::workflow::report::{JobReport, StageReport};

use super::page::{samples_per_second, state_word};
use super::tables::{commands, kind_word};
use crate::frontend::plot::svg::plain;
use crate::frontend::quantity::{bytes, count, counted, duration, short};

/// Characters in a line.
const WIDTH: usize = 80;
/// Reasons and files listed at most; the page has more.
const ROWS_MAX: usize = 12;
/// Steps listed at most.
const STEPS_MAX: usize = 60;
/// Widest name of a step.
const NAME_MAX: usize = 18;

/// Draws the report of a job as a table of at most 80 columns (paths and commands may be longer),
/// with the path of its page where there is one. Control characters in names are replaced.
///
/// ```
/// use mspass_cluster::frontend::report::{JobReport, render_text};
/// let counts = JobReport { in_count: 3, live: 3, ..Default::default() };
/// let report = JobReport { job_name: "noise".to_owned(), ..counts };
/// let text = render_text(&report, None);
/// assert!(text.contains("3 in = 3 live + 0 dead + 0 aborted"));
/// ```
pub fn render_text(report: &JobReport, page: Option<&Path>) -> String {
    let mut out = String::new();
    head(&mut out, report);
    steps(&mut out, report);
    reasons(&mut out, report);
    files(&mut out, report);
    out.push('\n');
    if let Some(path) = page {
        let _ = writeln!(out, "report  {}", clean(&path.display().to_string(), usize::MAX));
    }
    for (number, command) in commands(report).iter().enumerate() {
        let name = if number == 0 { "look at" } else { "       " };
        let _ = writeln!(out, "{name} {}", clean(command, usize::MAX));
    }
    out
}

fn head(out: &mut String, report: &JobReport) {
    let state = format!("{} in {}", state_word(report.state), duration(report.seconds));
    let left = format!("{}: {state}", clean(&report.job_name, 40));
    let program = [&report.program, &report.version, &report.build].map(|part| clean(part, 24));
    let program = program.join(" ");
    let program = program.trim();
    let room = WIDTH.saturating_sub(left.chars().count());
    if room > program.chars().count() + 1 {
        let _ = writeln!(out, "{left}{program:>room$}");
    } else {
        let _ = writeln!(out, "{left}");
    }
    if let Some(note) = &report.note {
        let _ = writeln!(out, "{}", clean(note, 4 * WIDTH));
    }
    let _ = write!(
        out,
        "\n  {} in = {} live + {} dead + {} aborted",
        count(report.in_count),
        count(report.live),
        count(report.dead),
        count(report.aborted)
    );
    match report.unreached() {
        0 if report.is_balanced() => out.push('\n'),
        0 => out.push_str("   the counts do not agree\n"),
        rest => {
            let _ = writeln!(out, " + {} not reached", count(rest));
        }
    }
    let mut facts = Vec::new();
    if report.samples_in > 0 {
        let read = bytes(report.bytes_read);
        facts.push(format!("{} samples read ({read})", count(report.samples_in)));
    }
    if let Some(speed) = samples_per_second(report) {
        facts.push(format!("{} samples/s", short(speed)));
    }
    if !facts.is_empty() {
        let _ = writeln!(out, "  {}", facts.join(", "));
    }
    let mut facts = vec![format!("{} saved ({})", count(report.saved), bytes(report.bytes_saved))];
    if report.resumed > 0 {
        facts.push(format!("{} taken over from earlier runs", count(report.resumed)));
    }
    facts.push(format!("{} of memory", bytes(report.peak_rss_bytes)));
    facts.push(counted(u64::from(report.threads), "thread", "threads"));
    let _ = writeln!(out, "  {}", facts.join(", "));
}

fn steps(out: &mut String, report: &JobReport) {
    if report.steps.is_empty() {
        return;
    }
    let names: Vec<_> = report.steps.iter().map(|step| clean(&step.name, NAME_MAX)).collect();
    let wide = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(4);
    let total: f64 = report.steps.iter().map(|step| step.seconds).filter(|s| *s > 0.0).sum();
    let slowest = report.slowest_step();
    let _ = writeln!(
        out,
        "\n  {:wide$} {:>11} {:>11} {:>7} {:>11}",
        "step", "in", "live", "died", "time"
    );
    for (at, (step, name)) in report.steps.iter().zip(&names).enumerate().take(STEPS_MAX) {
        if let Some((number, stage)) = report.stage_at(at) {
            let _ = writeln!(out, "  {}", stage_line(number, stage));
        }
        let _ = write!(
            out,
            "  {name:wide$} {:>11} {:>11} {:>7} {:>11}",
            count(step.entered),
            count(step.live),
            count(step.died),
            duration(step.seconds)
        );
        if total > 0.0 && step.seconds >= 0.0 {
            let _ = write!(out, " {:>3.0} %", step.seconds / total * 100.0);
        }
        if slowest.is_some_and(|slowest| std::ptr::eq(slowest, step)) {
            out.push_str(" slowest");
        }
        out.push('\n');
    }
    and_more(out, report.steps.len().saturating_sub(STEPS_MAX), 0);
}

/// A stage and its data in words.
pub(super) fn stage_line(number: usize, stage: &StageReport) -> String {
    format!(
        "stage {number}: {} in = {} live + {} dead + {} aborted",
        count(stage.in_count),
        count(stage.live),
        count(stage.dead),
        count(stage.aborted)
    )
}

fn reasons(out: &mut String, report: &JobReport) {
    if report.reasons.items.is_empty() {
        return;
    }
    let shown = &report.reasons.items[..report.reasons.items.len().min(ROWS_MAX)];
    let names: Vec<_> = shown.iter().map(|reason| clean(&reason.step, 16)).collect();
    let wide = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(4);
    let _ = writeln!(out, "\n  {:>9} {:7} {:wide$} reason", "data", "", "step");
    for (reason, name) in shown.iter().zip(&names) {
        let start =
            format!("  {:>9} {:7} {name:wide$} ", count(reason.count), kind_word(reason.kind));
        let room = WIDTH - start.chars().count();
        for (number, line) in wrapped(&clean(&reason.reason, 2 * room), room).iter().enumerate() {
            let start = if number == 0 { start.clone() } else { " ".repeat(WIDTH - room) };
            let _ = writeln!(out, "{start}{line}");
        }
        if !reason.example.is_empty() {
            let space = " ".repeat(start.chars().count());
            let _ = writeln!(out, "{space}{}", clean(&format!("such as {}", reason.example), room));
        }
    }
    and_more(out, report.reasons.items.len() - shown.len(), report.reasons.left_out);
}

fn files(out: &mut String, report: &JobReport) {
    if report.files.items.is_empty() {
        return;
    }
    let shown = &report.files.items[..report.files.items.len().min(ROWS_MAX)];
    out.push_str("\n  files with problems\n");
    for problem in shown {
        let at =
            problem.offset.map_or_else(String::new, |offset| format!(" at byte {}", count(offset)));
        let _ = writeln!(out, "  {}{at}", clean(&problem.file, WIDTH - 2 - at.len()));
        let _ = writeln!(out, "      {}", clean(&problem.reason, WIDTH - 6));
    }
    and_more(out, report.files.items.len() - shown.len(), report.files.left_out);
}

fn and_more(out: &mut String, hidden: usize, left_out: u64) {
    let more = left_out.saturating_add(hidden as u64);
    if more > 0 {
        let _ = writeln!(out, "  and {} more", count(more));
    }
}

/// Text in lines of at most `width` characters, broken at blanks where there are any.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let letters: Vec<char> = word.chars().collect();
        for part in letters.chunks(width.max(1)) {
            match lines.last_mut() {
                Some(line) if line.chars().count() + 1 + part.len() <= width => {
                    line.push(' ');
                    line.extend(part);
                }
                _ => lines.push(part.iter().collect()),
            }
        }
    }
    lines
}

/// Text without characters that a terminal acts on, cut to `width_max` characters.
fn clean(text: &str, width_max: usize) -> String {
    let mut characters = text.chars().map(plain);
    let mut out: String = characters.by_ref().take(width_max).collect();
    if characters.next().is_some() {
        out.pop();
        out.push('…');
    }
    out
}
