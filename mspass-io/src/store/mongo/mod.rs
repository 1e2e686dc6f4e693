//! The MongoDB store: documents in collections, samples in GridFS, laid out as MsPASS does.
//!
//! [`MongoStore`] implements [`DocumentStore`](super::DocumentStore) and
//! [`BlobStore`](super::BlobStore) over one pool of connections. The driver underneath is
//! asynchronous; it runs on a thread that the store owns, and the calls of the two traits wait for
//! it, so they work on any thread. [`MongodServer`] starts and stops a server of its own.

mod command;
mod cursor;
mod documents;
mod driver;
mod failure;
mod gridfs;
mod link;
mod server;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bson::doc;
use mongodb::Client;
use mongodb::error::ErrorKind;
use mongodb::options::{Acknowledgment, ClientOptions, ServerAddress, WriteConcern};

use self::driver::Driver;
use self::failure::Failure;
use self::link::Link;
use super::Database;
use crate::error::{Error, Result};

pub use self::server::{
    MongodOptions, MongodServer, RESTARTS_MAX, find_mongod, find_or_install_mongod, install_mongod,
    mongod_folder,
};

/// Connections that a store opens at most, unless its options or the database name say otherwise.
pub const CONNECTIONS_MAX: u32 = 8;

/// How long a store looks for its server before it gives up, unless its options or the database
/// name (`serverSelectionTimeoutMS`) say otherwise.
pub const SELECTION_TIME: Duration = Duration::from_secs(5);

/// How a [`MongoStore`] connects. What the database name states itself
/// (`?maxPoolSize=4&appName=x`) wins over these.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MongoOptions {
    /// Connections opened at most; default [`CONNECTIONS_MAX`].
    pub connections_max: u32,
    /// How long to look for the server; default [`SELECTION_TIME`].
    pub selection_time: Duration,
    /// Name under which the server's log and statistics list the connections.
    pub app_name: String,
}

impl Default for MongoOptions {
    fn default() -> Self {
        Self {
            connections_max: CONNECTIONS_MAX,
            selection_time: SELECTION_TIME,
            app_name: "mspass".into(),
        }
    }
}

impl MongoOptions {
    /// With `connections_max` connections at most.
    #[must_use]
    pub fn connections_max(self, connections_max: u32) -> Self {
        Self { connections_max, ..self }
    }

    /// Looking for the server for `selection_time`.
    #[must_use]
    pub fn selection_time(self, selection_time: Duration) -> Self {
        Self { selection_time, ..self }
    }
}

/// A MongoDB database: documents and, in GridFS, samples.
///
/// Every write is acknowledged by a majority and on disk before its call returns. A call that loses
/// its connection, or finds that the server is not the primary, is repeated a few times, except for
/// `insert`, `update` and the `delete` of documents, which are not idempotent. Clones share the
/// connections; the last one to go closes them.
///
/// ```no_run
/// use bson::doc;
/// use mspass_io::store::mongo::{MongoOptions, MongoStore};
/// use mspass_io::store::{DocumentStore, Find};
///
/// let store = MongoStore::open("mongodb://localhost:27017/quakes", &MongoOptions::default())?;
/// store.upsert("site", &[doc! {"_id": 1, "net": "IU", "sta": "ANMO"}])?;
/// for site in store.find("site", &Find::filter(doc! {"net": "IU"}))? {
///     println!("{}", site?);
/// }
/// # Ok::<(), mspass_io::Error>(())
/// ```
#[derive(Clone)]
pub struct MongoStore {
    link: Arc<Link>,
}

