//! Answers of a Kitsu, and tokens that it does not take: what the log says of them, never with the token.

use std::fs;
use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};
use stagedoor::proto::v1;
use stagedoor::proto::v1::authorization_client::AuthorizationClient;
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};

use super::Table;
use super::kitsu::{
    Answers, BO, Kitsu, LIN, OTHER, PROJECT, SHOT, TASK, ok, page, person, project, shot, status, task, with,
};
use super::program::Serving;
use crate::app::question;
use crate::kitsu_events::{TURN, ready};

/// The token that nobody may ever read.
const TOKEN: &str = "eyJ-a-token-that-stays-secret";

/// What zou's web framework says where zou says nothing, cut off.
const WERKZEUG: &str = "The server could not verify that you are authorized to access the URL requested. You either supplied \
                        the wrong credentials (e.g. a bad password), or your browser doesn't understand how to supply the c";

type Answer = fn() -> Vec<u8>;
type Record = (&'static str, &'static str, Answer, &'static str, (&'static str, &'static str), &'static str);

const MANAGER: &str = "connecting ERROR the Kitsu token belongs to a manager, who does not see every project and person: make \
                       the bot an admin in Kitsu, or give the token of one that is (`zou create-bot --role admin`)";

const NO_EVENTS: &str = "connecting WARN the event stream answered 404 to the request to connect; is \
                         tracker.kitsu.events_url the site's root, without /api?";

