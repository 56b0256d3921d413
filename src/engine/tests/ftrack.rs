//! The parts of an overlay that ftrack brought: roles, restrictions, names of its own kinds.

use super::super::policy::Policy;

fn load(text: &str) -> Result<Policy, String> {
    Policy::load("ftrack", Some(("studio.yaml", text))).map_err(|problems| problems.to_string())
}

fn problems(text: &str) -> String {
    load(text).map_or_else(|problems| problems, |_| "no problem".to_owned())
}

fn grants(policy: &Policy, role: &str) -> Vec<String> {
    let set = policy.role_sets().iter().find(|set| set.name == role).expect("is a role");
    set.grants.iter().map(ToString::to_string).collect()
}

const MISTAKES: &[(&str, &str)] = &[
    (
        "roles: {Lead: }",
        "studio.yaml:2:9: role `Lead` has nothing behind its colon: write its `grants:` or its `clone:`",
    ),
    (
        "roles: {Lead: {}}",
        "studio.yaml:2:9: role `Lead` says not what it may do: give it `grants:`, or `clone:` a role",
    ),
    (
        "roles: {Lead: {grants: }}",
        "studio.yaml:2:9: role `Lead` says not what it may do: give it `grants:`, or `clone:` a role\nstudio.yaml:2:16: `grants:` has nothing behind its colon; write it out or leave it out",
    ),
    (
        "roles: {Lead: {grants: [manage_teams]}}",
        "studio.yaml:2:25: there is no right `manage_teams`; did you mean `manage_team`?",
    ),
    (
        "roles: {Lead: {grants: [Manage team]}}",
        "studio.yaml:2:25: there is no right `Manage team`; its slug is `manage_team`",
    ),
    (
        "roles: {Lead: {clone: Projet Manager}}",
        "studio.yaml:2:23: there is no role `Projet Manager`; did you mean `Project Manager`?",
    ),
    (
        "roles: {Lead: {grants: {add: [manage_team]}}}",
        "studio.yaml:2:9: the pack has no role `Lead` to change; write the whole list, or `clone:` the role that it begins with",
    ),
    (
        "roles: {Lead: {clone: User, grants: [manage_team]}}",
        "studio.yaml:2:23: a clone's `grants:` say what to change: `{add: [...], remove: [...]}`",
    ),
    (
        "roles: {Lead: {clone: Lead}}",
        "studio.yaml:2:23: there is no role `Lead`; known here: API, Administrator, Project Manager, Restricted User, User",
    ),
    ("default_role: Usr", "studio.yaml:2:15: there is no role `Usr`; did you mean `User`?"),
    ("restrictions:", "studio.yaml:2:1: `restrictions:` has nothing behind its colon; write it out or leave it out"),
    (
        "roles: {Lead: {clone: User, grants: }}",
        "studio.yaml:2:29: `grants:` has nothing behind its colon; write it out or leave it out",
    ),
    ("restrictions: [{name: r, kind: task, statuses: [A]}]", "studio.yaml:2:16: `allow:` is missing"),
    ("restrictions: [{name: r, kind: task, statuses: [A], allow: }]", "studio.yaml:2:16: `allow:` is missing"),
    ("restrictions: [{name: r, kind: task, statuses: , allow: []}]", "studio.yaml:2:16: `statuses:` is missing"),
    (
        "restrictions: [{name: r, kind: tasks, statuses: [A], allow: []}]",
        "studio.yaml:2:32: kind `tasks` has no status that could be restricted; did you mean `task`?",
    ),
    (
        "restrictions: [{name: r, kind: project, statuses: [A], allow: []}]",
        "studio.yaml:2:32: kind `project` has no status that could be restricted; known here: assetbuild, assetversion, episode, folder, image, information, milestone, scene, sequence, shot, task",
    ),
    (
        "restrictions: [{name: r, kind: task, statuses: [A], allow: [Producers]}]",
        "studio.yaml:2:61: `Producers`: write `group:NAME`, `role:NAME` or `person:NAME`",
    ),
    (
        "restrictions: [{name: r, kind: task, statuses: [A], allow: ['groups:Producers']}]",
        "studio.yaml:2:61: `groups:Producers`: write `group:NAME`, `role:NAME` or `person:NAME`; did you mean `group`?",
    ),
    (
        "restrictions: [{name: r, kind: task, statuses: [A], allow: []}, {name: r, kind: shot, statuses: [A], allow: []}]",
        "studio.yaml:2:72: there are two restrictions `r`",
    ),
    (
        "restrictions: [{name: r, kind: object, statuses: [A], allow: []}]",
        "studio.yaml:2:32: kind `object` has no status that could be restricted; known here: assetbuild, assetversion, episode, folder, image, information, milestone, scene, sequence, shot, task",
    ),
    (
        "restrictions: [{name: r, kind: TASK, statuses: [A], allow: []}]",
        "studio.yaml:2:32: kind `TASK` has no status that could be restricted; known here: assetbuild, assetversion, episode, folder, image, information, milestone, scene, sequence, shot, task",
    ),
    (
        "restrictions: [{name: r, kind: task, statuses: [A], allow: ['role:Projet Manager']}]",
        "studio.yaml:2:61: there is no role `Projet Manager`; did you mean `Project Manager`?",
    ),
    (
        "rules: {task.update: ['project:update_object']}",
        "studio.yaml:2:23: there is no right `update_object`; did you mean `update_objects`?",
    ),
    ("rules: {task.update: ['!visible']}", "studio.yaml:2:23: `!visible`: a term cannot be negated, only an atom"),
    (
        "rules: {task.update: {any: [visible], fields: {'name, status_id': [visible]}}}",
        "studio.yaml:2:48: `update[status_id]` asks for `set_status`; write the rule of `set_status`",
    ),
    (
        "rules: {task.updte: [visible]}",
        "studio.yaml:2:9: the pack has no `task.updte`; did you mean `update`? An action of your own needs a name less like it",
    ),
];

