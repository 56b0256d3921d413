//! Statuses that only some may set: whether a value is one of them, and whether the subject is one of those.

use smallvec::SmallVec;

use super::condition::{Condition, Truth};
use super::path::Path;
use super::permissions::NewValue;
use super::policy::Policy;
use super::resolve::place::place_of;
use super::resolve::{Case, Target};
use super::walk::{Val, Walk};
use crate::directory::{Cell, State, View};
use crate::model::change::Dep;
use crate::model::decision::RuleId;
use crate::model::id::{Id, Key, ObjectRef, Str};
use crate::model::query::{Query, Subject};
use crate::model::schema::{FieldNo, KindNo};

/// How many groups above a person's own are looked at.
const MOST_GROUPS: usize = 4_096;

/// Where a tracker's statuses are.
#[derive(Debug)]
pub(super) struct Statuses {
    pub(super) kind: KindNo,
    /// The field of a status that is false where it is no longer to be set.
    pub(super) active: Option<FieldNo>,
    /// Kinds that have a status.
    pub(super) of: Vec<OfKind>,
}

/// A kind that has a status.
#[derive(Debug)]
pub(super) struct OfKind {
    pub(super) kind: KindNo,
    /// The field with its own.
    pub(super) field: FieldNo,
    /// The rules by which it gets another; the first of them is asked about what was done.
    pub(super) rules: Vec<u32>,
    /// Fields that would set one and have no rule of their own.
    pub(super) missing: Vec<Str>,
}

/// A restriction of the overlay.
#[derive(Debug, PartialEq)]
pub(super) struct Restricted {
    pub(super) name: Str,
    /// The kind of object that it is about; with a word, only those of a kind's further kinds that it names.
    pub(super) kind: KindNo,
    pub(super) word: Option<Str>,
    /// The kind of the statuses, and their ids or names.
    pub(super) of: KindNo,
    pub(super) statuses: Vec<Str>,
    pub(super) allow: Vec<Allowed>,
    pub(super) message: Str,
}

/// Somebody for whom a restricted status is.
#[derive(Debug, PartialEq)]
pub(super) enum Allowed {
    /// By id, login, e-mail address or name.
    Person(Str),
    /// Whoever is in the group, or in one below it. By id or name.
    Group {
        of: Path,
        kind: KindNo,
        parent: Option<FieldNo>,
        named: Str,
    },
    Role(Condition),
}

/// What the restrictions say of a status that somebody has set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    Allowed,
    Forbidden {
        restriction: Str,
        message: Str,
    },
    /// Something that it depends on is not known now.
    Unknown,
}

