//! Foreman, workers and links under loss, delay, duplication and death: every task is done exactly
//! once, or set aside with a reason. Deterministic: a failure prints the seed that repeats it
//! (MSPASS_SEED). The campaign `simulate` lives through many more histories.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and wait")]

mod simulate;

use std::time::{Duration, Instant};

use mspass_actors::foreman::lease::{FailureClass, Lease, Load, TaskEnd, Token};
use mspass_actors::foreman::state::{
    CHARGES_KEPT_MAX, CHARGES_MAX, Foreman, LEASE_MIN, LOST_PAUSE, Output, Phase, STALL_GRACE,
    TASKS_MAX, TaskDatum, UNNAMED_MAX,
};
use mspass_actors::worker::slate::{Death, Suspect};
use mspass_actors::workflow::tally::Tally;
use simulate::partition;

/// Histories that the test suite lives through.
const HISTORIES: u64 = 1000;

/// A worker of one thread that holds so many leases.
fn load(capacity: u32) -> Load {
    Load { slots: 1, capacity, task_micros: 10_000 }
}

/// Of a worker whose first process this is.
fn alive() -> Death {
    Death::default()
}

/// Died with datum `ordinal` of part 1 in work.
fn died(ordinal: u64, alone: bool) -> Death {
    let (job, task, datum) = ("noise".into(), partition(1).key(), format!("datum {ordinal}"));
    let suspect = Suspect { job, task, ordinal, datum, alone };
    Death::of(vec![suspect], Some("signal 6".into()))
}

fn seeds(count: u64) -> impl Iterator<Item = u64> {
    let given = std::env::var("MSPASS_SEED").ok().and_then(|seed| seed.parse().ok());
    let first = given.unwrap_or(1);
    first..first + if given.is_some() { 1 } else { count }
}

#[test]
fn every_task_is_done_exactly_once_or_set_aside_with_a_reason() {
    let (mut tasks, mut set_aside, mut kills, mut recalls, mut missing) = (0, 0, 0, 0, 0);
    let mut poison = 0;
    for seed in seeds(HISTORIES) {
        let history = simulate::live(seed).unwrap_or_else(|fault| panic!("{fault}"));
        tasks += history.tasks;
        set_aside += history.set_aside;
        kills += history.kills;
        recalls += history.recalls;
        missing += history.missing;
        poison += history.poison;
    }
    println!("{tasks} tasks, {set_aside} set aside, {kills} kills, {recalls} recalls");
    println!("pieces were missing {missing} times");
    println!("{poison} data were poison");
    let all = [set_aside, kills, recalls, missing, poison];
    assert!(std::env::var_os("MSPASS_SEED").is_some() || all.iter().all(|count| *count > 0));
}

/// Leases in the next grants.
fn granted(foreman: &mut Foreman) -> Vec<(String, Token)> {
    let mut tokens = Vec::new();
    while let Some(output) = foreman.poll_output() {
        if let Output::Grant { worker, leases } = output {
            tokens.extend(leases.iter().map(|lease| (worker.clone(), lease.token())));
        }
    }
    tokens
}

#[test]
fn tasks_in_memory_are_bounded() {
    let now = Instant::now();
    let mut foreman = Foreman::new(1, 1);
    foreman.offer(now, (0..TASKS_MAX as u64).map(partition));
    assert_eq!(foreman.room(), 0);
    foreman.join(now, "worker", 1, load(1000), &alive());
    let tasks = granted(&mut foreman);
    assert_eq!(tasks.len(), 1000);
    let done = tasks.into_iter().map(|(_, token)| (token, TaskEnd::Done(Box::default())));
    foreman.ended(now, "worker", 1, load(0), done.collect());
    assert_eq!(foreman.room(), 1000);
}

#[test]
fn a_worker_gets_no_more_than_it_takes_and_the_rest_is_shared_evenly() {
    let now = Instant::now();
    let mut foreman = Foreman::new(1, 1);
    foreman.join(now, "large", 1, Load { slots: 3, ..load(30) }, &alive());
    foreman.join(now, "small", 1, load(30), &alive());
    foreman.offer(now, (0..40).map(partition));
    let tasks = granted(&mut foreman);
    assert_eq!(tasks.iter().filter(|(worker, _)| worker == "large").count(), 30);
    assert_eq!(tasks.len(), 40);
    foreman.offer(now, (40..100).map(partition));
    assert_eq!(granted(&mut foreman).len(), 20);
    assert_eq!(granted(&mut foreman).len(), 0);
}

