//! What every call of the service passes: its deadline, the size limit's own status, the lenient stream of requests.

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::fmt;
use std::future::Ready;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use prost::DecodeError;
use tokio::time::Sleep;
use tonic::body::Body;
use tonic::codegen::BoxFuture;
use tonic::server::{Grpc, NamedService, StreamingService};
use tonic::{Code, Status, Streaming};

use super::drain::Drain;
use super::error::Refusal;
use super::grpc::Service;
use super::stream::Answers;
use super::{MAX_MESSAGE_BYTES, deadline};
use crate::authorizer::Authorizer;
use crate::proto::codec::LenientCodec;
use crate::proto::v1;
use crate::proto::v1::authorization_server::AuthorizationServer;

const CHECK_STREAM: &str = "/stagedoor.v1.Authorization/CheckStream";

/// The service as connections see it.
#[derive(Clone, Debug)]
pub struct Door {
    service: Service,
    server: AuthorizationServer<Service>,
}

/// One call.
pub struct Call {
    answer: BoxFuture<Response<Body>, Infallible>,
    deadline: Option<Pin<Box<Sleep>>>,
}

/// CheckStream, where one request that is no message does not end the stream.
#[derive(Debug)]
struct CheckStream {
    service: Service,
    time_left: Option<Duration>,
}

// === impl Door ===

impl Door {
    /// The service that answers from `authorizer` until `drain` says to end.
    pub fn new(authorizer: Arc<Authorizer>, drain: Drain) -> Self {
        let service = Service::new(authorizer, drain);
        let server = AuthorizationServer::new(service.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES);
        Self { service, server }
    }
}

impl NamedService for Door {
    const NAME: &'static str = <AuthorizationServer<Service> as NamedService>::NAME;
}

impl tower::Service<Request<Body>> for Door {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Call;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Call {
        let time_left = deadline::of(request.headers());
        if request.uri().path() == CHECK_STREAM {
            let stream = CheckStream { service: self.service.clone(), time_left };
            let answer = Box::pin(async move {
                let codec = LenientCodec::<v1::CheckResponse, v1::CheckRequest>::default();
                let mut grpc = Grpc::new(codec).max_decoding_message_size(MAX_MESSAGE_BYTES);
                Ok(grpc.streaming(stream, request).await)
            });
            return Call { answer, deadline: None };
        }
        let deadline = time_left.map(|left| Box::pin(tokio::time::sleep(left)));
        Call { answer: self.server.call(request), deadline }
    }
}

// === impl CheckStream ===

impl StreamingService<Result<v1::CheckRequest, DecodeError>> for CheckStream {
    type Response = v1::CheckResponse;
    type ResponseStream = Answers<Streaming<Result<v1::CheckRequest, DecodeError>>>;
    type Future = Ready<Result<tonic::Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: tonic::Request<Streaming<Result<v1::CheckRequest, DecodeError>>>) -> Self::Future {
        let answers = Answers::new(Arc::clone(&self.service.core), request.into_inner(), self.time_left);
        std::future::ready(Ok(tonic::Response::new(answers)))
    }
}

// === impl Call ===

impl Future for Call {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(Ok(response)) = self.answer.as_mut().poll(cx) {
            return Poll::Ready(Ok(with_own_status(response)));
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
        f.debug_struct("Call").field("deadline", &self.deadline.is_some()).finish_non_exhaustive()
    }
}
