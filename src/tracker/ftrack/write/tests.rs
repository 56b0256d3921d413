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
fn others_of_the_newest_second_are_rivals_where_they_may_have_come_last() {
    let by = |id: &str, from: &str, to: &str, by: &str, second: u64| {
        let mut row = change(json!(id), json!(from), json!(to), at(second));
        row.insert("user_id".to_owned(), json!(by));
        moved(&row).unwrap().unwrap()
    };
    let of = |moves: Vec<Move>| {
        let order::Ordered { moves, rivals } = order::in_order(moves, Some(&Id::from("x")));
        let ids = |moves: &[Move]| moves.iter().map(|moved| moved.id.to_string()).collect::<String>();
        (ids(&moves), ids(&rivals))
    };
    let text = |moves: &str, rivals: &str| (moves.to_owned(), rivals.to_owned());
    let before = by("0", "w", "a", "bo", 1);
    // kim sets it, uma takes it away, we put it back: only one order joins, however they come.
    let (kim, uma, us) = (by("1", "a", "x", "kim", 5), by("2", "x", "y", "uma", 5), by("3", "y", "x", "us", 5));
    assert_eq!(of(vec![kim.clone(), uma.clone(), us.clone(), before.clone()]), text("3210", ""));
    assert_eq!(of(vec![us, uma, kim, before.clone()]), text("3210", ""));
    // a -> x -> a -> x: who was last is open.
    let (ada, back, lead) = (by("1", "a", "x", "ada", 5), by("2", "x", "a", "bo", 5), by("3", "a", "x", "lead", 5));
    let (_, rivals) = of(vec![ada.clone(), back.clone(), lead, before.clone()]);
    assert_eq!(rivals, "3");
    // The same person's own are none.
    let again = by("3", "a", "x", "ada", 5);
    assert_eq!(of(vec![ada, back, again, before]).1, "");
    // What does not join says nothing.
    let apart = of(vec![by("1", "p", "x", "ada", 5), by("2", "q", "x", "lead", 5), by("0", "w", "a", "bo", 1)]);
    assert_eq!(apart, text("120", "2"));
    // Many of one second are ordered in bounded time.
    let many: Vec<_> = (0..50)
        .map(|n| by(&n.to_string(), if n % 2 == 0 { "a" } else { "x" }, if n % 2 == 0 { "x" } else { "a" }, "ada", 5))
        .collect();
    assert_eq!(order::in_order(many, Some(&Id::from("x"))).moves.len(), 50);
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
