//! The db role: the one holder of the store.

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

/// Opens the store, starts its proxy, and says where it is.
pub(super) fn start(settings: &Settings) -> Result<(OpenDatabase, Member)> {
    let open = OpenDatabase::of(&settings.store)?;
    let mut member = connect(settings, Role::Db, &format!("db-{:x}", incarnation()))?;
    let proxy = DbProxy::start(&member.runtime, open.database.clone())?;
    member.node.register(STORE, proxy.mailbox::<StoreCall>());
    member.node.register(STORE, proxy.mailbox::<Save>());
    member.node.register(STORE, proxy.mailbox::<ReadBlob>());
    member.announce(settings, Role::Db)?;
    tracing::info!("the store {} is open", open.name);
    Ok((open, member))
}
