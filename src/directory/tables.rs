//! The tables of the mirror and their indexes. Private to the directory: the engine sees them through `View`.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::row::{Membership, Row, State};
use crate::model::id::{Id, Key, Str};
use crate::model::schema::KindNo;
use crate::model::value::Value;

/// A new state of an object.
#[derive(Debug)]
pub(super) enum NewState<'r> {
    Unknown,
    Gone,
    Record(Draft<'r>),
}

/// A record that is to be held.
#[derive(Debug)]
pub(super) struct Draft<'r> {
    pub(super) kind: KindNo,
    pub(super) trashed: bool,
    pub(super) project: Option<Key>,
    pub(super) name: &'r str,
    /// By field number of the table's kind.
    pub(super) cells: Vec<DraftCell<'r>>,
}

/// A value that is to be held.
#[derive(Debug)]
pub(super) enum DraftCell<'r> {
    Unset,
    Null,
    Bool(bool),
    Number(f64),
    Text(&'r str),
    Texts(Vec<&'r str>),
    Ref(Key),
    /// Sorted, each once.
    Refs(SmallVec<[Key; 2]>),
    Any(&'r Value),
}

/// The state that an object had.
#[derive(Debug, Default, PartialEq)]
pub(super) enum HeldState {
    #[default]
    Unknown,
    Gone,
    Quarantined(Option<Held>),
    Record(Held),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Held {
    pub(super) kind: KindNo,
    pub(super) trashed: bool,
    pub(super) project: Option<Key>,
    pub(super) name: Box<str>,
    pub(super) cells: Box<[HeldCell]>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum HeldCell {
    Unset,
    Null,
    Bool(bool),
    Number(f64),
    Text(Box<str>),
    Texts(Box<[Box<str>]>),
    Ref(Key),
    Refs(Box<[Key]>),
    Any(Box<Value>),
}

/// A person's place in a project, as it is held.
#[derive(Debug, PartialEq)]
pub(super) struct Place {
    pub(super) role: Option<Str>,
    pub(super) grants: Option<Box<Grants>>,
}

/// The roles and rights of one member.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grants {
    pub roles: Box<[Key]>,
    pub rights: Box<[Str]>,
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) table: KindNo,
    pub(super) id: Id,
    state: HeldState,
}

#[derive(Debug, Default)]
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
    pub(super) members: FxHashMap<(Key, Key), Place>,
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
#[derive(Debug, Default)]
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

    pub(super) fn state(&self, key: Key) -> State<'_> {
        self.node(key).map_or(State::Unknown, Node::state)
    }

    pub(super) fn row(&self, key: Key) -> Option<Row<'_>> {
        match self.state(key) {
            State::Record(row) => Some(row),
            _ => None,
        }
    }

    /// The object's handle, made where there is none yet.
    pub(super) fn intern(&mut self, table: KindNo, id: &Id) -> Key {
        if let Some(key) = self.find(table, id) {
            return key;
        }
        let node = Node { table, id: id.clone(), state: HeldState::Unknown };
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
        node.state = HeldState::Unknown;
        let id = std::mem::replace(&mut node.id, Id::EMPTY);
        if self.keys.remove(&(node.table, id)).is_some() {
            self.free.push(key);
        }
    }

    /// Puts a new state in place and returns the old one; `None` where it is the same.
    pub(super) fn set_state(&mut self, key: Key, state: NewState<'_>) -> Option<HeldState> {
        let node = self.nodes.get_mut(key.0 as usize)?;
        let state = HeldState::from(state);
        if node.state == state {
            return None;
        }
        let old = std::mem::replace(&mut node.state, state);
        self.note_odd(key, matches!(old, HeldState::Quarantined(None)));
        Some(old)
    }

    /// The record that came is not understood: what was last said stays. Whether that is new.
    pub(super) fn quarantine(&mut self, key: Key) -> bool {
        let Some(node) = self.nodes.get_mut(key.0 as usize) else { return false };
        node.state = match std::mem::take(&mut node.state) {
            old @ HeldState::Quarantined(_) => {
                node.state = old;
                return false;
            }
            HeldState::Record(row) => HeldState::Quarantined(Some(row)),
            HeldState::Unknown | HeldState::Gone => HeldState::Quarantined(None),
        };
        self.note_odd(key, false);
        true
    }

    fn note_odd(&mut self, key: Key, was_odd: bool) {
        let Some(node) = self.nodes.get(key.0 as usize) else { return };
        match (was_odd, matches!(node.state, HeldState::Quarantined(None))) {
            (false, true) => self.odd.entry(node.table).or_default().push(key),
            (true, false) => {
                if let Some(list) = self.odd.get_mut(&node.table) {
                    list.retain(|known| *known != key);
                }
            }
            _ => {}
        }
    }
}

impl Node {
    pub(super) fn state(&self) -> State<'_> {
        self.state.view()
    }
}

impl HeldState {
    pub(super) fn view(&self) -> State<'_> {
        match self {
            Self::Unknown => State::Unknown,
            Self::Gone => State::Gone,
            Self::Quarantined(row) => State::Quarantined(row.as_ref().map(Row::new)),
            Self::Record(row) => State::Record(Row::new(row)),
        }
    }
}

impl From<NewState<'_>> for HeldState {
    fn from(state: NewState<'_>) -> Self {
        match state {
            NewState::Unknown => Self::Unknown,
            NewState::Gone => Self::Gone,
            NewState::Record(row) => Self::Record(Held::from(row)),
        }
    }
}

impl From<Draft<'_>> for Held {
    fn from(Draft { kind, trashed, project, name, cells }: Draft<'_>) -> Self {
        let cells = cells.into_iter().map(|cell| match cell {
            DraftCell::Unset => HeldCell::Unset,
            DraftCell::Null => HeldCell::Null,
            DraftCell::Bool(value) => HeldCell::Bool(value),
            DraftCell::Number(value) => HeldCell::Number(value),
            DraftCell::Text(text) => HeldCell::Text(text.into()),
            DraftCell::Texts(texts) => HeldCell::Texts(texts.into_iter().map(Into::into).collect()),
            DraftCell::Ref(key) => HeldCell::Ref(key),
            DraftCell::Refs(keys) => HeldCell::Refs(keys.as_slice().into()),
            DraftCell::Any(value) => HeldCell::Any(Box::new(value.clone())),
        });
        Self { kind, trashed, project, name: name.into(), cells: cells.collect() }
    }
}

impl Place {
    pub(super) fn view(&self) -> Membership<'_> {
        Membership { role: self.role.as_deref(), grants: self.grants.as_deref() }
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
