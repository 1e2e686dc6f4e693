//! What header tests kill, and what header edits write.
#![allow(clippy::unwrap_used, reason = "tests fail by panics")]

use mspass_core::metadata::Value;
use mspass_core::process::runner::{passage_of, run};
use mspass_core::process::{
    Edit, HeaderEdit, Interval, Is, Kill, Operator, Process, Scratch, members,
};
use mspass_core::series::{Ensemble, PowerSpectrum};
use mspass_core::{Datum, Hertz, Life, Metadata, TimeSeries, UtcTime};
use proptest::prelude::*;

fn trace(entries: &[(&str, Value)]) -> TimeSeries {
    let id = "YA.UV05.00.HHZ".parse().unwrap();
    let (start, rate) = (UtcTime::from_seconds(100.0), Hertz::new(10.0).unwrap());
    let mut trace = TimeSeries::new(id, start, rate, vec![0.0; 21]);
    trace.metadata = entries.iter().map(|(name, value)| (*name, value.clone())).collect();
    trace.metadata.clear_modified();
    trace
}

fn scratch() -> Scratch {
    Scratch::default()
}

/// Why a test kills a trace with this value, if it does.
fn judged(is: Is, value: impl Into<Value>) -> Option<String> {
    let kill = Kill::when("a", is);
    Process::<TimeSeries>::check(&kill).unwrap();
    let mut datum = trace(&[("a", value.into())]);
    let before = datum.clone();
    match kill.apply(&mut datum, &mut scratch()) {
        Ok(after) => {
            assert_eq!(after, before, "what passes stays as it is");
            None
        }
        Err(error) => Some(error.to_string()),
    }
}

/// The metadata after an edit.
fn edited(edit: HeaderEdit, entries: &[(&str, Value)]) -> Result<Metadata, String> {
    Process::<TimeSeries>::check(&edit).unwrap();
    let mut datum = trace(entries);
    let edited = edit.apply(&mut datum, &mut scratch()).map_err(|error| error.to_string());
    edited.map(|trace: TimeSeries| trace.metadata)
}

fn computed(left: impl Into<Value>, operator: Operator, right: f64) -> Result<Value, String> {
    let edit = HeaderEdit::default().compute("c", "a", operator, "b");
    let edited = edited(edit, &[("a", left.into()), ("b", right.into())])?;
    Ok(edited.get("c").unwrap().clone())
}

proptest! {
    #![proptest_config(ProptestConfig::with_failure_persistence(
        proptest::test_runner::FileFailurePersistence::WithSource("failures")
    ))]

    #[test]
    fn comparisons_kill_where_they_hold(value in -5_i64..5, constant in -5_i64..5) {
        let real = value as f64;
        for (is, holds) in [
            (Is::above(constant), value > constant),
            (Is::at_least(constant), value >= constant),
            (Is::below(constant), value < constant),
            (Is::at_most(constant), value <= constant),
            (Is::equal_to(constant), value == constant),
            (Is::not_equal_to(constant), value != constant),
            (Is::above(constant as f64), value > constant),
            (Is::equal_to(constant as f64), value == constant),
        ] {
            prop_assert_eq!(judged(is.clone(), value).is_some(), holds);
            prop_assert_eq!(judged(is, real).is_some(), holds);
        }
    }

    #[test]
    fn intervals_keep_their_edges(value in -3_i64..4, with_lower in any::<bool>(),
        with_upper in any::<bool>()) {
        let interval = Interval { lower: -1.0, upper: 2.0, with_lower, with_upper };
        let inside = value > -1 && value < 2
            || with_lower && value == -1
            || with_upper && value == 2;
        prop_assert_eq!(judged(Is::Inside(interval), value).is_some(), inside);
        prop_assert_eq!(judged(Is::Outside(interval), value).is_some(), !inside);
    }

    #[test]
    fn whole_numbers_divide_as_in_python(a in any::<i64>(), b in any::<i64>()) {
        prop_assume!(b != 0 && (a, b) != (i64::MIN, -1));
        let of = |operator| {
            let edit = HeaderEdit::default().compute("c", "a", operator, b);
            edited(edit, &[("a", a.into())]).unwrap().get("c").unwrap().clone()
        };
        let (quotient, rest) = match (of(Operator::IntegerDivide), of(Operator::Modulo)) {
            (Value::Int(quotient), Value::Int(rest)) => (quotient, rest),
            other => panic!("{other:?}"),
        };
        prop_assert_eq!(i128::from(quotient) * i128::from(b) + i128::from(rest), i128::from(a));
        prop_assert!(rest == 0 || (rest < 0) == (b < 0));
        prop_assert!(rest.unsigned_abs() < b.unsigned_abs());
    }

    #[test]
    fn real_numbers_divide_with_a_rest(a in -1e6..1e6_f64, b in prop_oneof![-9.0..-0.1, 0.1..9.0]) {
        let number = |value: Value| -> f64 { f64::try_from(&value).unwrap() };
        let quotient = number(computed(a, Operator::IntegerDivide, b).unwrap());
        let rest = number(computed(a, Operator::Modulo, b).unwrap());
        prop_assert_eq!(quotient.fract(), 0.0);
        prop_assert!(rest == 0.0 || (rest < 0.0) == (b < 0.0) && rest.abs() <= b.abs());
        let whole: f64 = quotient * b + rest;
        prop_assert!((whole - a).abs() < 1e-8);
    }
}

