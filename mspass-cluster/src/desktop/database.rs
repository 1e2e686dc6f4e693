//! The database a person asked for.

use std::path::Path;

use mspass_io::store::mongo::{MongodOptions, MongodServer};
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

impl OpenDatabase {
    /// Opens `embedded`, `mongod` or a full name.
    pub(super) fn open(db: &str, workdir: &Path) -> Result<Self> {
        let (name, server) = match db {
            "embedded" => (DatabaseName::Embedded(workdir.join("db")), None),
            "mongod" => {
                let server =
                    MongodServer::start(&workdir.join("mongod"), &MongodOptions::default())?;
                (server.uri(MONGOD_DATABASE).parse()?, Some(server))
            }
            other => {
                let name = other.parse().map_err(|_| {
                    Error::Refused(format!(
                        "--db {other}: write embedded, mongod, embedded:PATH or \
                         mongodb://HOST:PORT/NAME"
                    ))
                })?;
                (name, None)
            }
        };
        Self::named(name, server)
    }

    /// Opens what the db role is to hold. A `mongod` dies with the process that opens it.
    pub(crate) fn of(store: &Store) -> Result<Self> {
        match store {
            Store::Embedded(path) => Self::named(DatabaseName::Embedded(path.clone()), None),
            Store::Named(name) => Self::named(name.clone(), None),
            Store::Mongod(folder) => {
                let options = MongodOptions::default().bound_by(own_program());
                let server = MongodServer::start(folder, &options)?;
                Self::named(server.uri(MONGOD_DATABASE).parse()?, Some(server))
            }
        }
    }

    fn named(name: DatabaseName, server: Option<MongodServer>) -> Result<Self> {
        let database = Database::open(&name)?;
        Ok(Self { database, name: name.to_string(), server })
    }

    /// Stops the server that was started for it, if any.
    pub(crate) fn close(self) -> Result<()> {
        let Self { database, server, .. } = self;
        drop(database);
        server.map_or(Ok(()), MongodServer::stop)
    }
}
