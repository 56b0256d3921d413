//! What is asked about, against what the pack has; what answers mean.

use std::collections::BTreeSet;

use reqwest::StatusCode;
use serde_json::json;

use super::questions::{ENTITIES, SITE, UNASKED};
use super::request::Meaning;
use super::*;
use crate::engine::policy::Policy;

fn questions(writes: bool) -> Vec<Asked<Request>> {
    let person = json!({"id": "ada", "departments": ["anim"]});
    let statuses = [
        json!({"id": "wip", "is_artist_allowed": true, "is_client_allowed": false}),
        json!({"id": "done", "is_artist_allowed": false, "is_client_allowed": false}),
    ];
    let mut questions = Questions { person: &person, statuses: &statuses, writes, asked: Vec::new() };
    let row =
        json!({"id": "x", "project_id": "p", "object_id": "t", "task_status_id": "wip", "assignees": ["ada", "bo"]});
    questions.site();
    questions.project(&row);
    ENTITIES.iter().for_each(|kind| questions.entity(kind, &row, &["colour".to_owned()]));
    SITE.iter().for_each(|(kind, ..)| questions.shared(kind, &row));
    questions.task(&row, "user", Some(&row));
    questions.task(&row, "user", None);
    questions.task(&row, "supervisor", None);
    questions.comment(&row);
    questions.playlist(&row);
    questions.descriptor(&row);
    questions.person(&row);
    questions.asked
}

#[test]
fn each_action_of_the_pack_is_asked_or_said_to_be_not() {
    let asked: BTreeSet<_> =
        questions(true).iter().map(|asked| format!("{}.{}", asked.question.kind, asked.question.action)).collect();
    let silent = |action: &str| {
        let everywhere = format!("*.{}", action.split_once('.').unwrap().1);
        UNASKED.iter().any(|(silent, _)| *silent == action || *silent == everywhere)
    };
    let policy = Policy::load("kitsu", None).unwrap();
    let kinds = ["person", "project", "task", "comment", "playlist", "metadata_descriptor", "event"];
    let mut known = BTreeSet::new();
    for kind in kinds.iter().chain(&ENTITIES).chain(SITE.iter().map(|(kind, ..)| kind)) {
        for (action, _) in policy.vocabulary(kind) {
            let action = format!("{kind}.{action}");
            assert!(asked.contains(&action) != silent(&action), "{action} is asked and said not to be, or neither");
            known.insert(action);
        }
    }
    let made_up: Vec<_> = asked.difference(&known).collect();
    assert!(made_up.is_empty(), "{made_up:?}");
}

#[test]
fn no_request_could_do_what_it_asks_for() {
    for Asked { question, request } in questions(true) {
        assert!(matches!(request.method, Method::GET | Method::PUT | Method::POST), "{question}");
        assert_eq!(request.is_read(), request.body.is_none(), "{question}");
        assert_eq!(request.is_read(), request.method == Method::GET, "{question}");
        let done = request.meaning(StatusCode::CREATED, b"{}");
        assert_eq!(done.is_err(), !request.is_read(), "{question}: {done:?}");
    }
    assert!(questions(false).iter().all(|asked| asked.request.is_read()));
}

#[test]
fn what_answers_mean() {
    let read = Request::get("/data/tasks/x");
    let write = Request::put("/data/tasks/x", json!({}), &["Invalid date format"]);
    let made = Request::post_missing("/data/projects/p/shots", json!({}), "/data/projects/p");
    let said = |words: &str| json!({"error": true, "message": words}).to_string();
    let of = |request: &Request, status: u16, words: &str| {
        request.meaning(StatusCode::from_u16(status).unwrap(), said(words).as_bytes())
    };
    let verdict = |verdict| Ok(Meaning::Verdict(verdict));
    assert_eq!(of(&read, 200, ""), verdict(Verdict::Allowed));
    assert_eq!(of(&read, 403, "no"), verdict(Verdict::Refused("403 no".into())));
    assert_eq!(of(&read, 404, "gone"), verdict(Verdict::Inconclusive("404 gone".into())));
    assert_eq!(of(&write, 400, "Invalid date format for x"), verdict(Verdict::Allowed));
    assert_eq!(of(&write, 400, "Malformed ID."), verdict(Verdict::Inconclusive("400 Malformed ID.".into())));
    assert_eq!(of(&write, 404, "gone"), verdict(Verdict::Inconclusive("404 gone".into())));
    assert_eq!(of(&made, 404, "gone"), Ok(Meaning::AllowedIf("/data/projects/p".into())));
    assert_eq!(of(&made, 400, "x"), verdict(Verdict::Inconclusive("400 x".into())));
    for request in [&read, &write, &made] {
        assert!(matches!(of(request, 401, "expired"), Err(SourceError::Refused(_))));
        assert!(matches!(of(request, 502, ""), Err(SourceError::Unavailable(_))));
        assert_eq!(of(request, 403, ""), verdict(Verdict::Refused("403".into())));
    }
}
