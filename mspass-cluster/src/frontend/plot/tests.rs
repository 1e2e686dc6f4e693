//! What holds for every picture.

use mspass_actors::workflow::report::{Coverage, PictureTrace, Spectrogram};
use mspass_core::UtcTime;
use mspass_core::time::NANOS_PER_SECOND;

use super::*;
use crate::frontend::markup::elements;

fn plot<'a>(label: &str, sampling_rate: f64, samples: &'a [f64]) -> TracePlot<'a> {
    TracePlot {
        label: label.to_owned(),
        unit: "counts".to_owned(),
        starttime: "2010-09-01".parse().unwrap(),
        sampling_rate,
        samples,
    }
}

/// Points, in units, of the paths of one class.
fn points(svg: &str, class: &str) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    let start = format!("<path class=\"{class} ");
    for part in svg.split(&start).skip(1) {
        let path = part.split("d=\"").nth(1).unwrap().split('"').next().unwrap();
        for run in path.split('M').skip(1) {
            let spaced = run.replace('-', " -").replace('l', " ").replace('z', "");
            let mut numbers =
                spaced.split_whitespace().map(|number| number.parse::<f64>().unwrap());
            let mut at = (0.0, 0.0);
            while let (Some(x), Some(y)) = (numbers.next(), numbers.next()) {
                at = (at.0 + x, at.1 + y);
                points.push((at.0 / 10.0, at.1 / 10.0));
            }
        }
    }
    points
}

fn lowest_and_highest(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.map(|v| (v, v)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap()
}

#[test]
fn a_day_at_100_hz_is_small_and_keeps_its_extremes() {
    let mut samples: Vec<f64> = (0..8_640_000u64)
        .map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 44) as f64 / 1e4 - 52.0)
        .collect();
    samples[2_160_000] = 1000.0;
    samples[6_480_001] = -500.0;
    let svg = plot_traces(&[plot("YA.UV05.00.HHZ", 100.0, &samples)]);
    assert!(svg.len() < 50_000, "{}", svg.len());
    assert!(svg.contains("YA.UV05.00.HHZ") && svg.contains("8,640,000 samples"));
    elements(&svg);
    let points = points(&svg, "band");
    let (top, bottom) = lowest_and_highest(points.iter().map(|point| point.1));
    let unit = 220.0 / (1500.0 * 1.1);
    assert!((bottom - top - 1500.0 * unit).abs() < 0.15, "{top} {bottom}");
    let peak = points.iter().find(|point| point.1 == top).unwrap();
    let trough = points.iter().find(|point| point.1 == bottom).unwrap();
    let width = WIDTH - trace::LEFT - trace::RIGHT;
    assert!((peak.0 - trace::LEFT - 0.25 * width).abs() < 1.0, "{peak:?}");
    assert!((trough.0 - trace::LEFT - 0.75 * width).abs() < 1.0, "{trough:?}");
}

#[test]
fn few_samples_are_drawn_as_they_are() {
    let samples = [0.0, 1.0, -1.0, 0.5];
    let svg = plot_traces(&[plot("a", 1.0, &samples)]);
    let points = points(&svg, "wave");
    assert_eq!(points.len(), 4);
    let zero = points[0].1;
    let unit = zero - points[1].1;
    assert!(
        (points[2].1 - zero - unit).abs() < 0.11 && (zero - points[3].1 - unit / 2.0).abs() < 0.11
    );
    assert!((points[2].0 - points[1].0 - (points[1].0 - points[0].0)).abs() < 0.11);
}

#[test]
fn odd_traces_are_drawn_or_named() {
    let gap = [1.0, 2.0, f64::NAN, f64::INFINITY, 3.0, -1.0];
    let svg = plot_traces(&[
        plot("gap", 1.0, &gap),
        plot("empty", 1.0, &[]),
        plot("one", 1.0, &[3.0]),
        plot("constant", 1.0, &[7.0; 5000]),
        plot("rate", 0.0, &[1.0, 2.0]),
        plot("nothing", 1.0, &[f64::NAN; 3]),
    ]);
    elements(&svg);
    assert_eq!(points(&svg, "wave").len(), 4 + 1600);
    assert_eq!(points(&svg, "dot").len(), 2);
    let sentences = ["2 not finite", "no samples", "no usable sampling rate", "no finite samples"];
    assert!(sentences.iter().all(|text| svg.contains(text)));
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
    elements(&plot_traces(&[]));
}

