//! A MongoDB server of our own: started for one folder, ended with the process that started it.

mod log;
mod program;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use bson::doc;
use mongodb::Client;
use mongodb::options::ClientOptions;

use super::driver::Driver;
use super::failure::Failure;
use crate::error::{Error, Result};

pub use self::program::{find_mongod, find_or_install_mongod, install_mongod, mongod_folder};

/// Runs `mongod` and ends it when we are gone.
const SUPERVISE: &str = include_str!("supervise.sh");

/// Name of the socket in the server's folder; MongoDB derives it from the port it would listen at.
const SOCKET: &str = "mongodb-27017.sock";

/// Longest path of a Unix socket on all systems that we know.
const SOCKET_PATH_MAX: usize = 100;

/// How long to wait for a server in the same folder whose owner is gone: it gets 60 s to end.
const PREDECESSOR_TIME: Duration = Duration::from_secs(75);

/// Pause between two looks at a server that is starting.
const PAUSE: Duration = Duration::from_millis(10);

/// Code of a server that belongs to no replica set yet.
const NOT_YET_INITIALIZED: i32 = 94;

/// Code of a server that is told to become a replica set and is one.
const ALREADY_INITIALIZED: i32 = 23;

/// How often a server that dies is started again, unless it lived for a minute in between.
pub const RESTARTS_MAX: u32 = 5;

/// How a [`MongodServer`] runs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MongodOptions {
    /// The program; default: [`find_or_install_mongod`].
    pub program: Option<PathBuf>,
    /// Bytes of the server's cache, in whole MiB; default 256 MiB, the least that MongoDB allows.
    pub cache_bytes: u64,
    /// Bytes of its replication log, in whole MiB; default 256 MiB.
    pub oplog_bytes: u64,
    /// How long it may take to start, recovery included; default 2 minutes.
    pub start_time: Duration,
    /// How often it is started again when it dies; default [`RESTARTS_MAX`].
    pub restarts_max: u32,
    /// A program that binds the server to the shell around it, so that it ends even when both are
    /// killed: run as `PROGRAM --exec-child-of=PID MONGOD ARGUMENTS`, it has itself told to end
    /// when PID dies and becomes mongod. Default: none; then a watcher beside the shell ends it.
    pub bound_by: Option<PathBuf>,
}

impl Default for MongodOptions {
    fn default() -> Self {
        Self {
            program: None,
            cache_bytes: 256 << 20,
            oplog_bytes: 256 << 20,
            start_time: Duration::from_secs(120),
            restarts_max: RESTARTS_MAX,
            bound_by: None,
        }
    }
}

impl MongodOptions {
    /// With the program at `program`.
    #[must_use]
    pub fn program(self, program: impl Into<PathBuf>) -> Self {
        Self { program: Some(program.into()), ..self }
    }

    /// Started again `restarts_max` times when it dies.
    #[must_use]
    pub fn restarts_max(self, restarts_max: u32) -> Self {
        Self { restarts_max, ..self }
    }

    /// Bound by the program at `program`; see [`MongodOptions::bound_by`].
    #[must_use]
    pub fn bound_by(self, program: impl Into<PathBuf>) -> Self {
        Self { bound_by: Some(program.into()), ..self }
    }

    /// With a cache of `cache_bytes`.
    #[must_use]
    pub fn cache_bytes(self, cache_bytes: u64) -> Self {
        Self { cache_bytes, ..self }
    }
}

