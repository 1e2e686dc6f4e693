//! Where a datum comes from and what was done to it.

use serde::{Deserialize, Serialize};

/// Twelve bytes that name a document, printed as 24 hexadecimal digits (a BSON ObjectId).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct DocumentId(pub [u8; 12]);

impl std::fmt::Display for DocumentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// One step that a datum went through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// Name of the step.
    pub step: String,
    /// Its parameters as JSON text.
    pub parameters: String,
}

/// Ordered provenance: the stored documents that a datum was made of and the steps since.
///
/// The steps of a workflow are the same for all its data, so a datum shares them (`Arc`) and
/// counts how far it came: recording a step costs an increment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// `_id`s of the stored documents it was made of, in order.
    pub inputs: Vec<DocumentId>,
    /// Number of the output among those made of these inputs.
    pub output: u64,
    /// Steps passed, oldest first.
    pub passages: Vec<std::sync::Arc<Passage>>,
}

impl History {
    /// A datum read from the stored document `input`, as its output number `output`.
    pub fn of(input: DocumentId, output: u64) -> Self {
        Self { inputs: vec![input], output, passages: Vec::new() }
    }

    /// What is made of several data of an ensemble: their inputs in order, and the steps of the
    /// first followed by those of the ensemble that it has not passed as a member.
    ///
    /// The output number is theirs where they all have the same, else one made of all of theirs:
    /// what is made of other outputs of the same inputs has another number.
    pub(crate) fn joined(ensemble: &Self, members: &[&Self]) -> Self {
        let inputs = members.iter().flat_map(|member| member.inputs.iter().copied()).collect();
        let mut outputs = members.iter().map(|member| member.output);
        let output = match outputs.next() {
            Some(first) if outputs.clone().any(|other| other != first) => outputs.fold(first, mix),
            first => first.unwrap_or(0),
        };
        let mut passages = members.first().map_or_else(Vec::new, |first| first.passages.clone());
        // Steps that were mapped over the members stand last there and first here.
        let shared = (0..=passages.len().min(ensemble.passages.len()))
            .rev()
            .find(|shared| passages[passages.len() - shared..] == ensemble.passages[..*shared]);
        passages.extend_from_slice(&ensemble.passages[shared.unwrap_or(0)..]);
        Self { inputs, output, passages }
    }

    /// Bytes on the heap, for memory budgets; passages are shared and count as pointers.
    pub fn heap_bytes(&self) -> usize {
        self.inputs.capacity() * size_of::<DocumentId>()
            + self.passages.capacity() * size_of::<std::sync::Arc<Passage>>()
    }

    /// Records that a step was passed; a step passed twice stands twice.
    pub fn record(&mut self, passage: &std::sync::Arc<Passage>) {
        self.passages.push(std::sync::Arc::clone(passage));
    }
}

/// A number of 53 bits that depends on every bit of both (a multiplication by the golden ratio, and
/// the upper bits folded down).
const fn mix(sum: u64, number: u64) -> u64 {
    let product =
        (sum.rotate_left(27) ^ number).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (product ^ (product >> 32)) >> 11
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_of_the_same_inputs_stay_apart() {
        let history = |output| History::of(DocumentId([1; 12]), output);
        let joined = |a, b| History::joined(&History::default(), &[&history(a), &history(b)]);
        assert_eq!((joined(5, 5).output, joined(5, 5).inputs.len()), (5, 2));
        let mut numbers: Vec<u64> = (0..200)
            .flat_map(|a| (0..200).map(move |b| (a, b)))
            .map(|(a, b)| joined(a, b).output)
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 200 * 200);
        assert!(numbers.iter().all(|number| *number < 1 << 53));
    }

    #[test]
    fn steps_passed_as_a_member_stand_once() {
        let passage = |step: &str| {
            std::sync::Arc::new(Passage { step: step.to_owned(), parameters: String::new() })
        };
        let history = |steps: &str| {
            let passages = steps.split_whitespace().map(passage).collect();
            History { passages, ..History::default() }
        };
        let joined = |ensemble: &str, member: &str| {
            let joined = History::joined(&history(ensemble), &[&history(member)]);
            let steps = joined.passages.iter().map(|passage| passage.step.clone());
            steps.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(joined("taper stack", "detrend taper"), "detrend taper stack");
        assert_eq!(joined("stack", "detrend taper"), "detrend taper stack");
        assert_eq!(joined("taper taper stack", "detrend taper"), "detrend taper taper stack");
        assert_eq!(joined("", "detrend"), "detrend");
        assert_eq!(joined("stack", ""), "stack");
    }
}
