//! Compiles the overlay's restrictions into the rules that set statuses.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::rules::{MAX_ATOMS, Rules};
use super::{Names, Scope, Source};
use crate::engine::condition::{Condition, RoleName};
use crate::engine::parse::{Named, RestrictionSource, StatusesSource};
use crate::engine::path;
use crate::engine::policy::{Atom, Conjunction, Restriction, Test, ValueRule};
use crate::engine::restricted::{Allowed, OfKind, Restricted, Statuses};
use crate::engine::said::Template;
use crate::model::decision::Reason;
use crate::model::id::{Id, Str};
use crate::model::schema::KindNo;
use crate::yaml::{Problems, near, suggestion};

/// What is said to whoever may not set a status, where the restriction says nothing else.
const MESSAGE: &str = "You are not allowed to set this status";

/// Where a pack's statuses are and which rules set them.
pub(super) fn statuses(rules: &Rules<'_>, base: &Source, problems: &mut Problems) -> Option<Statuses> {
    let StatusesSource { kind, field, active, set_by, groups: _ } = base.statuses.as_ref()?;
    let schema = rules.names.schema;
    let mut find = |name: &Named<Str>| {
        let found = schema.kind_no(&name.what);
        if found.is_none() {
            let hint = suggestion(&name.what, schema.kinds.iter().map(|kind| kind.name.as_str()));
            problems.add(name.place, format!("there is no kind `{}`{hint}", name.what));
        }
        found
    };
    let status = find(kind)?;
    let listed: Vec<_> = set_by.iter().filter_map(|(kind, actions)| Some((find(kind)?, kind, actions))).collect();
    let mut of = Vec::new();
    for (table, kind, actions) in listed {
        let Some(own) = schema.kind(schema.table_of(table)).and_then(|def| def.field_no(&field.what)) else {
            problems.add(kind.place, format!("kind `{}` has no field `{}`", kind.what, field.what));
            continue;
        };
        let filed = (0_u16..).zip(&schema.kinds).filter(|(no, def)| *no == table || def.table == table);
        for (no, _) in filed {
            let (found, missing) = setters(rules, no, status, actions);
            if !found.is_empty() {
                of.push(OfKind { kind: no, field: own, rules: found, missing });
            }
        }
    }
    let active = active.as_ref().and_then(|field| {
        let found = schema.kind(status).and_then(|def| def.field_no(&field.what));
        if found.is_none() {
            problems.add(field.place, format!("kind `{}` has no field `{}`", kind.what, field.what));
        }
        found
    });
    Some(Statuses { kind: status, active, of })
}

/// The rules by which an object of the kind gets a status: those that the pack names, with all rules for their fields,
/// and whichever else has a status for its value. Also the fields that would set one and have no rule of their own.
fn setters(rules: &Rules<'_>, kind: KindNo, status: KindNo, named: &[Named<Str>]) -> (Vec<u32>, Vec<Str>) {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    let schema = rules.names.schema;
    for named in named {
        let other = named.what.split_once('.').and_then(|(kind, rest)| Some((schema.kind_no(kind)?, rest)));
        let (kind, text) = other.unwrap_or((kind, &named.what));
        let (action, field) = match text.strip_suffix(']').and_then(|text| text.split_once('[')) {
            Some((action, field)) => (action, field),
            None => (text, ""),
        };
        let Some(action) = rules.actions.get(usize::from(kind)).and_then(|actions| actions.get(action)) else {
            continue;
        };
        if field.is_empty() {
            found.push(action.whole);
            found.extend(action.fields.iter().map(|(_, rule)| *rule));
            continue;
        }
        // Only a rule of the field's own: the action's is about other fields too.
        match action.fields.iter().find(|(pattern, _)| !pattern.open && pattern.start == field) {
            Some((_, rule)) => found.push(*rule),
            None => missing.push(Str::from(format!("{}.{text}", schema.kind_name(kind)))),
        }
    }
    let own = rules.actions.get(usize::from(kind)).into_iter().flat_map(|actions| actions.values());
    let own = own.flat_map(|action| action.fields.iter().map(|(_, rule)| *rule).chain([action.whole]));
    let is_status = |rule: &u32| {
        let rule = rules.rules.get(*rule as usize);
        rule.and_then(|rule| rule.value.as_ref()).is_some_and(|value| value.kind == status)
    };
    found.extend(own.filter(is_status));
    // Fields may share a rule; the first stays the first.
    let mut seen = FxHashSet::default();
    found.retain(|rule| seen.insert(*rule));
    (found, missing)
}

