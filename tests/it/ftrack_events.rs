//! The ftrack connector against the double of a server: whether and how soon each change is in the mirror, and what
//! happens when the hub or the API is away or sends what it should not.

mod decisions;
pub(crate) mod double;
mod follower;
mod writes;

use std::future::Future;
use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stagedoor::model::change::Change;
use stagedoor::model::id::{Id, ObjectRef};
use stagedoor::tracker::parts::Parts;
use stagedoor::tracker::progress::Progress;
use stagedoor::tracker::secret::TokenSource;
use stagedoor::tracker::{Scope, Source as _, SourceError};
use tokio::task::JoinHandle;

use self::double::Double;
use self::follower::{Follower, Held, truth};

#[expect(clippy::disallowed_methods, reason = "no app here to spawn through")]
pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(future)
}

pub(crate) fn print(line: &str) {
    writeln!(std::io::stdout(), "{line}").expect("stdout is open");
}

/// Changes of every kind that the mirror depends on, in this order.
fn changes() -> Vec<(&'static str, Value)> {
    vec![
        ("a status", json!([["update", "Task", "task-comp", {"status_id": "status-approved"}]])),
        ("a status of a shot", json!([["update", "Shot", "shot-film", {"status_id": "status-approved"}]])),
        ("a name", json!([["update", "Task", "task-anim", {"name": "animation"}]])),
        ("a type", json!([["update", "Task", "task-anim", {"type_id": "type-modeling"}]])),
        (
            "an assignment",
            json!([["create", "Appointment", "assign-new", {"type": "assignment", "resource_id": "user-uma", "context_id": "task-comp"}]]),
        ),
        ("an assignment taken back", json!([["delete", "Appointment", "assign-new", {}]])),
        (
            "an assignment of a group",
            json!([["create", "Appointment", "assign-group", {"type": "assignment", "resource_id": "group-producers", "context_id": "task-comp"}]]),
        ),
        ("a user switched off", json!([["update", "User", "user-rita", {"is_active": false}]])),
        ("a user switched on", json!([["update", "User", "user-rita", {"is_active": true}]])),
        ("a new user", json!([["create", "User", "user-new", {"username": "new", "is_active": true}]])),
        ("a user gone", json!([["delete", "User", "user-new", {}]])),
        (
            "a membership",
            json!([["create", "Membership", "member-new", {"user_id": "user-uma", "group_id": "group-line"}]]),
        ),
        ("a membership gone", json!([["delete", "Membership", "member-new", {}]])),
        ("a group below another", json!([["update", "Group", "group-line", {"parent_id": null}]])),
        ("a new group", json!([["create", "Group", "group-new", {"name": "New", "parent_id": "group-line"}]])),
        ("a group gone", json!([["delete", "Group", "group-new", {}]])),
        (
            "a role of a user",
            json!([["create", "UserSecurityRole", "held-new", {"user_id": "user-uma", "security_role_id": "role-pm", "is_all_open_projects": false}]]),
        ),
        ("all open projects", json!([["update", "UserSecurityRole", "held-new", {"is_all_open_projects": true}]])),
        (
            "a project of a role",
            json!([["create", "UserSecurityRoleProject", "grant-new", {"user_security_role_id": "held-new", "project_id": "project-film"}]]),
        ),
        ("a project of a role gone", json!([["delete", "UserSecurityRoleProject", "grant-new", {}]])),
        ("a role of a user gone", json!([["delete", "UserSecurityRole", "held-new", {}]])),
        ("a role's name", json!([["update", "SecurityRole", "role-pm", {"name": "Producer"}]])),
        ("a new role", json!([["create", "SecurityRole", "role-new", {"name": "Lead", "type": "PROJECT"}]])),
        ("a role gone", json!([["delete", "SecurityRole", "role-new", {}]])),
        ("a private project", json!([["update", "Project", "project-film", {"is_private": true}]])),
        ("an open project", json!([["update", "Project", "project-film", {"is_private": false}]])),
        ("a closed project", json!([["update", "Project", "project-film", {"status": "inactive"}]])),
        ("a status's activity", json!([["update", "Status", "status-new", {"is_active": false}]])),
        ("a type's name", json!([["update", "Type", "type-modeling", {"name": "Sculpting"}]])),
        (
            "an object type's name",
            json!([["update", "ObjectType", "11c137c0-ee7e-4f9c-91c5-8c77cec22b2c", {"name": "Job"}]]),
        ),
        ("a key switched off", json!([["update", "ApiKey", "key-paul", {"enabled": false}]])),
        ("a task moved", json!([["update", "Task", "task-comp", {"parent_id": "shot-film-2"}]])),
        (
            "a sequence moved to another project",
            json!([["update", "Sequence", "seq-film", {"parent_id": "project-series"}]]),
        ),
        (
            "a task made",
            json!([["create", "Task", "task-new", {"name": "roto", "parent_id": "shot-film", "project_id": "project-series", "status_id": "status-new"}]]),
        ),
        (
            "many at once",
            json!([
                ["update", "Task", "task-new", {"status_id": "status-final"}],
                ["update", "Shot", "shot-film-2", {"status_id": "status-final"}],
                ["update", "User", "user-paul", {"email": "p@studio.example"}],
            ]),
        ),
        ("a task gone", json!([["delete", "Task", "task-new", {}]])),
        ("a shot gone", json!([["delete", "Shot", "shot-film", {}]])),
        ("a project gone", json!([["delete", "Project", "project-secret", {}]])),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn every_change_is_in_the_mirror_at_once() {
    // What a server's events have as values is not known for certain.
    for values in ["text", "native"] {
        every_change(Double::start(&["--silent", "", "--values", values])).await;
    }
}

async fn every_change(double: Double) {
    let follower = Follower::start(double.ftrack()).await;
    let reader = double.ftrack();
    let mut before = truth(&reader).await;
    follower.equals("at the start", &before, Instant::now(), Duration::from_secs(2)).await;
    for (what, operations) in changes() {
        double.mutate(&operations).await;
        let since = Instant::now();
        let after = truth(&reader).await;
        assert_ne!(before, after, "{what} changes nothing");
        let took = follower.equals(what, &after, since, Duration::from_secs(5)).await;
        print(&format!("{what}: {took:?}"));
        before = after;
    }
    assert_eq!(follower.count(|counts| &counts.lost), 0);
}

/// Kinds of changes that a server may not announce.
fn silent() -> Vec<(&'static str, Value)> {
    let silent = ["a membership", "a membership gone", "a group below another", "a new group", "a role of a user"];
    let silent = [&silent[..], &["all open projects", "a role's name", "a new role", "a role of a user gone"]].concat();
    changes().into_iter().filter(|(what, _)| silent.contains(what)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn what_no_event_announces_is_found_by_the_sweep() {
    let double = Double::start(&[]);
    let follower = Follower::sweeping(double.ftrack(), Duration::from_secs(1)).await;
    let reader = double.ftrack();
    for (what, operations) in silent() {
        double.mutate(&operations).await;
        let since = Instant::now();
        let after = truth(&reader).await;
        let took = follower.equals(what, &after, since, Duration::from_secs(3)).await;
        print(&format!("{what}: {took:?} (sweep every second)"));
    }
    assert_eq!(follower.count(|counts| &counts.hinted), 0, "nothing was announced");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn an_event_that_comes_before_its_row_is_looked_at_again() {
    let double = Double::start(&["--silent", "", "--visible-after", "1"]);
    let follower = Follower::start(double.ftrack()).await;
    let reader = double.ftrack();
    let wanted = ["a user switched off", "an assignment", "an assignment taken back", "a project of a role gone"];
    for (what, operations) in changes() {
        double.mutate(&operations).await;
        let since = Instant::now();
        tokio::time::sleep(Duration::from_millis(1050)).await;
        if wanted.contains(&what) {
            let after = truth(&reader).await;
            let took = follower.equals(what, &after, since, Duration::from_secs(3)).await;
            print(&format!("{what}: {took:?} after it was written, visible after 1 s"));
        }
        if what == "a project of a role gone" {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn what_happened_while_the_hub_was_away_is_loaded() {
    let double = Double::start(&["--silent", ""]);
    let follower = Follower::start(double.ftrack()).await;
    let reader = double.ftrack();
    let mut left = changes().into_iter();
    for mode in ["down", "refuse", "hang"] {
        let lost = follower.count(|counts| &counts.lost);
        double.post("hub", json!({"mode": mode})).await;
        for (_, operations) in left.by_ref().take(6) {
            double.mutate(&operations).await;
        }
        let truth = truth(&reader).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_ne!(*follower.held.lock(), truth, "{mode}: nobody told");
        double.post("hub", json!({"mode": "ok"})).await;
        let took = follower.equals(mode, &truth, Instant::now(), Duration::from_secs(20)).await;
        print(&format!("hub {mode}: right {took:?} after it is back"));
        assert_eq!(follower.count(|counts| &counts.lost), lost + 1);
    }
    for clean in [true, false] {
        double.post("hub/drop", json!({"clean": clean})).await;
        let (what, operations) = left.next().expect("there are more");
        double.mutate(&operations).await;
        let truth = truth(&reader).await;
        follower.equals(what, &truth, Instant::now(), Duration::from_secs(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn a_hub_that_stalls_is_left() {
    let double = Double::start(&[]);
    let follower = Follower::start(double.ftrack()).await;
    double.post("hub", json!({"mode": "stall"})).await;
    let stalled = Instant::now();
    double.mutate(&changes()[0].1).await;
    let truth = truth(&double.ftrack()).await;
    follower.until("lost", Duration::from_secs(40), |_| follower.count(|counts| &counts.lost) == 1).await;
    let noticed = stalled.elapsed();
    assert!(noticed > Duration::from_secs(30), "{noticed:?}");
    double.post("hub", json!({"mode": "ok"})).await;
    let took = follower.equals("stalled", &truth, Instant::now(), Duration::from_secs(20)).await;
    print(&format!("stalled: noticed after {noticed:?}, right {took:?} after it goes on"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn whatever_the_hub_sends_the_link_stays_and_nothing_is_missed() {
    let double = Double::start(&["--silent", ""]);
    let follower = Follower::start(double.ftrack()).await;
    let reader = double.ftrack();
    let mut left = changes().into_iter();
    let frames = [
        "9:::what",
        "42::",
        "8::",
        "3:::hello",
        "4:::{}",
        "6:::77",
        "6:::77+[{\"success\":false}]",
        "1::",
        "hello",
        "",
        ":::",
        "5:::",
        "5:::{",
        "5:::[]",
        "5:::{\"name\":\"ftrack.event\"}",
        "5:::{\"name\":\"other\",\"args\":[{}]}",
        "5:::{\"name\":\"ftrack.event\",\"args\":[{\"topic\":\"ftrack.update\"}]}",
        "5:::{\"name\":\"ftrack.event\",\"args\":[{\"topic\":\"ftrack.update\",\"data\":{\"entities\":[7,null,{}]}}],\"new\":1}",
        "5:::{\"name\":\"ftrack.event\",\"args\":[{\"topic\":\"a:b\",\"data\":\"c:d::e\",\"unknown\":{}}]}",
        "6:::x+[",
        "\u{1F3AC}",
    ];
    for frame in frames {
        double.post("hub/send", json!({"frame": frame})).await;
        let Some((what, operations)) = left.next() else { break };
        // Held back, so that only the frame that cannot be read can tell.
        let unreadable = ["hello", "", ":::", "5:::", "5:::{", "5:::[]", "6:::x+["].contains(&frame);
        double.mutate(&operations).await;
        let since = Instant::now();
        let truth = truth(&reader).await;
        follower.equals(&format!("{frame} and {what}"), &truth, since, Duration::from_secs(3)).await;
        if unreadable {
            let reloads = follower.count(|counts| &counts.reloads);
            assert!(reloads > 0, "{frame}");
        }
    }
    assert_eq!(follower.count(|counts| &counts.lost), 0);
    assert_eq!(follower.count(|counts| &counts.connected), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn an_event_that_cannot_be_read_is_made_up_for() {
    let double = Double::start(&["--silent", ""]);
    let follower = Follower::start(double.ftrack()).await;
    double.post("hub", json!({"hold": true})).await;
    double.mutate(&changes()[0].1).await;
    let truth = truth(&double.ftrack()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_ne!(*follower.held.lock(), truth, "nobody told");
    double.post("hub/send", json!({"frame": "5:::{\"name\":\"ftrack.event\",\"args\":[{\"topic\":\"ftr"})).await;
    let took = follower.equals("half an event", &truth, Instant::now(), Duration::from_secs(3)).await;
    print(&format!("half an event: right after {took:?}"));
    assert_eq!(follower.count(|counts| &counts.lost), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn events_may_come_twice_and_in_any_order() {
    let double = Double::start(&["--silent", ""]);
    let follower = Follower::start(double.ftrack()).await;
    let reader = double.ftrack();
    double.post("hub", json!({"duplicate": 2})).await;
    let mut left = changes().into_iter();
    for order in ["reverse", "shuffle", "shuffle"] {
        double.post("hub", json!({"hold": true})).await;
        for (_, operations) in left.by_ref().take(12) {
            double.mutate(&operations).await;
        }
        let truth = truth(&reader).await;
        double.post("hub", json!({"hold": false})).await;
        double.post("hub/release", json!({"order": order})).await;
        let took = follower.equals(order, &truth, Instant::now(), Duration::from_secs(5)).await;
        print(&format!("twelve changes, {order}, three times each: right after {took:?}"));
    }
    assert_eq!(follower.count(|counts| &counts.lost), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn a_bulk_edit_is_one_event_and_read_in_bulk() {
    let double = Double::start(&[]);
    double.post("generate", json!({"tasks": 3000, "projects": 3, "people": 50})).await;
    let follower = Follower::start(double.ftrack()).await;
    let tasks = double.get("query?expression=select id from Task limit 3000").await;
    let tasks = tasks.as_array().expect("rows").iter();
    let edit = tasks.map(|task| json!(["update", "Task", task["id"], {"status_id": "status-final"}]));
    let edit = Value::from(edit.collect::<Vec<_>>());
    double.mutate(&edit).await;
    let since = Instant::now();
    let truth = truth(&double.ftrack()).await;
    let took = follower.equals("a bulk edit", &truth, since, Duration::from_secs(20)).await;
    print(&format!("3000 tasks in one event: right after {took:?}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn a_server_that_gives_short_pages_is_read_whole() {
    let double = Double::start(&[]);
    let reader = double.ftrack();
    let whole = truth(&reader).await;
    for cap in [1, 2, 3, 7] {
        double.post("settings", json!({"cap": cap})).await;
        let read = truth(&reader).await;
        assert_eq!(read, whole, "pages of {cap}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn what_an_older_server_lacks_is_left_out() {
    let double = Double::start(&["--without", "ApiKey.enabled,ApiKey.roles,ApiKey.projects,AssetVersion.project_id"]);
    let held = truth(&double.ftrack()).await;
    let key = held[&ObjectRef::new("user", "key-global")].clone().expect("a record");
    assert_eq!(key.field("resource_id"), Some(&stagedoor::model::value::Value::Null));
    assert!(["is_active", "roles", "projects"].iter().all(|name| key.field(name).is_none()), "{key:?}");
    let version = ObjectRef::new("assetversion", "version-comp-1");
    let read = double.ftrack().reread(std::slice::from_ref(&version)).await.expect("it answers");
    let [Change::Upsert(record)] = &read[..] else { panic!("{read:?}") };
    assert_eq!(record.project, Some(Id::from("project-film")));

    let double = Double::start(&["--without", "ApiKey"]);
    let held = truth(&double.ftrack()).await;
    assert!(!held.contains_key(&ObjectRef::new("user", "key-global")));
    assert!(held.contains_key(&ObjectRef::new("user", "user-ada")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn a_private_project_is_seen_once_it_is_awarded_to_the_key() {
    let double = Double::start(&["--silent", ""]);
    let follower = Follower::sweeping(double.ftrack_as("service", "open-key"), Duration::from_secs(1)).await;
    let (project, task) = (ObjectRef::new("project", "project-secret"), ObjectRef::new("task", "task-secret"));
    let filed = ObjectRef::new("object", "task-secret");
    assert!(!follower.held.lock().contains_key(&project));
    // Its events come nevertheless.
    double.mutate(&json!([["update", "Task", "task-secret", {"status_id": "status-final"}]])).await;
    // Until it has been looked at again.
    tokio::time::sleep(Duration::from_millis(1700)).await;
    assert!(!follower.held.lock().contains_key(&project) && !follower.held.lock().contains_key(&filed), "{task}");
    double.mutate(&json!([["update", "ApiKey", "key-open", {"project_ids": ["project-secret"]}]])).await;
    follower
        .until("awarded", Duration::from_secs(8), |held| held.contains_key(&project) && held.contains_key(&filed))
        .await;
    double.mutate(&json!([["update", "ApiKey", "key-open", {"project_ids": []}]])).await;
    follower.until("taken back", Duration::from_secs(5), |held| !held.contains_key(&project)).await;
    double.mutate(&json!([["update", "Project", "project-secret", {"is_private": false}]])).await;
    let opened = |held: &Held| held.contains_key(&project) && held.contains_key(&filed);
    follower.until("opened", Duration::from_secs(5), opened).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn what_is_read_on_first_use() {
    let double = Double::start(&[]);
    let wanted = [
        (
            "assetversion",
            "version-comp-1",
            Some("project-film"),
            vec![("task_id", "task-comp"), ("user_id", "user-rita")],
        ),
        ("note", "note-1", Some("project-film"), vec![("user_id", "user-kim"), ("parent_id", "task-comp")]),
        ("timelog", "timelog-rita", None, vec![("user_id", "user-rita"), ("context_id", "task-comp")]),
        ("list", "list-shots", Some("project-film"), vec![("user_id", "user-paul")]),
        ("review_session", "review-film", Some("project-film"), vec![]),
    ];
    let objects: Vec<_> = wanted.iter().map(|(kind, id, ..)| ObjectRef::new(kind, id)).collect();
    let read = double.ftrack().reread(&objects).await.expect("it answers");
    for (kind, id, project, fields) in wanted {
        let found = read.iter().find_map(|change| match change {
            Change::Upsert(record) if record.object() == ObjectRef::new(kind, id) => Some(record),
            _ => None,
        });
        let record = found.unwrap_or_else(|| panic!("{kind} {id}: {read:?}"));
        assert_eq!(record.project, project.map(Id::from), "{kind}");
        for (name, value) in fields {
            assert_eq!(record.field(name).and_then(|value| value.as_text()), Some(value), "{kind}.{name}");
        }
    }
    let gone = ObjectRef::new("note", "note-nowhere");
    assert_eq!(double.ftrack().reread(std::slice::from_ref(&gone)).await, Ok(vec![Change::Remove(gone)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn a_large_workspace_is_handed_over_in_parts() {
    let tasks = std::env::var("STAGEDOOR_TEST_FTRACK_TASKS").ok().and_then(|tasks| tasks.parse::<u64>().ok());
    let tasks = tasks.unwrap_or(10_000);
    let double = Double::start(&[]);
    double.post("generate", json!({"tasks": tasks})).await;
    let ftrack = double.ftrack();
    let (parts, mut handed) = Parts::channel();
    let progress = Progress::logged();
    let started = Instant::now();
    let loading = async {
        let parts = parts;
        ftrack.load(Scope::All, &progress, &parts).await
    };
    let counting = async {
        let (mut rows, mut most) = (0, 0);
        while let Some(part) = handed.recv().await {
            rows += part.len();
            most = most.max(part.len());
        }
        (rows, most)
    };
    let (snapshot, (rows, most)) = tokio::join!(loading, counting);
    let took = started.elapsed();
    let snapshot = snapshot.expect("it answers");
    assert!(snapshot.complete.iter().any(|table| table == "object"));
    assert!(most <= 1000 && rows as u64 > tasks, "{rows} rows, {most} at once");
    let counts = double.get("counts").await;
    print(&format!("{tasks} tasks, {rows} objects: {took:?}, requests {}", counts["POST /api"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn a_revoked_key_is_noticed_and_a_rotated_one_taken_up() {
    let double = Double::start(&[]);
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), "service-key\n").expect("the key is written");
    let ftrack = double.ftrack_reading("service", TokenSource::File(file.path().to_owned()));
    ftrack.probe().await.expect("let in");
    double.mutate(&json!([["update", "ApiKey", "key-service", {"secret": "rotated"}]])).await;
    let refused = ftrack.probe().await.expect_err("the old key");
    assert!(matches!(refused, SourceError::Refused(_)), "{refused:?}");
    std::fs::write(file.path(), "rotated").expect("the key is written");
    ftrack.probe().await.expect("let in with the new key");
    drop(ftrack.events().await.expect("and to the hub"));
}

#[tokio::test]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn a_key_that_does_not_do_is_refused_with_the_mend() {
    for status in ["401", "200"] {
        let double = Double::start(&["--bad-key", status]);
        for (user, key, expected) in [
            ("service", "no-key", "does not accept the API key"),
            ("nobody", "service-key", "does not accept the API key"),
            ("service", " ", "is empty"),
        ] {
            let ftrack = double.ftrack_as(user, key);
            let probed = ftrack.probe().await.expect_err("refused");
            let listened = ftrack.events().await.map(drop).expect_err("refused");
            for refused in [probed, listened] {
                let SourceError::Refused(why) = &refused else { panic!("{refused:?}") };
                assert!(why.contains(expected) && why.contains("api_key_file"), "{why}");
                assert!(key.trim().is_empty() || !why.contains(key), "the key is told: {why}");
            }
        }
    }
}
