//! The opening of a connection as a state machine that reads and writes nothing itself.
//!
//! ```text
//! dialer                                   listener
//!   preamble: MSPA major minor flags 0  ->
//!                                       <-   preamble
//!   ............ TLS, when both flags ask for it ............
//!   HELLO nonce, hello                  ->
//!                                       <-   CHALLENGE nonce
//!   PROOF                               ->
//!                                       <-   WELCOME proof, hello      or REFUSED code
//! ```
//!
//! The dialer proves itself first, so a stranger learns a version, whether TLS is on, and random
//! bytes. A proof is a keyed hash over the prover's side, both preambles, both nonces, the hellos
//! said so far and the TLS session: none can be used again, on the other side, or on another
//! connection. After the preamble every frame is `kind u8 | length u32 LE | body`.

use std::fmt;

use super::hello::Hello;
use super::proof::{Key, equal, keyed};
use super::refusal::Refusal;
use super::secret::Secret;

/// Both ends must have the same.
pub const MAJOR: u8 = 1;
/// Raised by what an older program may ignore; the lower of two is spoken.
pub const MINOR: u8 = 0;
/// Bytes that are taken from an end that has not proved itself; TLS's own come on top.
pub const HANDSHAKE_BYTES_MAX: usize = 4096;

/// Random bytes, new for every connection.
pub type Nonce = [u8; 32];

const MAGIC: [u8; 4] = *b"MSPA";
const PREAMBLE: usize = 8;
const FLAG_TLS: u8 = 1;
const HEADER: usize = 5;
const NONCE: usize = 32;
const PROOF: usize = 32;

const KIND_HELLO: u8 = 1;
const KIND_CHALLENGE: u8 = 2;
const KIND_PROOF: u8 = 3;
const KIND_WELCOME: u8 = 4;
const KIND_REFUSED: u8 = 5;

/// What the driver must do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Send these bytes.
    Write(Vec<u8>),
    /// Read exactly as many bytes, at most [`HANDSHAKE_BYTES_MAX`] in all, and give them to
    /// [`Handshake::receive`].
    Read(usize),
    /// Start TLS and call [`Handshake::secured`].
    Secure,
    /// The other end has proved itself; all that follows belongs to the link.
    Done(Peer),
}

/// The other end, proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// What it said of itself.
    pub hello: Hello,
    /// The minor version that both speak.
    pub minor: u8,
    /// Whether the connection is encrypted.
    pub tls: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Dialer,
    Listener,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Preamble,
    Secure,
    /// Waits for the header of a frame of this kind.
    Header(u8),
    /// Waits for the body of a frame that came as the first kind.
    Body(u8, usize),
    Done,
    Failed,
}

/// What both ends have said, as they must agree on it. Index 0 is the dialer's, 1 the listener's.
#[derive(Default)]
struct Transcript {
    preambles: [[u8; PREAMBLE]; 2],
    nonces: [Nonce; 2],
    hellos: [Vec<u8>; 2],
    binding: Vec<u8>,
}

impl Transcript {
    /// What `side` must send to prove that it knows the key.
    fn proof(&self, key: &Key, side: Side) -> Key {
        let label: &[u8] = match side {
            Side::Dialer => b"mspass dialer",
            Side::Listener => b"mspass listener",
        };
        let [preambles, nonces] = [self.preambles.concat(), self.nonces.concat()];
        let [dialer, listener] = &self.hellos;
        keyed(&key[..], &[label, &preambles, &nonces, dialer, listener, &self.binding])
    }
}

/// One end's side of the opening of one connection.
pub struct Handshake {
    side: Side,
    state: State,
    tls: bool,
    key: Key,
    cluster: String,
    hello: Vec<u8>,
    transcript: Transcript,
    theirs: Option<Hello>,
    minor: u8,
    outgoing: Vec<u8>,
    /// Bytes that may still be read.
    budget: usize,
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("tls", &self.tls).finish_non_exhaustive()
    }
}

impl Handshake {
    /// The side that connects. `tls` says whether TLS is wanted; then it is demanded.
    ///
    /// # Errors
    /// [`Refusal::Unspeakable`] when the hello has a name that cannot be said.
    pub fn dial(secret: &Secret, tls: bool, hello: &Hello, nonce: Nonce) -> Result<Self, Refusal> {
        let mut this = Self::new(Side::Dialer, secret, tls, hello, nonce)?;
        this.outgoing = this.transcript.preambles[0].to_vec();
        Ok(this)
    }

