//! A fold over the members of an ensemble.

use crate::datum::Datum;
use crate::elog::{Life, Severity};
use crate::error::{Error, Result};
use crate::history::History;
use crate::process::fold::Fold;
use crate::process::{Facts, Process, Scratch};
use crate::series::Ensemble;

/// A process that makes one datum of the members of an ensemble; made by [`fold_members`].
#[derive(Clone, Debug)]
pub struct Folded<F> {
    fold: F,
}

/// Folds the live members of ensembles, in order. Members that do not fit are left out, and the
/// log of the output says so (Complaint); an ensemble of which none fits is refused.
///
/// The output's history has the inputs of the members folded, in order, the steps of the first of
/// them, and those of the ensemble that it has not passed as a member; its output number is theirs
/// where they have the same, else one made of all of theirs. The ensemble's own log goes
/// before the output's; the ensemble's metadata fill in what those of the output lack.
pub const fn fold_members<F>(fold: F) -> Folded<F> {
    Folded { fold }
}

impl<T: Datum, F: Fold<T>> Process<Ensemble<T>> for Folded<F> {
    type Output = F::Output;

    fn name(&self) -> &str {
        self.fold.name()
    }

    fn parameters(&self) -> serde_json::Value {
        self.fold.parameters()
    }

    fn check(&self) -> Result<()> {
        self.fold.check()
    }

    fn foresee(&self, facts: &mut Facts) -> Result<()> {
        let mut folded = facts.members();
        self.fold.foresee(&mut folded)?;
        folded.put_all(facts);
        *facts = folded;
        Ok(())
    }

    fn apply(&self, datum: &mut Ensemble<T>, _: &mut Scratch) -> Result<F::Output> {
        let mut partial: Option<F::Partial> = None;
        let mut histories: Vec<History> = Vec::new();
        let mut log = datum.log.clone();
        for (number, member) in datum.members.iter_mut().enumerate() {
            if member.life() != Life::Live {
                continue;
            }
            let history = member.history_mut().clone();
            let added = match &mut partial {
                Some(partial) => self.fold.add(partial, member),
                None => self.fold.begin(member).map(|begun| partial = Some(begun)),
            };
            match added {
                Ok(()) => histories.push(history),
                Err(error) => {
                    let message = format!("member {number} is left out: {error}");
                    log.push(self.fold.name(), Severity::Complaint, message);
                }
            }
        }
        let Some(mut partial) = partial else {
            datum.log = log;
            return Err(Error::unfit("no member fits"));
        };
        let mut output = self.fold.finish(&mut partial)?;
        for (name, value) in datum.metadata.iter() {
            if output.metadata().get(name).is_none() {
                output.metadata_mut().insert(name, value.clone());
            }
        }
        log.append(output.log_mut());
        *output.log_mut() = log;
        let members: Vec<&History> = histories.iter().collect();
        *output.history_mut() = History::joined(&datum.history, &members);
        Ok(output)
    }
}
