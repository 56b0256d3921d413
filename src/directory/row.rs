//! Records as they are looked at: small copies that borrow from the mirror.

use std::ops::Deref;

use super::tables::{Grants, Held, HeldCell};
use crate::model::id::Key;
use crate::model::schema::{FieldNo, KindNo};
use crate::model::value::Value;

/// What the mirror knows of one object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum State<'v> {
    /// Something refers to it, its record has not come.
    Unknown,
    /// It does not exist at the tracker.
    Gone,
    /// The tracker's record could not be understood. What it last said keeps it in the lists of those that it referred to,
    /// so that these are known to be incomplete.
    Quarantined(Option<Row<'v>>),
    Record(Row<'v>),
}

/// A record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row<'v> {
    held: &'v Held,
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'v> {
    /// The record says nothing about it: not known.
    Unset,
    Null,
    Bool(bool),
    Number(f64),
    Text(&'v str),
    Texts(Texts<'v>),
    Ref(Key),
    /// Sorted, each once.
    Refs(Refs<'v>),
    /// As it came.
    Any(&'v Value),
}

/// The objects that a field refers to; a slice of them.
#[derive(Clone, Copy, Debug)]
pub struct Refs<'v>(Few<'v>);

#[derive(Clone, Copy, Debug)]
enum Few<'v> {
    One(Key),
    Many(&'v [Key]),
}

/// A list of texts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Texts<'v>(&'v [Box<str>]);

/// A person's place in a project.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Membership<'v> {
    /// `None` where the site-wide role applies.
    pub role: Option<&'v str>,
    /// Where the tracker gives roles and rights that are no words of the pack.
    pub grants: Option<&'v Grants>,
}

// === impl Row ===

impl<'v> Row<'v> {
    pub(super) fn new(held: &'v Held) -> Self {
        Self { held }
    }

    /// The kind itself, where several share a table.
    pub fn kind(self) -> KindNo {
        self.held.kind
    }

    /// In the trash: links to it lead nowhere.
    pub fn trashed(self) -> bool {
        self.held.trashed
    }

    /// The project that it belongs to.
    pub fn project(self) -> Option<Key> {
        self.held.project
    }

    /// The display name.
    pub fn name(self) -> &'v str {
        &self.held.name
    }

    /// The value of a field.
    pub fn cell(self, field: FieldNo) -> Cell<'v> {
        self.held.cells.get(usize::from(field)).map_or(Cell::Unset, Cell::of)
    }

    /// The values of all fields of the table's kind, in order.
    pub fn cells(self) -> impl ExactSizeIterator<Item = Cell<'v>> + Clone {
        self.held.cells.iter().map(Cell::of)
    }
}

impl<'v> State<'v> {
    /// The record, or the last one that was understood.
    pub(super) fn last_said(self) -> Option<Row<'v>> {
        match self {
            Self::Record(row) => Some(row),
            Self::Quarantined(row) => row,
            Self::Unknown | Self::Gone => None,
        }
    }
}

// === impl Cell ===

impl<'v> Cell<'v> {
    fn of(held: &'v HeldCell) -> Self {
        match held {
            HeldCell::Unset => Self::Unset,
            HeldCell::Null => Self::Null,
            HeldCell::Bool(value) => Self::Bool(*value),
            HeldCell::Number(value) => Self::Number(*value),
            HeldCell::Text(text) => Self::Text(text),
            HeldCell::Texts(texts) => Self::Texts(Texts(texts)),
            HeldCell::Ref(key) => Self::Ref(*key),
            HeldCell::Refs(keys) => Self::Refs(Refs(Few::Many(keys))),
            HeldCell::Any(value) => Self::Any(value),
        }
    }

    /// The objects that this field refers to.
    pub fn refs(self) -> Refs<'v> {
        match self {
            Self::Ref(key) => Refs(Few::One(key)),
            Self::Refs(keys) => keys,
            _ => Refs(Few::Many(&[])),
        }
    }

    /// The text, where it is one.
    pub fn text(self) -> Option<&'v str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl Deref for Refs<'_> {
    type Target = [Key];

    fn deref(&self) -> &[Key] {
        match &self.0 {
            Few::One(key) => std::slice::from_ref(key),
            Few::Many(keys) => keys,
        }
    }
}

impl PartialEq for Refs<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<'v> Texts<'v> {
    /// The texts, in order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = &'v str> + Clone {
        self.0.iter().map(|text| &**text)
    }
}
