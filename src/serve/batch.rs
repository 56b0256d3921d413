//! Many questions in one message, answered from one revision of the mirror.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;

use super::MAX_BATCH_ITEMS;
use super::convert::Defaults;
use super::encode::Batch;
use super::error::Refusal;
use super::grpc::{Core, bounded, waits};
use crate::authorizer::Verdicts;
use crate::engine::Said;
use crate::model::query::Query;
use crate::proto::view::{BatchCheckRequest, CheckRequest, View as _};

/// So many items are read or written before other calls have their turn, and before it shows that the caller has gone.
const STRIDE: usize = 256;

/// What an item takes in the answer besides its texts, at most.
const ITEM_BYTES: usize = 48;
/// Callers accept messages up to this size where they set nothing else.
const ANSWER_BYTES: usize = 4 * 1024 * 1024 - 64 * 1024;

/// Answers a batch in request order. An item that is malformed fails alone.
///
/// # Errors
/// Where there are too many items, where what the items share is malformed, or where the wait was too long.
pub(super) async fn check(core: Arc<Core>, message: Bytes) -> Result<Vec<u8>, Refusal> {
    let batch = BatchCheckRequest::read(&message)?;
    let items = &batch.items;
    if batch.more_items > 0 {
        return Err(Refusal::Limit {
            field: "items",
            found: items.len() + batch.more_items,
            limit: MAX_BATCH_ITEMS,
            unit: "items (`batch_items`)",
        });
    }
    let repeated = repeated_ids(items);
    let defaults = Defaults::read(&batch)?;

    let mut queries: Vec<Query<'_>> = Vec::with_capacity(items.len());
    let mut refusals: Vec<(usize, Refusal)> = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let query = if repeated.contains(item.correlation_id) {
            Err(Refusal::Field {
                field: "correlation_id",
                problem: "stands at more than one item of the batch".to_owned(),
            })
        } else {
            defaults.query(item)
        };
        match query {
            Ok(query) => queries.push(query),
            Err(refusal) => refusals.push((at, refusal)),
        }
        if at % STRIDE == STRIDE - 1 {
            tokio::task::yield_now().await;
        }
    }

    let longest = queries.iter().map(|query| query.consistency).find(waits).unwrap_or_default();
    let Verdicts { verdicts, freshness } = bounded(longest, core.authorizer.check_batch(&queries)).await?;
    let freshness = (!queries.is_empty()).then_some(&freshness);
    drop(queries);

    let mut verdicts = verdicts.iter();
    let mut refusals = refusals.iter().peekable();
    let mut room = Room::beside(items);
    let mut answer = Batch::with_room_for(items.len());
    for (at, item) in items.iter().enumerate() {
        match refusals.next_if(|(refused, _)| *refused == at) {
            Some((_, refusal)) => answer.refuse(refusal, item.correlation_id),
            None => match verdicts.next() {
                Some(verdict) => answer.answer(verdict, room.take(&verdict.said), item.correlation_id),
                None => answer.refuse(&Refusal::Lost, item.correlation_id),
            },
        }
        if at % STRIDE == STRIDE - 1 {
            tokio::task::yield_now().await;
        }
    }
    Ok(answer.end(freshness, &core.call_id()))
}

/// What is left for the sentences of the answers, in bytes. Rules and codes are always told.
struct Room(usize);

impl Room {
    fn beside(items: &[CheckRequest<'_>]) -> Self {
        let taken: usize = items.iter().map(|item| item.correlation_id.len() + ITEM_BYTES).sum();
        Self(ANSWER_BYTES.saturating_sub(taken))
    }

    /// Whether there is room for the sentence of one more answer.
    fn take(&mut self, said: &Said) -> bool {
        let left = self.0.checked_sub(said.rule.len()).and_then(|left| left.checked_sub(said.text.len()));
        self.0 = left.unwrap_or_else(|| self.0.saturating_sub(said.rule.len()));
        left.is_some()
    }
}

/// Correlation ids that more than one item has: an answer could be taken for another's, so none of them is given.
fn repeated_ids<'a>(items: &[CheckRequest<'a>]) -> HashSet<&'a str> {
    let mut seen: HashSet<&str> = HashSet::new();
    let given = items.iter().map(|item| item.correlation_id).filter(|id| !id.is_empty());
    given.filter(|id| !seen.insert(id)).collect()
}
