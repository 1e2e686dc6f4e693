//! Messages and an actor of the host's own, on the cluster's thread of actors.

use mspass::actors::mailbox::start;
use mspass::actors::mailbox::{Address, Context, Handler, MailError, Mailbox, Message, Reply};
use mspass::actors::runtime::Runtime;
use serde::{Deserialize, Serialize};

use crate::levels::Levels;

/// Levels that may wait to be looked at; who has more to tell waits.
const MOMENTS_MAX: usize = 64;

/// How loud a channel was at its loudest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// The channel.
    pub channel: String,
    /// The beginning of the window, ISO 8601.
    pub time: String,
    /// Root mean square, counts.
    pub level: f64,
}

impl Message for Moment {
    const TYPE: &'static str = "embedding.moment";
    type Reply = ();
}

/// Asks for the loudest moment there was.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct AskLoudest;

impl Message for AskLoudest {
    const TYPE: &'static str = "embedding.ask_loudest";
    type Reply = Option<Moment>;
}

/// Keeps the loudest moment it is told of. A task may be done twice: the loudest stays the same.
#[derive(Debug, Default)]
struct Keeper(Option<Moment>);

impl Handler<Moment> for Keeper {
    fn handle(&mut self, moment: Moment, reply: Reply<Moment>, _: &Context<Self>) {
        if self.0.as_ref().is_none_or(|loudest| moment.level > loudest.level) {
            self.0 = Some(moment);
        }
        reply.send(());
    }
}

impl Handler<AskLoudest> for Keeper {
    fn handle(&mut self, _: AskLoudest, reply: Reply<AskLoudest>, _: &Context<Self>) {
        reply.send(self.0.clone());
    }
}

/// The way to the actor.
#[derive(Debug)]
pub struct Loudest {
    /// For the host.
    pub mailbox: Mailbox<AskLoudest>,
    moments: Mailbox<Moment>,
}

impl Loudest {
    /// Starts the actor.
    pub fn start(runtime: &Runtime) -> Self {
        let keeper: Address<Keeper> = start(runtime, "loudest", MOMENTS_MAX, |_| Keeper::default());
        Self { mailbox: keeper.mailbox(), moments: keeper.mailbox() }
    }

    /// A step that tells the actor of the loudest window of each datum and hands the datum on.
    pub fn teller(
        &self,
        runtime: &Runtime,
    ) -> impl Fn(Levels) -> Result<Levels, MailError> + use<> {
        let (moments, waiter) = (self.moments.clone(), runtime.waiter());
        move |levels| {
            let loudest = levels.values.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            let Some((window, &level)) = loudest else { return Ok(levels) };
            let time = levels.starttime.plus_seconds(window as f64 * levels.seconds).to_string();
            let moment = Moment { channel: levels.id.to_string(), time, level };
            // On a compute thread, which may wait for room in the mailbox.
            let moments = moments.clone();
            let told = waiter.wait(async move { moments.tell(moment).await });
            told.unwrap_or(Err(MailError::Gone(Moment::TYPE)))?;
            Ok(levels)
        }
    }
}
