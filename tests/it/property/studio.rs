//! A random studio, random changes of it, random questions about it.

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use stagedoor::model::id::ObjectRef;

use crate::model::*;

const PEOPLE: usize = 7;
const PROJECTS: usize = 3;
const DEPARTMENTS: usize = 3;
const ENTITIES: usize = 5;
const TASKS: usize = 10;
const COMMENTS: usize = 8;
const FEW: usize = 4;

/// More of those whose rules look far.
const ROLES: [Role; 9] = [
    Role::Admin,
    Role::Manager,
    Role::Artist,
    Role::Client,
    Role::Client,
    Role::Supervisor,
    Role::Supervisor,
    Role::Vendor,
    Role::Vendor,
];

fn id(prefix: &str, end: usize, chance: &mut StdRng) -> Id {
    format!("{prefix}{}", chance.random_range(0..end))
}

fn person_id(chance: &mut StdRng) -> Id {
    id("person", PEOPLE, chance)
}

fn project_id(chance: &mut StdRng) -> Id {
    id("project", PROJECTS, chance)
}

fn department_id(chance: &mut StdRng) -> Id {
    id("department", DEPARTMENTS, chance)
}

fn status_id(chance: &mut StdRng) -> Id {
    id("status", FEW, chance)
}

fn entity_id(chance: &mut StdRng) -> Id {
    id("entity", ENTITIES, chance)
}

fn task_id(chance: &mut StdRng) -> Id {
    id("task", TASKS, chance)
}

fn some(most: usize, chance: &mut StdRng, one: impl Fn(&mut StdRng) -> Id) -> BTreeSet<Id> {
    (0..chance.random_range(0..=most)).map(|_| one(chance)).collect()
}

fn maybe(chance: &mut StdRng, one: impl Fn(&mut StdRng) -> Id) -> Option<Id> {
    chance.random_bool(0.6).then(|| one(chance))
}

fn pick<T: Clone>(from: &[T], chance: &mut StdRng) -> T {
    from.choose(chance).expect("is not empty").clone()
}

fn person(chance: &mut StdRng) -> Person {
    Person {
        active: chance.random_bool(0.9),
        bot: chance.random_bool(0.15),
        role: pick(&ROLES, chance),
        login: id("login", PEOPLE, chance),
        departments: some(2, chance, department_id),
        company: maybe(chance, |chance| id("company", 2, chance)),
    }
}

fn project(chance: &mut StdRng) -> Project {
    let client_allowed = some(1, chance, status_id);
    let client_denied = some(1, chance, status_id).difference(&client_allowed).cloned().collect();
    Project {
        open: chance.random_bool(0.7),
        isolated: chance.random_bool(0.3),
        bots: chance.random_bool(0.5),
        client_allowed,
        client_denied,
    }
}

fn team(chance: &mut StdRng) -> Team {
    let role = |chance: &mut StdRng| chance.random_bool(0.25).then(|| pick(&ROLES[1..], chance));
    (0..chance.random_range(0..PEOPLE)).map(|_| (person_id(chance), role(chance))).collect()
}

fn status(chance: &mut StdRng) -> Status {
    Status { artists: chance.random_bool(0.6), clients: chance.random_bool(0.4) }
}

fn entity(studio: &Studio, chance: &mut StdRng) -> Entity {
    Entity {
        kind: pick(&ENTITY_KINDS, chance),
        project: existing(&studio.projects, chance).unwrap_or_else(|| project_id(chance)),
        creator: maybe(chance, person_id),
    }
}

fn task(studio: &Studio, chance: &mut StdRng) -> Task {
    // One has many tasks, so that there are long lists too.
    let busiest = studio.entities.keys().next().filter(|_| chance.random_bool(0.5)).cloned();
    let entity = busiest.or_else(|| existing(&studio.entities, chance)).unwrap_or_else(|| entity_id(chance));
    let project = studio.entities.get(&entity).map(|entity| entity.project.clone());
    Task {
        project: project.unwrap_or_else(|| project_id(chance)),
        entity,
        task_type: id("type", FEW, chance),
        status: status_id(chance),
        assignees: some(3, chance, person_id),
    }
}

