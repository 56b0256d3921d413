//! Compiles the source of a pack and its overlay to a `Policy`: names become numbers, terms become conjunctions.

pub(super) mod buttons;
mod kinds;
pub(super) mod permissions;
mod reach;
mod restrictions;
mod roles;
pub(super) mod rules;
mod sentences;

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::declared::Declarations;
use super::parse::{
    AtomSource, ButtonsSource, FilterSource, Named, PathSource, PermissionsSource, RightsSource, RoleSource,
    RuleSource, Source, TermSource,
};
use super::permissions::{Permissions, Site};
use super::policy::{Policy, Spelling};
use crate::model::id::Str;
use crate::model::schema::{KindNo, Schema};
use crate::yaml::{Place, Problem, Problems, near, suggestion};

/// What a path or a condition is compiled against.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) schema: &'a Schema,
    pub(super) paths: &'a [&'a PathSource],
    /// The kind of the resource.
    pub(super) kind: KindNo,
    /// The kind of the action's value, where the rule says so.
    pub(super) value: Option<KindNo>,
    /// The kind of the object that `some:` looks at.
    pub(super) it: Option<KindNo>,
}

impl<'a> Scope<'a> {
    /// What a named path stands for here: `None` where there is no such name, an error where this kind has none.
    pub(super) fn named_path(&self, name: &str) -> Option<Result<&'a str, String>> {
        let source = self.paths.iter().find(|path| path.name.what == name)?;
        let kind = self.schema.kind_name(self.kind);
        let table = self.schema.kind_name(self.schema.table_of(self.kind));
        let meant = [kind, table, "*"].into_iter().find_map(|wanted| {
            source.by_kind.iter().find(|(kind, _)| kind.what == wanted).map(|(_, text)| text.what.as_str())
        });
        Some(meant.ok_or_else(|| format!("path `{name}` says nothing for kind `{kind}`")))
    }

    pub(super) fn path_names(&self) -> impl Iterator<Item = &'a str> {
        self.paths.iter().map(|path| path.name.what.as_str())
    }
}

/// What a policy was compiled from.
#[derive(Debug, Default)]
pub(super) struct Sources {
    base: Source,
    over: Source,
}

