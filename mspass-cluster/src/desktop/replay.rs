//! Making one saved waveform again, in a program that knows its workflow.

use bson::oid::ObjectId;
use mspass_actors::job::replay;
use mspass_actors::workflow::stage::Stage;
use mspass_io::store::{Database, DatabaseName};

use super::{DesktopOptions, OpenDatabase};
use crate::error::{Error, Result};

/// Makes the waveform `id` again and says whether it is what is stored: 0 if so, else 1.
pub(crate) fn replay_one(options: &DesktopOptions, stage: Stage, id: &str) -> Result<u8> {
    let id = ObjectId::parse_str(id)
        .map_err(|_| Error::Option(format!("--replay {id}: an _id has 24 hexadecimal digits")))?;
    let (database, open) = existing(options)?;
    let folder = options.workdir.join("work");
    let replayed = replay(&database, stage, id, &folder);
    drop(database);
    open.map_or(Ok(()), OpenDatabase::close)?;
    let replayed = replayed?;
    if options.json {
        println!(
            "{}",
            serde_json::json!({
                "id": id.to_hex(), "collection": replayed.collection, "job": replayed.job,
                "equal": replayed.is_equal(), "bytes": replayed.bytes,
                "what": replayed.to_string(),
            })
        );
    } else {
        println!("{replayed}");
    }
    Ok(u8::from(!replayed.is_equal()))
}

/// The database, which has to be there; with the server that was started for it.
fn existing(options: &DesktopOptions) -> Result<(Database, Option<OpenDatabase>)> {
    if options.db == "embedded" {
        if let Some(database) = crate::cluster::running_database(&options.workdir) {
            return Ok((database, None));
        }
        let name = DatabaseName::Embedded(options.workdir.join("db"));
        return Ok((Database::open_existing(&name)?, None));
    }
    let open = OpenDatabase::open(&options.db, &options.workdir)?;
    Ok((open.database.clone(), Some(open)))
}