impl Restricted {
    /// Whether the subject of the walk may set the value of its question.
    pub(super) fn holds<'v>(&'v self, walk: &mut Walk<'v>) -> Truth {
        if self.word.as_ref().is_some_and(|word| word != walk.case.query.kind) {
            return Truth::Yes;
        }
        let Some(values) = walk.given() else { return Truth::Yes };
        // Where leaving the value out means the present one, naming that is no move either.
        if let Some(present) = walk.case.value_default {
            let present = walk.values(present);
            if !present.unknown && present.list == values.list {
                return Truth::Yes;
            }
        }
        let mut restricted = if values.unknown || values.list.is_empty() { Truth::Unknown } else { Truth::No };
        for value in &values.list {
            match value {
                Val::Key(status) => match self.names(*status, walk) {
                    Truth::Yes => restricted = Truth::Yes,
                    Truth::Unknown if restricted == Truth::No => restricted = Truth::Unknown,
                    _ => {}
                },
                _ if restricted == Truth::No => restricted = Truth::Unknown,
                _ => {}
            }
        }
        match restricted {
            Truth::No => Truth::Yes,
            Truth::Yes => self.allows(walk),
            // Who may set any of them may set this one, whichever it is.
            Truth::Unknown if self.allows(walk) == Truth::Yes => Truth::Yes,
            Truth::Unknown => Truth::Unknown,
        }
    }

    /// Whether the status is one of those that are restricted.
    fn names(&self, status: Key, walk: &mut Walk<'_>) -> Truth {
        let id = walk.view.id(status);
        if self.statuses.iter().any(|named| id.is_some_and(|id| id.is(named))) {
            return Truth::Yes;
        }
        match walk.row(status) {
            Some(row) if self.statuses.iter().any(|named| row.name() == named.as_str()) => Truth::Yes,
            Some(_) => Truth::No,
            None => Truth::Unknown,
        }
    }

    /// Whether the subject is one of those for whom the statuses are.
    fn allows<'v>(&'v self, walk: &mut Walk<'v>) -> Truth {
        let mut truth = Truth::No;
        for allowed in &self.allow {
            match allowed.holds(walk) {
                Truth::Yes => return Truth::Yes,
                Truth::Unknown => truth = Truth::Unknown,
                Truth::No => {}
            }
        }
        truth
    }

    /// The statuses that are restricted now.
    fn found(&self, view: View<'_>) -> Vec<Key> {
        let mut found = Vec::new();
        for named in &self.statuses {
            found.extend(view.find(self.of, &Id::from(named.as_str())));
            found.extend(view.by_name(self.of, named));
        }
        found
    }

    /// Whether it is about this kind of object; of further kinds, about this word.
    fn is_about(&self, kind: KindNo, word: &str) -> bool {
        self.kind == kind && self.word.as_ref().is_none_or(|own| own == word)
    }
}

impl Allowed {
    fn holds<'v>(&'v self, walk: &mut Walk<'v>) -> Truth {
        match self {
            Self::Person(named) => walk.is_called(named),
            Self::Role(condition) => condition.holds(walk),
            Self::Group { of, kind, parent, named } => {
                walk.note(Dep::Names(walk.view.schema().table_of(*kind)));
                let Some(wanted) = one_named(walk.view, *kind, named) else { return Truth::No };
                walk.note(Dep::Node(wanted));
                if let State::Quarantined(_) = walk.view.state(wanted) {
                    walk.quarantined = true;
                    return Truth::Unknown;
                }
                within(of, *parent, wanted, walk)
            }
        }
    }

    /// What is wrong with the name of a person or group, as far as the mirror knows.
    fn complaint(&self, view: View<'_>, roles: Option<KindNo>) -> Option<String> {
        match self {
            Self::Role(Condition::HoldsRole(named)) => {
                let by_id = roles.and_then(|kind| view.find(kind, &Id::from(named.as_str())));
                let known = by_id.is_some() || roles.is_some_and(|kind| !view.by_name(kind, named).is_empty());
                (!known).then(|| format!("there is no role `{named}`, so nobody has it"))
            }
            Self::Role(_) => None,
            Self::Person(named) => match view.person(named) {
                Ok(Some(_)) => None,
                Ok(None) => Some(format!("there is no person `{named}`")),
                Err(_) => Some(format!("several people are called `{named}`: name one by id")),
            },
            Self::Group { kind, named, .. } if one_named(view, *kind, named).is_none() => {
                let ids: Vec<_> = view.by_name(*kind, named).iter().filter_map(|key| view.id(*key)).collect();
                let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
                Some(match ids.is_empty() {
                    true => format!("there is no group `{named}`, so nobody is in it"),
                    false => {
                        format!(
                            "several groups are called `{named}`, so nobody counts as in it: name one by id ({})",
                            ids.join(", ")
                        )
                    }
                })
            }
            Self::Group { .. } => None,
        }
    }
}

/// The object with this id, else the only one with this name: one that is there, understood or not.
fn one_named(view: View<'_>, kind: KindNo, named: &str) -> Option<Key> {
    let is_there = |key: &Key| matches!(view.state(*key), State::Record(_) | State::Quarantined(_));
    let by_id = view.find(kind, &Id::from(named)).filter(is_there);
    by_id.or_else(|| match view.by_name(kind, named) {
        [one] => Some(*one).filter(is_there),
        _ => None,
    })
}