fn comment(studio: &Studio, chance: &mut StdRng) -> Comment {
    Comment {
        task: existing(&studio.tasks, chance).unwrap_or_else(|| task_id(chance)),
        author: person_id(chance),
        for_client: chance.random_bool(0.4),
        status: status_id(chance),
        people: some(1, chance, person_id),
        departments: some(1, chance, department_id),
    }
}

fn playlist(studio: &Studio, chance: &mut StdRng) -> Playlist {
    Playlist {
        project: existing(&studio.projects, chance).unwrap_or_else(|| project_id(chance)),
        for_client: chance.random_bool(0.5),
        creator: maybe(chance, person_id),
    }
}

fn descriptor(studio: &Studio, chance: &mut StdRng) -> Descriptor {
    Descriptor {
        project: existing(&studio.projects, chance).unwrap_or_else(|| project_id(chance)),
        entity_type: pick(&["Asset", "Shot", "Edit", "Sequence"], chance),
        field: pick(&["camera", "fx"], chance),
        departments: some(2, chance, department_id),
    }
}

fn existing<T>(records: &BTreeMap<Id, T>, chance: &mut StdRng) -> Option<Id> {
    let ids: Vec<_> = records.keys().collect();
    ids.choose(chance).map(|id| (*id).clone())
}

pub(super) fn random_studio(chance: &mut StdRng) -> Studio {
    let mut studio = Studio::default();
    let each = |prefix: &'static str, end: usize| (0..end).map(move |n| format!("{prefix}{n}"));
    studio.people = each("person", PEOPLE - 1).map(|id| (id, person(chance))).collect();
    studio.projects = each("project", PROJECTS - 1).map(|id| (id, project(chance))).collect();
    studio.teams = studio.projects.keys().map(|id| (id.clone(), team(chance))).collect();
    studio.task_types = each("type", FEW).map(|id| (id, maybe(chance, department_id))).collect();
    studio.statuses = each("status", FEW).map(|id| (id, status(chance))).collect();
    for id in each("entity", ENTITIES - 2) {
        studio.entities.insert(id, entity(&studio, chance));
    }
    for id in each("task", TASKS - 2) {
        studio.tasks.insert(id, task(&studio, chance));
    }
    for id in each("comment", COMMENTS - 2) {
        studio.comments.insert(id, Some(comment(&studio, chance)));
    }
    for id in each("playlist", FEW - 1) {
        studio.playlists.insert(id, Some(playlist(&studio, chance)));
    }
    for id in each("column", FEW) {
        studio.descriptors.insert(id, descriptor(&studio, chance));
    }
    studio
}

