//! Objects by address: `http://`, `https://`, `file://`, and whatever store is registered under a
//! prefix.
//!
//! Reads take a range, so that a waveform in a large file costs only its own bytes. Calls block,
//! as those of the other stores do.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use object_store::http::HttpBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ClientOptions, GetOptions, GetRange, ObjectStore, ObjectStoreExt, RetryConfig};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::{Error, Result};

/// Stores kept open at most, registered ones included.
pub const STORES_MAX: usize = 64;

/// Bytes read of one object at most.
pub const OBJECT_BYTES_MAX: u64 = 8 << 30;

/// How often a request that failed for want of an answer is repeated.
const RETRIES_MAX: usize = 3;

/// How long a request is repeated.
const RETRY_TIME_MAX: Duration = Duration::from_secs(60);

/// How long one request may take.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(300);

/// Object stores by address, one handle for all of a process.
#[derive(Clone, Default)]
pub struct Objects(Arc<Shared>);

#[derive(Default)]
struct Shared {
    runtime: Mutex<Option<Arc<Runtime>>>,
    stores: Mutex<Vec<Known>>,
}

/// A store and the beginning of its addresses.
#[derive(Clone)]
struct Known {
    prefix: String,
    store: Arc<dyn ObjectStore>,
    registered: bool,
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stores = self.0.stores.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_list().entries(stores.iter().map(|known| &known.prefix)).finish()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(runtime) = runtime.and_then(Arc::into_inner) {
            runtime.shutdown_background();
        }
    }
}

impl Objects {
    /// Has addresses that begin with `prefix` ("s3://bucket") answered by `store`.
    ///
    /// # Errors
    /// Where [`STORES_MAX`] are registered.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use mspass_io::store::Objects;
    /// use object_store::memory::InMemory;
    ///
    /// let objects = Objects::default();
    /// objects.register("memory://here", Arc::new(InMemory::new()))?;
    /// objects.put("memory://here/a/b", b"012345".to_vec().into())?;
    /// assert_eq!(&objects.read("memory://here/a/b", 2, Some(3))?[..], b"234");
    /// # Ok::<(), mspass_io::Error>(())
    /// ```
    pub fn register(&self, prefix: &str, store: Arc<dyn ObjectStore>) -> Result<()> {
        let prefix = prefix.trim_end_matches('/').to_owned();
        self.keep(Known { prefix, store, registered: true })
    }

    /// `length` bytes of an object from `from` on, or all the rest; fewer where it ends before.
    ///
    /// # Errors
    /// [`Error::Object`] where the object is not there or may not be read; [`Error::Store`] where
    /// the store does not answer.
    pub fn read(&self, url: &str, from: u64, length: Option<u64>) -> Result<Bytes> {
        if length == Some(0) {
            return Ok(Bytes::new());
        }
        let range = match length {
            Some(length) => Some(GetRange::Bounded(from..from.saturating_add(length))),
            None if from > 0 => Some(GetRange::Offset(from)),
            None => None,
        };
        let options = GetOptions { range, ..GetOptions::default() };
        let (store, path) = self.resolve(url)?;
        let read = async {
            let found = store.get_opts(&path, options).await?;
            let held = found.range.end.saturating_sub(found.range.start);
            if held > OBJECT_BYTES_MAX {
                let reason = format!("{held} bytes are more than the {OBJECT_BYTES_MAX} allowed");
                return Ok(Err(Error::Object { url: url.to_owned(), reason }));
            }
            found.bytes().await.map(Ok)
        };
        self.run(read)?.map_err(|error| failure(url, "read", error))?
    }

    /// Stores an object, in the place of the one at the address if there is one.
    ///
    /// # Errors
    /// As [`Objects::read`].
    pub fn put(&self, url: &str, bytes: Bytes) -> Result<()> {
        let (store, path) = self.resolve(url)?;
        let put = async { store.put(&path, bytes.into()).await.map(drop) };
        self.run(put)?.map_err(|error| failure(url, "write", error))
    }

