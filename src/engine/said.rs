//! Words for people: fixed sentences for decisions, and templates that are filled with names from the mirror.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use super::compile::Scope;
use super::path::{self, Path};
use super::policy::Policy;
use super::walk::{Val, Walk};
use crate::directory::View;
use crate::model::decision::Reason;
use crate::model::id::Key;

/// The rule that decided, and why in one sentence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// "kitsu/task.comment#3"; empty where no rule was reached.
    pub rule: String,
    pub text: String,
}

/// The sentences of one rule, made once.
#[derive(Debug, Default)]
pub(super) struct RuleSaid {
    /// By alternative, from the first.
    pub(super) granted: Vec<Arc<Said>>,
    /// By restriction, from the first.
    pub(super) restricted: Vec<Arc<Said>>,
    pub(super) no_grant: Arc<Said>,
    pub(super) not_member: Arc<Said>,
    pub(super) indeterminate: Arc<Said>,
    pub(super) quarantined: Arc<Said>,
    pub(super) invalid: Arc<Said>,
}

impl RuleSaid {
    pub(super) fn get(&self, code: Reason, alternative: u16) -> Arc<Said> {
        let numbered = |list: &[Arc<Said>]| list.get(usize::from(alternative).wrapping_sub(1)).cloned();
        match code {
            Reason::Granted => numbered(&self.granted).unwrap_or_default(),
            Reason::Restricted => numbered(&self.restricted).unwrap_or_default(),
            // Of rules in steps each denies in its own way.
            _ if alternative > 0 => numbered(&self.restricted).unwrap_or_default(),
            Reason::NoGrant => Arc::clone(&self.no_grant),
            Reason::NotMember => Arc::clone(&self.not_member),
            Reason::Indeterminate => Arc::clone(&self.indeterminate),
            Reason::Quarantined => Arc::clone(&self.quarantined),
            Reason::InvalidPolicy => Arc::clone(&self.invalid),
            other => Said::of(other),
        }
    }
}

impl Said {
    /// The sentence for a reason that no rule stands behind.
    pub fn of(code: Reason) -> Arc<Self> {
        static ALL: LazyLock<Vec<Arc<Said>>> = LazyLock::new(|| {
            let said = |code| Arc::new(Said { rule: String::new(), text: plain(code).to_owned() });
            Reason::ALL.into_iter().map(said).collect()
        });
        ALL.get(code as usize).cloned().unwrap_or_default()
    }
}

fn plain(code: Reason) -> &'static str {
    match code {
        Reason::Granted => "a rule allows it",
        Reason::NoGrant => "no rule allows it",
        Reason::NotMember => "not in the project",
        Reason::Restricted => "a restriction forbids it",
        Reason::SubjectUnknown => "the tracker has no such person",
        Reason::SubjectInactive => "the person is not active at the tracker",
        Reason::ResourceUnknown => "the tracker has no such object or project",
        Reason::ActionUnknown => "the policy has no such action for this kind of object",
        Reason::Indeterminate => "a fact that the rule needs is not known",
        Reason::Stale => "what is known of the tracker is older than the bound in force",
        Reason::Quarantined => "a record of the tracker that the rule needs could not be understood",
        Reason::InvalidPolicy => "the rule is malformed and never allows",
    }
}

/// A sentence with places for names: `not assigned to the task {task}`.
///
/// `{path}` is filled with name and id, `{path|name}` with the name alone.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Path { path: Path, bare: bool },
}

impl Template {
    pub(super) fn compile(text: &str, scope: &Scope<'_>) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (inside, after) = after.split_once('}').ok_or_else(|| format!("`{text}`: a `{{` without its `}}`"))?;
            parts.push(Part::Text(before.to_owned()));
            let (name, bare) = match inside.strip_suffix("|name") {
                Some(name) => (name, true),
                None => (inside, false),
            };
            parts.push(Part::Path { path: path::compile(name, scope)?.0, bare });
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self { parts })
    }

    pub(super) fn fill<'v>(&'v self, policy: &Policy, walk: &mut Walk<'v>) -> String {
        self.filled(policy, walk).0
    }

    /// The sentence, if there is a name for every place of it.
    pub(super) fn fill_all<'v>(&'v self, policy: &Policy, walk: &mut Walk<'v>) -> Option<String> {
        let (text, all) = self.filled(policy, walk);
        all.then_some(text)
    }

    fn filled<'v>(&'v self, policy: &Policy, walk: &mut Walk<'v>) -> (String, bool) {
        let mut text = String::new();
        let mut all = true;
        for part in &self.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Path { path, bare } => {
                    let values = walk.values(path);
                    let mut names: Vec<_> =
                        values.list.iter().map(|value| name(*value, policy, walk.view, *bare)).collect();
                    names.sort();
                    all &= !names.is_empty();
                    match (names.is_empty(), values.unknown) {
                        (true, true) => text.push_str("(not known)"),
                        (true, false) => text.push_str("(none)"),
                        _ => text.push_str(&names.join(", ")),
                    }
                }
            }
        }
        (text, all)
    }
}

fn name(value: Val<'_>, policy: &Policy, view: View<'_>, bare: bool) -> String {
    match value {
        Val::Bool(value) => value.to_string(),
        Val::Number(value) => value.to_string(),
        Val::Text(text) => policy.role_title(text).to_owned(),
        Val::Foreign(id) => id.to_owned(),
        Val::Key(key) => {
            let id = view.id(key).map(ToString::to_string).unwrap_or_default();
            match label(key, view, 0) {
                label if label.is_empty() => id,
                label if bare => label,
                label => format!("{label} ({id})"),
            }
        }
    }
}

/// An object's name as its kind's label says, else the name that the tracker gives.
pub(super) fn label(key: Key, view: View<'_>, depth: usize) -> String {
    let Some(row) = view.row(key) else { return String::new() };
    let schema = view.schema();
    let Some(def) = schema.kind(schema.table_of(row.kind())) else { return row.name().to_owned() };
    if def.label.is_empty() || depth > 3 {
        return row.name().to_owned();
    }
    let mut text = String::new();
    let mut rest = def.label.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        let Some((field, after)) = after.split_once('}') else { break };
        text.push_str(before);
        let on = def.field_no(field).and_then(|no| row.cell(no).refs().first().copied());
        if let Some(on) = on {
            let _infallible = write!(text, "{}", label(on, view, depth + 1));
        }
        rest = after;
    }
    text.push_str(rest);
    text
}
