//! Which cached decisions rest on which input of the mirror.

use std::hash::{BuildHasher as _, Hash};

use parking_lot::Mutex;
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::model::change::Dep;

/// Shards, so that two checks that put decisions seldom wait for each other.
const SHARDS: usize = 64;

/// Input -> numbers and keys of the decisions that rest on it.
#[derive(Debug)]
pub(super) struct Resting<K> {
    shards: Vec<Mutex<Shard<K>>>,
}

type Shard<K> = FxHashMap<Dep, FxHashMap<u64, K>>;

impl<K> Default for Resting<K> {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::new(Shard::default())).collect() }
    }
}

impl<K: Clone + Eq + Hash> Resting<K> {
    fn shard(&self, dep: Dep) -> Option<&Mutex<Shard<K>>> {
        // The low bits choose the place within the map; the shard is chosen by high ones.
        let at = FxBuildHasher.hash_one(dep) >> 48;
        self.shards.get(usize::try_from(at).unwrap_or_default() % SHARDS)
    }

    /// Notes that a decision rests on these inputs.
    pub(super) fn rest(&self, deps: &[Dep], number: u64, key: &K) {
        for dep in deps {
            if let Some(shard) = self.shard(*dep) {
                shard.lock().entry(*dep).or_default().insert(number, key.clone());
            }
        }
    }

    /// Notes that a decision is not kept any more.
    pub(super) fn leave(&self, deps: &[Dep], number: u64) {
        for dep in deps {
            let Some(shard) = self.shard(*dep) else { continue };
            let mut shard = shard.lock();
            if let Some(resting) = shard.get_mut(dep) {
                resting.remove(&number);
                if resting.is_empty() {
                    shard.remove(dep);
                }
            }
        }
    }

    /// Takes out the keys of all decisions that rest on an input.
    pub(super) fn take(&self, dep: Dep) -> Vec<K> {
        let taken = self.shard(dep).and_then(|shard| shard.lock().remove(&dep));
        taken.map(|resting| resting.into_values().collect()).unwrap_or_default()
    }

    pub(super) fn clear(&self) {
        self.shards.iter().for_each(|shard| shard.lock().clear());
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }
}