/// Whether one of the groups at the end of the path is the wanted one, or below it. Groups in a ring end the search.
fn within<'v>(of: &'v Path, parent: Option<FieldNo>, wanted: Key, walk: &mut Walk<'v>) -> Truth {
    let own = walk.values(of);
    let mut unknown = own.unknown;
    let mut seen: SmallVec<[Key; 16]> = SmallVec::new();
    let mut next: SmallVec<[Key; 16]> = own.list.iter().filter_map(|val| val.key()).collect();
    while let Some(group) = next.pop() {
        if group == wanted {
            return Truth::Yes;
        }
        if seen.contains(&group) {
            continue;
        }
        if seen.len() >= MOST_GROUPS {
            return Truth::Unknown;
        }
        seen.push(group);
        let Some(parent) = parent else { continue };
        match walk.row(group) {
            Some(row) => match row.cell(parent) {
                Cell::Unset => unknown = true,
                cell => next.extend_from_slice(&cell.refs()),
            },
            None => unknown = true,
        }
    }
    if unknown { Truth::Unknown } else { Truth::No }
}

impl Policy {
    /// The ids of the statuses that any restriction names now.
    pub fn restricted_statuses(&self, view: View<'_>) -> Vec<Id> {
        let found = self.restrictions.iter().flat_map(|restricted| restricted.found(view));
        let mut ids: Vec<_> = found.filter_map(|key| view.id(key).cloned()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Whether the mirror has the object in a status that is restricted for its kind. Of an object that is read on first
    /// use and has not been, that may be.
    pub fn is_restricted_now(&self, view: View<'_>, object: &ObjectRef) -> bool {
        let schema = view.schema();
        let Some(no) = schema.kind_no(&object.kind) else { return false };
        let lazy = schema.kind(schema.table_of(no)).is_some_and(|def| def.lazy);
        if lazy && view.find(no, &object.id).is_none_or(|key| view.row(key).is_none()) {
            return self.restrictions.iter().any(|restricted| schema.table_of(restricted.kind) == schema.table_of(no));
        }
        let Some((key, kind, field)) = self.with_status(view, object) else { return false };
        let Some(row) = view.row(key) else { return false };
        let word = self.word_of(view, key);
        let about = self.restrictions.iter().filter(|restricted| restricted.is_about(kind, word));
        about.into_iter().any(|restricted| {
            let statuses = restricted.found(view);
            row.cell(field).refs().iter().any(|status| statuses.contains(status))
        })
    }

    /// Whether an object can be given this status now.
    pub fn is_usable(&self, view: View<'_>, status: &Id) -> bool {
        let Some(statuses) = &self.statuses else { return false };
        let row = view.find(statuses.kind, status).and_then(|key| view.row(key));
        row.is_some_and(|row| statuses.active.is_none_or(|active| row.cell(active) != Cell::Bool(false)))
    }

    /// What the restrictions alone, whatever roles may, say of this person's having set this status on this object, and
    /// the inputs of that. Nobody is allowed nothing that is restricted.
    pub fn ruling(&self, view: View<'_>, object: &ObjectRef, status: &Id, person: Option<&Id>) -> (Ruling, Vec<Dep>) {
        let unknown = || (Ruling::Unknown, Vec::new());
        let Some((key, kind, _)) = self.with_status(view, object) else { return unknown() };
        let of_kind = self.statuses.as_ref().map(|statuses| (statuses.kind, &statuses.of));
        let found = of_kind.and_then(|(no, of)| Some((no, of.iter().find(|of| of.kind == kind)?.rules.first()?)));
        let Some((status_kind, rule)) = found else { return unknown() };
        let Some(status) = view.find(status_kind, status) else { return unknown() };
        let word = self.word_of(view, key);
        let person = person.and_then(|id| view.find(view.schema().subject.kind, id));
        if person.is_some_and(|key| matches!(view.state(key), State::Quarantined(_))) {
            return unknown();
        }
        let person = person.filter(|key| view.row(*key).is_some());
        let rule_id = RuleId::Policy(*rule);
        let Some(rule) = self.rule(rule_id) else { return unknown() };
        let query = Query::new(Subject::Person(""), "", word, "");
        let case = Case {
            query: &query,
            subject: person.unwrap_or(key),
            rule_id,
            rule,
            rights: &self.rights,
            found_by: SmallVec::new(),
            role: None,
            new_value: NewValue::Untold,
            kind,
            resource: Target::Object(key),
            project: place_of(view, key),
            value: None,
            value_kind: None,
            value_default: None,
            field_tail: "",
        };
        let mut walk = Walk::new(view, &case);
        walk.note(Dep::Node(case.subject));
        let mut ruling = Ruling::Allowed;
        for restricted in self.restrictions.iter().filter(|restricted| restricted.is_about(kind, word)) {
            let truth = match restricted.names(status, &mut walk) {
                Truth::Yes => person.map_or(Truth::No, |_| restricted.allows(&mut walk)),
                other => !other,
            };
            match truth {
                Truth::Yes => {}
                Truth::Unknown => ruling = Ruling::Unknown,
                Truth::No => {
                    let Restricted { name, message, .. } = &**restricted;
                    ruling = Ruling::Forbidden { restriction: name.clone(), message: message.clone() };
                    break;
                }
            }
        }
        (ruling, walk.reads.into_vec())
    }

    /// Names in restrictions that mean nothing at the tracker, or not one thing.
    pub fn complaints(&self, view: View<'_>) -> Vec<String> {
        let mut complaints = Vec::new();
        for restricted in &self.restrictions {
            let mut add = |text: String| complaints.push(format!("restriction `{}`: {text}", restricted.name));
            for named in &restricted.statuses {
                let by_id =
                    view.find(restricted.of, &Id::from(named.as_str())).is_some_and(|key| view.row(key).is_some());
                if !by_id && view.by_name(restricted.of, named).is_empty() {
                    add(format!("there is no status `{named}`, so nothing is restricted by it"));
                }
            }
            restricted.allow.iter().filter_map(|allowed| allowed.complaint(view, self.rights.roles)).for_each(&mut add);
            if let Some(word) = &restricted.word
                && self.other_kind(view, word).is_none()
            {
                add(format!("the tracker has no kind of object `{word}`, so nothing is restricted by it"));
            }
        }
        complaints.extend(self.permissions.iter().flat_map(|page| page.complaints(&self.schema)));
        complaints
    }

    /// The names of the tracker's roles that have no list of permissions in the policy: they grant nothing.
    pub fn unlisted_roles(&self, view: View<'_>) -> Vec<String> {
        if let Some(page) = &self.permissions {
            return page.unlisted(view);
        }
        let roles = self.rights.roles.into_iter().flat_map(|kind| view.of_table(kind));
        let names = roles.filter_map(|role| view.row(role)).map(|row| row.name().to_owned());
        names.filter(|name| !self.rights.sets.contains_key(name.as_str())).collect()
    }

    fn with_status(&self, view: View<'_>, object: &ObjectRef) -> Option<(Key, KindNo, FieldNo)> {
        let key = view.find(view.schema().kind_no(&object.kind)?, &object.id)?;
        let kind = view.row(key)?.kind();
        let of = self.statuses.as_ref()?.of.iter().find(|of| of.kind == kind)?;
        Some((key, kind, of.field))
    }

    /// The word by which callers name the object's kind.
    fn word_of<'v>(&self, view: View<'v>, key: Key) -> &'v str {
        let schema = view.schema();
        let Some(row) = view.row(key) else { return "" };
        match &schema.others {
            Some(others) if others.kind == row.kind() => row.cell(others.named_by).text().unwrap_or_default(),
            _ => schema.kind_name(row.kind()),
        }
    }
}
