//! The projects of the random studio: teams, entities, tasks, comments, playlists, descriptors.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::{
    dice::Dice,
    zou::{Call, Zou},
};
use super::{Comment, Descriptor, Entity, Playlist, Project, Studio, Task, text};

/// What a project may make of a person's role.
const PROJECT_ROLES: [&str; 5] = ["user", "supervisor", "manager", "client", "vendor"];

/// Name, open, clients isolated from one another, bots may be assigned.
const PROJECTS: [(&str, bool, bool, bool); 6] = [
    ("Oak", true, false, false),
    ("Pine", true, true, false),
    ("Rowan", true, false, true),
    ("Sorb", true, true, true),
    ("Teak", false, false, false),
    ("Ulmo", false, true, true),
];

pub(crate) async fn start_all(zou: &Zou, dice: &mut Dice, tag: &str, studio: &Studio) -> Vec<Project> {
    let mut projects = start(zou, dice, tag, studio).await;
    settle(zou, studio, &projects).await;
    for project in &mut projects {
        entities(zou, dice, studio, project).await;
        tasks(zou, dice, studio, project).await;
        comments(zou, dice, studio, project).await;
        playlists(zou, dice, studio, project).await;
        descriptors(zou, dice, studio, project).await;
    }
    creators(zou, &projects);
    projects
}

async fn start(zou: &Zou, dice: &mut Dice, tag: &str, studio: &Studio) -> Vec<Project> {
    let calls = PROJECTS.iter().map(|(name, _, isolated, bots)| {
        Call::post(
            "/data/projects",
            json!({ "name": format!("{name} {tag}"), "is_clients_isolated": isolated, "is_bot_collaboration_enabled": bots }),
        )
    });
    let answers = zou.admin_all(calls.collect()).await;
    PROJECTS
        .iter()
        .zip(answers)
        .map(|((_, is_open, clients_isolated, takes_bots), answer)| Project {
            id: text(&answer, "id"),
            name: text(&answer, "name"),
            is_open: *is_open,
            clients_isolated: *clients_isolated,
            takes_bots: *takes_bots,
            team: team(dice, studio),
            client_may: client_may(dice, studio),
            entities: Vec::new(),
            tasks: Vec::new(),
            comments: Vec::new(),
            playlists: Vec::new(),
            descriptors: Vec::new(),
        })
        .collect()
}

fn team(dice: &mut Dice, studio: &Studio) -> BTreeMap<String, Option<&'static str>> {
    let mut team = BTreeMap::new();
    for person in &studio.people {
        if dice.percent(65) {
            team.insert(person.id.clone(), dice.percent(35).then(|| *dice.pick(&PROJECT_ROLES)));
        }
    }
    // Whatever the dice say: somebody raised, somebody lowered, and an administrator in the team.
    for (from, to) in [("vendor", "manager"), ("manager", "user"), ("admin", "client"), ("client", "supervisor")] {
        let of_role: Vec<_> = studio.people.iter().filter(|person| person.role == from && person.active).collect();
        team.insert(dice.pick(&of_role).id.clone(), Some(to));
    }
    team
}

fn client_may(dice: &mut Dice, studio: &Studio) -> BTreeMap<String, bool> {
    let mut own = BTreeMap::new();
    for status in &studio.statuses {
        if dice.percent(40) {
            own.insert(status.id.clone(), dice.percent(50));
        }
    }
    own
}

/// Teams, settings, the project's own word on what clients may set; some projects are closed then.
async fn settle(zou: &Zou, studio: &Studio, projects: &[Project]) {
    let mut chains = Vec::new();
    for project in projects {
        let path = format!("/data/projects/{}", project.id);
        let task_types: Vec<_> = studio.task_types.iter().map(|kind| json!({ "task_type_id": kind.id })).collect();
        let statuses: Vec<_> = studio.statuses.iter().map(|status| &status.id).collect();
        let asset_types: Vec<_> = studio.asset_types.iter().map(|kind| &kind.id).collect();
        let mut chain = vec![Call::post(
            format!("{path}/settings/batch"),
            json!({ "task_types": task_types, "task_status_ids": statuses, "asset_type_ids": asset_types }),
        )];
        for (person, role) in &project.team {
            chain.push(Call::post(format!("{path}/team"), json!({ "person_id": person, "role": role })));
        }
        for (status, may) in &project.client_may {
            let body = json!({ "is_client_allowed": may });
            chain.push(Call::put(format!("{path}/settings/task-status/{status}"), body));
        }
        if !project.is_open {
            chain.push(Call::put(path, json!({ "project_status_id": studio.closed })));
        }
        chains.push(chain);
    }
    zou.chains(chains).await;
}

