//! What holds for every page and table.

use mspass_actors::workflow::report::*;
use mspass_core::UtcTime;

use super::{render_html, render_text};
use crate::frontend::markup::elements;
use crate::frontend::plot::TracePlot;

fn at(second: i64) -> UtcTime {
    UtcTime::from_nanos((1_283_299_200 + second) * 1_000_000_000)
}

fn picture(name: &str) -> Picture {
    let samples: Vec<f64> = (0..5000).map(|n| (n as f64 * 0.3).sin() * 900.0).collect();
    let trace = TracePlot {
        label: name.to_owned(),
        unit: "counts".to_owned(),
        starttime: at(0),
        sampling_rate: 100.0,
        samples: &samples,
    };
    Picture {
        title: name.to_owned(),
        caption: "an hour".to_owned(),
        output_id: Some("4c7d9a0b1e2f3a4b5c6d7e8f".to_owned()),
        raw: trace.to_picture(),
        processed: trace.to_picture(),
    }
}

/// A report with something in every field; `name` stands in every text.
fn report(name: &str) -> JobReport {
    let step = |name: &str, died, seconds| StepReport {
        name: name.to_owned(),
        parameters: serde_json::json!({ "corners": 4, name: name }),
        entered: 72,
        live: 72 - died,
        died,
        seconds,
    };
    let id = "YA.UV05.00.HHZ";
    let mut report = JobReport {
        job_name: name.to_owned(),
        note: Some(name.to_owned()),
        database: format!("embedded:{name}/db"),
        archive: name.to_owned(),
        program: name.to_owned(),
        version: "0.1.0".to_owned(),
        parameters: serde_json::json!({ "freqmin": 0.05, name: [name] }),
        started: at(0),
        finished: at(3),
        seconds: 3.0,
        peak_rss_bytes: 182_000_000,
        threads: 2,
        in_count: 75,
        live: 70,
        dead: 2,
        aborted: 3,
        saved: 70,
        samples_in: 25_920_000,
        bytes_read: 36_700_160,
        bytes_saved: 40_320_000,
        steps: vec![step(name, 0, 0.5), step("bandpass", 2, 2.25)],
        pictures: vec![picture(name)],
        ..JobReport::default()
    };
    let reason = |kind| ReasonCount {
        step: name.to_owned(),
        kind,
        reason: format!("too few samples {name}"),
        count: 2,
        example: name.to_owned(),
    };
    for kind in [ReasonKind::Dead, ReasonKind::Aborted, ReasonKind::Logged] {
        report.reasons.push(reason(kind), REASONS_MAX);
    }
    let problem =
        FileProblem { file: name.to_owned(), offset: Some(1_204_224), reason: name.to_owned() };
    report.files.push(problem, FILES_MAX);
    let mut coverage = Coverage { id: id.parse().unwrap(), spans: Vec::new() };
    coverage.add(at(0), at(3600), 0);
    coverage.add(at(5000), at(7200), 0);
    report.coverage.push(coverage, CHANNELS_MAX);
    let channel = ChannelReport { id: id.parse().unwrap(), data: 72, ..ChannelReport::default() };
    report.channels.push(channel, CHANNELS_MAX);
    report
}

