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
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::app::App;

mod stream;

const TOKEN: &str = "s3cr3t-of-the-door";

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
fn studio(revision: u64) -> Value {
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

struct Answer {
    status: StatusCode,
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

async fn snapshot(app: &App, studio: &Value) -> Answer {
    send(app, Method::PUT, "snapshot", Some(TOKEN), studio.to_string()).await
}

async fn events(app: &App, events: Value) -> Answer {
    send(app, Method::POST, "events", Some(TOKEN), events.to_string()).await
}

async fn info(app: &App) -> v1::ServerInfo {
    app.client().await.get_server_info(v1::GetServerInfoRequest {}).await.unwrap().into_inner()
}

async fn count(app: &App, kind: &str) -> u64 {
    info(app).await.counts.get(kind).copied().unwrap_or_default()
}

#[tokio::test]
async fn a_snapshot_makes_it_live_and_events_take_effect_before_their_answer() {
    let app = app(None).await;
    println!("{:?}", info(&app).await);
    let answer = snapshot(&app, &studio(1718)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    println!("{}", answer.body);
    println!("{:?}", info(&app).await);
    let answer = events(&app, json!([{
        "id": "e1", "revision": 1719, "type": "x.role.upsert", "production_id": 2336,
        "object": {"id": 3203, "name": "Freelancer", "rights": ["LIBRARY_DELETE"]},
    }])).await;
    println!("{}", answer.body);
    println!("{:?}", info(&app).await);
    app.end().await;
}
