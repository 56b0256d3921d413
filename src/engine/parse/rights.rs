//! The parts of a policy about rights: where they come from, and actions that ask for them.

use super::{ConditionSource, Named, condition, each, name, text, texts};
use crate::engine::value;
use crate::model::id::Str;
use crate::model::value::Value;
use crate::yaml::{Data, Fields, Node, Problems};

/// Which rights there are and who has them.
#[derive(Debug, Default)]
pub(in crate::engine) struct RightsSource {
    /// How far rights reach, by the word before the colon in rules; `right` where the pack has one reach only.
    pub(in crate::engine) reaches: Vec<ReachSource>,
    /// Words that stand for several reaches: alternatives of reaches and atoms.
    pub(in crate::engine) reach_terms: Vec<(Named<Str>, Vec<Named<String>>)>,
    /// The reaches without any of which a person is not in the project.
    pub(in crate::engine) members: Vec<Named<Str>>,
    /// The kind of the roles whose rights stand in the policy, by the role's name.
    pub(in crate::engine) roles: Option<Named<Str>>,
    /// The rights that a role can be given, and what the tracker calls them: those of the studio, those of a project.
    pub(in crate::engine) grantable: Vec<(Named<Str>, Str, bool)>,
    /// The kind whose records are rights that the tracker tells of, by their ids.
    pub(in crate::engine) records: Option<Named<Str>>,
    pub(in crate::engine) known: Vec<Named<Str>>,
    /// Whether not having a right that nobody knows counts for nothing.
    pub(in crate::engine) deny_unknown: Option<bool>,
    pub(in crate::engine) stand_ins: Vec<StandInSource>,
}

/// Where the rights of one reach come from.
#[derive(Debug)]
pub(in crate::engine) struct ReachSource {
    pub(in crate::engine) name: Named<Str>,
    /// Which roles reach that far, in words.
    pub(in crate::engine) says: Str,
    pub(in crate::engine) from: Vec<GrantSource>,
}

/// A path to the names of rights, perhaps over objects of which each must fit.
#[derive(Debug)]
pub(in crate::engine) struct GrantSource {
    pub(in crate::engine) over: Option<(Named<String>, ConditionSource)>,
    pub(in crate::engine) take: Named<String>,
}

/// A right that stands for another one, by an attribute of the resource.
#[derive(Debug)]
pub(in crate::engine) struct StandInSource {
    pub(in crate::engine) name: Named<Str>,
    pub(in crate::engine) by: Named<String>,
    pub(in crate::engine) is: Vec<(Named<Str>, Named<Str>)>,
}

