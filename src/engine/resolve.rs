//! From the words of a question to handles of the mirror: who, which rule, on what, where.

use super::path::Path;
use super::policy::{Policy, Reach, RightsFrom, Rule};
use crate::directory::{State, View};
use crate::model::change::Dep;
use crate::model::decision::{Decision, Reason, RuleId};
use crate::model::id::{Id, Key, ObjectRef, Str};
use crate::model::query::{Query, Subject};
use crate::model::schema::KindNo;
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
    pub(super) rights: &'q [RightsFrom],
    /// What the finding of the rule rests on.
    pub(super) found_by: Option<Dep>,
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

/// Everything that a cached decision depends on besides the mirror, as typed values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CaseKey {
    subject: Key,
    rule: RuleId,
    resource: Target,
    project: Place,
    value: Option<Key>,
    field: Str,
}

/// Finds the subject, the rule and the resource of a question. What the caller tells of an object that could be read
/// from the tracker is not looked at: it is missing.
pub fn resolve<'q>(policy: &'q Policy, view: View<'_>, query: &'q Query<'q>) -> Resolved<'q> {
    find(policy, view, query, false).map_or_else(|resolved| resolved, Resolved::Case)
}

/// The same where the tracker could not be read: what the caller tells then stands for the record.
pub fn resolve_told<'q>(policy: &'q Policy, view: View<'_>, query: &'q Query<'q>) -> Resolved<'q> {
    find(policy, view, query, true).map_or_else(|resolved| resolved, Resolved::Case)
}

