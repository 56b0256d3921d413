//! Limecraft's push door on the running app: what is taken, what is refused and how, and that the mirror has it then.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use stagedoor::config::{Limecraft, Push, Tracker};
use stagedoor::proto::v1;
use stagedoor::serve::tls;
use stagedoor::tracker::ingest::guard::Token;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic_health::pb::health_check_response::ServingStatus;

use crate::app::App;

mod effects;
mod stream;

pub(crate) const TOKEN: &str = "s3cr3t-of-the-door";

fn push(token: Token) -> Push {
    Push { listen: "127.0.0.1:0".parse().unwrap(), token: Some(token), tls: None }
}

/// An app that is pushed, and perhaps has a file too.
async fn app(snapshot: Option<PathBuf>) -> App {
    start(Limecraft { snapshot, push: Some(push(Token::Value(TOKEN.to_owned()))) }).await
}

async fn start(limecraft: Limecraft) -> App {
    App::start(|config| config.tracker = Tracker::Limecraft(limecraft)).await
}

/// Two people, one of them in the production with a role, and a team for both.
pub(crate) fn studio(revision: u64) -> Value {
    json!({
        "source": "limecraft", "schema": 1, "revision": revision, "generated_at_ms": 1_763_712_000_000_i64,
        "rights_catalogue": ["LIBRARY_SHARE"],
        "users": [
            {"id": 12, "login": "ada", "email": "ada@studio.example", "active": true, "name": "Ada"},
            {"id": 13, "login": "bo", "email": "bo@studio.example", "active": true},
        ],
        "productions": [{
            "id": 2336, "name": "P", "account_id": 63625, "status": "Active",
            "roles": [{"id": 3202, "name": "Editor", "rights": ["LIBRARY_UPLOAD"]}],
            "members": [{"user_id": 12, "state": "ACCEPTED", "role_ids": [3202], "extra_rights": []}],
            "actions": {"productionActions": [], "clipActions": [], "eoActions": [{"label": "Export"}]},
        }],
        "teams": [{
            "id": 5, "account_id": 63625, "user_ids": [12], "rights": ["LIBRARY_SHARE"], "production_ids": [2336],
        }],
    })
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    body: Value,
}

async fn send(app: &App, method: Method, path: &str, token: Option<&str>, body: String) -> Answer {
    let request = Client::new().request(method, format!("http://{}/v1/sources/limecraft/{path}", app.push));
    let request = request.header("content-type", "application/json").body(body);
    let request = token.into_iter().fold(request, |request, token| request.bearer_auth(token));
    let response = request.send().await.unwrap();
    let status = response.status();
    Answer { status, body: serde_json::from_str(&response.text().await.unwrap()).unwrap() }
}

pub(crate) async fn snapshot(app: &App, studio: &Value) -> Answer {
    send(app, Method::PUT, "snapshot", Some(TOKEN), studio.to_string()).await
}

pub(crate) async fn events(app: &App, events: Value) -> Answer {
    send(app, Method::POST, "events", Some(TOKEN), events.to_string()).await
}

async fn info(app: &App) -> v1::ServerInfo {
    app.client().await.get_server_info(v1::GetServerInfoRequest {}).await.unwrap().into_inner()
}

async fn count(app: &App, kind: &str) -> u64 {
    info(app).await.counts.get(kind).copied().unwrap_or_default()
}

async fn cursor(app: &App) -> String {
    info(app).await.freshness.unwrap().source_cursor
}

pub(crate) fn role(number: u64) -> Value {
    json!({
        "id": format!("e{number}"), "revision": 1718 + number, "type": "x.role.upsert", "production_id": 2336,
        "object": {"id": 4000 + number, "name": "Freelancer", "rights": []},
    })
}

