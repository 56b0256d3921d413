//! Reads a pack or an overlay: YAML to the source of a policy, names not yet looked up.
//!
//! Everything is kept with its place, so that compiling can complain about it.

mod permissions;
mod restrictions;
mod rights;
mod roles;
mod rules;

pub(super) use self::permissions::{
    BodyOfRole, CellSource, FieldRules, Filter, Operand, PermissionsSource, RELATIONS, Relation, RuleOf, TypeSource,
    folded,
};
pub(super) use self::restrictions::{RestrictionSource, StatusesSource};
pub(super) use self::rights::{
    ButtonSource, ButtonsSource, FilterSource, GrantSource, RightsSource, StandInSource, WithoutRights,
};
pub(super) use self::roles::{GrantsSource, RoleSource};
use crate::model::decision::Reason;
use crate::model::id::Str;
use crate::yaml::{Data, Node, Place, Problems};

/// A pack or an overlay as it was read.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// The pack's own name, or the one that an overlay extends.
    pub(super) pack: Named<Str>,
    pub(super) roles: Vec<RoleSource>,
    /// The role that the tracker gives to new people.
    pub(super) default_role: Option<Named<Str>>,
    pub(super) subject: Option<SubjectSource>,
    pub(super) kinds: Vec<KindSource>,
    pub(super) paths: Vec<PathSource>,
    pub(super) atoms: Vec<AtomSource>,
    pub(super) terms: Vec<TermSource>,
    pub(super) rules: Vec<RuleSource>,
    pub(super) rights: RightsSource,
    pub(super) buttons: ButtonsSource,
    pub(super) own_actions: Vec<ButtonSource>,
    pub(super) filters: Vec<FilterSource>,
    /// Other ways to ask for an action: `update[status_id]` -> `set_status`.
    pub(super) spellings: Vec<(Named<Str>, Named<Str>)>,
    /// Where statuses are, and who may be named for them.
    pub(super) statuses: Option<StatusesSource>,
    pub(super) restrictions: Vec<RestrictionSource>,
    /// Where roles are what a permission page says: what there is to say on it.
    pub(super) permissions: Option<PermissionsSource>,
    /// Conditions with a name, for the rules of such roles.
    pub(super) conditions: Vec<(Named<Str>, Filter)>,
    /// The studio's own types, and its fields that nobody may edit.
    pub(super) extra_types: Vec<Named<Str>>,
    pub(super) read_only: Vec<(Named<Str>, Vec<Named<Str>>)>,
}

/// Something and where it stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Named<T> {
    pub(super) what: T,
    pub(super) place: Place,
}

