//! What a connector hands to the mirror, and what the mirror says about whom it touches.

use std::collections::HashSet;
use std::time::Duration;

use super::id::{Id, Key, ObjectRef, Str};
use super::record::{Member, Record};
use super::schema::KindNo;

/// One change of the mirror.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The object is as the record says.
    Upsert(Record),
    /// The object does not exist (any more).
    Remove(ObjectRef),
    /// These are all the members of the project; whoever is not listed is not in it.
    Team { project: Id, members: Vec<Member> },
    /// This person is in the project, as told here; of the other members nothing is said.
    Join { project: Id, member: Member },
    /// This person is not in the project (any more).
    Leave { project: Id, person: Id },
    /// The tracker's record could not be understood; what depends on it cannot be decided.
    Quarantine { object: ObjectRef, problem: String },
    /// A record that is read on first use is dropped: it will be read again when it is needed.
    Forget(ObjectRef),
}

/// What a connector hands over at once.
#[derive(Clone, Debug, PartialEq)]
pub enum Batch {
    /// Some objects changed.
    Delta(Vec<Change>),
    /// All there is of some kinds.
    Snapshot(Snapshot),
}

/// All objects of `complete` kinds, as they were read from the tracker.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Kinds (table names of the schema) of which every existing object is in `changes`; others of that kind are gone.
    pub complete: Vec<Str>,
    /// Whether `changes` has a `Team` for every project; teams that it leaves out are then empty.
    pub teams: bool,
    pub changes: Vec<Change>,
    /// How old it was already when it was read.
    pub age: Duration,
    /// Objects that an event named while this was being read: what the mirror has of them is newer, so they are left alone.
    pub except: HashSet<ObjectRef>,
}

/// One input of a decision in the mirror, named when it is read and when it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dep {
    /// The object's own record.
    Node(Key),
    /// The list of objects that refer to this one by the reverse reference with this number.
    Back(Key, u16),
    /// The same for those that belong to one project.
    BackIn { of: Key, list: u16, project: Key },
    /// Which objects of this kind have which names, and whether every one of them was understood once.
    Names(KindNo),
    /// A person's place in a project.
    Member { person: Key, project: Key },
    /// The list of a project's people, or of a person's projects.
    Roster(Key),
}

/// Whose decisions may differ after a batch. Empty: none anywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// The policy changed, or everything was read anew: every decision may differ.
    pub everything: bool,
    pub deps: Vec<Dep>,
}

impl Touched {
    /// Every decision may differ.
    pub fn everything() -> Self {
        Self { everything: true, deps: Vec::new() }
    }

    /// Whether no decision can differ.
    pub fn is_empty(&self) -> bool {
        let Self { everything, deps } = self;
        !everything && deps.is_empty()
    }
}

impl Dep {
    /// The objects whose change bears on the input: one or two.
    pub fn objects(&self) -> [Option<Key>; 2] {
        match *self {
            Self::Node(key) | Self::Back(key, _) | Self::Roster(key) => [Some(key), None],
            Self::Member { person, project } | Self::BackIn { of: person, project, .. } => {
                [Some(person), Some(project)]
            }
            Self::Names(_) => [None, None],
        }
    }
}
