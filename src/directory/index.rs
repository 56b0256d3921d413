//! Hash indexes in shards: a shard grows alone, so that no change pays for moving a million entries while checks wait.
//! A copy shares the shards until one of the two changes them.

use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, Equivalent, HashTable, hash_table};
use smallvec::SmallVec;

use crate::model::id::Key;

/// How many shards a large index has.
const SHARDS: usize = 256;

/// Finds values by a hash. What is hashed stands with the values or elsewhere.
///
/// The hashes are seeded anew in each process: whoever chooses ids or names cannot choose them to meet in one place.
#[derive(Clone, Debug)]
pub(super) struct Index<T> {
    hasher: DefaultHashBuilder,
    shards: Vec<Arc<HashTable<T>>>,
}

/// Sets of objects by what they have in common.
#[derive(Clone, Debug)]
pub(super) struct Lists<K>(Index<(K, Sorted)>);

/// Sorted, each once. Those that are usual stand in place.
type Sorted = SmallVec<[Key; 4]>;

// === impl Index ===

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self { hasher: DefaultHashBuilder::default(), shards: Vec::new() }
    }
}

impl<T: Clone> Index<T> {
    pub(super) fn hash(&self, what: impl Hash) -> u64 {
        self.hasher.hash_one(what)
    }

    pub(super) fn find(&self, hash: u64, is: impl FnMut(&T) -> bool) -> Option<&T> {
        self.shards.get(shard(hash))?.find(hash, is)
    }

    pub(super) fn find_mut(&mut self, hash: u64, is: impl FnMut(&T) -> bool) -> Option<&mut T> {
        Arc::make_mut(self.shards.get_mut(shard(hash))?).find_mut(hash, is)
    }

    /// Adds what is not there yet. `rehash`: the hash of a value that is there.
    pub(super) fn insert(&mut self, hash: u64, value: T, rehash: impl Fn(&DefaultHashBuilder, &T) -> u64) {
        if self.shards.is_empty() {
            self.shards.resize_with(SHARDS, Arc::default);
        }
        if let Some(shard) = self.shards.get_mut(shard(hash)) {
            Arc::make_mut(shard).insert_unique(hash, value, |value| rehash(&self.hasher, value));
        }
    }

    /// Makes room for so many, where there is nothing yet: to grow as they come costs a look at each of them twice.
    pub(super) fn expect(&mut self, many: usize) {
        if self.shards.is_empty() {
            // Not all shards get the same share.
            let share = many / SHARDS + many / SHARDS / 16;
            self.shards.resize_with(SHARDS, || Arc::new(HashTable::with_capacity(share)));
        }
    }

    pub(super) fn remove(&mut self, hash: u64, is: impl FnMut(&T) -> bool) -> Option<T> {
        let found = Arc::make_mut(self.shards.get_mut(shard(hash))?).find_entry(hash, is).ok();
        found.map(|entry| hash_table::OccupiedEntry::remove(entry).0)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.shards.iter().flat_map(|shard| shard.iter())
    }
}

/// Bits that the tables themselves do not look at: they take the lowest and the highest.
fn shard(hash: u64) -> usize {
    (hash >> 40) as usize % SHARDS
}

// === impl Lists ===

impl<K> Default for Lists<K> {
    fn default() -> Self {
        Self(Index::default())
    }
}

impl<K: Hash + Eq + Clone> Lists<K> {
    pub(super) fn get<Q: Hash + Equivalent<K> + ?Sized>(&self, of: &Q) -> &[Key] {
        let hash = self.0.hash(of);
        self.0.find(hash, |(key, _)| of.equivalent(key)).map_or(&[], |(_, list)| list)
    }

    pub(super) fn insert(&mut self, of: K, key: Key) {
        let hash = self.0.hash(&of);
        match self.0.find_mut(hash, |(known, _)| *known == of) {
            Some((_, list)) => {
                if let Err(at) = list.binary_search(&key) {
                    list.insert(at, key);
                }
            }
            None => self.0.insert(hash, (of, Sorted::from_slice(&[key])), |hasher, (of, _)| hasher.hash_one(of)),
        }
    }

    pub(super) fn remove<Q: Hash + Equivalent<K> + ?Sized>(&mut self, of: &Q, key: Key) {
        let hash = self.0.hash(of);
        let Some((_, list)) = self.0.find_mut(hash, |(known, _)| of.equivalent(known)) else { return };
        if let Ok(at) = list.binary_search(&key) {
            list.remove(at);
        }
        if list.is_empty() {
            self.0.remove(hash, |(known, _)| of.equivalent(known));
        }
    }

    /// All that have a list.
    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.iter().map(|(key, _)| key)
    }
}
