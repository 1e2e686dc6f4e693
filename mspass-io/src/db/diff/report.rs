//! A comparison in words.

use std::fmt;

use bson::Bson;

use super::{CollectionDiff, Diff, Difference, DifferenceKind, SamplesDiff};

/// Characters shown of a value.
const CHARACTERS_MAX: usize = 80;

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut documents, mut blobs, mut differences) = (0, 0, 0);
        for collection in &self.collections {
            documents += collection.left.max(collection.right);
            blobs += collection.blobs;
            differences += collection.differing + collection.only_left + collection.only_right;
        }
        let collections = self.collections.len();
        if self.is_equal() {
            return write!(
                f,
                "equal: {documents} documents in {collections} collections, the samples of {blobs}"
            );
        }
        write!(f, "different: {differences} documents in {collections} collections")?;
        for collection in &self.collections {
            write!(f, "\n  {collection}")?;
        }
        Ok(())
    }
}

impl fmt::Display for CollectionDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, left, right, differing, only_left, only_right, blobs, first } = self;
        let Some(first) = first else {
            write!(f, "{name}: equal, {left} documents")?;
            return if *blobs > 0 { write!(f, ", the samples of {blobs}") } else { Ok(()) };
        };
        write!(
            f,
            "{name}: {left} and {right} documents, {differing} differ, {only_left} only left, \
             {only_right} only right; first {first}"
        )
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            Bson::ObjectId(id) => write!(f, "_id {id}: ")?,
            id => write!(f, "_id {}: ", text(Some(id)))?,
        }
        self.kind.fmt(f)
    }
}

impl fmt::Display for DifferenceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnlyLeft => f.write_str("only left"),
            Self::OnlyRight => f.write_str("only right"),
            Self::Key { path, left, right } => {
                write!(f, "{path} is {} and {}", text(left.as_ref()), text(right.as_ref()))
            }
            Self::Samples(samples) => samples.fmt(f),
        }
    }
}

impl fmt::Display for SamplesDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.left, self.right) {
            (None, None) => f.write_str("both lack the samples"),
            (None, Some(_)) => f.write_str("left lacks the samples"),
            (Some(_), None) => f.write_str("right lacks the samples"),
            (Some(left), Some(right)) => {
                f.write_str("the samples differ")?;
                if left != right {
                    write!(f, ", {left} and {right} bytes")?;
                }
                self.at.map_or(Ok(()), |at| write!(f, ", first at byte {at}"))
            }
        }
    }
}

/// A value as extended JSON of bounded length.
fn text(value: Option<&Bson>) -> String {
    let Some(value) = value else { return "missing".into() };
    let text = match value {
        // Relaxed JSON does not tell these from integers, nor show all their digits.
        Bson::Double(number) => format!("{number:?}"),
        value => value.clone().into_relaxed_extjson().to_string(),
    };
    match text.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