/// A `mongod` that this process started: a replica set of one in a folder of its own, reached
/// through a Unix socket that only this user can open; it listens at no port.
///
/// It ends with this value, and also when this process is killed. A folder has one server at a
/// time. One that dies is started again and recovers what it acknowledged; stores that have it
/// open go on once it is up.
///
/// ```no_run
/// use mspass_io::store::mongo::{MongoOptions, MongoStore, MongodOptions, MongodServer};
///
/// let server = MongodServer::start("workdir/db".as_ref(), &MongodOptions::default())?;
/// let store = MongoStore::open(&server.uri("quakes"), &MongoOptions::default())?;
/// drop(store);
/// server.stop()?;
/// # Ok::<(), mspass_io::Error>(())
/// ```
#[derive(Debug)]
pub struct MongodServer {
    folder: PathBuf,
    socket: PathBuf,
    supervisor: Child,
    stopped: bool,
    /// Locked while this process owns the folder.
    _owner: File,
}

impl MongodServer {
    /// Starts a server in `folder`, which is created where needed, and waits until it accepts
    /// writes. The data of an earlier server in `folder` are there again.
    ///
    /// # Errors
    /// [`Error::Refused`], in one sentence, when another process runs a server in `folder`, when
    /// there is no `mongod`, or when it does not start, with its last words.
    pub fn start(folder: &Path, options: &MongodOptions) -> Result<Self> {
        let program = match &options.program {
            Some(program) => program.clone(),
            None => find_or_install_mongod()?,
        };
        let program = fs::canonicalize(&program).map_err(Error::file("find", &program))?;
        let data = folder.join("data");
        fs::create_dir_all(&data).map_err(Error::file("create", &data))?;
        let folder = fs::canonicalize(folder).map_err(Error::file("find", folder))?;
        let owner = own(&folder)?;
        let lock = await_predecessor(&folder)?;
        let (short, socket) = socket_path(&folder)?;
        let log = start_log(&folder)?;
        let supervisor = command(&program, &short, &folder, options)
            .stdin(Stdio::piped())
            .stdout(lock)
            .stderr(log)
            .spawn()
            .map_err(|error| Error::Refused(format!("cannot run sh to start mongod: {error}")))?;
        let mut server = Self { folder, socket, supervisor, stopped: false, _owner: owner };
        server.await_primary(options.start_time)?;
        // From now on it is started again when it dies.
        let told = server.supervisor.stdin.as_mut().map(|stdin| stdin.write_all(b"up\n"));
        told.unwrap_or(Ok(())).map_err(Error::store("MongoDB", "watch mongod"))?;
        Ok(server)
    }

    /// The name under which the database `database` of this server is opened.
    pub fn uri(&self, database: &str) -> String {
        format!("mongodb://{}/{database}?directConnection=true", encode(&self.socket))
    }

    /// Folder of the server: its data, its log (`mongod.log`) and its socket.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How often it died and was started again.
    pub fn restarts(&self) -> u32 {
        let codes = fs::read_to_string(self.folder.join("restarts")).unwrap_or_default();
        u32::try_from(codes.lines().count()).unwrap_or(u32::MAX)
    }

    /// Ends the server and waits until it is gone. Dropping it does the same.
    ///
    /// # Errors
    /// [`Error::Refused`] when it did not end in order, with its last words.
    pub fn stop(mut self) -> Result<()> {
        let status = self.end()?;
        if status.success() {
            return Ok(());
        }
        Err(Error::Refused(format!("mongod ended with {status}{}", self.last_words())))
    }

    /// Closes the pipe that keeps the server running and waits for its end, which the supervisor
    /// enforces after a minute.
    #[expect(clippy::disallowed_methods, reason = "a process has no end to wait for with a limit")]
    fn end(&mut self) -> Result<ExitStatus> {
        self.stopped = true;
        drop(self.supervisor.stdin.take());
        for _ in 0..PREDECESSOR_TIME.as_millis() / PAUSE.as_millis() {
            let status = self.supervisor.try_wait();
            if let Some(status) = status.map_err(Error::store("MongoDB", "end mongod"))? {
                return Ok(status);
            }
            std::thread::sleep(PAUSE);
        }
        let (folder, seconds) = (self.folder.display(), PREDECESSOR_TIME.as_secs());
        Err(Error::Refused(format!(
            "mongod in {folder} did not end within {seconds} s: end it by hand"
        )))
    }