#[test]
fn the_page_tells_all_and_needs_nothing_else() {
    let page = render_html(&report("desktop"));
    let names = elements(&page);
    for text in [
        "75 pieces in: 70 live, 2 dead, 3 aborted - 3.00 s, 8.64 M samples/s",
        "every piece accounted for",
        "slowest step, 2.25 s",
        "<b>bandpass</b><span class=\"tag\">slowest</span>",
        "corners 4",
        "too few samples desktop",
        "1,204,224",
        "YA.UV05.00.HHZ",
        "Power spectral density",
        "mspass find wf_TimeSeries --db embedded:desktop/db --filter &#39;{}&#39;",
        "mspass plot 4c7d9a0b1e2f3a4b5c6d7e8f --db embedded:desktop/db",
        "prefers-color-scheme:dark",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert_eq!(names.iter().filter(|name| *name == "svg").count(), 2 + 2 + 2);
    for foreign in ["<script", "<link", "<iframe", "http:", "https:", "src=", "@import", "url("] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(page.len() < 200_000, "{}", page.len());
}

#[test]
fn hostile_text_stays_text() {
    let name = "</style></title><script>alert('x')</script>\"'&\u{1b}[2J\u{202e}\r\n<img src=x>";
    let page = render_html(&report(name));
    let names = elements(&page);
    for tag in ["script", "img", "x"] {
        assert!(!names.iter().any(|name| name == tag), "{tag}");
    }
    assert!(page.contains("&lt;script&gt;"));
    let text = render_text(&report(name), Some(std::path::Path::new("a\u{1b}[2Jb/report.html")));
    assert!(!text.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'));
}

#[test]
fn an_empty_report_is_drawn() {
    elements(&render_html(&JobReport::default()));
    assert!(render_text(&JobReport::default(), None).contains("0 in = 0 live"));
    let odd = JobReport { seconds: f64::NAN, in_count: u64::MAX, live: 7, ..JobReport::default() };
    elements(&render_html(&odd));
    assert!(render_text(&odd, None).contains("18,446,744,073,709,551,608 not reached"));
}

#[test]
fn lists_are_bounded() {
    let mut big = report("desktop");
    big.pictures = vec![picture("desktop"); 50];
    big.steps = vec![big.steps[0].clone(); 5000];
    big.reasons.items = vec![big.reasons.items[0].clone(); 20_000];
    big.reasons.left_out = 1;
    big.files.items = vec![big.files.items[0].clone(); 20_000];
    big.channels.items = vec![big.channels.items[0].clone(); 20_000];
    big.coverage.items = vec![big.coverage.items[0].clone(); 20_000];
    let page = render_html(&big);
    elements(&page);
    assert!(page.len() < 3_000_000, "{}", page.len());
    for text in
        ["and 19,901 more", "and 19,900 more", "and 19,500 more", "and 19,940 more channels"]
    {
        assert!(page.contains(text), "{text}");
    }
    let text = render_text(&big, None);
    assert!(text.lines().count() < 150, "{}", text.lines().count());
    assert!(text.contains("and 19,989 more"));
}

#[test]
fn a_stored_report_gives_the_same_page() {
    let first = report("desktop");
    let json = serde_json::to_string(&first).unwrap();
    assert!(json.len() < 400_000, "{}", json.len());
    let again: JobReport = serde_json::from_str(&json).unwrap();
    assert_eq!(render_html(&again), render_html(&first));
}

#[test]
fn counts_that_do_not_agree_are_said_so() {
    let mut wrong = report("desktop");
    wrong.live = 71;
    assert!(render_html(&wrong).contains("the counts do not agree"));
    assert!(render_text(&wrong, None).contains("the counts do not agree"));
    wrong.live = 60;
    wrong.state = JobState::Interrupted;
    let page = render_html(&wrong);
    assert!(page.contains("10 not reached") && !page.contains("accounted for"));
    assert!(page.contains("state interrupted"));
}

#[test]
fn a_resumed_run_claims_no_speed() {
    let mut resumed = report("desktop");
    resumed.resumed = 31;
    let (page, text) = (render_html(&resumed), render_text(&resumed, None));
    assert!(!page.contains("samples/s") && !text.contains("samples/s"));
    assert!(page.contains("31 pieces were taken over") && text.contains("31 taken over"));
}

#[test]
fn the_table_fits_a_terminal() {
    let mut wide = report("desktop");
    wide.steps[1].name = "a_step_of_a_rather_long_name".to_owned();
    wide.steps[1].entered = 10_000_000;
    wide.reasons.items[0].reason = "words ".repeat(40);
    wide.reasons.items[1].example = "path/".repeat(40);
    wide.files.items[0].file = "path/".repeat(40);
    let text = render_text(&wide, None);
    let table = text.split("look at").next().unwrap();
    for line in table.lines() {
        assert!(line.chars().count() <= 80, "{line}");
        assert_eq!(line, line.trim_end());
    }
}

#[test]
fn the_table_reads_like_this() {
    let mut small = report("desktop");
    small.note = None;
    small.reasons.items.truncate(1);
    small.files = Bounded::default();
    let text = render_text(&small, Some(std::path::Path::new("out/report.html")));
    let expected = "\
desktop: finished in 3.00 s                                        desktop 0.1.0

  75 in = 70 live + 2 dead + 3 aborted
  25,920,000 samples read (36.7 MB), 8.64 M samples/s
  70 saved (40.3 MB), 182 MB of memory, 2 threads

  step              in        live    died        time
  desktop           72          72       0      0.50 s  18 %
  bandpass          72          70       2      2.25 s  82 % slowest

       data         step    reason
          2 dead    desktop too few samples desktop
                            such as desktop

report  out/report.html
look at mspass find wf_TimeSeries --db embedded:desktop/db --filter '{}'
        mspass plot 4c7d9a0b1e2f3a4b5c6d7e8f --db embedded:desktop/db
";
    assert_eq!(text, expected);
}

#[test]
fn each_of_several_stages_has_its_counts() {
    let mut report = report("desktop");
    let stage =
        |first_step, live| StageReport { first_step, in_count: live, live, ..<_>::default() };
    report.stages = vec![stage(0, 75)];
    assert!(!render_text(&report, None).contains("stage 1"));
    report.stages.push(stage(1, 12));
    let line = "stage 2: 12 in = 12 live + 0 dead + 0 aborted";
    let text = render_text(&report, None);
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what} in {text}"));
    assert!(at("  desktop  ") < at(line) && at(line) < at("  bandpass "));
    assert!(render_html(&report).contains(line));
}

#[test]
fn commands_survive_a_shell() {
    let mut spaced = report("desktop");
    spaced.database = "embedded:my data/it's".to_owned();
    let text = render_text(&spaced, None);
    assert!(text.contains(r"--db 'embedded:my data/it'\''s' --filter"), "{text}");
}
