//! What is told and what is not, compared.

use super::compare::{self, Findings};
use crate::engine::policy::Policy;
use crate::model::id::Str;
use crate::tracker::roles::{Told, ToldPerson, ToldRole};

const OVERLAY: &str = "
extends: ftrack
roles:
  Lead: {grants: [read_bid, delete_project, manage_users]}
";

fn policy() -> Policy {
    Policy::load("ftrack", Some(("policy.yaml", OVERLAY))).unwrap()
}

fn role(id: &str, name: &str, kind: &str) -> ToldRole {
    ToldRole { id: id.into(), name: name.into(), kind: kind.into() }
}

/// The roles that the policy has, as a tracker that fits it would tell them.
fn fitting() -> Vec<ToldRole> {
    let name = |(at, set): (usize, &crate::engine::roles::RoleSet)| role(&format!("r{at}"), &set.name, "PROJECT");
    policy().role_sets().iter().enumerate().map(name).collect()
}

fn person(name: &str, roles: &[&str], permissions: &[&str]) -> ToldPerson {
    let texts = |list: &[&str]| list.iter().map(|text| Str::from(*text)).collect();
    let ids = fitting().into_iter().filter(|role| roles.contains(&&*role.name)).map(|role| role.id).collect();
    ToldPerson { name: name.into(), roles: ids, permissions: texts(permissions) }
}

fn compared(roles: Vec<ToldRole>, people: Vec<ToldPerson>) -> Findings {
    compare::all(&policy(), "our policy.yaml", &Told { roles, people, silent: Vec::new() })
}

#[test]
fn roles_that_are_only_there_or_only_here() {
    assert_eq!(compared(fitting(), Vec::new()), Findings::default());
    let mut roles = fitting();
    roles.retain(|role| role.name != "Lead" && role.name != "API");
    roles.extend([role("x", "Bob's", "ASSIGNED"), role("y", "Other", "NEW"), role("z", "User", "API")]);
    let Findings { differences, unknown } = compared(roles, Vec::new());
    assert_eq!(
        differences,
        [
            "role `Bob's` stands at the tracker and has no permissions here: it grants nothing; `stagedoor role create \
             'our policy.yaml' 'Bob'\\''s' --grant ...` gives it some",
            "role `Other` stands at the tracker and has no permissions here: it grants nothing; `stagedoor role create \
             'our policy.yaml' Other --grant ...` gives it some",
            "role `API` is built in, and the tracker has none of that name",
            "role `Lead` stands here, and the tracker has none of that name",
            "role `Other` is of type `NEW`, which is not known here: it applies nowhere",
        ]
    );
    assert_eq!(unknown, ["the tracker has several roles `User`; the policy cannot tell them apart"]);
}

#[test]
fn what_a_person_may_do_there_and_here() {
    let slugs = ["read_bid", "delete_project", "manage_users"];
    assert_eq!(compared(fitting(), vec![person("ada", &["Lead"], &slugs)]), Findings::default());
    let titles = ["Read bid", "DELETE  project", "manage-users"];
    assert_eq!(compared(fitting(), vec![person("ada", &["Lead"], &titles)]), Findings::default());
    let Findings { differences, unknown } =
        compared(fitting(), vec![person("ada", &["Lead"], &["read_bid", "Update objects", "manage_users", "fly"])]);
    assert_eq!(
        differences,
        [
            "ada (Lead) has at the tracker and not here: `update_objects`",
            "ada (Lead) has here and not at the tracker: `delete_project`",
        ]
    );
    assert_eq!(unknown, ["1 permission of ada that the tracker names and this version does not know: `fly`"]);
}

#[test]
fn what_the_tracker_does_not_speak_of_is_no_difference() {
    let Findings { differences, unknown } =
        compared(fitting(), vec![person("ada", &["Lead"], &["manage_users", "p.1"])]);
    assert_eq!(differences, [""; 0]);
    assert_eq!(
        unknown,
        [
            "the tracker names no permission of ada that is known here for projects",
            "1 permission of ada that the tracker names and this version does not know: `p.1`",
        ]
    );
    let Findings { differences, .. } = compared(fitting(), vec![person("bo", &[], &["manage_users"])]);
    assert_eq!(differences, ["bo (without a role) has at the tracker and not here: `manage_users`"]);
}

#[test]
fn several_roles_are_a_union() {
    let both = ["read_bid", "delete_project", "manage_users"];
    let user: Vec<Str> = policy().role_sets().iter().find(|set| set.name == "User").unwrap().grants.clone();
    let all: Vec<&str> = user.iter().map(Str::as_str).chain(both).collect();
    assert_eq!(compared(fitting(), vec![person("ada", &["Lead", "User"], &all)]), Findings::default());
}
