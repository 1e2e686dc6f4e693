//! The cluster's one secret, where it comes from, and what is made of it.

use std::ffi::OsString;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::proof::{Key, keyed, random};
use crate::error::{Error, Result};

/// A secret shorter than this can be guessed.
pub const SECRET_BYTES_MIN: usize = 16;
/// A secret longer than this is some other file.
pub const SECRET_BYTES_MAX: usize = 4096;

const FILE_VARIABLE: &str = "MSPASS_SECRET_FILE";
const VARIABLE: &str = "MSPASS_SECRET";
const REMEDY: &str = "make one with: head -c 32 /dev/urandom | base64";

/// Where a secret came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// The file that `MSPASS_SECRET_FILE` names.
    File,
    /// The variable `MSPASS_SECRET`.
    Variable,
    /// `WORKDIR/secret`, which the first process of a cluster writes.
    Generated,
}

/// What the members of a cluster know and nobody else does. It is never shown, and wiped when the
/// last clone goes.
#[derive(Clone)]
pub struct Secret {
    bytes: Arc<Zeroizing<Vec<u8>>>,
    origin: Origin,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({:?})", self.origin)
    }
}

impl Secret {
    /// The secret of this process's environment, else that of `workdir`, written there (mode 0600)
    /// when there is none.
    ///
    /// # Errors
    /// [`Error::Security`] when both variables are set, when a file can be read by others than its
    /// owner, or when the secret is empty, short or long.
    pub fn from_environment(workdir: &Path) -> Result<Self> {
        Self::from_variables(|name| std::env::var_os(name), workdir)
    }

    /// As [`Self::from_environment`], with the variables from `variable`.
    ///
    /// # Errors
    /// As there.
    pub fn from_variables(
        variable: impl Fn(&str) -> Option<OsString>,
        workdir: &Path,
    ) -> Result<Self> {
        match (variable(FILE_VARIABLE), variable(VARIABLE)) {
            (Some(_), Some(_)) => refuse(format!(
                "{FILE_VARIABLE} and {VARIABLE} are both set: keep one, the file if you can"
            )),
            (Some(path), None) => Self::from_file(Path::new(&path), Origin::File),
            (None, Some(value)) => {
                let bytes = Zeroizing::new(value.into_encoded_bytes());
                Self::parse(&bytes, VARIABLE, Origin::Variable)
            }
            (None, None) => Self::of_workdir(workdir),
        }
    }

    /// The secret in a file.
    ///
    /// # Errors
    /// [`Error::Security`] as for [`Self::from_environment`].
    pub fn from_file(path: &Path, origin: Origin) -> Result<Self> {
        let place = path.display();
        let cannot = |e| Error::Security(format!("cannot read the secret file {place}: {e}"));
        let metadata = path.metadata().map_err(cannot)?;
        if !metadata.is_file() {
            return refuse(format!("the secret file {place} is not a file"));
        }
        let file = File::open(path).map_err(cannot)?;
        let mode = file.metadata().map_err(cannot)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return refuse(format!(
                "the secret file {place} is open to others than its owner (mode {mode:04o}): run \
                 chmod 600 {place}"
            ));
        }
        // Room for all of it beforehand: a vector that grows leaves copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_BYTES_MAX + 64));
        let most = SECRET_BYTES_MAX as u64 + 2;
        file.take(most).read_to_end(&mut bytes).map_err(cannot)?;
        Self::parse(&bytes, &format!("the secret file {place}"), origin)
    }

    /// `WORKDIR/secret`: whoever comes first writes it, and all read the same.
    fn of_workdir(workdir: &Path) -> Result<Self> {
        let path = workdir.join("secret");
        let place = path.display();
        if !path.exists() {
            let written = write_first(workdir, &path);
            written
                .map_err(|e| Error::Security(format!("cannot write a secret to {place}: {e}")))?;
        }
        Self::from_file(&path, Origin::Generated)
    }

    fn parse(bytes: &[u8], place: &str, origin: Origin) -> Result<Self> {
        let bytes = bytes.trim_ascii();
        match bytes.len() {
            0 => refuse(format!("{place} is empty: {REMEDY}")),
            short if short < SECRET_BYTES_MIN => refuse(format!(
                "{place} has fewer than {SECRET_BYTES_MIN} characters and could be guessed: \
                 {REMEDY}"
            )),
            long if long > SECRET_BYTES_MAX => refuse(format!(
                "{place} is longer than {SECRET_BYTES_MAX} bytes, so it is hardly a secret: \
                 {REMEDY}"
            )),
            _ => Ok(Self { bytes: Arc::new(Zeroizing::new(bytes.to_vec())), origin }),
        }
    }

    /// Where it came from.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The key of one purpose; from it nobody finds the secret or the key of another purpose.
    pub(super) fn key(&self, purpose: &str) -> Key {
        keyed(&self.bytes, &[purpose.as_bytes()])
    }

    /// The token that the frontend's HTTP asks for.
    pub fn token(&self) -> Token {
        Token(Zeroizing::new(hex(&self.key("mspass http bearer token")[..])))
    }
}

/// What a client of the frontend sends as `Authorization: Bearer TOKEN`: 64 hexadecimal digits.
/// It is made from the secret, which cannot be found from it.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// Whether this is the value of a request's `Authorization` header; takes the same time
    /// wherever they differ.
    pub fn admits(&self, authorization: &str) -> bool {
        let bearer = |(scheme, _): &(&str, &str)| scheme.eq_ignore_ascii_case("bearer ");
        let parts = authorization.split_at_checked(7).filter(bearer);
        let offered = parts.map_or("", |(_, token)| token);
        bool::from(self.0.as_bytes().ct_eq(offered.as_bytes()))
    }

    /// The digits, to be sent and never to be logged.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Whether a listener may be opened at `address`: beyond loopback a secret that was only
/// generated serves nobody, unless the others are known to share its directory.
///
/// # Errors
/// [`Error::Security`] with the remedy.
pub fn may_bind(address: IpAddr, origin: Origin, directory_named: bool) -> Result<()> {
    if address.to_canonical().is_loopback() || origin != Origin::Generated || directory_named {
        return Ok(());
    }
    refuse(format!(
        "{address} is reachable from other machines and the secret was only generated here: set \
         {FILE_VARIABLE} on all of them, or name the directory that they share"
    ))
}

fn refuse<T>(sentence: String) -> Result<T> {
    Err(Error::Security(sentence))
}

/// Writes the whole secret under another name and links it: a reader sees all of it or nothing,
/// and of two writers one wins.
fn write_first(workdir: &Path, path: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(workdir)?;
    let unique = hex(&random()?[..8]);
    let temporary = workdir.join(format!("secret.{unique}.tmp"));
    let secret = Zeroizing::new(hex(&Zeroizing::new(random()?)[..]));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let written = file.write_all(secret.as_bytes()).and_then(|()| file.sync_all());
    let linked = written.and_then(|()| match std::fs::hard_link(&temporary, path) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    linked.and(std::fs::remove_file(&temporary))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.extend(
            [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[digit as usize])),
        );
    }
    text
}

#[cfg(test)]
mod tests;
