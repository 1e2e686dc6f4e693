//! Mailboxes of actors on other nodes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Full, Lane, MailError, Message};
use crate::link::{Answered, Fault, Put, Session, Slot, Waiting, lock};
use crate::node::Peer;
use crate::wire::{Header, Kind, Scope, decode};

/// The way to the target on one session.
#[derive(Clone)]
struct Route {
    session: Arc<Session>,
    slot: Arc<Slot>,
}

/// See the module.
pub(crate) struct Remote<M: Message> {
    peer: Peer,
    actor: String,
    routes: [Mutex<Option<Route>>; 2],
    message: std::marker::PhantomData<fn(M)>,
}

pub(super) fn error_of(fault: Fault, to: &'static str) -> MailError {
    match fault {
        Fault::Gone => MailError::Gone(to),
        Fault::Deadline => MailError::Deadline(to),
        Fault::Overloaded => MailError::Overloaded(to),
        Fault::TooLarge => MailError::TooLarge(to),
        Fault::Unsupported => MailError::Unsupported(to),
    }
}

const fn lost(to: &'static str, maybe_delivered: bool) -> MailError {
    MailError::LinkLost { to, maybe_delivered }
}

impl<M: Message> Remote<M> {
    pub(crate) fn new(peer: Peer, actor: String) -> Self {
        let routes = [Mutex::new(None), Mutex::new(None)];
        Self { peer, actor, routes, message: std::marker::PhantomData }
    }

    pub(super) fn place(&self) -> String {
        format!("{}/{}", self.peer.node(), self.actor)
    }

    pub(super) fn peer(&self) -> &Peer {
        &self.peer
    }

    pub(super) fn actor(&self) -> &str {
        &self.actor
    }

    /// The route in use, if its session stands and the target is open.
    fn known(&self, lane: Lane) -> Option<Route> {
        let route = lock(&self.routes[lane as usize]);
        let open = |route: &&Route| route.session.is_open() && route.slot.is_open() == Some(Ok(()));
        route.as_ref().filter(open).cloned()
    }

    async fn route(&self, lane: Lane) -> Result<Route, MailError> {
        if let Some(route) = self.known(lane) {
            return Ok(route);
        }
        let session = self.peer.session().await.map_err(|fault| error_of(fault, M::TYPE))?;
        let slot = session.slot(&self.actor, M::TYPE, M::VERSION, lane);
        let slot = slot.map_err(|fault| error_of(fault, M::TYPE))?;
        if let Err(fault) = slot.opened().await {
            let broke = !session.is_open();
            return Err(if broke { lost(M::TYPE, false) } else { error_of(fault, M::TYPE) });
        }
        let route = Route { session, slot };
        *lock(&self.routes[lane as usize]) = Some(route.clone());
        Ok(route)
    }

    /// Opens the target.
    pub(crate) async fn open(&self) -> Result<(), MailError> {
        self.route(M::LANE).await.map(drop)
    }

    pub(super) fn try_tell(&self, message: M) -> Result<(), Full<M>> {
        let Some(route) = self.known(M::LANE) else { return Err(Full(message)) };
        let Ok(credit) = route.slot.credits.try_acquire() else { return Err(Full(message)) };
        let header = Header { target: route.slot.id, ..Header::new(Kind::Tell) };
        match route.session.send(M::LANE, header, &message) {
            Put::Queued => {
                credit.forget();
                Ok(())
            }
            Put::Bulk => {
                drop(credit);
                self.try_tell_bulk(message)
            }
            _ => Err(Full(message)),
        }
    }

    /// A message too large for its lane takes the other, once somebody opened it.
    fn try_tell_bulk(&self, message: M) -> Result<(), Full<M>> {
        let Some(route) = self.known(Lane::Bulk) else { return Err(Full(message)) };
        let Ok(credit) = route.slot.credits.try_acquire() else { return Err(Full(message)) };
        let header = Header { target: route.slot.id, ..Header::new(Kind::Tell) };
        if route.session.send(Lane::Bulk, header, &message) == Put::Queued {
            credit.forget();
            return Ok(());
        }
        Err(Full(message))
    }

