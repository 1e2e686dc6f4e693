//! What travels in the measurements, and the actor at the other end.

use std::time::Instant;

use bytes::{Bytes, BytesMut};
use mspass_actors::mailbox::{Context, Handler, Lane, Message, Reply};
use mspass_actors::wire::Blob;
use serde::{Deserialize, Serialize};

pub(crate) const MIB: usize = 1 << 20;
/// Bytes of one blob.
pub(crate) const BLOB: usize = 16 * MIB;
/// The first number of a sequence: all of them encode to nine bytes, as the raw loop's do.
pub(crate) const FIRST: u64 = 1 << 40;

/// 64 bytes of content, 83 encoded: the message of the raw loop. Comes back as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Question {
    pub(crate) seq: u64,
    pub(crate) name: String,
    pub(crate) data: Blob,
}

impl Question {
    pub(crate) fn new(seq: u64) -> Self {
        let data = Blob(Bytes::from_static(&[7; 48]));
        Self { seq, name: "IU.ANMO.".to_owned(), data }
    }
}

impl Message for Question {
    const TYPE: &'static str = "bench.question";
    type Reply = Self;
}

/// The same content, counted; the last of them is an ask.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Note(pub(crate) Question);

impl Message for Note {
    const TYPE: &'static str = "bench.note";
    type Reply = Receipt;
}

/// A blob, stamped with its number in every MiB and counted; the last of them is an ask.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Parcel {
    pub(crate) seq: u64,
    pub(crate) blob: Blob,
}

impl Message for Parcel {
    const TYPE: &'static str = "bench.parcel";
    const LANE: Lane = Lane::Bulk;
    type Reply = Receipt;
}

/// Writes the number into a blob whose memory nobody else looks at.
pub(crate) fn stamp(blob: &mut BytesMut, seq: u64) {
    for part in blob.chunks_mut(MIB) {
        part[..8].copy_from_slice(&seq.to_le_bytes());
    }
}

fn is_stamped(blob: &[u8], seq: u64) -> bool {
    blob.len() == BLOB && blob.chunks(MIB).all(|part| part[..8] == seq.to_le_bytes())
}

/// Begins a count of notes and parcels.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Begin;

impl Message for Begin {
    const TYPE: &'static str = "bench.begin";
    type Reply = ();
}

/// What was counted since the count began.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) count: u64,
    pub(crate) nanoseconds: u64,
    /// Whether each came once, whole and in order.
    pub(crate) sound: bool,
}

/// A message that the actor never gets done with.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Burden(pub(crate) Question);

impl Message for Burden {
    const TYPE: &'static str = "bench.burden";
    type Reply = ();
}

/// A mebibyte of samples that the actor never gets done with.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Load(pub(crate) Blob);

impl Message for Load {
    const TYPE: &'static str = "bench.load";
    const LANE: Lane = Lane::Bulk;
    type Reply = ();
}

/// The actor at the other end.
pub(crate) struct Desk {
    since: Instant,
    notes: u64,
    parcels: u64,
    sound: bool,
    burdens: Vec<Reply<Burden>>,
    loads: Vec<(Load, Reply<Load>)>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let (burdens, loads) = (Vec::new(), Vec::new());
        Self { since: Instant::now(), notes: 0, parcels: 0, sound: true, burdens, loads }
    }

    fn receipt(&self, count: u64) -> Receipt {
        let nanoseconds = u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Receipt { count, nanoseconds, sound: self.sound }
    }
}

impl Handler<Question> for Desk {
    fn handle(&mut self, question: Question, reply: Reply<Question>, _: &Context<Self>) {
        reply.send(question);
    }
}

impl Handler<Begin> for Desk {
    fn handle(&mut self, _: Begin, reply: Reply<Begin>, _: &Context<Self>) {
        *self = Self::new();
        reply.send(());
    }
}

impl Handler<Note> for Desk {
    fn handle(&mut self, note: Note, reply: Reply<Note>, _: &Context<Self>) {
        self.sound &= note.0 == Question::new(FIRST + self.notes);
        self.notes += 1;
        if reply.is_awaited() {
            reply.send(self.receipt(self.notes));
        }
    }
}

impl Handler<Parcel> for Desk {
    fn handle(&mut self, parcel: Parcel, reply: Reply<Parcel>, _: &Context<Self>) {
        let seq = FIRST + self.parcels;
        self.sound &= parcel.seq == seq && is_stamped(&parcel.blob, seq);
        self.parcels += 1;
        if reply.is_awaited() {
            reply.send(self.receipt(self.parcels));
        }
    }
}

impl Handler<Burden> for Desk {
    fn handle(&mut self, _: Burden, reply: Reply<Burden>, _: &Context<Self>) {
        self.burdens.push(reply);
    }
}

impl Handler<Load> for Desk {
    fn handle(&mut self, load: Load, reply: Reply<Load>, _: &Context<Self>) {
        self.loads.push((load, reply));
    }
}
