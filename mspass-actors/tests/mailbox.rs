//! The contract of mailboxes, held three times: by those of this process, by the same through the
//! codec of links, and across TCP, where this test starts itself again as the other process.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and wait")]

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use mspass_actors::mailbox::{Context, Handler, Lane, MailError, Mailbox, Message, Reply, start};
use mspass_actors::node::{Node, NodeLimits, NodeOptions, Peer};
use mspass_actors::runtime::Runtime;
use mspass_actors::security::{Origin, Secret};
use mspass_actors::wire::{BUFFER_ALIGNMENT, Blob, CHUNK_MAX};
use serde::{Deserialize, Serialize};

const CAPACITY: usize = 4;
const SOON: Duration = Duration::from_millis(200);
const LATE: Duration = Duration::from_secs(20);

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Order {
    Echo(u64),
    Panic,
    Drop,
    /// Answered with the next order.
    Later,
}

impl Message for Order {
    const TYPE: &'static str = "test.order";
    type Reply = u64;
}

/// Samples; answered with as many, or how many there were.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Parcel {
    blobs: Vec<Blob>,
    back: bool,
}

impl Message for Parcel {
    const TYPE: &'static str = "test.parcel";
    const LANE: Lane = Lane::Bulk;
    type Reply = Vec<Blob>;
}

/// Asks the mailbox inside.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Call {
    mailbox: Mailbox<Order>,
    number: u64,
}

impl Message for Call {
    const TYPE: &'static str = "test.call";
    type Reply = ();
}

/// A message that no actor understands.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Strange;

impl Message for Strange {
    const TYPE: &'static str = "test.strange";
    type Reply = ();
}

/// Long text on the control lane.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Letter(String);

impl Message for Letter {
    const TYPE: &'static str = "test.letter";
    type Reply = String;
}

/// How often the actor was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Made;

impl Message for Made {
    const TYPE: &'static str = "test.made";
    type Reply = u32;
}

struct Clerk {
    later: Vec<Reply<Order>>,
    handled: u64,
    made: u32,
}

impl Handler<Made> for Clerk {
    fn handle(&mut self, _: Made, reply: Reply<Made>, _: &Context<Self>) {
        reply.send(self.made);
    }
}

impl Handler<Letter> for Clerk {
    fn handle(&mut self, letter: Letter, reply: Reply<Letter>, _: &Context<Self>) {
        reply.send(letter.0);
    }
}

impl Handler<Parcel> for Clerk {
    fn handle(&mut self, parcel: Parcel, reply: Reply<Parcel>, _: &Context<Self>) {
        let count = Blob::from(vec![u8::try_from(parcel.blobs.len()).unwrap()]);
        reply.send(if parcel.back { parcel.blobs } else { vec![count] });
    }
}

impl Handler<Call> for Clerk {
    fn handle(&mut self, call: Call, reply: Reply<Call>, _: &Context<Self>) {
        // What is said to the mailbox inside reaches the one who sent it.
        let told = call.mailbox.clone();
        WAITER.with_borrow(|waiter| {
            let waiter = waiter.clone().unwrap();
            waiter.spawn(async move {
                // Who only ever tries gets through as well.
                while told.try_tell(Order::Echo(0)).is_err() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                let answer = told.ask(Order::Echo(call.number), LATE).await;
                assert_eq!(answer, Ok(call.number));
                reply.send(());
            });
        });
    }
}

thread_local! {
    static WAITER: std::cell::RefCell<Option<mspass_actors::runtime::Waiter>> =
        const { std::cell::RefCell::new(None) };
}

impl Handler<Order> for Clerk {
    fn handle(&mut self, order: Order, reply: Reply<Order>, _: &Context<Self>) {
        self.handled += 1;
        match order {
            Order::Echo(number) => {
                reply.send(number);
                self.later.drain(..).for_each(|reply| reply.send(self.handled));
            }
            Order::Panic => panic!("on purpose"),
            Order::Drop => drop(reply),
            Order::Later => self.later.push(reply),
        }
    }
}

struct Leaver;

impl Handler<Made> for Leaver {
    fn handle(&mut self, _: Made, reply: Reply<Made>, context: &Context<Self>) {
        context.end();
        reply.send(1);
    }
}