    /// Sends when there is credit and room.
    async fn send(
        &self,
        message: M,
        header: impl Fn(&Route) -> Result<Header, MailError>,
    ) -> Result<(), MailError> {
        let mut lane = M::LANE;
        loop {
            let route = self.route(lane).await?;
            let Ok(credit) = route.slot.credits.acquire().await else {
                let gone = route.session.is_open();
                return Err(if gone { MailError::Gone(M::TYPE) } else { lost(M::TYPE, false) });
            };
            let header = Header { target: route.slot.id, ..header(&route)? };
            match route.session.send(lane, header, &message) {
                Put::Queued => {
                    credit.forget();
                    return Ok(());
                }
                Put::Full => {
                    drop(credit);
                    route.session.drained(lane).await;
                }
                Put::Bulk if lane == Lane::Control => lane = Lane::Bulk,
                Put::Bulk | Put::Refused => return Err(MailError::TooLarge(M::TYPE)),
                Put::Closed => return Err(lost(M::TYPE, false)),
            }
        }
    }

    pub(super) async fn tell(&self, message: M) -> Result<(), MailError> {
        self.send(message, |_| Ok(Header::new(Kind::Tell))).await
    }

    pub(super) async fn ask(&self, message: M, deadline: Duration) -> Result<M::Reply, MailError> {
        let in_time = tokio::time::timeout(deadline, self.ask_in_time(message, deadline)).await;
        in_time.unwrap_or(Err(MailError::Deadline(M::TYPE)))
    }

    async fn ask_in_time(&self, message: M, deadline: Duration) -> Result<M::Reply, MailError> {
        // The place is taken in the session that carries the question: a retry takes another.
        let place = Mutex::new(None);
        let milliseconds = u32::try_from(deadline.as_millis()).unwrap_or(u32::MAX);
        self.send(message, |route| {
            let mut place = lock(&place);
            let session = &route.session;
            let (id, sequence) = match &*place {
                Some((at, Waiting { id, sequence, .. }, _)) if Arc::ptr_eq(at, session) => {
                    (*id, *sequence)
                }
                _ => {
                    let asks = route.session.asks().ok_or(lost(M::TYPE, false))?;
                    let Some((id, sequence, outcome)) = asks.insert() else {
                        return Err(MailError::Overloaded(M::TYPE));
                    };
                    let waiting = Waiting { asks: Arc::downgrade(&asks), id, sequence };
                    *place = Some((Arc::clone(session), waiting, outcome));
                    (id, sequence)
                }
            };
            Ok(Header { id, ask: sequence, deadline: milliseconds, ..Header::new(Kind::Ask) })
        })
        .await?;
        let Some((_, waiting, outcome)) = lock(&place).take() else {
            return Err(lost(M::TYPE, false));
        };
        let answered = outcome.await.map_err(|_| lost(M::TYPE, true))?;
        drop(waiting);
        let Answered { body, blobs } = answered.map_err(|fault| error_of(fault, M::TYPE))?;
        let scope = Scope::with_blobs(Some(self.peer.home()), blobs);
        decode(scope, &body).map_err(|_| MailError::Unsupported(M::TYPE))
    }

    pub(super) async fn gone(&self) {
        let target = async {
            match self.route(M::LANE).await {
                Ok(route) => {
                    route.slot.gone().await;
                    // A broken connection may come back; a target that ended does not.
                    if !route.session.is_open() {
                        std::future::pending::<()>().await;
                    }
                }
                Err(MailError::LinkLost { .. }) => std::future::pending::<()>().await,
                Err(_) => {}
            }
        };
        tokio::select! {
            () = target => {}
            () = self.peer.down() => {}
        }
    }

    pub(super) fn depth(&self) -> usize {
        let lanes = [Lane::Control, Lane::Bulk];
        lanes.into_iter().filter_map(|lane| self.known(lane)).map(|r| r.slot.in_use()).sum()
    }
}
