//! Blobs.

use std::thread;

use bson::oid::ObjectId;
use bytes::Bytes;

use crate::error::{Error, Result};
use crate::store::{Blob, BlobStore};

/// A blob of a check, with bytes that differ from place to place and from blob to blob.
fn blob(check: u8, number: u32, length: usize) -> Blob {
    let mut id = [check; 12];
    id[8..].copy_from_slice(&number.to_be_bytes());
    let seed = u64::from(check) << 32 | u64::from(number);
    let byte = |i: usize| ((i as u64 ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8;
    Blob { id: ObjectId::from_bytes(id), bytes: (0..length).map(byte).collect() }
}

fn is_missing(outcome: &Result<Bytes>, id: ObjectId) -> bool {
    matches!(outcome, Err(Error::NoBlob { id: named }) if *named == id.to_hex())
}

pub(super) fn blobs_of_every_size_come_back(store: &dyn BlobStore) -> Result<()> {
    let lengths = [0, 1, 4_095, 4_096, 4_097, 261_120, 261_121, 600_000, 20 << 20];
    let blobs: Vec<_> = (0..).zip(lengths).map(|(i, length)| blob(1, i, length)).collect();
    store.put(&blobs)?;
    for blob in blobs.iter().rev() {
        assert!(store.read(blob.id)? == blob.bytes, "{} bytes", blob.bytes.len());
    }
    store.put(&[])
}

pub(super) fn missing_blobs_are_named(store: &dyn BlobStore) -> Result<()> {
    let missing = blob(2, 0, 0).id;
    assert!(is_missing(&store.read(missing), missing));
    assert_eq!(store.delete(&[missing])?, 0);
    Ok(())
}

pub(super) fn put_replaces(store: &dyn BlobStore) -> Result<()> {
    let id = blob(3, 0, 0).id;
    for (round, length) in (0..).zip([100_000, 0, 300_000, 5, 100_000]) {
        let bytes = blob(3, round, length).bytes;
        for _ in 0..2 {
            store.put(&[Blob { id, bytes: bytes.clone() }])?;
            assert!(store.read(id)? == bytes, "round {round}");
        }
    }
    // The last of two with one id stays.
    let (first, last) = (blob(3, 10, 70_000).bytes, blob(3, 11, 60_000).bytes);
    store.put(&[Blob { id, bytes: first }, Blob { id, bytes: last.clone() }])?;
    assert!(store.read(id)? == last);
    assert_eq!(store.ids()?.iter().filter(|known| **known == id).count(), 1);
    Ok(())
}

pub(super) fn delete_counts_those_that_were_there(store: &dyn BlobStore) -> Result<()> {
    let blobs: Vec<_> = (0..10).map(|i| blob(4, i, 10_000 * i as usize)).collect();
    store.put(&blobs)?;
    let half: Vec<_> = blobs.iter().step_by(2).map(|blob| blob.id).collect();
    assert_eq!(store.delete(&half)?, 5);
    assert_eq!(store.delete(&half)?, 0);
    for (i, blob) in blobs.iter().enumerate() {
        let found = store.read(blob.id);
        assert!(if i % 2 == 0 { is_missing(&found, blob.id) } else { found? == blob.bytes });
    }
    // What is free may be used anew, and harms nothing that stayed.
    let again: Vec<_> = (100..120).map(|i| blob(4, i, 15_000)).collect();
    store.put(&again)?;
    for blob in again.iter().chain(blobs.iter().skip(1).step_by(2)) {
        assert!(store.read(blob.id)? == blob.bytes);
    }
    assert_eq!(store.delete(&[])?, 0);
    Ok(())
}

pub(super) fn ids_ascend(store: &dyn BlobStore) -> Result<()> {
    let blobs: Vec<_> = [5, 1, 9, 3].map(|i| blob(5, i, 10)).into();
    store.put(&blobs)?;
    let ids = store.ids()?;
    assert!(ids.is_sorted() && blobs.iter().all(|blob| ids.contains(&blob.id)));
    Ok(())
}

pub(super) fn blobs_of_many_writers(store: &dyn BlobStore) -> Result<()> {
    let write = |writer: u32| -> Result<()> {
        for round in 0..10 {
            let number = |i| writer * 1_000 + round * 10 + i;
            let blobs: Vec<_> = (0..5).map(|i| blob(6, number(i), 40_000)).collect();
            store.put(&blobs)?;
            assert!(store.read(blobs[3].id)? == blobs[3].bytes);
            assert_eq!(store.delete(&[blobs[0].id, blobs[1].id])?, 2);
            assert!(store.read(blobs[2].id)? == blobs[2].bytes);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let writers: Vec<_> = (0..6).map(|w| scope.spawn(move || write(w))).collect();
        writers.into_iter().try_for_each(|writer| match writer.join() {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })?;
    for writer in 0..6 {
        for i in 0..100 {
            let blob = blob(6, writer * 1_000 + i, 40_000);
            let found = store.read(blob.id);
            match i % 10 {
                0 | 1 | 5.. => assert!(is_missing(&found, blob.id)),
                _ => assert!(found? == blob.bytes),
            }
        }
    }
    Ok(())
}