/// All names of a pack and its overlay, the overlay's first.
pub(super) struct Names<'a> {
    /// What the pack says of a permission page.
    pub(super) page: Option<&'a PermissionsSource>,
    pub(super) schema: &'a Schema,
    pub(super) roles: &'a [(Str, Str)],
    /// The names of roles that are sets of rights.
    pub(super) role_names: Vec<Str>,
    pub(super) paths: Vec<&'a PathSource>,
    pub(super) atoms: Vec<&'a AtomSource>,
    /// How many of the atoms are the overlay's.
    pub(super) own_atoms: usize,
    pub(super) terms: Vec<&'a TermSource>,
    pub(super) filters: Vec<&'a FilterSource>,
    pub(super) rights: [&'a RightsSource; 2],
    pub(super) buttons: [&'a ButtonsSource; 2],
    /// Words that name several reaches, and what each stands for.
    pub(super) reach_terms: FxHashMap<String, Vec<String>>,
    /// Whether the tracker's records know a right.
    pub(super) recorded: &'a dyn Fn(&str) -> bool,
}

/// Compiles a pack, overlaid by `over` (file name and source), for a mirror that holds at least what `mirror` does.
pub(super) fn policy(
    base: Source,
    over: Option<(&str, Source)>,
    pack: &str,
    digest: String,
    mirror: &Schema,
) -> Result<Policy, Problems> {
    let base_file = format!("policy/{pack}.yaml");
    let mut problems = Problems::new(&base_file);
    let (over_file, over) = over.unwrap_or_default();
    let mut base = base;
    let mut over_problems = Problems::new(over_file);
    permissions::extend(&mut base, &over, mirror, &mut over_problems);
    let schema = kinds::schema(&base, &mut problems);
    let mut problems = problems.into_result(()).map(|()| Problems::new(&base_file))?;
    let titled = |role: &RoleSource| Some((role.name.what.clone(), role.title.as_ref()?.what.clone()));
    let roles: Vec<_> = base.roles.iter().filter_map(titled).collect();

    let sources = Sources { base, over };
    let Sources { base, over } = &sources;
    if !over_file.is_empty() && over.pack.what != pack {
        over_problems
            .add(over.pack.place, format!("this extends `{}`, but the tracker's pack is `{pack}`", over.pack.what));
    }
    let names = sources.names(&schema, &roles, &|_| false);
    let mut warnings = Problems::new(over_file);
    let mut compiled = rules::Rules::new(&names);
    for rule in &over.rules {
        compiled.add(rule, true, &mut over_problems);
    }
    for action in &over.own_actions {
        compiled.own_action(action, &mut warnings, &mut over_problems);
    }
    for rule in &base.rules {
        compiled.add(rule, false, &mut problems);
    }
    check_names(over, &names, &mut over_problems);
    check_actions(over, base, &schema, &mut over_problems);
    check_use(over, base, &mut over_problems);
    check_names(base, &names, &mut problems);
    buttons::check(over, &names, &mut over_problems);
    let sets = roles::sets(base, over, &mut problems, &mut over_problems, &mut warnings);
    let spellings = base.spellings.iter().filter_map(|spelling| spelled(spelling, &mut problems)).collect();
    let rights = reach::rights(&names, sets.clone(), &mut problems);
    let statuses = restrictions::statuses(&compiled, base, &mut problems);
    let restrictions =
        restrictions::add(&mut compiled, statuses.as_ref(), base, over, &mut warnings, &mut over_problems);
    let mut told = [problems, over_problems];
    permissions::check(&sources, &schema, &mut told);
    let page = sources.page(&schema, Site::default());
    let [mut problems, mut over_problems] = told;
    let list = buttons::list(&names, &mut problems);
    let rules::Rules { rules, actions, .. } = compiled;
    if !over_file.is_empty() && over_problems.is_empty() {
        // The pack alone compiles: it is the overlay's names that its rules stumble over.
        for Problem { place: Place { line, column }, message } in problems.sorted() {
            let broken = format!("under this overlay {base_file}:{line}:{column} does not compile: {message}");
            over_problems.add(over.pack.place, broken);
        }
    }
    over_problems.into_result(())?;
    problems.into_result(())?;
    let kinds = (0..).zip(&schema.kinds).map(|(no, kind)| (kind.name.clone(), no)).collect();
    let mut policy = Policy {
        kinds,
        schema: Arc::new(schema),
        tracker: Str::from(pack),
        digest,
        roles,
        rules,
        actions,
        rights,
        spellings,
        role_sets: sets,
        grantable: roles::grantable(base),
        default_role: over.default_role.as_ref().or(base.default_role.as_ref()).map(|role| role.what.clone()),
        statuses,
        restrictions,
        permissions: page,
        declarations: Declarations::new(list),
        sources,
        warnings,
    };
    sentences::say(&mut policy);
    Ok(policy)
}

/// `update[status_id]` -> (action, field) and the action that is meant.
fn spelled((key, means): &(Named<Str>, Named<Str>), problems: &mut Problems) -> Option<Spelling> {
    let parts = key.what.strip_suffix(']').and_then(|key| key.split_once('['));
    let Some((action, field)) = parts else {
        problems.add(key.place, format!("`{}`: a spelling is written `action[field]`", key.what));
        return None;
    };
    Some(Spelling { action: Str::from(action), field: Str::from(field), means: means.what.clone() })
}

/// A term or atom that no rule uses is compiled nowhere; what it names is looked at here.
fn check_names(source: &Source, names: &Names<'_>, problems: &mut Problems) {
    for term in &source.terms {
        for alternative in &term.any {
            for word in rules::words(&alternative.what) {
                if !names.knows(word) {
                    problems.add(alternative.place, names.unknown(word));
                }
            }
        }
    }
    let reserved = |name: &str| name == "team" || name.contains(':');
    for name in defined(source) {
        if reserved(&name.what) {
            problems.add(name.place, format!("`{}` has a meaning of its own and cannot be defined", name.what));
        }
        // A term goes before an atom of the same name, the pack's too: that atom would never be looked at.
        let atom = names.atoms.iter().any(|atom| atom.name.what == name.what);
        if atom && names.terms.iter().any(|term| term.name.what == name.what) {
            problems.add(name.place, format!("`{}` is both an atom and a term", name.what));
        }
    }
}

/// An overlay may have actions of its own, but none that looks like a misspelt one of the pack: the rule that was meant
/// would stay as it is, and nobody would notice.
fn check_actions(over: &Source, base: &Source, schema: &Schema, problems: &mut Problems) {
    let of_kind = |wanted: &str| -> Vec<&str> {
        let keys = base.rules.iter().filter_map(split_key);
        let table = schema.kind_no(wanted).map_or("", |no| schema.kind_name(schema.table_of(no)));
        keys.filter(|(kinds, _)| kinds.iter().any(|kind| *kind == wanted || *kind == table))
            .flat_map(|(_, actions)| actions)
            .collect()
    };
    for rule in &over.rules {
        let Some((kinds, actions)) = split_key(rule) else { continue };
        for kind in kinds {
            let known = of_kind(kind);
            for action in actions.iter().filter(|action| !known.contains(*action)) {
                if let Some(meant) = known.iter().find(|known| strsim::damerau_levenshtein(action, known) == 1) {
                    let mend = format!("did you mean `{meant}`? An action of your own needs a name less like it");
                    problems.add(rule.key.place, format!("the pack has no `{kind}.{action}`; {mend}"));
                }
            }
        }
    }
    // Such a field is never looked at: the rule of the action that it means decides.
    for rule in &over.rules {
        let Some((_, actions)) = split_key(rule) else { continue };
        for (fields, _) in &rule.fields {
            for field in fields.what.split(',').map(str::trim) {
                let spelled =
                    |action: &&str| base.spellings.iter().find(|(key, _)| key.what == format!("{action}[{field}]"));
                if let Some((key, means)) = actions.iter().find_map(spelled) {
                    let mend = format!("write the rule of `{}`", means.what);
                    problems.add(fields.place, format!("`{}` asks for `{}`; {mend}", key.what, means.what));
                }
            }
        }
    }
    // A button is no rule: it must not take the place of one.
    for own in &over.own_actions {
        if of_kind(&own.kind.what).contains(&own.name.what.as_str()) {
            let mend = "give your action another `id:`, or change that rule under `rules:`";
            problems.add(own.name.place, format!("the pack has `{}.{}`; {mend}", own.kind.what, own.name.what));
        }
    }
}

/// An atom or term that nothing names, and whose name looks like one of the pack, was meant to replace that one.
fn check_use(over: &Source, base: &Source, problems: &mut Problems) {
    let fields = over.rules.iter().flat_map(|rule| rule.fields.iter().map(|(_, body)| body));
    let bodies = over.rules.iter().map(|rule| &rule.body).chain(fields);
    let alternatives = bodies.flat_map(|body| body.any.iter().chain(&body.all));
    let alternatives = alternatives.chain(over.terms.iter().flat_map(|term| &term.any));
    let used: Vec<&str> = alternatives.flat_map(|text| rules::words(&text.what)).collect();
    let (known, own) = (defined(base), defined(over));
    for Named { what, place } in own.into_iter().filter(|own| !used.contains(&own.what.as_str())) {
        let names = || known.iter().map(|known| known.what.as_str());
        if names().all(|name| name != what)
            && let Some(near) = near(what, names())
        {
            problems
                .add(*place, format!("no rule or term names `{what}`; did you mean to replace the pack's `{near}`?"));
        }
    }
}

fn defined(source: &Source) -> Vec<&Named<Str>> {
    source.atoms.iter().map(|atom| &atom.name).chain(source.terms.iter().map(|term| &term.name)).collect()
}

impl Sources {
    /// The permission page for a site.
    pub(super) fn page(&self, schema: &Schema, site: Site) -> Option<Permissions> {
        permissions::compile(&self.base, &self.over, schema, Some(site), &mut permissions::quiet())
    }

    /// The kind whose records are rights.
    pub(super) fn right_records(&self, schema: &Schema) -> Option<KindNo> {
        schema.kind_no(&self.base.rights.records.as_ref()?.what)
    }

    /// The names of both files.
    pub(super) fn names<'a>(
        &'a self,
        schema: &'a Schema,
        roles: &'a [(Str, Str)],
        recorded: &'a dyn Fn(&str) -> bool,
    ) -> Names<'a> {
        let Self { base, over } = self;
        Names {
            page: base.permissions.as_ref(),
            schema,
            roles,
            role_names: over.roles.iter().chain(&base.roles).map(|role| role.name.what.clone()).collect(),
            paths: over.paths.iter().chain(&base.paths).collect(),
            atoms: over.atoms.iter().chain(&base.atoms).collect(),
            own_atoms: over.atoms.len(),
            terms: over.terms.iter().chain(&base.terms).collect(),
            filters: over.filters.iter().chain(&base.filters).collect(),
            rights: [&over.rights, &base.rights],
            buttons: [&over.buttons, &base.buttons],
            reach_terms: reach::terms(&base.rights),
            recorded,
        }
    }
}

