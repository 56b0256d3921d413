//! What the restrictions say of statuses that somebody has set already: asked by the guard.

use super::Authorizer;
use crate::engine::Ruling;
use crate::model::id::{Id, ObjectRef};

impl Authorizer {
    /// The ids of the statuses that any restriction names now.
    pub fn restricted_statuses(&self) -> Vec<Id> {
        let mirror = self.mirror.read();
        mirror.policy.restricted_statuses(mirror.directory.view())
    }

    /// Whether the mirror has the object in a status that is restricted for its kind.
    pub fn is_restricted_now(&self, object: &ObjectRef) -> bool {
        let mirror = self.mirror.read();
        mirror.policy.is_restricted_now(mirror.directory.view(), object)
    }

    /// What the restrictions alone say of this person's having set this status on this object; nobody (`None`) is allowed
    /// nothing that is restricted. Unknown while the mirror is not whole.
    pub fn restriction(&self, object: &ObjectRef, status: &Id, person: Option<&Id>) -> Ruling {
        let mirror = self.mirror.read();
        if mirror.halfway || self.age.moment().age.is_none() {
            return Ruling::Unknown;
        }
        mirror.policy.ruling(mirror.directory.view(), object, status, person)
    }
}
