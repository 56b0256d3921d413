//! Compiles roles: what a clone begins with, what is added and removed.

use super::Source;
use crate::engine::parse::{GrantsSource, Named, RoleSource};
use crate::engine::roles::{Grantable, RoleSet};
use crate::model::id::Str;
use crate::yaml::{Problems, suggestion};

/// The rights that roles can be given, in the pack's order.
pub(super) fn grantable(base: &Source) -> Vec<Grantable> {
    if let Some(page) = &base.permissions {
        let advanced = |(slug, title): &(Named<Str>, Str)| Grantable {
            slug: slug.what.clone(),
            title: title.clone(),
            of_project: false,
        };
        return page.advanced.iter().map(advanced).collect();
    }
    let all = base.rights.grantable.iter();
    let grantable = |(slug, title, of_project): &(Named<Str>, Str, bool)| Grantable {
        slug: slug.what.clone(),
        title: title.clone(),
        of_project: *of_project,
    };
    all.map(grantable).collect()
}

/// The roles of both files; of two with one name the overlay's. Empty where the pack's roles are no sets of rights.
pub(super) fn sets(
    base: &Source,
    over: &Source,
    base_problems: &mut Problems,
    over_problems: &mut Problems,
    warnings: &mut Problems,
) -> Vec<RoleSet> {
    if base.permissions.is_some() {
        let misplaced = |role: &&RoleSource| matches!(role.grants, GrantsSource::All(_) | GrantsSource::Changed { .. });
        for role in over.roles.iter().filter(misplaced) {
            let message = format!("role `{}` is given by `advanced:` and `types:`, not by `grants:`", role.name.what);
            over_problems.add(role.name.place, message);
        }
        return super::permissions::sets(base, over);
    }
    for role in over.roles.iter().filter(|role| matches!(role.grants, GrantsSource::Page(_))) {
        let message = format!("role `{}` is given by `grants:`, not by `types:` and `advanced:`", role.name.what);
        over_problems.add(role.name.place, message);
    }
    if base.rights.roles.is_none() {
        for role in &over.roles {
            let message =
                format!("the roles of `{}` are the tracker's own and cannot be given rights here", base.pack.what);
            over_problems.add(role.name.place, message);
        }
        return Vec::new();
    }
    let mut sets = Vec::new();
    let mut quiet = Problems::new("");
    for (source, own) in over.roles.iter().map(|role| (role, true)).chain(base.roles.iter().map(|role| (role, false))) {
        if sets.iter().any(|known: &RoleSet| known.name == source.name.what) {
            continue;
        }
        let all = Roles { base, over };
        if let Some(why) = all.endless(source).filter(|_| own) {
            let clone = source.clone.as_ref().unwrap_or(&source.name);
            over_problems.add(clone.place, format!("role `{}` is a clone {why}", source.name.what));
        }
        let (problems, warnings) =
            if own { (&mut *over_problems, &mut *warnings) } else { (&mut *base_problems, &mut quiet) };
        let grants = all.grants(source, own, &mut Vec::new(), problems, warnings);
        sets.push(RoleSet {
            name: source.name.what.clone(),
            description: source.description.clone(),
            grants: grants.unwrap_or_default(),
            rules: Vec::new(),
            cloned_from: source.clone.as_ref().map(|clone| clone.what.clone()),
            of_pack: base.roles.iter().any(|role| role.name.what == source.name.what),
            of_overlay: own,
        });
    }
    let names = || sets.iter().map(|role| role.name.as_str());
    for (source, problems) in [(over, &mut *over_problems), (base, &mut *base_problems)] {
        if let Some(default) = source.default_role.as_ref().filter(|default| names().all(|name| name != default.what)) {
            let hint = suggestion(&default.what, names());
            problems.add(default.place, format!("there is no role `{}`{hint}", default.what));
        }
    }
    // Those of the pack first, in its order.
    sets.sort_by_key(|set| base.roles.iter().position(|role| role.name.what == set.name).unwrap_or(usize::MAX));
    sets
}

/// How deep clones of clones may go.
const MOST_CLONES: usize = 16;

struct Roles<'a> {
    base: &'a Source,
    over: &'a Source,
}

