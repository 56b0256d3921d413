//! Which rows were in the trash when they were last read. One that is not any more was taken out of it, and the links to it
//! are back, whether an event said so or not.

use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::id::{ObjectRef, Str};

/// The rows that are in the trash, by the mirror's kind. No more than the mirror holds.
#[derive(Debug, Default)]
pub(super) struct Trash(Mutex<FxHashMap<Str, FxHashSet<u64>>>);

// === impl Trash ===

impl Trash {
    /// These rows were read where they are now. Returns those that were taken out of the trash.
    pub(super) fn note(&self, kind: &str, ids: impl IntoIterator<Item = u64>, retired: bool) -> FxHashSet<ObjectRef> {
        let mut trash = self.0.lock();
        let held = trash.entry(kind.into()).or_default();
        if retired {
            held.extend(ids);
            return FxHashSet::default();
        }
        ids.into_iter().filter(|id| held.remove(id)).map(|id| ObjectRef::new(kind, &id.to_string())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_out_of_the_trash_is_told_once() {
        let trash = Trash::default();
        let seven = || FxHashSet::from_iter([ObjectRef::new("version", "7")]);
        let none = FxHashSet::default();
        assert_eq!(trash.note("version", [7, 8], true), none);
        assert_eq!(trash.note("shot", [7], false), none);
        assert_eq!(trash.note("version", [6, 7], false), seven());
        assert_eq!(trash.note("version", [7], false), none);
        trash.note("version", [7], true);
        assert_eq!(trash.note("version", [7], false), seven());
    }
}
