//! The roles of a policy: names that the tracker has built in, or sets of rights.

use super::permissions::{self, BodyOfRole};
use super::{Named, name, names};
use crate::model::id::Str;
use crate::yaml::{Data, Node, Problems};

/// A role.
#[derive(Debug)]
pub(in crate::engine) struct RoleSource {
    pub(in crate::engine) name: Named<Str>,
    /// What people call it; for a role that is built into the tracker all there is to say.
    pub(in crate::engine) title: Option<Named<Str>>,
    /// The role that this one begins with.
    pub(in crate::engine) clone: Option<Named<Str>>,
    pub(in crate::engine) description: Str,
    pub(in crate::engine) grants: GrantsSource,
}

/// What a role may do.
#[derive(Debug)]
pub(in crate::engine) enum GrantsSource {
    /// What it begins with, as it is.
    Same,
    /// These rights and no others.
    All(Vec<Named<Str>>),
    /// What the permission page says of it.
    Page(BodyOfRole),
    /// What it begins with, changed.
    Changed { add: Vec<Named<Str>>, remove: Vec<Named<Str>> },
}

/// Complains about names of roles on a permission page that YAML has another meaning for.
pub(super) fn check_names(node: Option<&Node>, problems: &mut Problems) {
    let Some(Node { data: Data::Map(roles), .. }) = node else { return };
    let on_page = |body: &Node| {
        let Data::Map(entries) = &body.data else { return false };
        entries.iter().any(|(key, _)| matches!(key.text.as_str(), "types" | "advanced"))
    };
    for (key, _) in roles.iter().filter(|(_, body)| on_page(body)) {
        permissions::unambiguous(&key.text, key.quoted, key.place, problems);
    }
}

pub(super) fn role(role: Named<Str>, node: &Node, overlay: bool, problems: &mut Problems) -> Option<RoleSource> {
    if node.is_null() {
        let message = format!("role `{}` has nothing behind its colon: write its `grants:` or its `clone:`", role.what);
        problems.add(role.place, message);
        return None;
    }
    if !overlay && matches!(node.data, Data::Scalar { .. }) {
        let title = Some(name(node, problems));
        return Some(RoleSource {
            name: role,
            title,
            clone: None,
            description: Str::default(),
            grants: GrantsSource::Same,
        });
    }
    let mut map = node.map(problems)?;
    let clone = map.take_whole("clone", problems).map(|node| name(node, problems));
    let description = map.take("description").and_then(|node| node.text(problems)).map(Str::from).unwrap_or_default();
    if let Some(body) = permissions::body(&mut map, problems) {
        map.finish(problems);
        return Some(RoleSource { name: role, title: None, clone, description, grants: GrantsSource::Page(body) });
    }
    let grants = match map.take_whole("grants", problems) {
        None if clone.is_some() => GrantsSource::Same,
        None => {
            let message =
                format!("role `{}` says not what it may do: give it `grants:`, or `clone:` a role", role.what);
            problems.add(role.place, message);
            return None;
        }
        Some(node) if matches!(node.data, Data::Map(_)) => {
            let mut map = node.map(problems)?;
            let (add, remove) = (names(map.take("add"), problems), names(map.take("remove"), problems));
            map.finish(problems);
            GrantsSource::Changed { add, remove }
        }
        Some(node) => GrantsSource::All(names(Some(node), problems)),
    };
    map.finish(problems);
    Some(RoleSource { name: role, title: None, clone, description, grants })
}
