//! Compiles rules: alternatives of atoms and terms become conjunctions of bits.

use rustc_hash::FxHashMap;

use super::permissions::Asked;
use super::{Names, Scope, split_key};
use crate::engine::condition::{self, Condition};
use crate::engine::parse::{AtomSource, BodySource, Named, RuleSource, StepSource};
use crate::engine::path::{self, Path, Root};
use crate::engine::policy::{ActionRules, Atom, Conjunction, FieldPattern, Reach, Restriction, Rule, Test, ValueRule};
use crate::engine::said::{RuleSaid, Template};
use crate::model::id::Str;
use crate::model::schema::{KindDef, KindNo};
use crate::yaml::{Place, Problems, suggestion};

/// The most atoms that one rule can name, and conjunctions that its terms can unfold to.
pub(super) const MAX_ATOMS: usize = 64;
const MAX_CONJUNCTIONS: usize = 1024;

pub(in crate::engine) struct Rules<'a> {
    pub(super) names: &'a Names<'a>,
    /// Whether the rules that are being added are the overlay's.
    pub(super) overlay: bool,
    pub(super) rules: Vec<Rule>,
    pub(super) actions: Vec<FxHashMap<Str, ActionRules>>,
}

/// An alternative unfolded to atoms: positive and negated ones.
#[derive(Clone, Default)]
struct Unfolded<'t> {
    must: Vec<&'t str>,
    must_not: Vec<&'t str>,
}

impl<'a> Rules<'a> {
    pub(in crate::engine) fn new(names: &'a Names<'a>) -> Self {
        let actions = names.schema.kinds.iter().map(|_| FxHashMap::default()).collect();
        Self { names, overlay: false, rules: Vec::new(), actions }
    }

    /// Adds a rule for each of its kinds and actions. The overlay's come first; the pack's then leaves those alone.
    pub(super) fn add(&mut self, source: &'a RuleSource, overlay: bool, problems: &mut Problems) {
        self.overlay = overlay;
        let Some((kinds, actions)) = split_key(source) else {
            problems.add(source.key.place, format!("`{}`: a rule is named `kind.action`", source.key.what));
            return;
        };
        for kind in kinds {
            if kind == "*" {
                self.every_type(source, &actions, problems);
                continue;
            }
            let Some(no) = self.names.schema.kind_no(kind) else {
                let hint = suggestion(kind, self.names.schema.kinds.iter().map(|kind| kind.name.as_str()));
                problems.add(source.key.place, format!("there is no kind `{kind}`{hint}"));
                continue;
            };
            // A table's name stands for all kinds that are filed in it.
            let filed = (0_u16..).zip(&self.names.schema.kinds).filter(|(other, def)| *other == no || def.table == no);
            for (no, def) in filed {
                for action in &actions {
                    let taken = self.actions.get(usize::from(no)).is_some_and(|rules| rules.contains_key(*action));
                    if !taken {
                        self.action(source, no, action, problems);
                    } else if overlay {
                        problems.add(source.key.place, format!("`{}.{action}` has a rule already", def.name));
                    }
                }
            }
        }
    }

    /// Every kind that is a type of the tracker and of which there are records.
    fn every_type(&mut self, source: &'a RuleSource, actions: &[&str], problems: &mut Problems) {
        let is_type = |def: &KindDef| !def.type_name.is_empty() && !def.rowless;
        for (no, _) in (0_u16..).zip(&self.names.schema.kinds).filter(|(_, def)| is_type(def)) {
            for action in actions {
                let taken = self.actions.get(usize::from(no)).is_some_and(|rules| rules.contains_key(*action));
                if !taken {
                    self.action(source, no, action, problems);
                }
            }
        }
    }

