//! Reads roles files, studio files and case files into plain values, without what stagedoor reads them with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use saphyr_parser::{Event, Parser, ScalarStyle};
use stagedoor::model::decision::Reason;

use super::model::{Plain, Question, Row, Site, Who, snake};
use super::rules::{Condition, FieldRules, Operand, Role, Rule, Rules, TypeRules};

/// A value of a YAML file; aliases are written out.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Yaml {
    Null,
    Plain(String),
    Quoted(String),
    List(Vec<Yaml>),
    Map(Vec<(String, Yaml)>),
}

// === impl Yaml ===

impl Yaml {
    pub(super) fn file(path: &Path) -> Self {
        Self::read(&std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    }

    pub(super) fn read(text: &str) -> Self {
        enum Open {
            List(usize, Vec<Yaml>),
            Map(usize, Vec<(String, Yaml)>, Option<String>),
        }
        let mut open: Vec<Open> = Vec::new();
        let mut anchors = BTreeMap::new();
        let mut root = Self::Null;
        for event in Parser::new_from_str(text) {
            let (value, anchor) = match event.unwrap_or_else(|error| panic!("{error}\n{text}")).0 {
                Event::Scalar(text, ScalarStyle::Plain, anchor, _) => match &*text {
                    "" | "~" | "null" => (Self::Null, anchor),
                    _ => (Self::Plain(text.into_owned()), anchor),
                },
                Event::Scalar(text, _, anchor, _) => (Self::Quoted(text.into_owned()), anchor),
                Event::Alias(anchor) => (Self::clone(&anchors[&anchor]), 0),
                Event::SequenceStart(anchor, _) => {
                    open.push(Open::List(anchor, Vec::new()));
                    continue;
                }
                Event::MappingStart(anchor, _) => {
                    open.push(Open::Map(anchor, Vec::new(), None));
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => match open.pop().expect("begun") {
                    Open::List(anchor, list) => (Self::List(list), anchor),
                    Open::Map(anchor, map, _) => (Self::Map(map), anchor),
                },
                _ => continue,
            };
            anchors.insert(anchor, value.clone());
            match open.last_mut() {
                None => root = value,
                Some(Open::List(_, list)) => list.push(value),
                Some(Open::Map(_, map, key)) => match key.take() {
                    Some(key) => map.push((key, value)),
                    None => *key = Some(value.text()),
                },
            }
        }
        root
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::Plain(text) | Self::Quoted(text) => text.clone(),
            other => panic!("no text: {other:?}"),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|(own, _)| own == key).map(|(_, value)| value)
    }

    pub(super) fn entries(&self) -> &[(String, Self)] {
        match self {
            Self::Null => &[],
            Self::Map(entries) => entries,
            other => panic!("no map: {other:?}"),
        }
    }

    /// A list; anything else is a list of one.
    pub(super) fn list(&self) -> &[Self] {
        match self {
            Self::List(list) => list,
            other => std::slice::from_ref(other),
        }
    }

    fn texts(&self) -> Vec<String> {
        self.list().iter().map(Self::text).collect()
    }
}

// === Roles files ===

/// The rules of a roles file, and those of the pack that it extends.
pub(super) fn rules(file: &Yaml, pack: &Yaml) -> Rules {
    let mut rules = written(file);
    let pack = written(pack);
    rules.built_in = pack.roles.clone();
    for role in rules.built_in.values_mut() {
        for rule in role.types.values_mut().flat_map(every_rule) {
            if let Rule::Named(name) = rule {
                *rule = Rule::When(pack.conditions[name].clone());
            }
        }
    }
    rules
}

fn every_rule(rules: &mut TypeRules) -> impl Iterator<Item = &mut Rule> {
    let TypeRules { see, create, edit, retire, fields } = rules;
    let fields = fields
        .values_mut()
        .flat_map(|FieldRules { see, edit, values }| [see, edit].into_iter().flatten().chain(values.values_mut()));
    [see, create, edit, retire].into_iter().flatten().chain(fields)
}

fn written(file: &Yaml) -> Rules {
    let named = |key: &str| file.get(key).map(Yaml::entries).unwrap_or_default();
    Rules {
        extra_types: file.get("extra_types").map(Yaml::texts).unwrap_or_default(),
        read_only: named("read_only")
            .iter()
            .map(|(name, list)| (name.clone(), list.texts().into_iter().collect()))
            .collect(),
        conditions: named("conditions").iter().map(|(name, node)| (name.clone(), condition(node))).collect(),
        roles: named("roles").iter().map(|(code, node)| (code.clone(), role(node))).collect(),
        built_in: BTreeMap::new(),
    }
}

fn role(node: &Yaml) -> Role {
    let types = node.get("types").map(Yaml::entries).unwrap_or_default().iter();
    Role {
        clone: node.get("clone").map(Yaml::text),
        advanced: node.get("advanced").map(|list| list.texts().into_iter().collect::<BTreeSet<_>>()),
        types: types.map(|(name, node)| (name.clone(), type_rules(node))).collect(),
    }
}

fn type_rules(node: &Yaml) -> TypeRules {
    let fields = node.get("fields").map(Yaml::entries).unwrap_or_default().iter();
    TypeRules {
        see: node.get("see").map(rule),
        create: node.get("create").map(rule),
        edit: node.get("edit").map(rule),
        retire: node.get("retire").map(rule),
        fields: fields.map(|(name, node)| (name.clone(), field_rules(node))).collect(),
    }
}

fn field_rules(node: &Yaml) -> FieldRules {
    let values = node.get("values").map(Yaml::entries).unwrap_or_default().iter();
    FieldRules {
        see: node.get("see").map(rule),
        edit: node.get("edit").map(rule),
        values: values.map(|(value, node)| (value.clone(), rule(node))).collect(),
    }
}

fn rule(node: &Yaml) -> Rule {
    match node {
        Yaml::Map(_) => Rule::When(condition(node)),
        Yaml::Plain(text) if text == "yes" || text == "true" => Rule::Yes,
        Yaml::Plain(text) if text == "no" || text == "false" => Rule::No,
        name => Rule::Named(name.text()),
    }
}

fn condition(node: &Yaml) -> Condition {
    if let Some(operator) = node.get("logical_operator") {
        let conditions = node.get("conditions").expect("conditions").list().iter().map(condition).collect();
        return if operator.text() == "and" { Condition::All(conditions) } else { Condition::Any(conditions) };
    }
    let need = |key: &str| node.get(key).unwrap_or_else(|| panic!("`{key}:` in {node:?}"));
    Condition::Leaf {
        path: need("path").text(),
        relation: need("relation").text(),
        values: need("values").list().iter().map(operand).collect(),
    }
}

fn operand(node: &Yaml) -> Operand {
    match node {
        Yaml::Null => Operand::Null,
        Yaml::Quoted(text) => Operand::Text(text.clone()),
        Yaml::Plain(text) => match (text.as_str(), text.parse()) {
            ("true", _) => Operand::Flag(true),
            ("false", _) => Operand::Flag(false),
            (_, Ok(number)) => Operand::Number(number),
            _ => Operand::Text(text.clone()),
        },
        Yaml::List(_) => panic!("no value: {node:?}"),
        Yaml::Map(_) if node.get("valid").is_some() => Operand::Me,
        Yaml::Map(_) => {
            let part = |key: &str| node.get(key).map(Yaml::text).expect("a link has a type and an id");
            Operand::Link((part("type"), part("id")))
        }
    }
}

// === Studio files ===

/// The site that a studio file describes.
pub(super) fn site(file: &Yaml) -> Site {
    let mut site = Site::default();
    for entry in file.get("entity_type").expect("a schema").list() {
        let fields = entry.get("fields").expect("fields").entries();
        let fields = fields.iter().map(|(name, kind)| (name.clone(), kind.text())).collect();
        site.schema.insert(entry.get("id").expect("an id").text(), fields);
    }
    for (kind, rows) in file.entries() {
        if kind == "pack" || kind == "entity_type" {
            continue;
        }
        let name =
            site.schema.keys().find(|name| snake(name) == *kind).unwrap_or_else(|| panic!("a type {kind}")).clone();
        for entry in rows.list() {
            let mut row = Row::default();
            let mut id = None;
            for (key, node) in entry.entries() {
                match key.as_str() {
                    "id" => id = Some(node.text()),
                    "trashed" => row.trashed = node.text() == "true",
                    "project" => {
                        row.fields.insert(key.clone(), Plain::Link(("Project".into(), node.text())));
                    }
                    _ => {
                        assert!(site.schema[&name].contains_key(key) || key == "name", "{name} has no field {key}");
                        row.fields.insert(key.clone(), plain(node));
                    }
                }
            }
            // As studio files have it: nobody is disabled unless they say so.
            if name == "HumanUser" {
                row.fields.entry("sg_status_list".into()).or_insert(Plain::Text("act".into()));
            }
            let link = (name.clone(), id.expect("an id"));
            assert!(site.rows.insert(link.clone(), row).is_none(), "{link:?} stands twice");
        }
    }
    site
}

fn plain(node: &Yaml) -> Plain {
    match node {
        Yaml::Null => Plain::Null,
        Yaml::List(list) => {
            let links: Vec<_> = list.iter().map(plain).collect();
            let links =
                links.into_iter().map(|link| if let Plain::Link(link) = link { link } else { panic!("{link:?}") });
            Plain::Links(links.collect())
        }
        _ => match operand(node) {
            Operand::Flag(flag) => Plain::Flag(flag),
            Operand::Number(number) => Plain::Number(number),
            Operand::Text(text) => Plain::Text(text),
            Operand::Link(link) => Plain::Link(link),
            Operand::Null | Operand::Me => panic!("{node:?}"),
        },
    }
}

// === Case files ===

/// A question of a case file, and the reason that it expects.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) title: String,
    pub(super) question: Question,
    pub(super) expected: Reason,
}