#[test]
fn an_actor_that_ends_answers_what_it_handles_and_is_gone_for_the_rest() {
    let runtime = Runtime::start("test").unwrap();
    let mailbox = start(&runtime, "leaver", CAPACITY, |_: &Context<Leaver>| Leaver).mailbox();
    let answers = runtime.waiter().wait(async move {
        let last = mailbox.ask(Made, LATE).await;
        (last, mailbox.ask(Made, LATE).await)
    });
    assert_eq!(answers.unwrap(), (Ok(1), Err(MailError::Gone(Made::TYPE))));
}

fn clerk(runtime: &Runtime) -> mspass_actors::mailbox::Address<Clerk> {
    let mut made = 0;
    let waiter = runtime.waiter();
    start(runtime, "clerk", CAPACITY, move |_| {
        WAITER.set(Some(waiter.clone()));
        made += 1;
        Clerk { later: Vec::new(), handled: 0, made }
    })
}

fn secret() -> Secret {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, "a secret that only tests know, and long").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    Secret::from_file(&path, Origin::File).unwrap()
}

fn node(runtime: &Runtime, name: &str) -> Node {
    let mut options = NodeOptions::new("test", name, secret());
    options.bind = Some("127.0.0.1:0".parse().unwrap());
    options.limits = NodeLimits { blob_bytes_max: 64 << 20, blobs_bytes_max: 48 << 20 };
    Node::start(runtime, options).unwrap()
}

