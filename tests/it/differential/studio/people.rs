//! The people of the random studio: every global role, with and without departments, bots, and who has left.

use serde_json::{Value, json};

use super::super::{
    dice::Dice,
    zou::{Call, Zou},
};
use super::{Named, Person, text};

/// Role, in how many departments, in which company, bot, has left.
const STAFF: [(&str, usize, Option<usize>, bool, bool); 41] = [
    ("admin", 0, None, false, false),
    ("admin", 1, Some(0), false, false),
    ("admin", 0, None, true, false),
    ("admin", 0, None, false, true),
    ("manager", 0, None, false, false),
    ("manager", 0, Some(0), false, false),
    ("manager", 1, None, false, false),
    ("manager", 2, None, false, false),
    ("manager", 0, None, true, false),
    ("manager", 0, None, false, true),
    ("supervisor", 0, None, false, false),
    ("supervisor", 0, Some(1), false, false),
    ("supervisor", 1, None, false, false),
    ("supervisor", 1, None, false, false),
    ("supervisor", 2, None, false, false),
    ("supervisor", 3, None, false, false),
    ("supervisor", 0, None, true, false),
    ("user", 0, None, false, false),
    ("user", 0, None, false, false),
    ("user", 1, Some(0), false, false),
    ("user", 1, None, false, false),
    ("user", 1, None, false, false),
    ("user", 2, None, false, false),
    ("user", 2, None, false, false),
    ("user", 1, None, true, false),
    ("user", 1, None, false, true),
    ("client", 0, Some(0), false, false),
    ("client", 0, Some(0), false, false),
    ("client", 0, Some(1), false, false),
    ("client", 1, Some(1), false, false),
    ("client", 0, None, false, false),
    ("client", 0, None, false, false),
    ("client", 0, Some(0), false, true),
    ("vendor", 0, None, false, false),
    ("vendor", 0, None, false, false),
    ("vendor", 1, None, false, false),
    ("vendor", 1, Some(0), false, false),
    ("vendor", 1, None, false, false),
    ("vendor", 2, None, false, false),
    ("vendor", 0, None, true, false),
    ("vendor", 1, None, false, true),
];

/// Makes them all, active for now, each with a token that does not expire.
pub(crate) async fn hire(
    zou: &Zou,
    dice: &mut Dice,
    tag: &str,
    departments: &[Named],
    companies: &[Named],
) -> Vec<Person> {
    let mut people = Vec::new();
    for (number, (role, count, company, is_bot, has_left)) in STAFF.into_iter().enumerate() {
        let departments = dice.some(departments, count).into_iter().map(|department| department.id).collect();
        people.push(Person {
            id: String::new(),
            name: format!("P{number:02}.{tag} {role}"),
            role,
            departments,
            company: company.map(|place: usize| companies[place].id.clone()),
            active: !has_left,
            is_bot,
            token: String::new(),
        });
    }
    let answers = zou.admin_all(people.iter().map(|person| Call::post("/data/persons", sheet(person))).collect()).await;
    for (person, answer) in people.iter_mut().zip(&answers) {
        person.id = text(answer, "id");
    }
    // A person's departments are set by an update; the same one makes the token.
    let updates = people.iter().map(|person| {
        Call::put(
            format!("/data/persons/{}", person.id),
            json!({ "expiration_date": null, "departments": person.departments }),
        )
    });
    let answers = zou.admin_all(updates.collect()).await;
    for (person, answer) in people.iter_mut().zip(&answers) {
        person.token = text(answer, "access_token");
    }
    people
}

fn sheet(person: &Person) -> Value {
    let (first, last) = person.name.split_once(' ').expect("two names");
    json!({
        "first_name": first,
        "last_name": last,
        "email": format!("{}@example.com", first.to_lowercase()),
        "role": person.role,
        "studio_id": person.company,
        "is_bot": person.is_bot,
        "active": true,
    })
}

/// Those who have left lose their access, once everything that they were part of is there.
pub(crate) async fn dismiss(zou: &Zou, people: &[Person]) {
    let left = people.iter().filter(|person| !person.active);
    let calls = left.map(|person| Call::put(format!("/data/persons/{}", person.id), json!({ "active": false })));
    zou.admin_all(calls.collect()).await;
}
