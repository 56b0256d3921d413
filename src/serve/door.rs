//! What every call of the service passes: which it is, its deadline, the size limit's own status.

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::fmt;
use std::future::Ready;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use tokio::time::Sleep;
use tonic::body::Body;
use tonic::codegen::BoxFuture;
use tonic::server::{Grpc, NamedService, StreamingService};
use tonic::{Code, Status, Streaming};

use super::drain::Drain;
use super::error::Refusal;
use super::grpc::{self, Core};
use super::stream::Answers;
use super::{MAX_MESSAGE_BYTES, batch, deadline};
use crate::authorizer::Authorizer;
use crate::proto::codec::Plain;
use crate::proto::v1::authorization_server;

/// The Authorization service as connections see it. Cloning is cheap: every connection has a clone.
#[derive(Clone, Debug)]
pub struct Door {
    core: Arc<Core>,
}

/// One call.
pub struct Call {
    answer: BoxFuture<Response<Body>, Infallible>,
    /// Until the call is found to wait: most are answered at once and need no timer.
    time_left: Option<Duration>,
    deadline: Option<Pin<Box<Sleep>>>,
}

/// CheckStream, where one request that is no message does not end the stream.
#[derive(Debug)]
struct CheckStream {
    core: Arc<Core>,
    time_left: Option<Duration>,
}

// === impl Door ===

impl Door {
    /// The service that answers from `authorizer` until `drain` says to end.
    pub fn new(authorizer: Arc<Authorizer>, drain: Drain) -> Self {
        Self { core: Arc::new(Core::new(authorizer, drain)) }
    }

    /// A call of one request and one answer.
    fn unary<A>(&self, request: Request<Body>, answer: fn(Arc<Core>, Bytes) -> A) -> Call
    where
        A: Future<Output = Result<Vec<u8>, Refusal>> + Send + 'static,
    {
        let time_left = deadline::of(request.headers());
        let core = Arc::clone(&self.core);
        let answer = Box::pin(async move {
            let call = tower::service_fn(|message: tonic::Request<Bytes>| {
                let answer = answer(Arc::clone(&core), message.into_inner());
                async move { answer.await.map(tonic::Response::new).map_err(Status::from) }
            });
            Ok(plain().unary(call, request).await)
        });
        Call { answer, time_left, deadline: None }
    }

    fn check_stream(&self, request: Request<Body>) -> Call {
        let stream = CheckStream { core: Arc::clone(&self.core), time_left: deadline::of(request.headers()) };
        let answer = Box::pin(async move { Ok(plain().streaming(stream, request).await) });
        Call { answer, time_left: None, deadline: None }
    }
}

impl NamedService for Door {
    const NAME: &'static str = authorization_server::SERVICE_NAME;
}

impl tower::Service<Request<Body>> for Door {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Call;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Call {
        let path = request.uri().path().strip_prefix('/').and_then(|path| path.strip_prefix(Self::NAME));
        match path.and_then(|path| path.strip_prefix('/')).unwrap_or_default() {
            "Check" => self.unary(request, grpc::check),
            "BatchCheck" => self.unary(request, batch::check),
            "CheckStream" => self.check_stream(request),
            "Explain" => self.unary(request, grpc::explain),
            "ListActions" => self.unary(request, grpc::list_actions),
            "GetServerInfo" => self.unary(request, grpc::server_info),
            "ListResources" => Call::refused(Refusal::NotYet("ListResources").into()),
            "ListSubjects" => Call::refused(Refusal::NotYet("ListSubjects").into()),
            "Watch" => Call::refused(Refusal::NotYet("Watch").into()),
            _ => Call::refused(Status::unimplemented("")),
        }
    }
}

fn plain() -> Grpc<Plain> {
    Grpc::new(Plain).max_decoding_message_size(MAX_MESSAGE_BYTES)
}

// === impl CheckStream ===

impl StreamingService<Bytes> for CheckStream {
    type Response = Vec<u8>;
    type ResponseStream = Answers<Streaming<Bytes>>;
    type Future = Ready<Result<tonic::Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: tonic::Request<Streaming<Bytes>>) -> Self::Future {
        let answers = Answers::new(Arc::clone(&self.core), request.into_inner(), self.time_left);
        std::future::ready(Ok(tonic::Response::new(answers)))
    }
}

// === impl Call ===

impl Call {
    fn refused(status: Status) -> Self {
        Self { answer: Box::pin(std::future::ready(Ok(status.into_http()))), time_left: None, deadline: None }
    }
}

impl Future for Call {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(Ok(response)) = self.answer.as_mut().poll(cx) {
            return Poll::Ready(Ok(with_own_status(response)));
        }
        if let Some(left) = self.time_left.take() {
            self.deadline = Some(Box::pin(tokio::time::sleep(left)));
        }
        let Some(deadline) = &mut self.deadline else { return Poll::Pending };
        deadline.as_mut().poll(cx).map(|()| {
            let status = Status::from(Refusal::Deadline("the deadline passed before the answer was there"));
            Ok(status.into_http())
        })
    }
}

/// The transport tells a message over the limit as OUT_OF_RANGE; clients expect RESOURCE_EXHAUSTED.
fn with_own_status(response: Response<Body>) -> Response<Body> {
    let Some(status) = Status::from_header_map(response.headers()) else { return response };
    if status.code() != Code::OutOfRange {
        return response;
    }
    Status::from(Refusal::MessageBytes { limit: MAX_MESSAGE_BYTES }).into_http()
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("time_left", &self.time_left).finish_non_exhaustive()
    }
}