/// The other process: it lives until its input ends.
#[test]
#[ignore = "the other process of the tests across TCP, which start it"]
fn the_other_process() {
    let runtime = Runtime::start("other").unwrap();
    let node = node(&runtime, "other");
    let clerk = clerk(&runtime);
    node.register("clerk", clerk.mailbox::<Order>());
    node.register("clerk", clerk.mailbox::<Parcel>());
    node.register("clerk", clerk.mailbox::<Call>());
    node.register("clerk", clerk.mailbox::<Letter>());
    node.register("clerk", clerk.mailbox::<Made>());
    println!("\nlistening {}", node.addresses()[0]);
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

struct Other(Child);

impl Drop for Other {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

struct Link {
    peer: Peer,
    node: Node,
    other: Other,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Here,
    Codec,
    Tcp,
}

const WAYS: [Way; 3] = [Way::Here, Way::Codec, Way::Tcp];

struct Desk {
    mailbox: Mailbox<Order>,
    parcels: Mailbox<Parcel>,
    calls: Mailbox<Call>,
    letters: Mailbox<Letter>,
    made: Mailbox<Made>,
    link: Option<Link>,
    runtime: Runtime,
}

impl Desk {
    fn new(way: Way) -> Self {
        let runtime = Runtime::start("test").unwrap();
        let runtime = if way == Way::Codec { runtime.through_codec() } else { runtime };
        if way == Way::Tcp {
            return Self::across(runtime);
        }
        let clerk = clerk(&runtime);
        Self {
            mailbox: clerk.mailbox(),
            parcels: clerk.mailbox(),
            calls: clerk.mailbox(),
            letters: clerk.mailbox(),
            made: clerk.mailbox(),
            link: None,
            runtime,
        }
    }

    fn across(runtime: Runtime) -> Self {
        let mut other = Command::new(std::env::current_exe().unwrap())
            .args(["the_other_process", "--exact", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(other.stdout.take().unwrap()).lines();
        let address = lines
            .map(Result::unwrap)
            .find_map(|line| line.strip_prefix("listening ").map(str::to_owned))
            .unwrap();
        let node = node(&runtime, "this");
        let dialer = node.clone();
        let linked = runtime.waiter().wait(async move {
            let peer = dialer.dial(&[address]).await.unwrap();
            let (mailbox, parcels) = (peer.lookup("clerk").await, peer.lookup("clerk").await);
            let (calls, letters) = (peer.lookup("clerk").await, peer.lookup("clerk").await);
            let made = peer.lookup("clerk").await.unwrap();
            (peer, mailbox.unwrap(), parcels.unwrap(), calls.unwrap(), letters.unwrap(), made)
        });
        let (peer, mailbox, parcels, calls, letters, made) = linked.unwrap();
        let link = Some(Link { peer, node, other: Other(other) });
        Self { mailbox, parcels, calls, letters, made, link, runtime }
    }

    fn wait<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        self.runtime.waiter().wait(future).unwrap()
    }

    fn ask(&self, order: Order, deadline: Duration) -> Result<u64, MailError> {
        let mailbox = self.mailbox.clone();
        self.runtime.waiter().wait(async move { mailbox.ask(order, deadline).await }).unwrap()
    }
}

#[test]
fn an_ask_is_answered() {
    for way in WAYS {
        let desk = Desk::new(way);
        assert_eq!(desk.ask(Order::Echo(7), LATE), Ok(7));
    }
}

#[test]
fn messages_of_one_sender_keep_their_order() {
    for way in WAYS {
        let desk = Desk::new(way);
        let mailbox = desk.mailbox.clone();
        let answers = desk.runtime.waiter().wait(async move {
            let mut answers = Vec::new();
            for number in 0..100 {
                mailbox.tell(Order::Echo(number)).await.unwrap();
                answers.push(mailbox.ask(Order::Echo(number), LATE).await.unwrap());
            }
            answers
        });
        assert_eq!(answers.unwrap(), (0..100).collect::<Vec<_>>());
    }
}

#[test]
fn a_full_mailbox_refuses_and_gives_the_message_back() {
    for way in WAYS {
        let desk = Desk::new(way);
        let waiting: Vec<_> = (0..CAPACITY).map(|_| desk.mailbox.try_tell(Order::Later)).collect();
        assert!(waiting.iter().all(Result::is_ok));
        let refused = desk.mailbox.try_tell(Order::Echo(9)).unwrap_err();
        assert!(matches!(refused.0, Order::Echo(9)));
        assert_eq!(desk.mailbox.depth(CAPACITY), CAPACITY);
        // A tell waits for room, so its deadline passes; nothing is queued beyond the bound.
        assert_eq!(desk.ask(Order::Echo(1), SOON), Err(MailError::Deadline("test.order")));
    }
}

#[test]
fn room_comes_back_with_the_answer() {
    for way in WAYS {
        let desk = Desk::new(way);
        for _ in 0..CAPACITY - 1 {
            desk.mailbox.try_tell(Order::Later).unwrap();
        }
        assert_eq!(desk.ask(Order::Echo(5), LATE), Ok(5));
        assert_eq!(desk.ask(Order::Echo(6), LATE), Ok(6));
        assert_eq!(desk.mailbox.depth(CAPACITY), 0);
    }
}

#[test]
fn a_dropped_question_is_told() {
    for way in WAYS {
        let desk = Desk::new(way);
        assert_eq!(desk.ask(Order::Drop, LATE), Err(MailError::Gone("test.order")));
    }
}

#[test]
fn a_deadline_passes() {
    for way in WAYS {
        let desk = Desk::new(way);
        assert_eq!(desk.ask(Order::Later, SOON), Err(MailError::Deadline("test.order")));
    }
}

#[test]
fn an_actor_that_panics_is_made_anew_behind_the_same_mailbox() {
    for way in WAYS {
        let desk = Desk::new(way);
        assert_eq!(desk.ask(Order::Panic, LATE), Err(MailError::Gone("test.order")));
        assert_eq!(desk.ask(Order::Echo(3), LATE), Ok(3));
        let made = desk.made.clone();
        assert_eq!(desk.wait(async move { made.ask(Made, LATE).await }), Ok(2));
    }
}

#[test]
fn two_runtimes_live_side_by_side_in_a_host_with_its_own_tokio() {
    let host = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    host.block_on(async {
        let (one, two) = (Desk::new(Way::Here), Desk::new(Way::Here));
        assert_eq!(one.mailbox.ask(Order::Echo(1), LATE).await, Ok(1));
        drop(one);
        assert_eq!(two.mailbox.ask(Order::Echo(2), LATE).await, Ok(2));
    });
}

#[test]
fn the_mailbox_of_an_ended_runtime_is_gone() {
    let Desk { runtime, mailbox, .. } = Desk::new(Way::Here);
    drop(runtime);
    let host = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let asked = host.block_on(mailbox.ask(Order::Echo(1), SOON));
    assert!(asked.is_err(), "{asked:?}");
}

#[test]
fn blobs_arrive_as_they_left_in_order_and_aligned() {
    for way in WAYS {
        let desk = Desk::new(way);
        for bytes in [0, 1, 1023, 1024, CHUNK_MAX - 1, CHUNK_MAX + 1, 15 << 20, 16 << 20, 17 << 20]
        {
            let sent: Vec<u8> = (0..bytes).map(|at: usize| (at / 7) as u8).collect();
            let blobs = vec![Blob::from(sent.clone()), Blob::from(vec![3; 5000])];
            let parcel = Parcel { blobs, back: true };
            let parcels = desk.parcels.clone();
            let back = desk.wait(async move { parcels.ask(parcel, LATE).await }).unwrap();
            assert!(back[0].0 == sent && back[1].0 == vec![3; 5000], "{way:?} {bytes}");
            if way == Way::Tcp {
                assert_eq!(back[1].as_ptr().align_offset(BUFFER_ALIGNMENT), 0);
            }
        }
    }
}

#[test]
fn what_the_other_node_has_no_room_for_is_refused_and_the_lane_goes_on() {
    let desk = Desk::new(Way::Tcp);
    let samples = Bytes::from(vec![7; 49 << 20]);
    for _ in 0..3 {
        let parcel = Parcel { blobs: vec![Blob(samples.clone())], back: false };
        let parcels = desk.parcels.clone();
        let refused = desk.wait(async move { parcels.ask(parcel, LATE).await });
        assert_eq!(refused, Err(MailError::TooLarge("test.parcel")));
        let parcel = Parcel { blobs: vec![Blob(samples.slice(..1 << 20))], back: false };
        let parcels = desk.parcels.clone();
        let taken = desk.wait(async move { parcels.ask(parcel, LATE).await });
        assert_eq!(taken, Ok(vec![Blob::from(vec![1])]));
    }
}

#[test]
fn a_long_letter_takes_the_other_lane() {
    for way in WAYS {
        let desk = Desk::new(way);
        for bytes in [100, 300_000, 3_000_000, 20_000_000] {
            let (letters, text) = (desk.letters.clone(), "x".repeat(bytes));
            let letter = Letter(text.clone());
            let back = desk.wait(async move { letters.ask(letter, LATE).await });
            assert!(back.unwrap() == text, "{way:?} {bytes}");
        }
    }
}

#[test]
fn a_mailbox_travels_inside_a_message() {
    for way in WAYS {
        let desk = Desk::new(way);
        let own = clerk(&desk.runtime).mailbox::<Order>();
        let call = Call { mailbox: own, number: 11 };
        let calls = desk.calls.clone();
        assert_eq!(desk.wait(async move { calls.ask(call, LATE).await }), Ok(()), "{way:?}");
        // There and back again: it is a mailbox of its own process once more.
        let call = Call { mailbox: desk.mailbox.clone(), number: 12 };
        let calls = desk.calls.clone();
        assert_eq!(desk.wait(async move { calls.ask(call, LATE).await }), Ok(()), "{way:?}");
    }
}

#[test]
fn who_is_not_there_is_gone_and_who_does_not_understand_says_so() {
    let desk = Desk::new(Way::Tcp);
    let peer = desk.link.as_ref().unwrap().peer.clone();
    let (nobody, strange) = desk.wait(async move {
        (peer.lookup::<Order>("nobody").await.err(), peer.lookup::<Strange>("clerk").await.err())
    });
    assert_eq!(nobody, Some(MailError::Gone("test.order")));
    assert_eq!(strange, Some(MailError::Unsupported("test.strange")));
}

#[test]
fn a_killed_process_is_down_within_a_second_and_watchers_know() {
    let mut desk = Desk::new(Way::Tcp);
    let mut link = desk.link.take().unwrap();
    let mailbox = desk.mailbox.clone();
    let asked = desk.runtime.waiter();
    let (sender, receiver) = std::sync::mpsc::channel();
    asked.spawn(async move {
        let _ = sender.send(mailbox.ask(Order::Later, LATE).await);
    });
    desk.ask(Order::Drop, LATE).unwrap_err();
    link.other.0.kill().unwrap();
    let (peer, mailbox) = (link.peer.clone(), desk.mailbox.clone());
    let down = desk.wait(async move {
        let down = async {
            peer.down().await;
            mailbox.watch().await;
        };
        tokio::time::timeout(Duration::from_millis(1500), down).await
    });
    assert_eq!(down, Ok(()));
    let lost = MailError::LinkLost { to: "test.order", maybe_delivered: true };
    assert_eq!(receiver.recv().unwrap(), Err(lost));
    assert_eq!(desk.ask(Order::Echo(1), LATE), Err(MailError::Gone("test.order")));
    drop(link.node);
}
