//! Starts children, reaps them, starts them again, and ends them in order.
//!
//! One thread does all of it, and it lives as long as the [`Supervisor`]: the kernel tells a child
//! of its parent's death when the *thread* that started it ends.

use std::collections::{HashMap, VecDeque};
use std::ffi::OsString;
use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mspass_actors::clock;
use mspass_actors::runtime::spawn_thread;
use rustix::process::{Pid, Signal, kill_process};

use super::bind::{PARENT_FLAG, own_program};
use super::limit::{Hold, Holder, MemoryLimit};
use super::restart::{RestartLimits, Restarts};
use crate::error::{Error, Result};

/// How often the thread looks at its children.
const LOOK: Duration = Duration::from_millis(20);
/// Events kept until they are read; older ones go.
const EVENTS_MAX: usize = 1024;
/// What children get to end when the supervisor is dropped without a word.
const DROP_GRACE: Duration = Duration::from_secs(5);

/// Variable that tells a child started again how the one before it ended.
pub(crate) const LAST_EXIT: &str = "MSPASS_LAST_EXIT";

/// How the process that this one replaces ended, if it replaces one.
pub fn last_exit() -> Option<String> {
    std::env::var(LAST_EXIT).ok()
}

/// A child to be started: this same executable in another role.
#[derive(Clone, Default)]
pub struct ChildSpec {
    /// Names it among the children of its supervisor.
    pub name: String,
    /// What the file of pids calls it.
    pub role: String,
    /// Its arguments. Everybody on the machine can read them: never a secret.
    pub arguments: Vec<OsString>,
    /// Variables added to its environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Where its output and errors are appended; else errors go where ours go, and output nowhere.
    pub log: Option<PathBuf>,
    /// When it is started again. One that ends with 0 (its work is done) or 2 (bad input) is not.
    pub restart: RestartLimits,
    /// Memory it may take.
    pub memory: Option<MemoryLimit>,
}

impl fmt::Debug for ChildSpec {
    /// Names its variables and keeps their values, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variables: Vec<_> = self.environment.iter().map(|(name, _)| name).collect();
        f.debug_struct("ChildSpec")
            .field("name", &self.name)
            .field("role", &self.role)
            .field("arguments", &self.arguments)
            .field("environment", &variables)
            .finish_non_exhaustive()
    }
}

/// How a child ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// With this code.
    Code(i32),
    /// By this signal, not of ours.
    Signal(i32),
    /// We ended it, for this reason.
    Ended(String),
    /// It did not start.
    NotStarted(String),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(number) => write!(f, "signal {number}"),
            Self::Ended(reason) => f.write_str(reason),
            Self::NotStarted(reason) => write!(f, "it did not start: {reason}"),
        }
    }
}

impl Exit {
    fn of(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, signal) => Self::Signal(signal.unwrap_or(0)),
        }
    }

    /// Whether it has done its work, or cannot do it: it is not started again.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Code(0 | 2))
    }
}

/// What happened to a child.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// It runs.
    Started {
        /// Its name.
        name: String,
        /// Its process.
        pid: u32,
    },
    /// It is gone.
    Ended {
        /// Its name.
        name: String,
        /// What was its process.
        pid: u32,
        /// How.
        exit: Exit,
        /// When it is started again, if it is.
        restart_in: Option<Duration>,
    },
}

/// Where a child stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildStatus {
    /// Its name.
    pub name: String,
    /// Its process, while it runs.
    pub pid: Option<u32>,
    /// Whether it runs, or will again.
    pub alive: bool,
    /// How often it was started again.
    pub restarts: u32,
    /// How it ended last.
    pub last_exit: Option<Exit>,
    /// What holds its memory.
    pub memory: Option<Holder>,
}

/// Appends the line `ROLE PID` to the file of pids, in one write.
///
/// # Errors
/// [`Error::Process`] when it cannot be written.
pub fn record_pid(file: &Path, role: &str, pid: u32) -> Result<()> {
    let refuse = |error| Error::Process { action: format!("write to {}", file.display()), error };
    let mut pids = OpenOptions::new().create(true).append(true).open(file).map_err(refuse)?;
    pids.write_all(format!("{role} {pid}\n").as_bytes()).map_err(refuse)
}

/// The parent of a few processes; when it is dropped they end.
pub struct Supervisor {
    orders: Option<Sender<Order>>,
    board: Arc<Mutex<Board>>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor").field("children", &self.children()).finish()
    }
}

/// What others can see.
#[derive(Default)]
struct Board {
    children: Vec<ChildStatus>,
    events: VecDeque<Event>,
}

enum Order {
    Start(Box<ChildSpec>, SyncSender<Result<u32>>),
    Stop { names: Vec<String>, grace: Duration, gone: Option<Sender<()>> },
    Kill { name: String, reason: String },
}

