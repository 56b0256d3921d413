//! Questions about assets, shots, sequences, episodes, scenes, edits and concepts.

use serde_json::{Value, json};

use super::super::{
    studio::{Entity, Person, Project, project, title},
    zou::Call,
};
use super::{Asker, Maker, Question};

pub(crate) const ROWS: &[(&str, usize, Maker)] = &[
    ("asset.read", 1, read),
    ("shot.read", 1, read),
    ("sequence.read", 1, read),
    ("episode.read", 1, read),
    ("scene.read", 1, read),
    ("edit.read", 1, read),
    ("concept.read", 1, read),
    ("asset.create", 1, create),
    ("shot.create", 1, create),
    ("sequence.create", 1, create),
    ("episode.create", 1, create),
    ("scene.create", 1, create),
    ("edit.create", 1, create),
    ("concept.create", 1, create),
    ("asset.update", 2, update),
    ("shot.update", 2, update),
    ("sequence.update", 1, update),
    ("episode.update", 1, update),
    ("scene.update", 1, update),
    ("edit.update", 2, update),
    ("asset.delete", 1, delete),
    ("shot.delete", 1, delete),
    ("sequence.delete", 1, delete),
    ("episode.delete", 1, delete),
    ("scene.delete", 1, delete),
    ("edit.delete", 1, delete),
];

fn kind_of(row: &str) -> &str {
    row.split_once('.').expect("kind.action").0
}

fn one<'a>(asker: &mut Asker<'a>, kind: &str) -> (&'a Project, usize, &'a Entity) {
    let project = asker.project();
    let of_kind: Vec<_> = project.entities.iter().enumerate().filter(|(_, entity)| entity.kind == kind).collect();
    let (place, entity) = *asker.dice.pick(&of_kind);
    (project, place, entity)
}

fn read(asker: &mut Asker, row: &'static str) -> Question {
    let kind = kind_of(row);
    let (project, place, entity) = one(asker, kind);
    let tasks = project.tasks.iter().filter(|task| task.entity == place);
    let close: Vec<_> = tasks.flat_map(|task| &task.assignees).chain(&entity.creator).collect();
    let subject = asker.subject(project, &close);
    Question::new(row, subject, &entity.id, Call::get(format!("/data/{kind}s/{}", entity.id))).lane(project)
}

fn create(asker: &mut Asker, row: &'static str) -> Question {
    let project = asker.project();
    let subject = asker.subject(project, &[]);
    let call = new_entity(asker, project, kind_of(row));
    Question::new(row, subject, "", call).within(project).undo(Call::delete("/data/entities/{id}"))
}

fn new_entity(asker: &mut Asker, project: &Project, kind: &str) -> Call {
    let parent_kind = match kind {
        "sequence" => "episode",
        "shot" | "scene" => "sequence",
        _ => "",
    };
    let parent = project.entities.iter().find(|entity| entity.kind == parent_kind).map(|entity| entity.id.as_str());
    let name = asker.fresh();
    project::entity(kind, &project.id, &asker.dice.pick(&asker.studio.asset_types).id, &name, parent)
}

fn update(asker: &mut Asker, row: &'static str) -> Question {
    let kind = kind_of(row);
    let (project, _, entity) = one(asker, kind);
    let supervisors: Vec<_> = asker
        .studio
        .people
        .iter()
        .filter(|person| asker.studio.role_in(person, project) == Some("supervisor"))
        .collect();
    let mut close: Vec<_> = entity.creator.iter().collect();
    close.extend(supervisors.iter().map(|person| &person.id));
    let subject = asker.subject(project, &close);
    let (field, value) = match asker.dice.below(5) {
        0 => ("name".to_owned(), json!(entity.name)),
        1 => ("description".to_owned(), json!("as it was")),
        2 => ("canceled".to_owned(), json!(false)),
        _ => (format!("data.{}", metadata(asker, project, kind)), json!("grey")),
    };
    let body: Value = match field.strip_prefix("data.") {
        Some(name) => json!({ "data": { name: value } }),
        None => json!({ field.as_str(): value }),
    };
    let call = Call::put(format!("/data/entities/{}", entity.id), body);
    Question::new(row, subject, &entity.id, call).field(&field).value(value).lane(project)
}

/// The name of a metadata field: mostly one of this kind, sometimes another kind's, sometimes of none.
fn metadata(asker: &mut Asker, project: &Project, kind: &str) -> String {
    let own: Vec<_> = project.descriptors.iter().filter(|row| row.entity_type == title(kind)).collect();
    match asker.dice.below(10) {
        0 => "unheard_of".to_owned(),
        1..9 if !own.is_empty() => asker.dice.pick(&own).field.clone(),
        _ => asker.dice.pick(&project.descriptors).field.clone(),
    }
}

fn delete(asker: &mut Asker, row: &'static str) -> Question {
    let kind = kind_of(row);
    let project = asker.project();
    let subject = asker.subject(project, &[]);
    let creator = match asker.dice.below(10) {
        0..5 => Some(subject.id.clone()),
        5 => None,
        _ => Some(project::somebody(&mut asker.dice, project)),
    };
    let make = new_entity(asker, project, kind);
    let hole = is_hole(asker, kind, project, subject, creator.as_ref());
    Question::new(row, subject, "", Call::delete(format!("/data/{kind}s/{{id}}")))
        .victim(vec![make])
        .made_by("entity", creator)
        .hole(hole, subject)
        .lane(project)
}

/// A creator need not be in the team; and for sequences the test is upside down.
fn is_hole(asker: &Asker, kind: &str, project: &Project, subject: &Person, creator: Option<&String>) -> bool {
    let is_creator = creator == Some(&subject.id);
    let lets_through =
        if kind == "sequence" { !is_creator } else { is_creator && !project.team.contains_key(&subject.id) };
    lets_through && !asker.studio.manages(subject, project)
}
