//! Compiles actions that ask for rights, filters and roles, whether a studio's overlay or a record of the tracker
//! declares them, to the same rules as all others.

use super::rules::Rules;
use super::sentences::rule_said;
use super::{Names, Scope};
use crate::engine::condition::{self, Condition, Relation, RoleName};
use crate::engine::filter::{self, Words};
use crate::engine::parse::{ButtonSource, Source, StandInSource, WithoutRights};
use crate::engine::path::{Literal, Path, Root, Step};
use crate::engine::policy::{ActionRules, Atom, Conjunction, Restriction, Rule, Test};
use crate::engine::rights::{self, Literals, Rights};
use crate::engine::said::Template;
use crate::model::id::Str;
use crate::model::schema::KindNo;
use crate::model::value::Value;
use crate::yaml::{Place, Problems, suggestion};

/// The most different facts that one action can ask for.
const MAX_FACTS: usize = 64;

/// An action as it is declared.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Declaration<'a> {
    pub(in crate::engine) kind: KindNo,
    pub(in crate::engine) name: &'a str,
    pub(in crate::engine) rights: &'a Value,
    pub(in crate::engine) filters: &'a Value,
    pub(in crate::engine) roles: &'a Value,
}

/// What a right is in a pack.
pub(super) enum RightIs<'a> {
    /// One that is granted.
    Granted,
    /// One that stands for others.
    StandIn(&'a StandInSource),
    /// A word of rules, where the pack grants no rights: a role here, or an atom.
    Word(String),
}

impl<'a> Names<'a> {
    pub(super) fn right(&self, right: &str) -> Option<RightIs<'a>> {
        if let Some(stand_in) =
            self.rights.iter().flat_map(|rights| &rights.stand_ins).find(|stand_in| stand_in.name.what == right)
        {
            return Some(RightIs::StandIn(stand_in));
        }
        if self.grants_rights() {
            return Some(RightIs::Granted);
        }
        if self.roles.iter().any(|(role, _)| role == right) {
            return Some(RightIs::Word(format!("role:{right}")));
        }
        let atom = right == "team" || self.atoms.iter().any(|atom| atom.name.what == right);
        atom.then(|| RightIs::Word(right.to_owned()))
    }

    /// The complaint about a right that means nothing.
    pub(super) fn no_right(&self, right: &str) -> String {
        if self.grants_rights() {
            let known = self.rights.iter().flat_map(|rights| rights.known.iter().map(|known| known.what.as_str()));
            let hint = suggestion(right, known);
            return format!("nobody knows the right `{right}`{hint}: new ones stand in `rights: {{known: [...]}}`");
        }
        let known = self.roles.iter().map(|(role, _)| role.as_str());
        let hint = suggestion(right, known.chain(self.atoms.iter().map(|atom| atom.name.what.as_str())));
        format!("there is no right `{right}`{hint}: the rights of this pack are its roles and atoms")
    }

    fn grants_rights(&self) -> bool {
        self.plain_reach().is_some()
    }

    /// Whether anything tells that there is such a right.
    pub(super) fn is_known(&self, right: &str) -> bool {
        !self.grants_rights()
            || self.rights.iter().any(|rights| {
                rights.known.iter().any(|known| known.what == right)
                    || rights.stand_ins.iter().any(|stand_in| stand_in.name.what == right)
            })
            || (self.recorded)(right)
    }

    fn denies_unknown(&self) -> bool {
        self.rights.iter().find_map(|rights| rights.deny_unknown).unwrap_or_default()
    }

    fn without_rights(&self, kind: KindNo) -> WithoutRights {
        let name = self.schema.kind_name(kind);
        let mut all = self.buttons.iter().flat_map(|buttons| &buttons.without_rights);
        // Where records declare actions and nothing is said, nobody; a studio's own are for those who are let in at all.
        let records = self.buttons.iter().any(|buttons| buttons.records.is_some());
        let otherwise = if records { WithoutRights::Deny } else { WithoutRights::Show };
        all.find(|(kind, _)| kind.what == name).map_or(otherwise, |(_, what)| what.clone())
    }
}

