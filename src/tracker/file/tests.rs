//! A studio file is understood as a whole, or refused with every place that is wrong.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;

use super::*;
use crate::model::record::{Member, Record};
use crate::model::schema::{BotDef, FieldDef, KindDef, KindNo, Schema, SubjectDef};
use crate::model::value::Value;

/// Kinds like those of the kitsu pack, few enough to be seen at once.
fn words() -> Vocabulary {
    let kind = |name: &str, table: KindNo, fields: &[(&str, Option<KindNo>)]| KindDef {
        name: name.into(),
        table,
        fields: fields
            .iter()
            .map(|(name, target)| FieldDef { name: (*name).into(), target: *target, ..FieldDef::default() })
            .collect(),
        ..KindDef::default()
    };
    let person =
        [("active", None), ("is_bot", None), ("role", None), ("desktop_login", None), ("departments", Some(2))];
    let task = [("entity_id", Some(3)), ("assignees", Some(0)), ("data", None)];
    let schema = Schema {
        others: None,
        kinds: vec![
            kind("person", 0, &person),
            kind("project", 1, &[("is_clients_isolated", None)]),
            kind("department", 2, &[("name", None)]),
            kind("entity", 3, &[("created_by", Some(0)), ("parent_id", Some(3))]),
            kind("shot", 3, &[]),
            kind("asset", 3, &[]),
            kind("task", 6, &task),
            KindDef { lazy: true, ..kind("comment", 7, &[("object_id", Some(6))]) },
        ],
        subject: SubjectDef {
            kind: 0,
            active: 0,
            active_is: None,
            role: Some(2),
            member_role: None,
            bot: Some(BotDef::Flag(1)),
            login: Some(3),
            email: None,
            project: 1,
            fixed_roles: vec!["admin".into()],
        },
    };
    let roles = ["admin", "manager", "user"].map(Str::from).to_vec();
    Vocabulary { pack: "kitsu".into(), schema: Arc::new(schema), roles }
}

const SMALL: &str = "\
pack: kitsu
department: [lighting, {id: fx, name: Effects}]
person:
  - {id: ada, name: Ada Lovelace, role: admin, desktop_login: 007}
  - {id: bob, role: user, departments: [fx], active: false}
project:
  - {id: atlas, name: Atlas, is_clients_isolated: true, team: {ada: , bob: manager}}
  - {id: calm, team: [bob]}
shot:
  - {id: sh010, project: atlas, created_by: bob}
asset:
  - {id: rock, project: calm}
