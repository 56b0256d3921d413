//! The floor: a tonic server of the same messages that decides nothing. It stands on tonic's own codec and on no code of
//! stagedoor's but the transport's settings and the listener.

use std::convert::Infallible;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _};
use prost::Message as _;
use stagedoor::proto::v1;
use stagedoor::serve;
use stagedoor::serve::drain::Drain;
use stagedoor::serve::listen::{Incoming, Listener};
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, StreamingService, UnaryService};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::Service;

use crate::{Failure, mirror};

/// What it answers, whatever is asked.
#[derive(Debug)]
struct Answers {
    check: v1::CheckResponse,
    /// Of different lengths.
    batches: Vec<v1::BatchCheckResponse>,
}

#[derive(Clone, Debug)]
struct Floor(Arc<Answers>);

/// Serves until the caller is gone.
pub(crate) fn serve(at: &str, answers: &Path) -> Result<(), Failure> {
    let bytes = std::fs::read(answers)?;
    let mut rest = bytes.as_slice();
    let mut answers = Answers { check: v1::CheckResponse::default(), batches: Vec::new() };
    while !rest.is_empty() {
        answers.check = v1::CheckResponse::decode_length_delimited(&mut rest)?;
        answers.batches.push(v1::BatchCheckResponse::decode_length_delimited(&mut rest)?);
    }
    let (check, drain) = (mirror::check_runtime()?, Drain::new(Duration::ZERO));
    check.block_on(async {
        let listener = Listener::bind(&at.parse()?)?;
        let router = serve::transport().add_service(Floor(Arc::new(answers)));
        mirror::ready(drop)?;
        match listener {
            Listener::Tcp(tcp) => router.serve_with_incoming(Incoming::new(tcp, &drain)).await?,
            Listener::Unix(unix, file) => router.serve_with_incoming(Incoming::new((unix, file), &drain)).await?,
        }
        Ok(())
    })
}

// === impl Floor ===

impl NamedService for Floor {
    const NAME: &'static str = "stagedoor.v1.Authorization";
}

impl Service<http::Request<Body>> for Floor {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let answers = Arc::clone(&self.0);
        match request.uri().path().rsplit('/').next() {
            Some("Check") => {
                async move { Ok(Grpc::new(ProstCodec::default()).unary(Check(answers), request).await) }.boxed()
            }
            Some("BatchCheck") => {
                async move { Ok(Grpc::new(ProstCodec::default()).unary(Batch(answers), request).await) }.boxed()
            }
            Some("CheckStream") => {
                async move { Ok(Grpc::new(ProstCodec::default()).streaming(Each(answers), request).await) }.boxed()
            }
            _ => std::future::ready(Ok(Status::unimplemented("").into_http())).boxed(),
        }
    }
}

struct Check(Arc<Answers>);
struct Batch(Arc<Answers>);
struct Each(Arc<Answers>);

impl UnaryService<v1::CheckRequest> for Check {
    type Response = v1::CheckResponse;
    type Future = BoxFuture<'static, Result<Response<Self::Response>, Status>>;

    fn call(&mut self, _: Request<v1::CheckRequest>) -> Self::Future {
        let answers = Arc::clone(&self.0);
        Box::pin(async move { Ok(Response::new(answers.check.clone())) })
    }
}

impl UnaryService<v1::BatchCheckRequest> for Batch {
    type Response = v1::BatchCheckResponse;
    type Future = BoxFuture<'static, Result<Response<Self::Response>, Status>>;

    fn call(&mut self, request: Request<v1::BatchCheckRequest>) -> Self::Future {
        let (answers, items) = (Arc::clone(&self.0), request.get_ref().items.len());
        Box::pin(async move {
            let answer = answers.batches.iter().find(|batch| batch.results.len() == items);
            answer.cloned().map(Response::new).ok_or_else(|| Status::out_of_range("no answer of that length"))
        })
    }
}

impl StreamingService<v1::CheckRequest> for Each {
    type Response = v1::CheckResponse;
    type ResponseStream = BoxStream<'static, Result<v1::CheckResponse, Status>>;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Self::ResponseStream>, Status>> + Send>>;

    fn call(&mut self, requests: Request<Streaming<v1::CheckRequest>>) -> Self::Future {
        let answers = Arc::clone(&self.0);
        Box::pin(async move {
            let each = requests.into_inner().map(move |request| request.map(|_| answers.check.clone()));
            Ok(Response::new(each.boxed()))
        })
    }
}