impl<'a> Rules<'a> {
    /// Adds an action of the studio's own.
    pub(super) fn own_action(&mut self, source: &ButtonSource, warnings: &mut Problems, problems: &mut Problems) {
        self.overlay = true;
        let Some(kind) = self.names.schema.kind_no(&source.kind.what) else {
            let hint = suggestion(&source.kind.what, self.names.schema.kinds.iter().map(|kind| kind.name.as_str()));
            problems.add(source.kind.place, format!("there is no kind `{}`{hint}", source.kind.what));
            return;
        };
        let ButtonSource { name, label, rights, filters, roles, .. } = source;
        let declaration =
            Declaration { kind, name: &name.what, rights: &rights.what, filters: &filters.what, roles: &roles.what };
        let mut notes = Vec::new();
        let rule = self.declared(&declaration, &mut notes);
        // Alone in an overlay, a malformed action is an error of the file.
        if let Some(problem) = &rule.invalid {
            problems.add(name.place, format!("`{}`: {problem}", name.what));
            return;
        }
        for note in notes {
            warnings.add(rights.place, format!("`{}`: {note}", name.what));
        }
        let Ok(number) = u32::try_from(self.rules.len()) else { return };
        self.rules.push(rule);
        let Some(actions) = self.actions.get_mut(usize::from(kind)) else { return };
        if actions.contains_key(&name.what) {
            problems.add(name.place, format!("`{}.{}` has a rule already", source.kind.what, name.what));
            return;
        }
        actions.insert(name.what.clone(), ActionRules { whole: number, label: label.clone(), fields: Vec::new() });
    }

    /// The rule of a declared action; one that never allows where the declaration is malformed. `notes`: what is odd.
    pub(in crate::engine) fn declared(&self, declaration: &Declaration<'_>, notes: &mut Vec<String>) -> Rule {
        let name = format!("{}.{}", self.names.schema.kind_name(declaration.kind), declaration.name);
        let mut rule = Rule::empty(name.clone());
        match self.parts(&mut rule, declaration, notes) {
            Ok(()) => rule,
            Err(problem) => Rule { invalid: Some(problem), ..Rule::empty(name) },
        }
    }

    fn parts(&self, rule: &mut Rule, declaration: &Declaration<'_>, notes: &mut Vec<String>) -> Result<(), String> {
        let Declaration { kind, rights, filters, roles, .. } = *declaration;
        let scope = Scope { schema: self.names.schema, paths: &self.names.paths, kind, value: None, it: None };
        let mut problems = Problems::new("");
        let place = Place::default();
        let names: &'a Names<'a> = self.names;
        let needs = names.buttons.iter().find_map(|buttons| buttons.needs.as_ref());
        let mut frames =
            self.conjunctions(needs.map_or(&[], std::slice::from_ref), &scope, &mut rule.atoms, &mut problems);
        if needs.is_none() {
            frames.push(Conjunction { must: 0, must_not: 0, source: 0 });
        }
        let wanted = self.wanted(kind, rights, notes)?;
        for (source, literals) in (1_u16..).zip(&wanted.any) {
            rule.alternatives.push(literals.to_string());
            let mut bits = |rights: &[Str]| {
                rights.iter().try_fold(0_u64, |bits, right| {
                    let at = self.atom(&format!("right:{right}"), place, &scope, &mut rule.atoms, &mut problems);
                    Some(bits | bit(at?)?)
                })
            };
            let (Some(must), Some(must_not)) = (bits(&literals.must), bits(&literals.must_not)) else {
                return Err(complaint(&problems, rule.atoms.len()));
            };
            for frame in &frames {
                let conjunction = Conjunction { must: frame.must | must, must_not: frame.must_not | must_not, source };
                // The same thing and its opposite never hold together.
                if conjunction.must & conjunction.must_not == 0 {
                    rule.any.push(conjunction);
                }
            }
        }
        for text in names.buttons.iter().flat_map(|buttons| &buttons.all) {
            let any = self.conjunctions(std::slice::from_ref(text), &scope, &mut rule.atoms, &mut problems);
            rule.all.push(Restriction::plain(any));
        }
        let conditions = self.filters(filters, &scope)?;
        let texts = match filters {
            Value::List(list) => list.iter().map(describe).collect(),
            filter => vec![describe(filter)],
        };
        for (condition, text) in conditions.into_iter().zip(texts) {
            restrict(rule, "filters", &format!("the filter matches: {text}"), condition)?;
        }
        if let Some(condition) = self.with_words(&scope, |words| filter::required_roles(roles, words))? {
            let text = roles.as_text().unwrap_or_default();
            restrict(rule, "requiredRoles", &format!("has a role of {}", shorten(text)), condition)?;
        }
        if rule.atoms.len() > MAX_FACTS || !problems.is_empty() {
            return Err(complaint(&problems, rule.atoms.len()));
        }
        Ok(())
    }

