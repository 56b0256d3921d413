//! Lets in so many connections at a time, and lets those go that say nothing: a door that strangers reach must not take all
//! file handles from the others.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};
use tonic::transport::server::Connected;

use super::drain::Drain;
use super::listen::{Accept, Incoming};

/// How many connections there are at once.
const SEATS: usize = 64;
/// How long a connection may say nothing and be told nothing: longer than any caller is kept waiting.
const IDLE: Duration = Duration::from_secs(120);

/// A connection that has a seat.
#[derive(Debug)]
pub(super) struct Seated<S> {
    stream: S,
    idle: Pin<Box<Sleep>>,
    limit: Duration,
    _seat: OwnedSemaphorePermit,
}

/// What comes in at `listener`, as there is room; ends with the drain.
pub(super) fn seated<L>(listener: L, drain: &Drain) -> impl Stream<Item = io::Result<Seated<L::Io>>> + Send + use<L>
where
    L: Accept + Send + Unpin + 'static,
    L::Io: Send + 'static,
{
    few(listener, drain, SEATS, IDLE)
}

fn few<L>(
    listener: L,
    drain: &Drain,
    seats: usize,
    limit: Duration,
) -> impl Stream<Item = io::Result<Seated<L::Io>>> + Send + use<L>
where
    L: Accept + Send + Unpin + 'static,
    L::Io: Send + 'static,
{
    let begin = (Incoming::new(listener, drain), Arc::new(Semaphore::new(seats)), drain.clone());
    let come = stream::unfold(begin, move |(mut incoming, seats, drain)| async move {
        let seat = tokio::select! {
            biased;
            seat = Arc::clone(&seats).acquire_owned() => seat.ok()?,
            () = drain.wait() => return None,
        };
        let stream = incoming.next().await?;
        let seated = stream.map(|stream| Seated { stream, idle: Box::pin(sleep(limit)), limit, _seat: seat });
        Some((seated, (incoming, seats, drain)))
    });
    Box::pin(come)
}

// === impl Seated ===

impl<S> Seated<S> {
    /// Something came or went, or nothing did for too long.
    fn polled<T>(&mut self, polled: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            let until = Instant::now() + self.limit;
            self.idle.as_mut().reset(until);
            return polled;
        }
        self.idle.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Seated<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.polled(polled, cx)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Seated<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.polled(polled, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: Connected> Connected for Seated<S> {
    type ConnectInfo = S::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

#[cfg(test)]
mod tests;
