//! Roles as a tracker's permission page writes them: for each type of object and each field, who may; under conditions in
//! the tracker's own filter grammar.
//!
//! Source of the format: "Flow Production Tracking: subjects, actions, the roles file, the decision", sections 2 and 4.

use super::{Named, each, name, names};
use crate::model::id::Str;
use crate::yaml::{Data, Fields, Key, Node, Place, Problems, suggestion};

/// What a pack says of the permission page.
#[derive(Debug, Default)]
pub(in crate::engine) struct PermissionsSource {
    /// The subject's field that leads to the role, the kind that roles are, and the field of it by which the policy names
    /// them.
    pub(in crate::engine) role: Named<Str>,
    pub(in crate::engine) kind: Named<Str>,
    pub(in crate::engine) code: Named<Str>,
    /// The kind whose records say which fields the site has, and the field of it that does.
    pub(in crate::engine) schema: Named<Str>,
    pub(in crate::engine) fields: Named<Str>,
    /// Permissions that are about no object, and what the tracker calls them.
    pub(in crate::engine) advanced: Vec<(Named<Str>, Str)>,
    /// Data types of fields that nobody may edit; and fields: of every type, and by type, `*` at the end for any ending.
    pub(in crate::engine) fixed_data_types: Vec<Named<Str>>,
    pub(in crate::engine) fixed: Vec<(Named<Str>, Vec<Named<Str>>)>,
    /// What whoever writes roles should know of it.
    pub(in crate::engine) note: Str,
    /// `Type.field` -> `Type.field` that is the other end of the same link, and is the one that is mirrored.
    pub(in crate::engine) ends: Vec<(Named<Str>, Named<Str>)>,
}

/// What a role may do.
#[derive(Debug, Default)]
pub(in crate::engine) struct BodyOfRole {
    /// `None`: as the role that it begins with.
    pub(in crate::engine) advanced: Option<Vec<Named<Str>>>,
    /// By the tracker's name of the type, or `*`.
    pub(in crate::engine) types: Vec<(Named<Str>, TypeSource)>,
}

/// The rules of a role for one type.
#[derive(Debug, Default)]
pub(in crate::engine) struct TypeSource {
    pub(in crate::engine) see: Option<CellSource>,
    pub(in crate::engine) create: Option<CellSource>,
    pub(in crate::engine) edit: Option<CellSource>,
    pub(in crate::engine) retire: Option<CellSource>,
    /// By name of the field, or `*`.
    pub(in crate::engine) fields: Vec<(Named<Str>, FieldRules)>,
}

#[derive(Debug, Default)]
pub(in crate::engine) struct FieldRules {
    pub(in crate::engine) see: Option<CellSource>,
    pub(in crate::engine) edit: Option<CellSource>,
    pub(in crate::engine) values: Vec<(Named<Str>, CellSource)>,
}

/// One rule.
#[derive(Debug)]
pub(in crate::engine) struct CellSource {
    pub(in crate::engine) place: Place,
    pub(in crate::engine) rule: RuleOf,
}

#[derive(Debug)]
pub(in crate::engine) enum RuleOf {
    Yes,
    No,
    /// The name of a condition.
    Named(Str),
    Condition(Filter),
}

/// A condition in the tracker's filter grammar.
#[derive(Debug)]
pub(in crate::engine) enum Filter {
    Leaf { path: Named<Str>, relation: Relation, values: Vec<Operand>, place: Place },
    All(Vec<Filter>),
    Any(Vec<Filter>),
}

/// How the values at the end of a path are compared with those that the condition names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Relation {
    Is,
    IsNot,
    In,
    NotIn,
    Contains,
    NotContains,
    StartsWith,
    EndsWith,
    GreaterThan,
    LessThan,
    Between,
    TypeIs,
    TypeIsNot,
}

/// A value that a condition names.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::engine) enum Operand {
    Null,
    Bool(bool),
    Number(f64),
    /// In lower case: texts are compared without case.
    Text(Str),
    Link {
        type_name: Str,
        id: Str,
    },
    /// Whoever asks.
    Me,
}

/// The value of `valid:` in a link that stands for whoever asks.
const ME: &str = "logged_in_user_token";

pub(in crate::engine) const RELATIONS: [(&str, Relation); 13] = [
    ("is", Relation::Is),
    ("is_not", Relation::IsNot),
    ("in", Relation::In),
    ("not_in", Relation::NotIn),
    ("contains", Relation::Contains),
    ("not_contains", Relation::NotContains),
    ("starts_with", Relation::StartsWith),
    ("ends_with", Relation::EndsWith),
    ("greater_than", Relation::GreaterThan),
    ("less_than", Relation::LessThan),
    ("between", Relation::Between),
    ("type_is", Relation::TypeIs),
    ("type_is_not", Relation::TypeIsNot),
];