/// Puts the overlay's restrictions into the rules that they are about.
pub(super) fn add(
    rules: &mut Rules<'_>,
    statuses: Option<&Statuses>,
    base: &Source,
    over: &Source,
    warnings: &mut Problems,
    problems: &mut Problems,
) -> Vec<Arc<Restricted>> {
    let mut all = Vec::new();
    for source in &over.restrictions {
        let (Some(statuses), Some(pack)) = (statuses, &base.statuses) else {
            problems
                .add(source.place, format!("the pack `{}` has no statuses that could be restricted", base.pack.what));
            continue;
        };
        let Some(restricted) = restricted(rules.names, source, statuses, pack, warnings, problems) else { continue };
        let restricted = Arc::new(restricted);
        for of in statuses.of.iter().filter(|of| of.kind == restricted.kind) {
            for missing in &of.missing {
                let message = format!(
                    "it could be passed by: the rule that decides `{missing}` is not about that field alone; give the field a rule"
                );
                problems.add(source.name.place, message);
            }
            of.rules.iter().for_each(|number| put(rules, *number, &restricted, statuses, source, problems));
        }
        all.push(restricted);
    }
    all
}

fn put(
    rules: &mut Rules<'_>,
    number: u32,
    restricted: &Arc<Restricted>,
    statuses: &Statuses,
    source: &RestrictionSource,
    problems: &mut Problems,
) {
    let names = rules.names;
    let Some(rule) = rules.rules.get_mut(number as usize) else { return };
    let bit = u32::try_from(rule.atoms.len()).ok().and_then(|at| 1_u64.checked_shl(at));
    let Some(must) = bit.filter(|_| rule.atoms.len() < MAX_ATOMS) else {
        problems.add(
            source.place,
            format!("`{}` has too many facts and restrictions; at most {MAX_ATOMS} are possible", rule.name),
        );
        return;
    };
    let kind = restricted.kind;
    let scope = Scope { schema: names.schema, paths: &names.paths, kind, value: Some(statuses.kind), it: None };
    let who: Vec<_> = source.allow.iter().map(|who| who.what.replace(':', " ").replace(['{', '}'], "")).collect();
    let who = if who.is_empty() { "nobody".to_owned() } else { who.join(" or ") };
    // The value is part of what is decided, also where the overlay's rule does not look at it.
    rule.value.get_or_insert(ValueRule { kind: statuses.kind, default: None });
    rule.atoms.push(Atom {
        name: Str::from(format!("restriction:{}", restricted.name)),
        test: Test::Condition(Condition::Restricted(Arc::clone(restricted))),
        says: Str::from(format!("the status is free to set, or for {who}")),
        no: Template::compile(&format!("{{value}} is for {who}"), &scope).ok(),
        grant: (!source.allow.is_empty()).then(|| Template::compile(&format!("be {who}"), &scope).ok()).flatten(),
    });
    rule.all.push(Restriction {
        code: Reason::Restricted,
        says: None,
        any: vec![Conjunction { must, must_not: 0, source: 0 }],
        name: Some(restricted.name.clone()),
        message: Some(restricted.message.clone()),
    });
}

