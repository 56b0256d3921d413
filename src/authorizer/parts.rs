//! Applies a load while it is under way, part by part, and says at its end what it did not list.

use std::collections::HashSet;

use super::Authorizer;
use crate::directory::{Applied, Listed};
use crate::model::change::{Change, Snapshot};
use crate::model::id::{Key, ObjectRef};

impl Authorizer {
    /// Applies what differs of a part of a load, objects of `except` (named by their tables) left alone, and notes what
    /// it lists. A part is no one look at the tracker, so its changes need not count at once.
    pub fn apply_part(&self, part: Vec<Change>, except: &HashSet<ObjectRef>, listed: &mut Listed) -> Applied {
        let _turn = self.writing.lock();
        let (named, changes) = {
            let mirror = self.mirror.read();
            (mirror.directory.named(&part), mirror.directory.differing(part, except))
        };
        let applied = self.apply_apart(changes);
        self.mirror.read().directory.list(&named, listed);
        applied
    }

    /// Applies what a load hands over at its end. Of the tables that it has listed in parts nothing is removed: what they
    /// do not list is for [`Authorizer::unlisted`] to say.
    pub fn apply_rest(&self, mut snapshot: Snapshot, listed: &mut Listed) -> Applied {
        let _turn = self.writing.lock();
        let (named, changes) = {
            let mirror = self.mirror.read();
            snapshot.complete = mirror.directory.unlisted_tables(snapshot.complete, listed);
            let mut named = mirror.directory.named(&snapshot.changes);
            named.retain(|(table, _)| listed.has(*table));
            (named, mirror.directory.difference(snapshot))
        };
        let applied = self.apply_all(changes);
        self.mirror.read().directory.list(&named, listed);
        applied
    }

    /// The next objects, beginning at a handle, that the mirror has of the tables that were listed in parts and that the
    /// load has not listed; and where to go on. `None`: these are the last.
    pub fn unlisted(&self, listed: &Listed, from: Key, most: usize) -> (Vec<ObjectRef>, Option<Key>) {
        self.mirror.read().directory.unlisted(listed, from, most)
    }
}
