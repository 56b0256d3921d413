//! The floor: tonic's own handling of the same calls, with plain codecs, and a service that gives the same answer each time.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _};
use stagedoor::proto::v1;
use tonic::body::Body;
use tonic::codegen::BoxFuture;
use tonic::server::{Grpc, StreamingService, UnaryService};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use super::wire::{Server, answer};

#[derive(Clone)]
pub(crate) struct Floor(Arc<Answers>);

struct Answers {
    check: v1::CheckResponse,
    batch: v1::BatchCheckResponse,
}

impl Floor {
    /// Answers what the other answers now.
    pub(crate) async fn of(other: &mut impl Server, check: &Bytes, batch: &Bytes) -> Self {
        let (check, batch) = (answer(other, "Check", check).await, answer(other, "BatchCheck", batch).await);
        Self(Arc::new(Answers { check, batch }))
    }
}

impl UnaryService<v1::CheckRequest> for Floor {
    type Response = v1::CheckResponse;
    type Future = Ready<Result<Response<v1::CheckResponse>, Status>>;

    fn call(&mut self, _: Request<v1::CheckRequest>) -> Self::Future {
        ready(Ok(Response::new(self.0.check.clone())))
    }
}

impl UnaryService<v1::BatchCheckRequest> for Floor {
    type Response = v1::BatchCheckResponse;
    type Future = Ready<Result<Response<v1::BatchCheckResponse>, Status>>;

    fn call(&mut self, _: Request<v1::BatchCheckRequest>) -> Self::Future {
        ready(Ok(Response::new(self.0.batch.clone())))
    }
}

impl StreamingService<v1::CheckRequest> for Floor {
    type Response = v1::CheckResponse;
    type ResponseStream = BoxStream<'static, Result<v1::CheckResponse, Status>>;
    type Future = Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, requests: Request<Streaming<v1::CheckRequest>>) -> Self::Future {
        let answer = self.0.check.clone();
        let answers = requests.into_inner().map(move |request| request.map(|_| answer.clone()));
        ready(Ok(Response::new(answers.boxed())))
    }
}

impl tower::Service<http::Request<Body>> for Floor {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<http::Response<Body>, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let service = self.clone();
        match request.uri().path() {
            "/stagedoor.v1.Authorization/Check" => {
                let mut grpc = Grpc::new(ProstCodec::<v1::CheckResponse, v1::CheckRequest>::default());
                async move { Ok(grpc.unary(service, request).await) }.boxed()
            }
            "/stagedoor.v1.Authorization/BatchCheck" => {
                let mut grpc = Grpc::new(ProstCodec::<v1::BatchCheckResponse, v1::BatchCheckRequest>::default());
                async move { Ok(grpc.unary(service, request).await) }.boxed()
            }
            _ => {
                let mut grpc = Grpc::new(ProstCodec::<v1::CheckResponse, v1::CheckRequest>::default());
                async move { Ok(grpc.streaming(service, request).await) }.boxed()
            }
        }
    }
}
