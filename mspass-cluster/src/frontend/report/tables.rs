//! The tables of the page.

use std::fmt::Write as _;

use mspass_actors::workflow::report::{
    CHANNELS_MAX, FILES_MAX, JobReport, REASONS_MAX, ReasonKind, StepReport,
};
use serde_json::Value;

use super::text::stage_line;
use crate::frontend::plot::svg::escape;
use crate::frontend::quantity::{bytes, count, duration, instant};

/// Steps and parameters shown at most; a bound for reports from elsewhere.
const ROWS_MAX: usize = 500;

/// Name of what a reason did.
pub(super) fn kind_word(kind: ReasonKind) -> &'static str {
    match kind {
        ReasonKind::Dead => "dead",
        ReasonKind::Aborted => "aborted",
        ReasonKind::Logged => "logged",
    }
}

pub(super) fn steps(page: &mut String, report: &JobReport) {
    if report.steps.is_empty() {
        return;
    }
    let slowest = report.slowest_step().map_or(0.0, |step| step.seconds);
    let total: f64 = report.steps.iter().map(|step| step.seconds).filter(|s| *s > 0.0).sum();
    page.push_str("<section>\n<h2>Steps</h2>\n<div class=\"scroll\"><table>\n<tr><th>step</th>");
    page.push_str("<th class=\"n\">in</th><th class=\"n\">live</th><th class=\"n\">died</th>");
    page.push_str("<th class=\"time\">compute time, all threads</th></tr>\n");
    let mut marked = false;
    for (at, step) in report.steps.iter().enumerate().take(ROWS_MAX) {
        if let Some((number, stage)) = report.stage_at(at) {
            let line = stage_line(number, stage);
            let _ = writeln!(page, "<tr><td colspan=\"5\" class=\"small\">{line}</td></tr>");
        }
        let is_slowest = !marked && slowest > 0.0 && step.seconds == slowest;
        marked |= is_slowest;
        step_row(page, step, is_slowest, slowest, total);
    }
    page.push_str("</table></div>\n");
    and_more(page, report.steps.len().saturating_sub(ROWS_MAX) as u64);
    page.push_str("</section>\n");
}

fn step_row(page: &mut String, step: &StepReport, is_slowest: bool, slowest: f64, total: f64) {
    let (class, tag) = match is_slowest {
        true => (" class=\"slow\"", "<span class=\"tag\">slowest</span>"),
        false => ("", ""),
    };
    let _ = write!(
        page,
        "<tr{class}><td><b>{}</b>{tag}<div class=\"small\">{}</div></td>\
         <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n{}\">{}</td>\
         <td class=\"time\">",
        escape(&step.name),
        escape(&parameters(&step.parameters)),
        count(step.entered),
        count(step.live),
        if step.died == 0 { " zero" } else { "" },
        count(step.died),
    );
    let _ = write!(page, "{}", duration(step.seconds));
    if total > 0.0 && step.seconds >= 0.0 {
        let _ = write!(page, " <span class=\"small\">{:.0} %</span>", step.seconds / total * 100.0);
    }
    if slowest > 0.0 && step.seconds > 0.0 {
        let width = step.seconds / slowest * 100.0;
        let _ = write!(page, "<span class=\"bar\" style=\"width:{width:.1}%\"></span>");
    }
    page.push_str("</td></tr>\n");
}

/// An object as `name value, name value`; other values as they are.
pub(super) fn parameters(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Object(fields) => {
            let parts = fields.iter().map(|(name, value)| format!("{name} {}", plain(value)));
            parts.take(40).collect::<Vec<_>>().join(", ")
        }
        other => plain(other),
    }
}

/// A value as a person writes it: strings bare, the rest as JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

pub(super) fn reasons(page: &mut String, report: &JobReport) {
    if report.reasons.items.is_empty() {
        return;
    }
    page.push_str("<section class=\"long\">\n<h2>What went wrong, and how often</h2>\n");
    page.push_str("<div class=\"scroll\"><table>\n<tr><th class=\"n\">data</th>");
    page.push_str("<th>what and where</th><th>reason</th></tr>\n");
    for reason in report.reasons.items.iter().take(REASONS_MAX) {
        let example = match reason.example.as_str() {
            "" => String::new(),
            example => format!("<div class=\"small\">such as {}</div>", escape(example)),
        };
        let kind = kind_word(reason.kind);
        let _ = writeln!(
            page,
            "<tr><td class=\"n\">{}</td><td><span class=\"tag {kind}\">{kind}</span> {}</td>\
             <td>{}{example}</td></tr>",
            count(reason.count),
            escape(&reason.step),
            escape(&reason.reason),
        );
    }
    page.push_str("</table></div>\n");
    let beyond = report.reasons.items.len().saturating_sub(REASONS_MAX) as u64;
    and_more(page, report.reasons.left_out.saturating_add(beyond));
    page.push_str("</section>\n");
}

