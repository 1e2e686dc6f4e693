//! What one lane of a connection has to send: urgent frames first, then messages in order, as far
//! as the window reaches.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use crate::mailbox::Lane;
use crate::wire::{CHUNK_MAX, CONTROL_BODY_MAX, HEADER_BYTES, Header, Kind, Scope};

/// Bytes of small messages that may be under way.
pub const CONTROL_WINDOW: u64 = 1 << 20;
/// Bytes of samples that may be under way.
pub const BULK_WINDOW: u64 = 16 << 20;
/// Bytes of small messages that may wait for the writer before senders wait.
const CONTROL_QUEUE_MAX: usize = 256 << 10;
/// Bytes of samples that may wait for the writer before senders wait; one message may be more.
const BULK_QUEUE_MAX: usize = 4 << 20;
/// Bytes of replies that may wait; a peer that lets more gather is not reading.
const REPLIES_BYTES_MAX: usize = 1 << 30;
/// Bytes of urgent frames that may wait; a peer that lets more gather is not reading.
pub const URGENT_BYTES_MAX: usize = 32 << 20;
/// Says that the sender gave a message up; no more of its blobs come.
pub(crate) const FLAG_ABORT: u8 = 1;

pub(crate) fn window_of(lane: Lane) -> u64 {
    if lane == Lane::Control { CONTROL_WINDOW } else { BULK_WINDOW }
}

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Put {
    Queued,
    /// Wait until the lane has drained.
    Full,
    /// Too large for the control lane, or it has blobs.
    Bulk,
    /// It cannot be encoded, or is larger than anything that is taken.
    Refused,
    Closed,
}

/// Credit that one opened target of ours gives to the other end.
#[derive(Debug)]
pub(crate) struct Granter {
    target: u32,
    /// Given back since the start, and how much of it was told.
    returned: u64,
    told: u64,
    /// Enough to tell at once.
    enough: u64,
    /// All that was ever granted; the other end never sends more messages.
    allowed: Arc<AtomicU64>,
}

struct Item {
    head: Vec<u8>,
    written: usize,
    sequence: Option<u32>,
    blobs: VecDeque<Bytes>,
}

impl Item {
    fn left(&self) -> usize {
        self.head.len() - self.written + self.blobs.iter().map(Bytes::len).sum::<usize>()
    }
}

/// See the module. Pure: it is driven by a connection, or by a simulation.
pub(crate) struct Outbox {
    lane: Lane,
    urgent: Vec<u8>,
    data: Vec<u8>,
    /// Bytes of `data` that are whole frames.
    whole: usize,
    items: VecDeque<Item>,
    items_bytes: usize,
    sequence: u32,
    sent: u64,
    allowed: u64,
    landed: u64,
    granted: u64,
    granters: Vec<Granter>,
    due: Vec<u32>,
    must_tell: bool,
    closed: bool,
    waker: Option<Waker>,
}

impl Outbox {
    pub(crate) fn new(lane: Lane) -> Self {
        Self {
            lane,
            urgent: Vec::new(),
            data: Vec::new(),
            whole: 0,
            items: VecDeque::new(),
            items_bytes: 0,
            sequence: 0,
            sent: 0,
            allowed: window_of(lane),
            landed: 0,
            granted: window_of(lane),
            granters: Vec::new(),
            due: Vec::new(),
            must_tell: false,
            closed: false,
            waker: None,
        }
    }

    /// Bytes that wait for the writer.
    pub(crate) fn queued(&self) -> usize {
        self.whole + self.items_bytes
    }