impl MongoStore {
    /// Connects to the database that `uri` names: `mongodb://HOST[:PORT]/NAME[?OPTIONS]`, or
    /// `mongodb://PATH.sock/NAME` with a percent-encoded path for a Unix socket.
    ///
    /// # Errors
    /// [`Error::DatabaseName`] when `uri` names none; [`Error::Refused`] when no server answers
    /// within `options.selection_time` or it refuses the user.
    pub fn open(uri: &str, options: &MongoOptions) -> Result<Self> {
        let driver = Driver::start().map_err(Error::store("MongoDB", "start its thread"))?;
        let (text, options) = (uri.to_owned(), options.clone());
        let parsed = driver.run(async move { Ok(ClientOptions::parse(text).await?) });
        let mut parsed = parsed.map_err(|failure| match failure {
            Failure::Stopped | Failure::TimedOut => failure.during("read the database name"),
            other => Error::Refused(format!("{}: {}", without_password(uri), other.text())),
        })?;
        let Some(name) = parsed.default_database.clone() else {
            return Err(Error::DatabaseName { name: without_password(uri) });
        };
        let selection_time = *parsed.server_selection_timeout.get_or_insert(options.selection_time);
        parsed.max_pool_size.get_or_insert(options.connections_max);
        parsed.app_name.get_or_insert(options.app_name);
        parsed.write_concern = Some(durable());
        let address = addresses(&parsed.hosts);
        let database = driver
            .run(async move {
                let database = Client::with_options(parsed)?.database(&name);
                database.run_command(doc! {"ping": 1}).await?;
                Ok(database)
            })
            .map_err(|failure| unreachable(failure, &address, selection_time))?;
        let link = Link { database, driver, address, indexed: AtomicBool::new(false) };
        Ok(Self { link: Arc::new(link) })
    }

    /// This store as documents and samples of one database.
    pub fn database(&self) -> Database {
        Database { documents: Arc::new(self.clone()), blobs: Arc::new(self.clone()) }
    }

    /// Name of the database within its server.
    pub fn name(&self) -> &str {
        self.link.database.name()
    }

    /// Deletes the whole database: all collections and samples.
    ///
    /// # Errors
    /// [`Error::Store`] when the server does not answer or refuses.
    pub fn drop_database(&self) -> Result<()> {
        let dropped = self.link.idempotent(|database| async move { Ok(database.drop().await?) });
        // The indexes of the samples went with them.
        self.link.indexed.store(false, Ordering::Relaxed);
        dropped.map_err(|failure| failure.during(format!("delete database {}", self.name())))
    }
}

impl fmt::Debug for MongoStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MongoStore")
            .field("address", &self.link.address)
            .field("database", &self.name())
            .finish_non_exhaustive()
    }
}

/// Acknowledged by a majority of the servers and on disk. A server alone is its own majority.
fn durable() -> WriteConcern {
    let mut concern = WriteConcern::from(Acknowledgment::Majority);
    concern.journal = Some(true);
    concern
}

fn addresses(hosts: &[ServerAddress]) -> String {
    hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A database name that may be shown: what stands between `//` and `@` is left out.
fn without_password(uri: &str) -> String {
    match (uri.find("://"), uri.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            format!("{}{}", &uri[..scheme + 3], &uri[at + 1..])
        }
        _ => uri.to_owned(),
    }
}

/// The sentence for a server that could not be reached when the store was opened.
fn unreachable(failure: Failure, address: &str, waited: Duration) -> Error {
    let Failure::Driver(error) = &failure else {
        return failure.during(format!("connect to {address}"));
    };
    let seconds = waited.as_secs_f64();
    Error::Refused(match error.kind.as_ref() {
        ErrorKind::ServerSelection { message, .. } => {
            let cause = failure::cause_of_silence(message);
            let cause = cause.map(|cause| format!(" ({cause})")).unwrap_or_default();
            format!(
                "no MongoDB server answers at {address} within {seconds:.0} s{cause}: \
                 start it or correct the address"
            )
        }
        ErrorKind::Authentication { message, .. } => {
            format!("the MongoDB server at {address} refuses the user: {message}")
        }
        _ => format!("the MongoDB server at {address} cannot be used: {}", failure.text()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_name_has_no_password() {
        assert_eq!(without_password("mongodb://u:p@ss@h:1/x"), "mongodb://h:1/x");
        assert_eq!(without_password("mongodb://h/x"), "mongodb://h/x");
        assert_eq!(without_password("h@x"), "h@x");
    }

    #[test]
    fn a_name_without_database_is_refused() {
        let error = MongoStore::open("mongodb://u:secret@localhost:1/", &MongoOptions::default())
            .unwrap_err();
        assert!(matches!(error, Error::DatabaseName { .. }), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
        let error = MongoStore::open("mongodb://:x:y/z", &MongoOptions::default()).unwrap_err();
        assert!(matches!(error, Error::Refused(_)), "{error}");
    }
}
