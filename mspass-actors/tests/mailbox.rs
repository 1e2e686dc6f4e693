//! The contract of mailboxes.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and wait")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mspass_actors::mailbox::{Context, Handler, MailError, Mailbox, Message, Reply, start};
use mspass_actors::runtime::Runtime;
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

#[derive(Default)]
struct Clerk {
    later: Vec<Reply<Order>>,
    handled: u64,
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

struct Desk {
    runtime: Runtime,
    mailbox: Mailbox<Order>,
    made: Arc<AtomicU32>,
}

impl Desk {
    fn new() -> Self {
        let runtime = Runtime::start("test").unwrap();
        let made = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&made);
        let clerk = start(&runtime, "clerk", CAPACITY, move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            Clerk::default()
        });
        Self { mailbox: clerk.mailbox(), runtime, made }
    }

    fn ask(&self, order: Order, deadline: Duration) -> Result<u64, MailError> {
        let mailbox = self.mailbox.clone();
        self.runtime.waiter().wait(async move { mailbox.ask(order, deadline).await }).unwrap()
    }
}

#[test]
fn an_ask_is_answered() {
    let desk = Desk::new();
    assert_eq!(desk.ask(Order::Echo(7), LATE), Ok(7));
}

#[test]
fn messages_of_one_sender_keep_their_order() {
    let desk = Desk::new();
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

#[test]
fn a_full_mailbox_refuses_and_gives_the_message_back() {
    let desk = Desk::new();
    let waiting: Vec<_> = (0..CAPACITY).map(|_| desk.mailbox.try_tell(Order::Later)).collect();
    assert!(waiting.iter().all(Result::is_ok));
    let refused = desk.mailbox.try_tell(Order::Echo(9)).unwrap_err();
    assert!(matches!(refused.0, Order::Echo(9)));
    assert_eq!(desk.mailbox.depth(CAPACITY), CAPACITY);
    // A tell waits for room, so its deadline passes; nothing is queued beyond the bound.
    assert_eq!(desk.ask(Order::Echo(1), SOON), Err(MailError::Deadline("test.order")));
}

#[test]
fn room_comes_back_with_the_answer() {
    let desk = Desk::new();
    for _ in 0..CAPACITY - 1 {
        desk.mailbox.try_tell(Order::Later).unwrap();
    }
    assert_eq!(desk.ask(Order::Echo(5), LATE), Ok(5));
    assert_eq!(desk.ask(Order::Echo(6), LATE), Ok(6));
    assert_eq!(desk.mailbox.depth(CAPACITY), 0);
}

#[test]
fn a_dropped_question_is_told() {
    let desk = Desk::new();
    assert_eq!(desk.ask(Order::Drop, LATE), Err(MailError::Gone("test.order")));
}

#[test]
fn a_deadline_passes() {
    let desk = Desk::new();
    assert_eq!(desk.ask(Order::Later, SOON), Err(MailError::Deadline("test.order")));
}

#[test]
fn an_actor_that_panics_is_made_anew_behind_the_same_mailbox() {
    let desk = Desk::new();
    assert_eq!(desk.ask(Order::Panic, LATE), Err(MailError::Gone("test.order")));
    assert_eq!(desk.ask(Order::Echo(3), LATE), Ok(3));
    assert_eq!(desk.made.load(Ordering::SeqCst), 2);
}

#[test]
fn two_runtimes_live_side_by_side_in_a_host_with_its_own_tokio() {
    let host = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    host.block_on(async {
        let (one, two) = (Desk::new(), Desk::new());
        assert_eq!(one.mailbox.ask(Order::Echo(1), LATE).await, Ok(1));
        drop(one);
        assert_eq!(two.mailbox.ask(Order::Echo(2), LATE).await, Ok(2));
    });
}

#[test]
fn the_mailbox_of_an_ended_runtime_is_gone() {
    let Desk { runtime, mailbox, .. } = Desk::new();
    drop(runtime);
    let host = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let asked = host.block_on(mailbox.ask(Order::Echo(1), SOON));
    assert!(asked.is_err(), "{asked:?}");
}
