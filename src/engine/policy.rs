//! A compiled policy: the kinds of a tracker and, for each kind and action, the rule that decides.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use sha2::{Digest as _, Sha256};

use super::compile;
use super::condition::Condition;
use super::parse;
use super::path::Path;
use super::said::{RuleSaid, Said, Template};
use crate::model::decision::{Decision, RuleRef};
use crate::model::id::Str;
use crate::model::schema::{KindNo, Schema};
use crate::yaml::{self, Problems};

/// The built-in packs: name and text.
const PACKS: [(&str, &str); 2] =
    [("kitsu", include_str!("../../policy/kitsu.yaml")), ("limecraft", include_str!("../../policy/limecraft.yaml"))];

/// What may be asked, and what decides it.
#[derive(Debug)]
pub struct Policy {
    pub schema: Arc<Schema>,
    /// The pack's name: "kitsu".
    pub tracker: Str,
    /// SHA-256 of the pack and the overlay, in hex.
    pub digest: String,
    pub(super) kinds: FxHashMap<Str, KindNo>,
    /// Roles and what people call them.
    pub(super) roles: Vec<(Str, Str)>,
    pub(super) rules: Vec<Rule>,
    /// By kind number: action -> its rules.
    pub(super) actions: Vec<FxHashMap<Str, ActionRules>>,
}

/// The rules of one action on one kind.
#[derive(Debug)]
pub(super) struct ActionRules {
    pub(super) whole: u32,
    /// Fields with rules of their own; exact names before open ones, longer before shorter.
    pub(super) fields: Vec<(FieldPattern, u32)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldPattern {
    pub(super) start: Str,
    /// Any ending is meant.
    pub(super) open: bool,
}

/// A compiled rule: an OR of conjunctions, and what must hold besides.
#[derive(Debug)]
pub(super) struct Rule {
    /// "task.comment", "task.update[priority]"
    pub(super) name: String,
    pub(super) reach: Reach,
    pub(super) value: Option<ValueRule>,
    /// At most 64; conjunctions name them by bit.
    pub(super) atoms: Vec<Atom>,
    pub(super) any: Vec<Conjunction>,
    pub(super) all: Vec<Restriction>,
    /// The alternatives as they stand in the policy.
    pub(super) alternatives: Vec<String>,
    /// Whether an atom looks at the action's field.
    pub(super) reads_field: bool,
    pub(super) said: RuleSaid,
}

/// What a question must name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// A resource by id.
    Resource,
    /// A project; the resource does not exist yet.
    Project,
    /// Nothing; a project may be named.
    Site,
}

#[derive(Debug)]
pub(super) struct ValueRule {
    pub(super) kind: KindNo,
    /// What is meant where the question names no value.
    pub(super) default: Option<Path>,
}

/// A named fact about (subject, resource).
#[derive(Debug)]
pub(super) struct Atom {
    pub(super) name: Str,
    pub(super) test: Test,
    /// In a few words, for people: "in the project's team".
    pub(super) says: Str,
    /// What to say when it does not hold, with names from the mirror.
    pub(super) no: Option<Template>,
    /// What would make it hold; `None` where nobody can be given it.
    pub(super) grant: Option<Template>,
}

#[derive(Debug)]
pub(super) enum Test {
    /// In the project of the resource.
    Team,
    /// The role in force in the project of the resource.
    Role(Str),
    /// The site-wide role.
    SiteRole(Str),
    Condition(Condition),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conjunction {
    pub(super) must: u64,
    pub(super) must_not: u64,
    /// The alternative that it comes from, from 1.
    pub(super) source: u16,
}

/// What must hold besides; it can only deny.
#[derive(Debug)]
pub(super) struct Restriction {
    pub(super) any: Vec<Conjunction>,
}

impl Policy {
    /// The built-in pack, overlaid by a studio's own file (its name and text).
    ///
    /// # Errors
    /// All problems of the overlay at once; of the pack only if it is broken itself.
    pub fn load(pack: &str, overlay: Option<(&str, &str)>) -> Result<Self, Problems> {
        let (name, text) = find_pack(pack).map_err(|message| {
            let mut problems = Problems::new("policy");
            problems.add(yaml::Place::default(), message);
            problems
        })?;
        let mut digest = Sha256::new();
        digest.update(text);
        let base = read(&format!("policy/{name}.yaml"), text, false)?;
        let over = match overlay {
            None => None,
            Some((file, text)) => {
                digest.update([0]);
                digest.update(text);
                Some((file, read(file, text, true)?))
            }
        };
        let digest: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        compile::policy(base, over, name, digest)
    }

