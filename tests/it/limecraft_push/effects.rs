//! One pushed event each: what it changes for whom, at the latest when its answer is there. Prints how long that takes.

use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use stagedoor::proto::v1;

use super::{TOKEN, app, snapshot, studio};
use crate::app::App;

/// The studio with actions that look at rights, roles and objects.
fn with_actions() -> Value {
    let mut studio = studio(1);
    studio["productions"][0]["actions"] = json!({
        "productionActions": [
            {"id": "share", "label": "Share", "requiredRights": "LIBRARY_SHARE"},
            {"id": "request", "label": "Request", "requiredRights": "!LIBRARY_SHARE"},
            {"id": "edit", "label": "Edit", "requiredRights": "LIBRARY_SHARE|!LIBRARY_SHARE", "requiredRoles": "name[Editor]"},
        ],
        "clipActions": [],
        "eoActions": [{"id": "draft", "label": "Draft", "requiredRights": "LIBRARY_UPLOAD",
            "filters": [{"key": "eo.objectType", "values": ["Draft"]}]}],
    });
    studio["teams"][0]["rights"] = json!([]);
    studio
}

/// Which of the actions Ada sees.
async fn sees(app: &App) -> String {
    let mut client = app.client().await;
    let mut seen = Vec::new();
    for (kind, id, name) in [
        ("production", "2336", "share"),
        ("production", "2336", "request"),
        ("production", "2336", "edit"),
        ("eo", "9", "draft"),
    ] {
        let request = v1::CheckRequest {
            subject: Some(v1::Subject { r#type: "login".to_owned(), id: "ada".to_owned() }),
            action: Some(v1::Action { name: name.to_owned(), ..v1::Action::default() }),
            resource: Some(v1::Resource {
                r#type: kind.to_owned(),
                id: id.to_owned(),
                project: "2336".to_owned(),
                ..v1::Resource::default()
            }),
            ..v1::CheckRequest::default()
        };
        let answer = client.check(request).await.unwrap().into_inner();
        seen.extend((answer.decision() == v1::Decision::Allow).then_some(name));
    }
    seen.join(" ")
}

#[tokio::test]
async fn each_takes_effect_with_its_answer() {
    let app = app(None).await;
    assert_eq!(snapshot(&app, &with_actions()).await.status, 200);
    assert_eq!(sees(&app).await, "request edit");
    let team = |rights: Value, productions: Value| json!({"id": 5, "account_id": 63625, "user_ids": [12], "rights": rights, "production_ids": productions});
    let member =
        |rights: Value, state: &str| json!({"user_id": 12, "state": state, "role_ids": [3202], "extra_rights": rights});
    let role = |name: &str, rights: Value| json!({"id": 3202, "name": name, "rights": rights});
    let mut revision = 1;
    let mut times = Vec::new();
    let http = Client::new();
    for (kind, user, object, expected) in [
        ("x.team.upsert", json!(null), team(json!(["LIBRARY_SHARE"]), json!([2336])), "share edit"),
        ("x.team.upsert", json!(null), team(json!(["LIBRARY_SHARE"]), json!([])), "request edit"),
        ("x.member.update", json!(12), member(json!(["LIBRARY_SHARE"]), "ACCEPTED"), "share edit"),
        ("Team.add", json!(12), member(json!([]), "ACCEPTED"), "request edit"),
        ("x.role.upsert", json!(null), role("Cutter", json!(["LIBRARY_SHARE"])), "share"),
        ("x.role.upsert", json!(null), role("Editor", json!(["LIBRARY_UPLOAD"])), "request edit"),
        ("x.eo.update", json!(null), json!({"id": 9, "objectType": "Draft"}), "request edit draft"),
        ("x.eo.update", json!(null), json!({"id": 9, "objectType": "Scene"}), "request edit"),
        ("Production.update", json!(null), json!({"status": "Archived"}), ""),
        ("Production.update", json!(null), json!({"status": "Active"}), "request edit"),
        ("x.member.update", json!(12), member(json!([]), "EXPIRED"), ""),
        ("Team.add", json!(12), member(json!([]), "ACCEPTED"), "request edit"),
        ("Team.remove", json!(12), json!(null), ""),
        ("Team.add", json!(12), member(json!([]), "ACCEPTED"), "request edit"),
        (
            "x.settings.update",
            json!(null),
            json!({"actions": {"productionActions": [{"id": "share", "label": "S", "requiredRights": "LIBRARY_UPLOAD"}],
                "clipActions": [], "eoActions": []}}),
            "share",
        ),
        ("x.user.upsert", json!(null), json!({"id": 12, "login": "ada", "email": "a@b.example", "active": false}), ""),
    ] {
        // What is cached must not outlive the event.
        sees(&app).await;
        revision += 1;
        let event = json!([{"id": format!("e{revision}"), "revision": revision, "type": kind, "production_id": 2336,
            "user_id": user, "object": object}]);
        let request = http.post(format!("http://{}/v1/sources/limecraft/events", app.push)).bearer_auth(TOKEN);
        let request = request.header("content-type", "application/json").body(event.to_string());
        let began = Instant::now();
        let answer = request.send().await.unwrap();
        times.push(began.elapsed());
        assert_eq!(answer.status(), StatusCode::OK, "{kind}: {}", answer.text().await.unwrap());
        assert_eq!(sees(&app).await, expected, "after {kind}");
    }
    times.sort_unstable();
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or(Duration::MAX);
    println!("pushed event to changed answer, {} events: p50 {:?}, p95 {:?}", times.len(), at(50), at(95));
    app.end().await;
}
