//! Databases by name.

use mspass_io::Error;
use mspass_io::store::{Database, DatabaseName};

use super::failure::Failure;
use crate::cluster::running_database;

/// What `text` names; a store that lives and dies with this process is none.
pub(super) fn parse(text: &str) -> Result<DatabaseName, Failure> {
    match text.parse()? {
        DatabaseName::Memory => Err(Error::DatabaseName { name: text.to_owned() }.into()),
        name => Ok(name),
    }
}

/// Opens a database to read from; one that is not there is not made.
///
/// The store of a running cluster is reached through its db-proxy, which holds it.
pub(super) fn open(name: &DatabaseName) -> Result<Database, Failure> {
    if let DatabaseName::Embedded(path) = name {
        let workdir = if path.ends_with("db") { path.parent() } else { Some(path.as_path()) };
        let is_cluster = |workdir: &&std::path::Path| workdir.join("cluster").is_dir();
        if let Some(database) = workdir.filter(is_cluster).and_then(running_database) {
            return Ok(database);
        }
    }
    Database::open_existing(name).map_err(|error| match name {
        // The working directory of a job has its store inside.
        DatabaseName::Embedded(path) if path.join("db").is_dir() => {
            let inner = DatabaseName::Embedded(path.join("db"));
            Failure::BadInput(format!("{error}; is it {inner}?"))
        }
        _ => error.into(),
    })
}

/// Opens a database to write to, and makes an embedded one that is not there.
pub(super) fn open_or_create(name: &DatabaseName) -> Result<Database, Failure> {
    Ok(Database::open(name)?)
}
