//! Questions about tasks.

use serde_json::{Value, json};

use super::super::{
    studio::{Comment, Person, Project, Task, project},
    zou::Call,
};
use super::{Asker, Maker, Question, Sign};

pub(crate) const ROWS: &[(&str, usize, Maker)] = &[
    ("task.read", 1, read),
    ("task.read_comments", 1, read),
    ("task.create", 2, create),
    ("task.update", 3, update),
    ("task.set_priority", 2, set_priority),
    ("task.assign", 4, assign),
    ("task.unassign", 3, unassign),
    ("task.delete", 1, delete),
    ("task.comment", 5, comment),
    ("task.publish", 2, publish),
    ("task.set_main_preview", 1, set_main_preview),
    ("task.log_time", 2, log_time),
];

fn one<'a>(asker: &mut Asker<'a>) -> (&'a Project, &'a Task, &'a Person) {
    let project = asker.project();
    let task = asker.dice.pick(&project.tasks);
    let subject = asker.subject(project, &close(project, task));
    (project, task, subject)
}

/// Those who have to do with a task.
pub(crate) fn close<'a>(project: &'a Project, task: &'a Task) -> Vec<&'a String> {
    task.assignees.iter().chain(&project.entities[task.entity].creator).chain(&task.mentioned).collect()
}

/// The call that makes the task as it was.
fn restored(task: &Task) -> Call {
    let body = json!({ "task_status_id": task.status, "assignees": task.assignees });
    Call::put(format!("/data/tasks/{}", task.id), body)
}

fn read(asker: &mut Asker, row: &'static str) -> Question {
    let (project, task, subject) = one(asker);
    let rest = if row == "task.read" { "" } else { "/comments" };
    Question::new(row, subject, &task.id, Call::get(format!("/data/tasks/{}{rest}", task.id))).lane(project)
}

/// Either the route that makes tasks for entities, which has one of that type already; or the one without a rule.
fn create(asker: &mut Asker, row: &'static str) -> Question {
    let project = asker.project();
    let subject = asker.subject(project, &[]);
    let kinds = ["shot", "asset", "edit"];
    let tasks: Vec<_> =
        project.tasks.iter().filter(|task| kinds.contains(&project.entities[task.entity].kind)).collect();
    let task = *asker.dice.pick(&tasks);
    let entity = &project.entities[task.entity];
    let by_hole = asker.dice.percent(30);
    let question = if by_hole {
        let call = project::new_task(project, task, &asker.fresh());
        Question::new(row, subject, "", call).undo(Call::delete("/data/tasks/{id}?force=true"))
    } else {
        let path =
            format!("/actions/projects/{}/task-types/{}/{}s/create-tasks", project.id, task.type_id, entity.kind);
        Question::new(row, subject, "", Call::post(path, json!([entity.id])))
    };
    question
        .hole(by_hole && !asker.studio.manages(subject, project), subject)
        .property("entity_id", entity.id.as_str())
        .property("task_type_id", task.type_id.as_str())
        .within(project)
}

fn update(asker: &mut Asker, row: &'static str) -> Question {
    let (project, task, subject) = one(asker);
    let (field, value): (&str, Value) = match asker.dice.below(12) {
        0 | 1 => ("priority", json!(0)),
        2 => ("start_date", json!("2024-03-04")),
        3 => ("due_date", json!("2024-03-08")),
        4 => ("estimation", json!(480)),
        5 => ("difficulty", json!(3)),
        6 => ("data", json!({ "colour": "grey" })),
        7 => ("name", json!("main")),
        8 => ("description", json!("as it was")),
        9 => ("task_status_id", json!(task.status)),
        10 => ("assignees", json!(task.assignees)),
        _ => ("completion_rate", json!(0)),
    };
    let call = Call::put(format!("/data/tasks/{}", task.id), json!({ field: value }));
    Question::new(row, subject, &task.id, call).field(field).value(value).lane(project)
}

fn set_priority(asker: &mut Asker, row: &'static str) -> Question {
    let (project, task, subject) = one(asker);
    let call = Call::put("/actions/tasks/set-priority", json!({ "task_ids": [task.id], "priority": 0 }));
    Question::new(row, subject, &task.id, call).sign(Sign::Listed(task.id.clone())).lane(project)
}

