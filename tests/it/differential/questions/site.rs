//! Questions about people, about what the whole site shares, and about its log of events.

use serde_json::{Value, json};

use super::super::{studio::Person, zou::Call};
use super::{Asker, Maker, Question, Sign};

pub(crate) const ROWS: &[(&str, usize, Maker)] = &[
    ("person.read", 2, read_person),
    ("person.create", 1, create_person),
    ("person.update", 4, update_person),
    ("person.delete", 2, delete_person),
    ("department.read", 1, read),
    ("department.create", 1, create),
    ("department.update", 1, update),
    ("department.delete", 1, delete),
    ("studio.read", 1, read),
    ("studio.create", 1, create),
    ("studio.update", 1, update),
    ("studio.delete", 1, delete),
    ("task_type.read", 1, read),
    ("task_type.create", 1, create),
    ("task_type.update", 1, update),
    ("task_type.delete", 1, delete),
    ("task_status.read", 1, read),
    ("task_status.create", 1, create),
    ("task_status.update", 1, update),
    ("task_status.delete", 1, delete),
    ("entity_type.read", 1, read),
    ("entity_type.create", 1, create),
    ("entity_type.update", 1, update),
    ("entity_type.delete", 1, delete),
    ("custom_action.read", 1, list_actions),
    ("custom_action.create", 1, create),
    ("custom_action.update", 1, update),
    ("custom_action.delete", 1, delete),
    ("event.read", 3, read_events),
];

fn read_person(asker: &mut Asker, row: &'static str) -> Question {
    let clients: Vec<_> = asker.studio.people.iter().filter(|person| person.role == "client").collect();
    let subject = if asker.dice.percent(60) { *asker.dice.pick(&clients) } else { asker.anybody() };
    let person = asker.dice.pick(&asker.studio.people);
    Question::new(row, subject, &person.id, Call::get(format!("/data/persons/{}", person.id)))
}

fn sheet(asker: &mut Asker) -> Value {
    let name = asker.fresh();
    let email = format!("{}@example.com", name.replace(' ', "."));
    json!({ "first_name": name, "last_name": "Passer", "email": email, "role": "user" })
}

fn create_person(asker: &mut Asker, row: &'static str) -> Question {
    let subject = asker.anybody();
    Question::new(row, subject, "", Call::post("/data/persons", sheet(asker))).undo(Call::delete("/data/persons/{id}"))
}

/// Half of them about oneself: zou takes such a request and leaves out what one may not change.
fn update_person(asker: &mut Asker, row: &'static str) -> Question {
    let subject = asker.anybody();
    let person = if asker.dice.percent(50) { subject } else { asker.dice.pick(&asker.studio.people) };
    let (field, value, before) = change(asker, person);
    let path = format!("/data/persons/{}", person.id);
    Question::new(row, subject, &person.id, Call::put(&path, json!({ field: value })))
        .field(field)
        .value(value.clone())
        .sign(Sign::Kept(field.to_owned(), value))
        .undo(Call::put(path, json!({ field: before })))
}

/// A field, another value for it, and the one it has.
fn change(asker: &mut Asker, person: &Person) -> (&'static str, Value, Value) {
    match asker.dice.below(10) {
        0 | 1 => ("phone", json!("00 00"), json!("")),
        2 => ("position", json!("lead"), json!("artist")),
        3 => {
            let role = if person.role == "user" { "manager" } else { "user" };
            ("role", json!(role), json!(person.role))
        }
        4 | 5 => {
            let unlike = |id: &&String| !person.departments.contains(id);
            let other = asker.studio.departments.iter().map(|department| &department.id).find(unlike);
            ("departments", json!([other]), json!(person.departments))
        }
        6 => ("active", json!(!person.active), json!(person.active)),
        7 => ("is_bot", json!(!person.is_bot), json!(person.is_bot)),
        8 => ("archived", json!(true), json!(false)),
        _ => {
            let other = asker
                .studio
                .companies
                .iter()
                .map(|company| &company.id)
                .find(|id| person.company.as_ref() != Some(*id));
            ("studio_id", json!(other), json!(person.company))
        }
    }
}

