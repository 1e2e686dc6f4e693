//! Update commands that carry many statements each.

use bson::raw::RawDocumentBuf;
use bson::{Document, RawArrayBuf, RawDocument, rawdoc};

use super::Link;
use super::driver::Pending;
use super::failure::{DUPLICATE_KEY, Failure};

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
    /// operators; the statement must be idempotent, as it is repeated after a lost connection.
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
        begin_idempotent(self.link, command).wait().map(drop)
    }
}

/// Starts a write command that may be repeated: it is, once, after a transient failure.
pub(super) fn begin_idempotent(link: &Link, command: RawDocumentBuf) -> Pending<Document> {
    let database = link.database.clone();
    link.driver.begin(async move {
        let first = run(&database, command.clone()).await;
        match first {
            // Two writers of the same new `_id` can meet: the second time it is there.
            Err(failure) if failure.is_transient() || failure.code() == Some(DUPLICATE_KEY) => {
                tracing::debug!("MongoDB command repeated after: {}", failure.text());
                run(&database, command).await
            }
            other => other,
        }
    })
}

async fn run(database: &mongodb::Database, command: RawDocumentBuf) -> Result<Document, Failure> {
    let reply = database.run_raw_command(command).await?;
    Failure::in_reply(&reply)?;
    Ok(reply)
}
