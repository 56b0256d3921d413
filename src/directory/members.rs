//! Who is in which project, and as what.

use std::hash::BuildHasher;

use super::chunks::Slab;
use super::index::{Index, Lists};
use super::row::Membership;
use super::texts::Texts;
use super::values::MOST;
use crate::model::id::{Key, Str};

/// The roles and rights of one member.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grants {
    pub roles: Box<[Key]>,
    pub rights: Box<[Str]>,
}

/// A person's place in a project that is to be held.
#[derive(Debug)]
pub(super) struct Place<'r> {
    pub(super) role: Option<&'r str>,
    pub(super) grants: Option<Grants>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    places: Index<Held>,
    grants: Slab<Grants>,
    /// project -> its people, person -> his projects.
    rosters: Lists<Key>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    person: Key,
    project: Key,
    role: u32,
    grants: u32,
}

/// No role, no grants.
const NONE: u32 = u32::MAX;

// === impl Members ===

impl Members {
    fn hash(&self, person: Key, project: Key) -> u64 {
        self.places.hash((person, project))
    }

    pub(super) fn get<'v>(&'v self, texts: &'v Texts, person: Key, project: Key) -> Option<Membership<'v>> {
        let held = self.places.find(self.hash(person, project), |held| held.is(person, project))?;
        Some(self.view(texts, held))
    }

    fn view<'v>(&'v self, texts: &'v Texts, held: &Held) -> Membership<'v> {
        let role = (held.role != NONE).then(|| texts.get(held.role));
        Membership { role, grants: self.grants.get(held.grants) }
    }

    /// The people of a project, or the projects of a person.
    pub(super) fn roster(&self, of: Key) -> &[Key] {
        self.rosters.get(&of)
    }

    /// All that have a roster.
    pub(super) fn with_roster(&self) -> impl Iterator<Item = Key> {
        self.rosters.keys().copied()
    }

    /// Puts a person in a place of a project, where there may be none yet. `None` where there is no room.
    pub(super) fn put(&mut self, texts: &mut Texts, person: Key, project: Key, place: Place<'_>) -> Option<()> {
        let role = place.role.map_or(Some(NONE), |role| texts.take(role, MOST))?;
        let grants = match place.grants {
            Some(grants) => self.grants.insert(grants, MOST)?,
            None => NONE,
        };
        let hash = self.hash(person, project);
        let new = Held { person, project, role, grants };
        match self.places.find_mut(hash, |held| held.is(person, project)) {
            Some(held) => {
                let old = std::mem::replace(held, new);
                self.give_up(texts, old);
            }
            None => {
                self.places.insert(hash, new, |hasher, held| hasher.hash_one((held.person, held.project)));
                self.rosters.insert(person, project);
                self.rosters.insert(project, person);
            }
        }
        Some(())
    }

    /// Whether the person was in the project.
    pub(super) fn remove(&mut self, texts: &mut Texts, person: Key, project: Key) -> bool {
        let hash = self.hash(person, project);
        let Some(held) = self.places.remove(hash, |held| held.is(person, project)) else { return false };
        self.give_up(texts, held);
        self.rosters.remove(&person, project);
        self.rosters.remove(&project, person);
        true
    }

    fn give_up(&mut self, texts: &mut Texts, Held { role, grants, .. }: Held) {
        texts.give_up(role);
        self.grants.remove(grants);
    }

    /// All of them: person, project, place.
    #[cfg(test)]
    pub(super) fn all<'v>(&'v self, texts: &'v Texts) -> impl Iterator<Item = (Key, Key, Membership<'v>)> {
        self.places.iter().map(|held| (held.person, held.project, self.view(texts, held)))
    }
}

impl Held {
    fn is(&self, person: Key, project: Key) -> bool {
        (self.person, self.project) == (person, project)
    }
}
