//! Requests over gRPC: each malformed one alone, within a batch, within a stream and to Explain. Deadlines: `waiting`.

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};
use stagedoor::proto::v1;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use super::Table;
use crate::app::{App, named, question, yes};

type Spoil = fn(&mut v1::CheckRequest);

/// What spoils a good request, and what is said of it with INVALID_ARGUMENT.
const MALFORMED: [(&str, Spoil, &str); 28] = [
    ("no subject", |r| r.subject = None, "subject: is missing or empty"),
    ("a subject without id", |r| subject(r, "", ""), "subject.id: is missing or empty"),
    (
        "a kind of subject that there is not",
        |r| subject(r, "group", "animators"),
        "subject.type: `group` is none of person, login, email, bot",
    ),
    (
        "a long kind of subject",
        |r| subject(r, &"x".repeat(100), "bo"),
        "subject.type: `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx` is none of person, login, email, bot",
    ),
    (
        "a long id of a subject",
        |r| subject(r, "login", &"x".repeat(1025)),
        "subject.id: 1025 bytes; at most 1024 are accepted",
    ),
    ("no action", |r| r.action = None, "action: is missing or empty"),
    ("an action without name", |r| action(r).name.clear(), "action.name: is missing or empty"),
    (
        "a long name of an action",
        |r| action(r).name = "ä".repeat(600),
        "action.name: 1200 bytes; at most 1024 are accepted",
    ),
    ("a long field", |r| action(r).field = "x".repeat(2_000), "action.field: 2000 bytes; at most 1024 are accepted"),
    (
        "a long value",
        |r| action(r).value = value(Kind::StringValue("x".repeat(1_025))),
        "action.value: 1025 bytes; at most 1024 are accepted",
    ),
    (
        "a value that is not a number",
        |r| action(r).value = value(Kind::NumberValue(f64::NAN)),
        "action.value: a number is infinite or not a number",
    ),
    (
        "a value of no kind",
        |r| action(r).value = Some(Value { kind: None }),
        "action.value: a value has no kind set; use null_value for none",
    ),
    (
        "a value of lists in lists",
        |r| action(r).value = Some(lists(17)),
        "action.value: 17 levels or more; at most 16 are accepted",
    ),
    ("no resource", |r| r.resource = None, "resource: is missing or empty"),
    ("a resource without type", |r| resource(r).r#type.clear(), "resource.type: is missing or empty"),
    (
        "a long type of resource",
        |r| resource(r).r#type = "x".repeat(1_025),
        "resource.type: 1025 bytes; at most 1024 are accepted",
    ),
    ("a long id", |r| resource(r).id = "x".repeat(1_025), "resource.id: 1025 bytes; at most 1024 are accepted"),
    (
        "a long project",
        |r| resource(r).project = "x".repeat(4_000),
        "resource.project: 4000 bytes; at most 1024 are accepted",
    ),
    (
        "properties too deep",
        |r| resource(r).properties = Some(maps(17)),
        "resource.properties: 17 levels or more; at most 16 are accepted",
    ),
    (
        "too many properties",
        |r| resource(r).properties = Some(wide(5_000)),
        "resource.properties: 4097 values or more; at most 4096 are accepted",
    ),
    (
        "a long name of a property",
        |r| resource(r).properties = Some(entry(&"x".repeat(1_025), Kind::BoolValue(true))),
        "resource.properties: 1025 bytes; at most 1024 are accepted",
    ),
    ("context too deep", |r| r.context = Some(maps(20)), "context: 17 levels or more; at most 16 are accepted"),
    ("too much context", |r| r.context = Some(wide(4_097)), "context: 4097 values or more; at most 4096 are accepted"),
    (
        "an infinite number in the context",
        |r| r.context = Some(entry("limit", Kind::NumberValue(f64::INFINITY))),
        "context: a number is infinite or not a number",
    ),
    (
        "a negative length of time",
        |r| max_staleness(r, -1, 0),
        "consistency.max_staleness: -1 s and 0 ns are no length of time; seconds must be 0 or more, nanos 0 to 999,999,999",
    ),
    (
        "a second of a thousand million and one nanoseconds",
        |r| max_staleness(r, 1, 1_000_000_000),
        "consistency.max_staleness: 1 s and 1000000000 ns are no length of time; seconds must be 0 or more, nanos 0 to \
         999,999,999",
    ),
    (
        "negative nanoseconds",
        |r| max_staleness(r, 0, -5),
        "consistency.max_staleness: 0 s and -5 ns are no length of time; seconds must be 0 or more, nanos 0 to 999,999,999",
    ),
    (
        "a long correlation id",
        |r| r.correlation_id = "x".repeat(1_025),
        "correlation_id: 1025 bytes; at most 1024 are accepted",
    ),
];

/// Questions that can be answered: no. The reason, and what Explain says of it.
const MEANINGLESS: [(&str, Spoil, &str); 14] = [
    ("a stranger", |r| subject(r, "", "boo"), "SUBJECT_UNKNOWN the mirror has no person `boo`"),
    ("in another case", |r| subject(r, "", "BO"), "SUBJECT_UNKNOWN the mirror has no person `BO`"),
    ("a login of nobody", |r| subject(r, "login", "bo"), "SUBJECT_UNKNOWN nobody has the login `bo`"),
    (
        "an address of nobody",
        |r| subject(r, "email", "bo@EXAMPLE.com"),
        "SUBJECT_UNKNOWN nobody has the e-mail address `bo@EXAMPLE.com`",
    ),
    ("a person as a bot", |r| subject(r, "bot", "bo"), "SUBJECT_UNKNOWN `bo` is a person, not a bot"),
    ("a NUL in an id", |r| subject(r, "", "bo\0"), "SUBJECT_UNKNOWN the mirror has no person `bo\0`"),
    (
        "a misspelt action",
        |r| action(r).name = "coment".into(),
        "ACTION_UNKNOWN there is no action `coment` for kind task; did you mean `comment`?",
    ),
    (
        "a misspelt kind",
        |r| resource(r).r#type = "tsk".into(),
        "ACTION_UNKNOWN there is no kind `tsk`; did you mean `task`?",
    ),
    (
        "a task that there is not",
        |r| resource(r).id = "sh011-animation".into(),
        "RESOURCE_UNKNOWN the mirror has no task `sh011-animation`",
    ),
    ("no id", |r| resource(r).id.clear(), "RESOURCE_UNKNOWN `task.comment` needs the id of the object"),
    (
        "a shot as an asset",
        |r| *r = question("bo", "read", "asset:sh010"),
        "RESOURCE_UNKNOWN `sh010` is of kind shot, not asset",
    ),
    (
        "to create nowhere",
        |r| *r = question("marta", "create", "shot:"),
        "RESOURCE_UNKNOWN `shot.create` needs a `project`",
    ),
    (
        "to create in a project that there is not",
        |r| {
            *r = question("marta", "create", "shot:");
            resource(r).project = "atlsa".into();
        },
        "RESOURCE_UNKNOWN the mirror has no project `atlsa`",
    ),
    (
        "to a status that there is not",
        |r| action(r).value = value(Kind::StringValue("aproved".into())),
        "RESOURCE_UNKNOWN the mirror has no task_status `aproved`",
    ),
];

#[tokio::test]
async fn a_malformed_request_is_told_what_is_wrong_and_spoils_no_other() {
    let app = App::demo().await;
    let mut client = app.client().await;
    let mut table = Table::default();
    for (what, spoil, told) in MALFORMED {
        let mut bad = yes();
        spoil(&mut bad);
        let expected = format!("INVALID_ARGUMENT {told}");
        let checked = client.check(bad.clone()).await.map(drop);
        table.row(&format!("{what}, to Check"), &expected, &said(checked));
        let explained = client.explain(bad.clone()).await.map(drop);
        table.row(&format!("{what}, to Explain"), &expected, &said(explained));

        let items = vec![named(yes(), "first"), bad.clone(), named(yes(), "last")];
        let batch = v1::BatchCheckRequest { items: items.clone(), ..Default::default() };
        let answers = client.batch_check(batch).await.unwrap().into_inner().results;
        table.row(&format!("{what}, in a batch"), &expected, &alone(&answers));
        let mut stream = client.check_stream(tokio_stream::iter(items)).await.unwrap().into_inner();
        let mut answers = Vec::new();
        while let Some(answer) = stream.message().await.unwrap() {
            answers.push(answer);
        }
        table.row(&format!("{what}, in a stream"), &expected, &alone(&answers));
    }
    table.end(4 * MALFORMED.len());
    drop(client);
    app.end().await;
}

#[tokio::test]
async fn a_question_that_names_nothing_is_denied_and_explained() {
    let app = App::demo().await;
    let mut client = app.client().await;
    let mut table = Table::default();
    for (what, spoil, told) in MEANINGLESS {
        let mut asked = yes();
        spoil(&mut asked);
        let answer = client.explain(asked.clone()).await.unwrap().into_inner();
        let result = answer.result.unwrap();
        let texts: Vec<_> = answer.steps.iter().map(|step| step.text.as_str()).collect();
        table.row(what, told, &format!("{} {}", code(&result), texts.join("; ")));
        let check = client.check(asked).await.unwrap().into_inner();
        assert_eq!((code(&check), check.decision()), (code(&result), v1::Decision::Deny), "{what}");
    }
    table.end(MEANINGLESS.len());
    drop(client);
    app.end().await;
}

#[tokio::test]
async fn a_call_that_cannot_be_answered_as_a_whole() {
    let app = App::demo().await;
    let mut client = app.client().await;
    let batch = |change: fn(&mut v1::BatchCheckRequest)| {
        let mut batch = v1::BatchCheckRequest { items: vec![yes()], ..Default::default() };
        change(&mut batch);
        batch
    };
    let mut table = Table::default();
    for (what, batch, told) in [
        (
            "too many items",
            batch(|batch| batch.items = vec![yes(); 10_001]),
            "INVALID_ARGUMENT items: 10001 items (`batch_items`); at most 10000 are accepted",
        ),
        (
            "a default of a kind that there is not",
            batch(|batch| batch.subject = Some(v1::Subject { r#type: "role".into(), id: "artist".into() })),
            "INVALID_ARGUMENT subject.type: `role` is none of person, login, email, bot",
        ),
        (
            "a default without name",
            batch(|batch| batch.action = Some(v1::Action::default())),
            "INVALID_ARGUMENT action.name: is missing or empty",
        ),
        (
            "default context too deep",
            batch(|batch| batch.context = Some(maps(17))),
            "INVALID_ARGUMENT context: 17 levels or more; at most 16 are accepted",
        ),
        (
            "a message that is too large",
            batch(|batch| batch.items = vec![named(yes(), "x".repeat(2_000_000)); 3]),
            "RESOURCE_EXHAUSTED the request message is over the limit `message_bytes`: at most 4194304 bytes are read; send \
             fewer items",
        ),
    ] {
        table.row(what, told, &said(client.batch_check(batch).await.map(drop)));
    }

    let twice = ["a", "b", "a"].map(|id| named(yes(), id)).to_vec();
    let answers = client.batch_check(v1::BatchCheckRequest { items: twice, ..Default::default() }).await.unwrap();
    let errors: Vec<_> =
        answers.into_inner().results.into_iter().map(|result| result.error.map(|e| e.message)).collect();
    let told = "correlation_id: stands at more than one item of the batch";
    table.row("one id for two items", &format!("{:?}", [Some(told), None, Some(told)]), &format!("{errors:?}"));

    let watch = said(client.watch(v1::WatchRequest::default()).await.map(drop));
    table.row("a call of a later version", "UNIMPLEMENTED Watch is not available in this version of stagedoor", &watch);
    let chek = said(call(app.channel().await, "/stagedoor.v1.Authorization/Chek").await);
    table.row("a call that there is not", "UNIMPLEMENTED ", &chek);
    table.end(8);
    drop(client);
    app.end().await;
}

// === what was said ===

fn said(outcome: Result<(), Status>) -> String {
    match outcome {
        Ok(()) => "nothing: it was answered".into(),
        Err(status) => told(status.code(), status.message()),
    }
}

fn told(code: Code, message: &str) -> String {
    let name = match code {
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::Unimplemented => "UNIMPLEMENTED",
        other => other.description(),
    };
    format!("{name} {message}")
}

/// The error of the second of three, if the others are answered.
fn alone(answers: &[v1::CheckResponse]) -> String {
    let [first, bad, last] = answers else { return format!("{} answers to three questions", answers.len()) };
    let answered =
        |answer: &v1::CheckResponse, id| answer.decision() == v1::Decision::Allow && answer.correlation_id == id;
    if !answered(first, "first") || !answered(last, "last") || bad.decision() != v1::Decision::Deny {
        return format!("the others are spoilt, or this one is allowed: {answers:?}");
    }
    bad.error.as_ref().map_or("no error".into(), |error| told(Code::from(error.code), &error.message))
}

fn code(answer: &v1::CheckResponse) -> &'static str {
    answer.reason.as_ref().map_or("", |reason| reason.code().as_str_name().trim_start_matches("REASON_CODE_"))
}

async fn call(channel: Channel, path: &'static str) -> Result<(), Status> {
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<v1::CheckRequest, v1::CheckResponse>::default();
    grpc.unary(Request::new(yes()), path.parse().unwrap(), codec).await.map(drop)
}

// === what is asked ===

fn subject(request: &mut v1::CheckRequest, kind: &str, id: &str) {
    request.subject = Some(v1::Subject { r#type: kind.to_owned(), id: id.to_owned() });
}

fn action(request: &mut v1::CheckRequest) -> &mut v1::Action {
    request.action.as_mut().unwrap()
}

fn resource(request: &mut v1::CheckRequest) -> &mut v1::Resource {
    request.resource.as_mut().unwrap()
}

fn max_staleness(request: &mut v1::CheckRequest, seconds: i64, nanos: i32) {
    let max_staleness = Some(prost_types::Duration { seconds, nanos });
    request.consistency = Some(v1::Consistency { max_staleness, ..Default::default() });
}

#[expect(clippy::unnecessary_wraps, reason = "as the field takes it")]
fn value(kind: Kind) -> Option<Value> {
    Some(Value { kind: Some(kind) })
}

fn lists(levels: usize) -> Value {
    let wrap = |inner, _| Value { kind: Some(Kind::ListValue(ListValue { values: vec![inner] })) };
    (0..levels).fold(Value { kind: Some(Kind::BoolValue(true)) }, wrap)
}

/// So many maps in each other.
fn maps(levels: usize) -> Struct {
    (1..levels).fold(entry("key", Kind::BoolValue(true)), |inner, _| entry("key", Kind::StructValue(inner)))
}

fn wide(entries: usize) -> Struct {
    let fields = (0..entries).map(|at| (format!("key{at}"), Value { kind: Some(Kind::BoolValue(true)) }));
    Struct { fields: fields.collect() }
}

fn entry(key: &str, kind: Kind) -> Struct {
    Struct { fields: [(key.to_owned(), Value { kind: Some(kind) })].into_iter().collect() }
}
