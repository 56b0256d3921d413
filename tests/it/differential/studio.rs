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
pub(crate) const ENTITY_KINDS: [&str; 7] = ["asset", "shot", "sequence", "episode", "scene", "edit", "concept"];

#[derive(Clone, Debug)]
pub(crate) struct Studio {
    pub(crate) departments: Vec<Named>,
    /// The companies that people belong to; zou calls them studios.
    pub(crate) companies: Vec<Named>,
    pub(crate) task_types: Vec<TaskType>,
    pub(crate) statuses: Vec<Named>,
    pub(crate) asset_types: Vec<Named>,
    pub(crate) custom_actions: Vec<Named>,
    pub(crate) closed: String,
    pub(crate) people: Vec<Person>,
    pub(crate) projects: Vec<Project>,
}

#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) id: String,
    pub(crate) name: String,
}

#[derive(Clone, Debug)]
pub(crate) struct TaskType {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The kind of entity that its tasks are on.
    pub(crate) on: &'static str,
    pub(crate) department: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) role: &'static str,
    pub(crate) departments: Vec<String>,
    pub(crate) company: Option<String>,
    pub(crate) active: bool,
    pub(crate) is_bot: bool,
    pub(crate) token: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Project {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) is_open: bool,
    pub(crate) clients_isolated: bool,
    pub(crate) takes_bots: bool,
    /// Who is in the team, with the role that replaces his own there.
    pub(crate) team: BTreeMap<String, Option<&'static str>>,
    /// The statuses on which the project has its own word for clients.
    pub(crate) client_may: BTreeMap<String, bool>,
    pub(crate) entities: Vec<Entity>,
    pub(crate) tasks: Vec<Task>,
    pub(crate) comments: Vec<Comment>,
    pub(crate) playlists: Vec<Playlist>,
    pub(crate) descriptors: Vec<Descriptor>,
}

#[derive(Clone, Debug)]
pub(crate) struct Entity {
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) creator: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) id: String,
    /// Its place in the project's entities.
    pub(crate) entity: usize,
    pub(crate) type_id: String,
    pub(crate) assignees: Vec<String>,
    pub(crate) status: String,
    /// People named in its comments and replies, those of a named department included.
    pub(crate) mentioned: Vec<String>,
    pub(crate) has_preview: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Comment {
    pub(crate) id: String,
    /// Its place in the project's tasks.
    pub(crate) task: usize,
    pub(crate) author: String,
    pub(crate) text: String,
    pub(crate) for_client: bool,
    pub(crate) status: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Playlist {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) for_client: bool,
    pub(crate) creator: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Descriptor {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) field: String,
    pub(crate) entity_type: &'static str,
    pub(crate) departments: Vec<String>,
}

impl Studio {
    pub(crate) fn person(&self, id: &str) -> &Person {
        self.people.iter().find(|person| person.id == id).expect("a person of the studio")
    }

    /// The person's role there: the project's own where it has one, though never for an administrator.
    pub(crate) fn role_in<'a>(&'a self, person: &'a Person, project: &Project) -> Option<&'a str> {
        let own = project.team.get(&person.id)?;
        Some(if person.role == "admin" { "admin" } else { own.unwrap_or(person.role) })
    }

    /// zou's rule for most changes: an administrator, or in the team as a manager.
    pub(crate) fn manages(&self, person: &Person, project: &Project) -> bool {
        person.role == "admin" || self.role_in(person, project) == Some("manager")
    }
}

/// Builds the studio that the seed stands for. Its names are its own: the server may hold other studios.
pub(crate) async fn build(zou: &Zou, seed: u64) -> Studio {
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
pub(crate) fn text(row: &Value, key: &str) -> String {
    row[key].as_str().unwrap_or_else(|| panic!("no {key} in {row}")).to_owned()
}

/// `shot` as zou names the entity type: `Shot`.
pub(crate) fn title(kind: &str) -> String {
    let (first, rest) = kind.split_at(1);
    first.to_uppercase() + rest
}
