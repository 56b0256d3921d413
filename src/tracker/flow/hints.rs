//! What an event of the log says to re-read. An event is never taken for data, and it may lack anything. Pure.
//!
//! ```text
//! Shotgun_Task_Change task_assignees   the task
//! Shotgun_Shot_Change tasks            the tasks that it names: the mirror keeps Task.entity alone
//! Shotgun_Project_Change users         the people that it names: they hold the other end, HumanUser.projects
//! ```

use rustc_hash::FxHashSet;
use serde_json::Value as Json;

use super::answer::{Row, link};
use super::ends::{Ends, Kind};
use crate::model::id::{ObjectRef, Str};
use crate::tracker::Scope;

/// The fields of the log that are read.
pub(super) const FIELDS: [&str; 6] = ["event_type", "attribute_name", "entity", "meta", "user", "created_at"];

/// How many objects may be named at once. Beyond that everything is loaded.
const MOST: usize = 20_000;
/// How many changes of roles are told apart.
const MOST_RULES: usize = 100;
/// How much of a name is repeated.
const SAID: usize = 100;

/// The link by which rows hang on others.
pub(super) const HANGS_BY: &str = "entity";
/// The link that nearly every type has.
const PROJECT: &str = "project";
/// Attributes that count for every type.
const ALWAYS: [&str; 2] = [PROJECT, "retirement_date"];
/// Attributes by which rows are called.
const NAMES: [&str; 7] = ["code", "content", "subject", "name", "title", "firstname", "cached_display_name"];

/// What to do about events.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Hints {
    pub(super) objects: FxHashSet<ObjectRef>,
    /// An event does not name all that changed: load this.
    pub(super) reload: Option<Scope>,
    /// Rows to be found by what they lead to.
    pub(super) holders: FxHashSet<Holder>,
    /// Rows that went to the trash. Flow takes with them what hangs on them, and says nothing of that.
    pub(super) retired: FxHashSet<ObjectRef>,
    /// Rows that were taken out of the trash: the links to them are back.
    pub(super) revived: FxHashSet<ObjectRef>,
    /// Types of which something changed that is not named.
    pub(super) unnamed: FxHashSet<Str>,
    /// Changes of roles.
    pub(super) rules: Vec<Rules>,
    /// How many events could not be understood.
    pub(super) strange: usize,
}

/// The rows of a type whose field leads to this row.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Holder {
    /// Flow's own names of the type and its field.
    pub(super) kind: Str,
    pub(super) field: Str,
    /// Type and id.
    pub(super) of: (Str, u64),
}

/// The rules of a role were changed, or the role itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    role: String,
    by: String,
    at: String,
    times: usize,
}

