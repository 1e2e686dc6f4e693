//! Checked settings.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use mspass_io::store::DatabaseName;

use super::{ClusterOptions, Role, Surroundings};
use crate::error::{Error, Result};

/// Port of a scheduler that is named by host only.
const SCHEDULER_PORT: u16 = 8786;
/// Port of a db role that is named by host only.
const DB_PORT: u16 = 27017;
/// Port of the frontend's HTTP.
const FRONTEND_PORT: u16 = 8787;
/// Worker processes of one role at most.
pub(super) const WORKERS_MAX: usize = 256;
/// How many sleeps start-up waits for the others.
const TRIES: u32 = 20;
/// Sleep where none is said, seconds.
const SLEEP_SECONDS: f64 = 15.0;
/// Longest time that may be asked for, seconds: a year.
const SECONDS_MAX: f64 = 365.0 * 86_400.0;
/// Longest computation on one datum, seconds, where none is said.
const DATUM_SECONDS: f64 = 600.0;

/// A host by address or name, with a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// IP address or DNS name.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// Where documents and samples are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// In a folder, held by the db role.
    Embedded(PathBuf),
    /// A `mongod` that the db role starts and stops, with its data in a folder.
    Mongod(PathBuf),
    /// A MongoDB server that runs already.
    Named(DatabaseName),
}

/// What a process of a cluster goes by: checked, complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its parts, each once, in order of start; empty where none was named.
    pub roles: Vec<Role>,
    /// The cluster's name.
    pub cluster: String,
    /// Where it listens.
    pub bind: SocketAddr,
    /// Where the scheduler is; `None` means to look in the workdir.
    pub scheduler: Option<Address>,
    /// Where the db role is, if that was said.
    pub db_address: Option<Address>,
    /// The shared folder.
    pub workdir: PathBuf,
    /// Whether a person named the workdir, and so means to share it.
    pub workdir_named: bool,
    /// What keeps documents and samples.
    pub store: Store,
    /// Folder of logs.
    pub log_dir: PathBuf,
    /// Folder for what workers spill.
    pub worker_dir: PathBuf,
    /// Worker processes.
    pub workers: usize,
    /// Compute threads of each; `None` means to share out the cores.
    pub threads: Option<usize>,
    /// Memory of each worker process, bytes; `None` means what the machine has.
    pub memory_limit: Option<u64>,
    /// Longest computation on one datum.
    pub datum_timeout: Duration,
    /// First port to try for HTTP.
    pub frontend_port: u16,
    /// How long start-up waits for the others.
    pub patience: Duration,
}

impl Settings {
    /// Checks what was given and fills in the rest.
    ///
    /// # Errors
    /// [`Error::Option`], one sentence that names the flag or variable and what to write.
    pub fn of(options: &ClusterOptions, around: &Surroundings) -> Result<Self> {
        let roles = roles(&options.role)?;
        let scheduler = scheduler(options)?;
        let (store, db_address) = store(options, around)?;
        let (nworkers, nthreads) = worker_arguments(options)?;
        let workers = match around.workers {
            0 => nworkers.unwrap_or(1),
            workers => workers,
        };
        if workers > WORKERS_MAX {
            return refuse(format!("--workers {workers}: one machine runs at most {WORKERS_MAX}"));
        }
        let threads = number("--threads", &options.threads)?.or(nthreads);
        if threads.is_some_and(|n| n == 0 || n > crate::desktop::THREADS_MAX) {
            return refuse(format!("--threads: write 1 to {}", crate::desktop::THREADS_MAX));
        }
        let listens_at = match (&scheduler, &db_address) {
            (Some(address), _) if roles.contains(&Role::Scheduler) => Some(address),
            (_, Some(address)) if roles.contains(&Role::Db) => Some(address),
            _ => None,
        };
        let sleep = seconds("--sleep-time (MSPASS_SLEEP_TIME)", &options.sleep_time)?;
        let datum = seconds("--datum-timeout", &options.datum_timeout)?;
        let inside = |given: &Option<PathBuf>, name: &str| match given {
            Some(path) if !path.as_os_str().is_empty() => path.clone(),
            _ => around.workdir.join(name),
        };
        Ok(Self {
            bind: bind(options, scheduler.as_ref(), listens_at)?,
            roles,
            cluster: cluster(options)?,
            scheduler,
            db_address,
            workdir: around.workdir.clone(),
            workdir_named: around.workdir_named,
            store,
            log_dir: inside(&options.log_dir, "logs"),
            worker_dir: inside(&options.worker_dir, "work"),
            workers,
            threads,
            memory_limit: memory_limit(&around.memory_limit)?,
            datum_timeout: datum.unwrap_or(Duration::from_secs_f64(DATUM_SECONDS)),
            frontend_port: port("--frontend-port", &options.frontend_port, FRONTEND_PORT)?,
            patience: sleep.unwrap_or(Duration::from_secs_f64(SLEEP_SECONDS)) * TRIES,
        })
    }