fn find<'q>(policy: &'q Policy, view: View<'_>, query: &'q Query<'q>, told: bool) -> Result<Case<'q>, Resolved<'q>> {
    let subject = subject(view, query.subject)?;
    let unknown_action = || decided(Reason::ActionUnknown, &[]);
    let kind = policy.kind_no(query.kind).ok_or_else(unknown_action)?;
    let Some((number, field_tail)) = policy.find_rule(kind, query.action, query.field) else {
        return declared(policy, view, subject, kind, query, told);
    };
    let rule_id = RuleId::Policy(number);
    let found = policy.rule(rule_id).ok_or_else(unknown_action)?;
    let (resource, project) = match found.reach {
        Reach::Resource => resource(view, kind, query, told)?,
        Reach::Project => match project(view, query) {
            Place::Project(key) => (Target::Described, Place::Project(key)),
            Place::Site | Place::Unknown => return Err(decided(Reason::ResourceUnknown, &[])),
        },
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
        (Some(value), Some(Value::Text(id))) => {
            view.find(value.kind, &Id::from(id.as_str())).is_some_and(|key| view.row(key).is_some())
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
        found_by: None,
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
) -> Result<Case<'q>, Resolved<'q>> {
    let Some(list) = policy.declarations.list else { return Err(decided(Reason::ActionUnknown, &[])) };
    let (resource, project) = resource(view, kind, query, told)?;
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
        found_by: Some(found_by),
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
    match resource(view, kind, query, true) {
        Ok((_, Place::Project(project))) => Some(project),
        _ => None,
    }
}

/// The objects that a question names, whether the mirror has heard of them or not: their records may be on the way.
pub fn named(policy: &Policy, query: &Query<'_>) -> Vec<(KindNo, Id)> {
    let mut named = Vec::new();
    if let Subject::Person(id) | Subject::Bot(id) = query.subject {
        named.push((policy.schema.subject.kind, Id::from(id)));
    }
    named.extend(query.project.clone().map(|id| (policy.schema.subject.project, id)));
    let Some(kind) = policy.kind_no(query.kind) else { return named };
    named.push((kind, query.id.clone()));
    let rule = policy.find_rule(kind, query.action, query.field);
    let rule = rule.and_then(|(number, _)| policy.rule(RuleId::Policy(number)));
    if let (Some(value), Some(id)) = (rule.and_then(|rule| rule.value.as_ref()), query.value_text()) {
        named.push((value.kind, Id::from(id.as_str())));
    }
    named
}

fn decided<'q>(code: Reason, reads: &[Dep]) -> Resolved<'q> {
    Resolved::Decided { decision: Decision::deny(code), reads: reads.to_vec() }
}

fn subject<'q>(view: View<'_>, subject: Subject<'_>) -> Result<Key, Resolved<'q>> {
    let schema = view.schema();
    let def = &schema.subject;
    let found = match subject {
        Subject::Person(id) | Subject::Bot(id) => view.find(def.kind, &Id::from(id)),
        // A name that several people have tells nobody.
        Subject::Login(login) => view.by_login(login).ok().flatten(),
        Subject::Email(email) => view.by_email(email).ok().flatten(),
    };
    let key = found.ok_or_else(|| decided(Reason::SubjectUnknown, &[]))?;
    let reads = [Dep::Node(key)];
    let row = match view.state(key) {
        State::Record(row) => row,
        State::Quarantined => return Err(decided(Reason::Quarantined, &reads)),
        State::Unknown | State::Gone => return Err(decided(Reason::SubjectUnknown, &reads)),
    };
    let yes = |field| *row.cell(field) == crate::directory::Cell::Bool(true);
    if matches!(subject, Subject::Bot(_)) && !def.bot.is_some_and(yes) {
        return Err(decided(Reason::SubjectUnknown, &reads));
    }
    if yes(def.active) { Ok(key) } else { Err(decided(Reason::SubjectInactive, &reads)) }
}

fn resource<'q>(view: View<'_>, kind: KindNo, query: &Query<'_>, told: bool) -> Result<(Target, Place), Resolved<'q>> {
    let schema = view.schema();
    let lazy = schema.kind(schema.table_of(kind)).is_some_and(|def| def.lazy);
    let key = view.find(kind, &query.id);
    let reads = key.map(Dep::Node);
    match key.map(|key| (key, view.state(key))) {
        Some((key, State::Record(row))) if row.kind == kind => Ok((Target::Object(key), place_of(view, key))),
        Some((_, State::Quarantined)) => Err(decided(Reason::Quarantined, reads.as_slice())),
        None | Some((_, State::Unknown)) if lazy && !query.id.is_empty() => {
            if told && query.properties.is_some() {
                Ok((Target::Described, described_place(view, kind, query)))
            } else {
                Err(Resolved::Missing(ObjectRef { kind: Str::from(query.kind), id: query.id.clone() }))
            }
        }
        None | Some((_, State::Unknown)) if schema.kind(schema.table_of(kind)).is_some_and(|def| def.told) => {
            match project(view, query) {
                place @ Place::Project(_) => Ok((Target::Described, place)),
                Place::Site | Place::Unknown => Err(decided(Reason::ResourceUnknown, &[])),
            }
        }
        _ => Err(decided(Reason::ResourceUnknown, reads.as_slice())),
    }
}

/// The project of an object: itself, the one it names, or that of the object it hangs on. Never what a caller says.
fn place_of(view: View<'_>, key: Key) -> Place {
    let schema = view.schema();
    let Some(row) = view.row(key) else { return Place::Unknown };
    let table = schema.table_of(row.kind);
    if table == schema.subject.project {
        return Place::Project(key);
    }
    if let Some(project) = row.project {
        return Place::Project(project);
    }
    match schema.kind(table).and_then(|def| def.project_from) {
        None => Place::Site,
        Some(field) => match row.cell(field).refs().first().and_then(|on| view.row(*on)).and_then(|row| row.project) {
            Some(project) => Place::Project(project),
            None => Place::Unknown,
        },
    }
}

fn described_place(view: View<'_>, kind: KindNo, query: &Query<'_>) -> Place {
    let schema = view.schema();
    let from = schema.kind(schema.table_of(kind)).and_then(|def| def.fields.get(usize::from(def.project_from?)));
    let Some(field) = from else { return project(view, query).or_unknown() };
    let id = query.properties.as_deref().and_then(|properties| properties.get(&field.name)).and_then(Value::as_text);
    let on = id.and_then(|id| view.find(field.target?, &Id::from(id)));
    match on.and_then(|on| view.row(on)).and_then(|row| row.project) {
        Some(project) => Place::Project(project),
        None => Place::Unknown,
    }
}

/// The project that the caller names.
fn project(view: View<'_>, query: &Query<'_>) -> Place {
    let Some(id) = &query.project else { return Place::Site };
    match view.find(view.schema().subject.project, id).filter(|key| view.row(*key).is_some()) {
        Some(key) => Place::Project(key),
        None => Place::Unknown,
    }
}

impl Place {
    fn or_unknown(self) -> Self {
        if self == Self::Site { Self::Unknown } else { self }
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
            (Some(kind), Some(Value::Text(text))) => Some(view.find(kind, &Id::from(text.as_str()))?),
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
        })
    }
}
