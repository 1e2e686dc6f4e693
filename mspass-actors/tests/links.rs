//! What becomes of mailboxes when the connection under them breaks: two nodes of this process with
//! a wire between them that can be cut.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and wait")]

use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use mspass_actors::link::State;
use mspass_actors::mailbox::{Context, Handler, MailError, Mailbox, Message, Reply, start};
use mspass_actors::node::{Node, NodeOptions, Peer};
use mspass_actors::runtime::{Runtime, Waiter};
use mspass_actors::security::{Origin, Secret};
use serde::{Deserialize, Serialize};

const LATE: Duration = Duration::from_secs(20);

/// A way between two nodes that can be cut.
struct Wire {
    address: String,
    is_whole: Arc<AtomicBool>,
    ends: Arc<Mutex<Vec<TcpStream>>>,
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

impl Wire {
    /// A wire to whatever address comes out of `target`.
    fn new(target: mpsc::Receiver<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let is_whole = Arc::new(AtomicBool::new(true));
        let ends: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let (whole, held) = (Arc::clone(&is_whole), Arc::clone(&ends));
        std::thread::spawn(move || {
            let target = target.recv().unwrap();
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(&target) else { continue };
                let mut held = held.lock().unwrap();
                if !whole.load(Ordering::Acquire) {
                    continue;
                }
                held.extend([near.try_clone().unwrap(), far.try_clone().unwrap()]);
                let (near2, far2) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                std::thread::spawn(move || copy(near, far));
                std::thread::spawn(move || copy(far2, near2));
            }
        });
        Self { address, is_whole, ends }
    }

    /// Ends all connections; while it is not mended others end as they begin.
    fn cut(&self, for_good: bool) {
        let mut ends = self.ends.lock().unwrap();
        self.is_whole.store(!for_good, Ordering::Release);
        for end in ends.drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    fn mend(&self) {
        self.is_whole.store(true, Ordering::Release);
    }
}

/// Answered with how many were handled before it, or not at all.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Visit {
    Answered,
    Kept,
    /// Kept the first time, answered the next.
    KeptOnce,
}

impl Message for Visit {
    const TYPE: &'static str = "test.visit";
    type Reply = u64;
}

/// Asks the mailbox inside.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Call(Mailbox<Visit>);

impl Message for Call {
    const TYPE: &'static str = "test.call";
    type Reply = u64;
}

struct Host {
    visits: u64,
    kept: Vec<Reply<Visit>>,
    came: mpsc::Sender<()>,
    waiter: Waiter,
}

impl Handler<Visit> for Host {
    fn handle(&mut self, visit: Visit, reply: Reply<Visit>, _: &Context<Self>) {
        let before = self.visits;
        self.visits += 1;
        match visit {
            Visit::Answered => reply.send(before),
            Visit::KeptOnce if !self.kept.is_empty() => reply.send(before),
            Visit::Kept | Visit::KeptOnce => {
                self.kept.push(reply);
                let _ = self.came.send(());
            }
        }
    }
}

impl Handler<Call> for Host {
    fn handle(&mut self, call: Call, reply: Reply<Call>, _: &Context<Self>) {
        self.waiter.spawn(async move {
            if let Ok(visits) = call.0.ask(Visit::Answered, LATE).await {
                reply.send(visits);
            }
        });
    }
}

fn secret() -> Secret {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, "a secret that only tests know, and long").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    Secret::from_file(&path, Origin::File).unwrap()
}

fn host(runtime: &Runtime, came: &mpsc::Sender<()>) -> mspass_actors::mailbox::Address<Host> {
    let (came, waiter) = (came.clone(), runtime.waiter());
    start(runtime, "host", 16, move |_| Host {
        visits: 0,
        kept: Vec::new(),
        came: came.clone(),
        waiter: waiter.clone(),
    })
}

/// A guest's node, a host's, and the wire between them.
struct Pair {
    mailbox: Mailbox<Visit>,
    calls: Mailbox<Call>,
    peer: Peer,
    wire: Wire,
    /// Tells of each visit that was kept.
    came: mpsc::Receiver<()>,
    keep: mpsc::Sender<()>,
    here: Node,
    there: Node,
    runtime: Runtime,
    _runtime_there: Runtime,
}

impl Pair {
    fn new() -> Self {
        let (runtime, runtime_there) = (Runtime::start("a").unwrap(), Runtime::start("b").unwrap());
        let (tell, target) = mpsc::channel();
        let wire = Wire::new(target);
        let mut options = NodeOptions::new("test", "there", secret());
        // A port that is known before the node listens there, because it names the wire instead.
        let bound = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        options.bind = Some(bound);
        options.advertise = vec![wire.address.clone()];
        let there = Node::start(&runtime_there, options).unwrap();
        tell.send(bound.to_string()).unwrap();
        let (keep, came) = mpsc::channel();
        let host = host(&runtime_there, &keep);
        there.register("host", host.mailbox::<Visit>());
        there.register("host", host.mailbox::<Call>());
        // It listens nowhere: the wire is the only way.
        let here = Node::start(&runtime, NodeOptions::new("test", "here", secret())).unwrap();
        let (peer, mailbox, calls) = dial(&runtime, &here, &wire);
        Self {
            mailbox,
            calls,
            peer,
            wire,
            came,
            keep,
            here,
            there,
            runtime,
            _runtime_there: runtime_there,
        }
    }

