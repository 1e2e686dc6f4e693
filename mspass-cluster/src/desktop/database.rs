//! The database a person asked for.

use std::path::Path;

use mspass_io::store::mongo::{MongodOptions, MongodServer};
use mspass_io::store::{Database, DatabaseName};
use mspass_io::{Error, Result};

/// A database, with the server that was started for it.
#[derive(Debug)]
pub(super) struct OpenDatabase {
    pub(super) database: Database,
    /// How to name it to `mspass`.
    pub(super) name: String,
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
        let database = Database::open(&name)?;
        Ok(Self { database, name: name.to_string(), server })
    }

    /// Stops the server that was started for it, if any.
    pub(super) fn close(self) -> Result<()> {
        let Self { database, server, .. } = self;
        drop(database);
        server.map_or(Ok(()), MongodServer::stop)
    }
}
