//! What the guard needs of ftrack: the truth about a status, putting one back, telling a person.

mod order;
#[cfg(test)]
mod tests;

use std::future::Future;
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
use crate::tracker::writer::{History, Move, Notified, Writer};
use crate::tracker::{SourceError, date};

/// How many moves of one object are looked at.
const MOVES: u64 = 50;
/// How far moments are searched for before the one that is asked for: clocks differ, and rows appear late.
const OVERLAP: i64 = 60;
/// How long before a moment a change may be dated and still count as later: clocks differ a little.
const SLACK: i64 = 3;
/// No place on earth is further from UTC.
const ANY_ZONE: i64 = 14 * 3600;
/// Changes of a status of whatever has one.
const CHANGES: &str = "StatusChange";
const MOVED: &str = "id, parent_id, from_status_id, status_id, user_id, date";
const PATIENCE: Duration = Duration::from_secs(10);

impl Writer for Ftrack {
    async fn history(&self, object: &ObjectRef) -> Result<Option<History>, SourceError> {
        let Some((target, id)) = target(object) else { return Ok(None) };
        // Without knowing who we are, what we do could not be told from what others do.
        self.shared.us().await?;
        let this = |attribute: &str| within(attribute, [id.as_str()]);
        let questions = |changes| {
            [
                Query::filtered(target.attributes, target.entity, &this("id")).page(0, 1),
                Query::filtered(MOVED, changes, &this("parent_id")).ordered("date desc").page(0, MOVES),
            ]
        };
        let ask = |changes| {
            let questions = questions(changes);
            async move { self.shared.client.ask(&questions).await }
        };
        let mut answers = self.shared.with_changes(target, ask).await?.into_iter();
        let mut page = || answer::page(answers.next().unwrap_or_default());
        let (object, changes) = (page()?.rows, page()?.rows);
        let Some(row) = object.first() else { return Ok(None) };
        let class = row.get("__entity_type__").and_then(Json::as_str).filter(|class| !class.is_empty());
        let handle = Str::from(class.ok_or_else(|| malformed("the object has no class"))?);
        let status = optional(row, "status_id")?;
        let order::Ordered { moves, rivals } = order::in_order(readable(&changes), status.as_ref());
        Ok(Some(History { status, name: name(row), moves, rivals, handle }))
    }

    async fn moved_since(&self, since: SystemTime, statuses: &[Id]) -> Result<Vec<ObjectRef>, SourceError> {
        let after = date::iso(self.shared.surely_before(since).saturating_sub(OVERLAP));
        let statuses: Vec<String> = statuses.iter().filter_map(text).collect();
        let mut found = Vec::new();
        for chunk in statuses.chunks(IDS) {
            let to = within("status_id", chunk.iter().map(String::as_str));
            for target in [OBJECT, VERSION] {
                let filter = format!("{to} and date > {}", quoted(&after));
                let ask = |changes| self.shared.moved(target, changes, &filter);
                found.append(&mut self.shared.with_changes(target, ask).await?);
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// `handle`: the class of its own, which is what the vendor's client writes to.
    async fn set_status(&self, object: &ObjectRef, handle: &Str, status: &Id) -> Result<(), SourceError> {
        let strange = || SourceError::Refused(format!("{object} cannot be set to the status {status}"));
        let ((_, id), status_id) = target(object).zip(text(status)).ok_or_else(strange)?;
        let class = handle.as_str();
        let update = json!({
            "action": "update",
            "entity_type": class,
            "entity_key": [id],
            "entity_data": {"__entity_type__": class, "status_id": status_id},
        });
        self.shared.client.tell(&[update]).await?;
        Ok(())
    }

    async fn notify(&self, person: &Id, message: &str, _objects: &[ObjectRef]) -> Result<Notified, SourceError> {
        let strange = || SourceError::Refused(format!("`{person}` cannot be the id of a person"));
        let person = text(person).ok_or_else(strange)?;
        let data = json!({"type": "message", "success": false, "message": message});
        let target = format!("applicationId=ftrack.client.web and user.id={}", quoted(&person));
        let event = Hub::new(&self.shared.client).event("ftrack.action.trigger-user-interface", &target, &data);
        self.shared.outbox.publish(event, PATIENCE).await
    }

    fn is_since(&self, moved: &Move, since: SystemTime) -> Option<bool> {
        let (at, since) = (date::seconds(moved.at), self.shared.client.on_its_clock(since));
        let is_after = |moment: i64| at >= moment.saturating_sub(SLACK);
        match self.shared.own.is_utc() {
            true => Some(is_after(since)),
            false if !is_after(since.saturating_sub(ANY_ZONE)) => Some(false),
            false => is_after(since.saturating_add(ANY_ZONE)).then_some(true),
        }
    }

    fn is_us(&self, moved: &Move) -> bool {
        moved.by.is_some() && self.shared.own.us() == moved.by
    }
}

impl Shared {
    /// A moment as ftrack writes it, that is not after this one whatever its zone is.
    fn surely_before(&self, at: SystemTime) -> i64 {
        let zone = if self.own.is_utc() { 0 } else { ANY_ZONE };
        self.client.on_its_clock(at).saturating_sub(zone)
    }

    /// Asks for changes by what they are about; and for all of them where the server does not know those.
    async fn with_changes<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        target: Target,
        asked: impl Fn(&'static str) -> F,
    ) -> Result<T, SourceError> {
        if self.own.is_plain() {
            return Ok(asked(CHANGES).await?);
        }
        match asked(target.changes).await {
            Err(Failure::Invalid(why)) => {
                let answer = asked(CHANGES).await;
                if answer.is_ok() {
                    tracing::debug!(why, entity = target.changes, "the server does not know this entity");
                    self.own.note_plain();
                }
                Ok(answer?)
            }
            answer => Ok(answer?),
        }
    }

    /// What these changes are about.
    async fn moved(&self, target: Target, changes: &'static str, filter: &str) -> Result<Vec<ObjectRef>, Failure> {
        let mut pager = Pager::new(Query::filtered("id, parent_id", changes, filter));
        let mut found = Vec::new();
        while let Some(rows) = pager.next(&self.client).await? {
            let ids = rows.iter().filter_map(|row| row.get("parent_id")?.as_str());
            found.extend(ids.map(|id| ObjectRef::new(target.table.kind(), id)));
        }
        Ok(found)
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
    let at = date_of(row).ok_or_else(|| malformed("a change of a status has no date"))?;
    Ok(Some(Move { id, by: optional(row, "user_id")?, from: optional(row, "from_status_id")?, to, at }))
}

/// The moves that can be read: what is older than one that cannot does not matter without it.
fn readable(rows: &[Row]) -> Vec<Move> {
    let mut moves: Vec<Move> = Vec::with_capacity(rows.len());
    for row in rows {
        match moved(row) {
            Ok(found) => moves.extend(found),
            Err(problem) => {
                tracing::debug!(%problem, read = moves.len(), "a history is read up to a row that cannot be read");
                // Of the same second, it may be the newest.
                let newest = moves.iter().map(|moved| moved.at).max();
                if date_of(row).is_some() && date_of(row) == newest {
                    moves.clear();
                }
                break;
            }
        }
    }
    moves
}

fn date_of(row: &Row) -> Option<SystemTime> {
    let date = row.get("date")?;
    let at = date::parse_iso(date.as_str().or_else(|| date.get("value")?.as_str())?)?;
    Some(UNIX_EPOCH + Duration::from_secs(u64::try_from(at).ok()?))
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
