//! Actions that records of the mirror declare: compiled when a record changes, found by project, kind and name.
//!
//! Invariant: what `follow` returns besides covers every decision that the records' rules may decide otherwise.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::compile::buttons::{self, Declaration};
use super::compile::rules::Rules;
use super::permissions::Site;
use super::policy::{Policy, Rule};
use crate::directory::{Cell, Directory, Row, View};
use crate::model::change::{Change, Dep, Touched};
use crate::model::id::{Id, Key, Str};
use crate::model::schema::{KindDef, KindNo};
use crate::model::value::Value;

/// The compiled actions of all projects.
#[derive(Debug, Default)]
pub(super) struct Declarations {
    /// The back list by which a project lists its records; `None` where the pack has no such records.
    pub(super) list: Option<u16>,
    actions: FxHashMap<Key, Declared>,
    projects: FxHashMap<Key, Project>,
}

/// One record's action.
#[derive(Debug)]
struct Declared {
    project: Key,
    kind: KindNo,
    name: Str,
    label: Str,
    order: f64,
    rule: Rule,
    notes: Vec<String>,
}

/// The actions of one project.
#[derive(Debug, Default)]
struct Project {
    named: FxHashMap<(KindNo, Str), Key>,
    /// By kind, and then in the order of the settings; each name once.
    listed: Vec<Key>,
    all: FxHashSet<Key>,
}

/// What came of a change of records.
#[derive(Debug, Default)]
pub struct Followed {
    /// Inputs of decisions that changed with the rules.
    pub touched: Vec<Dep>,
    /// What is wrong or odd about an action, for whoever keeps the settings.
    pub notes: Vec<String>,
    /// Whether every decision may differ.
    pub everything: bool,
}

impl Declarations {
    pub(super) fn new(list: Option<u16>) -> Self {
        Self { list, ..Self::default() }
    }

    pub(super) fn find(&self, project: Key, kind: KindNo, name: &str) -> Option<(Key, &Rule)> {
        let key = *self.projects.get(&project)?.named.get(&(kind, Str::from(name)))?;
        Some((key, self.rule(key)?))
    }

    pub(super) fn rule(&self, record: Key) -> Option<&Rule> {
        self.actions.get(&record).map(|declared| &declared.rule)
    }

    /// Names and labels of a project's actions on objects of a kind, in order.
    pub(super) fn of(&self, project: Key, kind: KindNo) -> impl Iterator<Item = (&Str, &Str)> {
        let listed = self.projects.get(&project).into_iter().flat_map(|project| &project.listed);
        let declared = listed.filter_map(|key| self.actions.get(key)).filter(move |declared| declared.kind == kind);
        declared.map(|declared| (&declared.name, &declared.label))
    }

    /// Puts a project's actions in order. Of several with one name the first is meant.
    fn index(&mut self, project: Key, view: View<'_>) {
        let Some(held) = self.projects.get_mut(&project) else { return };
        let of = |key: &Key| {
            self.actions.get(key).map(|declared| (declared.kind, declared.order, view.id(*key).cloned(), *key))
        };
        let mut listed: Vec<_> = held.all.iter().filter_map(of).collect();
        listed.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then_with(|| a.2.cmp(&b.2)));
        let mut listed: Vec<_> = listed.into_iter().map(|(.., key)| key).collect();
        let mut named = FxHashMap::default();
        listed.retain(|key| {
            let Some(declared) = self.actions.get(key) else { return false };
            *named.entry((declared.kind, declared.name.clone())).or_insert(*key) == *key
        });
        if listed.is_empty() {
            self.projects.remove(&project);
        } else {
            (held.named, held.listed) = (named, listed);
        }
    }
}

