//! What can be asked about each kind of object, and what is never asked.

use serde_json::{Map, Value, json};

use super::request::{NOTHING, Request, UNFIT, and, one};
use crate::tracker::probe::{Asked, Question, Unasked};

/// The kinds of zou's table of entities.
pub(super) const ENTITIES: [&str; 7] = ["asset", "shot", "sequence", "episode", "scene", "edit", "concept"];
/// The kinds that belong to the whole site: their route, and a field of theirs that takes yes or no only.
pub(super) const SITE: [(&str, &str, &str); 6] = [
    ("department", "/data/departments", "archived"),
    ("studio", "/data/studios", "archived"),
    ("task_type", "/data/task-types", "archived"),
    ("task_status", "/data/task-status", "archived"),
    ("entity_type", "/data/entity-types", "archived"),
    ("custom_action", "/data/custom-actions", "is_ajax"),
];

/// What is never asked, `*` for every kind, and why.
pub(super) const UNASKED: [(&str, &str); 13] = [
    ("*.delete", "what zou would allow would be gone"),
    ("task.assign", "what zou would allow would be done, and told to people"),
    ("task.unassign", "what zou would allow would be done, and told to people"),
    ("task.set_priority", "what zou would allow would be done; task.update[priority] is asked, which zou judges alike"),
    ("task.set_main_preview", "what zou would allow would be done"),
    ("task.comment without a change of status", "zou finds no fault; task.publish and comment.reply are asked"),
    ("task.set_status", "zou has no request for it: a comment carries the status"),
    ("playlist.download", "zou would build the file"),
    ("episode.create", "zou finds fault with nothing; shot.create is asked, which zou judges alike"),
    ("edit.create", "zou finds fault with nothing; shot.create is asked, which zou judges alike"),
    ("*.update[data]", "single names of it are asked"),
    ("*.update[id, created_at, project_id, ...]", "zou leaves them out without a word"),
    ("person.update[role, departments, active, ...]", "zou leaves them out of one's own record without a word"),
];

/// zou's words for a value that does not fit the type of its column.
const FORMAT: &[&str] = &["One of the provided values has an invalid format."];
const DATE: &[&str] = &["Invalid date format"];
const DAY: &[&str] = &["Invalid date format", "Wrong date format"];
const SCHEMA: &[&str] = &["Validation error."];

/// Gathers questions.
#[derive(Debug)]
pub(super) struct Questions<'a> {
    /// The person's row.
    pub(super) person: &'a Value,
    pub(super) statuses: &'a [Value],
    /// Whether writes may be put: on the zou that they were proved with.
    pub(super) writes: bool,
    pub(super) asked: Vec<Asked<Request>>,
}

pub(super) fn unasked(writes: bool, version: &str) -> Vec<Unasked> {
    let why = |(action, why): (&str, &str)| Unasked { action: action.to_owned(), why: why.to_owned() };
    let mut list: Vec<_> = UNASKED.into_iter().map(why).collect();
    if !writes {
        let why =
            format!("this is zou {version}; that nothing is changed was proved with {} only", super::super::TESTED);
        list.insert(0, Unasked { action: "everything that is no read".to_owned(), why });
    }
    list
}

pub(super) fn text<'v>(row: &'v Value, field: &str) -> &'v str {
    row.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn field(row: &Value, name: &str) -> Value {
    row.get(name).cloned().unwrap_or(Value::Null)
}

// === impl Questions ===

