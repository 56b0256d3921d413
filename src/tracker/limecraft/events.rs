//! Reads pushed events and applies them, each touching no more than it must: the table of `limecraft.md` 4.3.

use rustc_hash::FxHashSet;
use serde::Deserialize;

use super::document::{Complaints, check_member, check_role, check_team, warn_operators};
use super::place::{Path, Problem, told_by_serde};
use super::records::{self, id};
use super::wire::{Actions, Attributes, Event, Member, Only, Production, ProductionPatch, Role, Settings, Team, User};
use crate::model::change::Change;
use crate::model::id::{Id, ObjectRef, Str};
use crate::model::record::Record;
use crate::model::value::Value;
use crate::tracker::ingest::feed::{Push, Refused, Step};

/// The largest request with events, in bytes.
pub const MAX_BYTES: usize = 1024 * 1024;
/// The longest id of an event, in bytes.
const LONGEST_ID: usize = 200;

/// Applies a JSON array of events; an empty one says that nothing has changed.
///
/// # Errors
/// Where one of them cannot be read, does not fit to what is held, or does not follow the last. Nothing is applied then.
pub fn apply(push: &mut Push<'_>, text: &str) -> Result<(), Refused> {
    let events: Vec<Event<'_>> =
        serde_json::from_str(text).map_err(|error| Refused::Invalid(vec![told_by_serde(text, &error)]))?;
    if events.is_empty() {
        return push.heartbeat();
    }
    for (at, event) in events.iter().enumerate() {
        if event.id.is_empty() || event.id.len() > LONGEST_ID {
            let path = Path::root().at(at).key("id");
            let message = format!("an event's id has between 1 and {LONGEST_ID} bytes");
            return Err(Refused::Invalid(super::place::told(text, vec![Problem { path, message }])));
        }
        if push.step(&event.id, event.revision)? == Step::Replay {
            continue;
        }
        let mut one =
            One { push: &mut *push, event, text, path: Path::root().at(at), complaints: Complaints::default() };
        match one.apply() {
            Ok(()) if one.complaints.list.is_empty() => {}
            Ok(()) => return Err(Refused::Invalid(one.complaints.told(text))),
            Err(complaint) => return Err(Refused::Invalid(vec![complaint])),
        }
    }
    Ok(())
}

/// One event on its way into the state.
struct One<'a, 's, 't> {
    push: &'a mut Push<'s>,
    event: &'a Event<'t>,
    text: &'t str,
    path: Path,
    complaints: Complaints,
}

impl<'t> One<'_, '_, 't> {
    fn apply(&mut self) -> Result<(), String> {
        match self.event.kind.as_str() {
            "Team.add" | "x.member.update" => self.member(),
            "Team.remove" => self.leave(),
            "x.role.upsert" => self.role(),
            "x.role.delete" => self.no_role(),
            "x.team.upsert" | "AccountTeam.add" | "AccountTeam.remove" => self.team(),
            "x.team.delete" => self.no_team(),
            "Production.update" | "Production.move" => self.patch(),
            "Production.create" | "Production.restore" => self.production(),
            "Production.delete" => self.no_production(),
            "x.settings.update" => {
                let Settings { actions } = self.object()?;
                self.actions(&actions)
            }
            "x.user.upsert" => self.user(),
            "x.eo.update" => self.attributes("eo"),
            "x.annotation.update" => self.attributes("annotation"),
            "x.eo.delete" => self.no_object("eo"),
            "x.annotation.delete" => self.no_object("annotation"),
            // These names are ours: a misspelt one is not another's event that bears on nothing.
            kind if kind.starts_with("x.") => {
                self.complaints.add(self.path.key("type"), format!("there is no event type `{kind}`"));
                Ok(())
            }
            _ => {
                self.push.ignore();
                Ok(())
            }
        }
    }

    fn member(&mut self) -> Result<(), String> {
        let Some(member) = self.optional::<Member>()? else { return self.leave() };
        let production = self.held_production()?;
        if self.event.user_id.is_some_and(|user| user != member.user_id) {
            return self.refuse("object", "its `user_id` is not that of the event");
        }
        let path = self.path.key("object");
        let store = self.push.store();
        let place = id(production);
        let is_user = |user| store.record("person", &id(user)).is_some();
        let is_role = |role| store.record("role", &id(role)).is_some_and(|role| role.project.as_ref() == Some(&place));
        check_member(&member, &path, is_user, is_role, &mut self.complaints);
        if !self.complaints.list.is_empty() {
            return Ok(());
        }
        match records::member(&member) {
            Some(joined) => {
                self.rights(&member.extra_rights);
                self.push.change(Change::Join { project: id(production), member: joined });
            }
            None => self.push.change(Change::Leave { project: id(production), person: id(member.user_id) }),
        }
        Ok(())
    }