    /// The store as `--db` and `mspass` name it.
    pub fn store_name(&self) -> String {
        match &self.store {
            Store::Embedded(path) => DatabaseName::Embedded(path.clone()).to_string(),
            Store::Mongod(_) => "mongod".to_owned(),
            Store::Named(name) => name.to_string(),
        }
    }

    /// Whether this process plays the role.
    pub fn plays(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Compute threads of each worker process, `beside` of them on this machine.
    pub fn threads_of_each(&self, beside: usize) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.unwrap_or_else(|| (cores() / beside.max(1)).max(1))
    }
}

pub(super) fn refuse<T>(sentence: String) -> Result<T> {
    Err(Error::Option(sentence))
}

fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

fn roles(given: &[String]) -> Result<Vec<Role>> {
    let mut roles = Vec::new();
    let names = given.iter().flat_map(|text| text.split([',', ' '])).map(str::trim);
    for name in names.filter(|name| !name.is_empty()) {
        match Role::ALL.iter().find(|role| role.name() == name) {
            Some(role) => roles.push(*role),
            None if name == "all" => roles.extend(Role::ALL),
            None => {
                return refuse(format!(
                    "--role (MSPASS_ROLE) {name}: write scheduler, worker, db, frontend or all"
                ));
            }
        }
    }
    roles.sort_unstable();
    roles.dedup();
    Ok(roles)
}

fn cluster(options: &ClusterOptions) -> Result<String> {
    let name = given(&options.cluster).unwrap_or("mspass");
    let sound = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.len() > 64 || !name.chars().all(sound) {
        return refuse(format!("--cluster {name}: write up to 64 letters, digits, '-', '_', '.'"));
    }
    Ok(name.to_owned())
}

fn scheduler(options: &ClusterOptions) -> Result<Option<Address>> {
    let name = "--scheduler-port (DASK_SCHEDULER_PORT)";
    let port = port(name, &options.scheduler_port, SCHEDULER_PORT)?;
    let Some(text) = given(&options.scheduler_address) else { return Ok(None) };
    match host_and_port(text, port) {
        Some(address) => Ok(Some(address)),
        None => refuse(format!(
            "--scheduler-address (MSPASS_SCHEDULER_ADDRESS) {text}: write HOST or HOST:PORT"
        )),
    }
}

fn store(options: &ClusterOptions, around: &Surroundings) -> Result<(Store, Option<Address>)> {
    let folder = match &options.db_dir {
        Some(path) if !path.as_os_str().is_empty() => path.clone(),
        _ => around.workdir.join("db"),
    };
    let asked = match given(&around.db) {
        None | Some("embedded") => None,
        Some("mongod") => Some(Store::Mongod(around.workdir.join("mongod"))),
        Some(name) => match name.parse() {
            Ok(DatabaseName::Embedded(path)) => Some(Store::Embedded(path)),
            Ok(DatabaseName::Memory) | Err(_) => {
                return refuse(format!(
                    "--db {name}: write embedded, mongod, embedded:PATH or mongodb://HOST:PORT/NAME"
                ));
            }
            Ok(name) => Some(Store::Named(name)),
        },
    };
    let port = port("--db-port (MONGODB_PORT)", &options.db_port, DB_PORT)?;
    let Some(text) = given(&options.db_address) else {
        return Ok((asked.unwrap_or(Store::Embedded(folder)), None));
    };
    if text.starts_with("mongodb://") {
        let Ok(name) = text.parse::<DatabaseName>() else {
            return refuse(
                "--db-address (MSPASS_DB_ADDRESS): write HOST[:PORT] or mongodb://HOST:PORT/NAME"
                    .into(),
            );
        };
        return match asked {
            Some(store) if store != Store::Named(name.clone()) => refuse(
                "--db and --db-address (MSPASS_DB_ADDRESS) name two databases: give one of them"
                    .into(),
            ),
            _ => Ok((Store::Named(name), None)),
        };
    }
    match host_and_port(text, port) {
        Some(address) => Ok((asked.unwrap_or(Store::Embedded(folder)), Some(address))),
        None => refuse(format!(
            "--db-address (MSPASS_DB_ADDRESS) {text}: write HOST[:PORT] or mongodb://HOST:PORT/NAME"
        )),
    }
}

