//! From the wire's records to those of the mirror, checked against the kinds of the policy in force.

use prost_types::value::Kind;
use prost_types::{Struct, Value as WireValue};

use crate::model::change::Change;
use crate::model::id::{Id, ObjectRef, Str};
use crate::model::record::{Member, Record};
use crate::model::schema::{KindDef, Schema};
use crate::model::value::Value;
use crate::proto::ingest_v1 as wire;
use crate::yaml::suggestion;

/// How many complaints about one message are told.
const TOLD: usize = 20;
/// The longest id, name or role, in bytes.
const LONGEST: usize = 1_000;
/// How deep the values of a field may be nested.
const DEEPEST: usize = 32;

/// What records may speak of.
#[derive(Debug)]
pub(super) struct Reader<'w> {
    pub(super) schema: &'w Schema,
    pub(super) roles: &'w [Str],
    pub(super) problems: Vec<String>,
}

// === impl Reader ===

impl Reader<'_> {
    /// The changes; where there are problems, not all of them.
    pub(super) fn changes(&mut self, changes: wire::Changes) -> Vec<Change> {
        let list = changes.changes.into_iter().enumerate();
        list.filter_map(|(at, change)| {
            let place = format!("changes[{at}]");
            match change.change {
                Some(change) => self.change(&place, change),
                None => self.complain(&place, "a change says one of upsert, remove, team, join and leave"),
            }
        })
        .collect()
    }

    fn change(&mut self, place: &str, change: wire::change::Change) -> Option<Change> {
        use wire::change::Change as Wire;
        match change {
            Wire::Upsert(record) => self.record(&format!("{place}.upsert"), record).map(Change::Upsert),
            Wire::Remove(wire::Object { kind, id }) => {
                let place = format!("{place}.remove");
                self.kind(&place, &kind)?;
                let id = self.id(&place, "id", &id)?;
                Some(Change::Remove(ObjectRef { kind: Str::from(kind), id }))
            }
            Wire::Team(wire::Team { project, members }) => {
                let place = format!("{place}.team");
                let project = self.id(&place, "project", &project)?;
                let members = members.into_iter().enumerate();
                let members =
                    members.filter_map(|(at, member)| self.member(&format!("{place}.members[{at}]"), member)).collect();
                Some(Change::Team { project, members })
            }
            Wire::Join(wire::Join { project, member }) => {
                let place = format!("{place}.join");
                let project = self.id(&place, "project", &project);
                let member = self.member(&format!("{place}.member"), member.unwrap_or_default());
                Some(Change::Join { project: project?, member: member? })
            }
            Wire::Leave(wire::Leave { project, person }) => {
                let place = format!("{place}.leave");
                let (project, person) = (self.id(&place, "project", &project), self.id(&place, "person", &person));
                Some(Change::Leave { project: project?, person: person? })
            }
        }
    }

    fn record(&mut self, place: &str, record: wire::Record) -> Option<Record> {
        let wire::Record { kind, id, project, name, fields } = record;
        let def = self.kind(place, &kind);
        let id = self.id(place, "id", &id);
        let project =
            if project.is_empty() { Ok(None) } else { self.id(place, "project", &project).map(Some).ok_or(()) };
        self.short(place, "name", &name);
        let (def, id, project) = (def?, id?, project.ok()?);
        let mut record = Record { project, name: Str::from(name), id, ..Record::new(&kind, "") };
        let mut given = fields.unwrap_or_default().fields;
        for field in &def.fields {
            let place = format!("{place}.fields.{}", field.name);
            let value = match given.remove(field.name.as_str()) {
                Some(value) => self.value(&place, value, DEEPEST)?,
                None => Value::Null,
            };
            if field.target.is_some() && !is_reference(&value) {
                self.complain::<()>(&place, "it refers to objects: give an id as a text, or a list of such");
            }
            record.fields.push((field.name.clone(), value));
        }
        for name in given.keys() {
            let hint = suggestion(name, def.fields.iter().map(|field| field.name.as_str()));
            self.complain::<()>(place, &format!("no {} has a field `{name}`{hint}", def.name));
        }
        Some(record)
    }

    fn member(&mut self, place: &str, member: wire::Member) -> Option<Member> {
        let wire::Member { person, role, roles, rights } = member;
        let person = self.id(place, "person", &person);
        if !role.is_empty() && !self.roles.iter().any(|known| *known == role) {
            let hint = suggestion(&role, self.roles.iter().map(Str::as_str));
            self.complain::<()>(place, &format!("there is no role `{role}`{hint}"));
        }
        let roles: Option<Vec<Id>> = roles.iter().map(|role| self.id(place, "roles", role)).collect();
        rights.iter().for_each(|right| self.short(place, "rights", right));
        let role = Some(Str::from(role)).filter(|role| !role.is_empty());
        Some(Member { person: person?, role, roles: roles?, rights: rights.into_iter().map(Str::from).collect() })
    }

    fn kind(&mut self, place: &str, name: &str) -> Option<KindDef> {
        let found = self.schema.kind_no(name).and_then(|no| self.schema.kind(self.schema.table_of(no)));
        if let Some(def) = found {
            return Some(def.clone());
        }
        let hint = suggestion(name, self.schema.kinds.iter().map(|kind| kind.name.as_str()));
        self.complain(place, &format!("there is no kind `{name}`{hint}"))
    }

    fn id(&mut self, place: &str, what: &str, id: &str) -> Option<Id> {
        if id.is_empty() {
            return self.complain(place, &format!("`{what}` is empty"));
        }
        self.short(place, what, id);
        Some(Id::from(id))
    }

    fn short(&mut self, place: &str, what: &str, text: &str) {
        if text.len() > LONGEST {
            let message = format!("`{what}` has {} bytes; at most {LONGEST} are accepted", text.len());
            self.complain::<()>(place, &message);
        }
    }

    fn value(&mut self, place: &str, value: WireValue, deeper: usize) -> Option<Value> {
        let Some(left) = deeper.checked_sub(1) else {
            return self.complain(place, &format!("more than {DEEPEST} values are nested in each other"));
        };
        Some(match value.kind {
            None | Some(Kind::NullValue(_)) => Value::Null,
            Some(Kind::BoolValue(value)) => Value::Bool(value),
            Some(Kind::NumberValue(value)) if value.is_finite() => Value::Number(value),
            Some(Kind::NumberValue(_)) => return self.complain(place, "a number must be finite"),
            Some(Kind::StringValue(text)) => Value::text(&text),
            Some(Kind::ListValue(list)) => {
                let values = list.values.into_iter().map(|value| self.value(place, value, left));
                Value::List(values.collect::<Option<_>>()?)
            }
            Some(Kind::StructValue(Struct { fields })) => {
                let entries =
                    fields.into_iter().map(|(key, value)| Some((Str::from(key), self.value(place, value, left)?)));
                Value::Map(entries.collect::<Option<_>>()?)
            }
        })
    }

    fn complain<T>(&mut self, place: &str, message: &str) -> Option<T> {
        if self.problems.len() < TOLD {
            self.problems.push(format!("{place}: {message}"));
        }
        None
    }
}

fn is_reference(value: &Value) -> bool {
    match value {
        Value::Null | Value::Text(_) => true,
        Value::List(values) => values.iter().all(|value| matches!(value, Value::Text(_))),
        Value::Bool(_) | Value::Number(_) | Value::Map(_) => false,
    }
}
