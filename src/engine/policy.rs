//! A compiled policy: the kinds of a tracker and, for each kind and action, the rule that decides.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use sha2::{Digest as _, Sha256};

use super::compile::{self, Sources};
use super::condition::Condition;
use super::declared::Declarations;
use super::parse;
use super::path::Path;
use super::permissions::Permissions;
use super::restricted::{Restricted, Statuses};
use super::roles::{Grantable, RoleBits, RoleSet};
use super::said::{RuleSaid, Said, Template};
use crate::directory::View;
use crate::model::decision::{Decision, Reason, RuleId, RuleRef};
use crate::model::id::{Id, Str};
use crate::model::query::Query;
use crate::model::schema::{KindNo, Schema};
use crate::yaml::{self, Problems};

/// The built-in packs: name and text.
const PACKS: [(&str, &str); 4] = [
    ("flow", include_str!("../../policy/flow.yaml")),
    ("ftrack", include_str!("../../policy/ftrack.yaml")),
    ("kitsu", include_str!("../../policy/kitsu.yaml")),
    ("limecraft", include_str!("../../policy/limecraft.yaml")),
];

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
    /// Where the rights of a person come from, and what roles may do.
    pub(super) rights: RoleRights,
    pub(super) spellings: Vec<Spelling>,
    pub(super) role_sets: Vec<RoleSet>,
    pub(super) grantable: Vec<Grantable>,
    pub(super) default_role: Option<Str>,
    /// What roles allow, where they are what a permission page says.
    pub(super) permissions: Option<Permissions>,
    pub(super) statuses: Option<Statuses>,
    pub(super) restrictions: Vec<Arc<Restricted>>,
    /// Actions that records of the mirror declare.
    pub(super) declarations: Declarations,
    /// What the actions of records are compiled against.
    pub(super) sources: Sources,
    /// What is no error, and probably not what was meant.
    pub warnings: Problems,
}

/// Where rights come from.
#[derive(Debug, Default)]
pub(super) struct RoleRights {
    /// By the number of the reach: how far rights go.
    pub(super) reaches: Vec<Vec<RightsFrom>>,
    /// The reaches without any of which a person is not in the project.
    pub(super) members: Vec<u16>,
    /// What roles may do, by name, and the kind of the records that are roles.
    pub(super) sets: FxHashMap<Str, RoleBits>,
    pub(super) roles: Option<KindNo>,
}

/// Another way to ask for an action.
#[derive(Debug)]
pub(super) struct Spelling {
    pub(super) action: Str,
    pub(super) field: Str,
    pub(super) means: Str,
}

/// A path to the names of rights, or to roles; over objects of which each must fit.
#[derive(Debug)]
pub(super) struct RightsFrom {
    pub(super) over: Option<(Path, Condition)>,
    pub(super) take: Path,
}

/// The rules of one action on one kind.
#[derive(Debug)]
pub(super) struct ActionRules {
    pub(super) whole: u32,
    /// What people call the action; empty where the policy does not say.
    pub(super) label: Str,
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
    /// Whether it is a list of steps: `all` in order, each with a reason of its own.
    pub(super) stepped: bool,
    /// What is wrong with it: it then never allows.
    pub(super) invalid: Option<String>,
}

/// What a question must name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// A resource by id.
    Resource,
    /// A project; the resource does not exist yet.
    Project,
    /// A project, where objects of the kind belong to one; the resource does not exist yet.
    Placed,
    /// A resource by id that is in the trash.
    Trashed,
    /// Nothing; a project may be named.
    Site,
    /// Nothing, and nothing that is named is looked at.
    Studio,
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
    /// The same in a few words, where there are any.
    pub(super) says: Option<Str>,
    /// What is said where none of them holds.
    pub(super) code: Reason,
    /// What the overlay calls it, and what it says to whoever it denies.
    pub(super) name: Option<Str>,
    pub(super) message: Option<Str>,
}

impl Restriction {
    /// One without a name.
    pub(super) fn plain(any: Vec<Conjunction>) -> Self {
        Self { any, says: None, code: Reason::Restricted, name: None, message: None }
    }
}

impl Policy {
    /// The built-in pack, overlaid by a studio's own file (its name and text).
    ///
    /// # Errors
    /// All problems of the overlay at once; of the pack only if it is broken itself.
    pub fn load(pack: &str, overlay: Option<(&str, &str)>) -> Result<Self, Problems> {
        Self::load_over(pack, overlay, &Schema::default())
    }

