//! The calls of the Authorization service: from the bytes of a request to those of the answer.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;

use super::drain::Drain;
use super::error::Refusal;
use super::{MAX_BATCH_ITEMS, MAX_MESSAGE_BYTES, convert, encode, reply};
use crate::authorizer::Authorizer;
use crate::model::query::Consistency;
use crate::proto::v1;
use crate::proto::view::{CheckRequest, ListActionsRequest, View as _};

/// How long a call without a deadline of its own may wait for a revision or a re-read.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

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

/// The id of one call, in hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CallId([u8; 32]);

// === the calls ===

/// Check.
pub(super) async fn check(core: Arc<Core>, message: Bytes) -> Result<Vec<u8>, Refusal> {
    let request = CheckRequest::read(&message)?;
    let query = convert::query(&request)?;
    let answer = bounded(query.consistency, core.authorizer.check(&query)).await?;
    Ok(encode::check(&answer, request.correlation_id, &core.call_id()))
}

/// Explain.
pub(super) async fn explain(core: Arc<Core>, message: Bytes) -> Result<Vec<u8>, Refusal> {
    let request = CheckRequest::read(&message)?;
    let query = convert::query(&request)?;
    let explanation = bounded(query.consistency, core.authorizer.explain(&query)).await?;
    Ok(reply::explain(explanation, request.correlation_id, &core.call_id()).encode_to_vec())
}

/// ListActions.
pub(super) async fn list_actions(core: Arc<Core>, message: Bytes) -> Result<Vec<u8>, Refusal> {
    let request = ListActionsRequest::read(&message)?;
    let query = convert::list(&request)?;
    let actions = core.authorizer.list_actions(&query).await;
    let actions = actions.ok_or_else(|| Refusal::Field {
        field: "resource.type",
        problem: "is no kind of object that the policy has".to_owned(),
    })?;
    Ok(reply::actions(actions, request.include_denied).encode_to_vec())
}

/// GetServerInfo.
pub(super) async fn server_info(core: Arc<Core>, message: Bytes) -> Result<Vec<u8>, Refusal> {
    let v1::GetServerInfoRequest {} = v1::GetServerInfoRequest::decode(message)?;
    let limits = v1::server_info::Limits {
        batch_items: u32::try_from(MAX_BATCH_ITEMS).unwrap_or(u32::MAX),
        message_bytes: u32::try_from(MAX_MESSAGE_BYTES).unwrap_or(u32::MAX),
        max_staleness: Some(reply::duration(core.authorizer.max_staleness())),
    };
    Ok(reply::server_info(core.authorizer.status(), limits).encode_to_vec())
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

// === impl Core ===

impl Core {
    /// Answers from `authorizer` until `drain` says to end.
    pub(super) fn new(authorizer: Arc<Authorizer>, drain: Drain) -> Self {
        Self { authorizer, drain, calls: CallIds { instance: rand::random(), next: AtomicU64::new(0) } }
    }

    pub(super) fn call_id(&self) -> CallId {
        let count = self.calls.next.fetch_add(1, Ordering::Relaxed);
        CallId::new((u128::from(self.calls.instance) << 64) | u128::from(count))
    }
}

// === impl CallId ===

impl CallId {
    pub(super) fn new(number: u128) -> Self {
        let mut id = [0; 32];
        for (pair, byte) in id.as_chunks_mut::<2>().0.iter_mut().zip(number.to_be_bytes()) {
            *pair = [digit(byte >> 4), digit(byte & 0xf)];
        }
        Self(id)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|digit| fmt::Write::write_char(f, char::from(*digit)))
    }
}

fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + (value - 10) }
}
