//! The small parent of worker processes: it starts them again when they die, and ends one of which
//! a datum takes too long.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use mspass_actors::clock;
use mspass_actors::worker::slate::{self, SlateWatch};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::supervisor::{ChildSpec, ChildStatus, Event, Exit, Supervisor};
use crate::error::{Error, Result};

/// How often the slates are looked at.
const LOOK: Duration = Duration::from_millis(250);

/// The worker processes of one parent.
#[derive(Clone, Debug)]
pub struct KeptWorker {
    /// Each with the slate that it writes (see [`mod@slate`]).
    pub children: Vec<(ChildSpec, PathBuf)>,
    /// Longest time for one datum.
    pub datum_timeout: Duration,
    /// How long a child may drain after SIGTERM.
    pub grace: Duration,
    /// The file that gets a line for every process started.
    pub pids: Option<PathBuf>,
}

/// Starts worker processes and keeps them until all have left, or until SIGTERM or SIGINT: then
/// they are told to drain, and with a second one they are killed. Gives the exit code: 0 when all
/// left in order, 2 when one had bad input, else 1.
///
/// A child that dies is started again, within its [`RestartLimits`](super::RestartLimits). It finds
/// on its slate what it worked on.
///
/// # Errors
/// [`Error::Process`] when the first start of one fails.
pub fn keep_worker(kept: KeptWorker) -> Result<u8> {
    let refuse = |error| Error::Process { action: "listen to signals".into(), error };
    let supervisor = Supervisor::start(kept.pids)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(refuse)?.block_on(async {
        let term = signal(SignalKind::terminate()).map_err(refuse)?;
        let interrupt = signal(SignalKind::interrupt()).map_err(refuse)?;
        let (mut names, mut watches) = (Vec::new(), HashMap::new());
        for (spec, slate) in kept.children {
            names.push(spec.name.clone());
            let watched = Watched { spec: spec.clone(), slate, pid: 0, watch: <_>::default() };
            watches.insert(spec.name.clone(), watched);
            supervisor.add(spec)?;
        }
        let timeout = kept.datum_timeout;
        let mut keeper = Keeper { supervisor, names, watches, timeout, stopped: false };
        Ok(keeper.run(term, interrupt, kept.grace).await)
    })
}

struct Watched {
    spec: ChildSpec,
    slate: PathBuf,
    /// The incarnation that the watch has seen.
    pid: u32,
    watch: SlateWatch,
}

struct Keeper {
    supervisor: Supervisor,
    names: Vec<String>,
    watches: HashMap<String, Watched>,
    timeout: Duration,
    /// Whether they were told to end.
    stopped: bool,
}

impl Keeper {
    async fn run(&mut self, mut term: Signal, mut interrupt: Signal, grace: Duration) -> u8 {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut grace = Some(grace);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = term.recv() => self.stop(&mut grace),
                _ = interrupt.recv() => self.stop(&mut grace),
            }
            let children = self.supervisor.children();
            let started = self.look_at_deaths();
            if !started && children.iter().all(|child| !child.alive) {
                return exit_code(&children);
            }
            children.iter().for_each(|child| self.watch(child));
        }
    }

    /// Drains the first time, kills the second.
    fn stop(&mut self, grace: &mut Option<Duration>) {
        self.stopped = true;
        self.supervisor.ask_stop(&self.names, grace.take().unwrap_or_default());
    }

    /// Tells what was in work when a child died. One that was given up, but died over its data, is
    /// not to blame: it is started anew, for the foreman ends what breaks its workers. Whether any
    /// was.
    fn look_at_deaths(&self) -> bool {
        let mut started = false;
        for event in self.supervisor.events() {
            let Event::Ended { name, exit, restart_in, .. } = event else { continue };
            let Some(watched) = self.watches.get(&name) else { continue };
            let suspects = slate::suspects(&watched.slate);
            for slate::Suspect { job, task, datum, .. } in &suspects {
                tracing::warn!(name, job, ?task, datum, "was in work at the end ({exit})");
            }
            let given_up = restart_in.is_none() && !exit.is_final() && !self.stopped;
            if given_up && !suspects.is_empty() {
                started |= self.supervisor.add(watched.spec.clone()).is_ok();
            }
        }
        started
    }

    fn watch(&mut self, child: &ChildStatus) {
        let Some(watched) = self.watches.get_mut(&child.name) else { return };
        let Some(pid) = child.pid else { return };
        if watched.pid != pid {
            (watched.pid, watched.watch) = (pid, SlateWatch::default());
        }
        let places = slate::read(&watched.slate);
        let stuck = watched.watch.look(clock::now(), places, self.timeout);
        if let Some(stuck) = stuck.first() {
            let limit = self.timeout.as_secs();
            let reason = format!("killed: {stuck}, its limit is {limit} s (--datum-timeout)");
            self.supervisor.kill(&child.name, &reason);
        }
    }
}

fn exit_code(children: &[ChildStatus]) -> u8 {
    let code = |child: &ChildStatus| match &child.last_exit {
        Some(Exit::Code(0)) => 0,
        Some(Exit::Code(2)) => 2,
        _ => 1,
    };
    children.iter().map(code).max().unwrap_or(0)
}