#[test]
fn what_waits_at_a_busy_worker_is_asked_back_for_an_idle_one() {
    let now = Instant::now();
    let mut foreman = Foreman::new(1, 1);
    foreman.join(now, "busy", 1, load(100), &alive());
    foreman.offer(now, (0..21).map(partition));
    let held = granted(&mut foreman);
    assert_eq!(held.len(), 21);
    foreman.join(now, "idle", 1, load(100), &alive());
    let recall = Output::Recall { worker: "busy".into(), count: 10 };
    assert_eq!(foreman.poll_output(), Some(recall));
    // Only once until it has answered.
    foreman.tick(now);
    assert_eq!(foreman.poll_output(), None);
    let returned = held[11..].iter().map(|(_, token)| (*token, TaskEnd::Returned)).collect();
    foreman.ended(now, "busy", 1, load(100), returned);
    let moved = granted(&mut foreman);
    assert!(moved.len() == 10 && moved.iter().all(|(worker, _)| worker == "idle"), "{moved:?}");
    // What would wait no longer than the message takes stays where it is.
    foreman.join(now, "third", 1, Load { task_micros: 1, ..load(100) }, &alive());
    let quick = Load { task_micros: 10, ..load(100) };
    let mut foreman = Foreman::new(1, 1);
    foreman.join(now, "busy", 1, quick, &alive());
    foreman.offer(now, (0..21).map(partition));
    foreman.join(now, "idle", 1, quick, &alive());
    assert_eq!(granted(&mut foreman).len(), 21);
    assert_eq!(foreman.poll_output(), None);
}

#[test]
fn a_job_without_workers_says_that_it_is_stalled() {
    let now = Instant::now();
    let mut foreman = Foreman::new(1, 1);
    foreman.offer(now, [partition(1)]);
    foreman.tick(now);
    assert_eq!(foreman.stalled(now + STALL_GRACE), None);
    let later = now + STALL_GRACE + Duration::from_secs(5);
    foreman.tick(later);
    assert_eq!(foreman.stalled(later), Some(STALL_GRACE + Duration::from_secs(5)));
    foreman.join(later, "worker", 1, load(1), &alive());
    foreman.tick(later);
    assert_eq!(foreman.stalled(later), None);
}

#[test]
fn a_lease_that_no_heartbeat_names_ends() {
    let now = Instant::now();
    let mut foreman = Foreman::new(1, 1);
    foreman.join(now, "worker", 1, load(1), &alive());
    foreman.offer(now, [partition(1)]);
    let tokens: Vec<_> = granted(&mut foreman).into_iter().map(|(_, token)| token).collect();
    let beat = |foreman: &mut Foreman, seconds, running: &[Token]| {
        let then = now + Duration::from_secs(seconds);
        assert!(foreman.heartbeat(then, "worker", 1, load(1), running));
        foreman.tick(then);
        granted(foreman).len()
    };
    (0..100).for_each(|seconds| assert_eq!(beat(&mut foreman, seconds, &tokens), 0));
    let unnamed = u64::from(UNNAMED_MAX);
    (100..100 + unnamed).for_each(|seconds| assert_eq!(beat(&mut foreman, seconds, &[]), 0));
    assert_eq!(beat(&mut foreman, 100 + unnamed, &[]), 1, "its word was lost on the way");
}

#[test]
fn a_lease_ends_though_its_worker_says_nothing_of_it() {
    let now = Instant::now();
    let mut foreman = Foreman::new(1, 1);
    foreman.join(now, "worker", 1, load(1), &alive());
    foreman.offer(now, [partition(1)]);
    assert_eq!(granted(&mut foreman).len(), 1);
    // It is heard, but only ever tells of other things.
    for seconds in 1..=LEASE_MIN.as_secs() {
        let then = now + Duration::from_secs(seconds);
        foreman.ended(then, "worker", 1, load(1), Vec::new());
        foreman.tick(then);
    }
    assert_eq!(granted(&mut foreman).len(), 1);
}