task:
  - {id: t1, entity_id: sh010, assignees: [bob], data: {a: 1.5, b: [\"no\", null]}}
comment:
  - {id: c1, object_id: t1}
";

fn small() -> Snapshot {
    studio::read("s.yaml", SMALL, &words()).unwrap()
}

fn record(snapshot: &Snapshot, kind: &str, id: &str) -> Record {
    let found = snapshot.changes.iter().find_map(|change| match change {
        Change::Upsert(record) if record.kind == kind && record.id.is(id) => Some(record.clone()),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no {kind} {id}"))
}

fn complaints(text: &str) -> String {
    studio::read("s.yaml", text, &words()).expect_err("must be refused").to_string()
}

#[test]
fn a_snapshot_holds_all_kinds_and_teams() {
    let snapshot = small();
    assert_eq!(snapshot.complete, ["person", "project", "department", "entity", "task", "comment"]);
    assert!(snapshot.teams);
    let ada = Record::new("person", "ada")
        .named("Ada Lovelace")
        .with("active", true)
        .with("is_bot", false)
        .with("role", Some("admin"))
        .with("desktop_login", Some("007"))
        .with("departments", Value::Null);
    assert_eq!(record(&snapshot, "person", "ada"), ada);
    let teams: Vec<_> = snapshot.changes.iter().filter(|change| matches!(change, Change::Team { .. })).collect();
    let member = |person: &str, role: Option<&str>| Member::new(person.into(), role.map(Into::into));
    assert_eq!(
        teams,
        [
            &Change::Team {
                project: "atlas".into(),
                members: vec![member("ada", None), member("bob", Some("manager"))]
            },
            &Change::Team { project: "calm".into(), members: vec![member("bob", None)] },
        ]
    );
}

#[test]
fn what_is_left_out_is_empty_and_names_default_to_the_id() {
    let snapshot = small();
    let bob = record(&snapshot, "person", "bob");
    assert_eq!((bob.name.as_str(), bob.field("active")), ("bob", Some(&Value::Bool(false))));
    assert_eq!(record(&snapshot, "department", "lighting").field("name"), Some(&Value::text("lighting")));
    assert_eq!(record(&snapshot, "department", "fx").field("name"), Some(&Value::text("Effects")));
    let data = Value::Map(vec![
        ("a".into(), Value::Number(1.5)),
        ("b".into(), Value::List(vec![Value::text("no"), Value::Null])),
    ]);
    assert_eq!(record(&snapshot, "task", "t1").field("data"), Some(&data));
}

#[test]
fn a_task_lies_where_its_shot_lies() {
    let snapshot = small();
    assert_eq!(record(&snapshot, "task", "t1").project, Some("atlas".into()));
    assert_eq!(record(&snapshot, "comment", "c1").project, Some("atlas".into()));
}

#[test]
fn all_problems_are_told_at_once_with_place_and_mend() {
    let text = "\
persn: []
person:
  - {id: ada, role: admin, departmnts: [fx]}
  - {id: bob, departments: [lightning], active: yes}
  - {id: ada, role: user, project: atlas}
  - {name: Nobody, role: user}
department: [lighting]
project:
  - {id: atlas, is_clients_isolated: yes, team: {ada: admin, bop: usr}}
shot:
  - {id: rock, project: atlsa}
asset:
  - {id: rock, project: atlas}
  - [1]
";
    let expected = "\
s.yaml:1:1: there is no kind `persn`; did you mean `person`?
s.yaml:3:28: no person has a field `departmnts`; did you mean `departments`?
s.yaml:4:5: every person needs a `role:`
s.yaml:4:29: there is no department `lightning`; did you mean `lighting`?
s.yaml:4:49: `true` or `false` is needed here, not `yes`
s.yaml:5:10: `ada` stands twice; first in line 3
s.yaml:5:27: no person has a field `project`; known here: active, departments, desktop_login, id, is_bot, name, role
s.yaml:6:5: every person needs an `id:`
s.yaml:9:38: `yes`: write `true` or `false`, or put it in quotes
s.yaml:9:55: `admin` is a role of the whole studio: give it to the person
s.yaml:9:62: there is no person `bop`; did you mean `bob`?
s.yaml:9:67: there is no role `usr`; did you mean `user`?
s.yaml:11:25: there is no project `atlsa`; did you mean `atlas`?
s.yaml:13:10: `rock` stands twice; first in line 11
s.yaml:14:5: `{id: ..., ...}` is needed here, not a list";
    assert_eq!(complaints(text), expected);
}

#[test]
fn a_thing_of_two_projects_must_say_where_it_lies() {
    let text = "\
project: [a, b]
shot: [{id: s1, project: a}, {id: s2, project: b}, {id: s3, parent_id: s2}, {id: s4, project: a, parent_id: s2}]
";
    assert!(studio::read("s.yaml", text, &words()).is_ok());
    let mut two = words();
    Arc::make_mut(&mut two.schema).kinds[6].fields.push(FieldDef {
        name: "other".into(),
        target: Some(3),
        ..FieldDef::default()
    });
    let text = format!("{text}task: [{{id: t, entity_id: s1, other: s2}}]\n");
    let problems = studio::read("s.yaml", &text, &two).expect_err("must be refused");
    assert_eq!(problems.to_string(), "s.yaml:3:8: it refers to objects of several projects: write its `project:`");
}

#[test]
fn words_for_true_and_false_are_not_guessed() {
    for (text, value) in [
        ("true", Some(Value::Bool(true))),
        ("'true'", Some(Value::text("true"))),
        ("Yes", None),
        ("TRUE", None),
        ("off", None),
        ("012", Some(Value::text("012"))),
        ("12", Some(Value::Number(12.0))),
        ("-0.5", Some(Value::Number(-0.5))),
        ("1e3", Some(Value::text("1e3"))),
        ("1.2.3", Some(Value::text("1.2.3"))),
        ("~", Some(Value::Null)),
    ] {
        let node = crate::yaml::parse("v.yaml", text).unwrap();
        let mut problems = crate::yaml::Problems::new("v.yaml");
        assert_eq!(crate::engine::value::read(&node, &mut problems), value, "{text}");
        assert_eq!(problems.is_empty(), value.is_some(), "{text}");
    }
}

#[test]
fn the_pack_is_kitsu_unless_it_is_named() {
    assert_eq!(studio::pack("s.yaml", "person: []").unwrap(), "kitsu");
    assert_eq!(studio::pack("s.yaml", "pack: kitsu").unwrap(), "kitsu");
    let problems = studio::pack("s.yaml", "pack: shotgrid").unwrap_err().to_string();
    assert_eq!(
        problems,
        "s.yaml:1:7: there is no built-in pack `shotgrid`; known here: flow, ftrack, kitsu, limecraft"
    );
    assert!(studio::pack("s.yaml", "- 1").is_err());
}

fn changes(text: &str) -> (tempfile::TempDir, PathBuf, File) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.yaml");
    fs::write(&path, text).unwrap();
    let file = File::at(path.clone(), words());
    (dir, path, file)
}

/// As a careful editor saves: the new file appears at once and whole.
fn replace(path: &std::path::Path, text: &str) {
    let next = path.with_extension("next");
    fs::write(&next, text).unwrap();
    fs::rename(next, path).unwrap();
}

async fn next_but_heartbeats(events: &mut BoxStream<'static, Signal>) -> Option<Signal> {
    let next = async {
        loop {
            match events.next().await {
                Some(Signal::Heartbeat) => {}
                other => return other,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), next).await.expect("a signal within ten seconds")
}

#[tokio::test]
async fn a_changed_file_is_announced_and_loaded() {
    let (_dir, path, file) = changes(SMALL);
    let mut events = file.events().await.unwrap();
    assert_eq!(file.load(Scope::Core, &Progress::logged(), &Parts::channel().0).await.unwrap(), small());
    assert_eq!(events.next().await, Some(Signal::Heartbeat));
    replace(&path, &SMALL.replace("active: false", "active: true"));
    assert_eq!(next_but_heartbeats(&mut events).await, Some(Signal::Reload { scope: Scope::All, objects: Vec::new() }));
    let snapshot = file.load(Scope::All, &Progress::logged(), &Parts::channel().0).await.unwrap();
    assert_eq!(record(&snapshot, "person", "bob").field("active"), Some(&Value::Bool(true)));
    // A load that came before the next look must not hide the change from the stream.
    replace(&path, SMALL);
    assert_eq!(file.load(Scope::All, &Progress::logged(), &Parts::channel().0).await.unwrap(), small());
    assert_eq!(next_but_heartbeats(&mut events).await, Some(Signal::Reload { scope: Scope::All, objects: Vec::new() }));
}

#[tokio::test]
async fn a_broken_file_ends_the_feed_until_it_is_mended() {
    let (_dir, path, file) = changes(SMALL);
    let mut events = file.events().await.unwrap();
    replace(&path, &SMALL.replace("role: user", "rle: user"));
    assert!(matches!(next_but_heartbeats(&mut events).await, Some(Signal::Lost(_))));
    assert_eq!(events.next().await, None);
    let Err(SourceError::Malformed(why)) = file.load(Scope::All, &Progress::logged(), &Parts::channel().0).await else {
        panic!()
    };
    assert!(why.contains("s.yaml:5:15: no person has a field `rle`; did you mean `role`?"), "{why}");
    let waiting = file.events();
    let mend = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        replace(&path, SMALL);
    };
    let (events, ()) = tokio::join!(waiting, mend);
    assert_eq!(events.unwrap().next().await, Some(Signal::Heartbeat));
    assert_eq!(file.load(Scope::All, &Progress::logged(), &Parts::channel().0).await.unwrap(), small());
}

#[tokio::test]
async fn a_file_for_another_pack_and_a_missing_file_are_refused() {
    let (_dir, path, file) = changes("pack: flow\n");
    let Err(SourceError::Malformed(why)) = file.load(Scope::All, &Progress::logged(), &Parts::channel().0).await else {
        panic!()
    };
    assert!(why.contains("s.yaml:1:7: this is a studio for the pack `flow`, and `kitsu` is in force"), "{why}");
    fs::remove_file(&path).unwrap();
    assert!(matches!(
        file.load(Scope::All, &Progress::logged(), &Parts::channel().0).await,
        Err(SourceError::Unavailable(_))
    ));
}

#[tokio::test]
async fn objects_are_reread_by_kind_or_table() {
    let (_dir, _path, file) = changes(SMALL);
    let read = file
        .reread(&[
            ObjectRef::new("entity", "sh010"),
            ObjectRef::new("project", "atlas"),
            ObjectRef::new("comment", "c2"),
            ObjectRef::new("nonsense", "x"),
        ])
        .await
        .unwrap();
    let kinds: Vec<_> = read
        .iter()
        .map(|change| match change {
            Change::Upsert(record) => format!("{} {}", record.kind, record.id),
            Change::Team { project, .. } => format!("team {project}"),
            Change::Remove(object) => format!("no {object}"),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(kinds, ["shot sh010", "project atlas", "team atlas", "no comment c2", "no nonsense x"]);
}

#[test]
fn nothing_is_no_studio() {
    for text in ["", "\n# person: [ada]\n", "~"] {
        assert!(complaints(text).ends_with("there is no studio here; begin with `person:`"), "{text}");
    }
}

#[test]
fn what_its_like_has_a_project_for_needs_one_too() {
    let text = "project: [a]\nshot: [{id: s1, project: a}]\nasset: [rock]\n";
    assert_eq!(complaints(text), "s.yaml:3:9: the asset `rock` needs a `project:`");
}

/// What `serve --demo` and `studio:` promise: as quick as nothing.
#[test]
fn the_demo_is_read_in_milliseconds() {
    let policy = crate::engine::policy::Policy::load("kitsu", None).unwrap();
    let roles = policy.roles().map(Str::from).collect();
    let words = Vocabulary { pack: "kitsu".into(), schema: Arc::clone(&policy.schema), roles };
    let started = std::time::Instant::now();
    let snapshot = studio::read(DEMO_NAME, DEMO, &words).unwrap_or_else(|problems| panic!("{problems}"));
    let took = started.elapsed();
    println!("{} records in {took:?}", snapshot.changes.len());
    assert!(snapshot.changes.len() > 400);
    assert!(took < Duration::from_millis(500), "{took:?}");
}
