//! Values of each data type, as recorded answers have them.

use serde_json::json;

use super::*;

fn number(number: f64) -> Option<Value> {
    Some(Value::Number(number))
}

fn text(text: &str) -> Option<Value> {
    Some(Value::text(text))
}

#[test]
fn values_are_read_by_their_data_type() {
    let link = || Value::link("Task", "12");
    let told = json!({"id": 12, "name": "comp", "type": "Task"});
    let cases: Vec<(&str, Json, Option<Value>)> = vec![
        ("checkbox", json!(true), Some(Value::Bool(true))),
        ("checkbox", json!(null), Some(Value::Bool(false))),
        ("checkbox", json!("yes"), None),
        ("number", json!(7), number(7.0)),
        ("number", json!(null), Some(Value::Null)),
        ("float", json!("8.5"), number(8.5)),
        ("float", json!("8,5"), None),
        ("float", json!("NaN"), None),
        ("percent", json!(100), number(100.0)),
        ("duration", json!("480"), number(480.0)),
        ("currency", json!(12.5), number(12.5)),
        ("timecode", json!("1000"), number(1000.0)),
        ("timecode", json!("00:00:01:00"), None),
        ("text", json!("a"), text("a")),
        ("text", json!(""), text("")),
        ("text", json!(3), None),
        ("list", json!("Active"), text("Active")),
        ("status_list", json!("ip"), text("ip")),
        ("status_list", json!(null), Some(Value::Null)),
        ("entity_type", json!("Shot"), text("Shot")),
        ("uuid", json!("6b1"), text("6b1")),
        ("date", json!("2026-11-22"), text("2026-11-22")),
        ("date", json!("2026-13-22"), None),
        ("date", json!("22.11.2026"), None),
        ("date_time", json!("2026-11-22T09:30:00Z"), text("2026-11-22T09:30:00Z")),
        ("date_time", json!("2026-11-22 09:30:00 UTC"), text("2026-11-22T09:30:00Z")),
        ("date_time", json!("2026-11-22T09:30:00.5Z"), text("2026-11-22T09:30:00Z")),
        ("date_time", json!("soon"), None),
        ("entity", told.clone(), Some(link())),
        ("entity", json!(null), Some(Value::Null)),
        ("entity", json!({"type": "Task"}), None),
        ("entity", json!([told.clone()]), None),
        ("multi_entity", json!([told.clone()]), Some(Value::List(vec![link()]))),
        ("multi_entity", json!([]), Some(Value::List(Vec::new()))),
        ("multi_entity", json!(null), Some(Value::List(Vec::new()))),
        ("multi_entity", json!([told.clone(), null]), None),
        ("addressing", json!([told]), Some(Value::List(vec![link()]))),
        ("tag_list", json!(["hero"]), Some(Value::texts(["hero"]))),
        ("image", json!("https://x/signed"), None),
        ("url", json!({"url": "x"}), None),
        ("serializable", json!({"a": 1}), None),
        ("calculated", json!("12"), None),
        ("summary", json!(3), None),
        ("a_new_one", json!(3), None),
    ];
    for (data_type, told, expected) in cases {
        assert_eq!(value(data_type, &told), expected, "{data_type} {told}");
    }
}

#[test]
fn a_field_is_not_told_of_as_hidden_where_it_could_not_be_mirrored() {
    assert!(is_read("text") && is_read("multi_entity") && !is_read("image") && !is_read("summary"));
}
