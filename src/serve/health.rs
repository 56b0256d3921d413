//! `grpc.health.v1`: "" while the process serves, "loaded" once the mirror was loaded, "fresh" while it may be relied on.

use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt as _, stream};
use tokio::sync::watch;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health as Service, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// What the health service says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The mirror was loaded once.
    pub loaded: bool,
    /// The mirror is younger than the bound.
    pub fresh: bool,
    /// The process is about to end: nothing is served any more, and whoever watches is told so and let go.
    pub ending: bool,
}

/// Says how the process stands, to whoever asks the health service.
#[derive(Debug)]
pub struct Reporter(watch::Sender<Standing>);

/// The health service.
#[derive(Clone, Debug)]
pub struct Health(watch::Receiver<Standing>);

/// A health service and what feeds it.
pub fn health() -> (Reporter, HealthServer<Health>) {
    let (sender, receiver) = watch::channel(Standing::default());
    (Reporter(sender), HealthServer::new(Health(receiver)))
}

// === impl Reporter ===

impl Reporter {
    /// Tells how it stands now; who watches hears of it only where it changes what they watch.
    pub fn tell(&self, standing: Standing) {
        self.0.send_if_modified(|told| {
            // An end is never taken back.
            let standing = Standing { ending: told.ending || standing.ending, ..standing };
            std::mem::replace(told, standing) != standing
        });
    }

    /// From now on nothing is served.
    pub fn end(&self) {
        self.0.send_modify(|told| told.ending = true);
    }
}

// === impl Standing ===

impl Standing {
    /// `None` for a service that there is not.
    fn of(self, service: &str) -> Option<ServingStatus> {
        let serves = match service {
            "" => true,
            "loaded" => self.loaded,
            "fresh" => self.fresh,
            _ => return None,
        };
        Some(if serves && !self.ending { ServingStatus::Serving } else { ServingStatus::NotServing })
    }
}

// === impl Health ===

impl Health {
    /// How a service stands, then each change of it. Ends with the process.
    fn statuses(&self, service: String) -> impl Stream<Item = Result<HealthCheckResponse, Status>> + use<> {
        let mut standings = self.0.clone();
        standings.mark_changed();
        let told = Standing::default();
        stream::unfold((standings, service, None, told), async |(mut standings, service, last, mut told)| {
            while !told.ending {
                standings.changed().await.ok()?;
                told = *standings.borrow_and_update();
                let status = told.of(&service).unwrap_or(ServingStatus::ServiceUnknown);
                if last != Some(status) {
                    let response = HealthCheckResponse { status: status.into() };
                    return Some((Ok(response), (standings, service, Some(status), told)));
                }
            }
            None
        })
    }
}

#[tonic::async_trait]
impl Service for Health {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        let HealthCheckRequest { service } = request.into_inner();
        let status = self.0.borrow().of(&service).ok_or_else(|| {
            Status::not_found("there is no such service; ask for \"\" (the process), \"loaded\" or \"fresh\"")
        })?;
        Ok(Response::new(HealthCheckResponse { status: status.into() }))
    }

    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Ok(Response::new(self.statuses(request.into_inner().service).boxed()))
    }
}
