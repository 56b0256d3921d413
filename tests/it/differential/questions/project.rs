//! Questions about projects.

use serde_json::json;

use super::super::{
    studio::{Project, project::somebody},
    zou::Call,
};
use super::{Asker, Maker, Question, Sign};

pub(crate) const ROWS: &[(&str, usize, Maker)] = &[
    ("project.read", 1, read),
    ("project.read_team", 1, read),
    ("project.read_tasks", 1, read),
    ("project.read_playlists", 1, read),
    ("project.read_comments", 1, read),
    ("project.read_schedule", 1, read),
    ("project.read_budget", 1, read),
    ("project.create", 1, create),
    ("project.update", 1, update),
    ("project.delete", 1, delete),
    ("project.manage_team", 2, manage_team),
    ("project.manage_settings", 1, manage_settings),
    ("project.manage_budget", 1, manage_budget),
];

fn read(asker: &mut Asker, row: &'static str) -> Question {
    let project = asker.project();
    let subject = asker.subject(project, &[]);
    let rest = match row {
        "project.read_team" => "/team",
        "project.read_tasks" => "/tasks",
        "project.read_playlists" => "/playlists",
        "project.read_comments" => "/comments?page=1&limit=2",
        "project.read_schedule" => "/schedule-items",
        "project.read_budget" => "/budgets",
        _ => "",
    };
    Question::new(row, subject, &project.id, Call::get(format!("/data/projects/{}{rest}", project.id))).lane(project)
}

fn create(asker: &mut Asker, row: &'static str) -> Question {
    let subject = asker.anybody();
    let call = Call::post("/data/projects", json!({ "name": asker.fresh() }));
    Question::new(row, subject, "", call)
        .undo(Call::put("/data/projects/{id}", json!({ "project_status_id": asker.studio.closed })))
        .undo(Call::delete("/data/projects/{id}?force=true"))
}

fn update(asker: &mut Asker, row: &'static str) -> Question {
    let project = asker.project();
    let subject = asker.subject(project, &[]);
    let (field, value) = match asker.dice.below(4) {
        0 => ("name", json!(project.name)),
        1 => ("description", json!("as it was")),
        2 => ("is_clients_isolated", json!(project.clients_isolated)),
        _ => ("is_bot_collaboration_enabled", json!(project.takes_bots)),
    };
    let call = Call::put(format!("/data/projects/{}", project.id), json!({ field: value }));
    Question::new(row, subject, &project.id, call).field(field).value(value).lane(project)
}

fn delete(asker: &mut Asker, row: &'static str) -> Question {
    let subject = asker.anybody();
    if asker.dice.percent(25) {
        let open: Vec<_> = asker.studio.projects.iter().filter(|project| project.is_open).collect();
        let project = *asker.dice.pick(&open);
        let call = Call::delete(format!("/data/projects/{}", project.id));
        return Question::new(row, subject, &project.id, call).sign(Sign::StatusOr400).lane(project);
    }
    let role = if asker.dice.percent(50) { json!("manager") } else { json!(null) };
    let chain = vec![
        Call::post("/data/projects", json!({ "name": asker.fresh() })),
        Call::post("/data/projects/{id}/team", json!({ "person_id": subject.id, "role": role })),
        Call::put("/data/projects/{id}", json!({ "project_status_id": asker.studio.closed })),
    ];
    Question::new(row, subject, "", Call::delete("/data/projects/{id}?force=true")).victim(chain)
}

/// Nothing changes: who is in the team is added, who is not is removed, a role is set to what it is.
fn manage_team(asker: &mut Asker, row: &'static str) -> Question {
    let project = asker.project();
    let subject = asker.subject(project, &[]);
    let path = format!("/data/projects/{}/team", project.id);
    let member = somebody(&mut asker.dice, project);
    let call = match asker.dice.below(3) {
        0 => Call::post(path, json!({ "person_id": member })),
        1 => Call::put(format!("{path}/{member}"), json!({ "role": project.team[&member] })),
        _ => Call::delete(format!("{path}/{}", outsider(asker, project))),
    };
    Question::new(row, subject, &project.id, call).lane(project)
}

fn outsider(asker: &mut Asker, project: &Project) -> String {
    let people = asker.studio.people.iter().map(|person| &person.id);
    let others: Vec<_> = people.filter(|id| !project.team.contains_key(*id)).collect();
    (*asker.dice.pick(&others)).clone()
}

fn manage_settings(asker: &mut Asker, row: &'static str) -> Question {
    let project = asker.project();
    let subject = asker.subject(project, &[]);
    let (what, id) = match asker.dice.below(3) {
        0 => ("task-types", ("task_type_id", &asker.dice.pick(&asker.studio.task_types).id)),
        1 => ("task-status", ("task_status_id", &asker.dice.pick(&asker.studio.statuses).id)),
        _ => ("asset-types", ("asset_type_id", &asker.dice.pick(&asker.studio.asset_types).id)),
    };
    let call = Call::post(format!("/data/projects/{}/settings/{what}", project.id), json!({ id.0: id.1 }));
    Question::new(row, subject, &project.id, call).lane(project)
}

fn manage_budget(asker: &mut Asker, row: &'static str) -> Question {
    let project = asker.project();
    let subject = asker.subject(project, &[]);
    let path = format!("/data/projects/{}/budgets", project.id);
    let call = Call::post(&path, json!({ "name": asker.fresh(), "currency": "EUR" }));
    Question::new(row, subject, &project.id, call).undo(Call::delete(format!("{path}/{{id}}"))).lane(project)
}
