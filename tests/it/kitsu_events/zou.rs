//! The real zou: REST calls as an administrator, and the script that stops and starts its parts.

use std::process::Stdio;

use reqwest::Method;
use serde_json::{Value, json};
use stagedoor::tracker::secret::TokenSource;

pub(crate) struct Zou {
    pub(crate) api: String,
    pub(crate) events: String,
    token: String,
    http: reqwest::Client,
}

impl Zou {
    pub(super) fn from_env() -> Self {
        let of = |name| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run tests/run"));
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).build().expect("a client");
        Self { api: of("ZOU_API"), events: of("ZOU_EVENTS"), token: of("ZOU_ADMIN_TOKEN"), http }
    }

    pub(crate) fn token(&self) -> TokenSource {
        TokenSource::Value(self.token.clone())
    }

    /// A request that must succeed.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.api)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        assert!(status.is_success(), "{method} {path} {body:?}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        self.ask(Method::GET, path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Value {
        self.ask(Method::POST, path, Some(&body)).await
    }

    pub(super) async fn import_csv(&self, path: &str, csv: &str) {
        let body = format!(
            "--stagedoor\r\nContent-Disposition: form-data; name=\"file\"; filename=\"people.csv\"\r\n\
             Content-Type: text/csv\r\n\r\n{csv}\r\n--stagedoor--\r\n"
        );
        let request = self.http.post(format!("{}{path}", self.api)).bearer_auth(&self.token);
        let request = request.header("Content-Type", "multipart/form-data; boundary=stagedoor").body(body);
        let answer = request.send().await.expect("zou answers");
        let status = answer.status();
        assert!(status.is_success(), "{status} {}", answer.text().await.unwrap_or_default());
    }

    /// A bot of its own: id and token.
    pub(crate) async fn bot(&self, role: &str) -> (String, String) {
        let name = uuid::Uuid::new_v4();
        let bot = self.post(
            "/data/persons",
            json!({"first_name": "Bot", "last_name": "", "is_bot": true, "role": role, "email": format!("{name}@example.com"), "expiration_date": null}),
        );
        let bot = bot.await;
        (text(&bot, "id"), text(&bot, "access_token"))
    }

    /// Revokes a bot's token; the new one.
    pub(crate) async fn rotate(&self, bot: &str) -> String {
        let body = json!({"expiration_date": null});
        text(&self.ask(Method::PUT, &format!("/data/persons/{bot}"), Some(&body)).await, "access_token")
    }

    /// Stops or starts a part of zou.
    pub(crate) async fn ctl(&self, arguments: &[&str]) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/zou/ctl");
        let mut command = std::process::Command::new(script);
        command.args(arguments).stdin(Stdio::null());
        let done = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic");
        let done = done.expect("tests/zou/ctl runs");
        assert!(done.status.success(), "ctl {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

pub(super) fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}
