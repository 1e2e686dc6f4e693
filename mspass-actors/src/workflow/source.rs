//! Where a workflow's data come from.

use bson::oid::ObjectId;
use bson::{Bson, Document, doc};
use mspass_core::DocumentId;
use mspass_io::db::collection::WF_MINISEED;
use mspass_io::db::id::{Derived, to_document_id};
use serde::{Deserialize, Serialize};

use super::builder::Step;
use crate::error::{Error, Result};

/// Indexed files, read run by run and cut at UTC boundaries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArchivePieces {
    /// Name of the archive in the index.
    pub archive: String,
    /// Length of a piece, seconds; pieces start at multiples of it since 1970 UTC. They are
    /// half-open: a sample on the boundary is the first of the later piece.
    pub piece_seconds: u32,
}

impl ArchivePieces {
    /// Hours of the archive of this name.
    pub fn hours(archive: impl Into<String>) -> Self {
        Self { archive: archive.into(), piece_seconds: 3600 }
    }
}

/// Waveforms of the database: those that a query finds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// MongoDB filter over the collection of the kind of datum; empty for all.
    pub filter: Document,
    /// Only data with this `data_tag`.
    pub data_tag: Option<String>,
    /// The collection; by default that of the kind of datum.
    pub collection: Option<String>,
}

impl Query {
    /// All waveforms of the kind that is read.
    pub fn all() -> Self {
        Self::default()
    }

    /// Those that a MongoDB filter finds.
    pub fn filter(filter: Document) -> Self {
        Self { filter, ..Self::default() }
    }

    /// Only those with this `data_tag`.
    #[must_use]
    pub fn data_tag(self, tag: impl Into<String>) -> Self {
        Self { data_tag: Some(tag.into()), ..self }
    }

    /// From `collection`.
    #[must_use]
    pub fn collection(self, collection: impl Into<String>) -> Self {
        Self { collection: Some(collection.into()), ..self }
    }

    /// What a document must be like for a job to read it: none that the job itself wrote, or it
    /// would go on with what it makes.
    pub(crate) fn filter_for(&self, job_id: ObjectId) -> Document {
        let others = doc! { "job_id": { "$ne": job_id } };
        super::both(&self.whole_filter(), others)
    }

    /// What a document must be like, the tag included.
    pub(crate) fn whole_filter(&self) -> Document {
        let mut filter = self.filter.clone();
        if let Some(tag) = &self.data_tag {
            filter.insert("data_tag", tag);
        }
        filter
    }
}

/// Data that a function makes, by their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// Names them; the inputs in histories derive from it.
    pub name: String,
    /// How many there are.
    pub count: u64,
    /// How many a task makes.
    pub per_task: u64,
}

impl Numbered {
    /// `count` data, some thousand in a task.
    pub fn new(name: impl Into<String>, count: u64) -> Self {
        Self { name: name.into(), count, per_task: 4096 }
    }

    /// With so many in a task.
    #[must_use]
    pub fn per_task(self, per_task: u64) -> Self {
        Self { per_task, ..self }
    }

    /// What all of them count as made of.
    pub(super) fn input(&self) -> DocumentId {
        to_document_id(Derived::new("numbered").text(&self.name).object_id())
    }
}

/// Where a workflow's data come from.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Source {
    /// Indexed files.
    Archive(ArchivePieces),
    /// Waveforms of a collection of the database.
    Stored {
        /// The collection.
        collection: String,
        /// Which of it.
        query: Query,
    },
    /// Data that a function makes.
    Numbered(Numbered),
}

impl Source {
    /// The archive that has to be indexed first, if there is one.
    pub fn archive(&self) -> Option<&ArchivePieces> {
        match self {
            Self::Archive(pieces) => Some(pieces),
            _ => None,
        }
    }

    /// The key under which a document names the one that it was made of.
    pub(super) fn parent_key(&self) -> Option<String> {
        match self {
            Self::Archive(_) => Some(format!("{WF_MINISEED}_id")),
            Self::Stored { collection, .. } => Some(format!("{collection}_id")),
            Self::Numbered(_) => None,
        }
    }

    /// Reading as a step, with everything that decides what is read.
    pub(crate) fn step(&self) -> Step {
        let parameters = match self {
            Self::Archive(pieces) => serde_json::json!({ "pieces": pieces }),
            Self::Stored { collection, query } => serde_json::json!({
                "collection": collection,
                "filter": Bson::Document(query.whole_filter()).into_canonical_extjson(),
            }),
            Self::Numbered(Numbered { name, count, per_task }) => {
                serde_json::json!({ "name": name, "count": count, "per_task": per_task })
            }
        };
        Step { name: "read".into(), parameters: parameters.to_string() }
    }

    /// What its parts are parts of, where that is one thing.
    pub(crate) fn origin(&self) -> ObjectId {
        let step = self.step();
        Derived::new("source").text(&step.parameters).object_id()
    }

    pub(super) fn check(&self) -> Result<()> {
        let (parameter, reason) = match self {
            Self::Archive(ArchivePieces { piece_seconds, .. })
                if *piece_seconds == 0 || *piece_seconds > 86_400 =>
            {
                (("piece_seconds", *piece_seconds), "must lie between 1 second and a day")
            }
            Self::Numbered(Numbered { per_task: 0, .. }) => {
                (("per_task", 0), "a task makes at least one datum")
            }
            _ => return Ok(()),
        };
        let source = mspass_core::Error::parameter(parameter.0, parameter.1, reason);
        Err(Error::Step { step: "read".into(), source })
    }
}
