//! The roles of both files as they are in effect: of two with one name the overlay's, clones followed.

use super::super::Source;
use crate::engine::parse::{BodyOfRole, CellSource, Filter, GrantsSource, Named, RoleSource, RuleOf, TypeSource};
use crate::model::id::Str;
use crate::yaml::{Problems, suggestion};

/// How deep clones of clones may go.
const MOST_CLONES: usize = 16;

/// Both files.
#[derive(Clone, Copy)]
pub(super) struct Page<'a> {
    pub(super) base: &'a Source,
    pub(super) over: &'a Source,
}

/// Something that stands in one of the two files.
#[derive(Clone, Copy)]
pub(super) struct Of<T> {
    pub(super) what: T,
    /// Whether it is the overlay's.
    pub(super) own: bool,
}

/// A role in effect.
pub(super) struct Role<'a> {
    pub(super) source: &'a RoleSource,
    pub(super) own: bool,
    pub(super) advanced: Of<&'a [Named<Str>]>,
    pub(super) types: Vec<(&'a Named<Str>, Of<&'a TypeSource>)>,
}

impl<'a> Page<'a> {
    /// The roles: the pack's first, in its order.
    pub(super) fn roles(&self, problems: &mut [Problems; 2]) -> Vec<Role<'a>> {
        let Self { base, over } = *self;
        let own = over.roles.iter().map(|role| (role, true));
        let built_in = base.roles.iter().filter(|role| over.roles.iter().all(|own| own.name.what != role.name.what));
        let all = built_in.map(|role| (role, false)).chain(own);
        let mut roles: Vec<_> = all.map(|(role, own)| self.role(role, own, problems)).collect();
        roles.sort_by_key(|role| self.base_place(&role.source.name.what));
        roles
    }

    fn base_place(&self, name: &str) -> usize {
        self.base.roles.iter().position(|role| role.name.what == name).unwrap_or(usize::MAX)
    }

    fn role(&self, source: &'a RoleSource, own: bool, problems: &mut [Problems; 2]) -> Role<'a> {
        let mut chain = vec![(source, own)];
        while let Some((last, own)) = chain.last().copied()
            && let Some(clone) = &last.clone
        {
            let [base_problems, over_problems] = &mut *problems;
            let complain = if own { over_problems } else { base_problems };
            match self.cloned(last, own) {
                Some(next) if chain.contains_role(next) || chain.len() > MOST_CLONES => {
                    // Told of each role in the ring, once; not of those that lead into it.
                    if std::ptr::eq(next.0, source) || chain.len() > MOST_CLONES {
                        let place = source.clone.as_ref().map_or(clone.place, |clone| clone.place);
                        complain.add(place, format!("role `{}` is a clone without an end", source.name.what));
                    }
                    break;
                }
                Some(next) => chain.push(next),
                None => {
                    if std::ptr::eq(last, source) {
                        let names = self.over.roles.iter().chain(&self.base.roles).map(|role| role.name.what.as_str());
                        let hint = suggestion(&clone.what, names.filter(|name| **name != *source.name.what));
                        complain.add(clone.place, format!("there is no role `{}`{hint}", clone.what));
                    }
                    break;
                }
            }
        }
        let mut role = Role { source, own, advanced: Of { what: &[], own }, types: Vec::new() };
        for (source, own) in chain.into_iter().rev() {
            let GrantsSource::Page(BodyOfRole { advanced, types }) = &source.grants else { continue };
            if let Some(advanced) = advanced {
                role.advanced = Of { what: advanced, own };
            }
            for (name, rules) in types {
                role.types.retain(|(known, _)| known.what != name.what);
                role.types.push((name, Of { what: rules, own }));
            }
        }
        role
    }

    /// The role that one begins with: of its own file, but not itself, else the pack's.
    fn cloned(&self, role: &'a RoleSource, own: bool) -> Option<(&'a RoleSource, bool)> {
        let clone = role.clone.as_ref()?;
        let find = |source: &'a Source| source.roles.iter().find(|other| other.name.what == clone.what);
        let of_file = find(self.over).filter(|other| own && other.name.what != role.name.what);
        of_file.map(|role| (role, true)).or_else(|| find(self.base).map(|role| (role, false)))
    }

    /// The condition that a rule names, of the file that the rule stands in.
    pub(super) fn condition(&self, name: &str, own: bool) -> Option<&'a Filter> {
        let listed = if own { &self.over.conditions } else { &self.base.conditions };
        listed.iter().find(|(known, _)| known.what == name).map(|(_, filter)| filter)
    }

    /// What a rule looks at, if anything.
    pub(super) fn filter(&self, cell: &'a CellSource, own: bool) -> Option<&'a Filter> {
        match &cell.rule {
            RuleOf::Yes | RuleOf::No => None,
            RuleOf::Named(name) => self.condition(name, own),
            RuleOf::Condition(filter) => Some(filter),
        }
    }
}

/// Every rule of a type.
pub(super) fn cells(rules: &TypeSource) -> impl Iterator<Item = &CellSource> {
    let TypeSource { see, create, edit, retire, fields } = rules;
    let of_fields = fields
        .iter()
        .flat_map(|(_, rules)| rules.see.iter().chain(&rules.edit).chain(rules.values.iter().map(|(_, cell)| cell)));
    see.iter().chain(create).chain(edit).chain(retire).chain(of_fields)
}

trait Chain {
    fn contains_role(&self, role: (&RoleSource, bool)) -> bool;
}

impl Chain for Vec<(&RoleSource, bool)> {
    fn contains_role(&self, (role, _): (&RoleSource, bool)) -> bool {
        self.iter().any(|(known, _)| std::ptr::eq(*known, role))
    }
}
