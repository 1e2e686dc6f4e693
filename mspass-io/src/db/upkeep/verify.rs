//! Finding what is not as the schema says.

use std::collections::BTreeMap;
use std::sync::Arc;

use bson::{Bson, Document};

use super::EXAMPLES_MAX;
use super::batches::in_batches;
use super::references::{ReferenceKeys, References};
use crate::db::schema::Schema;
use crate::error::{Error, Result};
use crate::store::{Database, Find};

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Test {
    /// A key that names a document elsewhere names one that is there.
    Xref,
    /// A value is of the type of its key.
    Type,
    /// A key is one of the schema.
    Undefined,
    /// A key that every document must have is there.
    Required,
    /// The keys that normalising writes are there and name documents that are there.
    Normalization,
}

impl Test {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Xref, Self::Type, Self::Undefined, Self::Required, Self::Normalization];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Xref => "xref",
            Self::Type => "type",
            Self::Undefined => "undefined",
            Self::Required => "required",
            Self::Normalization => "normalization",
        }
    }
}

/// What to verify, and how.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct VerifyOptions {
    /// What documents should be.
    pub schema: Arc<Schema>,
    /// Tests; default: xref, type and required.
    pub tests: Vec<Test>,
    /// Which documents; default all.
    pub filter: Document,
    /// Keys of the test of normalisation; default `site_id` and `source_id`, and `channel_id`
    /// where the schema has it.
    pub normalize_keys: Vec<String>,
    /// Threads; default 1.
    pub threads: usize,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self {
            schema: Schema::mspass(),
            tests: vec![Test::Xref, Test::Type, Test::Required],
            filter: Document::new(),
            normalize_keys: Vec::new(),
            threads: 1,
        }
    }
}

/// Documents with one fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The test that they do not pass.
    pub test: Test,
    /// The key.
    pub key: String,
    /// What is wrong with it.
    pub what: String,
    /// How many documents.
    pub count: u64,
    /// `_id`s of the first of them, as relaxed extended JSON.
    pub examples: Vec<String>,
}

/// What was found in one collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectionVerify {
    /// Its name.
    pub name: String,
    /// Documents looked at.
    pub documents: u64,
    /// Documents with any fault.
    pub unsound: u64,
    /// By test, then key.
    pub problems: Vec<Problem>,
}

impl CollectionVerify {
    /// Whether all documents are as they should be.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Looks at the documents of a collection.
///
/// # Errors
/// [`Error::Refused`] where the schema does not know the collection, and what the store says.
pub fn verify(
    database: &Database,
    collection: &str,
    options: &VerifyOptions,
) -> Result<CollectionVerify> {
    let rules = Rules::of(collection, options)?;
    let cursor = database.documents.find(collection, &Find::filter(options.filter.clone()))?;
    let states = in_batches(cursor, options.threads, State::default, |state, batch| {
        state.references.look_up(database, &rules.references, &batch)?;
        batch.iter().for_each(|document| state.examine(&rules, document));
        Ok(())
    })?;
    let mut report = CollectionVerify { name: collection.to_owned(), ..Default::default() };
    let mut all: BTreeMap<Fault, Problem> = BTreeMap::new();
    for state in states {
        report.documents += state.documents;
        report.unsound += state.unsound;
        for (fault, problem) in state.problems {
            match all.get_mut(&fault) {
                None => drop(all.insert(fault, problem)),
                Some(known) => {
                    known.count += problem.count;
                    known.examples.extend(problem.examples);
                }
            }
        }
    }
    report.problems = all.into_values().collect();
    for problem in &mut report.problems {
        problem.examples.sort_unstable();
        problem.examples.truncate(EXAMPLES_MAX);
    }
    Ok(report)
}

type Fault = (Test, String, String);

/// What a collection's documents are held to.
struct Rules<'o> {
    collection: &'o str,
    options: &'o VerifyOptions,
    references: ReferenceKeys,
    normalize: Vec<(String, String)>,
}

