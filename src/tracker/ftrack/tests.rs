//! The connector against a server that answers as badly as it is told to.

mod guarding;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

type Answers = Arc<dyn Fn(&[String], usize) -> Vec<u8> + Send + Sync>;

/// A server of HTTP/1.1 that answers the n-th request (from 0) for these expressions as the function says.
struct Server {
    address: String,
    asked: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Server {
    #[expect(clippy::disallowed_methods, reason = "no app here to spawn through")]
    async fn start(answers: impl Fn(&[String], usize) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let (answers, count): (Answers, _) = (Arc::new(answers), Arc::clone(&asked));
        let task = tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let (answers, count) = (Arc::clone(&answers), Arc::clone(&count));
                tokio::spawn(async move {
                    let expressions = expressions(&mut connection).await;
                    let answer = answers(&expressions, count.fetch_add(1, Ordering::Relaxed));
                    let _closed = connection.write_all(&answer).await;
                    let _closed = connection.shutdown().await;
                });
            }
        });
        Self { address, asked, task }
    }

    fn ftrack(&self) -> Ftrack {
        let _already = rustls::crypto::ring::default_provider().install_default();
        let api_key = TokenSource::Value("secret-key".into());
        Ftrack::new(Config { url: self.address.clone(), user: "api".into(), api_key }).unwrap()
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

/// What the operations of a request ask: the expressions of queries, the actions of others.
async fn expressions(connection: &mut tokio::net::TcpStream) -> Vec<String> {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                assert!(head.contains("ftrack-api-key: secret-key") && head.contains("denormalize:1"), "{head}");
                let parsed: Vec<Json> = serde_json::from_str(body).unwrap_or_default();
                let text = |one: &Json| {
                    one["expression"].as_str().or_else(|| one["action"].as_str()).unwrap_or_default().to_owned()
                };
                return parsed.iter().map(text).collect();
            }
        }
        let mut chunk = vec![0; 65_536];
        match connection.read(&mut chunk).await {
            Ok(0) | Err(_) => return Vec::new(),
            Ok(length) => request.extend_from_slice(&chunk[..length]),
        }
    }
}

fn answer(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").into_bytes()
}

fn ok(body: &Json) -> Vec<u8> {
    answer("200 OK", &body.to_string())
}

fn rows(rows: &Json) -> Json {
    json!({"action": "query", "data": rows, "metadata": {"next": {"offset": null}}})
}

