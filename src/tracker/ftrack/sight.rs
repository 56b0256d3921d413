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
    /// A load saw these and no others; returns whether some of them were not seen before, though others were.
    pub(super) fn loaded(&self, projects: impl Iterator<Item = Id>) -> bool {
        let projects: FxHashSet<Id> = projects.collect();
        let mut held = self.0.lock();
        let appeared = !held.seen.is_empty() && !projects.is_subset(&held.seen);
        held.seen = projects;
        held.named.clear();
        appeared
    }

    /// An event names these projects as there; returned are those to ask for.
    pub(super) fn named(&self, projects: Vec<Id>) -> Vec<Id> {
        let mut held = self.0.lock();
        let unseen = projects
            .into_iter()
            .filter(|id| !held.seen.contains(id) && held.named.len() < MOST && held.named.insert(id.clone()));
        unseen.collect()
    }

    /// The project was read; returns whether it was not seen before.
    pub(super) fn found(&self, id: &Id) -> bool {
        let mut held = self.0.lock();
        held.named.remove(id);
        held.warned.remove(id);
        let appeared = held.seen.insert(id.clone());
        if appeared {
            tracing::debug!(project = %id, "a project is seen");
        }
        appeared
    }

    /// The project was asked for and is not shown.
    pub(super) fn missed(&self, id: &Id) {
        let mut held = self.0.lock();
        held.seen.remove(id);
        if held.named.contains(id) && held.warned.len() < MOST && held.warned.insert(id.clone()) {
            tracing::warn!(
                project = %id,
                "an event names a project that the API key does not see, so whatever is in it is denied: award the project to \
                 the key in ftrack if it is a private one"
            );
        }
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
        assert!(!sight.loaded(ids(&["open"]).into_iter()), "the first load");
        assert_eq!(sight.named(ids(&["open", "private"])), ids(&["private"]));
        assert_eq!(sight.named(ids(&["private"])), []);
        let warned = || sight.0.lock().warned.iter().cloned().collect::<Vec<_>>();
        sight.missed(&Id::from("private"));
        sight.missed(&Id::from("private"));
        sight.missed(&Id::from("deleted"));
        assert_eq!(warned(), ids(&["private"]), "of the other nobody said that it is there");
        assert!(!sight.loaded(ids(&["open"]).into_iter()), "the same");
        assert_eq!(sight.named(ids(&["private"])), ids(&["private"]), "asked for again");
        assert!(sight.found(&Id::from("private")) && !sight.found(&Id::from("private")));
        assert!(!sight.found(&Id::from("open")));
        assert_eq!(warned(), []);
        assert_eq!(sight.named(ids(&["private"])), []);
        assert!(!sight.loaded(ids(&["open", "private"]).into_iter()), "that was found by an event");
        assert!(sight.loaded(ids(&["open", "awarded"]).into_iter()));
    }
}
