//! What is too much, and bytes that are no message: a status that names field and limit, and never a crash.

use bytes::{Buf as _, BufMut as _};
use prost::Message as _;
use prost_types::value::Kind;
use prost_types::{Struct, Value};
use stagedoor::proto::v1;
use tokio_stream::StreamExt as _;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Code, Request, Status, Streaming};

use crate::app::{App, named, no, yes};

/// Sends bytes as they are, and reads answers.
#[derive(Clone, Copy, Debug, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = v1::CheckResponse;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buf: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buf.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = v1::CheckResponse;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<v1::CheckResponse>, Status> {
        assert!(buf.has_remaining());
        v1::CheckResponse::decode(buf).map(Some).map_err(|error| Status::data_loss(error.to_string()))
    }
}

async fn raw_check(channel: Channel, bytes: Vec<u8>) -> Result<v1::CheckResponse, Status> {
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.unwrap();
    let path = "/stagedoor.v1.Authorization/Check".parse().unwrap();
    grpc.unary(Request::new(bytes), path, Raw).await.map(tonic::Response::into_inner)
}

async fn raw_stream(channel: Channel, messages: Vec<Vec<u8>>) -> Result<Streaming<v1::CheckResponse>, Status> {
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.unwrap();
    let path = "/stagedoor.v1.Authorization/CheckStream".parse().unwrap();
    let requests = Request::new(tokio_stream::iter(messages));
    grpc.streaming(requests, path, Raw).await.map(tonic::Response::into_inner)
}

/// One length-delimited field.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    prost::encode_length_delimiter(content.len(), &mut bytes).unwrap();
    bytes.extend_from_slice(content);
    bytes
}

/// A request whose context has so many maps in maps: no type of ours could be built or dropped that deep.
fn deep(levels: usize) -> Vec<u8> {
    let mut fields = Vec::new();
    for _ in 0..levels {
        // Struct.fields is a map: entry {1: key, 2: Value}, Value {5: Struct}.
        let value = field(5, &fields);
        fields = field(1, &[field(1, b"k"), field(2, &value)].concat());
    }
    let mut bytes = yes().encode_to_vec();
    bytes.extend(field(4, &fields));
    bytes
}

