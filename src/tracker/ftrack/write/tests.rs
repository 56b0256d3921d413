//! Histories as ftrack sends them.

use serde_json::json;

use super::*;

fn change(id: Json, from: Json, to: Json, date: Json) -> Row {
    let row = json!({"id": id, "from_status_id": from, "status_id": to, "user_id": "u", "date": date});
    row.as_object().unwrap().clone()
}

fn at(second: u64) -> Json {
    json!({"__type__": "datetime", "value": format!("2022-10-10T10:12:{second:02}")})
}

#[test]
fn moves_of_one_second_are_put_in_the_order_in_which_they_join() {
    let rows = [
        change(json!("1"), json!("a"), json!("b"), at(5)),
        change(json!("3"), json!("c"), json!("a"), at(5)),
        change(json!("2"), json!("b"), json!("c"), at(5)),
        change(json!("4"), json!("a"), json!("d"), at(6)),
        change(json!("0"), json!(null), json!("a"), at(4)),
    ];
    let moves: Vec<_> = rows.iter().map(|row| moved(row).unwrap().unwrap()).collect();
    let order = |status: &str| {
        let ordered = order::in_order(moves.clone(), Some(&Id::from(status)));
        ordered.moves.iter().map(|moved| moved.id.to_string()).collect::<String>()
    };
    assert_eq!(order("d"), "43210");
    assert_eq!(order("elsewhere"), "43210", "set without a history: still as they join");
    assert!(order::in_order(Vec::new(), None).moves.is_empty());
}

#[test]
fn dates_ids_and_what_is_missing() {
    let of = |row: Row| moved(&row);
    let plain = of(change(json!(812), json!(null), json!("b"), json!("2022-10-10 10:12:09"))).unwrap().unwrap();
    assert_eq!((plain.id, plain.from), (Id::from("812"), None));
    assert_eq!(plain.at, UNIX_EPOCH + Duration::from_secs(1_665_396_729));
    assert_eq!(of(change(json!("1"), json!("a"), json!(null), at(1))), Ok(None), "to no status");
    for bad in [
        change(json!(null), json!("a"), json!("b"), at(1)),
        change(json!("1"), json!(5), json!("b"), at(1)),
        change(json!("1"), json!("a"), json!("b"), json!(null)),
        change(json!("1"), json!("a"), json!("b"), json!("yesterday")),
    ] {
        assert!(of(bad.clone()).is_err(), "{bad:?}");
    }
}

#[test]
fn names() {
    let of = |row: Json| name(row.as_object().unwrap());
    assert_eq!(of(json!({"name": "comp"})), "comp");
    assert_eq!(of(json!({"version": 7, "asset": {"name": "hero"}})), "hero v007");
    assert_eq!(of(json!({"version": 7, "asset": null})), "");
}
