//! What the guard needs of a Kitsu: who set a task's status, putting one back, telling a person.
//!
//! In Kitsu a status is set by a comment, by changing or deleting one, and zou's log names who did it
//! (`task:status-changed`). A comment shows who it is signed by, which managers choose, so the log counts, and the comment
//! only where the log does not reach. A status that is set without a comment leaves `task:update` in the log, which does
//! not say what was updated: if one person alone updated the task since its last known status, that was it; if not, nobody
//! is named.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::try_join;
use parking_lot::RwLock;
use rustc_hash::FxHashSet;
use serde_json::{Value, json};

use super::client::{Client, Failure};
use super::hints;
use crate::model::id::{Id, ObjectRef, Str};
use crate::tracker::writer::{History, Move, Notified, Writer};
use crate::tracker::{SourceError, date};

const TASKS: &str = "/data/tasks";
const LOG: &str = "/data/events/last";
/// Moments are cut to the second, and an event is stored a moment after what it tells of.
const SLACK: i64 = 2;
/// The largest page of the log, and how many of them are read to find who moved a task.
const EVENTS: usize = 1000;
const PAGES: usize = 5;
/// zou may forget events after that: a comment that is older counts as it is signed.
const REACH: i64 = 7 * 86_400;
/// How many tasks a sweep reads at once, and how far back it looks beyond what it is asked for.
const ROWS: usize = 1000;
const MOST_PAGES: u32 = 1000;
const OVERLAP: i64 = 60;
/// The text of the comment that puts a status back.
const PUT_BACK: &str = "The status is put back (stagedoor).";

/// Writes to a Kitsu.
#[derive(Debug)]
pub struct KitsuWriter {
    client: Arc<Client>,
    /// Whose token it is.
    us: RwLock<Option<Id>>,
}

/// A comment, as far as it bears on the status.
struct Comment {
    id: Id,
    status: Id,
    person: Option<Id>,
    at: i64,
}

/// A task's row.
struct Task {
    id: String,
    project: String,
    status: Id,
    created: i64,
}

// === impl KitsuWriter ===

impl KitsuWriter {
    pub(super) fn new(client: Arc<Client>) -> Self {
        Self { client, us: RwLock::new(None) }
    }

    async fn us(&self) -> Result<Id, Failure> {
        if let Some(us) = self.us.read().clone() {
            return Ok(us);
        }
        let path = "/auth/authenticated";
        let answer = self.client.get(path, &[]).await?;
        let user = answer.get("user").and_then(|user| id(user, "id"));
        let us = user.ok_or_else(|| Failure::Malformed(format!("{path}: the answer has no user with an id")))?;
        *self.us.write() = Some(us.clone());
        Ok(us)
    }

    async fn task(&self, task: &str) -> Result<Task, Failure> {
        let path = format!("{TASKS}/{task}");
        let row = self.client.get(&path, &[]).await?;
        let read = || {
            let (project, created) = (text(&row, "project_id")?, date::parse_iso(text(&row, "created_at")?)?);
            Some(Task {
                id: task.to_owned(),
                project: project.to_owned(),
                status: id(&row, "task_status_id")?,
                created,
            })
        };
        read().ok_or_else(|| Failure::Malformed(format!("{path}: not a task with project, status and date")))
    }

    /// What people call the task: its entity and its type.
    async fn name(&self, task: &str) -> Result<Str, Failure> {
        let row = self.client.get(&format!("{TASKS}/{task}/full"), &[]).await?;
        let name = |of: &str| row.get(of).and_then(|of| text(of, "name")).unwrap_or("?");
        Ok(Str::from(format!("{} / {}", name("entity"), name("task_type"))))
    }

    /// The comments of a task, newest first, as zou gives them.
    async fn comments(&self, task: &str) -> Result<Vec<Comment>, Failure> {
        let path = format!("{TASKS}/{task}/comments");
        let answer = self.client.get(&path, &[]).await?;
        let rows = answer.as_array().ok_or_else(|| Failure::Malformed(format!("{path}: the answer is not a list")))?;
        let comment = |row: &Value| {
            let (id, status) = (self::id(row, "id")?, self::id(row, "task_status_id")?);
            Some(Comment {
                id,
                status,
                person: self::id(row, "person_id"),
                at: date::parse_iso(text(row, "created_at")?)?,
            })
        };
        Ok(rows.iter().filter_map(comment).collect())
    }

