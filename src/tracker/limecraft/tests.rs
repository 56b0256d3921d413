//! Snapshots and events: understood as a whole, or refused with every place that is wrong.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::*;
use crate::engine::policy::Policy;
use crate::model::id::Id;
use crate::model::record::Record;
use crate::model::value::Value;
use crate::tracker::ingest::feed::Accepted;

/// `limecraft.md` 4.3, with users and actions.
fn studio() -> Json {
    json!({
        "source": "limecraft", "schema": 1, "revision": 1718, "generated_at_ms": 1_763_712_000_000_i64,
        "rights_catalogue": ["LIBRARY_SHARE"],
        "users": [
            {"id": 12, "login": "ada", "email": "ada@studio.example", "active": true, "name": "Ada"},
            {"id": 13, "login": "bo", "email": null, "active": false},
        ],
        "productions": [
            {
                "id": 2336, "name": "P", "account_id": 63625, "status": "Active",
                "roles": [{"id": 3202, "name": "Editor", "rights": ["LIBRARY_UPLOAD"]}],
                "members": [
                    {"user_id": 12, "state": "ACCEPTED", "role_ids": [3202], "extra_rights": ["X"]},
                    {"user_id": 99, "state": "PENDING", "role_ids": [3202]},
                ],
                "actions": {
                    "productionActions": [{"label": "Export", "requiredRights": null}],
                    "clipActions": [],
                    "eoActions": [
                        {"label": "Share", "icon": "icon-magic", "clientCommand": "X", "params": {"a": [1]},
                         "requiredRights": "LIBRARY_SHARE", "filters": [{"key": "eo.title", "values": [true, 60, null]}],
                         "requiredRoles": "id[3202]", "operator": "OR"},
                        {"label": "Share"},
                        {"id": "mine", "label": "Share"},
                    ],
                },
            },
            {"id": 7, "name": "Old", "status": "Archived", "roles": [], "members": []},
        ],
        "teams": [{
            "id": 5, "account_id": 63625, "user_ids": [12], "rights": ["DELETE"], "production_ids": [2336, 7],
        }],
    })
}

fn source() -> Limecraft {
    let policy = Policy::load("limecraft", None).unwrap();
    Limecraft::new(None, true, Arc::clone(&policy.schema))
}

fn put(source: &Limecraft, studio: &Json) -> Result<Accepted, Refused> {
    let whole = parse_snapshot(&studio.to_string())?;
    source.feed().apply(whole, None, |push, whole| apply_snapshot(push, &whole)).map(|(accepted, _)| accepted)
}

fn post(source: &Limecraft, list: Json) -> Result<Accepted, Refused> {
    source.feed().apply(list.to_string(), None, |push, text| events::apply(push, &text)).map(|(accepted, _)| accepted)
}

fn held() -> Limecraft {
    let source = source();
    put(&source, &studio()).unwrap();
    source
}

fn event(number: u64, kind: &str, object: Json) -> Json {
    let revision = 1718 + number;
    json!({"id": format!("e{number}"), "revision": revision, "type": kind, "production_id": 2336, "object": object})
}

fn changes(source: &Limecraft) -> Vec<Change> {
    let mut changes = source.feed().snapshot().unwrap().changes;
    changes.sort_by_key(|change| format!("{change:?}"));
    changes
}

fn record(source: &Limecraft, kind: &str, id: &str) -> Option<Record> {
    source.feed().objects(&[ObjectRef::new(kind, id)]).into_iter().find_map(|change| match change {
        Change::Upsert(record) => Some(record),
        _ => None,
    })
}

/// The members of the production with their roles and rights.
fn members(source: &Limecraft) -> Vec<(String, Vec<String>, Vec<String>)> {
    let team = source.feed().objects(&[ObjectRef::new("production", "2336")]);
    let members = team.into_iter().find_map(|change| match change {
        Change::Team { members, .. } => Some(members),
        _ => None,
    });
    let text = |ids: Vec<Id>| ids.iter().map(Id::to_string).collect();
    let mut members: Vec<_> = members
        .unwrap()
        .into_iter()
        .map(|member| {
            let rights = member.rights.iter().map(ToString::to_string).collect();
            (member.person.to_string(), text(member.roles), rights)
        })
        .collect();
    members.sort();
    members
}

