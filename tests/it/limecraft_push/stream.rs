//! The same door as a stream of normalised records.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};
use stagedoor::proto::ingest_v1 as wire;
use stagedoor::proto::ingest_v1::Outcome;
use stagedoor::proto::ingest_v1::change::Change;
use stagedoor::proto::ingest_v1::ingest_client::IngestClient;
use stagedoor::proto::ingest_v1::push_request::Body;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::Endpoint;
use tonic::{Code, Request, Status, Streaming};

use super::{Limecraft, TOKEN, Token, app, count, cursor, events, json, push, role, start};
use crate::app::App;

/// An open stream.
struct Pushing {
    requests: mpsc::UnboundedSender<wire::PushRequest>,
    responses: Streaming<wire::PushResponse>,
}

impl Pushing {
    async fn open(app: &App, token: Option<&str>) -> Result<Self, Status> {
        let channel = Endpoint::from_shared(format!("http://{}", app.push)).unwrap().connect().await.unwrap();
        let (requests, receiver) = mpsc::unbounded_channel();
        let mut request = Request::new(UnboundedReceiverStream::new(receiver));
        if let Some(token) = token {
            request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let responses = IngestClient::new(channel).push(request).await?.into_inner();
        Ok(Self { requests, responses })
    }

    async fn send(&mut self, id: &str, revision: u64, body: Body) -> wire::PushResponse {
        self.requests.send(wire::PushRequest { id: id.to_owned(), revision, body: Some(body) }).unwrap();
        self.responses.next().await.unwrap().unwrap()
    }

    async fn delta(&mut self, id: &str, revision: u64, list: Vec<Change>) -> wire::PushResponse {
        self.send(id, revision, changes(list)).await
    }

    /// A snapshot of these parts; the answer to its end.
    async fn snapshot(&mut self, revision: u64, parts: Vec<Vec<Change>>) -> wire::PushResponse {
        let begin = Body::SnapshotBegin(wire::SnapshotBegin { pack: "limecraft".to_owned() });
        assert_eq!(self.send("", revision, begin).await.outcome(), Outcome::Received);
        for part in parts {
            self.send("", revision, changes(part)).await;
        }
        self.send("", revision, Body::SnapshotEnd(wire::SnapshotEnd {})).await
    }
}

fn changes(list: Vec<Change>) -> Body {
    let changes = list.into_iter().map(|change| wire::Change { change: Some(change) }).collect();
    Body::Changes(wire::Changes { changes })
}

fn text(text: &str) -> Value {
    Value { kind: Some(Kind::StringValue(text.to_owned())) }
}

fn record(kind: &str, id: &str, project: &str, fields: &[(&str, Value)]) -> Change {
    let fields: BTreeMap<String, Value> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Change::Upsert(wire::Record {
        kind: kind.to_owned(),
        id: id.to_owned(),
        project: project.to_owned(),
        name: id.to_owned(),
        fields: Some(Struct { fields }),
    })
}

fn person(id: &str) -> Change {
    record("person", id, "", &[("login", text(id)), ("active", Value { kind: Some(Kind::BoolValue(true)) })])
}

fn join(person: &str, roles: &[&str]) -> Change {
    let roles = roles.iter().map(ToString::to_string).collect();
    let member = wire::Member { person: person.to_owned(), roles, ..Default::default() };
    Change::Join(wire::Join { project: "2336".to_owned(), member: Some(member) })
}

fn studio() -> Vec<Vec<Change>> {
    let rights = Value { kind: Some(Kind::ListValue(ListValue { values: vec![text("LIBRARY_SHARE")] })) };
    vec![
        vec![person("12"), person("13"), record("production", "2336", "", &[("status", text("Active"))])],
        vec![record("role", "3202", "2336", &[("rights", rights)]), join("12", &["3202"])],
    ]
}

#[tokio::test]
async fn a_home_made_tracker_feeds_the_mirror() {
    let app = app(None).await;
    let mut pushing = Pushing::open(&app, Some(TOKEN)).await.unwrap();
    let early = pushing.delta("a", 1, vec![person("1")]).await;
    assert_eq!((early.outcome(), early.snapshot_wanted), (Outcome::Refused, true));
    let done = pushing.snapshot(100, studio()).await;
    assert_eq!((done.outcome(), done.held), (Outcome::Applied, 100), "{done:?}");
    assert_eq!((count(&app, "person").await, count(&app, "role").await, cursor(&app).await.as_str()), (2, 1, "100"));

    assert_eq!(pushing.delta("d1", 101, vec![person("14"), join("14", &[])]).await.outcome(), Outcome::Applied);
    assert_eq!((count(&app, "person").await, cursor(&app).await.as_str()), (3, "101"));
    assert_eq!(pushing.delta("d1", 101, vec![person("14")]).await.outcome(), Outcome::Replayed);
    let beat = pushing.send("", 0, Body::Heartbeat(wire::Heartbeat {})).await;
    assert_eq!(beat.outcome(), Outcome::Applied);

    // Both doors lead into the same state.
    let answer = events(&app, json!([{"id": "h", "revision": 102, "type": "Media.create"}])).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let object = wire::Object { kind: "person".to_owned(), id: "14".to_owned() };
    let leave = wire::Leave { project: "2336".to_owned(), person: "14".to_owned() };
    let gone = pushing.delta("d2", 103, vec![Change::Leave(leave), Change::Remove(object)]).await;
    assert_eq!((gone.outcome(), count(&app, "person").await), (Outcome::Applied, 2));

    let gap = pushing.delta("d4", 105, vec![person("15")]).await;
    assert_eq!((gap.outcome(), gap.held, gap.snapshot_wanted), (Outcome::Refused, 103, true), "{gap:?}");
    assert_eq!(pushing.delta("d3", 104, vec![person("15")]).await.outcome(), Outcome::Refused);
    assert_eq!(pushing.snapshot(105, studio()).await.outcome(), Outcome::Applied);
    assert_eq!(pushing.delta("d5", 106, vec![person("15")]).await.outcome(), Outcome::Applied);
    assert_eq!(cursor(&app).await, "106");
    drop(pushing);
    app.end().await;
}

#[tokio::test]
async fn what_is_wrong_is_told_and_nothing_of_it_is_applied() {
    let app = app(None).await;
    let mut pushing = Pushing::open(&app, Some(TOKEN)).await.unwrap();
    pushing.snapshot(1, studio()).await;
    let number = Value { kind: Some(Kind::NumberValue(1.0)) };
    for (bad, said) in [
        (record("persn", "1", "", &[]), "changes[1].upsert: there is no kind `persn`; did you mean `person`?"),
        (
            record("person", "1", "", &[("logn", text("a"))]),
            "changes[1].upsert: no person has a field `logn`; did you mean",
        ),
        (record("person", "", "", &[]), "changes[1].upsert: `id` is empty"),
        (record("team", "1", "", &[("users", number)]), "changes[1].upsert.fields.users: it refers to objects"),
        (join("99", &[]), "there is no person `99`"),
        (join("12", &["99"]), "there is no role `99`"),
    ] {
        let refused = pushing.delta("x", 2, vec![person("20"), bad]).await;
        assert_eq!(refused.outcome(), Outcome::Refused, "{said}");
        assert!(refused.problems[0].starts_with(said), "{:?}", refused.problems);
        assert_eq!((count(&app, "person").await, cursor(&app).await.as_str()), (2, "1"));
    }
    // A part is wrong, so the whole is.
    let end =
        pushing.snapshot(2, vec![vec![person("30")], vec![record("nothing", "1", "", &[])], vec![person("31")]]).await;
    assert_eq!(end.outcome(), Outcome::Refused);
    let pack = pushing.send("", 2, Body::SnapshotBegin(wire::SnapshotBegin { pack: "kitsu".to_owned() })).await;
    assert_eq!(pack.problems, ["these are records for the pack `kitsu`, and `limecraft` is in force"]);
    let end = pushing.send("", 2, Body::SnapshotEnd(wire::SnapshotEnd {})).await;
    assert_eq!(end.outcome(), Outcome::Refused);
    // Nor is one that is never ended.
    pushing.send("", 2, Body::SnapshotBegin(wire::SnapshotBegin { pack: "limecraft".to_owned() })).await;
    pushing.send("", 2, changes(vec![person("40")])).await;
    drop(pushing);
    assert_eq!((count(&app, "person").await, cursor(&app).await.as_str()), (2, "1"));
    app.end().await;
}

#[tokio::test]
async fn without_the_token_there_is_no_stream() {
    let app = app(None).await;
    for token in [None, Some("wrong")] {
        let refused = Pushing::open(&app, token).await.map(drop).unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{token:?}");
    }
    app.end().await;
}

#[tokio::test]
async fn a_token_that_is_taken_back_ends_its_streams() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    std::fs::write(&path, TOKEN).unwrap();
    let app = start(Limecraft { snapshot: None, push: Some(push(Token::File(path.clone()))) }).await;
    let mut pushing = Pushing::open(&app, Some(TOKEN)).await.unwrap();
    pushing.snapshot(1718, studio()).await;
    std::fs::write(&path, "another").unwrap();
    let heartbeat =
        wire::PushRequest { revision: 1718, body: Some(Body::Heartbeat(wire::Heartbeat {})), ..Default::default() };
    pushing.requests.send(heartbeat).unwrap();
    let status = pushing.responses.next().await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
    drop(pushing);
    app.end().await;
}

#[tokio::test]
async fn an_open_stream_does_not_hold_up_the_end() {
    let app = app(None).await;
    let mut pushing = Pushing::open(&app, Some(TOKEN)).await.unwrap();
    pushing.snapshot(1718, studio()).await;
    assert_eq!(events(&app, json!([role(1)])).await.status, 200);
    let began = std::time::Instant::now();
    app.end().await;
    let ended = pushing.responses.next().await;
    assert!(ended.is_none_or(|ended| ended.is_err_and(|status| status.code() == Code::Unavailable)));
    assert!(began.elapsed() < std::time::Duration::from_secs(5), "nothing was cut by force");
}
