//! The database a person asked for.

use std::path::Path;
use std::time::Duration;

use mspass_io::store::mongo::{MongoOptions, MongoStore, MongodOptions, MongodServer};
use mspass_io::store::{Database, DatabaseName};
use mspass_io::{Error, Result};

use crate::options::Store;
use crate::process::own_program;

/// A database, with the server that was started for it.
#[derive(Debug)]
pub(crate) struct OpenDatabase {
    pub(crate) database: Database,
    /// How to name it to `mspass`.
    pub(crate) name: String,
    server: Option<MongodServer>,
}

/// Name of the database on a `mongod` of our own.
const MONGOD_DATABASE: &str = "mspass";

/// How long a call waits for a `mongod` of our own that died and is started again: it recovers what
/// it acknowledged first.
const RESTART_TIME: Duration = Duration::from_secs(120);

impl OpenDatabase {
    /// Opens `embedded`, `mongod` or a full name.
    pub(super) fn open(db: &str, workdir: &Path) -> Result<Self> {
        let name = match db {
            "embedded" => DatabaseName::Embedded(workdir.join("db")),
            "mongod" => {
                let folder = workdir.join("mongod");
                return Self::managed(MongodServer::start(&folder, &MongodOptions::default())?);
            }
            other => other.parse().map_err(|_| {
                Error::Refused(format!(
                    "--db {other}: write embedded, mongod, embedded:PATH or \
                     mongodb://HOST:PORT/NAME"
                ))
            })?,
        };
        Self::named(&name)
    }

    /// Opens what the db role is to hold. A `mongod` dies with the process that opens it.
    pub(crate) fn of(store: &Store) -> Result<Self> {
        match store {
            Store::Embedded(path) => Self::named(&DatabaseName::Embedded(path.clone())),
            Store::Named(name) => Self::named(name),
            Store::Mongod(folder) => {
                let options = MongodOptions::default().bound_by(own_program());
                Self::managed(MongodServer::start(folder, &options)?)
            }
        }
    }

    fn named(name: &DatabaseName) -> Result<Self> {
        Ok(Self { database: Database::open(name)?, name: name.to_string(), server: None })
    }

    fn managed(server: MongodServer) -> Result<Self> {
        let name = server.uri(MONGOD_DATABASE);
        let options = MongoOptions::default().selection_time(RESTART_TIME);
        let database = MongoStore::open(&name, &options)?.database();
        Ok(Self { database, name, server: Some(server) })
    }

    /// Stops the server that was started for it, if any.
    pub(crate) fn close(self) -> Result<()> {
        let Self { database, server, .. } = self;
        drop(database);
        server.map_or(Ok(()), MongodServer::stop)
    }
}
