//! Case files are read exactly, and what differs is told so that it can be mended.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::*;
use crate::engine::policy::Policy;
use crate::yaml::parse;

const STUDIO: &str = "\
studio:
  department: [animation, lighting]
  person:
    - {id: ada, role: admin}
    - {id: lin, role: supervisor, departments: [lighting]}
  project: [{id: atlas, team: [lin]}]
  task_type: [{id: animation, department_id: animation}]
  task_status: [wip]
  shot: [{id: sh010, project: atlas}]
  task: [{id: t1, entity_id: sh010, task_type_id: animation, task_status_id: wip}]
";

fn read(cases: &str) -> Result<Vec<Question>, String> {
    let text = format!("demo: true\ncases:\n{cases}");
    let root = parse("c.yaml", &text).unwrap();
    let mut problems = Problems::new("c.yaml");
    let file = format::read(&root, &mut problems);
    if problems.is_empty() { Ok(file.unwrap().questions) } else { Err(problems.to_string()) }
}

fn run_text(text: &str, json: bool) -> (bool, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.yaml");
    fs::write(&path, text).unwrap();
    let mut out = Vec::new();
    let good = run(&[path], json, &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    (good, out.replace(&format!("{}/", dir.path().display()), ""))
}

#[test]
fn everybody_is_asked_about_every_combination() {
    let questions = read(
        "  - {title: t, action: [read, comment], field: f, value: [a, b], resource: [task:t1, 'shot:a:b'], allow: [ada], deny: {NO_GRANT: {lin: why}}}\n",
    )
    .unwrap();
    assert_eq!(questions.len(), 2 * 2 * 2 * 2);
    let words: Vec<_> = questions.iter().map(Question::words).collect();
    assert_eq!(words[0], "may ada read task t1, field f, value a?");
    assert_eq!(words[15], "may lin comment shot a:b, field f, value b?");
    assert_eq!(questions[15].because, "why");
}

#[test]
fn a_case_that_cannot_be_meant_is_told_with_its_place() {
    for (case, complaint) in [
        ("  - {title: t, action: a, resource: r, alow: [x]}\n", "c.yaml:3:5: nobody asks"),
        (
            "  - {title: t, action: a, resource: r, alow: [x]}\n",
            "c.yaml:3:40: unknown key `alow`; did you mean `allow`?",
        ),
        (
            "  - {title: t, action: a, resource: r, deny: {NOGRANT: [x]}}\n",
            "c.yaml:3:47: there is no reason `NOGRANT`; did you mean `NO_GRANT`?",
        ),
        ("  - {title: t, action: a, resource: r, deny: {GRANTED: [x]}}\n", "who is granted it stands under `allow:`"),
        (
            "  - {title: t, action: a, resource: r, allow: [x], deny: {NO_GRANT: [y, x]}}\n",
            "c.yaml:3:73: `x` stands twice in this case; first in line 3",
        ),
        ("  - {title: t, action: a, resource: r, subject: x}\n", "`subject:` and `expect:` belong together"),
        ("  - {title: t, action: a, resource: r, subject: x, expect: YES}\n", "`expect: YES`: write ALLOW or DENY"),
        ("  - {title: t, action: a, resource: r, subject: x, expect: ALLOW, reason: STALE}\n", "only GRANTED allows"),
        ("  - {title: t, resource: r, allow: [x]}\n", "c.yaml:3:5: `action:` is missing"),
        ("  []\n", "there is no case to ask"),
    ] {
        let problems = read(case).expect_err(case);
        assert!(problems.contains(complaint), "{case}\n{problems}");
    }
    let root = parse("c.yaml", "demo: true\nstudio_file: x\ncases: [{title: t, action: a, resource: r, allow: [x]}]\n")
        .unwrap();
    let mut problems = Problems::new("c.yaml");
    format::read(&root, &mut problems);
    assert!(problems.to_string().contains("one of `studio:`, `studio_file:` and `demo: true` is needed"));
}

#[test]
fn what_differs_is_told_with_place_question_and_why() {
    let text = format!(
        "{STUDIO}cases:
  - title: priorities
    action: set_priority
    resource: task:t1
    allow:
      ada:
      lin: covers everything
"
    );
    let (good, out) = run_text(&text, false);
    assert!(!good);
    let mut lines = out.lines();
    assert_eq!(lines.next(), Some("c.yaml:17:7: priorities: may lin set_priority task t1?"));
    assert_eq!(lines.next(), Some("    expected  ALLOW GRANTED  (covers everything)"));
    assert_eq!(lines.next(), Some("    got       DENY  NO_GRANT by kitsu/task.set_priority"));
    assert!(lines.next().unwrap().starts_with("    because   "), "{out}");
    assert_eq!(lines.next(), Some("2 answers in 1 file: 1 differs"));

    let (good, out) = run_text(&text, true);
    assert!(!good);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((report["answers"].as_u64(), report["differ"].as_u64()), (Some(2), Some(1)));
    let difference = &report["differences"][0];
    assert_eq!(
        (difference["line"].as_u64(), difference["question"].as_str()),
        (Some(17), Some("may lin set_priority task t1?"))
    );
    assert_eq!(difference["expected"]["decision"], "ALLOW");
    assert_eq!(difference["got"]["reason"], "NO_GRANT");
}

#[test]
fn the_rule_counts_where_it_is_named_and_the_reason_need_not() {
    let case = |rule: &str| {
        format!(
            "{STUDIO}cases: [{{title: t, action: delete, resource: task:t1, subject: lin, expect: DENY, rule: {rule}}}]\n"
        )
    };
    assert_eq!(run_text(&case("kitsu/task.delete"), false), (true, "1 answer in 1 file: all as expected\n".to_owned()));
    assert!(!run_text(&case("kitsu/task.read"), false).0);
}

#[test]
fn a_file_that_cannot_be_asked_is_no_success() {
    for (text, complaint) in [
        ("cases: [", "c.yaml:2:1: not YAML"),
        (
            "studio_file: nowhere.yaml\ncases: [{title: t, action: a, resource: r, allow: [x]}]\n",
            "c.yaml:1:14: nowhere.yaml: No such file",
        ),
        (
            "demo: true\npolicy: nowhere.yaml\ncases: [{title: t, action: a, resource: r, allow: [x]}]\n",
            "c.yaml:2:9: nowhere.yaml: No such file",
        ),
        (
            "studio: {pack: kitzu}\ncases: [{title: t, action: a, resource: r, allow: [x]}]\n",
            "c.yaml:1:16: policy: there is no built-in pack `kitzu`; did you mean `kitsu`?",
        ),
        (
            "studio: {shot: [{id: s, project: p}]}\ncases: [{title: t, action: a, resource: r, allow: [x]}]\n",
            "c.yaml:1:34: there is no project `p`",
        ),
    ] {
        let (good, out) = run_text(text, false);
        assert!(!good && out.contains(complaint), "{text}\n{out}");
        assert!(out.ends_with("0 answers in 1 file: 0 differ; files that could not be asked: 1\n"), "{out}");
        let (good, out) = run_text(text, true);
        let report: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert!(!good && report["unread"][0]["problems"].as_str().unwrap().contains(complaint), "{out}");
    }
}

/// What the documentation shows works.
#[test]
fn the_documented_examples_are_as_they_say() {
    let text = fs::read_to_string("docs/studio-file.md").unwrap();
    let mut blocks = text.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("studio.yaml"), blocks.next().unwrap()).unwrap();
    fs::write(dir.path().join("policy.yaml"), "extends: kitsu\n").unwrap();
    let cases = dir.path().join("cases.yaml");
    fs::write(&cases, blocks.next().unwrap()).unwrap();
    let mut out = Vec::new();
    assert!(run(&[cases], false, &mut out).unwrap(), "{}", String::from_utf8_lossy(&out));
}

