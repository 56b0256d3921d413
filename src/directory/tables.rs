//! The tables of the mirror and their indexes. Private to the directory: the engine sees them through `View`.

use std::collections::BTreeMap;

use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::model::id::{Id, Key, Str};
use crate::model::schema::{FieldNo, KindNo};
use crate::model::value::Value;

/// What the mirror knows of one object.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Something refers to it, its record has not come.
    Unknown,
    /// It does not exist at the tracker.
    Gone,
    /// The tracker's record could not be understood. What it last said keeps it in the lists of those that it referred to,
    /// so that these are known to be incomplete.
    Quarantined(Option<Box<Row>>),
    Record(Row),
}

/// A record as it is held.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The kind itself, where several share a table.
    pub kind: KindNo,
    /// In the trash: links to it lead nowhere.
    pub trashed: bool,
    pub project: Option<Key>,
    pub name: Box<str>,
    /// By field number of the table's kind.
    pub cells: Box<[Cell]>,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// The record says nothing about it: not known.
    Unset,
    Null,
    Bool(bool),
    Number(f64),
    Text(Box<str>),
    Texts(Box<[Box<str>]>),
    Ref(Key),
    Refs(Box<[Key]>),
    /// As it came.
    Any(Box<Value>),
}

/// A person's place in a project.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Membership {
    /// `None` where the site-wide role applies.
    pub role: Option<Str>,
    /// Where the tracker gives roles and rights that are no words of the pack.
    pub grants: Option<Box<Grants>>,
}

/// The roles and rights of one member.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grants {
    pub roles: Box<[Key]>,
    pub rights: Box<[Str]>,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) table: KindNo,
    pub(super) id: Id,
    pub(super) state: State,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Tables {
    pub(super) nodes: Vec<Node>,
    keys: FxHashMap<(KindNo, Id), Key>,
    /// Keys of released nodes, to be used again.
    free: Vec<Key>,
    /// (referred object, number of the back list) -> those that refer to it.
    pub(super) backs: FxHashMap<(Key, u16), Vec<Key>>,
    /// The same for lists that are kept by project: (referred object, list, project) -> those that refer.
    pub(super) backs_in: FxHashMap<(Key, u16, Key), Vec<Key>>,
    /// (person, project) -> the place there.
    pub(super) members: FxHashMap<(Key, Key), Membership>,
    /// project -> its people, person -> his projects.
    pub(super) rosters: FxHashMap<Key, Vec<Key>>,
    pub(super) by_login: FxHashMap<Str, Vec<Key>>,
    pub(super) by_email: FxHashMap<Str, Vec<Key>>,
    /// Objects of kinds that are found by name.
    pub(super) by_name: FxHashMap<(KindNo, Str), Vec<Key>>,
    pub(super) lazy: Lazy,
    /// Objects of which no record was ever understood, by table.
    pub(super) odd: FxHashMap<KindNo, Vec<Key>>,
}

/// Records read on first use, oldest first. Any of them is taken out without looking at the others: all may go at once.
#[derive(Clone, Debug, Default)]
pub(super) struct Lazy {
    order: BTreeMap<u64, Key>,
    places: FxHashMap<Key, u64>,
    next: u64,
}

impl Tables {
    pub(super) fn find(&self, table: KindNo, id: &Id) -> Option<Key> {
        // A tuple key of borrowed parts cannot be looked up without a clone; the clone of an id is a copy of 24 bytes.
        self.keys.get(&(table, id.clone())).copied()
    }

    pub(super) fn node(&self, key: Key) -> Option<&Node> {
        self.nodes.get(key.0 as usize)
    }

    pub(super) fn state(&self, key: Key) -> &State {
        self.node(key).map_or(&State::Unknown, |node| &node.state)
    }

    pub(super) fn row(&self, key: Key) -> Option<&Row> {
        match self.state(key) {
            State::Record(row) => Some(row),
            _ => None,
        }
    }

    /// Nothing yet, and room for so many objects.
    pub(super) fn with_capacity(count: usize) -> Self {
        Self { keys: FxHashMap::with_capacity_and_hasher(count, FxBuildHasher), ..Self::default() }
    }

    /// Notes the handle of an object; false where its id has one already.
    pub(super) fn file(&mut self, node: &Node, key: Key) -> bool {
        self.keys.insert((node.table, node.id.clone()), key).is_none()
    }

    /// The object's handle, made where there is none yet.
    pub(super) fn intern(&mut self, table: KindNo, id: &Id) -> Key {
        if let Some(key) = self.find(table, id) {
            return key;
        }
        let node = Node { table, id: id.clone(), state: State::Unknown };
        let reused = self.free.pop().and_then(|key| self.nodes.get_mut(key.0 as usize).map(|slot| (key, slot)));
        let key = match reused {
            Some((key, slot)) => {
                *slot = node;
                key
            }
            None => {
                // More than 2^32 objects do not fit in memory long before this saturates.
                let key = Key(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
                self.nodes.push(node);
                key
            }
        };
        self.keys.insert((table, id.clone()), key);
        key
    }

    /// Gives up the handle of an object that nothing else refers to.
    pub(super) fn release(&mut self, key: Key) {
        let Some(node) = self.nodes.get_mut(key.0 as usize) else { return };
        node.state = State::Unknown;
        let id = std::mem::replace(&mut node.id, Id::EMPTY);
        if self.keys.remove(&(node.table, id)).is_some() {
            self.free.push(key);
        }
    }

    /// Puts a new state in place and returns the old one.
    pub(super) fn set_state(&mut self, key: Key, state: State) -> State {
        let Some(node) = self.nodes.get_mut(key.0 as usize) else { return State::Unknown };
        let old = std::mem::replace(&mut node.state, state);
        let odd = |state: &State| matches!(state, State::Quarantined(None));
        match (odd(&old), odd(&node.state)) {
            (false, true) => self.odd.entry(node.table).or_default().push(key),
            (true, false) => {
                if let Some(list) = self.odd.get_mut(&node.table) {
                    list.retain(|known| *known != key);
                }
            }
            _ => {}
        }
        old
    }
}

impl Lazy {
    pub(super) fn push(&mut self, key: Key) {
        self.order.insert(self.next, key);
        self.places.insert(key, self.next);
        self.next += 1;
    }

    pub(super) fn remove(&mut self, key: Key) {
        if let Some(place) = self.places.remove(&key) {
            self.order.remove(&place);
        }
    }

    pub(super) fn pop_oldest(&mut self) -> Option<Key> {
        let (_, key) = self.order.pop_first()?;
        self.places.remove(&key);
        Some(key)
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }
}

impl Row {
    /// The cell of a field.
    pub fn cell(&self, field: FieldNo) -> &Cell {
        self.cells.get(usize::from(field)).unwrap_or(&Cell::Unset)
    }
}

impl Cell {
    /// The objects that this field refers to.
    pub fn refs(&self) -> &[Key] {
        match self {
            Self::Ref(key) => std::slice::from_ref(key),
            Self::Refs(keys) => keys,
            _ => &[],
        }
    }

    /// The text, where it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}