/// What a row of the log tells.
#[derive(Clone, Debug)]
struct Event<'a> {
    row: &'a Row,
    /// The type and what happened to it, from `Shotgun_Task_Change`.
    kind: &'a str,
    action: &'a str,
    attribute: Option<&'a str>,
    meta: &'a Json,
    entity: Option<(&'a str, u64)>,
    /// What `meta` is about: the row itself; in a back reference the row that refers to it.
    about: Option<(&'a str, u64)>,
    is_back: bool,
}

/// Reads events and adds what they say.
pub(super) fn hints(rows: &[Row], ends: &Ends) -> Hints {
    let mut hints = Hints::default();
    let mut everything = false;
    for row in rows {
        match Event::read(row) {
            // Nothing but the event tells that rules were changed.
            Some(Some(event)) if everything => hints.rule(&event),
            Some(Some(event)) => hints.add(&event, ends),
            Some(None) => {}
            None => hints.strange += 1,
        }
        let named = hints.objects.len() + hints.holders.len() + hints.retired.len() + hints.revived.len();
        if named > MOST {
            everything = true;
            let Hints { rules, strange, .. } = hints;
            hints = Hints { reload: Some(Scope::All), rules, strange, ..Hints::default() };
        }
    }
    hints
}

// === impl Hints ===

impl Hints {
    fn add(&mut self, event: &Event<'_>, ends: &Ends) {
        match (event.kind, event.action) {
            ("PermissionRuleSet", _) => self.role(event, ends),
            ("DisplayColumn", _) => self.load(Scope::Core),
            (kind, _) if kind.ends_with("Connection") => self.joined(event, ends),
            _ if event.meta.get("is_transient").and_then(Json::as_bool) == Some(true) => {}
            (_, "New") => self.row(event, ends),
            (_, "Retirement") => self.retired(event, ends),
            (_, "Revival") => self.revived(event, ends),
            (_, "Change") => self.changed(event, ends),
            // What else happens to a row of a type that counts.
            _ => self.row(event, ends),
        }
        if event.kind == "Status" {
            self.load(Scope::Core);
        }
    }

    /// The row itself.
    fn row(&mut self, event: &Event<'_>, ends: &Ends) {
        // The other end of a link to a row that is in the trash by now is nobody's.
        let mut named = event.is_back;
        for row in event.own() {
            named |= self.name(row, ends);
        }
        if !named && let Some(kind) = ends.kind(event.kind) {
            self.strange += 1;
            self.unnamed.insert(kind.type_name.clone());
        }
    }

    fn retired(&mut self, event: &Event<'_>, ends: &Ends) {
        self.row(event, ends);
        for (kind, id) in event.own() {
            if ends.leading_to(kind).any(|(_, field)| field == HANGS_BY) {
                self.retired.extend(ends.object(kind, id));
            }
            if kind == "Project" {
                self.load(Scope::Large);
            }
        }
    }

    fn revived(&mut self, event: &Event<'_>, ends: &Ends) {
        self.row(event, ends);
        for (kind, id) in event.own() {
            self.revived.extend(ends.object(kind, id));
            if kind == "Project" {
                self.load(Scope::Large);
            }
        }
    }

    fn changed(&mut self, event: &Event<'_>, ends: &Ends) {
        let Some(attribute) = event.attribute else { return self.row(event, ends) };
        if attribute == "retirement_date" && !event.is_back {
            let is_live = event.meta.get("new_value").is_some_and(Json::is_null);
            return if is_live { self.revived(event, ends) } else { self.retired(event, ends) };
        }
        let named = event.named();
        // What holds the other end of the link has changed too.
        let near = named.iter().flatten().filter(|(kind, _)| ends.leads(kind, event.kind));
        let near: Vec<_> = near.filter_map(|(kind, id)| ends.object(kind, *id)).collect();
        self.objects.extend(near);
        if event.is_back && event.is_by_mirrored(ends) {
            event.about.map(|row| self.name(row, ends));
        }
        let Some(kind) = ends.kind(event.kind) else { return };
        let derived: Vec<_> = kind.derived(attribute).collect();
        if derived.is_empty() {
            if counts(kind, attribute) {
                self.row(event, ends);
            } else if named.is_none() && event.may_be_of_links() {
                self.unsaid(event, ends.leading_to(event.kind).filter(|(_, field)| *field != PROJECT));
            }
            return;
        }
        if let Some(named) = named {
            let kept = named.into_iter().filter(|(kind, _)| derived.iter().any(|(from, _)| from == kind));
            let kept: Vec<_> = kept.filter_map(|(kind, id)| ends.object(kind, id)).collect();
            self.objects.extend(kept);
        } else {
            self.unsaid(event, derived.into_iter());
        }
    }

    /// An end of links changed, and nothing is said of the other ends, which are in these fields of these types.
    fn unsaid<'a>(&mut self, event: &Event<'_>, mut ends: impl Iterator<Item = (&'a str, &'a str)>) {
        if event.is_back && event.about.is_some() {
            return;
        }
        match event.own().next() {
            Some((to, id)) => self.holders.extend(ends.map(|(from, field)| Holder::new(from, field, to, id))),
            // Where a link changes at one end, nothing else tells that the other was edited.
            None if ends.next().is_some() => self.load(Scope::All),
            None => {}
        }
    }

    /// A row of a table that joins two others.
    fn joined(&mut self, event: &Event<'_>, ends: &Ends) {
        let mut named = false;
        for (kind, id) in event.named().into_iter().flatten() {
            named |= self.name((kind, id), ends);
        }
        // People's projects and groups; other tables are found by looking at what was edited.
        if !named && event.kind.contains("User") {
            self.load(Scope::Core);
        }
    }

    fn role(&mut self, event: &Event<'_>, ends: &Ends) {
        let mut named = false;
        for row in event.own().filter(|(kind, _)| *kind == "PermissionRuleSet") {
            named |= self.name(row, ends);
        }
        if !named {
            self.load(Scope::Core);
        }
        self.rule(event);
    }

    fn rule(&mut self, event: &Event<'_>) {
        if event.kind != "PermissionRuleSet" {
            return;
        }
        let told = Rules::of(event);
        let room = self.rules.len() < MOST_RULES;
        match self.rules.iter_mut().find(|rules| rules.role == told.role) {
            Some(rules) => *rules = Rules { times: rules.times + 1, ..told },
            None if room => self.rules.push(told),
            None => {}
        }
    }

    /// Returns whether the row is one that can be asked for, of whatever type.
    fn name(&mut self, (kind, id): (&str, u64), ends: &Ends) -> bool {
        self.objects.extend(ends.object(kind, id));
        id > 0
    }

    fn load(&mut self, scope: Scope) {
        self.reload = Some(self.reload.map_or(scope, |other| other.and(scope)));
    }
}

