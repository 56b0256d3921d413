//! From the words of a question to handles of the mirror: who, which rule, on what, where.

pub(super) mod place;

use smallvec::SmallVec;

use self::place::{described_place, place_of, project};
use super::path::Path;
use super::permissions::{NewValue, Permissions};
use super::policy::{Policy, Reach, RoleRights, Rule};
use super::walk::called;
use crate::directory::{Cell, Row, State, View};
use crate::model::change::Dep;
use crate::model::decision::{Decision, Reason, RuleId};
use crate::model::id::{Id, Key, ObjectRef, Str};
use crate::model::query::{Query, Subject};
use crate::model::schema::{BotDef, KindNo};
use crate::model::value::Value;

/// Longer names of fields are decided anew each time: callers make them up, and the cache is bounded by number only.
const LONGEST_FIELD: usize = 64;

/// A question whose words have been found in the mirror and the policy.
#[derive(Debug)]
pub struct Case<'q> {
    pub(super) query: &'q Query<'q>,
    pub(super) subject: Key,
    pub(super) rule_id: RuleId,
    pub(super) rule: &'q Rule,
    /// Where rights come from.
    pub(super) rights: &'q RoleRights,
    /// What the finding of the rule rests on.
    pub(super) found_by: SmallVec<[Dep; 2]>,
    /// The subject's role and the permission page that it is on, where the policy has one.
    pub(super) role: Option<(&'q Permissions, u16)>,
    /// What the question says of the field's new value, as far as rules of that page can look at it.
    pub(super) new_value: NewValue,
    pub(super) kind: KindNo,
    pub(super) resource: Target,
    pub(super) project: Place,
    pub(super) value: Option<&'q Value>,
    pub(super) value_kind: Option<KindNo>,
    pub(super) value_default: Option<&'q Path>,
    /// What the `*` of the rule's field name stands for.
    pub(super) field_tail: &'q str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Target {
    /// An object of the mirror.
    Object(Key),
    /// Nothing that the mirror holds: what is known of it stands in the question.
    Described,
}

/// Where the question plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Project(Key),
    /// In no project.
    Site,
    /// In one that is not known.
    Unknown,
}

/// What came of resolving.
#[derive(Debug)]
pub enum Resolved<'q> {
    Case(Case<'q>),
    /// Already decided, and by what.
    Decided {
        decision: Decision,
        reads: Vec<Dep>,
    },
    /// This has to be read from the tracker first.
    Missing(ObjectRef),
}

/// Why there is no case.
enum Stop {
    Decided { decision: Decision, reads: Vec<Dep> },
    Missing(ObjectRef),
}

impl From<Stop> for Resolved<'_> {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Decided { decision, reads } => Self::Decided { decision, reads },
            Stop::Missing(object) => Self::Missing(object),
        }
    }
}

/// Everything that a cached decision depends on besides the mirror, as typed values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CaseKey {
    subject: Key,
    rule: RuleId,
    resource: Target,
    project: Place,
    value: Option<Key>,
    field: Str,
    new_value: NewValue,
    /// Which of the kinds that the mirror tells of, where they share one.
    word: Str,
}

/// Finds the subject, the rule and the resource of a question. What the caller tells of an object that could be read
/// from the tracker is not looked at: it is missing.
pub fn resolve<'q>(policy: &'q Policy, view: View<'_>, query: &'q Query<'q>) -> Resolved<'q> {
    find(policy, view, query, false).map_or_else(Into::into, Resolved::Case)
}

/// The same where the tracker could not be read: what the caller tells then stands for the record.
pub fn resolve_told<'q>(policy: &'q Policy, view: View<'_>, query: &'q Query<'q>) -> Resolved<'q> {
    find(policy, view, query, true).map_or_else(Into::into, Resolved::Case)
}

