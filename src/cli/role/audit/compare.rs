//! Compares what a tracker tells of roles with what the policy says. Pure.

use std::collections::BTreeSet;

use crate::cli::role::permissions;
use crate::engine::policy::Policy;
use crate::engine::roles::Grantable;
use crate::tracker::roles::{Told, ToldPerson, ToldRole};

/// Where roles of this type apply is known.
const KINDS: [&str; 3] = ["PROJECT", "ASSIGNED", "API"];

/// What came of a comparison.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Findings {
    pub(super) differences: Vec<String>,
    /// What could not be compared, and why.
    pub(super) unknown: Vec<String>,
}

/// Everything. `file` is where roles are to be added.
pub(super) fn all(policy: &Policy, file: &str, told: &Told) -> Findings {
    let mut findings = Findings { differences: unlisted(policy, file, &told.roles), unknown: told.silent.clone() };
    let is_told = |name: &str| told.roles.iter().any(|role| role.name == name);
    for set in policy.role_sets().iter().filter(|set| !is_told(&set.name)) {
        let what = if set.of_overlay { "stands here" } else { "is built in" };
        findings.differences.push(format!("role `{}` {what}, and the tracker has none of that name", set.name));
    }
    for ToldRole { name, kind, .. } in told.roles.iter().filter(|role| !KINDS.contains(&role.kind.as_str())) {
        findings
            .differences
            .push(format!("role `{name}` is of type `{kind}`, which is not known here: it applies nowhere"));
    }
    for (at, role) in told.roles.iter().enumerate() {
        if told.roles.iter().take(at).any(|other| other.name == role.name) {
            let name = &role.name;
            findings.unknown.push(format!("the tracker has several roles `{name}`; the policy cannot tell them apart"));
        }
    }
    told.people.iter().for_each(|person| self::person(policy, &told.roles, person, &mut findings));
    findings
}

/// The roles at the tracker that the policy does not know.
pub(super) fn unlisted(policy: &Policy, file: &str, roles: &[ToldRole]) -> Vec<String> {
    let names: BTreeSet<&str> = roles.iter().map(|role| role.name.as_str()).collect();
    let unlisted = names.into_iter().filter(|name| policy.role_sets().iter().all(|set| set.name != name));
    let told = |name| {
        format!(
            "role `{name}` stands at the tracker and has no permissions here: it grants nothing; `stagedoor role create \
             {} {} --grant ...` gives it some",
            quoted(file),
            quoted(name)
        )
    };
    unlisted.map(told).collect()
}

/// What one person may do there and here.
fn person(policy: &Policy, roles: &[ToldRole], person: &ToldPerson, findings: &mut Findings) {
    let ToldPerson { name, roles: held, permissions: told } = person;
    let titles: Vec<&str> =
        roles.iter().filter(|role| held.contains(&role.id)).map(|role| role.name.as_str()).collect();
    let sets = policy.role_sets().iter().filter(|set| titles.contains(&set.name.as_str()));
    let here: BTreeSet<&str> = sets.flat_map(|set| &set.grants).map(|slug| slug.as_str()).collect();
    let (mut there, mut strange) = (BTreeSet::new(), Vec::new());
    for text in told {
        match understood(policy.grantable(), text) {
            Some(right) => {
                there.insert(right.slug.as_str());
            }
            None => strange.push(format!("`{text}`")),
        }
    }
    let by = if titles.is_empty() { "without a role".to_owned() } else { titles.join(", ") };
    // Where the tracker names no permission of a scope at all, it is not known to tell of that scope.
    let of = |wanted: &dyn Fn(&Grantable) -> bool| {
        let rights = policy.grantable().iter().filter(|right| wanted(right));
        rights.map(|right| format!("`{}`", right.slug)).collect::<Vec<_>>().join(", ")
    };
    let (is_there, is_here) = (|slug: &str| there.contains(slug), |slug: &str| here.contains(slug));
    let more = of(&|right| is_there(&right.slug) && !is_here(&right.slug));
    let less =
        of(&|right| is_here(&right.slug) && !is_there(&right.slug) && tells_of(policy, &there, right.of_project));
    if !more.is_empty() {
        findings.differences.push(format!("{name} ({by}) has at the tracker and not here: {more}"));
    }
    if !less.is_empty() {
        findings.differences.push(format!("{name} ({by}) has here and not at the tracker: {less}"));
    }
    for (of_project, scope) in [(false, "the whole site"), (true, "projects")] {
        if !tells_of(policy, &there, of_project) {
            findings.unknown.push(format!("the tracker names no permission of {name} that is known here for {scope}"));
        }
    }
    if !strange.is_empty() {
        let count = permissions(strange.len());
        findings.unknown.push(format!(
            "{count} of {name} that the tracker names and this version does not know: {}",
            strange.join(", ")
        ));
    }
}

fn tells_of(policy: &Policy, there: &BTreeSet<&str>, of_project: bool) -> bool {
    policy.grantable().iter().any(|right| right.of_project == of_project && there.contains(right.slug.as_str()))
}

/// The permission that a tracker's word for one means. Its words are not published: case, blanks and signs do not count.
fn understood<'g>(rights: &'g [Grantable], told: &str) -> Option<&'g Grantable> {
    let told = plain(told);
    let is = |right: &&Grantable| {
        let short = right.title.split(" (").next().unwrap_or_default();
        [right.slug.as_str(), right.title.as_str(), short].iter().any(|name| plain(name) == told)
    };
    rights.iter().find(is)
}

fn plain(text: &str) -> String {
    text.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let harmless = |character: char| character.is_ascii_alphanumeric() || "_-./".contains(character);
    if word.chars().all(harmless) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
