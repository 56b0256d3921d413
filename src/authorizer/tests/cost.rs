//! What a change costs: exactly which decisions rest on what it touched.

use super::*;
use crate::engine::{Resolved, decide, resolve};
use crate::model::change::Dep;

const ARTISTS: usize = 20;
const TASKS: usize = 30;

/// A studio of 20 artists and 30 tasks in one project.
fn busy() -> (Arc<Authorizer>, Vec<String>, Vec<String>) {
    let authorizer = live();
    let artists: Vec<String> = (0..ARTISTS).map(|n| format!("artist {n}")).collect();
    let tasks: Vec<String> = (0..TASKS).map(|n| format!("task {n}")).collect();
    authorizer.delta(artists.iter().map(|id| Change::Upsert(person(id, "user"))));
    authorizer.delta(tasks.iter().map(|id| Change::Upsert(task(id, &[]))));
    let everybody: Vec<_> = artists.iter().map(|id| (id.as_str(), None)).collect();
    authorizer.delta([team("P", &everybody)]);
    (authorizer, artists, tasks)
}

/// What the decision of a question rests on; `None` where no rule is reached.
fn rests(authorizer: &Authorizer, query: &Query<'_>) -> Option<Vec<Dep>> {
    let mirror = authorizer.mirror.read();
    let view = mirror.directory.view();
    match resolve(&mirror.policy, view, query) {
        Resolved::Case(case) => Some(decide(view, &case).reads.to_vec()),
        _ => None,
    }
}

/// What all questions of the artists about the tasks rest on.
fn resting(authorizer: &Authorizer, artists: &[String], tasks: &[String]) -> Vec<Vec<Dep>> {
    let asked = artists.iter().flat_map(|artist| tasks.iter().map(move |task| ask(artist, "publish", "task", task)));
    asked.filter_map(|query| rests(authorizer, &query)).collect()
}

fn forgotten(resting: &[Vec<Dep>], touched: &[Dep]) -> usize {
    resting.iter().filter(|rests| rests.iter().any(|dep| touched.contains(dep))).count()
}

#[test]
fn a_change_forgets_what_rests_on_it_and_nothing_else() {
    let (authorizer, artists, tasks) = busy();
    let everybody: Vec<_> = artists.iter().map(|id| (id.as_str(), None)).collect();
    let mut with_role = everybody.clone();
    with_role[0].1 = Some("vendor");
    let shot =
        |id: &str| Change::Upsert(Record::new("shot", id).in_project("P").with("created_by", Value::text("adm")));
    let cases: Vec<(&str, Change, usize)> = vec![
        ("an assignment", Change::Upsert(task(&tasks[3], &["art"])), ARTISTS),
        ("the same again", Change::Upsert(task(&tasks[3], &["art"])), 0),
        ("a new task of the shot", Change::Upsert(task("new", &[])), 0),
        ("the end of a task", Change::Remove(ObjectRef::new("task", &tasks[4])), ARTISTS),
        ("a role of one person", Change::Upsert(person(&artists[5], "supervisor")), TASKS - 1),
        ("a role in the project", team("P", &with_role), TASKS - 1),
        ("one who leaves the team", team("P", &everybody[..ARTISTS - 1]), 2 * (TASKS - 1)),
        ("another project's team", team("Q", &everybody), 0),
        ("a person nobody asked about", Change::Upsert(person("ven", "user")), 0),
        ("the shot: its creator was looked at last", shot("S"), (ARTISTS - 2) * (TASKS - 1)),
        ("another shot", shot("S2"), 0),
    ];
    for (what, change, expected) in cases {
        let resting = resting(&authorizer, &artists, &tasks);
        let touched = authorizer.delta([change]).touched;
        assert_eq!(forgotten(&resting, &touched.deps), expected, "{what}: {touched:?}");
    }
}