#[test]
fn a_task_that_breaks_its_workers_is_set_aside() {
    let now = Instant::now();
    let mut foreman = Foreman::new(1, 1);
    foreman.join(now, "worker", 1, load(1), &alive());
    foreman.offer(now, [partition(1)]);
    foreman.source_ended();
    let mut later = now;
    for attempt in 1..=CHARGES_MAX as u32 {
        let Some(Output::Grant { leases, .. }) = foreman.poll_output() else {
            panic!("no lease for attempt {attempt}");
        };
        assert_eq!(leases[0].attempt, attempt);
        let failed =
            TaskEnd::Failed { class: FailureClass::Panic, reason: "it panicked".to_owned() };
        foreman.ended(later, "worker", 1, load(1), vec![(leases[0].token(), failed)]);
        later += Duration::from_secs(1);
        foreman.tick(later);
    }
    let Some(Output::SetAside(letter)) = foreman.poll_output() else { panic!("not set aside") };
    assert_eq!((letter.attempts, letter.charges.len()), (3, CHARGES_MAX));
    assert_eq!(letter.reason(), "it panicked");
    assert_eq!(*foreman.phase(), Phase::Finished);
    // Queued anew, it is leased under an attempt that was not used before.
    foreman.requeue(later, *letter);
    assert_eq!(*foreman.phase(), Phase::Running);
    let Some(Output::Grant { leases, .. }) = foreman.poll_output() else { panic!("no lease") };
    assert_eq!(leases[0].attempt, 4);
    let done = (leases[0].token(), TaskEnd::Done(Box::default()));
    foreman.ended(later, "worker", 1, load(1), vec![done]);
    assert!(matches!(foreman.poll_output(), Some(Output::Done { .. })));
    assert_eq!(*foreman.phase(), Phase::Finished);
}

#[test]
fn a_task_that_broke_a_worker_goes_to_another() {
    let now = Instant::now();
    let mut foreman = Foreman::new(1, 1);
    foreman.join(now, "first", 1, load(1), &alive());
    foreman.join(now, "second", 1, load(1), &alive());
    foreman.offer(now, [partition(1)]);
    assert_eq!(granted(&mut foreman)[0].0, "first");
    // Its process dies, and the next says what it was at.
    foreman.worker_down(now, "first");
    assert_eq!(granted(&mut foreman)[0].0, "second");
    foreman.worker_down(now, "second");
    assert_eq!(granted(&mut foreman), [], "it is not known who was to blame");
    foreman.join(now, "first", 2, load(1), &died(3, false));
    assert_eq!(granted(&mut foreman)[0].0, "first", "there is no other");
    foreman.join(now, "third", 1, load(1), &alive());
    foreman.worker_down(now, "first");
    let later = now + LOST_PAUSE;
    foreman.tick(later);
    assert_eq!(granted(&mut foreman)[0].0, "third");
}

/// The next lease.
fn leased(foreman: &mut Foreman) -> Lease {
    loop {
        match foreman.poll_output() {
            Some(Output::Grant { leases, .. }) => return leases[0].clone(),
            Some(_) => {}
            None => panic!("no lease"),
        }
    }
}