    /// The rights that are asked for, with what is odd about them.
    fn wanted(&self, kind: KindNo, rights: &Value, notes: &mut Vec<String>) -> Result<Rights, String> {
        let read = |text: &str| rights::parse(text).map_err(|problem| format!("requiredRights: {problem}"));
        let mut wanted = match rights {
            Value::Null => match self.names.without_rights(kind) {
                WithoutRights::Show => Rights { any: vec![Literals::default()] },
                WithoutRights::Deny => Rights { any: Vec::new() },
                WithoutRights::Rights(text) => read(&text.what)?,
            },
            Value::Text(text) => {
                notes.extend(rights::misread(text).map(|note| format!("requiredRights `{text}`: {note}")));
                read(text)?
            }
            other => return Err(format!("requiredRights: a text is needed, not {}", filter::what(other))),
        };
        let unknown = |right: &&Str| !self.names.is_known(right);
        let named = wanted.any.iter().flat_map(|one| one.must.iter().chain(&one.must_not));
        let mut strangers: Vec<_> = named.filter(unknown).map(ToString::to_string).collect();
        strangers.sort();
        strangers.dedup();
        if !strangers.is_empty() {
            notes.push(format!("requiredRights: nobody knows the right {}", strangers.join(", ")));
        }
        if self.names.denies_unknown() {
            wanted.any.retain(|one| !one.must_not.iter().any(|right| unknown(&right)));
        }
        Ok(wanted)
    }

    /// The atom for a right.
    pub(super) fn right(&self, right: &str, scope: &Scope<'_>) -> Result<Atom, String> {
        let is = self.names.right(right).ok_or_else(|| self.names.no_right(right))?;
        let name = Str::from(format!("right:{right}"));
        let condition = match is {
            RightIs::Granted => self.plain_right(right)?,
            RightIs::StandIn(stand_in) => self.stand_in(stand_in, scope)?,
            RightIs::Word(word) => {
                let mut problems = Problems::new("");
                let atom = self.compile_atom(&word, Place::default(), scope, &mut problems);
                return atom.ok_or_else(|| complaint(&problems, 0));
            }
        };
        Ok(Atom {
            name,
            test: Test::Condition(condition),
            says: Str::from(format!("has the right {right}")),
            no: Some(Template::compile(&format!("does not have the right {right} in {{project}}"), scope)?),
            grant: Some(Template::compile(&format!("the right {right} in {{project}}"), scope)?),
        })
    }

    fn stand_in(&self, stand_in: &StandInSource, scope: &Scope<'_>) -> Result<Condition, String> {
        let by = filter::key(&stand_in.by.what, scope)?;
        let reach = self.names.plain_reach().ok_or_else(|| self.names.no_right(&stand_in.name.what))?;
        let is = stand_in.is.iter().map(|(value, right)| (value.what.clone(), self.names.asked(&right.what))).collect();
        Ok(Condition::StandIn { by, is, reach })
    }

    fn plain_right(&self, right: &str) -> Result<Condition, String> {
        let reach = self.names.plain_reach().ok_or_else(|| self.names.no_right(right))?;
        Ok(Condition::Right { reach, right: Some(self.names.asked(right)) })
    }

    /// The conditions of an action's filters, or of a named filter.
    pub(super) fn filters(&self, filters: &Value, scope: &Scope<'_>) -> Result<Vec<Condition>, String> {
        self.with_words(scope, |words| filter::compile(filters, words))
    }

    fn with_words<T>(&self, scope: &Scope<'_>, compile: impl FnOnce(&Words<'_>) -> T) -> T {
        let right = |right: &str| match self.names.right(right) {
            Some(RightIs::StandIn(_)) => Err(format!("`{right}` cannot be used in filters")),
            Some(RightIs::Granted) if self.names.is_known(right) => self.plain_right(right),
            // Otherwise `NOT` would open the action to everybody.
            Some(RightIs::Granted) => Err(format!("nobody knows the right `{right}`")),
            Some(RightIs::Word(word)) => match word.strip_prefix("role:") {
                Some(role) => Ok(own_role(role)),
                None => {
                    let atom = self.names.atoms.iter().find(|atom| atom.name.what == word);
                    let mut problems = Problems::new("");
                    let condition = atom.and_then(|atom| condition::compile(&atom.when, scope, &mut problems));
                    condition.ok_or_else(|| complaint(&problems, 0))
                }
            },
            None => Err(self.names.no_right(right)),
        };
        let records = self.names.schema.subject.member_role.is_some();
        let role = |role: RoleName| {
            if records {
                return Ok(Condition::HasRole(role));
            }
            let RoleName::Name(name) = role else {
                return Err("the roles of this pack have names: write `name[...]`".to_owned());
            };
            let found = self.names.roles.iter().find(|(role, title)| *role == name || *title == name);
            let titles = || self.names.roles.iter().map(|(_, title)| title.as_str());
            found
                .map(|(role, _)| own_role(role))
                .ok_or_else(|| format!("there is no role `{name}`{}", suggestion(&name, titles())))
        };
        let words = Words { scope: *scope, right: &right, role: &role };
        compile(&words)
    }
}

