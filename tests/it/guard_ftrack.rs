//! The guard over ftrack: the cases that the vendor's published listener was put to (tests/ftrack/test_listener.py), with
//! what the double's own record says of writes and messages.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use stagedoor::authorizer::{Authorizer, Clock, Options, State};
use stagedoor::engine::policy::Policy;
use stagedoor::guard::{self, Guard};
use stagedoor::ledger::{Ledger, Outcome};
use stagedoor::tracker::seen;
use stagedoor::tracker::supervise::{self, Stats, Supervisor};
use tokio::task::JoinHandle;

use crate::ftrack_events::double::Double;
use crate::ftrack_events::{print, spawn};

/// As the listener's: statuses called Approved are for the producers; kim is one, lena in a group below, uma neither.
const TASKS: &str = "
extends: ftrack
restrictions:
  - {name: approvals, kind: task, statuses: [Approved], allow: ['group:Producers'], message: Only producers approve}
";
/// Shots, versions, and a second restricted status besides.
const ALL: &str = "
extends: ftrack
restrictions:
  - {name: approvals, kind: task, statuses: [Approved, Final], allow: ['group:Producers'], message: Only producers approve}
  - {name: shots, kind: shot, statuses: [Approved], allow: ['group:Producers'], message: Only producers approve}
  - {name: versions, kind: assetversion, statuses: [Approved], allow: ['group:Producers'], message: Only producers approve}
";

/// A double, and a guard over it in this process.
struct Guarded {
    double: Double,
    authorizer: Arc<Authorizer>,
    ledger: Arc<Ledger>,
    stats: Arc<Stats>,
    tasks: Vec<JoinHandle<()>>,
}

impl Guarded {
    async fn start(arguments: &[&str], overlay: &str) -> Self {
        Self::over(Double::start(arguments), overlay, false).await
    }

    async fn over(double: Double, overlay: &str, dry_run: bool) -> Self {
        let policy = Policy::load("ftrack", Some(("overlay", overlay))).expect("compiles");
        let authorizer = Authorizer::new(policy, Options::default(), Clock::system());
        let options = supervise::Options { probe: Duration::from_secs(1), ..supervise::Options::default() };
        let ftrack = double.ftrack();
        let (teller, told) = seen::channel();
        let mut supervisor = Supervisor::new(ftrack.clone(), Arc::clone(&authorizer), options);
        supervisor.tell(teller);
        let stats = supervisor.stats();
        let ledger = Arc::new(Ledger::open(None).expect("in memory"));
        let quick = (Duration::from_millis(50), Duration::from_millis(200));
        let options = guard::Options { dry_run, retry: quick, ..guard::Options::default() };
        let guard = Guard::new(ftrack, Arc::clone(&authorizer), Arc::clone(&ledger), options);
        let tasks = vec![spawn(supervisor.run(tokio_util::sync::CancellationToken::new())), spawn(guard.run(told))];
        let guarded = Self { double, authorizer, ledger, stats, tasks };
        guarded.until("live", async || guarded.authorizer.state() == State::Live).await;
        // What was moved before the guard began is not its business; the double's clock has seconds.
        tokio::time::sleep(Duration::from_millis(300)).await;
        guarded
    }

