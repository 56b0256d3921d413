//! Which rights the subject has: by name, or by the roles that reach as far as is asked.

use smallvec::SmallVec;

use super::{Val, Walk};
use crate::engine::condition::Truth;
use crate::engine::path::Path;
use crate::engine::policy::RightsFrom;
use crate::engine::roles::RoleSet;
use crate::model::change::Dep;
use crate::model::id::Key;

/// Rights, by name or by the roles that give them.
#[derive(Debug, Default)]
pub(super) struct Held<'v> {
    names: SmallVec<[&'v str; 16]>,
    roles: SmallVec<[(Key, &'v RoleSet); 4]>,
    /// There may be more that is not known.
    unknown: bool,
}

impl Held<'_> {
    fn has(&self, right: Option<&str>) -> bool {
        match right {
            None => !self.roles.is_empty(),
            Some(right) => self.roles.iter().any(|(_, set)| set.grants(right)) || self.names.contains(&right),
        }
    }
}

impl<'v> Walk<'v> {
    /// Whether the subject has a right as far as this reach goes; without a right, any role that the policy knows.
    pub(in crate::engine) fn right(&mut self, reach: u16, right: Option<&str>) -> Truth {
        let held = self.held(reach);
        match (held.has(right), held.unknown) {
            (true, _) => Truth::Yes,
            (false, true) => Truth::Unknown,
            (false, false) => Truth::No,
        }
    }

    /// Whether a role that the policy knows makes the subject one of the project: `None` where the policy has no such
    /// roles.
    pub(in crate::engine) fn is_member(&mut self) -> Option<Truth> {
        let members = &self.case.rights.members;
        let truths = members.iter().map(|reach| self.right(*reach, None));
        truths.reduce(|one, other| match (one, other) {
            (Truth::Yes, _) | (_, Truth::Yes) => Truth::Yes,
            (Truth::Unknown, _) | (_, Truth::Unknown) => Truth::Unknown,
            (Truth::No, Truth::No) => Truth::No,
        })
    }

    /// Whether one of the roles that make the subject one of the project has this id or name.
    pub(in crate::engine) fn holds_role(&mut self, named: &str) -> Truth {
        let mut truth = Truth::No;
        for reach in &self.case.rights.members {
            let view = self.view;
            let held = self.held(*reach);
            let is = |(key, set): &(Key, &RoleSet)| set.name == named || view.id(*key).is_some_and(|id| id.is(named));
            if held.roles.iter().any(is) {
                return Truth::Yes;
            }
            if held.unknown {
                truth = Truth::Unknown;
            }
        }
        truth
    }

    /// Whether the subject is the one who has this id, login, e-mail address or name.
    pub(in crate::engine) fn is_called(&mut self, named: &str) -> Truth {
        self.note(Dep::Names(self.view.schema().subject.kind));
        let found = self.view.person(named).ok().flatten();
        found.into_iter().for_each(|person| self.note(Dep::Node(person)));
        if found == Some(self.case.subject) { Truth::Yes } else { Truth::No }
    }

    fn held(&mut self, reach: u16) -> &Held<'v> {
        let known = self.held.iter().position(|(known, _)| *known == reach);
        let at = known.unwrap_or_else(|| {
            let held = self.find_rights(reach);
            self.held.push((reach, held));
            self.held.len() - 1
        });
        match self.held.get(at) {
            Some((_, held)) => held,
            None => const { &Held { names: SmallVec::new_const(), roles: SmallVec::new_const(), unknown: true } },
        }
    }

    fn find_rights(&mut self, reach: u16) -> Held<'v> {
        let mut held = Held::default();
        let sources = self.case.rights.reaches.get(usize::from(reach)).map_or(&[][..], Vec::as_slice);
        for RightsFrom { over, take } in sources {
            let Some((over, when)) = over else {
                self.take(take, &mut held);
                continue;
            };
            let objects = self.values(over);
            held.unknown |= objects.unknown;
            for object in objects.list {
                let Val::Key(key) = object else { continue };
                let outer = self.it.replace(key);
                match when.holds(self) {
                    Truth::Yes => self.take(take, &mut held),
                    Truth::Unknown => held.unknown = true,
                    Truth::No => {}
                }
                self.it = outer;
            }
        }
        held
    }

    /// Adds the rights at the end of the path: names, or roles. A role that the policy does not know gives none.
    fn take(&mut self, path: &'v Path, held: &mut Held<'v>) {
        let vals = self.values(path);
        held.unknown |= vals.unknown;
        for val in vals.list {
            match val {
                Val::Text(right) => held.names.push(right),
                Val::Key(role) if self.case.rights.roles.is_some() => match self.row(role) {
                    Some(row) => held.roles.extend(self.case.rights.sets.get(row.name()).map(|set| (role, set))),
                    None => held.unknown = true,
                },
                _ => {}
            }
        }
    }
}
