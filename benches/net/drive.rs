//! One round of each measurement over a link.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use mspass_actors::mailbox::Mailbox;
use mspass_actors::wire::Blob;

use crate::ends::{Link, Result};
use crate::messages::{BLOB, Begin, FIRST, Note, Parcel, Question, Receipt, stamp};

/// How long an ask may take before the measurement fails.
const LATE: Duration = Duration::from_secs(20);

/// What one round gave, in the raw loop's units; NAN where there is no such figure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) slowest_us: f64,
    pub(crate) per_second: f64,
    pub(crate) gb_per_s: f64,
}

pub(crate) const NONE: Figures = Figures {
    p50_us: f64::NAN,
    p99_us: f64::NAN,
    slowest_us: f64::NAN,
    per_second: f64::NAN,
    gb_per_s: f64::NAN,
};

fn timed(mut nanoseconds: Vec<u64>, in_flight: u64) -> Result<Figures> {
    nanoseconds.sort_unstable();
    let most = nanoseconds.len().checked_sub(1).ok_or("no ask was answered in time")?;
    let at = |part: f64| nanoseconds[(most as f64 * part) as usize] as f64 / 1e3;
    let seconds = nanoseconds.iter().sum::<u64>() as f64 / 1e9 / in_flight as f64;
    Ok(Figures {
        p50_us: at(0.5),
        p99_us: at(0.99),
        slowest_us: at(1.0),
        per_second: nanoseconds.len() as f64 / seconds,
        ..NONE
    })
}

/// Asks and asks again until `end`; how long each took, in nanoseconds.
async fn ask_until(mailbox: Mailbox<Question>, first: u64, end: Instant) -> Result<Vec<u64>> {
    let (mut question, mut nanoseconds) = (Question::new(first), Vec::new());
    let mut last = Instant::now();
    while last < end {
        question.seq += 1;
        if mailbox.ask(question.clone(), LATE).await? != question {
            return Err("a reply differs from its question".into());
        }
        let now = Instant::now();
        nanoseconds.push(u64::try_from((now - last).as_nanos())?);
        last = now;
    }
    Ok(nanoseconds)
}

/// Small asks, so many in flight.
pub(crate) fn asks(link: &Link, in_flight: u64, time: Duration) -> Result<Figures> {
    let mailbox = link.mailbox::<Question>()?;
    let (done, all_done) = mpsc::channel();
    let end = Instant::now() + time;
    for asker in 0..in_flight {
        let (mailbox, done) = (mailbox.clone(), done.clone());
        link.runtime.waiter().spawn(async move {
            let _ = done.send(ask_until(mailbox, FIRST + (asker << 32), end).await);
        });
    }
    drop(done);
    let mut all = Vec::new();
    for nanoseconds in all_done {
        all.extend(nanoseconds?);
    }
    timed(all, in_flight)
}

fn counted(receipt: &Receipt, sent: u64, bytes: f64) -> Result<Figures> {
    if receipt.count != sent || !receipt.sound {
        return Err(format!("sent {sent}, but what came is {receipt:?}").into());
    }
    let per_second = sent as f64 / receipt.nanoseconds as f64 * 1e9;
    Ok(Figures { per_second, gb_per_s: per_second * bytes / 1e9, ..NONE })
}

/// Messages that nobody answers, as many as the credits let through.
pub(crate) fn one_way(link: &Link, time: Duration) -> Result<Figures> {
    let (begin, notes) = (link.mailbox::<Begin>()?, link.mailbox::<Note>()?);
    link.wait(async move {
        begin.ask(Begin, LATE).await?;
        let (end, mut note) = (Instant::now() + time, Question::new(FIRST));
        while !note.seq.is_multiple_of(256) || Instant::now() < end {
            notes.tell(Note(note.clone())).await?;
            note.seq += 1;
        }
        let sent = note.seq + 1 - FIRST;
        counted(&notes.ask(Note(note), LATE).await?, sent, f64::NAN)
    })?
}

/// Blobs whose memory is used again once the link let go of it.
#[derive(Debug, Default)]
struct Pool(Vec<Bytes>);

impl Pool {
    fn stamped(&mut self, seq: u64) -> Blob {
        let kept = std::mem::take(&mut self.0);
        let mut free: Option<BytesMut> = None;
        for blob in kept {
            match if free.is_none() { blob.try_into_mut() } else { Err(blob) } {
                Ok(blob) => free = Some(blob),
                Err(blob) => self.0.push(blob),
            }
        }
        let mut blob = free.unwrap_or_else(|| BytesMut::from(&vec![7; BLOB][..]));
        stamp(&mut blob, seq);
        let blob = blob.freeze();
        self.0.push(blob.clone());
        Blob(blob)
    }
}

async fn send_blobs(
    begin: Mailbox<Begin>,
    parcels: Mailbox<Parcel>,
    mut go_on: impl FnMut(u64) -> bool,
) -> Result<Figures> {
    begin.ask(Begin, LATE).await?;
    let (mut pool, mut sent) = (Pool::default(), 0);
    while go_on(sent) {
        let (seq, blob) = (FIRST + sent, pool.stamped(FIRST + sent));
        parcels.tell(Parcel { seq, blob }).await?;
        sent += 1;
    }
    let (seq, blob) = (FIRST + sent, pool.stamped(FIRST + sent));
    let receipt = parcels.ask(Parcel { seq, blob }, LATE).await?;
    counted(&receipt, sent + 1, BLOB as f64)
}

/// Blobs of 16 MiB, one after the other.
pub(crate) fn blobs(link: &Link, time: Duration) -> Result<Figures> {
    let (begin, parcels) = (link.mailbox::<Begin>()?, link.mailbox::<Parcel>()?);
    let end = Instant::now() + time;
    link.wait(send_blobs(begin, parcels, move |_| Instant::now() < end))?
}

/// Small asks, one in flight, while blobs flow; the rate is that of the blobs.
pub(crate) fn asks_during_blobs(link: &Link, time: Duration) -> Result<Figures> {
    let (begin, parcels) = (link.mailbox::<Begin>()?, link.mailbox::<Parcel>()?);
    let (flows, when_flows) = mpsc::sync_channel(1);
    let (done, when_done) = mpsc::sync_channel(1);
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    link.runtime.waiter().spawn(async move {
        let sent = send_blobs(begin, parcels, move |sent| {
            if sent == 1 {
                let _ = flows.send(());
            }
            !stopped.load(Ordering::Relaxed)
        });
        let _ = done.send(sent.await);
    });
    let asked =
        when_flows.recv().map_or_else(|_| Err("no blob was sent".into()), |()| asks(link, 1, time));
    stop.store(true, Ordering::Relaxed);
    let blobs = when_done.recv()??;
    Ok(Figures { gb_per_s: blobs.gb_per_s, ..asked? })
}