fn find<'q>(policy: &'q Policy, view: View<'_>, query: &'q Query<'q>, told: bool) -> Result<Case<'q>, Stop> {
    let subject = subject(view, query.subject)?;
    let unknown_action = || decided(Reason::ActionUnknown, &[]);
    let kind = policy.kind_of(view, query.kind).ok_or_else(unknown_action)?;
    let Some((number, field_tail)) = policy.find_rule(kind, query.action, query.field) else {
        return declared(policy, view, subject, kind, query, told);
    };
    let rule_id = RuleId::Policy(number);
    let found = policy.rule(rule_id).ok_or_else(unknown_action)?;
    let (role, found_by) = match &policy.permissions {
        None => (None, SmallVec::new()),
        Some(page) => {
            if !query.field.is_empty() && !policy.has_field(page, kind, query) {
                return Err(unknown_action());
            }
            let (role, reads) = page.role_of(view, subject);
            (Some((page, role.map_err(|why| decided(why, &reads))?)), reads)
        }
    };
    let (resource, project) = match found.reach {
        Reach::Resource => resource(view, kind, query, told, false)?,
        Reach::Trashed => resource(view, kind, query, told, true)?,
        Reach::Placed => (Target::Described, placed(view, kind, query, role)?),
        // What it will hang on is where the mirror has it, and that must be where it is to be made.
        Reach::Project => match project(view, query) {
            Place::Project(key) if described_place(view, kind, query) == Place::Project(key) => {
                (Target::Described, Place::Project(key))
            }
            _ => return Err(decided(Reason::ResourceUnknown, &[])),
        },
        Reach::Studio => (Target::Described, Place::Site),
        Reach::Site => (
            Target::Described,
            match project(view, query) {
                Place::Unknown => return Err(decided(Reason::ResourceUnknown, &[])),
                place => place,
            },
        ),
    };
    // One object that the tracker has, or none. Of a list each would have to be asked about alone.
    let known = match (&found.value, query.value.as_deref()) {
        (None, _) | (Some(_), None | Some(Value::Null)) => true,
        // One of its steps looks whether it is there.
        (Some(_), Some(Value::Text(_))) if found.stepped => true,
        (Some(value), Some(Value::Text(id))) => {
            let called = called(view, value.kind, id);
            if let Some(odd) = called.iter().find(|key| matches!(view.state(**key), State::Quarantined(_))) {
                return Err(decided(Reason::Quarantined, &[Dep::Node(*odd)]));
            }
            !called.is_empty() && called.iter().all(|key| view.row(*key).is_some())
        }
        (Some(_), Some(_)) => false,
    };
    if !known {
        return Err(decided(Reason::ResourceUnknown, &[]));
    }
    Ok(Case {
        query,
        subject,
        rule_id,
        rule: found,
        rights: &policy.rights,
        found_by,
        role,
        new_value: role
            .map_or(NewValue::Untold, |(page, role)| page.new_value(role, kind, query.field, query.value.as_deref())),
        kind,
        resource,
        project,
        value: query.value.as_deref(),
        value_kind: found.value.as_ref().map(|value| value.kind),
        value_default: found.value.as_ref().and_then(|value| value.default.as_ref()),
        field_tail,
    })
}

/// An action that a record of the resource's project declares.
fn declared<'q>(
    policy: &'q Policy,
    view: View<'_>,
    subject: Key,
    kind: KindNo,
    query: &'q Query<'q>,
    told: bool,
) -> Result<Case<'q>, Stop> {
    let Some(list) = policy.declarations.list else { return Err(decided(Reason::ActionUnknown, &[])) };
    let (resource, project) = resource(view, kind, query, told, false)?;
    let Place::Project(at) = project else { return Err(decided(Reason::ResourceUnknown, &[])) };
    let found_by = Dep::Back(at, list);
    let found = policy.declarations.find(at, kind, query.action);
    let (key, rule) = found.ok_or_else(|| decided(Reason::ActionUnknown, &[found_by]))?;
    Ok(Case {
        query,
        subject,
        rule_id: RuleId::Declared(key),
        rule,
        rights: &policy.rights,
        found_by: SmallVec::from_slice(&[found_by]),
        role: None,
        new_value: NewValue::Untold,
        kind,
        resource,
        project,
        value: None,
        value_kind: None,
        value_default: None,
        field_tail: "",
    })
}

