//! What the guard asks of a server that is slow of wit: how often, by which names, with which clock.

use std::time::SystemTime;

use super::*;
use crate::model::id::Id;
use crate::tracker::date;
use crate::tracker::writer::{Move, Writer as _};

fn change(id: &str, from: &str, to: &str, date: &str) -> Json {
    json!({"id": id, "parent_id": "t", "from_status_id": from, "status_id": to, "user_id": "ada", "date": date})
}

fn guarded(changes: &'static str, of: Json) -> Vec<(&'static str, Json)> {
    vec![
        ("from User where username", json!([{"id": "us"}])),
        ("from TypedContext ", json!([{"__entity_type__": "Shot", "id": "t", "name": "sh010", "status_id": "b"}])),
        (changes, of),
    ]
}

#[tokio::test]
async fn one_request_follows_the_last_history() {
    let rows = json!([change("1", "a", "b", "2026-01-01T00:00:00")]);
    let good = by(guarded("from TypedContextStatusChange ", rows));
    let server = Server::start(move |asked, number| match asked {
        [update] if update == "update" => ok(&json!([{"action": "update", "data": {}}])),
        asked => good(asked, number),
    })
    .await;
    let ftrack = server.ftrack();
    ftrack.history(&task("t")).await.unwrap();
    let history = ftrack.history(&task("t")).await.unwrap().unwrap();
    assert_eq!((history.handle.as_str(), history.moves.len()), ("Shot", 1));
    let before = server.asked();
    assert_eq!(before, 3, "who we are is asked once, before the history");
    ftrack.set_status(&task("t"), &history.handle, &Id::from("a")).await.unwrap();
    assert_eq!(server.asked() - before, 1);
}

#[tokio::test]
async fn a_server_that_does_not_know_changes_by_what_they_are_about_is_asked_for_all() {
    let rows = json!([change("1", "a", "b", "2026-01-01T00:00:00")]);
    let good = by(guarded("from StatusChange ", rows));
    let server =
        Server::start(move |asked, number| match asked.iter().any(|text| text.contains("ContextStatusChange")) {
            true => answer("400 Bad Request", r#"{"exception": "ValidationError", "content": "no such entity"}"#),
            false => good(asked, number),
        })
        .await;
    let ftrack = server.ftrack();
    let history = ftrack.history(&task("t")).await.unwrap().unwrap();
    assert_eq!(history.moves.len(), 1);
    let before = server.asked();
    ftrack.history(&task("t")).await.unwrap();
    assert_eq!(server.asked() - before, 1, "it is remembered");
    let found = ftrack.moved_since(SystemTime::UNIX_EPOCH, &[Id::from("b")]).await.unwrap();
    assert!(found.contains(&ObjectRef::new("object", "t")), "{found:?}");
}

#[tokio::test]
async fn an_odd_row_ends_the_history_and_not_the_guard() {
    let (newest, odd) =
        (change("3", "a", "b", "2026-01-03T00:00:00"), json!({"id": "2", "date": "2026-01-02T00:00:00"}));
    let oldest = change("1", "c", "a", "2026-01-01T00:00:00");
    let odd_now = json!({"id": "2", "status_id": "b", "date": "2026-01-03T00:00:00"});
    for (rows, read) in [
        (json!([newest, odd, oldest]), 1),
        (json!([odd, newest, oldest]), 0),
        (json!([newest, odd_now, oldest]), 0),
        (json!([newest, oldest]), 2),
    ] {
        let server = Server::start(by(guarded("from TypedContextStatusChange ", rows.clone()))).await;
        let history = server.ftrack().history(&task("t")).await.unwrap().unwrap();
        assert_eq!(history.moves.len(), read, "{rows}");
    }
}

#[tokio::test]
async fn what_is_before_the_guard_began_is_told_from_what_is_after_as_far_as_the_clock_does() {
    let server = Server::start(by(seen())).await;
    let ftrack = server.ftrack();
    let since = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let of = |seconds: i64| {
        let at = SystemTime::UNIX_EPOCH
            + Duration::from_secs(u64::try_from(date::seconds(since).saturating_add(seconds)).unwrap());
        let moved = Move { id: Id::from("m"), by: None, from: None, to: Id::from("b"), at };
        ftrack.is_since(&moved, since)
    };
    ftrack.shared.own.note_clock(Some(true));
    assert_eq!([of(-30), of(-1), of(30)], [Some(false), Some(true), Some(true)]);
    ftrack.shared.own.note_clock(None);
    assert_eq!([of(-15 * 3600), of(-3600), of(3600), of(15 * 3600)], [Some(false), None, None, Some(true)]);
}

#[tokio::test]
async fn a_user_who_is_spoken_for_is_left_though_the_server_keeps_no_session() {
    let left = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&left);
    let server = Server::start(move |asked, _| {
        let of = |text: &String| match text.as_str() {
            "un_assume_user" => {
                count.fetch_add(1, Ordering::Relaxed);
                json!({})
            }
            "assume_user" => json!({}),
            "query_server_information" => json!({"version": "25.1", "user_information":
                {"id": "k", "username": "api", "permissions": []}}),
            text if text.contains("from SecurityRole") => {
                rows(&json!([{"id": "r", "name": "Artist", "type": "PROJECT"}]))
            }
            text if text.contains("from UserSecurityRole") => {
                rows(&json!([{"id": "h", "user_id": "ada", "security_role_id": "r"}]))
            }
            text if text.contains("from User") => rows(&json!([{"id": "ada", "username": "ada", "is_active": true}])),
            _ => rows(&json!([])),
        };
        ok(&asked.iter().map(of).collect())
    })
    .await;
    let told = server.ftrack().tell_permissions().await.unwrap();
    assert!(told.silent.iter().any(|why| why.contains("keeps no session")), "{told:?}");
    assert_eq!(left.load(Ordering::Relaxed), 1);
}
