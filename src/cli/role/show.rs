//! `role list` and `role show`.

use std::process::ExitCode;

use serde_json::json;

use super::store::Opened;
use super::{find, output, permissions};
use crate::engine::roles::{Grantable, RoleSet};

pub(super) fn list(opened: &Opened, json: bool) -> ExitCode {
    let policy = &opened.policy;
    let is_default = |role: &RoleSet| policy.default_role() == Some(&role.name);
    if json {
        let role = |role: &RoleSet| self::json(role, is_default(role));
        output::say(format_args!("{:#}", policy.role_sets().iter().map(role).collect::<serde_json::Value>()));
        return ExitCode::SUCCESS;
    }
    let mut rows = vec![["ROLE", "FROM", "PERMISSIONS", "DESCRIPTION"].map(str::to_owned)];
    rows.extend(policy.role_sets().iter().map(|role| {
        let rules = match role.rules.len() {
            0 => String::new(),
            1 => ", 1 rule".to_owned(),
            count => format!(", {count} rules"),
        };
        let name = if is_default(role) { format!("{} (default)", role.name) } else { role.name.to_string() };
        let count = format!("{} of {}{rules}", role.grants.len(), policy.grantable().len());
        [name, origin(role), count, role.description.to_string()]
    }));
    table(&rows).iter().for_each(output::say);
    ExitCode::SUCCESS
}

pub(super) fn show(opened: &Opened, name: &str, json: bool) -> Result<ExitCode, String> {
    let policy = &opened.policy;
    let role = find(policy.role_sets(), name)?;
    let is_default = policy.default_role() == Some(name);
    if json {
        output::say(format_args!("{:#}", self::json(role, is_default)));
        return Ok(ExitCode::SUCCESS);
    }
    let colon = if role.description.is_empty() { "" } else { ": " };
    output::say(format_args!("{}{colon}{}", role.name, role.description));
    let all = policy.grantable();
    output::say(format_args!("{}; {} of {}", origin(role), role.grants.len(), permissions(all.len())));
    if is_default {
        output::say("new users get this role");
    }
    for (heading, project) in [("The whole site", false), ("In projects", true)] {
        let rights: Vec<&Grantable> = all.iter().filter(|right| right.of_project == project).collect();
        if rights.is_empty() {
            continue;
        }
        output::say(format_args!("\n{heading}:"));
        let row = |right: &&Grantable| {
            let held = if role.grants(&right.slug) { "  yes" } else { "  no" };
            [held.to_owned(), right.title.to_string(), right.slug.to_string()]
        };
        table(&rights.iter().map(row).collect::<Vec<_>>()).iter().for_each(output::say);
    }
    if !role.rules.is_empty() {
        output::say("\nObjects and fields:");
        role.rules.iter().for_each(|rule| output::say(format_args!("  {rule}")));
    }
    policy.page_note().into_iter().for_each(|note| output::say(format_args!("\n{note}")));
    Ok(ExitCode::SUCCESS)
}

/// Where a role stands.
fn origin(role: &RoleSet) -> String {
    match (role.of_overlay, role.of_pack, &role.cloned_from) {
        (false, ..) => "built in".to_owned(),
        (true, true, None) => "this file, over the built-in one".to_owned(),
        (true, true, Some(from)) => format!("this file, over the built-in one, from {from}"),
        (true, false, None) => "this file".to_owned(),
        (true, false, Some(from)) => format!("this file, from {from}"),
    }
}

fn json(role: &RoleSet, is_default: bool) -> serde_json::Value {
    let RoleSet { name, description, grants, rules, cloned_from, of_pack, of_overlay } = role;
    json!({
        "name": name.as_str(),
        "description": description.as_str(),
        "default": is_default,
        "built_in": of_pack,
        "in_file": of_overlay,
        "cloned_from": cloned_from.as_deref(),
        "rules": rules.iter().map(|rule| rule.as_str()).collect::<Vec<_>>(),
        "grants": grants.iter().map(|slug| slug.as_str()).collect::<Vec<_>>(),
    })
}

/// Rows in columns.
pub(super) fn table<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..N).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}  ")).collect::<String>();
        cells.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}