    fn wait<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        self.runtime.waiter().wait(future).unwrap()
    }

    fn ask(&self, visit: Visit) -> Result<u64, MailError> {
        let mailbox = self.mailbox.clone();
        self.wait(async move { mailbox.ask(visit, LATE).await })
    }

    fn incarnations(&self) -> (u64, u64) {
        (self.here.incarnation(), self.there.incarnation())
    }
}

fn dial(runtime: &Runtime, node: &Node, wire: &Wire) -> (Peer, Mailbox<Visit>, Mailbox<Call>) {
    let (node, address) = (node.clone(), wire.address.clone());
    let linked = runtime.waiter().wait(async move {
        let peer = node.dial(&[address]).await.unwrap();
        let (visits, calls) = (peer.lookup("host").await.unwrap(), peer.lookup("host").await);
        (peer, visits, calls.unwrap())
    });
    linked.unwrap()
}

#[test]
fn a_mailbox_goes_on_over_another_connection_and_what_was_under_way_is_lost_not_replayed() {
    let pair = Pair::new();
    let before = pair.incarnations();
    assert_eq!(pair.ask(Visit::Answered), Ok(0));
    let (tell, told) = mpsc::channel();
    let mailbox = pair.mailbox.clone();
    pair.runtime.waiter().spawn(async move {
        let _ = tell.send(mailbox.ask(Visit::Kept, LATE).await);
    });
    pair.came.recv_timeout(LATE).unwrap();
    pair.wire.cut(false);
    let lost = MailError::LinkLost { to: "test.visit", maybe_delivered: true };
    assert_eq!(told.recv_timeout(LATE).unwrap(), Err(lost));
    // The same mailbox, without being looked up again; the lost one was handled once.
    assert_eq!(pair.ask(Visit::Answered), Ok(2));
    assert_eq!((pair.incarnations(), pair.peer.state()), (before, State::Up));
}

#[test]
fn an_idempotent_ask_is_asked_again_over_the_next_connection() {
    let pair = Pair::new();
    let (tell, told) = mpsc::channel();
    let mailbox = pair.mailbox.clone();
    pair.runtime.waiter().spawn(async move {
        let _ = tell.send(mailbox.ask_idempotent(Visit::KeptOnce, LATE).await);
    });
    pair.came.recv_timeout(LATE).unwrap();
    pair.wire.cut(false);
    assert_eq!(told.recv_timeout(LATE).unwrap(), Ok(1));
    assert_eq!(pair.ask(Visit::Answered), Ok(2));
}

#[test]
fn who_was_given_up_is_met_again_as_another_incarnation_and_old_mailboxes_stay_gone() {
    let pair = Pair::new();
    let before = pair.incarnations();
    pair.wire.cut(true);
    let (peer, mailbox) = (pair.peer.clone(), pair.mailbox.clone());
    let down = pair.wait(async move {
        let down = async {
            peer.down().await;
            mailbox.watch().await;
        };
        tokio::time::timeout(LATE, down).await
    });
    assert_eq!(down, Ok(()));
    pair.wire.mend();
    let (peer, mailbox, _) = dial(&pair.runtime, &pair.here, &pair.wire);
    assert!(pair.there.incarnation() > before.1);
    assert_eq!(peer.incarnation(), pair.there.incarnation());
    assert_eq!(pair.ask(Visit::Answered), Err(MailError::Gone("test.visit")));
    assert_eq!((pair.peer.state(), peer.state()), (State::Down, State::Up));
    let asked = pair.wait(async move { mailbox.ask(Visit::Answered, LATE).await });
    assert_eq!(asked, Ok(0));
}

#[test]
fn a_mailbox_that_was_only_sent_is_forgotten_when_its_actor_is_gone() {
    let pair = Pair::new();
    let unnamed = |pair: &Pair| -> Vec<String> {
        let names = pair.here.depths().into_iter().map(|(actor, ..)| actor);
        names.filter(|actor| actor.starts_with('~')).collect()
    };
    for round in 0..3 {
        let own = Runtime::start("own").unwrap();
        let call = Call(host(&own, &pair.keep).mailbox());
        for visits in 0..3 {
            let (calls, call) = (pair.calls.clone(), call.clone());
            assert_eq!(pair.wait(async move { calls.ask(call, LATE).await }), Ok(visits));
        }
        assert_eq!(unnamed(&pair), [format!("~{round}")]);
        drop(own);
        let node = pair.here.clone();
        let forgotten = pair.wait(async move {
            let forgotten = async {
                while node.depths().iter().any(|(actor, ..)| actor.starts_with('~')) {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            tokio::time::timeout(LATE, forgotten).await
        });
        assert_eq!(forgotten, Ok(()));
    }
}