    /// The side that accepts.
    ///
    /// # Errors
    /// As for [`Self::dial`].
    pub fn listen(
        secret: &Secret,
        tls: bool,
        hello: &Hello,
        nonce: Nonce,
    ) -> Result<Self, Refusal> {
        Self::new(Side::Listener, secret, tls, hello, nonce)
    }

    fn new(
        side: Side,
        secret: &Secret,
        tls: bool,
        hello: &Hello,
        nonce: Nonce,
    ) -> Result<Self, Refusal> {
        let flags = if tls { FLAG_TLS } else { 0 };
        let [m, s, p, a] = MAGIC;
        let mut transcript = Transcript::default();
        transcript.preambles[side as usize] = [m, s, p, a, MAJOR, MINOR, flags, 0];
        transcript.nonces[side as usize] = nonce;
        Ok(Self {
            side,
            state: State::Preamble,
            tls,
            key: secret.key("mspass link"),
            cluster: hello.cluster.clone(),
            hello: hello.encode().ok_or(Refusal::Unspeakable)?,
            transcript,
            theirs: None,
            minor: MINOR,
            outgoing: Vec::new(),
            budget: HANDSHAKE_BYTES_MAX,
        })
    }

    /// What must be done next. A handshake that has refused is to be dropped.
    pub fn step(&mut self) -> Step {
        if !self.outgoing.is_empty() {
            return Step::Write(std::mem::take(&mut self.outgoing));
        }
        match (self.state, &self.theirs) {
            (State::Done, Some(hello)) => {
                Step::Done(Peer { hello: hello.clone(), minor: self.minor, tls: self.tls })
            }
            (State::Secure, _) => Step::Secure,
            _ => Step::Read(self.wanted()),
        }
    }

    fn wanted(&self) -> usize {
        match self.state {
            State::Preamble => PREAMBLE,
            State::Header(_) => HEADER,
            State::Body(_, length) => length,
            State::Secure | State::Done | State::Failed => 0,
        }
    }

