//! Another node, as one sees it.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use super::Home;
use crate::error::Result;
use crate::link::{Fault, Health, Session, State, Tick, lock};
use crate::mailbox::{MailError, Mailbox, Message, Remote};
use crate::security::Hello;

/// What is known of one incarnation of another node.
pub(crate) struct Link {
    pub(crate) node: String,
    pub(crate) incarnation: u64,
    pub(crate) addresses: Vec<String>,
    pub(crate) hello: Mutex<Option<Hello>>,
    health: Mutex<Option<Health>>,
    current: watch::Sender<(State, Option<Arc<Session>>)>,
    /// Whether somebody dials it.
    pub(crate) dialing: Mutex<bool>,
}

impl Link {
    pub(crate) fn new(node: String, incarnation: u64, addresses: Vec<String>) -> Arc<Self> {
        Arc::new(Self {
            node,
            incarnation,
            addresses,
            hello: Mutex::default(),
            health: Mutex::default(),
            current: watch::Sender::new((State::Suspect, None)),
            dialing: Mutex::default(),
        })
    }

    pub(crate) fn state(&self) -> State {
        self.current.borrow().0
    }

    /// The session that stands, whatever is thought of it.
    pub(crate) fn session(&self) -> Option<Arc<Session>> {
        self.current.borrow().1.clone().filter(|session| session.is_open())
    }

    /// Takes a session into use in the place of an earlier one; not when it is down.
    pub(crate) fn attach(&self, session: &Arc<Session>, hello: Hello, now: Duration) -> bool {
        let mut health = lock(&self.health);
        if self.state() == State::Down {
            return false;
        }
        health.get_or_insert_with(|| Health::new(now)).resume(now);
        *lock(&self.hello) = Some(hello);
        let before = self.current.send_replace((State::Up, Some(Arc::clone(session))));
        drop(health);
        if let Some(before) = before.1 {
            before.close();
        }
        true
    }

    /// A session is over; another may come.
    pub(crate) fn detach(&self, session: &Arc<Session>, now: Duration) {
        session.close();
        let mut health = lock(&self.health);
        let current = self.current.borrow().1.as_ref().is_some_and(|c| Arc::ptr_eq(c, session));
        if !current || self.state() == State::Down {
            return;
        }
        if let Some(health) = &mut *health {
            health.break_off(now);
        }
        self.current.send_replace((State::Suspect, None));
    }

    /// This incarnation is gone for good.
    pub(crate) fn end(&self) {
        if let Some(health) = &mut *lock(&self.health) {
            health.end();
        }
        let before = self.current.send_replace((State::Down, None));
        if let Some(session) = before.1 {
            session.close();
        }
    }

    /// Looks after the link; says what has to be done.
    pub(crate) fn tick(&self, now: Duration) -> Tick {
        let mut health = lock(&self.health);
        let Some(health) = &mut *health else { return Tick::Nothing };
        if let Some(session) = self.session() {
            health.hear(Duration::from_millis(session.heard()));
        }
        let tick = health.tick(now);
        self.current.send_if_modified(|(state, _)| {
            *state != State::Down && std::mem::replace(state, health.state()) != health.state()
        });
        tick
    }
}

/// One incarnation of another node. Clones are the same.
#[derive(Clone)]
pub struct Peer {
    home: Home,
    link: Arc<Link>,
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Peer({} {}, {:?})", self.link.node, self.link.incarnation, self.state())
    }
}

impl Peer {
    pub(crate) fn new(home: Home, link: Arc<Link>) -> Self {
        Self { home, link }
    }

    pub(crate) fn home(&self) -> Home {
        self.home.clone()
    }

    /// Its name.
    pub fn node(&self) -> &str {
        &self.link.node
    }

    /// Which life of the node it is.
    pub fn incarnation(&self) -> u64 {
        self.link.incarnation
    }

    /// Where it listens, as `host:port`.
    pub fn addresses(&self) -> &[String] {
        &self.link.addresses
    }

    /// What it said of itself when it was linked.
    pub fn hello(&self) -> Option<Hello> {
        lock(&self.link.hello).clone()
    }

    /// What is thought of it.
    pub fn state(&self) -> State {
        self.link.state()
    }

    /// The mailbox for messages of type `M` of its actor of that name.
    ///
    /// # Errors
    /// [`MailError::Gone`] when it has no such actor or is down, [`MailError::Unsupported`] when
    /// the actor does not understand such messages, and the others of a link.
    pub async fn lookup<M: Message>(&self, actor: &str) -> Result<Mailbox<M>, MailError> {
        let remote = Remote::new(self.clone(), actor.to_owned());
        remote.open().await?;
        Ok(Mailbox::remote(remote))
    }

    /// Waits until this incarnation is down; it never comes back.
    pub async fn down(&self) {
        let mut current = self.link.current.subscribe();
        drop(current.wait_for(|(state, _)| *state == State::Down).await);
    }

    /// The session in use; waits for one while the peer is not down.
    pub(crate) async fn session(&self) -> Result<Arc<Session>, Fault> {
        let mut current = self.link.current.subscribe();
        loop {
            match &*current.borrow_and_update() {
                (State::Down, _) => return Err(Fault::Gone),
                (_, Some(session)) if session.is_open() => return Ok(Arc::clone(session)),
                _ => {}
            }
            self.home.redial(&self.link);
            if current.changed().await.is_err() {
                return Err(Fault::Gone);
            }
        }
    }
}
