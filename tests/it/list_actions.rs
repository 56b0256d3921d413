//! ListActions: every action of the kind, in order, each as Check answers it.

use std::time::Instant;

use prost_types::value::Kind;
use prost_types::{Struct, Value};
use stagedoor::config::Tracker;
use stagedoor::proto::v1;
use tonic::Code;

use crate::app::App;

fn request(person: &str, kind: &str, id: &str, project: &str) -> v1::ListActionsRequest {
    v1::ListActionsRequest {
        subject: Some(v1::Subject { r#type: String::new(), id: person.to_owned() }),
        resource: Some(v1::Resource {
            r#type: kind.to_owned(),
            id: id.to_owned(),
            project: project.to_owned(),
            ..v1::Resource::default()
        }),
        context: None,
        include_denied: true,
    }
}

/// Asks for the list, and each of its entries alone: they must agree. Returns names and decisions.
async fn listed(app: &App, request: v1::ListActionsRequest) -> Vec<(String, String, bool)> {
    let mut client = app.client().await;
    let began = Instant::now();
    let all = client.list_actions(request.clone()).await.unwrap().into_inner();
    let (one, count, began) = (began.elapsed(), all.actions.len(), Instant::now());
    assert!(all.freshness.as_ref().is_some_and(|freshness| freshness.revision > 0));
    let allowed = v1::ListActionsRequest { include_denied: false, ..request.clone() };
    let allowed = client.list_actions(allowed).await.unwrap().into_inner().actions;
    let wanted = all.actions.iter().filter(|entry| entry.decision() == v1::Decision::Allow);
    assert!(allowed.iter().eq(wanted), "without the denied the list is the same otherwise");
    let mut list = Vec::new();
    for entry in all.actions {
        let check = v1::CheckRequest {
            subject: request.subject.clone(),
            action: entry.action.clone(),
            resource: request.resource.clone(),
            context: request.context.clone(),
            ..v1::CheckRequest::default()
        };
        let answer = client.check(check).await.unwrap().into_inner();
        assert_eq!((answer.decision, &answer.reason), (entry.decision, &entry.reason), "{:?}", entry.action);
        assert!(!entry.label.is_empty());
        list.push((entry.action.unwrap_or_default().name, entry.label, entry.decision == v1::Decision::Allow as i32));
    }
    println!("{count} actions: one list {one:?}, as many checks one after another {:?}", began.elapsed());
    list
}

#[tokio::test]
async fn the_vocabulary_of_the_kind_agrees_with_check() {
    let app = App::demo().await;
    for person in ["ada", "marta", "hugo", "bo", "vera", "claire", "pavel", "nobody"] {
        for (kind, id) in [("task", "sh010-animation"), ("project", "atlas"), ("shot", "sh010"), ("person", "bo")] {
            let list = listed(&app, request(person, kind, id, "atlas")).await;
            assert!(list.len() > 3, "{kind}");
            let known = !["pavel", "nobody"].contains(&person);
            assert!(known || list.iter().all(|(.., allowed)| !allowed), "{person} {kind}");
        }
    }
    let list = listed(&app, request("bo", "task", "sh010-animation", "")).await;
    assert!(list.contains(&("comment".to_owned(), "Comment".to_owned(), true)), "{list:?}");
    assert!(
        list.iter().any(|(name, ..)| name == "delete")
            && !list.contains(&("delete".to_owned(), "Delete".to_owned(), true))
    );
    app.end().await;
}

#[tokio::test]
async fn a_list_that_cannot_be_made_says_why() {
    let app = App::demo().await;
    let mut client = app.client().await;
    for (request, told) in [
        (request("bo", "tusk", "x", ""), "resource.type: is no kind of object that the policy has"),
        (request("", "task", "x", ""), "subject.id: is missing or empty"),
        (v1::ListActionsRequest { subject: None, ..request("bo", "task", "x", "") }, "subject: is missing or empty"),
        (v1::ListActionsRequest { resource: None, ..request("bo", "task", "x", "") }, "resource: is missing or empty"),
        (request("bo", "", "x", ""), "resource.type: is missing or empty"),
    ] {
        let status = client.list_actions(request).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::InvalidArgument, told));
    }
    app.end().await;
}

/// Two hundred buttons on an editorial object, every fourth malformed.
fn studio() -> String {
    let mut text = "pack: limecraft\nperson: [ann, bob]\nproduction:\n  - {id: '1', status: Active, team: {ann: {rights: [LIBRARY_SHARE]}}}\naction:\n".to_owned();
    for at in 0..200 {
        let rights = ["LIBRARY_SHARE", "!LIBRARY_SHARE", "LIBRARY_SHARE+!LIBRARY_DELETE|LIBRARY_UPLOAD", "!!"][at % 4];
        let filter = format!("[{{key: objectType, values: [Draft]}}, {{key: title, values: [t{}]}}]", at % 3);
        text.push_str(&format!(
            "  - {{id: b{at}, name: 'Button {at}', project: '1', of: eo, action: b{at}, order: {at}, required_rights: '{rights}', filters: {filter}}}\n"
        ));
    }
    text
}

#[tokio::test]
async fn buttons_of_an_object_that_the_caller_describes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("studio.yaml");
    std::fs::write(&path, studio()).unwrap();
    let app = App::boot(|config| config.tracker = Tracker::File(path)).await;
    let text = |text: &str| Value { kind: Some(Kind::StringValue(text.to_owned())) };
    let properties = Struct { fields: [("objectType".into(), text("Draft")), ("title".into(), text("t1"))].into() };
    let mut ask = request("ann", "eo", "any", "1");
    if let Some(resource) = &mut ask.resource {
        resource.properties = Some(properties);
    }
    let list = listed(&app, ask.clone()).await;
    assert_eq!(list.len(), 200);
    for (at, (name, label, allowed)) in list.iter().enumerate() {
        assert_eq!((name.as_str(), label.as_str()), (format!("b{at}").as_str(), format!("Button {at}").as_str()));
        assert_eq!(*allowed, [0, 2].contains(&(at % 4)) && at % 3 == 1, "{at}");
    }
    let stranger = v1::ListActionsRequest {
        subject: Some(v1::Subject { r#type: String::new(), id: "bob".to_owned() }),
        ..ask.clone()
    };
    assert!(listed(&app, stranger).await.iter().all(|(.., allowed)| !allowed));
    app.end().await;
}