/// What surrounds actions that are told by rights: the tracker's records of them, and a studio's own.
#[derive(Debug, Default)]
pub(in crate::engine) struct ButtonsSource {
    /// The kind whose records are actions of their project: `of` (a kind), `action` (its name), `order`,
    /// `required_rights`, `filters`, `required_roles`.
    pub(in crate::engine) records: Option<Named<Str>>,
    pub(in crate::engine) needs: Option<Named<String>>,
    pub(in crate::engine) all: Vec<Named<String>>,
    /// Kind -> what holds where an action leaves `requiredRights` out.
    pub(in crate::engine) without_rights: Vec<(Named<Str>, WithoutRights)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(in crate::engine) enum WithoutRights {
    Show,
    Deny,
    Rights(Named<String>),
}

/// An action of a studio's own, as the settings of Limecraft write one.
#[derive(Debug)]
pub(in crate::engine) struct ButtonSource {
    pub(in crate::engine) kind: Named<Str>,
    pub(in crate::engine) name: Named<Str>,
    pub(in crate::engine) label: Str,
    pub(in crate::engine) rights: Named<Value>,
    pub(in crate::engine) filters: Named<Value>,
    pub(in crate::engine) roles: Named<Value>,
}

/// A filter with a name, for any rule.
#[derive(Debug)]
pub(in crate::engine) struct FilterSource {
    pub(in crate::engine) name: Named<Str>,
    pub(in crate::engine) filter: Named<Value>,
}

pub(super) fn rights(node: &Node, overlay: bool, problems: &mut Problems) -> Option<RightsSource> {
    let mut map = node.map(problems)?;
    let mut source = RightsSource::default();
    if !overlay {
        source.records = map.take("records").map(|node| name(node, problems));
        source.roles = map.take("roles").map(|node| name(node, problems));
        for (part, of_project) in [("global", false), ("project", true)] {
            source.grantable.extend(each(map.take(part), problems, |slug, node, problems| {
                Some((slug, Str::from(node.text(problems)?), of_project))
            }));
        }
        let grants = |node: &Node, problems: &mut Problems| {
            node.list().iter().filter_map(|node| grant(node, problems)).collect::<Vec<_>>()
        };
        source.reaches = each(map.take("reach"), problems, |name, node, problems| {
            let mut map = node.map(problems)?;
            let says = map.need("says", problems).and_then(|node| node.text(problems)).map(Str::from);
            let from = map.need("from", problems).map(|node| grants(node, problems));
            map.finish(problems);
            Some(ReachSource { name, says: says?, from: from? })
        });
        if let Some(node) = map.take("from") {
            let name = Named { what: Str::const_new("right"), place: node.place };
            source.reaches.push(ReachSource { name, says: Str::default(), from: grants(node, problems) });
        }
        source.reach_terms =
            each(map.take("terms"), problems, |name, node, problems| Some((name, texts(node, problems))));
        source.members = super::names(map.take("members"), problems);
    }
    source.known = super::names(map.take("known"), problems);
    source.deny_unknown = map.take("unknown").and_then(|node| match node.text(problems)? {
        "doc" => Some(false),
        "deny" => Some(true),
        other => {
            problems.add(node.place, format!("`unknown:` is `doc` or `deny`, not `{other}`"));
            None
        }
    });
    source.stand_ins = each(map.take("stand_ins"), problems, |name, node, problems| {
        let mut map = node.map(problems)?;
        let by = map.need("by", problems).and_then(|node| text(node, problems));
        let is = each(map.take("is"), problems, |value, node, problems| Some((value, self::name(node, problems))));
        map.finish(problems);
        Some(StandInSource { name, by: by?, is })
    });
    map.finish(problems);
    Some(source)
}

fn grant(node: &Node, problems: &mut Problems) -> Option<GrantSource> {
    if matches!(node.data, Data::Scalar { .. }) {
        return Some(GrantSource { over: None, take: text(node, problems)? });
    }
    let mut map = node.map(problems)?;
    let over = map.need("over", problems).and_then(|node| text(node, problems));
    let when = map.need("when", problems).and_then(|node| condition(node, problems));
    let take = map.need("take", problems).and_then(|node| text(node, problems));
    map.finish(problems);
    Some(GrantSource { over: Some((over?, when?)), take: take? })
}

pub(super) fn buttons(node: &Node, overlay: bool, problems: &mut Problems) -> Option<ButtonsSource> {
    let mut map = node.map(problems)?;
    let mut source = ButtonsSource::default();
    if !overlay {
        source.records = map.take("records").map(|node| name(node, problems));
    }
    source.needs = map.take("needs").and_then(|node| text(node, problems));
    source.all = map.take("all").map(|node| texts(node, problems)).unwrap_or_default();
    source.without_rights = each(map.take("without_rights"), problems, |kind, node, problems| {
        Some((kind, without_rights(node, problems)?))
    });
    map.finish(problems);
    Some(source)
}

fn without_rights(node: &Node, problems: &mut Problems) -> Option<WithoutRights> {
    if let Data::Map(_) = node.data {
        let mut map = node.map(problems)?;
        let rights = map.need("rights", problems).and_then(|node| text(node, problems));
        map.finish(problems);
        return rights.map(WithoutRights::Rights);
    }
    match node.text(problems)? {
        "show" => Some(WithoutRights::Show),
        "deny" => Some(WithoutRights::Deny),
        other => {
            problems.add(node.place, format!("write `show`, `deny` or `{{rights: ...}}`, not `{other}`"));
            None
        }
    }
}

/// `actions:` of an overlay: kind -> list of actions.
pub(super) fn own_actions(node: Option<&Node>, problems: &mut Problems) -> Vec<ButtonSource> {
    let lists = each(node, problems, |kind, node, problems| {
        let actions = node.list().iter().filter_map(|node| own_action(&kind, node, problems));
        Some(actions.collect::<Vec<_>>())
    });
    lists.into_iter().flatten().collect()
}

fn own_action(kind: &Named<Str>, node: &Node, problems: &mut Problems) -> Option<ButtonSource> {
    let mut map = node.map(problems)?;
    let id = map.take("id").map(|node| name(node, problems));
    let label = map.take("label").map(|node| name(node, problems));
    let Some(action) = id.or_else(|| label.clone()).filter(|name| !name.what.is_empty()) else {
        problems.add(node.place, "an action needs an `id:` or a `label:`, by which it is asked about");
        return None;
    };
    let mut part = |name: &'static str, problems: &mut Problems| part(&mut map, name, problems);
    let (rights, filters, roles) =
        (part("requiredRights", problems), part("filters", problems), part("requiredRoles", problems));
    map.finish(problems);
    let label = label.map_or_else(|| action.what.clone(), |label| label.what);
    Some(ButtonSource { kind: kind.clone(), name: action, label, rights, filters, roles })
}

fn part(map: &mut Fields<'_>, name: &'static str, problems: &mut Problems) -> Named<Value> {
    let place = map.place;
    match map.take_whole(name, problems) {
        Some(node) => Named { what: value::read(node, problems).unwrap_or_default(), place: node.place },
        None => Named { what: Value::Null, place },
    }
}

/// `filters:`: name -> a filter, or a list of filters that must all match.
pub(super) fn filters(node: Option<&Node>, problems: &mut Problems) -> Vec<FilterSource> {
    each(node, problems, |name, node, problems| {
        let filter = Named { what: value::read(node, problems)?, place: node.place };
        // Nothing to match would match everything.
        if filter.what == Value::Null || filter.what == Value::List(Vec::new()) {
            problems.add(name.place, format!("filter `{}` says nothing: write what must match", name.what));
        }
        Some(FilterSource { name, filter })
    })
}
