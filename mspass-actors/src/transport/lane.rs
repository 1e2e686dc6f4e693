//! One connection of a session: a reader and a writer in one task.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;

use super::FENCED;
use crate::link::{Inbound, Session, lock};
use crate::mailbox::Lane;
use crate::node::{Home, Link};
use crate::security::Wire;
use crate::wire::CHUNK_MAX;

/// Ends the session when its task ends, however it does.
struct End {
    home: Home,
    link: Arc<Link>,
    session: Arc<Session>,
}

impl Drop for End {
    fn drop(&mut self) {
        self.link.detach(&self.session, self.home.elapsed());
    }
}

/// Starts moving a lane's bytes, on the lane's thread.
pub(super) fn start(home: &Home, link: &Arc<Link>, session: &Arc<Session>, lane: Lane, wire: Wire) {
    let end = End { home: home.clone(), link: Arc::clone(link), session: Arc::clone(session) };
    // A socket belongs to the thread where it waits; one inside TLS cannot move.
    let wire = match (lane, wire) {
        (Lane::Bulk, Wire::Plain(stream)) => stream.into_std().map(Moving::Plain),
        (_, wire) => Ok(Moving::Ready(Box::new(wire))),
    };
    home.spawn(lane, async move {
        let wire = wire.and_then(|wire| match wire {
            Moving::Plain(stream) => TcpStream::from_std(stream).map(Wire::Plain),
            Moving::Ready(wire) => Ok(*wire),
        });
        match wire {
            Ok(wire) => run(&end, lane, wire).await,
            Err(e) => tracing::warn!("a connection cannot be taken into use: {e}"),
        }
    });
}

enum Moving {
    Plain(std::net::TcpStream),
    Ready(Box<Wire>),
}

/// Runs a lane on the thread that it is on, until the session ends.
pub(super) async fn run_here(
    home: &Home,
    link: &Arc<Link>,
    session: &Arc<Session>,
    lane: Lane,
    wire: Wire,
) {
    let end = End { home: home.clone(), link: Arc::clone(link), session: Arc::clone(session) };
    run(&end, lane, wire).await;
}

async fn run(end: &End, lane: Lane, wire: Wire) {
    let (reader, writer) = tokio::io::split(wire);
    // The writer ends with the session.
    let ended = tokio::select! {
        ended = read(end, lane, reader) => ended,
        ended = write(&end.session, lane, writer) => ended,
    };
    if let Err(e) = ended
        && end.session.is_open()
    {
        let node = &end.link.node;
        match e.kind() {
            io::ErrorKind::InvalidData => tracing::warn!("the connection to {node} ends: {e}"),
            _ => tracing::info!("the connection to {node} broke: {e}"),
        }
    }
}

async fn read(end: &End, lane: Lane, mut reader: ReadHalf<Wire>) -> io::Result<()> {
    let Some(mut inbound) = Inbound::new(&end.session, lane) else { return Ok(()) };
    let mut since_yield = 0;
    loop {
        let read = reader.read(inbound.space()).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let now = u64::try_from(end.home.elapsed().as_millis()).unwrap_or(u64::MAX);
        end.session.hear(now);
        let filled = inbound.filled(read);
        filled.map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
        if let Some(reason) = inbound.goodbye {
            if reason == FENCED {
                end.home.renew();
                end.link.end();
            }
            return Ok(());
        }
        since_yield += read;
        if since_yield >= CHUNK_MAX {
            since_yield = 0;
            tokio::task::yield_now().await;
        }
    }
}

async fn write(session: &Session, lane: Lane, mut writer: WriteHalf<Wire>) -> io::Result<()> {
    let out_of = session.lane(lane);
    let mut out = Vec::new();
    loop {
        out.clear();
        let (piece, has_room) = poll_fn(|context| {
            let mut outbox = lock(&out_of.outbox);
            outbox.poll_take(context, &mut out).map(|piece| (piece, outbox.has_room()))
        })
        .await;
        let Some(piece) = piece else { return Ok(()) };
        // Not sooner: who waits for room would wake for every piece, on another thread.
        if has_room {
            out_of.drained.notify_waiters();
        }
        let written = async {
            match piece {
                None => writer.write_all(&out).await?,
                Some(piece) => write_both(&mut writer, &out, piece).await?,
            }
            writer.flush().await
        };
        tokio::select! {
            biased;
            written = written => written?,
            () = session.over() => return Ok(()),
        }
        if lane == Lane::Bulk {
            tokio::task::yield_now().await;
        }
    }
}

async fn write_both(
    writer: &mut (impl AsyncWrite + Unpin),
    head: &[u8],
    piece: Bytes,
) -> io::Result<()> {
    let mut rest = Buf::chain(head, piece);
    while rest.has_remaining() {
        writer.write_all_buf(&mut rest).await?;
    }
    Ok(())
}
