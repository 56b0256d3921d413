//! Compiles a permission page: every role's rule for every type and field, inherited ones put in their places.
//!
//! Which fields are mirrored follows from it: those that the pack names, and those that conditions look at.

mod filter;
mod fit;
mod page;
mod shown;
mod words;

use rustc_hash::{FxHashMap, FxHashSet};

use self::filter::{Against, Failure, kind_of, no_type, other_kind, parts};
use self::page::{Of, Page, cells};
pub(super) use self::shown::sets;
use self::shown::shown;
pub(super) use self::words::Asked;
use super::{Source, Sources};
use crate::engine::parse::{CellSource, FieldRules, FieldSource, Filter, KindSource, Named, RuleOf, TypeSource};
use crate::engine::permissions::{
    Allows, FieldPermissions, NeverEditable, Permissions, RolePermissions, Site, TypePermissions,
};
use crate::model::id::Str;
use crate::model::schema::{BotDef, KindNo, Schema};
use crate::yaml::{Problems, suggestion};

/// The most entity types that a studio can add.
const MOST_TYPES: usize = 200;

/// Adds the studio's own types to the kinds, and to all kinds the fields that conditions look at.
pub(super) fn extend(base: &mut Source, over: &Source, mirror: &Schema, problems: &mut Problems) {
    extra_types(base, over, problems);
    // What is mirrored already comes first and in its order: numbers of fields stay as they are.
    let mut wanted = [held(mirror), wanted(&Page { base, over })].concat();
    let mut seen = FxHashSet::default();
    wanted.retain(|one| seen.insert(one.clone()));
    let ends = base.permissions.as_ref().map(|page| page.ends.clone()).unwrap_or_default();
    for (type_name, field) in wanted {
        let far = format!("{type_name}.{field}");
        let near = ends.iter().find(|(end, _)| end.what == far).and_then(|(_, near)| near.what.split_once('.'));
        let Some((near_type, near_field)) = near else {
            add_field(&mut base.kinds, &type_name, &field);
            continue;
        };
        add_field(&mut base.kinds, near_type, near_field);
        let from = kind_named(&mut base.kinds, near_type).map(|kind| kind.name.what.clone());
        if let Some((kind, from)) = kind_named(&mut base.kinds, &type_name).zip(from) {
            kind.other_ends.push((field, from, Str::from(near_field)));
        }
    }
}

/// The fields that a mirror has for conditions, by type; then those that are other ends of links.
fn held(mirror: &Schema) -> Vec<(Str, Str)> {
    let types = || mirror.kinds.iter().filter(|kind| !kind.type_name.is_empty());
    let fields = types().flat_map(|kind| {
        kind.fields.iter().filter(|field| field.link).map(|field| (kind.type_name.clone(), field.name.clone()))
    });
    let ends = types().flat_map(|kind| kind.backs.iter().map(|back| (kind.type_name.clone(), back.name.clone())));
    fields.chain(ends).collect()
}

fn kind_named<'k>(kinds: &'k mut [KindSource], type_name: &str) -> Option<&'k mut KindSource> {
    kinds.iter_mut().find(|kind| kind.type_name == type_name)
}

fn add_field(kinds: &mut [KindSource], type_name: &str, field: &str) {
    let Some(kind) = kind_named(kinds, type_name) else { return };
    if kind.fields.iter().all(|known| known.name.what != field) {
        let name = Named { what: Str::from(field), place: kind.name.place };
        kind.fields.push(FieldSource { link: true, ..FieldSource::plain(name) });
    }
}

fn extra_types(base: &mut Source, over: &Source, problems: &mut Problems) {
    if let Some(first) = over.extra_types.first().filter(|_| over.extra_types.len() > MOST_TYPES) {
        problems.add(first.place, format!("{} types; at most {MOST_TYPES} are possible", over.extra_types.len()));
        return;
    }
    for Named { what, place } in &over.extra_types {
        let well_formed =
            what.starts_with(|c: char| c.is_ascii_uppercase()) && what.chars().all(|c| c.is_ascii_alphanumeric());
        if !well_formed {
            problems.add(*place, format!("`{what}` is no name of an entity type; write it as in `CustomEntity07`"));
        } else if base.kinds.iter().any(|kind| kind.type_name == *what || kind.name.what == snake(what)) {
            problems.add(
                *place,
                format!("`{what}` is served already, or its name in questions is taken; take it out here"),
            );
        } else {
            let name = Named { what: snake(what), place: *place };
            base.kinds.push(KindSource { type_name: what.clone(), ..KindSource::named(name) });
        }
    }
}

