//! A random studio, built in a running zou over its REST API.

mod people;
pub(super) mod project;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    dice::{Dice, tag},
    zou::{Call, Zou},
};

/// The kinds of entity, as zou names their routes.
pub const ENTITY_KINDS: [&str; 7] = ["asset", "shot", "sequence", "episode", "scene", "edit", "concept"];

#[derive(Clone, Debug)]
pub struct Studio {
    pub departments: Vec<Named>,
    /// The companies that people belong to; zou calls them studios.
    pub companies: Vec<Named>,
    pub task_types: Vec<TaskType>,
    pub statuses: Vec<Named>,
    pub asset_types: Vec<Named>,
    pub custom_actions: Vec<Named>,
    pub closed: String,
    pub people: Vec<Person>,
    pub projects: Vec<Project>,
}

#[derive(Clone, Debug)]
pub struct Named {
    pub id: String,
    pub name: String,
}

#[derive(Clone, Debug)]
pub struct TaskType {
    pub id: String,
    pub name: String,
    /// The kind of entity that its tasks are on.
    pub on: &'static str,
    pub department: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Person {
    pub id: String,
    pub name: String,
    pub role: &'static str,
    pub departments: Vec<String>,
    pub company: Option<String>,
    pub active: bool,
    pub is_bot: bool,
    pub token: String,
}

#[derive(Clone, Debug)]
pub struct Project {
    pub id: String,
    pub name: String,
    pub is_open: bool,
    pub clients_isolated: bool,
    pub takes_bots: bool,
    /// Who is in the team, with the role that replaces his own there.
    pub team: BTreeMap<String, Option<&'static str>>,
    /// The statuses on which the project has its own word for clients.
    pub client_may: BTreeMap<String, bool>,
    pub entities: Vec<Entity>,
    pub tasks: Vec<Task>,
    pub comments: Vec<Comment>,
    pub playlists: Vec<Playlist>,
    pub descriptors: Vec<Descriptor>,
}

#[derive(Clone, Debug)]
pub struct Entity {
    pub id: String,
    pub kind: &'static str,
    pub name: String,
    pub creator: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Task {
    pub id: String,
    /// Its place in the project's entities.
    pub entity: usize,
    pub type_id: String,
    pub department: Option<String>,
    pub assignees: Vec<String>,
    pub status: String,
    /// People named in its comments and replies, those of a named department included.
    pub mentioned: Vec<String>,
    pub has_preview: bool,
}

#[derive(Clone, Debug)]
pub struct Comment {
    pub id: String,
    /// Its place in the project's tasks.
    pub task: usize,
    pub author: String,
    pub text: String,
    pub for_client: bool,
    pub status: String,
}

#[derive(Clone, Debug)]
pub struct Playlist {
    pub id: String,
    pub name: String,
    pub for_client: bool,
    pub creator: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Descriptor {
    pub id: String,
    pub name: String,
    pub field: String,
    pub entity_type: &'static str,
    pub departments: Vec<String>,
}

impl Studio {
    pub fn person(&self, id: &str) -> &Person {
        self.people.iter().find(|person| person.id == id).expect("a person of the studio")
    }

    /// The person's role there: the project's own where it has one, though never for an administrator.
    pub fn role_in<'a>(&'a self, person: &'a Person, project: &Project) -> Option<&'a str> {
        let own = project.team.get(&person.id)?;
        Some(if person.role == "admin" { "admin" } else { own.unwrap_or(person.role) })
    }