impl Supervisor {
    /// A supervisor without children; `pids` is the file that gets a line for every process
    /// started.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(pids: Option<PathBuf>) -> Result<Self> {
        let (orders, when_ordered) = channel();
        let board = Arc::new(Mutex::new(Board::default()));
        let keeper = Keeper { pids, board: Arc::clone(&board), children: HashMap::new() };
        let thread = spawn_thread("supervisor", move || keeper.run(&when_ordered))?;
        Ok(Self { orders: Some(orders), board, thread: Some(thread) })
    }

    /// Starts a child and gives its pid.
    ///
    /// # Errors
    /// [`Error::Process`] when the system refuses it, or a child of that name runs.
    pub fn add(&self, spec: ChildSpec) -> Result<u32> {
        let (answer, answered) = sync_channel(1);
        self.order(Order::Start(Box::new(spec), answer));
        answered.recv().unwrap_or_else(|_| Err(gone()))
    }

    /// Asks children to end (SIGTERM; what has not after `grace` is killed) and waits until they
    /// have. They are not started again. Those asked already are asked again.
    pub fn stop(&self, names: &[String], grace: Duration) {
        let (gone, when_gone) = channel();
        self.order(Order::Stop { names: names.to_vec(), grace, gone: Some(gone) });
        // Every child holds a sender until it is gone.
        let _ = when_gone.recv();
    }

    /// As [`Supervisor::stop`], without waiting.
    pub fn ask_stop(&self, names: &[String], grace: Duration) {
        self.order(Order::Stop { names: names.to_vec(), grace, gone: None });
    }

    /// Kills a child at once, for the reason given; it is started again.
    pub fn kill(&self, name: &str, reason: &str) {
        self.order(Order::Kill { name: name.to_owned(), reason: reason.to_owned() });
    }

    /// Where the children stand, in order of their names.
    pub fn children(&self) -> Vec<ChildStatus> {
        lock(&self.board).children.clone()
    }

    /// What happened since the last call, oldest first.
    pub fn events(&self) -> Vec<Event> {
        lock(&self.board).events.drain(..).collect()
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            drop(orders.send(order));
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn gone() -> Error {
    let error = std::io::Error::other("its supervisor has ended");
    Error::Process { action: "start a process".into(), error }
}

fn lock(board: &Mutex<Board>) -> MutexGuard<'_, Board> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A child that runs, pauses, or is gone for good.
struct Kept {
    spec: ChildSpec,
    restarts: Restarts,
    count: u32,
    running: Option<Child>,
    hold: Option<Hold>,
    start_at: Option<Instant>,
    /// Set when it is to end: until when it may.
    stop_by: Option<Instant>,
    /// Why we killed it.
    reason: Option<String>,
    last_exit: Option<Exit>,
    waiters: Vec<Sender<()>>,
}

/// What the thread owns.
struct Keeper {
    pids: Option<PathBuf>,
    board: Arc<Mutex<Board>>,
    children: HashMap<String, Kept>,
}

impl Keeper {
    fn run(mut self, orders: &Receiver<Order>) {
        loop {
            match orders.recv_timeout(LOOK) {
                Ok(order) => self.obey(order),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.look();
        }
        let names = self.children.keys().cloned().collect();
        self.stop(names, DROP_GRACE, None);
        let (_nobody, pause) = channel::<()>();
        while self.children.values().any(|kept| kept.running.is_some()) {
            let _ = pause.recv_timeout(LOOK);
            self.look();
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Start(spec, answer) => drop(answer.send(self.add(*spec))),
            Order::Stop { names, grace, gone } => self.stop(names, grace, gone),
            Order::Kill { name, reason } => {
                let kept = self.children.get_mut(&name);
                if let Some(Kept { running: Some(child), reason: why, .. }) = kept {
                    tracing::warn!(name, pid = child.id(), "killed: {reason}");
                    *why = Some(reason);
                    drop(child.kill());
                }
            }
        }
    }

    fn add(&mut self, spec: ChildSpec) -> Result<u32> {
        let alive = |kept: &Kept| kept.running.is_some() || kept.start_at.is_some();
        if self.children.get(&spec.name).is_some_and(alive) {
            let error = std::io::Error::other("a process of this name runs");
            return Err(Error::Process { action: format!("start {}", spec.name), error });
        }
        let last_exit = self.children.get(&spec.name).and_then(|kept| kept.last_exit.clone());
        let mut kept = Kept {
            restarts: Restarts::new(spec.restart),
            spec,
            count: 0,
            running: None,
            hold: None,
            start_at: None,
            stop_by: None,
            reason: None,
            last_exit,
            waiters: Vec::new(),
        };
        let pid = kept.start(self.pids.as_deref())?;
        self.tell(Event::Started { name: kept.spec.name.clone(), pid });
        self.children.insert(kept.spec.name.clone(), kept);
        self.show();
        Ok(pid)
    }

    fn stop(&mut self, names: Vec<String>, grace: Duration, gone: Option<Sender<()>>) {
        let until = clock::now() + grace;
        for name in names {
            let Some(kept) = self.children.get_mut(&name) else { continue };
            kept.start_at = None;
            kept.stop_by = Some(kept.stop_by.map_or(until, |before| before.min(until)));
            if let Some(child) = &kept.running {
                signal(child, Signal::TERM);
                kept.waiters.extend(gone.clone());
            }
        }
        self.show();
    }

    /// Reaps, kills what is late, starts what is due.
    fn look(&mut self) {
        let now = clock::now();
        let mut events = Vec::new();
        for kept in self.children.values_mut() {
            events.extend(kept.look(now));
            if kept.start_at.is_some_and(|at| at <= now) {
                kept.start_at = None;
                kept.count += 1;
                events.push(match kept.start(self.pids.as_deref()) {
                    Ok(pid) => Event::Started { name: kept.spec.name.clone(), pid },
                    Err(error) => kept.ended(now, 0, Exit::NotStarted(error.to_string())),
                });
            }
        }
        if !events.is_empty() {
            events.into_iter().for_each(|event| self.tell(event));
            self.show();
        }
    }

    fn tell(&self, event: Event) {
        if let Event::Ended { name, pid, exit, restart_in } = &event {
            match restart_in {
                Some(pause) => tracing::warn!(
                    "{name} (pid {pid}) ended: {exit}; it is started again in {pause:?}"
                ),
                None => tracing::info!("{name} (pid {pid}) ended: {exit}"),
            }
        }
        let mut board = lock(&self.board);
        if board.events.len() >= EVENTS_MAX {
            board.events.pop_front();
        }
        board.events.push_back(event);
    }

    fn show(&self) {
        let mut children: Vec<ChildStatus> = self.children.values().map(Kept::status).collect();
        children.sort_by(|a, b| a.name.cmp(&b.name));
        lock(&self.board).children = children;
    }
}

fn signal(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // It is not reaped yet, so the number is still its own.
    let _ = pid.map(|pid| kill_process(pid, signal));
}

impl Kept {
    fn start(&mut self, pids: Option<&Path>) -> Result<u32> {
        let spec = &self.spec;
        let refuse = |error| Error::Process { action: format!("start {}", spec.name), error };
        let (output, errors) = match &spec.log {
            Some(path) => {
                let log = OpenOptions::new().create(true).append(true).open(path);
                let log = log.map_err(refuse)?;
                (Stdio::from(log.try_clone().map_err(refuse)?), Stdio::from(log))
            }
            None => (Stdio::null(), Stdio::inherit()),
        };
        let mut command = Command::new(own_program());
        if let Some(name) = std::env::args_os().next() {
            command.arg0(name);
        }
        if let Some(exit) = &self.last_exit {
            command.env(LAST_EXIT, exit.to_string());
        }
        let child = command
            .arg(format!("{PARENT_FLAG}{}", std::process::id()))
            .args(&spec.arguments)
            .envs(spec.environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            // Ctrl-C in the terminal is for us: we end our children in order.
            .process_group(0)
            .spawn()
            .map_err(refuse)?;
        let pid = child.id();
        self.hold = spec.memory.map(|limit| limit.hold(pid));
        self.running = Some(child);
        self.reason = None;
        if let Some(pids) = pids
            && let Err(error) = record_pid(pids, &spec.role, pid)
        {
            tracing::warn!("{error}");
        }
        Ok(pid)
    }

    fn look(&mut self, now: Instant) -> Option<Event> {
        let child = self.running.as_mut()?;
        let pid = child.id();
        match child.try_wait() {
            Ok(None) => {
                if self.stop_by.is_some_and(|until| until <= now) && self.reason.is_none() {
                    self.reason = Some("killed: it did not end when asked".into());
                    drop(child.kill());
                }
                let over = self.hold.as_mut().and_then(|hold| hold.exceeded(pid, now));
                if let (Some(reason), None) = (over, &self.reason) {
                    self.reason = Some(reason);
                    drop(child.kill());
                }
                None
            }
            Ok(Some(status)) => {
                let exit = self.reason.take().map_or_else(|| Exit::of(status), Exit::Ended);
                Some(self.ended(now, pid, exit))
            }
            Err(error) => Some(self.ended(now, pid, Exit::NotStarted(error.to_string()))),
        }
    }

    fn ended(&mut self, now: Instant, pid: u32, exit: Exit) -> Event {
        self.running = None;
        self.hold = None;
        self.waiters.clear();
        let again = !exit.is_final() && self.stop_by.is_none();
        let restart_in = if again { self.restarts.ended(now) } else { None };
        self.start_at = restart_in.map(|pause| now + pause);
        self.last_exit = Some(exit.clone());
        Event::Ended { name: self.spec.name.clone(), pid, exit, restart_in }
    }

    fn status(&self) -> ChildStatus {
        ChildStatus {
            name: self.spec.name.clone(),
            pid: self.running.as_ref().map(Child::id),
            alive: self.running.is_some() || self.start_at.is_some(),
            restarts: self.count,
            last_exit: self.last_exit.clone(),
            memory: self.hold.as_ref().map(Hold::holder),
        }
    }
}
