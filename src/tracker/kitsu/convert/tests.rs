//! Rows of zou, good and bad.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn types() -> Types {
    [("t-shot", "Shot"), ("t-prop", "Prop"), ("t-folder", "ConceptFolder")]
        .into_iter()
        .map(|(id, name)| (Id::from(id), entity_kind(name)))
        .collect()
}

fn problem(change: &Change) -> &str {
    match change {
        Change::Quarantine { problem, .. } => problem,
        other => panic!("not quarantined: {other:?}"),
    }
}

fn ada() -> Json {
    json!({
        "id": "p1", "first_name": "Ada", "last_name": "L", "active": true, "is_bot": false, "role": "supervisor",
        "email": "ada@example.com", "desktop_login": null, "departments": ["d1", "d2"], "studio_id": null,
        "preview_project_id": null, "phone": "1", "type": "Person",
    })
}

fn with(mut row: Json, field: &str, value: Json) -> Json {
    row[field] = value;
    row
}

fn without(mut row: Json, field: &str) -> Json {
    row.as_object_mut().unwrap().remove(field);
    row
}

#[test]
fn a_person_keeps_what_decisions_need() {
    let expected = Record::new("person", "p1")
        .named("Ada L")
        .with("active", true)
        .with("is_bot", false)
        .with("role", Value::text("supervisor"))
        .with("email", Value::text("ada@example.com"))
        .with("desktop_login", None)
        .with("departments", Value::texts(["d1", "d2"]))
        .with("studio_id", None);
    assert_eq!(row(Table::Person, &ada(), &types()), Change::Upsert(expected));
}

#[test]
fn a_preview_account_is_nobody() {
    let preview = with(ada(), "preview_project_id", json!("x"));
    assert_eq!(row(Table::Person, &preview, &types()), Change::Remove(ObjectRef::new("person", "p1")));
}

#[test]
fn a_row_of_another_shape_is_quarantined_and_says_why() {
    for (changed, expected) in [
        (without(ada(), "role"), "it has no role"),
        (without(ada(), "departments"), "it has no departments"),
        (with(ada(), "active", json!("yes")), "its active is neither true nor false"),
        (with(ada(), "departments", json!([1])), "its departments are not all ids"),
        (with(ada(), "departments", json!("d1")), "its departments are not a list"),
        (with(ada(), "studio_id", json!(7)), "its studio_id is neither a text nor null"),
        (with(ada(), "role", json!("lead")), "the role `lead` is not one that this version of stagedoor knows"),
        (with(ada(), "id", json!("")), "its id is empty or no text"),
        (json!(["p1"]), "it is not an object"),
        (json!(null), "it is not an object"),
    ] {
        assert_eq!(problem(&row(Table::Person, &changed, &types())), expected);
    }
}

#[test]
fn an_entity_is_of_the_kind_of_its_type() {
    for (type_id, kind) in [("t-shot", "shot"), ("t-prop", "asset"), ("t-folder", "asset")] {
        let entity =
            json!({"id": "e", "name": "SH1", "project_id": "p", "entity_type_id": type_id, "created_by": "p1"});
        let expected = Record::new(kind, "e").named("SH1").in_project("p").with("created_by", Value::text("p1"));
        assert_eq!(row(Table::Entity, &entity, &types()), Change::Upsert(expected));
    }
    let unknown = json!({"id": "e", "name": "SH1", "project_id": "p", "entity_type_id": "new", "created_by": null});
    assert!(problem(&row(Table::Entity, &unknown, &types())).contains("entity_type_id"));
}

#[test]
fn a_project_has_its_client_statuses_and_its_team() {
    let row = json!({
        "id": "p", "name": "P1", "project_status_id": "s", "is_clients_isolated": true, "is_bot_collaboration_enabled": null,
        "task_statuses_link": {
            "a": {"is_client_allowed": true}, "b": {"is_client_allowed": false}, "c": {"is_client_allowed": null}, "d": {},
        },
    });
    let team = json!([
        {"id": "p1", "project_role": "supervisor"}, {"id": "p2", "project_role": null}, {"id": "p3", "project_role": "admin"},
        {"id": "p4", "project_role": null, "preview_project_id": "p"},
    ]);
    let member = |id: &str, role: Option<&str>| Member::new(Id::from(id), role.map(Str::from));
    let expected = Record::new("project", "p")
        .named("P1")
        .with("project_status_id", Value::text("s"))
        .with("is_clients_isolated", true)
        .with("is_bot_collaboration_enabled", false)
        .with("client_allowed_statuses", Value::texts(["a"]))
        .with("client_denied_statuses", Value::texts(["b"]));
    let members = vec![member("p1", Some("supervisor")), member("p2", None), member("p3", None)];
    assert_eq!(project(&row, &team), [Change::Upsert(expected), Change::Team { project: Id::from("p"), members }]);

    for (row, team, expected) in [
        (row.clone(), json!({}), "its team is not a list"),
        (row.clone(), json!([{"id": "p1"}]), "in its team: it has no project_role"),
        (row.clone(), json!([{"id": "p1", "project_role": "boss"}]), "in its team: the role `boss`"),
        (without(row.clone(), "task_statuses_link"), json!([]), "it has no task_statuses_link"),
        (with(row, "task_statuses_link", json!({"a": {"is_client_allowed": 1}})), json!([]), "an is_client_allowed"),
    ] {
        let changes = project(&row, &team);
        assert!(changes.len() == 1 && problem(&changes[0]).starts_with(expected), "{changes:?}");
    }
}

#[test]
fn mentions_are_gathered_over_comments_and_replies() {
    let comments = json!([
        {"mentions": ["p2", "p1"], "department_mentions": [], "replies": [{"mentions": ["p3"], "department_mentions": ["d1"]}, {}]},
        {"mentions": ["p1"], "department_mentions": ["d1"], "replies": null},
    ]);
    let expected = Record::new("task_mentions", "t")
        .with("mentions", Value::texts(["p1", "p2", "p3"]))
        .with("department_mentions", Value::texts(["d1"]));
    assert_eq!(task_mentions("t", &comments), Change::Upsert(expected));
    assert_eq!(problem(&task_mentions("t", &json!([{"mentions": []}]))), "it has no department_mentions");
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        "[a-z]{0,4}".prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        let key = prop_oneof![
            Just("id"),
            Just("name"),
            Just("role"),
            Just("active"),
            Just("is_bot"),
            Just("departments"),
            Just("project_id"),
            Just("task_statuses_link"),
            Just("mentions"),
            Just("replies"),
            Just("project_role"),
            Just("assignees"),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::vec((key.prop_map(str::to_owned), inner), 0..8)
                .prop_map(|entries| Json::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_row_panics(json in any_json(), other in any_json()) {
        for table in Table::CORE.into_iter().chain(Table::LARGE).chain([Table::Project, Table::Comment, Table::Playlist]) {
            let _ = row(table, &json, &types());
        }
        let _ = project(&json, &other);
        let _ = task_mentions("t", &json);
    }
}
