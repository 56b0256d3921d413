//! The whole of it: the double, the connector, the supervisor, the pack. A change at the tracker flips the answer.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use stagedoor::authorizer::{Authorizer, Clock, Options, State};
use stagedoor::engine::policy::Policy;
use stagedoor::model::query::{Query, Subject};
use stagedoor::model::value::Value;
use stagedoor::tracker::supervise::{self, Stats, Supervisor};
use tokio::task::JoinHandle;

use super::double::Double;
use super::{print, spawn};

/// An authorizer that follows the double, in this process.
struct Mirror {
    authorizer: Arc<Authorizer>,
    stats: Arc<Stats>,
    task: JoinHandle<()>,
}

/// A question, what turns its answer over, and what the answer then is.
struct Change {
    what: &'static str,
    operations: Json,
    subject: &'static str,
    action: &'static str,
    object: (&'static str, &'static str),
    allowed: bool,
}

impl Mirror {
    async fn start(double: &Double, options: supervise::Options) -> Self {
        let policy = Policy::load("ftrack", None).expect("the built-in pack compiles");
        let authorizer = Authorizer::new(policy, Options::default(), Clock::system());
        let supervisor = Supervisor::new(double.ftrack(), Arc::clone(&authorizer), options);
        let stats = supervisor.stats();
        let task = spawn(supervisor.run(tokio_util::sync::CancellationToken::new()));
        let mirror = Self { authorizer, stats, task };
        mirror.reaches(State::Live).await;
        mirror
    }

