//! From a database into files.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use bson::oid::ObjectId;
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, DateTime, Document, doc};

use super::folder::{Form, encode};
use super::import::Tracker;
use super::{CHUNK_BYTES, CHUNKS, FILES, Progress};
use crate::db::id::Derived;
use crate::error::{Error, Result};
use crate::store::{Database, Find};

/// What to export, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportOptions {
    /// Collections to export, `fs.files` for the samples; empty means all.
    pub collections: Vec<String>,
    /// Form of the files.
    pub form: Form,
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self { collections: Vec::new(), form: Form::Bson }
    }
}

/// What an export wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportReport {
    /// Collection and number of documents.
    pub collections: Vec<(String, u64)>,
    /// Blobs.
    pub blobs: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

/// Writes `database` into `folder`, which must not be there or be empty: a file a collection, and
/// `fs.files` and `fs.chunks` for the samples, as `mongodump` lays them out.
///
/// The folder appears when it is whole: it is written beside under another name. Of a blob its id
/// and bytes are kept; `uploadDate` is the time that its id tells.
///
/// # Errors
/// [`Error::Refused`] where `folder` holds something; [`Error::File`] and what the store says
/// otherwise. Nothing is left of an export that failed.
pub fn export(
    database: &Database,
    folder: &Path,
    options: &ExportOptions,
    progress: &mut dyn FnMut(&Progress),
) -> Result<ExportReport> {
    if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) || folder.is_file() {
        let shown = folder.display();
        return Err(Error::Refused(format!("{shown} is not empty: name a new folder")));
    }
    let collections = chosen(database, &options.collections)?;
    let partial = partial(folder)?;
    let written = (|| {
        let tracker = Tracker::new("export", 0, progress);
        let mut writer = Writer { folder: &partial, form: options.form, bytes: 0, tracker };
        let mut report = ExportReport::default();
        for name in collections {
            let mut file = writer.create(&name)?;
            let mut count = 0;
            for document in database.documents.find(&name, &Find::default())? {
                writer.write(&mut file, document?)?;
                count += 1;
            }
            file.finish()?;
            report.collections.push((name, count));
        }
        if options.collections.is_empty() || options.collections.iter().any(|c| c == FILES) {
            report.blobs = export_samples(database, &mut writer)?;
        }
        report.bytes = writer.bytes;
        sync(&partial)?;
        fs::rename(&partial, folder).map_err(Error::file("create", folder))?;
        sync(
            folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(".".as_ref()),
        )?;
        Ok(report)
    })();
    if written.is_err() {
        // What cannot be removed now is removed by the next export.
        let _ = fs::remove_dir_all(&partial);
    }
    written
}

fn chosen(database: &Database, named: &[String]) -> Result<Vec<String>> {
    let all = database.documents.collections()?;
    if named.is_empty() {
        return Ok(all.into_iter().filter(|name| name != FILES && name != CHUNKS).collect());
    }
    let mut chosen = Vec::new();
    for name in named.iter().filter(|name| *name != FILES && *name != CHUNKS) {
        if !all.contains(name) {
            return Err(Error::Refused(format!(
                "no collection '{name}' here; there are {}",
                all.join(", ")
            )));
        }
        chosen.push(name.clone());
    }
    Ok(chosen)
}

/// The empty folder beside `folder` that is written to.
fn partial(folder: &Path) -> Result<PathBuf> {
    let name = folder.file_name().ok_or_else(|| {
        Error::Refused(format!("{} names no folder: name a new one", folder.display()))
    })?;
    let mut name = name.to_owned();
    name.push(".partial");
    let partial = folder.with_file_name(name);
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(Error::file("remove", &partial))?;
    }
    fs::create_dir_all(&partial).map_err(Error::file("create", &partial))?;
    Ok(partial)
}

fn sync(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(Error::file("sync", folder))
}

struct Writer<'a> {
    folder: &'a Path,
    form: Form,
    bytes: u64,
    tracker: Tracker<'a>,
}

struct Output {
    file: BufWriter<File>,
    path: PathBuf,
    collection: String,
}

impl Output {
    fn finish(self) -> Result<()> {
        let file = self.file.into_inner().map_err(|error| error.into_error());
        file.and_then(|file| file.sync_all()).map_err(Error::file("write", &self.path))
    }
}

impl Writer<'_> {
    fn create(&self, collection: &str) -> Result<Output> {
        let name = format!("{}.{}", encode(collection), self.form.extension());
        let path = self.folder.join(name);
        let file = File::create_new(&path).map_err(Error::file("create", &path))?;
        let file = BufWriter::with_capacity(256 << 10, file);
        Ok(Output { file, path, collection: collection.to_owned() })
    }

    fn write(&mut self, output: &mut Output, document: Document) -> Result<()> {
        let bytes = match self.form {
            Form::Bson => bson::serialize_to_vec(&document)
                .map_err(|error| Error::query(format!("a document is not BSON: {error}")))?,
            Form::Json => {
                let json = Bson::Document(document).into_canonical_extjson();
                format!("{json}\n").into_bytes()
            }
        };
        output.file.write_all(&bytes).map_err(Error::file("write", &output.path))?;
        self.bytes += bytes.len() as u64;
        self.tracker.count(&output.collection, bytes.len());
        Ok(())
    }
}

fn export_samples(database: &Database, writer: &mut Writer<'_>) -> Result<u64> {
    let ids = database.blobs.ids()?;
    if ids.is_empty() {
        return Ok(0);
    }
    let (mut files, mut chunks) = (writer.create(FILES)?, writer.create(CHUNKS)?);
    for id in &ids {
        let bytes = database.blobs.read(*id)?;
        for (n, data) in (0_i32..).zip(bytes.chunks(CHUNK_BYTES)) {
            let data = Binary { subtype: BinarySubtype::Generic, bytes: data.to_vec() };
            let chunk = doc! { "_id": chunk_id(*id, n), "files_id": *id, "n": n, "data": data };
            writer.write(&mut chunks, chunk)?;
        }
        let file = doc! {
            "_id": *id, "length": bytes.len() as i64, "chunkSize": CHUNK_BYTES as i32,
            "uploadDate": uploaded(*id),
        };
        writer.write(&mut files, file)?;
    }
    files.finish()?;
    chunks.finish()?;
    Ok(ids.len() as u64)
}

/// The same for the same chunk, so that the same database gives the same files.
fn chunk_id(id: ObjectId, n: i32) -> ObjectId {
    Derived::new("chunk").id(id).number(n as u64).object_id()
}

/// The time in an id; of a derived id it is only a number.
fn uploaded(id: ObjectId) -> DateTime {
    id.timestamp()
}