#[test]
fn every_mistake_is_told_with_its_place() {
    for (text, expected) in MISTAKES {
        assert_eq!(problems(&format!("extends: ftrack\n{text}\n")), *expected, "\n{text}");
    }
}

#[test]
fn no_other_pack_has_what_ftrack_has() {
    let of = |pack: &str, text: &str| {
        Policy::load(pack, Some(("s.yaml", text))).map_or_else(|problems| problems.to_string(), |_| "no problem".into())
    };
    assert_eq!(
        of("limecraft", "extends: limecraft\nrestrictions: [{name: r, kind: eo, statuses: [A], allow: []}]"),
        "s.yaml:2:16: the pack `limecraft` has no statuses that could be restricted"
    );
    assert_eq!(
        of("kitsu", "extends: kitsu\nrestrictions: [{name: r, kind: task, statuses: [A], allow: ['role:producer']}]"),
        "s.yaml:2:61: there is no role `producer`; known here: admin, client, manager, supervisor, user, vendor"
    );
    let passed_by = of(
        "kitsu",
        "extends: kitsu\nrules: {task.update: [admin]}\nrestrictions: [{name: r, kind: task, statuses: [A], allow: []}]",
    );
    assert_eq!(
        passed_by,
        "s.yaml:3:23: it could be passed by: the rule that decides `task.update[task_status_id]` is not about that field alone; give the field a rule"
    );
    let kinds = of("kitsu", "extends: kitsu\nrestrictions: [{name: r, kind: shot, statuses: [A], allow: []}]");
    assert_eq!(kinds, "s.yaml:2:32: kind `shot` has no status that could be restricted; known here: task");
}

