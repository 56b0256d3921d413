//! A running zou: its REST API as anybody, as its administrator, and its database.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use reqwest::Method;
use serde_json::Value;
use tokio::{sync::Semaphore, task::JoinSet};

/// How many requests are under way at once: zou has two workers.
const LANES: usize = 6;

/// A request still to be sent. `{id}` in the path or the body stands for an id not known yet.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
}

impl Call {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: None }
    }

    pub(crate) fn post(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::POST, path: path.into(), body: Some(body) }
    }

    pub(crate) fn put(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::PUT, path: path.into(), body: Some(body) }
    }

    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self { method: Method::DELETE, path: path.into(), body: None }
    }

    /// The same call about this id.
    pub(crate) fn about(&self, id: &str) -> Self {
        let body = self
            .body
            .as_ref()
            .map(|body| serde_json::from_str(&body.to_string().replace("{id}", id)).expect("an id needs no escaping"));
        Self { method: self.method.clone(), path: self.path.replace("{id}", id), body }
    }
}

/// What zou answered.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body's beginning, for a report.
    pub(crate) fn excerpt(&self) -> String {
        self.body.to_string().chars().take(200).collect()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Zou {
    pub(crate) api: String,
    pub(crate) admin_token: String,
    client: reqwest::Client,
    ctl: PathBuf,
    dir: PathBuf,
    lanes: Arc<Semaphore>,
}

impl Zou {
    /// The server that `tests/zou/start` runs in `dir` (STAGEDOOR_TEST_DIR); `ctl` is the script beside `start`.
    pub(crate) fn running(dir: &Path, ctl: &Path) -> Self {
        // Only one of a process can be the first to choose.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let text = fs::read_to_string(dir.join("zou.env")).expect("zou.env: run tests/zou/start");
        let env: HashMap<_, _> = text.lines().filter_map(|line| line.split_once('=')).collect();
        Self {
            api: env["ZOU_API"].to_owned(),
            admin_token: env["ZOU_ADMIN_TOKEN"].to_owned(),
            client: reqwest::Client::builder().pool_max_idle_per_host(0).build().expect("a client"),
            ctl: ctl.to_owned(),
            dir: dir.to_owned(),
            lanes: Arc::new(Semaphore::new(LANES)),
        }
    }

    /// Sends a call as the owner of the token.
    pub(crate) async fn send(&self, token: &str, call: &Call) -> Reply {
        let _lane = self.lanes.acquire().await.expect("never closed");
        let mut request =
            self.client.request(call.method.clone(), format!("{}{}", self.api, call.path)).bearer_auth(token);
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap_or_else(|error| panic!("{call:?}: {error}"));
        let status = response.status().as_u16();
        let bytes = response.bytes().await.unwrap_or_else(|error| panic!("{call:?}: {error}"));
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned()));
        Reply { status, body }
    }

    /// Sends a call that must succeed, as the administrator.
    pub(crate) async fn admin(&self, call: Call) -> Value {
        let reply = self.send(&self.admin_token, &call).await;
        assert!(reply.is_success(), "{call:?}: {} {}", reply.status, reply.excerpt());
        reply.body
    }

    /// Sends calls side by side, as the administrator; the answers are in the calls' order.
    pub(crate) async fn admin_all(&self, calls: Vec<Call>) -> Vec<Value> {
        self.chains(calls.into_iter().map(|call| vec![call]).collect()).await
    }

    /// Sends chains of calls side by side, as the administrator. `{id}` in the later calls of a chain is the
    /// id that the first one made. Answers the first call's answer of each chain, in the chains' order.
    pub(crate) async fn chains(&self, chains: Vec<Vec<Call>>) -> Vec<Value> {
        let mut answers = vec![Value::Null; chains.len()];
        let mut running = JoinSet::new();
        for (place, chain) in chains.into_iter().enumerate() {
            let zou = self.clone();
            running.spawn(async move {
                let mut calls = chain.into_iter();
                let first = zou.admin(calls.next().expect("a chain has a call")).await;
                for call in calls {
                    zou.admin(call.about(first["id"].as_str().unwrap_or_default())).await;
                }
                (place, first)
            });
        }
        while let Some(done) = running.join_next().await {
            let (place, answer) = done.expect("a call failed");
            answers[place] = answer;
        }
        answers
    }

    /// Changes the database directly, where REST cannot.
    pub(crate) fn sql(&self, statement: &str) {
        let mut command = Command::new(&self.ctl);
        let status = command.args(["sql", statement]).env("STAGEDOOR_TEST_DIR", &self.dir).status().expect("ctl runs");
        assert!(status.success(), "{statement}");
    }
}
