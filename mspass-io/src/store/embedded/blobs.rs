//! Blobs: their bytes in one file, their places in the database.
//!
//! Measured against keeping them as values of the database (see the store's documentation). Bytes
//! are written to free blocks and synced before the transaction that names their place commits, so
//! a place never names bytes that are not there; what a crash leaves without a name is free again
//! when the store is opened. Deleted and replaced places are used anew, the end of the file is cut
//! off when it becomes free.

use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;

use super::fault::write_failed;
use super::space::{BLOCK, Extent, Space};
use crate::error::{Error, Result};
use crate::store::Blob;

/// Where a blob's bytes are: offset, length and CRC-32C.
pub(super) type Place = (u64, u64, u32);

fn extent(place: Place) -> Extent {
    Extent { offset: place.0, length: place.1.div_ceil(BLOCK) * BLOCK }
}

/// The file of samples.
#[derive(Debug)]
pub(super) struct BlobFile {
    file: File,
    path: PathBuf,
    space: Mutex<Space>,
    /// Held for reading while a place is looked up and read; a place is used anew only after
    /// those who may know it have read it.
    readers: RwLock<()>,
}

impl BlobFile {
    /// Opens the file, with the places in use.
    pub(super) fn open(path: PathBuf, places: impl Iterator<Item = Result<Place>>) -> Result<Self> {
        let damaged = |reason: String| Error::Format { format: "blob file", offset: 0, reason };
        let used = places.map(|p| p.map(extent)).collect::<Result<Vec<_>>>()?;
        let space = Space::around(used)
            .map_err(|(a, b)| damaged(format!("places {a:?} and {b:?} overlap")))?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::file("open", &path))?;
        let length = file.metadata().map_err(Error::file("read", &path))?.len();
        if length < space.end() {
            return Err(damaged(format!("{} has lost its end", path.display())));
        }
        if length > space.end() {
            file.set_len(space.end()).map_err(Error::file("write", &path))?;
        }
        Ok(Self { file, path, space: Mutex::new(space), readers: RwLock::new(()) })
    }

    fn space(&self) -> MutexGuard<'_, Space> {
        self.space.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the blobs to free places and syncs them.
    pub(super) fn write(&self, blobs: &[Blob]) -> Result<Vec<Place>> {
        let mut places = Vec::with_capacity(blobs.len());
        {
            let mut space = self.space();
            for blob in blobs {
                let length = blob.bytes.len() as u64;
                places.push((space.take(length).offset, length, 0));
            }
        }
        let written = blobs.iter().zip(&mut places).try_for_each(|(blob, place)| {
            place.2 = crc32c::crc32c(&blob.bytes);
            write_padded(&self.file, &blob.bytes, place.0)
        });
        match written.and_then(|()| self.file.sync_data()) {
            Ok(()) => Ok(places),
            Err(source) => {
                self.free(&places);
                Err(write_failed(source, &self.path))
            }
        }
    }

    /// Gives back places that no committed transaction names any more.
    pub(super) fn free(&self, places: &[Place]) {
        if places.is_empty() {
            return;
        }
        drop(self.readers.write());
        let mut space = self.space();
        let mut shorter = false;
        for place in places {
            shorter |= space.free(extent(*place));
        }
        if shorter && let Err(error) = self.file.set_len(space.end()) {
            // Only room on the disk is lost, until the next opening.
            tracing::warn!(path = %self.path.display(), %error, "cannot shorten the blob file");
        }
    }

    /// Reads the blob whose place `look_up` finds.
    pub(super) fn read(
        &self,
        look_up: impl FnOnce() -> Result<Option<Place>>,
    ) -> Result<Option<Bytes>> {
        let _reader = self.readers.read().unwrap_or_else(PoisonError::into_inner);
        let Some((offset, length, checksum)) = look_up()? else { return Ok(None) };
        let damaged = |reason: &str| Error::Format {
            format: "blob file",
            offset,
            reason: format!("{} {reason}", self.path.display()),
        };
        if offset.checked_add(length).is_none_or(|end| end > self.space().end()) {
            return Err(damaged("ends before this blob"));
        }
        let mut bytes = vec![0; length as usize];
        read_exact_at(&self.file, &mut bytes, offset).map_err(Error::file("read", &self.path))?;
        if crc32c::crc32c(&bytes) != checksum {
            return Err(damaged("has other bytes here than were written"));
        }
        Ok(Some(bytes.into()))
    }
}

/// Writes the bytes and zeros to the end of their last block: the system need not read a block
/// to write a part of it.
fn write_padded(file: &File, bytes: &[u8], offset: u64) -> std::io::Result<()> {
    let whole = bytes.len() - bytes.len() % BLOCK as usize;
    let (blocks, rest) = bytes.split_at(whole);
    write_all_at(file, blocks, offset)?;
    if rest.is_empty() {
        return Ok(());
    }
    let mut block = [0; BLOCK as usize];
    block[..rest.len()].copy_from_slice(rest);
    write_all_at(file, &block, offset + whole as u64)
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(windows)]
fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let written = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        if written == 0 {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[written..];
        offset += written as u64;
    }
    Ok(())
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, bytes, offset)?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes = &mut bytes[read..];
        offset += read as u64;
    }
    Ok(())
}