    /// The same over a mirror that there is: what that holds and this policy has no need of stays, so that the policy fits it
    /// unless it needs more.
    ///
    /// # Errors
    /// As above.
    pub fn load_over(pack: &str, overlay: Option<(&str, &str)>, mirror: &Schema) -> Result<Self, Problems> {
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
        compile::policy(base, over, name, digest, mirror)
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

    /// The number of the kind that a caller's word means: one of the pack's, or one that the mirror tells of.
    pub(super) fn kind_of(&self, view: View<'_>, word: &str) -> Option<KindNo> {
        let own = self.kind_no(word).filter(|no| self.schema.others.as_ref().is_none_or(|others| others.kind != *no));
        own.or_else(|| self.other_kind(view, word))
    }

    /// The kind that stands for all that the mirror tells of, where this is one of them.
    pub(super) fn other_kind(&self, view: View<'_>, word: &str) -> Option<KindNo> {
        let others = self.schema.others.as_ref()?;
        let listed = view.find(others.listed_as, &Id::from(word))?;
        view.row(listed).map(|_| others.kind)
    }

    /// The roles whose permissions stand in the policy: the pack's, replaced or joined by the overlay's. Empty where
    /// roles are built into the tracker (Kitsu) or told by it (Limecraft).
    pub fn role_sets(&self) -> &[RoleSet] {
        &self.role_sets
    }

    /// What whoever writes roles should know, where they are what a permission page says: permissions about no object, and
    /// rules by type and field.
    pub fn page_note(&self) -> Option<&str> {
        self.permissions.as_ref().map(|page| page.note.as_str())
    }

    /// The rights that roles can be given, in the pack's order.
    pub fn grantable(&self) -> &[Grantable] {
        &self.grantable
    }

    /// The role that the tracker gives to new people, as the policy says.
    pub fn default_role(&self) -> Option<&str> {
        self.default_role.as_deref()
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

    /// The fields of a kind for which a role has a rule of its own, and the new values for which it has one.
    pub fn ruled_fields(&self, kind: &str) -> Vec<(Str, Vec<Str>)> {
        let permissions = self.permissions.as_ref().zip(self.kind_no(kind));
        permissions.map(|(permissions, kind)| permissions.ruled_fields(kind)).unwrap_or_default()
    }

    /// The rule that decides, and what the `*` of its field name stands for. The field's rule goes before the action's.
    pub(super) fn find_rule<'f>(&self, kind: KindNo, action: &str, field: &'f str) -> Option<(u32, &'f str)> {
        let spelled = |spelling: &&Spelling| spelling.action == action && spelling.field == field;
        let (action, field) = match self.spellings.iter().find(spelled) {
            Some(spelling) => (spelling.means.as_str(), ""),
            None => (action, field),
        };
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

    /// Whether the question's action is one that is asked about fields, and the site has this one.
    pub(super) fn has_field(&self, page: &Permissions, kind: KindNo, query: &Query<'_>) -> bool {
        let rules = self.actions.get(usize::from(kind)).and_then(|actions| actions.get(query.action));
        rules.is_some_and(|rules| !rules.fields.is_empty()) && page.site.data_type(kind, query.field).is_some()
    }

    pub(super) fn rule(&self, rule: RuleId) -> Option<&Rule> {
        match rule {
            RuleId::Policy(number) => self.rules.get(number as usize),
            RuleId::Declared(record) => self.declarations.rule(record),
        }
    }

    /// What people call a role.
    pub(super) fn role_title<'r>(&'r self, role: &'r str) -> &'r str {
        self.roles.iter().find(|(name, _)| name == role).map_or(role, |(_, title)| title)
    }

    /// "kitsu/task.comment#3"
    pub(super) fn rule_name(&self, at: RuleRef) -> String {
        self.rule(at.rule).map(|rule| rule.full_name(&self.tracker, at.alternative)).unwrap_or_default()
    }

    /// The rule and the sentence for a decision. Made when the policy is compiled; only counted here.
    pub fn said(&self, decision: Decision) -> Arc<Said> {
        match decision.rule.and_then(|at| Some((self.rule(at.rule)?, at))) {
            Some((rule, at)) => rule.said.get(decision.code, at.alternative),
            None => Said::of(decision.code),
        }
    }
}

impl Rule {
    /// Whether one of the reaches that make a person one of the project would do.
    pub(super) fn asks_membership(&self, members: &[u16]) -> bool {
        let asked = |atom: &Atom| match &atom.test {
            Test::Condition(Condition::Right { reach, .. }) => members.contains(reach),
            _ => false,
        };
        self.atoms.iter().any(asked)
    }

    /// A rule about a resource that allows nobody.
    pub(super) fn empty(name: String) -> Self {
        Self {
            name,
            reach: Reach::Resource,
            value: None,
            atoms: Vec::new(),
            any: Vec::new(),
            all: Vec::new(),
            alternatives: Vec::new(),
            reads_field: false,
            said: RuleSaid::default(),
            stepped: false,
            invalid: None,
        }
    }

    /// "ftrack/task.set_status!approvals"; by its number, where it has no name.
    pub(super) fn restriction_name(&self, tracker: &str, number: u16) -> String {
        let named = self.all.get(usize::from(number).wrapping_sub(1)).and_then(|restriction| restriction.name.as_ref());
        let rule = self.full_name(tracker, 0);
        named.map_or_else(|| format!("{rule}!{number}"), |name| format!("{rule}!{name}"))
    }

    /// "kitsu/task.comment#3"; without the number for the rule as a whole.
    pub(super) fn full_name(&self, tracker: &str, alternative: u16) -> String {
        match alternative {
            0 => format!("{tracker}/{}", self.name),
            number => format!("{tracker}/{}#{number}", self.name),
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
