//! The roles of people and their places in projects.

use smallvec::SmallVec;

use super::{Val, Vals, Walk};
use crate::directory::{Cell, Membership, State};
use crate::engine::condition::{RoleName, Truth};
use crate::engine::resolve::Place;
use crate::model::change::Dep;
use crate::model::id::Key;

impl<'v> Walk<'v> {
    /// Whether the subject has a role in the project of the resource, where roles are records.
    pub(in crate::engine) fn has_role(&mut self, wanted: &RoleName) -> Truth {
        let mut roles = Vals::default();
        self.grants_into(self.case.subject, &mut roles, |grants| {
            grants.roles.iter().map(|role| Val::Key(*role)).collect::<SmallVec<[_; 8]>>()
        });
        let mut truth = if roles.unknown { Truth::Unknown } else { Truth::No };
        for role in roles.list {
            let Val::Key(key) = role else { continue };
            let Some(row) = self.row(key) else {
                truth = Truth::Unknown;
                continue;
            };
            let is = match wanted {
                RoleName::Id(id) => self.view.id(key) == Some(id),
                RoleName::Name(name) => row.name() == name.as_str(),
            };
            if is {
                return Truth::Yes;
            }
        }
        truth
    }

    /// A person's role in the project of the resource: `None` when not known, `Some(None)` when there is none.
    ///
    /// The project's own role wins over the site-wide one, unless the latter is fixed and `effective` is asked.
    pub(in crate::engine) fn role(&mut self, person: Key, effective: bool) -> Option<Option<&'v str>> {
        // Most rules ask for the subject's role several times.
        let memorable = effective && person == self.case.subject;
        match self.role_here {
            Some(role) if memorable => return role,
            _ => {}
        }
        let role = self.find_role(person, effective);
        if memorable {
            self.role_here = Some(role);
        }
        role
    }

    fn find_role(&mut self, person: Key, effective: bool) -> Option<Option<&'v str>> {
        let site = self.site_role(person)?;
        let fixed = &self.view.schema().subject.fixed_roles;
        if effective && site.is_some_and(|role| fixed.iter().any(|fixed| fixed == role)) {
            return Some(site);
        }
        match self.case.project {
            Place::Unknown => None,
            Place::Site => Some(site),
            Place::Project(project) => Some(self.member(person, project)?.and_then(|at| at.role).or(site)),
        }
    }

    /// A person's site-wide role: `None` when not known, `Some(None)` when there is none.
    pub(in crate::engine) fn site_role(&mut self, person: Key) -> Option<Option<&'v str>> {
        let Some(field) = self.view.schema().subject.role else { return Some(None) };
        match self.row(person)?.cell(field) {
            Cell::Unset => None,
            cell => Some(cell.text()),
        }
    }

    /// Whether the subject is in the project of the resource: `None` when that project is not known.
    pub(in crate::engine) fn in_team(&mut self) -> Option<bool> {
        match self.case.project {
            Place::Unknown => None,
            Place::Site => Some(false),
            Place::Project(project) => Some(self.member(self.case.subject, project)?.is_some()),
        }
    }

    /// A person's place in a project: `None` when not known, as where the project or its team could not be understood.
    pub(super) fn member(&mut self, person: Key, project: Key) -> Option<Option<Membership<'v>>> {
        self.note(Dep::Member { person, project });
        self.note(Dep::Node(project));
        if matches!(self.view.state(project), State::Quarantined(_)) {
            self.quarantined = true;
            return None;
        }
        Some(self.view.member(person, project))
    }
}
