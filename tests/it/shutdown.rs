//! The end of the real process: signals under load, what was accepted is answered.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use stagedoor::app::RunError;
use stagedoor::proto::v1;
use stagedoor::proto::v1::authorization_client::AuthorizationClient;
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::app::{App, named, yes};

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
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
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

/// Whether the server never took the call: told so by GOAWAY, or by a connection that it did not accept.
fn not_accepted(status: &Status) -> bool {
    let mut text = format!("{status:?}");
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(status);
    while let Some(error) = cause {
        text.push_str(&format!(" / {error}"));
        cause = error.source();
    }
    let refused =
        ["Connection refused", "No such file", "not a result of an error", "connection closed", "Connection reset"];
    status.code() == Code::Unavailable && refused.iter().any(|part| text.contains(part))
        || status.code() == Code::Unknown && text.contains("Service was not ready")
        || text.contains("operation was canceled")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_no_accepted_call_fails() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = Process::start(directory.path());
    let addresses =
        [format!("http://{}", process.tcp), format!("unix:{}", directory.path().join("stagedoor.sock").display())];
    let answered = Arc::new(AtomicUsize::new(0));
    let told = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for address in addresses {
        let client = connect(&address).await.unwrap();
        // Many calls at once on one connection, until it ends.
        for _ in 0..16 {
            let (mut client, answered) = (client.clone(), Arc::clone(&answered));
            callers.spawn(async move {
                loop {
                    match client.check(yes()).await {
                        Ok(answer) => {
                            assert_eq!(answer.into_inner().decision(), v1::Decision::Allow);
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(status) => {
                            assert!(not_accepted(&status), "an accepted call failed: {status:?}");
                            return;
                        }
                    }
                }
            });
        }
        // A connection for each call.
        for _ in 0..2 {
            let (address, answered) = (address.clone(), Arc::clone(&answered));
            callers.spawn(async move {
                while let Ok(mut client) = connect(&address).await {
                    match client.check(yes()).await {
                        Ok(_) => drop(answered.fetch_add(1, Ordering::Relaxed)),
                        Err(status) => {
                            assert!(not_accepted(&status), "an accepted call failed: {status:?}");
                            return;
                        }
                    }
                }
            });
        }
        // Large batches and streams that are under way when the signal comes.
        let mut batches = client.clone();
        callers.spawn(async move {
            let batch = v1::BatchCheckRequest { items: vec![yes(); 2_000], ..Default::default() };
            loop {
                match batches.batch_check(batch.clone()).await {
                    Ok(answer) => assert_eq!(answer.into_inner().results.len(), 2_000),
                    Err(status) => {
                        assert!(not_accepted(&status), "an accepted batch failed: {status:?}");
                        return;
                    }
                }
            }
        });
        let (mut streams, told) = (client.clone(), Arc::clone(&told));
        callers.spawn(async move {
            let (sender, receiver) = tokio::sync::mpsc::channel(64);
            let requests = tokio_stream::wrappers::ReceiverStream::new(receiver);
            let mut answers = streams.check_stream(requests).await.unwrap().into_inner();
            let mut at = 0_usize;
            let mut after = 0;
            // Goes on for a while after the signal, then ends by itself: every request is answered.
            while after < 200 {
                sender.send(named(yes(), at)).await.unwrap();
                let answer = answers.message().await.unwrap().unwrap();
                assert_eq!(answer.correlation_id, at.to_string());
                at += 1;
                after += usize::from(told.load(Ordering::Relaxed));
            }
            drop(sender);
            assert_eq!(answers.message().await.unwrap(), None);
        });
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    let before = answered.load(Ordering::Relaxed);
    assert!(before > 50, "{before} calls before the signal");
    process.signal("TERM");
    told.store(true, Ordering::Relaxed);
    let began = Instant::now();
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
    let status = process.wait();
    assert!(status.success(), "{status:?}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    process.line("ending: no new connections");
    process.line("all accepted calls are answered");
    assert!(!directory.path().join("stagedoor.sock").exists(), "the socket file is removed");
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
