//! The double of a Flow site, as a process of its own: started, steered, ended.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use stagedoor::model::schema::Schema;
use stagedoor::tracker::flow::{Config, Flow};
use stagedoor::tracker::secret::TokenSource;

/// A running double.
pub(crate) struct Double {
    pub(crate) address: String,
    process: Child,
    http: reqwest::Client,
}

impl Double {
    /// Starts one with its seed and its roles. `STAGEDOOR_TEST_FLOW` is a Python that has what it needs.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let _already = rustls::crypto::ring::default_provider().install_default();
        let python = std::env::var("STAGEDOOR_TEST_FLOW").expect("STAGEDOOR_TEST_FLOW is set: run tests/run");
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/flow");
        let mut process = Command::new(python)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .arg(format!("{directory}/double.py"))
            .args(["--port", "0", "--seed", &format!("{directory}/seed.json")])
            .args(["--roles", &format!("{directory}/roles.yaml")])
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

    /// A connector that is the seed's reading script.
    pub(crate) fn flow(&self, schema: &Schema) -> Flow {
        self.flow_as("stagedoor", TokenSource::Value("stagedoor-key".to_owned()), schema)
    }

    pub(crate) fn flow_as(&self, script: &str, script_key: TokenSource, schema: &Schema) -> Flow {
        let config = Config {
            url: self.address.clone(),
            script_name: script.to_owned(),
            script_key,
            poll_interval: Duration::from_secs(1),
        };
        Flow::new(config, schema).expect("a good configuration")
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

    pub(crate) async fn delete(&self, path: &str) {
        let url = format!("{}/double/{path}", self.address);
        let answer = self.http.delete(&url).send().await.expect("the double answers");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
    }

    /// What an administrator does: `[action, type, id, data]` each.
    pub(crate) async fn mutate(&self, operations: &Value) -> Value {
        let list = operations.as_array().expect("a list of operations").iter();
        let operations = list.map(|one| json!({"action": one[0], "type": one[1], "id": one[2], "data": one[3]}));
        self.post("mutate", json!({"as": "ada", "operations": operations.collect::<Vec<_>>()})).await
    }

    /// The same, which the site may refuse.
    pub(crate) async fn try_mutate(&self, operations: &Value) -> bool {
        let list = operations.as_array().expect("a list of operations").iter();
        let operations = list.map(|one| json!({"action": one[0], "type": one[1], "id": one[2], "data": one[3]}));
        let body = json!({"as": "ada", "operations": operations.collect::<Vec<_>>()});
        let url = format!("{}/double/mutate", self.address);
        self.http.post(&url).json(&body).send().await.expect("the double answers").status().is_success()
    }

    /// How many requests of each sort were made since the record was emptied.
    pub(crate) async fn counts(&self) -> Counts {
        Counts(self.get("counts").await)
    }
}

/// What was asked how often.
#[derive(Debug)]
pub(crate) struct Counts(Value);

impl Counts {
    pub(crate) fn of(&self, what: &str) -> u64 {
        self.0[what].as_u64().unwrap_or(0)
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _gone = self.process.wait();
    }
}