#[test]
fn hostile_names_are_text() {
    let name = "</text><script>alert('x')</script>\u{0}\u{202e}&\"";
    let samples = [1.0, 2.0, 1.5];
    let trace = TracePlot { unit: name.to_owned(), ..plot(name, 1.0, &samples) };
    let picture = Picture {
        title: name.to_owned(),
        caption: name.to_owned(),
        output_id: None,
        raw: trace.to_picture(),
        processed: trace.to_picture(),
    };
    let svgs = [
        plot_traces(&[trace.clone(), trace.clone()]),
        plot_spectrum(&[trace.clone(), trace.clone()]),
        plot_spectrogram(&trace),
        plot_overview(&trace),
        plot_picture(&picture),
    ];
    for svg in svgs {
        assert!(!elements(&svg).contains(&"script".to_owned()));
    }
}

#[test]
fn many_traces_stay_small_and_the_rest_is_counted() {
    let samples: Vec<f64> = (0..20_000).map(|n| f64::from(n * 7919 % 1009)).collect();
    let traces: Vec<_> = (0..100).map(|n| plot(&format!("trace {n}"), 10.0, &samples)).collect();
    let svg = plot_traces(&traces);
    elements(&svg);
    assert!(svg.len() < 400_000, "{}", svg.len());
    assert!(svg.contains(">trace 39<") && !svg.contains(">trace 40<"));
    assert!(svg.contains("and 60 more"));
}

#[test]
fn spectra_stay_in_their_frame() {
    let wave = |frequency: f64| {
        move |n: usize| (std::f64::consts::TAU * frequency * n as f64 / 100.0).sin()
    };
    let slow: Vec<f64> = (0..60_000).map(wave(0.2)).collect();
    let fast: Vec<f64> = (0..60_000).map(wave(12.5)).collect();
    let svg = plot_spectrum(&[plot("slow", 100.0, &slow), plot("fast", 100.0, &fast)]);
    elements(&svg);
    let points = points(&svg, "curve");
    assert!(points.len() > 20);
    let (left, right) = lowest_and_highest(points.iter().map(|point| point.0));
    let (top, bottom) = lowest_and_highest(points.iter().map(|point| point.1));
    assert!(left >= trace::LEFT && right <= WIDTH - trace::RIGHT, "{left} {right}");
    assert!(top >= 30.0 && bottom <= 280.0, "{top} {bottom}");
    assert!(svg.contains(">slow<") && svg.contains(">fast<"));
}

#[test]
fn only_own_images_are_shown() {
    let with_image = |image: &str| PictureTrace {
        sampling_rate: 1.0,
        npts: 2,
        envelope: vec![Some((0.0, 1.0)); 2],
        spectrogram: Some(Spectrogram {
            frequency_max: 1.0,
            power_min_db: 0.0,
            power_max_db: 1.0,
            image: image.to_owned(),
        }),
        ..PictureTrace::default()
    };
    let drawn =
        |image: &str| spectrum::draw_spectrogram("", &with_image(image), 400.0).fragment("");
    assert!(drawn("data:image/png;base64,AAAA").contains("AAAA"));
    for image in ["https://example.org/x.png", "data:image/png;base64,A\"/><script/>", ""] {
        let svg = drawn(image);
        assert!(!svg.contains("<image"), "{svg}");
        elements(&svg);
    }
}

#[test]
fn coverage_marks_gaps_too_short_for_the_scale() {
    let at = |second: i64| UtcTime::from_nanos(second * NANOS_PER_SECOND);
    let row = |id: &str, spans: &[(i64, i64)]| Coverage {
        id: id.parse().unwrap(),
        spans: spans.iter().map(|span| (at(span.0), at(span.1))).collect(),
    };
    let year = 31_536_000;
    let whole = plot_coverage(&[row("A.B..HHZ", &[(0, year)])]);
    assert_eq!((points(&whole, "cover").len(), points(&whole, "gap").len()), (2, 0));
    let short = plot_coverage(&[row("A.B..HHZ", &[(0, 9_000_000), (9_000_001, year)])]);
    assert_eq!(points(&short, "cover").len(), 2);
    assert_eq!(short.matches("class=\"gap\"").count(), 1);
    let long = plot_coverage(&[row("A.B..HHZ", &[(0, 9_000_000), (12_000_000, year)])]);
    assert_eq!((points(&long, "cover").len(), long.matches("class=\"gap\"").count()), (4, 0));
    let torn: Vec<_> = (0..1000).map(|n| (n * 31_000, n * 31_000 + 15_000)).collect();
    let rows: Vec<_> = (0..200).map(|n| row(&format!("A.B{n}..HHZ"), &torn)).collect();
    let svg = plot_coverage(&rows);
    elements(&svg);
    assert!(svg.len() < 700_000 && svg.contains("and 140 more channels"), "{}", svg.len());
    elements(&plot_coverage(&[]));
    elements(&plot_coverage(&[row("A.B..HHZ", &[])]));
    elements(&plot_coverage(&[row("A.B..HHZ", &[(i64::MIN / NANOS_PER_SECOND, 0), (5, 1 << 33)])]));
}

