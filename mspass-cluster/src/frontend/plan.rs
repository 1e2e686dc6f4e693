//! The plan of a job as text for a terminal.

use std::fmt::Write as _;

use mspass_actors::job::{Plan, Range, StagePlan};
use mspass_actors::workflow::Step;
use mspass_actors::workflow::report::ReasonKind;

use super::quantity::{bytes, counted, duration, short};

/// Reasons of death shown.
const REASONS_MAX: usize = 5;

/// The plan of a job: its stages and what they will probably cost.
pub fn render_plan(plan: &Plan) -> String {
    let mut text = String::new();
    let (stages, threads) = (plan.stages.len() as u64, plan.threads as u64);
    let stages = counted(stages, "stage", "stages");
    let threads = counted(threads, "thread", "threads");
    let _ = writeln!(text, "plan of job '{}': {stages}, {threads}; nothing is run", plan.job);
    for (number, stage) in (1..).zip(&plan.stages) {
        let last = number == plan.stages.len();
        let _ = write!(text, "\nstage {number}: ");
        if number == 1 {
            let parts = counted(stage.partitions, "partition", "partitions");
            let _ = writeln!(text, "{parts} of {}", named(&plan.source));
        } else {
            let buckets = counted(stage.partitions, "bucket", "buckets");
            let size = span(stage.bytes_read, bytes_of);
            let _ = writeln!(text, "{buckets} of a shuffle of {size}");
        }
        render_stage(&mut text, stage, last);
        if last {
            let _ = writeln!(text, "  then {}", named(&plan.outlet));
        }
    }
    let _ = writeln!(
        text,
        "\nin all    {} data, {} read, {} saved",
        span(plan.data, count_of),
        span(plan.bytes_read, bytes_of),
        span(plan.bytes_saved, bytes_of)
    );
    let time = between(plan.seconds, duration);
    let thread = bytes(plan.thread_bytes);
    let _ = writeln!(text, "time      {time} on {threads}");
    let _ = writeln!(text, "memory    data of about {thread} a thread at most");
    let looked_at = counted(plan.sample_partitions, "partition", "partitions");
    let _ = writeln!(
        text,
        "estimated {}",
        if plan.sample_is_whole {
            format!("by running all ({looked_at}): everything but time and memory is exact")
        } else if plan.stages.len() > 1 {
            format!(
                "by running {looked_at}; what comes after a grouping is rough, because groups of a \
             sample are smaller than those of the whole"
            )
        } else {
            format!("by running {looked_at}")
        }
    );
    for reason in plan.reasons.iter().take(REASONS_MAX) {
        let what = match reason.kind {
            ReasonKind::Dead => "dead",
            ReasonKind::Aborted => "aborted",
            ReasonKind::Logged => "logged",
        };
        let times = counted(reason.count, "time", "times");
        let (step, why) = (&reason.step, &reason.reason);
        let _ = writeln!(text, "{what:<9} {times} in the sample: {step}: {why}");
    }
    for remark in &plan.remarks {
        let _ = writeln!(text, "remark    {remark}");
    }
    text
}

fn render_stage(text: &mut String, stage: &StagePlan, last: bool) {
    // What is made rather than read has no size before.
    if stage.partition_bytes_max > 0 {
        let sizes = [stage.partition_bytes_median, stage.partition_bytes_max].map(bytes);
        let _ = writeln!(text, "  each {} (the median), {} at most", sizes[0], sizes[1]);
    }
    for step in &stage.steps {
        let _ = writeln!(text, "  {:>3.0} %  {}", 100.0 * step.share, named(&step.step));
    }
    let rest = 1.0 - stage.steps.iter().map(|step| step.share).sum::<f64>();
    let _ = writeln!(text, "  {:>3.0} %  reading, writing and bookkeeping", 100.0 * rest.max(0.0));
    let counts = [stage.data, stage.live, stage.dead, stage.aborted].map(|n| span(n, count_of));
    let [data, live, dead, aborted] = counts;
    let _ = writeln!(text, "  data in {data}, live {live}, dead {dead}, aborted {aborted}");
    if stage.saved.high > 0.0 {
        let (saved, size) = (span(stage.saved, count_of), span(stage.bytes_saved, bytes_of));
        let _ = writeln!(text, "  saves {saved} of them, {size} of samples");
    }
    if !last {
        let _ =
            writeln!(text, "  hands {} to the next stage", span(stage.bytes_shuffled, bytes_of));
    }
    let _ = writeln!(text, "  computes for {}", between(stage.cpu_seconds, duration));
}

fn named(step: &Step) -> String {
    match step.parameters.as_str() {
        "null" => step.name.clone(),
        parameters => format!("{} {parameters}", step.name),
    }
}

fn count_of(number: f64) -> String {
    if number < 99_999.5 { super::quantity::count(number.round() as u64) } else { short(number) }
}

fn bytes_of(number: f64) -> String {
    bytes(number.round() as u64)
}

/// A number that is known, or a guess and between what it lies.
fn span(range: Range, show: fn(f64) -> String) -> String {
    let [low, best, high] = [range.low, range.best, range.high].map(show);
    if low == high { best } else { format!("about {best} ({low} to {high})") }
}

fn between(range: Range, show: fn(f64) -> String) -> String {
    let [low, high] = [range.low, range.high].map(show);
    if low == high { low } else { format!("{low} to {high}") }
}