/// `permissions:` of a pack.
pub(super) fn permissions(node: &Node, problems: &mut Problems) -> Option<PermissionsSource> {
    let mut map = node.map(problems)?;
    let mut word = |part, problems: &mut Problems| map.need(part, problems).map(|node| name(node, problems));
    let (role, kind, code) = (word("role", problems), word("kind", problems), word("code", problems));
    let (schema, fields) = (word("schema", problems), word("fields", problems));
    let advanced =
        each(map.take("advanced"), problems, |slug, node, problems| Some((slug, Str::from(node.text(problems)?))));
    let fixed_data_types = names(map.take("fixed_data_types"), problems);
    let fixed = each(map.take("fixed"), problems, |of, node, problems| Some((of, names(Some(node), problems))));
    let note = map.need("note", problems).and_then(|node| node.text(problems)).map(Str::from).unwrap_or_default();
    let ends = each(map.take("ends"), problems, |end, node, problems| Some((end, name(node, problems))));
    map.finish(problems);
    let (role, kind, code, schema, fields) = (role?, kind?, code?, schema?, fields?);
    Some(PermissionsSource { role, kind, code, schema, fields, advanced, fixed_data_types, fixed, note, ends })
}

/// `conditions:`: conditions with a name.
pub(super) fn conditions(node: Option<&Node>, problems: &mut Problems) -> Vec<(Named<Str>, Filter)> {
    keyed(node, problems, filter)
}

/// `read_only:`: fields by type.
pub(super) fn read_only(node: Option<&Node>, problems: &mut Problems) -> Vec<(Named<Str>, Vec<Named<Str>>)> {
    keyed(node, problems, |node, problems| Some(list(node, problems)))
}

/// A list of names; complains about those that other readers of YAML would take for something else.
pub(super) fn list(node: &Node, problems: &mut Problems) -> Vec<Named<Str>> {
    let plain = |node: &Node, problems: &mut Problems| {
        let Data::Scalar { text, quoted } = &node.data else { return };
        unambiguous(text, *quoted, node.place, problems);
    };
    node.list().iter().for_each(|node| plain(node, problems));
    names(Some(node), problems)
}

/// `advanced:` and `types:` of a role's body.
pub(super) fn body(map: &mut Fields<'_>, problems: &mut Problems) -> Option<BodyOfRole> {
    let (advanced, types) = (map.take_whole("advanced", problems), map.take_whole("types", problems));
    if advanced.is_none() && types.is_none() {
        return None;
    }
    let advanced = advanced.map(|node| list(node, problems));
    Some(BodyOfRole { advanced, types: keyed(types, problems, type_rules) })
}

/// The entries of a map whose keys are names.
fn keyed<T>(
    node: Option<&Node>,
    problems: &mut Problems,
    mut read: impl FnMut(&Node, &mut Problems) -> Option<T>,
) -> Vec<(Named<Str>, T)> {
    let Some(fields) = node.and_then(|node| node.map(problems)) else { return Vec::new() };
    let mut list = Vec::new();
    for (Key { place, text, quoted }, node) in fields.entries() {
        unambiguous(text, *quoted, *place, problems);
        if node.is_null() {
            problems.add(*place, format!("`{text}:` has nothing behind its colon; write it out or leave it out"));
            continue;
        }
        let key = Named { what: Str::from(text.as_str()), place: *place };
        list.extend(read(node, problems).map(|read| (key, read)));
    }
    list
}

/// Complains about a name without quotes that YAML has another meaning for.
pub(super) fn unambiguous(text: &str, quoted: bool, place: Place, problems: &mut Problems) {
    const BOOLEANS: [&str; 8] = ["yes", "no", "on", "off", "true", "false", "y", "n"];
    let boolean = BOOLEANS.iter().any(|word| text.eq_ignore_ascii_case(word));
    if !quoted && (boolean || is_number(text)) {
        let meaning = if boolean { "a boolean" } else { "a number" };
        problems.add(place, format!("`{text}` is {meaning} in YAML: put it in quotes to mean the name"));
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let based = ["0x", "0o"].iter().find_map(|base| digits.strip_prefix(base));
    let based = based.is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_hexdigit()));
    let begins = digits.trim_start_matches('.').starts_with(|c: char| c.is_ascii_digit());
    based || begins && digits.replace('_', "").parse::<f64>().is_ok()
}

fn type_rules(node: &Node, problems: &mut Problems) -> Option<TypeSource> {
    let mut map = node.map(problems)?;
    let mut rule = |part, problems: &mut Problems| map.take_whole(part, problems).and_then(|node| cell(node, problems));
    let (see, create) = (rule("see", problems), rule("create", problems));
    let (edit, retire) = (rule("edit", problems), rule("retire", problems));
    if let Some(CellSource { place, rule: RuleOf::Named(_) | RuleOf::Condition(_) }) = &create {
        problems.add(*place, "`create` is `yes` or `no`: there is no object yet that a condition could look at");
    }
    let fields = keyed(map.take_whole("fields", problems), problems, field_rules);
    map.finish(problems);
    Some(TypeSource { see, create, edit, retire, fields })
}

