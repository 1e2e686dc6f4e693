//! The db role: the one holder of the store.

use std::time::Duration;

use mspass_actors::clock;
use mspass_actors::db_proxy::DbProxy;
use mspass_actors::db_proxy::messages::{ReadBlob, Save, StoreCall};

use super::find::STORE;
use super::incarnation;
use super::node::{Member, connect};
use crate::desktop::OpenDatabase;
use crate::desktop::signals::Interrupt;
use crate::error::Result;
use crate::options::{Role, Settings};

/// Serves the store until it is told to end.
pub(super) fn serve(settings: &Settings) -> Result<u8> {
    let (open, member) = start(settings)?;
    Interrupt::listen(&member.runtime.waiter()).wait();
    drop(member);
    open.close()?;
    Ok(0)
}

/// How long the process before this one may take to let go of the store.
const LET_GO_MAX: Duration = Duration::from_secs(15);
/// How often the store is tried meanwhile.
const LOOK: Duration = Duration::from_millis(50);

/// Opens the store, which the process before this one may hold while it ends.
fn open(settings: &Settings) -> Result<OpenDatabase> {
    let until = clock::now() + LET_GO_MAX;
    let never = Interrupt::default();
    loop {
        match OpenDatabase::of(&settings.store) {
            Err(mspass_io::Error::StoreInUse { .. }) if clock::now() < until => never.pause(LOOK),
            opened => return Ok(opened?),
        }
    }
}

/// Opens the store, starts its proxy, and says where it is.
pub(super) fn start(settings: &Settings) -> Result<(OpenDatabase, Member)> {
    let open = open(settings)?;
    let mut member = connect(settings, Role::Db, &format!("db-{:x}", incarnation()))?;
    let proxy = DbProxy::start(&member.runtime, open.database.clone())?;
    member.node.register(STORE, proxy.mailbox::<StoreCall>());
    member.node.register(STORE, proxy.mailbox::<Save>());
    member.node.register(STORE, proxy.mailbox::<ReadBlob>());
    member.announce(settings, Role::Db)?;
    tracing::info!("the store {} is open", open.name);
    Ok((open, member))
}
