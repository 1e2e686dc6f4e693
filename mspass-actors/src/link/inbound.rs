//! What one lane of a connection receives: bytes in, frames checked, messages handed on in runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;

use super::asks::Outcome;
use super::outbox::{FLAG_ABORT, window_of};
use super::{Answered, Asks, Fault, OPENED, Opening, ReturnPath, Session, TARGETS_MAX, lock};
use crate::mailbox::Lane;
use crate::wire::{
    BLOBS_MAX, BODY_MAX, CHUNK_MAX, CONTROL_BODY_MAX, HEADER_BYTES, Header, Kind, Landing,
    Malformed,
};

/// Bytes read at once.
const READ_BYTES: usize = 64 << 10;
/// Bytes of a frame that is neither a message nor a piece of a blob.
const URGENT_BODY_MAX: usize = 4096;

/// A message as it came, for the mailbox it is for.
pub(crate) struct Arrived<'a> {
    pub(crate) body: &'a [u8],
    pub(crate) blobs: Vec<Bytes>,
    pub(crate) path: ReturnPath,
    /// Milliseconds that an ask has left.
    pub(crate) left: Option<Duration>,
}

/// Takes the messages of one target. It is pushed to in order, and flushed before another target
/// is, so that a run of messages becomes one.
pub(crate) trait Sink: Send {
    /// Takes a message; one that cannot be read is refused and the others go on.
    fn push(&mut self, message: Arrived<'_>);
    /// Hands on what was pushed.
    fn flush(&mut self);
}

struct Target {
    sink: Box<dyn Sink>,
    received: u64,
    seen: u64,
    allowed: Arc<AtomicU64>,
}

/// A message whose blobs are arriving.
struct Incoming {
    header: Header,
    body: Vec<u8>,
    lengths: Vec<usize>,
    landings: Vec<Landing>,
    whole: Vec<Bytes>,
    left: usize,
    refused: bool,
}

/// See the module. Pure: bytes are put into [`Self::space`] by a connection or a simulation.
pub(crate) struct Inbound {
    session: Arc<Session>,
    /// Weak, so that closing the session fails all who wait at once.
    asks: Weak<Asks>,
    lane: Lane,
    targets: Vec<Option<Target>>,
    current: Option<usize>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes of the frame at the front that were already counted.
    counted: usize,
    landed: u64,
    total: u64,
    sequence: u32,
    incoming: Option<Incoming>,
    /// Bytes left of the piece that is landing.
    piece: usize,
    /// The reason the other end gave for ending.
    pub(crate) goodbye: Option<u8>,
}

impl Inbound {
    pub(crate) fn new(session: &Arc<Session>, lane: Lane) -> Option<Self> {
        Some(Self {
            asks: Arc::downgrade(&session.asks()?),
            session: Arc::clone(session),
            lane,
            targets: Vec::new(),
            current: None,
            buffer: vec![0; READ_BYTES],
            start: 0,
            end: 0,
            counted: 0,
            landed: 0,
            total: 0,
            sequence: 0,
            incoming: None,
            piece: 0,
            goodbye: None,
        })
    }

    /// Bytes of memory that hold what is not whole yet, blobs apart.
    pub(crate) fn held_bytes(&self) -> usize {
        let body = self.incoming.as_ref().map_or(0, |incoming| incoming.body.capacity());
        self.buffer.capacity() + body
    }

