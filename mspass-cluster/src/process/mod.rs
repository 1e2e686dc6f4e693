//! Processes of our own: started, bound to us, watched, restarted, and ended in order.
//!
//! - [`arguments`]: the first call of a program; it binds a child to the process that started it.
//! - [`Supervisor`]: starts children that are this same executable, restarts them, ends them.
//! - [`keep_worker`]: the small parent of a worker.

mod bind;
mod limit;
mod restart;
mod supervisor;
mod worker;

pub(crate) use bind::bind;
pub use bind::{EXEC_FLAG, PARENT_FLAG, arguments, arguments_without_parent, own_program};
pub use limit::{Holder, MemoryLimit};
pub use restart::{RestartLimits, Restarts};
pub(crate) use supervisor::LAST_EXIT;
pub use supervisor::{ChildSpec, ChildStatus, Event, Exit, Supervisor, last_exit, record_pid};
pub use worker::{KeptWorker, keep_worker};
