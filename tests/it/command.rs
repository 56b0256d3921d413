//! The program itself: its commands, what they print, their exit codes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::app::App;

fn stagedoor(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stagedoor")).args(arguments).env_remove("STAGEDOOR_LOG").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn ask(app: &App, arguments: &[&str]) -> (i32, String, String) {
    let mut all: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    all.extend(["--addr".to_owned(), format!("unix:{}", app.unix.display())]);
    let output = tokio::task::spawn_blocking(move || stagedoor(&all.iter().map(String::as_str).collect::<Vec<_>>()))
        .await
        .unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn check_exits_by_its_answer() {
    let app = App::demo().await;
    let (code, out, _) = ask(&app, &["check", "bo", "comment", "task:sh010-animation"]).await;
    assert!(code == 0 && out.starts_with("ALLOW GRANTED: "), "{code} {out}");
    let (code, out, _) = ask(&app, &["check", "login:bnilsen", "comment", "task:sh010-animation"]).await;
    assert!(code == 0 && out.starts_with("ALLOW GRANTED: "), "{code} {out}");
    let (code, out, _) = ask(&app, &["check", "bo", "comment", "task:sh010-animation", "--value", "approved"]).await;
    assert!(code == 1 && out.starts_with("DENY RESTRICTED: "), "{code} {out}");
    let (code, out, _) = ask(&app, &["check", "email:bo@example.com", "comment", "task:nowhere", "--json"]).await;
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &json["decision"], &json["reason"]["code"]), (1, &"DENY".into(), &"RESOURCE_UNKNOWN".into()));
    let (code, out, err) = ask(&app, &["check", "bo", "comment", "task"]).await;
    assert!(code == 2 && out.is_empty() && err.starts_with("`task` names no resource; write KIND:ID"), "{code} {err}");
    let (code, _, err) = ask(&app, &["check", "bo", "", "task:x"]).await;
    assert!(code == 2 && err.contains("action.name: is missing or empty"), "{code} {err}");
    let (code, _, err) = ask(&app, &["check", "bo", "read", "task:x", "--properties", "[1]"]).await;
    assert!(code == 2 && err.contains("--properties: `[1]` is no JSON object"), "{code} {err}");
    app.end().await;
}

#[tokio::test]
async fn explain_prints_the_tree_and_the_grants() {
    let app = App::demo().await;
    let (code, out, _) = ask(&app, &["explain", "lin", "comment", "task:sh010-animation"]).await;
    assert_eq!(code, 1);
    for part in ["DENY NO_GRANT: ", "What was tried:", "kitsu/task.comment#1", "What would allow it:\n  - "] {
        assert!(out.contains(part), "{part} in {out}");
    }
    let (code, out, _) = ask(&app, &["explain", "bo", "comment", "task:sh010-animation", "--json"]).await;
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &json["decision"]), (0, &"ALLOW".into()));
    assert!(json["steps"].as_array().is_some_and(|steps| !steps.is_empty()), "{json}");
    app.end().await;
}

#[tokio::test]
async fn healthcheck_for_probes() {
    let app = App::demo().await;
    for service in
        [&["healthcheck"][..], &["healthcheck", "--service", "loaded"], &["healthcheck", "--service", "fresh"]]
    {
        let (code, out, _) = ask(&app, service).await;
        assert_eq!((code, out.as_str()), (0, "SERVING\n"), "{service:?}");
    }
    let config = app.unix.with_file_name("stagedoor.yaml");
    let listen = format!("unix:{}", app.unix.display());
    fs::write(
        &config,
        format!("listen: [\"127.0.0.1:1\", \"{listen}\"]\ntracker: {{file: {{path: stagedoor.yaml}}}}\n"),
    )
    .unwrap();
    let output = stagedoor(&["healthcheck", "--config", config.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    app.end().await;
    let output = stagedoor(&["healthcheck", "--addr", "127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("cannot reach a stagedoor at 127.0.0.1:1"), "{}", text(&output.stderr));
}

fn write(directory: &Path, name: &str, content: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, content).unwrap();
    path
}

#[test]
fn validate_tells_all_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let bad = write(directory.path(), "bad.yaml", "listen: [\"nowhere\"]\nmax_stalenes: 5m\ntracker: {kitsu: {}}\n");
    let policy = write(directory.path(), "policy.yaml", "extends: kitsu\nrulez: {}\n");
    let studio = write(directory.path(), "studio.yaml", "person: [{id: ada, role: admin}]\n");
    let good = write(directory.path(), "good.yaml", &format!("tracker: {{file: {{path: {}}}}}\n", studio.display()));
    let other = write(directory.path(), "other.yaml", "- 1\n");
    let files: Vec<_> = [&bad, &policy, &good, &other].iter().map(|path| path.to_str().unwrap()).collect();
    let output = stagedoor(&[&["validate"], &files[..]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stdout).contains("good.yaml: a good configuration"), "{}", text(&output.stdout));
    let told = text(&output.stderr);
    for part in [
        "bad.yaml:1:10: `nowhere` is no address",
        "bad.yaml:2:1: unknown key `max_stalenes`; did you mean `max_staleness`?",
        "`url:` is missing",
        "`token_file:` is missing",
        "policy.yaml:2:1: unknown key `rulez`; did you mean `rules`?",
        "other.yaml: neither a configuration nor a policy",
    ] {
        assert!(told.contains(part), "{part} in\n{told}");
    }
}

#[test]
fn serve_does_not_start_half_configured() {
    let directory = tempfile::tempdir().unwrap();
    let studio = write(directory.path(), "studio.yaml", "person: [{id: ada, role: admin}]\n");
    let tracker = format!("tracker: {{file: {{path: {}}}}}\n", studio.display());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let cases = [
        ("tracker: {}\n".to_owned(), "exactly one tracker is needed here, not 0"),
        (format!("listen: [\"0.0.0.0:7300\"]\n{tracker}"), "without `tls:`"),
        (format!("listen: [\"{}\"]\n{tracker}", taken.local_addr().unwrap()), "cannot listen on 127.0.0.1:"),
        (format!("listen: [\"unix:/nowhere/x.sock\"]\n{tracker}"), "create the directory first"),
        (format!("policy: nowhere.yaml\n{tracker}"), "there is no such file"),
        (format!("admin: \"127.0.0.1:7301\"\n{tracker}"), "`admin` is not available in this version of stagedoor"),
    ];
    for (content, told) in cases {
        let config = write(directory.path(), "stagedoor.yaml", &content);
        let output = stagedoor(&["serve", "--config", config.to_str().unwrap()]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{content}: {said}");
        assert!(said.contains(told), "{told} in {said}");
    }
    let output = stagedoor(&["serve", "--demo", "--log-level", "a=b=c"]);
    assert!(text(&output.stderr).contains("is no log filter"), "{}", text(&output.stderr));
}

#[test]
fn cases_are_run_and_help_teaches() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/demo.yaml");
    let output = stagedoor(&["test", file]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    for command in ["serve", "check", "explain", "validate", "test", "role", "audit", "healthcheck"] {
        let output = stagedoor(&[command, "--help"]);
        assert!(text(&output.stdout).contains("Examples:\n  "), "{command}");
    }
}
