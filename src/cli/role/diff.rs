//! `role diff`: what one role grants and another does not.

use std::process::ExitCode;

use serde_json::json;

use super::store::Opened;
use super::{find, output, show, title};
use crate::engine::policy::Policy;
use crate::engine::roles::{Grantable, RoleSet};
use crate::model::id::Str;

/// What a role grants that another does not, and the other way round.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference<'r> {
    pub(super) more: Vec<&'r Str>,
    pub(super) less: Vec<&'r Str>,
}

impl<'r> Difference<'r> {
    /// What `role` grants compared with `other`.
    pub(super) fn between(role: &'r RoleSet, other: &'r RoleSet) -> Self {
        let (grants, rules) = (Self::of(&role.grants, &other.grants), Self::of(&role.rules, &other.rules));
        Self { more: [grants.more, rules.more].concat(), less: [grants.less, rules.less].concat() }
    }

    /// What `role` has compared with `other`.
    pub(super) fn of(role: &'r [Str], other: &'r [Str]) -> Self {
        let only = |these: &'r [Str], those: &[Str]| these.iter().filter(|slug| !those.contains(slug)).collect();
        Self { more: only(role, other), less: only(other, role) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.more.is_empty() && self.less.is_empty()
    }

    /// A line for each permission, `+` for more.
    pub(super) fn lines(&self, grantable: &[Grantable]) -> Vec<String> {
        let row = |mark: &str, slug: &Str| {
            let title = title(grantable, slug);
            let slug = if title == slug { String::new() } else { slug.to_string() };
            [format!("  {mark}"), title.to_owned(), slug]
        };
        let more = self.more.iter().map(|slug| row("+", slug));
        show::table(&more.chain(self.less.iter().map(|slug| row("-", slug))).collect::<Vec<_>>())
    }
}

pub(super) fn run(opened: &Opened, name: &str, other: Option<&str>, json: bool) -> Result<ExitCode, String> {
    let policy = &opened.policy;
    let role = find(policy.role_sets(), name)?;
    let built_in = Policy::load(opened.pack, None).map_err(|problems| problems.to_string())?;
    let (against, other) = match other {
        Some(other) => (other.to_owned(), find(policy.role_sets(), other)?),
        None => base(role, policy, &built_in)?,
    };
    let difference = Difference::between(role, other);
    if json {
        let slugs = |list: &[&Str]| list.iter().map(|slug| slug.to_string()).collect::<Vec<_>>();
        let (more, less) = (slugs(&difference.more), slugs(&difference.less));
        output::say(format_args!("{:#}", json!({"role": name, "against": against, "more": more, "less": less})));
    } else if difference.is_empty() {
        output::say(format_args!("{name} grants the same as {against}"));
    } else {
        output::say(format_args!("{name} against {against}:"));
        difference.lines(policy.grantable()).iter().for_each(output::say);
    }
    Ok(if difference.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a role is compared with where nothing is named.
fn base<'r>(role: &RoleSet, policy: &'r Policy, built_in: &'r Policy) -> Result<(String, &'r RoleSet), String> {
    let name = &role.name;
    if role.of_pack {
        return Ok((format!("the built-in {name}"), find(built_in.role_sets(), name)?));
    }
    match &role.cloned_from {
        Some(from) => Ok((from.to_string(), find(policy.role_sets(), from)?)),
        None => Err(format!("`{name}` is no built-in role and no clone; name the role to compare it with")),
    }
}