/// No action of the pack, and no field with a rule of its own, may be left without somebody who may and somebody who may not.
#[test]
fn the_tables_ask_for_every_action_of_the_pack() {
    let policy = Policy::load("kitsu", None).unwrap();
    let mut asked: BTreeMap<(String, String), (bool, bool)> = BTreeMap::new();
    let mut fields = BTreeSet::new();
    for entry in fs::read_dir("tests/cases").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "yaml") {
            continue;
        }
        let name = path.display().to_string();
        let root = parse(&name, &fs::read_to_string(&path).unwrap()).unwrap();
        let mut problems = Problems::new(&name);
        for question in format::read(&root, &mut problems).unwrap().questions {
            fields.insert((question.kind.clone(), question.action.clone(), question.field));
            let (allow, deny) = asked.entry((question.kind, question.action)).or_default();
            *allow |= question.expect.allow;
            *deny |= !question.expect.allow;
        }
    }
    let mut missing = Vec::new();
    for kind in &policy.schema.kinds {
        for (action, patterns) in policy.vocabulary(&kind.name) {
            if asked.get(&(kind.name.to_string(), action.clone())) != Some(&(true, true)) {
                missing.push(format!("{}.{action}", kind.name));
            }
            for pattern in patterns {
                let is = |field: &str| match pattern.strip_suffix('*') {
                    Some(start) => field.starts_with(start),
                    None => field == pattern,
                };
                if !fields.iter().any(|(of, what, field)| *of == kind.name && *what == action && is(field)) {
                    missing.push(format!("{}.{action}[{pattern}]", kind.name));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}
