//! The gRPC edge: listeners, the Authorization service, health, reflection.
//!
//! ```text
//! connection ─► door (deadline, limits) ─► grpc ─► convert ─► authorizer ─► encode, reply
//! ```
//!
//! Invariant: wire types stop here; no room below knows them.

mod batch;
pub mod convert;
mod deadline;
pub mod door;
pub mod drain;
mod encode;
pub mod error;
mod grpc;
pub mod guard_log;
pub mod health;
pub mod listen;
mod reply;
pub mod routes;
mod seats;
mod stream;
pub mod tls;

use std::sync::Arc;
use std::time::Duration;

use tonic::transport::Server;
use tonic_health::pb::health_server::HealthServer;
use tonic_reflection::server::{v1, v1alpha};

use self::door::Door;
use self::drain::Drain;
use self::guard_log::{Kept, Log};
use self::health::Health;
use self::listen::{Address, Incoming, Listener};
use crate::authorizer::Authorizer;
use crate::proto::v1::guard_server::GuardServer;
use crate::proto::{self, view};

/// The most items of a BatchCheck.
pub const MAX_BATCH_ITEMS: usize = view::MOST_ITEMS;
/// The largest request message, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// Where and how to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub listen: Vec<Address>,
    /// For the TCP addresses; Unix sockets are guarded by their file mode.
    pub tls: Option<tls::Config>,
}

/// Why the server cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("the gRPC server failed: {0}")]
    Transport(#[from] tonic::transport::Error),
    #[error("the reflection service cannot be built: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// All services that a listener offers.
#[derive(Clone, Debug)]
pub struct Services {
    door: Door,
    guard: GuardServer<Log>,
    health: HealthServer<Health>,
    drain: Drain,
}

// === impl Services ===

impl Services {
    /// Answers from `authorizer`, tells what `guard` did and `health` says, ends when `drain` says so.
    pub fn new(authorizer: Arc<Authorizer>, guard: Option<Kept>, health: HealthServer<Health>, drain: Drain) -> Self {
        let door = Door::new(authorizer, drain.clone());
        Self { door, guard: GuardServer::new(Log(guard)), health, drain }
    }

    /// Serves one listener until the drain, and then until its last call is answered.
    ///
    /// # Errors
    /// Where the transport fails as a whole; a connection that fails ends alone.
    pub async fn serve(self, listener: Listener, tls: Option<tls::Material>) -> Result<(), ServeError> {
        let Self { door, guard, health, drain } = self;
        let mut server = transport();
        if let (Some(material), Listener::Tcp(_)) = (tls, &listener) {
            server = server.tls_config(material.into_server())?;
        }
        let router = server
            .add_service(door)
            .add_service(guard)
            .add_service(health)
            .add_service(reflection()?)
            .add_service(reflection_alpha()?);
        // The incoming connections end by themselves when the server drains.
        let never = std::future::pending();
        match listener {
            Listener::Tcp(tcp) => {
                router.serve_with_incoming_shutdown(Incoming::new(tcp, &drain), never).await?;
            }
            Listener::Unix(unix, file) => {
                router.serve_with_incoming_shutdown(Incoming::new((unix, file), &drain), never).await?;
            }
        }
        Ok(())
    }
}

/// The transport's settings, also for those who measure against it.
pub fn transport() -> Server {
    Server::builder()
        .max_concurrent_streams(1_024)
        // A caller that vanished without a word is let go.
        .http2_keepalive_interval(Some(Duration::from_secs(60)))
        .http2_keepalive_timeout(Some(Duration::from_secs(20)))
}

fn reflection() -> Result<v1::ServerReflectionServer<impl v1::ServerReflection>, tonic_reflection::server::Error> {
    described().build_v1()
}

fn reflection_alpha()
-> Result<v1alpha::ServerReflectionServer<impl v1alpha::ServerReflection>, tonic_reflection::server::Error> {
    described().build_v1alpha()
}

fn described() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}
