//! Reading a query batch by batch.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use bson::Document;
use futures_core::Stream;
use mongodb::raw_batch_cursor::{RawBatch, RawBatchCursor};
use tokio::sync::mpsc::UnboundedSender;

use super::driver::COMMAND_TIME_MAX;
use super::failure::Failure;
use super::link::Link;
use crate::error::Result;

/// Batches held at most: the one being read and the one fetched meanwhile. A batch is what the
/// server puts into one reply, 16 MiB at most.
const BATCHES_MAX: usize = 2;

/// The documents of a server-side cursor. A task on the driver's thread owns the cursor and
/// fetches one batch for each demand; it ends, and the cursor with it, when this is dropped.
pub(super) struct Batches {
    collection: String,
    demands: UnboundedSender<()>,
    replies: Receiver<Result<Option<RawBatch>, Failure>>,
    batch: std::vec::IntoIter<Document>,
    finished: bool,
    // Keeps the driver's thread alive while this is read.
    _link: Arc<Link>,
}

impl Batches {
    /// Reads `cursor`, fetching ahead by one batch.
    pub(super) fn new(link: &Arc<Link>, collection: &str, mut cursor: RawBatchCursor) -> Self {
        let (demands, mut demanded) = tokio::sync::mpsc::unbounded_channel();
        let (sender, replies) = channel();
        link.driver.detach(async move {
            while demanded.recv().await.is_some() {
                let next = std::future::poll_fn(|cx| Pin::new(&mut cursor).poll_next(cx)).await;
                let reply = next.transpose().map_err(Failure::from);
                let last = !matches!(reply, Ok(Some(_)));
                if sender.send(reply).is_err() || last {
                    break;
                }
            }
        });
        for _ in 0..BATCHES_MAX {
            // Refused only after the end, which the first reply tells as well.
            let _ = demands.send(());
        }
        Self {
            collection: collection.to_owned(),
            demands,
            replies,
            batch: Vec::new().into_iter(),
            finished: false,
            _link: Arc::clone(link),
        }
    }

    /// The documents of the next batch; none at the end.
    fn fetch(&mut self) -> Result<Option<Vec<Document>>, Failure> {
        let reply = match self.replies.recv_timeout(COMMAND_TIME_MAX) {
            Ok(reply) => reply?,
            Err(RecvTimeoutError::Timeout) => return Err(Failure::TimedOut),
            Err(RecvTimeoutError::Disconnected) => return Err(Failure::Stopped),
        };
        let Some(batch) = reply else { return Ok(None) };
        let _ = self.demands.send(());
        documents(&batch).map(Some)
    }
}

/// The documents of a server's reply.
pub(super) fn documents(batch: &RawBatch) -> Result<Vec<Document>, Failure> {
    let mut documents = Vec::new();
    for element in batch.doc_slices()? {
        let element = element?;
        let document = element
            .as_document()
            .ok_or_else(|| Failure::Reply("a batch element is no document".into()))?;
        documents.push(Document::try_from(document)?);
    }
    Ok(documents)
}

impl Iterator for Batches {
    type Item = Result<Document>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(document) = self.batch.next() {
                return Some(Ok(document));
            }
            if self.finished {
                return None;
            }
            match self.fetch() {
                Ok(Some(batch)) => self.batch = batch.into_iter(),
                Ok(None) => self.finished = true,
                Err(failure) => {
                    self.finished = true;
                    return Some(Err(failure.during(format!("read {}", self.collection))));
                }
            }
        }
    }
}