    /// How the task came to the status that it has.
    async fn newest(&self, task: &Task, comments: &[Comment]) -> Result<Option<Move>, Failure> {
        let today = self.client.on_its_clock(SystemTime::now());
        let reach = task.created.max(today - REACH) - SLACK;
        let changes = |event: &Value| {
            let data = event.get("data")?;
            let to = id(data, "new_task_status_id")?;
            Some(Move {
                id: id(event, "id")?,
                by: id(event, "user_id"),
                from: id(data, "previous_task_status_id"),
                to,
                at: moment(date::parse_iso(text(event, "created_at")?)?),
            })
        };
        let first = Some("task:status-changed");
        let logged = self.log(task, first, reach, |events| !events.is_empty()).await?;
        match logged.iter().flatten().find_map(changes) {
            Some(moved) if moved.to == task.status => Ok(Some(moved)),
            // Another status was set since, without a comment.
            Some(moved) => {
                let after = date::seconds(moved.at);
                let events = self.log(task, None, after - SLACK, |_| false).await?;
                // What was told before that change is no cause of what came after it.
                let id = |event: &Value| id(event, "id");
                let since = |event: &&Value| id(event).as_ref() != Some(&moved.id);
                let events: Vec<_> = events.iter().flatten().take_while(since).collect();
                Ok(lone_update(&events, task, Some(moved.to)))
            }
            // The log does not reach back that far: the comment tells.
            None if logged.is_none() || task.created < reach => {
                let same = comments.iter().take_while(|comment| comment.status == task.status).count();
                let from = comments.get(same).map(|before| before.status.clone());
                Ok(same.checked_sub(1).and_then(|at| comments.get(at)).map(|first| move_of(first, from)))
            }
            None => {
                let events = self.log(task, None, reach, |_| false).await?;
                let events: Vec<_> = events.iter().flatten().collect();
                Ok(lone_update(&events, task, None))
            }
        }
    }

    /// The events of the task in zou's log since then, newest first, until there are enough. `None`: there are too many
    /// of other tasks.
    async fn log(
        &self,
        task: &Task,
        name: Option<&str>,
        after: i64,
        enough: impl Fn(&[Value]) -> bool,
    ) -> Result<Option<Vec<Value>>, Failure> {
        let mut events = Vec::new();
        let (after, limit) = (date::iso(after), EVENTS.to_string());
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES {
            let mut query = vec![("project_id", &*task.project), ("after", &*after), ("limit", &*limit)];
            match name {
                Some(name) => query.push(("name", name)),
                None => query.extend([("name_prefixes", "task"), ("name_prefixes", "comment")]),
            }
            query.extend(cursor.as_deref().map(|cursor| ("cursor_event_id", cursor)));
            let Value::Array(rows) = self.client.get(LOG, &query).await? else {
                return Err(Failure::Malformed(format!("{LOG}: the answer is not a list")));
            };
            let count = rows.len();
            cursor = rows.last().and_then(|row| text(row, "id")).map(str::to_owned);
            let ours = |row: &Value| row.get("data").and_then(|data| text(data, "task_id")) == Some(&task.id);
            events.extend(rows.into_iter().filter(ours));
            if count < EVENTS || cursor.is_none() || enough(&events) {
                return Ok(Some(events));
            }
        }
        Ok(None)
    }
}

impl Writer for KitsuWriter {
    async fn history(&self, object: &ObjectRef) -> Result<Option<History>, SourceError> {
        if object.kind != "task" || !hints::canonical(&object.id) {
            return Ok(None);
        }
        let id = object.id.to_string();
        let read = async {
            let (_, name, comments) = try_join!(self.us(), self.name(&id), self.comments(&id))?;
            // After the comments: a status that they do not tell of is looked for in the log.
            let task = self.task(&id).await?;
            let newest = self.newest(&task, &comments).await?;
            Ok(Some((task, name, comments, newest)))
        };
        let read = match read.await {
            Err(Failure::NotFound(_)) => None,
            outcome => outcome.map_err(SourceError::from)?,
        };
        Ok(read.map(|(task, name, comments, newest)| {
            let same = comments.iter().take_while(|comment| comment.status == task.status).count();
            let mut moves: Vec<Move> = newest.into_iter().collect();
            // Without the newest there is nothing to go back from.
            if !moves.is_empty() {
                moves.extend(earlier(comments.get(same..).unwrap_or_default()));
            }
            History { status: Some(task.status), name, moves, rivals: Vec::new(), handle: Str::default() }
        }))
    }

    /// Tasks that have one of the statuses and were updated since: some for another reason.
    async fn moved_since(&self, since: SystemTime, statuses: &[Id]) -> Result<Vec<ObjectRef>, SourceError> {
        let since = self.client.on_its_clock(since).saturating_sub(OVERLAP);
        let mut found = FxHashSet::default();
        for status in statuses {
            let status = status.to_string();
            let limit = ROWS.to_string();
            for page in 1..=MOST_PAGES {
                let page = page.to_string();
                let query =
                    [("task_status_id", &*status), ("page", &*page), ("limit", &*limit), ("fields", "id,updated_at")];
                let answer = self.client.get(TASKS, &query).await?;
                let rows = answer.get("data").and_then(Value::as_array);
                let rows = rows.ok_or_else(|| Failure::Malformed(format!("{TASKS}: a page has no list `data`")))?;
                let mut old = rows.len() < ROWS;
                // The last updated come first.
                for row in rows {
                    let at = text(row, "updated_at").and_then(date::parse_iso);
                    match text(row, "id") {
                        Some(_) if at.is_some_and(|at| at < since) => old = true,
                        Some(id) => drop(found.insert(ObjectRef::new("task", id))),
                        None => {}
                    }
                }
                if old {
                    break;
                }
            }
        }
        Ok(found.into_iter().collect())
    }

