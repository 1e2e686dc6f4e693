//! Inserts that may be done twice.

use bson::oid::ObjectId;
use bson::{Bson, Document};
use mspass_io::{Error, Result};

/// The documents, with an `_id` each.
pub(super) fn with_ids(documents: &[Document]) -> Vec<Document> {
    let named = |document: &Document| {
        if document.contains_key("_id") {
            return document.clone();
        }
        let id = [("_id".to_owned(), Bson::from(ObjectId::new()))];
        id.into_iter().chain(document.clone()).collect()
    };
    documents.iter().map(named).collect()
}

/// Their `_id`s.
pub(super) fn ids(documents: &[Document]) -> Vec<Bson> {
    documents.iter().map(|document| document.get("_id").cloned().unwrap_or(Bson::Null)).collect()
}

/// What is still to be inserted, when `there` is what the store holds under the same ids.
///
/// # Errors
/// [`Error::DuplicateKey`] when one of those is another document.
pub(super) fn not_there_yet(
    collection: &str,
    documents: Vec<Document>,
    there: &[Document],
) -> Result<Vec<Document>> {
    let mut rest = Vec::new();
    for document in documents {
        let id = document.get("_id");
        match there.iter().find(|held| held.get("_id") == id) {
            None => rest.push(document),
            Some(held) if *held == document => {}
            Some(_) => {
                let id = id.map(ToString::to_string).unwrap_or_default();
                return Err(Error::DuplicateKey { collection: collection.to_owned(), id });
            }
        }
    }
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn ids_are_made_once_and_come_first() {
        let named = with_ids(&[doc! { "a": 1 }, doc! { "a": 2, "_id": 5 }]);
        assert_eq!(named[0].keys().collect::<Vec<_>>(), ["_id", "a"]);
        assert_eq!(named[1], doc! { "a": 2, "_id": 5 });
        assert_eq!(ids(&named)[1], Bson::Int32(5));
        assert_eq!(with_ids(&named), named);
    }

    #[test]
    fn own_documents_are_passed_over_and_others_refused() {
        let all: Vec<Document> = (0..3).map(|n| doc! { "_id": n, "a": n }).collect();
        assert_eq!(not_there_yet("wf", all.clone(), &all[..1]).unwrap(), all[1..]);
        assert_eq!(not_there_yet("wf", all.clone(), &all).unwrap(), [] as [Document; 0]);
        let refused = not_there_yet("wf", all, &[doc! { "_id": 1, "a": 7 }]).unwrap_err();
        assert_eq!(refused.to_string(), "collection wf already holds a document with _id 1");
    }
}
