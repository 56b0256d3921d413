//! Three values: what is not known never allows, nor does its negation, and what is known is not held up by it.

use super::*;

const WORDS: [&str; 3] = ["yes", "no", "unknown"];

/// The words `yes`, `no` and `unknown` of a condition, replaced by sentences that are so.
fn sentences(text: &str) -> String {
    // The type of the task has not come, so its department is not known.
    let text = text.replace("unknown", "task_department is empty");
    text.replace("yes", "subject is subject").replace("no!", "subject is not subject")
}

/// Asks two rules, `expression` and its opposite if it has one, about a task whose type is not known.
fn studio(overlay: &str) -> Studio {
    let mut studio = Studio::under(overlay);
    studio.upsert(with(task(), "task_type_id", Value::text("a type that never came")));
    studio
}

fn word(code: Reason) -> &'static str {
    match code {
        Reason::Granted => "yes",
        Reason::NoGrant | Reason::NotMember => "no",
        Reason::Indeterminate => "unknown",
        other => panic!("{other:?}"),
    }
}

/// The truth of a condition; the negated atom must be its mirror image.
fn condition(when: &str) -> &'static str {
    let when = sentences(when);
    let atom = format!("atoms: {{probe: {{says: a probe, when: {when}}}}}");
    let studio = studio(&format!("{atom}\nrules: {{task.read: [probe], task.publish: ['!probe']}}"));
    let truth = word(studio.code("art", "read", "task", "T"));
    let opposite = match truth {
        "yes" => "no",
        "no" => "yes",
        other => other,
    };
    assert_eq!(word(studio.code("art", "publish", "task", "T")), opposite, "{when}");
    truth
}

/// The truth of a rule that is made of the atoms `yes`, `no` and `unknown`.
fn rule(body: &str) -> Reason {
    let atoms: Vec<_> = [("yes", "yes"), ("no", "no!"), ("unknown", "unknown")]
        .iter()
        .map(|(name, when)| format!("  {name}: {{says: {name}, when: {}}}", sentences(when)))
        .collect();
    let studio = studio(&format!("atoms:\n{}\nrules: {{task.read: {body}}}", atoms.join("\n")));
    studio.code("art", "read", "task", "T")
}

fn leaf(word: &str) -> &str {
    if word == "no" { "no!" } else { word }
}

fn and(a: &'static str, b: &'static str) -> &'static str {
    match (a, b) {
        ("no", _) | (_, "no") => "no",
        ("yes", "yes") => "yes",
        _ => "unknown",
    }
}

fn or(a: &'static str, b: &'static str) -> &'static str {
    match (a, b) {
        ("yes", _) | (_, "yes") => "yes",
        ("no", "no") => "no",
        _ => "unknown",
    }
}

#[test]
fn conditions_have_three_values() {
    for a in WORDS {
        assert_eq!(condition(leaf(a)), a);
        let opposite = match a {
            "yes" => "no",
            "no" => "yes",
            other => other,
        };
        assert_eq!(condition(&format!("{{not: {}}}", leaf(a))), opposite);
        for b in WORDS {
            let (x, y) = (leaf(a), leaf(b));
            assert_eq!(condition(&format!("[{x}, {y}]")), and(a, b), "{a} and {b}");
            assert_eq!(condition(&format!("{{all: [{x}, {y}]}}")), and(a, b), "{a} and {b}");
            assert_eq!(condition(&format!("{{any: [{x}, {y}]}}")), or(a, b), "{a} or {b}");
            assert_eq!(condition(&format!("{{not: {{any: [{x}, {{not: {y}}}]}}}}")), {
                let not_b = condition(&format!("{{not: {y}}}"));
                condition(&format!("{{not: {}}}", leaf(or(a, not_b))))
            });
        }
    }
    assert_eq!(condition("{all: []}"), "yes");
    assert_eq!(condition("{any: []}"), "no");
}

#[test]
fn rules_have_three_values() {
    for a in WORDS {
        for b in WORDS {
            assert_eq!(word(rule(&format!("[{a} + {b}]"))), and(a, b), "{a} + {b}");
            assert_eq!(word(rule(&format!("[{a}, {b}]"))), or(a, b), "{a}, {b}");
        }
    }
    assert_eq!(rule("['!unknown']"), Reason::Indeterminate);
    assert_eq!(rule("['yes + !no']"), Reason::Granted);
    assert_eq!(rule("['unknown + !yes']"), Reason::NoGrant);
    assert_eq!(rule("['unknown + !unknown']"), Reason::NoGrant, "a thing and its opposite never hold together");
    assert_eq!(rule("{any: []}"), Reason::NoGrant, "nobody may");
    for (any, all, code) in [
        ("yes", "yes", Reason::Granted),
        ("yes", "no", Reason::Restricted),
        ("yes", "unknown", Reason::Indeterminate),
        ("no", "yes", Reason::NoGrant),
        ("no", "unknown", Reason::NoGrant),
        ("unknown", "yes", Reason::Indeterminate),
        ("unknown", "no", Reason::Indeterminate),
    ] {
        assert_eq!(rule(&format!("{{any: [{any}], all: [{all}]}}")), code, "any {any}, all {all}");
    }
    assert_eq!(rule("{any: [yes], all: [yes, unknown, no]}"), Reason::Indeterminate);
    assert_eq!(rule("{any: [yes], all: [yes, no, unknown]}"), Reason::Restricted);
}

