//! What a malformed request is told: always the field, and the limit where there is one.

use std::time::Duration;

use prost::Message as _;
use prost_types::ListValue;

use super::*;
use crate::proto::view::View as _;
use crate::serve::error::Refusal;

/// The question of a request as it comes over the wire.
fn asked(request: &v1::CheckRequest) -> Result<Query<'static>, Refusal> {
    query(&view::CheckRequest::read(request.encode_to_vec().leak()).unwrap())
}

fn shared(batch: &v1::BatchCheckRequest) -> view::BatchCheckRequest<'static> {
    view::BatchCheckRequest::read(batch.encode_to_vec().leak()).unwrap()
}

fn request() -> v1::CheckRequest {
    v1::CheckRequest {
        subject: Some(v1::Subject { r#type: "login".into(), id: "ada".into() }),
        action: Some(v1::Action { name: "comment".into(), field: String::new(), value: None }),
        resource: Some(v1::Resource { r#type: "task".into(), id: "t1".into(), ..Default::default() }),
        ..Default::default()
    }
}

fn wire(kind: Kind) -> WireValue {
    WireValue { kind: Some(kind) }
}

fn one(value: WireValue) -> Struct {
    Struct { fields: [("key".to_owned(), value)].into() }
}

/// Maps in maps, `levels` deep all in all.
fn nested(levels: usize) -> Struct {
    (1..levels).fold(one(wire(Kind::NullValue(0))), |inner, _| one(wire(Kind::StructValue(inner))))
}

fn list(length: usize) -> Struct {
    let values = vec![wire(Kind::BoolValue(true)); length];
    one(wire(Kind::ListValue(ListValue { values })))
}

#[test]
fn a_whole_request_is_read() {
    let mut whole = request();
    let action = whole.action.as_mut().unwrap();
    action.field = "task_status_id".into();
    action.value = Some(wire(Kind::StringValue("done".into())));
    let resource = whole.resource.as_mut().unwrap();
    resource.project = "p1".into();
    resource.properties = Some(one(wire(Kind::NumberValue(2.5))));
    resource.complete = true;
    whole.context = Some(nested(MAX_DEPTH));
    whole.consistency = Some(v1::Consistency {
        max_staleness: Some(prost_types::Duration { seconds: 1, nanos: 500_000_000 }),
        at_least_revision: 7,
        refresh: true,
    });
    let query = asked(&whole).unwrap();
    assert_eq!(query.subject, Subject::Login("ada"));
    assert_eq!((query.action, query.field, query.kind), ("comment", "task_status_id", "task"));
    assert_eq!(query.value_text().map(Str::as_str), Some("done"));
    assert_eq!((query.id, query.project), (Id::from("t1"), Some(Id::from("p1"))));
    assert_eq!(query.properties.as_deref().unwrap().get("key"), Some(&Value::Number(2.5)));
    assert!(query.complete && query.context.is_some());
    let asked = Consistency { max_staleness: Some(Duration::from_millis(1_500)), at_least_revision: 7, refresh: true };
    assert_eq!(query.consistency, asked);
}

#[test]
fn subject_types() {
    let read = |kind: &str| {
        let subject = v1::Subject { r#type: kind.into(), id: "x".into() };
        let whole = v1::CheckRequest { subject: Some(subject), ..request() };
        asked(&whole).map(|query| format!("{:?}", query.subject)).map_err(|refusal| refusal.to_string())
    };
    assert_eq!(read("").unwrap(), "Person(\"x\")");
    assert_eq!(read("person").unwrap(), "Person(\"x\")");
    assert_eq!(read("email").unwrap(), "Email(\"x\")");
    assert_eq!(read("bot").unwrap(), "Bot(\"x\")");
    assert_eq!(read("group").unwrap_err(), "subject.type: `group` is none of person, login, email, bot");
}

#[test]
fn every_bad_request_is_told_its_field_and_limit() {
    type Spoil = fn(&mut v1::CheckRequest);
    fn action(request: &mut v1::CheckRequest) -> &mut v1::Action {
        request.action.as_mut().unwrap()
    }
    fn resource(request: &mut v1::CheckRequest) -> &mut v1::Resource {
        request.resource.as_mut().unwrap()
    }
    fn staleness(request: &mut v1::CheckRequest, seconds: i64, nanos: i32) {
        let max_staleness = Some(prost_types::Duration { seconds, nanos });
        request.consistency = Some(v1::Consistency { max_staleness, ..Default::default() });
    }
    let cases: [(Spoil, &str); 26] = [
        (|r| r.subject = None, "subject: is missing or empty"),
        (|r| r.action = None, "action: is missing or empty"),
        (|r| r.resource = None, "resource: is missing or empty"),
        (|r| r.subject = Some(v1::Subject::default()), "subject.id: is missing or empty"),
        (|r| action(r).name = String::new(), "action.name: is missing or empty"),
        (|r| resource(r).r#type = String::new(), "resource.type: is missing or empty"),
        (|r| r.subject.as_mut().unwrap().id = "x".repeat(1_025), "subject.id: 1025 bytes; at most 1024 are accepted"),
        (|r| action(r).name = "x".repeat(5_000), "action.name: 5000 bytes; at most 1024 are accepted"),
        (|r| action(r).field = "x".repeat(1_025), "action.field: 1025 bytes; at most 1024 are accepted"),
        (|r| resource(r).r#type = "x".repeat(1_025), "resource.type: 1025 bytes; at most 1024 are accepted"),
        (|r| resource(r).id = "é".repeat(513), "resource.id: 1026 bytes; at most 1024 are accepted"),
        (|r| resource(r).project = "x".repeat(1_025), "resource.project: 1025 bytes; at most 1024 are accepted"),
        (|r| r.correlation_id = "x".repeat(1_025), "correlation_id: 1025 bytes; at most 1024 are accepted"),
        (|r| r.context = Some(nested(17)), "context: 17 levels or more; at most 16 are accepted"),
        (|r| r.context = Some(nested(30)), "context: 17 levels or more; at most 16 are accepted"),
        (
            |r| resource(r).properties = Some(nested(17)),
            "resource.properties: 17 levels or more; at most 16 are accepted",
        ),
        (|r| r.context = Some(list(4_096)), "context: 4097 values or more; at most 4096 are accepted"),
        (
            |r| action(r).value = Some(wire(Kind::StructValue(list(500_000)))),
            "action.value: 4097 values or more; at most 4096 are accepted",
        ),
        (
            |r| r.context = Some(one(wire(Kind::StringValue("x".repeat(2_000))))),
            "context: 2000 bytes; at most 1024 are accepted",
        ),
        (
            |r| r.context = Some(Struct { fields: [("x".repeat(1_025), wire(Kind::BoolValue(true)))].into() }),
            "context: 1025 bytes; at most 1024 are accepted",
        ),
        (|r| r.context = Some(one(wire(Kind::NumberValue(f64::NAN)))), "context: a number is infinite or not a number"),
        (
            |r| resource(r).properties = Some(one(wire(Kind::NumberValue(f64::NEG_INFINITY)))),
            "resource.properties: a number is infinite or not a number",
        ),
        (
            |r| action(r).value = Some(WireValue { kind: None }),
            "action.value: a value has no kind set; use null_value for none",
        ),
        (
            |r| staleness(r, -1, 0),
            "consistency.max_staleness: -1 s and 0 ns are no length of time; seconds must be 0 or more, nanos 0 to \
             999,999,999",
        ),
        (
            |r| staleness(r, 0, -5),
            "consistency.max_staleness: 0 s and -5 ns are no length of time; seconds must be 0 or more, nanos 0 to \
             999,999,999",
        ),
        (
            |r| staleness(r, 1, 1_000_000_000),
            "consistency.max_staleness: 1 s and 1000000000 ns are no length of time; seconds must be 0 or more, nanos \
             0 to 999,999,999",
        ),
    ];
    for (spoil, told) in cases {
        let mut spoilt = request();
        spoil(&mut spoilt);
        let refusal = asked(&spoilt).expect_err(told);
        assert_eq!(refusal.to_string(), told);
        assert_eq!(refusal.code(), tonic::Code::InvalidArgument, "{told}");
    }
}

#[test]
fn what_is_exactly_at_a_limit_is_read() {
    let mut whole = request();
    whole.subject.as_mut().unwrap().id = "x".repeat(MAX_TEXT);
    whole.context = Some(list(MAX_VALUES - 1));
    whole.resource.as_mut().unwrap().properties = Some(nested(MAX_DEPTH));
    whole.consistency = Some(v1::Consistency {
        max_staleness: Some(prost_types::Duration { seconds: i64::MAX, nanos: 999_999_999 }),
        ..Default::default()
    });
    assert!(asked(&whole).is_ok());
}

#[test]
fn items_of_a_batch_take_what_they_leave_out() {
    let batch = v1::BatchCheckRequest {
        subject: request().subject,
        action: Some(v1::Action { value: Some(wire(Kind::StringValue("done".into()))), ..request().action.unwrap() }),
        resource: request().resource,
        context: Some(nested(3)),
        consistency: Some(v1::Consistency { at_least_revision: 3, ..Default::default() }),
        items: vec![
            v1::CheckRequest::default(),
            v1::CheckRequest {
                subject: Some(v1::Subject { r#type: String::new(), id: "p2".into() }),
                action: Some(v1::Action { name: "read".into(), ..Default::default() }),
                context: Some(Struct::default()),
                consistency: Some(v1::Consistency::default()),
                ..Default::default()
            },
        ],
    };
    let batch = shared(&batch);
    let defaults = Defaults::read(&batch).unwrap();
    let first = defaults.query(&batch.items[0]).unwrap();
    assert_eq!(first.subject, Subject::Login("ada"));
    assert_eq!(first.value_text().map(Str::as_str), Some("done"));
    assert!(matches!(first.context, Some(Cow::Borrowed(_))), "what is shared is not copied");
    assert!(matches!(first.value, Some(Cow::Borrowed(_))), "what is shared is not copied");
    assert_eq!(first.consistency.at_least_revision, 3);
    let second = defaults.query(&batch.items[1]).unwrap();
    assert_eq!((second.subject, second.action), (Subject::Person("p2"), "read"));
    assert_eq!((second.value, second.id), (None, Id::from("t1")));
    assert_eq!(second.context.as_deref(), Some(&Value::Map(Vec::new())));
    assert_eq!(second.consistency, Consistency::default());
}

#[test]
fn bad_defaults_spoil_the_batch_and_no_default_only_the_item() {
    let spoilt = v1::BatchCheckRequest { context: Some(nested(20)), ..Default::default() };
    let refusal = Defaults::read(&shared(&spoilt)).unwrap_err();
    assert!(refusal.to_string().starts_with("context: 17 levels"), "{refusal}");
    let defaults = Defaults::read(&view::BatchCheckRequest::default()).unwrap();
    let without =
        v1::BatchCheckRequest { items: vec![v1::CheckRequest { subject: None, ..request() }], ..Default::default() };
    let refusal = defaults.query(&shared(&without).items[0]).unwrap_err();
    assert_eq!(refusal, Refusal::Field { field: "subject", problem: "is missing or empty".into() });
}
