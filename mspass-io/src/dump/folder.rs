//! What the files of a folder are.

use std::fs;
use std::path::{Path, PathBuf};

use super::{CHUNKS, FILES};
use crate::error::{Error, Result};

/// How documents stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// BSON, end to end.
    Bson,
    /// Extended JSON, one document a line or an array.
    Json,
}

impl Form {
    /// Ending of a file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Bson => "bson",
            Self::Json => "json",
        }
    }
}

/// One collection's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DumpFile {
    pub(super) collection: String,
    pub(super) path: PathBuf,
    pub(super) form: Form,
    pub(super) bytes: u64,
}

/// The files of a folder.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// By collection, sorted; those of GridFS are not among them.
    pub(super) files: Vec<DumpFile>,
    pub(super) descriptions: Option<DumpFile>,
    pub(super) chunks: Option<DumpFile>,
    /// Collection and file of indexes.
    pub(super) metadata: Vec<(String, PathBuf)>,
    /// Names of files that are none of a dump's.
    pub(super) passed_over: Vec<String>,
}

const METADATA: &str = ".metadata.json";

impl Listing {
    /// Looks at `folder`, and takes only `collections` where there are any named.
    pub(super) fn of(folder: &Path, collections: &[String]) -> Result<Self> {
        let mut names = names(folder)?;
        names.sort_unstable();
        if let Some(name) = names.iter().find(|name| name.ends_with(".bson.gz")) {
            let path = folder.join(name);
            return Err(Error::Refused(format!("{} is compressed: gunzip it", path.display())));
        }
        let has_bson = names.iter().any(|name| name.ends_with(".bson"));
        let mut listing = Self::default();
        for name in names {
            listing.sort_in(folder, name, has_bson, collections)?;
        }
        if listing.is_empty() {
            return Err(nothing_in(folder, collections));
        }
        Ok(listing)
    }

    fn sort_in(
        &mut self,
        folder: &Path,
        name: String,
        has_bson: bool,
        collections: &[String],
    ) -> Result<()> {
        let wanted = |collection: &str| {
            collections.is_empty() || collections.iter().any(|one| one == collection)
        };
        let path = folder.join(&name);
        if let Some(stem) = name.strip_suffix(METADATA) {
            let collection = decode(stem);
            if wanted(&collection) && !collection.starts_with("fs.") {
                self.metadata.push((collection, path));
            }
            return Ok(());
        }
        let (form, stem) = match (name.strip_suffix(".bson"), name.strip_suffix(".json")) {
            (Some(stem), _) => (Form::Bson, stem),
            (None, Some(stem)) if !has_bson => (Form::Json, stem),
            _ => {
                self.passed_over.push(name);
                return Ok(());
            }
        };
        let collection = decode(stem);
        if collection.starts_with("system.") {
            self.passed_over.push(name);
            return Ok(());
        }
        // Samples are of one piece: naming either of their collections takes both.
        let samples = [FILES, CHUNKS].contains(&collection.as_str());
        if !(wanted(&collection) || samples && (wanted(FILES) || wanted(CHUNKS))) {
            return Ok(());
        }
        let bytes = fs::metadata(&path).map_err(Error::file("read", &path))?.len();
        let file = DumpFile { collection, path, form, bytes };
        match file.collection.as_str() {
            FILES => self.descriptions = Some(file),
            CHUNKS => self.chunks = Some(file),
            _ => self.files.push(file),
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.files.is_empty() && self.descriptions.is_none() && self.chunks.is_none()
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        let samples = self.descriptions.iter().chain(&self.chunks);
        self.files.iter().chain(samples).map(|file| file.bytes).sum()
    }
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).map_err(Error::file("read the folder", folder))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::file("read the folder", folder))?;
        let path = entry.path();
        // What a link named and is gone is missed, not passed over.
        let is_gone = entry.file_type().is_ok_and(|kind| kind.is_symlink()) && !path.exists();
        if path.is_file() || is_gone {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

/// The sentence for a folder without a dump; `mongodump` puts the files one level deeper.
fn nothing_in(folder: &Path, collections: &[String]) -> Error {
    let shown = folder.display();
    if !collections.is_empty() {
        let names = collections.join(", ");
        return Error::Refused(format!("{shown} holds no .bson or .json file of {names}"));
    }
    let inner = fs::read_dir(folder).ok().and_then(|entries| {
        let mut folders = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir());
        folders.find(|path| names(path).is_ok_and(|n| n.iter().any(|n| n.ends_with(".bson"))))
    });
    let hint = inner.map(|inner| format!("; is it {}?", inner.display())).unwrap_or_default();
    Error::Refused(format!("{shown} holds no .bson or .json file of a collection{hint}"))
}

/// A collection's name from that of its file: `mongodump` writes some characters as `%24`.
fn decode(stem: &str) -> String {
    let mut bytes = Vec::with_capacity(stem.len());
    let mut rest = stem.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = tail
            .get(..2)
            .filter(|_| first == b'%')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(code.unwrap_or(first));
        rest = &tail[if code.is_some() { 2 } else { 0 }..];
    }
    String::from_utf8(bytes).unwrap_or_else(|_| stem.to_owned())
}

/// The name of a collection's file, its ending apart.
pub(super) fn encode(collection: &str) -> String {
    let mut name = String::with_capacity(collection.len());
    for byte in collection.bytes() {
        match byte {
            b'%' | b'/' | b'\\' | b':' | b'*' | b'?' | b'"' | b'<' | b'>' | b'|' | b'$' => {
                name.push_str(&format!("%{byte:02X}"));
            }
            0..0x20 | 0x7f => name.push_str(&format!("%{byte:02X}")),
            0x80.. => name.push_str(&format!("%{byte:02X}")),
            _ => name.push(char::from(byte)),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn names_of_files_give_the_names_of_collections() {
        for name in ["site", "a b", "50%", "a/b", "é:*", "%24", "fs.files"] {
            assert_eq!(decode(&encode(name)), name);
            assert!(!encode(name).contains(['/', ':', '*']), "{name}");
        }
        assert_eq!(decode("a%2"), "a%2");
        assert_eq!(decode("a%zz"), "a%zz");
    }
}
