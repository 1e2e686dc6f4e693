//! Messages to bytes and back, with what travels beside them in a scope of the thread.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::blob::BLOB_MIN;
use super::{BLOBS_MAX, Malformed};
use crate::node::Home;

/// What a message's parts may use while it is encoded or decoded.
#[derive(Default)]
pub(crate) struct Scope {
    /// What travels beside it.
    pub(crate) blobs: Vec<Bytes>,
    /// The node that sends or receives; `None` when the message stays in this process.
    pub(crate) home: Option<Home>,
    parked: Vec<Option<Box<dyn Any + Send>>>,
    encoding: bool,
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("blobs", &self.blobs.len()).finish_non_exhaustive()
    }
}

impl Scope {
    /// For messages of this node.
    pub(crate) fn of(home: Option<Home>) -> Self {
        Self { home, ..Self::default() }
    }

    /// For decoding what came with these blobs.
    pub(crate) fn with_blobs(home: Option<Home>, blobs: Vec<Bytes>) -> Self {
        Self { home, blobs, ..Self::default() }
    }
}

thread_local! {
    static SCOPE: RefCell<Option<Scope>> = const { RefCell::new(None) };
}

/// Runs `call` inside `scope` and gives it back.
fn within<T>(scope: Scope, call: impl FnOnce() -> T) -> (T, Scope) {
    struct Restore(Option<Scope>);
    impl Drop for Restore {
        fn drop(&mut self) {
            SCOPE.set(self.0.take());
        }
    }
    let restore = Restore(SCOPE.replace(Some(scope)));
    let done = call();
    let scope = SCOPE.take().unwrap_or_default();
    drop(restore);
    (done, scope)
}

/// Puts bytes beside the message that is encoded; `None` where they belong into it.
pub(super) fn put_aside(bytes: &Bytes) -> Option<u32> {
    SCOPE.with_borrow_mut(|scope| {
        let scope = scope.as_mut().filter(|scope| scope.encoding)?;
        if bytes.len() < BLOB_MIN || scope.blobs.len() >= BLOBS_MAX {
            return None;
        }
        scope.blobs.push(bytes.clone());
        u32::try_from(scope.blobs.len() - 1).ok()
    })
}

/// A blob that came beside the message that is decoded.
pub(super) fn aside(place: usize) -> Option<Bytes> {
    SCOPE.with_borrow(|scope| scope.as_ref()?.blobs.get(place).cloned())
}

/// The node of the scope; `None` outside every scope, `Some(None)` inside this process.
pub(crate) fn home() -> Option<Option<Home>> {
    SCOPE.with_borrow(|scope| scope.as_ref().map(|scope| scope.home.clone()))
}

/// Keeps a value that stays in this process beside the message; its place.
pub(crate) fn park(value: Box<dyn Any + Send>) -> Option<u32> {
    SCOPE.with_borrow_mut(|scope| {
        let parked = &mut scope.as_mut()?.parked;
        parked.push(Some(value));
        u32::try_from(parked.len() - 1).ok()
    })
}

/// Takes what [`park`] kept.
pub(crate) fn unpark(place: u32) -> Option<Box<dyn Any + Send>> {
    SCOPE.with_borrow_mut(|scope| scope.as_mut()?.parked.get_mut(place as usize)?.take())
}

/// Appends the message to `out`; what it put aside is in the scope that comes back.
pub(crate) fn encode_into<T: Serialize>(
    mut out: &mut Vec<u8>,
    scope: Scope,
    message: &T,
) -> Result<Scope, rmp_serde::encode::Error> {
    let scope = Scope { encoding: true, ..scope };
    let (done, scope) = within(scope, || rmp_serde::encode::write_named(&mut out, message));
    done.map(|()| scope)
}

/// Reads a message; never panics, whatever the bytes.
pub(crate) fn decode<T: DeserializeOwned>(scope: Scope, bytes: &[u8]) -> Result<T, Malformed> {
    let (done, _) = within(scope, || rmp_serde::from_slice(bytes));
    done.map_err(|_| Malformed::Body)
}

/// Encodes and decodes inside this process, as if it had travelled.
pub(crate) fn round_trip<T: Serialize + DeserializeOwned>(message: &T) -> Option<T> {
    let mut bytes = Vec::new();
    let scope = encode_into(&mut bytes, Scope::default(), message).ok()?;
    decode(Scope { encoding: false, ..scope }, &bytes).ok()
}