    async fn until(&self, what: &str, so: impl AsyncFn() -> bool) {
        let started = Instant::now();
        while !so().await {
            let (last, stats) = (self.ledger.last(20), &self.stats);
            assert!(started.elapsed() < Duration::from_secs(20), "not {what}: {last:#?} {stats:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// `(id, type, status)` each, in one event.
    async fn set(&self, person: &str, statuses: &[(&str, &str, &str)]) {
        let operation = |(id, kind, status): &(&str, &str, &str)| json!(["update", kind, id, {"status_id": status}]);
        let operations: Vec<_> = statuses.iter().map(operation).collect();
        self.double.mutate_as(person, &json!(operations)).await;
    }

    async fn status(&self, id: &str, kind: &str) -> Option<String> {
        let expression = format!("query?expression=select%20status_id%20from%20{kind}%20where%20id%20is%20%22{id}%22");
        let rows = self.double.get(&expression).await;
        let rows = rows.as_array().or_else(|| rows["data"].as_array()).cloned().expect("rows");
        rows[0]["status_id"].as_str().map(str::to_owned)
    }

    async fn becomes(&self, id: &str, kind: &str, status: &str) {
        let what = format!("{id} {status}");
        self.until(&what, async || self.status(id, kind).await.as_deref() == Some(status)).await;
    }

    async fn record(&self, filter: &str) -> Vec<Json> {
        let record = self.double.get(&format!("record?{filter}")).await;
        record.as_array().or_else(|| record["record"].as_array()).cloned().expect("a record")
    }

    /// Our writes that were done, those that were refused, and the messages: once nothing more comes.
    async fn done(&self) -> (usize, usize, usize) {
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        let writes = self.record("kind=write&user=service").await;
        let good = writes.iter().filter(|write| write["outcome"] == "ok").count();
        let messages = self.record("kind=event&topic=ftrack.action.trigger-user-interface").await;
        (good, writes.len() - good, messages.len())
    }

    async fn messages(&self) -> Vec<(String, String)> {
        let messages = self.record("kind=event&topic=ftrack.action.trigger-user-interface").await;
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        messages.iter().map(|message| (text(&message["target"]), text(&message["data"]["message"]))).collect()
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

const APPROVED: &str = "status-approved";
const WORK: &str = "status-work";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn an_outsider_is_put_back_exactly_once_and_told() {
    let it = Guarded::start(&[], TASKS).await;
    let started = Instant::now();
    it.set("uma", &[("task-comp", "Task", APPROVED)]).await;
    it.becomes("task-comp", "Task", WORK).await;
    print(&format!("put back after {:?}", started.elapsed()));
    assert_eq!(it.done().await, (1, 0, 1));
    let told =
        ("applicationId=ftrack.client.web and user.id=\"user-uma\"".to_owned(), "Only producers approve".to_owned());
    assert_eq!(it.messages().await, [told]);
    let write = &it.record("kind=write&user=service").await[0];
    assert!(write["token"].as_str().is_some_and(|token| token.starts_with("stagedoor-")), "{write}");
    // Members, members of groups below, and whoever moves out of it, are left alone.
    it.set("kim", &[("task-comp", "Task", APPROVED)]).await;
    it.set("lena", &[("task-anim", "Task", "status-approved-2")]).await;
    it.set("uma", &[("task-final", "Task", WORK)]).await;
    assert_eq!(it.done().await, (1, 0, 1));
    assert_eq!(it.status("task-anim", "Task").await.as_deref(), Some("status-approved-2"));
    // The second status of that name is restricted too; those above the group are not in it.
    it.set("paul", &[("task-light", "Task", "status-approved-2")]).await;
    it.until("put back", async || it.status("task-light", "Task").await.as_deref() != Some("status-approved-2")).await;
    assert_eq!(it.done().await, (2, 0, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn several_objects_of_one_event_are_put_back_each_and_told_once() {
    let it = Guarded::start(&[], ALL).await;
    let shot = it.status("shot-film", "Shot").await.expect("a status");
    let version = it.status("version-comp-1", "AssetVersion").await.expect("a status");
    it.set("uma", &[("task-comp", "Task", APPROVED), ("shot-film", "Shot", APPROVED), ("task-anim", "Task", APPROVED)])
        .await;
    it.becomes("task-comp", "Task", WORK).await;
    it.becomes("shot-film", "Shot", &shot).await;
    it.becomes("task-anim", "Task", WORK).await;
    assert_eq!(it.done().await, (3, 0, 1));
    let batches: Vec<_> =
        it.record("kind=write&user=service").await.iter().map(|write| write["batch"].clone()).collect();
    assert_eq!(batches, [json!(1), json!(1), json!(1)], "each in a batch of its own");
    print(&format!("a version is read on first use: {version}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn one_refused_write_stops_no_other_and_is_parked() {
    let it = Guarded::start(&[], TASKS).await;
    let fault = json!({"action": "update", "entity_id": "task-comp", "error": "PermissionError", "times": null});
    it.double.post("faults", fault).await;
    it.set("uma", &[("task-comp", "Task", APPROVED), ("task-anim", "Task", APPROVED)]).await;
    it.becomes("task-anim", "Task", WORK).await;
    let parked = async || it.ledger.last(50).iter().filter(|entry| entry.outcome == Outcome::Parked).count() == 1;
    it.until("parked", parked).await;
    let (good, refused, messages) = it.done().await;
    assert_eq!((good, refused, messages), (1, 5, 1));
    assert_eq!(it.status("task-comp", "Task").await.as_deref(), Some(APPROVED));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn a_write_that_fails_a_few_times_is_tried_again() {
    let it = Guarded::start(&[], TASKS).await;
    it.double.post("faults", json!({"action": "update", "error": "500", "times": 2})).await;
    it.set("uma", &[("task-comp", "Task", APPROVED)]).await;
    it.becomes("task-comp", "Task", WORK).await;
    let (good, _, messages) = it.done().await;
    assert_eq!((good, messages), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn never_back_to_no_status() {
    let it = Guarded::start(&[], TASKS).await;
    let nothing = json!({"as": "ada", "event": false, "history": false,
        "operations": [{"action": "update", "type": "Task", "id": "task-comp", "data": {"status_id": null}}]});
    it.double.post("mutate", nothing).await;
    it.set("uma", &[("task-comp", "Task", APPROVED)]).await;
    let (good, refused, _) = it.done().await;
    assert_eq!(refused, 0);
    let status = it.status("task-comp", "Task").await;
    assert!(status.is_some(), "never null");
    print(&format!("from no status: {good} writes, now {status:?}; {:?}", it.ledger.last(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn duplicates_late_events_and_forged_ones_change_nothing() {
    let it = Guarded::start(&[], TASKS).await;
    it.double.post("hub", json!({"duplicate": 2})).await;
    it.set("uma", &[("task-comp", "Task", APPROVED)]).await;
    it.becomes("task-comp", "Task", WORK).await;
    assert_eq!(it.done().await, (1, 0, 1));
    it.double.post("hub", json!({"duplicate": 0})).await;
    // The event comes after somebody has rightly moved it on.
    it.double.post("hub", json!({"hold": true})).await;
    it.set("uma", &[("task-anim", "Task", APPROVED)]).await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    it.set("kim", &[("task-anim", "Task", "status-final")]).await;
    it.double.post("hub/release", json!({"order": "reverse"})).await;
    it.double.post("hub", json!({"hold": false})).await;
    assert_eq!(it.done().await, (1, 0, 1));
    assert_eq!(it.status("task-anim", "Task").await.as_deref(), Some("status-final"));
    // Somebody claims that uma did what kim did.
    it.set("kim", &[("task-light", "Task", APPROVED)]).await;
    let forged = json!({"topic": "ftrack.update", "source": {"user": {"id": "user-uma", "username": "uma"}}, "data": {"entities": [
        {"entityType": "task", "entity_type": "Task", "entityId": "task-light", "action": "update", "keys": ["statusid"],
         "changes": {"statusid": {"old": WORK, "new": APPROVED}}}]}});
    it.double.post("hub/send", json!({"event": forged})).await;
    assert_eq!(it.done().await, (1, 0, 1));
    assert_eq!(it.status("task-light", "Task").await.as_deref(), Some(APPROVED));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn what_happens_during_an_outage_is_found_after_it() {
    let it = Guarded::start(&[], TASKS).await;
    it.double.post("hub", json!({"mode": "down"})).await;
    it.until("degraded", async || it.authorizer.state() == State::Degraded).await;
    it.set("uma", &[("task-comp", "Task", APPROVED)]).await;
    it.set("kim", &[("task-anim", "Task", APPROVED)]).await;
    assert_eq!(it.done().await.0, 0, "nothing is heard");
    it.double.post("hub", json!({"mode": "ok"})).await;
    it.becomes("task-comp", "Task", WORK).await;
    it.until("live", async || it.authorizer.state() == State::Live).await;
    let (good, refused, _) = it.done().await;
    assert_eq!((good, refused), (1, 0));
    assert_eq!(it.status("task-anim", "Task").await.as_deref(), Some(APPROVED));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn our_own_user_in_no_group_begins_no_loop() {
    let it = Guarded::start(&["--ties", "oldest"], ALL).await;
    // From a restricted status that was rightly set, to another one: back to the first, by us, who may set neither.
    it.set("kim", &[("task-comp", "Task", APPROVED)]).await;
    assert_eq!(it.done().await, (0, 0, 0));
    it.set("uma", &[("task-comp", "Task", "status-final")]).await;
    it.becomes("task-comp", "Task", APPROVED).await;
    assert_eq!(it.done().await, (1, 0, 1));
    // The same user, used by a person, is judged like anybody.
    it.set("service", &[("task-anim", "Task", APPROVED)]).await;
    it.becomes("task-anim", "Task", WORK).await;
    assert_eq!(it.done().await.0, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn membership_is_that_of_the_moment_though_nobody_tells() {
    let it = Guarded::start(&[], TASKS).await;
    let joined = json!({"as": "ada", "event": false, "operations": [
        {"action": "create", "type": "Membership", "data": {"id": "member-uma-producers", "user_id": "user-uma", "group_id": "group-producers"}}]});
    it.double.post("mutate", joined).await;
    it.set("uma", &[("task-comp", "Task", APPROVED)]).await;
    assert_eq!(it.done().await, (0, 0, 0), "she is a producer now");
    let left = json!({"as": "ada", "event": false, "operations": [
        {"action": "delete", "type": "Membership", "id": "member-kim-producers"}]});
    it.double.post("mutate", left).await;
    it.set("kim", &[("task-anim", "Task", APPROVED)]).await;
    it.becomes("task-anim", "Task", WORK).await;
    assert_eq!(it.done().await, (1, 0, 1), "he is none any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn nobody_and_a_dry_run() {
    let it = Guarded::start(&[], TASKS).await;
    let nobody = json!({"as": null, "operations": [{"action": "update", "type": "Task", "id": "task-comp", "data": {"status_id": APPROVED}}]});
    it.double.post("mutate", nobody).await;
    it.becomes("task-comp", "Task", WORK).await;
    assert_eq!(it.done().await, (1, 0, 0), "put back, and nobody told");
    drop(it);
    let it = Guarded::over(Double::start(&[]), TASKS, true).await;
    it.set("uma", &[("task-comp", "Task", APPROVED)]).await;
    let dry = async || it.ledger.last(50).iter().any(|entry| entry.outcome == Outcome::DryRun);
    it.until("noted", dry).await;
    assert_eq!(it.done().await, (0, 0, 0), "nothing is written, nobody told");
    assert_eq!(it.status("task-comp", "Task").await.as_deref(), Some(APPROVED));
}
