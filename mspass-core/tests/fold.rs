//! What folds and stacks promise.
#![allow(clippy::unwrap_used, reason = "tests fail by panics")]

use mspass_core::datum::Datum;
use mspass_core::metadata::Value;
use mspass_core::process::runner::{passage_of, run};
use mspass_core::process::{
    Detrend, Fold, Process, Scratch, Stack, StackSum, fold_members, members,
};
use mspass_core::series::{Ensemble, Sampled, Seismogram, TimeStandard};
use mspass_core::{DocumentId, Hertz, History, Life, Severity, TimeSeries, TimeWindow, UtcTime};
use proptest::collection::vec;
use proptest::prelude::*;

fn trace(station: &str, start: f64, samples: Vec<f64>) -> TimeSeries {
    let id = format!("YA.{station}.00.HHZ").parse().unwrap();
    let start = UtcTime::from_seconds(start);
    TimeSeries::new(id, start, Hertz::new(10.0).unwrap(), samples)
}

fn seismogram(samples: Vec<f64>) -> Seismogram {
    let axis = trace("A", 0.0, vec![]).axis;
    Seismogram::from_planar("YA.A.00.HH".parse().unwrap(), axis, samples).unwrap()
}

/// Folds parts of these sizes and merges them in order.
fn fold<T: Datum + Clone, F: Fold<T>>(fold: &F, data: &[T], sizes: &[usize]) -> F::Output {
    let (mut whole, mut rest): (Option<F::Partial>, _) = (None, data);
    for size in sizes {
        let (part, later) = rest.split_at(*size);
        rest = later;
        let mut part = part.iter().cloned();
        let mut partial = fold.begin(&mut part.next().unwrap()).unwrap();
        part.for_each(|mut datum| fold.add(&mut partial, &mut datum).unwrap());
        // It travels.
        let bytes = rmp_serde::to_vec_named(&partial).unwrap();
        let mut partial = rmp_serde::from_slice(&bytes).unwrap();
        match &mut whole {
            Some(whole) => fold.merge(whole, &mut partial).unwrap(),
            None => whole = Some(partial),
        }
    }
    assert!(rest.is_empty());
    fold.finish(&mut whole.unwrap()).unwrap()
}

fn refusal<T: Datum + Clone + PartialEq + std::fmt::Debug>(
    stack: Stack,
    first: T,
    mut datum: T,
) -> String
where
    Stack: Fold<T, Partial = StackSum<T>>,
{
    let mut partial = stack.begin(&mut first.clone()).unwrap();
    let error = stack.add(&mut partial, &mut datum).unwrap_err().to_string();
    assert_eq!(partial, StackSum { sum: first, count: 1 }, "the partial is as it was");
    error
}

proptest! {
    #![proptest_config(ProptestConfig::with_failure_persistence(
        proptest::test_runner::FileFailurePersistence::WithSource("failures")
    ))]

    #[test]
    fn parts_give_what_the_whole_gives(
        rows in vec(vec(-1e3..1e3, 7), 1..20), cuts in vec(1_usize..6, 20), mean in any::<bool>(),
    ) {
        let stack = if mean { Stack::mean() } else { Stack::sum() };
        let data: Vec<_> = rows.iter().map(|row| trace("A", 0.0, row.clone())).collect();
        let mut sizes = Vec::new();
        for cut in cuts {
            let left = data.len() - sizes.iter().sum::<usize>();
            sizes.push(cut.min(left));
        }
        sizes.retain(|size| *size > 0);
        sizes.push(data.len() - sizes.iter().sum::<usize>());
        sizes.retain(|size| *size > 0);
        let whole = fold(&stack, &data, &[data.len()]);
        let parts = fold(&stack, &data, &sizes);
        for (index, (a, b)) in whole.samples.iter().zip(&parts.samples).enumerate() {
            let sum: f64 = rows.iter().map(|row| row[index]).sum();
            let expected = if mean { sum / rows.len() as f64 } else { sum };
            prop_assert!((a - expected).abs() < 1e-9 && (a - b).abs() < 1e-9);
        }
        let count = Value::Int(rows.len() as i64);
        prop_assert_eq!(whole.metadata.get("stack_count"), Some(&count));
        prop_assert_eq!(&parts.metadata, &whole.metadata);
        // The same parts in the same order give the same bits.
        prop_assert_eq!(fold(&stack, &data, &sizes), parts);
        let planar = rows.iter().map(|row| seismogram(row[..6].to_vec())).collect::<Vec<_>>();
        let three = fold(&stack, &planar, &sizes);
        prop_assert_eq!(three.samples(), &fold(&stack, &data, &sizes).samples[..6]);
    }
}

#[test]
fn what_all_agree_on_is_kept() {
    let mut first = trace("A", 0.0, vec![1.0; 20]);
    first.metadata = [("depth", Value::from(5)), ("snr", 1.5.into())].into_iter().collect();
    first.metadata.insert("first_only", 1);
    let mut second = trace("B", 0.04, vec![3.0; 20]);
    second.metadata = [("depth", Value::from(5)), ("snr", 2.5.into())].into_iter().collect();
    second.add_gap(TimeWindow { start: 0.54, end: 0.64 }).unwrap();
    second.log.push("reader", Severity::Complaint, "repaired");
    let stack = fold(&Stack::mean(), &[first.clone(), second], &[2]);
    assert_eq!(stack.id.to_string(), "YA..00.HHZ");
    assert_eq!(stack.axis, first.axis);
    assert_eq!(stack.samples, [2.0; 20]);
    let names: Vec<_> = stack.metadata.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["depth", "stack_count"]);
    assert!(stack.is_gap(0.55) && !stack.is_gap(0.45));
    assert_eq!(stack.log.entries().len(), 1);
    assert_eq!(stack.life, Life::Live);
}

