//! Groups of data: what `group_by` gives, until it is said what becomes of each group.

use std::fmt;
use std::sync::Arc;

use mspass_core::history::Passage;
use mspass_core::metadata::Value;
use mspass_core::process::{Facts, Fold};
use mspass_core::series::Ensemble;
use mspass_core::{Datum, Error, Process};

use super::builder::{Draft, Pipeline, Step};
use super::shuffle::{self, BUCKETS, BUCKETS_MAX, FoldStep, Grouping, KeyOf, lacks};
use super::stage::Emit;

/// Data in groups. Every group is worked on as a whole, by one task of the next stage.
#[must_use = "groups do nothing until it is said what becomes of each"]
pub struct Groups<T> {
    pipeline: Pipeline<T>,
    name: String,
    keys: Vec<String>,
    key_of: KeyOf<T>,
    by_function: bool,
    sort: Vec<String>,
    buckets: u32,
}

impl<T> fmt::Debug for Groups<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Groups").field("keys", &self.keys).finish_non_exhaustive()
    }
}

impl<T: Datum> Groups<T> {
    pub(super) fn by_keys(pipeline: Pipeline<T>, keys: &[&str]) -> Self {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let names = keys.clone();
        let key_of: KeyOf<T> = Arc::new(move |datum| {
            names.iter().map(|name| datum.fact(name).ok_or_else(|| lacks(name, "group"))).collect()
        });
        Self::by(pipeline, keys, key_of, false)
    }

    pub(super) fn by_function<V: Into<Value>, E: fmt::Display>(
        pipeline: Pipeline<T>,
        name: &str,
        key: impl Fn(&T) -> Result<V, E> + Send + Sync + 'static,
    ) -> Self {
        let key_of: KeyOf<T> = Arc::new(move |datum| {
            let value = super::builder::guarded(|| key(datum).map_err(|error| error.to_string()))?;
            Ok(vec![value.into()])
        });
        let keys = vec![name.to_owned()];
        Self::by(pipeline, keys, key_of, true)
    }

    fn by(pipeline: Pipeline<T>, keys: Vec<String>, key_of: KeyOf<T>, by_function: bool) -> Self {
        let (name, sort, buckets) = ("group_by".to_owned(), Vec::new(), BUCKETS);
        Self { pipeline, name, keys, key_of, by_function, sort, buckets }
    }

    /// With members in order of the values of these keys, then of their inputs; without, of their
    /// inputs alone.
    pub fn sort_within(mut self, keys: &[&str]) -> Self {
        self.sort = keys.iter().map(|key| (*key).to_owned()).collect();
        self
    }

    /// Puts the groups into so many buckets, each the work of one task. A thread holds a bucket of
    /// up to a quarter of its memory, and one group as a whole: more buckets for more data.
    pub fn buckets(mut self, buckets: u32) -> Self {
        self.buckets = buckets;
        self
    }

    /// The stage before ends here: number and passage of the grouping, and what comes after.
    fn end_stage(self) -> (Draft, Arc<Passage>, Vec<String>) {
        let Self { mut pipeline, name, keys, key_of, by_function, sort, buckets } = self;
        let mut draft = pipeline.take_draft();
        let parameters =
            serde_json::json!({ "keys": keys, "sort_within": sort, "buckets": buckets });
        let refused = if keys.is_empty() {
            Err(Error::parameter("keys", "[]", "name at least one key to group by"))
        } else if !(1..=BUCKETS_MAX).contains(&buckets) {
            let reason = format!("must lie between 1 and {BUCKETS_MAX}");
            Err(Error::parameter("buckets", buckets, reason))
        } else {
            Ok(())
        };
        draft.refuse(&name, refused);
        let step = Step::new(&name, &parameters);
        let passage = step.passage();
        let step = draft.add(step);
        // What a function gives cannot be foreseen.
        let grouped = if by_function { Vec::new() } else { keys.clone() };
        let needs = [(grouped, "group"), (sort.clone(), "sort")];
        draft.foresee(step, move |facts| needed(facts, &needs));
        let grouping = Arc::new(Grouping { step, key_of, sort, buckets: buckets.max(1) });
        draft.end_stage((pipeline.connect)(shuffle::scatter(grouping)), buckets);
        (draft, passage, keys)
    }

    /// Each group as an ensemble, whose metadata are the keys.
    pub fn ensembles(self) -> Pipeline<Ensemble<T>> {
        let (mut draft, passage, keys) = self.end_stage();
        let names = keys.clone();
        draft.foresee(draft.steps.len().saturating_sub(1), move |facts| {
            *facts = Facts::of_ensembles(names.iter().cloned(), std::mem::take(facts));
            Ok(())
        });
        let connect = move |emit: Emit<Ensemble<T>>| shuffle::ensembles(keys, passage, emit);
        Pipeline { draft, connect: Box::new(connect) }
    }

    /// Adds a process over whole groups.
    pub fn map<P: Process<Ensemble<T>>>(self, process: P) -> Pipeline<P::Output> {
        self.ensembles().map(process)
    }

    /// Makes one datum of each group, member by member: a group may be larger than memory.
    ///
    /// Members are added in their order, 64 at a time, and what these give is merged pairwise: the
    /// result is the same however many workers made it.
    pub fn fold<F: Fold<T>>(self, fold: F) -> Pipeline<F::Output> {
        let (mut draft, grouped, keys) = self.end_stage();
        draft.refuse(fold.name(), fold.check());
        let folding = Step::new(fold.name(), &fold.parameters());
        let folded = folding.passage();
        let step = FoldStep { keys, step: draft.add(folding), grouped, folded };
        let fold = Arc::new(fold);
        let (foreseeing, names) = (Arc::clone(&fold), step.keys.clone());
        draft.foresee(step.step, move |facts| {
            foreseeing.foresee(facts)?;
            names.iter().for_each(|name| facts.put(name));
            Ok(())
        });
        let connect = move |emit: Emit<F::Output>| shuffle::folds(fold, step, emit);
        Pipeline { draft, connect: Box::new(connect) }
    }
}

/// Whether data may have all the values that they are to be grouped or sorted by.
fn needed(facts: &Facts, needs: &[(Vec<String>, &str)]) -> mspass_core::Result<()> {
    for (names, purpose) in needs {
        if let Some(name) = names.iter().find(|name| facts.lacks(name)) {
            return Err(Error::unfit(lacks(name, purpose)));
        }
    }
    Ok(())
}
