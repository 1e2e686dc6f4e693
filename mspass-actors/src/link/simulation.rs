//! Two ends of a session over a network that delays, cuts bytes anywhere, stalls, and crashes;
//! every run follows from a printed seed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use proptest::prelude::*;
use tokio::sync::oneshot;

use super::*;
use crate::node::Home;
use crate::wire::Blob;

const CREDITS: u32 = 8;

/// What one end handles: the messages in order, and their ways back.
#[derive(Default)]
struct Desk {
    seen: [Vec<u64>; 2],
    work: Vec<(u64, ReturnPath)>,
}

struct Pusher(Arc<Mutex<Desk>>, Lane);

impl Sink for Pusher {
    fn push(&mut self, arrived: Arrived<'_>) {
        let scope = Scope::with_blobs(None, arrived.blobs);
        let (number, _): (u64, Blob) = crate::wire::decode(scope, arrived.body).unwrap();
        let mut desk = lock(&self.0);
        desk.seen[self.1 as usize].push(number);
        desk.work.push((number, arrived.path));
    }

    fn flush(&mut self) {}
}

struct End {
    session: Arc<Session>,
    inbound: [Inbound; 2],
    desk: Arc<Mutex<Desk>>,
    sent: [u64; 2],
    asked: Vec<(u64, oneshot::Receiver<super::asks::Outcome>)>,
    asks: u64,
    answered: u64,
}

impl End {
    fn new(dialed: bool) -> Self {
        let desk: Arc<Mutex<Desk>> = Arc::default();
        let pushed = Arc::clone(&desk);
        let home = Home::simulated(move |lane| {
            (Box::new(Pusher(Arc::clone(&pushed), lane)) as Box<dyn Sink>, CREDITS)
        });
        let session = Session::new(1, dialed, home);
        let inbound = [Lane::Control, Lane::Bulk].map(|l| Inbound::new(&session, l).unwrap());
        Self { session, inbound, desk, sent: [0; 2], asked: Vec::new(), asks: 0, answered: 0 }
    }

    /// Sends one message, if there is credit and room.
    fn send(&mut self, lane: Lane, ask: bool, blob: usize) {
        let Ok(slot) = self.session.slot("desk", "message", 1, lane) else { return };
        let Ok(credit) = slot.credits.try_acquire() else { return };
        let message = (self.sent[lane as usize], Blob(Bytes::from(vec![1; blob])));
        let kind = if ask { Kind::Ask } else { Kind::Tell };
        let mut header = Header { target: slot.id, ..Header::new(kind) };
        let mut waiting = None;
        if ask {
            let (id, sequence, outcome) = self.session.asks().unwrap().insert().unwrap();
            (header.id, header.ask) = (id, sequence);
            waiting = Some((id, sequence, outcome));
        }
        if self.session.send(lane, header, &message) == Put::Queued {
            credit.forget();
            self.sent[lane as usize] += 1;
            self.asks += u64::from(ask);
            self.asked.extend(waiting.map(|(_, _, outcome)| (message.0, outcome)));
        } else if let (Some((id, sequence, _)), Some(asks)) = (waiting, self.session.asks()) {
            asks.forget(id, sequence);
        }
    }

    /// Answers, drops or refuses one of the messages in work.
    fn work(&mut self, chance: u64) {
        let mut desk = lock(&self.desk);
        if desk.work.is_empty() {
            return;
        }
        let at = usize::try_from(chance).unwrap() % desk.work.len();
        let (number, path) = desk.work.swap_remove(at);
        drop(desk);
        match chance % 4 {
            0 => drop(path),
            1 => path.fail(Fault::Overloaded),
            _ => path.answer(&number),
        }
    }

    /// Counts what was resolved: each ask once, with its own reply.
    fn resolve(&mut self) {
        let mut answered = 0;
        self.asked.retain_mut(|(number, outcome)| match outcome.try_recv() {
            Ok(Ok(reply)) => {
                let back: u64 = crate::wire::decode(Scope::default(), &reply.body).unwrap();
                assert_eq!(back, *number);
                answered += 1;
                false
            }
            Ok(Err(_)) | Err(oneshot::error::TryRecvError::Closed) => {
                answered += 1;
                false
            }
            Err(oneshot::error::TryRecvError::Empty) => true,
        });
        self.answered += answered;
    }
}

