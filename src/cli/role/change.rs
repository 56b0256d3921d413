//! `role clone`, `create`, `delete` and `reset`: edits of the file's `roles:`, and what they change.

use std::process::ExitCode;

use super::diff::Difference;
use super::store::Opened;
use super::{counted, find, output};
use crate::engine::policy::Policy;
use crate::engine::roles::RoleSet;
use crate::yaml::edit::{self, Value};
use crate::yaml::{self, Data, Node, Place};

/// The part of the file that roles stand in.
const SECTION: &[&str] = &["roles"];

pub(super) fn clone(opened: &Opened, from: &str, name: &str, description: Option<&str>) -> Result<ExitCode, String> {
    let source = find(opened.policy.role_sets(), from)?;
    // A built-in role may become one of the file under its own name.
    if source.name != name || source.of_overlay {
        free(opened, name)?;
    }
    add(opened, name, ("clone", Value::Text(from.to_owned())), description)
}

pub(super) fn create(
    opened: &Opened,
    name: &str,
    grants: &[String],
    description: Option<&str>,
) -> Result<ExitCode, String> {
    free(opened, name)?;
    let known = || opened.policy.grantable().iter().map(|right| right.slug.as_str());
    let mut slugs: Vec<String> = Vec::new();
    for slug in grants {
        if !known().any(|known| known == slug) {
            return Err(format!("--grant: there is no permission `{slug}`{}", unknown(opened, slug)));
        }
        if !slugs.contains(slug) {
            slugs.push(slug.clone());
        }
    }
    add(opened, name, (grants_key(opened), Value::List(slugs)), description)
}

/// The key under which a role's body lists what it is given.
fn grants_key(opened: &Opened) -> &'static str {
    if opened.policy.page_note().is_some() { "advanced" } else { "grants" }
}

/// The permission that was probably meant, or how to find it.
fn unknown(opened: &Opened, wrong: &str) -> String {
    let rights = opened.policy.grantable();
    if let Some(right) = rights.iter().find(|right| right.title.eq_ignore_ascii_case(wrong)) {
        return format!("; `{}` is how `{}` is written here", right.slug, right.title);
    }
    match yaml::near(wrong, rights.iter().map(|right| right.slug.as_str())) {
        Some(slug) => format!("; did you mean `{slug}`?"),
        None => format!("; `stagedoor role show {} ROLE` lists them", opened.name),
    }
}

pub(super) fn delete(opened: &Opened, name: &str) -> Result<ExitCode, String> {
    let role = find(opened.policy.role_sets(), name)?;
    match (role.of_overlay, role.of_pack) {
        (true, false) => {}
        (true, true) => {
            return Err(format!("`{name}` is built in and stays; `role reset` takes what this file says of it away"));
        }
        (false, _) => {
            return Err(format!(
                "`{name}` is built in and stays; to have it grant nothing, write `{name}: {{{}: []}}` under \
                 `roles:` in {}",
                grants_key(opened),
                opened.name
            ));
        }
    }
    if opened.policy.default_role() == Some(name) {
        return Err(format!("`{name}` is the `default_role` of {}; name another one there first", opened.name));
    }
    let root = yaml::parse(&opened.name, &opened.text).map_err(|problems| problems.to_string())?;
    if let Some(Place { line, column }) = named(&root, &format!("role:{name}")) {
        return Err(format!("{}:{line}:{column}: `role:{name}` stands here; take it out first", opened.name));
    }
    let clones = clones(&opened.policy, name);
    if !clones.is_empty() {
        return Err(format!(
            "`{name}` is what {} is cloned from; delete that first, or write out what it grants",
            clones.join(", ")
        ));
    }
    remove(opened, name)
}

pub(super) fn reset(opened: &Opened, name: &str) -> Result<ExitCode, String> {
    let role = find(opened.policy.role_sets(), name)?;
    if !role.of_pack {
        return Err(format!("`{name}` is no built-in role; `role delete` takes it away"));
    }
    if !role.of_overlay {
        output::say(format_args!("{name} is as it was built in; nothing to do"));
        return Ok(ExitCode::SUCCESS);
    }
    remove(opened, name)
}

