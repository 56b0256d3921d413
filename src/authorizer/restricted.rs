//! What the restrictions say of statuses that somebody has set already: asked by the guard.

use super::{Authorizer, Mirror};
use crate::engine::Ruling;
use crate::model::change::Dep;
use crate::model::id::{Id, ObjectRef, Str};

impl Authorizer {
    /// The ids of the statuses that any restriction names now.
    pub fn restricted_statuses(&self) -> Vec<Id> {
        let mirror = self.mirror.read();
        mirror.policy.restricted_statuses(mirror.directory.view())
    }

    /// Whether the mirror has the object in a status that is restricted for its kind; an object that is read on first use
    /// may be.
    pub fn is_restricted_now(&self, object: &ObjectRef) -> bool {
        let mirror = self.mirror.read();
        mirror.policy.is_restricted_now(mirror.directory.view(), object)
    }

    /// Whether the mirror has such a person.
    pub fn knows_person(&self, person: &Id) -> bool {
        let mirror = self.mirror.read();
        let view = mirror.directory.view();
        view.find(view.schema().subject.kind, person).is_some_and(|key| view.row(key).is_some())
    }

    /// Whether an object can be given this status.
    pub fn is_usable(&self, status: &Id) -> bool {
        let mirror = self.mirror.read();
        mirror.policy.is_usable(mirror.directory.view(), status)
    }

    /// What the restrictions alone say of this person's having set this status on this object; nobody (`None`) is allowed
    /// nothing that is restricted. Unknown while the mirror is not whole.
    pub fn restriction(&self, object: &ObjectRef, status: &Id, person: Option<&Id>) -> Ruling {
        self.ruling(&self.mirror.read(), object, status, person).0
    }

    /// Re-reads from the tracker what that answer depends on: who is in which group may change without any event. False
    /// where it could not be read.
    pub async fn refresh_restriction(&self, object: &ObjectRef, status: &Id, person: Option<&Id>) -> bool {
        let mut objects: Vec<_> = {
            let mirror = self.mirror.read();
            let (_, reads) = self.ruling(&mirror, object, status, person);
            let mut keys: Vec<_> = reads.iter().flat_map(Dep::objects).flatten().collect();
            keys.sort_unstable();
            keys.dedup();
            let view = mirror.directory.view();
            let kind = Str::from(view.schema().kind_name(view.schema().subject.kind));
            let person = person.map(|id| ObjectRef { kind, id: id.clone() });
            let named = person.into_iter().chain([object.clone()]);
            keys.into_iter().filter_map(|key| view.object(key)).chain(named).collect()
        };
        objects.sort_unstable();
        objects.dedup();
        self.read(objects).await
    }

    fn ruling(&self, mirror: &Mirror, object: &ObjectRef, status: &Id, person: Option<&Id>) -> (Ruling, Vec<Dep>) {
        // What comes from the disk is good enough to answer from, not to put anything back by.
        if !self.age.is_loaded() {
            return (Ruling::Unknown, Vec::new());
        }
        mirror.policy.ruling(mirror.directory.view(), object, status, person)
    }
}