fn problems(refused: Result<Accepted, Refused>) -> Vec<String> {
    match refused {
        Err(Refused::Invalid(problems)) => problems,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_snapshot_becomes_records() {
    let source = held();
    let person = record(&source, "person", "12").unwrap();
    assert_eq!((person.name.as_str(), person.field("active")), ("Ada", Some(&Value::Bool(true))));
    let nameless = record(&source, "person", "13").unwrap();
    assert_eq!((nameless.name.as_str(), nameless.field("email")), ("bo", Some(&Value::Null)));
    let production = record(&source, "production", "7").unwrap();
    assert_eq!(production.field("status"), Some(&Value::text("Archived")));
    let role = record(&source, "role", "3202").unwrap();
    assert_eq!((role.project, role.name.as_str()), (Some(Id::from("2336")), "Editor"));
    let team = record(&source, "team", "5").unwrap();
    assert_eq!(team.field("productions"), Some(&Value::texts(["2336", "7"])));
    for right in ["LIBRARY_SHARE", "LIBRARY_UPLOAD", "X", "DELETE"] {
        assert!(record(&source, "right", right).is_some(), "{right}");
    }
    assert_eq!(members(&source), [("12".to_owned(), vec!["3202".to_owned()], vec!["X".to_owned()])]);
}

#[test]
fn an_action_keeps_its_rules_as_they_are_and_its_place() {
    let source = held();
    let share = record(&source, "action", "2336/eo/Share").unwrap();
    assert_eq!(share.field("required_rights"), Some(&Value::text("LIBRARY_SHARE")));
    assert_eq!(share.field("required_roles"), Some(&Value::text("id[3202]")));
    let filter = match share.field("filters") {
        Some(Value::List(filters)) => filters[0].clone(),
        other => panic!("{other:?}"),
    };
    let values = Value::List(vec![Value::Bool(true), Value::Number(60.0), Value::Null]);
    assert_eq!((filter.get("key"), filter.get("values")), (Some(&Value::text("eo.title")), Some(&values)));
    let second = record(&source, "action", "2336/eo/Share#2").unwrap();
    assert_eq!((second.field("order"), second.field("filters")), (Some(&Value::Number(1.0)), Some(&Value::Null)));
    let mine = record(&source, "action", "2336/eo/mine").unwrap();
    assert_eq!((mine.name.as_str(), mine.field("action")), ("Share", Some(&Value::text("mine"))));
    let export = record(&source, "action", "2336/production/Export").unwrap();
    assert_eq!(export.field("of"), Some(&Value::text("production")));
}

#[test]
fn everything_that_is_wrong_is_told_with_its_place() {
    let text = r#"{"source": "limecraft", "schema": 1, "revision": 1,
 "users": [{"id": 12, "active": true}, {"id": 12, "active": true}],
 "productions": [{"id": 1, "name": "P", "status": "Active",
   "roles": [{"id": 5, "name": "a", "rights": [""]}, {"id": 5, "name": "b", "rights": []}],
   "members": [{"user_id": 12, "state": "ACCEPTED", "role_ids": [5, 6]}, {"user_id": 14, "state": "ACCEPTED", "role_ids": []}]}],
 "teams": [{"id": 9, "user_ids": [15], "rights": [], "production_ids": [2]}]}"#;
    assert_eq!(
        document::read(text).unwrap_err(),
        [
            "line 2, column 47, at `users[1].id`: the user 12 stands twice; keep one of them",
            "line 4, column 48, at `productions[0].roles[0].rights[0]`: the name of a right is empty",
            "line 4, column 61, at `productions[0].roles[1].id`: the role 5 stands twice; keep one of them",
            "line 5, column 69, at `productions[0].members[0].role_ids[1]`: this production has no role 6",
            "line 5, column 86, at `productions[0].members[1].user_id`: there is no user 14; list them under `users`",
            "line 6, column 35, at `teams[0].user_ids[0]`: there is no user 15; list them under `users`",
            "line 6, column 73, at `teams[0].production_ids[0]`: there is no production 2",
        ]
    );
}

#[test]
fn a_wrong_shape_is_told_with_its_path() {
    let told = |change: fn(&mut Json)| {
        let mut studio = studio();
        change(&mut studio);
        let told = document::read(&studio.to_string()).unwrap_err();
        assert_eq!(told.len(), 1, "{told:?}");
        told[0].clone()
    };
    let said = told(|studio| studio["productions"][0]["roles"][0]["rights"] = json!("A"));
    assert!(said.contains("at `productions[0].roles[0].rights`: invalid type: string \"A\""), "{said}");
    let said = told(|studio| studio["productions"][0]["members"][0]["role_id"] = json!(1));
    assert!(said.contains("at `productions[0].members[0].role_id`: unknown field `role_id`"), "{said}");
    let said = told(|studio| studio["schema"] = json!(2));
    assert!(said.ends_with("at `schema`: schema 2 is unknown; this version reads schema 1"), "{said}");
    let said = told(|studio| *studio = json!({"source": "ftrack", "people": []}));
    assert!(said.ends_with("at `source`: `ftrack` is not `limecraft`"), "{said}");
    let said = told(|studio| drop(studio.as_object_mut().unwrap().remove("users")));
    assert!(said.contains("missing field `users`"), "{said}");
    let said = told(|studio| studio["productions"][1]["status"] = json!("active"));
    assert!(said.contains("at `productions[1].status`: unknown variant `active`"), "{said}");
    for misspelt in ["requiredRight", "required_rights", "RequiredRights", "filter", "requiredRole"] {
        let mut studio = studio();
        studio["productions"][0]["actions"]["clipActions"] = json!([{"label": "A", misspelt: "B"}]);
        let said = document::read(&studio.to_string()).unwrap_err().concat();
        assert!(said.contains(&format!("unknown key `{misspelt}`; did you mean")), "{said}");
    }
}

#[test]
fn what_is_cut_off_or_no_json_is_no_studio() {
    let text = studio().to_string();
    for end in [0, 1, 100, text.len() / 2, text.len() - 1] {
        assert!(document::read(text.get(..end).unwrap()).is_err(), "{end}");
    }
    assert!(document::read(&format!("{text}{text}")).is_err());
    let twice = text.replacen(r#""key":"eo.title""#, r#""key":"eo.id","key":"eo.title""#, 1);
    let said = document::read(&twice).unwrap_err().concat();
    assert!(said.contains("`key` stands twice"), "{said}");
    assert!(document::read(&format!("{}{}", "[".repeat(5_000), "]".repeat(5_000))).is_err());
}

#[test]
fn no_more_than_twenty_complaints_are_told() {
    let mut studio = studio();
    studio["teams"][0]["user_ids"] = json!((100..200).collect::<Vec<_>>());
    let told = document::read(&studio.to_string()).unwrap_err();
    assert_eq!((told.len(), told[20].as_str()), (21, "and 80 more"));
}

#[test]
fn events_do_what_they_say() {
    let source = held();
    let member = |roles: &[i64]| json!({"user_id": 13, "state": "ACCEPTED", "role_ids": roles, "extra_rights": ["Y"]});
    let list = json!([
        event(1, "Team.add", member(&[3202])),
        event(2, "x.role.upsert", json!({"id": 3203, "name": "Cutter", "rights": ["Z"]})),
        event(3, "x.member.update", member(&[3203, 3202])),
        event(4, "x.role.delete", json!({"id": 3202})),
        event(5, "Media.create", json!({"anything": [1, 2]})),
        event(6, "x.eo.update", json!({"id": 77, "objectType": "Draft", "title": "Pilot"})),
        event(7, "x.user.upsert", json!({"id": 14, "login": "cy", "active": true})),
        event(8, "x.team.upsert", json!({"id": 6, "user_ids": [14], "rights": ["Q"], "production_ids": [7]})),
        event(9, "x.team.delete", json!({"id": 5})),
        event(10, "x.settings.update", json!({"actions": {"eoActions": [{"label": "Only"}]}})),
        event(11, "Production.update", json!({"name": "Q", "status": "Archived"})),
    ]);
    let accepted = post(&source, list).unwrap();
    assert_eq!((accepted.revision, accepted.applied, accepted.ignored, accepted.replayed), (1729, 10, 1, 0));
    let roles = |roles: &[&str]| roles.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        members(&source),
        [("12".to_owned(), roles(&[]), roles(&["X"])), ("13".to_owned(), roles(&["3203"]), roles(&["Y"]))]
    );
    assert!(record(&source, "role", "3202").is_none() && record(&source, "team", "5").is_none());
    for right in ["Y", "Z", "Q"] {
        assert!(record(&source, "right", right).is_some(), "{right}");
    }
    let eo = record(&source, "eo", "77").unwrap();
    assert_eq!((eo.name.as_str(), eo.project.clone()), ("Pilot", Some(Id::from("2336"))));
    assert_eq!(eo.field("attributes").unwrap().get("objectType"), Some(&Value::text("Draft")));
    assert!(record(&source, "action", "2336/eo/Share").is_none());
    assert!(record(&source, "action", "2336/eo/Only").is_some());
    let production = record(&source, "production", "2336").unwrap();
    assert_eq!((production.name.as_str(), production.field("status")), ("Q", Some(&Value::text("Archived"))));
    assert_eq!(production.field("account_id"), Some(&Value::Number(63625.0)));

    let leaving = json!({"id": "e12", "revision": 1730, "type": "Team.remove", "production_id": 2336, "user_id": 13});
    post(&source, json!([leaving])).unwrap();
    assert_eq!(members(&source).len(), 1);
    let left = json!({"id": "e13", "revision": 1731, "type": "x.member.update", "production_id": 2336, "user_id": 12,
        "object": null});
    post(&source, json!([left, event(14, "x.eo.delete", json!({"id": 77}))])).unwrap();
    assert!(members(&source).is_empty() && record(&source, "eo", "77").is_none());
}

#[test]
fn a_production_goes_with_all_that_lies_in_it_and_comes_back_whole() {
    let source = held();
    post(&source, json!([event(1, "x.eo.update", json!({"id": 77})), event(2, "Production.delete", Json::Null)]))
        .unwrap();
    for (kind, id) in [("production", "2336"), ("role", "3202"), ("action", "2336/eo/Share"), ("eo", "77")] {
        assert!(record(&source, kind, id).is_none(), "{kind}");
    }
    assert!(record(&source, "production", "7").is_some());
    post(&source, json!([event(3, "Production.restore", studio()["productions"][0].clone())])).unwrap();
    assert_eq!(changes(&source), changes(&held()));
}

#[test]
fn one_bad_event_undoes_the_whole_request() {
    let source = held();
    let before = changes(&source);
    let good = [
        event(1, "x.member.update", json!({"user_id": 13, "state": "ACCEPTED", "role_ids": []})),
        event(2, "x.role.delete", json!({"id": 3202})),
        event(3, "Production.delete", Json::Null),
        event(4, "x.user.upsert", json!({"id": 14, "active": true})),
    ];
    for (bad, said) in [
        (
            event(5, "x.team.upsert", json!({"id": 6, "user_ids": [55], "rights": [], "production_ids": []})),
            "at `[4].object.user_ids[0]`: there is no user 55",
        ),
        (
            event(5, "x.role.upsert", json!({"id": 1, "name": "A", "rights": []})),
            "at `[4].production_id`: there is no production 2336",
        ),
        (
            event(5, "x.user.upsert", json!({"id": 15})),
            "at `[4].object`: in the object, line 1, column 9: missing field `active`",
        ),
        (event(5, "x.user.upsert", Json::Null), "at `[4].object`: `x.user.upsert` needs an `object`"),
        (event(5, "x.eo.update", json!({"title": "A"})), "`id`, a whole number"),
        (json!({"id": "", "revision": 1723, "type": "A"}), "at `[4].id`"),
        (json!({"id": "e5", "revision": 1723, "type": "A", "prodution_id": 1}), "unknown field `prodution_id`"),
        (json!({"id": "e5", "revision": "1723", "type": "A"}), "at `[4].revision`"),
    ] {
        let list: Vec<Json> = good.iter().cloned().chain([bad]).collect();
        let told = problems(post(&source, json!(list)));
        assert!(told[0].contains(said), "{told:?}");
        assert_eq!((changes(&source), source.feed().revision()), (before.clone(), Some(1718)));
    }
    assert_eq!(post(&source, json!(good)).unwrap().applied, 4, "their ids were not remembered");
}

#[test]
fn a_label_takes_no_other_actions_id() {
    let mut studio = studio();
    studio["productions"][0]["actions"]["eoActions"] = json!([
        {"label": "export"},
        {"id": "export", "label": "Export all", "requiredRights": "LIBRARY_DELETE"},
        {"label": "export"},
    ]);
    let source = source();
    put(&source, &studio).unwrap();
    let rights =
        |name: &str| record(&source, "action", &format!("2336/eo/{name}")).unwrap().field("required_rights").cloned();
    assert_eq!(rights("export"), Some(Value::text("LIBRARY_DELETE")));
    assert_eq!([rights("export#2"), rights("export#3")], [Some(Value::Null), Some(Value::Null)]);
}

#[test]
fn replays_gaps_and_snapshots() {
    let source = source();
    assert_eq!(post(&source, json!([])), Err(Refused::Empty));
    put(&source, &studio()).unwrap();
    let first = event(1, "x.user.upsert", json!({"id": 14, "active": true}));
    let second = event(2, "x.user.upsert", json!({"id": 15, "active": true}));
    post(&source, json!([first])).unwrap();
    let again = post(&source, json!([first, second, second])).unwrap();
    assert_eq!((again.applied, again.replayed, again.revision), (1, 2, 1720));
    let late = event(4, "x.user.upsert", json!({"id": 16, "active": true}));
    assert_eq!(post(&source, json!([late])), Err(Refused::Gap { have: 1720, got: 1722 }));
    assert!(record(&source, "person", "16").is_none());
    let third = event(3, "x.user.upsert", json!({"id": 16, "active": true}));
    assert_eq!(post(&source, json!([third])), Err(Refused::Lost { have: 1720 }));
    assert_eq!(post(&source, json!([])), Err(Refused::Lost { have: 1720 }));
    assert_eq!(put(&source, &studio()), Err(Refused::Older { have: 1722, got: 1718 }));
    let mut newer = studio();
    newer["revision"] = json!(1722);
    put(&source, &newer).unwrap();
    assert_eq!(post(&source, json!([])).unwrap().revision, 1722);
    assert_eq!(post(&source, json!([event(5, "A", Json::Null)])).unwrap().ignored, 1);
    assert!(record(&source, "person", "14").is_none(), "the snapshot is everything");
    let mut reused = event(6, "Team.remove", Json::Null);
    reused["id"] = second["id"].clone();
    assert!(problems(post(&source, json!([reused])))[0].contains("an older event had this id"));
    assert_eq!(source.feed().revision(), Some(1723));
}

#[test]
fn of_fifty_thousand_members_one_leaves() {
    let mut studio = studio();
    let people = 100..50_100;
    studio["users"] = people.clone().map(|id| json!({"id": id, "active": true})).collect();
    studio["teams"] = json!([]);
    studio["productions"][0]["members"] =
        people.map(|id| json!({"user_id": id, "state": "ACCEPTED", "role_ids": [3202]})).collect();
    let source = source();
    put(&source, &studio).unwrap();
    assert_eq!(members(&source).len(), 50_000);
    let leaving = json!({"id": "a", "revision": 1719, "type": "Team.remove", "production_id": 2336, "user_id": 100});
    let mut changes = Vec::new();
    source
        .feed()
        .apply(json!([leaving]).to_string(), None, |push, text| {
            events::apply(push, &text)?;
            changes.extend_from_slice(push.changes());
            Ok(())
        })
        .unwrap();
    assert_eq!(changes, [Change::Leave { project: Id::from("2336"), person: Id::from("100") }]);
    assert_eq!(members(&source).len(), 49_999);
}