/// Answers each expression by the first of these whose text it contains; else with no rows.
fn by(answers: Vec<(&'static str, Json)>) -> impl Fn(&[String], usize) -> Vec<u8> {
    move |asked, _| {
        let of = |expression: &String| {
            let found = answers.iter().find(|(part, _)| expression.contains(part));
            match found {
                Some((_, found)) => rows(found),
                None if expression == "query_server_information" => json!({"version": "25.1"}),
                None => rows(&json!([])),
            }
        };
        ok(&asked.iter().map(of).collect())
    }
}

fn seen() -> Vec<(&'static str, Json)> {
    vec![
        (
            "from UserSecurityRole ",
            json!([{"id": "h", "user_id": "u", "security_role_id": "r", "is_all_open_projects": true}]),
        ),
        ("from SecurityRole ", json!([{"id": "r", "name": "User", "type": "PROJECT"}])),
        (
            "from User ",
            json!([{"id": "u", "username": "a", "first_name": "", "last_name": "", "email": null, "is_active": true}]),
        ),
    ]
}

fn task(id: &str) -> ObjectRef {
    ObjectRef::new("task", id)
}

async fn load(ftrack: &Ftrack, scope: Scope) -> Result<(Snapshot, Vec<Change>), SourceError> {
    let (parts, mut handed) = Parts::channel();
    let progress = Progress::logged();
    let loading = async {
        let parts = parts;
        ftrack.load(scope, &progress, &parts).await
    };
    let collecting = async {
        let mut changes = Vec::new();
        while let Some(part) = handed.recv().await {
            changes.extend(part);
        }
        changes
    };
    let (snapshot, changes) = tokio::join!(loading, collecting);
    Ok((snapshot?, changes))
}

#[tokio::test]
async fn a_server_that_fails_a_few_times_is_asked_again() {
    for bad in [
        answer("500 Internal Server Error", "<html>oops</html>"),
        answer("502 Bad Gateway", ""),
        answer("200 OK", "<html>maintenance</html>"),
        answer("200 OK", r#"[{"data": ["#),
        answer("200 OK", r#"{"exception": "OperationalError", "content": "gone away"}"#),
        answer("429 Slow Down", ""),
        // Half an answer: the connection ends before the length that was announced.
        b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n[{".to_vec(),
        b"not HTTP at all\r\n\r\n".to_vec(),
        Vec::new(),
    ] {
        let shown = String::from_utf8_lossy(&bad).chars().take(60).collect::<String>();
        let good = by(seen());
        let server =
            Server::start(move |asked, number| if number < 2 { bad.clone() } else { good(asked, number) }).await;
        assert_eq!(server.ftrack().probe().await, Ok("25.1".into()), "{shown}");
        assert_eq!(server.asked(), 3, "{shown}");
    }
}

#[tokio::test]
async fn a_server_that_goes_on_failing_is_said_to_and_never_with_the_key() {
    let endless = {
        let mut endless = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        endless.resize(70 << 20, b' ');
        endless
    };
    for (bad, expected) in [
        (answer("500 Oops", ""), "ftrack answered 500"),
        (answer("200 OK", "[[["), "is not JSON"),
        (answer("200 OK", "\n<!DOCTYPE html>"), "a web page came, no answer of ftrack's API; is tracker.ftrack.url"),
        (answer("200 OK", &"[".repeat(10_000)), "is not JSON"),
        (answer("200 OK", "[]"), "0 results to 3 operations"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{".to_vec(), "broke off"),
        (answer("302 Found", ""), "is tracker.ftrack.url the address of the ftrack server"),
        (answer("404 Not Found", "<html>"), "is tracker.ftrack.url the address of the ftrack server"),
        (answer("401 Unauthorized", ""), "does not accept the API key (401)"),
        (answer("200 OK", r#"{"exception": "InvalidCredentialsError", "content": "no such key"}"#), "no such key"),
        (answer("403 Forbidden", ""), "refuses this to the API key"),
        (
            ok(&json!([{"version": 5}, rows(&json!([{"id": "r"}])), rows(&json!([{"id": "h"}]))])),
            "does not say its version",
        ),
        (
            ok(&json!([{"version": "25"}, rows(&json!([])), rows(&json!([{"id": "h"}]))])),
            "shows no security_role to the API key",
        ),
        (ok(&json!([{"version": "25"}, rows(&json!([{"id": "r"}])), rows(&json!([]))])), "shows no user_security_role"),
        (endless, "larger than"),
    ] {
        let server = Server::start(move |_, _| bad.clone()).await;
        let error = server.ftrack().probe().await.unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn many_objects_are_one_request_and_only_they_are_taken() {
    let mut answers = seen();
    let task_row = |id: &str| json!({"__entity_type__": "Task", "id": id, "name": "t", "project_id": "p", "parent_id": "s", "status_id": "x", "type_id": null});
    answers.extend([
        // The first exists, the second is malformed, the third does not exist, the fourth was not asked for.
        ("from TypedContext ", json!([task_row("a"), {"__entity_type__": "Task", "id": "b"}, task_row("d")])),
        ("from Appointment ", json!([{"id": "1", "type": "assignment", "context_id": "a", "resource_id": "u"}])),
    ]);
    let server = Server::start(by(answers)).await;
    let user = ObjectRef::new("user", "u");
    let asked = [task("a"), task("b"), task("c"), user.clone(), ObjectRef::new("user", "k")];
    let ftrack = server.ftrack();
    let changes = ftrack.reread(&asked).await.unwrap();
    // With the role that the person holds, of which no event may have told.
    assert_eq!(changes.len(), 6, "{changes:?}");
    assert!(
        changes.iter().any(|change| matches!(change, Change::Upsert(record) if record.kind == "user_security_role"))
    );
    let found = |object: &ObjectRef| {
        changes.iter().find_map(|change| match change {
            Change::Upsert(record) if record.object() == *object => Some(record.clone()),
            _ => None,
        })
    };
    let assignees = found(&task("a")).unwrap().field("assignees").cloned();
    assert_eq!(assignees, Some(crate::model::value::Value::texts(["u"])));
    assert!(found(&user).is_some());
    let object = |id: &str| ObjectRef::new("object", id);
    assert!(
        changes.iter().any(|change| matches!(change, Change::Quarantine { object: bad, .. } if *bad == object("b")))
    );
    assert!(
        changes.contains(&Change::Remove(object("c")))
            && changes.contains(&Change::Remove(ObjectRef::new("user", "k")))
    );
    let before = server.asked();
    ftrack.reread(&asked).await.unwrap();
    assert_eq!(server.asked() - before, 1, "what the server knows is found out once");
}

#[tokio::test]
async fn what_ftrack_would_never_name_is_not_asked_for() {
    let server = Server::start(by(seen())).await;
    for strange in
        [ObjectRef::new("task", ""), ObjectRef::new("task", "a\") or (id is \"b"), ObjectRef::new("weather", "a")]
    {
        assert_eq!(server.ftrack().reread(std::slice::from_ref(&strange)).await, Ok(vec![Change::Remove(strange)]));
    }
    assert_eq!(server.asked(), 0);
}

#[tokio::test]
async fn what_is_below_is_read_level_by_level_once() {
    let row = |id: &str| json!({"__entity_type__": "Task", "id": id, "name": "t", "project_id": "p", "parent_id": "s", "status_id": "x", "type_id": null});
    let answers = vec![
        (r#"parent_id in ("root")"#, json!([{"id": "a"}, {"id": "b"}])),
        // A circle, which no server should have.
        (r#"parent_id in ("a", "b")"#, json!([{"id": "c"}, {"id": "a"}])),
        (r#"parent_id in ("c")"#, json!([{"id": "b"}])),
        (r#"TypedContext where id in ("a", "b", "c")"#, json!([row("a"), row("b"), row("c")])),
    ];
    let server = Server::start(by(answers)).await;
    let changes = server.ftrack().reread(&[ObjectRef::new("object_subtree", "root")]).await.unwrap();
    assert_eq!(changes.len(), 3, "{changes:?}");

    let many: Vec<_> = (0..30_000).map(|id| json!({"id": format!("t{id}")})).collect();
    let server = Server::start(by(vec![(r#"parent_id in ("root")"#, Json::from(many))])).await;
    let ftrack = server.ftrack();
    assert_eq!(ftrack.reread(&[ObjectRef::new("object_subtree", "root")]).await, Ok(Vec::new()));
    let due = tokio::time::timeout(Duration::from_secs(1), ftrack.shared.looks.due(Duration::ZERO)).await;
    let large = Signal::Reload { scope: Scope::Large, objects: Vec::new() };
    assert_eq!(due, Ok(large), "all objects are loaded instead");
}

#[tokio::test]
async fn an_assignment_that_does_not_tell_of_what_is_looked_up() {
    let row = json!({"__entity_type__": "Task", "id": "t", "name": "t", "project_id": "p", "parent_id": "s", "status_id": "x", "type_id": null});
    let answers = vec![
        (r#"Appointment where id in ("a1")"#, json!([{"id": "a1", "context_id": "t"}])),
        ("TypedContext ", json!([row])),
    ];
    let server = Server::start(by(answers)).await;
    let changes = server.ftrack().reread(&[ObjectRef::new("appointment", "a1")]).await.unwrap();
    assert!(matches!(&changes[..], [Change::Upsert(record)] if record.object() == task("t")), "{changes:?}");
}

#[tokio::test]
async fn what_is_not_shown_to_us_any_more_does_not_pass_for_gone() {
    for hidden in ["from UserSecurityRole ", "from SecurityRole ", "from User "] {
        let mut answers = seen();
        answers.retain(|(part, _)| *part != hidden);
        let server = Server::start(by(answers)).await;
        let error = load(&server.ftrack(), Scope::Core).await.unwrap_err();
        assert!(matches!(error, SourceError::Refused(_)), "{hidden}: {error:?}");
    }
    let server = Server::start(by(seen())).await;
    let (snapshot, _) = load(&server.ftrack(), Scope::Core).await.unwrap();
    let mut complete = snapshot.complete.clone();
    complete.sort_unstable();
    let expected = [
        "group",
        "membership",
        "object_type",
        "project",
        "security_role",
        "status",
        "type",
        "user",
        "user_security_role",
        "user_security_role_project",
    ];
    assert_eq!(complete, expected);
    assert!(!snapshot.teams);
}

#[tokio::test]
async fn api_keys_are_read_as_far_as_the_server_tells_of_them() {
    for (knows, fields) in [
        (vec!["roles.id", "from ApiKey"], 6),
        (vec!["enabled", "from AccessKey"], 6),
        (vec!["enabled from ApiKey"], 4),
        (vec!["resource_id from ApiKey"], 3),
        (vec!["resource_id from AccessKey"], 3),
        (vec!["nothing"], 0),
    ] {
        let name = format!("{knows:?}");
        let good = by(seen());
        let server = Server::start(move |asked, number| {
            let Some(keys) = asked.iter().find(|text| text.contains("from ApiKey") || text.contains("from AccessKey"))
            else {
                return good(asked, number);
            };
            if !knows.iter().all(|part| keys.contains(part)) {
                return answer(
                    "400 Bad Request",
                    r#"{"exception": "ValidationError", "content": "no such attribute"}"#,
                );
            }
            let mut row = json!({"id": "k", "identifier": "Pipeline", "resource_id": null});
            if keys.contains("enabled") {
                row["enabled"] = json!(true);
            }
            if keys.contains("roles.id") {
                (row["roles"], row["projects"]) = (json!([]), json!([]));
            }
            ok(&json!([rows(&json!([row]))]))
        })
        .await;
        let (snapshot, _) = load(&server.ftrack(), Scope::Core).await.unwrap();
        let key = snapshot.changes.iter().find_map(|change| match change {
            Change::Upsert(record) if record.kind == "api_key" => Some(record),
            _ => None,
        });
        assert_eq!(key.map_or(0, |key| key.fields.len()), fields, "{name}");
    }
    // Not shown at all: said, and nothing else is spoilt.
    let good = by(seen());
    let server = Server::start(move |asked, number| match asked.iter().any(|text| text.contains("Key")) {
        true => answer("403 Forbidden", r#"{"exception": "PermissionError", "content": "no"}"#),
        false => good(asked, number),
    })
    .await;
    assert!(load(&server.ftrack(), Scope::Core).await.is_ok());
}

#[tokio::test]
async fn objects_are_handed_over_page_by_page_with_their_assignments() {
    let object = |id: usize| json!({"__entity_type__": "Task", "id": format!("t{id:05}"), "name": "t", "project_id": "p", "parent_id": "s", "status_id": "x", "type_id": null});
    let server = Server::start(move |asked, _| {
        let number_after = |text: &str, word: &str| text.split(word).nth(1).and_then(|rest| rest.split(' ').next()?.parse::<usize>().ok());
        let of = |text: &String| match number_after(text, " offset ") {
            Some(offset) if text.contains("from TypedContext") => {
                let until = (offset + 200).min(1700);
                let next = (until < 1700).then_some(until);
                json!({"data": (offset..until).map(object).collect::<Vec<_>>(), "metadata": {"next": {"offset": next}}})
            }
            Some(offset) if text.contains("from Appointment") => {
                // Two for each object that is asked for, in pages of 150.
                let ids: Vec<&str> = text.split('"').filter(|part| part.starts_with('t')).collect();
                let all: Vec<_> = ids.iter().flat_map(|id| ["u", "v"].map(|resource| json!({"id": format!("{id}{resource}"), "type": "assignment", "context_id": id, "resource_id": resource}))).collect();
                let until = (offset + 150).min(all.len());
                let next = (until < all.len()).then_some(until);
                json!({"data": all.get(offset..until).unwrap_or_default(), "metadata": {"next": {"offset": next}}})
            }
            _ => known(text),
        };
        ok(&asked.iter().map(of).collect())
    })
    .await;
    let (snapshot, handed) = load(&server.ftrack(), Scope::Large).await.unwrap();
    assert_eq!((snapshot.complete, snapshot.changes.len(), handed.len()), (vec![Str::from("object")], 0, 1700));
    for change in handed {
        let Change::Upsert(record) = change else { panic!("{change:?}") };
        assert_eq!(record.field("assignees"), Some(&crate::model::value::Value::texts(["u", "v"])), "{}", record.id);
    }
}

fn known(text: &str) -> Json {
    if text == "query_server_information" {
        return json!({"version": "25.1"});
    }
    rows(&json!([{"id": "x"}]))
}

#[tokio::test]
async fn a_load_that_nobody_waits_for_ends() {
    let mut answers = seen();
    answers.push(("from TypedContext ", json!([{"id": "t"}])));
    let server = Server::start(by(answers)).await;
    let (parts, handed) = Parts::channel();
    drop(handed);
    let ftrack = server.ftrack();
    let given_up =
        tokio::time::timeout(Duration::from_secs(5), ftrack.load(Scope::Large, &Progress::logged(), &parts)).await;
    assert!(matches!(given_up, Ok(Err(SourceError::Unavailable(_)))), "{given_up:?}");
}

#[test]
fn addresses_that_cannot_be_meant_are_refused() {
    let _already = rustls::crypto::ring::default_provider().install_default();
    for (url, expected) in [
        ("", "is not a URL"),
        ("studio.ftrackapp.com", "is not a URL"),
        ("ftp://studio.ftrackapp.com", "neither http nor https"),
        ("https://ada:pw@studio.ftrackapp.com", "user or password"),
    ] {
        let api_key = TokenSource::Value("k".into());
        let error = Ftrack::new(Config { url: url.into(), user: "api".into(), api_key }).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("tracker.ftrack.") && !error.contains("pw"), "{error}");
    }
}

#[test]
fn kinds_are_filed_under_their_tables() {
    let _already = rustls::crypto::ring::default_provider().install_default();
    let api_key = TokenSource::Value("k".into());
    let ftrack = Ftrack::new(Config { url: "https://x".into(), user: "api".into(), api_key }).unwrap();
    for (kind, table) in [
        ("task", "object"),
        ("assetbuild", "object"),
        ("api_key", "user"),
        ("user", "user"),
        ("note", "note"),
        ("object_subtree", "object_subtree"),
    ] {
        assert_eq!(ftrack.table(kind), table);
    }
    assert_eq!(hinted_by("2::"), []);
    let frame = r#"5:::{"name":"ftrack.event","args":[{"topic":"ftrack.update","data":{"entities":[{"entityType":"user","entityId":"u"}]}}]}"#;
    assert_eq!(hinted_by(frame), [ObjectRef::new("user", "u")]);
}

#[tokio::test]
async fn a_project_that_a_re_read_shows_for_the_first_time_is_loaded() {
    let mut answers = seen();
    let row = json!({"id": "p", "name": "p", "full_name": "P", "status": "active", "is_private": true});
    answers.push(("from Project ", json!([row])));
    let server = Server::start(by(answers)).await;
    let ftrack = server.ftrack();
    let project = [ObjectRef::new("project", "p")];
    ftrack.reread(&project).await.unwrap();
    let large = Signal::Reload { scope: Scope::Large, objects: Vec::new() };
    let due = async || tokio::time::timeout(Duration::from_millis(200), ftrack.shared.looks.due(Duration::ZERO)).await;
    assert_eq!(due().await, Ok(large));
    ftrack.reread(&project).await.unwrap();
    assert!(due().await.is_err(), "it is seen by now");
}
