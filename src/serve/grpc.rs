//! The Authorization service: from the wire to the authorizer and back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tonic::{Request, Response, Status, Streaming};

use super::drain::Drain;
use super::error::Refusal;
use super::stream::Answers;
use super::{MAX_BATCH_ITEMS, MAX_MESSAGE_BYTES, batch, convert, deadline, reply};
use crate::authorizer::{Answer, Authorizer};
use crate::model::query::{Consistency, Query};
use crate::proto::v1;
use crate::proto::v1::authorization_server::Authorization;

/// How long a call without a deadline of its own may wait for a revision or a re-read.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The service. Cloning is cheap: every connection has a clone.
#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) core: Arc<Core>,
}

/// What all calls share.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) authorizer: Arc<Authorizer>,
    pub(super) drain: Drain,
    calls: CallIds,
}

/// Gives each call an id that no other call of any instance has: a random beginning, then a count.
#[derive(Debug)]
struct CallIds {
    instance: u64,
    next: AtomicU64,
}

// === impl Service ===

impl Service {
    /// A service that answers from `authorizer` until `drain` says to end.
    pub(super) fn new(authorizer: Arc<Authorizer>, drain: Drain) -> Self {
        let calls = CallIds { instance: rand::random(), next: AtomicU64::new(0) };
        Self { core: Arc::new(Core { authorizer, drain, calls }) }
    }
}

#[tonic::async_trait]
impl Authorization for Service {
    async fn check(&self, request: Request<v1::CheckRequest>) -> Result<Response<v1::CheckResponse>, Status> {
        let request = request.into_inner();
        let answer = {
            let query = convert::query(&request)?;
            self.core.check(&query).await?
        };
        Ok(Response::new(reply::check(&answer, request.correlation_id, self.core.call_id())))
    }

    async fn batch_check(
        &self,
        request: Request<v1::BatchCheckRequest>,
    ) -> Result<Response<v1::BatchCheckResponse>, Status> {
        batch::check(&self.core, request.into_inner()).await.map(Response::new).map_err(Status::from)
    }

    type CheckStreamStream = Answers<Streaming<v1::CheckRequest>>;

    async fn check_stream(
        &self,
        request: Request<Streaming<v1::CheckRequest>>,
    ) -> Result<Response<Self::CheckStreamStream>, Status> {
        let time_left = deadline::of(request.metadata().as_ref());
        Ok(Response::new(Answers::new(Arc::clone(&self.core), request.into_inner(), time_left)))
    }

    async fn explain(&self, request: Request<v1::CheckRequest>) -> Result<Response<v1::ExplainResponse>, Status> {
        let request = request.into_inner();
        let explanation = {
            let query = convert::query(&request)?;
            bounded(query.consistency, self.core.authorizer.explain(&query)).await?
        };
        Ok(Response::new(reply::explain(explanation, request.correlation_id, self.core.call_id())))
    }

    async fn list_actions(
        &self,
        request: Request<v1::ListActionsRequest>,
    ) -> Result<Response<v1::ListActionsResponse>, Status> {
        let request = request.into_inner();
        let query = convert::list(&request)?;
        let actions = self.core.authorizer.list_actions(&query).await;
        let actions = actions.ok_or_else(|| Refusal::Field {
            field: "resource.type",
            problem: "is no kind of object that the policy has".to_owned(),
        })?;
        Ok(Response::new(reply::actions(actions, request.include_denied)))
    }

    type ListResourcesStream = tokio_stream::Empty<Result<v1::ListResourcesResponse, Status>>;

    async fn list_resources(
        &self,
        _: Request<v1::ListResourcesRequest>,
    ) -> Result<Response<Self::ListResourcesStream>, Status> {
        Err(Refusal::NotYet("ListResources").into())
    }

    type ListSubjectsStream = tokio_stream::Empty<Result<v1::ListSubjectsResponse, Status>>;

    async fn list_subjects(
        &self,
        _: Request<v1::ListSubjectsRequest>,
    ) -> Result<Response<Self::ListSubjectsStream>, Status> {
        Err(Refusal::NotYet("ListSubjects").into())
    }

    type WatchStream = tokio_stream::Empty<Result<v1::WatchResponse, Status>>;

    async fn watch(&self, _: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Err(Refusal::NotYet("Watch").into())
    }

    async fn get_server_info(&self, _: Request<v1::GetServerInfoRequest>) -> Result<Response<v1::ServerInfo>, Status> {
        let limits = v1::server_info::Limits {
            batch_items: u32::try_from(MAX_BATCH_ITEMS).unwrap_or(u32::MAX),
            message_bytes: u32::try_from(MAX_MESSAGE_BYTES).unwrap_or(u32::MAX),
            max_staleness: Some(reply::duration(self.core.authorizer.max_staleness())),
        };
        Ok(Response::new(reply::server_info(self.core.authorizer.status(), limits)))
    }
}

// === impl Core ===

impl Core {
    pub(super) async fn check(&self, query: &Query<'_>) -> Result<Answer, Refusal> {
        bounded(query.consistency, self.authorizer.check(query)).await
    }

    pub(super) fn call_id(&self) -> String {
        self.calls.next()
    }
}

/// Whether a question may have to wait for the mirror.
pub(super) fn waits(consistency: &Consistency) -> bool {
    consistency.refresh || consistency.at_least_revision > 0
}

/// Lets a call that asks to wait do so, but not for ever.
pub(super) async fn bounded<T>(consistency: Consistency, answer: impl Future<Output = T>) -> Result<T, Refusal> {
    if !waits(&consistency) {
        return Ok(answer.await);
    }
    tokio::time::timeout(LONGEST_WAIT, answer).await.map_err(|_| {
        Refusal::Deadline("the revision or re-read that `consistency` asks for did not come within 30 s; set a deadline to wait longer")
    })
}

// === impl CallIds ===

impl CallIds {
    fn next(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        let number = (u128::from(self.instance) << 64) | u128::from(count);
        let mut id = String::with_capacity(32);
        for at in (0..32_u32).rev() {
            let digit = usize::try_from((number >> (at * 4)) & 0xf).unwrap_or_default();
            id.extend(DIGITS.get(digit).copied().map(char::from));
        }
        id
    }
}