    fn leave(&mut self) -> Result<(), String> {
        let production = self.held_production()?;
        let Some(user) = self.event.user_id else { return self.refuse("", "`user_id` is needed: who has left") };
        self.push.change(Change::Leave { project: id(production), person: id(user) });
        Ok(())
    }

    fn role(&mut self) -> Result<(), String> {
        let role: Role = self.object()?;
        let production = self.held_production()?;
        check_role(&role, &self.path.key("object"), &mut self.complaints);
        let held = self.push.store().record("role", &id(role.id)).and_then(|held| held.project.clone());
        if held.is_some_and(|project| project != id(production)) {
            return self.refuse("object", format!("the role {} belongs to another production", role.id));
        }
        self.rights(&role.rights);
        self.push.change(Change::Upsert(records::role(production, &role)));
        Ok(())
    }

    /// Whoever has the role has it no more.
    fn no_role(&mut self) -> Result<(), String> {
        let Only { id: role } = self.object()?;
        let production = id(self.held_production()?);
        let role = id(role);
        let held = self.push.store().record("role", &role).and_then(|held| held.project.as_ref());
        if held.is_some_and(|project| *project != production) {
            return self.refuse("object", format!("the role {role} belongs to another production"));
        }
        let team = self.push.store().team(&production).into_iter().flatten();
        let without: Vec<Change> = team
            .filter(|(_, member)| member.roles.contains(&role))
            .map(|(_, member)| {
                let mut member = member.clone();
                member.roles.retain(|other| *other != role);
                Change::Join { project: production.clone(), member }
            })
            .collect();
        without.into_iter().for_each(|change| self.push.change(change));
        self.remove("role", role);
        Ok(())
    }

    fn team(&mut self) -> Result<(), String> {
        let team: Team = self.object()?;
        let path = self.path.key("object");
        let store = self.push.store();
        let known =
            (|user| store.record("person", &id(user)).is_some(), |of| store.record("production", &id(of)).is_some());
        check_team(&team, &path, known, &mut self.complaints);
        self.rights(&team.rights);
        self.push.change(Change::Upsert(records::team(&team)));
        Ok(())
    }

    fn no_team(&mut self) -> Result<(), String> {
        let Only { id: team } = self.object()?;
        self.remove("team", id(team));
        Ok(())
    }

    fn patch(&mut self) -> Result<(), String> {
        let ProductionPatch { name, status, account_id, actions } = self.object()?;
        let production = self.held_production()?;
        if let Some(mut record) = self.push.store().record("production", &id(production)).cloned() {
            if let Some(name) = &name {
                self.complaints.text(&self.path.key("object").key("name"), "name", Some(name));
                record.name = Str::from(name);
            }
            set(&mut record, "status", status.map(|status| Value::text(status.name())));
            set(&mut record, "account_id", account_id.map(|id| records::number(Some(id))));
            self.push.change(Change::Upsert(record));
        }
        actions.map_or(Ok(()), |actions| self.actions(&actions))
    }

    fn production(&mut self) -> Result<(), String> {
        let production: Production = self.object()?;
        if self.event.production_id.is_some_and(|named| named != production.id) {
            return self.refuse("object", "its `id` is not the event's `production_id`");
        }
        let path = self.path.key("object");
        let mut own = FxHashSet::default();
        for (at, role) in production.roles.iter().enumerate() {
            let held = self.push.store().record("role", &id(role.id)).and_then(|held| held.project.as_ref());
            if !own.insert(role.id) || held.is_some_and(|project| *project != id(production.id)) {
                self.complaints.add(path.key("roles").at(at), format!("the role {} stands twice", role.id));
            }
            check_role(role, &path.key("roles").at(at), &mut self.complaints);
        }
        let mut people = FxHashSet::default();
        for (at, member) in production.members.iter().enumerate() {
            let path = path.key("members").at(at);
            if !people.insert(member.user_id) {
                self.complaints.add(path.key("user_id"), format!("the member {} stands twice", member.user_id));
            }
            let store = self.push.store();
            let is_user = |user| store.record("person", &id(user)).is_some();
            check_member(member, &path, is_user, |role| own.contains(&role), &mut self.complaints);
        }
        self.complaints.actions(&path.key("actions"), &production.actions);
        if !self.complaints.list.is_empty() {
            return Ok(());
        }
        warn_operators(production.id, &production.actions);
        let changes = records::of_production(&production);
        let kept: FxHashSet<ObjectRef> = upserts(&changes).map(Record::object).collect();
        self.clear(&id(production.id), |record| {
            record.kind != "eo" && record.kind != "annotation" && !kept.contains(&record.object())
        });
        production.roles.iter().for_each(|role| self.rights(&role.rights));
        production.members.iter().for_each(|member| self.rights(&member.extra_rights));
        changes.into_iter().for_each(|change| self.push.change(change));
        Ok(())
    }

