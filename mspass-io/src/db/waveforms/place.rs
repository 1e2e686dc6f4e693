//! Where the samples of a document are, and in which form.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bson::Document;
use bson::oid::ObjectId;
use bytes::Bytes;

use super::Waveforms;
use crate::db::fields::{count, refused};
use crate::error::{Error, Result};

/// Bytes of one waveform read into memory at most.
pub(super) const BYTES_MAX: u64 = 8 << 30;

/// Where samples are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A blob.
    Blob(ObjectId),
    /// A file, from a byte on.
    File { path: PathBuf, foff: u64 },
    /// An object, from a byte on.
    Object { url: String, foff: u64 },
}

/// In which form samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Bare doubles.
    Native,
    /// miniSEED records.
    MiniSeed,
    /// A SAC file.
    Sac,
}

impl Place {
    /// What the document says.
    pub(super) fn of(document: &Document) -> Result<Self> {
        let foff = || match document.contains_key("foff") {
            true => count(document, "foff"),
            false => Ok(0),
        };
        match document.get_str("storage_mode").unwrap_or("none") {
            "gridfs" => {
                let id = document.get_object_id("gridfs_id");
                id.map(Self::Blob).map_err(|error| refused(document, error.to_string()))
            }
            "file" => Ok(Self::File { path: path_of(document)?, foff: foff()? }),
            "url" => {
                let url = document.get_str("url");
                let url = url.map_err(|error| refused(document, error.to_string()))?;
                Ok(Self::Object { url: url.to_owned(), foff: foff()? })
            }
            mode => {
                Err(refused(document, format!("samples of storage_mode '{mode}' cannot be read")))
            }
        }
    }

    /// For a person.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Blob(id) => format!("blob {id}"),
            Self::File { path, .. } => path.display().to_string(),
            Self::Object { url, .. } => url.clone(),
        }
    }

    /// Where in the file or object the samples begin.
    pub(super) fn foff(&self) -> u64 {
        match self {
            Self::Blob(_) => 0,
            Self::File { foff, .. } | Self::Object { foff, .. } => *foff,
        }
    }

    /// `length` bytes, or all that there are; fewer where there are not so many.
    pub(super) fn bytes(&self, waveforms: &Waveforms, length: Option<u64>) -> Result<Bytes> {
        match self {
            Self::Blob(id) => waveforms.database.blobs.read(*id),
            Self::Object { url, foff } => waveforms.objects.read(url, *foff, length),
            Self::File { path, foff } => read_file_part(path, *foff, length),
        }
    }
}

fn read_file_part(path: &Path, foff: u64, length: Option<u64>) -> Result<Bytes> {
    let mut file = File::open(path).map_err(Error::file("open", path))?;
    let held = file.metadata().map_err(Error::file("read", path))?.len().saturating_sub(foff);
    let due = length.unwrap_or(held).min(held);
    if due > BYTES_MAX {
        return Err(Error::Refused(format!("{} is too long to read", path.display())));
    }
    let mut bytes = Vec::new();
    if due == 0 {
        return Ok(bytes.into());
    }
    file.seek(SeekFrom::Start(foff)).map_err(Error::file("read", path))?;
    file.take(due).read_to_end(&mut bytes).map_err(Error::file("read", path))?;
    Ok(bytes.into())
}

impl Form {
    /// What the document says.
    pub(super) fn of(document: &Document, place: &Place) -> Result<Self> {
        let format = document.get_str("format").unwrap_or("binary");
        match format.to_ascii_lowercase().as_str() {
            // A blob keeps the format of the file that its samples came from.
            _ if matches!(place, Place::Blob(_)) => Ok(Self::Native),
            "binary" => Ok(Self::Native),
            "mseed" | "miniseed" => Ok(Self::MiniSeed),
            "sac" => Ok(Self::Sac),
            _ => Err(refused(document, format!("samples in format '{format}' cannot be read"))),
        }
    }
}

fn path_of(document: &Document) -> Result<PathBuf> {
    let text = |key: &str| {
        document.get_str(key).map_err(|error| refused(document, format!("{key}: {error}")))
    };
    Ok(Path::new(text("dir")?).join(text("dfile")?))
}