fn field_rules(node: &Node, problems: &mut Problems) -> Option<FieldRules> {
    let mut map = node.map(problems)?;
    let mut rule = |part, problems: &mut Problems| map.take_whole(part, problems).and_then(|node| cell(node, problems));
    let (see, edit) = (rule("see", problems), rule("edit", problems));
    let values = keyed(map.take_whole("values", problems), problems, cell);
    map.finish(problems);
    Some(FieldRules { see, edit, values })
}

fn cell(node: &Node, problems: &mut Problems) -> Option<CellSource> {
    let place = node.place;
    let rule = match &node.data {
        Data::Scalar { text, quoted: false } => match text.as_str() {
            "yes" | "true" => RuleOf::Yes,
            "no" | "false" => RuleOf::No,
            name => {
                if unambiguously(name, place, problems) {
                    RuleOf::Named(Str::from(name))
                } else {
                    return None;
                }
            }
        },
        Data::Scalar { text, quoted: true } => RuleOf::Named(Str::from(text.as_str())),
        Data::Map(_) => RuleOf::Condition(filter(node, problems)?),
        Data::List(_) => {
            problems.add(place, "a rule is `yes`, `no`, the name of a condition, or a condition; not a list");
            return None;
        }
    };
    Some(CellSource { place, rule })
}

fn unambiguously(name: &str, place: Place, problems: &mut Problems) -> bool {
    let mut odd = Problems::new("");
    unambiguous(name, false, place, &mut odd);
    if !odd.is_empty() {
        problems.add(place, format!("`{name}`: write `yes` or `no`, or put the name of a condition in quotes"));
    }
    odd.is_empty()
}

fn filter(node: &Node, problems: &mut Problems) -> Option<Filter> {
    let mut map = match &node.data {
        Data::Map(_) => node.map(problems)?,
        _ => {
            let needed = "`{path, relation, values}` or `{logical_operator, conditions}` is needed here";
            problems.add(node.place, format!("{needed}, not {}", node.what()));
            return None;
        }
    };
    let group = map.entries().iter().any(|(key, _)| key.text == "logical_operator" || key.text == "conditions");
    if !group {
        return leaf(&mut map, problems).filter(|_| finished(map, problems));
    }
    let all = map.need("logical_operator", problems).and_then(|node| match node.text(problems)? {
        "and" => Some(true),
        "or" => Some(false),
        other => {
            problems.add(node.place, format!("`logical_operator:` is `and` or `or`, not `{other}`"));
            None
        }
    });
    let listed = map.need("conditions", problems);
    let conditions = match listed.map(|node| &node.data) {
        Some(Data::List(nodes)) if !nodes.is_empty() => {
            let read: Vec<_> = nodes.iter().map(|node| filter(node, problems)).collect();
            read.into_iter().collect::<Option<Vec<_>>>()
        }
        Some(_) => {
            problems.add(map.place, "`conditions:` is a list of one or more");
            None
        }
        None => None,
    };
    let whole = finished(map, problems);
    let (all, conditions) = (all?, conditions?);
    whole.then_some(if all { Filter::All(conditions) } else { Filter::Any(conditions) })
}

/// Whether nothing was left over.
fn finished(map: Fields<'_>, problems: &mut Problems) -> bool {
    let mut left_over = Problems::new("");
    map.finish(&mut left_over);
    left_over.sorted().into_iter().for_each(|problem| problems.push(problem.clone()));
    left_over.is_empty()
}

fn leaf(map: &mut Fields<'_>, problems: &mut Problems) -> Option<Filter> {
    let place = map.place;
    let path = map.need("path", problems).map(|node| name(node, problems));
    let relation = map.need("relation", problems).and_then(|node| relation(node, problems));
    let values = map.need("values", problems);
    // The names of types are no texts of the site: they are told apart by case.
    let of_types = matches!(relation, Some(Relation::TypeIs | Relation::TypeIsNot));
    let type_name =
        |node: &Node, problems: &mut Problems| node.text(problems).map(|text| Operand::Text(Str::from(text)));
    let values = values.and_then(|node| match &node.data {
        Data::List(nodes) => {
            let read: Vec<_> = match of_types {
                true => nodes.iter().map(|node| type_name(node, problems)).collect(),
                false => nodes.iter().map(|node| operand(node, problems)).collect(),
            };
            Some((node.place, read.into_iter().collect::<Option<Vec<_>>>()?))
        }
        _ => {
            problems.add(node.place, format!("`values:` is a list, not {}", node.what()));
            None
        }
    });
    let (path, relation, (at, values)) = (path?, relation?, values?);
    if let Err(needed) = fits(relation, &values) {
        let word = RELATIONS.iter().find(|(_, known)| *known == relation).map_or("", |(word, _)| word);
        problems.add(at, format!("`{word}` takes {needed}"));
        return None;
    }
    Some(Filter::Leaf { path, relation, values, place })
}

