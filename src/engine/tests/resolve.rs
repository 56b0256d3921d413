//! Who, which rule, on what, where: and what makes one question differ from another in the cache.

use std::borrow::Cow;
use std::collections::HashSet;

use super::*;
use crate::engine::CaseKey;
use crate::model::id::ObjectRef;

#[test]
fn subjects_are_found_by_what_the_tracker_calls_them() {
    let mut studio = Studio::new();
    let person = |id: &str, login: &str, email: &str| {
        let record = Record::new("person", id).with("active", true).with("role", Value::text("admin"));
        record.with("is_bot", false).with("desktop_login", Value::text(login)).with("email", Value::text(email))
    };
    for record in [
        person("one", "al", "al@x"),
        person("two", "bo", "bo@x"),
        person("three", "bo", "bo@x"),
        with(person("bot", "rb", "bot@x"), "is_bot", Value::from(true)),
        with(person("left", "le", "left@x"), "active", Value::from(false)),
        Record::new("person", "odd").with("role", Value::text("admin")),
    ] {
        studio.upsert(record);
    }
    let code = |subject| studio.decision(&Query::new(subject, "read", "project", "P")).code;
    for (subject, expected) in [
        (Subject::Person("one"), Reason::Granted),
        (Subject::Person("ONE"), Reason::SubjectUnknown),
        (Subject::Person(""), Reason::SubjectUnknown),
        (Subject::Login("al"), Reason::Granted),
        (Subject::Login("Al"), Reason::SubjectUnknown),
        (Subject::Login("one"), Reason::SubjectUnknown),
        (Subject::Login("bo"), Reason::SubjectUnknown),
        (Subject::Email("al@x"), Reason::Granted),
        (Subject::Email("bo@x"), Reason::SubjectUnknown),
        (Subject::Person("bot"), Reason::Granted),
        (Subject::Bot("bot"), Reason::Granted),
        (Subject::Bot("one"), Reason::SubjectUnknown),
        (Subject::Person("left"), Reason::SubjectInactive),
        (Subject::Login("le"), Reason::SubjectInactive),
        (Subject::Person("odd"), Reason::SubjectInactive),
    ] {
        assert_eq!(code(subject), expected, "{subject:?}");
    }
    studio.directory.apply([Change::Remove(ObjectRef::new("person", "one"))]);
    assert_eq!(studio.code("one", "read", "project", "P"), Reason::SubjectUnknown);
    studio.upsert(with(task(), "assignees", Value::texts(["not come yet"])));
    assert_eq!(studio.code("not come yet", "read", "project", "P"), Reason::SubjectUnknown);
}

#[test]
fn what_is_not_there_cannot_be_asked_about() {
    let mut studio = Studio::new();
    let code = |action, kind, id| studio.code("adm", action, kind, id);
    assert_eq!(code("fly", "task", "T"), Reason::ActionUnknown);
    assert_eq!(code("read", "tasks", "T"), Reason::ActionUnknown);
    assert_eq!(code("read", "entity", "S"), Reason::ActionUnknown, "only its kinds have rules");
    assert_eq!(code("read", "task", "nowhere"), Reason::ResourceUnknown);
    assert_eq!(code("read", "task", ""), Reason::ResourceUnknown);
    assert_eq!(code("read", "playlist", ""), Reason::ResourceUnknown, "nothing to be read on first use either");
    assert_eq!(code("read", "asset", "S"), Reason::ResourceUnknown, "the shot is no asset");
    assert_eq!(code("read", "shot", "S"), Reason::Granted);
    studio
        .directory
        .apply([Change::Remove(ObjectRef::new("task", "T")), Change::Remove(ObjectRef::new("comment", "C"))]);
    assert_eq!(studio.code("adm", "read", "task", "T"), Reason::ResourceUnknown);
    assert_eq!(studio.code("adm", "read", "comment", "C"), Reason::ResourceUnknown, "known to be gone");
}