    async fn reaches(&self, state: State) {
        let started = Instant::now();
        while self.authorizer.state() != state {
            assert!(started.elapsed() < Duration::from_secs(60), "still {:?}", self.authorizer.state());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn allows(&self, change: &Change) -> bool {
        let subject = match change.subject.strip_prefix("bot:") {
            Some(key) => Subject::Bot(key),
            None => Subject::Person(change.subject),
        };
        let mut query = Query::new(subject, change.action, change.object.0, change.object.1);
        query.value = Some(Cow::Owned(Value::text("status-review")));
        self.authorizer.check(&query).await.decision.allowed()
    }

    async fn flips(&self, change: &Change, within: Duration) -> Duration {
        let started = Instant::now();
        while self.allows(change).await != change.allowed {
            assert!(
                started.elapsed() < within,
                "{}: not {} after {within:?}; {:?}",
                change.what,
                change.allowed,
                self.stats
            );
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        started.elapsed()
    }

    /// Makes each change and waits for what it does.
    async fn follows(&self, double: &Double, changes: &[Change], within: Duration) -> Vec<Duration> {
        let mut times = Vec::new();
        for change in changes {
            assert_ne!(self.allows(change).await, change.allowed, "{}: before", change.what);
            double.mutate(&change.operations).await;
            let took = self.flips(change, within).await;
            print(&format!("{}: {took:?}", change.what));
            times.push(took);
        }
        times.sort_unstable();
        times
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn changes() -> Vec<Change> {
    let mut changes = Vec::new();
    let mut add = |what, subject, action, object: (&'static str, &'static str), allowed, operation: Json| {
        changes.push(Change { what, operations: json!([operation]), subject, action, object, allowed });
    };
    let (comp, light, series) = (("task", "task-comp"), ("task", "task-light"), ("task", "task-series"));
    let grant = json!({"user_security_role_id": "held-paul-pm", "project_id": "project-film"});
    add(
        "a project taken from a role",
        "user-paul",
        "update",
        comp,
        false,
        json!(["delete", "UserSecurityRoleProject", "grant-paul-pm-film", {}]),
    );
    add(
        "a project given to a role",
        "user-paul",
        "update",
        comp,
        true,
        json!(["create", "UserSecurityRoleProject", "grant-new", grant]),
    );
    let assignment = json!({"type": "assignment", "resource_id": "user-rita", "context_id": "task-comp"});
    add(
        "an assignment taken",
        "user-rita",
        "set_status",
        comp,
        false,
        json!(["delete", "Appointment", "assign-rita-comp", {}]),
    );
    add(
        "an assignment given",
        "user-rita",
        "set_status",
        comp,
        true,
        json!(["create", "Appointment", "assign-new", assignment]),
    );
    add(
        "a user switched off",
        "user-uma",
        "set_status",
        comp,
        false,
        json!(["update", "User", "user-uma", {"is_active": false}]),
    );
    add(
        "a user switched on",
        "user-uma",
        "set_status",
        comp,
        true,
        json!(["update", "User", "user-uma", {"is_active": true}]),
    );
    add(
        "a project made private",
        "user-uma",
        "set_status",
        comp,
        false,
        json!(["update", "Project", "project-film", {"is_private": true}]),
    );
    add(
        "a project opened",
        "user-uma",
        "set_status",
        comp,
        true,
        json!(["update", "Project", "project-film", {"is_private": false}]),
    );
    add(
        "all open projects, off",
        "user-uma",
        "set_status",
        comp,
        false,
        json!(["update", "UserSecurityRole", "held-uma-user", {"is_all_open_projects": false}]),
    );
    add(
        "all open projects, on",
        "user-uma",
        "set_status",
        comp,
        true,
        json!(["update", "UserSecurityRole", "held-uma-user", {"is_all_open_projects": true}]),
    );
    add(
        "a role taken",
        "user-uma",
        "set_status",
        comp,
        false,
        json!(["delete", "UserSecurityRole", "held-uma-user", {}]),
    );
    let held = json!({"user_id": "user-uma", "security_role_id": "role-user", "is_all_open_projects": true});
    add("a role given", "user-uma", "set_status", comp, true, json!(["create", "UserSecurityRole", "held-new", held]));
    add(
        "a member leaves a group that is assigned",
        "user-gus",
        "set_status",
        light,
        false,
        json!(["delete", "Membership", "member-gus-artists", {}]),
    );
    let member = json!({"user_id": "user-gus", "group_id": "group-artists"});
    add("a member comes", "user-gus", "set_status", light, true, json!(["create", "Membership", "member-new", member]));
    add(
        "a group is no longer assigned",
        "user-gus",
        "set_status",
        light,
        false,
        json!(["delete", "Appointment", "assign-artists-light", {}]),
    );
    add(
        "a sequence moved to a private project",
        "user-uma",
        "set_status",
        comp,
        false,
        json!(["update", "Sequence", "seq-film", {"parent_id": "project-secret"}]),
    );
    add(
        "and back",
        "user-uma",
        "set_status",
        comp,
        true,
        json!(["update", "Sequence", "seq-film", {"parent_id": "project-film"}]),
    );
    add(
        "a key switched off",
        "bot:key-global",
        "read",
        series,
        false,
        json!(["update", "ApiKey", "key-global", {"enabled": false}]),
    );
    add(
        "a key switched on",
        "bot:key-global",
        "read",
        series,
        true,
        json!(["update", "ApiKey", "key-global", {"enabled": true}]),
    );
    add("a project gone", "user-gus", "read", series, false, json!(["delete", "Project", "project-series", {}]));
    changes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn every_change_flips_its_answer() {
    let double = Double::start(&["--silent", ""]);
    let mirror = Mirror::start(&double, supervise::Options::default()).await;
    let times = mirror.follows(&double, &changes(), Duration::from_secs(5)).await;
    let (half, last) = (times.len() / 2, times.len() - 1);
    print(&format!("{} changes: p50 {:?}, most {:?}; {:?}", times.len(), times[half], times[last], mirror.stats));
    assert_eq!((mirror.stats.reconcile_found.get(), mirror.stats.lost.get()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn what_is_silent_flips_by_the_reconcile() {
    let double = Double::start(&[]);
    let options = supervise::Options { reconcile: Duration::from_secs(1), ..Default::default() };
    let mirror = Mirror::start(&double, options).await;
    let mut changes = changes();
    changes.retain(|change| {
        let kind = change.operations[0][1].as_str().expect("a type");
        matches!(kind, "UserSecurityRole" | "Membership")
    });
    assert!(changes.len() >= 6);
    mirror.follows(&double, &changes, Duration::from_secs(5)).await;
    assert!(mirror.stats.reconcile_found.get() >= changes.len() as u64, "{:?}", mirror.stats);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn what_changed_while_the_server_was_away_flips_after_it() {
    let double = Double::start(&["--silent", ""]);
    let options = supervise::Options { probe: Duration::from_secs(1), ..Default::default() };
    let mirror = Mirror::start(&double, options).await;
    let changes = changes();
    let away = [&changes[0], &changes[2], &changes[4], &changes[12]];
    double.post("hub", json!({"mode": "down"})).await;
    double.post("api", json!({"mode": "down"})).await;
    mirror.reaches(State::Degraded).await;
    for change in away {
        assert_ne!(mirror.allows(change).await, change.allowed, "answers go on");
        double.mutate(&change.operations).await;
    }
    double.post("api", json!({"mode": "ok"})).await;
    double.post("hub", json!({"mode": "ok"})).await;
    let back = Instant::now();
    for change in away {
        mirror.flips(change, Duration::from_secs(20)).await;
    }
    let right = back.elapsed();
    mirror.reaches(State::Live).await;
    print(&format!("hub and API away: right {right:?} after they are back, live after {:?}", back.elapsed()));
}