/// Waits until the service of this name is as it should be.
async fn until(app: &App, what: &str, mut holds: impl AsyncFnMut(&App) -> bool) {
    let wait = async {
        while !holds(app).await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap_or_else(|_| panic!("not in time: {what}"));
}

#[tokio::test]
async fn a_snapshot_makes_it_live_and_events_take_effect_before_their_answer() {
    let app = app(None).await;
    let early = events(&app, json!([role(1)])).await;
    assert_eq!((early.status, &early.body["snapshot_wanted"]), (StatusCode::CONFLICT, &json!(true)));
    let answer = snapshot(&app, &studio(1718)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body, json!({"revision": 1718, "applied": 9, "replayed": 0, "ignored": 0}));
    app.wait_for("fresh", ServingStatus::Serving).await;
    assert_eq!((count(&app, "person").await, count(&app, "action").await, cursor(&app).await.as_str()), (2, 1, "1718"));
    let answer = events(&app, json!([role(1), {"id": "m", "revision": 1720, "type": "Media.create"}])).await;
    assert_eq!(answer.body, json!({"revision": 1720, "applied": 1, "replayed": 0, "ignored": 1}));
    assert_eq!((count(&app, "role").await, cursor(&app).await.as_str()), (2, "1720"));
    let before = info(&app).await.freshness.unwrap();
    assert_eq!(events(&app, json!([])).await.status, 200);
    let after = info(&app).await.freshness.unwrap();
    assert_eq!(before.revision, after.revision, "a heartbeat changes nothing");
    app.end().await;
}

#[tokio::test]
async fn a_replay_does_nothing_and_a_gap_is_healed_by_a_snapshot() {
    let app = app(None).await;
    snapshot(&app, &studio(1718)).await;
    events(&app, json!([role(1)])).await;
    let revision = info(&app).await.freshness.unwrap().revision;
    let again = events(&app, json!([role(1)])).await;
    assert_eq!(again.body, json!({"revision": 1719, "applied": 0, "replayed": 1, "ignored": 0}));
    assert_eq!(info(&app).await.freshness.unwrap().revision, revision);

    let gap = events(&app, json!([role(2), role(4)])).await;
    assert_eq!(gap.status, StatusCode::CONFLICT);
    assert_eq!((&gap.body["revision"], &gap.body["got"]), (&json!(1720), &json!(1722)));
    let old = snapshot(&app, &studio(1721)).await;
    assert_eq!(
        (old.status, &old.body["revision"]),
        (StatusCode::CONFLICT, &json!(1722)),
        "it may lack what was missed"
    );
    assert!(gap.body["error"].as_str().unwrap().contains("send a snapshot"), "{}", gap.body);
    assert_eq!(count(&app, "role").await, 2, "nothing of the request is applied");
    for list in [json!([]), json!([role(2)])] {
        assert_eq!(events(&app, list).await.status, StatusCode::CONFLICT, "until a snapshot comes");
    }
    let mut healed = studio(1722);
    healed["productions"][0]["roles"] = json!([]);
    healed["productions"][0]["members"] = json!([]);
    assert_eq!(snapshot(&app, &healed).await.status, 200);
    assert_eq!((count(&app, "role").await, cursor(&app).await.as_str()), (0, "1722"));
    assert_eq!(events(&app, json!([role(5)])).await.body["applied"], 1);
    let older = snapshot(&app, &studio(1718)).await;
    assert_eq!((older.status, &older.body["revision"]), (StatusCode::CONFLICT, &json!(1723)));
    app.end().await;
}

#[tokio::test]
async fn a_broken_push_is_told_and_changes_nothing() {
    let app = app(None).await;
    snapshot(&app, &studio(1718)).await;
    let before = info(&app).await;
    let mut dangling = studio(1719);
    dangling["productions"][0]["members"][0]["role_ids"] = json!([1, 2]);
    dangling["teams"][0]["user_ids"] = json!([55]);
    let answer = snapshot(&app, &dangling).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let problems = answer.body["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 3, "{problems:?}");
    let text = studio(1719).to_string();
    for body in [&text[..text.len() / 2], "", "null", "[]", "{\"source\": \"limecraft\", \"schema\": 2}"] {
        let answer = send(&app, Method::PUT, "snapshot", Some(TOKEN), body.to_owned()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(answer.body["problems"][0].as_str().unwrap().starts_with("line 1, column "), "{}", answer.body);
    }
    let half =
        events(&app, json!([role(1), {"id": "x", "revision": 1720, "type": "x.role.upsert", "production_id": 1}]));
    assert_eq!(half.await.status, StatusCode::BAD_REQUEST);
    let after = info(&app).await;
    assert_eq!(
        (before.counts, before.freshness.map(|f| f.revision)),
        (after.counts, after.freshness.map(|f| f.revision))
    );
    app.end().await;
}

#[tokio::test]
async fn whoever_is_not_let_in_or_knocks_elsewhere_is_told_so() {
    let app = app(None).await;
    let body = || studio(1).to_string();
    for token in [None, Some("wrong"), Some("")] {
        let answer = send(&app, Method::PUT, "snapshot", token, body()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{token:?}");
        assert!(!answer.body.to_string().contains(TOKEN));
    }
    assert_eq!(send(&app, Method::GET, "snapshot", Some(TOKEN), body()).await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(send(&app, Method::PUT, "events", Some(TOKEN), body()).await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(send(&app, Method::PUT, "snapshots", Some(TOKEN), body()).await.status, StatusCode::NOT_FOUND);
    for (name, value) in [("content-type", "text/plain"), ("content-encoding", "gzip")] {
        let request = Client::new().put(format!("http://{}/v1/sources/limecraft/snapshot", app.push));
        let response = request.bearer_auth(TOKEN).header(name, value).body(body()).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{name}");
    }
    assert_eq!(count(&app, "person").await, 0);
    app.end().await;
}

#[tokio::test]
async fn a_hundred_megabytes_are_refused() {
    let app = app(None).await;
    for (path, method, bytes) in [
        ("snapshot", Method::PUT, 100 * 1024 * 1024),
        ("events", Method::POST, 100 * 1024 * 1024),
        ("events", Method::POST, 1024 * 1024 + 1),
    ] {
        let answer = send(&app, method.clone(), path, Some(TOKEN), " ".repeat(bytes)).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
        assert!(answer.body["error"].as_str().unwrap().starts_with("the body has more than "), "{}", answer.body);
        // Nothing says how large it will be.
        let chunks = (0..bytes / 1024 / 1024 + 2).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1024 * 1024]));
        let body = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
        let request = Client::new().request(method, format!("http://{}/v1/sources/limecraft/{path}", app.push));
        let request = request.bearer_auth(TOKEN).header("content-type", "application/json").body(body);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE, "{path}");
    }
    assert_eq!(snapshot(&app, &studio(1)).await.status, 200);
    app.end().await;
}

#[tokio::test]
async fn half_a_request_is_none() {
    let app = app(None).await;
    let text = studio(1).to_string();
    let mut stream = TcpStream::connect(&app.push).await.unwrap();
    let head = format!(
        "PUT /v1/sources/limecraft/snapshot HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        text.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&text.as_bytes()[..text.len() / 2]).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    let _cut = stream.read_to_string(&mut answer).await;
    assert!(!answer.contains(" 200 "), "{answer}");
    assert_eq!(count(&app, "person").await, 0);
    assert_eq!(snapshot(&app, &studio(1)).await.status, 200);
    app.end().await;
}

#[tokio::test]
async fn pushes_at_once_take_turns() {
    let app = app(None).await;
    snapshot(&app, &studio(1718)).await;
    let (one, two) = (role(1), json!({"id": "other", "revision": 1719, "type": "Media.create"}));
    let (first, second) = tokio::join!(events(&app, json!([one])), events(&app, json!([two])));
    let mut statuses = [first.status, second.status];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::OK, StatusCode::CONFLICT], "both say that they come next");
    let newer: Vec<Value> = (1720..1730).map(studio).collect();
    let answers = futures_util::future::join_all(newer.iter().map(|studio| snapshot(&app, studio))).await;
    assert!(answers.iter().all(|answer| matches!(answer.status.as_u16(), 200 | 409)));
    assert_eq!(cursor(&app).await, "1729");
    app.end().await;
}

#[tokio::test]
async fn one_of_fifty_thousand_members_leaves() {
    let app = app(None).await;
    let mut studio = studio(1718);
    studio["users"] = (100..50_100).map(|id| json!({"id": id, "active": true})).collect();
    studio["teams"] = json!([]);
    studio["productions"][0]["members"] =
        (100..50_100).map(|id| json!({"user_id": id, "state": "ACCEPTED", "role_ids": [3202]})).collect();
    let answer = snapshot(&app, &studio).await;
    assert_eq!((answer.status, &answer.body["applied"]), (StatusCode::OK, &json!(100_005)), "{}", answer.body);
    assert_eq!(count(&app, "person").await, 50_000);
    let before = info(&app).await.freshness.unwrap().revision;
    let left = json!({"id": "l", "revision": 1719, "type": "Team.remove", "production_id": 2336, "user_id": 100});
    assert_eq!(events(&app, json!([left])).await.body["applied"], 1);
    assert_eq!(info(&app).await.freshness.unwrap().revision, before + 1);
    app.end().await;
}

fn replace(path: &Path, text: &str) {
    let next = path.with_extension("next");
    fs::write(&next, text).unwrap();
    fs::rename(next, path).unwrap();
}

#[tokio::test]
async fn a_file_is_followed_and_a_broken_one_keeps_the_state() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("studio.json");
    fs::write(&path, studio(1718).to_string()).unwrap();
    let app = start(Limecraft { snapshot: Some(path.clone()), push: None }).await;
    until(&app, "live", async |app| cursor(app).await == "1718").await;
    replace(&path, "{\"source\": \"limecraft\"");
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!((count(&app, "person").await, cursor(&app).await.as_str()), (2, "1718"));
    let mut fewer = studio(1720);
    fewer["teams"] = json!([]);
    replace(&path, &fewer.to_string());
    until(&app, "mended", async |app| cursor(app).await == "1720").await;
    assert_eq!(count(&app, "team").await, 0);
    app.end().await;
}