fn assign(asker: &mut Asker, row: &'static str) -> Question {
    let (project, task, subject) = one(asker);
    let bots: Vec<_> = asker.studio.people.iter().filter(|person| person.is_bot).collect();
    let who = match asker.dice.below(20) {
        0..8 => subject.id.clone(),
        8..15 => project::somebody(&mut asker.dice, project),
        15..18 => asker.anybody().id.clone(),
        _ => asker.dice.pick(&bots).id.clone(),
    };
    let call = Call::put(format!("/actions/tasks/{}/assign", task.id), json!({ "person_id": who }));
    let question = Question::new(row, subject, &task.id, call).value(who.as_str()).lane(project).undo(restored(task));
    // zou takes whom it assigns into the team.
    if project.team.contains_key(&who) {
        question
    } else {
        question.undo(Call::delete(format!("/data/projects/{}/team/{who}", project.id)))
    }
}

fn unassign(asker: &mut Asker, row: &'static str) -> Question {
    let (project, task, subject) = one(asker);
    let who = match asker.dice.below(10) {
        0..5 => subject.id.clone(),
        5..9 if !task.assignees.is_empty() => asker.dice.pick(&task.assignees).clone(),
        _ => project::somebody(&mut asker.dice, project),
    };
    let call = Call::put("/actions/tasks/clear-assignation", json!({ "task_ids": [task.id], "person_id": who }));
    Question::new(row, subject, &task.id, call)
        .value(who)
        .sign(Sign::Listed(task.id.clone()))
        .lane(project)
        .undo(restored(task))
}

fn delete(asker: &mut Asker, row: &'static str) -> Question {
    let (project, task, subject) = one(asker);
    let make = project::new_task(project, task, &asker.fresh());
    Question::new(row, subject, "", Call::delete("/data/tasks/{id}")).victim(vec![make]).lane(project)
}

fn comment(asker: &mut Asker, row: &'static str) -> Question {
    let (project, task, subject) = one(asker);
    let status = match asker.dice.below(10) {
        0..3 => None,
        3..5 => Some(&task.status),
        _ => Some(&asker.dice.pick(&asker.studio.statuses).id),
    };
    let body = json!({ "task_status_id": status.unwrap_or(&task.status), "comment": "asked" });
    let question =
        Question::new(row, subject, &task.id, Call::post(format!("/actions/tasks/{}/comment", task.id), body))
            .lane(project)
            .undo(Call::delete("/data/comments/{id}"))
            .undo(restored(task));
    match status {
        Some(status) => question.value(status.as_str()),
        None => question,
    }
}

/// A comment of the task.
fn any_comment<'a>(project: &'a Project, task: &Task) -> &'a Comment {
    let mut comments = project.comments.iter();
    comments.find(|comment| project.tasks[comment.task].id == task.id).expect("each task has a comment")
}

fn publish(asker: &mut Asker, row: &'static str) -> Question {
    let (project, task, subject) = one(asker);
    let comment = any_comment(project, task);
    let path = format!("/actions/tasks/{}/comments/{}/add-preview", task.id, comment.id);
    Question::new(row, subject, &task.id, Call::post(path, json!({}))).lane(project)
}

fn set_main_preview(asker: &mut Asker, row: &'static str) -> Question {
    let project = asker.project();
    let tasks: Vec<_> = project.tasks.iter().filter(|task| task.has_preview).collect();
    let task = *asker.dice.pick(&tasks);
    let subject = asker.subject(project, &close(project, task));
    let call = Call::put(format!("/actions/tasks/{}/set-main-preview", task.id), json!({}));
    Question::new(row, subject, &task.id, call).lane(project)
}

fn log_time(asker: &mut Asker, row: &'static str) -> Question {
    let (project, task, subject) = one(asker);
    let who = match asker.dice.below(10) {
        0..3 => subject.id.clone(),
        3..9 if !task.assignees.is_empty() => asker.dice.pick(&task.assignees).clone(),
        _ => asker.anybody().id.clone(),
    };
    let path = format!("/actions/tasks/{}/time-spents/2024-03-05/persons/{who}", task.id);
    Question::new(row, subject, &task.id, Call::post(path, json!({ "duration": 60 }))).value(who).lane(project)
}