impl Names<'_> {
    /// Whether a word of an alternative means something.
    pub(super) fn knows(&self, word: &str) -> bool {
        let role = |name: &str| self.roles.iter().any(|(role, _)| role == name);
        word == "team"
            || self.operation(word).is_some()
            || self.reach_terms.contains_key(word)
            || self.knows_reach(word)
            || word.strip_prefix("role:").or_else(|| word.strip_prefix("site_role:")).is_some_and(role)
            || self.atoms.iter().any(|atom| atom.name.what == word)
            || self.terms.iter().any(|term| term.name.what == word)
            || word.strip_prefix("right:").is_some_and(|right| self.right(right).is_some() && self.is_known(right))
            || word
                .strip_prefix("filter:")
                .is_some_and(|name| self.filters.iter().any(|filter| filter.name.what == name))
    }

    /// The complaint about a word that means nothing.
    pub(super) fn unknown(&self, word: &str) -> String {
        if word.is_empty() {
            return "a word is missing here: `+` stands between two words, `!` before one".to_owned();
        }
        for family in ["role:", "site_role:"] {
            if let Some(role) = word.strip_prefix(family) {
                let hint = suggestion(role, self.roles.iter().map(|(role, _)| role.as_str()));
                return format!("there is no role `{role}`{hint}");
            }
        }
        if let Some(name) = word.strip_prefix("filter:") {
            let hint = suggestion(name, self.filters.iter().map(|filter| filter.name.what.as_str()));
            return format!("there is no filter `{name}`{hint}");
        }
        if let Some(right) = word.strip_prefix("right:") {
            return self.no_right(right);
        }
        if let Some(complaint) = self.no_grantable(word) {
            return complaint;
        }
        if word.contains(char::is_whitespace) {
            return format!("`{word}`: words are joined by `+`, alternatives are items of the list");
        }
        let known = self.atoms.iter().map(|atom| atom.name.what.as_str());
        let known = known.chain(self.terms.iter().map(|term| term.name.what.as_str())).chain([
            "team",
            "role:",
            "site_role:",
            "right:",
            "filter:",
        ]);
        format!("there is no atom or term `{word}`{}", suggestion(word, known))
    }
}

/// The kinds and actions of a rule's key: `kind, kind.action, action`.
pub(super) fn split_key(rule: &RuleSource) -> Option<(Vec<&str>, Vec<&str>)> {
    let (kinds, actions) = rule.key.what.split_once('.')?;
    let list = |text| str::split(text, ',').map(str::trim).collect();
    Some((list(kinds), list(actions)))
}
