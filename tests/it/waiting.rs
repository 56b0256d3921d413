//! Calls that wait for the tracker: their deadline, their caller's going away, their place in a stream.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};
use stagedoor::authorizer::{Authorizer, Clock, Feed, Options, ReadError, Reader};
use stagedoor::engine::policy::Policy;
use stagedoor::model::id::ObjectRef;
use stagedoor::proto::v1;
use stagedoor::proto::v1::authorization_client::AuthorizationClient;
use stagedoor::serve::Services;
use stagedoor::serve::drain::Drain;
use stagedoor::serve::health;
use stagedoor::serve::listen::{Address, Listener};
use tokio::sync::Semaphore;
use tokio_stream::StreamExt as _;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

use crate::app::{named, question, yes};

/// A tracker that answers only when it is let, and counts who waits for it.
#[derive(Debug)]
struct Slow {
    waiting: AtomicUsize,
    may_answer: Semaphore,
}

struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Reader for Slow {
    fn read(&self, _: Vec<ObjectRef>) -> Pin<Box<dyn Future<Output = Result<(), ReadError>> + Send + '_>> {
        Box::pin(async {
            self.waiting.fetch_add(1, Ordering::SeqCst);
            let _waiting = Waiting(&self.waiting);
            self.may_answer.acquire().await.unwrap().forget();
            Ok(())
        })
    }
}

