//! Asks a running server.

use std::future::Future;
use std::time::Duration;

use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

/// Runs one exchange with the server at `address`: connecting and asking together take at most `timeout`.
///
/// # Errors
/// Where the server is not reached, does not answer in time, or refuses the question; in words for people.
pub(super) fn ask<T, F>(address: &str, timeout: Duration, question: impl FnOnce(Channel) -> F) -> Result<T, String>
where
    F: Future<Output = Result<T, Status>>,
{
    let exchange = async {
        let channel = connect(address).await?;
        question(channel).await.map_err(|status| refused(address, &status))
    };
    runtime()?.block_on(in_time(address, timeout, exchange))
}

/// What one conversation runs on.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the system gives no threads or sockets: {error}"))
}

/// The exchange's outcome, or that it took too long.
pub(super) async fn in_time<T>(
    address: &str,
    timeout: Duration,
    exchange: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    let late = |_| format!("{address} did not answer within {timeout:?}");
    tokio::time::timeout(timeout, exchange).await.map_err(late)?
}

/// A connection to the server at `address`.
pub(super) async fn connect(address: &str) -> Result<Channel, String> {
    endpoint(address)?.connect().await.map_err(|error| unreachable(address, &error))
}

fn endpoint(address: &str) -> Result<Endpoint, String> {
    let uri = if address.starts_with("unix:") { address.to_owned() } else { format!("http://{address}") };
    let whole =
        address.starts_with("unix:/") || address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let endpoint = Endpoint::from_shared(uri).ok().filter(|_| whole);
    endpoint.ok_or_else(|| format!("`{address}` is no address; write HOST:PORT, like 127.0.0.1:7300, or unix:/path"))
}

fn unreachable(address: &str, error: &tonic::transport::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    format!("cannot reach a stagedoor at {address}: {cause}; is it running there? (`--addr` says where)")
}

/// A refusal in words for people.
pub(super) fn refused(address: &str, status: &Status) -> String {
    match status.code() {
        Code::FailedPrecondition => format!("{address}: {}", status.message()),
        Code::InvalidArgument => format!("the server refused the question: {}", status.message()),
        Code::Unimplemented => format!("{address} is no stagedoor of this version: {}", status.message()),
        code => format!("{address} did not answer: {}: {}", code.description(), status.message()),
    }
}