fn restricted(
    names: &Names<'_>,
    source: &RestrictionSource,
    statuses: &Statuses,
    pack: &StatusesSource,
    warnings: &mut Problems,
    problems: &mut Problems,
) -> Option<Restricted> {
    let schema = names.schema;
    let RestrictionSource { place: _, name, kind, statuses: named, allow, message } = source;
    // The table's own name is no kind of object.
    let others = schema.others.as_ref().map(|others| others.kind);
    let with_status = || {
        let kinds = statuses.of.iter().map(|of| of.kind).filter(|no| Some(*no) != others);
        kinds.filter_map(|no| Some(schema.kind(no)?.name.as_str()))
    };
    let is_word = kind.what.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let (kind, word) = match (schema.kind_no(&kind.what), &schema.others) {
        (Some(no), _) if Some(no) != others && statuses.of.iter().any(|of| of.kind == no) => (no, None),
        // Perhaps a kind that the studio has added; the mirror will tell, and until then it is no typing error.
        (None, Some(others)) if is_word && near(&kind.what, with_status()).is_none() => {
            warnings.add(
                kind.place,
                format!(
                    "restriction `{}` restricts nothing unless the workspace has a kind of object `{}`",
                    name.what, kind.what
                ),
            );
            (others.kind, Some(kind.what.clone()))
        }
        _ => {
            let hint = suggestion(&kind.what, with_status());
            problems.add(kind.place, format!("kind `{}` has no status that could be restricted{hint}", kind.what));
            return None;
        }
    };
    let scope = Scope { schema, paths: &names.paths, kind, value: None, it: None };
    let allowed: Vec<_> = allow.iter().map(|who| allowed(names, who, pack, &scope, problems)).collect();
    Some(Restricted {
        name: name.what.clone(),
        kind,
        word,
        of: statuses.kind,
        statuses: named.iter().map(|status| status.what.clone()).collect(),
        allow: allowed.into_iter().collect::<Option<_>>()?,
        message: message.clone().unwrap_or(Str::const_new(MESSAGE)),
    })
}

fn allowed(
    names: &Names<'_>,
    who: &Named<Str>,
    pack: &StatusesSource,
    scope: &Scope<'_>,
    problems: &mut Problems,
) -> Option<Allowed> {
    let mut wrong = |message: String| {
        problems.add(who.place, message);
        None
    };
    let (family, name) = match who.what.split_once(':').map(|(family, name)| (family.trim(), name.trim())) {
        Some((family, name)) if !name.is_empty() => (family, name),
        _ => return wrong(format!("`{}`: write `group:NAME`, `role:NAME` or `person:NAME`", who.what)),
    };
    match family {
        "person" => Some(Allowed::Person(Str::from(name))),
        "role" => role(names, name).map_err(&mut wrong).ok().map(Allowed::Role),
        "group" => {
            let Some(groups) = &pack.groups else { return wrong("this tracker has no groups".to_owned()) };
            let found = path::compile(&groups.of.what, scope);
            let (of, kind) = match found {
                Ok((of, Some(kind))) => (of, kind),
                Ok(_) => return wrong(format!("`{}` leads to no groups", groups.of.what)),
                Err(message) => return wrong(message),
            };
            let parent = groups.parent.as_ref().and_then(|field| scope.schema.kind(kind)?.field_no(&field.what));
            Some(Allowed::Group { of, kind, parent, named: Str::from(name) })
        }
        _ => {
            let hint = suggestion(family, ["group", "role", "person"]);
            wrong(format!("`{}`: write `group:NAME`, `role:NAME` or `person:NAME`{hint}", who.what))
        }
    }
}

/// Whoever has the role where the question plays.
fn role(names: &Names<'_>, name: &str) -> Result<Condition, String> {
    let [_, rights] = names.rights;
    if rights.roles.is_some() {
        let known = || names.role_names.iter().map(Str::as_str);
        return match near(name, known()).filter(|_| known().all(|role| role != name)) {
            Some(meant) => Err(format!("there is no role `{name}`; did you mean `{meant}`?")),
            None => Ok(Condition::HoldsRole(Str::from(name))),
        };
    }
    if names.schema.subject.member_role.is_some() {
        let (by_id, by_name) = (RoleName::Id(Id::from(name)), RoleName::Name(Str::from(name)));
        return Ok(Condition::Any(vec![Condition::HasRole(by_id), Condition::HasRole(by_name)]));
    }
    let found = names.roles.iter().find(|(role, title)| role == name || title == name);
    let known = names.roles.iter().map(|(role, _)| role.as_str());
    let (role, _) = found.ok_or_else(|| format!("there is no role `{name}`{}", suggestion(name, known)))?;
    Ok(super::buttons::own_role(role))
}
