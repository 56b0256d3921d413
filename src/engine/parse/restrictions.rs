//! Restrictions: statuses that only some may set.

use super::{Named, each, name, names, text};
use crate::model::id::Str;
use crate::yaml::{Node, Place, Problems};

/// What a pack says of its statuses.
#[derive(Debug)]
pub(in crate::engine) struct StatusesSource {
    /// The kind of the statuses, and the field in which an object has its own.
    pub(in crate::engine) kind: Named<Str>,
    pub(in crate::engine) field: Named<Str>,
    /// The field of a status that is false where it is no longer to be set.
    pub(in crate::engine) active: Option<Named<Str>>,
    /// Rules by which an object of that kind gets a status, as `kind.action` or `kind.action[field]`, kinds of a table
    /// together; the action's value is the status.
    pub(in crate::engine) set_by: Vec<(Named<Str>, Vec<Named<Str>>)>,
    /// The groups that a person is in, and the field by which a group is in another one.
    pub(in crate::engine) groups: Option<GroupsSource>,
}

/// What `group:` means.
#[derive(Debug)]
pub(in crate::engine) struct GroupsSource {
    pub(in crate::engine) of: Named<String>,
    pub(in crate::engine) parent: Option<Named<Str>>,
}

/// Statuses of a kind of object that only some may set.
#[derive(Debug)]
pub(in crate::engine) struct RestrictionSource {
    pub(in crate::engine) place: Place,
    pub(in crate::engine) name: Named<Str>,
    pub(in crate::engine) kind: Named<Str>,
    /// By id or name.
    pub(in crate::engine) statuses: Vec<Named<Str>>,
    /// `group:`, `role:` or `person:` and an id or name.
    pub(in crate::engine) allow: Vec<Named<Str>>,
    pub(in crate::engine) message: Option<Str>,
}

pub(super) fn statuses(node: &Node, problems: &mut Problems) -> Option<StatusesSource> {
    let mut map = node.map(problems)?;
    let kind = map.need("kind", problems).map(|node| name(node, problems));
    let field = map.need("field", problems).map(|node| name(node, problems));
    let active = map.take("active").map(|node| name(node, problems));
    let set_by = each(map.take("set_by"), problems, |kind, node, problems| Some((kind, names(Some(node), problems))));
    let groups = map.take("groups").and_then(|node| {
        let mut map = node.map(problems)?;
        let of = map.need("of", problems).and_then(|node| text(node, problems));
        let parent = map.take("parent").map(|node| name(node, problems));
        map.finish(problems);
        Some(GroupsSource { of: of?, parent })
    });
    map.finish(problems);
    Some(StatusesSource { kind: kind?, field: field?, active, set_by, groups })
}

pub(super) fn restrictions(node: Option<&Node>, problems: &mut Problems) -> Vec<RestrictionSource> {
    let Some(node) = node else { return Vec::new() };
    let mut found: Vec<RestrictionSource> = Vec::new();
    for node in node.list() {
        let Some(restriction) = restriction(node, problems) else { continue };
        if found.iter().any(|known| known.name.what == restriction.name.what) {
            let message = format!("there are two restrictions `{}`", restriction.name.what);
            problems.add(restriction.name.place, message);
        }
        found.push(restriction);
    }
    found
}

fn restriction(node: &Node, problems: &mut Problems) -> Option<RestrictionSource> {
    let mut map = node.map(problems)?;
    let place = map.place;
    let named = map.need("name", problems).map(|node| name(node, problems));
    let kind = map.need("kind", problems).map(|node| name(node, problems));
    let statuses = map.need("statuses", problems).map(|node| names(Some(node), problems));
    // Left out, it would be for nobody to guess whether everybody or nobody is meant.
    let allow = map.need("allow", problems).map(|node| names(Some(node), problems));
    let message = map.take("message").and_then(|node| node.text(problems)).map(Str::from);
    map.finish(problems);
    let (name, statuses) = (named?, statuses?);
    if statuses.is_empty() || statuses.iter().any(|status| status.what.is_empty()) {
        problems.add(place, format!("restriction `{}` names no status, or an empty one", name.what));
    }
    Some(RestrictionSource { place, name, kind: kind?, statuses, allow: allow?, message })
}