#[tokio::test]
async fn a_file_and_pushes_go_together() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("studio.json");
    fs::write(&path, studio(1718).to_string()).unwrap();
    let app = app(Some(path.clone())).await;
    until(&app, "loaded", async |app| count(app, "person").await == 2).await;
    let age = info(&app).await.freshness.unwrap().age.unwrap();
    assert!(age.seconds > 3_600, "the file is as old as it says: {age:?}");
    assert_eq!(app.health("fresh").await.unwrap(), ServingStatus::NotServing);
    assert_eq!(events(&app, json!([role(1)])).await.body["applied"], 1);
    until(&app, "live", async |app| cursor(app).await == "1719").await;
    app.wait_for("fresh", ServingStatus::Serving).await;
    // Older than what was pushed: it is not taken up, and neither is a broken one.
    replace(&path, &studio(1718).to_string());
    tokio::time::sleep(Duration::from_millis(800)).await;
    replace(&path, "{");
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(events(&app, json!([role(2)])).await.body["applied"], 1);
    assert_eq!(events(&app, json!([role(9)])).await.status, StatusCode::CONFLICT);
    replace(&path, &studio(1800).to_string());
    // It makes up for the gap; a push has to say that nothing came after it.
    until(&app, "taken up", async |app| events(app, json!([])).await.status == StatusCode::OK).await;
    until(&app, "healed", async |app| cursor(app).await == "1800").await;
    assert_eq!(count(&app, "role").await, 1);
    app.end().await;
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name)
}

