//! Deadlines, without a client that keeps them itself.

use std::time::Instant;

use futures_util::stream::{self, StreamExt as _};
use http::StatusCode;
use tonic::codec::{Codec as _, EncodeBody};
use tonic_prost::ProstEncoder;
use tower::Service as _;

use super::*;
use crate::authorizer::{Clock, Feed, Options};
use crate::engine::policy::Policy;
use crate::proto::codec::Codec;
use crate::proto::v1;

/// A door to an empty mirror that never changes.
fn door() -> Door {
    let authorizer = Authorizer::new(Policy::load("kitsu", None).unwrap(), Options::default(), Clock::system());
    authorizer.feed(Feed::Live);
    authorizer.known_equal(Instant::now());
    Door::new(authorizer, Drain::new(Duration::from_secs(1)))
}

/// A question that waits for a revision, or does not.
fn question(at_least_revision: u64) -> v1::CheckRequest {
    v1::CheckRequest {
        subject: Some(v1::Subject { r#type: String::new(), id: "ada".into() }),
        action: Some(v1::Action { name: "read".into(), ..Default::default() }),
        resource: Some(v1::Resource { r#type: "task".into(), id: "t".into(), ..Default::default() }),
        consistency: Some(v1::Consistency { at_least_revision, ..Default::default() }),
        ..Default::default()
    }
}

/// A body of these messages that, if it stays open, never ends.
fn body<M: prost::Message + 'static>(messages: Vec<M>, open: bool) -> Body {
    let messages = stream::iter(messages.into_iter().map(Ok));
    let end = if open { stream::pending().boxed() } else { stream::empty().boxed() };
    Body::new(EncodeBody::new_client(ProstEncoder::<M>::default(), messages.chain(end), None, None))
}

async fn call(method: &str, timeout: &str, body: Body) -> Response<Body> {
    let request = Request::post(format!("/stagedoor.v1.Authorization/{method}"))
        .header("content-type", "application/grpc")
        .header("grpc-timeout", timeout)
        .body(body)
        .unwrap();
    door().call(request).await.unwrap()
}

fn status(response: &Response<Body>) -> Option<Code> {
    Status::from_header_map(response.headers()).map(|status| status.code())
}

#[tokio::test]
async fn a_call_ends_at_its_deadline() {
    let waits = question(9);
    let batch = v1::BatchCheckRequest { items: vec![question(0), question(9)], ..Default::default() };
    let bodies = [
        ("Check", body(vec![waits.clone()], false)),
        ("Explain", body(vec![waits], false)),
        ("BatchCheck", body(vec![batch], false)),
        ("Check", body(Vec::<v1::CheckRequest>::new(), true)),
    ];
    for (method, body) in bodies {
        let began = Instant::now();
        let response = call(method, "150m", body).await;
        assert_eq!(status(&response), Some(Code::DeadlineExceeded), "{method}");
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(140) && took < Duration::from_secs(2), "{method}: {took:?}");
    }
}

#[tokio::test]
async fn a_call_that_need_not_wait_does_not() {
    let response = call("Check", "1S", body(vec![question(0)], false)).await;
    assert_eq!((response.status(), status(&response)), (StatusCode::OK, None));
}

#[tokio::test]
async fn a_stream_ends_at_its_deadline_behind_what_was_answered() {
    let questions = vec![question(0), question(9), question(0)];
    let response = call("CheckStream", "150m", body(questions, true)).await;
    assert_eq!(status(&response), None);
    let decoder = Codec::<v1::CheckRequest, v1::CheckResponse>::default().decoder();
    let mut answers = Streaming::new_response(decoder, response.into_body(), StatusCode::OK, None, None);
    assert!(answers.message().await.unwrap().is_some());
    let status = answers.message().await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(status.message(), "the deadline of the stream has passed");
}
