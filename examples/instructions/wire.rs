//! Requests as they stand on the wire, and calls of a service without a connection.

use std::convert::Infallible;

use axum::body::Body as Whole;
use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::StreamExt as _;
use prost::Message;
use stagedoor::proto::v1;
use tonic::body::Body;
use tower::Service;

pub(crate) fn question(who: &str, action: &str, task: &str) -> v1::CheckRequest {
    v1::CheckRequest {
        subject: Some(v1::Subject { id: who.to_owned(), ..Default::default() }),
        action: Some(v1::Action { name: action.to_owned(), ..Default::default() }),
        resource: Some(v1::Resource { r#type: "task".to_owned(), id: task.to_owned(), ..Default::default() }),
        ..Default::default()
    }
}

pub(crate) fn batch(items: impl Iterator<Item = v1::CheckRequest>) -> v1::BatchCheckRequest {
    v1::BatchCheckRequest { items: items.collect(), ..Default::default() }
}

/// A message behind its length.
pub(crate) fn framed(message: &impl Message) -> Bytes {
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.encoded_len()).expect("is small"));
    message.encode(&mut framed).expect("there is room");
    framed.freeze()
}

/// So many calls of a method that send the same bytes.
pub(crate) fn requests(method: &str, bytes: &Bytes, calls: usize) -> Vec<http::Request<Body>> {
    let request = || {
        http::Request::post(format!("http://localhost/stagedoor.v1.Authorization/{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("user-agent", "grpc-python/1.80")
            .body(Body::new(Whole::from(bytes.clone())))
            .expect("is right")
    };
    (0..calls).map(|_| request()).collect()
}

pub(crate) trait Server:
    Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
{
}

impl<S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>> Server for S {}

/// Calls one after the other; what comes back is looked at and dropped.
pub(crate) async fn call_all(server: &mut impl Server, requests: Vec<http::Request<Body>>) {
    for request in requests {
        let Ok(response) = server.call(request).await;
        let mut body = Whole::new(response.into_body()).into_data_stream();
        let mut bytes = 0;
        while let Some(part) = body.next().await {
            bytes += part.expect("no call fails").len();
        }
        assert!(bytes > 0, "there is an answer");
    }
}

/// What one call answers.
pub(crate) async fn answer<M: Message + Default>(server: &mut impl Server, method: &str, bytes: &Bytes) -> M {
    let request = requests(method, bytes, 1).pop().expect("is one");
    let Ok(response) = server.call(request).await;
    let body = axum::body::to_bytes(Whole::new(response.into_body()), usize::MAX).await.expect("no call fails");
    M::decode(body.slice(5..)).expect("is an answer")
}
