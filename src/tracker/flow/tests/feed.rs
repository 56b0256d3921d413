//! The feed over a log that is hard to read, and searches that fail.

use futures_util::StreamExt as _;

use super::*;

/// More than an answer may have.
fn too_large() -> Vec<u8> {
    answer("200 OK", &" ".repeat((64 << 20) + 1))
}

fn event(id: u64, event_type: &str, entity: &str) -> Json {
    json!({
        "type": "EventLogEntry",
        "id": id,
        "attributes": {"event_type": event_type, "created_at": "2026-01-01T10:00:00Z"},
        "relationships": {"entity": {"data": {"type": entity, "id": 8}}},
    })
}

fn body(asked: &Asked) -> Json {
    serde_json::from_str(&asked.body).unwrap_or_default()
}

/// The id above which the log is asked for.
fn above(asked: &Asked) -> u64 {
    body(asked)["filters"]["conditions"][0][2].as_u64().unwrap_or(0)
}

/// A connector that looks again at once.
fn hasty(server: &Server, kinds: &[(&str, &str, &str)]) -> Flow {
    let _already = rustls::crypto::ring::default_provider().install_default();
    let config = Config {
        url: server.address.clone(),
        script_name: "door".into(),
        script_key: TokenSource::Value("key".into()),
        poll_interval: Duration::from_millis(20),
    };
    Flow::new(config, &pack(kinds)).unwrap()
}

/// What is told until there is nothing new.
async fn told_at_first(flow: &Flow) -> Vec<Signal> {
    let stream = flow.events().await.unwrap();
    stream.take_while(|signal| std::future::ready(*signal != Signal::Heartbeat)).collect().await
}