#[test]
fn a_project_is_named_where_nothing_else_can_be() {
    let studio = Studio::new();
    let code = |person, action, kind, project: Option<&str>| {
        let mut query = Query::new(Subject::Person(person), action, kind, "");
        query.project = project.map(Id::from);
        studio.decision(&query).code
    };
    assert_eq!(code("man", "create", "shot", Some("P")), Reason::Granted);
    assert_eq!(code("man", "create", "shot", None), Reason::ResourceUnknown);
    assert_eq!(code("man", "create", "shot", Some("Q")), Reason::ResourceUnknown);
    assert_eq!(code("out", "create", "shot", Some("P")), Reason::NotMember);
    assert_eq!(code("adm", "create", "project", None), Reason::Granted);
    assert_eq!(code("man", "create", "project", Some("P")), Reason::NoGrant, "a right of the site, not of a project");
    assert_eq!(code("man", "read", "event", None), Reason::Granted);
    assert_eq!(code("man", "read", "event", Some("Q")), Reason::ResourceUnknown);
    assert_eq!(code("art", "read", "event", Some("P")), Reason::NoGrant);
}

#[test]
fn the_project_that_a_caller_names_never_replaces_the_mirrors() {
    let mut studio = Studio::new();
    studio.upsert(Record::new("project", "Q").with("project_status_id", Value::text("open")));
    studio.upsert(with(task(), "assignees", Value::texts([])));
    let member = Member::new(Id::from("out"), Some(Str::from("manager")));
    studio.directory.apply([Change::Team { project: Id::from("Q"), members: vec![member] }]);
    let mut query = Query::new(Subject::Person("out"), "read", "task", "T");
    assert_eq!(studio.decision(&query).code, Reason::NotMember);
    query.project = Some(Id::from("Q"));
    assert_eq!(studio.decision(&query).code, Reason::NotMember);
}

#[test]
fn a_field_has_its_own_rule() {
    let studio = Studio::under(
        "rules:
  task.update:
    any: [team + role:manager]
    fields:
      data.*: [team + role:client]
      data.secret*: [team + role:vendor]
      data.secret: [admin]
      data: [team + role:user]",
    );
    let may = |field: &str| {
        let allowed = |person: &&&str| {
            let mut query = Query::new(Subject::Person(person), "update", "task", "T");
            query.field = field;
            studio.decision(&query).allowed()
        };
        ["adm", "man", "sup", "art", "cli", "ven"].iter().filter(allowed).copied().collect::<Vec<_>>()
    };
    assert_eq!(may(""), ["man"]);
    assert_eq!(may("name"), ["man"]);
    assert_eq!(may("data"), ["art"]);
    assert_eq!(may("data."), ["cli"]);
    assert_eq!(may("data.x"), ["cli"]);
    assert_eq!(may("data.secret"), ["adm"], "the exact name before the open one");
    assert_eq!(may("data.secrets"), ["ven"], "the longer open name before the shorter");
    assert_eq!(may("data.secre"), ["cli"]);
    assert_eq!(may("dat"), ["man"]);
    assert_eq!(may("Data"), ["man"]);
}

#[test]
fn the_value_must_be_one_that_the_tracker_has() {
    let mut studio = Studio::new();
    let ask = |studio: &Studio, person: &str, action: &str, value: Option<Value>| {
        let mut query = Query::new(Subject::Person(person), action, "task", "T");
        query.value = value.map(Cow::Owned);
        studio.decision(&query).code
    };
    assert_eq!(ask(&studio, "art", "comment", None), Reason::Granted, "the status stays");
    assert_eq!(ask(&studio, "art", "comment", Some(Value::Null)), Reason::Granted);
    assert_eq!(ask(&studio, "art", "comment", Some(Value::text("wip"))), Reason::Granted);
    assert_eq!(ask(&studio, "art", "comment", Some(Value::text("done"))), Reason::Restricted);
    assert_eq!(ask(&studio, "cli", "comment", Some(Value::text("done"))), Reason::Granted);
    assert_eq!(ask(&studio, "art", "comment", Some(Value::text("WIP"))), Reason::ResourceUnknown);
    assert_eq!(ask(&studio, "man", "comment", Some(Value::text(""))), Reason::ResourceUnknown);
    assert_eq!(ask(&studio, "man", "assign", Some(Value::text("art"))), Reason::Granted);
    assert_eq!(ask(&studio, "man", "assign", Some(Value::text("nobody"))), Reason::ResourceUnknown);
    let texts = |texts: &[&str]| Value::texts(texts.iter().copied());
    // `art` may set `wip`, not `done`; and take himself off the task, not others.
    for odd in [
        texts(&["wip", "done"]),
        texts(&["art", "cli"]),
        texts(&["art", "nobody"]),
        texts(&[]),
        Value::Bool(true),
        Value::Number(1.0),
        Value::Map(Vec::new()),
    ] {
        for (person, action) in [("art", "comment"), ("art", "unassign"), ("man", "comment"), ("man", "assign")] {
            let code = ask(&studio, person, action, Some(odd.clone()));
            assert_eq!(code, Reason::ResourceUnknown, "{person} {action} {odd:?}");
        }
    }
    studio.directory.apply([Change::Remove(ObjectRef::new("task_status", "wip"))]);
    assert_eq!(ask(&studio, "art", "comment", Some(Value::text("wip"))), Reason::ResourceUnknown);
    assert_eq!(
        ask(&studio, "art", "comment", None),
        Reason::Indeterminate,
        "of the task's own status nothing is known"
    );
}