/// Complains about a name that cannot be given to a new role.
fn free(opened: &Opened, name: &str) -> Result<(), String> {
    if name.trim().is_empty() || name != name.trim() || name.chars().any(char::is_control) {
        return Err(format!("`{}` is no name for a role; write it as the tracker does", name.escape_debug()));
    }
    match opened.policy.role_sets().iter().find(|role| role.name == name) {
        None => Ok(()),
        Some(role) if role.of_overlay => Err(format!("there is a role `{name}` in {} already", opened.name)),
        Some(_) => Err(format!(
            "`{name}` is built in; `stagedoor role clone {} \"{name}\" \"{name}\"` makes an edition of it to be changed",
            opened.name
        )),
    }
}

fn add(opened: &Opened, name: &str, body: (&str, Value), description: Option<&str>) -> Result<ExitCode, String> {
    let mut fields = vec![(body.0.to_owned(), body.1)];
    if let Some(description) = description.map(str::trim).filter(|text| !text.is_empty()) {
        fields.insert(usize::from(body.0 == "clone"), ("description".to_owned(), Value::Text(description.to_owned())));
    }
    let text = edit::append(&opened.name, &opened.text, SECTION, name, &Value::Map(fields));
    finish(opened, &text.map_err(|problems| problems.to_string())?)
}

fn remove(opened: &Opened, name: &str) -> Result<ExitCode, String> {
    let text = edit::remove(&opened.name, &opened.text, SECTION, name).map_err(|problems| problems.to_string())?;
    finish(opened, &text)
}

/// Where a text stands as a whole value.
fn named(node: &Node, wanted: &str) -> Option<Place> {
    match &node.data {
        Data::Scalar { text, .. } => (text == wanted).then_some(node.place),
        Data::List(nodes) => nodes.iter().find_map(|node| named(node, wanted)),
        Data::Map(entries) => entries.iter().find_map(|(_, node)| named(node, wanted)),
    }
}

/// The roles of the file that start from this one.
fn clones(policy: &Policy, name: &str) -> Vec<String> {
    let cloned = |role: &&RoleSet| role.cloned_from.as_deref() == Some(name) && role.name != name;
    policy.role_sets().iter().filter(cloned).map(|role| format!("`{}`", role.name)).collect()
}

/// Writes the new text, then says what is different: in the file, and in what roles grant.
fn finish(opened: &Opened, text: &str) -> Result<ExitCode, String> {
    let policy = opened.write(text)?;
    output::say(format_args!("{}:", opened.name));
    changed_lines(&opened.text, text).iter().for_each(output::say);
    changed_roles(&opened.policy, &policy).iter().for_each(output::say);
    let known = opened.policy.warnings.sorted();
    let new =
        policy.warnings.sorted().into_iter().filter(|warning| known.iter().all(|old| old.message != warning.message));
    new.for_each(|warning| output::complain(&format_args!("warning: {}", warning.message)));
    Ok(ExitCode::SUCCESS)
}

/// The lines that differ, with their numbers.
pub(super) fn changed_lines(old: &str, new: &str) -> Vec<String> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let shorter = old.len().min(new.len());
    let before = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let after =
        old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count().min(shorter - before);
    let part = |mark: char, lines: &[&str]| {
        let changed = (1..).zip(lines).take(lines.len() - after).skip(before);
        changed.map(|(number, line)| format!("{number:>5} {mark} {line}")).collect::<Vec<_>>()
    };
    [part('-', &old), part('+', &new)].concat()
}

/// What roles grant that they did not before, and the other way round.
fn changed_roles(old: &Policy, new: &Policy) -> Vec<String> {
    let mut lines = Vec::new();
    for role in new.role_sets() {
        match old.role_sets().iter().find(|known| known.name == role.name) {
            None => lines.push(format!("{} grants {}", role.name, counted(role))),
            Some(known) => {
                let difference = Difference::between(role, known);
                if !difference.is_empty() {
                    lines.push(format!("{} now grants {}:", role.name, counted(role)));
                    lines.extend(difference.lines(new.grantable()));
                }
            }
        }
    }
    let gone = old.role_sets().iter().filter(|role| new.role_sets().iter().all(|known| known.name != role.name));
    lines.extend(gone.map(|role| format!("{} grants nothing any more", role.name)));
    lines
}