    /// The built-in pack that an overlay's text extends.
    ///
    /// # Errors
    /// Where the text is no YAML, does not say, or names a pack that there is not.
    pub fn extended_pack(file: &str, text: &str) -> Result<&'static str, Problems> {
        let root = yaml::parse(file, text)?;
        let mut problems = Problems::new(file);
        let node = root.map(&mut problems).and_then(|mut fields| fields.need("extends", &mut problems));
        let named = node.and_then(|node| Some((node.place, node.text(&mut problems)?)));
        let found = named.and_then(|(place, name)| Self::pack(name).map_err(|why| problems.add(place, why)).ok());
        problems.into_result(found.unwrap_or_default())
    }

    /// The name of a built-in pack.
    ///
    /// # Errors
    /// Where there is none of this name: which there are.
    pub fn pack(name: &str) -> Result<&'static str, String> {
        find_pack(name).map(|(name, _)| name)
    }

    /// The number of a kind by its name.
    pub fn kind_no(&self, name: &str) -> Option<KindNo> {
        self.kinds.get(name).copied()
    }

    /// The names of the roles that the tracker has.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles.iter().map(|(role, _)| role.as_str())
    }

    /// The actions of a kind and, for each, the fields that have rules of their own (`*`: any ending).
    pub fn vocabulary(&self, kind: &str) -> Vec<(String, Vec<String>)> {
        let actions = self.schema.kind_no(kind).and_then(|no| self.actions.get(usize::from(no)));
        let mut list: Vec<_> = actions
            .into_iter()
            .flatten()
            .map(|(action, rules)| {
                let field =
                    |pattern: &FieldPattern| format!("{}{}", pattern.start, if pattern.open { "*" } else { "" });
                (action.to_string(), rules.fields.iter().map(|(pattern, _)| field(pattern)).collect())
            })
            .collect();
        list.sort();
        list
    }

    /// The rule that decides, and what the `*` of its field name stands for. The field's rule goes before the action's.
    pub(super) fn find_rule<'f>(&self, kind: KindNo, action: &str, field: &'f str) -> Option<(u32, &'f str)> {
        let rules = self.actions.get(usize::from(kind))?.get(action)?;
        if !field.is_empty() {
            for (pattern, rule) in &rules.fields {
                match field.strip_prefix(pattern.start.as_str()) {
                    Some(tail) if pattern.open || tail.is_empty() => return Some((*rule, tail)),
                    _ => {}
                }
            }
        }
        Some((rules.whole, ""))
    }

    pub(super) fn rule(&self, rule: u32) -> Option<&Rule> {
        self.rules.get(rule as usize)
    }

    /// What people call a role.
    pub(super) fn role_title<'r>(&'r self, role: &'r str) -> &'r str {
        self.roles.iter().find(|(name, _)| name == role).map_or(role, |(_, title)| title)
    }

    /// "kitsu/task.comment#3"
    pub(super) fn rule_name(&self, at: RuleRef) -> String {
        let Some(rule) = self.rule(at.rule) else { return String::new() };
        match at.alternative {
            0 => format!("{}/{}", self.tracker, rule.name),
            number => format!("{}/{}#{number}", self.tracker, rule.name),
        }
    }

    /// The rule and the sentence for a decision. Made when the policy is compiled; only counted here.
    pub fn said(&self, decision: Decision) -> Arc<Said> {
        match decision.rule.and_then(|at| Some((self.rule(at.rule)?, at))) {
            Some((rule, at)) => rule.said.get(decision.code, at.alternative),
            None => Said::of(decision.code),
        }
    }
}

fn find_pack(wanted: &str) -> Result<(&'static str, &'static str), String> {
    PACKS.iter().find(|(name, _)| *name == wanted).copied().ok_or_else(|| {
        let hint = yaml::suggestion(wanted, PACKS.iter().map(|(name, _)| *name));
        format!("there is no built-in pack `{wanted}`{hint}")
    })
}

fn read(file: &str, text: &str, overlay: bool) -> Result<parse::Source, Problems> {
    let root = yaml::parse(file, text)?;
    let mut problems = Problems::new(file);
    let source = parse::source(&root, overlay, &mut problems);
    problems.into_result(source)
}