#[test]
fn reasons_name_key_value_and_threshold() {
    assert_eq!(judged(Is::above(2.5), 3).unwrap(), "a: 3 is above 2.5");
    assert_eq!(judged(Is::not_equal_to("x"), "y").unwrap(), "a: 'y' does not equal 'x'");
    assert_eq!(judged(Is::below("b"), "a").unwrap(), "a: 'a' is below 'b'");
    assert_eq!(judged(Is::below(1), "a").unwrap(), "a: 'a' cannot be compared with 1");
    assert_eq!(judged(Is::above(1), f64::NAN).unwrap(), "a: NaN cannot be compared with 1");
    assert_eq!(judged(Is::equal_to(1), "a"), None);
    assert_eq!(judged(Is::equal_to(true), true).unwrap(), "a: true equals true");
    let reason = judged(Is::Outside(Interval::closed(1.0, 2.0)), 3.0).unwrap();
    assert_eq!(reason, "a: 3 is outside 1 (included) to 2 (included)");
    assert!(judged(Is::Outside(Interval::closed(1.0, 2.0)), "text").is_some());
    assert!(judged(Is::Inside(Interval::open(1.0, 2.0)), "text").is_some());
    assert!(judged(Is::Outside(Interval::open(1.0, 2.0)), f64::NAN).is_some());
    let (defined, undefined) = (Is::Defined, Is::Undefined);
    assert_eq!(judged(defined.clone(), 5).unwrap(), "a: 5 is defined");
    assert_eq!((judged(defined, Value::Null), judged(undefined.clone(), 5)), (None, None));
    assert_eq!(judged(undefined, Value::Null).unwrap(), "the header has no 'a'");
}

#[test]
fn a_missing_value_kills_unless_told_otherwise() {
    let kill = Kill::when("snr", Is::below(3));
    let passage = passage_of::<TimeSeries, _>(&kill);
    let tombstone = run(&kill, &passage, trace(&[]), &mut scratch()).unwrap_err();
    assert_eq!(tombstone.cause(), ("kill", "the header has no 'snr'"));
    let lenient = kill.passing_missing().or_when("sta", Is::equal_to("UV05"));
    let error = lenient.apply(&mut trace(&[]), &mut scratch()).unwrap_err();
    assert_eq!(error.to_string(), "sta: 'UV05' equals 'UV05'");
}