#[tokio::test]
async fn bytes_that_are_no_message() {
    let app = App::demo().await;
    let channel = app.channel().await;
    let cases = [
        ("ten thousand levels", deep(10_000), "recursion limit reached"),
        ("a hundred levels", deep(60), "recursion limit reached"),
        ("noise", vec![0xff; 64], "the request cannot be read: failed to decode Protobuf message"),
        ("half a message", yes().encode_to_vec()[..20].to_vec(), "the request cannot be read"),
        ("no UTF-8", field(6, &[0xff, 0xfe]), "CheckRequest.correlation_id"),
    ];
    for (what, bytes, told) in &cases {
        let status = raw_check(channel.clone(), bytes.clone()).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{what}: {status:?}");
        assert!(status.message().contains(told), "{what}: {status:?}");
    }
    // Within what the wire can carry, our own limit speaks.
    let status = raw_check(channel.clone(), deep(30)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(status.message(), "context: 17 levels or more; at most 16 are accepted");
    assert!(raw_check(channel.clone(), yes().encode_to_vec()).await.is_ok());

    // In a stream each of them spoils only itself.
    let mut messages = Vec::new();
    for (at, (_, bytes, _)) in cases.iter().enumerate() {
        messages.push(bytes.clone());
        messages.push(named(yes(), at).encode_to_vec());
    }
    let mut answers = raw_stream(channel, messages).await.unwrap();
    for (at, (what, _, told)) in cases.iter().enumerate() {
        let spoilt = answers.message().await.unwrap().unwrap();
        let error = spoilt.error.clone().unwrap();
        assert_eq!((spoilt.decision(), error.code), (v1::Decision::Deny, 3), "{what}");
        assert!(error.message.contains(told), "{what}: {error:?}");
        let good = answers.message().await.unwrap().unwrap();
        assert_eq!((good.decision(), good.correlation_id), (v1::Decision::Allow, at.to_string()), "{what}");
    }
    assert_eq!(answers.message().await.unwrap(), None);
    app.end().await;
}

#[tokio::test]
async fn a_message_over_the_limit_is_told_the_limit() {
    let app = App::demo().await;
    let large = v1::CheckRequest { correlation_id: "x".repeat(4 * 1024 * 1024), ..yes() };
    let told = "the request message is over the limit `message_bytes`: at most 4194304 bytes are read";
    let mut client = app.client().await;
    let status = client.check(large.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert!(status.message().starts_with(told), "{status:?}");

    // A stream has no way on behind such a message; what came before it is answered.
    let requests = tokio_stream::iter([yes(), no(), large, yes()]);
    let mut answers = client.check_stream(requests).await.unwrap().into_inner();
    assert!(answers.message().await.unwrap().is_some());
    assert!(answers.message().await.unwrap().is_some());
    let status = answers.message().await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert!(status.message().starts_with(told), "{status:?}");
    drop((client, answers));
    app.end().await;
}

#[tokio::test]
async fn a_batch_of_ten_thousand_is_answered_and_one_more_is_not() {
    let app = App::demo().await;
    let mut client = app.client().await;
    let items: Vec<_> = (0..10_000).map(|at| named(if at % 2 == 0 { yes() } else { no() }, at)).collect();
    let batch = v1::BatchCheckRequest { items, ..Default::default() };
    let answer = client.batch_check(batch.clone()).await.unwrap().into_inner();
    assert_eq!(answer.results.len(), 10_000);
    for (at, result) in answer.results.iter().enumerate() {
        assert_eq!(result.correlation_id, at.to_string());
        assert_eq!(result.decision() == v1::Decision::Allow, at % 2 == 0);
    }
    let mut over = batch;
    over.items.push(yes());
    let status = client.batch_check(over).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(status.message(), "items: 10001 items (`batch_items`); at most 10000 are accepted");
    drop(client);
    app.end().await;
}

#[tokio::test]
async fn what_a_large_batch_shares_is_not_copied() {
    let app = App::demo().await;
    let text = || Value { kind: Some(Kind::StringValue("x".repeat(900))) };
    let context = Struct { fields: (0..4_000).map(|at| (format!("key{at}"), text())).collect() };
    let items = vec![v1::CheckRequest::default(); 10_000];
    let v1::CheckRequest { subject, action, resource, .. } = yes();
    let batch =
        v1::BatchCheckRequest { subject, action, resource, context: Some(context), items, ..Default::default() };
    let began = std::time::Instant::now();
    let answer = app.client().await.batch_check(batch).await.unwrap().into_inner();
    assert_eq!(answer.results.len(), 10_000);
    // Copied for each item it would be 36 GB.
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    app.end().await;
}

#[tokio::test]
async fn other_calls_are_answered_while_a_large_batch_is() {
    let app = App::demo().await;
    let batch = v1::BatchCheckRequest { items: vec![no(); 10_000], ..Default::default() };
    let mut client = app.client().await;
    let mut other = app.client().await;
    let mut batches = std::pin::pin!(async {
        for _ in 0..5 {
            client.batch_check(batch.clone()).await.unwrap();
        }
    });
    let mut small = 0;
    let mut checks = Box::pin(tokio_stream::iter(0..1_000_000).then(|_| {
        let mut other = other.clone();
        async move { other.check(yes()).await.unwrap() }
    }));
    loop {
        tokio::select! {
            () = &mut batches => break,
            Some(_) = checks.next() => small += 1,
        }
    }
    assert!(small > 5, "{small} checks beside five batches of 10,000");
    drop(checks);
    other.check(yes()).await.unwrap();
    app.stop();
}