    /// Takes the bytes that [`Step::Read`] asked for.
    ///
    /// # Errors
    /// Why the other end is refused; the connection must be closed, after
    /// [`Self::last_words`].
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let taken = self.take(bytes);
        if taken.is_err() {
            self.state = State::Failed;
        }
        taken
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        if bytes.len() != self.wanted() || bytes.len() > self.budget {
            return Err(Refusal::Garbage);
        }
        self.budget -= bytes.len();
        match self.state {
            State::Preamble => self.take_preamble(bytes),
            State::Header(kind) => self.take_header(kind, bytes),
            State::Body(kind, _) => self.take_body(kind, bytes),
            State::Secure | State::Done | State::Failed => Err(Refusal::Garbage),
        }
    }

    /// TLS stands. `binding` is its exporter's keying material, the same on both ends and on no
    /// other connection.
    pub fn secured(&mut self, binding: &[u8]) {
        if self.state == State::Secure {
            self.transcript.binding = binding.to_vec();
            self.introduce();
        }
    }

    /// What to send before closing a connection that was refused, so that the other end can say
    /// why; empty for those that would not understand it.
    pub fn last_words(&mut self, refusal: &Refusal) -> Vec<u8> {
        let mut words = std::mem::take(&mut self.outgoing);
        let understood = self.transcript.preambles[0] != [0; PREAMBLE];
        if let (Side::Listener, true, Some(code)) = (self.side, understood, refusal.code()) {
            words.extend(frame(KIND_REFUSED, &[&[code]]));
        }
        words
    }

    fn take_preamble(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let Ok(theirs) = <[u8; PREAMBLE]>::try_from(bytes) else { return Err(Refusal::Garbage) };
        let [m, s, p, a, major, minor, flags, _] = theirs;
        if [m, s, p, a] != MAGIC {
            return Err(Refusal::Garbage);
        }
        if self.side == Side::Listener {
            self.outgoing = self.transcript.preambles[1].to_vec();
        }
        if major != MAJOR {
            return Err(Refusal::OtherMajor { major, minor });
        }
        match (self.tls, flags & FLAG_TLS != 0) {
            (true, false) => return Err(Refusal::TlsMissing),
            (false, true) => return Err(Refusal::TlsUnknown),
            _ => {}
        }
        self.transcript.preambles[1 - self.side as usize] = theirs;
        self.minor = minor.min(self.transcript.preambles[self.side as usize][5]);
        if self.tls {
            self.state = State::Secure
        } else {
            self.introduce()
        }
        Ok(())
    }

    /// After preambles and TLS: the dialer speaks, the listener waits.
    fn introduce(&mut self) {
        if self.side == Side::Dialer {
            self.transcript.hellos[0] = self.hello.clone();
            let frame = frame(KIND_HELLO, &[&self.transcript.nonces[0], &self.hello]);
            self.outgoing.extend(frame);
            self.state = State::Header(KIND_CHALLENGE);
        } else {
            self.state = State::Header(KIND_HELLO);
        }
    }

    fn take_header(&mut self, expected: u8, bytes: &[u8]) -> Result<(), Refusal> {
        let &[kind, a, b, c, d] = bytes else { return Err(Refusal::Garbage) };
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if kind != expected && (kind != KIND_REFUSED || self.side == Side::Listener) {
            return Err(Refusal::Garbage);
        }
        if length > self.budget {
            return Err(Refusal::TooLarge { bytes: length as u64 });
        }
        if length == 0 {
            let no_proof = kind == KIND_PROOF;
            return Err(if no_proof { Refusal::NoSecret } else { Refusal::Garbage });
        }
        self.state = State::Body(kind, length);
        Ok(())
    }

    fn take_body(&mut self, kind: u8, body: &[u8]) -> Result<(), Refusal> {
        match kind {
            KIND_HELLO => self.take_hello(body),
            KIND_CHALLENGE => self.take_challenge(body),
            KIND_PROOF => self.take_proof(body),
            KIND_WELCOME => self.take_welcome(body),
            _ => Err(Refusal::told(body.first().copied().unwrap_or_default())),
        }
    }

    fn take_hello(&mut self, body: &[u8]) -> Result<(), Refusal> {
        let (nonce, hello) = body.split_first_chunk::<NONCE>().ok_or(Refusal::Garbage)?;
        self.transcript.nonces[0] = *nonce;
        self.transcript.hellos[0] = hello.to_vec();
        self.theirs = Some(Hello::decode(hello).ok_or(Refusal::Garbage)?);
        self.outgoing = frame(KIND_CHALLENGE, &[&self.transcript.nonces[1]]);
        self.state = State::Header(KIND_PROOF);
        Ok(())
    }

    fn take_challenge(&mut self, body: &[u8]) -> Result<(), Refusal> {
        self.transcript.nonces[1] = body.try_into().map_err(|_| Refusal::Garbage)?;
        let proof = self.transcript.proof(&self.key, Side::Dialer);
        self.outgoing = frame(KIND_PROOF, &[&proof[..]]);
        self.state = State::Header(KIND_WELCOME);
        Ok(())
    }

    fn take_proof(&mut self, body: &[u8]) -> Result<(), Refusal> {
        if !equal(body, &self.transcript.proof(&self.key, Side::Dialer)[..]) {
            return Err(Refusal::WrongSecret);
        }
        self.check_cluster()?;
        self.transcript.hellos[1] = self.hello.clone();
        let proof = self.transcript.proof(&self.key, Side::Listener);
        self.outgoing = frame(KIND_WELCOME, &[&proof[..], &self.hello]);
        self.state = State::Done;
        Ok(())
    }

    fn take_welcome(&mut self, body: &[u8]) -> Result<(), Refusal> {
        let (proof, hello) = body.split_first_chunk::<PROOF>().ok_or(Refusal::Garbage)?;
        self.transcript.hellos[1] = hello.to_vec();
        if !equal(proof, &self.transcript.proof(&self.key, Side::Listener)[..]) {
            return Err(Refusal::WrongSecret);
        }
        self.theirs = Some(Hello::decode(hello).ok_or(Refusal::Garbage)?);
        self.check_cluster()?;
        self.state = State::Done;
        Ok(())
    }

    fn check_cluster(&self) -> Result<(), Refusal> {
        match &self.theirs {
            Some(theirs) if theirs.cluster != self.cluster => Err(Refusal::OtherCluster {
                theirs: theirs.cluster.clone(),
                ours: self.cluster.clone(),
            }),
            _ => Ok(()),
        }
    }
}

fn frame(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut frame = Vec::with_capacity(HEADER + length);
    frame.push(kind);
    // A hello is checked when it is made: no frame of ours comes near four gigabytes.
    frame.extend((length as u32).to_le_bytes());
    for part in parts {
        frame.extend_from_slice(part);
    }
    frame
}

#[cfg(test)]
mod tests;
