//! Optional encryption: certificates from PEM files.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::refusal::Refusal;
use crate::error::{Error, Result};

/// Label of the keying material that ties the proofs to the TLS session.
const EXPORTER_LABEL: &[u8] = b"EXPORTER-mspass-link";

/// The PEM files of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    /// This node's certificate, and those between it and the authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authority that signed the certificates of all nodes.
    pub authority: PathBuf,
    /// The name in all certificates, where the nodes share one; else each must hold the host name
    /// or address by which it is dialed.
    pub name: Option<String>,
}

/// TLS 1.3 for both directions. The certificate shows a dialer that it reached the cluster; a
/// dialer shows itself by the secret.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
    name: Option<ServerName<'static>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`Error::Security`] naming the file that cannot be used.
    pub fn from_files(files: &Certificates) -> Result<Self> {
        let chain = certificates(&files.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&files.key)
            .map_err(|e| unusable("private key", &files.key, e))?;
        let mut roots = RootCertStore::empty();
        for authority in certificates(&files.authority)? {
            roots.add(authority).map_err(|e| unusable("authority", &files.authority, e))?;
        }
        let provider = Arc::new(crypto::ring::default_provider());
        let versions = &[&rustls::version::TLS13];
        let failed = |e: rustls::Error| Error::Security(format!("TLS cannot be set up: {e}"));
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .map_err(failed)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|e| unusable("certificate and key", &files.certificate, e))?;
        let client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(failed)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = files.name.clone().map(ServerName::try_from).transpose();
        let name = name.map_err(|_| {
            let given = files.name.as_deref().unwrap_or_default();
            Error::Security(format!("the TLS name '{given}' is no host name"))
        })?;
        let (acceptor, connector) = (Arc::new(server).into(), Arc::new(client).into());
        Ok(Self { acceptor, connector, name })
    }

    pub(super) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    pub(super) fn connector(&self) -> &TlsConnector {
        &self.connector
    }

    /// The name that the certificate of the node at `address` (`host:port`) must hold.
    pub(super) fn server_name(
        &self,
        address: &str,
    ) -> std::result::Result<ServerName<'static>, Refusal> {
        if let Some(name) = &self.name {
            return Ok(name.clone());
        }
        if let Ok(socket) = address.parse::<SocketAddr>() {
            return Ok(socket.ip().into());
        }
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let no_name = |_| Refusal::TlsFailed("the address has no host name in it".to_owned());
        ServerName::try_from(host.to_owned()).map_err(no_name)
    }
}

/// Keying material of a session, the same on both ends and on no other.
pub(super) fn binding<S>(
    session: &rustls::ConnectionCommon<S>,
) -> std::result::Result<[u8; 32], Refusal> {
    let exported = session.export_keying_material([0; 32], EXPORTER_LABEL, None);
    exported.map_err(|e| Refusal::TlsFailed(e.to_string()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>);
    match read {
        Ok(found) if found.is_empty() => {
            Err(unusable("certificate", path, "it holds no certificate in PEM form"))
        }
        Ok(found) => Ok(found),
        Err(e) => Err(unusable("certificate", path, e)),
    }
}

fn unusable(what: &str, path: &Path, why: impl fmt::Display) -> Error {
    Error::Security(format!("cannot use the TLS {what} {}: {why}", path.display()))
}
