//! Actions and filters of a studio's own, over the Kitsu pack: its rights are its roles and atoms.

use super::{Studio, kitsu};
use crate::engine::policy::Policy;
use crate::model::decision::Reason;
use crate::model::query::{Query, Subject};
use crate::model::value::Value;

fn code(studio: &Studio, person: &str, action: &str) -> Reason {
    studio.code(person, action, "task", "T")
}

#[test]
fn an_action_of_the_studios_own() {
    let studio = Studio::under(
        r#"
actions:
  task:
    - {id: render, label: Render a preview, requiredRights: "manager|assigned+!vendor",
       filters: [{key: task_status_id.short_name, values: [wip, retake]}]}
    - {label: For everybody in the team}
    - {id: bosses, requiredRoles: "name[Production Manager]|name[admin]"}
    - {id: shots, requiredRights: "user|supervisor", filters: [{operator: OR, filters: [
        {key: task.entity_id, values: [nothing]}, {key: project.name, values: [Alpha]}, {key: userRights.manager, values: [true]}]}]}
"#,
    );
    use Reason::{Granted, NoGrant, NotMember, Restricted};
    for (person, render, all, bosses, shots) in [
        ("man", Granted, Granted, Granted, NoGrant),
        ("art", Granted, Granted, Restricted, Granted),
        ("sup", NoGrant, Granted, Restricted, Granted),
        ("ven", NoGrant, Granted, Restricted, NoGrant),
        ("adm", NoGrant, Granted, Granted, NoGrant),
        ("out", NotMember, NotMember, NotMember, NotMember),
    ] {
        let got =
            ["render", "For everybody in the team", "bosses", "shots"].map(|action| code(&studio, person, action));
        assert_eq!(got, [render, all, bosses, shots], "{person}");
    }
    let explained = studio.explain(&Query::new(Subject::Person("sup"), "render", "task", "T"));
    assert_eq!(
        explained.would_allow,
        ["role Production Manager in the project Alpha (P)", "be assigned to the task Animation / SH010 (T)"]
    );
    let listed = studio.policy.list(studio.directory.view(), &Query::new(Subject::Person("art"), "", "task", "T"));
    let labels: Vec<_> = listed.unwrap().into_iter().map(|listed| listed.label).collect();
    assert_eq!(labels[..2], ["Render a preview", "For everybody in the team"], "the studio's own come first");
    assert!(labels.contains(&"Comment".to_owned()) && labels.contains(&"Update (priority)".to_owned()), "{labels:?}");
}

#[test]
fn a_named_filter_in_a_rule() {
    let studio = Studio::under(
        r#"
filters:
  in_work: {key: task_status_id.short_name, values: [wip]}
  finished: [{key: task_status_id.short_name, values: [done]}, {key: project.name, values: [Alpha]}]
rules:
  task.publish: ["team + filter:in_work + !filter:finished"]
  task.deliver: ["team + filter:finished"]
"#,
    );
    assert_eq!(code(&studio, "art", "publish"), Reason::Granted);
    assert_eq!(code(&studio, "art", "deliver"), Reason::NoGrant);
}

#[test]
fn a_filter_of_the_call_itself() {
    let studio = Studio::under(
        r#"
filters:
  inside: {key: context.network, values: [studio]}
rules:
  task.publish: ["team + filter:inside"]
  task.deliver: ["team + !filter:inside"]
"#,
    );
    let ask = |action: &'static str, network: Option<&str>| {
        let context = network.map(|name| Value::Map(vec![("network".into(), Value::text(name))]));
        let query = Query {
            context: context.map(std::borrow::Cow::Owned),
            ..Query::new(Subject::Person("art"), action, "task", "T")
        };
        let outcome = studio.outcome(&query).expect("a rule decides");
        (outcome.decision.code, outcome.cacheable)
    };
    assert_eq!(ask("publish", Some("studio")), (Reason::Granted, false));
    assert_eq!(ask("publish", Some("home")), (Reason::NoGrant, false));
    assert_eq!(ask("publish", None).0, Reason::Indeterminate);
    assert_eq!(ask("deliver", None).0, Reason::Indeterminate, "what is not told is not known to be otherwise");
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_what_is_odd_is_a_warning() {
    for (text, told) in [
        ("actions: {task: [{id: a, requiredRights: '!!x'}]}", "studio.yaml:2:23: `a`: requiredRights: `!!x`"),
        (
            "actions: {task: [{id: a, requiredRights: managr}]}",
            "`a`: there is no right `managr`; did you mean `manager`?",
        ),
        ("actions: {task: [{id: a, filters: [{key: nom, values: [x]}]}]}", "kind `task` has no field `nom`"),
        ("actions: {task: [{id: a, requiredRoles: 'name[Boss]'}]}", "requiredRoles: there is no role `Boss`"),
        ("actions: {tusk: [{id: a}]}", "there is no kind `tusk`; did you mean `task`?"),
        ("actions: {task: [{requiredRights: manager}]}", "an action needs an `id:` or a `label:`"),
        (
            "actions: {task: [{id: a, requiredRigths: manager}]}",
            "unknown key `requiredRigths`; did you mean `requiredRights`?",
        ),
        ("actions: {task: [{id: a}, {id: a}]}", "`task.a` has a rule already"),
        ("filters: {done: {key: x, values: [1]}}", "no rule names `filter:done`"),
        ("actions: {task: [{id: delete}]}", "the pack has `task.delete`; give your action another `id:`"),
        ("actions: {task: [{id: a, requiredRights: }]}", "`requiredRights:` has nothing behind its colon"),
        ("filters: {x: }\nrules: {task.read: ['filter:x']}", "filter `x` says nothing"),
        ("filters: {x: []}\nrules: {task.read: ['filter:x']}", "filter `x` says nothing"),
        ("rules: {task.read: ['filter:none']}", "there is no filter `none`"),
        (
            "filters: {done: {key: nom, values: [1]}}\nrules: {task.read: ['filter:done']}",
            "filter `done`: filters.key: `nom`",
        ),
    ] {
        let overlay = format!("extends: kitsu\n{text}\n");
        let problems = Policy::load("kitsu", Some(("studio.yaml", &overlay))).expect_err(text).to_string();
        assert!(problems.contains(told), "{text}: {problems}");
    }
    let policy = kitsu("actions: {task: [{id: a, requiredRights: '(manager|supervisor)+assigned'}]}");
    let warnings = policy.warnings.to_string();
    assert!(warnings.contains("studio.yaml:2:42") && warnings.contains("parentheses are not read"), "{warnings}");
    let overlay = "extends: limecraft\nrules: {production.x: ['team + !right:LIBRARY_SHRE']}\n";
    let problems = Policy::load("limecraft", Some(("studio.yaml", overlay))).expect_err("is misspelt").to_string();
    assert!(problems.contains("nobody knows the right `LIBRARY_SHRE`; did you mean `LIBRARY_SHARE`?"), "{problems}");
}