/// What is answered at a path, and what is said of it: when, how loud, and the sentence.
const ANSWERS: [(&str, &str, Answer, &str); 26] = [
    // Tokens.
    (
        "a token that is refused",
        "/auth/authenticated",
        || status("401 Unauthorized", r#"{"msg": "Token has been revoked"}"#),
        "connecting ERROR zou does not accept the token (401, Token has been revoked): it is wrong, has expired, was revoked, or its bot is not active; \
         give the token of an admin bot (`zou create-bot --role admin`) in tracker.kitsu.token_file",
    ),
    (
        "a token that is over",
        "/data/persons",
        || status("401 Unauthorized", r#"{"msg": "Token has expired"}"#),
        "loading ERROR zou does not accept the token (401, Token has expired): it is wrong, has expired, was revoked, or its bot is not active; give \
         the token of an admin bot (`zou create-bot --role admin`) in tracker.kitsu.token_file",
    ),
    (
        "a token that is none",
        "/auth/authenticated",
        || status("422 Unprocessable Entity", r#"{"msg": "Not enough segments"}"#),
        "connecting ERROR zou does not accept the token (422, Not enough segments): it is wrong, has expired, was revoked, or its bot is not active; \
         give the token of an admin bot (`zou create-bot --role admin`) in tracker.kitsu.token_file",
    ),
    ("a token of a manager", "/auth/authenticated", || ok(&json!({"user": {"role": "manager"}})), MANAGER),
    (
        "a token of nobody",
        "/auth/authenticated",
        || ok(&json!({"authenticated": true})),
        "connecting WARN /auth/authenticated: the answer has no user with a role",
    ),
    (
        "a token that does not see all",
        "/data/tasks",
        || status("403 Forbidden", r#"{"message": "You have not the permission"}"#),
        "loading ERROR /data/tasks: zou refuses this to the token's owner (403, You have not the permission); stagedoor must see \
         every project and person: make the bot an admin in Kitsu, or give the token of one that is",
    ),
    // Not a Kitsu.
    (
        "a web page",
        "/",
        || status("200 OK", "<!DOCTYPE html><title>Kitsu</title>"),
        "connecting WARN /: a web page came, not JSON; is tracker.kitsu.url the address of its API, which usually ends in /api?",
    ),
    (
        "the way to a login page",
        "/",
        || {
            b"HTTP/1.1 302 Found\r\nLocation: https://login.studio/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                .to_vec()
        },
        "connecting WARN /: zou answered 302; is tracker.kitsu.url the address of its API, which usually ends in /api?",
    ),
    (
        "a page that there is not",
        "/",
        || status("404 Not Found", "<html>nginx</html>"),
        "connecting WARN /: zou answered 404; is tracker.kitsu.url the address of its API, which usually ends in /api?",
    ),
    (
        "no version",
        "/",
        || ok(&json!({"version": 1})),
        "connecting WARN the root of tracker.kitsu.url does not answer as zou does: is it the address of the API?",
    ),
    ("no event stream", "/socket.io/", || status("404 Not Found", ""), NO_EVENTS),
    (
        "an event stream that refuses",
        "/socket.io/",
        || status("502 Bad Gateway", ""),
        "connecting WARN the event stream answered 502 to the request to connect; is tracker.kitsu.events_url the site's root, \
         without /api?",
    ),
    // A Kitsu that is not well.
    ("an error", "/data/persons", || status("500 Oops", "<html>"), "loading WARN /data/persons: zou answered 500"),
    (
        "an error with its reason",
        "/data/persons",
        || status("503 Unavailable", r#"{"message": "database is locked"}"#),
        "loading WARN /data/persons: zou answered 503, database is locked",
    ),
    ("too many questions", "/data/tasks", || status("429 Slow down", ""), "loading WARN /data/tasks: zou answered 429"),
    (
        "an answer that breaks off",
        "/data/tasks",
        || b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{\"data\": [".to_vec(),
        "loading WARN /data/tasks: the answer broke off: end of file before message length reached",
    ),
    (
        "no answer",
        "/data/tasks",
        Vec::new,
        "loading WARN /data/tasks: zou cannot be reached: connection closed before message completed",
    ),
    (
        "something else than HTTP",
        "/data/tasks",
        || b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec(),
        "loading WARN /data/tasks: zou cannot be reached: invalid HTTP version parsed",
    ),
    (
        "JSON that is cut off",
        "/data/entities",
        || status("200 OK", r#"{"data": [{"id": "#),
        "loading WARN /data/entities: the answer is not JSON: EOF while parsing a value at line 1 column 17",
    ),
    (
        "lists without end",
        "/data/entities",
        || status("200 OK", &"[".repeat(10_000)),
        "loading WARN /data/entities: the answer is not JSON: recursion limit exceeded at line 1 column 128",
    ),
    (
        "an answer without end",
        "/data/entities",
        || [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b' '; 70 << 20]].concat(),
        "loading WARN /data/entities: the answer is larger than 67108864 bytes",
    ),
    ("a list for a page", "/data/tasks", || ok(&json!([])), "loading WARN /data/tasks: page 1 has no list `data`"),
    (
        "a page without total",
        "/data/tasks",
        || ok(&json!({"data": []})),
        "loading WARN /data/tasks: page 1 has no number `total`",
    ),
    (
        "an empty page",
        "/data/tasks",
        || ok(&json!({"data": [], "total": 2})),
        "loading WARN /data/tasks: page 1 has 0 rows where the total of 2 means 2; what is missing is not taken for deleted",
    ),
    (
        "types that are no list",
        "/data/entity-types",
        || ok(&json!({"data": []})),
        "loading WARN /data/entity-types: the answer is not a list",
    ),
    (
        "projects that are no page",
        "/data/projects",
        || ok(&json!({"data": {}, "total": 1})),
        "loading WARN /data/projects: page 1 has no list `data`",
    ),
];

/// A record that cannot be understood: where it comes from, what is said of it, a question that touches it with its
/// answer, and one that does not and is allowed.
const RECORDS: [Record; 12] = [
    (
        "a project that is a number",
        "/data/tasks",
        || page(&[with(task(TASK), "project_id", json!(7)), task(OTHER)]),
        "its project_id is empty or no text",
        ("bo comment task:TASK", "QUARANTINED"),
        "bo comment task:OTHER",
    ),
    (
        "assignees that are one",
        "/data/tasks",
        || page(&[with(task(TASK), "assignees", json!(BO)), task(OTHER)]),
        "its assignees are not a list",
        ("bo comment task:TASK", "QUARANTINED"),
        "bo comment task:OTHER",
    ),
    (
        "assignees that are people",
        "/data/tasks",
        || page(&[with(task(TASK), "assignees", json!([{"id": BO}])), task(OTHER)]),
        "its assignees are not all ids",
        ("bo comment task:TASK", "QUARANTINED"),
        "bo comment task:OTHER",
    ),
    (
        "a task that says nothing",
        "/data/tasks",
        || page(&[json!({"id": TASK}), task(OTHER)]),
        "it has no project_id",
        ("bo comment task:TASK", "QUARANTINED"),
        "bo comment task:OTHER",
    ),
    (
        "null for a task",
        "/data/tasks",
        || page(&[Value::Null, task(OTHER)]),
        "it is not an object",
        ("bo comment task:TASK", "RESOURCE_UNKNOWN"),
        "bo comment task:OTHER",
    ),
    (
        "a role of a later Kitsu",
        "/data/persons",
        || page(&[person(BO, "Bo"), with(person(LIN, "Lin"), "role", json!("reviewer"))]),
        "the role `reviewer` is not one that this version of stagedoor knows",
        ("lin read task:TASK", "QUARANTINED"),
        "bo comment task:TASK",
    ),
    (
        "a word for active",
        "/data/persons",
        || page(&[person(BO, "Bo"), with(person(LIN, "Lin"), "active", json!("yes"))]),
        "its active is neither true nor false",
        ("lin read task:TASK", "QUARANTINED"),
        "bo comment task:TASK",
    ),
    (
        "a name that is a map",
        "/data/persons",
        || page(&[person(BO, "Bo"), with(person(LIN, "Lin"), "first_name", json!({}))]),
        "its first_name is neither a text nor null",
        ("lin read task:TASK", "QUARANTINED"),
        "bo comment task:TASK",
    ),
    (
        "a type of entity that there is not",
        "/data/entities",
        || page(&[shot(), with(with(shot(), "id", json!(OTHER)), "entity_type_id", json!(OTHER))]),
        "its entity_type_id names a type that zou does not list",
        ("bo read shot:OTHER", "QUARANTINED"),
        "bo read shot:SHOT",
    ),
    (
        "statuses that are a list",
        "/data/projects/PROJECT",
        || ok(&with(project(), "task_statuses_link", json!([]))),
        "its task_statuses_link is not an object",
        ("bo comment task:TASK", "QUARANTINED"),
        "bo read person:LIN",
    ),
    (
        "a team that is a map",
        "/data/projects/PROJECT/team",
        || ok(&json!({})),
        "its team is not a list",
        ("bo comment task:TASK", "QUARANTINED"),
        "bo read person:LIN",
    ),
    (
        "comments that are a map",
        "/data/tasks/TASK/comments",
        || ok(&json!({})),
        "its comments are not a list",
        ("lin comment task:TASK", "QUARANTINED"),
        "bo comment task:TASK",
    ),
];

#[test]
fn answers() {
    let rows = ANSWERS.map(|(what, path, answer, told)| {
        std::thread::spawn(move || {
            let kitsu = Kitsu::start(vec![(path.to_owned(), answer())]);
            let directory = configured(&kitsu, TOKEN);
            let mut serving = Serving::start(directory.path());
            let doing = told.split(' ').next();
            let said = serving.hear(|line| (line["doing"].as_str() == doing).then(|| complaint(line)).flatten());
            assert!(!serving.heard().contains(TOKEN), "{what}: the token is told: {}", serving.heard());
            (what, told, said.unwrap_or_else(|heard| heard))
        })
    });
    let mut table = Table::default();
    for row in rows {
        let (what, told, said) = row.join().unwrap();
        table.row(what, told, &said);
    }
    table.end(ANSWERS.len());
}

#[tokio::test]
async fn records() {
    let mut table = Table::default();
    for (what, path, answer, told, (touching, code), other) in RECORDS {
        let kitsu = Kitsu::start(vec![(with_ids(path), answer())]);
        let directory = configured(&kitsu, TOKEN);
        let mut serving = Serving::start(directory.path());
        if let Err(heard) = serving.hear(|line| (line["message"] == "loaded").then_some(())) {
            panic!("{what}: is not loaded: {heard}");
        }
        let mut client = AuthorizationClient::new(connect(directory.path()).await);
        table.row(what, code, &ask(&mut client, touching).await);
        table.row(&format!("{what}, and another"), "GRANTED", &ask(&mut client, other).await);
        let info = client.get_server_info(v1::GetServerInfoRequest {}).await.unwrap().into_inner();
        table.row(&format!("{what}, counted"), "Some(1)", &format!("{:?}", info.counts.get("quarantined")));
        let message = "a record cannot be understood: questions that touch it are denied";
        let problem = |line: &Value| (line["message"] == message).then(|| line["problem"].to_string());
        table.row(
            &format!("{what}, logged"),
            &format!("{told:?}"),
            &serving.hear(problem).unwrap_or_else(|heard| heard),
        );
    }
    table.end(4 * RECORDS.len());
}

#[test]
fn token_files() {
    let kitsu = Kitsu::start(Answers::new());
    let mut table = Table::default();
    for (what, token, told) in [
        (
            "two tokens",
            "one\ntwo\n",
            "connecting ERROR the Kitsu token has characters that no token has: give the token of an admin bot (`zou create-bot \
             --role admin`) in tracker.kitsu.token_file",
        ),
        ("a good one", TOKEN, NO_EVENTS),
    ] {
        let directory = configured(&kitsu, token);
        let mut serving = Serving::start(directory.path());
        let said = serving.hear(|line| (line["doing"] == "connecting").then(|| complaint(line)).flatten());
        table.row(what, told, &said.unwrap_or_else(|heard| heard));
    }
    table.end(2);
}

/// What a real zou says of tokens that it does not take.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs zou: run tests/run"]
async fn tokens() {
    let _turn = TURN.lock().await;
    let zou = ready();
    let (bot, revoked) = zou.bot("admin").await;
    let good = zou.rotate(&bot).await;
    let (_, manager) = zou.bot("manager").await;
    let (retired, inactive) = zou.bot("admin").await;
    zou.ask(Method::PUT, &format!("/data/persons/{retired}"), Some(&json!({"active": false}))).await;
    let (another, _) = zou.bot("admin").await;
    let foreign = format!("{}x", zou.rotate(&another).await);
    let rows = [
        ("revoked", revoked.as_str(), refused("401, Token has been revoked")),
        ("expired", &expired(&good), refused("401, Signature has expired")),
        ("of an inactive bot", &inactive, refused(&format!("401, {WERKZEUG}"))),
        ("signed by somebody else", &foreign, refused("422, Signature verification failed")),
        ("no token at all", "mysecretpassword", refused("422, Not enough segments")),
        ("of a manager", &manager, MANAGER.to_owned()),
    ];
    let mut table = Table::default();
    for (what, token, told) in rows {
        let directory = configured_at(&zou.api, &zou.events, token);
        let mut serving = Serving::start(directory.path());
        let said = serving.hear(|line| (line["doing"] == "connecting").then(|| complaint(line)).flatten());
        assert!(!serving.heard().contains(token), "{what}: the token is told: {}", serving.heard());
        table.row(what, &told, &said.unwrap_or_else(|heard| heard));
    }
    let directory = configured_at(&zou.api, &zou.events, &good);
    let live = Serving::start(directory.path()).hear(|line| (line["message"] == "the mirror is live").then_some(()));
    table.row("a good one", "Ok(())", &format!("{live:?}"));
    table.end(7);
}

/// What is said where zou says this.
fn refused(said: &str) -> String {
    format!(
        "connecting ERROR zou does not accept the token ({said}): it is wrong, has expired, was revoked, or its bot is not \
         active; give the token of an admin bot (`zou create-bot --role admin`) in tracker.kitsu.token_file"
    )
}

/// The same token, as it would be if it had ended an hour ago.
fn expired(token: &str) -> String {
    let directory = std::path::PathBuf::from(std::env::var_os("STAGEDOOR_TEST_DIR").unwrap());
    let script = "import jwt, sys, time
token, secret = sys.argv[1], open(sys.argv[2]).read()
claims = jwt.decode(token, options={'verify_signature': False})
print(jwt.encode({**claims, 'exp': int(time.time()) - 3600}, secret, algorithm='HS256'))";
    let mut python = std::process::Command::new(directory.join("venv/bin/python"));
    let output = python.args(["-c", script, token]).arg(directory.join("secret")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A directory with a configuration for this Kitsu, and a token.
fn configured(kitsu: &Kitsu, token: &str) -> TempDir {
    configured_at(&format!("http://{}/api", kitsu.address), &format!("http://{}", kitsu.address), token)
}

fn configured_at(url: &str, events_url: &str, token: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("stagedoor.sock");
    let config = format!(
        "listen: \"unix:{}\"\ntracker: {{kitsu: {{url: \"{url}\", events_url: \"{events_url}\", token_file: token}}}}\n",
        socket.display()
    );
    fs::write(directory.path().join("stagedoor.yaml"), config).unwrap();
    fs::write(directory.path().join("token"), token).unwrap();
    directory
}

/// What went wrong, when, and how loud: of a line of the log.
fn complaint(line: &Value) -> Option<String> {
    let level = line["level"].as_str().filter(|level| matches!(*level, "WARN" | "ERROR"))?;
    Some(format!("{} {level} {}", line["doing"].as_str()?, line["message"].as_str()?))
}

async fn connect(directory: &Path) -> Channel {
    let socket = directory.join("stagedoor.sock");
    Endpoint::from_shared(format!("unix:{}", socket.display())).unwrap().connect().await.unwrap()
}

/// The reason of the answer to "who does what to KIND:ID".
async fn ask(client: &mut AuthorizationClient<Channel>, asked: &str) -> String {
    let words: Vec<_> = asked.split(' ').collect();
    let person = if words[0] == "bo" { BO } else { LIN };
    let answer = client.check(question(person, words[1], &with_ids(words[2]))).await.unwrap().into_inner();
    answer.reason.unwrap().code().as_str_name().trim_start_matches("REASON_CODE_").to_owned()
}

/// A path or resource with the ids for their names.
fn with_ids(text: &str) -> String {
    let names = [("TASK", TASK), ("OTHER", OTHER), ("PROJECT", PROJECT), ("SHOT", SHOT), ("LIN", LIN)];
    names.iter().fold(text.to_owned(), |text, (name, id)| text.replace(name, id))
}