#[test]
fn tests_read_structure_before_metadata_and_the_first_one_kills() {
    let mut datum = trace(&[("npts", 5.into()), ("depth", 9.into())]);
    let kill = Kill::when("npts", Is::below(20)).or_when("endtime", Is::below(101.5));
    datum = kill.apply(&mut datum, &mut scratch()).unwrap();
    let kill = kill.or_when("depth", Is::above(8)).or_when("chan", Is::equal_to("HHZ"));
    let error = kill.apply(&mut datum, &mut scratch()).unwrap_err();
    assert_eq!(error.to_string(), "depth: 9 is above 8");
    // Data without structure of their own, and members.
    let error = kill.apply(&mut PowerSpectrum::default(), &mut scratch()).unwrap_err();
    assert_eq!(error.to_string(), "the header has no 'npts'");
    let mut ensemble = Ensemble::from_iter([trace(&[("depth", 9.into())]), trace(&[])]);
    let mapped = members::<TimeSeries, _>(Kill::when("depth", Is::Defined));
    ensemble = mapped.apply(&mut ensemble, &mut scratch()).unwrap();
    let lives = ensemble.members.iter().map(|member| member.life == Life::Live);
    assert_eq!(lives.collect::<Vec<_>>(), [false, true]);
    let own = Kill::when("depth", Is::Undefined).apply(&mut ensemble, &mut scratch());
    assert_eq!(own.unwrap_err().to_string(), "the header has no 'depth'");
}

#[test]
fn parameters_are_plain_and_come_back() {
    let kill = Kill::when("snr", Is::below(3.0))
        .or_when("n", Is::at_least(3))
        .or_when("sta", Is::not_equal_to("A"))
        .or_when("d", Is::Outside(Interval::closed(30.0, 90.0)))
        .or_when("bad", Is::Defined);
    let text = Process::<TimeSeries>::parameters(&kill).to_string();
    assert_eq!(
        text,
        r#"{"tests":[{"key":"snr","is":{"below":3.0}},{"key":"n","is":{"at_least":3}},"#.to_owned()
            + r#"{"key":"sta","is":{"not_equal_to":"A"}},{"key":"d","is":{"outside":"#
            + r#"{"lower":30.0,"upper":90.0,"with_lower":true,"with_upper":true}}},"#
            + r#"{"key":"bad","is":"defined"}],"missing":"kill"}"#
    );
    assert_eq!(serde_json::from_str::<Kill>(&text).unwrap(), kill);
    let edit = HeaderEdit::default()
        .rename("a", "b")
        .copy("starttime", "t")
        .set("flag", true)
        .set("x", 1.0)
        .change("n", Operator::Modulo, 7)
        .compute("c", 2.0, Operator::Divide, "n")
        .erase(["q"])
        .keep_only(["c", "n"]);
    let parameters = Process::<TimeSeries>::parameters(&edit);
    assert_eq!(serde_json::from_value::<HeaderEdit>(parameters).unwrap(), edit);
    let bytes = rmp_serde::to_vec_named(&edit).unwrap();
    assert_eq!(rmp_serde::from_slice::<HeaderEdit>(&bytes).unwrap(), edit);
}

#[test]
fn impossible_parameters_are_refused() {
    let refused = |process: &dyn Process<TimeSeries, Output = TimeSeries>, word: &str| {
        let reason = process.check().unwrap_err().to_string();
        assert!(reason.contains(word), "{reason}");
    };
    refused(&Kill::when("", Is::Defined), "key");
    refused(&Kill::when("a", Is::above(f64::NAN)), "finite");
    refused(&Kill::when("a", Is::Inside(Interval::closed(2.0, 1.0))), "the lower one first");
    refused(&Kill::when("a", Is::Outside(Interval::open(f64::NAN, 1.0))), "must be numbers");
    let edit = HeaderEdit::default;
    refused(&edit().set("npts", 3), "key = npts: is a fact of the data's structure");
    refused(&edit().set("a", f64::INFINITY), "finite");
    refused(&edit().rename("sta", "b"), "key = sta");
    refused(&edit().rename("b", "tmatrix"), "key = tmatrix");
    refused(&edit().erase(["starttime"]), "key = starttime");
    refused(&edit().compute("delta", 1, Operator::Add, 2), "key = delta");
    refused(&edit().compute("a", "", Operator::Add, 2), "key");
    refused(&edit().compute("a", 1, Operator::Add, f64::NAN), "finite");
    refused(&edit().change("a", Operator::Modulo, 0), "divided");
    refused(&edit().change("a", Operator::Divide, -0.0), "divided");
    let fine = edit().copy("sta", "station_code").keep_only(["sta", "a"]);
    Process::<TimeSeries>::check(&fine).unwrap();
}

