//! Which records were read on first use, so that the oldest can give way.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::model::id::Key;

/// Records read on first use, oldest first. Any of them is taken out without looking at the others: all may go at once.
#[derive(Clone, Debug, Default)]
pub(super) struct Lazy {
    order: BTreeMap<u64, Key>,
    places: FxHashMap<Key, u64>,
    next: u64,
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