/// Any bits make a well-formed picture.
#[test]
fn random_traces_do_no_harm() {
    let mut seed = 20_261_123u64;
    println!("seed {seed}");
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let rates = [100.0, 1e-300, 1e300, -1.0, f64::NAN, f64::INFINITY, 0.1, 5e-324];
    for _ in 0..150 {
        let wild = next() % 2 == 0;
        let length = (next() % 3000) as usize;
        let value = |bits: u64| {
            if wild { f64::from_bits(bits) } else { bits as f64 * 1e-300 }
        };
        let samples: Vec<f64> = (0..length).map(|_| value(next())).collect();
        let trace = TracePlot {
            starttime: UtcTime::from_nanos(next() as i64),
            ..plot("x", rates[(next() % 8) as usize], &samples)
        };
        let picture = trace.to_picture();
        for drawing in [
            trace::draw_traces(&[("a", &picture), ("b", &picture)], 360.0),
            spectrum::draw_spectra(&[("a", &picture), ("b", &picture)], 440.0),
            spectrum::draw_spectrogram("a", &picture, 440.0),
        ] {
            let svg = drawing.fragment("x");
            elements(&svg);
            assert!(!svg.contains("NaN") && svg.len() < 200_000, "{}", svg.len());
        }
    }
}

fn row(label: &str, strong: bool, samples: Vec<f64>) -> SectionRow {
    SectionRow { label: label.to_owned(), start: -1.0, sampling_rate: 20.0, samples, strong }
}

#[test]
fn sections_scale_each_row_and_set_the_stack_apart() {
    let wave: Vec<f64> = (0..41).map(|n| (f64::from(n) * 0.3).sin()).collect();
    let large = wave.iter().map(|sample| sample * 1e9).collect();
    let rows = [row("first", false, wave.clone()), row("second <b>", false, large)];
    let stack = row("stack", true, wave);
    let section = |title: &str| Section {
        title: title.to_owned(),
        rows: rows.iter().cloned().chain([stack.clone()]).collect(),
    };
    let svg = plot_sections("lag, s", &[section("R"), section("T")]);
    elements(&svg);
    assert!(svg.contains("second &lt;b&gt;") && !svg.contains("<b>"));
    for label in [">first<", ">stack<", ">R<", ">T<"] {
        assert_eq!(svg.matches(label).count(), 1, "{label}");
    }
    assert_eq!((svg.matches("wave c0").count(), svg.matches("wave c1").count()), (4, 2));
    let (top, bottom) = lowest_and_highest(points(&svg, "wave").iter().map(|point| point.1));
    assert!(top > 24.0 && bottom < 24.0 + 3.0 * 96.0 + 12.0, "{top} {bottom}");
}

#[test]
fn any_section_can_be_drawn() {
    let odd = [
        row("none", false, Vec::new()),
        row("one", false, vec![1.0]),
        row("zeros", false, vec![0.0; 9]),
        row("holes", true, vec![1.0, f64::NAN, 2.0, f64::INFINITY, 3.0]),
        row("nothing finite", false, vec![f64::NAN; 5]),
        SectionRow { start: f64::NAN, ..row("no start", false, vec![1.0; 5]) },
        SectionRow { sampling_rate: 0.0, ..row("no rate", false, vec![1.0; 5]) },
        row("huge", false, vec![f64::MAX, f64::MIN]),
    ];
    for row in &odd {
        let section = Section { title: String::new(), rows: vec![row.clone()] };
        elements(&plot_sections("s", &[section]));
    }
    elements(&plot_sections("s", &[]));
    let rows: Vec<_> = odd.iter().cycle().take(500).cloned().collect();
    let svg = plot_sections("s", &vec![Section { title: "many".to_owned(), rows }; 9]);
    elements(&svg);
    assert!(svg.contains("440 more rows") && svg.len() < 100_000, "{}", svg.len());
}