impl<'o> Rules<'o> {
    fn of(collection: &'o str, options: &'o VerifyOptions) -> Result<Self> {
        let schema = &*options.schema;
        if schema.collection(collection).is_none() {
            let known: Vec<&str> = schema.collections().collect();
            return Err(Error::Refused(format!(
                "the schema has no collection '{collection}'; it has {}",
                known.join(", ")
            )));
        }
        let mut keys = options.normalize_keys.clone();
        if keys.is_empty() {
            let standard = ["site_id", "channel_id", "source_id"].map(str::to_owned);
            keys.extend(standard.into_iter().filter(|k| schema.key(collection, k).is_some()));
        }
        let tests = |test| options.tests.contains(&test);
        let more = if tests(Test::Normalization) { keys.as_slice() } else { &[] };
        let mut references = ReferenceKeys::of(schema, collection, more);
        let mut normalize = references.0.clone();
        normalize.retain(|(key, _)| more.contains(key));
        if !tests(Test::Xref) {
            references.0.retain(|(key, _)| more.contains(key));
        }
        Ok(Self { collection, options, references, normalize })
    }

    fn tests(&self, test: Test) -> bool {
        self.options.tests.contains(&test)
    }
}

/// What one thread has found.
#[derive(Default)]
struct State {
    references: References,
    documents: u64,
    unsound: u64,
    problems: BTreeMap<Fault, Problem>,
}

impl State {
    fn examine(&mut self, rules: &Rules<'_>, document: &Document) {
        self.documents += 1;
        let faults = self.faults(rules, document);
        self.unsound += u64::from(!faults.is_empty());
        for fault in faults {
            let problem = self.problems.entry(fault.clone()).or_insert_with(|| Problem {
                test: fault.0,
                key: fault.1,
                what: fault.2,
                count: 0,
                examples: Vec::new(),
            });
            problem.count += 1;
            if problem.examples.len() < EXAMPLES_MAX {
                let id = document.get("_id").cloned().unwrap_or(Bson::Null);
                problem.examples.push(id.into_relaxed_extjson().to_string());
            }
        }
    }

    fn faults(&self, rules: &Rules<'_>, document: &Document) -> Vec<Fault> {
        let (schema, collection) = (&*rules.options.schema, rules.collection);
        let mut faults = Vec::new();
        let mut fault = |test, key: &str, what: String| faults.push((test, key.to_owned(), what));
        for (key, value) in document {
            let name = schema.unique_name(collection, key);
            match schema.key(collection, name) {
                None if rules.tests(Test::Undefined) && !schema.is_copy(key) => {
                    fault(Test::Undefined, key, "the schema does not know it".to_owned());
                }
                Some(definition) if rules.tests(Test::Type) => {
                    let key_type = definition.key_type;
                    if !key_type.admits(value) {
                        let (found, due) = (type_name(value), key_type.name());
                        let mends = match key_type.convert(value) {
                            Some(_) => "can be converted",
                            None => "cannot be converted",
                        };
                        fault(Test::Type, key, format!("{found}, not {due}; {mends}"));
                    }
                }
                _ => {}
            }
        }
        if rules.tests(Test::Required) {
            let required = schema.required_keys(collection).into_iter();
            let named =
                |due: &str| document.keys().any(|key| schema.unique_name(collection, key) == due);
            for key in required.filter(|key| !document.contains_key(key) && !named(key)) {
                fault(Test::Required, key, "it is missing".to_owned());
            }
        }
        if rules.tests(Test::Xref) {
            for (key, target) in &rules.references.0 {
                if let Some(what) = self.dangling(document, key, target) {
                    fault(Test::Xref, key, what);
                }
            }
        }
        for (key, target) in &rules.normalize {
            let missing = || format!("it is missing: normalise against {target}");
            let what = match document.contains_key(key) {
                true => self.dangling(document, key, target),
                false => Some(missing()),
            };
            if let Some(what) = what {
                fault(Test::Normalization, key, what);
            }
        }
        faults
    }

    /// What is wrong with a reference that is there.
    fn dangling(&self, document: &Document, key: &str, target: &str) -> Option<String> {
        match document.get(key)? {
            Bson::ObjectId(id) if self.references.holds(target, *id) => None,
            Bson::ObjectId(_) => Some(format!("it names no document of {target}")),
            other => Some(format!("{}, which names no document of {target}", type_name(other))),
        }
    }
}

/// What a value is, in MongoDB's words.
fn type_name(value: &Bson) -> &'static str {
    match value {
        Bson::Double(_) => "double",
        Bson::String(_) => "string",
        Bson::Array(_) => "array",
        Bson::Document(_) => "object",
        Bson::Boolean(_) => "bool",
        Bson::Null => "null",
        Bson::Int32(_) => "int",
        Bson::Int64(_) => "long",
        Bson::Binary(_) => "binData",
        Bson::ObjectId(_) => "objectId",
        Bson::DateTime(_) => "date",
        Bson::Decimal128(_) => "decimal",
        _ => "another type",
    }
}
