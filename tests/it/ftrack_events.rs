//! The ftrack connector against the double of a server: whether and how soon each change is in the mirror, and what
//! happens when the hub or the API is away or sends what it should not.

pub(crate) mod double;
mod follower;

use std::future::Future;
use std::io::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use stagedoor::tracker::{Source as _, SourceError};
use tokio::task::JoinHandle;

use self::double::Double;
use self::follower::{Follower, truth};

#[expect(clippy::disallowed_methods, reason = "no app here to spawn through")]
fn spawn(future: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(future)
}

fn print(line: &str) {
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
    let double = Double::start(&["--silent", ""]);
    let follower = Follower::start(double.ftrack()).await;
    let reader = double.ftrack();
    let mut before = truth(&reader).await;
    follower.equals("at the start", &before, Duration::from_secs(2)).await;
    for (what, operations) in changes() {
        double.mutate(&operations).await;
        let after = truth(&reader).await;
        assert_ne!(before, after, "{what} changes nothing");
        let took = follower.equals(what, &after, Duration::from_secs(5)).await;
        print(&format!("{what}: {took:?}"));
        before = after;
    }
    assert_eq!(follower.count(|counts| &counts.lost), 0);
}

#[tokio::test]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn a_key_that_does_not_do_is_refused_with_the_mend() {
    let double = Double::start(&[]);
    for (user, key, expected) in [
        ("service", "no-key", "does not accept the API key"),
        ("nobody", "service-key", "does not accept the API key"),
        ("service", " ", "is empty"),
    ] {
        let refused = double.ftrack_as(user, key).probe().await.expect_err("refused");
        let SourceError::Refused(why) = &refused else { panic!("{refused:?}") };
        assert!(why.contains(expected) && why.contains("api_key_file"), "{why}");
        assert!(key.trim().is_empty() || !why.contains(key), "the key is told: {why}");
    }
}
