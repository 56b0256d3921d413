//! The tables of the mirror and their indexes. Private to the directory: the engine sees them through `View`.

use std::collections::BTreeSet;
use std::hash::BuildHasher;

use smallvec::SmallVec;

use super::chunks::Chunks;
use super::index::{Index, Lists};
use super::lazy::Lazy;
use super::members::Members;
use super::row::{Row, State};
use super::rows::{Rows, Words};
use super::values::{MOST, Values};
use crate::model::id::{Id, Key, Str};
use crate::model::schema::{KindNo, Schema};
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

/// The state that an object had. What its record holds is to be given up when nobody looks at it any more.
#[derive(Debug)]
pub(super) enum Was {
    Unknown,
    Gone,
    Quarantined(Option<Taken>),
    Record(Taken),
}

/// A record that is not in its table any more.
#[derive(Debug)]
pub(super) struct Taken {
    kind: KindNo,
    trashed: bool,
    words: Words,
}

/// There are more objects or values than can be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) id: Id,
    pub(super) table: KindNo,
    /// That of its row.
    kind: KindNo,
    standing: Standing,
}

/// What is known of an object, and where its row stands: 4 bits and 28.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Standing(u32);

#[derive(Clone, Debug)]
pub(super) struct Tables {
    pub(super) nodes: Chunks<Node>,
    keys: Index<Key>,
    /// Keys of released nodes, to be used again.
    free: Vec<Key>,
    /// So many objects there are at most.
    pub(super) most: u32,
    /// By table.
    rows: Vec<Rows>,
    pub(super) values: Values,
    /// (referred object, number of the back list) -> those that refer to it.
    pub(super) backs: Lists<(Key, u16)>,
    /// The same for lists that are kept by project: (referred object, list, project) -> those that refer.
    pub(super) backs_in: Lists<(Key, u16, Key)>,
    pub(super) members: Members,
    pub(super) by_login: Lists<Str>,
    pub(super) by_email: Lists<Str>,
    /// Objects of kinds that are found by name.
    pub(super) by_name: Lists<(KindNo, Str)>,
    pub(super) lazy: Lazy,
    /// Objects of which no record was ever understood, by table.
    odd: BTreeSet<(KindNo, Key)>,
    /// Records by kind.
    counts: Vec<u64>,
    quarantined: usize,
}

impl Tables {
    pub(super) fn new(schema: &Schema) -> Self {
        Self {
            nodes: Chunks::default(),
            keys: Index::default(),
            free: Vec::new(),
            most: MOST,
            rows: schema.kinds.iter().map(|kind| Rows::new(kind.fields.len() + 2)).collect(),
            values: Values::default(),
            backs: Lists::default(),
            backs_in: Lists::default(),
            members: Members::default(),
            by_login: Lists::default(),
            by_email: Lists::default(),
            by_name: Lists::default(),
            lazy: Lazy::default(),
            odd: BTreeSet::new(),
            counts: vec![0; schema.kinds.len()],
            quarantined: 0,
        }
    }

    pub(super) fn find(&self, table: KindNo, id: &Id) -> Option<Key> {
        self.keys.find(self.keys.hash((table, id)), |key| is(&self.nodes, *key, table, id)).copied()
    }

    pub(super) fn node(&self, key: Key) -> Option<&Node> {
        self.nodes.get(key.0 as usize)
    }