/// The condition that the role in force here is this one of the pack.
pub(super) fn own_role(role: &str) -> Condition {
    let left = Path { root: Root::Subject, steps: vec![Step::RoleHere] };
    let right = Path { root: Root::Literal(Literal::Text(Str::from(role))), steps: Vec::new() };
    Condition::Leaf { left, relation: Relation::Shares, right: Some(right), negated: false }
}

fn restrict(rule: &mut Rule, name: &'static str, says: &str, condition: Condition) -> Result<(), String> {
    let must = bit(rule.atoms.len()).ok_or_else(|| too_many(rule.atoms.len() + 1))?;
    rule.atoms.push(Atom {
        name: Str::const_new(name),
        test: Test::Condition(condition),
        says: Str::from(says),
        no: None,
        grant: None,
    });
    rule.all.push(Restriction::plain(vec![Conjunction { must, must_not: 0, source: 0 }]));
    Ok(())
}

fn bit(at: usize) -> Option<u64> {
    1_u64.checked_shl(u32::try_from(at).ok()?)
}

fn complaint(problems: &Problems, facts: usize) -> String {
    match problems.sorted().first() {
        Some(problem) => problem.message.clone(),
        None => too_many(facts),
    }
}

fn too_many(facts: usize) -> String {
    format!("it asks for {facts} different rights and filters; at most {MAX_FACTS} are possible")
}

/// A filter in words.
fn describe(filter: &Value) -> String {
    let list = |values: &Value, word: &str| match values {
        Value::List(values) => values.iter().map(filter::what).collect::<Vec<_>>().join(word),
        _ => String::new(),
    };
    let text = match (filter.get("filters"), filter.get("key").and_then(Value::as_text)) {
        (Some(Value::List(filters)), _) => {
            let word = if filter.get("operator").and_then(Value::as_text) == Some("OR") { " or " } else { " and " };
            format!("({})", filters.iter().map(describe).collect::<Vec<_>>().join(word))
        }
        (_, Some(key)) => {
            let modifiers = filter.get("modifiers").cloned().unwrap_or_default();
            let has = |word: &str| matches!(&modifiers, Value::List(list) if list.contains(&Value::text(word)));
            let not = if has("NOT") { " not" } else { "" };
            let values = filter.get("values").unwrap_or(&Value::Null);
            match (has("ARRAY_CONTAINS_ALL"), has("ARRAY_CONTAINS_ANY")) {
                (true, _) => format!("{key} does{not} contain all of {}", list(values, ", ")),
                (_, true) => format!("{key} does{not} contain any of {}", list(values, ", ")),
                _ => format!("{key} is{not} {}", list(values, " or ")),
            }
        }
        _ => String::new(),
    };
    shorten(&text)
}

fn shorten(text: &str) -> String {
    const SHOWN: usize = 200;
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

// === the pack's own part ===

/// The back list by which a project lists the records that declare actions.
pub(super) fn list(names: &Names<'_>, problems: &mut Problems) -> Option<u16> {
    let records = names.buttons.iter().find_map(|buttons| buttons.records.as_ref())?;
    let schema = names.schema;
    let project = schema.kind(schema.subject.project)?;
    let kind = schema.kind_no(&records.what);
    let list = kind.and_then(|kind| project.backs.iter().position(|back| back.from == kind && back.field.is_none()));
    if list.is_none() {
        problems.add(records.place, format!("`{}` is no kind that a project lists (`in_project_as:`)", records.what));
    }
    u16::try_from(list?).ok()
}

/// What an overlay says of kinds and filters that no rule may use.
pub(super) fn check(over: &Source, names: &Names<'_>, problems: &mut Problems) {
    for (kind, _) in &over.buttons.without_rights {
        if names.schema.kind_no(&kind.what).is_none() {
            let hint = suggestion(&kind.what, names.schema.kinds.iter().map(|kind| kind.name.as_str()));
            problems.add(kind.place, format!("there is no kind `{}`{hint}", kind.what));
        }
    }
    for filter in &over.filters {
        let used = over.rules.iter().flat_map(|rule| {
            rule.fields
                .iter()
                .map(|(_, body)| body)
                .chain([&rule.body])
                .flat_map(|body| body.any.iter().chain(&body.all))
        });
        let word = format!("filter:{}", filter.name.what);
        let terms = over.terms.iter().flat_map(|term| &term.any);
        if !used.chain(terms).any(|text| super::rules::words(&text.what).any(|named| named == word)) {
            problems.add(filter.name.place, format!("no rule names `{word}`"));
        }
    }
}

/// The fixed sentences of a declared action.
pub(in crate::engine) fn say(tracker: &str, rule: &mut Rule) {
    rule.said = rule_said(tracker, rule);
}
