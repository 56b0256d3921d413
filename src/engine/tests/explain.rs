//! The words that a production person gets.

use std::borrow::Cow;

use super::*;
use crate::engine::{Step, StepOutcome};

fn lines(steps: &[Step], depth: usize, lines: &mut Vec<String>) {
    for step in steps {
        let mark = match step.outcome {
            StepOutcome::Held => '+',
            StepOutcome::Failed => '-',
            StepOutcome::Unknown => '?',
        };
        lines.push(format!("{}{mark} {}: {}", "  ".repeat(depth), step.rule, step.text));
        self::lines(&step.steps, depth + 1, lines);
    }
}

fn told(studio: &Studio, query: &Query<'_>) -> (String, Vec<String>) {
    let explained = studio.explain(query);
    let mut all = Vec::new();
    lines(&explained.steps, 0, &mut all);
    assert_eq!(explained.outcome.decision, studio.decision(query), "explained and decided alike");
    (all.join("\n"), explained.would_allow)
}

fn ask<'q>(person: &'q str, action: &'q str, value: Option<&str>) -> Query<'q> {
    let mut query = Query::new(Subject::Person(person), action, "task", "T");
    query.value = value.map(|value| Cow::Owned(Value::text(value)));
    query
}

const STUDIO_MANAGER: &str = "site-wide role Studio Manager";
const PRODUCTION_MANAGER: &str = "role Production Manager in the project Alpha (P)";

#[test]
fn a_supervisor_of_another_department_reads_which() {
    let (text, would_allow) = told(&Studio::new(), &ask("sup", "set_priority", None));
    let expected = "\
- kitsu/task.set_priority#1: manage
  - site_role:admin: not Studio Manager of the studio
  + team: in the project's team
  - role:manager: Supervisor here, not Production Manager
- kitsu/task.set_priority#2: supervise_task
  + team: in the project's team
  + role:supervisor: Supervisor here
  - department_covered: as Supervisor covers Lighting, not Animation";
    assert_eq!(text, expected);
    assert_eq!(would_allow, [STUDIO_MANAGER, PRODUCTION_MANAGER, "be in the department Animation"]);
}

#[test]
fn an_artist_reads_what_he_is_not_assigned_to() {
    let mut studio = Studio::new();
    studio.upsert(with(task(), "assignees", Value::texts([])));
    studio.upsert(
        Record::new("task_mentions", "T")
            .with("mentions", Value::texts([]))
            .with("department_mentions", Value::texts([])),
    );
    let (text, would_allow) = told(&studio, &ask("art", "comment", Some("wip")));
    assert!(text.contains("  - assigned: not assigned to the task Animation / SH010 (T)\n"), "{text}");
    assert!(text.contains("  - mentioned: not mentioned in the comments of Animation / SH010 (T)\n"), "{text}");
    assert!(text.contains("  - creator: did not create SH010 (S)\n"), "{text}");
    assert!(would_allow.contains(&"be assigned to the task Animation / SH010 (T)".to_owned()), "{would_allow:?}");
    assert!(would_allow.len() <= 5, "{would_allow:?}");
}

#[test]
fn an_outsider_reads_of_the_team() {
    let studio = Studio::new();
    let (text, would_allow) = told(&studio, &ask("out", "read", None));
    assert!(text.contains("  - team: not in the team of the project Alpha (P)\n"), "{text}");
    assert_eq!(would_allow, [STUDIO_MANAGER, "be in the team of the project Alpha (P)"]);
    let (_, would_allow) = told(&studio, &ask("out", "delete", None));
    assert_eq!(would_allow, [STUDIO_MANAGER], "one grant rather than two");
}

#[test]
fn a_vendor_reads_what_no_grant_of_a_role_mends() {
    let (text, would_allow) = told(&Studio::new(), &ask("ven", "read", None));
    assert!(text.contains("  - entity_assigned: not assigned to any task of SH010 (S)"), "{text}");
    assert_eq!(would_allow, ["be assigned to a task of SH010 (S)"]);
}

#[test]
fn a_restriction_is_told_after_the_alternatives() {
    let mut studio = Studio::new();
    let query = ask("art", "comment", Some("done"));
    let (text, would_allow) = told(&studio, &query);
    assert!(text.starts_with("+ kitsu/task.comment#1: act_on_task\n"), "{text}");
    let end = "
- kitsu/task.comment!1: must hold besides
  - status_allowed: as Artist may not set the status done";
    assert!(text.ends_with(end), "{text}");
    assert_eq!(would_allow, [""; 0], "nobody can be given that");
    studio.role_here("art", "vendor");
    let (text, would_allow) = told(&studio, &query);
    assert!(
        text.contains("  - role:manager: Vendor here, not Production Manager\n"),
        "the role in the project: {text}"
    );
    assert!(text.ends_with("+ status_allowed: the status may be set by this role"), "{text}");
    assert_eq!(would_allow, [""; 0], "granted");
}

