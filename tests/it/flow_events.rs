//! The real app over the double of a Flow site: each change flips the answers that it must, whatever the log of events and
//! the site do, and how fresh an answer is is told truly.

mod studio;

use std::io::Write as _;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use stagedoor::config::Tracker;

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
        ("a linked project", json!([["update", "Asset", 3, {"linked_projects": ["Project:1"]}]])),
        ("a checkbox", json!([["update", "Asset", 5, {"sg_keep": false}]])),
        ("a note's addressees", json!([["update", "Note", 8, {"addressings_to": ["HumanUser:7"]}]])),
        ("a note's author", json!([["update", "Note", 2, {"user": "HumanUser:4"}]])),
        ("a version's task", json!([["update", "Version", 2, {"sg_task": "Task:5"}]])),
        ("a file's version", json!([["update", "PublishedFile", 1, {"version": "Version:4"}]])),
        ("a reply's note", json!([["update", "Reply", 1, {"entity": "Note:3"}]])),
        ("a time log's date", json!([["update", "TimeLog", 1, {"date": "2026-03-05"}]])),
        ("a ticket's addressees", json!([["update", "Ticket", 2, {"addressings_to": ["Group:3"]}]])),
        ("a step's department", json!([["update", "Step", 1, {"department": "Department:2"}]])),
        ("who owns a workstation", json!([["update", "CustomNonProjectEntity03", 1, {"sg_owner": "HumanUser:3"}]])),
        ("who gets a delivery", json!([["update", "CustomEntity07", 3, {"sg_recipients": ["HumanUser:4"]}]])),
        (
            "a new task",
            json!([["create", "Task", null, {"content": "new", "project": "Project:1", "entity": "Shot:3", "task_assignees": ["HumanUser:7"], "sg_status_list": "ip"}]]),
        ),
        (
            "a new note",
            json!([["create", "Note", null, {"subject": "new", "project": "Project:1", "addressings_to": ["HumanUser:7"], "user": "HumanUser:4"}]]),
        ),
        ("a task in the trash", json!([["delete", "Task", 3, {}]])),
        ("a task out of the trash", json!([["revive", "Task", 3, {}]])),
        ("a version out of the trash", json!([["revive", "Version", 8, {}]])),
        ("a shot in the trash, and its versions", json!([["delete", "Shot", 1, {}]])),
        ("the shot out of the trash", json!([["revive", "Shot", 1, {}]])),
        ("a sequence's name", json!([["update", "Sequence", 1, {"code": "XQ010"}]])),
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of Flow: run tests/run"]
async fn late_missing_and_doubled_events_lose_nothing() {
    let studio = Studio::boot(&["--new-first", "always", "--cascade", "events", "--revival-type", "always"]).await;
    let questions = studio.questions().await;
    let Studio { double, .. } = &studio;
    let agrees = async |what: &str| studio.agrees(what, &questions, Instant::now(), SOON).await;
    let differs = async |what: &str| {
        tokio::time::sleep(Duration::from_millis(2500)).await;
        let (found, wanted) = (studio.answered(&questions).await, studio.decided(&questions).await);
        assert!(found.iter().zip(&wanted).any(|(found, wanted)| found.0 != wanted.0), "{what}: nobody told");
    };
    agrees("at the start").await;

    double.post("events", json!({"hold": 1})).await;
    double.mutate(&json!([["update", "Task", 9, {"sg_status_list": "ip"}]])).await;
    double.mutate(&json!([["update", "HumanUser", 4, {"sg_status_list": "dis"}]])).await;
    differs("held back").await;
    double.post("events", json!({"release": "all"})).await;
    agrees("a late id").await;

    double.post("events", json!({"burn": 40})).await;
    double.post("events", json!({"twice": 2})).await;
    double.mutate(&json!([["update", "HumanUser", 4, {"sg_status_list": "act"}]])).await;
    double.mutate(&json!([["update", "HumanUser", 4, {"permission_rule_set": "PermissionRuleSet:5"}]])).await;
    agrees("ids that nobody gets, and events that come twice").await;

    // Written by nobody who says so; then told in odd ways.
    let silent = async |operations: Value| {
        let list = operations.as_array().expect("operations").iter();
        let list = list.map(|one| json!({"action": one[0], "type": one[1], "id": one[2], "data": one[3]}));
        let body = json!({"as": "ada", "event": false, "operations": list.collect::<Vec<_>>()});
        double.post("mutate", body).await
    };
    let raw = async |events: Value| double.post("events", json!({ "raw": events })).await;

    silent(json!([["delete", "Task", 3, {}]])).await;
    let meta = json!({"type": "entity_retirement", "entity_type": "Task", "entity_id": 3});
    raw(json!([{"event_type": "Shotgun_Task_Retirement", "meta": meta}])).await;
    agrees("in the trash, and the link to it is empty").await;

    silent(json!([["update", "HumanUser", 3, {"groups": ["Group:1"]}]])).await;
    let meta =
        json!({"entity_type": "HumanUser", "entity_id": 3, "added": [{"type": "Group", "id": 1}], "removed": []});
    raw(json!([{"event_type": "Shotgun_HumanUser_Change", "attribute_name": "groups", "entity": "HumanUser:3", "meta": meta}])).await;
    agrees("told at the other end alone").await;

    silent(json!([["update", "Group", 1, {"users": ["HumanUser:4"]}]])).await;
    let meta = json!({"entity_type": "Group", "entity_id": 1, "actual_attribute_changed": "Group.users", "original_event_log_entry_id": 1});
    raw(json!([{"event_type": "Shotgun_HumanUser_Change", "attribute_name": "groups", "entity": null, "meta": meta}]))
        .await;
    agrees("a back reference that names who refers").await;

    silent(json!([["update", "Task", 8, {"entity": "Shot:3"}]])).await;
    raw(json!([{"event_type": "Shotgun_Shot_Change", "attribute_name": "tasks", "entity": "Shot:3", "meta": null}]))
        .await;
    agrees("an other end that names nobody").await;

    silent(json!([["update", "Note", 8, {"addressings_to": ["HumanUser:7"]}]])).await;
    raw(json!([
        {"event_type": "Shotgun_Note_Change", "attribute_name": "addressings_to", "meta": null},
        {"event_type": null},
        {"event_type": "Shotgun_Note_Change", "meta": [1, {"entity_id": {}}], "user": null},
        {"event_type": "x", "meta": "x", "attribute_name": "x"},
    ]))
    .await;
    agrees("rogue rows of which only the type is known").await;

    assert_eq!(studio.info().await.counts.get("role_rules_changed"), None);
    raw(json!([
        {"event_type": "Shotgun_PermissionRuleSet_ChangeRule", "entity": "PermissionRuleSet:3", "user": "HumanUser:1"},
        {"event_type": "Shotgun_PermissionRuleSet_NewRule", "meta": {"anything": [1]}},
    ]))
    .await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(studio.info().await.counts.get("role_rules_changed"), Some(&2));

    // As of then, and not of a time of which nothing was read.
    let now = SystemTime::now();
    tokio::time::sleep(Duration::from_millis(3500)).await;
    assert!(studio.as_of().await > now, "no gap holds up what is known");
    studio.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of Flow: run tests/run"]
async fn what_scripts_write_silently_is_found() {
    let double = Double::start(&[]);
    let studio = Studio::boot_with(double, |config| {
        if let Tracker::Flow(flow) = &mut config.tracker {
            flow.source.poll_interval = Duration::from_millis(30);
        }
    })
    .await;
    let questions = studio.questions().await;
    studio.agrees("at the start", &questions, Instant::now(), SOON).await;
    let round = Duration::from_secs(9);
    for (what, operations) in [
        ("a task", json!([{"action": "update", "type": "Task", "id": 9, "data": {"sg_status_list": "ip"}}])),
        ("a task in the trash", json!([{"action": "delete", "type": "Task", "id": 3}])),
        ("the tasks of a shot", json!([{"action": "update", "type": "Shot", "id": 3, "data": {"tasks": ["Task:8"]}}])),
        (
            "a new note",
            json!([{"action": "create", "type": "Note", "data": {"subject": "new", "project": "Project:1", "user": "HumanUser:4"}}]),
        ),
        ("a task out of the trash", json!([{"action": "revive", "type": "Task", "id": 3}])),
    ] {
        // Moments are told to the second.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        studio.double.post("mutate", json!({"as": "ingest", "operations": operations})).await;
        let since = Instant::now();
        let questions = studio.questions().await;
        studio.agrees(what, &questions, since, round + SOON).await;
        print(&format!(
            "{what}: written silently, right after {:?} (a round takes {round:?})",
            studio.moved().saturating_duration_since(since)
        ));
    }
    studio.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of Flow: run tests/run"]
async fn requests_are_few_at_rest_and_for_a_change() {
    let studio = Studio::boot(&[]).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    studio.double.delete("record").await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let counts = studio.double.counts().await;
    print(&format!("20 s at rest: {} polls, {} requests", counts.of("search EventLogEntry"), counts.of("requests")));
    assert!((17..=21).contains(&counts.of("search EventLogEntry")), "{counts:?}");
    assert!(counts.of("requests") <= 26, "{counts:?}");

    for (operation, asked) in [
        (json!([["update", "Task", 9, {"sg_status_list": "ip"}]]), "search Task"),
        (json!([["update", "HumanUser", 4, {"projects": ["Project:2"]}]]), "search HumanUser"),
        (json!([["update", "Project", 1, {"users": ["HumanUser:4", "HumanUser:5"]}]]), "search HumanUser"),
        (json!([["update", "Shot", 3, {"tasks": ["Task:8"]}]]), "search Task"),
        (
            json!([["create", "Task", null, {"content": "x", "project": "Project:1", "entity": "Shot:1", "task_assignees": ["HumanUser:4"]}]]),
            "search Task",
        ),
    ] {
        studio.double.delete("record").await;
        studio.double.mutate(&operation).await;
        tokio::time::sleep(Duration::from_millis(2500)).await;
        let record = studio.double.get("record?as=stagedoor").await;
        let record = record.as_array().expect("a record").iter();
        let other = record.filter(|one| one["what"] != "search EventLogEntry" && !is_scan(one)).collect::<Vec<_>>();
        assert_eq!(other.len(), 1, "{operation}: {other:?}");
        assert_eq!(other[0]["what"], asked, "{operation}");
    }
    studio.end().await;
}

/// Whether a request looks for silent edits.
fn is_scan(request: &Value) -> bool {
    request["body"].to_string().contains("updated_at")
        || request["body"].to_string().contains("generate_event_log_entries")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of Flow: run tests/run"]
async fn a_site_that_answers_in_five_seconds_is_followed_and_its_age_told() {
    let studio = Studio::boot(&[]).await;
    let questions = studio.questions().await;
    studio.agrees("at the start", &questions, Instant::now(), SOON).await;
    studio.double.post("settings", json!({"latency": 5})).await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    for operation in [
        json!([["update", "HumanUser", 4, {"sg_status_list": "dis"}]]),
        json!([["update", "HumanUser", 4, {"sg_status_list": "act"}]]),
    ] {
        let (before, since) = (SystemTime::now(), Instant::now());
        studio.double.mutate(&operation).await;
        let wanted = studio.decided(&questions).await;
        loop {
            // Asked in this order: an answer is no older than what was said before it.
            let as_of = studio.as_of().await;
            let found = studio.answered(&questions).await;
            let right = found.iter().zip(&wanted).all(|(found, wanted)| found.0 == wanted.0);
            assert!(right || as_of < before + Duration::from_millis(500), "said to be as of a later time, and wrong");
            let age = SystemTime::now().duration_since(as_of).unwrap_or_default();
            assert!(age < Duration::from_secs(30), "{age:?}");
            if right && as_of > before {
                print(&format!("answers take 5 s: right and known to be after {:?}, {age:?} old", since.elapsed()));
                break;
            }
            assert!(since.elapsed() < Duration::from_secs(40), "right: {right}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    studio.double.post("settings", json!({"latency": 0})).await;
    studio.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of Flow: run tests/run"]
async fn what_happens_while_the_site_is_away_is_read_in_its_log() {
    let studio = Studio::boot(&["--token-life", "3"]).await;
    let questions = studio.questions().await;
    let Studio { double, .. } = &studio;
    studio.agrees("at the start", &questions, Instant::now(), SOON).await;
    let mut on = true;
    let mut flip = || {
        on = !on;
        json!([
            ["update", "HumanUser", 4, {"sg_status_list": if on { "act" } else { "dis" }}],
            ["update", "Task", 8, {"entity": if on { "Asset:2" } else { "Shot:3" }}],
        ])
    };
    for mode in ["down", "refuse", "hang"] {
        double.post("api", json!({"mode": mode})).await;
        let away = SystemTime::now();
        double.mutate(&flip()).await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert!(studio.as_of().await <= away, "{mode}: nothing is known of what happens");
        double.delete("record").await;
        double.post("api", json!({"mode": "ok"})).await;
        let back = Instant::now();
        studio.agrees(mode, &questions, back, Duration::from_secs(40)).await;
        print(&format!("{mode}: right {:?} after it is back", back.elapsed()));
        assert_eq!(double.counts().await.of("search Shot"), 0, "{mode}: nothing is loaded");
    }
    double.post("faults", json!({"what": "any", "error": "502", "times": null})).await;
    let away = SystemTime::now();
    double.mutate(&flip()).await;
    double.delete("record").await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let storm = double.counts().await.of("requests");
    print(&format!("10 s of 502: {storm} requests"));
    assert!(storm < 100, "{storm}");
    assert!(studio.as_of().await <= away + Duration::from_millis(100));
    double.delete("faults").await;
    let back = Instant::now();
    studio.agrees("after 502s", &questions, back, Duration::from_secs(20)).await;
    print(&format!("502s: right {:?} after they end", back.elapsed()));

    for expired in [json!({"expire": true}), json!({"forget": true})] {
        double.post("tokens", expired.clone()).await;
        double.mutate(&flip()).await;
        studio.agrees(&expired.to_string(), &questions, Instant::now(), SOON).await;
    }
    studio.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of Flow: run tests/run"]
async fn webhooks_make_it_sooner_and_nothing_else() {
    const RARELY: Duration = Duration::from_secs(8);
    let double = Double::start(&["--event-after", "0.4"]);
    let studio = Studio::boot_with(double, |config| {
        if let Tracker::Flow(flow) = &mut config.tracker {
            flow.source.poll_interval = RARELY;
        }
    })
    .await;
    let questions = studio.questions().await;
    let Studio { double, app, .. } = &studio;
    studio.agrees("at the start", &questions, Instant::now(), SOON).await;
    let url = format!("http://{}/v1/sources/flow/webhook", app.push);
    let mut on = true;
    let mut flip = async || {
        on = !on;
        double.mutate(&json!([["update", "HumanUser", 4, {"sg_status_list": if on { "act" } else { "dis" }}]])).await;
        let since = Instant::now();
        studio.agrees("a status", &questions, since, RARELY * 2 + SOON).await;
        studio.moved().saturating_duration_since(since)
    };
    let mut told = Vec::new();
    for batch in [false, true] {
        double.delete("hooks").await;
        double.post("hooks", json!({"url": url, "token": "hook-token", "batch": batch, "types": ["HumanUser"]})).await;
        for _ in 0..3 {
            told.push(flip().await);
        }
    }
    print(&format!("with webhooks, polled every {RARELY:?}: {told:?}"));
    assert!(median(told.clone()) < Duration::from_secs(2), "{told:?}");

    // Replayed, out of order and twice: nothing but what the log says counts.
    double.post("hooks", json!({"duplicate": 2, "reorder": true})).await;
    flip().await;

    double.delete("hooks").await;
    double.post("hooks", json!({"url": url, "token": "another", "types": ["HumanUser"]})).await;
    let wrong = flip().await;
    let deliveries = double.get("hooks").await.to_string();
    print(&format!("with a wrong signature: {wrong:?}"));
    assert!(deliveries.contains("403"), "{deliveries}");

    double.delete("hooks").await;
    let absent = flip().await;
    print(&format!("without: {absent:?}"));

    let http = reqwest::Client::new();
    let forged = r#"{"data":{"event_log_entry_id":999999999,"event_type":"Shotgun_HumanUser_Change"}}"#;
    let before = double.counts().await.of("search EventLogEntry");
    for _ in 0..20 {
        let answer = http.post(&url).body(forged).send().await.expect("it answers");
        assert_eq!(answer.status(), 401);
        let answer = http.post(&url).header("x-sg-signature", "sha1=00").body(forged).send().await.expect("it answers");
        assert_eq!(answer.status(), 403);
    }
    let polls = double.counts().await.of("search EventLogEntry") - before;
    assert!(polls <= 1, "{polls} looks at the log for what nobody signed");
    studio.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of Flow: run tests/run"]
async fn more_events_than_are_read_in_a_row_mean_a_load() {
    let studio = Studio::boot(&[]).await;
    let questions = studio.questions().await;
    let Studio { double, .. } = &studio;
    studio.agrees("at the start", &questions, Instant::now(), SOON).await;
    double.post("api", json!({"mode": "down"})).await;
    let body = json!({"as": "ada", "event": false, "operations": [
        {"action": "update", "type": "HumanUser", "id": 4, "data": {"sg_status_list": "dis"}}]});
    double.post("mutate", body).await;
    let events: Vec<_> = (0..21_000).map(|_| json!({"event_type": "Toolkit_Something_Happened"})).collect();
    double.post("events", json!({ "raw": events })).await;
    double.delete("record").await;
    double.post("api", json!({"mode": "ok"})).await;
    let back = Instant::now();
    studio.agrees("a burst", &questions, back, Duration::from_secs(30)).await;
    print(&format!("21,000 events: right {:?} after the site is back", back.elapsed()));
    assert!(double.counts().await.of("search Shot") >= 2, "everything is loaded");
    let now = SystemTime::now();
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(studio.as_of().await > now, "and followed again");
    studio.end().await;
}
