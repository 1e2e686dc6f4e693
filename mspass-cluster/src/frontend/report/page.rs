//! The page: headline, balance, figures, and the order of the sections.

use std::fmt::Write as _;

use mspass_actors::workflow::report::{JobReport, JobState};

use mspass_core::UtcTime;
use mspass_core::time::NANOS_PER_SECOND;

use super::{pictures, tables};
use crate::frontend::plot::svg::{self, escape};
use crate::frontend::quantity::{bytes, count, counted, duration, instant, short};

const STYLE: &str = include_str!("page.css");

/// Draws the report of a job as one HTML file.
///
/// The page holds its style and pictures, runs no scripts and fetches nothing. All text of the
/// report is escaped, and every list on the page has a bound, so the page stays below a few MB.
///
/// ```
/// use mspass_cluster::frontend::report::{JobReport, render_html};
/// let counts = JobReport { in_count: 3, live: 3, ..Default::default() };
/// let report = JobReport { job_name: "noise".to_owned(), ..counts };
/// let page = render_html(&report);
/// assert!(page.starts_with("<!doctype html>") && page.contains("3 pieces in"));
/// ```
pub fn render_html(report: &JobReport) -> String {
    let title = if report.job_name.is_empty() { "job" } else { &report.job_name };
    let mut page = String::with_capacity(1 << 18);
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\"/>\n\
         <title>{} - MsPASS report</title>\n<style>\n{STYLE}{}</style>\n</head>\n<body>\n<main>\n",
        escape(title),
        svg::STYLE,
    );
    header(&mut page, report, title);
    cards(&mut page, report);
    tables::reasons(&mut page, report);
    pictures::coverage(&mut page, report);
    pictures::pictures(&mut page, report);
    tables::steps(&mut page, report);
    tables::files(&mut page, report);
    tables::channels(&mut page, report);
    tables::job(&mut page, report);
    footer(&mut page, report);
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

/// The state in a word.
pub(super) fn state_word(state: JobState) -> &'static str {
    match state {
        JobState::Finished => "finished",
        JobState::Interrupted => "interrupted",
        JobState::Failed => "failed",
    }
}

/// Samples a second of this run; `None` where part of the samples are of an earlier run.
pub(super) fn samples_per_second(report: &JobReport) -> Option<f64> {
    let known = report.resumed == 0 && report.seconds > 0.0 && report.samples_in > 0;
    known.then(|| report.samples_in as f64 / report.seconds)
}

/// The job in one sentence.
pub(super) fn headline(report: &JobReport) -> String {
    let mut text = format!(
        "{} in: {} live, {} dead, {} aborted",
        counted(report.in_count, "piece", "pieces"),
        count(report.live),
        count(report.dead),
        count(report.aborted)
    );
    let _ = write!(text, " - {}", duration(report.seconds));
    if let Some(speed) = samples_per_second(report) {
        let _ = write!(text, ", {} samples/s", short(speed));
    }
    text
}

fn header(page: &mut String, report: &JobReport, title: &str) {
    let word = state_word(report.state);
    let archive = match report.archive.as_str() {
        "" => String::new(),
        archive => format!(" · {}", escape(archive)),
    };
    let _ = write!(
        page,
        "<header>\n<p class=\"over\"><b>MsPASS</b> job report{archive} · {}</p>\n\
         <h1>{}<span class=\"state {word}\">{word}</span></h1>\n<p class=\"lead\">{}</p>\n",
        to_second(report.finished),
        escape(title),
        escape(&headline(report)),
    );
    if report.resumed > 0 {
        let _ = writeln!(
            page,
            "<p class=\"small\">{} taken over from earlier runs of this job; counts, samples and \
             bytes are of the whole job, time and memory of this run.</p>",
            counted(report.resumed, "piece was", "pieces were")
        );
    }
    if let Some(note) = &report.note {
        let _ = writeln!(page, "<p class=\"note\">{}</p>", escape(note));
    }
    balance(page, report);
    page.push_str("</header>\n");
}

/// in = live + dead + aborted, as a bar and as numbers.
fn balance(page: &mut String, report: &JobReport) {
    let parts = [
        ("live", report.live),
        ("dead", report.dead),
        ("aborted", report.aborted),
        ("rest", report.unreached()),
    ];
    page.push_str("<div class=\"balance\" aria-hidden=\"true\">");
    let whole = parts.iter().map(|part| part.1 as f64).sum::<f64>().max(1.0);
    for (class, number) in parts.into_iter().filter(|part| part.1 > 0) {
        let share = number as f64 / whole * 100.0;
        let _ = write!(page, "<i class=\"{class}\" style=\"width:{share:.2}%\"></i>");
    }
    page.push_str("</div>\n<p class=\"sum\">");
    let _ = write!(page, "{} in = ", count(report.in_count));
    for (number, (class, value)) in parts[..3].iter().enumerate() {
        let plus = if number > 0 { " + " } else { "" };
        let _ = write!(page, "{plus}<i class=\"{class}\"></i>{} {class}", count(*value));
    }
    if report.is_balanced() {
        page.push_str(" <span class=\"good\">✓ every piece accounted for</span>");
    } else if report.unreached() > 0 {
        let rest = count(report.unreached());
        let class = if report.state == JobState::Finished { "bad" } else { "small" };
        let _ = write!(
            page,
            " + <i class=\"rest\"></i><span class=\"{class}\">{rest} not reached</span>"
        );
    } else {
        page.push_str(" <span class=\"bad\">✗ the counts do not agree</span>");
    }
    page.push_str("</p>\n");
}

fn cards(page: &mut String, report: &JobReport) {
    let mut cards: Vec<(String, String)> = Vec::new();
    cards.push((
        duration(report.seconds),
        format!("wall time, {}", counted(u64::from(report.threads), "thread", "threads")),
    ));
    if let Some(speed) = samples_per_second(report) {
        cards.push((format!("{}/s", short(speed)), "samples".to_owned()));
    }
    cards.push((
        short(report.samples_in as f64),
        format!("samples read, {}", bytes(report.bytes_read)),
    ));
    let saved = if report.samples_out > 0 {
        format!(
            "saved: {} samples, {}",
            short(report.samples_out as f64),
            bytes(report.bytes_saved)
        )
    } else {
        format!("saved, {}", bytes(report.bytes_saved))
    };
    cards.push((count(report.saved), saved));
    cards.push((bytes(report.peak_rss_bytes), "memory at its peak".to_owned()));
    if let Some(step) = report.slowest_step() {
        cards.push((step.name.clone(), format!("slowest step, {}", duration(step.seconds))));
    }
    page.push_str("<div class=\"cards\">\n");
    for (value, label) in cards {
        let _ = writeln!(
            page,
            "<div class=\"card\"><b>{}</b><span>{}</span></div>",
            escape(&value),
            escape(&label)
        );
    }
    page.push_str("</div>\n");
}

fn to_second(time: UtcTime) -> String {
    instant(time.floor_to(NANOS_PER_SECOND))
}

fn footer(page: &mut String, report: &JobReport) {
    let parts = [&report.program, &report.version, &report.build];
    let names: Vec<_> =
        parts.into_iter().filter(|part| !part.is_empty()).map(|part| escape(part)).collect();
    let _ = writeln!(
        page,
        "<footer>Written by {} · started {} · ended {} </footer>",
        if names.is_empty() { "MsPASS".to_owned() } else { names.join(" ") },
        to_second(report.started),
        to_second(report.finished)
    );
}