    fn await_primary(&mut self, start_time: Duration) -> Result<()> {
        let driver = Driver::start().map_err(Error::store("MongoDB", "start its thread"))?;
        let mut waits = start_time.as_millis() / PAUSE.as_millis();
        let mut pause = |server: &mut Self, action: &str| {
            let status = server.supervisor.try_wait();
            if let Some(status) = status.map_err(Error::store("MongoDB", "look at mongod"))? {
                let words = server.last_words();
                return Err(Error::Refused(format!("mongod did not start ({status}){words}")));
            }
            if waits == 0 {
                let (seconds, words) = (start_time.as_secs(), server.last_words());
                return Err(Error::Refused(format!(
                    "mongod did not {action} within {seconds} s{words}"
                )));
            }
            waits -= 1;
            let paused = async {
                tokio::time::sleep(PAUSE).await;
                Ok(())
            };
            driver.run(paused).map_err(|failure| failure.during("wait for mongod"))
        };
        while UnixStream::connect(&self.socket).is_err() {
            pause(self, "open its socket")?;
        }
        let failed = |failure: Failure| failure.during("set mongod up");
        let uri = self.uri("admin");
        let admin = driver.run(async move {
            let options = ClientOptions::parse(uri).await?;
            Ok(Client::with_options(options)?.database("admin"))
        });
        let admin = admin.map_err(failed)?;
        while !driver.run(is_primary(admin.clone())).map_err(failed)? {
            pause(self, "become primary")?;
        }
        Ok(())
    }

    /// ": REASON" from the server's log, or nothing.
    fn last_words(&self) -> String {
        log::last_words(&self.folder.join(log::NAME)).map(|w| format!(": {w}")).unwrap_or_default()
    }
}

impl Drop for MongodServer {
    fn drop(&mut self) {
        if !self.stopped
            && let Err(error) = self.end()
        {
            tracing::warn!("{error}");
        }
    }
}

/// Makes the server a replica set of one if it is none, and tells whether it accepts writes.
async fn is_primary(admin: mongodb::Database) -> Result<bool, Failure> {
    let hello = admin.run_command(doc! {"hello": 1}).await?;
    if hello.get_bool("isWritablePrimary").unwrap_or(false) {
        return Ok(true);
    }
    if hello.contains_key("setName") {
        return Ok(false);
    }
    match admin.run_command(doc! {"replSetGetStatus": 1}).await.map_err(Failure::from) {
        Err(failure) if failure.code() == Some(NOT_YET_INITIALIZED) => {
            // The path is relative to the server's folder, so the folder may be moved.
            let members = [doc! {"_id": 0, "host": format!("./{SOCKET}")}];
            let set = doc! {"_id": "mspass", "members": members};
            match admin.run_command(doc! {"replSetInitiate": set}).await.map_err(Failure::from) {
                // It is reading the set it belongs to just now.
                Err(failure) if failure.code() == Some(ALREADY_INITIALIZED) => {}
                other => other.map(drop)?,
            }
        }
        _ => {}
    }
    Ok(false)
}

fn command(program: &Path, short: &Path, folder: &Path, options: &MongodOptions) -> Command {
    let mib = |bytes: u64| bytes.max(1 << 20) >> 20;
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", SUPERVISE, "mspass-mongod"])
        .arg(short)
        .arg(options.restarts_max.to_string())
        .arg(options.bound_by.as_deref().unwrap_or("".as_ref()))
        .arg(program)
        .args(["--dbpath", "data", "--logpath", log::NAME, "--logappend", "--quiet"])
        .args(["--unixSocketPrefix", ".", "--bind_ip", &format!("./{SOCKET}"), "--port", "27017"])
        .args(["--filePermissions", "0700"])
        .args(["--replSet", "mspass", "--oplogSize", &mib(options.oplog_bytes).to_string()])
        .args(["--wiredTigerCacheSizeGB", &(mib(options.cache_bytes) as f64 / 1024.0).to_string()])
        // Samples hardly compress; on a desktop the processor is scarcer than the disk.
        .args(["--wiredTigerJournalCompressor", "none"])
        .args(["--setParameter", "diagnosticDataCollectionEnabled=false"])
        // A set of one has nobody to hand over to when it ends.
        .args(["--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"])
        .current_dir(folder)
        // Ctrl-C in the terminal is for us; we end the server when we have finished with it.
        .process_group(0);
    command
}

