//! The connector against a server that answers as badly as it is told to.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

const A: &str = "a24a6ea4-ce75-4665-a070-57453082c256";
const B: &str = "b24a6ea4-ce75-4665-a070-57453082c256";

type Answers = Arc<dyn Fn(&str, usize) -> Vec<u8> + Send + Sync>;

/// A server of HTTP/1.1 that answers the n-th request (from 0) for a target as the function says, byte for byte.
struct Server {
    address: String,
    asked: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Server {
    #[expect(clippy::disallowed_methods, reason = "no app here to spawn through")]
    async fn start(answers: impl Fn(&str, usize) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let (answers, count): (Answers, _) = (Arc::new(answers), Arc::clone(&asked));
        let task = tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let mut request = vec![0; 16_384];
                let length = connection.read(&mut request).await.unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                let target = request.split(' ').nth(1).unwrap_or_default();
                let answer = answers(target, count.fetch_add(1, Ordering::Relaxed));
                let _closed = connection.write_all(&answer).await;
            }
        });
        Self { address, asked, task }
    }

    fn kitsu(&self) -> Kitsu {
        let _already = rustls::crypto::ring::default_provider().install_default();
        let token = TokenSource::Value("secret-token".into());
        Kitsu::new(Config { url: self.address.clone(), events_url: self.address.clone(), token }).unwrap()
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Tasks and entities, whether they came in parts or at the end.
async fn large(kitsu: &Kitsu) -> Result<Snapshot, SourceError> {
    let (parts, mut handed) = Parts::channel();
    let load = async move {
        let progress = Progress::logged();
        kitsu.load(Scope::Large, &progress, &parts).await
    };
    let take = async {
        let mut changes = Vec::new();
        while let Some(mut part) = handed.recv().await {
            changes.append(&mut part);
        }
        changes
    };
    let (snapshot, mut changes) = tokio::join!(load, take);
    let mut snapshot = snapshot?;
    changes.append(&mut snapshot.changes);
    Ok(Snapshot { changes, ..snapshot })
}

fn answer(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").into_bytes()
}

fn ok(body: Value) -> Vec<u8> {
    answer("200 OK", &body.to_string())
}

/// The answer to who we are.
fn us(role: &str) -> Vec<u8> {
    ok(json!({"user": {"role": role}}))
}

fn task_row(id: &str) -> Value {
    json!({"id": id, "project_id": B, "entity_id": B, "task_type_id": B, "task_status_id": B, "assignees": [A], "type": "Task"})
}

fn task(id: &str) -> ObjectRef {
    ObjectRef::new("task", id)
}

#[tokio::test]
async fn a_server_that_fails_a_few_times_is_asked_again() {
    for bad in [
        answer("500 Internal Server Error", "<html>oops</html>"),
        answer("502 Bad Gateway", ""),
        answer("200 OK", "<html>maintenance</html>"),
        answer("200 OK", r#"{"id": "a24a6ea4-"#),
        // Half an answer: the connection ends before the length that was announced.
        b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{\"id\":".to_vec(),
        b"not HTTP at all\r\n\r\n".to_vec(),
        Vec::new(),
        answer("404 Not Found", "<html>nginx</html>"),
        answer("404 Not Found", r#"{"message": "no Route matched with those values"}"#),
    ] {
        let shown = String::from_utf8_lossy(&bad).chars().take(60).collect::<String>();
        let server = Server::start(move |target, number| match (target, number) {
            ("/data/entity-types?fields=id%2Cname", _) => ok(json!([])),
            (_, 1 | 2) => bad.clone(),
            _ => ok(task_row(A)),
        })
        .await;
        let changes = server.kitsu().reread(&[task(A)]).await.unwrap_or_else(|error| panic!("{shown}: {error}"));
        assert!(matches!(&changes[..], [Change::Upsert(record)] if record.object() == task(A)), "{shown}: {changes:?}");
        assert_eq!(server.asked(), 4, "{shown}");
    }
}

#[tokio::test]
async fn a_server_that_goes_on_failing_is_said_to_and_never_with_the_token() {
    for (bad, expected) in [
        (answer("500 Oops", ""), "zou answered 500"),
        (answer("200 OK", "[[["), "is not JSON"),
        (
            answer("200 OK", "\n<!DOCTYPE html>"),
            "a web page came, not JSON; is tracker.kitsu.url the address of its API",
        ),
        (answer("200 OK", &"[".repeat(10_000)), "is not JSON"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{".to_vec(), "broke off"),
        (answer("302 Found", ""), "is tracker.kitsu.url the address of its API"),
        (answer("404 Not Found", "<html>"), "is tracker.kitsu.url the address of its API"),
        (answer("401 Unauthorized", r#"{"msg": "Token has expired"}"#), "Token has expired"),
        (answer("422 Unprocessable Entity", r#"{"msg": "Not enough segments"}"#), "does not accept the token"),
        (answer("403 Forbidden", r#"{"message": "no"}"#), "make the bot an admin"),
        (answer("200 OK", r#"{"version": 5}"#), "does not answer as zou does"),
    ] {
        let server = Server::start(move |_, _| bad.clone()).await;
        let error = server.kitsu().probe().await.unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let server = Server::start(|_, _| {
        let mut endless = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        endless.resize(70 << 20, b' ');
        endless
    })
    .await;
    let error = server.kitsu().client.get("/", &[]).await.unwrap_err();
    assert!(matches!(&error, client::Failure::Malformed(why) if why.contains("larger than")), "{error:?}");
}

#[tokio::test]
async fn what_zou_does_not_know_is_gone_and_what_no_zou_would_know_is_not_asked() {
    let server = Server::start(|target, _| match target {
        "/data/entity-types?fields=id%2Cname" => ok(json!([])),
        _ => answer("404 Not Found", r#"{"error": true, "message": "404 Not Found"}"#),
    })
    .await;
    let kitsu = server.kitsu();
    assert_eq!(kitsu.reread(&[task(A)]).await, Ok(vec![Change::Remove(task(A))]));
    let asked = server.asked();
    for strange in ["", "1", "../../auth/logout", &A.to_uppercase(), "a24a6ea4-ce75-4665-a070-57453082c256?x=y"] {
        assert_eq!(kitsu.reread(&[task(strange)]).await, Ok(vec![Change::Remove(task(strange))]));
    }
    assert_eq!(kitsu.reread(&[ObjectRef::new("event", A)]).await, Ok(vec![Change::Remove(ObjectRef::new("event", A))]));
    assert_eq!(server.asked(), asked);
}

#[tokio::test]
async fn many_objects_are_asked_for_at_once_and_only_they_are_taken() {
    let server = Server::start(|target, _| match target {
        "/data/entity-types?fields=id%2Cname" => ok(json!([])),
        "/auth/authenticated" => us("admin"),
        // The first exists, the second does not, the third was not asked for.
        _ => ok(json!([task_row(A), task_row("c24a6ea4-ce75-4665-a070-57453082c256"), {"id": 5}, null])),
    })
    .await;
    let changes = server.kitsu().reread(&[task(A), task(B)]).await.unwrap();
    assert_eq!(changes.len(), 2);
    assert!(matches!(&changes[0], Change::Upsert(record) if record.object() == task(A)));
    assert_eq!(changes[1], Change::Remove(task(B)));
    assert_eq!(server.asked(), 3, "and whether the list leaves out what is there");
}

#[tokio::test]
async fn what_is_not_shown_to_us_any_more_does_not_pass_for_gone() {
    let server = Server::start(|target, _| match Url::parse(&format!("http://x{target}")).unwrap().path() {
        "/auth/authenticated" => us("manager"),
        "/data/tasks" if target.contains("page=") => ok(json!({"data": [task_row(A)], "total": 1})),
        "/data/tasks" => ok(json!([task_row(A)])),
        "/data/entities" => ok(json!({"data": [], "total": 0})),
        _ => ok(json!([])),
    })
    .await;
    let kitsu = server.kitsu();
    let refused = |error: SourceError| assert!(matches!(error, SourceError::Refused(_)), "{error:?}");
    refused(kitsu.reread(&[task(A), task(B)]).await.unwrap_err());
    refused(large(&kitsu).await.unwrap_err());
}

#[tokio::test]
async fn pages_that_are_cut_shorter_than_asked_are_no_whole_table() {
    let server = Server::start(|target, _| match target {
        target if target.starts_with("/data/tasks") => {
            let rows: Vec<_> =
                (0..1000).map(|row| task_row(&format!("{row:08}-ce75-4665-a070-57453082c256"))).collect();
            ok(json!({"data": rows, "total": 3500}))
        }
        target if target.starts_with("/data/entities") => ok(json!({"data": [], "total": 0})),
        "/auth/authenticated" => us("admin"),
        _ => ok(json!([])),
    })
    .await;
    let error = large(&server.kitsu()).await.unwrap_err();
    assert!(matches!(error, SourceError::Malformed(_)), "{error:?}");
}

/// Tasks 0 to 5,999 in pages of 2,000, of which `gone` of those already read vanish before the n-th page is answered.
fn paged(gone: usize, before: usize) -> impl Fn(&str, usize) -> Vec<u8> {
    let pages = AtomicUsize::new(0);
    move |target, _| {
        let url = Url::parse(&format!("http://x{target}")).unwrap();
        let number =
            |name| url.query_pairs().find(|(key, _)| key == name).and_then(|(_, value)| value.parse::<usize>().ok());
        match url.path() {
            "/data/tasks" => {
                let first = if pages.fetch_add(1, Ordering::Relaxed) >= before { gone } else { 0 };
                let rows: Vec<_> = (first..6000).skip((number("page").unwrap() - 1) * 2000).take(2000).collect();
                let rows: Vec<_> =
                    rows.into_iter().map(|row| task_row(&format!("{row:08}-ce75-4665-a070-57453082c256"))).collect();
                ok(json!({"data": rows, "total": 6000 - first}))
            }
            "/data/entities" => ok(json!({"data": [], "total": 0})),
            "/auth/authenticated" => us("admin"),
            _ => ok(json!([])),
        }
    }
}

#[tokio::test]
async fn no_row_is_missed_when_others_vanish_while_paging() {
    for (gone, before) in [(0, 0), (1, 1), (1, 2), (700, 2), (3000, 2), (5999, 2)] {
        let server = Server::start(paged(gone, before)).await;
        let snapshot = large(&server.kitsu()).await.unwrap();
        let ids = snapshot.changes.iter().map(|change| match change {
            Change::Upsert(record) => record.id.to_string(),
            other => panic!("{other:?}"),
        });
        let ids = ids.collect::<BTreeSet<_>>();
        let missed = (gone..6000).filter(|row| !ids.contains(&format!("{row:08}-ce75-4665-a070-57453082c256"))).count();
        assert_eq!(missed, 0, "{gone} gone before page {before}");
        assert_eq!(snapshot.complete, ["entity", "task"]);
    }
}

#[tokio::test]
async fn one_bad_row_does_not_spoil_the_page_but_a_page_of_another_shape_does() {
    let server = Server::start(|target, _| match target {
        target if target.starts_with("/data/tasks") => {
            ok(json!({"data": [task_row(A), {"id": B, "project_id": 7}], "total": 2}))
        }
        "/auth/authenticated" => us("admin"),
        target if target.starts_with("/data/entities") => ok(json!({"data": [], "total": 0})),
        _ => ok(json!([])),
    })
    .await;
    let snapshot = large(&server.kitsu()).await.unwrap();
    let bad: Vec<_> = snapshot.changes.iter().filter(|change| matches!(change, Change::Quarantine { .. })).collect();
    assert!(matches!(bad[..], [Change::Quarantine { object, .. }] if *object == task(B)), "{bad:?}");

    for page in
        [json!([]), json!({"data": {}, "total": 1}), json!({"data": []}), json!({"data": [], "total": -1}), json!("x")]
    {
        let shown = page.to_string();
        let server = Server::start(move |target, _| match target {
            target if target.starts_with("/data/tasks") => ok(page.clone()),
            target if target.starts_with("/data/entities") => ok(json!({"data": [], "total": 0})),
            _ => ok(json!([])),
        })
        .await;
        let error = large(&server.kitsu()).await.unwrap_err();
        assert!(matches!(error, SourceError::Malformed(_)), "{shown}: {error:?}");
    }
}

#[tokio::test]
async fn a_page_that_is_too_short_is_read_again_and_never_taken_for_the_whole() {
    for (good_from, whole) in [(1, true), (3, true), (4, false), (usize::MAX, false)] {
        let asked = AtomicUsize::new(0);
        let server = Server::start(move |target, _| match target {
            target if target.starts_with("/data/tasks") => {
                let number = asked.fetch_add(1, Ordering::Relaxed);
                let rows = if number < good_from { vec![task_row(A)] } else { vec![task_row(A), task_row(B)] };
                ok(json!({"data": rows, "total": 2}))
            }
            target if target.starts_with("/data/entities") => ok(json!({"data": [], "total": 0})),
            target if target.starts_with("/auth") => ok(json!({"authenticated": true, "user": {"role": "admin"}})),
            _ => ok(json!([])),
        })
        .await;
        let loaded = large(&server.kitsu()).await;
        match loaded {
            Ok(snapshot) if whole => assert_eq!(snapshot.changes.len(), 2),
            Err(SourceError::Malformed(why)) if !whole => {
                assert!(why.starts_with("/data/tasks: page 1 has 1 rows where the total of 2 means 2"), "{why}");
            }
            other => panic!("good from request {good_from}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn the_log_is_paged_and_gives_up_in_time() {
    let page = |first: usize, rows: usize| {
        let event = |number| json!({"id": format!("{number:08}-ce75-4665-a070-57453082c256"), "name": "task:update", "data": {"task_id": A}});
        ok(json!((first..first + rows).map(event).collect::<Vec<_>>()))
    };
    let server = Server::start(move |target, number| {
        assert!(target.starts_with("/data/events/last?after=") && target.contains("limit=1000"), "{target}");
        assert_eq!(target.contains("cursor_event_id="), number > 0, "{target}");
        page(number * 1000, if number < 3 { 1000 } else { 7 })
    })
    .await;
    let caught = server.kitsu().catch_up(SystemTime::now()).await.unwrap().unwrap();
    assert_eq!((caught.objects, server.asked()), (vec![task(A)], 4));
    assert!(caught.cursor.is_some_and(|cursor| cursor.starts_with("00000000")));

    let endless = Server::start(move |_, number| page(number * 1000, 1000)).await;
    assert_eq!(endless.kitsu().catch_up(SystemTime::now()).await, Ok(None));
    assert!(endless.asked() <= 20);
    let long_ago = SystemTime::now() - Duration::from_secs(30 * 86_400);
    assert_eq!(endless.kitsu().catch_up(long_ago).await, Ok(None));
    for unreadable in [answer("400 Bad Request", "{}"), ok(json!({"events": []}))] {
        let server = Server::start(move |_, _| unreadable.clone()).await;
        assert_eq!(server.kitsu().catch_up(SystemTime::now()).await, Ok(None));
    }
}

#[test]
fn addresses_that_cannot_be_meant_are_refused() {
    let _already = rustls::crypto::ring::default_provider().install_default();
    for (url, expected) in [
        ("", "is not a URL"),
        ("kitsu.studio/api", "is not a URL"),
        ("ftp://kitsu.studio", "neither http nor https"),
        ("https://ada:pw@kitsu.studio/api", "user or password"),
    ] {
        for (url, events_url) in [(url, "https://kitsu.studio"), ("https://kitsu.studio/api", url)] {
            let token = TokenSource::Value("t".into());
            let error =
                Kitsu::new(Config { url: url.into(), events_url: events_url.into(), token }).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("tracker.kitsu."), "{error}");
            assert!(!error.contains("pw"), "{error}");
        }
    }
}