fn relation(node: &Node, problems: &mut Problems) -> Option<Relation> {
    let word = node.text(problems)?;
    let found = RELATIONS.iter().find(|(known, _)| *known == word).map(|(_, relation)| *relation);
    if found.is_none() {
        let near = suggestion(word, RELATIONS.iter().map(|(known, _)| *known));
        problems.add(node.place, format!("there is no relation `{word}`{near}"));
    }
    found
}

fn operand(node: &Node, problems: &mut Problems) -> Option<Operand> {
    match &node.data {
        _ if node.is_null() => Some(Operand::Null),
        Data::Scalar { text, quoted: true } => Some(Operand::Text(folded(text))),
        Data::Scalar { text, quoted: false } => match text.as_str() {
            "true" => Some(Operand::Bool(true)),
            "false" => Some(Operand::Bool(false)),
            text if is_plain_number(text) => text.parse().ok().map(Operand::Number),
            text => {
                unambiguous(text, false, node.place, problems);
                Some(Operand::Text(folded(text)))
            }
        },
        Data::Map(_) => link(node, problems),
        Data::List(_) => {
            problems.add(node.place, "a value is a text, a number, a boolean, null or a link; not a list");
            None
        }
    }
}

/// A number as JSON writes it.
fn is_plain_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let whole = digits.split('.').next().unwrap_or_default();
    is_number(text)
        && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
        && (whole == "0" || !whole.starts_with('0'))
}

/// As texts are compared.
pub(in crate::engine) fn folded(text: &str) -> Str {
    text.chars().flat_map(char::to_lowercase).collect()
}

fn link(node: &Node, problems: &mut Problems) -> Option<Operand> {
    let mut map = node.map(problems)?;
    let type_name = map.need("type", problems).and_then(|node| node.text(problems)).map(Str::from);
    let id = map.need("id", problems).and_then(|node| {
        let id = node.text(problems)?;
        let whole = !id.is_empty() && id.chars().all(|c| c.is_ascii_digit());
        if !whole {
            problems.add(node.place, format!("an id is a whole number, not `{id}`"));
        }
        whole.then(|| Str::from(id))
    });
    let me = map.take("valid").map(|node| {
        let valid = node.text(problems).unwrap_or_default();
        if valid != ME {
            problems.add(node.place, format!("`valid:` can be `{ME}`, which stands for whoever asks; not `{valid}`"));
        }
        node.place
    });
    map.take("name");
    map.finish(problems);
    let (type_name, id) = (type_name?, id?);
    match me {
        Some(place) if type_name != "HumanUser" => {
            problems.add(place, format!("whoever asks is written with `type: HumanUser`, not `{type_name}`"));
            None
        }
        Some(_) => Some(Operand::Me),
        None => Some(Operand::Link { type_name, id }),
    }
}

/// Whether a relation can be asked of these values; else what it takes.
fn fits(relation: Relation, values: &[Operand]) -> Result<(), &'static str> {
    let ordered = |value: &Operand| matches!(value, Operand::Number(_)) || is_date(value);
    let (fits, needed) = match relation {
        Relation::Is | Relation::IsNot => (values.len() == 1, "one value"),
        Relation::In | Relation::NotIn => (!values.is_empty(), "one value or more"),
        Relation::Contains | Relation::NotContains | Relation::StartsWith | Relation::EndsWith => {
            (matches!(values, [Operand::Text(_)]), "one text")
        }
        Relation::GreaterThan | Relation::LessThan => (
            matches!(values, [one] if ordered(one)),
            "one number, date (\"2026-03-01\") or date_time (\"2026-03-01T12:00:00Z\")",
        ),
        Relation::Between => (
            matches!(values, [from, to] if ordered(from) && ordered(to) && is_date(from) == is_date(to)),
            "two numbers, dates (\"2026-03-01\") or date_times (\"2026-03-01T12:00:00Z\")",
        ),
        Relation::TypeIs | Relation::TypeIsNot => (matches!(values, [Operand::Text(_)]), "the name of one entity type"),
    };
    if fits { Ok(()) } else { Err(needed) }
}

/// `YYYY-MM-DD` or `YYYY-MM-DDTHH:MM:SSZ`, in lower case as texts are kept.
fn is_date(value: &Operand) -> bool {
    let Operand::Text(text) = value else { return false };
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    matches!(shape.as_str(), "0000-00-00" | "0000-00-00t00:00:00z")
}
