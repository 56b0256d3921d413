//! zou's own log of events: what happened while nobody listened.

use std::collections::HashSet;
use std::time::SystemTime;

use serde_json::Value;

use super::client::{Client, Failure};
use super::hints::hints;
use crate::model::id::Str;
use crate::tracker::{CatchUp, date};

const PATH: &str = "/data/events/last";
/// An event is stored a while after it happened, and times are cut to the second.
const OVERLAP: i64 = 60;
/// The largest page that zou gives.
const PAGE: usize = 1000;
/// Beyond so many pages a load is cheaper.
const PAGES: usize = 20;
/// zou forgets events after 90 days at most; a studio may choose less.
const REACH: i64 = 7 * 86_400;

/// What changed since, and whether entity types did. `None`: too much or too long ago.
pub(super) async fn catch_up(client: &Client, since: SystemTime) -> Result<Option<(CatchUp, bool)>, Failure> {
    if date::seconds(SystemTime::now()).saturating_sub(date::seconds(since)) > REACH {
        return Ok(None);
    }
    let after = date::iso(client.on_its_clock(since) - OVERLAP);
    let limit = PAGE.to_string();
    let mut caught = CatchUp::default();
    let (mut seen, mut types) = (HashSet::new(), false);
    let mut cursor: Option<String> = None;
    for _ in 0..PAGES {
        let mut query = vec![("after", after.as_str()), ("limit", limit.as_str())];
        query.extend(cursor.as_deref().map(|cursor| ("cursor_event_id", cursor)));
        let answer = match client.get(PATH, &query).await {
            Ok(answer) => answer,
            Err(Failure::Malformed(why) | Failure::NotFound(why)) => {
                tracing::warn!(why, "zou's event log cannot be read: everything is loaded instead");
                return Ok(None);
            }
            Err(failure) => return Err(failure),
        };
        let Some(events) = answer.as_array() else { return Ok(None) };
        for event in events {
            let name = event.get("name").and_then(Value::as_str).unwrap_or_default();
            let hints = hints(name, event.get("data").unwrap_or(&Value::Null));
            types |= hints.types;
            caught.reload = match (caught.reload, hints.reload) {
                (Some(one), Some(other)) => Some(one.and(other)),
                (one, other) => one.or(other),
            };
            caught.objects.extend(hints.objects.into_iter().filter(|object| seen.insert(object.clone())));
        }
        let id = |event: Option<&Value>| event.and_then(|event| event.get("id")?.as_str()).map(str::to_owned);
        // Newest first.
        if caught.cursor.is_none() {
            caught.cursor = id(events.first()).map(Str::from);
        }
        cursor = id(events.last());
        if events.len() < PAGE || cursor.is_none() {
            return Ok(Some((caught, types)));
        }
    }
    Ok(None)
}
