//! Answers as servers send them, whole and broken.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read(body: &Json, operations: usize) -> Result<Vec<Json>, Failure> {
    results(body.to_string().as_bytes(), operations)
}

fn user(id: &str, rest: Json) -> Json {
    let mut row = json!({"__entity_type__": "User", "id": id});
    row.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    row
}

#[test]
fn errors_are_told_apart_by_name_whatever_the_status() {
    let error = |name: &str, status: u16| {
        let body = json!({"exception": name, "content": "no\n\u{1b} more", "error_code": null}).to_string();
        told(body.as_bytes(), StatusCode::from_u16(status).unwrap()).unwrap()
    };
    for status in [200, 400, 401, 403, 422, 500] {
        assert!(matches!(error("InvalidCredentialsError", status), Failure::Key(_)), "{status}");
        assert!(matches!(error("FTAuthenticationError", status), Failure::Key(_)), "{status}");
        assert!(matches!(error("PermissionError", status), Failure::Refused(_)), "{status}");
        assert!(matches!(error("ValidationError", status), Failure::Invalid(_)), "{status}");
        assert!(matches!(error("ParseError", status), Failure::Invalid(_)), "{status}");
        assert!(matches!(error("OperationalError", status), Failure::Unavailable(_)), "{status}");
    }
    assert!(matches!(error("Strange", 200), Failure::Invalid(_)));
    assert!(matches!(error("Strange", 500), Failure::Unavailable(_)));
    let Failure::Invalid(said) = error("ValidationError", 200) else { panic!("another failure") };
    assert!(said.ends_with("ValidationError: no more"), "{said}");
}

#[test]
fn what_is_no_error_is_none() {
    for body in ["", "[]", "[{\"exception\": \"x\"}]", "{", "{}", "\"x\"", "<html>", "{\"exception\": 7}"] {
        assert_eq!(told(body.as_bytes(), StatusCode::OK), None, "{body}");
    }
    let detail = br#"{"detail": [{"loc": ["body"], "msg": "field required"}]}"#;
    assert!(matches!(told(detail, StatusCode::UNPROCESSABLE_ENTITY), Some(Failure::Invalid(_))));
    assert_eq!(told(detail, StatusCode::BAD_GATEWAY), None);
}

#[test]
fn there_is_one_result_for_each_operation() {
    assert_eq!(read(&json!([{"a": 1}, [2]]), 2), Ok(vec![json!({"a": 1}), json!([2])]));
    for (body, operations) in [(json!([]), 1), (json!([1, 2]), 1), (json!({}), 1), (json!("x"), 1), (json!(null), 0)] {
        assert!(matches!(read(&body, operations), Err(Failure::Malformed(_))), "{body}");
    }
    assert!(matches!(results(b"<html>", 1), Err(Failure::Malformed(_))));
    let inside = json!([{"data": []}, {"exception": "PermissionError", "content": "x"}]);
    assert!(matches!(read(&inside, 2), Err(Failure::Refused(_))));
}

#[test]
fn what_is_told_once_is_known_everywhere() {
    let body = json!([
        {"data": [
            user("u", json!({"name": "Ada", "role": {"__entity_type__": "Role", "id": "r", "type": "A"}})),
            user("v", json!({"role": {"__entity_type__": "Role", "id": "r"}})),
        ]},
        {"data": [user("u", json!({"email": "a@x"})), {"__entity_type__": "Group", "id": "u"}]},
    ]);
    let told = read(&body, 2).unwrap();
    let role = json!({"__entity_type__": "Role", "id": "r", "type": "A"});
    assert_eq!(told[0]["data"][1]["role"], role);
    assert_eq!(told[1]["data"][0], user("u", json!({"email": "a@x", "name": "Ada", "role": role})));
    assert_eq!(told[0]["data"][0]["email"], "a@x");
    assert_eq!(told[1]["data"][1], json!({"__entity_type__": "Group", "id": "u"}), "another type's id");
}

#[test]
fn what_refers_to_itself_ends() {
    let body = json!([{"data": [
        {"__entity_type__": "A", "id": "1", "b": {"__entity_type__": "B", "id": "1"}},
        {"__entity_type__": "B", "id": "1", "a": {"__entity_type__": "A", "id": "1"}},
    ]}]);
    assert!(read(&body, 1).is_ok());
    // One entity of a megabyte, named ten thousand times.
    let mut rows = vec![json!({"__entity_type__": "A", "id": "1", "text": "x".repeat(1 << 20)})];
    rows.resize(10_000, json!({"__entity_type__": "A", "id": "1"}));
    assert!(matches!(read(&json!([{"data": rows}]), 1), Err(Failure::Malformed(_))));
}

#[test]
fn pages() {
    let next = |offset: Json| json!({"data": [{"id": "1"}], "metadata": {"next": {"offset": offset}}});
    assert_eq!(page(next(json!(7))).unwrap().next, Some(7));
    for last in [next(json!(null)), json!({"data": []}), json!({"data": [], "metadata": {}})] {
        assert_eq!(page(last).unwrap().next, None);
    }
    for bad in [
        json!(null),
        json!([]),
        json!({}),
        json!({"data": {}}),
        json!({"data": [7]}),
        next(json!(-1)),
        next(json!("x")),
    ] {
        assert!(page(bad.clone()).is_err(), "{bad}");
    }
}

fn anything() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        "[ab]{0,2}".prop_map(Json::from),
        Just(json!({"__entity_type__": "A", "id": "1"})),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        let name = prop_oneof![Just("__entity_type__"), Just("id"), Just("a"), Just("exception"), Just("data")];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::vec((name, inner), 0..4)
                .prop_map(|pairs| pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

proptest! {
    #[test]
    fn nothing_panics(body in anything(), operations in 0_usize..4) {
        if let Ok(read) = read(&body, operations) {
            let _any: Vec<_> = read.into_iter().map(page).collect();
        }
    }
}