    /// Deletes an object; one that is not there is no error.
    ///
    /// # Errors
    /// As [`Objects::read`].
    pub fn delete(&self, url: &str) -> Result<()> {
        let (store, path) = self.resolve(url)?;
        match self.run(async { store.delete(&path).await })? {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failure(url, "delete", error)),
        }
    }

    /// The store that answers an address, and the path in it.
    fn resolve(&self, url: &str) -> Result<(Arc<dyn ObjectStore>, Path)> {
        let refuse = |reason: String| Error::Object { url: url.to_owned(), reason };
        let known = {
            let stores = self.0.stores.lock().unwrap_or_else(PoisonError::into_inner);
            let answers = stores.iter().filter(|known| rest_of(url, &known.prefix).is_some());
            answers.max_by_key(|known| known.prefix.len()).cloned()
        };
        let known = match known {
            Some(known) => known,
            None => self.make(url)?,
        };
        let rest = rest_of(url, &known.prefix).unwrap_or_default();
        if rest.contains(['?', '#']) {
            return Err(refuse("addresses with '?' or '#' are not read".to_owned()));
        }
        let path = Path::from_url_path(rest).map_err(|error| refuse(error.to_string()))?;
        Ok((known.store, path))
    }

    /// Opens the store of an address that nobody registered.
    fn make(&self, url: &str) -> Result<Known> {
        let refuse = |reason: String| Error::Object { url: url.to_owned(), reason };
        let (scheme, rest) =
            url.split_once("://").ok_or_else(|| refuse("it is no address".to_owned()))?;
        let authority = rest.split('/').next().unwrap_or_default();
        let store: Arc<dyn ObjectStore> = match scheme {
            "file" if authority.is_empty() => Arc::new(LocalFileSystem::new()),
            "http" | "https" if !authority.is_empty() => {
                // Fails where one is installed already, which serves as well.
                let _ = rustls::crypto::ring::default_provider().install_default();
                let retry = RetryConfig {
                    max_retries: RETRIES_MAX,
                    retry_timeout: RETRY_TIME_MAX,
                    ..RetryConfig::default()
                };
                let client =
                    ClientOptions::new().with_allow_http(true).with_timeout(REQUEST_TIME_MAX);
                let builder = HttpBuilder::new().with_url(format!("{scheme}://{authority}"));
                let builder = builder.with_retry(retry).with_client_options(client);
                Arc::new(builder.build().map_err(|error| refuse(error.to_string()))?)
            }
            _ => {
                return Err(refuse(format!(
                    "no store answers {scheme}://{authority}: register one for it"
                )));
            }
        };
        let prefix = format!("{scheme}://{authority}");
        let known = Known { prefix, store, registered: false };
        self.keep(known.clone())?;
        Ok(known)
    }

    fn keep(&self, known: Known) -> Result<()> {
        let mut stores = self.0.stores.lock().unwrap_or_else(PoisonError::into_inner);
        stores.retain(|other| other.prefix != known.prefix);
        if stores.len() >= STORES_MAX {
            // The oldest that can be opened again by its address.
            let Some(oldest) = stores.iter().position(|other| !other.registered) else {
                return Err(Error::Refused(format!("{STORES_MAX} object stores are registered")));
            };
            stores.remove(oldest);
        }
        stores.push(known);
        Ok(())
    }

    /// Runs a request on the calling thread, which waits for it.
    fn run<T>(&self, request: impl Future<Output = T>) -> Result<T> {
        if Handle::try_current().is_ok() {
            let reason = "reading objects blocks: call it on a thread of its own";
            return Err(Error::Refused(reason.to_owned()));
        }
        let runtime = {
            let mut held = self.0.runtime.lock().unwrap_or_else(PoisonError::into_inner);
            match &*held {
                Some(runtime) => Arc::clone(runtime),
                None => {
                    let made = Builder::new_current_thread().enable_all().build();
                    let made = Arc::new(made.map_err(Error::store("object", "start"))?);
                    *held = Some(Arc::clone(&made));
                    made
                }
            }
        };
        Ok(runtime.block_on(request))
    }
}

/// What follows a prefix in an address, without the slash between.
fn rest_of<'a>(url: &'a str, prefix: &str) -> Option<&'a str> {
    url.strip_prefix(prefix)?.strip_prefix('/')
}

fn failure(url: &str, action: &'static str, error: object_store::Error) -> Error {
    use object_store::Error as Cause;
    let reason = match &error {
        Cause::NotFound { .. } => "it is not there".to_owned(),
        Cause::PermissionDenied { .. } | Cause::Unauthenticated { .. } => {
            "access is denied".to_owned()
        }
        Cause::InvalidPath { .. } | Cause::NotSupported { .. } | Cause::NotImplemented { .. } => {
            error.to_string()
        }
        _ => {
            let text = error.to_string();
            // The client has no kind of its own for a range beyond the end.
            if !(text.contains("416") || text.contains("Range started at")) {
                return Error::store("object", format!("{action} {url}"))(error);
            }
            "it ends before the samples begin".to_owned()
        }
    };
    Error::Object { url: url.to_owned(), reason }
}