    fn action(&mut self, source: &'a RuleSource, kind: KindNo, action: &str, problems: &mut Problems) {
        let name = format!("{}.{action}", self.names.schema.kind_name(kind));
        let Some(whole) = self.rule(name.clone(), source, &source.body, kind, problems) else { return };
        let mut fields = Vec::new();
        for (pattern, body) in &source.fields {
            let full = format!("{name}[{}]", pattern.what);
            let Some(rule) = self.rule(full, source, body, kind, problems) else { continue };
            for word in pattern.what.split(',').map(str::trim) {
                let (start, open) = word.strip_suffix('*').map_or((word, false), |start| (start, true));
                let pattern = FieldPattern { start: Str::from(start), open };
                if fields.iter().any(|(known, _)| *known == pattern) {
                    problems.add(source.key.place, format!("`{name}`: field `{word}` has two rules"));
                }
                fields.push((pattern, rule));
            }
        }
        fields.sort_by_key(|(pattern, _)| (pattern.open, usize::MAX - pattern.start.len()));
        if let Some(rules) = self.actions.get_mut(usize::from(kind)) {
            rules.insert(Str::from(action), ActionRules { whole, label: Str::default(), fields });
        }
    }

    fn rule(
        &mut self,
        name: String,
        source: &'a RuleSource,
        body: &'a BodySource,
        kind: KindNo,
        problems: &mut Problems,
    ) -> Option<u32> {
        let names = self.names;
        let reach = match source.scope.as_ref().map(|scope| (scope.what.as_str(), scope.place)) {
            None => Reach::Resource,
            Some(("project", _)) => Reach::Project,
            Some(("placed", _)) if !self.overlay => Reach::Placed,
            Some(("trash", _)) if !self.overlay => Reach::Trashed,
            Some(("site", _)) => Reach::Site,
            Some(("studio", _)) => Reach::Studio,
            Some((other, place)) => {
                problems.add(
                    place,
                    format!("`scope:` is `project`, `site` or `studio`, not `{other}`; without it a resource is named"),
                );
                return None;
            }
        };
        let mut scope = Scope { schema: names.schema, paths: &names.paths, kind, value: None, it: None };
        let value = match &body.value {
            None => None,
            Some(value) => {
                let Some(value_kind) = names.schema.kind_no(&value.kind.what) else {
                    let hint = suggestion(&value.kind.what, names.schema.kinds.iter().map(|kind| kind.name.as_str()));
                    problems.add(value.kind.place, format!("there is no kind `{}`{hint}", value.kind.what));
                    return None;
                };
                let default = value
                    .default
                    .as_ref()
                    .and_then(|text| complain(path::compile(&text.what, &scope), text.place, problems));
                scope.value = Some(value_kind);
                Some(ValueRule { kind: value_kind, default: default.map(|(path, _)| path) })
            }
        };
        let mut atoms: Vec<Atom> = Vec::new();
        let any = self.conjunctions(&body.any, &scope, &mut atoms, problems);
        let mut any = any;
        let mut all: Vec<_> = body
            .all
            .iter()
            .map(|text| Restriction::plain(self.conjunctions(std::slice::from_ref(text), &scope, &mut atoms, problems)))
            .collect();
        for StepSource { any, says, otherwise } in &body.steps {
            let any = self.conjunctions(any, &scope, &mut atoms, problems);
            all.push(Restriction { code: *otherwise, says: says.clone(), ..Restriction::plain(any) });
        }
        let stepped = !body.steps.is_empty();
        if stepped && self.overlay {
            problems.add(body.place, "`steps:` are the packs' own; write `any:` and `all:`");
        }
        if stepped {
            any.push(Conjunction { must: 0, must_not: 0, source: 1 });
        }
        if atoms.len() > MAX_ATOMS {
            problems.add(body.place, format!("`{name}` names {} atoms; at most {MAX_ATOMS} are possible", atoms.len()));
            return None;
        }
        let reads_field =
            atoms.iter().any(|atom| matches!(&atom.test, Test::Condition(condition) if reads_field(condition)));
        let alternatives = body.any.iter().map(|text| text.what.clone()).collect();
        let number = u32::try_from(self.rules.len()).ok()?;
        self.rules.push(Rule {
            name,
            reach,
            value,
            atoms,
            any,
            all,
            alternatives,
            reads_field,
            said: RuleSaid::default(),
            stepped,
            invalid: None,
        });
        Some(number)
    }