async fn entities(zou: &Zou, dice: &mut Dice, studio: &Studio, project: &mut Project) {
    let mut parents: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    // Parents before children.
    for kind in ["episode", "sequence", "shot", "scene", "edit", "asset", "concept"] {
        let count = if matches!(kind, "asset" | "shot") { 3 } else { 2 };
        let mut calls = Vec::new();
        let mut made = Vec::new();
        for number in 0..count {
            let name = format!("{kind}{number:02}");
            let parent = match kind {
                "sequence" => Some("episode"),
                "shot" | "scene" => Some("sequence"),
                _ => None,
            };
            let parent = parent.map(|kind| dice.pick(&parents[kind]).as_str());
            calls.push(entity(kind, &project.id, &dice.pick(&studio.asset_types).id, &name, parent));
            let creator = match dice.below(10) {
                0..2 => None,
                2..4 => Some(dice.pick(&studio.people).id.clone()),
                _ => Some(somebody(dice, project)),
            };
            made.push(Entity { id: String::new(), kind, name, creator });
        }
        for (entity, answer) in made.iter_mut().zip(zou.admin_all(calls).await) {
            entity.id = text(&answer, "id");
        }
        parents.insert(kind, made.iter().map(|entity| entity.id.clone()).collect());
        project.entities.extend(made);
    }
}

/// The call that makes an entity of a kind.
pub(crate) fn entity(kind: &str, project: &str, asset_type: &str, name: &str, parent: Option<&str>) -> Call {
    let path = format!("/data/projects/{project}");
    match kind {
        "asset" => Call::post(format!("{path}/asset-types/{asset_type}/assets/new"), json!({ "name": name })),
        "sequence" => Call::post(format!("{path}/sequences"), json!({ "name": name, "episode_id": parent })),
        "shot" | "scene" => Call::post(format!("{path}/{kind}s"), json!({ "name": name, "sequence_id": parent })),
        _ => Call::post(format!("{path}/{kind}s"), json!({ "name": name })),
    }
}

async fn tasks(zou: &Zou, dice: &mut Dice, studio: &Studio, project: &mut Project) {
    let vendors: Vec<_> = studio.people.iter().filter(|person| person.role == "vendor" && person.active).collect();
    for (place, entity) in project.entities.iter().enumerate() {
        let kinds: Vec<_> = studio.task_types.iter().filter(|kind| kind.on == entity.kind).collect();
        let count = if dice.percent(35) { 2 } else { 1 };
        for kind in dice.some(&kinds, count) {
            let mut assignees: Vec<String> = (0..dice.below(3)).map(|_| somebody(dice, project)).collect();
            if dice.percent(30) {
                assignees.push(dice.pick(&vendors).id.clone());
            }
            if dice.percent(15) {
                assignees.push(dice.pick(&studio.people).id.clone());
            }
            assignees.sort_unstable();
            assignees.dedup();
            project.tasks.push(Task {
                id: String::new(),
                entity: place,
                type_id: kind.id.clone(),
                assignees,
                status: dice.pick(&studio.statuses).id.clone(),
                mentioned: Vec::new(),
                has_preview: project.tasks.len().is_multiple_of(2),
            });
        }
    }
    let calls = project.tasks.iter().map(|task| new_task(project, task, "main"));
    let answers = zou.admin_all(calls.collect()).await;
    for (task, answer) in project.tasks.iter_mut().zip(answers) {
        task.id = text(&answer, "id");
    }
}

/// The call that makes a task like this one, under a name.
pub(crate) fn new_task(project: &Project, task: &Task, name: &str) -> Call {
    let body = json!({
        "name": name,
        "project_id": project.id,
        "entity_id": project.entities[task.entity].id,
        "task_type_id": task.type_id,
        "task_status_id": task.status,
        "assignees": task.assignees,
    });
    Call::post("/data/tasks", body)
}

async fn comments(zou: &Zou, dice: &mut Dice, studio: &Studio, project: &mut Project) {
    let mut chains = Vec::new();
    for place in 0..project.tasks.len() {
        for number in 0..1 + dice.below(2) {
            let (words, mut mentioned) = mention(dice, studio, project);
            let comment = Comment {
                id: String::new(),
                task: place,
                author: author(dice, studio, project, place),
                text: format!("note {number}{words}"),
                for_client: dice.percent(25),
                status: project.tasks[place].status.clone(),
            };
            let task = project.tasks[place].id.clone();
            let mut chain = vec![new_comment(&task, &comment)];
            if number == 0 && project.tasks[place].has_preview {
                chain.push(Call::post(format!("/actions/tasks/{task}/comments/{{id}}/add-preview"), json!({})));
            }
            if dice.percent(20) {
                let (words, more) = mention(dice, studio, project);
                mentioned.extend(more);
                chain.push(Call::post(
                    format!("/data/tasks/{task}/comments/{{id}}/reply"),
                    json!({ "text": format!("yes{words}") }),
                ));
            }
            chains.push(chain);
            project.tasks[place].mentioned.extend(mentioned);
            project.comments.push(comment);
        }
    }
    let answers = zou.chains(chains).await;
    for (comment, answer) in project.comments.iter_mut().zip(answers) {
        comment.id = text(&answer, "id");
    }
}

