//! The double of an ftrack server, as a process of its own: started, steered, ended.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use stagedoor::tracker::ftrack::{Config, Ftrack};
use stagedoor::tracker::secret::TokenSource;

/// A running double.
pub(crate) struct Double {
    pub(crate) address: String,
    process: Child,
    http: reqwest::Client,
}

impl Double {
    /// Starts one with its seed. `STAGEDOOR_TEST_FTRACK` is a Python that has what it needs.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let _already = rustls::crypto::ring::default_provider().install_default();
        let python = std::env::var("STAGEDOOR_TEST_FTRACK").expect("STAGEDOOR_TEST_FTRACK is set: run tests/run");
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ftrack");
        let mut process = Command::new(python)
            .arg(format!("{directory}/double.py"))
            .args(["--port", "0", "--heartbeat", "1", "--seed", &format!("{directory}/seed.json")])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the double starts");
        let mut address = String::new();
        let out = process.stdout.take().expect("its output is piped");
        BufReader::new(out).read_line(&mut address).expect("its first line is its address");
        let address = address.trim().to_owned();
        assert!(address.starts_with("http://"), "its first line is `{address}`");
        Self { address, process, http: reqwest::Client::new() }
    }

    /// A connector with this key of the seed.
    pub(crate) fn ftrack_as(&self, user: &str, key: &str) -> Ftrack {
        self.ftrack_reading(user, TokenSource::Value(key.to_owned()))
    }

    pub(crate) fn ftrack_reading(&self, user: &str, api_key: TokenSource) -> Ftrack {
        let config = Config { url: self.address.clone(), user: user.to_owned(), api_key };
        Ftrack::new(config).expect("a good configuration")
    }

    pub(crate) fn ftrack(&self) -> Ftrack {
        self.ftrack_as("service", "service-key")
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let url = format!("{}/double/{path}", self.address);
        let answer = self.http.post(&url).json(&body).send().await.expect("the double answers");
        let status = answer.status();
        let text = answer.text().await.expect("the double's answer is text");
        assert!(status.is_success(), "{path} {body}: {status} {text}");
        serde_json::from_str(&text).expect("JSON")
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let url = format!("{}/double/{path}", self.address);
        let answer = self.http.get(&url).send().await.expect("the double answers");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.expect("JSON")
    }

    /// What a person does: `[action, type, id, data]` each.
    pub(crate) async fn mutate(&self, operations: &Value) {
        let list = operations.as_array().expect("a list of operations").iter();
        let operations = list.map(|one| json!({"action": one[0], "type": one[1], "id": one[2], "data": one[3]}));
        self.post("mutate", json!({"as": "ada", "operations": operations.collect::<Vec<_>>()})).await;
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _gone = self.process.wait();
    }
}
