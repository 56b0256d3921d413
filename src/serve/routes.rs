//! Serves whatever another room has built to a few callers at a time, over HTTP/1.1 and HTTP/2, until the drain.

use futures_util::StreamExt as _;
use tokio_rustls::TlsAcceptor;
use tonic::service::Routes;

use super::drain::Drain;
use super::listen::Listener;
use super::seats::seated;
use super::tls::{HANDSHAKE, Material};
use super::{ServeError, transport};

/// How many callers may agree on TLS at once.
const HANDSHAKES: usize = 256;

/// Serves `routes` on one listener until the drain, and then until the last call is answered.
///
/// # Errors
/// Where the transport fails as a whole; a connection that fails ends alone.
pub async fn serve(routes: Routes, listener: Listener, tls: Option<Material>, drain: &Drain) -> Result<(), ServeError> {
    let router = transport().accept_http1(true).add_routes(routes);
    // The incoming connections end by themselves when the server drains.
    let never = std::future::pending();
    match (listener, tls) {
        (Listener::Tcp(tcp), None) => router.serve_with_incoming_shutdown(seated(tcp, drain), never).await?,
        (Listener::Tcp(tcp), Some(material)) => {
            let acceptor = TlsAcceptor::from(material.into_any_http());
            let agreed = seated(tcp, drain)
                .map(move |accepted| {
                    let acceptor = acceptor.clone();
                    async move {
                        let agreed = tokio::time::timeout(HANDSHAKE, acceptor.accept(accepted.ok()?)).await;
                        match agreed {
                            Ok(Ok(stream)) => Some(Ok::<_, std::io::Error>(stream)),
                            Ok(Err(error)) => {
                                tracing::debug!(%error, "a caller did not agree on TLS");
                                None
                            }
                            Err(_late) => None,
                        }
                    }
                })
                .buffer_unordered(HANDSHAKES)
                .filter_map(std::future::ready);
            router.serve_with_incoming_shutdown(agreed, never).await?;
        }
        (Listener::Unix(unix, file), _) => {
            router.serve_with_incoming_shutdown(seated((unix, file), drain), never).await?;
        }
    }
    Ok(())
}