#[test]
fn what_is_granted_next_is_looked_for_among_the_alternatives_first() {
    let (text, would_allow) = told(&Studio::new(), &ask("art", "log_time", Some("out")));
    assert!(text.contains("  - value_is_self: it is about Out Sider (out), not about Art Ist (art)\n"), "{text}");
    assert!(
        text.contains("  - value_assigned: Out Sider is not assigned to the task Animation / SH010 (T)\n"),
        "{text}"
    );
    assert_eq!(would_allow, [STUDIO_MANAGER, PRODUCTION_MANAGER]);
}

#[test]
fn what_is_not_known_says_so() {
    let studio = Studio::new();
    let (text, _) = told(&studio, &ask("sup", "comment", None));
    assert!(text.contains("\n? kitsu/task.comment#2: mentioned_in_task + status_unchanged\n"), "{text}");
    assert!(text.contains("  ? mentioned: not known: mentioned in the task's comments\n"), "{text}");
    let missing = studio.explain(&ask("man", "comment", None)).outcome.missing;
    assert!(!missing.is_empty(), "every alternative is told, so what any of them needs is read");
}

#[test]
fn names_come_from_the_mirror_and_ids_stand_in_for_them() {
    let mut studio = Studio::new();
    studio.upsert(with(task(), "task_type_id", Value::text("tt2")));
    studio.upsert(Record::new("shot", "S").in_project("P").with("created_by", Value::Null));
    let (text, _) = told(&studio, &ask("sup", "set_priority", None));
    assert!(text.ends_with("  ? department_covered: not known: covers the task's department"), "{text}");
    studio.upsert(Record::new("task_type", "tt2").with("department_id", Value::text("never came")));
    let (text, _) = told(&studio, &ask("sup", "set_priority", None));
    assert!(text.ends_with("  - department_covered: as Supervisor covers Lighting, not never came"), "{text}");
    studio.upsert(Record::new("task_type", "tt2").with("department_id", Value::Null));
    let (text, would_allow) = told(&studio, &ask("sup", "set_priority", None));
    assert!(text.ends_with("  - department_covered: as Supervisor covers Lighting, not (none)"), "{text}");
    assert_eq!(would_allow, [STUDIO_MANAGER, PRODUCTION_MANAGER], "no department to be put into");
}

#[test]
fn a_name_that_means_nothing_is_told() {
    let mut studio = Studio::new();
    studio.upsert(Record::new("asset", "A").named("Rock").in_project("P").with("created_by", Value::Null));
    for (login, id) in [("two", "one"), ("two", "other")] {
        let record = Record::new("person", id).with("active", true).with("is_bot", false).with("role", Some("user"));
        studio.upsert(record.with("desktop_login", Some(login)));
    }
    let person = |id: &'static str| Query::new(Subject::Person(id), "comment", "task", "T");
    let by = |subject| Query::new(subject, "comment", "task", "T");
    let on = |action: &'static str, kind: &'static str, id| Query::new(Subject::Person("art"), action, kind, id);
    let value = |value: &str| Query { value: Some(Cow::Owned(Value::text(value))), ..person("art") };
    let in_project = |id: &str| Query { project: Some(Id::from(id)), ..on("create", "shot", "") };
    for (query, told) in [
        (person("arf"), "the mirror has no person `arf`"),
        (by(Subject::Login("ada")), "nobody has the login `ada`"),
        (by(Subject::Login("two")), "several people have the login `two`"),
        (by(Subject::Email("a@b.c")), "nobody has the e-mail address `a@b.c`"),
        (by(Subject::Bot("art")), "`art` is a person, not a bot"),
        (on("coment", "task", "T"), "there is no action `coment` for kind task; did you mean `comment`?"),
        (on("comment", "tsk", "T"), "there is no kind `tsk`; did you mean `task`?"),
        (on("read", "shot", "A"), "`A` is of kind asset, not shot"),
        (on("read", "shot", "X"), "the mirror has no shot `X`"),
        (on("read", "shot", ""), "`shot.read` needs the id of the object"),
        (on("create", "shot", ""), "`shot.create` needs a `project`"),
        (in_project("Q"), "the mirror has no project `Q`"),
        (value("nowhere"), "the mirror has no task_status `nowhere`"),
    ] {
        let view = studio.directory.view();
        let Resolved::Decided { decision, .. } = crate::engine::resolve_told(&studio.policy, view, &query) else {
            panic!("{told}: a rule was reached");
        };
        let steps = crate::engine::unknown(&studio.policy, view, &query, decision.code);
        let texts: Vec<_> = steps.iter().map(|step| step.text.as_str()).collect();
        assert_eq!(texts, [told], "{:?}", decision.code);
    }
}
