//! The one place that knows of liveness, error log, provenance and panics.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::datum::{Datum, Tombstone};
use crate::elog::Life;
use crate::history::Passage;
use crate::process::{Process, Scratch};

/// What a step gives: a live datum, or the remains of a dead one, which no later step touches.
pub type Outcome<T> = Result<T, Box<Tombstone>>;

/// What a step is called and set to, as histories record it.
pub fn passage_of<T: Datum, P: Process<T> + ?Sized>(process: &P) -> Arc<Passage> {
    Arc::new(Passage {
        step: process.name().to_owned(),
        parameters: process.parameters().to_string(),
    })
}

/// Runs one process over one datum: a dead one is passed over, an error or a panic kills it, and
/// the passage is recorded either way.
pub fn run<T: Datum, P: Process<T> + ?Sized>(
    process: &P,
    passage: &Arc<Passage>,
    mut datum: T,
    scratch: &mut Scratch,
) -> Outcome<P::Output> {
    if datum.life() != Life::Live {
        return Err(Box::new(datum.into_tombstone()));
    }
    match attempt(process, passage, &mut datum, scratch) {
        Some(output) if output.life() == Life::Live => Ok(output),
        Some(output) => Err(Box::new(output.into_tombstone())),
        None => Err(Box::new(datum.into_tombstone())),
    }
}

/// Runs one process over one live datum, records the passage, and kills what is left in `datum`
/// when the process fails.
pub(super) fn attempt<T: Datum, P: Process<T> + ?Sized>(
    process: &P,
    passage: &Arc<Passage>,
    datum: &mut T,
    scratch: &mut Scratch,
) -> Option<P::Output> {
    datum.history_mut().record(passage);
    let applied = catch_unwind(AssertUnwindSafe(|| process.apply(datum, scratch)));
    let reason = match applied {
        Ok(Ok(output)) => return Some(output),
        Ok(Err(error)) => error.to_string(),
        Err(panic) => {
            *scratch = Scratch::default();
            format!("panicked: {}", panic_text(panic.as_ref()))
        }
    };
    datum.kill(process.name(), reason);
    None
}

/// The text that a panic carries.
pub fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}
