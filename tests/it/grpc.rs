//! The service as a client sees it: decisions, batches, reasons, info, both kinds of address, reflection.

use std::collections::HashSet;

use stagedoor::proto::v1;
use stagedoor::proto::v1::authorization_client::AuthorizationClient;
use stagedoor::proto::v1::guard_client::GuardClient;
use tonic::Code;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::app::{App, malformed, named, no, question, yes};

#[tokio::test]
async fn a_check_over_tcp_and_over_the_socket_at_once() {
    let app = App::demo().await;
    let mut tcp = app.client().await;
    let mut unix = AuthorizationClient::new(app.unix_channel().await);
    let mut ids = HashSet::new();
    for client in [&mut tcp, &mut unix] {
        let answer = client.check(named(yes(), "mine")).await.unwrap().into_inner();
        assert_eq!(answer.decision(), v1::Decision::Allow);
        let reason = answer.reason.clone().unwrap();
        assert_eq!(reason.code(), v1::ReasonCode::Granted);
        assert!(reason.rule.starts_with("kitsu/task.comment#"), "{reason:?}");
        assert!(!reason.text.is_empty());
        assert_eq!(answer.correlation_id, "mine");
        assert_eq!(answer.call_id.len(), 32);
        assert!(ids.insert(answer.call_id.clone()), "a call id is given once");
        let freshness = answer.freshness.unwrap();
        assert!(freshness.revision > 0 && freshness.as_of.is_some() && freshness.age.is_some());
        assert_eq!(answer.error, None);
    }
    let denied = tcp.check(no()).await.unwrap().into_inner();
    assert_eq!(denied.decision(), v1::Decision::Deny);
    assert_eq!(denied.reason.unwrap().code(), v1::ReasonCode::NoGrant);
    assert_eq!(denied.error, None, "a denial is an answer, not an error");
    app.end().await;
}

#[tokio::test]
async fn a_malformed_check_is_told_what_is_wrong() {
    let app = App::demo().await;
    let status = app.client().await.check(malformed()).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::InvalidArgument, "subject: is missing or empty"));
    app.end().await;
}

#[tokio::test]
async fn a_batch_is_answered_in_order_and_a_bad_item_fails_alone() {
    let app = App::demo().await;
    let items = vec![
        named(yes(), "a"),
        named(malformed(), "b"),
        named(no(), "c"),
        named(yes(), "twice"),
        named(no(), ""),
        named(no(), "twice"),
        named(yes(), ""),
    ];
    let batch = v1::BatchCheckRequest { items, ..Default::default() };
    let answer = app.client().await.batch_check(batch).await.unwrap().into_inner();
    let told: Vec<_> = answer
        .results
        .iter()
        .map(|result| {
            let error = result.error.as_ref().map(|error| (error.code, error.message.as_str()));
            (result.correlation_id.as_str(), result.decision(), error)
        })
        .collect();
    let missing = Some((3, "subject: is missing or empty"));
    let twice = Some((3, "correlation_id: stands at more than one item of the batch"));
    assert_eq!(
        told,
        [
            ("a", v1::Decision::Allow, None),
            ("b", v1::Decision::Deny, missing),
            ("c", v1::Decision::Deny, None),
            ("twice", v1::Decision::Deny, twice),
            ("", v1::Decision::Deny, None),
            ("twice", v1::Decision::Deny, twice),
            ("", v1::Decision::Allow, None),
        ]
    );
    assert!(answer.freshness.unwrap().revision > 0);
    assert!(answer.results.iter().all(|result| result.freshness.is_none() && result.call_id.is_empty()));
    assert_eq!(answer.call_id.len(), 32);
    app.end().await;
}