pub(super) fn cases(file: &Yaml) -> Vec<Case> {
    file.get("cases").expect("cases").list().iter().flat_map(one).collect()
}

fn one(node: &Yaml) -> Vec<Case> {
    let texts = |key: &str| node.get(key).map_or_else(|| vec![String::new()], Yaml::texts);
    let values: Vec<_> = node
        .get("value")
        .map_or_else(|| vec![None], |values| values.list().iter().map(|value| Some(plain(value))).collect());
    let mut askers = Vec::new();
    if let Some(allowed) = node.get("allow") {
        askers.extend(subjects(allowed).into_iter().map(|subject| (subject, Reason::Granted)));
    }
    for (reason, denied) in node.get("deny").map(Yaml::entries).unwrap_or_default() {
        let reason = Reason::ALL.into_iter().find(|own| own.name() == reason).expect("a reason");
        askers.extend(subjects(denied).into_iter().map(|subject| (subject, reason)));
    }
    assert!(!askers.is_empty(), "nobody asks: {node:?}");
    let mut cases = Vec::new();
    for action in texts("action") {
        for field in texts("field") {
            for resource in texts("resource") {
                for value in &values {
                    for (subject, expected) in &askers {
                        let (kind, id) = resource.split_once(':').unwrap_or((&resource, ""));
                        let question = Question {
                            who: who(subject),
                            action: action.clone(),
                            field: field.clone(),
                            value: value.clone(),
                            kind: kind.into(),
                            id: id.into(),
                            project: node.get("project").map(Yaml::text),
                        };
                        let title = node.get("title").expect("a title").text();
                        cases.push(Case { title, question, expected: *expected });
                    }
                }
            }
        }
    }
    cases
}

fn subjects(node: &Yaml) -> Vec<String> {
    match node {
        Yaml::Map(entries) => entries.iter().map(|(subject, _)| subject.clone()).collect(),
        _ => node.texts(),
    }
}

fn who(subject: &str) -> Who {
    match subject.split_once(':') {
        Some(("login", text)) => Who::Login(text.into()),
        Some(("email", text)) => Who::Email(text.into()),
        Some(("bot", id)) => Who::Bot(id.into()),
        Some((other, _)) => panic!("no subject {other}"),
        None => Who::Person(subject.into()),
    }
}
