//! Which projects the key sees. Events name projects that it does not: private ones that nobody awarded to it.

use parking_lot::Mutex;
use rustc_hash::FxHashSet;

use crate::model::id::Id;

/// How many projects that are not seen are remembered.
const MOST: usize = 10_000;

/// What is known of the projects that events name.
#[derive(Debug, Default)]
pub(super) struct Sight(Mutex<Projects>);

#[derive(Debug, Default)]
struct Projects {
    seen: FxHashSet<Id>,
    /// Named by an event as there, not seen, and asked for since the last load.
    named: FxHashSet<Id>,
    warned: FxHashSet<Id>,
}

// === impl Sight ===

impl Sight {
    /// A load saw these and no others.
    pub(super) fn loaded(&self, projects: impl Iterator<Item = Id>) {
        let mut held = self.0.lock();
        held.seen = projects.collect();
        held.named.clear();
    }

    /// An event names these projects as there; returned are those to ask for.
    pub(super) fn named(&self, projects: Vec<Id>) -> Vec<Id> {
        let mut held = self.0.lock();
        let unseen = projects
            .into_iter()
            .filter(|id| !held.seen.contains(id) && held.named.len() < MOST && held.named.insert(id.clone()));
        unseen.collect()
    }

    /// The project was read.
    pub(super) fn found(&self, id: &Id) {
        let mut held = self.0.lock();
        held.named.remove(id);
        held.warned.remove(id);
        if held.seen.insert(id.clone()) {
            tracing::debug!(project = %id, "a project is seen");
        }
    }

    /// The project was asked for and is not shown; returns whether that was worth a warning.
    pub(super) fn missed(&self, id: &Id) -> bool {
        let mut held = self.0.lock();
        held.seen.remove(id);
        let warned = held.named.contains(id) && held.warned.len() < MOST && held.warned.insert(id.clone());
        if warned {
            tracing::warn!(
                project = %id,
                "an event names a project that the API key does not see, so whatever is in it is denied: award the project to \
                 the key in ftrack if it is a private one"
            );
        }
        warned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(names: &[&str]) -> Vec<Id> {
        names.iter().map(|name| Id::from(*name)).collect()
    }

    #[test]
    fn what_is_named_and_not_seen_is_asked_for_and_warned_of_once() {
        let sight = Sight::default();
        sight.loaded(ids(&["open"]).into_iter());
        assert_eq!(sight.named(ids(&["open", "private"])), ids(&["private"]));
        assert_eq!(sight.named(ids(&["private"])), []);
        assert!(sight.missed(&Id::from("private")) && !sight.missed(&Id::from("private")));
        assert!(!sight.missed(&Id::from("deleted")), "nobody said that it is there");
        sight.loaded(ids(&["open"]).into_iter());
        assert_eq!(sight.named(ids(&["private"])), ids(&["private"]), "asked for again");
        sight.found(&Id::from("private"));
        assert_eq!(sight.named(ids(&["private"])), []);
    }
}