#[test]
fn what_does_not_fit_is_refused() {
    let first = trace("A", 0.0, vec![1.0; 5]);
    let refused = |datum: TimeSeries| refusal(Stack::mean(), first.clone(), datum);
    assert!(refused(trace("A", 0.06, vec![1.0; 5])).contains("more than half a sample off"));
    assert!(refused(trace("A", 0.0, vec![1.0; 4])).contains("4 samples onto a stack of 5"));
    let mut relative = first.clone();
    relative.axis.to_relative(UtcTime::default());
    assert!(refused(relative).contains("relative"));
    let mut faster = first.clone();
    faster.axis = faster.axis.with_sampling_rate(Hertz::new(11.0).unwrap());
    assert!(refused(faster).contains("sampling rates"));
    let mut turned = seismogram(vec![0.0; 6]);
    turned.rotate_horizontals(1.0).unwrap();
    let reason = refusal(Stack::sum(), seismogram(vec![0.0; 6]), turned);
    assert!(reason.contains("directions"), "{reason}");
    let empty = Stack::mean().begin(&mut trace("A", 0.0, vec![])).unwrap_err();
    assert!(empty.to_string().contains("without samples"));
}

#[test]
fn alignment_says_which_samples_meet() {
    let data = [trace("A", 0.0, vec![1.0, 2.0]), trace("A", 500.0, vec![3.0, 4.0])];
    let stack = fold(&Stack::sum().aligned_by_start(), &data, &[1, 1]);
    assert_eq!((stack.samples.clone(), stack.axis), (vec![4.0, 6.0], data[0].axis));
    // Relative to different origins: the stack has no place in UTC.
    let arrivals = data.map(|mut trace| {
        let start = trace.axis.starttime().unwrap();
        trace.axis.to_relative(start);
        trace
    });
    let stack = fold(&Stack::sum(), &arrivals, &[2]);
    assert_eq!(stack.axis.standard(), TimeStandard::Relative { origin: None });
    assert_eq!((stack.samples, stack.axis.start()), (vec![4.0, 6.0], 0.0));
    let same = fold(&Stack::sum(), &[arrivals[0].clone(), arrivals[0].clone()], &[2]);
    assert_eq!(same.axis, arrivals[0].axis);
}

#[test]
fn members_fold_in_order_and_misfits_are_named() {
    let document = |number| DocumentId([number; 12]);
    let mut ensemble = Ensemble::from_iter([
        trace("A", 0.0, vec![1.0; 3]),
        trace("B", 0.0, vec![2.0; 4]),
        trace("C", 0.0, vec![4.0; 3]),
        trace("D", 0.0, vec![9.0; 3]),
    ]);
    for (number, member) in ensemble.members.iter_mut().enumerate() {
        member.history = History::of(document(number as u8), 3);
        member.history.record(&passage_of::<TimeSeries, _>(&Detrend::linear()));
    }
    ensemble.members[3].life = Life::Dead;
    ensemble.metadata.insert("source_depth", 3);
    ensemble.log.push("reader", Severity::Debug, "read");
    let mut scratch = Scratch::default();
    let mapped = members::<TimeSeries, _>(Detrend::simple());
    let stack = fold_members(Stack::mean());
    let passage = passage_of::<Ensemble<TimeSeries>, _>(&mapped);
    let ensemble = run(&mapped, &passage, ensemble, &mut scratch).unwrap();
    let passage = passage_of::<Ensemble<TimeSeries>, _>(&stack);
    let output = run(&stack, &passage, ensemble, &mut scratch).unwrap();
    assert_eq!(output.history.inputs, [document(0), document(2)]);
    assert_eq!(output.history.output, 3);
    let passages = &output.history.passages;
    let passages: Vec<_> =
        passages.iter().map(|p| (p.step.as_str(), p.parameters.as_str())).collect();
    let trend = |trend| ("detrend", trend);
    let expected = [trend(r#"{"trend":"linear"}"#), trend(r#"{"trend":"simple"}"#)];
    assert_eq!(passages[..2], expected);
    assert_eq!(passages[2..], [("stack", r#"{"give":"mean","align":"time"}"#)]);
    assert_eq!(output.metadata.get("stack_count"), Some(&2.into()));
    assert_eq!(output.metadata.get("source_depth"), Some(&3.into()));
    let log: Vec<_> = output.log.entries().iter().map(|e| (e.severity, &*e.message)).collect();
    let left_out = "member 1 is left out: 4 samples onto a stack of 3";
    assert_eq!(log, [(Severity::Debug, "read"), (Severity::Complaint, left_out)]);
    let empty = Ensemble::from_iter([trace("A", 0.0, vec![]), trace("B", 0.0, vec![])]);
    let tombstone = run(&stack, &passage, empty, &mut scratch).unwrap_err();
    assert_eq!(tombstone.cause(), ("stack", "no member fits"));
    assert_eq!(tombstone.log.entries().len(), 3);
}

#[test]
fn a_sum_allocates_no_samples() {
    let stack = Stack::sum();
    let mut partial = stack.begin(&mut trace("A", 0.0, vec![1.0; 1000])).unwrap();
    let place = partial.sum.samples.as_ptr();
    let mut datum = trace("B", 0.0, vec![2.0; 1000]);
    stack.add(&mut partial, &mut datum).unwrap();
    assert_eq!(partial.memory_bytes(), partial.sum.memory_bytes() + 8);
    let output: TimeSeries = stack.finish(&mut partial).unwrap();
    assert_eq!(output.samples.as_ptr(), place);
    let parameters = Process::<Ensemble<TimeSeries>>::parameters(&fold_members(stack));
    assert_eq!(serde_json::from_value::<Stack>(parameters).unwrap(), stack);
}