    /// The production and all that lies in it.
    fn no_production(&mut self) -> Result<(), String> {
        let production = id(self.production_id()?);
        self.push.change(Change::Team { project: production.clone(), members: Vec::new() });
        self.clear(&production, |_| true);
        self.remove("production", production);
        Ok(())
    }

    fn actions(&mut self, actions: &Actions) -> Result<(), String> {
        let production = self.held_production()?;
        self.complaints.actions(&self.path.key("object").key("actions"), actions);
        if !self.complaints.list.is_empty() {
            return Ok(());
        }
        warn_operators(production, actions);
        let changes: Vec<Change> = records::actions(production, actions).into_iter().map(Change::Upsert).collect();
        let kept: FxHashSet<ObjectRef> = upserts(&changes).map(Record::object).collect();
        self.clear(&id(production), |record| record.kind == "action" && !kept.contains(&record.object()));
        changes.into_iter().for_each(|change| self.push.change(change));
        Ok(())
    }

    fn user(&mut self) -> Result<(), String> {
        let user: User = self.object()?;
        let path = self.path.key("object");
        self.complaints.text(&path.key("name"), "name", user.name.as_ref());
        self.complaints.text(&path.key("login"), "login", user.login.as_ref());
        self.complaints.text(&path.key("email"), "e-mail address", user.email.as_ref());
        self.push.change(Change::Upsert(records::person(&user)));
        Ok(())
    }

    fn attributes(&mut self, kind: &str) -> Result<(), String> {
        let Attributes { id, attributes } = self.object()?;
        let production = self.held_production()?;
        self.push.change(Change::Upsert(records::object(kind, production, id, attributes)));
        Ok(())
    }

    fn no_object(&mut self, kind: &str) -> Result<(), String> {
        let Only { id: object } = self.object()?;
        self.remove(kind, id(object));
        Ok(())
    }

    fn remove(&mut self, kind: &str, id: Id) {
        self.push.change(Change::Remove(ObjectRef { kind: Str::from(kind), id }));
    }

    /// Removes what lies in the production and is not wanted any more.
    fn clear(&mut self, production: &Id, gone: impl Fn(&Record) -> bool) {
        let gone: Vec<ObjectRef> =
            self.push.store().in_project(production).filter(|record| gone(record)).map(Record::object).collect();
        gone.into_iter().for_each(|object| self.push.change(Change::Remove(object)));
    }

    /// Every right that somebody has is in the catalogue.
    fn rights(&mut self, rights: &[String]) {
        for right in rights {
            if self.push.store().record("right", &Id::from(right.as_str())).is_none() {
                self.push.change(Change::Upsert(records::right(right)));
            }
        }
    }

    fn production_id(&self) -> Result<i64, String> {
        match self.event.production_id {
            Some(production) => Ok(production),
            None => self.refuse("", format!("`{}` needs a `production_id`", self.event.kind)),
        }
    }

    fn held_production(&self) -> Result<i64, String> {
        let production = self.production_id()?;
        if self.push.store().record("production", &id(production)).is_some() {
            return Ok(production);
        }
        let message = format!(
            "there is no production {production}; push `Production.create` with the whole of it, or a snapshot"
        );
        self.refuse("production_id", message)
    }

    fn refuse<T>(&self, key: &'static str, message: impl Into<String>) -> Result<T, String> {
        let path = if key.is_empty() { self.path.clone() } else { self.path.key(key) };
        let problems = vec![Problem { path, message: message.into() }];
        Err(super::place::told(self.text, problems).concat())
    }

    fn object<T: Deserialize<'t>>(&self) -> Result<T, String> {
        match self.optional()? {
            Some(object) => Ok(object),
            None => self.refuse("object", format!("`{}` needs an `object`", self.event.kind)),
        }
    }

    fn optional<T: Deserialize<'t>>(&self) -> Result<Option<T>, String> {
        let Some(raw) = self.event.object else { return Ok(None) };
        serde_json::from_str(raw.get()).map(Some).map_err(|error| {
            // serde counts from where the object begins.
            let said = told_by_serde(raw.get(), &error);
            let message = format!("in the object, {said}");
            self.refuse::<()>("object", message).err().unwrap_or_default()
        })
    }
}

fn upserts(changes: &[Change]) -> impl Iterator<Item = &Record> {
    changes.iter().filter_map(|change| match change {
        Change::Upsert(record) => Some(record),
        _ => None,
    })
}

/// Sets a field that there is, where a value is given.
fn set(record: &mut Record, field: &str, value: Option<Value>) {
    if let Some(value) = value
        && let Some((_, held)) = record.fields.iter_mut().find(|(name, _)| name == field)
    {
        *held = value;
    }
}
