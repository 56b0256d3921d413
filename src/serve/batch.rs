//! Many questions in one message, answered from one revision of the mirror.

use std::collections::{HashMap, HashSet};

use super::convert::Defaults;
use super::error::Refusal;
use super::grpc::{Core, bounded, waits};
use super::{MAX_BATCH_ITEMS, reply};
use crate::engine::Said;
use crate::model::query::Query;
use crate::proto::v1;

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
pub(super) async fn check(core: &Core, batch: v1::BatchCheckRequest) -> Result<v1::BatchCheckResponse, Refusal> {
    if batch.items.len() > MAX_BATCH_ITEMS {
        return Err(Refusal::Limit {
            field: "items",
            found: batch.items.len(),
            limit: MAX_BATCH_ITEMS,
            unit: "items (`batch_items`)",
        });
    }
    let repeated = repeated_ids(&batch.items);
    let defaults = Defaults::read(&batch)?;

    let mut queries: Vec<Query<'_>> = Vec::with_capacity(batch.items.len());
    let mut refusals: HashMap<usize, Refusal> = HashMap::new();
    for (at, item) in batch.items.iter().enumerate() {
        let query = if repeated.contains(item.correlation_id.as_str()) {
            Err(Refusal::Field {
                field: "correlation_id",
                problem: "stands at more than one item of the batch".to_owned(),
            })
        } else {
            defaults.query(item)
        };
        match query {
            Ok(query) => queries.push(query),
            Err(refusal) => drop(refusals.insert(at, refusal)),
        }
        breathe(at).await;
    }

    let longest = queries.iter().map(|query| query.consistency).find(waits).unwrap_or_default();
    let answers = bounded(longest, core.authorizer.check_batch(&queries)).await?;
    drop(queries);
    drop(defaults);

    let freshness = answers.first().map(|answer| reply::freshness(&answer.freshness));
    let mut answers = answers.into_iter();
    let mut room = Room::beside(&batch.items);
    let mut results = Vec::with_capacity(batch.items.len());
    for (at, item) in batch.items.into_iter().enumerate() {
        let result = match refusals.get(&at) {
            Some(refusal) => reply::refused(refusal, item.correlation_id, String::new()),
            None => match answers.next() {
                Some(answer) => reply::batch_item(&answer, item.correlation_id, room.take(&answer.said)),
                None => reply::refused(&Refusal::Lost, item.correlation_id, String::new()),
            },
        };
        results.push(result);
        breathe(at).await;
    }
    Ok(v1::BatchCheckResponse { results, freshness, call_id: core.call_id() })
}

/// What is left for the sentences of the answers, in bytes. Rules and codes are always told.
struct Room(usize);

impl Room {
    fn beside(items: &[v1::CheckRequest]) -> Self {
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
fn repeated_ids(items: &[v1::CheckRequest]) -> HashSet<&str> {
    let mut seen: HashSet<&str> = HashSet::new();
    let given = items.iter().map(|item| item.correlation_id.as_str()).filter(|id| !id.is_empty());
    given.filter(|id| !seen.insert(id)).collect()
}

async fn breathe(at: usize) {
    if at % STRIDE == STRIDE - 1 {
        tokio::task::yield_now().await;
    }
}
