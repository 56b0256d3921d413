//! Questions about comments.

use serde_json::json;

use super::super::{
    studio::{Comment, Person, Project, Task, project},
    zou::Call,
};
use super::{Asker, Maker, Question, task::close};

pub(crate) const ROWS: &[(&str, usize, Maker)] = &[
    ("comment.read", 3, read),
    ("comment.update", 5, update),
    ("comment.delete", 2, delete),
    ("comment.reply", 4, reply),
];

fn one<'a>(asker: &mut Asker<'a>) -> (&'a Project, &'a Task, &'a Comment, &'a Person) {
    let project = asker.project();
    let comment = asker.dice.pick(&project.comments);
    let task = &project.tasks[comment.task];
    let subject = somebody(asker, project, task, comment);
    (project, task, comment, subject)
}

/// The author himself, a client, or whoever has to do with the task.
fn somebody<'a>(asker: &mut Asker<'a>, project: &Project, task: &Task, comment: &Comment) -> &'a Person {
    let studio = asker.studio;
    let clients: Vec<_> =
        studio.people.iter().filter(|person| studio.role_in(person, project) == Some("client")).collect();
    match asker.dice.below(10) {
        0..3 => studio.person(&comment.author),
        3..5 if !clients.is_empty() => *asker.dice.pick(&clients),
        _ => asker.subject(project, &close(project, task)),
    }
}

fn read(asker: &mut Asker, row: &'static str) -> Question {
    let (project, _, comment, subject) = one(asker);
    Question::new(row, subject, &comment.id, Call::get(format!("/data/comments/{}", comment.id))).lane(project)
}

fn update(asker: &mut Asker, row: &'static str) -> Question {
    let (project, task, comment, subject) = one(asker);
    let (field, value, before) = match asker.dice.below(10) {
        0..2 => ("text", json!(comment.text), json!(comment.text)),
        2..4 => ("pinned", json!(true), json!(false)),
        4..6 => ("checklist", json!([{ "text": "look again", "checked": true }]), json!([])),
        6..9 => {
            let status =
                if asker.dice.percent(30) { &comment.status } else { &asker.dice.pick(&asker.studio.statuses).id };
            ("task_status_id", json!(status), json!(comment.status))
        }
        _ => ("for_client", json!(!comment.for_client), json!(comment.for_client)),
    };
    let path = format!("/data/comments/{}", comment.id);
    Question::new(row, subject, &comment.id, Call::put(&path, json!({ field: value })))
        .field(field)
        .value(value)
        .lane(project)
        .undo(Call::put(path, json!({ field: before })))
        .undo(restored(task))
}

/// A comment, and its deletion, sets the task's status anew.
fn restored(task: &Task) -> Call {
    Call::put(format!("/data/tasks/{}", task.id), json!({ "task_status_id": task.status }))
}

fn delete(asker: &mut Asker, row: &'static str) -> Question {
    let (project, task, comment, subject) = one(asker);
    let mut victim = comment.clone();
    "doomed".clone_into(&mut victim.text);
    if asker.dice.percent(30) {
        victim.author = asker.dice.pick(&asker.studio.people).id.clone();
    }
    Question::new(row, subject, "", Call::delete("/data/comments/{id}"))
        .victim(vec![project::new_comment(&task.id, &victim)])
        .lane(project)
        .undo(restored(task))
}

fn reply(asker: &mut Asker, row: &'static str) -> Question {
    let (project, task, comment, subject) = one(asker);
    let path = format!("/data/tasks/{}/comments/{}/reply", task.id, comment.id);
    Question::new(row, subject, &comment.id, Call::post(path, json!({ "text": "asked" }))).lane(project)
}
