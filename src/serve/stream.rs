//! CheckStream: answers in request order, without a task or an allocation for a request that need not wait.
//!
//! ```text
//! request ─► check now ─ decided ─► answer            (nothing waits before it)
//!                └─ must wait ─► window ─► answer     (what comes behind it waits in the window, answered)
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, Stream};
use tokio::time::{Instant, Sleep};
use tonic::Status;

use super::error::Refusal;
use super::grpc::{self, Core};
use super::{convert, encode};
use crate::proto::view::{CheckRequest, View as _};

/// So many requests are taken before the first of them is answered; then the caller is slowed down.
const WINDOW: usize = 128;
/// The same for what the requests that wait hold, in bytes as sent.
const WINDOW_BYTES: usize = 4 << 20;
/// So many answers are given before other calls have their turn.
const STRIDE: usize = 128;
/// A stream without requests for so long is ended when the server drains.
const IDLE: Duration = Duration::from_millis(300);

/// The answers to a stream of requests.
pub(super) struct Answers<S> {
    core: Arc<Core>,
    requests: S,
    open: bool,
    window: VecDeque<Slot>,
    /// The bytes of the requests that wait.
    held: usize,
    deadline: Option<Pin<Box<Sleep>>>,
    ending: Ending,
    in_a_row: usize,
}

enum Slot {
    Ready(Vec<u8>),
    Waiting { check: BoxFuture<'static, Vec<u8>>, bytes: usize },
}

enum Ending {
    /// Until the server drains.
    Not(BoxFuture<'static, ()>),
    /// Requests are taken until none came for a while, or until the latest moment.
    Soon { idle: Pin<Box<Sleep>>, latest: Instant },
    /// No more requests are taken; when all are answered, the stream ends with this.
    Now(Refusal),
}

// === impl Answers ===

impl<S> Answers<S> {
    pub(super) fn new(core: Arc<Core>, requests: S, time_left: Option<Duration>) -> Self {
        let deadline = time_left.map(|left| Box::pin(tokio::time::sleep(left)));
        let ending = Ending::Not(core.drain.wait().boxed());
        Self { core, requests, open: true, window: VecDeque::new(), held: 0, deadline, ending, in_a_row: 0 }
    }

    /// Starts a check. `Some` when its answer is there at once.
    fn start(&mut self, message: &Bytes, cx: &mut Context<'_>) -> Option<Vec<u8>> {
        match now(&self.core, message) {
            Some(answer) => Some(answer),
            None => {
                // A copy: what came with it in one piece need not wait with it.
                let message = Bytes::copy_from_slice(message);
                let bytes = message.len();
                let mut check = wait(Arc::clone(&self.core), message).boxed();
                match check.poll_unpin(cx) {
                    Poll::Ready(answer) => Some(answer),
                    Poll::Pending => {
                        self.held += bytes;
                        self.window.push_back(Slot::Waiting { check, bytes });
                        None
                    }
                }
            }
        }
    }

    /// Lets every check that waits go on.
    fn advance(&mut self, cx: &mut Context<'_>) {
        for slot in &mut self.window {
            if let Slot::Waiting { check, bytes } = slot
                && let Poll::Ready(response) = check.poll_unpin(cx)
            {
                self.held -= *bytes;
                *slot = Slot::Ready(response);
            }
        }
    }

    /// The answer to the oldest request, if it is there.
    fn oldest(&mut self) -> Option<Vec<u8>> {
        match self.window.pop_front()? {
            Slot::Ready(response) => Some(response),
            waiting @ Slot::Waiting { .. } => {
                self.window.push_front(waiting);
                None
            }
        }
    }

    /// Whether the stream's own time ran out.
    fn out_of_time(&mut self, cx: &mut Context<'_>) -> bool {
        self.deadline.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready())
    }

    /// Ends the stream whose time ran out; what still waits is no longer waited for.
    fn give_up(&mut self) -> Poll<Option<Result<Vec<u8>, Status>>> {
        self.window.clear();
        self.held = 0;
        self.open = false;
        self.deadline = None;
        Poll::Ready(Some(Err(Refusal::Deadline("the deadline of the stream has passed").into())))
    }