fn properties(entries: &[(&str, Value)]) -> Option<Cow<'static, Value>> {
    Some(Cow::Owned(Value::Map(entries.iter().map(|(name, value)| (Str::from(*name), value.clone())).collect())))
}

#[test]
fn properties_tell_of_what_the_mirror_does_not_hold() {
    let mut studio = Studio::new();
    let ask = |studio: &Studio, person: &str, entries: &[(&str, Value)], complete: bool| {
        let mut query = Query::new(Subject::Person(person), "read", "playlist", "L");
        query.project = Some(Id::from("P"));
        query.properties = properties(entries);
        query.complete = complete;
        studio.outcome(&query).map(|outcome| (outcome.decision.code, outcome.cacheable))
    };
    let shown = ("for_client", Value::from(true));
    assert_eq!(ask(&studio, "cli", std::slice::from_ref(&shown), false), Ok((Reason::Granted, false)), "never cached");
    assert_eq!(ask(&studio, "cli", &[("for_client", Value::from(false))], false), Ok((Reason::NoGrant, false)));
    assert_eq!(ask(&studio, "cli", &[("for_client", Value::text("true"))], false), Ok((Reason::NoGrant, false)));
    assert_eq!(ask(&studio, "cli", &[], true), Ok((Reason::NoGrant, false)), "whole, so it is absent");
    assert_eq!(ask(&studio, "cli", &[], false).map(|(code, _)| code), Ok(Reason::Indeterminate));
    assert_eq!(ask(&studio, "art", &[], false).map(|(code, _)| code), Ok(Reason::Granted), "not needed");
    studio.upsert(Record::new("playlist", "L").in_project("P").with("for_client", false));
    assert_eq!(ask(&studio, "cli", &[shown], false), Ok((Reason::NoGrant, true)), "the mirror wins where it holds it");
}

#[test]
fn what_is_read_on_first_use_is_asked_for() {
    let mut studio = Studio::new();
    let missing = |studio: &Studio, query: &Query<'_>| {
        let view = studio.directory.view();
        let mut missing = match crate::engine::resolve_told(&studio.policy, view, query) {
            Resolved::Missing(object) => vec![object],
            Resolved::Case(case) => crate::engine::decide(view, &case).missing.into_vec(),
            Resolved::Decided { decision, .. } => panic!("{decision:?}"),
        };
        missing.dedup();
        missing
    };
    let comment = Query::new(Subject::Person("art"), "delete", "comment", "C");
    assert_eq!(missing(&studio, &comment), [ObjectRef::new("comment", "C")]);
    let on_task = Query::new(Subject::Person("sup"), "comment", "task", "T");
    assert_eq!(
        missing(&studio, &on_task),
        [ObjectRef::new("task_mentions", "T")],
        "a supervisor of another department"
    );
    for person in ["man", "art", "out"] {
        let query = Query::new(Subject::Person(person), "comment", "task", "T");
        assert_eq!(missing(&studio, &query), [], "{person} is answered without the mentions");
    }
    studio.upsert(Record::new("task_mentions", "T").with("mentions", Value::texts(["sup"])));
    let outcome = studio.outcome(&on_task).expect("is a case");
    assert_eq!(outcome.decision.code, Reason::Granted);
    studio.upsert(Record::new("task_mentions", "T").with("mentions", Value::texts([])));
    assert_eq!(studio.decision(&on_task).code, Reason::Indeterminate, "the record says nothing about departments");
    assert_eq!(missing(&studio, &on_task), [], "and reading it again would not help");
}