#[tokio::test]
async fn a_page_of_the_log_that_is_too_large_is_read_in_smaller_ones() {
    let server = Server::start(|asked, _| match asked.line.as_str() {
        "POST /api/v1/auth/access_token" => token("t"),
        _ if !asked.body.contains("meta") => page(json!([event(10, "x", "Task")])),
        _ if above(asked) == 10 && body(asked)["page"]["size"].as_u64() > Some(500) => too_large(),
        _ if above(asked) == 10 => page(json!([event(11, "Shotgun_Task_New", "Task")])),
        _ => page(json!([])),
    });
    let told = told_at_first(&hasty(&server.await, &[TASK])).await;
    let [Signal::Changed { objects, .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!(objects[..], one("8"));
}

#[tokio::test]
async fn an_event_that_is_never_read_is_stepped_over_and_everything_loaded_once() {
    let server = Server::start(|asked, n| match asked.line.as_str() {
        "POST /api/v1/auth/access_token" => token("t"),
        _ if !asked.body.contains("meta") => page(json!([event(if n < 3 { 10 } else { 11 }, "x", "Task")])),
        _ if above(asked) == 10 => too_large(),
        _ => page(json!([])),
    });
    let told = told_at_first(&hasty(&server.await, &[TASK])).await;
    let reload = |signal: &&Signal| matches!(signal, Signal::Reload { scope: Scope::All, .. });
    assert_eq!(told.iter().filter(reload).count(), 1, "{told:?}");
    assert!(!told.iter().any(|signal| matches!(signal, Signal::Lost(_))), "{told:?}");
}

#[tokio::test]
async fn a_search_that_fails_each_time_holds_back_what_is_sure_and_then_everything_is_loaded() {
    let server = Server::start(|asked, _| match asked.line.as_str() {
        "POST /api/v1/auth/access_token" => token("t"),
        "GET /api/v1/schema/Task/fields" => ok(&task_fields()),
        "GET /api/v1/schema/Shot/fields" => ok(&json!({"data": {"project": field("entity", &["Project"])}})),
        "POST /api/v1/entity/Task/_search" => answer("500 Oh", "{}"),
        _ if !asked.body.contains("meta") => page(json!([event(10, "x", "Task")])),
        _ if above(asked) == 10 => page(json!([event(11, "Shotgun_Shot_Revival", "Shot")])),
        _ => page(json!([])),
    });
    let server = server.await;
    let flow = hasty(&server, &[TASK, ("shot", "Shot", "")]);
    let mut stream = flow.events().await.unwrap();
    let before = flow.sure_until();
    let mut heard = 0;
    loop {
        match stream.next().await.unwrap() {
            Signal::Lost(why) => panic!("{why}"),
            Signal::Reload { scope, .. } => break assert_eq!(scope, Scope::All),
            _ => assert_eq!(flow.sure_until(), before),
        }
        heard += 1;
        assert!(heard < 20);
    }
    assert!(flow.sure_until() > before);
    assert_eq!(stream.next().await, Some(Signal::Heartbeat));
    assert!(server.asked("Task/_search").len() >= 5);
}

#[tokio::test]
async fn a_field_that_cannot_be_searched_by_hides_no_other() {
    let server = Server::start(|asked, _| match asked.line.as_str() {
        "POST /api/v1/auth/access_token" => token("t"),
        "GET /api/v1/schema/Task/fields" => ok(&json!({"data": {
            "project": field("entity", &["Project"]),
            "entity": field("entity", &["Shot"]),
            "task_assignees": field("multi_entity", &[]),
        }})),
        "GET /api/v1/schema/Shot/fields" => ok(&json!({"data": {"project": field("entity", &["Project"])}})),
        _ if body(asked)["filters"].to_string().contains("task_assignees") => told("400 Bad Request", 103, "no"),
        _ => page(json!([task(5, json!([]))])),
    });
    let server = server.await;
    let flow = hasty(&server, &[TASK, ("shot", "Shot", "")]);
    let found = refer::referrers(&flow.site, &[ObjectRef::new("shot", "8")]).await.unwrap();
    assert_eq!(found.objects, one("5"));
    assert_eq!(found.reload, Some(Scope::Large));
}

#[tokio::test]
async fn what_is_out_of_the_trash_though_no_event_said_so_is_searched_for() {
    let project = json!({"project": {"data": {"id": 7, "name": "Film", "type": "Project"}}});
    let shot = move || json!([{"type": "Shot", "id": 8, "attributes": {}, "relationships": project}]);
    let server = Server::start(move |asked, n| match asked.line.as_str() {
        "POST /api/v1/auth/access_token" => token("t"),
        "GET /api/v1/schema/Task/fields" => ok(&task_fields()),
        "GET /api/v1/schema/Shot/fields" => ok(&json!({"data": {"project": field("entity", &["Project"])}})),
        "POST /api/v1/entity/Shot/_search" if asked.body.contains("retired") == (n < 4) => page(shot()),
        "POST /api/v1/entity/Task/_search" if asked.body.contains("active") => page(json!([task(5, json!([]))])),
        _ => page(json!([])),
    });
    let server = server.await;
    let flow = hasty(&server, &[TASK, ("shot", "Shot", "")]);
    for trashed in [true, false] {
        let read = flow.reread(&[ObjectRef::new("shot", "8")]).await.unwrap();
        assert!(matches!(&read[..], [Change::Upsert(shot)] if shot.trashed == trashed), "{read:?}");
    }
    let told = told_at_first(&flow).await;
    assert!(matches!(&told[..], [Signal::Changed { objects, .. }] if objects[..] == one("5")), "{told:?}");
}

#[tokio::test]
async fn silent_edits_are_found_within_the_second_of_an_event_and_behind_rows_that_say_nothing() {
    let row = |id: u64, moved: &str| json!({"type": "Task", "id": id, "attributes": {"updated_at": moved}});
    let server = Server::start(move |asked, _| {
        let behind = body(asked)["filters"]["conditions"][1][2].as_u64();
        match asked.line.as_str() {
            "POST /api/v1/auth/access_token" => token("t"),
            "GET /api/v1/schema/Task/fields" => ok(&json!({"data": {
                "project": field("entity", &["Project"]),
                "updated_at": field("date_time", &[]),
            }})),
            "POST /api/v1/entity/Task/_search" if !asked.body.contains("active") => page(json!([])),
            "POST /api/v1/entity/Task/_search" if behind == Some(0) => {
                page((1001..3001).map(|id| row(id, "never")).collect())
            }
            "POST /api/v1/entity/Task/_search" if behind == Some(3000) => {
                page(json!([row(8, "2026-01-01T10:00:00Z"), row(9, "2026-01-01T10:00:00Z")]))
            }
            "POST /api/v1/entity/Task/_search" => page(json!([])),
            _ if !asked.body.contains("meta") => page(json!([event(10, "x", "Task")])),
            _ if above(asked) == 10 => page(json!([event(11, "Shotgun_Task_Change", "Task")])),
            _ => page(json!([])),
        }
    });
    let server = server.await;
    let flow = hasty(&server, &[TASK]);
    load(&flow, Scope::Core).await.0.unwrap();
    let stream = flow.events().await.unwrap();
    let changed = stream.filter_map(|signal| {
        std::future::ready(match signal {
            Signal::Changed { objects, .. } => Some(objects),
            _ => None,
        })
    });
    let told: Vec<_> = changed.take(2).collect().await;
    assert_eq!(told, [one("8").to_vec(), vec![ObjectRef::new("task", "8"), ObjectRef::new("task", "9")]]);
}
