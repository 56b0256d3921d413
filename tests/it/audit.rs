//! `audit`: it finds a rule that was broken, finds nothing in rules that are whole, and leaves no trace in the tracker.

mod flow;
mod kitsu;

use std::process::Command;

use serde_json::Value;

/// Runs of the program are short here; a real one takes its time.
const RATE: &str = "50";

/// What the program said.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

async fn audit(arguments: &[&str]) -> Said {
    let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let run = move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stagedoor"));
        let output = command.arg("audit").args(&arguments).env_remove("STAGEDOOR_LOG").output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}