/// Changes something; says which objects an event would name.
pub(super) fn change(studio: &mut Studio, chance: &mut StdRng) -> Vec<ObjectRef> {
    let one = |kind: &str, id: &Id| vec![ObjectRef::new(kind, id)];
    match chance.random_range(0..20_u8) {
        0 | 1 => {
            let id = person_id(chance);
            match studio.people.get_mut(&id) {
                Some(person) => alter_person(person, chance),
                None => drop(studio.people.insert(id.clone(), person(chance))),
            }
            one("person", &id)
        }
        2 => {
            let id = person_id(chance);
            if chance.random_bool(0.7) {
                return one("person", &id);
            }
            studio.people.remove(&id);
            // The tracker tells of the person alone.
            for team in studio.teams.values_mut() {
                team.remove(&id);
            }
            for task in studio.tasks.values_mut() {
                task.assignees.remove(&id);
            }
            one("person", &id)
        }
        3..=5 => {
            let id = project_id(chance);
            let person = person_id(chance);
            let role = chance.random_bool(0.5).then(|| pick(&ROLES[1..], chance));
            if studio.projects.contains_key(&id) {
                let team = studio.teams.entry(id.clone()).or_default();
                match team.get(&person) {
                    Some(_) if chance.random_bool(0.5) => drop(team.remove(&person)),
                    _ => drop(team.insert(person, role)),
                }
            }
            one("project", &id)
        }
        6 => {
            let id = project_id(chance);
            studio.projects.insert(id.clone(), project(chance));
            studio.teams.entry(id.clone()).or_insert_with(|| team(chance));
            one("project", &id)
        }
        7 => {
            let id = project_id(chance);
            if chance.random_bool(0.3) {
                end_project(studio, &id);
            }
            one("project", &id)
        }
        8 => {
            let id = id("type", FEW, chance);
            studio.task_types.insert(id.clone(), maybe(chance, department_id));
            one("task_type", &id)
        }
        9 => {
            let id = status_id(chance);
            if chance.random_bool(0.2) {
                studio.statuses.remove(&id);
            } else {
                studio.statuses.insert(id.clone(), status(chance));
            }
            one("task_status", &id)
        }
        10 => {
            let id = entity_id(chance);
            let (before, after) = (studio.entities.remove(&id), entity(studio, chance));
            // A record stays in its project.
            let project = before.as_ref().map_or(after.project.clone(), |before| before.project.clone());
            let kind = before.map_or(after.kind, |before| before.kind);
            if chance.random_bool(0.85) {
                studio.entities.insert(id.clone(), Entity { project, ..after });
            }
            one(if chance.random_bool(0.5) { kind } else { "entity" }, &id)
        }
        11..=14 => {
            let id = task_id(chance);
            let after = task(studio, chance);
            if chance.random_bool(0.15) && studio.tasks.remove(&id).is_some() {
                studio.comments.retain(|_, comment| comment.as_ref().is_some_and(|comment| comment.task != id));
                return one("task", &id);
            }
            match studio.tasks.get_mut(&id) {
                Some(task) => match chance.random_range(0..5_u8) {
                    0 => task.status = after.status,
                    1 => task.task_type = after.task_type,
                    2 => task.entity = after.entity,
                    _ => task.assignees = after.assignees,
                },
                None => drop(studio.tasks.insert(id.clone(), after)),
            }
            one("task", &id)
        }
        15..=17 => {
            let id = id("comment", COMMENTS, chance);
            let before = studio.comments.remove(&id).flatten();
            let mut after = comment(studio, chance);
            let mut objects = one("comment", &id);
            if let Some(before) = before {
                objects.push(ObjectRef::new("task_mentions", &before.task));
                after.task = before.task;
            }
            objects.push(ObjectRef::new("task_mentions", &after.task));
            if chance.random_bool(0.8) {
                studio.comments.insert(id, Some(after));
            }
            objects.dedup();
            objects
        }
        18 => {
            let id = id("playlist", FEW, chance);
            let project = studio.playlists.remove(&id).flatten().map(|playlist| playlist.project);
            let after = playlist(studio, chance);
            let project = project.unwrap_or_else(|| after.project.clone());
            if chance.random_bool(0.8) {
                studio.playlists.insert(id.clone(), Some(Playlist { project, ..after }));
            }
            one("playlist", &id)
        }
        _ => {
            let id = id("column", FEW, chance);
            if chance.random_bool(0.2) {
                studio.descriptors.remove(&id);
            } else {
                let after = descriptor(studio, chance);
                studio.descriptors.insert(id.clone(), after);
            }
            one("metadata_descriptor", &id)
        }
    }
}

fn alter_person(record: &mut Person, chance: &mut StdRng) {
    let after = person(chance);
    match chance.random_range(0..6_u8) {
        0 => record.role = after.role,
        1 => record.active = !record.active,
        2 => record.departments = after.departments,
        3 => record.company = after.company,
        4 => record.login = after.login,
        _ => record.bot = !record.bot,
    }
}

