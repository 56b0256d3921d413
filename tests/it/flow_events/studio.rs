//! The real app over the double of a Flow site, and what both answer to the same questions.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use serde_json::{Value, json};
use stagedoor::config::{self, Tracker};
use stagedoor::proto::v1;
use stagedoor::proto::v1::authorization_client::AuthorizationClient;
use stagedoor::tracker::flow;
use stagedoor::tracker::ingest::guard::Token;
use stagedoor::tracker::secret::TokenSource;
use tokio::task::JoinHandle;
use tonic::transport::Channel;

use crate::app::{App, question};
use crate::flow_load::double::Double;
use crate::ftrack_events::spawn;

/// How many questions one call asks.
const AT_ONCE: usize = 500;
/// Types of which every row is asked about: the mirror's name, Flow's.
const TYPES: [(&str, &str); 14] = [
    ("project", "Project"),
    ("shot", "Shot"),
    ("asset", "Asset"),
    ("task", "Task"),
    ("version", "Version"),
    ("published_file", "PublishedFile"),
    ("note", "Note"),
    ("reply", "Reply"),
    ("time_log", "TimeLog"),
    ("playlist", "Playlist"),
    ("ticket", "Ticket"),
    ("human_user", "HumanUser"),
    ("custom_entity07", "CustomEntity07"),
    ("custom_non_project_entity03", "CustomNonProjectEntity03"),
];

/// The app, the site, and a client of the app.
pub(crate) struct Studio {
    pub(crate) double: Double,
    pub(crate) app: App,
    client: AuthorizationClient<Channel>,
    moved: Arc<Mutex<Instant>>,
    watcher: AbortOnDrop,
}

struct AbortOnDrop(JoinHandle<()>);

/// One question.
#[derive(Clone, PartialEq)]
pub(crate) struct Question {
    subject_type: &'static str,
    subject: u64,
    action: &'static str,
    kind: &'static str,
    id: String,
    project: String,
    field: &'static str,
    value: Option<String>,
}

impl Studio {
    /// Boots the app over a double with these options and waits until it is fresh.
    pub(crate) async fn boot(arguments: &[&str]) -> Self {
        Self::boot_with(Double::start(arguments), |_| {}).await
    }

