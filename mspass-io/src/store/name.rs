//! Names of databases.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use super::Database;
use super::embedded::{EmbeddedOptions, EmbeddedStore};
use super::memory::MemoryStore;
use super::mongo::{MongoOptions, MongoStore};
use crate::error::{Error, Result};

/// Where a database is: `embedded:PATH`, `mongodb://HOST:PORT/NAME` or, for tests, `memory:`.
///
/// ```
/// use mspass_io::store::DatabaseName;
///
/// let name: DatabaseName = "embedded:work/db".parse()?;
/// assert_eq!(name, DatabaseName::Embedded("work/db".into()));
/// # Ok::<(), mspass_io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseName {
    /// A folder of this machine.
    Embedded(PathBuf),
    /// A database of a MongoDB server.
    MongoDb(MongoUri),
    /// A new, empty store of this process.
    Memory,
}

/// A `mongodb://` address with the name of a database; a password in it is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct MongoUri(String);

impl MongoUri {
    /// The whole address, password included.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the database.
    pub fn database(&self) -> &str {
        let after_hosts = self.0.splitn(4, '/').nth(3).unwrap_or_default();
        after_hosts.split('?').next().unwrap_or_default()
    }
}

impl FromStr for DatabaseName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let refused = || Error::DatabaseName { name: MongoUri(name.to_owned()).to_string() };
        if let Some(path) = name.strip_prefix("embedded:") {
            return if path.is_empty() { Err(refused()) } else { Ok(Self::Embedded(path.into())) };
        }
        if let Some(rest) = name.strip_prefix("mongodb://") {
            let uri = MongoUri(name.to_owned());
            let database = uri.database();
            let hosts = rest.split('/').next().unwrap_or_default();
            let sound = !database.is_empty() && !database.contains(['/', '\\', '.', ' ', '"', '$']);
            return if sound && !hosts.is_empty() {
                Ok(Self::MongoDb(uri))
            } else {
                Err(refused())
            };
        }
        if name == "memory:" { Ok(Self::Memory) } else { Err(refused()) }
    }
}

impl fmt::Display for DatabaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded(path) => write!(f, "embedded:{}", path.display()),
            Self::MongoDb(uri) => uri.fmt(f),
            Self::Memory => f.write_str("memory:"),
        }
    }
}

impl fmt::Display for MongoUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = self.0.split_once("://").and_then(|(scheme, rest)| {
            let (user, hosts) = rest.rsplit_once('@')?;
            let (user, _) = user.split_once(':')?;
            Some((scheme, user, hosts))
        });
        match secret {
            Some((scheme, user, hosts)) => write!(f, "{scheme}://{user}:***@{hosts}"),
            None => f.write_str(&self.0),
        }
    }
}

impl fmt::Debug for MongoUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Database {
    /// Opens the database of that name; an embedded one is made if it is not there.
    pub fn open(name: &DatabaseName) -> Result<Self> {
        Self::open_with(name, &EmbeddedOptions::default())
    }

    /// Opens the database of that name; an embedded one must be there already.
    ///
    /// # Errors
    /// [`Error::Refused`] where there is no embedded store; nothing is made.
    pub fn open_existing(name: &DatabaseName) -> Result<Self> {
        Self::open_with(name, &EmbeddedOptions { create: false, ..EmbeddedOptions::default() })
    }

    fn open_with(name: &DatabaseName, options: &EmbeddedOptions) -> Result<Self> {
        match name {
            DatabaseName::Embedded(path) => {
                Ok(Self::of(Arc::new(EmbeddedStore::open(path, options)?)))
            }
            DatabaseName::MongoDb(uri) => open_mongo(uri),
            DatabaseName::Memory => Ok(Self::of(Arc::new(MemoryStore::new()))),
        }
    }

    /// The database that one store is by itself.
    pub fn of<S: super::DocumentStore + super::BlobStore + 'static>(store: Arc<S>) -> Self {
        Self { documents: Arc::clone(&store) as _, blobs: store }
    }
}

/// The one place where MongoDB is opened by name.
fn open_mongo(uri: &MongoUri) -> Result<Database> {
    Ok(MongoStore::open(uri.as_str(), &MongoOptions::default())?.database())
}