    /// By a comment, so that the task's history tells who did it.
    async fn set_status(&self, object: &ObjectRef, _handle: &Str, status: &Id) -> Result<(), SourceError> {
        let body = json!({"task_status_id": status.to_string(), "comment": PUT_BACK});
        self.client.post(&format!("/actions/tasks/{}/comment", object.id), &body).await?;
        Ok(())
    }

    /// By a reply to our comment, which names the person: a comment of its own would set a status once more.
    async fn notify(&self, person: &Id, message: &str, objects: &[ObjectRef]) -> Result<Notified, SourceError> {
        let Some(object) = objects.first() else { return Ok(Notified::Taken) };
        let task = object.id.to_string();
        let row = format!("/data/persons/{person}");
        if !hints::canonical(person) {
            return Err(SourceError::Refused(format!("`{person}` is no id of a person")));
        }
        let (us, comments, person) = try_join!(self.us(), self.comments(&task), self.client.get(&row, &[]))?;
        let name = text(&person, "full_name").ok_or_else(|| Failure::Malformed(format!("{row}: no `full_name`")))?;
        let ours = comments.iter().find(|comment| comment.person.as_ref() == Some(&us));
        let ours =
            ours.ok_or_else(|| Failure::Refused(format!("task {task} has no comment of ours to reply to")))?.id.clone();
        let path = format!("{TASKS}/{task}/comments/{ours}/reply");
        self.client.post(&path, &json!({"text": format!("@{name} {message}")})).await?;
        Ok(Notified::Taken)
    }

    fn is_since(&self, moved: &Move, since: SystemTime) -> Option<bool> {
        Some(date::seconds(moved.at) >= self.client.on_its_clock(since).saturating_sub(SLACK))
    }

    fn is_us(&self, moved: &Move) -> bool {
        let us = self.us.read();
        us.is_some() && moved.by == *us
    }
}

/// The moves that the comments tell of, newest first. Whose they are is as they are signed.
fn earlier(comments: &[Comment]) -> Vec<Move> {
    let mut moves = Vec::new();
    let mut rest = comments;
    while let Some(status) = rest.first().map(|comment| comment.status.clone()) {
        let same = rest.iter().take_while(|comment| comment.status == status).count();
        let (run, older) = rest.split_at(same);
        moves.extend(run.last().map(|first| move_of(first, older.first().map(|comment| comment.status.clone()))));
        rest = older;
    }
    moves
}

fn move_of(comment: &Comment, from: Option<Id>) -> Move {
    let Comment { id, status, person, at } = comment;
    Move { id: id.clone(), by: person.clone(), from, to: status.clone(), at: moment(*at) }
}

/// Of a task's events, newest first, the updates that no comment or assignment explains; where all of them are one
/// person's, the newest.
fn lone_update(events: &[&Value], task: &Task, from: Option<Id>) -> Option<Move> {
    let name = |event: &Value| text(event, "name").map(str::to_owned);
    let by = |event: &Value| id(event, "user_id");
    let mut unexplained = Vec::new();
    for (at, event) in events.iter().copied().enumerate() {
        if name(event).as_deref() != Some("task:update") {
            continue;
        }
        // A comment or an assignment is told first, and then that the task was updated by it.
        let cause = events.get(at + 1).copied().filter(|cause| by(cause) == by(event)).and_then(name);
        let explained = cause.is_some_and(|cause| {
            matches!(&*cause, "comment:new" | "comment:update" | "comment:delete" | "task:assign" | "task:unassign")
        });
        if !explained {
            unexplained.push(event);
        }
    }
    let newest = *unexplained.first()?;
    if unexplained.iter().any(|event| by(event) != by(newest)) {
        return None;
    }
    Some(Move {
        id: id(newest, "id")?,
        by: by(newest),
        from,
        to: task.status.clone(),
        at: moment(date::parse_iso(text(newest, "created_at")?)?),
    })
}

fn text<'v>(row: &'v Value, name: &str) -> Option<&'v str> {
    row.get(name).and_then(Value::as_str)
}

fn id(row: &Value, name: &str) -> Option<Id> {
    text(row, name).map(Id::from)
}

fn moment(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}
