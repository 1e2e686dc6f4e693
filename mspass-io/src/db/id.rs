//! Derived ids: the same work gives the same `_id`, so that doing it twice writes it once.

use bson::oid::ObjectId;
use mspass_core::DocumentId;
use xxhash_rust::xxh3::Xxh3;

/// Collects the parts of an id; every part is hashed with its length, so that parts cannot run
/// into each other.
///
/// ```
/// use mspass_io::db::id::Derived;
/// let id = Derived::new("archive_file").text("").text("2010/YA/UV05").object_id();
/// assert_eq!(id, Derived::new("archive_file").text("").text("2010/YA/UV05").object_id());
/// assert_ne!(id, Derived::new("archive_file").text("2010").text("/YA/UV05").object_id());
/// ```
#[derive(Clone)]
pub struct Derived(Xxh3);

impl std::fmt::Debug for Derived {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Derived({:032x})", self.0.digest128())
    }
}

impl Derived {
    /// Starts an id with what kind of thing it names.
    pub fn new(kind: &str) -> Self {
        Self(Xxh3::new()).text(kind)
    }

    /// Adds text.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    /// Adds the id of a document.
    #[must_use]
    pub fn id(self, id: ObjectId) -> Self {
        self.bytes(&id.bytes())
    }

    /// Adds a number.
    #[must_use]
    pub fn number(self, number: u64) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// All 128 bits.
    pub fn key(&self) -> u128 {
        self.0.digest128()
    }

    /// The first 12 bytes of the hash, most significant first.
    pub fn object_id(&self) -> ObjectId {
        let mut bytes = [0; 12];
        bytes.copy_from_slice(&self.key().to_be_bytes()[..12]);
        ObjectId::from_bytes(bytes)
    }
}

/// The `_id` of an output: of job, step, the `_id`s of its inputs and its number among what was
/// made of them; never of worker, task or attempt.
pub fn output_id(job: &str, step: &str, inputs: &[DocumentId], number: u64) -> ObjectId {
    let start = Derived::new("output").text(job).text(step);
    inputs.iter().fold(start, |id, input| id.id(to_object_id(*input))).number(number).object_id()
}

/// The `_id` of the history of a saved datum.
pub fn history_id(id: ObjectId) -> ObjectId {
    Derived::new("history").id(id).object_id()
}

/// The id that marks everything a job of this name writes.
pub fn job_id(job: &str) -> ObjectId {
    Derived::new("job").text(job).object_id()
}

/// As BSON knows it.
pub fn to_object_id(id: DocumentId) -> ObjectId {
    ObjectId::from_bytes(id.0)
}

/// As the core knows it.
pub fn to_document_id(id: ObjectId) -> DocumentId {
    DocumentId(id.bytes())
}