impl Policy {
    /// Compiles anew what records declare, after these inputs have changed. Must be called before a decision is made
    /// from the changed mirror.
    pub fn follow(&mut self, view: View<'_>, touched: &Touched) -> Followed {
        let everything = self.follow_schema(view, touched);
        let Some(records) = self.records() else { return Followed { everything, ..Followed::default() } };
        if touched.everything {
            return self.follow_all(view);
        }
        let mut changed = FxHashSet::default();
        let mut rights = Vec::new();
        for dep in &touched.deps {
            let Dep::Node(key) = dep else { continue };
            match view.table(*key) {
                Some(table) if table == records => drop(changed.insert(*key)),
                Some(table) if Some(table) == self.right_records() => {
                    rights.extend(view.id(*key).map(ToString::to_string));
                }
                _ => {}
            }
        }
        // Whether there is such a right bears on the actions that name it, and on those that leave it to a default.
        if !rights.is_empty() {
            let asks = self.schema.kind(records).and_then(|def| def.field_no("required_rights"));
            let by_default = |row: Row<'_>| {
                !asks.is_some_and(|no| matches!(row.cell(no), Cell::Any(asked) if *asked != Value::Null))
            };
            let names = |action: &&Key| view.row(**action).is_some_and(|row| by_default(row) || names(row, &rights));
            changed.extend(self.declarations.actions.keys().filter(names));
        }
        self.compile(view, changed, records)
    }

    /// Compiles everything that records declare, as for a policy that is new.
    pub fn follow_all(&mut self, view: View<'_>) -> Followed {
        self.read_schema(view);
        let Some(records) = self.records() else { return Followed::default() };
        let mut changed: FxHashSet<_> = self.declarations.actions.keys().copied().collect();
        changed.extend(view.of_table(records));
        self.compile(view, changed, records)
    }

    /// What is wrong or odd about the actions that these records declare: for whoever writes them.
    pub fn notes_on(mut self, changes: Vec<Change>) -> Vec<String> {
        let mut directory = Directory::new(Arc::clone(&self.schema));
        directory.apply(changes);
        self.follow_all(directory.view()).notes
    }

    /// Compiles the permission page anew where the tracker's own schema has changed.
    fn follow_schema(&mut self, view: View<'_>, touched: &Touched) -> bool {
        let Some((kind, _)) = self.permissions.as_ref().map(|page| page.schema) else { return false };
        let of_schema = |dep: &Dep| matches!(dep, Dep::Node(key) if view.table(*key) == Some(kind));
        let changed = touched.everything || touched.deps.iter().any(of_schema);
        if changed {
            self.read_schema(view);
        }
        changed
    }

    fn read_schema(&mut self, view: View<'_>) {
        let Some(page) = &self.permissions else { return };
        let site = Site::of(view, page.schema);
        self.permissions = self.sources.page(&self.schema, site);
    }

    fn compile(&mut self, view: View<'_>, changed: FxHashSet<Key>, records: KindNo) -> Followed {
        let mut followed = Followed::default();
        let mut projects = FxHashSet::default();
        let right_records = self.right_records();
        let recorded = |right: &str| {
            let record = right_records.and_then(|kind| view.find(kind, &Id::from(right)));
            record.is_some_and(|key| view.row(key).is_some())
        };
        let names = self.sources.names(&self.schema, &self.roles, &recorded);
        let rules = Rules::new(&names);
        for key in changed {
            let new = view.row(key).and_then(|row| read(&rules, view, row, records));
            let old = match new {
                Some(mut new) => {
                    buttons::say(&self.tracker, &mut new.rule);
                    projects.insert(new.project);
                    self.declarations.projects.entry(new.project).or_default().all.insert(key);
                    let old = self.declarations.actions.get(&key);
                    if old.is_none_or(|old| old.notes != new.notes) {
                        followed.notes.extend_from_slice(&new.notes);
                    }
                    self.declarations.actions.insert(key, new)
                }
                None => self.declarations.actions.remove(&key),
            };
            if let Some(old) = old {
                let moved = self.declarations.actions.get(&key).is_none_or(|new| new.project != old.project);
                if let Some(project) = self.declarations.projects.get_mut(&old.project).filter(|_| moved) {
                    project.all.remove(&key);
                }
                projects.insert(old.project);
            }
            followed.touched.push(Dep::Node(key));
        }
        followed.notes.sort_unstable();
        for project in projects {
            self.declarations.index(project, view);
            // A name may mean another record now.
            followed.touched.extend(self.declarations.list.map(|list| Dep::Back(project, list)));
        }
        followed
    }

    fn records(&self) -> Option<KindNo> {
        let list = self.declarations.list?;
        let project = self.schema.kind(self.schema.subject.project)?;
        project.backs.get(usize::from(list)).map(|back| back.from)
    }

    fn right_records(&self) -> Option<KindNo> {
        self.sources.right_records(&self.schema)
    }
}

/// The action that a record declares; `None` where it says not even which.
fn read(rules: &Rules<'_>, view: View<'_>, row: Row<'_>, records: KindNo) -> Option<Declared> {
    let schema = view.schema();
    let def = schema.kind(records)?;
    let kind = schema.kind_no(cell(def, row, "of")?.text()?)?;
    let name = cell(def, row, "action")?.text()?;
    let order = match cell(def, row, "order") {
        Some(Cell::Number(order)) => order,
        _ => f64::MAX,
    };
    let any = |field| match cell(def, row, field) {
        Some(Cell::Any(value)) => value,
        _ => &Value::Null,
    };
    let declaration = Declaration {
        kind,
        name,
        rights: any("required_rights"),
        filters: any("filters"),
        roles: any("required_roles"),
    };
    let mut odd = Vec::new();
    let mut rule = rules.declared(&declaration, &mut odd);
    // Not known is not the same as none.
    let left_out = ["required_rights", "filters", "required_roles"];
    if let Some(field) = left_out.into_iter().find(|field| cell(def, row, field) == Some(Cell::Unset)) {
        rule = Rule {
            invalid: Some(format!("its record does not say `{field}`; null is none")),
            ..Rule::empty(rule.name)
        };
    }
    let project = row.project()?;
    let at = view.id(project).map(ToString::to_string).unwrap_or_default();
    let what = format!("{} {at}, {}", schema.kind_name(schema.subject.project), rule.name);
    let mut notes: Vec<_> = odd.into_iter().map(|note| format!("{what}: {note}")).collect();
    notes.extend(rule.invalid.iter().map(|problem| format!("{what} is never allowed: {problem}")));
    let label = if row.name().is_empty() { name } else { row.name() };
    Some(Declared { project, kind, name: Str::from(name), label: Str::from(label), order, rule, notes })
}

/// Whether the record's texts have one of these names in them.
fn names(row: Row<'_>, rights: &[String]) -> bool {
    fn within(value: &Value, rights: &[String]) -> bool {
        match value {
            Value::Text(text) => rights.iter().any(|right| text.contains(right.as_str())),
            Value::List(list) => list.iter().any(|value| within(value, rights)),
            Value::Map(entries) => entries.iter().any(|(_, value)| within(value, rights)),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
    row.cells().any(|cell| matches!(cell, Cell::Any(value) if within(value, rights)))
}

fn cell<'r>(def: &KindDef, row: Row<'r>, field: &str) -> Option<Cell<'r>> {
    def.field_no(field).map(|no| row.cell(no))
}
