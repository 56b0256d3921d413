//! What the guard needs of ftrack: the truth about a status, putting one back, telling a person.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value as Json, json};

use super::answer::{self, Row};
use super::client::Failure;
use super::hub::Hub;
use super::pages::Pager;
use super::query::{IDS, Query, quoted, text, within};
use super::table::Table;
use super::{Ftrack, Shared};
use crate::model::id::{Id, ObjectRef, Str};
use crate::tracker::writer::{History, Move, Writer};
use crate::tracker::{SourceError, date};

/// How many moves of one object are looked at.
const MOVES: u64 = 50;
/// How far moments are searched for before the one that is asked for: clocks differ, and rows appear late.
const OVERLAP: i64 = 60;
/// No place on earth is further from UTC.
const ANY_ZONE: i64 = 14 * 3600;
const MOVED: &str = "id, parent_id, from_status_id, status_id, user_id, date";
const PATIENCE: Duration = Duration::from_secs(10);

impl Writer for Ftrack {
    async fn history(&self, object: &ObjectRef) -> Result<Option<History>, SourceError> {
        let Some((target, id)) = target(object) else { return Ok(None) };
        let this = |attribute: &str| within(attribute, [id.as_str()]);
        let operations = [
            Query::filtered(target.attributes, target.entity, &this("id")).page(0, 1),
            Query::filtered(MOVED, target.changes, &this("parent_id")).ordered("date desc").page(0, MOVES),
        ];
        let mut answers = self.shared.client.ask(&operations).await?.into_iter();
        let mut page = || answer::page(answers.next().unwrap_or_default());
        let (object, changes) = (page()?.rows, page()?.rows);
        let Some(row) = object.first() else { return Ok(None) };
        let status = optional(row, "status_id")?;
        let mut moves = Vec::with_capacity(changes.len());
        for change in &changes {
            moves.extend(moved(change)?);
        }
        let moves = in_order(moves, status.as_ref());
        self.shared.own.claim(&id, &moves);
        Ok(Some(History { status, name: name(row), moves }))
    }

