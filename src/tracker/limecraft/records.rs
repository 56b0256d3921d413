//! From what a connector writes to records of the mirror.

use rustc_hash::FxHashMap;

use super::wire::{Action, Actions, Member, Production, Role, Team, User};
use crate::model::change::Change;
use crate::model::id::{Id, Str};
use crate::model::record::{self, Record};
use crate::model::value::Value;

/// The state in which an invitation makes a member (`limecraft.md` 3.3).
const ACCEPTED: &str = "ACCEPTED";

/// An id as the mirror has it.
pub(super) fn id(id: i64) -> Id {
    Id::from(text(id).as_str())
}

fn text(number: i64) -> Str {
    compact_str::format_compact!("{number}")
}

fn ids(ids: &[i64]) -> Value {
    Value::List(ids.iter().map(|id| Value::Text(text(*id))).collect())
}

fn names(names: &[String]) -> Value {
    Value::texts(names.iter().map(String::as_str))
}

/// A number that filters compare with numbers.
#[expect(clippy::cast_precision_loss, reason = "as every reader of JSON has it")]
pub(super) fn number(number: Option<i64>) -> Value {
    number.map_or(Value::Null, |number| Value::Number(number as f64))
}

/// A person.
pub(super) fn person(user: &User) -> Record {
    let User { id, name, login, email, active } = user;
    let name = [name, login, email].into_iter().flatten().find(|name| !name.is_empty());
    let id = text(*id);
    Record::new("person", &id)
        .named(name.map_or(id.as_str(), String::as_str))
        .with("login", login.as_deref())
        .with("email", email.as_deref())
        .with("active", *active)
}

/// The production itself.
pub(super) fn production(of: &Production) -> Record {
    let Production { id, name, account_id, status, roles: _, members: _, actions: _ } = of;
    Record::new("production", &text(*id))
        .named(name)
        .with("status", Value::text(status.name()))
        .with("account_id", number(*account_id))
}

/// All that lies in a production, itself and its members included.
pub(super) fn of_production(of: &Production) -> Vec<Change> {
    let mut changes = vec![Change::Upsert(production(of))];
    changes.extend(of.roles.iter().map(|role| Change::Upsert(self::role(of.id, role))));
    changes.extend(actions(of.id, &of.actions).into_iter().map(Change::Upsert));
    changes.push(Change::Team { project: id(of.id), members: of.members.iter().filter_map(member).collect() });
    changes
}

/// A role of a production.
pub(super) fn role(production: i64, role: &Role) -> Record {
    let Role { id, name, rights } = role;
    Record::new("role", &text(*id)).named(name).in_project(&text(production)).with("rights", names(rights))
}

/// A member; `None` for one who is invited and no more.
pub(super) fn member(member: &Member) -> Option<record::Member> {
    let Member { user_id, state, role_ids, extra_rights } = member;
    (state == ACCEPTED).then(|| record::Member {
        person: id(*user_id),
        role: None,
        roles: role_ids.iter().map(|role| id(*role)).collect(),
        rights: extra_rights.iter().map(Str::from).collect(),
    })
}

/// Whether the person is in the production.
pub(super) fn is_member(member: &Member) -> bool {
    member.state == ACCEPTED
}

/// A team.
pub(super) fn team(team: &Team) -> Record {
    let Team { id, name, account_id, user_ids, rights, production_ids } = team;
    Record::new("team", &text(*id))
        .named(name.as_deref().unwrap_or_default())
        .with("account_id", number(*account_id))
        .with("users", ids(user_ids))
        .with("productions", ids(production_ids))
        .with("rights", names(rights))
}

/// A right, by its name.
pub(super) fn right(name: &str) -> Record {
    Record::new("right", name).named(name)
}

/// An editorial object or annotation.
pub(super) fn object(kind: &str, production: i64, id: i64, attributes: Value) -> Record {
    let id = text(id);
    let name = ["title", "label"].into_iter().find_map(|key| attributes.get(key)?.as_text());
    let record = Record::new(kind, &id).named(name.unwrap_or(&id)).in_project(&text(production));
    record.with("attributes", attributes)
}

/// The actions of a production: `<production>/<kind>/<name>`.
pub(super) fn actions(production: i64, actions: &Actions) -> Vec<Record> {
    let Actions { production_actions, clip_actions, eo_actions } = actions;
    let lists = [("production", production_actions), ("annotation", clip_actions), ("eo", eo_actions)];
    let mut records = Vec::new();
    for (kind, list) in lists {
        let given = |id: &Option<String>| id.clone().filter(|id| !id.is_empty());
        // A given id is that action's alone, wherever in the list a label says the same.
        let mut taken: FxHashMap<String, u32> =
            list.iter().filter_map(|action| given(&action.id)).map(|id| (id, 1)).collect();
        for (order, action) in list.iter().enumerate() {
            let Action { id, label, required_rights, filters, required_roles, operator: _ } = action;
            let name = given(id).unwrap_or_else(|| unique(label.as_deref().unwrap_or_default(), &mut taken));
            let order = u32::try_from(order).unwrap_or(u32::MAX);
            let production = text(production);
            records.push(
                Record::new("action", &format!("{production}/{kind}/{name}"))
                    .named(label.as_deref().unwrap_or(&name))
                    .in_project(&production)
                    .with("of", Value::text(kind))
                    .with("action", Value::text(&name))
                    .with("order", Value::Number(f64::from(order)))
                    .with("required_rights", required_rights.clone())
                    .with("filters", filters.clone())
                    .with("required_roles", required_roles.clone()),
            );
        }
    }
    records
}

/// The name, or the name and the number of its standing where it is taken: `Export`, `Export#2`.
fn unique(name: &str, taken: &mut FxHashMap<String, u32>) -> String {
    let mut number = taken.get(name).copied().unwrap_or_default();
    let free = loop {
        number = number.saturating_add(1);
        let free = if number == 1 && !name.is_empty() { name.to_owned() } else { format!("{name}#{number}") };
        if number == u32::MAX || free == name || !taken.contains_key(&free) {
            break free;
        }
    };
    taken.insert(free.clone(), 1);
    taken.insert(name.to_owned(), number);
    free
}