    /// Where the next bytes belong.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        if self.piece > 0 {
            let piece = self.piece;
            if let Some(incoming) = &mut self.incoming
                && !incoming.refused
                && let Some(landing) = incoming.landings.first_mut()
            {
                let rest = landing.rest();
                let most = rest.len().min(piece);
                return &mut rest[..most];
            }
            let most = piece.min(self.buffer.len());
            return &mut self.buffer[..most];
        }
        // Between pieces only a header is read, so that the piece lands where it stays.
        let most = if self.incoming.is_some() {
            (self.start + HEADER_BYTES).max(self.end + 1).min(self.buffer.len())
        } else {
            self.buffer.len()
        };
        &mut self.buffer[self.end..most]
    }

    /// So many bytes were put there.
    pub(crate) fn filled(&mut self, bytes: usize) -> Result<(), Malformed> {
        let done = if self.piece > 0 {
            self.landed += bytes as u64;
            self.land(bytes)
        } else {
            self.end += bytes;
            self.frames()
        };
        if let Some(at) = self.current.take()
            && let Some(Some(target)) = self.targets.get_mut(at)
        {
            target.sink.flush();
        }
        let landed = std::mem::take(&mut self.landed);
        if landed > 0 {
            self.total += landed;
            let mut outbox = lock(&self.session.lane(self.lane).outbox);
            if self.total > outbox.granted() {
                return Err(Malformed::Credit("the window"));
            }
            outbox.landed(landed);
        }
        done
    }

    fn frames(&mut self) -> Result<(), Malformed> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let done = self.frames_of(&mut buffer);
        self.buffer = buffer;
        done?;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.buffer.len() > 4 * READ_BYTES {
                self.buffer = vec![0; READ_BYTES];
            }
        } else if self.start > 0 && (self.end == self.buffer.len() || self.incoming.is_some()) {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == self.buffer.len() {
            // A long frame: memory grows only as its bytes arrive.
            let grown = self.buffer.len() + self.buffer.len().min(1 << 20);
            self.buffer.resize(grown, 0);
        }
        Ok(())
    }

    fn frames_of(&mut self, buffer: &mut [u8]) -> Result<(), Malformed> {
        loop {
            let here = &buffer[self.start..self.end];
            let Some((head, rest)) = here.split_first_chunk::<HEADER_BYTES>() else {
                return Ok(());
            };
            let header = Header::decode(head)?;
            self.check(&header)?;
            if header.kind == Kind::Chunk {
                self.start += HEADER_BYTES;
                self.landed += HEADER_BYTES as u64;
                self.chunk(&header)?;
                let here = self.piece.min(self.end - self.start);
                if here > 0 {
                    let from = self.start;
                    self.landed += here as u64;
                    self.land_from(&buffer[from..from + here])?;
                    self.start += here;
                }
                if self.piece > 0 {
                    return Ok(());
                }
                continue;
            }
            let length = header.length as usize;
            let Some(body) = rest.get(..length) else {
                if header.kind.is_counted() {
                    self.landed += (here.len() - self.counted) as u64;
                    self.counted = here.len();
                }
                return Ok(());
            };
            self.start += HEADER_BYTES + length;
            if header.kind.is_counted() {
                self.landed += (HEADER_BYTES + length - self.counted) as u64;
                self.counted = 0;
                self.in_sequence(&header)?;
                self.message(header, body)?;
            } else {
                self.urgent(&header, body)?;
            }
        }
    }

    /// Refuses a frame by its header alone, before anything is kept for it.
    fn check(&self, header: &Header) -> Result<(), Malformed> {
        let most = match (header.kind, self.lane) {
            (Kind::Chunk, Lane::Control) => return Err(Malformed::Misplaced("blobs")),
            (Kind::Chunk, Lane::Bulk) => CHUNK_MAX,
            (kind, lane) if kind.is_counted() => {
                if lane == Lane::Control {
                    CONTROL_BODY_MAX
                } else {
                    BODY_MAX
                }
            }
            _ => URGENT_BODY_MAX,
        };
        if header.length as usize > most {
            return Err(Malformed::TooLong {
                claimed: u64::from(header.length),
                most: most as u64,
            });
        }
        if header.kind.is_counted() && header.kind != Kind::Chunk && self.incoming.is_some() {
            return Err(Malformed::Misplaced("a message between the blobs of another"));
        }
        Ok(())
    }

    fn in_sequence(&mut self, header: &Header) -> Result<(), Malformed> {
        self.sequence = self.sequence.wrapping_add(1);
        if header.sequence == self.sequence {
            return Ok(());
        }
        Err(Malformed::Misplaced("a message is missing or came twice"))
    }

    fn chunk(&mut self, header: &Header) -> Result<(), Malformed> {
        self.in_sequence(header)?;
        let Some(incoming) = &mut self.incoming else {
            return Err(Malformed::Misplaced("a blob without its message"));
        };
        if header.flags & FLAG_ABORT != 0 && incoming.refused {
            self.incoming = None;
            return Ok(());
        }
        let length = header.length as usize;
        let most = match incoming.landings.first_mut() {
            Some(landing) if !incoming.refused => landing.rest().len(),
            _ => incoming.left,
        };
        if length > most || length == 0 {
            return Err(Malformed::TooLong { claimed: length as u64, most: most as u64 });
        }
        self.piece = length;
        Ok(())
    }

    fn land_from(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        if let Some(incoming) = &mut self.incoming
            && !incoming.refused
            && let Some(landing) = incoming.landings.first_mut()
        {
            landing.rest()[..bytes.len()].copy_from_slice(bytes);
        }
        self.land(bytes.len())
    }

    /// So many bytes of the piece are where they belong.
    fn land(&mut self, bytes: usize) -> Result<(), Malformed> {
        self.piece -= bytes.min(self.piece);
        let Some(incoming) = &mut self.incoming else { return Ok(()) };
        incoming.left -= bytes.min(incoming.left);
        if !incoming.refused
            && let Some(landing) = incoming.landings.first_mut()
        {
            landing.fill(bytes);
            if landing.is_whole() {
                let landed = incoming.landings.remove(0);
                incoming.whole.push(landed.into_bytes());
            }
        }
        self.finish_incoming()
    }

    fn finish_incoming(&mut self) -> Result<(), Malformed> {
        let done = |incoming: &mut Incoming| incoming.left == 0;
        let Some(mut incoming) = self.incoming.take_if(done) else { return Ok(()) };
        if incoming.refused {
            return Ok(());
        }
        let mut whole = std::mem::take(&mut incoming.whole).into_iter();
        let blobs = incoming.lengths.iter().map(|length| match length {
            0 => Some(Bytes::new()),
            _ => whole.next(),
        });
        let blobs: Option<Vec<Bytes>> = blobs.collect();
        let blobs = blobs.ok_or(Malformed::Misplaced("a blob is missing"))?;
        self.deliver(&incoming.header, &incoming.body, blobs)
    }

    fn message(&mut self, header: Header, body: &[u8]) -> Result<(), Malformed> {
        if header.blobs == 0 {
            return self.deliver(&header, body, Vec::new());
        }
        let count = usize::from(header.blobs);
        let table = count * 8;
        if count > BLOBS_MAX || table > body.len() || self.lane == Lane::Control {
            return Err(Malformed::Misplaced("the lengths of blobs"));
        }
        let (body, table) = body.split_at(body.len() - table);
        let lengths: Vec<usize> = table
            .as_chunks::<8>()
            .0
            .iter()
            .map(|length| usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX))
            .collect();
        let left = lengths.iter().fold(0usize, |sum, length| sum.saturating_add(*length));
        let limits = self.session.home.limits();
        let sound = lengths.iter().all(|length| *length <= limits.blob_bytes_max);
        let buffers = self.session.home.buffers();
        let admit = |length: &usize| buffers.admit(*length);
        let wanted = lengths.iter().filter(|length| **length > 0);
        let landings: Option<Vec<Landing>> = sound.then(|| wanted.map(admit).collect()).flatten();
        let refused = landings.is_none();
        let incoming = Incoming {
            header,
            body: body.to_vec(),
            lengths,
            landings: landings.unwrap_or_default(),
            whole: Vec::new(),
            left,
            refused,
        };
        self.incoming = Some(incoming);
        if refused {
            self.refuse(&header)?;
        }
        self.finish_incoming()
    }

    /// There is no room for the blobs of a message: it is refused, and its blobs not waited for.
    fn refuse(&mut self, header: &Header) -> Result<(), Malformed> {
        tracing::warn!("refused a message whose blobs are larger than this node has room for");
        let stop = Header { id: u64::from(header.sequence), ..Header::new(Kind::Refuse) };
        self.session.urgent(self.lane, stop, &[]);
        match header.kind {
            Kind::Reply => {
                self.session.credit_of_reply(header.flags, header.target);
                self.resolve(header.id, header.ask, Err(Fault::TooLarge));
            }
            Kind::Tell | Kind::Ask => self.path(header)?.fail(Fault::TooLarge),
            _ => {}
        }
        Ok(())
    }

    /// Counts a message against its target's credit; its way back.
    fn path(&mut self, header: &Header) -> Result<ReturnPath, Malformed> {
        let target = self.targets.get_mut(header.target as usize).and_then(Option::as_mut);
        let target = target.ok_or(Malformed::Misplaced("a message for nobody"))?;
        target.received += 1;
        if target.received > target.seen {
            target.seen = target.allowed.load(Ordering::Acquire);
            if target.received > target.seen {
                return Err(Malformed::Credit("the credit of a mailbox"));
            }
        }
        let ask = (header.kind == Kind::Ask).then_some((header.id, header.ask));
        Ok(ReturnPath::new(&self.session, self.lane, header.target, ask))
    }

    fn deliver(
        &mut self,
        header: &Header,
        body: &[u8],
        blobs: Vec<Bytes>,
    ) -> Result<(), Malformed> {
        match header.kind {
            Kind::Reply => {
                self.session.credit_of_reply(header.flags, header.target);
                let answered = Answered { body: body.to_vec(), blobs };
                self.resolve(header.id, header.ask, Ok(answered));
                return Ok(());
            }
            Kind::Fail => {
                self.session.credit_of_reply(header.flags, header.target);
                let fault = Fault::of(body.first().copied().unwrap_or_default());
                self.resolve(header.id, header.ask, Err(fault));
                return Ok(());
            }
            _ => {}
        }
        let path = self.path(header)?;
        let at = header.target as usize;
        if let Some(before) = self.current.filter(|before| *before != at)
            && let Some(Some(target)) = self.targets.get_mut(before)
        {
            target.sink.flush();
        }
        self.current = Some(at);
        let left =
            (header.kind == Kind::Ask).then_some(Duration::from_millis(header.deadline.into()));
        if let Some(Some(target)) = self.targets.get_mut(at) {
            target.sink.push(Arrived { body, blobs, path, left });
        }
        Ok(())
    }

    fn resolve(&self, id: u64, ask: u32, outcome: Outcome) {
        if let Some(asks) = self.asks.upgrade() {
            asks.resolve(id, ask, outcome);
        }
    }

    fn urgent(&mut self, header: &Header, body: &[u8]) -> Result<(), Malformed> {
        match header.kind {
            Kind::Open => self.open(header.target, body)?,
            Kind::Opened => {
                self.session.opened(self.lane, header.target, header.flags, header.id);
            }
            Kind::Credit => self.session.credit(self.lane, header.target, header.id),
            Kind::Window => {
                let lane = self.session.lane(self.lane);
                lock(&lane.outbox).allow(header.id.min(u64::MAX - window_of(self.lane)));
            }
            Kind::Ping => self.session.urgent(self.lane, Header::new(Kind::Pong), &[]),
            Kind::Gone => self.session.target_gone(self.lane, header.target),
            Kind::Refuse => lock(&self.session.lane(self.lane).outbox).refuse(header.id),
            Kind::GoAway => self.goodbye = Some(header.flags),
            _ => {}
        }
        if lock(&self.session.lane(self.lane).outbox).is_closed() && self.session.is_open() {
            return Err(Malformed::Unread);
        }
        Ok(())
    }

    fn open(&mut self, id: u32, body: &[u8]) -> Result<(), Malformed> {
        let at = id as usize;
        if at >= TARGETS_MAX || at > self.targets.len() {
            return Err(Malformed::Misplaced("the number of a target"));
        }
        if at == self.targets.len() {
            self.targets.push(None);
        }
        let opening: Opening = rmp_serde::from_slice(body).map_err(|_| Malformed::Body)?;
        let (code, credits) = match self.session.home.open(&opening, &self.session, self.lane, id) {
            Ok((sink, credits)) => {
                let allowed = lock(&self.session.lane(self.lane).outbox).grant(id, credits);
                self.targets[at] = Some(Target { sink, received: 0, seen: 0, allowed });
                (OPENED, credits)
            }
            Err(fault) => (fault as u8, 0),
        };
        let header =
            Header { target: id, flags: code, id: u64::from(credits), ..Header::new(Kind::Opened) };
        self.session.urgent(self.lane, header, &[]);
        Ok(())
    }
}
