//! What answers mean, and how values are written back.

use serde_json::json;

use super::*;

fn error(title: &str) -> Json {
    json!({"errors": [{"code": 104, "title": title, "detail": null}]})
}

fn of(what: &Write, status: u16, title: &str) -> Result<Verdict, SourceError> {
    request::meaning(what, StatusCode::from_u16(status).unwrap(), &error(title))
}

#[test]
fn what_a_batch_that_comes_to_nothing_means() {
    let never = "Entity of type [Task] with id=999999999 does not exist.";
    let here = "Entity of type [Task] with id=13 does not exist.";
    let refused = |words: &str| Ok(Verdict::Refused(words.to_owned()));
    let change = Write::Update { id: 1, field: "content".to_owned(), value: json!("x") };
    for what in [&Write::Create, &change, &Write::Delete { id: 1 }] {
        assert_eq!(of(what, 404, never), Ok(Verdict::Allowed));
        assert_eq!(of(what, 404, here), refused(&format!("404 {here}")));
        assert_eq!(of(what, 404, "Not Found"), Ok(Verdict::Inconclusive("404 Not Found".to_owned())));
        assert!(matches!(of(what, 200, ""), Err(SourceError::Malformed(_))));
        assert!(matches!(of(what, 401, ""), Err(SourceError::Refused(_))));
        assert!(matches!(of(what, 503, ""), Err(SourceError::Unavailable(_))));
        assert!(matches!(of(what, 500, ""), Ok(Verdict::Inconclusive(_))));
    }
    let update = "The field is not editable for this user: [Task.content].";
    assert_eq!(of(&change, 400, update), refused(&format!("400 {update}")));
    assert_eq!(
        of(&change, 400, "API update() Task.x doesn't exist."),
        refused("400 API update() Task.x doesn't exist.")
    );
    assert!(matches!(of(&Write::Create, 400, "API create() Task.x doesn't exist."), Ok(Verdict::Inconclusive(_))));
    assert_eq!(of(&Write::Create, 400, "Invalid field value, update failed [5 - x]"), Ok(Verdict::Allowed));
    assert!(matches!(of(&change, 400, "Invalid field value, update failed [5 - x]"), Ok(Verdict::Inconclusive(_))));
    let create = "Entity of type Task cannot be created by this user.";
    assert_eq!(of(&Write::Create, 400, create), refused(&format!("400 {create}")));
}

#[test]
fn a_write_is_followed_by_one_that_cannot_be() {
    let requests = [
        Request::create("Task", json!({"sg_status_list": "stagedoor asks"}), "content"),
        Request::update("Task", 1, "content", &json!("x"), "content"),
        Request::delete("Task", 1, "content"),
    ];
    for request in requests {
        let Request::Write { second, .. } = &request else { panic!("{request:?}") };
        assert_eq!((&second["record_id"], &second["request_type"]), (&json!(999_999_999), &json!("update")));
    }
}

#[test]
fn values_are_written_as_they_read() {
    let field = |data_type: &str| {
        let told = json!({"data": {"x": {"data_type": {"value": data_type}, "editable": {"value": false}}}});
        Shape::told("Task", &told).unwrap().fields.remove("x").unwrap()
    };
    for (data_type, read, written) in [
        ("text", json!("a"), Some(json!("a"))),
        ("float", json!("1.5"), Some(json!(1.5))),
        ("float", json!(null), Some(json!(null))),
        ("entity", json!({"type": "Shot", "id": 1, "name": "s"}), Some(json!({"type": "Shot", "id": 1}))),
        ("multi_entity", json!([{"type": "Shot", "id": 1, "name": "s"}]), Some(json!([{"type": "Shot", "id": 1}]))),
        ("multi_entity", json!("odd"), None),
        ("image", json!("https://x"), None),
    ] {
        assert_eq!(field(data_type).written(&read), written, "{data_type}");
    }
    assert!(!field("text").editable);
    assert!(Shape::told("Task", &json!({})).is_err());
}
