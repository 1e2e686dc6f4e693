//! Two ends of a session over a network that delays, cuts bytes anywhere, says things twice,
//! stalls, and crashes; and one end's view of a peer through breaks and silences. Every run
//! follows from a printed seed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use tokio::sync::oneshot;

use super::*;
use crate::node::{Home, Peer};
use crate::wire::{Blob, HEADER_BYTES};

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
    pipe.extend(urgent_of(&out));
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
            if is_quiet(&ends, &pipes) {
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

/// Whether nothing is under way any more.
fn is_quiet(ends: &[End; 2], pipes: &[[Pipe; 2]; 2]) -> bool {
    let queued =
        |end: &End| end.session.lanes.iter().map(|lane| lock(&lane.outbox).queued()).sum::<usize>();
    pipes.iter().flatten().all(|pipe| pipe.0.is_empty())
        && ends
            .iter()
            .all(|end| queued(end) == 0 && end.asked.is_empty() && lock(&end.desk).work.is_empty())
}

/// The urgent frames at the front of what is sent, which may come twice.
fn urgent_of(out: &[u8]) -> &[u8] {
    let mut at = 0;
    while let Some(head) = out[at..].first_chunk::<HEADER_BYTES>() {
        let header = Header::decode(head).unwrap();
        // Opening is answered once; the rest says how things stand, however often.
        if header.kind.is_counted() || header.kind == Kind::Open {
            break;
        }
        at += HEADER_BYTES + header.length as usize;
    }
    &out[..at]
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

/// Breaks, resumptions and silences of one peer, seen from here.
fn follow(seed: u64) {
    let mut dice = Dice(seed | 1);
    let home = Home::local();
    let link = home.link("there", 7, &[]).unwrap();
    let peer = Peer::new(home.clone(), Arc::clone(&link));
    let mut watch = watched(async move { peer.down().await });
    let (mut now, mut downs, mut heard, mut broken) = (Duration::ZERO, 0, Duration::ZERO, None);
    let mut session: Option<Arc<Session>> = None;
    for _ in 0..400 {
        now += Duration::from_millis(dice.roll(1_500));
        let before = link.state();
        match dice.roll(8) {
            0 => {
                let other = Session::new(dice.roll(99), true, home.clone());
                let taken = link.attach(&other, home.hello(Lane::Control), now);
                assert_eq!(taken, before != State::Down, "down is final");
                if taken {
                    assert!(session.replace(other).is_none_or(|old| !old.is_open()));
                    (heard, broken) = (now, None);
                }
            }
            1 => {
                if let Some(session) = session.take() {
                    link.detach(&session, now);
                    broken = Some(now);
                }
            }
            2..=4 => {
                if let Some(session) = &session {
                    session.hear(u64::try_from(now.as_millis()).unwrap());
                    heard = now;
                }
            }
            _ => {
                if link.tick(now) == Tick::Down {
                    home.fence("there", 7);
                    downs += 1;
                }
                let silent = now - heard >= SILENCE_MAX;
                let gone = silent || broken.is_some_and(|at| now - at >= RESUME_MAX);
                // A peer that was never linked is not looked after here.
                let linked = lock(&link.hello).is_some();
                assert!(!(gone && linked) || link.state() == State::Down, "it is noticed");
            }
        }
        assert!(before != State::Down || link.state() == State::Down, "down is final");
        assert_eq!(watch.poll(), link.state() == State::Down, "watchers know at once");
    }
    assert!(downs <= 1, "told once");
    assert!(home.is_fenced("there", 7) == (downs == 1) && !home.is_fenced("there", 8));
}

/// A future that is asked by hand whether it is done; it is not asked again after that.
struct Watched(Option<std::pin::Pin<Box<dyn Future<Output = ()>>>>);

fn watched(future: impl Future<Output = ()> + 'static) -> Watched {
    Watched(Some(Box::pin(future)))
}

impl Watched {
    fn poll(&mut self) -> bool {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let done =
            self.0.as_mut().is_none_or(|future| future.as_mut().poll(&mut context).is_ready());
        if done {
            self.0 = None;
        }
        done
    }
}

/// Bytes that no honest peer sends: damaged, left out, doubled, or made up with right checksums.
fn tamper(seed: u64) {
    let mut dice = Dice(seed | 1);
    let mut end = End::new(true);
    let lane = if dice.roll(2) == 0 { Lane::Bulk } else { Lane::Control };
    let opening = Opening { actor: "desk".into(), message: "message".into(), version: 1 };
    let mut bytes = Vec::new();
    for sequence in 1..40 {
        let kinds = [1, 1, 2, 2, 3, 4, 5, 16, 17, 18, 19, 20, 22, 23, 24, 25];
        let body = match dice.roll(4) {
            0 => rmp_serde::to_vec_named(&opening).unwrap(),
            1 => rmp_serde::to_vec_named(&(dice.roll(9), Blob::default())).unwrap(),
            _ => (0..dice.roll(200)).map(|_| dice.roll(256) as u8).collect(),
        };
        let mut head = Header::new(Kind::Ping).encode();
        let length = if dice.roll(9) == 0 { dice.roll(1 << 32) as u32 } else { body.len() as u32 };
        head[..4].copy_from_slice(&length.to_le_bytes());
        head[4] =
            if dice.roll(9) == 0 { dice.roll(256) as u8 } else { kinds[dice.roll(16) as usize] };
        head[5] = dice.roll(8) as u8;
        head[6] = dice.roll(3) as u8;
        head[8] = dice.roll(3) as u8;
        head[16] = dice.roll(256) as u8;
        head[24..28].copy_from_slice(&u32::to_le_bytes(sequence));
        let sum = crc32c::crc32c(&head[..32]);
        head[32..].copy_from_slice(&sum.to_le_bytes());
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(&body);
    }
    let inbound = &mut end.inbound[lane as usize];
    let mut bytes = &bytes[..];
    while !bytes.is_empty() {
        let space = inbound.space();
        let taken = space.len().min(bytes.len()).min(1 + dice.roll(500) as usize);
        assert!(taken > 0, "a reader always has room");
        space[..taken].copy_from_slice(&bytes[..taken]);
        bytes = &bytes[taken..];
        if inbound.filled(taken).is_err() {
            return;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_session_keeps_its_promises(seed: u64) {
        run(seed);
    }

    #[test]
    fn down_is_final_and_told_once(seed: u64) {
        follow(seed);
    }

    #[test]
    fn no_bytes_are_trusted(seed: u64) {
        tamper(seed);
    }
}
