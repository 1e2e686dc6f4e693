//! Drives handshakes over sockets, in bounded time and memory, and logs whom it refuses.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use super::gate::Gate;
use super::handshake::{Handshake, Peer, Step};
use super::hello::Hello;
use super::proof::random;
use super::refusal::Refusal;
use super::secret::Secret;
use super::tls::{Tls, binding};

/// The time in which a connection must prove itself.
pub const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);

/// How long a refused end is waited for to take the reason.
const FAREWELL_TIME_MAX: Duration = Duration::from_secs(1);

/// What one node needs to open connections and to let others in; clones share the count of
/// strangers.
#[derive(Clone, Debug)]
pub struct Guard {
    secret: Secret,
    tls: Option<Tls>,
    gate: Gate,
    time: Duration,
}

impl Guard {
    /// With TLS both ends must have it, without neither.
    pub fn new(secret: Secret, tls: Option<Tls>) -> Self {
        Self { secret, tls, gate: Gate::default(), time: HANDSHAKE_TIME_MAX }
    }

    /// With another time than [`HANDSHAKE_TIME_MAX`] to prove oneself in.
    #[must_use]
    pub fn within(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// How many accepted connections have not proved themselves.
    pub fn strangers(&self) -> usize {
        self.gate.waiting()
    }

    /// Lets in a connection that was accepted, or logs one line that says why not and closes it.
    /// `ours` may be changed until it is called; run it beside the accepting loop, never in it.
    pub async fn admit(
        &self,
        stream: TcpStream,
        from: SocketAddr,
        ours: &Hello,
    ) -> Option<(Peer, Wire)> {
        let pass = self.gate.enter();
        let admitted = tokio::select! {
            admitted = self.in_time(self.listen(stream, ours)) => admitted,
            () = pass.withdrawn() => Err(Refusal::TooMany),
        };
        match admitted {
            Ok(admitted) => Some(admitted),
            Err(refusal) => {
                tracing::warn!("refused a connection from {from}: {refusal}");
                None
            }
        }
    }

    /// Proves this node to the listener at the other end of `stream`, and it to us. `address` is
    /// what was dialed, as `host:port`.
    ///
    /// # Errors
    /// Why one of the two refused; nothing is logged.
    pub async fn enter(
        &self,
        stream: TcpStream,
        address: &str,
        ours: &Hello,
    ) -> Result<(Peer, Wire), Refusal> {
        let nonce = random().map_err(|e| Refusal::System(e.to_string()))?;
        let handshake = Handshake::dial(&self.secret, self.tls.is_some(), ours, nonce)?;
        self.in_time(self.drive(handshake, stream, Some(address))).await
    }

    async fn in_time<T>(
        &self,
        handshake: impl Future<Output = Result<T, Refusal>>,
    ) -> Result<T, Refusal> {
        let seconds = self.time.as_secs();
        let in_time = tokio::time::timeout(self.time, handshake).await;
        in_time.unwrap_or(Err(Refusal::TooSlow { seconds }))
    }

    async fn listen(&self, stream: TcpStream, ours: &Hello) -> Result<(Peer, Wire), Refusal> {
        let nonce = random().map_err(|e| Refusal::System(e.to_string()))?;
        let handshake = Handshake::listen(&self.secret, self.tls.is_some(), ours, nonce)?;
        self.drive(handshake, stream, None).await
    }

    /// `dialed` is the address dialed, `None` on the listener's side.
    async fn drive(
        &self,
        mut handshake: Handshake,
        stream: TcpStream,
        dialed: Option<&str>,
    ) -> Result<(Peer, Wire), Refusal> {
        let mut wire = Wire::Plain(stream);
        loop {
            match handshake.step() {
                Step::Write(bytes) => write(&mut wire, &bytes).await?,
                Step::Read(length) => {
                    let mut bytes = vec![0; length];
                    wire.read_exact(&mut bytes).await.map_err(|_| Refusal::Closed)?;
                    if let Err(refusal) = handshake.receive(&bytes) {
                        let reply = handshake.last_words(&refusal);
                        if !reply.is_empty() {
                            let told = tokio::time::timeout(FAREWELL_TIME_MAX, async {
                                write(&mut wire, &reply).await?;
                                wire.shutdown().await.map_err(|_| Refusal::Closed)
                            });
                            drop(told.await);
                        }
                        return Err(refusal);
                    }
                }
                Step::Secure => {
                    let (secured, binding) = self.secure(wire, dialed).await?;
                    wire = secured;
                    handshake.secured(&binding);
                }
                Step::Done(peer) => return Ok((peer, wire)),
            }
        }
    }

    async fn secure(&self, wire: Wire, dialed: Option<&str>) -> Result<(Wire, [u8; 32]), Refusal> {
        let (Some(tls), Wire::Plain(stream)) = (&self.tls, wire) else {
            return Err(Refusal::TlsUnknown);
        };
        let failed = |e: io::Error| Refusal::TlsFailed(e.to_string());
        let (stream, binding) = match dialed {
            Some(address) => {
                let name = tls.server_name(address)?;
                let stream = tls.connector().connect(name, stream).await.map_err(failed)?;
                let binding = binding(stream.get_ref().1)?;
                (TlsStream::Client(stream), binding)
            }
            None => {
                let stream = tls.acceptor().accept(stream).await.map_err(failed)?;
                let binding = binding(stream.get_ref().1)?;
                (TlsStream::Server(stream), binding)
            }
        };
        Ok((Wire::Secure(Box::new(stream)), binding))
    }
}

async fn write(wire: &mut Wire, bytes: &[u8]) -> Result<(), Refusal> {
    wire.write_all(bytes).await.map_err(|_| Refusal::Closed)?;
    wire.flush().await.map_err(|_| Refusal::Closed)
}

/// A connection between two that have proved themselves.
#[derive(Debug)]
pub enum Wire {
    /// As TCP carries it.
    Plain(TcpStream),
    /// Encrypted.
    Secure(Box<TlsStream<TcpStream>>),
}

impl Wire {
    /// The socket below.
    pub fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Secure(stream) => stream.get_ref().0,
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Secure(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Secure(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Self::Secure(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Secure(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Secure(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Secure(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