fn key(studio: &Studio, query: &Query<'_>) -> Option<CaseKey> {
    let view = studio.directory.view();
    match crate::engine::resolve_told(&studio.policy, view, query) {
        Resolved::Case(case) => case.key(view),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_part_of_a_question_is_in_its_key() {
    let mut studio = Studio::new();
    studio.upsert(Record::new("project", "Q").with("project_status_id", Value::text("open")));
    for shot in ["S2", "S3"] {
        studio.upsert(Record::new("shot", shot).in_project("P"));
    }
    studio.upsert(Record::new("asset", "A").in_project("P"));
    type Part = (
        &'static str,
        &'static str,
        &'static str,
        &'static str,
        &'static str,
        Option<&'static str>,
        Option<&'static str>,
    );
    let parts: [Part; 17] = [
        ("man", "read", "task", "T", "", None, None),
        ("sup", "read", "task", "T", "", None, None),
        ("man", "delete", "task", "T", "", None, None),
        ("man", "update", "task", "T", "", None, None),
        ("man", "update", "task", "T", "priority", None, None),
        ("man", "read", "shot", "S", "", None, None),
        ("man", "read", "shot", "S2", "", None, None),
        ("man", "read", "asset", "A", "", None, None),
        ("man", "update", "shot", "S", "data.a", None, None),
        ("man", "update", "shot", "S", "data.b", None, None),
        ("man", "comment", "task", "T", "", None, None),
        ("man", "comment", "task", "T", "", Some("wip"), None),
        ("man", "comment", "task", "T", "", Some("done"), None),
        ("man", "create", "shot", "", "", None, Some("P")),
        ("man", "create", "shot", "", "", None, Some("Q")),
        ("man", "create", "asset", "", "", None, Some("P")),
        ("man", "read", "event", "", "", None, None),
    ];
    let mut keys = HashSet::new();
    for part in parts {
        let (person, action, kind, id, field, value, project) = part;
        let mut query = Query::new(Subject::Person(person), action, kind, id);
        query.field = field;
        query.value = value.map(|value| Cow::Owned(Value::text(value)));
        query.project = project.map(Id::from);
        let made = key(&studio, &query).unwrap_or_else(|| panic!("{part:?} has no key"));
        assert!(keys.insert(made), "{part:?} has the key of another");
    }
}

#[test]
fn what_a_rule_does_not_look_at_is_not_in_the_key() {
    let studio = Studio::new();
    let plain = Query::new(Subject::Person("man"), "read", "task", "T");
    let mut decorated = plain.clone();
    decorated.field = "name";
    decorated.value = Some(Cow::Owned(Value::text("no such thing")));
    decorated.project = Some(Id::from("anywhere"));
    decorated.context = properties(&[("ip", Value::text("::1"))]);
    assert_eq!(key(&studio, &plain), key(&studio, &decorated));
    let mut described = Query::new(Subject::Person("man"), "read", "playlist", "L");
    described.project = Some(Id::from("P"));
    described.properties = properties(&[]);
    assert_eq!(key(&studio, &described), None, "what the caller tells alone is not cached");
    let long = format!("data.{}", "x".repeat(1_000));
    let mut endless = Query::new(Subject::Person("man"), "update", "shot", "S");
    endless.field = &long;
    assert_eq!(key(&studio, &endless), None, "nor can it be filled with names that are made up");
}

#[test]
fn a_decision_names_its_rule() {
    let studio = Studio::new();
    let said = |person: &str, action: &str| {
        let decision = studio.decision(&Query::new(Subject::Person(person), action, "task", "T"));
        let said = studio.policy.said(decision);
        (said.rule.clone(), said.text.clone())
    };
    let (rule, text) = said("man", "delete");
    assert_eq!(
        (rule.as_str(), text.as_str()),
        ("kitsu/task.delete#1", "in the project's team and Production Manager here")
    );
    let (rule, text) = said("out", "delete");
    assert_eq!(rule, "kitsu/task.delete");
    assert_eq!(
        text,
        "not in the project's team; this takes: Studio Manager of the studio, or in the project's team and Production Manager here"
    );
    let (rule, _) = said("art", "publish");
    assert_eq!(rule, "kitsu/task.publish#1", "one word of the rule stands for all the ways");
    let mut query = Query::new(Subject::Person("art"), "comment", "task", "T");
    query.value = Some(Cow::Owned(Value::text("done")));
    let said = studio.policy.said(studio.decision(&query));
    assert_eq!(
        (said.rule.as_str(), said.text.as_str()),
        ("kitsu/task.comment!1", "this needs besides: the status may be set by this role")
    );
    let said = studio.policy.said(Decision::deny(Reason::Stale));
    assert_eq!(
        (said.rule.as_str(), said.text.as_str()),
        ("", "what is known of the tracker is older than the bound in force")
    );
}
