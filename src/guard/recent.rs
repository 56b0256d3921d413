//! The moves that were dealt with of late: a bounded set, the oldest forgotten first.
//!
//! To forget one does little harm: the object is looked at once more, and judged as things are then.

use std::collections::VecDeque;

use rustc_hash::FxHashSet;

use crate::model::id::{Id, ObjectRef};

/// How many are remembered.
const MOST: usize = 10_000;

/// Objects and the ids of their moves.
#[derive(Debug, Default)]
pub(super) struct Recent {
    known: FxHashSet<(ObjectRef, Id)>,
    order: VecDeque<(ObjectRef, Id)>,
}

// === impl Recent ===

impl Recent {
    pub(super) fn contains(&self, object: &ObjectRef, change: &Id) -> bool {
        self.known.contains(&(object.clone(), change.clone()))
    }

    /// Whether it is new.
    pub(super) fn insert(&mut self, object: ObjectRef, change: Id) -> bool {
        if !self.known.insert((object.clone(), change.clone())) {
            return false;
        }
        self.order.push_back((object, change));
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded() {
        let mut recent = Recent::default();
        let object = |number: usize| ObjectRef::new("task", &number.to_string());
        for number in 0..MOST + 10 {
            assert!(recent.insert(object(number), Id::from("m")));
        }
        assert!(!recent.insert(object(MOST), Id::from("m")));
        assert!(recent.contains(&object(MOST), &Id::from("m")) && !recent.contains(&object(MOST), &Id::from("n")));
        assert!(!recent.contains(&object(9), &Id::from("m")));
        assert_eq!((recent.known.len(), recent.order.len()), (MOST, MOST));
    }
}
