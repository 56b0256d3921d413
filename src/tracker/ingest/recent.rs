//! The ids of the last events, so that one that is sent again does nothing.

use std::collections::VecDeque;

use rustc_hash::FxHashSet;

use crate::model::id::Str;

/// How many ids are remembered.
const MOST: usize = 10_000;

/// Ids in the order of their arrival.
#[derive(Debug, Default)]
pub(super) struct Recent {
    order: VecDeque<Str>,
    known: FxHashSet<Str>,
}

// === impl Recent ===

impl Recent {
    pub(super) fn contains(&self, id: &str) -> bool {
        self.known.contains(id)
    }

    pub(super) fn add(&mut self, id: Str) {
        if self.known.insert(id.clone()) {
            self.order.push_back(id);
        }
        while self.order.len() > MOST {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }
}
