//! A real MongoDB server for tests, found or installed by itself.

use std::path::Path;
use std::sync::OnceLock;

use mspass_io::store::mongo::{MongoOptions, MongoStore, MongodOptions, MongodServer};

/// Test processes that may run side by side, each with a server of its own.
const PROCESSES_MAX: usize = 8;

/// The server that the tests of this process share. It ends with the process.
fn server() -> &'static MongodServer {
    static SERVER: OnceLock<MongodServer> = OnceLock::new();
    SERVER.get_or_init(|| {
        let mut refusal = None;
        for number in 0..PROCESSES_MAX {
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("mongod-{number}"));
            match MongodServer::start(&folder, &MongodOptions::default()) {
                Ok(server) => return server,
                Err(error) if error.to_string().contains("is in use by") => refusal = Some(error),
                Err(error) => panic!("{error}"),
            }
        }
        panic!("{PROCESSES_MAX} test processes run already: {refusal:?}")
    })
}

/// An empty database of its own for the test `name`.
pub(crate) fn store(name: &str) -> MongoStore {
    let store = MongoStore::open(&server().uri(name), &MongoOptions::default())
        .expect("our own server answers");
    store.drop_database().expect("a database can be emptied");
    store
}

/// The name of the database of the test `name`.
#[allow(dead_code, reason = "not every test program needs it")]
pub(crate) fn uri(name: &str) -> String {
    server().uri(name)
}