    /// zou's rule for most changes: an administrator, or in the team as a manager.
    pub fn manages(&self, person: &Person, project: &Project) -> bool {
        person.role == "admin" || self.role_in(person, project) == Some("manager")
    }
}

/// Builds the studio that the seed stands for. Its names are its own: the server may hold other studios.
pub async fn build(zou: &Zou, seed: u64) -> Studio {
    let dice = &mut Dice::new(seed);
    let tag = &tag();
    let departments = named(
        zou,
        tag,
        "/data/departments",
        &["Alder", "Birch", "Cedar", "Doum"],
        |name| json!({ "name": name, "color": "#000000" }),
    )
    .await;
    let companies =
        named(zou, tag, "/data/studios", &["Near", "Far"], |name| json!({ "name": name, "color": "#000000" })).await;
    let statuses = statuses(zou, tag).await;
    let task_types = task_types(zou, tag, &departments).await;
    let custom_actions = named(
        zou,
        tag,
        "/data/custom-actions",
        &["Export", "Check"],
        |name| json!({ "name": name, "url": "http://127.0.0.1/" }),
    )
    .await;
    let asset_types = existing(zou, "/data/asset-types").await;
    let closed = find(&zou.admin(Call::get("/data/project-status")).await, "Closed");
    let people = people::hire(zou, dice, tag, &departments, &companies).await;
    let mut studio = Studio {
        departments,
        companies,
        task_types,
        statuses,
        asset_types,
        custom_actions,
        closed,
        people,
        projects: Vec::new(),
    };
    studio.projects = project::start_all(zou, dice, tag, &studio).await;
    people::dismiss(zou, &studio.people).await;
    studio
}

/// Every combination of who may set a status, beside those that zou begins with.
async fn statuses(zou: &Zou, tag: &str) -> Vec<Named> {
    let names = ["For All", "Not Artists", "Not Clients", "Not Both"];
    let mut made = named(zou, tag, "/data/task-status", &names, |name| {
        json!({
            "name": name,
            // At most ten characters, and no other's.
            "short_name": format!("{}{tag}", name.split(' ').take(2).filter_map(|word| word.chars().next()).collect::<String>()),
            "color": "#000000",
            "is_artist_allowed": !name.starts_with("Not Artists") && !name.starts_with("Not Both"),
            "is_client_allowed": !name.starts_with("Not Clients") && !name.starts_with("Not Both"),
        })
    })
    .await;
    made.extend(existing(zou, "/data/task-status").await.into_iter().filter(|status| status.name == "Todo"));
    made
}

async fn task_types(zou: &Zou, tag: &str, departments: &[Named]) -> Vec<TaskType> {
    let mut types = Vec::new();
    for kind in ENTITY_KINDS {
        let count = if matches!(kind, "asset" | "shot") { 4 } else { 3 };
        for number in 0..count {
            // The last of each kind belongs to no department.
            let department =
                (number + 1 < count).then(|| departments[(number + types.len()) % departments.len()].id.clone());
            types.push(TaskType {
                id: String::new(),
                name: format!("{kind} work {number} {tag}"),
                on: kind,
                department,
            });
        }
    }
    let calls = types.iter().map(|new| {
        let for_entity = title(new.on);
        Call::post(
            "/data/task-types",
            json!({ "name": new.name, "for_entity": for_entity, "department_id": new.department, "color": "#000000" }),
        )
    });
    let answers = zou.admin_all(calls.collect()).await;
    for (new, answer) in types.iter_mut().zip(answers) {
        new.id = text(&answer, "id");
    }
    types
}

async fn named(zou: &Zou, tag: &str, path: &str, names: &[&str], body: impl Fn(&str) -> Value) -> Vec<Named> {
    let calls = names.iter().map(|name| Call::post(path, body(&format!("{name} {tag}")))).collect();
    let answers = zou.admin_all(calls).await;
    answers.iter().map(|answer| Named { id: text(answer, "id"), name: text(answer, "name") }).collect()
}

async fn existing(zou: &Zou, path: &str) -> Vec<Named> {
    let answer = zou.admin(Call::get(path)).await;
    let rows = answer.as_array().expect("a list");
    rows.iter().map(|row| Named { id: text(row, "id"), name: text(row, "name") }).collect()
}

fn find(rows: &Value, name: &str) -> String {
    let rows = rows.as_array().expect("a list");
    text(rows.iter().find(|row| row["name"] == name).expect("a row of that name"), "id")
}

/// A text field of zou's answer.
pub fn text(row: &Value, key: &str) -> String {
    row[key].as_str().unwrap_or_else(|| panic!("no {key} in {row}")).to_owned()
}

/// `shot` as zou names the entity type: `Shot`.
pub fn title(kind: &str) -> String {
    let (first, rest) = kind.split_at(1);
    first.to_uppercase() + rest
}