    /// Whether senders need not wait.
    pub(crate) fn has_room(&self) -> bool {
        let most = if self.lane == Lane::Control { CONTROL_QUEUE_MAX } else { BULK_QUEUE_MAX };
        self.queued() < most
    }

    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.urgent = Vec::new();
        self.data = Vec::new();
        self.whole = 0;
        self.items.clear();
        self.items_bytes = 0;
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Queues a frame that goes before all messages.
    pub(crate) fn urgent(&mut self, header: Header, body: &[u8]) {
        if self.closed {
            return;
        }
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        self.urgent.extend_from_slice(&Header { length, ..header }.encode());
        self.urgent.extend_from_slice(body);
        if self.urgent.len() > URGENT_BYTES_MAX {
            return self.close();
        }
        self.wake();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Bytes of memory that wait for the writer, urgent frames and blobs included.
    pub(crate) fn held_bytes(&self) -> usize {
        self.urgent.capacity() + self.data.capacity() + self.items_bytes
    }

    /// Encodes a message into the queue. `reply` says that it answers one, and never waits.
    pub(crate) fn put(
        &mut self,
        header: Header,
        reply: bool,
        encode: impl FnOnce(&mut Vec<u8>) -> Option<Scope>,
    ) -> Put {
        if self.closed {
            return Put::Closed;
        }
        if !reply && !self.has_room() {
            return Put::Full;
        }
        if self.lane == Lane::Bulk {
            return self.put_item(header, encode);
        }
        self.data.truncate(self.whole);
        let (start, body) = (self.whole, self.whole + HEADER_BYTES);
        self.data.resize(body, 0);
        let Some(scope) = encode(&mut self.data) else { return Put::Refused };
        let length = self.data.len() - body;
        if !scope.blobs.is_empty() || length > CONTROL_BODY_MAX {
            return Put::Bulk;
        }
        self.sequence = self.sequence.wrapping_add(1);
        let header = Header { length: length as u32, sequence: self.sequence, ..header };
        self.data[start..body].copy_from_slice(&header.encode());
        self.whole = self.data.len();
        if self.whole > REPLIES_BYTES_MAX {
            self.close();
            return Put::Closed;
        }
        self.wake();
        Put::Queued
    }

    fn put_item(
        &mut self,
        header: Header,
        encode: impl FnOnce(&mut Vec<u8>) -> Option<Scope>,
    ) -> Put {
        let mut head = vec![0; HEADER_BYTES];
        let Some(scope) = encode(&mut head) else { return Put::Refused };
        for blob in &scope.blobs {
            head.extend_from_slice(&(blob.len() as u64).to_le_bytes());
        }
        let length = head.len() - HEADER_BYTES;
        if length > crate::wire::BODY_MAX {
            return Put::Refused;
        }
        let header = Header { length: length as u32, blobs: scope.blobs.len() as u16, ..header };
        head[..HEADER_BYTES].copy_from_slice(&header.encode());
        let item = Item { head, written: 0, sequence: None, blobs: scope.blobs.into() };
        self.items_bytes += item.left();
        self.items.push_back(item);
        if self.items_bytes > REPLIES_BYTES_MAX + (1 << 30) {
            self.close();
            return Put::Closed;
        }
        self.wake();
        Put::Queued
    }

    /// The other end does not want the blobs of the message with this sequence.
    pub(crate) fn refuse(&mut self, sequence: u64) {
        let Some(item) = self.items.front_mut() else { return };
        if item.sequence.map(u64::from) != Some(sequence) || item.written < item.head.len() {
            return;
        }
        self.items_bytes -= item.left();
        self.items.pop_front();
        self.sequence = self.sequence.wrapping_add(1);
        let abort =
            Header { flags: FLAG_ABORT, sequence: self.sequence, ..Header::new(Kind::Chunk) };
        self.sent += HEADER_BYTES as u64;
        self.urgent.extend_from_slice(&abort.encode());
        self.wake();
    }

    /// The other end lets so many bytes be sent in all.
    pub(crate) fn allow(&mut self, bytes: u64) {
        if bytes > self.allowed {
            self.allowed = bytes;
            self.wake();
        }
    }

    /// So many counted bytes arrived.
    pub(crate) fn landed(&mut self, bytes: u64) {
        self.landed += bytes;
        let window = window_of(self.lane);
        if self.landed + window >= self.granted + window / 2 {
            self.granted = self.landed + window;
            let header = Header { id: self.granted, ..Header::new(Kind::Window) };
            self.urgent(header, &[]);
        }
    }

    /// Counted bytes that the other end may have sent.
    pub(crate) fn granted(&self) -> u64 {
        self.granted
    }

    /// Opens a target of ours to the other end.
    pub(crate) fn grant(&mut self, target: u32, credits: u32) -> Arc<AtomicU64> {
        let allowed = Arc::new(AtomicU64::new(u64::from(credits)));
        let enough = u64::from(credits / 4).max(1);
        let granter =
            Granter { target, returned: 0, told: 0, enough, allowed: Arc::clone(&allowed) };
        match self.granters.iter_mut().find(|granter| granter.target == target) {
            Some(old) => *old = granter,
            None => self.granters.push(granter),
        }
        allowed
    }

    fn granter(&mut self, target: u32) -> Option<&mut Granter> {
        // Targets are numbered as they are opened, so the place is nearly always the number.
        let at = target as usize;
        if self.granters.get(at).is_some_and(|granter| granter.target == target) {
            return self.granters.get_mut(at);
        }
        self.granters.iter_mut().find(|granter| granter.target == target)
    }

    /// One message of this target's is done; the other end will be told, soon.
    pub(crate) fn give_back(&mut self, target: u32) {
        if self.closed {
            return;
        }
        let Some(granter) = self.granter(target) else { return };
        granter.returned += 1;
        let (first, enough) = (
            granter.returned == granter.told + 1,
            granter.returned - granter.told >= granter.enough,
        );
        if first {
            self.due.push(target);
        }
        if enough {
            self.must_tell = true;
            self.wake();
        }
    }

    /// One message of this target's is done, and its reply says so.
    pub(crate) fn give_back_with_reply(&mut self, target: u32) {
        if let Some(granter) = self.granter(target) {
            granter.allowed.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn tell_credit(&mut self) {
        self.must_tell = false;
        for target in std::mem::take(&mut self.due) {
            let Some(granter) = self.granter(target) else { continue };
            granter.allowed.fetch_add(granter.returned - granter.told, Ordering::AcqRel);
            granter.told = granter.returned;
            let header = Header { target, id: granter.told, ..Header::new(Kind::Credit) };
            self.urgent.extend_from_slice(&header.encode());
        }
    }

    /// Takes what may be written now: `out`, which is empty, is filled, and the piece of a blob
    /// that follows it given. Nothing is ready when both stay empty.
    pub(crate) fn take(&mut self, out: &mut Vec<u8>) -> Option<Bytes> {
        let left = self.allowed.saturating_sub(self.sent);
        let ready = (self.whole > 0 || !self.items.is_empty()) && left > 0;
        if !ready && !self.must_tell && self.urgent.is_empty() {
            return None;
        }
        if !self.due.is_empty() {
            self.tell_credit();
        }
        if self.lane == Lane::Bulk {
            out.append(&mut self.urgent);
            let left = usize::try_from(left).unwrap_or(usize::MAX);
            return if left > 0 { self.take_piece(out, left) } else { None };
        }
        self.data.truncate(self.whole);
        if self.urgent.is_empty() && self.whole as u64 <= left {
            std::mem::swap(out, &mut self.data);
            self.whole = 0;
            self.sent += out.len() as u64;
            return None;
        }
        out.append(&mut self.urgent);
        let fits = if self.whole as u64 <= left { self.whole } else { self.frames_within(left) };
        out.extend_from_slice(&self.data[..fits]);
        self.data.drain(..fits);
        self.whole -= fits;
        self.sent += fits as u64;
        None
    }

    /// Bytes of the whole frames at the front that the window still takes.
    fn frames_within(&self, left: u64) -> usize {
        let mut at = 0;
        while let Some(length) = self.data[at..self.whole].first_chunk::<4>() {
            let next = at + HEADER_BYTES + u32::from_le_bytes(*length) as usize;
            if next as u64 > left {
                break;
            }
            at = next;
        }
        at
    }

    fn take_piece(&mut self, out: &mut Vec<u8>, left: usize) -> Option<Bytes> {
        let item = self.items.front_mut()?;
        if item.sequence.is_none() {
            self.sequence = self.sequence.wrapping_add(1);
            item.sequence = Some(self.sequence);
            item.head[24..28].copy_from_slice(&self.sequence.to_le_bytes());
            let sum = crc32c::crc32c(&item.head[..32]);
            item.head[32..36].copy_from_slice(&sum.to_le_bytes());
        }
        if item.written < item.head.len() {
            let piece = left.min(CHUNK_MAX).min(item.head.len() - item.written);
            out.extend_from_slice(&item.head[item.written..item.written + piece]);
            item.written += piece;
            self.count(piece, piece);
            return None;
        }
        while item.blobs.front().is_some_and(Bytes::is_empty) {
            item.blobs.pop_front();
        }
        let Some(blob) = item.blobs.front_mut() else {
            self.items.pop_front();
            return self.take_piece(out, left);
        };
        if left <= HEADER_BYTES {
            return None;
        }
        let piece = blob.split_to(blob.len().min(CHUNK_MAX).min(left - HEADER_BYTES));
        self.sequence = self.sequence.wrapping_add(1);
        let (length, sequence) = (piece.len() as u32, self.sequence);
        let header = Header { length, sequence, ..Header::new(Kind::Chunk) };
        out.extend_from_slice(&header.encode());
        self.count(piece.len(), piece.len() + HEADER_BYTES);
        Some(piece)
    }

    fn count(&mut self, queued: usize, sent: usize) {
        self.items_bytes = self.items_bytes.saturating_sub(queued);
        self.sent += sent as u64;
        if self.items.front().is_some_and(|item| item.left() == 0) {
            self.items.pop_front();
        }
    }

    /// As [`Self::take`], waiting until something is ready; `None` once closed.
    pub(crate) fn poll_take(
        &mut self,
        context: &Context<'_>,
        out: &mut Vec<u8>,
    ) -> Poll<Option<Option<Bytes>>> {
        if self.closed {
            return Poll::Ready(None);
        }
        let piece = self.take(out);
        if piece.is_none() && out.is_empty() {
            self.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Some(piece))
    }
}