#[tokio::test]
async fn a_batch_completes_its_items_by_its_defaults() {
    let app = App::demo().await;
    let v1::CheckRequest { action, resource, .. } = yes();
    let who = |id: &str| v1::CheckRequest {
        subject: Some(v1::Subject { r#type: String::new(), id: id.to_owned() }),
        ..Default::default()
    };
    let items = vec![who("bo"), who("lin"), who("pavel"), v1::CheckRequest::default()];
    let batch = v1::BatchCheckRequest { action, resource, items, ..Default::default() };
    let answer = app.client().await.batch_check(batch).await.unwrap().into_inner();
    let codes: Vec<_> = answer.results.iter().map(|r| r.reason.clone().map(|reason| reason.code())).collect();
    let expected =
        [Some(v1::ReasonCode::Granted), Some(v1::ReasonCode::NoGrant), Some(v1::ReasonCode::SubjectInactive), None];
    assert_eq!(codes, expected);
    assert_eq!(answer.results[3].error.as_ref().unwrap().code, 3);
    app.end().await;
}

#[tokio::test]
async fn an_empty_batch_is_answered_empty() {
    let app = App::demo().await;
    let answer = app.client().await.batch_check(v1::BatchCheckRequest::default()).await.unwrap().into_inner();
    assert!(answer.results.is_empty());
    app.end().await;
}

#[tokio::test]
async fn explain_says_what_was_tried_and_what_would_allow() {
    let app = App::demo().await;
    let explained = app.client().await.explain(named(no(), "why")).await.unwrap().into_inner();
    let result = explained.result.unwrap();
    assert_eq!((result.decision(), result.correlation_id.as_str()), (v1::Decision::Deny, "why"));
    assert!(!explained.steps.is_empty() && !explained.would_allow.is_empty());
    assert!(explained.steps.iter().any(|step| step.outcome() == v1::step::Outcome::Failed));
    app.end().await;
}

#[tokio::test]
async fn server_info_publishes_limits_and_counts() {
    let app = App::demo().await;
    let info = app.client().await.get_server_info(v1::GetServerInfoRequest {}).await.unwrap().into_inner();
    assert_eq!(info.version, env!("CARGO_PKG_VERSION"));
    let limits = info.limits.unwrap();
    assert_eq!((limits.batch_items, limits.message_bytes), (10_000, 4 * 1024 * 1024));
    assert_eq!(limits.max_staleness.unwrap().seconds, 600);
    assert!(info.counts["person"] > 10, "{:?}", info.counts);
    assert!(!info.policy_digest.is_empty() && info.freshness.unwrap().revision > 0);
    app.end().await;
}

#[tokio::test]
async fn calls_of_later_versions_say_so() {
    let app = App::demo().await;
    let mut client = app.client().await;
    let statuses = [
        client.list_resources(v1::ListResourcesRequest::default()).await.unwrap_err(),
        client.list_subjects(v1::ListSubjectsRequest::default()).await.unwrap_err(),
        client.watch(v1::WatchRequest::default()).await.unwrap_err(),
    ];
    for (status, name) in statuses.iter().zip(["ListResources", "ListSubjects", "Watch"]) {
        let told = format!("{name} is not available in this version of stagedoor");
        assert_eq!((status.code(), status.message()), (Code::Unimplemented, told.as_str()));
    }
    app.end().await;
}

#[tokio::test]
async fn without_a_guard_its_log_says_how_to_have_one() {
    let app = App::demo().await;
    let status = GuardClient::new(app.channel().await).log(v1::GuardLogRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("guard: {enabled: true}"), "{status}");
    app.end().await;
}

#[tokio::test]
async fn reflection_lists_every_service() {
    let app = App::demo().await;
    let ask = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(app.channel().await);
    let mut answers = client.server_reflection_info(tokio_stream::once(ask)).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(list) = answer else { panic!("{answer:?}") };
    let names: HashSet<_> = list.service.into_iter().map(|service| service.name).collect();
    for name in [
        "stagedoor.v1.Authorization",
        "stagedoor.v1.Guard",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
    ] {
        assert!(names.contains(name), "{name} in {names:?}");
    }
    drop(answers);
    app.end().await;
}

#[tokio::test]
async fn a_stranger_is_denied_not_refused() {
    let app = App::demo().await;
    let answer = app.client().await.check(question("nobody", "comment", "task:sh010-animation")).await.unwrap();
    assert_eq!(answer.into_inner().reason.unwrap().code(), v1::ReasonCode::SubjectUnknown);
    app.end().await;
}