#[test]
fn a_role_begins_with_what_it_is_cloned_from() {
    let policy = load(
        "extends: ftrack
roles:
  Lead:
    clone: User
    grants: {add: [read_bid], remove: [can_access_projects]}
  Senior: {clone: Lead, grants: {add: [move_objects]}}
  User: {grants: {add: [edit_manager]}}
  Twin: {clone: Senior}
  API: {grants: [create_list, create_list]}
",
    )
    .expect("compiles");
    // `User` of this file is meant, wherever it stands.
    assert_eq!(grants(&policy, "Lead"), ["can_change_status_of_a_task", "edit_manager", "read_bid"]);
    assert_eq!(grants(&policy, "Senior"), ["can_change_status_of_a_task", "edit_manager", "move_objects", "read_bid"]);
    assert_eq!(grants(&policy, "Twin"), grants(&policy, "Senior"));
    assert_eq!(grants(&policy, "User"), ["can_access_projects", "can_change_status_of_a_task", "edit_manager"]);
    assert_eq!(grants(&policy, "API"), ["create_list"]);
    assert_eq!(grants(&policy, "Administrator").len(), 41);
    let of =
        |name: &str| policy.role_sets().iter().find(|set| set.name == name).map(|set| (set.of_pack, set.of_overlay));
    assert_eq!(
        [of("User"), of("Lead"), of("Administrator")],
        [Some((true, true)), Some((false, true)), Some((true, false))]
    );
    assert_eq!(policy.default_role(), Some("User"));
    assert_eq!(
        (policy.grantable().len(), policy.grantable().iter().filter(|right| right.of_project).count()),
        (41, 24)
    );
    assert!(policy.warnings.is_empty());
}

#[test]
fn clones_in_a_ring_are_told() {
    let told = problems("extends: ftrack\nroles:\n  A: {clone: B}\n  B: {clone: C}\n  C: {clone: A}\n");
    let expected = "studio.yaml:3:14: role `A` is a clone of itself, by way of others
studio.yaml:4:14: role `B` is a clone of itself, by way of others
studio.yaml:5:14: role `C` is a clone of itself, by way of others";
    assert_eq!(told, expected);
}

#[test]
fn clones_are_followed_so_far() {
    let chain = |length: usize| {
        let clones: String = (1..length).map(|n| format!("  R{n}: {{clone: R{}}}\n", n - 1)).collect();
        problems(&format!("extends: ftrack\nroles:\n  R0: {{grants: [read_bid]}}\n{clones}"))
    };
    assert_eq!(chain(16), "no problem");
    assert!(chain(30).contains("too many deep"), "{}", chain(30));
}

#[test]
fn a_kind_that_the_workspace_may_have_added_is_warned_of() {
    let policy = load("extends: ftrack\nrestrictions: [{name: r, kind: vendorpackage, statuses: [A], allow: []}]\n");
    assert_eq!(
        policy.expect("compiles").warnings.to_string(),
        "studio.yaml:2:32: restriction `r` restricts nothing unless the workspace has a kind of object `vendorpackage`"
    );
}

#[test]
fn changes_that_change_nothing_are_warned_of() {
    let policy = load(
        "extends: ftrack\nroles: {Lead: {clone: User, grants: {add: [can_access_projects], remove: [read_bid]}}}\n",
    );
    assert_eq!(
        policy.expect("compiles").warnings.to_string(),
        "studio.yaml:2:44: role `Lead` has `can_access_projects` already\nstudio.yaml:2:75: role `Lead` has no `read_bid` to remove"
    );
}

#[test]
fn the_pack_is_whole() {
    let policy = Policy::load("ftrack", None).expect("compiles");
    let mut rules = 0;
    for kind in &policy.schema.kinds {
        rules += policy.vocabulary(&kind.name).len();
    }
    // 17 of the studio, 10 of projects, 9 of each of the eleven kinds of object, 3 of versions, 4 each of lists, review
    // sessions, notes and timelogs.
    assert_eq!(rules, 17 + 10 + 11 * 9 + 3 + 4 * 4);
}
