//! What comments and the log say of who moved a task. How zou writes them was seen on a running one.

use super::*;

fn comment(id: &str, person: &str, status: &str) -> Comment {
    Comment { id: Id::from(id), status: Id::from(status), person: Some(Id::from(person)), at: 0 }
}

fn task() -> Task {
    Task { id: "t".to_owned(), project: "p".to_owned(), status: Id::from("approved"), created: 0 }
}

/// Newest first, as the log has them.
fn lone(events: &[(&str, &str)]) -> Option<(String, String)> {
    let events: Vec<_> = (0..)
        .zip(events)
        .map(|(number, (name, by))| json!({"id": format!("e{number}"), "name": name, "user_id": by, "created_at": "2026-01-02T03:04:05"}))
        .collect();
    let events: Vec<_> = events.iter().collect();
    let moved = lone_update(&events, &task(), Some(Id::from("wip")))?;
    assert_eq!((moved.to, moved.from), (Id::from("approved"), Some(Id::from("wip"))));
    Some((moved.id.to_string(), moved.by.map(|by| by.to_string()).unwrap_or_default()))
}

#[test]
fn comments_that_keep_the_status_are_no_moves() {
    let comments = [
        comment("c5", "bo", "wip"),
        comment("c4", "ada", "wip"),
        comment("c3", "bo", "todo"),
        comment("c2", "lead", "approved"),
        comment("c1", "ada", "approved"),
    ];
    let moves = earlier(&comments);
    let told: Vec<_> = moves
        .iter()
        .map(|moved| (moved.id.to_string(), moved.by.clone(), moved.from.clone(), moved.to.to_string()))
        .collect();
    let id = |text: &str| Some(Id::from(text));
    assert_eq!(
        told,
        [
            ("c4".to_owned(), id("ada"), id("todo"), "wip".to_owned()),
            ("c3".to_owned(), id("bo"), id("approved"), "todo".to_owned()),
            ("c1".to_owned(), id("ada"), None, "approved".to_owned()),
        ]
    );
    assert!(earlier(&[]).is_empty());
}

#[test]
fn an_update_that_nothing_explains_is_the_move_where_one_person_made_them_all() {
    let who = |at: &str, by: &str| Some((at.to_owned(), by.to_owned()));
    assert_eq!(lone(&[("task:update", "mia")]), who("e0", "mia"));
    assert_eq!(lone(&[("news:new", "bo"), ("task:update", "mia"), ("task:update", "mia")]), who("e1", "mia"));
    assert_eq!(lone(&[]), None);
    assert_eq!(lone(&[("task:new", "mia")]), None, "who made it did not move it");
}

#[test]
fn what_a_comment_or_an_assignment_explains_is_not_taken_for_a_move() {
    let who = |at: &str, by: &str| Some((at.to_owned(), by.to_owned()));
    assert_eq!(lone(&[("task:update", "ada"), ("comment:new", "ada")]), None);
    assert_eq!(lone(&[("task:update", "bo"), ("task:assign", "bo"), ("task:update", "mia")]), who("e2", "mia"));
    assert_eq!(lone(&[("task:update", "mia"), ("comment:new", "ada")]), who("e0", "mia"), "another's comment");
}

#[test]
fn where_several_people_updated_the_task_nobody_is_named() {
    assert_eq!(lone(&[("task:update", "mia"), ("task:update", "bo")]), None);
}