#[test]
fn relations_between_lists() {
    let mut studio = Studio::under(
        "atoms:
  within: {says: a, when: resource.departments within subject.departments}
  shares: {says: a, when: resource.departments in subject.departments}
  apart: {says: a, when: resource.departments not in subject.departments}
  none: {says: a, when: resource.departments is empty}
  bots: {says: a, when: {some: resource.teams, holds: it.is_clients_isolated is true}}
rules:
  person.within: [within]
  person.shares: [shares]
  person.apart: [apart]
  person.none: [none]
  person.bots: [bots]",
    );
    studio.upsert(with(subject(&["a", "b"]), "is_bot", Value::from(false)));
    let mut asked = |departments: Option<Value>| {
        let record = Record::new("person", "other").with("active", true);
        studio.upsert(match departments {
            Some(value) => record.with("departments", value),
            None => record,
        });
        ["within", "shares", "apart", "none"].map(|action| word(studio.code("one", action, "person", "other")))
    };
    assert_eq!(asked(Some(Value::texts(["a"]))), ["yes", "yes", "no", "no"]);
    assert_eq!(asked(Some(Value::texts(["a", "c"]))), ["no", "yes", "no", "no"]);
    assert_eq!(asked(Some(Value::texts(["c"]))), ["no", "no", "yes", "no"]);
    assert_eq!(asked(Some(Value::texts([]))), ["yes", "no", "yes", "yes"]);
    assert_eq!(asked(Some(Value::Null)), ["yes", "no", "yes", "yes"], "null and an empty list are both no value");
    assert_eq!(asked(None), ["unknown"; 4], "a record that says nothing about it");
    // `some:` over no object at all, over an unknown one, over a fitting one.
    assert_eq!(word(studio.code("one", "bots", "person", "other")), "no");
    let mut join = |project: &str, isolated: Option<bool>| {
        let member = Member::new(Id::from("other"), None);
        studio.directory.apply([Change::Team { project: Id::from(project), members: vec![member] }]);
        if let Some(isolated) = isolated {
            studio.upsert(Record::new("project", project).with("is_clients_isolated", isolated));
        }
        word(studio.code("one", "bots", "person", "other"))
    };
    assert_eq!(join("Q1", Some(false)), "no");
    assert_eq!(join("Q2", None), "unknown");
    assert_eq!(join("Q3", Some(true)), "yes");
}

fn subject(departments: &[&str]) -> Record {
    let record = Record::new("person", "one").with("active", true).with("role", Value::text("user"));
    record.with("departments", Value::texts(departments.iter().copied()))
}

#[test]
fn a_quarantined_record_is_told_apart_from_a_missing_fact() {
    let mut studio = Studio::new();
    let quarantine = |kind: &str, id: &str| {
        let object = crate::model::id::ObjectRef::new(kind, id);
        Change::Quarantine { object, problem: String::new() }
    };
    studio.directory.apply([quarantine("task_type", "tt")]);
    assert_eq!(studio.code("sup", "set_priority", "task", "T"), Reason::Quarantined);
    assert_eq!(
        studio.code("man", "set_priority", "task", "T"),
        Reason::Granted,
        "whoever does not need it is answered"
    );
    assert_eq!(studio.code("art", "set_priority", "task", "T"), Reason::NoGrant);
    studio.directory.apply([quarantine("task", "T")]);
    assert_eq!(studio.code("adm", "read", "task", "T"), Reason::Quarantined);
    studio.directory.apply([quarantine("person", "adm")]);
    assert_eq!(studio.code("adm", "read", "project", "P"), Reason::Quarantined);
}

#[test]
fn nobody_is_in_the_team_of_a_project_that_could_not_be_understood() {
    let mut studio = Studio::new();
    let object = crate::model::id::ObjectRef::new("project", "P");
    studio.directory.apply([Change::Quarantine { object, problem: "in its team: an unknown role".to_owned() }]);
    for person in ["man", "art", "out"] {
        assert_eq!(studio.code(person, "publish", "task", "T"), Reason::Quarantined, "{person}");
    }
    assert_eq!(studio.code("adm", "publish", "task", "T"), Reason::Granted, "whoever does not need the team");
    let outcome = studio.outcome(&Query::new(Subject::Person("man"), "delete", "task", "T")).expect("a case");
    assert!(!outcome.cacheable);
    studio.upsert(Record::new("project", "P").with("project_status_id", Value::text("open")));
    assert_eq!(studio.code("man", "publish", "task", "T"), Reason::Granted);
}
