//! Pages of a proxy's cursor, one at a time, gone on with when the cursor is lost.

use bson::{Bson, Document, doc};
use mspass_io::store::Find;
use mspass_io::{Error, Result};

use super::client::{ProxyStore, unexpected};
use super::messages::{Action, Answer, Packed, PackedFind};

/// How often one query is asked anew after its cursor was lost.
pub const RESUMES_MAX: u32 = 16;

/// The documents of one query.
///
/// A cursor is lost with its proxy, or with a reply that got lost. A query sorted by `_id` alone is
/// asked anew for what comes behind the last document; any other gives the error, and whoever runs
/// it (a task, the planner) begins again: a document is never given twice and none is left out.
pub(super) struct Pages {
    store: ProxyStore,
    collection: String,
    find: Find,
    page: std::vec::IntoIter<Packed>,
    /// The cursor and the number of its next page.
    cursor: Option<(u64, u64)>,
    last: Option<Bson>,
    given: u64,
    resumes: u32,
}

impl Pages {
    /// Asks for the first page.
    pub(super) fn find(store: &ProxyStore, collection: &str, find: &Find) -> Result<Self> {
        let mut pages = Self {
            store: store.clone(),
            collection: collection.to_owned(),
            find: find.clone(),
            page: Vec::new().into_iter(),
            cursor: None,
            last: None,
            given: 0,
            resumes: 0,
        };
        let answer = store.call(collection, Action::Find(PackedFind::from(find)))?;
        pages.accept(answer, 1)?;
        Ok(pages)
    }

    fn accept(&mut self, answer: Answer, next: u64) -> Result<()> {
        let Answer::Page { documents, cursor } = answer else { return Err(unexpected()) };
        self.page = documents.into_iter();
        self.cursor = cursor.map(|cursor| (cursor, next));
        Ok(())
    }

    fn next_page(&mut self, cursor: u64, page: u64) -> Result<()> {
        let action = Action::Next { cursor, page };
        match self.store.call_once(&self.collection, action) {
            Ok(answer) => self.accept(answer, page + 1),
            Err(error) => match self.rest() {
                Some(find) if self.resumes < RESUMES_MAX => {
                    tracing::warn!("a cursor was lost ({error}); its query goes on");
                    self.resumes += 1;
                    let action = Action::Find(PackedFind::from(&find));
                    let answer = self.store.call(&self.collection, action)?;
                    self.accept(answer, 1)
                }
                _ => Err(error),
            },
        }
    }

    /// The query for what was not given yet, where the order of documents allows one.
    fn rest(&self) -> Option<Find> {
        let Find { filter, sort, limit, .. } = &self.find;
        let ascending = match sort.iter().collect::<Vec<_>>()[..] {
            [(key, way)] if key == "_id" => !matches!(way, Bson::Int32(-1) | Bson::Int64(-1)),
            _ => return None,
        };
        let behind = if ascending { "$gt" } else { "$lt" };
        let bound = doc! { "_id": { behind: self.last.clone()? } };
        let filter = doc! { "$and": [filter.clone(), bound] };
        // Nobody asks for a page once the limit is reached.
        let limit = if *limit == 0 { 0 } else { limit.saturating_sub(self.given).max(1) };
        Some(Find { filter, limit, skip: 0, ..self.find.clone() })
    }
}

impl Iterator for Pages {
    type Item = Result<Document, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(Packed(document)) = self.page.next() {
                self.given += 1;
                self.last = document.get("_id").cloned();
                return Some(Ok(document));
            }
            if self.find.limit > 0 && self.given >= self.find.limit {
                return None;
            }
            let (cursor, page) = self.cursor.take()?;
            if let Err(error) = self.next_page(cursor, page) {
                return Some(Err(error));
            }
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        if let Some((cursor, _)) = self.cursor {
            self.store.close(cursor);
        }
    }
}