/// Where the resource of a question is, for listing what can be asked there.
pub(super) fn project_of(view: View<'_>, kind: KindNo, query: &Query<'_>) -> Option<Key> {
    match resource(view, kind, query, true, false) {
        Ok((_, Place::Project(project))) => Some(project),
        _ => None,
    }
}

/// The objects that a question names, whether the mirror has heard of them or not: their records may be on the way.
pub fn named(policy: &Policy, query: &Query<'_>) -> Vec<(KindNo, Id)> {
    let mut named = Vec::new();
    let subject = &policy.schema.subject;
    match (query.subject, subject.bot) {
        (Subject::Bot(id), Some(BotDef::Apart(bots))) => named.push((bots, Id::from(id))),
        (Subject::Person(id) | Subject::Bot(id), _) => named.push((subject.kind, Id::from(id))),
        (Subject::Login(_) | Subject::Email(_), _) => {}
    }
    named.extend(query.project.clone().map(|id| (policy.schema.subject.project, id)));
    let other = || policy.schema.others.as_ref().map(|others| others.kind);
    let Some(kind) = policy.kind_no(query.kind).or_else(other) else { return named };
    named.push((kind, query.id.clone()));
    let rule = policy.find_rule(kind, query.action, query.field);
    let rule = rule.and_then(|(number, _)| policy.rule(RuleId::Policy(number)));
    if let (Some(value), Some(id)) = (rule.and_then(|rule| rule.value.as_ref()), query.value_text()) {
        named.push((value.kind, Id::from(id.as_str())));
    }
    named
}

fn decided(code: Reason, reads: &[Dep]) -> Stop {
    Stop::Decided { decision: Decision::deny(code), reads: reads.to_vec() }
}

fn subject(view: View<'_>, subject: Subject<'_>) -> Result<Key, Stop> {
    let schema = view.schema();
    let def = &schema.subject;
    let found = match (subject, def.bot) {
        (Subject::Bot(id), Some(BotDef::Apart(bots))) => view.find(bots, &Id::from(id)),
        (Subject::Person(id) | Subject::Bot(id), _) => view.find(def.kind, &Id::from(id)),
        // A name that several people have tells nobody.
        (Subject::Login(login), _) => view.by_login(login).ok().flatten(),
        (Subject::Email(email), _) => view.by_email(email).ok().flatten(),
    };
    let key = found.ok_or_else(|| decided(Reason::SubjectUnknown, &[]))?;
    let row = record(view, key)?;
    let is_bot = matches!(subject, Subject::Bot(_));
    let (right_kind, acts_as) = match def.bot {
        Some(BotDef::Flag(flag)) => (!is_bot || row.cell(flag) == Cell::Bool(true), Cell::Null),
        Some(BotDef::Kind { kind, person }) if is_bot => (row.kind() == kind, row.cell(person)),
        Some(BotDef::Kind { .. }) => (row.kind() == def.kind, Cell::Null),
        // They have nothing that says whether they are active.
        Some(BotDef::Apart(_)) if is_bot => return Ok(key),
        Some(BotDef::Apart(_)) => (true, Cell::Null),
        None => (!is_bot, Cell::Null),
    };
    if !right_kind {
        return Err(decided(Reason::SubjectUnknown, &[Dep::Node(key)]));
    }
    active(view, key, row)?;
    match acts_as {
        Cell::Null => Ok(key),
        Cell::Ref(person) => {
            let row = record(view, person)?;
            if row.kind() != def.kind {
                return Err(decided(Reason::SubjectUnknown, &[Dep::Node(key), Dep::Node(person)]));
            }
            active(view, person, row).map(|()| person)
        }
        // Whether it is somebody's is not known, so neither is what it may do.
        _ => Err(decided(Reason::Indeterminate, &[Dep::Node(key)])),
    }
}

/// Whether somebody may act at all.
fn active(view: View<'_>, key: Key, row: Row<'_>) -> Result<(), Stop> {
    let def = &view.schema().subject;
    let active = match (row.cell(def.active), &def.active_is) {
        (Cell::Bool(active), None) => active,
        (cell, Some(is)) => cell.text() == Some(is),
        _ => false,
    };
    if active { Ok(()) } else { Err(decided(Reason::SubjectInactive, &[Dep::Node(key)])) }
}