    async fn moved_since(&self, since: SystemTime, statuses: &[Id]) -> Result<Vec<ObjectRef>, SourceError> {
        let after = date::iso(self.shared.surely_before(since));
        let statuses: Vec<String> = statuses.iter().filter_map(text).collect();
        let mut found = Vec::new();
        for chunk in statuses.chunks(IDS) {
            let to = within("status_id", chunk.iter().map(String::as_str));
            for target in [OBJECT, VERSION] {
                let filter = format!("{to} and date > {}", quoted(&after));
                let mut pager = Pager::new(Query::filtered("id, parent_id", target.changes, &filter));
                while let Some(rows) = pager.next(&self.shared.client).await? {
                    let ids = rows.iter().filter_map(|row| row.get("parent_id")?.as_str());
                    found.extend(ids.map(|id| ObjectRef::new(target.table.kind(), id)));
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    async fn set_status(&self, object: &ObjectRef, status: &Id) -> Result<(), SourceError> {
        let strange = || SourceError::Refused(format!("{object} cannot be set to the status {status}"));
        let ((target, id), status_id) = target(object).zip(text(status)).ok_or_else(strange)?;
        // Without knowing who we are, what we do could not be told from what others do.
        self.shared.us().await?;
        let client = &self.shared.client;
        // The class of its own, which is what the vendor's client writes to.
        let question = Query::filtered("id", target.entity, &within("id", [id.as_str()])).page(0, 1);
        let answer = client.ask(&[question]).await?.into_iter().next().unwrap_or_default();
        let found = answer::page(answer)?.rows;
        let class = found.first().and_then(|row| row.get("__entity_type__")?.as_str());
        let class = class.ok_or_else(|| SourceError::Refused(format!("{object} is not there (any more)")))?;
        let update = json!({
            "action": "update",
            "entity_type": class,
            "entity_key": [id],
            "entity_data": {"__entity_type__": class, "status_id": status_id},
        });
        self.shared.own.write(&id, status, client.on_its_clock(SystemTime::now()));
        match client.tell(&[update]).await {
            Ok(_) => Ok(()),
            Err(failure) => {
                if matches!(failure, Failure::Invalid(_) | Failure::Refused(_) | Failure::Key(_)) {
                    self.shared.own.unwrite(&id, status);
                }
                Err(failure.into())
            }
        }
    }

    async fn notify(&self, person: &Id, message: &str, _objects: &[ObjectRef]) -> Result<(), SourceError> {
        let strange = || SourceError::Refused(format!("`{person}` cannot be the id of a person"));
        let person = text(person).ok_or_else(strange)?;
        let data = json!({"type": "message", "success": false, "message": message});
        let target = format!("applicationId=ftrack.client.web and user.id={}", quoted(&person));
        let event = Hub::new(&self.shared.client).event("ftrack.action.trigger-user-interface", &target, &data);
        self.shared.outbox.publish(event, PATIENCE).await
    }

    fn is_since(&self, moved: &Move, since: SystemTime) -> bool {
        date::seconds(moved.at) >= self.shared.surely_before(since)
    }

    fn is_own(&self, moved: &Move) -> bool {
        self.shared.own.is_own(moved)
    }
}

impl Shared {
    /// A moment as ftrack writes it, that is not after this one whatever its clock and zone are.
    fn surely_before(&self, at: SystemTime) -> i64 {
        let zone = if self.own.is_utc() { 0 } else { ANY_ZONE };
        self.client.on_its_clock(at).saturating_sub(OVERLAP + zone)
    }

    /// The id of the user in whose name we act.
    async fn us(&self) -> Result<Id, SourceError> {
        if let Some(us) = self.own.us() {
            return Ok(us);
        }
        let user = self.client.user();
        let question = Query::filtered("id", "User", &format!("username is {}", quoted(user))).page(0, 2);
        let answer = self.client.ask(&[question]).await?.into_iter().next().unwrap_or_default();
        let rows = answer::page(answer)?.rows;
        match rows.as_slice() {
            [row] => {
                let us = optional(row, "id")?.ok_or_else(|| malformed("a user has no id"))?;
                self.own.set_us(&us);
                Ok(us)
            }
            rows => Err(SourceError::Refused(format!(
                "ftrack shows {} users called as tracker.ftrack.user says; it must be exactly one",
                rows.len()
            ))),
        }
    }
}

/// What has a status.
#[derive(Clone, Copy, Debug)]
struct Target {
    table: Table,
    entity: &'static str,
    attributes: &'static str,
    changes: &'static str,
}

const OBJECT: Target = Target {
    table: Table::Object,
    entity: "TypedContext",
    attributes: "id, name, status_id",
    changes: "TypedContextStatusChange",
};
const VERSION: Target = Target {
    table: Table::AssetVersion,
    entity: "AssetVersion",
    attributes: "id, version, asset.name, status_id",
    changes: "AssetVersionStatusChange",
};

fn target(object: &ObjectRef) -> Option<(Target, String)> {
    let target = match Table::of_kind(&object.kind)? {
        Table::Object => OBJECT,
        Table::AssetVersion => VERSION,
        _ => return None,
    };
    Some((target, text(&object.id)?))
}

fn name(row: &Row) -> Str {
    let text = |row: &Row| row.get("name").and_then(Json::as_str).map(str::to_owned);
    let asset = row.get("asset").and_then(Json::as_object);
    let version = row.get("version").and_then(Json::as_u64);
    match (asset.and_then(text), version) {
        (Some(asset), Some(version)) => Str::from(format!("{asset} v{version:03}")),
        _ => Str::from(text(row).unwrap_or_default()),
    }
}

/// `None`: the row tells of no move to a status.
fn moved(row: &Row) -> Result<Option<Move>, SourceError> {
    let Some(to) = optional(row, "status_id")? else { return Ok(None) };
    let id = match row.get("id") {
        Some(Json::String(id)) => Id::from(id.as_str()),
        Some(Json::Number(id)) => Id::from(id.to_string().as_str()),
        _ => return Err(malformed("a change of a status has no id")),
    };
    let at = row.get("date").and_then(|date| date.as_str().or_else(|| date.get("value")?.as_str()));
    let at = at.and_then(date::parse_iso).and_then(|at| u64::try_from(at).ok());
    let at = UNIX_EPOCH + Duration::from_secs(at.ok_or_else(|| malformed("a change of a status has no date"))?);
    Ok(Some(Move { id, by: optional(row, "user_id")?, from: optional(row, "from_status_id")?, to, at }))
}

/// Newest first; of those of the same second, so that each begins where the next older one ends.
fn in_order(mut moves: Vec<Move>, status: Option<&Id>) -> Vec<Move> {
    moves.sort_by_key(|moved| std::cmp::Reverse(moved.at));
    let mut ordered = Vec::with_capacity(moves.len());
    let mut reached = status.cloned();
    while let Some(first) = moves.first() {
        let together = moves.iter().take_while(|moved| moved.at == first.at);
        let fitting = together.into_iter().position(|moved| Some(&moved.to) == reached.as_ref());
        let next = moves.remove(fitting.unwrap_or(0));
        reached.clone_from(&next.from);
        ordered.push(next);
    }
    ordered
}

fn optional(row: &Row, name: &str) -> Result<Option<Id>, SourceError> {
    match row.get(name) {
        Some(Json::String(text)) if !text.is_empty() => Ok(Some(Id::from(text.as_str()))),
        Some(Json::Null) => Ok(None),
        _ => Err(malformed(&format!("{name} is neither a text nor null"))),
    }
}

fn malformed(what: &str) -> SourceError {
    SourceError::Malformed(format!("in the history of a status: {what}"))
}

#[cfg(test)]
mod tests;
