//! The real app over the double of a Flow site: each change flips the answers that it must, whatever the log of events and
//! the site do, and how fresh an answer is is told truly.

mod studio;

use std::io::Write as _;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use self::studio::Studio;
use crate::flow_load::double::Double;

const SOON: Duration = Duration::from_secs(6);

fn print(line: &str) {
    writeln!(std::io::stdout(), "{line}").expect("stdout is open");
}

/// Changes of every kind that a rule can see, in this order.
fn changes() -> Vec<(&'static str, Value)> {
    vec![
        ("a role", json!([["update", "HumanUser", 4, {"permission_rule_set": "PermissionRuleSet:5"}]])),
        ("the role back", json!([["update", "HumanUser", 4, {"permission_rule_set": "PermissionRuleSet:3"}]])),
        ("a project of a person", json!([["update", "HumanUser", 4, {"projects": ["Project:1", "Project:2"]}]])),
        ("a person of a project", json!([["update", "Project", 3, {"users": ["HumanUser:4"]}]])),
        ("a person out of a project", json!([["update", "Project", 3, {"users": []}]])),
        ("a person switched off", json!([["update", "HumanUser", 4, {"sg_status_list": "dis"}]])),
        ("a person switched on", json!([["update", "HumanUser", 4, {"sg_status_list": "act"}]])),
        ("groups of a person", json!([["update", "HumanUser", 3, {"groups": ["Group:1"]}]])),
        ("people of a group", json!([["update", "Group", 1, {"users": ["HumanUser:4"]}]])),
        ("a group in the trash", json!([["delete", "Group", 2, {}]])),
        ("a group out of the trash", json!([["revive", "Group", 2, {}]])),
        ("a person in the trash", json!([["delete", "HumanUser", 3, {}]])),
        ("a person out of the trash", json!([["revive", "HumanUser", 3, {}]])),
        (
            "a new person",
            json!([["create", "HumanUser", null, {"login": "new", "name": "New", "permission_rule_set": "PermissionRuleSet:3", "projects": ["Project:1"], "sg_status_list": "act"}]]),
        ),
        ("a project of a script", json!([["update", "ApiUser", 2, {"projects": ["Project:2"]}]])),
        ("a role of a script", json!([["update", "ApiUser", 2, {"permission_rule_set": "PermissionRuleSet:11"}]])),
        ("a template", json!([["update", "Project", 3, {"is_template": true}]])),
        ("no template", json!([["update", "Project", 3, {"is_template": false}]])),
        ("an assignment", json!([["update", "Task", 4, {"task_assignees": ["HumanUser:7", "HumanUser:4"]}]])),
        ("an assignment of a group", json!([["update", "Task", 4, {"task_assignees": ["Group:1"]}]])),
        ("a reviewer", json!([["update", "Task", 4, {"task_reviewers": ["HumanUser:5"]}]])),
        ("a status", json!([["update", "Task", 9, {"sg_status_list": "ip"}]])),
        ("a task of another shot", json!([["update", "Task", 8, {"entity": "Shot:3"}]])),
        ("the tasks of a shot", json!([["update", "Shot", 2, {"tasks": ["Task:8", "Task:5"]}]])),
        ("a task in another project", json!([["update", "Task", 9, {"project": "Project:2"}]])),
        ("a linked project", json!([["update", "Asset", 5, {"linked_projects": ["Project:2"]}]])),
        ("a checkbox", json!([["update", "Asset", 5, {"sg_keep": false}]])),
        ("a note's addressees", json!([["update", "Note", 8, {"addressings_to": ["HumanUser:7"]}]])),
        ("a note's author", json!([["update", "Note", 2, {"user": "HumanUser:4"}]])),
        ("a version's artist's shot", json!([["update", "Version", 2, {"sg_task": "Task:4"}]])),
        ("a file's version", json!([["update", "PublishedFile", 1, {"version": "Version:2"}]])),
        ("a reply's note", json!([["update", "Reply", 1, {"entity": "Note:3"}]])),
        ("a time log's date", json!([["update", "TimeLog", 1, {"date": "2026-03-05"}]])),
        ("a ticket's addressees", json!([["update", "Ticket", 2, {"addressings_to": ["Group:3"]}]])),
        ("a step's department", json!([["update", "Step", 1, {"department": "Department:2"}]])),
        ("who owns a workstation", json!([["update", "CustomNonProjectEntity03", 1, {"sg_owner": "HumanUser:3"}]])),
        ("who gets a delivery", json!([["update", "CustomEntity07", 3, {"sg_recipients": ["HumanUser:4"]}]])),
        ("a new task", json!([["create", "Task", null, {"content": "new", "project": "Project:1", "entity": "Shot:3", "task_assignees": ["HumanUser:7"], "sg_status_list": "ip"}]])),
        ("a new note", json!([["create", "Note", null, {"subject": "new", "project": "Project:1", "addressings_to": ["HumanUser:7"], "user": "HumanUser:4"}]])),
        ("a task in the trash", json!([["delete", "Task", 3, {}]])),
        ("a task out of the trash", json!([["revive", "Task", 3, {}]])),
        ("a version out of the trash", json!([["revive", "Version", 8, {}]])),
        ("a shot in the trash, and its versions", json!([["delete", "Shot", 1, {}]])),
        ("the shot out of the trash", json!([["revive", "Shot", 1, {}]])),
        ("a sequence's name", json!([["update", "Sequence", 2, {"code": "SQ011"}]])),
        ("a project in the trash", json!([["delete", "Project", 2, {}]])),
        ("a project out of the trash", json!([["revive", "Project", 2, {}]])),
        (
            "many at once",
            json!([
                ["update", "Task", 1, {"task_assignees": ["HumanUser:4"]}],
                ["update", "Note", 4, {"addressings_to": ["HumanUser:8"]}],
                ["update", "HumanUser", 5, {"projects": ["Project:2"]}],
            ]),
        ),
    ]
}

/// Makes the changes one after the other; each must flip an answer, and the app must follow.
async fn every_change(studio: &Studio, within: Duration) -> Vec<Duration> {
    let (mut took, mut idle) = (Vec::new(), Vec::new());
    let mut questions = studio.questions().await;
    let mut before = studio.decided(&questions).await;
    studio.agrees("at the start", &questions, Instant::now(), within).await;
    for (what, operations) in changes() {
        studio.double.mutate(&operations).await;
        let since = Instant::now();
        let same = studio.decided(&questions).await;
        let flipped = before.iter().zip(&same).filter(|(before, after)| before.0 != after.0).count();
        questions = studio.questions().await;
        let after = studio.decided(&questions).await;
        if flipped == 0 && after.len() == before.len() {
            idle.push(what);
        }
        studio.agrees(what, &questions, since, within).await;
        let time = studio.moved().saturating_duration_since(since);
        print(&format!("{what}: {flipped} answers flip, right after {time:?}"));
        took.push(time);
        before = after;
    }
    assert!(idle.is_empty(), "these change no answer: {idle:?}");
    took
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of Flow: run tests/run"]
async fn every_change_that_a_rule_can_see_flips_its_answers() {
    let studio = Studio::boot(&["--event-after", "0.4"]).await;
    let took = every_change(&studio, SOON).await;
    print(&format!("{} changes, polled each second: p50 {:?}", took.len(), median(took)));
    studio.end().await;
}
