//! A permission page over a mirror that there is already.

use crate::engine::policy::Policy;

const ROLES: &str = "
extends: flow
extra_types: [CustomEntity07]
conditions:
  mine: {path: task_assignees, relation: is, values: [&me {type: HumanUser, id: 0, valid: logged_in_user_token}]}
  of_shot: {path: tasks.Task.task_reviewers.Group.users, relation: is, values: [*me]}
roles:
  lead:
    types:
      Task: {see: mine, edit: {path: sg_priority, relation: is, values: [high]}}
      Shot: {see: of_shot}
      CustomEntity07: {see: yes}
";

#[test]
fn a_file_that_needs_less_fits_the_mirror_and_one_that_needs_more_says_what() {
    let roles =
        |text: &str, mirror: &Policy| Policy::load_over("flow", Some(("r.yaml", text)), &mirror.schema).unwrap();
    let alone = Policy::load("flow", Some(("r.yaml", ROLES))).unwrap();
    let less = ROLES.replace("{see: mine, edit: {path: sg_priority, relation: is, values: [high]}}", "{see: yes}");
    let less = less.replace("Shot: {see: of_shot}", "Shot: {see: yes}");
    assert_eq!(alone.schema.lacks(&roles(&less, &alone).schema), None);
    assert_eq!(alone.schema.lacks(&roles(ROLES, &alone).schema), None);
    // The other way round it needs fields that are not there.
    let small = Policy::load("flow", Some(("r.yaml", &less))).unwrap();
    assert_eq!(small.schema.lacks(&roles(ROLES, &small).schema).as_deref(), Some("task.sg_priority"));
    let fewer_types =
        less.replace("extra_types: [CustomEntity07]\n", "").replace("      CustomEntity07: {see: yes}\n", "");
    assert!(small.schema.lacks(&roles(&fewer_types, &small).schema).is_some(), "a type is no longer served");
}

#[test]
fn only_fields_that_a_condition_looks_at_are_mirrored() {
    let fields = |policy: &Policy, kind: &str| -> Vec<String> {
        let no = policy.schema.kind_no(kind).unwrap();
        policy.schema.kind(no).unwrap().fields.iter().map(|field| field.name.to_string()).collect()
    };
    let roles = Policy::load("flow", Some(("r.yaml", ROLES))).unwrap();
    assert_eq!(fields(&roles, "custom_entity07"), [""; 0]);
    assert!(fields(&roles, "task").contains(&"sg_priority".to_owned()));
    // One end of a link is enough: a shot's tasks are found by the tasks' shots.
    let shot = roles.schema.kind(roles.schema.kind_no("shot").unwrap()).unwrap();
    assert_eq!(shot.backs.iter().map(|back| back.name.as_str()).collect::<Vec<_>>(), ["tasks"]);
    assert!(
        !fields(&roles, "shot").contains(&"tasks".to_owned()) && fields(&roles, "task").contains(&"entity".to_owned())
    );
}

#[test]
fn what_would_silently_mean_nothing_is_an_error() {
    let told = |text: &str| match Policy::load("flow", Some(("r.yaml", &format!("extends: flow\n{text}")))) {
        Ok(_) => "no problem".to_owned(),
        Err(problems) => problems.to_string(),
    };
    for (text, expected) in [
        ("read_only: {'*': [sg_budget]}", "r.yaml:2:13: there is no entity type `*`"),
        ("read_only: {Task: ['sg_*']}", "r.yaml:2:20: `sg_*`: fields are named one by one"),
        (
            "roles: {r: {types: {Task: {fields: {'sg_*': {edit: no}}}}}}",
            "r.yaml:2:37: `sg_*`: fields are named one by one",
        ),
        ("extra_types: [Site]", "r.yaml:2:15: `Site` is served already, or its name in questions is taken"),
        ("extra_types: [EntityType]", "r.yaml:2:15: `EntityType` is served already, or its name"),
        (
            "roles: {r: {types: {Task: {see: {path: entity, relation: type_is_not, values: ['*']}}}}}",
            "r.yaml:2:33: there is no entity type `*`",
        ),
        (
            "roles: {r: {types: {Task: {see: {path: entity.*.code, relation: is, values: [x]}}}}}",
            "r.yaml:2:40: `entity.*.code`: there is no entity type `*`",
        ),
    ] {
        assert!(told(text).starts_with(expected), "{text}: {}", told(text));
    }
}