fn delete_person(asker: &mut Asker, row: &'static str) -> Question {
    let subject = asker.anybody();
    if asker.dice.percent(25) {
        return Question::new(row, subject, &subject.id, Call::delete(format!("/data/persons/{}", subject.id)));
    }
    let make = Call::post("/data/persons", sheet(asker));
    Question::new(row, subject, "", Call::delete("/data/persons/{id}")).victim(vec![make])
}

/// The route of a kind, and the body that makes one.
fn shared(row: &str, name: &str) -> (&'static str, Value) {
    match row.split_once('.').expect("kind.action").0 {
        "department" => ("/data/departments", json!({ "name": name, "color": "#000000" })),
        "studio" => ("/data/studios", json!({ "name": name, "color": "#000000" })),
        "task_type" => ("/data/task-types", json!({ "name": name, "for_entity": "Asset", "color": "#000000" })),
        "task_status" => {
            let short = name.replace("fresh", "").replace(' ', "");
            ("/data/task-status", json!({ "name": name, "short_name": short, "color": "#000000" }))
        }
        "entity_type" => ("/data/entity-types", json!({ "name": name })),
        _ => ("/data/custom-actions", json!({ "name": name, "url": "http://127.0.0.1/" })),
    }
}

/// One that there is: id and name.
fn one(asker: &mut Asker, row: &str) -> (String, String) {
    let named = match row.split_once('.').expect("kind.action").0 {
        "department" => &asker.studio.departments,
        "studio" => &asker.studio.companies,
        "task_status" => &asker.studio.statuses,
        "entity_type" => &asker.studio.asset_types,
        "task_type" => {
            let kind = asker.dice.pick(&asker.studio.task_types);
            return (kind.id.clone(), kind.name.clone());
        }
        _ => &asker.studio.custom_actions,
    };
    let row = asker.dice.pick(named);
    (row.id.clone(), row.name.clone())
}

fn read(asker: &mut Asker, row: &'static str) -> Question {
    let subject = asker.anybody();
    let (id, _) = one(asker, row);
    let (path, _) = shared(row, "");
    Question::new(row, subject, &id, Call::get(format!("{path}/{id}")))
}

fn create(asker: &mut Asker, row: &'static str) -> Question {
    let subject = asker.anybody();
    let (path, body) = shared(row, &asker.fresh());
    Question::new(row, subject, "", Call::post(path, body)).undo(Call::delete(format!("{path}/{{id}}")))
}

fn update(asker: &mut Asker, row: &'static str) -> Question {
    let subject = asker.anybody();
    let (id, name) = one(asker, row);
    let (path, _) = shared(row, "");
    let call = Call::put(format!("{path}/{id}"), json!({ "name": name }));
    Question::new(row, subject, &id, call).field("name").value(name)
}

fn delete(asker: &mut Asker, row: &'static str) -> Question {
    let subject = asker.anybody();
    let (path, body) = shared(row, &asker.fresh());
    Question::new(row, subject, "", Call::delete(format!("{path}/{{id}}"))).victim(vec![Call::post(path, body)])
}

fn list_actions(asker: &mut Asker, row: &'static str) -> Question {
    let vendors: Vec<_> = asker.studio.people.iter().filter(|person| person.role == "vendor").collect();
    let subject = if asker.dice.percent(35) { *asker.dice.pick(&vendors) } else { asker.anybody() };
    Question::new(row, subject, "", Call::get("/data/custom-actions"))
}

fn read_events(asker: &mut Asker, row: &'static str) -> Question {
    let project = asker.project();
    let managers: Vec<_> = asker
        .studio
        .people
        .iter()
        .filter(|person| person.role == "manager" || asker.studio.manages(person, project))
        .map(|person| &person.id)
        .collect();
    let subject = asker.subject(project, &managers);
    if asker.dice.percent(35) {
        return Question::new(row, subject, "", Call::get("/data/events/last?limit=1"));
    }
    let call = Call::get(format!("/data/events/last?limit=1&project_id={}", project.id));
    Question::new(row, subject, "", call).within(project)
}
