//! Joining waveforms with what belongs to them: channels, sites, sources, arrivals.

use std::sync::{Arc, Mutex, PoisonError};

use mspass_core::metadata::key::STRUCTURE;
use mspass_core::process::Facts;
use mspass_io::Error;
use mspass_io::db::Waveform;
use mspass_io::db::normalize::{MatchSpec, Matcher, OnFailure, READ_ONLY, normalize, subject_of};
use mspass_io::store::Database;

use super::builder::{Pipeline, Step};
use super::stage::Emit;
use crate::clock;

/// The matcher of a step, made where it is first needed: one cache for all threads of a process.
struct Shared {
    spec: MatchSpec,
    matcher: Mutex<Option<Matcher>>,
}

impl Shared {
    fn matcher(&self, database: &Database) -> mspass_io::Result<Matcher> {
        let mut matcher = self.matcher.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(matcher) = &*matcher {
            return Ok(matcher.clone());
        }
        let made = match Matcher::cached(database, self.spec.clone()) {
            // Too many to keep in memory.
            Err(Error::Refused(_)) => Matcher::in_database(database, self.spec.clone()),
            made => made?,
        };
        Ok(matcher.insert(made).clone())
    }
}

/// The first of the names that waveforms certainly have no value for.
fn lacking<'a>(facts: &Facts, names: &'a [String]) -> Option<&'a String> {
    let lacks = |name: &str| facts.lacks(name) && facts.lacks(&format!("{READ_ONLY}{name}"));
    names.iter().find(|name| !STRUCTURE.contains(&name.as_str()) && lacks(name))
}

impl<T: Waveform> Pipeline<T> {
    /// Puts what belongs to each waveform into its metadata: `MatchSpec::channel()` its place and
    /// directions, `MatchSpec::source()` its event. Without a match it dies, or lives on with an
    /// entry in its log.
    pub fn join(mut self, spec: MatchSpec, on_failure: OnFailure) -> Self {
        let mut draft = self.take_draft();
        let parameters = serde_json::json!({ "match": spec, "on_failure": on_failure });
        let step = Step::new("join", &parameters);
        let passage = step.passage();
        let number = draft.add(step);
        let (needs, gives) = (spec.needs(), spec.gives());
        draft.foresee(number, move |facts| {
            if let (OnFailure::Kill, Some(name)) = (on_failure, lacking(facts, &needs)) {
                return Err(mspass_core::Error::unfit(format!("it has no '{name}' to match by")));
            }
            gives.iter().for_each(|name| facts.put(name));
            Ok(())
        });
        let shared = Shared { spec, matcher: Mutex::new(None) };
        self.then(draft, move |next: Emit<T>| {
            Arc::new(move |mut datum, task, bench| {
                let began = clock::now();
                datum.history_mut().record(&passage);
                let subject = subject_of(&datum);
                let matcher = shared.matcher(&bench.database);
                let joined = matcher
                    .and_then(|matcher| normalize(&mut datum, &subject, &matcher, on_failure));
                if let Err(error) = joined {
                    // The whole task is done again.
                    task.flush_fault = task.flush_fault.take().or(Some(error.into()));
                    return;
                }
                let lives = datum.life() == mspass_core::Life::Live;
                bench.count(number, began.elapsed(), !lives);
                if lives {
                    next(datum, task, bench);
                } else {
                    task.bury(&datum.into_tombstone());
                }
            })
        })
    }
}