/// A small generator, so that a run is its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

#[derive(Default)]
struct Pipe(VecDeque<u8>);

fn flow(ends: &mut [End; 2], pipes: &mut [[Pipe; 2]; 2], from: usize, lane: Lane, most: usize) {
    let pipe = &mut pipes[from][lane as usize].0;
    let mut out = Vec::new();
    let piece = lock(&ends[from].session.lane(lane).outbox).take(&mut out);
    pipe.extend(out);
    pipe.extend(piece.unwrap_or_default());
    assert!(pipe.len() as u64 <= window_of(lane) + (64 << 10), "more than the window");
    let inbound = &mut ends[1 - from].inbound[lane as usize];
    let mut left = most.min(pipe.len());
    while left > 0 {
        let space = inbound.space();
        let bytes = space.len().min(left);
        for place in &mut space[..bytes] {
            *place = pipe.pop_front().unwrap();
        }
        inbound.filled(bytes).unwrap();
        left -= bytes;
    }
}

fn run(seed: u64) {
    let mut dice = Dice(seed | 1);
    let mut ends = [End::new(true), End::new(false)];
    let mut pipes: [[Pipe; 2]; 2] = Default::default();
    let (steps, crash) = (2_000, dice.roll(2) == 0);
    let mut stalled = [0u64; 2];
    for step in 0..steps {
        let end = usize::from(dice.roll(2) == 0);
        let lane = if dice.roll(3) == 0 { Lane::Bulk } else { Lane::Control };
        match dice.roll(6) {
            0 | 1 => {
                let blob = if lane == Lane::Bulk { dice.roll(600_000) as usize } else { 0 };
                ends[end].send(lane, dice.roll(2) == 0, blob);
            }
            2 => ends[end].work(dice.roll(1 << 20)),
            3 if dice.roll(50) == 0 => stalled[end] = step + dice.roll(300),
            _ if stalled[end] > step => {}
            _ => flow(&mut ends, &mut pipes, end, lane, dice.roll(300_000) as usize),
        }
        ends.iter_mut().for_each(End::resolve);
        check(&ends);
    }
    if crash {
        // The connection is gone with all that is in it: who waits is told.
        ends.iter().for_each(|end| end.session.close());
    } else {
        for _ in 0..20_000 {
            for (end, lane) in
                [(0, Lane::Control), (1, Lane::Control), (0, Lane::Bulk), (1, Lane::Bulk)]
            {
                flow(&mut ends, &mut pipes, end, lane, 1 << 20);
                ends[end].work(dice.roll(1 << 20));
            }
            ends.iter_mut().for_each(End::resolve);
            if ends.iter().all(|end| end.asked.is_empty() && lock(&end.desk).work.is_empty()) {
                break;
            }
        }
        for end in 0..2 {
            for lane in 0..2 {
                let seen = lock(&ends[1 - end].desk).seen[lane].len() as u64;
                assert_eq!(seen, ends[end].sent[lane], "nothing is lost on a whole connection");
            }
        }
    }
    ends.iter_mut().for_each(End::resolve);
    check(&ends);
    for end in &ends {
        assert!(end.asked.is_empty(), "an ask was never resolved");
        assert_eq!(end.answered, end.asks, "an ask was resolved twice");
        assert!(end.session.asks().is_none_or(|asks| asks.len() == 0));
    }
}

/// What holds at every moment.
fn check(ends: &[End; 2]) {
    for end in ends {
        let desk = lock(&end.desk);
        for seen in &desk.seen {
            assert!(seen.iter().enumerate().all(|(at, number)| at as u64 == *number), "order");
        }
        assert!(desk.work.len() <= 2 * CREDITS as usize, "more than the credits let come");
        let queued: usize = end.session.lanes.iter().map(|lane| lock(&lane.outbox).queued()).sum();
        assert!(queued <= 8 << 20, "memory is bounded");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_session_keeps_its_promises(seed: u64) {
        run(seed);
    }
}
