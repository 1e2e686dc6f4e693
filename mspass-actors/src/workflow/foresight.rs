//! What becomes of data that are not read yet: steps that can never work on them are found before a
//! job begins.

use std::sync::Arc;

use mspass_core::process::Facts;
use mspass_core::series::TimeStandard;

use super::builder::Workflow;
use crate::error::{Error, Result};

/// What is known beforehand of the data that a step takes and gives.
pub(super) type Foresee = Arc<dyn Fn(&mut Facts) -> mspass_core::Result<()> + Send + Sync>;

/// Data of a source that are alike, as far as steps can foresee.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kind {
    /// What is known of them, at the step in question.
    pub(crate) facts: Facts,
    /// How many documents there are of them.
    pub(crate) count: u64,
    /// How a person knows them: "sampled at 20 Hz".
    pub(crate) label: String,
}

impl Kind {
    /// Of data with these facts.
    pub(crate) fn of(facts: Facts, count: u64) -> Self {
        let rate = facts.sampling_rate.map(|rate| format!("sampled at {} Hz", rate.value()));
        let times = match facts.standard {
            Some(TimeStandard::Utc) => Some("in UTC"),
            Some(_) => Some("in relative time"),
            None => None,
        };
        let parts: Vec<String> = rate.into_iter().chain(times.map(str::to_owned)).collect();
        Self { facts, count, label: parts.join(", ") }
    }
}

/// What a step does to some of the data.
struct Refusal {
    count: u64,
    label: String,
    reason: String,
}

impl Workflow {
    /// Puts what is known of the data of its source through all its steps. What some of the data
    /// will die of becomes a remark; `of` says what was counted ("300 runs").
    ///
    /// # Errors
    /// [`Error::Refused`] for the first step that no data can pass.
    pub(crate) fn foresee(&self, mut kinds: Vec<Kind>, of: &str) -> Result<Vec<String>> {
        let mut remarks = Vec::new();
        for (number, foresee) in &self.foresees {
            let mut refusals = Vec::new();
            kinds.retain_mut(|kind| match foresee(&mut kind.facts) {
                Ok(()) => true,
                Err(error) => {
                    let (label, reason) = (kind.label.clone(), error.to_string());
                    refusals.push(Refusal { count: kind.count, label, reason });
                    false
                }
            });
            let Some(first) = refusals.first() else { continue };
            let name = self.steps.get(*number).map_or("", |step| step.name.as_str());
            let step = format!("step {} '{name}'", number + 1);
            let label = labels(&refusals);
            if kinds.is_empty() {
                let what = if remarks.is_empty() { "the data" } else { "what is left of the data" };
                return Err(Error::Refused(format!(
                    "{step} can never work on {what}, {label}: {}; change this step, a step before \
                     it, or what is read",
                    first.reason
                )));
            }
            let count: u64 = refusals.iter().map(|refusal| refusal.count).sum();
            remarks.push(format!(
                "{step} will kill the data of {count} of {of}, {label}: {}",
                first.reason
            ));
        }
        Ok(remarks)
    }
}

/// How a person knows the data that a step refuses: those of several kinds by the first and last.
fn labels(refusals: &[Refusal]) -> String {
    let known = refusals.iter().map(|refusal| refusal.label.as_str());
    let mut known: Vec<&str> = known.filter(|label| !label.is_empty()).collect();
    known.dedup();
    match known[..] {
        [] => "whatever they are".to_owned(),
        [one] => one.to_owned(),
        [first, second] => format!("{first} or {second}"),
        [first, .., last] => format!("{first} to {last}"),
    }
}