fn record<'v>(view: View<'v>, key: Key) -> Result<Row<'v>, Stop> {
    let reads = [Dep::Node(key)];
    match view.state(key) {
        State::Record(row) if !row.trashed() => Ok(row),
        State::Quarantined(_) => Err(decided(Reason::Quarantined, &reads)),
        State::Record(_) | State::Unknown | State::Gone => Err(decided(Reason::SubjectUnknown, &reads)),
    }
}

fn resource(
    view: View<'_>,
    kind: KindNo,
    query: &Query<'_>,
    told: bool,
    trashed: bool,
) -> Result<(Target, Place), Stop> {
    let schema = view.schema();
    let (lazy, heeded) = schema.kind(schema.table_of(kind)).map_or((false, false), |def| (def.lazy, def.told));
    let key = view.find(kind, &query.id);
    let reads = key.map(Dep::Node);
    let named = |row: Row<'_>| match &schema.others {
        Some(others) if others.kind == kind => row.cell(others.named_by).text() == Some(query.kind),
        _ => true,
    };
    match key.map(|key| (key, view.state(key))) {
        Some((key, State::Record(row))) if row.kind() == kind && row.trashed() == trashed && named(row) => {
            Ok((Target::Object(key), place_of(view, key)))
        }
        // The tracker has been asked, and what it does not know a caller may describe.
        Some((_, State::Gone)) if lazy && heeded && query.properties.is_some() => {
            Ok((Target::Described, described_place(view, kind, query)))
        }
        Some((_, State::Quarantined(_))) => Err(decided(Reason::Quarantined, reads.as_slice())),
        None | Some((_, State::Unknown)) if lazy && !query.id.is_empty() => {
            if told && query.properties.is_some() {
                Ok((Target::Described, described_place(view, kind, query)))
            } else {
                Err(Stop::Missing(ObjectRef { kind: Str::from(query.kind), id: query.id.clone() }))
            }
        }
        None | Some((_, State::Unknown)) if heeded && !lazy => match project(view, query) {
            place @ Place::Project(_) => Ok((Target::Described, place)),
            Place::Site | Place::Unknown => Err(decided(Reason::ResourceUnknown, &[])),
        },
        _ => Err(decided(Reason::ResourceUnknown, reads.as_slice())),
    }
}

/// Where an object of the kind would be made.
fn placed(view: View<'_>, kind: KindNo, query: &Query<'_>, role: Option<(&Permissions, u16)>) -> Result<Place, Stop> {
    match role.and_then(|(page, _)| page.is_placed(view.schema(), kind)) {
        Some(false) => Ok(Place::Site),
        Some(true) if query.project.is_some() => match project(view, query) {
            Place::Project(project) => Ok(Place::Project(project)),
            Place::Site | Place::Unknown => Err(decided(Reason::ResourceUnknown, &[])),
        },
        Some(true) | None => Err(decided(Reason::Indeterminate, &[])),
    }
}

impl Case<'_> {
    /// Who asks.
    pub fn subject(&self) -> Key {
        self.subject
    }

    /// The key under which the decision can be cached; `None` where it depends on what is in the question alone.
    pub fn key(&self, view: View<'_>) -> Option<CaseKey> {
        if matches!(self.resource, Target::Described) && self.query.properties.is_some() {
            return None;
        }
        let value = match (self.value_kind, self.value) {
            (None, _) | (_, None | Some(Value::Null)) => None,
            (Some(kind), Some(Value::Text(text))) => match called(view, kind, text).as_slice() {
                [one] => Some(*one),
                _ => return None,
            },
            (Some(_), Some(_)) => return None,
        };
        let field = if self.rule.reads_field { self.query.field } else { "" };
        if field.len() > LONGEST_FIELD {
            return None;
        }
        Some(CaseKey {
            subject: self.subject,
            rule: self.rule_id,
            resource: self.resource,
            project: self.project,
            value,
            field: Str::from(field),
            new_value: self.new_value,
            word: match &view.schema().others {
                Some(others) if others.kind == self.kind => Str::from(self.query.kind),
                _ => Str::default(),
            },
        })
    }
}