/// Whether the mirror rests on this attribute of the type.
fn counts(kind: &Kind, attribute: &str) -> bool {
    kind.has(attribute) || ALWAYS.contains(&attribute) || NAMES.contains(&attribute)
}

// === impl Event ===

impl<'a> Event<'a> {
    /// `None`: it is malformed. `Some(None)`: it is none of Flow's own about a row.
    fn read(row: &'a Row) -> Option<Option<Self>> {
        let mut words = row.text("event_type")?.splitn(2, '_');
        let ("Shotgun", Some(rest)) = (words.next()?, words.next()) else { return Some(None) };
        let (kind, action) = rest.rsplit_once('_')?;
        let meta = row.value("meta").unwrap_or(&Json::Null);
        let is_back = meta.get("actual_attribute_changed").is_some_and(|attribute| !attribute.is_null());
        let attribute = row.text("attribute_name").or_else(|| meta.get("attribute_name")?.as_str());
        let about = meta.get("entity_type").and_then(Json::as_str).zip(meta.get("entity_id").and_then(number));
        let entity = row.link("entity");
        Some(Some(Self { row, kind, action, attribute, meta, entity, about, is_back }))
    }

    /// The row that the event is about, as far as it is named.
    fn own(&self) -> impl Iterator<Item = (&'a str, u64)> {
        let about = self.about.filter(|_| !self.is_back);
        let both = [self.entity, about.filter(|about| self.entity != Some(*about))];
        both.into_iter().flatten()
    }

    /// Whether the attribute may hold links, as far as is told.
    fn may_be_of_links(&self) -> bool {
        let data_type = self.meta.get("field_data_type").and_then(Json::as_str);
        data_type.is_none_or(|data_type| matches!(data_type, "entity" | "multi_entity" | "addressing"))
    }

    /// Whether a back reference is by a field that the mirror rests on, or says nothing of that.
    fn is_by_mirrored(&self, ends: &Ends) -> bool {
        let by = self.meta.get("actual_attribute_changed").and_then(Json::as_str).and_then(|by| by.split_once('.'));
        by.is_none_or(|(kind, field)| ends.kind(kind).is_some_and(|kind| counts(kind, field)))
    }

    /// The rows at the other end of a link that was made or removed. `None`: nothing is said of them.
    fn named(&self) -> Option<Vec<(&'a str, u64)>> {
        let values = ["added", "removed", "old_value", "new_value"].map(|name| self.meta.get(name));
        if values.iter().all(Option::is_none) {
            return None;
        }
        let rows = values.into_iter().flatten().flat_map(|value| match value {
            Json::Array(links) => links.iter().filter_map(link).collect(),
            value => link(value).into_iter().collect::<Vec<_>>(),
        });
        Some(rows.collect())
    }
}

/// A number that may be written as a text.
fn number(value: &Json) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

// === impl Holder ===

impl Holder {
    fn new(kind: &str, field: &str, to: &str, id: u64) -> Self {
        Self { kind: kind.into(), field: field.into(), of: (to.into(), id) }
    }
}

// === impl Rules ===

impl Rules {
    fn of(event: &Event<'_>) -> Self {
        let name = |value: Option<&Json>| value.and_then(|link| link.get("name")?.as_str()).map(said);
        let named = || event.meta.get("display_name").and_then(Json::as_str).map(said);
        let numbered = || event.own().next().map(|(kind, id)| format!("{} {id}", said(kind)));
        Self {
            role: name(event.row.value("entity")).or_else(named).or_else(numbered).unwrap_or_default(),
            by: name(event.row.value("user")).unwrap_or_default(),
            at: event.row.text("created_at").map(said).unwrap_or_default(),
            times: 1,
        }
    }
}

impl std::fmt::Display for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { role, by, at, times } = self;
        let known = |text: &'static str, of: &str| if of.is_empty() { text.to_owned() } else { of.to_owned() };
        write!(f, "{} by {}", known("a role that is not named", role), known("somebody", by))?;
        if !at.is_empty() {
            write!(f, " at {at}")?;
        }
        if *times > 1 { write!(f, " ({times} times)") } else { Ok(()) }
    }
}

fn said(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(SAID).collect()
}

#[cfg(test)]
mod tests;
