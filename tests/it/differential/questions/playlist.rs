//! Questions about playlists and metadata descriptors.

use serde_json::json;

use super::super::{
    studio::{Descriptor, Person, Playlist, Project, project},
    zou::Call,
};
use super::{Asker, Maker, Question};

pub(crate) const ROWS: &[(&str, usize, Maker)] = &[
    ("playlist.create", 2, create),
    ("playlist.read", 2, read),
    ("playlist.download", 2, download),
    ("playlist.update", 2, update),
    ("playlist.delete", 2, delete),
    ("metadata_descriptor.create", 2, create_descriptor),
    ("metadata_descriptor.update", 2, update_descriptor),
    ("metadata_descriptor.delete", 2, delete_descriptor),
];

fn one<'a>(asker: &mut Asker<'a>) -> (&'a Project, &'a Playlist, &'a Person) {
    let project = asker.project();
    let list = asker.dice.pick(&project.playlists);
    let close: Vec<_> = list.creator.iter().collect();
    let subject = asker.subject(project, &close);
    (project, list, subject)
}

fn create(asker: &mut Asker, row: &'static str) -> Question {
    let project = asker.project();
    let subject = asker.subject(project, &[]);
    let for_client = asker.dice.percent(50);
    let call = project::new_playlist(&project.id, &asker.fresh(), for_client);
    Question::new(row, subject, "", call)
        .property("for_client", for_client)
        .within(project)
        .undo(Call::delete("/data/playlists/{id}"))
}

fn read(asker: &mut Asker, row: &'static str) -> Question {
    let (project, list, subject) = one(asker);
    let call = Call::get(format!("/data/projects/{}/playlists/{}", project.id, list.id));
    Question::new(row, subject, &list.id, call).lane(project)
}

fn download(asker: &mut Asker, row: &'static str) -> Question {
    let (project, list, subject) = one(asker);
    let call = Call::get(format!("/data/playlists/{}/download/zip", list.id));
    Question::new(row, subject, &list.id, call).lane(project)
}

fn update(asker: &mut Asker, row: &'static str) -> Question {
    let (project, list, subject) = one(asker);
    let call = Call::put(format!("/data/playlists/{}", list.id), json!({ "name": list.name }));
    Question::new(row, subject, &list.id, call).field("name").value(list.name.as_str()).lane(project)
}

fn delete(asker: &mut Asker, row: &'static str) -> Question {
    let project = asker.project();
    let subject = asker.subject(project, &[]);
    let creator = match asker.dice.below(10) {
        0..5 => Some(subject.id.clone()),
        5..7 => None,
        _ => Some(project::somebody(&mut asker.dice, project)),
    };
    let make = project::new_playlist(&project.id, &asker.fresh(), false);
    Question::new(row, subject, "", Call::delete("/data/playlists/{id}"))
        .victim(vec![make])
        .made_by("playlist", creator)
        .lane(project)
}

/// Supervisors more often: the others' rule is simple.
fn supervisor<'a>(asker: &mut Asker<'a>, project: &Project) -> &'a Person {
    let studio = asker.studio;
    let close: Vec<_> = studio
        .people
        .iter()
        .filter(|person| studio.role_in(person, project) == Some("supervisor"))
        .map(|person| &person.id)
        .collect();
    asker.subject(project, &close)
}

/// One that does not exist, its departments often those of the subject and one more.
fn descriptor(asker: &mut Asker, subject: &Person) -> Descriptor {
    let mut departments = if asker.dice.percent(60) { subject.departments.clone() } else { Vec::new() };
    let extra = asker.dice.below(2);
    let more = asker.dice.some(&asker.studio.departments, extra);
    departments.extend(more.into_iter().map(|department| department.id));
    departments.sort_unstable();
    departments.dedup();
    let name = asker.fresh();
    Descriptor { id: String::new(), field: name.replace(' ', "_"), name, entity_type: "Shot", departments }
}

fn create_descriptor(asker: &mut Asker, row: &'static str) -> Question {
    let project = asker.project();
    let subject = supervisor(asker, project);
    let new = descriptor(asker, subject);
    Question::new(row, subject, "", project::new_descriptor(&project.id, &new))
        .property("entity_type", new.entity_type)
        .property("departments", json!(new.departments))
        .within(project)
        .undo(Call::delete(format!("/data/projects/{}/metadata-descriptors/{{id}}", project.id)))
}

/// An update without the departments would empty them.
fn update_descriptor(asker: &mut Asker, row: &'static str) -> Question {
    let project = asker.project();
    let subject = supervisor(asker, project);
    let old = asker.dice.pick(&project.descriptors);
    let body = json!({ "name": old.name, "departments": old.departments, "for_client": old.departments.is_empty() });
    let call = Call::put(format!("/data/projects/{}/metadata-descriptors/{}", project.id, old.id), body);
    Question::new(row, subject, &old.id, call).lane(project)
}

fn delete_descriptor(asker: &mut Asker, row: &'static str) -> Question {
    let project = asker.project();
    let subject = supervisor(asker, project);
    let make = project::new_descriptor(&project.id, &descriptor(asker, subject));
    let call = Call::delete(format!("/data/projects/{}/metadata-descriptors/{{id}}", project.id));
    Question::new(row, subject, "", call).victim(vec![make]).lane(project)
}