impl<'a> Roles<'a> {
    /// What a role may do. `above`: the clones on the way here.
    fn grants(
        &self,
        role: &'a RoleSource,
        own: bool,
        above: &mut Vec<(&'a str, bool)>,
        problems: &mut Problems,
        warnings: &mut Problems,
    ) -> Option<Vec<Str>> {
        if let GrantsSource::All(list) = &role.grants {
            if let Some(clone) = &role.clone {
                let message = "a clone's `grants:` say what to change: `{add: [...], remove: [...]}`";
                problems.add(clone.place, message);
            }
            return self.known(list, problems);
        }
        if above.len() > MOST_CLONES {
            return None;
        }
        above.push((&role.name.what, own));
        let mut held = match self.begins_with(role, own, problems)? {
            // A ring, which is told of each of its roles alone.
            (source, own) if above.contains(&(&*source.name.what, own)) => return None,
            // What is wrong further up is said there.
            (source, own) => {
                let mut elsewhere = Problems::new("");
                self.grants(source, own, above, &mut elsewhere, &mut Problems::new(""))?
            }
        };
        let GrantsSource::Changed { add, remove } = &role.grants else { return Some(held) };
        for right in add.iter().filter(|right| held.contains(&right.what)) {
            warnings.add(right.place, format!("role `{}` has `{}` already", role.name.what, right.what));
        }
        for right in remove.iter().filter(|right| !held.contains(&right.what)) {
            warnings.add(right.place, format!("role `{}` has no `{}` to remove", role.name.what, right.what));
        }
        let removed = self.known(remove, problems)?;
        held.extend(self.known(add, problems)?);
        held.retain(|right| !removed.contains(right));
        held.sort_unstable();
        held.dedup();
        Some(held)
    }

    /// What is wrong with following clones from the role.
    fn endless(&self, role: &'a RoleSource) -> Option<&'static str> {
        let mut quiet = Problems::new("");
        let mut at = (role, true);
        for _ in 0..=MOST_CLONES {
            match self.begins_with(at.0, at.1, &mut quiet) {
                Some((next, true)) if next.name.what == role.name.what => return Some("of itself, by way of others"),
                Some(next) if !matches!(next.0.grants, GrantsSource::All(_)) => at = next,
                _ => return None,
            }
        }
        Some("of clones, too many deep: at most 16 are followed")
    }

    /// The role that a clone names, or the pack's own where an overlay changes that.
    fn begins_with(&self, role: &'a RoleSource, own: bool, problems: &mut Problems) -> Option<(&'a RoleSource, bool)> {
        let find = |source: &'a Source, name: &str| source.roles.iter().find(|role| role.name.what == name);
        let Some(clone) = &role.clone else {
            let of_pack = find(self.base, &role.name.what).filter(|_| own).map(|role| (role, false));
            if of_pack.is_none() {
                let mend = "write the whole list, or `clone:` the role that it begins with";
                problems.add(role.name.place, format!("the pack has no role `{}` to change; {mend}", role.name.what));
            }
            return of_pack;
        };
        let other = find(self.over, &clone.what).filter(|other| own && other.name.what != role.name.what);
        let found = other.map(|role| (role, true)).or_else(|| find(self.base, &clone.what).map(|role| (role, false)));
        if found.is_none() {
            let names = self.over.roles.iter().chain(&self.base.roles).map(|role| role.name.what.as_str());
            let hint = suggestion(&clone.what, names.filter(|name| **name != *role.name.what));
            problems.add(clone.place, format!("there is no role `{}`{hint}", clone.what));
        }
        found
    }

    /// The slugs, sorted; a right that there is not is complained about.
    fn known(&self, list: &[Named<Str>], problems: &mut Problems) -> Option<Vec<Str>> {
        let known = || self.base.rights.grantable.iter().map(|(slug, ..)| slug.what.as_str());
        let mut all = true;
        for right in list.iter().filter(|right| known().all(|slug| slug != right.what)) {
            let titled = self.base.rights.grantable.iter().find(|(_, title, _)| *title == right.what);
            let hint = match titled {
                Some((slug, ..)) => format!("; its slug is `{}`", slug.what),
                None => suggestion(&right.what, known()),
            };
            problems.add(right.place, format!("there is no right `{}`{hint}", right.what));
            all = false;
        }
        let mut slugs: Vec<_> = list.iter().map(|right| right.what.clone()).collect();
        slugs.sort_unstable();
        slugs.dedup();
        all.then_some(slugs)
    }
}