/// Nothing of a project is left; the tracker tells of the project alone.
fn end_project(studio: &mut Studio, project: &Id) {
    studio.projects.remove(project);
    studio.teams.remove(project);
    studio.entities.retain(|_, entity| entity.project != *project);
    studio.tasks.retain(|_, task| task.project != *project);
    studio.descriptors.retain(|_, column| column.project != *project);
    studio.playlists.retain(|_, playlist| playlist.as_ref().is_some_and(|playlist| playlist.project != *project));
}

/// Every action of the vocabulary that the model speaks of.
const ACTIONS: &[(&str, &[&str])] = &[
    ("project", &["read", "create", "update", "delete", "read_team", "manage_team", "manage_settings", "read_budget"]),
    ("project", &["manage_budget", "read_schedule", "read_comments", "read_tasks", "read_playlists"]),
    ("entity", &["read", "create", "update", "delete"]),
    ("entity", &["read", "update"]),
    ("task", &["read", "create", "update", "set_priority", "assign", "unassign", "delete", "comment", "comment"]),
    ("task", &["publish", "set_main_preview", "log_time", "read_comments", "comment", "assign"]),
    ("comment", &["read", "read", "update", "update", "delete", "reply", "reply"]),
    ("playlist", &["create", "read", "update", "delete", "download"]),
    ("metadata_descriptor", &["create", "update", "delete"]),
    ("person", &["read", "create", "update", "delete"]),
    ("custom_action", &["read", "create"]),
    ("event", &["read"]),
];

pub(super) fn question(studio: &Studio, chance: &mut StdRng) -> Question {
    let who = match chance.random_range(0..20_u8) {
        0 => Who::Login(id("login", PEOPLE, chance)),
        1 => Who::Bot(person_id(chance)),
        _ => Who::Id(person_id(chance)),
    };
    let (kind, actions) = pick(ACTIONS, chance);
    let action = pick(actions, chance);
    let resource = match kind {
        _ if action == "create" => Id::new(),
        "project" => project_id(chance),
        "entity" => entity_id(chance),
        "task" => task_id(chance),
        "comment" => id("comment", COMMENTS, chance),
        "playlist" => id("playlist", FEW, chance),
        "metadata_descriptor" => id("column", FEW, chance),
        "person" => person_id(chance),
        _ => Id::new(),
    };
    let kind = match kind {
        "entity" => match studio.entities.get(&resource) {
            Some(entity) if chance.random_bool(0.9) => entity.kind,
            _ => pick(&ENTITY_KINDS, chance),
        },
        kind => kind,
    };
    // Of a concept nothing else is asked.
    let action = if kind == "concept" && action != "create" { "read" } else { action };
    let field = match (kind, action) {
        ("task", "update") => pick(&["", "priority", "due_date", "data", "description", "task_status_id"], chance),
        ("comment", "update") => pick(&["text", "pinned", "checklist", "task_status_id", "for_client"], chance),
        ("person", "update") => pick(&["", "phone", "role", "departments", "active", "studio_id"], chance),
        (_, "update") if ENTITY_KINDS.contains(&kind) => {
            pick(&["", "name", "data.camera", "data.fx", "data.unheard_of"], chance)
        }
        _ => "",
    };
    let value = match (kind, action, field) {
        ("task", "assign" | "unassign" | "log_time", _) => Some(match &who {
            Who::Id(id) if chance.random_bool(0.3) => id.clone(),
            _ => person_id(chance),
        }),
        ("task", "comment", _) => maybe(chance, status_id),
        ("comment", "update", "task_status_id") => Some(status_id(chance)),
        _ => None,
    };
    let project = match (kind, action) {
        ("project" | "person" | "custom_action", _) => None,
        ("event", _) => maybe(chance, project_id),
        (_, "create") => Some(project_id(chance)),
        _ => None,
    };
    let departments = (kind == "metadata_descriptor" && action == "create").then(|| some(2, chance, department_id));
    Question { who, kind, action, id: resource, field, value, project, departments }
}