/// Takes possession of `folder`, or names the process that has it.
fn own(folder: &Path) -> Result<File> {
    let path = folder.join("owner.lock");
    let mut file = open_lock(&path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.take(200).read_to_string(&mut holder);
            let holder = if holder.is_empty() { "another process" } else { holder.trim() };
            return Err(Error::Refused(format!(
                "the MongoDB server in {} is in use by {holder}: stop it, or choose another \
                 workdir",
                folder.display()
            )));
        }
        Err(TryLockError::Error(error)) => return Err(Error::file("lock", path)(error)),
    }
    let name = std::env::current_exe().ok();
    let name = name.as_deref().and_then(Path::file_name).unwrap_or("mspass".as_ref());
    let holder = format!("{} (pid {})\n", name.display(), std::process::id());
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(holder.as_bytes()))
        .map_err(Error::file("write", path))?;
    Ok(file)
}

/// The lock that a server holds while it runs, once a server whose owner is gone has ended.
fn await_predecessor(folder: &Path) -> Result<File> {
    let path = folder.join("server.lock");
    let file = open_lock(&path)?;
    let (sender, locked) = channel();
    std::thread::spawn(move || {
        let result = file.lock().map(|()| file);
        let _ = sender.send(result);
    });
    match locked.recv_timeout(PREDECESSOR_TIME) {
        Ok(result) => result.map_err(Error::file("lock", path)),
        Err(_) => Err(Error::Refused(format!(
            "an earlier mongod in {} does not end: end it by hand",
            folder.display()
        ))),
    }
}

fn open_lock(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(Error::file("open", path))
}

/// Opens an empty log; the one of the last run is kept beside it.
fn start_log(folder: &Path) -> Result<File> {
    let path = folder.join(log::NAME);
    if path.exists() {
        let old = folder.join(log::OLD_NAME);
        fs::rename(&path, &old).map_err(Error::file("rename", &path))?;
    }
    OpenOptions::new().create(true).append(true).open(&path).map_err(Error::file("create", path))
}

/// A private short folder and, through it, the path of the socket. The folder is empty where the
/// socket's own path is short enough.
fn socket_path(folder: &Path) -> Result<(PathBuf, PathBuf)> {
    let socket = folder.join(SOCKET);
    if socket.as_os_str().len() <= SOCKET_PATH_MAX {
        return Ok((PathBuf::new(), socket));
    }
    let id = std::process::id();
    for place in [std::env::temp_dir(), PathBuf::from("/tmp")] {
        for number in 0..1000 {
            let short = place.join(format!("mspass-{id}-{number}"));
            let socket = short.join("d").join(SOCKET);
            if socket.as_os_str().len() > SOCKET_PATH_MAX {
                break;
            }
            match fs::DirBuilder::new().mode(0o700).create(&short) {
                Ok(()) => {
                    let link = short.join("d");
                    std::os::unix::fs::symlink(folder, &link)
                        .map_err(Error::file("create", link))?;
                    return Ok((short, socket));
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(_) => break,
            }
        }
    }
    Err(Error::Refused(format!(
        "the path {} is too long for a socket, and there is no folder for a shorter one",
        folder.display()
    )))
}

/// Percent-encodes a path for a connection string.
fn encode(path: &Path) -> String {
    use std::fmt::Write;
    use std::os::unix::ffi::OsStrExt;
    let mut text = String::new();
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}