#[test]
fn a_vendor_rests_on_the_tasks_of_the_shot() {
    let authorizer = live();
    authorizer.delta(["T2", "T4", "T5", "T6"].map(|id| Change::Upsert(task(id, &[]))));
    let query = ask("ven", "read", "shot", "S");
    assert_eq!(authorizer.code(&query), Reason::NoGrant);
    let after = |change| {
        assert!(authorizer.now(&query).cached, "it was decided before");
        authorizer.delta([change]);
        let answer = authorizer.now(&query);
        (answer.decision.code, answer.cached)
    };
    assert_eq!(after(Change::Upsert(task("T2", &["ven"]))), (Reason::Granted, false));
    assert_eq!(after(Change::Remove(ObjectRef::new("task", "T2"))), (Reason::NoGrant, false));
    assert_eq!(after(Change::Upsert(task("T3", &["ven"]))), (Reason::Granted, false), "one that came later");
    assert_eq!(after(Change::Upsert(person("art", "manager"))), (Reason::Granted, true), "it bears on nobody else");
}

#[test]
fn a_policy_forgets_everything() {
    let (authorizer, artists, tasks) = busy();
    let query = ask(&artists[0], "publish", "task", &tasks[0]);
    assert_eq!(authorizer.code(&query), Reason::NoGrant);
    let overlay = "extends: kitsu\nrules: {task.publish: [team]}";
    authorizer
        .set_policy(Policy::load("kitsu", Some(("studio.yaml", overlay))).expect("compiles"))
        .expect("needs no other mirror");
    let answer = authorizer.now(&query);
    assert_eq!((answer.decision.code, answer.cached), (Reason::Granted, false));
    assert_eq!(answer.said.rule, "kitsu/task.publish#1");
    authorizer.set_policy(policy()).expect("needs no other mirror");
    assert_eq!(authorizer.code(&query), Reason::NoGrant);
}

#[test]
fn a_reconcile_that_finds_nothing_forgets_nothing() {
    let (authorizer, artists, tasks) = busy();
    let changes = tasks.iter().map(|id| Change::Upsert(task(id, &[]))).chain([Change::Upsert(task("T", &["art"]))]);
    let mut snapshot = crate::model::change::Snapshot { complete: vec!["task".into()], ..Default::default() };
    snapshot.changes = changes.collect();
    let revision = authorizer.status().revision;
    let applied = authorizer.apply(Batch::Snapshot(snapshot.clone()));
    assert_eq!((applied.revision, applied.changed, applied.touched.is_empty()), (revision, 0, true));
    let resting = resting(&authorizer, &artists, &tasks);
    snapshot.changes.truncate(TASKS - 1);
    let applied = authorizer.apply(Batch::Snapshot(snapshot));
    assert_eq!((applied.revision, applied.changed), (revision + 1, 2), "one task and T are gone");
    assert_eq!(forgotten(&resting, &applied.touched.deps), ARTISTS);
}

#[test]
fn a_decision_is_kept_where_there_is_room() {
    let cached = |capacity| {
        let (authorizer, _) = live_with(Options { cache_capacity: capacity, ..Options::default() });
        [(); 3].map(|()| authorizer.now(&ask("art", "publish", "task", "T")).cached)
    };
    assert_eq!(cached(1_000), [false, true, true]);
    assert_eq!(cached(0), [false; 3]);
}

#[test]
fn only_what_is_known_is_cached() {
    let authorizer = live();
    for (query, expected) in [
        (ask("art", "publish", "task", "nowhere"), Reason::ResourceUnknown),
        (ask("nobody", "publish", "task", "T"), Reason::SubjectUnknown),
        (ask("art", "fly", "task", "T"), Reason::ActionUnknown),
    ] {
        for _ in 0..2 {
            let answer = authorizer.now(&query);
            assert_eq!((answer.decision.code, answer.cached), (expected, false));
        }
    }
    authorizer.delta([Change::Quarantine { object: ObjectRef::new("task_type", "tt"), problem: String::new() }]);
    authorizer.upsert(with_department(person("art", "supervisor")));
    authorizer.upsert(task("T", &[]));
    let query = ask("art", "set_priority", "task", "T");
    for _ in 0..2 {
        let answer = authorizer.now(&query);
        assert_eq!((answer.decision.code, answer.cached), (Reason::Quarantined, false));
    }
}

fn with_department(mut record: Record) -> Record {
    record.fields.retain(|(name, _)| name != "departments");
    record.with("departments", Value::texts(["anim"]))
}

