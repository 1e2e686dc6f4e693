//! Update commands that carry many statements each.

use bson::raw::RawDocumentBuf;
use bson::{RawArrayBuf, RawDocument, rawdoc};

use super::failure::{DUPLICATE_KEY, Failure};
use super::link::Link;

/// Statements in one command.
const STATEMENTS_MAX: usize = 1000;

/// Bytes of statements in one command. MongoDB allows 16 MiB and a little more for the rest of the
/// command; a single statement may be that large, a batch stays well below.
const BATCH_BYTES_MAX: usize = 12 << 20;

/// Gathers statements for a collection and sends them in few commands, in order.
pub(super) struct Updates<'a> {
    link: &'a Link,
    collection: &'a str,
    statements: RawArrayBuf,
    count: usize,
    bytes: usize,
}

impl<'a> Updates<'a> {
    /// Updates of `collection`.
    pub(super) fn new(link: &'a Link, collection: &'a str) -> Self {
        Self { link, collection, statements: RawArrayBuf::new(), count: 0, bytes: 0 }
    }

    /// Adds "put `update` where `filter` matches, or insert it". `update` is a whole document or
    /// operators; the statement must be idempotent, as it may be repeated.
    pub(super) fn upsert(
        &mut self,
        filter: &RawDocument,
        update: &RawDocument,
    ) -> Result<(), Failure> {
        let size = filter.as_bytes().len() + update.as_bytes().len() + 64;
        if self.count == STATEMENTS_MAX || self.bytes + size > BATCH_BYTES_MAX {
            self.send()?;
        }
        self.statements.push(rawdoc! {
            "q": filter.to_owned(),
            "u": update.to_owned(),
            "upsert": true,
        });
        self.count += 1;
        self.bytes += size;
        Ok(())
    }

    /// Sends what is left.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        self.send()
    }

    fn send(&mut self) -> Result<(), Failure> {
        if self.count == 0 {
            return Ok(());
        }
        let command = rawdoc! {
            "update": self.collection,
            "updates": std::mem::take(&mut self.statements),
            "ordered": true,
            "writeConcern": {"w": "majority", "j": true},
        };
        (self.count, self.bytes) = (0, 0);
        match write(self.link, &command) {
            // Two writers of one new `_id` can meet; the second time it is there.
            Err(failure) if failure.code() == Some(DUPLICATE_KEY) => write(self.link, &command),
            other => other,
        }
    }
}

/// Runs an idempotent write command.
pub(super) fn write(link: &Link, command: &RawDocumentBuf) -> Result<(), Failure> {
    link.idempotent(|database| {
        let command = command.clone();
        async move { Failure::in_reply(&database.run_raw_command(command).await?) }
    })
}
