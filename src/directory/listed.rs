//! What a load has listed so far: a bit for each handle, so that a load of any size is compared without being held.

use rustc_hash::FxHashSet;

use super::Directory;
use super::row::State;
use crate::model::change::Change;
use crate::model::id::{Id, Key, ObjectRef, Str};
use crate::model::schema::KindNo;

/// Which objects a load has listed, and of which tables it has listed any.
#[derive(Debug, Default)]
pub struct Listed {
    bits: Vec<u64>,
    tables: FxHashSet<KindNo>,
}

// === impl Listed ===

impl Listed {
    /// How many bytes it takes, about.
    pub fn size(&self) -> usize {
        self.bits.capacity() * size_of::<u64>()
    }

    /// Whether any object of the table was listed.
    pub fn has(&self, table: KindNo) -> bool {
        self.tables.contains(&table)
    }

    fn insert(&mut self, key: Key) {
        let (word, bit) = place(key);
        if word >= self.bits.len() {
            self.bits.resize(word + 1, 0);
        }
        if let Some(word) = self.bits.get_mut(word) {
            *word |= bit;
        }
    }

    fn contains(&self, key: Key) -> bool {
        let (word, bit) = place(key);
        self.bits.get(word).is_some_and(|word| word & bit != 0)
    }
}

fn place(key: Key) -> (usize, u64) {
    (key.0 as usize / 64, 1 << (key.0 % 64))
}

impl Directory {
    /// The objects that these changes say to exist, under their tables.
    pub fn named(&self, changes: &[Change]) -> Vec<(KindNo, Id)> {
        let named = changes.iter().filter_map(|change| match change {
            Change::Upsert(record) => Some((&record.kind, &record.id)),
            Change::Quarantine { object, .. } => Some((&object.kind, &object.id)),
            Change::Remove(_)
            | Change::Forget(_)
            | Change::Team { .. }
            | Change::Join { .. }
            | Change::Leave { .. } => None,
        });
        named.filter_map(|(kind, id)| Some((self.schema.table_of(self.schema.kind_no(kind)?), id.clone()))).collect()
    }

    /// Notes that a load has listed these objects. To be called once they are applied: what has no handle is not held.
    pub fn list(&self, named: &[(KindNo, Id)], listed: &mut Listed) {
        for (table, id) in named {
            listed.tables.insert(*table);
            if let Some(key) = self.tables.find(*table, id) {
                listed.insert(key);
            }
        }
    }

    /// Divides the tables of which everything was read: those with listed objects stay in `listed`, the others are
    /// returned.
    pub fn unlisted_tables(&self, complete: Vec<Str>, listed: &mut Listed) -> Vec<Str> {
        let table = |name: &Str| self.schema.kind_no(name).map(|kind| self.schema.table_of(kind));
        let read: FxHashSet<_> = complete.iter().filter_map(table).collect();
        listed.tables.retain(|table| read.contains(table));
        complete.into_iter().filter(|name| table(name).is_none_or(|table| !listed.tables.contains(&table))).collect()
    }

    /// The next objects, beginning at a handle, that the mirror has of the listed tables and that were not listed; and
    /// where to go on. `None`: these are the last.
    pub fn unlisted(&self, listed: &Listed, from: Key, most: usize) -> (Vec<ObjectRef>, Option<Key>) {
        let mut found = Vec::new();
        if listed.tables.is_empty() {
            return (found, None);
        }
        for (at, node) in (from.0..).zip(self.tables.nodes.iter_from(from.0 as usize)) {
            if found.len() == most {
                return (found, Some(Key(at)));
            }
            let missed = listed.tables.contains(&node.table) && !listed.contains(Key(at));
            if missed && matches!(self.tables.state_of(node), State::Record(_) | State::Quarantined(_)) {
                let kind = Str::from(self.schema.kind_name(node.table));
                found.push(ObjectRef { kind, id: node.id.clone() });
            }
        }
        (found, None)
    }
}