#[tokio::test]
async fn a_certificate_lets_in_instead_of_the_token() {
    let tls = tls::Config {
        cert_file: fixture("server.pem"),
        key_file: fixture("server.key"),
        client_ca_file: Some(fixture("ca.pem")),
    };
    let door = Push { tls: Some(tls), token: None, ..push(Token::Value(String::new())) };
    let app = start(Limecraft { snapshot: None, push: Some(door) }).await;
    let read = |name: &str| fs::read(fixture(name)).unwrap();
    let authority = || reqwest::Certificate::from_pem(&read("ca.pem")).unwrap();
    let identity = || reqwest::Identity::from_pem(&[read("caller.pem"), read("caller.key")].concat()).unwrap();
    let port = app.push.rsplit(':').next().unwrap();
    let put = async |client: Client, revision: u64| {
        let request = client.put(format!("https://localhost:{port}/v1/sources/limecraft/snapshot"));
        request.header("content-type", "application/json").body(studio(revision).to_string()).send().await
    };
    let builder = || Client::builder().tls_certs_only([authority()]);
    for (client, revision) in [(builder(), 1), (builder().http1_only(), 2)] {
        let response = put(client.identity(identity()).build().unwrap(), revision).await.unwrap();
        assert_eq!(response.status(), 200);
    }
    assert!(put(builder().build().unwrap(), 3).await.is_err(), "without a certificate");
    let clear = Client::new().put(format!("http://{}/v1/sources/limecraft/snapshot", app.push)).send().await;
    assert!(clear.is_err());
    assert_eq!(cursor(&app).await, "2");
    app.end().await;
}
