//! Roles as people are shown them: a line for each rule.

use super::page::{Page, Role};
use crate::engine::compile::Source;
use crate::engine::parse::{CellSource, Filter, Named, Operand, RELATIONS, Relation, RuleOf, TypeSource};
use crate::engine::roles::RoleSet;
use crate::model::id::Str;
use crate::yaml::Problems;

/// The roles as people are shown them.
pub(in crate::engine::compile) fn sets(base: &Source, over: &Source) -> Vec<RoleSet> {
    let page = Page { base, over };
    let mut quiet = [Problems::new(""), Problems::new("")];
    let set = |role: Role<'_>| {
        let mut grants: Vec<_> = role.advanced.what.iter().map(|slug| slug.what.clone()).collect();
        grants.sort_unstable();
        grants.dedup();
        let mut rules: Vec<_> = role.types.iter().flat_map(|(name, rules)| lines(name, rules.what)).collect();
        rules.sort_unstable();
        RoleSet {
            name: role.source.name.what.clone(),
            description: role.source.description.clone(),
            grants,
            rules,
            cloned_from: role.source.clone.as_ref().map(|clone| clone.what.clone()),
            of_pack: base.roles.iter().any(|known| known.name.what == role.source.name.what),
            of_overlay: role.own,
        }
    };
    page.roles(&mut quiet).into_iter().map(set).collect()
}

/// A line for each rule of a type: `Task.sg_status_list edit: assigned`.
fn lines(name: &Named<Str>, rules: &TypeSource) -> Vec<Str> {
    let mut lines = Vec::new();
    let mut line = |of: &str, operation: &str, cell: &Option<CellSource>| {
        lines.extend(cell.as_ref().map(|cell| compact_str::format_compact!("{of} {operation}: {}", shown(cell))));
    };
    let TypeSource { see, create, edit, retire, fields } = rules;
    for (operation, cell) in [("see", see), ("create", create), ("edit", edit), ("retire", retire)] {
        line(&name.what, operation, cell);
    }
    for (field, rules) in fields {
        let of = format!("{}.{}", name.what, field.what);
        line(&of, "see", &rules.see);
        line(&of, "edit", &rules.edit);
    }
    for (field, rules) in fields {
        let of = format!("{}.{}", name.what, field.what);
        let valued = |(value, cell): &(Named<Str>, CellSource)| {
            compact_str::format_compact!("{of} edit to {}: {}", value.what, shown(cell))
        };
        lines.extend(rules.values.iter().map(valued));
    }
    lines
}

/// A rule in few words.
pub(super) fn shown(cell: &CellSource) -> String {
    match &cell.rule {
        RuleOf::Yes => "yes".to_owned(),
        RuleOf::No => "no".to_owned(),
        RuleOf::Named(name) => name.to_string(),
        RuleOf::Condition(filter) => written(filter),
    }
}

fn written(filter: &Filter) -> String {
    let joined = |list: &[Filter], word: &str| {
        let list: Vec<_> = list.iter().map(written).collect();
        format!("({})", list.join(word))
    };
    match filter {
        Filter::All(list) => joined(list, " and "),
        Filter::Any(list) => joined(list, " or "),
        Filter::Leaf { path, relation, values, .. } => {
            let values = values.iter().map(|value| match value {
                Operand::Null => "null".to_owned(),
                Operand::Bool(value) => value.to_string(),
                Operand::Number(value) => value.to_string(),
                Operand::Text(text) => format!("\"{text}\""),
                Operand::Link { type_name, id } => format!("{type_name} {id}"),
                Operand::Me => "me".to_owned(),
            });
            format!("{} {} {}", path.what, relation.word(), values.collect::<Vec<_>>().join(", "))
        }
    }
}

impl Relation {
    /// As it is written.
    pub(super) fn word(self) -> &'static str {
        RELATIONS.iter().find(|(_, known)| *known == self).map_or("", |(word, _)| word)
    }
}
