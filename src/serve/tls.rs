//! Certificates for the TCP listeners.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};

/// How long a caller may take to agree on TLS.
const HANDSHAKE: Duration = Duration::from_secs(10);

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
pub struct Material(ServerTlsConfig);

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
        let identity = Identity::from_pem(read(cert_file)?, read(key_file)?);
        let mut config = ServerTlsConfig::new().identity(identity).timeout(HANDSHAKE);
        let unfit = |config: &ServerTlsConfig| {
            Server::builder().tls_config(config.clone()).err().map(|error| root_cause(&error))
        };
        if let Some(error) = unfit(&config) {
            return Err(TlsError::Unfit { cert: cert_file.clone(), key: key_file.clone(), error });
        }
        if let Some(path) = client_ca_file {
            config = config.client_ca_root(Certificate::from_pem(read(path)?));
            if let Some(error) = unfit(&config) {
                return Err(TlsError::UnfitAuthority { path: path.clone(), error });
            }
        }
        Ok(Material(config))
    }
}

impl Material {
    pub(super) fn into_server(self) -> ServerTlsConfig {
        self.0
    }
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Material")
    }
}

/// The transport's errors say little themselves; what they wrap says more.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
