//! The end of the real process: signals under load, what was accepted is answered.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use stagedoor::app::RunError;
use stagedoor::proto::v1;
use stagedoor::proto::v1::authorization_client::AuthorizationClient;
use tokio::task::JoinSet;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

use crate::app::{App, yes};

/// A server process on a free port and a socket, and the lines that it logs.
struct Process {
    child: Child,
    tcp: String,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Process {
    fn start(directory: &Path) -> Self {
        let socket = directory.join("stagedoor.sock");
        let mut child = Command::new(env!("CARGO_BIN_EXE_stagedoor"))
            .args(["serve", "--demo", "--log-format", "json"])
            .env("STAGEDOOR__LISTEN", format!("[\"127.0.0.1:0\", \"unix:{}\"]", socket.display()))
            .env_remove("STAGEDOOR_LOG")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            errors.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)));
        });
        let mut process = Self { child, tcp: String::new(), lines };
        while process.tcp.is_empty() {
            let line = process.line("listening");
            let address = serde_json::from_str::<serde_json::Value>(&line).unwrap()["address"].clone();
            let address = address.as_str().unwrap().to_owned();
            if !address.starts_with("unix:") {
                process.tcp = address;
            }
        }
        process.line("the mirror is live");
        process
    }

    /// The next line with this in it.
    fn line(&self, part: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(20)).expect(part);
            if line.contains(part) {
                return line;
            }
        }
    }

    fn signal(&self, name: &str) {
        // The shell's own `kill`: a small system has no other.
        let kill = format!("kill -s {name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    fn wait(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "the process does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn connect(to: &str) -> Result<AuthorizationClient<Channel>, tonic::transport::Error> {
    Endpoint::from_shared(to.to_owned()).unwrap().connect().await.map(AuthorizationClient::new)
}

/// The errors of a call, one cause after the other.
fn causes(status: &Status) -> String {
    let mut text = format!("{:?}: {}", status.code(), status.message());
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(status);
    while let Some(error) = cause {
        text.push_str(&format!(" / {error:?}"));
        cause = error.source();
    }
    text
}

/// Calls by many callers at once. Call ids are counted by the server: one that is missing is an answer that was lost.
#[derive(Default)]
struct Callers {
    tasks: JoinSet<Vec<u64>>,
}

/// The count in a call id.
fn count(call_id: &str) -> u64 {
    u64::from_str_radix(&call_id[16..], 16).unwrap()
}

impl Callers {
    /// One call after the other on an open connection, until it is told that no more are taken.
    fn calls(&mut self, client: &AuthorizationClient<Channel>) {
        let mut client = client.clone();
        self.tasks.spawn(async move {
            let mut counts = Vec::new();
            loop {
                match client.check(yes()).await {
                    Ok(answer) => counts.push(count(&answer.into_inner().call_id)),
                    Err(status) => return turned_away(&status, counts),
                }
            }
        });
    }

    /// The same with large batches.
    fn batches(&mut self, client: &AuthorizationClient<Channel>) {
        let mut client = client.clone();
        self.tasks.spawn(async move {
            let mut counts = Vec::new();
            let batch = v1::BatchCheckRequest { items: vec![yes(); 2_000], ..Default::default() };
            loop {
                match client.batch_check(batch.clone()).await {
                    Ok(answer) => {
                        let answer = answer.into_inner();
                        assert_eq!(answer.results.len(), 2_000);
                        counts.push(count(&answer.call_id));
                    }
                    Err(status) => return turned_away(&status, counts),
                }
            }
        });
    }

    /// A connection for each call. One that the system made but the server did not accept any more is reset.
    fn connections(&mut self, address: &str) {
        let address = address.to_owned();
        self.tasks.spawn(async move {
            let mut counts = Vec::new();
            while let Ok(mut client) = connect(&address).await {
                match client.check(yes()).await {
                    Ok(answer) => counts.push(count(&answer.into_inner().call_id)),
                    Err(status) => {
                        let reset = ["ConnectionReset", "BrokenPipe"].iter().any(|kind| causes(&status).contains(kind));
                        return if reset { counts } else { turned_away(&status, counts) };
                    }
                }
            }
            counts
        });
    }

    /// A stream that goes on for a while after the signal and then ends by itself.
    fn stream(&mut self, client: &AuthorizationClient<Channel>, told: &Arc<AtomicBool>) {
        let (mut client, told) = (client.clone(), Arc::clone(told));
        self.tasks.spawn(async move {
            let (sender, receiver) = tokio::sync::mpsc::channel(64);
            let requests = tokio_stream::wrappers::ReceiverStream::new(receiver);
            let mut answers = client.check_stream(requests).await.unwrap().into_inner();
            let mut counts = Vec::new();
            let mut after = 0;
            while after < 200 {
                sender.send(yes()).await.unwrap();
                counts.push(count(&answers.message().await.unwrap().unwrap().call_id));
                after += usize::from(told.load(Ordering::Relaxed));
            }
            drop(sender);
            assert_eq!(answers.message().await.unwrap(), None);
            counts
        });
    }
}

/// Of an open connection, only this may be heard: that it takes no more calls, or that there is no other.
fn turned_away(status: &Status, counts: Vec<u64>) -> Vec<u64> {
    let causes = causes(status);
    let goes_away = causes.contains("GoAway(b\"\", NO_ERROR, Remote)");
    let nowhere = causes.contains("ConnectError") || causes.contains("Service was not ready");
    // The client's own word for a call that it had not sent yet.
    let unsent = causes.contains("hyper::Error(Canceled, \"connection closed\")");
    assert!(goes_away || nowhere || unsent, "an accepted call failed: {causes}");
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_no_accepted_call_fails() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = Process::start(directory.path());
    let socket = directory.path().join("stagedoor.sock");
    let told = Arc::new(AtomicBool::new(false));
    let mut callers = Callers::default();
    for address in [format!("http://{}", process.tcp), format!("unix:{}", socket.display())] {
        let client = connect(&address).await.unwrap();
        (0..16).for_each(|_| callers.calls(&client));
        (0..2).for_each(|_| callers.connections(&address));
        callers.batches(&client);
        callers.stream(&client, &told);
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    process.signal("TERM");
    told.store(true, Ordering::Relaxed);
    let began = Instant::now();
    let mut counts = Vec::new();
    while let Some(ended) = callers.tasks.join_next().await {
        counts.extend(ended.unwrap());
    }
    let status = process.wait();
    assert!(status.success(), "{status:?}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    process.line("ending: no new connections");
    process.line("all accepted calls are answered");
    assert!(!socket.exists(), "the socket file is removed");
    counts.sort_unstable();
    assert!(counts.len() > 500, "{} calls", counts.len());
    let given = u64::try_from(counts.len()).unwrap();
    assert_eq!(counts.last().map(|last| last + 1), Some(given), "the ids of the calls have gaps: answers were lost");
}

#[tokio::test]
async fn a_second_signal_does_not_wait() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = Process::start(directory.path());
    let mut client = connect(&format!("http://{}", process.tcp)).await.unwrap();
    // A call that waits for a revision which never comes holds the drain up.
    let consistency = Some(v1::Consistency { at_least_revision: u64::MAX, ..Default::default() });
    let request = v1::CheckRequest { consistency, ..yes() };
    let mut call = std::pin::pin!(client.check(request));
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut call).await.is_err());
    process.signal("TERM");
    process.line("ending: no new connections");
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut call).await.is_err(), "the call still waits");
    assert_eq!(process.child.try_wait().unwrap(), None, "so does the process");
    process.signal("INT");
    process.line("ending at once");
    assert_eq!(process.wait().code(), Some(1));
    assert!(call.await.is_err());
}

#[tokio::test]
async fn calls_that_take_too_long_are_cut() {
    let app = App::demo().await;
    let consistency = Some(v1::Consistency { at_least_revision: u64::MAX, ..Default::default() });
    let request = v1::CheckRequest { consistency, ..yes() };
    let mut client = app.client().await;
    let mut call = std::pin::pin!(client.check(request));
    assert!(tokio::time::timeout(Duration::from_millis(200), &mut call).await.is_err());
    let began = Instant::now();
    app.stop();
    app.ended().await.unwrap();
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(9) && took < Duration::from_secs(13), "{took:?}");
    assert!(call.await.is_err());
}

#[tokio::test]
async fn aborted_in_process_too() {
    let app = App::demo().await;
    let consistency = Some(v1::Consistency { at_least_revision: u64::MAX, ..Default::default() });
    let request = v1::CheckRequest { consistency, ..yes() };
    let mut client = app.client().await;
    let mut call = std::pin::pin!(client.check(request));
    assert!(tokio::time::timeout(Duration::from_millis(200), &mut call).await.is_err());
    app.stop();
    app.stop();
    assert!(matches!(app.ended().await, Err(RunError::Aborted)));
}
