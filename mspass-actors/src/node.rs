//! A node's register of actors: explicit registration, explicit lookup, no globals.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::mailbox::{Mailbox, Message};

type Register = HashMap<(String, &'static str), Box<dyn Any + Send>>;

/// The actors that can be found by name; clones share the register.
#[derive(Clone, Default)]
pub struct Node {
    register: Arc<Mutex<Register>>,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let register = self.register.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_set().entries(register.keys()).finish()
    }
}

impl Node {
    /// Lets `mailbox` be found under the actor's name, in the place of an earlier one.
    pub fn register<M: Message>(&self, actor: &str, mailbox: Mailbox<M>) {
        let mut register = self.register.lock().unwrap_or_else(PoisonError::into_inner);
        register.insert((actor.to_owned(), M::TYPE), Box::new(mailbox));
    }

    /// The mailbox for messages of type `M` of the actor of that name.
    pub fn lookup<M: Message>(&self, actor: &str) -> Option<Mailbox<M>> {
        let register = self.register.lock().unwrap_or_else(PoisonError::into_inner);
        let mailbox = register.get(&(actor.to_owned(), M::TYPE))?;
        mailbox.downcast_ref::<Mailbox<M>>().cloned()
    }
}