pub(super) fn files(page: &mut String, report: &JobReport) {
    if report.files.items.is_empty() {
        return;
    }
    page.push_str("<section class=\"long\">\n<h2>Files with problems</h2>\n<div class=\"scroll\">");
    page.push_str("<table>\n<tr><th>file</th><th class=\"n\">at byte</th><th>problem</th></tr>\n");
    for problem in report.files.items.iter().take(FILES_MAX) {
        let _ = writeln!(
            page,
            "<tr><td><code>{}</code></td><td class=\"n\">{}</td><td>{}</td></tr>",
            escape(&problem.file),
            problem.offset.map_or_else(String::new, count),
            escape(&problem.reason),
        );
    }
    page.push_str("</table></div>\n");
    let beyond = report.files.items.len().saturating_sub(FILES_MAX) as u64;
    and_more(page, report.files.left_out.saturating_add(beyond));
    page.push_str("</section>\n");
}

pub(super) fn channels(page: &mut String, report: &JobReport) {
    if report.channels.items.is_empty() {
        return;
    }
    page.push_str(
        "<section class=\"long\">\n<h2>Channels</h2>\n<div class=\"scroll\"><table>\n<tr>",
    );
    page.push_str("<th>channel</th><th class=\"n\">data</th><th class=\"n\">live</th>");
    page.push_str("<th class=\"n\">dead</th><th class=\"n\">samples</th>");
    page.push_str("<th class=\"optional\">first</th><th class=\"optional\">last</th></tr>\n");
    for channel in report.channels.items.iter().take(CHANNELS_MAX) {
        let _ = writeln!(
            page,
            "<tr><td class=\"id\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n{}\">{}</td><td class=\"n\">{}</td><td class=\"id optional\">{}</td>\
             <td class=\"id optional\">{}</td></tr>",
            escape(&channel.id.to_string()),
            count(channel.data),
            count(channel.live),
            if channel.dead == 0 { " zero" } else { "" },
            count(channel.dead),
            count(channel.samples),
            instant(channel.starttime),
            instant(channel.endtime),
        );
    }
    page.push_str("</table></div>\n");
    let beyond = report.channels.items.len().saturating_sub(CHANNELS_MAX) as u64;
    and_more(page, report.channels.left_out.saturating_add(beyond));
    page.push_str("</section>\n");
}

/// Where everything is and how to look further.
pub(super) fn job(page: &mut String, report: &JobReport) {
    page.push_str("<section>\n<h2>The job, and how to look further</h2>\n<dl>\n");
    let mut field = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(page, "<dt>{}</dt><dd>{}</dd>", escape(name), escape(value));
        }
    };
    field("archive", &report.archive);
    field("database", &report.database);
    field("collection", &report.collection);
    field("read", &bytes(report.bytes_read));
    field("saved", &format!("{} data, {}", count(report.saved), bytes(report.bytes_saved)));
    if let Value::Object(fields) = &report.parameters {
        for (name, value) in fields.iter().take(ROWS_MAX) {
            field(name, &plain(value));
        }
    }
    page.push_str("</dl>\n");
    let commands = commands(report);
    if !commands.is_empty() {
        let lines: Vec<_> = commands.iter().map(|line| escape(line)).collect();
        let _ = writeln!(page, "<pre>{}</pre>", lines.join("\n"));
    }
    page.push_str("</section>\n");
}

/// Commands that show more of what the job saved.
pub(super) fn commands(report: &JobReport) -> Vec<String> {
    if report.database.is_empty() {
        return Vec::new();
    }
    let database = quoted(&report.database);
    let collection = match report.collection.as_str() {
        "" => "wf_TimeSeries".to_owned(),
        collection => quoted(collection),
    };
    let mut commands = vec![format!("mspass find {collection} --db {database} --filter '{{}}'")];
    let id = report.pictures.iter().find_map(|picture| picture.output_id.as_deref());
    if let Some(id) = id {
        commands.push(format!("mspass plot {} --db {database}", quoted(id)));
    }
    commands
}

/// The word as a POSIX shell takes it.
fn quoted(word: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:@%+=,".contains(&byte);
    if !word.is_empty() && word.bytes().all(bare) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn and_more(page: &mut String, left_out: u64) {
    if left_out > 0 {
        let _ = writeln!(page, "<p class=\"small\">and {} more</p>", count(left_out));
    }
}