impl Slow {
    async fn waits(&self, count: usize) {
        let began = Instant::now();
        while self.waiting.load(Ordering::SeqCst) != count {
            assert!(began.elapsed() < Duration::from_secs(5), "{self:?} does not become {count}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// A server of an empty mirror beside a slow tracker.
struct Server {
    tracker: Arc<Slow>,
    drain: Drain,
    client: AuthorizationClient<Channel>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    async fn start() -> Self {
        let authorizer = Authorizer::new(Policy::load("kitsu", None).unwrap(), Options::default(), Clock::system());
        let tracker = Arc::new(Slow { waiting: AtomicUsize::new(0), may_answer: Semaphore::new(0) });
        authorizer.set_reader(Arc::clone(&tracker) as Arc<dyn Reader>);
        authorizer.feed(Feed::Live);
        authorizer.known_equal(Instant::now());
        let drain = Drain::new(Duration::from_secs(5));
        let (_, health) = health::health();
        let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).unwrap();
        let Address::Tcp(address) = listener.address().unwrap() else { panic!() };
        let services = Services::new(authorizer, None, health, drain.clone());
        #[expect(clippy::disallowed_methods, reason = "a test's server, ended with the test")]
        let task = tokio::spawn(async { services.serve(listener, None).await.unwrap() });
        let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
        Self { tracker, drain, client: AuthorizationClient::new(channel), task }
    }

    async fn end(self) {
        let Self { drain, client, task, .. } = self;
        drop(client);
        drain.begin();
        task.await.unwrap();
    }
}

/// A question that waits for the tracker.
fn refreshed() -> v1::CheckRequest {
    v1::CheckRequest { consistency: Some(v1::Consistency { refresh: true, ..Default::default() }), ..yes() }
}

#[tokio::test]
async fn a_call_whose_caller_has_gone_stops_working() {
    let server = Server::start().await;
    let mut client = server.client.clone();
    let call = async { client.check(refreshed()).await.map(drop) };
    tokio::select! {
        outcome = call => panic!("answered although the tracker is silent: {outcome:?}"),
        () = server.tracker.waits(1) => {}
    }
    server.tracker.waits(0).await;
    server.end().await;
}

#[tokio::test]
async fn a_stream_whose_caller_has_gone_stops_working() {
    let server = Server::start().await;
    let (sender, receiver) = tokio::sync::mpsc::channel(5);
    for _ in 0..5 {
        sender.send(refreshed()).await.unwrap();
    }
    let requests = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let mut answers = server.client.clone().check_stream(requests).await.unwrap().into_inner();
    tokio::select! {
        answer = answers.message() => panic!("answered although the tracker is silent: {answer:?}"),
        () = server.tracker.waits(5) => {}
    }
    // This client cancels a stream only once it has nothing to send either.
    drop((answers, sender));
    server.tracker.waits(0).await;
    server.end().await;
}

#[tokio::test]
async fn answers_that_wait_keep_their_place_in_the_stream() {
    const COUNT: usize = 1_000;
    let server = Server::start().await;
    let slow = |at: usize| at % 7 == 3;
    let requests = (0..COUNT).map(move |at| named(if slow(at) { refreshed() } else { yes() }, at));
    let mut answers = server.client.clone().check_stream(tokio_stream::iter(requests)).await.unwrap().into_inner();
    for at in 0..3 {
        assert_eq!(answers.message().await.unwrap().unwrap().correlation_id, at.to_string());
    }
    // The window is full of answers behind the one that waits; no more is taken in than it holds.
    server.tracker.waits(19).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.tracker.waits(19).await;
    server.tracker.may_answer.add_permits(COUNT);
    for at in 3..COUNT {
        let answer = answers.message().await.unwrap().unwrap();
        assert_eq!((answer.correlation_id, answer.error), (at.to_string(), None));
    }
    assert_eq!(answers.message().await.unwrap(), None);
    server.end().await;
}

#[tokio::test]
async fn a_stream_takes_no_more_in_than_it_may_hold_in_bytes() {
    const COUNT: usize = 20;
    let server = Server::start().await;
    let line = Value { kind: Some(Kind::StringValue("x".repeat(1_000))) };
    let mebibyte = Value { kind: Some(Kind::ListValue(ListValue { values: vec![line; 1_050] })) };
    let requests = (0..COUNT).map(move |at| {
        let mut request = named(refreshed(), at);
        let resource = request.resource.as_mut().unwrap();
        resource.properties = Some(Struct { fields: [("notes".into(), mebibyte.clone())].into() });
        request
    });
    let mut answers = server.client.clone().check_stream(tokio_stream::iter(requests)).await.unwrap().into_inner();
    server.tracker.waits(4).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.tracker.waits(4).await;
    server.tracker.may_answer.add_permits(COUNT);
    for at in 0..COUNT {
        let answer = answers.message().await.unwrap().unwrap();
        assert_eq!((answer.correlation_id, answer.error), (at.to_string(), None));
    }
    server.end().await;
}

#[tokio::test]
async fn a_drain_answers_what_waits_before_it_ends_a_stream() {
    let server = Server::start().await;
    let requests =
        tokio_stream::iter([named(refreshed(), "slow"), named(yes(), "quick")]).chain(tokio_stream::pending());
    let mut answers = server.client.clone().check_stream(requests).await.unwrap().into_inner();
    server.tracker.waits(1).await;
    server.drain.begin();
    tokio::time::sleep(Duration::from_millis(500)).await;
    server.tracker.may_answer.add_permits(1);
    assert_eq!(answers.message().await.unwrap().unwrap().correlation_id, "slow");
    assert_eq!(answers.message().await.unwrap().unwrap().correlation_id, "quick");
    let status = answers.message().await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    server.end().await;
}

#[tokio::test]
async fn a_drain_lets_a_busy_stream_come_to_its_end() {
    let server = Server::start().await;
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let requests = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let mut answers = server.client.clone().check_stream(requests).await.unwrap().into_inner();
    for at in 0..20 {
        sender.send(named(question("bo", "read", "task:t"), at)).await.unwrap();
        assert_eq!(answers.message().await.unwrap().unwrap().correlation_id, at.to_string());
        if at == 5 {
            server.drain.begin();
        }
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    drop(sender);
    assert_eq!(answers.message().await.unwrap(), None, "ended by the caller, not by the drain");
    server.end().await;
}
