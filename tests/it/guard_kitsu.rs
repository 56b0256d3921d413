//! The guard against a real zou: what becomes of a restricted status there, by whichever way it was set.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use stagedoor::config::{Guard, Tracker};
use stagedoor::ledger::Place;
use stagedoor::tracker::kitsu::Config;
use stagedoor::tracker::secret::TokenSource;
use tempfile::TempDir;

use crate::app::App;
use crate::kitsu_events::{TURN, ready};

/// A project with a task, people and statuses; `approved` is for the leads.
struct Studio {
    api: String,
    events: String,
    http: reqwest::Client,
    admin: String,
    tag: String,
    project: String,
    asset: String,
    task_type: String,
    /// Ids and tokens.
    ada: (String, String),
    lead: (String, String),
    manager: (String, String),
    guard: (String, String),
    todo: String,
    wip: String,
    approved: String,
    directory: TempDir,
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}

impl Studio {
    async fn seed() -> Self {
        let zou = ready();
        let TokenSource::Value(admin) = zou.token() else { panic!("a token") };
        let tag = uuid::Uuid::new_v4().simple().to_string()[..8].to_owned();
        let person = async |name: &str, role: &str| {
            let body = json!({
                "first_name": name, "last_name": tag, "is_bot": true, "role": role, "expiration_date": null,
                "email": format!("{name}-{tag}@example.com"),
            });
            let bot = zou.ask(Method::POST, "/data/persons", Some(&body)).await;
            (text(&bot, "id"), text(&bot, "access_token"))
        };
        let made = async |path: &str, body: Value| text(&zou.ask(Method::POST, path, Some(&body)).await, "id");
        let status = async |name: &str| {
            let body = json!({
                "name": format!("{name} {tag}"), "short_name": format!("{}{}", &name[..1], &tag[..6]),
                "color": "#000000", "is_artist_allowed": true, "is_client_allowed": true,
            });
            made("/data/task-status", body).await
        };
        let project = made("/data/projects", json!({"name": format!("Guarded {tag}")})).await;
        let leads = made("/data/departments", json!({"name": format!("Leads {tag}"), "color": "#000000"})).await;
        let task_type = json!({"name": format!("Type {tag}"), "color": "#000000", "for_entity": "Asset"});
        let task_type = made("/data/task-types", task_type).await;
        let (ada, lead) = (person("Ada", "user").await, person("Lead", "manager").await);
        let (manager, guard) = (person("Manager", "manager").await, person("Guard", "admin").await);
        let leading = format!("/actions/persons/{}/departments/add", lead.0);
        zou.ask(Method::POST, &leading, Some(&json!({"department_id": leads}))).await;
        for (id, _) in [&ada, &lead, &manager] {
            zou.ask(Method::POST, &format!("/data/projects/{project}/team"), Some(&json!({"person_id": id}))).await;
        }
        let types = zou.ask(Method::GET, "/data/entity-types", None).await;
        let prop = types.as_array().unwrap().iter().find(|row| row["name"] == "Prop").map(|row| text(row, "id"));
        let assets = format!("/data/projects/{project}/asset-types/{}/assets/new", prop.expect("Prop"));
        let asset = made(&assets, json!({"name": "Lamp"})).await;
        let (todo, wip, approved) = (status("todo").await, status("wip").await, status("approved").await);
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).build().expect("a client");
        let directory = tempfile::tempdir().unwrap();
        let overlay = format!(
            "extends: kitsu\nrestrictions:\n  - name: approval\n    kind: task\n    statuses: [approved {tag}]\n    \
             allow: [\"group:Leads {tag}\"]\n    message: Only leads approve\n"
        );
        std::fs::write(directory.path().join("policy.yaml"), overlay).unwrap();
        let (api, events) = (zou.api.clone(), zou.events.clone());
        Self {
            api,
            events,
            http,
            admin,
            tag,
            project,
            asset,
            task_type,
            ada,
            lead,
            manager,
            guard,
            todo,
            wip,
            approved,
            directory,
        }
    }

    async fn ask(&self, token: &str, method: Method, path: &str, body: Option<&Value>) -> Value {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.api)).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        assert!(status.is_success(), "{method} {path} {body:?}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// A task that has `todo` and is Ada's.
    async fn task(&self, name: &str) -> String {
        let body = json!({
            "name": name, "project_id": self.project, "entity_id": self.asset, "task_type_id": self.task_type,
            "task_status_id": self.todo, "assignees": [self.ada.0],
        });
        text(&self.ask(&self.admin, Method::POST, "/data/tasks", Some(&body)).await, "id")
    }

    async fn comment(&self, by: &(String, String), task: &str, status: &str) -> String {
        let body = json!({"task_status_id": status, "comment": "here"});
        text(&self.ask(&by.1, Method::POST, &format!("/actions/tasks/{task}/comment"), Some(&body)).await, "id")
    }

    async fn status(&self, task: &str) -> String {
        text(&self.ask(&self.admin, Method::GET, &format!("/data/tasks/{task}"), None).await, "task_status_id")
    }

    /// The guard's own comments on the task.
    async fn answers(&self, task: &str) -> Vec<Value> {
        let comments = self.ask(&self.admin, Method::GET, &format!("/data/tasks/{task}/comments"), None).await;
        let ours = |comment: &&Value| comment["person_id"] == json!(self.guard.0);
        comments.as_array().expect("a list").iter().filter(ours).cloned().collect()
    }

    async fn becomes(&self, task: &str, status: &str, what: &str) {
        let started = Instant::now();
        // The entry comes after the answer to the write.
        while self.status(task).await != status || self.logged(task, "reverted").is_empty() {
            assert!(started.elapsed() < Duration::from_secs(10), "{what}: not put back; {:#?}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn until(&self, what: &str, so: impl AsyncFn() -> bool) {
        let started = Instant::now();
        while !so().await {
            assert!(started.elapsed() < Duration::from_secs(10), "not {what}; {:#?}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn log_file(&self) -> PathBuf {
        self.directory.path().join("decisions.jsonl")
    }

    fn log(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.log_file()).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    fn logged(&self, task: &str, result: &str) -> Vec<Value> {
        self.log().into_iter().filter(|entry| entry["id"] == task && entry["result"] == result).collect()
    }

    async fn guarded(&self, dry_run: bool) -> App {
        App::boot(|config| {
            let token = TokenSource::Value(self.guard.1.clone());
            config.tracker = Tracker::Kitsu(Config { url: self.api.clone(), events_url: self.events.clone(), token });
            config.policy = Some(self.directory.path().join("policy.yaml"));
            config.guard = Some(Guard { dry_run });
            config.decision_log = Some(Place::File(self.log_file()));
        })
        .await
    }
}

/// The program, asking the app.
fn guard_log(addr: &str, arguments: &[&str]) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_stagedoor"));
    let output = Command::new(program).args(["guard", "log", "--addr", addr]).args(arguments).output().expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs zou: run tests/run"]
async fn a_forbidden_status_is_put_back_whichever_way_it_was_set() {
    let _turn = TURN.lock().await;
    let studio = Studio::seed().await;
    let app = studio.guarded(false).await;
    let Studio { ada, lead, manager, todo, wip, approved, .. } = &studio;

    let task = &studio.task("first").await;
    studio.comment(ada, task, approved).await;
    studio.becomes(task, todo, "a comment").await;
    studio.until("told", async || studio.logged(task, "told").len() == 1).await;
    let answers = studio.answers(task).await;
    assert_eq!(answers.len(), 1, "exactly once: {answers:#?}");
    let reply = &answers[0]["replies"][0];
    assert!(text(reply, "text").starts_with(&format!("@Ada {} Only leads approve", studio.tag)), "{reply}");
    assert_eq!(reply["mentions"], json!([ada.0]));
    let entry = &studio.logged(task, "reverted")[0];
    assert_eq!((&entry["person"], &entry["from"], &entry["to"]), (&json!(ada.0), &json!(approved), &json!(todo)));
    assert_eq!((&entry["restriction"], &entry["kind"]), (&json!("approval"), &json!("task")));

    let theirs = &studio.task("theirs").await;
    studio.comment(ada, theirs, wip).await;
    studio.comment(lead, theirs, approved).await;
    let out = &studio.task("out").await;
    studio.comment(lead, out, approved).await;
    studio.comment(ada, out, wip).await;

    let put = &studio.task("put").await;
    studio.comment(ada, put, wip).await;
    let body = json!({"task_status_id": approved});
    studio.ask(&manager.1, Method::PUT, &format!("/data/tasks/{put}"), Some(&body)).await;
    studio.becomes(put, wip, "a PUT without a comment").await;
    assert_eq!(studio.logged(put, "reverted")[0]["person"], json!(manager.0));

    let edited = &studio.task("edited").await;
    let comment = studio.comment(ada, edited, wip).await;
    studio.ask(&ada.1, Method::PUT, &format!("/data/comments/{comment}"), Some(&body)).await;
    studio.becomes(edited, wip, "an edited comment").await;

    let signed = &studio.task("signed").await;
    let body = json!({"task_status_id": approved, "comment": "by the lead, honestly", "person_id": lead.0});
    studio.ask(&manager.1, Method::POST, &format!("/actions/tasks/{signed}/comment"), Some(&body)).await;
    studio.becomes(signed, todo, "a comment that is signed by somebody else").await;
    assert_eq!(studio.logged(signed, "reverted")[0]["person"], json!(manager.0));

    // Deleting the comment that took it out of the status puts it there again.
    let deleted = &studio.task("deleted").await;
    studio.comment(lead, deleted, approved).await;
    let comment = studio.comment(ada, deleted, wip).await;
    studio.ask(&ada.1, Method::DELETE, &format!("/data/comments/{comment}"), None).await;
    studio.becomes(deleted, wip, "a deleted comment").await;

    // Created there: it was in no other status.
    let body = json!({
        "name": "created", "project_id": studio.project, "entity_id": studio.asset, "task_type_id": studio.task_type,
        "task_status_id": approved,
    });
    let created = text(&studio.ask(&studio.admin, Method::POST, "/data/tasks", Some(&body)).await, "id");
    studio.until("noted", async || studio.logged(&created, "unclear").len() == 1).await;

    let early = &studio.task("early").await;
    studio.comment(lead, early, approved).await;
    studio.comment(ada, early, wip).await;
    studio.comment(ada, early, approved).await;
    studio.becomes(early, wip, "a second time").await;

    // Two at once, apart from what was before: one message.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let both = [studio.task("one").await, studio.task("two").await];
    tokio::join!(studio.comment(ada, &both[0], approved), studio.comment(ada, &both[1], approved));
    for task in &both {
        studio.becomes(task, todo, "two at once").await;
    }
    let replies = async || {
        let mut replies = 0;
        for task in &both {
            replies += studio
                .answers(task)
                .await
                .iter()
                .map(|comment| comment["replies"].as_array().map_or(0, Vec::len))
                .sum::<usize>();
        }
        replies
    };
    studio.until("told", async || replies().await > 0).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(replies().await, 1);
    assert_eq!((&studio.status(theirs).await, &studio.status(out).await), (approved, wip), "nobody's business");
    for (task, count) in [(task, 1), (theirs, 0), (out, 0), (put, 1), (edited, 1), (signed, 1), (early, 1)] {
        assert_eq!(studio.answers(task).await.len(), count);
        assert_eq!(studio.logged(task, "reverted").len(), count);
    }

    let table = guard_log(&app.tcp, &[]);
    assert!(table.starts_with("WHEN") && table.contains("reverted") && table.contains("Lamp / Type"), "{table}");
    let lines = guard_log(&app.tcp, &["--json", "--last", "3"]);
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert_eq!(lines.len(), 3);
    app.end().await;
    assert_eq!(studio.log().last().map(|entry| text(entry, "result")).as_deref(), Some("watched"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs zou: run tests/run"]
async fn what_happens_while_it_is_away_is_found_at_the_next_start() {
    let _turn = TURN.lock().await;
    let studio = Studio::seed().await;
    let (task, theirs) = (studio.task("missed").await, studio.task("theirs").await);
    studio.guarded(false).await.end().await;
    let stood = studio.log();
    assert_eq!(stood.last().map(|entry| text(entry, "result")).as_deref(), Some("watched"), "{stood:?}");
    studio.comment(&studio.ada, &task, &studio.approved).await;
    studio.comment(&studio.lead, &theirs, &studio.approved).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(studio.status(&task).await, studio.approved);
    let app = studio.guarded(false).await;
    studio.becomes(&task, &studio.todo, "missed").await;
    studio.until("told", async || studio.logged(&task, "told").len() == 1).await;
    assert_eq!(studio.status(&theirs).await, studio.approved);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs zou: run tests/run"]
async fn what_happens_while_no_events_come_is_found_when_they_do() {
    let _turn = TURN.lock().await;
    let (studio, zou) = (Studio::seed().await, ready());
    let app = studio.guarded(false).await;
    let (task, theirs) = (studio.task("missed").await, studio.task("theirs").await);
    zou.ctl(&["events-stop"]).await;
    studio.comment(&studio.ada, &task, &studio.approved).await;
    studio.comment(&studio.lead, &theirs, &studio.approved).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(studio.status(&task).await, studio.approved, "nobody has told");
    zou.ctl(&["events-start"]).await;
    studio.becomes(&task, &studio.todo, "missed").await;
    studio.until("told", async || studio.logged(&task, "told").len() == 1).await;
    assert_eq!(studio.answers(&task).await.len(), 1);
    assert_eq!(studio.status(&theirs).await, studio.approved);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs zou: run tests/run"]
async fn a_dry_run_leaves_zou_as_it_is() {
    let _turn = TURN.lock().await;
    let studio = Studio::seed().await;
    let app = studio.guarded(true).await;
    let task = studio.task("dry").await;
    studio.comment(&studio.ada, &task, &studio.approved).await;
    studio.until("noted", async || studio.logged(&task, "dry_run").len() == 1).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(studio.status(&task).await, studio.approved);
    assert!(studio.answers(&task).await.is_empty());
    assert!(guard_log(&app.tcp, &[]).contains("A dry run: nothing is written to the tracker."));
    app.end().await;
}
