//! Certificates for the TCP listeners.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};

/// How long a caller may take to agree on TLS.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(10);

/// Where the certificates are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
    /// Callers must show a certificate that this authority signed.
    pub client_ca_file: Option<PathBuf>,
}

/// Certificates that were read and can be served with.
#[derive(Clone)]
pub struct Material {
    /// For gRPC alone, which is HTTP/2.
    grpc: ServerTlsConfig,
    /// For HTTP/1.1 as well.
    any_http: Arc<rustls::ServerConfig>,
}

/// Why there are no certificates to serve with.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read {}: {error}", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("tls: {cert} and {key} are no certificate and key in PEM that belong together: {error}", cert = cert.display(), key = key.display())]
    Unfit { cert: PathBuf, key: PathBuf, error: String },
    #[error("tls: client_ca_file {}: no certificate in PEM stands there: {error}", path.display())]
    UnfitAuthority { path: PathBuf, error: String },
}

impl Config {
    /// Reads the files and proves that they fit together.
    ///
    /// # Errors
    /// Where a file cannot be read, or what is in it cannot be served with.
    pub fn read(&self) -> Result<Material, TlsError> {
        let Self { cert_file, key_file, client_ca_file } = self;
        let read =
            |path: &PathBuf| std::fs::read(path).map_err(|error| TlsError::Unreadable { path: path.clone(), error });
        let (cert, key) = (read(cert_file)?, read(key_file)?);
        let identity = Identity::from_pem(&cert, &key);
        let mut config = ServerTlsConfig::new().identity(identity).timeout(HANDSHAKE);
        let unfit = |config: &ServerTlsConfig| {
            Server::builder().tls_config(config.clone()).err().map(|error| root_cause(&error))
        };
        if let Some(error) = unfit(&config) {
            return Err(TlsError::Unfit { cert: cert_file.clone(), key: key_file.clone(), error });
        }
        let mut authority = None;
        if let Some(path) = client_ca_file {
            let pem = authority.insert(read(path)?);
            config = config.client_ca_root(Certificate::from_pem(pem));
            if let Some(error) = unfit(&config) {
                return Err(TlsError::UnfitAuthority { path: path.clone(), error });
            }
        }
        let any_http = any_http(&cert, &key, authority.as_deref()).map_err(|error| TlsError::Unfit {
            cert: cert_file.clone(),
            key: key_file.clone(),
            error: root_cause(&*error),
        })?;
        Ok(Material { grpc: config, any_http: Arc::new(any_http) })
    }
}

impl Material {
    pub(super) fn into_server(self) -> ServerTlsConfig {
        self.grpc
    }

    pub(super) fn into_any_http(self) -> Arc<rustls::ServerConfig> {
        self.any_http
    }
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Material")
    }
}

/// The same as the transport makes of it, but offering HTTP/1.1 too.
fn any_http(
    cert: &[u8],
    key: &[u8],
    authority: Option<&[u8]>,
) -> Result<rustls::ServerConfig, Box<dyn std::error::Error>> {
    let builder = rustls::ServerConfig::builder();
    let builder = match authority {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let mut roots = rustls::RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(pem) {
                roots.add(certificate?)?;
            }
            builder.with_client_cert_verifier(WebPkiClientVerifier::builder(Arc::new(roots)).build()?)
        }
    };
    let chain = CertificateDer::pem_slice_iter(cert).collect::<Result<Vec<_>, _>>()?;
    let mut config = builder.with_single_cert(chain, PrivateKeyDer::from_pem_slice(key)?)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The transport's errors say little themselves; what they wrap says more.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