#[derive(Debug)]
pub(super) struct SubjectSource {
    /// Property of a subject -> field or kind that tells it.
    pub(super) parts: Vec<(&'static str, Named<Str>)>,
    pub(super) fixed_roles: Vec<Named<Str>>,
}

#[derive(Debug)]
pub(super) struct KindSource {
    pub(super) name: Named<Str>,
    pub(super) variants: Vec<Named<Str>>,
    pub(super) fields: Vec<FieldSource>,
    pub(super) links: Vec<(Named<Str>, Named<Str>)>,
    /// Kinds to which an id may belong instead of to this one.
    pub(super) either: Vec<(Named<Str>, Named<Str>)>,
    pub(super) project_from: Option<Named<Str>>,
    /// The name under which a project lists its objects of this kind.
    pub(super) in_project_as: Option<Named<Str>>,
    pub(super) lazy: bool,
    pub(super) told: bool,
    pub(super) named: bool,
    pub(super) told_project: Option<Str>,
    /// The kind whose records' ids are further kinds of this table, and the field that says which one an object is.
    pub(super) others: Option<(Named<Str>, Named<Str>)>,
    pub(super) attributes: bool,
    pub(super) label: Str,
    /// What links call it, and whether it is known for that alone.
    pub(super) type_name: Str,
    pub(super) rowless: bool,
    pub(super) more_projects: Option<Named<Str>>,
    /// Fields that are the other end of a link: what they are called, and the kind and field that link here.
    pub(super) other_ends: Vec<(Str, Str, Str)>,
}

#[derive(Debug)]
pub(super) struct FieldSource {
    pub(super) name: Named<Str>,
    pub(super) target: Option<Named<Str>>,
    pub(super) back: Option<Named<Str>>,
    /// Whether the list at the other end is kept by project.
    pub(super) by_project: bool,
    pub(super) one: bool,
    pub(super) any: bool,
    pub(super) link: bool,
}

/// A name for a path that differs by the kind of the resource.
#[derive(Debug)]
pub(super) struct PathSource {
    pub(super) name: Named<Str>,
    /// Kind (or `*`) -> path or quoted text.
    pub(super) by_kind: Vec<(Named<Str>, Named<String>)>,
}

#[derive(Debug)]
pub(super) struct AtomSource {
    pub(super) name: Named<Str>,
    pub(super) when: ConditionSource,
    pub(super) says: Str,
    pub(super) no: Option<Named<Str>>,
    pub(super) grant: Option<Named<Str>>,
}

#[derive(Clone, Debug)]
pub(super) enum ConditionSource {
    Leaf(Named<String>),
    All(Vec<ConditionSource>),
    Any(Vec<ConditionSource>),
    Not(Box<ConditionSource>),
    Some { over: Named<String>, holds: Box<ConditionSource> },
}

#[derive(Debug)]
pub(super) struct TermSource {
    pub(super) name: Named<Str>,
    pub(super) any: Vec<Named<String>>,
}

#[derive(Debug)]
pub(super) struct RuleSource {
    /// `kind[, kind].action[, action]`
    pub(super) key: Named<String>,
    pub(super) scope: Option<Named<Str>>,
    pub(super) body: BodySource,
    /// Field names, comma separated, `*` at the end for any ending -> the rule for them.
    pub(super) fields: Vec<(Named<String>, BodySource)>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct BodySource {
    pub(super) place: Place,
    pub(super) value: Option<ValueSource>,
    pub(super) any: Vec<Named<String>>,
    pub(super) all: Vec<Named<String>>,
    /// Instead of both: what must hold, in order, and the reason that is given where it does not.
    pub(super) steps: Vec<StepSource>,
}

/// Alternatives of which one must hold.
#[derive(Clone, Debug)]
pub(super) struct StepSource {
    pub(super) any: Vec<Named<String>>,
    /// The same in a few words, where the alternatives' own are too many.
    pub(super) says: Option<Str>,
    pub(super) otherwise: Reason,
}

#[derive(Clone, Debug)]
pub(super) struct ValueSource {
    pub(super) kind: Named<Str>,
    pub(super) default: Option<Named<String>>,
}

/// Reads a pack or an overlay; what cannot be read is complained about and left out.
pub(super) fn source(root: &Node, overlay: bool, problems: &mut Problems) -> Source {
    let mut source = Source::default();
    let Some(mut fields) = root.map(problems) else { return source };
    if let Some(node) = fields.need(if overlay { "extends" } else { "pack" }, problems) {
        source.pack = name(node, problems);
    }
    if !overlay {
        source.subject = fields.take("subject").and_then(|node| subject(node, problems));
        source.kinds = each(fields.take("kinds"), problems, kind);
        source.spellings =
            each(fields.take("spellings"), problems, |key, node, problems| Some((key, self::name(node, problems))));
        source.statuses = fields.take("statuses").and_then(|node| restrictions::statuses(node, problems));
        source.permissions = fields.take("permissions").and_then(|node| permissions::permissions(node, problems));
    } else {
        source.extra_types = fields
            .take_whole("extra_types", problems)
            .map(|node| permissions::list(node, problems))
            .unwrap_or_default();
        source.read_only = permissions::read_only(fields.take_whole("read_only", problems), problems);
        source.restrictions = restrictions::restrictions(fields.take_whole("restrictions", problems), problems);
    }
    roles::check_names(fields.take("roles"), problems);
    source.roles =
        each(fields.take("roles"), problems, |name, node, problems| roles::role(name, node, overlay, problems));
    source.conditions = permissions::conditions(fields.take("conditions"), problems);
    source.default_role = fields.take_whole("default_role", problems).map(|node| name(node, problems));
    source.paths = each(fields.take("paths"), problems, path);
    source.atoms = each(fields.take("atoms"), problems, atom);
    source.terms = each(fields.take("terms"), problems, |name, node, problems| {
        Some(TermSource { name, any: texts(node, problems) })
    });
    source.rules = each(fields.take("rules"), problems, rules::rule);
    source.rights = fields.take("rights").and_then(|node| rights::rights(node, overlay, problems)).unwrap_or_default();
    source.buttons =
        fields.take("buttons").and_then(|node| rights::buttons(node, overlay, problems)).unwrap_or_default();
    source.own_actions = rights::own_actions(fields.take("actions"), problems);
    source.filters = rights::filters(fields.take("filters"), problems);
    fields.finish(problems);
    source
}

fn each<T>(
    node: Option<&Node>,
    problems: &mut Problems,
    mut read: impl FnMut(Named<Str>, &Node, &mut Problems) -> Option<T>,
) -> Vec<T> {
    let Some(fields) = node.and_then(|node| node.map(problems)) else { return Vec::new() };
    let mut list = Vec::new();
    for (key, value) in fields.entries() {
        let key = Named { what: Str::from(key.text.as_str()), place: key.place };
        list.extend(read(key, value, problems));
    }
    list
}

fn name(node: &Node, problems: &mut Problems) -> Named<Str> {
    Named { what: node.text(problems).map(Str::from).unwrap_or_default(), place: node.place }
}

fn names(node: Option<&Node>, problems: &mut Problems) -> Vec<Named<Str>> {
    node.map_or(&[][..], Node::list).iter().map(|node| name(node, problems)).collect()
}

fn text(node: &Node, problems: &mut Problems) -> Option<Named<String>> {
    Some(Named { what: node.text(problems)?.to_owned(), place: node.place })
}

fn texts(node: &Node, problems: &mut Problems) -> Vec<Named<String>> {
    node.list().iter().filter_map(|node| text(node, problems)).collect()
}

fn subject(node: &Node, problems: &mut Problems) -> Option<SubjectSource> {
    let mut fields = node.map(problems)?;
    let mut parts = Vec::new();
    for part in ["kind", "active", "project"] {
        parts.extend(fields.need(part, problems).map(|node| (part, name(node, problems))));
    }
    for part in ["active_is", "role", "member_role", "bot", "bot_person", "login", "email"] {
        parts.extend(fields.take(part).map(|node| (part, name(node, problems))));
    }
    let fixed_roles = names(fields.take("fixed_roles"), problems);
    fields.finish(problems);
    Some(SubjectSource { parts, fixed_roles })
}

fn kind(name: Named<Str>, node: &Node, problems: &mut Problems) -> Option<KindSource> {
    let mut map = node.map(problems)?;
    let variants = names(map.take("variants"), problems);
    let mut flag = |name, problems: &mut Problems| map.take(name).is_some_and(|node| node.bool(problems) == Some(true));
    let (lazy, told, named) = (flag("lazy", problems), flag("told", problems), flag("named", problems));
    let (attributes, rowless) = (flag("attributes", problems), flag("rowless", problems));
    let type_name = map.take("type").and_then(|node| node.text(problems)).map(Str::from).unwrap_or_default();
    let more_projects = map.take("more_projects").map(|node| self::name(node, problems));
    let project_from = map.take("project_from").map(|node| self::name(node, problems));
    let in_project_as = map.take("in_project_as").map(|node| self::name(node, problems));
    let told_project = map.take("told_project").and_then(|node| node.text(problems)).map(Str::from);
    let others = map.take("others").and_then(|node| {
        let mut map = node.map(problems)?;
        let listed_as = map.need("listed_as", problems).map(|node| self::name(node, problems));
        let named_by = map.need("named_by", problems).map(|node| self::name(node, problems));
        map.finish(problems);
        Some((listed_as?, named_by?))
    });
    let label = map.take("label").and_then(|node| node.text(problems)).map(Str::from).unwrap_or_default();
    let fields = each(map.take("fields"), problems, field);
    let links = each(map.take("links"), problems, |link, node, problems| Some((link, self::name(node, problems))));
    let either = each(map.take("either"), problems, |link, node, problems| Some((link, self::name(node, problems))));
    map.finish(problems);
    Some(KindSource {
        other_ends: Vec::new(),
        name,
        variants,
        fields,
        links,
        either,
        project_from,
        in_project_as,
        lazy,
        told,
        named,
        told_project,
        others,
        attributes,
        label,
        type_name,
        rowless,
        more_projects,
    })
}

fn field(name: Named<Str>, node: &Node, problems: &mut Problems) -> Option<FieldSource> {
    if node.is_null() {
        return Some(FieldSource::plain(name));
    }
    if matches!(node.data, Data::Scalar { .. }) {
        let target = self::name(node, problems);
        return Some(match target.what.as_str() {
            "any" => FieldSource { any: true, ..FieldSource::plain(name) },
            "link" => FieldSource { link: true, ..FieldSource::plain(name) },
            _ => FieldSource { target: Some(target), ..FieldSource::plain(name) },
        });
    }
    let mut map = node.map(problems)?;
    let target = map.need("to", problems).map(|node| self::name(node, problems));
    let back = map.take("back").map(|node| self::name(node, problems));
    let by_project = map.take("back_here").map(|node| self::name(node, problems));
    let one = map.take("one").is_some_and(|node| node.bool(problems) == Some(true));
    map.finish(problems);
    let plain = FieldSource::plain(name);
    Some(FieldSource { target, by_project: by_project.is_some(), back: by_project.or(back), one, ..plain })
}

impl KindSource {
    /// A kind without fields.
    pub(super) fn named(name: Named<Str>) -> Self {
        Self {
            name,
            variants: Vec::new(),
            fields: Vec::new(),
            links: Vec::new(),
            either: Vec::new(),
            project_from: None,
            in_project_as: None,
            lazy: false,
            told: false,
            named: false,
            told_project: None,
            others: None,
            attributes: false,
            label: Str::default(),
            type_name: Str::default(),
            rowless: false,
            more_projects: None,
            other_ends: Vec::new(),
        }
    }
}

impl FieldSource {
    /// A field that holds plain values.
    pub(super) fn plain(name: Named<Str>) -> Self {
        Self { name, target: None, back: None, by_project: false, one: false, any: false, link: false }
    }
}

fn path(name: Named<Str>, node: &Node, problems: &mut Problems) -> Option<PathSource> {
    let by_kind = match &node.data {
        Data::Scalar { .. } => vec![(Named { what: Str::const_new("*"), place: node.place }, text(node, problems)?)],
        _ => each(Some(node), problems, |kind, node, problems| Some((kind, text(node, problems)?))),
    };
    Some(PathSource { name, by_kind })
}

fn atom(name: Named<Str>, node: &Node, problems: &mut Problems) -> Option<AtomSource> {
    let mut map = node.map(problems)?;
    let when = map.need("when", problems).and_then(|node| condition(node, problems));
    let mut sentence = |part, problems: &mut Problems| map.take(part).map(|node| self::name(node, problems));
    let says = sentence("says", problems).map(|says| says.what);
    let no = sentence("no", problems);
    let grant = sentence("grant", problems);
    if says.is_none() {
        problems.add(name.place, format!("atom `{}` needs `says:`, a few words for people", name.what));
    }
    map.finish(problems);
    Some(AtomSource { name, when: when?, says: says?, no, grant })
}

fn condition(node: &Node, problems: &mut Problems) -> Option<ConditionSource> {
    match &node.data {
        Data::Scalar { .. } => Some(ConditionSource::Leaf(text(node, problems)?)),
        // A list without a word before it reads as "all of these".
        Data::List(nodes) => Some(ConditionSource::All(conditions(nodes, problems))),
        Data::Map(_) => {
            let mut map = node.map(problems)?;
            let mut found = Vec::new();
            if let Some(node) = map.take("all") {
                found.push(ConditionSource::All(conditions(node.list(), problems)));
            }
            if let Some(node) = map.take("any") {
                found.push(ConditionSource::Any(conditions(node.list(), problems)));
            }
            if let Some(node) = map.take("not") {
                found.push(ConditionSource::Not(Box::new(condition(node, problems)?)));
            }
            if let Some(over) = map.take("some") {
                let holds = map.need("holds", problems).and_then(|node| condition(node, problems));
                found.push(ConditionSource::Some { over: text(over, problems)?, holds: Box::new(holds?) });
            }
            let place = map.place;
            map.finish(problems);
            if found.len() != 1 {
                problems
                    .add(place, "a condition is one of `all:`, `any:`, `not:`, `some:` with `holds:`, or a sentence");
            }
            found.pop()
        }
    }
}

fn conditions(nodes: &[Node], problems: &mut Problems) -> Vec<ConditionSource> {
    nodes.iter().filter_map(|node| condition(node, problems)).collect()
}
