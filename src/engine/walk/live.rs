//! What is there and not in the trash.

use super::{Val, Vals, Walk};
use crate::directory::{Cell, Refs, Row, State};
use crate::engine::condition::Truth;
use crate::engine::path::{Path, Step};
use crate::model::change::Dep;
use crate::model::id::{Id, Key};
use crate::model::schema::{FieldNo, KindNo};

/// How far the objects that one hangs on are followed: an answer hangs on a note, and that on nothing more.
const DEEPEST: usize = 4;

impl<'v> Walk<'v> {
    /// Whether a link to the object leads somewhere. Of what is never mirrored the tracker's word is taken.
    pub(in crate::engine) fn is_live(&mut self, key: Key) -> Truth {
        let never_mirrored =
            self.view.table(key).and_then(|table| self.view.schema().kind(table)).is_some_and(|def| def.rowless);
        match never_mirrored {
            true => Truth::Yes,
            false => match self.row(key) {
                Some(row) if row.trashed() => Truth::No,
                Some(_) => Truth::Yes,
                None => Truth::Unknown,
            },
        }
    }

    /// Whether a path leads to something, and to nothing that is not there. What the mirror has never heard of is not.
    pub(in crate::engine) fn leads_to_live(&mut self, path: &'v Path) -> Truth {
        let vals = self.values(path);
        let mut truth = match (vals.list.is_empty(), vals.unknown) {
            (_, true) => Truth::Unknown,
            (true, false) => Truth::No,
            (false, false) => Truth::Yes,
        };
        for val in &vals.list {
            let known = val.key().filter(|key| !matches!(self.view.state(*key), State::Unknown | State::Gone));
            match known.map(|key| self.is_live(key)) {
                None => {
                    val.key().into_iter().for_each(|key| self.note(Dep::Node(key)));
                    return Truth::No;
                }
                Some(Truth::No) => return Truth::No,
                Some(Truth::Unknown) => truth = Truth::Unknown,
                Some(Truth::Yes) => {}
            }
        }
        truth
    }

    /// Those of the links that lead to a live object of a kind.
    pub(super) fn live_into(&mut self, key: Key, kind: KindNo, to: &mut Vals<'v>) {
        if self.view.table(key) != Some(self.view.schema().table_of(kind)) {
            return;
        }
        match self.is_live(key) {
            Truth::Yes => to.list.push(Val::Key(key)),
            Truth::Unknown => to.unknown = true,
            Truth::No => {}
        }
    }

    /// A field that is never null.
    pub(super) fn checkbox_into(&mut self, key: Key, no: FieldNo, to: &mut Vals<'v>) {
        match self.row(key).map(|row| row.cell(no)) {
            Some(Cell::Bool(checked)) => to.list.push(Val::Bool(checked)),
            Some(Cell::Null) => to.list.push(Val::Bool(false)),
            _ => to.unknown = true,
        }
    }

    /// A field of whichever of these kinds the object is.
    pub(super) fn field_of(&mut self, key: Key, of: &[(KindNo, FieldNo)], to: &mut Vals<'v>) {
        let table = self.view.table(key);
        match of.iter().find(|(kind, _)| Some(*kind) == table) {
            Some((_, no)) => self.field(key, *no, to),
            None => to.unknown = true,
        }
    }

    /// Those that link to the object. One that was never understood may be another.
    pub(super) fn other_end(&mut self, key: Key, list: u16, from: KindNo, to: &mut Vals<'v>) {
        self.note(Dep::Back(key, list));
        self.note(Dep::Names(from));
        to.list.extend(self.view.back(key, list).iter().map(|key| Val::Key(*key)));
        if let Some(odd) = self.view.never_understood(from) {
            self.note(Dep::Node(odd));
            self.quarantined = true;
            to.unknown = true;
        }
    }

    pub(super) fn id_number(&self, key: Key, to: &mut Vals<'v>) {
        match self.view.id(key).and_then(Id::number) {
            Some(number) => to.list.push(Val::Number(number)),
            None => to.unknown = true,
        }
    }

    /// The live projects of an object: itself, those that it belongs to, those of what it hangs on.
    pub(super) fn projects_into(&mut self, key: Key, to: &mut Vals<'v>) {
        self.projects_of(key, to, 0);
    }

    fn projects_of(&mut self, key: Key, to: &mut Vals<'v>, depth: usize) {
        let schema = self.view.schema();
        let Some(row) = self.row(key) else {
            to.unknown = true;
            return;
        };
        let table = schema.table_of(row.kind());
        if table == schema.subject.project {
            self.project_found(key, to);
            return;
        }
        row.project().into_iter().for_each(|project| self.project_found(project, to));
        let Some(def) = schema.kind(table) else { return };
        if let Some(field) = def.more_projects {
            self.linked(row, field, to).iter().for_each(|project| {
                if self.view.table(*project) == Some(schema.subject.project) {
                    self.project_found(*project, to);
                }
            });
        }
        if let Some(field) = def.project_from.filter(|_| depth < DEEPEST) {
            for on in self.linked(row, field, to).iter() {
                match self.is_live(*on) {
                    // Of what is not mirrored nobody knows where it is.
                    Truth::Yes if self.view.row(*on).is_some() => self.projects_of(*on, to, depth + 1),
                    Truth::Yes | Truth::Unknown => to.unknown = true,
                    Truth::No => {}
                }
            }
        }
    }

    fn linked(&self, row: Row<'v>, field: FieldNo, to: &mut Vals<'v>) -> Refs<'v> {
        let cell = row.cell(field);
        to.unknown |= cell == Cell::Unset;
        cell.refs()
    }

    fn project_found(&mut self, project: Key, to: &mut Vals<'v>) {
        match self.is_live(project) {
            Truth::Yes if !to.list.contains(&Val::Key(project)) => to.list.push(Val::Key(project)),
            Truth::Unknown => to.unknown = true,
            Truth::Yes | Truth::No => {}
        }
    }
}

impl Step {
    /// Whether the step is one of those above.
    pub(super) fn live<'v>(&self, key: Key, walk: &mut Walk<'v>, to: &mut Vals<'v>) -> bool {
        match self {
            Self::FieldOf(of) => walk.field_of(key, of, to),
            Self::Checkbox(no) => walk.checkbox_into(key, *no, to),
            Self::Live(kind) => walk.live_into(key, *kind, to),
            Self::Projects => walk.projects_into(key, to),
            Self::OtherEnd { list, from } => walk.other_end(key, *list, *from, to),
            Self::IdNumber => walk.id_number(key, to),
            _ => return false,
        }
        true
    }
}
