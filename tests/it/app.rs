//! The real app, booted on free ports with the demo studio, and clients of it.

use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::StreamExt as _;
use stagedoor::app::{self, RunError};
use stagedoor::authorizer::Options;
use stagedoor::config::{Config, Tracker};
use stagedoor::proto::v1;
use stagedoor::proto::v1::authorization_client::AuthorizationClient;
use stagedoor::serve;
use stagedoor::serve::listen::Address;
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// A running app. Dropped without `end`, it is told to end and left alone.
pub(crate) struct App {
    pub(crate) tcp: String,
    pub(crate) unix: PathBuf,
    /// Where pushes are taken, if anywhere.
    pub(crate) push: String,
    stops: UnboundedSender<&'static str>,
    thread: JoinHandle<Result<(), RunError>>,
    _directory: TempDir,
}

/// A configuration that listens on a free port and on a socket in `directory`.
pub(crate) fn config(directory: &TempDir) -> Config {
    let tcp = "127.0.0.1:0".parse().unwrap();
    let unix = Address::Unix(directory.path().join("stagedoor.sock"));
    Config {
        guard: None,
        decision_log: None,
        serve: serve::Config { listen: vec![tcp, unix], tls: None },
        authorizer: Options::default(),
        reconcile: Duration::from_secs(300),
        snapshot_dir: None,
        policy: None,
        tracker: Tracker::Demo,
        warnings: Vec::new(),
    }
}

impl App {
    /// Boots the demo and waits until it is fresh.
    pub(crate) async fn demo() -> Self {
        Self::boot(|_| {}).await
    }

    /// Boots what `change` makes of the demo's configuration, and waits until it is fresh.
    pub(crate) async fn boot(change: impl FnOnce(&mut Config)) -> Self {
        let app = Self::start(change).await;
        app.wait_for("fresh", ServingStatus::Serving).await;
        app
    }

    /// Boots what `change` makes of the demo's configuration, and waits until it answers.
    pub(crate) async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = config(&directory);
        change(&mut config);
        // Runtimes may be neither made nor dropped within another.
        let bound = std::thread::spawn(move || app::build(config)).join().unwrap().unwrap();
        let tcp = bound.addresses.iter().find_map(|address| match address {
            Address::Tcp(address) => Some(address.to_string()),
            Address::Unix(_) => None,
        });
        let push = bound.push_address.as_ref().map(Address::to_string).unwrap_or_default();
        let (stops, receiver) = unbounded_channel();
        let stop = UnboundedReceiverStream::new(receiver).boxed();
        let thread = std::thread::spawn(move || bound.run(stop));
        let unix = directory.path().join("stagedoor.sock");
        let app = Self { tcp: tcp.unwrap_or_default(), unix, push, stops, thread, _directory: directory };
        app.wait_for("", ServingStatus::Serving).await;
        app
    }

    pub(crate) async fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.tcp)).unwrap().connect().await.unwrap()
    }

    pub(crate) async fn unix_channel(&self) -> Channel {
        Endpoint::from_shared(format!("unix:{}", self.unix.display())).unwrap().connect().await.unwrap()
    }

    pub(crate) async fn client(&self) -> AuthorizationClient<Channel> {
        AuthorizationClient::new(self.channel().await)
    }

    pub(crate) async fn health(&self, service: &str) -> Result<ServingStatus, tonic::Status> {
        let request = HealthCheckRequest { service: service.to_owned() };
        let channel = self.unix_channel().await;
        Ok(HealthClient::new(channel).check(request).await?.into_inner().status())
    }

    pub(crate) async fn wait_for(&self, service: &str, status: ServingStatus) {
        for _ in 0..500 {
            if self.health(service).await.is_ok_and(|found| found == status) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("`{service}` does not become {status:?}");
    }

    /// Asks to end, once more with each call.
    pub(crate) fn stop(&self) {
        let _ = self.stops.send("test");
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(self) -> Result<(), RunError> {
        tokio::task::spawn_blocking(move || self.thread.join().unwrap()).await.unwrap()
    }

    /// Ends it and proves that it ended as asked.
    pub(crate) async fn end(self) {
        self.stop();
        self.ended().await.unwrap();
    }
}

/// "May `person` do `action` to `kind:id`?"
pub(crate) fn question(person: &str, action: &str, resource: &str) -> v1::CheckRequest {
    let (kind, id) = resource.split_once(':').unwrap();
    v1::CheckRequest {
        subject: Some(v1::Subject { r#type: String::new(), id: person.to_owned() }),
        action: Some(v1::Action { name: action.to_owned(), ..Default::default() }),
        resource: Some(v1::Resource { r#type: kind.to_owned(), id: id.to_owned(), ..Default::default() }),
        ..Default::default()
    }
}

/// The same question with an id to know its answer by.
pub(crate) fn named(request: v1::CheckRequest, correlation_id: impl ToString) -> v1::CheckRequest {
    v1::CheckRequest { correlation_id: correlation_id.to_string(), ..request }
}

/// Bo is assigned to the task: yes.
pub(crate) fn yes() -> v1::CheckRequest {
    question("bo", "comment", "task:sh010-animation")
}

/// Lin supervises another department: no.
pub(crate) fn no() -> v1::CheckRequest {
    question("lin", "comment", "task:sh010-animation")
}

/// A question without a subject.
pub(crate) fn malformed() -> v1::CheckRequest {
    v1::CheckRequest { subject: None, ..yes() }
}