/// Host and port of `HOST`, `HOST:PORT`, `[V6]:PORT` or any of them behind `tcp://`.
fn host_and_port(text: &str, default: u16) -> Option<Address> {
    let text = text.strip_prefix("tcp://").unwrap_or(text).trim_end_matches('/');
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        let port = match after.strip_prefix(':') {
            Some(port) => port.parse().ok()?,
            None if after.is_empty() => default,
            None => return None,
        };
        (host, port)
    } else {
        match text.rsplit_once(':') {
            Some((host, _)) if host.contains(':') => {
                text.parse::<IpAddr>().ok()?;
                (text, default)
            }
            Some((host, port)) => (host, port.parse().ok()?),
            None => (text, default),
        }
    };
    let sound = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    let fits = !host.is_empty() && host.len() <= 253 && host.chars().all(sound);
    (fits && port != 0).then(|| Address { host: host.to_owned(), port })
}

/// Where to listen: as told; else where the scheduler or db is said to be; else loopback, or every
/// address where the scheduler is on another machine.
fn bind(
    options: &ClusterOptions,
    scheduler: Option<&Address>,
    listens_at: Option<&Address>,
) -> Result<SocketAddr> {
    let port = listens_at.map_or(0, |address| address.port);
    if let Some(text) = given(&options.bind) {
        let bare = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let parsed = bare.map(|ip| SocketAddr::new(ip, port)).or_else(|_| text.parse());
        return parsed.or_else(|_| {
            refuse(format!("--bind (MSPASS_BIND) {text}: write an IP address, or IP:PORT"))
        });
    }
    let far = scheduler.or(listens_at).is_some_and(|address| !is_loopback(&address.host));
    let ip = if far { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
    Ok(SocketAddr::new(ip.into(), port))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn port(name: &str, text: &Option<String>, default: u16) -> Result<u16> {
    let Some(text) = given(text) else { return Ok(default) };
    match text.parse::<u16>() {
        Ok(port) if port > 0 => Ok(port),
        _ => refuse(format!("{name} {text}: write a port, 1 to 65535")),
    }
}

fn number(name: &str, text: &Option<String>) -> Result<Option<usize>> {
    let Some(text) = given(text) else { return Ok(None) };
    match text.parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => refuse(format!("{name} {text}: write a whole number")),
    }
}

fn seconds(name: &str, text: &Option<String>) -> Result<Option<Duration>> {
    let Some(text) = given(text) else { return Ok(None) };
    match text.trim_end_matches('s').parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= SECONDS_MAX => {
            Ok(Some(Duration::from_secs_f64(seconds)))
        }
        _ => refuse(format!("{name} {text}: write seconds, more than 0")),
    }
}

/// What `--memory-limit` says, bytes.
pub(crate) fn memory_limit(text: &Option<String>) -> Result<Option<u64>> {
    let Some(text) = given(text) else { return Ok(None) };
    let upper = text.to_ascii_uppercase();
    let bare = upper.trim_end_matches('B').trim_end_matches('I');
    let (digits, shift) = match bare.char_indices().next_back() {
        Some((at, 'K')) => (&bare[..at], 10),
        Some((at, 'M')) => (&bare[..at], 20),
        Some((at, 'G')) => (&bare[..at], 30),
        _ => (bare, 0),
    };
    let parsed = digits.trim().parse::<u64>().ok();
    match parsed.and_then(|number| number.checked_mul(1 << shift)) {
        Some(bytes) => Ok(Some(bytes).filter(|bytes| *bytes > 0)),
        None => {
            refuse(format!("--memory-limit {text}: write bytes, or with K, M or G, such as 4G"))
        }
    }
}

/// `--nworkers` and `--nthreads` of MsPASS's `MSPASS_WORKER_ARG`.
fn worker_arguments(options: &ClusterOptions) -> Result<(Option<usize>, Option<usize>)> {
    let (mut workers, mut threads) = (None, None);
    let text = given(&options.worker_arg).unwrap_or_default();
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, words.next()),
        };
        let number = value.and_then(|value| value.parse::<usize>().ok()).filter(|n| *n > 0);
        let place = match name {
            "--nworkers" => &mut workers,
            "--nthreads" => &mut threads,
            _ => {
                return refuse(format!(
                    "MSPASS_WORKER_ARG {name}: only --nworkers N and --nthreads N are known"
                ));
            }
        };
        if number.is_none() {
            return refuse(format!("MSPASS_WORKER_ARG {name}: write a number after it"));
        }
        *place = number;
    }
    Ok((workers, threads))
}
