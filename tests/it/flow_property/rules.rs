//! A roles file as plain values, and as the text that says it: `flow-actions.md` part 2.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// A row, by Flow's type name and id.
pub(super) type Link = (String, String);

/// A roles file, and the roles that it builds upon.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) extra_types: Vec<String>,
    pub(super) read_only: BTreeMap<String, BTreeSet<String>>,
    pub(super) conditions: BTreeMap<String, Condition>,
    pub(super) roles: BTreeMap<String, Role>,
    /// What `extends: flow` brings, the names of conditions written out.
    pub(super) built_in: BTreeMap<String, Role>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Role {
    pub(super) clone: Option<String>,
    pub(super) advanced: Option<BTreeSet<String>>,
    pub(super) types: BTreeMap<String, TypeRules>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct TypeRules {
    pub(super) see: Option<Rule>,
    pub(super) create: Option<Rule>,
    pub(super) edit: Option<Rule>,
    pub(super) retire: Option<Rule>,
    pub(super) fields: BTreeMap<String, FieldRules>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct FieldRules {
    pub(super) see: Option<Rule>,
    pub(super) edit: Option<Rule>,
    pub(super) values: BTreeMap<String, Rule>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Rule {
    Yes,
    No,
    Named(String),
    When(Condition),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    Leaf { path: String, relation: String, values: Vec<Operand> },
    All(Vec<Condition>),
    Any(Vec<Condition>),
}

/// A value that a condition compares with.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operand {
    Null,
    Flag(bool),
    Number(f64),
    Text(String),
    Link(Link),
    /// Whoever asks.
    Me,
}

// === impl Rules ===

impl Rules {
    /// The role with this code, clones written out; of the file, else built in.
    pub(super) fn role(&self, code: &str) -> Option<Role> {
        let role = self.roles.get(code).or_else(|| self.built_in.get(code))?;
        let Some(origin) = &role.clone else { return Some(role.clone()) };
        let mut copy = self.role(origin).expect("a clone is of a role that there is");
        if role.advanced.is_some() {
            copy.advanced.clone_from(&role.advanced);
        }
        copy.types.extend(role.types.clone());
        Some(copy)
    }

    pub(super) fn condition<'r>(&'r self, rule: &'r Rule) -> Option<&'r Condition> {
        match rule {
            Rule::Yes | Rule::No => None,
            Rule::Named(name) => Some(&self.conditions[name]),
            Rule::When(condition) => Some(condition),
        }
    }

    /// The file that says the same.
    pub(super) fn text(&self) -> String {
        let mut text = String::from("extends: flow\n");
        let names =
            |names: &mut dyn Iterator<Item = &String>| names.map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
        writeln!(text, "extra_types: [{}]", names(&mut self.extra_types.iter())).unwrap();
        for (at, (name, fields)) in self.read_only.iter().enumerate() {
            let key = if at == 0 { "read_only:\n" } else { "" };
            writeln!(text, "{key}  {name}: [{}]", names(&mut fields.iter())).unwrap();
        }
        for (at, (name, condition)) in self.conditions.iter().enumerate() {
            let key = if at == 0 { "conditions:\n" } else { "" };
            writeln!(text, "{key}  {}: {}", quoted(name), condition.text()).unwrap();
        }
        text.push_str("roles:\n");
        for (code, role) in &self.roles {
            writeln!(text, "  {}:\n    description: made up", quoted(code)).unwrap();
            if let Some(origin) = &role.clone {
                writeln!(text, "    clone: {}", quoted(origin)).unwrap();
            }
            if let Some(advanced) = &role.advanced {
                writeln!(text, "    advanced: [{}]", names(&mut advanced.iter())).unwrap();
            }
            text.push_str("    types:\n");
            for (name, rules) in &role.types {
                writeln!(text, "      {}:", quoted(name)).unwrap();
                let TypeRules { see, create, edit, retire, fields } = rules;
                operations(&mut text, 8, &[("see", see), ("create", create), ("edit", edit), ("retire", retire)]);
                if !fields.is_empty() {
                    text.push_str("        fields:\n");
                }
                for (field, FieldRules { see, edit, values }) in fields {
                    writeln!(text, "          {}:", quoted(field)).unwrap();
                    operations(&mut text, 12, &[("see", see), ("edit", edit)]);
                    if !values.is_empty() {
                        text.push_str("            values:\n");
                    }
                    for (value, rule) in values {
                        writeln!(text, "              {}: {}", quoted(value), rule.text()).unwrap();
                    }
                }
            }
        }
        text
    }
}

fn operations(text: &mut String, indent: usize, operations: &[(&str, &Option<Rule>)]) {
    for (name, rule) in operations {
        if let Some(rule) = rule {
            writeln!(text, "{:indent$}{name}: {}", "", rule.text()).unwrap();
        }
    }
}

fn quoted(text: &str) -> String {
    assert!(!text.contains(['"', '\\']), "{text}");
    format!("\"{text}\"")
}

// === impl Rule, Condition, Operand ===

impl Rule {
    fn text(&self) -> String {
        match self {
            Self::Yes => "yes".into(),
            Self::No => "no".into(),
            Self::Named(name) => quoted(name),
            Self::When(condition) => condition.text(),
        }
    }
}

impl Condition {
    pub(super) fn text(&self) -> String {
        let (operator, conditions) = match self {
            Self::Leaf { path, relation, values } => {
                let values: Vec<_> = values.iter().map(Operand::text).collect();
                return format!("{{path: {path}, relation: {relation}, values: [{}]}}", values.join(", "));
            }
            Self::All(conditions) => ("and", conditions),
            Self::Any(conditions) => ("or", conditions),
        };
        let conditions: Vec<_> = conditions.iter().map(Self::text).collect();
        format!("{{logical_operator: {operator}, conditions: [{}]}}", conditions.join(", "))
    }
}

impl Operand {
    fn text(&self) -> String {
        match self {
            Self::Null => "null".into(),
            Self::Flag(flag) => flag.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => quoted(text),
            Self::Link((kind, id)) => format!("{{type: {kind}, id: {id}}}"),
            Self::Me => "{type: HumanUser, id: 0, valid: logged_in_user_token}".into(),
        }
    }
}