    pub(super) fn conjunctions(
        &self,
        sources: &'a [Named<String>],
        scope: &Scope<'_>,
        atoms: &mut Vec<Atom>,
        problems: &mut Problems,
    ) -> Vec<Conjunction> {
        let mut list = Vec::new();
        for (source, text) in (1_u16..).zip(sources) {
            for unfolded in self.unfold(&text.what, text.place, 0, problems).unwrap_or_default() {
                let mut bits = |words: &[&str], problems: &mut Problems| {
                    words
                        .iter()
                        .filter_map(|word| self.atom(word, text.place, scope, atoms, problems))
                        .fold(0_u64, |mask, at| {
                            mask | 1_u64.checked_shl(u32::try_from(at).unwrap_or(u32::MAX)).unwrap_or_default()
                        })
                };
                let must = bits(&unfolded.must, problems);
                let must_not = bits(&unfolded.must_not, problems);
                let conjunction = Conjunction { must, must_not, source };
                // The same thing and its opposite never hold together.
                if must & must_not == 0 && !list.contains(&conjunction) {
                    list.push(conjunction);
                }
            }
        }
        list
    }

    /// Replaces terms by what they stand for, until atoms are left. `None` at the first complaint: terms within terms
    /// multiply, and so would complaints.
    fn unfold(&self, text: &'a str, place: Place, depth: usize, problems: &mut Problems) -> Option<Vec<Unfolded<'a>>> {
        let mut list = vec![Unfolded::default()];
        for part in text.split('+').map(str::trim) {
            let (word, negated) = part.strip_prefix('!').map_or((part, false), |word| (word.trim(), true));
            let term = self.names.terms.iter().find(|term| term.name.what == word);
            let term = term.map(|term| term.any.iter().map(|text| text.what.as_str()).collect::<Vec<_>>());
            let reach = self.names.reach_terms.get(word);
            let term = term.or_else(|| Some(reach?.iter().map(String::as_str).collect()));
            let problem = match term {
                Some(_) if negated => format!("`!{word}`: a term cannot be negated, only an atom"),
                Some(_) if depth >= 16 => format!("term `{word}` leads back to itself, or too deep"),
                Some(term) => match self.joined(&list, &term, place, depth, problems)? {
                    Some(joined) => {
                        list = joined;
                        continue;
                    }
                    None => format!("`{text}` unfolds to more than {MAX_CONJUNCTIONS} conjunctions"),
                },
                None if !self.names.knows(word) => self.names.unknown(word),
                None => {
                    list.iter_mut().for_each(|one| if negated { one.must_not.push(word) } else { one.must.push(word) });
                    continue;
                }
            };
            problems.add(place, problem);
            return None;
        }
        Some(list)
    }

    /// What stands left of a term, joined with each of its alternatives; the inner `None` where those are too many.
    fn joined(
        &self,
        list: &[Unfolded<'a>],
        term: &[&'a str],
        place: Place,
        depth: usize,
        problems: &mut Problems,
    ) -> Option<Option<Vec<Unfolded<'a>>>> {
        let mut joined = Vec::new();
        for text in term {
            let inner = self.unfold(text, place, depth + 1, problems)?;
            if joined.len() + list.len() * inner.len() > MAX_CONJUNCTIONS {
                return Some(None);
            }
            joined.extend(list.iter().flat_map(|left| inner.iter().map(|right| left.and(right))));
        }
        Some(Some(joined))
    }

    /// The number of an atom within its rule; compiled when it is first named.
    pub(super) fn atom(
        &self,
        word: &str,
        place: Place,
        scope: &Scope<'_>,
        atoms: &mut Vec<Atom>,
        problems: &mut Problems,
    ) -> Option<usize> {
        if let Some(at) = atoms.iter().position(|atom| atom.name == word) {
            return Some(at);
        }
        let atom = self.compile_atom(word, place, scope, problems)?;
        atoms.push(atom);
        Some(atoms.len() - 1)
    }

    pub(super) fn compile_atom(
        &self,
        word: &str,
        place: Place,
        scope: &Scope<'_>,
        problems: &mut Problems,
    ) -> Option<Atom> {
        let name = Str::from(word);
        let title = |role: &str| {
            self.names
                .roles
                .iter()
                .find(|(name, _)| name == role)
                .map_or_else(|| Str::from(role), |(_, title)| title.clone())
        };
        let template = |text: &str, problems: &mut Problems| complain(Template::compile(text, scope), place, problems);
        if word == "team" {
            return Some(Atom {
                name,
                test: Test::Team,
                says: Str::const_new("in the project's team"),
                no: template("not in the team of the project {project}", problems),
                grant: template("be in the team of the project {project}", problems),
            });
        }
        if let Some(role) = word.strip_prefix("role:") {
            let title = title(role);
            return Some(Atom {
                name,
                test: Test::Role(Str::from(role)),
                says: Str::from(format!("{title} here")),
                no: template(&format!("{{subject.role_here}} here, not {title}"), problems),
                grant: template(&format!("role {title} in the project {{project}}"), problems),
            });
        }
        if let Some(role) = word.strip_prefix("site_role:") {
            let title = title(role);
            return Some(Atom {
                name,
                test: Test::SiteRole(Str::from(role)),
                says: Str::from(format!("{title} of the studio")),
                no: template(&format!("not {title} of the studio"), problems),
                grant: template(&format!("site-wide role {title}"), problems),
            });
        }
        if let Some(right) = word.strip_prefix("right:") {
            return complain(self.right(right, scope), place, problems);
        }
        if let Some(atom) = complain(self.names.reach_atom(word, scope), place, problems)? {
            return Some(atom);
        }
        if let Some(Asked { operation, says, no }) = self.names.operation(word) {
            let no = template(&no, problems);
            let test = Test::Condition(Condition::Permission(operation));
            return Some(Atom { name, test, says: Str::from(says), no, grant: None });
        }
        if let Some(wanted) = word.strip_prefix("filter:") {
            let filter = self.names.filters.iter().find(|filter| filter.name.what == wanted)?;
            let conditions = self.filters(&filter.filter.what, scope);
            let conditions =
                complain(conditions.map_err(|problem| format!("filter `{wanted}`: {problem}")), place, problems)?;
            return Some(Atom {
                name: Str::from(word),
                test: Test::Condition(Condition::All(conditions)),
                says: Str::from(format!("the filter {} matches", filter.name.what)),
                no: None,
                grant: None,
            });
        }
        let (at, source) = self.names.atoms.iter().enumerate().find(|(_, atom)| atom.name.what == word)?;
        let mut found = Problems::new("");
        let atom = self.condition_atom(source, scope, &mut found);
        // An atom of the other file is right there; it does not fit where it is used here.
        let foreign = (at < self.names.own_atoms) != self.overlay;
        for problem in found.sorted() {
            match foreign {
                true => problems.add(place, format!("`{word}` cannot be used here: {}", problem.message)),
                false => problems.push(problem.clone()),
            }
        }
        atom
    }

    fn condition_atom(&self, source: &AtomSource, scope: &Scope<'_>, problems: &mut Problems) -> Option<Atom> {
        let test = condition::compile(&source.when, scope, problems)?;
        let mut template = |text: &Option<Named<Str>>| {
            text.as_ref().and_then(|text| complain(Template::compile(&text.what, scope), text.place, problems))
        };
        Some(Atom {
            name: source.name.what.clone(),
            no: template(&source.no),
            grant: template(&source.grant),
            says: source.says.clone(),
            test: Test::Condition(test),
        })
    }
}

/// The words of an alternative, negation marks taken off.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split('+').map(|part| part.trim().trim_start_matches('!').trim())
}

fn complain<T>(result: Result<T, String>, place: Place, problems: &mut Problems) -> Option<T> {
    result.map_err(|message| problems.add(place, message)).ok()
}

fn reads_field(condition: &Condition) -> bool {
    let reads = |path: &Path| matches!(path.root, Root::Field | Root::FieldTail);
    match condition {
        Condition::Leaf { left, right, .. } => reads(left) || right.as_ref().is_some_and(reads),
        Condition::All(list) | Condition::Any(list) => list.iter().any(reads_field),
        Condition::Not(inner) => reads_field(inner),
        Condition::Right { .. }
        | Condition::StandIn { .. }
        | Condition::HasRole(_)
        | Condition::HoldsRole(_)
        | Condition::Restricted(_)
        | Condition::Compares(_)
        | Condition::Matches(_) => false,
        Condition::Live(path) => reads(path),
        Condition::Permission(operation) => operation.reads_field(),
        Condition::Some { over, holds } => reads(over) || reads_field(holds),
    }
}

impl<'t> Unfolded<'t> {
    fn and(&self, other: &Self) -> Self {
        let join = |a: &[&'t str], b: &[&'t str]| a.iter().chain(b).copied().collect();
        Self { must: join(&self.must, &other.must), must_not: join(&self.must_not, &other.must_not) }
    }
}