    pub(super) fn state(&self, key: Key) -> State<'_> {
        self.node(key).map_or(State::Unknown, |node| self.state_of(node))
    }

    pub(super) fn state_of(&self, node: &Node) -> State<'_> {
        let row = |at| {
            let (trashed, words) = self.rows.get(usize::from(node.table))?.get(at)?;
            Some(Row::new(&self.values, node.kind, trashed, words))
        };
        match (node.standing, node.standing.row()) {
            (Standing::GONE, _) => State::Gone,
            (Standing::ODD, _) => State::Quarantined(None),
            (_, Some((true, at))) => row(at).map_or(State::Unknown, State::Record),
            (_, Some((false, at))) => State::Quarantined(row(at)),
            _ => State::Unknown,
        }
    }

    pub(super) fn row(&self, key: Key) -> Option<Row<'_>> {
        match self.state(key) {
            State::Record(row) => Some(row),
            _ => None,
        }
    }

    /// The objects of a table of which a record was understood once, whatever came of it since.
    pub(super) fn with_row(&self, table: KindNo) -> impl Iterator<Item = Key> {
        self.rows.get(usize::from(table)).into_iter().flat_map(Rows::owners)
    }

    /// Those of which none ever was.
    pub(super) fn odd(&self, table: KindNo) -> impl Iterator<Item = Key> {
        self.odd.range((table, Key(0))..).take_while(move |(of, _)| *of == table).map(|(_, key)| *key)
    }

    /// Records by kind.
    pub(super) fn counts(&self) -> &[u64] {
        &self.counts
    }

    pub(super) fn quarantined(&self) -> usize {
        self.quarantined
    }

    /// The object's handle, made where there is none yet.
    pub(super) fn intern(&mut self, table: KindNo, id: &Id) -> Result<Key, Full> {
        let hash = self.keys.hash((table, id));
        if let Some(key) = self.keys.find(hash, |key| is(&self.nodes, *key, table, id)) {
            return Ok(*key);
        }
        let node = Node { id: id.clone(), table, kind: table, standing: Standing::UNKNOWN };
        let key = match self.free.pop() {
            Some(key) => {
                *self.nodes.get_mut(key.0 as usize).ok_or(Full)? = node;
                key
            }
            None => {
                let next = u32::try_from(self.nodes.len()).ok().filter(|next| *next < self.most).ok_or(Full)?;
                self.nodes.push(node);
                Key(next)
            }
        };
        let nodes = &self.nodes;
        self.keys.insert(hash, key, |hasher, key| {
            nodes.get(key.0 as usize).map_or(0, |node| hasher.hash_one((node.table, &node.id)))
        });
        Ok(key)
    }

    /// Makes room for the ids of so many objects, where there are none yet.
    pub(super) fn expect(&mut self, many: usize) {
        self.keys.expect(many);
    }

    /// Gives up the handle of an object that nothing else refers to.
    pub(super) fn release(&mut self, key: Key) {
        let Some(node) = self.nodes.get_mut(key.0 as usize) else { return };
        let hash = self.keys.hash((node.table, &node.id));
        node.standing = Standing::UNKNOWN;
        node.id = Id::EMPTY;
        if self.keys.remove(hash, |known| *known == key).is_some() {
            self.free.push(key);
        }
    }

    /// Puts a new state in place and returns the old one; `None` where it is the same.
    ///
    /// # Errors
    /// Where there is no room for the record; the state is the old one then.
    pub(super) fn set_state(&mut self, key: Key, state: NewState<'_>) -> Result<Option<Was>, Full> {
        let same = match (self.state(key), &state) {
            (State::Unknown, NewState::Unknown) | (State::Gone, NewState::Gone) => true,
            (State::Record(row), NewState::Record(draft)) => row.is(draft),
            _ => false,
        };
        let Some(node) = self.nodes.get_mut(key.0 as usize).filter(|_| !same) else { return Ok(None) };
        let Some(rows) = self.rows.get_mut(usize::from(node.table)) else { return Ok(None) };
        let (old, place) = (node.standing, node.standing.row().map(|(_, at)| at));
        let taken = place.and_then(|at| {
            let (trashed, words) = rows.get(at)?;
            Some(Taken { kind: node.kind, trashed, words: SmallVec::from_slice(words) })
        });
        node.standing = match (state, place) {
            (NewState::Record(draft), place) => {
                let words = self.values.hold(&draft).ok_or(Full)?;
                let at = match place {
                    Some(at) => rows.put(at, key, draft.trashed, &words).map(|()| at),
                    None => rows.insert(key, draft.trashed, &words),
                };
                let Some(at) = at else {
                    self.values.give_up(&words);
                    return Err(Full);
                };
                node.kind = draft.kind;
                Standing::record(at)
            }
            (state, place) => {
                place.into_iter().for_each(|at| rows.remove(at));
                if matches!(state, NewState::Gone) { Standing::GONE } else { Standing::UNKNOWN }
            }
        };
        let was = match (old, old.row(), taken) {
            (Standing::GONE, ..) => Was::Gone,
            (_, Some((true, _)), Some(taken)) => Was::Record(taken),
            (_, Some((false, _)), taken) => Was::Quarantined(taken),
            (Standing::ODD, ..) => Was::Quarantined(None),
            _ => Was::Unknown,
        };
        self.count(key, &was);
        Ok(Some(was))
    }

    /// The record that came is not understood: what was last said stays. Whether that is new.
    pub(super) fn quarantine(&mut self, key: Key) -> bool {
        let Some(node) = self.nodes.get_mut(key.0 as usize) else { return false };
        match node.standing.row() {
            Some((true, at)) => {
                node.standing = Standing::quarantined(at);
                if let Some(count) = self.counts.get_mut(usize::from(node.kind)) {
                    *count -= 1;
                }
            }
            None if node.standing != Standing::ODD => {
                node.standing = Standing::ODD;
                self.odd.insert((node.table, key));
            }
            _ => return false,
        }
        self.quarantined += 1;
        true
    }

    fn count(&mut self, key: Key, was: &Was) {
        let Some(node) = self.nodes.get(key.0 as usize) else { return };
        match was {
            Was::Record(Taken { kind, .. }) => {
                if let Some(count) = self.counts.get_mut(usize::from(*kind)) {
                    *count -= 1;
                }
            }
            Was::Quarantined(row) => {
                self.quarantined -= 1;
                if row.is_none() {
                    self.odd.remove(&(node.table, key));
                }
            }
            Was::Unknown | Was::Gone => {}
        }
        if let Some((true, _)) = node.standing.row()
            && let Some(count) = self.counts.get_mut(usize::from(node.kind))
        {
            *count += 1;
        }
    }

    /// Nobody looks at the old state any more.
    pub(super) fn give_up(&mut self, was: Was) {
        if let Was::Record(taken) | Was::Quarantined(Some(taken)) = was {
            self.values.give_up(&taken.words);
        }
    }
}