    /// Follows the server's drain; `asked` when a request just came.
    fn follow_drain(&mut self, cx: &mut Context<'_>, asked: bool) {
        if let Ending::Not(told) = &mut self.ending
            && told.poll_unpin(cx).is_ready()
        {
            // What is left of the deadline after that is for the answers that are still waited for.
            let latest = Instant::now() + self.core.drain.deadline() * 4 / 5;
            self.ending = Ending::Soon { idle: Box::pin(tokio::time::sleep(IDLE)), latest };
        }
        if let Ending::Soon { idle, latest } = &mut self.ending {
            let now = Instant::now();
            if asked && now < *latest {
                idle.as_mut().reset((now + IDLE).min(*latest));
            }
            if now >= *latest || idle.as_mut().poll(cx).is_ready() {
                self.ending = Ending::Now(Refusal::Draining);
            }
        }
    }
}

impl<S: Stream<Item = Result<Bytes, Status>> + Unpin> Stream for Answers<S> {
    type Item = Result<Vec<u8>, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.in_a_row >= STRIDE {
            this.in_a_row = 0;
            this.follow_drain(cx, true);
            if this.out_of_time(cx) {
                return this.give_up();
            }
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(Slot::Waiting { .. }) = this.window.front() {
            this.advance(cx);
        }
        loop {
            if let Some(response) = this.oldest() {
                this.in_a_row += 1;
                return Poll::Ready(Some(Ok(response)));
            }
            if let Ending::Now(_) = this.ending {
                this.open = false;
            }
            if !this.open && this.window.is_empty() {
                let Ending::Now(refusal) = &this.ending else { return Poll::Ready(None) };
                let status = Status::from(refusal.clone());
                this.ending = Ending::Not(futures_util::future::pending().boxed());
                return Poll::Ready(Some(Err(status)));
            }
            if !this.open || this.window.len() >= WINDOW || this.held >= WINDOW_BYTES {
                break;
            }
            match Pin::new(&mut this.requests).poll_next(cx) {
                Poll::Ready(Some(Ok(message))) => {
                    if let Ending::Soon { .. } = this.ending {
                        this.follow_drain(cx, true);
                    }
                    match this.start(&message, cx) {
                        Some(response) if this.window.is_empty() => {
                            this.in_a_row += 1;
                            return Poll::Ready(Some(Ok(response)));
                        }
                        Some(response) => this.window.push_back(Slot::Ready(response)),
                        None => {}
                    }
                }
                Poll::Ready(Some(Err(status))) => {
                    this.ending = Ending::Now(Refusal::from_wire(&status));
                }
                Poll::Ready(None) => this.open = false,
                Poll::Pending => break,
            }
        }
        this.in_a_row = 0;
        this.follow_drain(cx, false);
        if this.out_of_time(cx) {
            return this.give_up();
        }
        if let Ending::Now(_) = this.ending
            && (this.open || this.window.is_empty())
        {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl<S> fmt::Debug for Answers<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("open", &self.open).field("window", &self.window.len()).finish_non_exhaustive()
    }
}

/// The answer to a request that need not wait; never a failure, so that the others are answered.
fn now(core: &Core, message: &[u8]) -> Option<Vec<u8>> {
    let refused =
        |refusal: &Refusal, correlation_id: &str| Some(encode::refused(refusal, correlation_id, &core.call_id()));
    let request = match CheckRequest::read(message) {
        Ok(request) => request,
        Err(error) => return refused(&error.into(), ""),
    };
    match convert::query(&request) {
        Ok(query) => {
            let answer = core.authorizer.check_now(&query)?;
            Some(encode::check(&answer, request.correlation_id, &core.call_id()))
        }
        Err(refusal) => refused(&refusal, request.correlation_id),
    }
}

/// The same where it has to wait.
async fn wait(core: Arc<Core>, message: Bytes) -> Vec<u8> {
    match grpc::check(Arc::clone(&core), message.clone()).await {
        Ok(answer) => answer,
        Err(refusal) => {
            let correlation_id = CheckRequest::read(&message).map_or("", |request| request.correlation_id);
            encode::refused(&refusal, correlation_id, &core.call_id())
        }
    }
}