impl Questions<'_> {
    fn put(&mut self, question: Question, request: Request) {
        if self.writes || request.is_read() {
            self.asked.push(Asked { question, request });
        }
    }

    /// About a project, and what would be made in it.
    pub(super) fn project(&mut self, row: &Value) {
        let id = text(row, "id");
        let base = format!("/data/projects/{id}");
        for (action, rest) in [
            ("read", ""),
            ("read_team", "/team"),
            ("read_tasks", "/tasks?page=1"),
            ("read_playlists", "/playlists?page=1"),
            ("read_comments", "/comments?page=1&limit=1"),
            ("read_schedule", "/schedule-items"),
            ("read_budget", "/budgets"),
        ] {
            self.put(about("project", action, row), Request::get(format!("{base}{rest}")));
        }
        for name in ["name", "description"] {
            let body = and(one(name, field(row, name)), "start_date", UNFIT);
            self.put(of_field("project", row, name), Request::put(&base, body, DATE));
        }
        let nobody = one("person_id", NOTHING);
        self.put(
            about("project", "manage_team", row),
            Request::post(format!("{base}/team"), nobody, &["Person with id"]),
        );
        let settings = format!("{base}/settings/task-types");
        let unfit = one("task_type_id", UNFIT);
        self.put(
            about("project", "manage_settings", row),
            Request::post(settings, unfit, &["task_type_id is required"]),
        );
        self.put(about("project", "manage_budget", row), Request::post(format!("{base}/budgets"), json!({}), SCHEMA));
        self.made_in(id, &base);
    }

    /// About what would be made in a project.
    fn made_in(&mut self, id: &str, base: &str) {
        let named = one("name", UNFIT);
        let sequence = and(named.clone(), "sequence_id", NOTHING);
        for (kind, path, body) in [
            ("asset", format!("{base}/asset-types/{NOTHING}/assets/new"), named.clone()),
            ("shot", format!("{base}/shots"), sequence.clone()),
            ("scene", format!("{base}/scenes"), sequence),
            ("sequence", format!("{base}/sequences"), and(named.clone(), "episode_id", NOTHING)),
            ("concept", format!("{base}/concepts"), and(named.clone(), "parent_id", NOTHING)),
            // No list of shots: without one zou would take them all, if it came so far.
            ("task", format!("/actions/projects/{id}/task-types/{NOTHING}/shots/create-tasks"), json!({"no": "list"})),
        ] {
            self.put(made(kind, id), Request::post_missing(path, body, base));
        }
        for for_client in [false, true] {
            let body = json!({"name": UNFIT, "project_id": id, "for_client": for_client, "for_entity": UNFIT});
            let mut question = made("playlist", id);
            question.properties.insert("for_client".to_owned(), for_client.into());
            self.put(question, Request::post("/data/playlists", body, &["for_entity must be one of"]));
        }
        let own = field(self.person, "departments");
        let mut sets = vec![json!([])];
        if own.as_array().is_some_and(|own| !own.is_empty()) {
            sets.push(own);
        }
        for departments in sets {
            let body = json!({"name": UNFIT, "entity_type": UNFIT, "departments": departments});
            let mut question = made("metadata_descriptor", id);
            question.properties.insert("departments".to_owned(), departments);
            let path = format!("{base}/metadata-descriptors");
            self.put(question, Request::post(path, body, &["Wrong entity type."]));
        }
        self.put(
            Question { project: id.to_owned(), ..simple("event", "read") },
            Request::get(format!("/data/events/last?limit=1&project_id={id}")),
        );
    }

    /// About an asset, a shot, ...; `columns`: the names of the project's metadata for this kind.
    pub(super) fn entity(&mut self, kind: &str, row: &Value, columns: &[String]) {
        let id = text(row, "id");
        let path = format!("/data/entities/{id}");
        if kind == "concept" {
            // Its own route has a rule of its own; those of the others do not find everything.
            self.put(about(kind, "read", row), Request::get(format!("/data/concepts/{id}")));
            return;
        }
        self.put(about(kind, "read", row), Request::get(&path));
        for name in ["name", "description"] {
            let body = and(one(name, field(row, name)), "status", UNFIT);
            self.put(of_field(kind, row, name), Request::put(&path, body, &["Invalid status"]));
        }
        let unlisted = [UNFIT.replace(' ', "_")];
        for column in columns.iter().take(2).chain(&unlisted) {
            // A character that PostgreSQL takes in no JSON: any other field would be one more that is asked for.
            let body = one("data", one(column, "\0"));
            self.put(of_field(kind, row, &format!("data.{column}")), Request::put(&path, body, FORMAT));
        }
    }

    /// About a task. `role`: the person's in its project; `own`: a comment of the person's on it.
    pub(super) fn task(&mut self, row: &Value, role: &str, own: Option<&Value>) {
        let id = text(row, "id");
        let path = format!("/data/tasks/{id}");
        self.put(about("task", "read", row), Request::get(&path));
        self.put(about("task", "read_comments", row), Request::get(format!("{path}/comments")));
        for name in ["name", "priority", "estimation", "difficulty"] {
            let body = and(one(name, field(row, name)), "due_date", UNFIT);
            self.put(of_field("task", row, name), Request::put(&path, body, DATE));
        }
        self.put(of_field("task", row, "due_date"), Request::put(&path, one("due_date", UNFIT), DATE));
        for status in self.some_statuses(text(row, "task_status_id")) {
            let body = and(one("task_status_id", status.as_str()), "due_date", UNFIT);
            let mut question = of_field("task", row, "task_status_id");
            question.value = Some(status.into());
            self.put(question, Request::put(&path, body, DATE));
        }
        self.comments(row, role, own);
        let preview = format!("/actions/tasks/{id}/comments/{NOTHING}/add-preview");
        self.put(about("task", "publish", row), Request::post_missing(preview, json!({}), &path));
        let own = text(self.person, "id");
        let assignees = row.get("assignees").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let people = std::iter::once(own).chain(assignees.filter(|id| *id != own).take(1)).map(str::to_owned);
        for person in people.collect::<Vec<_>>() {
            let path = format!("/actions/tasks/{id}/time-spents/no-day/persons/{person}");
            let mut question = about("task", "log_time", row);
            question.value = Some(person.into());
            self.put(question, Request::post(path, json!({"duration": 60}), DAY));
        }
    }

    /// About comments that would change the status. zou looks first whether the person may act on the task, then at the
    /// status, for artists and clients only; it does the second again for a change of a comment of their own.
    fn comments(&mut self, row: &Value, role: &str, own: Option<&Value>) {
        let id = text(row, "id");
        let free = !matches!(role, "user" | "client");
        if !free && own.is_none() {
            return;
        }
        let act = Request::post_missing(
            format!("/actions/tasks/{id}/comment"),
            json!({"task_status_id": NOTHING, "comment": UNFIT}),
            format!("/data/tasks/{id}"),
        );
        let now = text(row, "task_status_id");
        for status in self.some_statuses(now).into_iter().filter(|status| status != now) {
            let request = match own.filter(|_| !free) {
                Some(own) => {
                    let body = json!({"task_status_id": status, "shotgun_id": UNFIT});
                    act.clone().then(Request::put(format!("/data/comments/{}", text(own, "id")), body, FORMAT))
                }
                None => act.clone(),
            };
            let question = Question { value: Some(status.into()), ..about("task", "comment", row) };
            self.put(question, request);
        }
    }

    /// The status that something has, and one of each sort of the others.
    fn some_statuses(&self, now: &str) -> Vec<String> {
        let sort = |row: &Value| (field(row, "is_artist_allowed"), field(row, "is_client_allowed"));
        let mut sorts = Vec::new();
        let mut list = vec![now.to_owned()];
        for row in self.statuses.iter().filter(|row| text(row, "id") != now) {
            if !sorts.contains(&sort(row)) {
                sorts.push(sort(row));
                list.push(text(row, "id").to_owned());
            }
        }
        list.retain(|id| !id.is_empty());
        list
    }

    /// About a comment.
    pub(super) fn comment(&mut self, row: &Value) {
        let (id, task) = (text(row, "id"), text(row, "object_id"));
        let path = format!("/data/comments/{id}");
        self.put(about("comment", "read", row), Request::get(&path));
        let unfit = |body: Value| and(body, "shotgun_id", UNFIT);
        let text_body = unfit(one("text", field(row, "text")));
        self.put(of_field("comment", row, "text"), Request::put(&path, text_body, FORMAT));
        self.put(of_field("comment", row, "pinned"), Request::put(&path, one("pinned", UNFIT), FORMAT));
        let checklist = one("checklist", json!([{"text": "\0", "checked": false}]));
        self.put(of_field("comment", row, "checklist"), Request::put(&path, checklist, FORMAT));
        let for_client = row.get("for_client").and_then(Value::as_bool).unwrap_or_default();
        let other = unfit(one("for_client", !for_client));
        self.put(of_field("comment", row, "for_client"), Request::put(&path, other, FORMAT));
        for status in self.some_statuses(text(row, "task_status_id")) {
            let body = unfit(one("task_status_id", status.as_str()));
            let mut question = of_field("comment", row, "task_status_id");
            question.value = Some(status.into());
            self.put(question, Request::put(&path, body, FORMAT));
        }
        let reply = format!("/data/tasks/{task}/comments/{id}/reply");
        self.put(about("comment", "reply", row), Request::post(reply, one("text", 5), SCHEMA));
    }

    /// About a playlist.
    pub(super) fn playlist(&mut self, row: &Value) {
        let (id, project) = (text(row, "id"), text(row, "project_id"));
        self.put(about("playlist", "read", row), Request::get(format!("/data/projects/{project}/playlists/{id}")));
        let body = and(one("name", field(row, "name")), "for_entity", UNFIT);
        let request = Request::put(format!("/data/playlists/{id}"), body, &["for_entity must be one of"]);
        self.put(of_field("playlist", row, "name"), request);
    }

    /// About a metadata column.
    pub(super) fn descriptor(&mut self, row: &Value) {
        let (id, project) = (text(row, "id"), text(row, "project_id"));
        let body = json!({"name": field(row, "name"), "departments": field(row, "departments"), "data_type": UNFIT});
        let path = format!("/data/projects/{project}/metadata-descriptors/{id}");
        self.put(about("metadata_descriptor", "update", row), Request::put(path, body, &["Invalid data_type"]));
    }

    /// About a person.
    pub(super) fn person(&mut self, row: &Value) {
        let path = format!("/data/persons/{}", text(row, "id"));
        self.put(about("person", "read", row), Request::get(&path));
        for name in ["phone", "first_name"] {
            let body = and(one(name, field(row, name)), "last_presence", UNFIT);
            self.put(of_field("person", row, name), Request::put(&path, body, DATE));
        }
    }

    /// About an object of the whole site.
    pub(super) fn shared(&mut self, kind: &str, row: &Value) {
        let Some((kind, path, yes_no)) = SITE.into_iter().find(|(name, ..)| *name == kind) else { return };
        let path = format!("{path}/{}", text(row, "id"));
        if kind != "custom_action" {
            self.put(about(kind, "read", row), Request::get(&path));
        }
        let body = and(one("name", field(row, "name")), yes_no, UNFIT);
        self.put(about(kind, "update", row), Request::put(path, body, FORMAT));
    }

    /// About the site as a whole, and what would be made in it.
    pub(super) fn site(&mut self) {
        let project = json!({"name": UNFIT, "production_style": UNFIT});
        self.put(simple("project", "create"), Request::post("/data/projects", project, &["Invalid production_style"]));
        // Nobody who works: zou would count those first.
        let person = json!({"first_name": UNFIT, "last_name": "", "active": false, "role": UNFIT});
        self.put(simple("person", "create"), Request::post("/data/persons", person, &["Invalid role"]));
        for (kind, path, _) in SITE {
            let body = json!({"name": UNFIT, "no_field_of_zou": 1});
            self.put(simple(kind, "create"), Request::post(path, body, &["'no_field_of_zou' is an invalid keyword"]));
        }
        self.put(simple("custom_action", "read"), Request::get("/data/custom-actions"));
        self.put(simple("event", "read"), Request::get("/data/events/last?limit=1"));
    }
}

fn simple(kind: &str, action: &str) -> Question {
    Question { kind: kind.to_owned(), action: action.to_owned(), ..Question::default() }
}

fn about(kind: &str, action: &str, row: &Value) -> Question {
    let name = ["name", "full_name"].map(|name| text(row, name)).into_iter().find(|name| !name.is_empty());
    let (id, name) = (text(row, "id").to_owned(), name.unwrap_or_default().to_owned());
    Question { id, name, ..simple(kind, action) }
}

fn of_field(kind: &str, row: &Value, field: &str) -> Question {
    Question { field: field.to_owned(), ..about(kind, "update", row) }
}

fn made(kind: &str, project: &str) -> Question {
    Question { project: project.to_owned(), properties: Map::new(), ..simple(kind, "create") }
}
