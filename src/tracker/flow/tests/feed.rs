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
