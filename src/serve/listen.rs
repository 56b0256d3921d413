//! Addresses that are listened on: TCP and Unix sockets.

mod authority;
mod socket_file;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::str::FromStr;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, Stream};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio::time::Sleep;

use self::authority::Mended;
use self::socket_file::SocketFile;
use super::drain::Drain;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1_024;
/// How long nothing is accepted after the system refused to (no file handles left, for example).
const PAUSE: Duration = Duration::from_millis(100);
/// How long connections that came before the drain began are looked for: the system may not have told of them yet.
const LAST_CALL: Duration = Duration::from_millis(50);

/// An address to listen on: `127.0.0.1:7300` or `unix:/path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("cannot listen on {address}: {error}{hint}")]
    Io { address: Address, error: io::Error, hint: &'static str },
    #[error("cannot listen on {0}: another server answers there; stop it or choose another path")]
    Answered(Address),
    #[error("cannot listen on {0}: a file that is no socket is in the way; remove it or choose another path")]
    NoSocket(Address),
}

/// A bound address. Nothing is accepted yet.
#[derive(Debug)]
pub enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

/// The connections that come in until the server drains; what waits to be accepted by then still is.
pub struct Incoming<L> {
    listener: Option<L>,
    drain: BoxFuture<'static, ()>,
    /// Set once the server drains.
    last_call: Option<Pin<Box<Sleep>>>,
    pause: Option<Pin<Box<Sleep>>>,
}

/// Something that connections come from.
pub trait Accept {
    type Io;
    /// The next connection.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Io>>;
    /// Lets no more connections come, where that can be done before the listener is closed. What came is still accepted.
    fn stop(&mut self) {}
}

// === impl Address ===

impl Address {
    /// Whether only this machine can reach it.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("unix:") {
            Some(path) => {
                // unix:///path is the spelling of gRPC clients.
                let path = path.strip_prefix("//").unwrap_or(path);
                if !path.starts_with('/') {
                    return Err(format!("`{text}` needs the whole path of the socket, like unix:/run/stagedoor.sock"));
                }
                Ok(Self::Unix(PathBuf::from(path)))
            }
            None => text.parse().map(Self::Tcp).map_err(|_| {
                format!("`{text}` is no address; write an IP address and a port (127.0.0.1:7300) or unix:/path")
            }),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

// === impl Listener ===

impl Listener {
    /// Binds the address. Must be called within a runtime.
    ///
    /// # Errors
    /// Where the address is in use or not to be had.
    pub fn bind(address: &Address) -> Result<Self, BindError> {
        let failed = |error: io::Error| {
            let hint = match error.kind() {
                io::ErrorKind::AddrInUse => "; another process listens there: stop it or choose another address",
                io::ErrorKind::PermissionDenied => "; choose a port above 1023, or a directory this user may write to",
                io::ErrorKind::NotFound => "; create the directory first",
                io::ErrorKind::AddrNotAvailable => "; no network interface of this machine has that address",
                _ => "",
            };
            BindError::Io { address: address.clone(), error, hint }
        };
        match address {
            Address::Tcp(to) => bind_tcp(*to).map(Self::Tcp).map_err(failed),
            Address::Unix(path) => {
                let (listener, file) = socket_file::bind(path, BACKLOG).map_err(|error| match error {
                    socket_file::Error::Answered => BindError::Answered(address.clone()),
                    socket_file::Error::NoSocket => BindError::NoSocket(address.clone()),
                    socket_file::Error::Io(error) => failed(error),
                })?;
                Ok(Self::Unix(listener, file))
            }
        }
    }

    /// The address as it was bound: the port where 0 was asked for.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub fn address(&self) -> io::Result<Address> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Address::Tcp),
            Self::Unix(_, file) => Ok(Address::Unix(file.path().to_owned())),
        }
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart must not wait for old connections to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

// === impl Incoming ===

impl<L> Incoming<L> {
    /// What comes in at `listener`.
    pub fn new(listener: L, drain: &Drain) -> Self {
        Self { listener: Some(listener), drain: drain.wait().boxed(), last_call: None, pause: None }
    }
}

impl<L: Accept + Unpin> Stream for Incoming<L> {
    type Item = io::Result<L::Io>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let Some(listener) = &mut this.listener else { return Poll::Ready(None) };
        if this.last_call.is_none() && this.drain.poll_unpin(cx).is_ready() {
            this.last_call = Some(Box::pin(tokio::time::sleep(LAST_CALL)));
            listener.stop();
        }
        loop {
            if let Some(last_call) = &mut this.last_call
                && last_call.as_mut().poll(cx).is_ready()
            {
                this.listener = None;
                return Poll::Ready(None);
            }
            if let Some(pause) = &mut this.pause {
                ready!(pause.as_mut().poll(cx));
                this.pause = None;
            }
            match ready!(listener.poll_accept(cx)) {
                Ok(io) => return Poll::Ready(Some(Ok(io))),
                Err(error) if is_the_peers(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    this.pause = Some(Box::pin(tokio::time::sleep(PAUSE)));
                }
            }
        }
    }
}

impl<L> fmt::Debug for Incoming<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("open", &self.listener.is_some()).finish_non_exhaustive()
    }
}

/// Whether the error is about the one connection, so that the next can be accepted at once.
fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

impl Accept for TcpListener {
    type Io = TcpStream;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Io>> {
        let accepted = ready!(Self::poll_accept(self, cx));
        // Answers are small and must not wait for more to send.
        Poll::Ready(accepted.and_then(|(stream, _)| stream.set_nodelay(true).map(|()| stream)))
    }
}

impl Accept for (UnixListener, SocketFile) {
    type Io = Mended<UnixStream>;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Io>> {
        self.0.poll_accept(cx).map_ok(|(stream, _)| Mended::new(stream))
    }

    fn stop(&mut self) {
        self.1.remove();
    }
}