    pub(crate) async fn boot_with(double: Double, change: impl FnOnce(&mut config::Config)) -> Self {
        let app = App::boot(|config| {
            let source = flow::Config {
                url: double.address.clone(),
                script_name: "stagedoor".to_owned(),
                script_key: TokenSource::Value("stagedoor-key".to_owned()),
                poll_interval: Duration::from_secs(1),
            };
            let webhook = config::Webhook {
                listen: "127.0.0.1:0".parse().unwrap(),
                token: Token::Value("hook-token".to_owned()),
            };
            config.tracker = Tracker::Flow(config::Flow { source, webhook: Some(webhook) });
            config.policy = Some(PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/flow/roles.yaml")));
            change(config);
        })
        .await;
        let client = app.client().await;
        let moved = Arc::new(Mutex::new(Instant::now()));
        let watcher = AbortOnDrop(spawn(watch(client.clone(), Arc::clone(&moved))));
        Self { double, app, client, moved, watcher }
    }

    /// When the mirror last changed.
    pub(crate) fn moved(&self) -> Instant {
        *self.moved.lock()
    }

    /// Ends the app and proves that it ended as asked.
    pub(crate) async fn end(self) {
        drop(self.watcher);
        drop(self.client);
        self.app.end().await;
    }

    /// Every subject, every row, in the trash or not, every operation that a rule can be about.
    pub(crate) async fn questions(&self) -> Vec<Question> {
        let mut objects = Vec::new();
        for (kind, name) in TYPES {
            for retired in [0, 1] {
                let rows = self.double.get(&format!("query?type={name}&fields=id&retired={retired}")).await;
                let ids = rows.as_array().expect("rows").iter().map(|row| row["id"].to_string());
                objects.extend(ids.map(|id| (kind, id)));
            }
            objects.push((kind, "4711".to_owned()));
        }
        let people = (1..=16).map(|id| ("person", id));
        let mut questions = Vec::new();
        for (subject_type, subject) in people.chain((1..=5).map(|id| ("bot", id))) {
            let question = |kind, id: &str, action, field, value: Option<&str>| Question {
                subject_type,
                subject,
                action,
                kind,
                id: id.to_owned(),
                project: String::new(),
                field,
                value: value.map(str::to_owned),
            };
            for (kind, id) in &objects {
                for action in ["read", "update", "delete", "revive"] {
                    questions.push(question(kind, id, action, "", None));
                }
                if *kind == "task" {
                    questions.push(question(kind, id, "update", "sg_status_list", None));
                    questions.push(question(kind, id, "update", "sg_status_list", Some("fin")));
                    questions.push(question(kind, id, "update", "sg_priority", None));
                    questions.push(question(kind, id, "update", "est_in_mins", None));
                }
                if matches!(*kind, "shot" | "version") {
                    questions.push(question(kind, id, "update", "sg_status_list", Some("apr")));
                    questions.push(question(kind, id, "update", "description", None));
                }
            }
            for permission in ["see_all_projects", "show_overlay_player", "generate_toolkit_logs"] {
                questions.push(question("site", "", permission, "", None));
            }
            for project in ["1", "2", "3", "7"] {
                questions.push(Question { project: project.to_owned(), ..question("note", "", "create", "", None) });
            }
            questions.push(question("site", "", "act_as_another_user", "", Some("4")));
        }
        questions
    }

    /// What the site decides.
    pub(crate) async fn decided(&self, questions: &[Question]) -> Vec<(bool, String)> {
        let wishes: Vec<Value> = questions.iter().map(Question::wish).collect();
        let answers = self.double.post("decide", json!(wishes)).await;
        let answers = answers.as_array().expect("answers").iter();
        answers.map(|one| (one["decision"] == "allow", one["reason"].as_str().unwrap().to_owned())).collect()
    }

    /// What the app answers.
    pub(crate) async fn answered(&self, questions: &[Question]) -> Vec<(bool, String)> {
        let mut answers = Vec::new();
        for part in questions.chunks(AT_ONCE) {
            let items = part.iter().map(Question::request).collect();
            let batch = v1::BatchCheckRequest { items, ..Default::default() };
            let answer = self.client.clone().batch_check(batch).await.expect("the app answers").into_inner();
            answers.extend(answer.results.into_iter().map(|one| {
                let code = one.reason.as_ref().map_or_else(String::new, |reason| format!("{:?}", reason.code()));
                (one.decision() == v1::Decision::Allow, code)
            }));
        }
        answers
    }

    /// Waits until the app answers these as the site decides; returns how long after `since` that is.
    pub(crate) async fn agrees(
        &self,
        what: &str,
        questions: &[Question],
        since: Instant,
        within: Duration,
    ) -> Duration {
        let wanted = self.decided(questions).await;
        // Those that differ are asked often, and all of them at the end.
        loop {
            let mut differing = Vec::new();
            for (at, (found, wanted)) in self.answered(questions).await.iter().zip(&wanted).enumerate() {
                if found.0 != wanted.0 {
                    differing.push((at, found.clone()));
                }
            }
            if differing.is_empty() {
                return since.elapsed();
            }
            let asked: Vec<_> = differing.iter().map(|(at, _)| questions[*at].clone()).collect();
            let right: Vec<_> = differing.iter().map(|(at, _)| wanted[*at].0).collect();
            loop {
                if since.elapsed() > within {
                    let told = differing.iter().step_by(differing.len() / 30 + 1).map(|(at, found)| {
                        format!("{:?}: the app says {found:?}, the site {:?}", questions[*at], wanted[*at])
                    });
                    let told = told.collect::<Vec<_>>().join("\n");
                    panic!("{what}: {} of {} answers differ\n{told}", differing.len(), questions.len());
                }
                let found = self.answered(&asked).await;
                if found.iter().zip(&right).all(|(found, right)| found.0 == *right) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let took = since.elapsed();
            let all = self.answered(questions).await;
            if all.iter().zip(&wanted).all(|(found, wanted)| found.0 == wanted.0) {
                return took;
            }
        }
    }

    /// What the app tells of itself.
    pub(crate) async fn info(&self) -> v1::ServerInfo {
        self.client.clone().get_server_info(v1::GetServerInfoRequest::default()).await.expect("it answers").into_inner()
    }

    /// As of when the app's mirror is the site.
    pub(crate) async fn as_of(&self) -> SystemTime {
        let info = self.info().await;
        let as_of = info.freshness.expect("freshness").as_of.expect("as_of");
        SystemTime::try_from(as_of).expect("a moment")
    }
}

/// Notes when the mirror changes.
async fn watch(mut client: AuthorizationClient<Channel>, moved: Arc<Mutex<Instant>>) {
    let mut revision = None;
    while let Ok(answer) = client.check(question("1", "read", "task:1")).await {
        let now = answer.into_inner().freshness.map(|freshness| freshness.revision);
        if std::mem::replace(&mut revision, now) != now {
            *moved.lock() = Instant::now();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject_type, subject, action, kind, id, project, field, value } = self;
        write!(f, "{subject_type} {subject} {action} {kind}:{id} {project} {field}")?;
        value.as_ref().map_or(Ok(()), |value| write!(f, "={value}"))
    }
}

impl Question {
    fn wish(&self) -> Value {
        let Self { subject_type, subject, action, kind, id, project, field, value } = self;
        let mut wish = json!({
            "subject_type": subject_type,
            "subject": subject.to_string(),
            "action": action,
            "type": kind,
            "id": id,
            "project": project,
            "field": field,
        });
        if let Some(value) = value {
            wish["value"] = json!(value);
        }
        wish
    }

    fn request(&self) -> v1::CheckRequest {
        let Self { subject_type, subject, action, kind, id, project, field, value } = self.clone();
        let value = value.map(|value| prost_types::Value { kind: Some(prost_types::value::Kind::StringValue(value)) });
        v1::CheckRequest {
            subject: Some(v1::Subject { r#type: subject_type.to_owned(), id: subject.to_string() }),
            action: Some(v1::Action { name: action.to_owned(), field: field.to_owned(), value }),
            resource: Some(v1::Resource { r#type: kind.to_owned(), id, project, ..Default::default() }),
            ..Default::default()
        }
    }
}