/// `HumanUser` as `human_user`, `CustomEntity07` as `custom_entity07`.
fn snake(name: &str) -> Str {
    let mut snake = Str::default();
    for (at, c) in name.char_indices() {
        if c.is_ascii_uppercase() && at > 0 {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

/// The fields that conditions look at, by type; each once.
fn wanted(page: &Page<'_>) -> Vec<(Str, Str)> {
    let mut wanted = Vec::new();
    let types: Vec<&str> = page.base.kinds.iter().map(|kind| kind.type_name.as_str()).collect();
    let project = project_type(page.base);
    let mut quiet = [Problems::new(""), Problems::new("")];
    for role in page.roles(&mut quiet) {
        // A type that leaves out an operation has that of `*`; to create takes no condition.
        let whole = role.types.iter().filter(|(_, rules)| {
            let TypeSource { see, create: _, edit, retire, fields: _ } = rules.what;
            see.is_some() && edit.is_some() && retire.is_some()
        });
        let given: FxHashSet<&str> = whole.map(|(name, _)| name.what.as_str()).collect();
        for (name, Of { what: rules, own }) in &role.types {
            let for_types: Vec<&str> = match name.what.as_str() {
                "*" => {
                    types.iter().copied().filter(|name| !matches!(*name, "" | "*") && !given.contains(name)).collect()
                }
                one => vec![one],
            };
            for filter in cells(rules).filter_map(|cell| page.filter(cell, *own)) {
                for path in paths(filter) {
                    for start in &for_types {
                        follow(path, start, project, &mut wanted);
                    }
                }
            }
        }
    }
    wanted
}

/// What links call the kind that projects are of.
fn project_type(base: &Source) -> &str {
    let mut parts = base.subject.iter().flat_map(|subject| &subject.parts);
    let named = parts.find(|(part, _)| *part == "project").map(|(_, name)| &name.what);
    base.kinds.iter().find(|kind| Some(&kind.name.what) == named).map_or("", |kind| kind.type_name.as_str())
}

fn follow(path: &Named<Str>, start: &str, project: &str, wanted: &mut Vec<(Str, Str)>) {
    let mut at = start;
    for (field, next) in parts(path).unwrap_or_default() {
        let of_record = field == "id" || field == "project" && at != project;
        if !of_record {
            wanted.push((Str::from(at), Str::from(field)));
        }
        at = next.unwrap_or_default();
    }
}

fn paths(filter: &Filter) -> Vec<&Named<Str>> {
    match filter {
        Filter::Leaf { path, .. } => vec![path],
        Filter::All(list) | Filter::Any(list) => list.iter().flat_map(paths).collect(),
    }
}

/// The page of both files for a site; without a site, only what is wrong with the files can be told. `None` where the
/// pack has no such page.
pub(super) fn compile(
    base: &Source,
    over: &Source,
    schema: &Schema,
    site: Option<Site>,
    problems: &mut [Problems; 2],
) -> Option<Permissions> {
    let source = base.permissions.as_ref()?;
    let role_kind = schema.kind_no(&source.kind.what)?;
    let subject = &schema.subject;
    let bots = match subject.bot {
        Some(BotDef::Apart(bots)) => Some(bots),
        _ => None,
    };
    let field_of = |kind: KindNo, field: &str| schema.kind(kind)?.field_no(field);
    let role_fields = [Some(subject.kind), bots].into_iter().flatten();
    let role_fields = role_fields.filter_map(|kind| Some((kind, field_of(kind, &source.role.what)?))).collect();
    let schema_kind = schema.kind_no(&source.schema.what)?;
    let mut page = Compiling {
        page: Page { base, over },
        against: Against { schema, site: site.as_ref() },
        known: FxHashMap::default(),
        told: FxHashMap::default(),
        made: Permissions {
            role_fields,
            role_kind,
            code: field_of(role_kind, &source.code.what)?,
            schema: (schema_kind, field_of(schema_kind, &source.fields.what)?),
            advanced: source.advanced.iter().map(|(slug, title)| (slug.what.clone(), title.clone())).collect(),
            note: source.note.clone(),
            ..Permissions::default()
        },
    };
    page.check_conditions(problems);
    for role in page.page.roles(problems) {
        let made = page.role(&role, problems);
        if let Ok(number) = u16::try_from(page.made.roles.len()) {
            page.made.by_code.insert(made.code.clone(), number);
            page.made.roles.push(made);
        }
    }
    page.never(problems);
    let Compiling { mut made, .. } = page;
    made.site = site.unwrap_or_default();
    Some(made)
}

struct Compiling<'a> {
    page: Page<'a>,
    against: Against<'a>,
    /// Conditions compiled already, by where they stand and for which kind.
    known: FxHashMap<(usize, KindNo), Allows>,
    /// What is wrong with rules, and its number.
    told: FxHashMap<String, usize>,
    made: Permissions,
}

impl<'a> Compiling<'a> {
    /// A condition that no rule names is compiled nowhere; what it names is looked at here.
    fn check_conditions(&mut self, problems: &mut [Problems; 2]) {
        let Page { base, over } = self.page;
        let [base_problems, over_problems] = problems;
        for (source, problems) in [(base, base_problems), (over, over_problems)] {
            for filter in source.conditions.iter().map(|(_, filter)| filter) {
                self.check(filter, problems);
            }
        }
    }

    fn check(&self, filter: &Filter, problems: &mut Problems) {
        match filter {
            Filter::All(list) | Filter::Any(list) => list.iter().for_each(|filter| self.check(filter, problems)),
            Filter::Leaf { path, relation, values, place } => {
                let found = parts(path).and_then(|parts| {
                    let unknown = parts
                        .iter()
                        .filter_map(|(_, name)| *name)
                        .find(|name| kind_of(self.against.schema, name).is_none());
                    let wrong = |name| format!("`{}`: {}", path.what, no_type(self.against.schema, name));
                    unknown.map_or(Ok(()), |name| Err(Failure::Wrong(path.place, wrong(name))))
                });
                let found = found.and_then(|()| self.against.test(*relation, values, *place).map(|_| ()));
                if let Err(Failure::Wrong(place, message)) = found {
                    problems.add(place, message);
                }
            }
        }
    }

    fn role(&mut self, role: &page::Role<'a>, problems: &mut [Problems; 2]) -> RolePermissions {
        let advanced = self.advanced(role, problems);
        let schema = self.against.schema;
        let given = |wanted: &str| role.types.iter().find(|(name, _)| name.what == wanted).map(|(_, rules)| *rules);
        for (name, rules) in &role.types {
            let patterns = rules.what.fields.iter().filter(|(field, _)| field.what != "*" && field.what.contains('*'));
            let kind = kind_of(schema, &name.what);
            let named = rules.what.fields.iter().filter(|(field, _)| field.what != "*");
            let named = named.filter_map(|(field, _)| Some((kind?, field.what.clone())));
            self.made.named.extend(named);
            for (field, _) in patterns {
                complaints(problems, rules.own).add(field.place, no_pattern(&field.what));
            }
            if name.what != "*" && kind_of(schema, &name.what).is_none() {
                complaints(problems, rules.own).add(name.place, no_type(schema, &name.what));
            }
        }
        let any = given("*");
        let mut types = FxHashMap::default();
        for (kind, def) in (0..).zip(&schema.kinds).filter(|(_, def)| !matches!(def.type_name.as_str(), "" | "*")) {
            types.insert(kind, self.rules(given(&def.type_name), any, kind, problems));
        }
        // Of what is never mirrored nothing is asked but to create it.
        let other = other_kind(schema).map(|kind| self.rules(None, any, kind, &mut quiet()));
        RolePermissions { code: role.source.name.what.clone(), advanced, types, other: other.unwrap_or_default() }
    }

    fn advanced(&self, role: &page::Role<'a>, problems: &mut [Problems; 2]) -> FxHashSet<u16> {
        let mut numbers = FxHashSet::default();
        for slug in role.advanced.what {
            match self.made.advanced.iter().position(|(known, _)| *known == slug.what) {
                Some(at) => numbers.extend(u16::try_from(at)),
                None => {
                    let near = suggestion(&slug.what, self.made.advanced.iter().map(|(known, _)| known.as_str()));
                    let message = format!("there is no advanced permission `{}`{near}", slug.what);
                    complaints(problems, role.advanced.own).add(slug.place, message);
                }
            }
        }
        numbers
    }

    /// The rules for one kind: those given for it, else those for every type.
    fn rules(
        &mut self,
        given: Option<Of<&'a TypeSource>>,
        any: Option<Of<&'a TypeSource>>,
        kind: KindNo,
        problems: &mut [Problems; 2],
    ) -> TypePermissions {
        let mut operation = |of: fn(&TypeSource) -> &Option<CellSource>| {
            let nearest =
                [given, any].into_iter().flatten().find_map(|Of { what, own }| Some((of(what).as_ref()?, own)));
            nearest.map_or(Allows::No, |(cell, own)| self.cell(cell, own, kind, problems))
        };
        let see = operation(|rules| &rules.see);
        let create = operation(|rules| &rules.create);
        let edit = operation(|rules| &rules.edit);
        let retire = operation(|rules| &rules.retire);
        let by_type = FieldPermissions { see, edit, values: Vec::new() };
        // The fields of `*` are for the types that are not given.
        let Some(Of { what, own }) = given.or(any) else {
            return TypePermissions { see, create, edit, retire, fields: FxHashMap::default(), field: by_type };
        };
        let any_field = what.fields.iter().find(|(name, _)| name.what == "*").map(|(_, rules)| rules);
        let field = any_field.map_or_else(|| by_type.clone(), |rules| self.field(rules, own, &by_type, kind, problems));
        let named = what.fields.iter().filter(|(name, _)| name.what != "*");
        let inherited = FieldPermissions { values: Vec::new(), ..field.clone() };
        let fields = named
            .map(|(name, rules)| (name.what.clone(), self.field(rules, own, &inherited, kind, problems)))
            .collect();
        TypePermissions { see, create, edit, retire, fields, field }
    }

    fn field(
        &mut self,
        rules: &'a FieldRules,
        own: bool,
        above: &FieldPermissions,
        kind: KindNo,
        problems: &mut [Problems; 2],
    ) -> FieldPermissions {
        let FieldRules { see, edit, values } = rules;
        let see = see.as_ref().map_or(above.see, |cell| self.cell(cell, own, kind, problems));
        let edit = edit.as_ref().map_or(above.edit, |cell| self.cell(cell, own, kind, problems));
        let values =
            values.iter().map(|(value, cell)| (value.what.clone(), self.cell(cell, own, kind, problems))).collect();
        FieldPermissions { see, edit, values }
    }

    fn cell(&mut self, cell: &'a CellSource, own: bool, kind: KindNo, problems: &mut [Problems; 2]) -> Allows {
        let filter = match &cell.rule {
            RuleOf::Yes => return Allows::Yes,
            RuleOf::No => return Allows::No,
            RuleOf::Condition(filter) => filter,
            RuleOf::Named(name) => match self.page.condition(name, own) {
                Some(filter) => filter,
                None => {
                    let source = if own { self.page.over } else { self.page.base };
                    let near = suggestion(name, source.conditions.iter().map(|(known, _)| known.what.as_str()));
                    let message = format!("there is no condition `{name}`{near}");
                    complaints(problems, own).add(cell.place, message);
                    return Allows::No;
                }
            },
        };
        let at = (std::ptr::from_ref(filter).addr(), kind);
        if let Some(known) = self.known.get(&at) {
            return *known;
        }
        let made = match self.against.condition(filter, kind) {
            Ok(condition) => match u32::try_from(self.made.conditions.len()) {
                Ok(number) => {
                    let odd = self.against.misfits(filter, kind);
                    self.made.odd.extend(odd.into_iter().map(|odd| format!("{}: {odd}", shown(cell))));
                    self.made.conditions.push(condition);
                    self.made.condition_names.push(shown(cell));
                    Allows::If(number)
                }
                Err(_) => self.invalid("there are too many conditions".to_owned()),
            },
            Err(Failure::Absent(why)) => self.invalid(format!("{}: {why}", shown(cell))),
            Err(Failure::Wrong(place, message)) => {
                let complain = complaints(problems, own);
                if complain.sorted().iter().all(|known| known.place != place) {
                    complain.add(place, message.clone());
                }
                self.invalid(message)
            }
        };
        self.known.insert(at, made);
        made
    }

    fn invalid(&mut self, why: String) -> Allows {
        let next = self.made.problems.len();
        let at = *self.told.entry(why.clone()).or_insert(next);
        if at == next {
            self.made.problems.push(why);
        }
        Allows::Invalid(u32::try_from(at).unwrap_or(u32::MAX))
    }

    /// Fields that nobody may edit: the pack's, and those of the overlay's `read_only:`.
    fn never(&mut self, problems: &mut [Problems; 2]) {
        let Page { base, over } = self.page;
        let schema = self.against.schema;
        let Some(source) = &base.permissions else { return };
        let mut never = NeverEditable {
            data_types: source.fixed_data_types.iter().map(|name| name.what.clone()).collect(),
            ..NeverEditable::default()
        };
        for (own, (type_name, fields)) in
            source.fixed.iter().map(|fixed| (false, fixed)).chain(over.read_only.iter().map(|fixed| (true, fixed)))
        {
            for name in fields.iter().filter(|name| own && name.what.contains('*')) {
                complaints(problems, own).add(name.place, no_pattern(&name.what));
            }
            if type_name.what == "*" && !own {
                never.everywhere.extend(fields.iter().map(|name| name.what.clone()));
                continue;
            }
            let Some(kind) = kind_of(schema, &type_name.what) else {
                complaints(problems, own).add(type_name.place, no_type(schema, &type_name.what));
                continue;
            };
            if own {
                self.made.named.extend(fields.iter().map(|name| (kind, name.what.clone())));
            }
            // Beginnings of names are the pack's alone.
            let pattern = |name: &Named<Str>| match name.what.strip_suffix('*').filter(|_| !own) {
                Some(start) => (Str::from(start), true),
                None => (name.what.clone(), false),
            };
            never.of.entry(kind).or_default().extend(fields.iter().map(pattern));
        }
        self.made.never = never;
    }
}

/// Tells what is wrong with the roles of both files, and with what an overlay has no use for beside them.
pub(super) fn check(sources: &Sources, schema: &Schema, problems: &mut [Problems; 2]) {
    let Sources { base, over } = sources;
    if compile(base, over, schema, None, problems).is_some() {
        let [_, problems] = problems;
        return beside(over, problems);
    }
    let [_, problems] = problems;
    let of_page = over.conditions.iter().map(|(name, _)| ("conditions", name));
    let of_page = of_page.chain(over.extra_types.iter().map(|name| ("extra_types", name)));
    let of_page = of_page.chain(over.read_only.iter().map(|(name, _)| ("read_only", name)));
    for (key, name) in of_page {
        problems.add(
            name.place,
            format!("`{key}:` is for packs whose roles have types and fields; `{}` has none", base.pack.what),
        );
    }
}

/// What decides is settled by the tracker's permission page: rules of an overlay's own would be no part of it.
fn beside(over: &Source, problems: &mut Problems) {
    let rules = over.rules.iter().map(|rule| ("rules", rule.key.place));
    let atoms = over.atoms.iter().map(|atom| ("atoms", atom.name.place));
    let terms = over.terms.iter().map(|term| ("terms", term.name.place));
    let paths = over.paths.iter().map(|path| ("paths", path.name.place));
    let actions = over.own_actions.iter().map(|action| ("actions", action.name.place));
    let filters = over.filters.iter().map(|filter| ("filters", filter.name.place));
    let restrictions = over.restrictions.iter().map(|restriction| ("restrictions", restriction.place));
    let default = over.default_role.iter().map(|role| ("default_role", role.place));
    let all =
        rules.chain(atoms).chain(terms).chain(paths).chain(actions).chain(filters).chain(restrictions).chain(default);
    for (key, place) in all {
        let message = format!("`{key}:` has no place in a file of roles; what they may do stands in `roles:`");
        problems.add(place, message);
    }
}

fn no_pattern(name: &str) -> String {
    format!("`{name}`: fields are named one by one; only `\"*\"` alone, under `fields:`, stands for all others")
}

fn complaints(problems: &mut [Problems; 2], own: bool) -> &mut Problems {
    let [base, over] = problems;
    if own { over } else { base }
}

pub(super) fn quiet() -> [Problems; 2] {
    [Problems::new(""), Problems::new("")]
}
