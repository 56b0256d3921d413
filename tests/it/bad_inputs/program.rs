//! The program itself, run with nothing in its environment but what a row says.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

/// No row takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// How the program ended, and what it said.
pub(super) struct Ended {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

/// Runs the program in `directory`. It must end by itself.
pub(super) fn run(directory: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let mut command = command(directory, arguments);
    let mut child = command.envs(environment.iter().copied()).stdout(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > PATIENCE {
            child.kill().unwrap();
            break;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    Ended { code: child.wait().unwrap().code().unwrap_or(-1), out, err }
}

fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stagedoor"));
    command.args(arguments).current_dir(directory).env_clear().stdin(Stdio::null()).stderr(Stdio::piped());
    command
}

/// `serve`, running; ended when dropped.
pub(super) struct Serving {
    child: Child,
    lines: Receiver<String>,
    heard: Vec<String>,
}

impl Serving {
    /// Serves `stagedoor.yaml` in `directory`.
    pub(super) fn start(directory: &Path) -> Self {
        let arguments = ["serve", "--config", "stagedoor.yaml", "--log-format", "json", "--log-level", "trace"];
        let mut child = command(directory, &arguments).stdout(Stdio::null()).spawn().unwrap();
        let (sender, lines) = channel();
        let err = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || err.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines, heard: Vec::new() }
    }

    /// What `wanted` finds in the first line of the log that it finds anything in; else all that was logged instead.
    pub(super) fn hear<T>(&mut self, wanted: impl Fn(&Value) -> Option<T>) -> Result<T, String> {
        let find = |line: &String| serde_json::from_str(line).ok().and_then(|line| wanted(&line));
        if let Some(found) = self.heard.iter().find_map(find) {
            return Ok(found);
        }
        let until = Instant::now() + PATIENCE;
        while let Ok(line) = self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            let found = find(&line);
            self.heard.push(line);
            if let Some(found) = found {
                return Ok(found);
            }
        }
        Err(self.heard())
    }

    /// All that was logged so far.
    pub(super) fn heard(&self) -> String {
        self.heard.join("\n")
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