/// One question, asked again after each change of what it rests on.
#[test]
fn what_lies_far_off_is_noticed() {
    let authorizer = live();
    authorizer.delta([
        Change::Upsert(person("cli", "client")),
        Change::Upsert(with_department(person("sup", "supervisor"))),
        Change::Upsert(Record::new("department", "anim")),
        Change::Upsert(Record::new("project_status", "closed").with("name", Value::text("Closed"))),
        Change::Upsert(Record::new("project", "P").with("project_status_id", Value::text("open"))),
        Change::Upsert(Record::new("project", "Q").with("project_status_id", Value::text("closed"))),
    ]);
    let members = [("cli", None), ("art", None), ("sup", None), ("ven", None)];
    authorizer.delta([team("P", &members[..1])]);
    let project = |status: &str| {
        let record = Record::new("project", "P").with("project_status_id", Value::text(status));
        let record = record.with("is_clients_isolated", false).with("client_allowed_statuses", Value::texts([]));
        Change::Upsert(record.with("client_denied_statuses", Value::texts([])))
    };
    let asked = |query: &Query<'_>, steps: Vec<(&str, Change, bool)>| {
        for (what, change, expected) in steps {
            authorizer.now(query);
            assert!(authorizer.now(query).cached, "{what}");
            let rests = rests(&authorizer, query).expect("a rule is reached");
            let touched = authorizer.delta([change]).touched.deps;
            assert!(rests.iter().any(|dep| touched.contains(dep)), "{what}");
            let answer = authorizer.now(query);
            assert_eq!((answer.decision.allowed(), answer.cached), (expected, false), "{what}");
        }
    };
    let status = |artists: bool| {
        let record = Record::new("task_status", "wip").with("is_artist_allowed", artists);
        Change::Upsert(record.with("is_client_allowed", true))
    };
    asked(
        &ask("cli", "read", "person", "art"),
        vec![
            ("he joins the client's project", team("P", &members[..2]), true),
            ("it is closed", project("closed"), false),
            ("it is open again", project("open"), true),
            ("the client leaves it", team("P", &members[1..2]), false),
            ("and comes back, the other left", team("P", &members[..1]), false),
            ("both are in another one", team("Q", &members[..2]), false),
            ("both are in it again", team("P", &members), true),
        ],
    );
    let comment = |author: &str| {
        let record = Record::new("comment", "C").with("object_id", Value::text("T"));
        let record = record.with("person_id", Value::text(author)).with("task_status_id", Value::text("wip"));
        Change::Upsert(record.with("for_client", false))
    };
    authorizer.delta([comment("ven")]);
    let author_is = |role| team("P", &[("cli", None), ("art", None), ("sup", None), ("ven", role)]);
    asked(
        &ask("art", "read", "comment", "C"),
        vec![
            ("its author is a client here", author_is(Some("client")), false),
            ("and is none any more", author_is(None), true),
            ("its author is another one", comment("cli"), false),
            ("who is a client no more", Change::Upsert(person("cli", "manager")), true),
        ],
    );
    let column = |project: &str, departments: &[&str]| {
        let record = Record::new("metadata_descriptor", "K").in_project(project);
        let record = record.with("entity_type", Value::text("Shot")).with("field_name", Value::text("camera"));
        Change::Upsert(record.with("departments", Value::texts(departments.iter().copied())))
    };
    let mut metadata = ask("sup", "update", "shot", "S");
    metadata.field = "data.camera";
    asked(
        &metadata,
        vec![
            ("a column comes", column("P", &["anim"]), true),
            ("it is another department's", column("P", &["lgt"]), false),
            ("it is theirs again", column("P", &["anim"]), true),
            ("it moves away", column("Q", &["anim"]), false),
        ],
    );
    asked(
        &ask("art", "comment", "task", "T"),
        vec![("artists may not set the status", status(false), false), ("they may", status(true), true)],
    );
    let mentions = |departments: &[&str]| {
        let record = Record::new("task_mentions", "T").with("mentions", Value::texts([]));
        Change::Upsert(record.with("department_mentions", Value::texts(departments.iter().copied())))
    };
    authorizer
        .delta([mentions(&[]), Change::Upsert(Record::new("task_type", "tt").with("department_id", Value::Null))]);
    asked(
        &ask("sup", "comment", "task", "T"),
        vec![
            ("the department is mentioned", mentions(&["anim"]), true),
            ("it is not", mentions(&[]), false),
            (
                "the task is of the department",
                Change::Upsert(Record::new("task_type", "tt").with("department_id", Value::text("anim"))),
                true,
            ),
        ],
    );
}