fn is(nodes: &Chunks<Node>, key: Key, table: KindNo, id: &Id) -> bool {
    nodes.get(key.0 as usize).is_some_and(|node| node.table == table && node.id == *id)
}

// === impl Standing ===

impl Standing {
    const UNKNOWN: Self = Self(0);
    const GONE: Self = Self(1);
    /// Quarantined, and nothing was ever understood.
    const ODD: Self = Self(2);
    const RECORD: u32 = MOST;
    const QUARANTINED: u32 = 2 * MOST;

    fn record(at: u32) -> Self {
        Self(Self::RECORD | at)
    }

    fn quarantined(at: u32) -> Self {
        Self(Self::QUARANTINED | at)
    }

    /// Whether the row counts, and where it stands.
    fn row(self) -> Option<(bool, u32)> {
        match self.0 & !(MOST - 1) {
            0 => None,
            kind => Some((kind == Self::RECORD, self.0 & (MOST - 1))),
        }
    }
}

// === impl Was ===

impl Was {
    pub(super) fn view<'v>(&'v self, values: &'v Values) -> State<'v> {
        let row = |taken: &'v Taken| Row::new(values, taken.kind, taken.trashed, &taken.words);
        match self {
            Self::Unknown => State::Unknown,
            Self::Gone => State::Gone,
            Self::Quarantined(taken) => State::Quarantined(taken.as_ref().map(row)),
            Self::Record(taken) => State::Record(row(taken)),
        }
    }
}