#[test]
fn a_datum_that_kills_alone_three_times_is_buried_and_its_task_is_done() {
    let now = Instant::now();
    let mut foreman = Foreman::new(1, 1);
    foreman.offer(now, [partition(1)]);
    foreman.join(now, "worker", 1, load(1), &alive());
    assert!(!leased(&mut foreman).alone);
    // In company, and then alone.
    let mut charges = Vec::new();
    for life in 2..=5 {
        foreman.join(now, "worker", life, load(1), &died(3, life > 2));
        let Some(Output::Charged { key, charge }) = foreman.poll_output() else { panic!() };
        charges.push((key, *charge));
        let lease = leased(&mut foreman);
        assert!(lease.alone);
        assert_eq!(lease.poison.len(), usize::from(life == 5), "{life}");
    }
    // A foreman that goes on from the journal knows.
    let mut next = Foreman::new(2, 1);
    next.restore(charges);
    next.join(now, "other", 1, load(1), &alive());
    next.offer(now, [partition(1)]);
    let lease = leased(&mut next);
    let [poison] = &lease.poison[..] else { panic!("{lease:?}") };
    assert_eq!(poison.datum, TaskDatum { ordinal: 3, name: "datum 3".into() });
    assert_eq!(poison.reason, "it broke the process of its worker (signal 6), 3 times");
    // Late news of it says nothing new, and what kills without it is held against its task.
    for life in 2..=7 {
        let ordinal = if life < 5 { 3 } else { 0 };
        next.join(now, "other", life, load(1), &died(ordinal, true));
    }
    let outputs: Vec<_> = std::iter::from_fn(|| next.poll_output()).collect();
    let Some(Output::SetAside(letter)) = outputs.last() else { panic!("{outputs:?}") };
    assert_eq!(letter.charges.len(), CHARGES_MAX);
    assert_eq!(*next.phase(), Phase::Running, "the source is open");
}

#[test]
fn who_is_killed_again_and_again_by_others_is_not_poison() {
    let now = Instant::now();
    let mut foreman = Foreman::new(1, 1);
    foreman.offer(now, [partition(1)]);
    // Each time at another datum, or in company.
    for life in 1..=CHARGES_KEPT_MAX as u64 {
        let death = died(life % 40, life % 40 > 20 && life < 40);
        foreman.join(now, "worker", life, load(1), &death);
        assert_eq!(leased(&mut foreman).poison, [], "{life}");
    }
    // But not for ever.
    foreman.join(now, "worker", 1000, load(1), &died(1, false));
    let outputs: Vec<_> = std::iter::from_fn(|| foreman.poll_output()).collect();
    assert!(matches!(outputs[1], Output::SetAside(_)), "{outputs:?}");
}

#[test]
fn a_store_that_never_answers_ends_the_job() {
    let mut now = Instant::now();
    let mut foreman = Foreman::new(1, 1);
    foreman.join(now, "worker", 1, load(1), &alive());
    foreman.offer(now, [partition(1)]);
    while *foreman.phase() == Phase::Running {
        if let Some(Output::Grant { leases, .. }) = foreman.poll_output() {
            let (class, reason) = (FailureClass::Transient, "disk full".to_owned());
            let end = TaskEnd::Failed { class, reason };
            foreman.ended(now, "worker", 1, load(1), vec![(leases[0].token(), end)]);
        }
        now += Duration::from_secs(1);
        foreman.heartbeat(now, "worker", 1, load(1), &[]);
        foreman.tick(now);
    }
    assert_eq!(*foreman.phase(), Phase::Failed("disk full".into()));
}

#[test]
fn an_older_lease_brings_nothing() {
    let now = Instant::now();
    let mut foreman = Foreman::new(1, 1);
    foreman.join(now, "slow", 1, load(1), &alive());
    foreman.offer(now, [partition(1)]);
    let Some(Output::Grant { leases: first, .. }) = foreman.poll_output() else { panic!() };
    foreman.worker_down(now, "slow");
    foreman.join(now, "quick", 1, load(1), &alive());
    let Some(Output::Grant { leases: second, .. }) = foreman.poll_output() else { panic!() };
    assert_eq!((first[0].attempt, second[0].attempt), (1, 2));
    let stale = vec![(first[0].token(), TaskEnd::Done(Box::default()))];
    foreman.ended(now, "slow", 1, load(1), stale.clone());
    foreman.join(now, "slow", 1, load(0), &alive());
    foreman.ended(now, "slow", 1, load(0), stale);
    assert_eq!(foreman.poll_output(), None);
    let tally = Box::new(Tally { entered: 5, ..Tally::default() });
    let done = vec![(second[0].token(), TaskEnd::Done(tally))];
    foreman.ended(now, "quick", 1, load(1), done);
    assert!(
        matches!(foreman.poll_output(), Some(Output::Done { tally, .. }) if tally.entered == 5)
    );
}