/// The call that makes this comment; only an administrator may name its author.
pub(crate) fn new_comment(task: &str, comment: &Comment) -> Call {
    let body = json!({
        "task_status_id": comment.status,
        "comment": comment.text,
        "person_id": comment.author,
        "for_client": comment.for_client,
    });
    Call::post(format!("/actions/tasks/{task}/comment"), body)
}

fn author(dice: &mut Dice, studio: &Studio, project: &Project, task: usize) -> String {
    let clients: Vec<_> = studio.people.iter().filter(|person| person.role == "client").collect();
    let assignees = &project.tasks[task].assignees;
    match dice.below(10) {
        0..2 => dice.pick(&clients).id.clone(),
        2..4 => dice.pick(&studio.people).id.clone(),
        4..6 if !assignees.is_empty() => dice.pick(assignees).clone(),
        _ => somebody(dice, project),
    }
}

/// The end of a comment that names somebody, perhaps; and whom that names.
fn mention(dice: &mut Dice, studio: &Studio, project: &Project) -> (String, Vec<String>) {
    match dice.below(10) {
        0..2 => {
            let person = studio.person(&somebody(dice, project));
            (format!(" @{}", person.name), vec![person.id.clone()])
        }
        2 => {
            let department = dice.pick(&studio.departments);
            let named = studio.people.iter().filter(|person| person.departments.contains(&department.id));
            (format!(" @{}", department.name), named.map(|person| person.id.clone()).collect())
        }
        _ => (String::new(), Vec::new()),
    }
}

async fn playlists(zou: &Zou, dice: &mut Dice, studio: &Studio, project: &mut Project) {
    for number in 0..6 {
        let creator = match dice.below(4) {
            0 => None,
            1 => Some(dice.pick(&studio.people).id.clone()),
            _ => Some(somebody(dice, project)),
        };
        let name = format!("list {number}");
        project.playlists.push(Playlist { id: String::new(), name, for_client: number % 2 == 0, creator });
    }
    let calls = project.playlists.iter().map(|list| new_playlist(&project.id, &list.name, list.for_client));
    let answers = zou.admin_all(calls.collect()).await;
    for (list, answer) in project.playlists.iter_mut().zip(answers) {
        list.id = text(&answer, "id");
    }
}

pub(crate) fn new_playlist(project: &str, name: &str, for_client: bool) -> Call {
    let body =
        json!({ "name": name, "project_id": project, "for_client": for_client, "for_entity": "shot", "shots": [] });
    Call::post("/data/playlists", body)
}

async fn descriptors(zou: &Zou, dice: &mut Dice, studio: &Studio, project: &mut Project) {
    for entity_type in ["Asset", "Shot", "Edit", "Sequence"] {
        for count in [0, 1, 2] {
            let departments = dice.some(&studio.departments, count);
            let field = format!("{}_{count}", entity_type.to_lowercase());
            project.descriptors.push(Descriptor {
                id: String::new(),
                name: field.replace('_', " "),
                field,
                entity_type,
                departments: departments.into_iter().map(|department| department.id).collect(),
            });
        }
    }
    let calls = project.descriptors.iter().map(|descriptor| new_descriptor(&project.id, descriptor));
    let answers = zou.admin_all(calls.collect()).await;
    for (descriptor, answer) in project.descriptors.iter_mut().zip(answers) {
        descriptor.id = text(&answer, "id");
        assert_eq!(answer["field_name"], Value::String(descriptor.field.clone()));
    }
}

pub(crate) fn new_descriptor(project: &str, descriptor: &Descriptor) -> Call {
    let body = json!({
        "name": descriptor.name,
        "entity_type": descriptor.entity_type,
        "departments": descriptor.departments,
        "for_client": descriptor.departments.is_empty(),
    });
    Call::post(format!("/data/projects/{project}/metadata-descriptors"), body)
}

/// REST makes the caller the creator: the others are written into the database.
fn creators(zou: &Zou, projects: &[Project]) {
    let entities = projects.iter().flat_map(|project| &project.entities).map(|entity| (&entity.id, &entity.creator));
    let playlists = projects.iter().flat_map(|project| &project.playlists).map(|list| (&list.id, &list.creator));
    let statements = [created_by("entity", entities), created_by("playlist", playlists)];
    zou.sql(&statements.join(";"));
}

/// The statement that gives rows their creators.
pub(crate) fn created_by<'a>(table: &str, rows: impl Iterator<Item = (&'a String, &'a Option<String>)>) -> String {
    let values = rows.map(|(id, creator)| match creator {
        Some(creator) => format!("('{id}','{creator}')"),
        None => format!("('{id}',NULL)"),
    });
    let values: Vec<_> = values.collect();
    if values.is_empty() {
        return "SELECT".to_owned();
    }
    format!(
        "UPDATE {table} SET created_by = row.creator::uuid FROM (VALUES {}) row(id, creator) WHERE {table}.id = row.id::uuid",
        values.join(",")
    )
}

/// Somebody in the team.
pub(crate) fn somebody(dice: &mut Dice, project: &Project) -> String {
    let team: Vec<_> = project.team.keys().collect();
    (*dice.pick(&team)).clone()
}
