//! What the guard asks of ftrack, against the double: histories, statuses put back, people told.

use std::time::{Duration, SystemTime};

use futures_util::StreamExt as _;
use serde_json::json;
use stagedoor::model::id::{Id, ObjectRef};
use stagedoor::tracker::ftrack::Ftrack;
use stagedoor::tracker::writer::{History, Move, Writer as _};
use stagedoor::tracker::{Source as _, SourceError};

use super::double::Double;
use super::spawn;

fn task() -> ObjectRef {
    ObjectRef::new("task", "task-comp")
}

async fn set(double: &Double, person: &str, status: &str) {
    double.mutate_as(person, &json!([["update", "Task", "task-comp", {"status_id": status}]])).await;
}

async fn history(ftrack: &Ftrack, object: &ObjectRef) -> History {
    ftrack.history(object).await.expect("it answers").expect("the object is there")
}

fn steps(history: &History) -> Vec<(String, String, String)> {
    let text = |id: Option<&Id>| id.map(Id::to_string).unwrap_or_default();
    let step = |moved: &Move| (text(moved.by.as_ref()), text(moved.from.as_ref()), moved.to.to_string());
    history.moves.iter().map(step).collect()
}

fn step(by: &str, from: &str, to: &str) -> (String, String, String) {
    (by.into(), from.into(), to.into())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn a_history_is_newest_first_also_within_a_second() {
    let double = Double::start(&[]);
    let ftrack = double.ftrack();
    assert_eq!(history(&ftrack, &task()).await.moves, []);
    let before = SystemTime::now();
    for (person, status) in
        [("uma", "status-review"), ("rita", "status-final"), ("paul", "status-review"), ("uma", "status-approved")]
    {
        set(&double, person, status).await;
    }
    let told = history(&ftrack, &task()).await;
    assert_eq!((told.name.as_str(), told.status.clone()), ("comp", Some(Id::from("status-approved"))));
    let expected = [
        step("user-uma", "status-review", "status-approved"),
        step("user-paul", "status-final", "status-review"),
        step("user-rita", "status-review", "status-final"),
        step("user-uma", "status-work", "status-review"),
    ];
    assert_eq!(steps(&told), expected);
    assert!(told.moves.iter().all(|moved| moved.at >= before - Duration::from_secs(2)), "{told:?}");
    assert!(!told.moves.iter().any(|moved| ftrack.is_us(moved)));

    let version = ObjectRef::new("assetversion", "version-comp-2");
    double.mutate(&json!([["update", "AssetVersion", "version-comp-2", {"status_id": "status-approved"}]])).await;
    let told = history(&ftrack, &version).await;
    assert_eq!(told.name, "comp v002");
    assert_eq!(steps(&told), [step("user-ada", "status-review", "status-approved")]);
    for gone in
        [ObjectRef::new("task", "task-nowhere"), ObjectRef::new("user", "user-ada"), ObjectRef::new("task", "a b")]
    {
        assert_eq!(ftrack.history(&gone).await, Ok(None));
    }

    let statuses = [Id::from("status-approved"), Id::from("status-new")];
    let moved = ftrack.moved_since(before, &statuses).await.expect("it answers");
    assert_eq!(moved, [version, ObjectRef::new("object", "task-comp")]);
    assert_eq!(ftrack.moved_since(before, &[]).await, Ok(Vec::new()));
    let later = SystemTime::now() + Duration::from_secs(3600);
    assert_eq!(ftrack.moved_since(later, &statuses).await, Ok(Vec::new()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn what_is_put_back_is_one_request_in_the_name_of_our_user() {
    let double = Double::start(&[]);
    let ftrack = double.ftrack();
    for kind in ["task", "object"] {
        set(&double, "rita", "status-final").await;
        let object = ObjectRef::new(kind, "task-comp");
        let handle = history(&ftrack, &object).await.handle;
        ftrack.set_status(&object, &handle, &Id::from("status-work")).await.expect("taken");
        assert_eq!(handle, "Task");
        let told = history(&ftrack, &object).await;
        assert_eq!(told.status, Some(Id::from("status-work")));
        let [ours, theirs, ..] = &told.moves[..] else { panic!("{told:?}") };
        assert!(ftrack.is_us(ours) && !ftrack.is_us(theirs), "{told:?}");
        assert_eq!(ours.by, Some(Id::from("user-service")));
    }
    // Shots and versions too, each in a request of its own, under our token.
    for (kind, id) in [("shot", "shot-film"), ("assetversion", "version-comp-1"), ("object", "vendor-film")] {
        let object = ObjectRef::new(kind, id);
        let handle = history(&ftrack, &object).await.handle;
        ftrack.set_status(&object, &handle, &Id::from("status-approved")).await.expect("taken");
    }
    let writes = double.get("record?kind=write&user=service").await;
    let writes = writes.as_array().expect("a list");
    let classes: Vec<_> = writes.iter().map(|write| write["entity_type"].as_str().unwrap_or_default()).collect();
    assert_eq!(classes, ["Task", "Task", "Shot", "AssetVersion", "VendorPackage"]);
    let own = |token: &str| token.starts_with("stagedoor-") && token.len() > 20;
    assert!(
        writes.iter().all(|write| write["batch"] == 1 && own(write["token"].as_str().unwrap_or_default())),
        "{writes:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn what_the_server_refuses_is_told_from_what_it_fails_at() {
    let double = Double::start(&[]);
    let ftrack = double.ftrack();
    let work = Id::from("status-review");
    for (error, refused) in [
        (json!("ValidationError"), true),
        (json!("PermissionError"), true),
        (json!("500"), false),
        (json!("drop"), false),
    ] {
        double.post("faults", json!({"action": "update", "times": 1, "error": error})).await;
        let outcome = ftrack.set_status(&task(), &"Task".into(), &work).await.expect_err("a fault");
        assert_eq!(matches!(outcome, SourceError::Refused(_)), refused, "{error}: {outcome:?}");
    }
    for (object, status) in [("task-nowhere", "status-work"), ("task-comp", "status-nowhere"), ("task-comp", "a b")] {
        let outcome = ftrack.set_status(&ObjectRef::new("task", object), &"Task".into(), &Id::from(status)).await;
        assert!(matches!(outcome, Err(SourceError::Refused(_))), "{object} {status}: {outcome:?}");
    }
    // Its answer is lost, and it went through.
    history(&ftrack, &task()).await;
    double.post("faults", json!({"action": "update", "times": 1, "error": "drop", "apply": true})).await;
    ftrack.set_status(&task(), &"Task".into(), &work).await.expect_err("no answer");
    let told = history(&ftrack, &task()).await;
    assert!(told.status == Some(work) && ftrack.is_us(&told.moves[0]), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn a_person_is_told_over_the_connection_that_listens() {
    let double = Double::start(&[]);
    let ftrack = double.ftrack();
    let rita = Id::from("user-rita");
    let message = "You are not allowed: \"ask\" a 'producer'";
    let unconnected = ftrack.notify(&rita, message, &[task()]).await.expect_err("nothing is connected");
    assert!(matches!(unconnected, SourceError::Unavailable(_)), "{unconnected:?}");
    let mut stream = ftrack.events().await.expect("connected");
    let listening = spawn(async move { while stream.next().await.is_some() {} });
    ftrack.notify(&rita, message, &[task()]).await.expect("told");
    let told = double.get("record?kind=event&topic=ftrack.action.trigger-user-interface").await;
    let told = told.as_array().expect("a list");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["data"], json!({"type": "message", "success": false, "message": message}));
    assert_eq!(told[0]["target"], "applicationId=ftrack.client.web and user.id=\"user-rita\"");
    double.post("hub", json!({"mode": "down"})).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let gone = ftrack.notify(&rita, message, &[]).await.expect_err("the hub is down");
    assert!(matches!(gone, SourceError::Unavailable(_)), "{gone:?}");
    listening.abort();
}