#[test]
fn whole_stays_whole_and_division_is_real() {
    let entries = [("a", Value::Int(-7)), ("b", Value::Int(2)), ("x", Value::Double(0.5))];
    let of = |operator, right: &str| {
        let edit = HeaderEdit::default().compute("c", "a", operator, right);
        edited(edit, &entries).unwrap().get("c").unwrap().clone()
    };
    assert_eq!(of(Operator::Add, "b"), Value::Int(-5));
    assert_eq!(of(Operator::Subtract, "b"), Value::Int(-9));
    assert_eq!(of(Operator::Multiply, "b"), Value::Int(-14));
    assert_eq!(of(Operator::Divide, "b"), Value::Double(-3.5));
    assert_eq!(of(Operator::IntegerDivide, "b"), Value::Int(-4));
    assert_eq!(of(Operator::Modulo, "b"), Value::Int(1));
    assert_eq!(of(Operator::Add, "x"), Value::Double(-6.5));
    assert_eq!(of(Operator::IntegerDivide, "x"), Value::Double(-14.0));
    assert_eq!(of(Operator::Add, "npts"), Value::Int(14));
}

#[test]
fn what_is_no_number_kills() {
    let reason = |left: Value, operator, right| computed(left, operator, right).unwrap_err();
    assert_eq!(reason(1.into(), Operator::Divide, 0.0), "c: 1 is divided by zero");
    assert_eq!(reason(1.into(), Operator::Modulo, 0.0), "c: 1 is divided by zero");
    assert_eq!(reason("x".into(), Operator::Add, 1.0), "a: 'x' is not a number");
    assert_eq!(reason(true.into(), Operator::Add, 1.0), "a: true is not a number");
    assert_eq!(reason(Value::Null, Operator::Add, 1.0), "the header has no 'a'");
    assert!(reason(1e300.into(), Operator::Multiply, 1e300).contains("not finite"));
    assert!(reason(f64::NAN.into(), Operator::Add, 1.0).contains("not finite"));
    let most = [("a", Value::Int(i64::MIN))];
    for (operator, right) in
        [(Operator::Subtract, 1), (Operator::Multiply, 2), (Operator::IntegerDivide, -1)]
    {
        let error = edited(HeaderEdit::default().change("a", operator, right), &most).unwrap_err();
        assert!(error.contains("too large"), "{error}");
    }
    let rest = edited(HeaderEdit::default().change("a", Operator::Modulo, -1), &most).unwrap();
    assert_eq!(rest.get("a"), Some(&Value::Int(0)));
    let missing = edited(HeaderEdit::default().rename("q", "r"), &[]).unwrap_err();
    assert_eq!(missing, "the header has no 'q'");
}

#[test]
fn edits_follow_each_other_and_are_tracked() {
    let edit = HeaderEdit::default()
        .copy("starttime", "t0")
        .rename("old", "new")
        .set("note", "fine")
        .change("new", Operator::Add, 1)
        .erase(["gone", "never_there"])
        .keep_only(["t0", "new", "note", "kept"]);
    let entries =
        [("old", 1), ("gone", 2), ("kept", 3), ("dropped", 4)].map(|(n, v)| (n, Value::Int(v)));
    let metadata = edited(edit, &entries).unwrap();
    let found: Vec<_> = metadata.iter().collect();
    let (new, t0) = (Value::Int(2), Value::Double(100.0));
    assert_eq!(found, [("kept", &3.into()), ("new", &new), ("note", &"fine".into()), ("t0", &t0)]);
    let modified: Vec<_> = metadata.modified().collect();
    assert_eq!(modified, ["dropped", "gone", "new", "note", "old", "t0"]);
    let mut ensemble: Ensemble<TimeSeries> = [trace(&[])].into_iter().collect();
    let set = HeaderEdit { edits: vec![Edit::Set { key: "a".into(), value: 5.into() }] };
    ensemble = set.apply(&mut ensemble, &mut scratch()).unwrap();
    assert_eq!(ensemble.fact("a"), Some(Value::Int(5)));
}
