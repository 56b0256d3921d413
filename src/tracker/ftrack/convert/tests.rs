//! Rows as ftrack sends them become records; rows of another shape are told apart from the others.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn map(row: Json) -> Row {
    row.as_object().unwrap().clone()
}

fn upsert(table: Table, row_: Json, assigned: &Assigned) -> Record {
    match row(table, &map(row_), assigned) {
        Change::Upsert(record) => record,
        other => panic!("{other:?}"),
    }
}

fn plain(table: Table, row: Json) -> Record {
    upsert(table, row, &Assigned::default())
}

#[test]
fn people_and_keys_share_a_table() {
    let ada = json!({"__entity_type__": "User", "id": "u", "username": "ada", "first_name": "Ada", "last_name": "L", "email": null, "is_active": true, "resource_type": "user"});
    let expected = Record::new("user", "u")
        .named("Ada L")
        .with("username", Value::text("ada"))
        .with("email", Value::Null)
        .with("is_active", true)
        .with("resource_id", Value::Null)
        .with("roles", Value::List(Vec::new()))
        .with("projects", Value::List(Vec::new()));
    assert_eq!(plain(Table::User, ada), expected);
    let nameless =
        json!({"id": "u", "username": "ada", "first_name": "", "last_name": null, "email": null, "is_active": false});
    assert_eq!(plain(Table::User, nameless).name, "ada");

    let role = json!({"__entity_type__": "SecurityRole", "id": "r"});
    let key = json!({"id": "k", "identifier": "Pipeline", "resource_id": null, "enabled": true, "roles": [role], "projects": [], "prefix": "abc"});
    let expected = Record::new("api_key", "k")
        .named("Pipeline")
        .with("username", Value::Null)
        .with("email", Value::Null)
        .with("is_active", true)
        .with("resource_id", Value::Null)
        .with("roles", Value::texts(["r"]))
        .with("projects", Value::texts([]));
    assert_eq!(plain(Table::ApiKey, key), expected);
    let old = plain(Table::ApiKey, json!({"id": "k", "identifier": null, "resource_id": "u"}));
    assert!(["is_active", "roles", "projects"].iter().all(|name| old.field(name).is_none()), "unknown, not guessed");
    assert_eq!(object(Table::ApiKey, &map(json!({"id": "k"}))), Some(ObjectRef::new("user", "k")));
}

#[test]
fn objects_have_their_class_and_who_is_assigned() {
    let rows = [
        json!({"id": "1", "type": "assignment", "context_id": "t", "resource_id": "u"}),
        json!({"id": "2", "type": "assignment", "context_id": "t", "resource_id": "g"}),
        json!({"id": "3", "type": "assignment", "context_id": "t", "resource_id": "u"}),
        json!({"id": "4", "type": "assignment", "context_id": "t", "resource_id": null}),
        json!({"id": "5", "type": "assignment", "context_id": "x", "resource_id": 7}),
        json!({"id": "6", "type": "assignment", "resource_id": "u"}),
        json!({"id": "7", "type": "allocation", "context_id": "t", "resource_id": "allocated"}),
        json!({"id": "8", "context_id": "z", "resource_id": "u"}),
    ];
    let assigned = assigned(&rows.map(map));
    let task = |class: &str, id: &str, parent: Json| json!({"__entity_type__": class, "id": id, "name": "comp", "project_id": "p", "parent_id": parent, "status_id": "s", "type_id": null});
    let both = Value::texts(["g", "u"]);
    let expected = Record::new("task", "t")
        .in_project("p")
        .named("comp")
        .with("class", Value::Null)
        .with("parent_id", Value::text("shot"))
        .with("status_id", Value::text("s"))
        .with("type_id", Value::Null)
        .with("assignees", both.clone())
        .with("group_assignees", both);
    assert_eq!(upsert(Table::Object, task("Task", "t", json!("shot")), &assigned), expected);
    for (class, kind, lower) in [
        ("AssetBuild", "assetbuild", None),
        ("Shot", "shot", None),
        // Of what the pack does not name, the class is kept.
        ("VendorPackage", "object", Some("vendorpackage")),
        ("TypedContext", "object", Some("typedcontext")),
    ] {
        let record = upsert(Table::Object, task(class, "y", json!("p")), &assigned);
        assert_eq!((record.kind.as_str(), record.field("class")), (kind, Some(&Value::from(lower))));
        assert_eq!(record.field("parent_id"), Some(&Value::Null), "the project is no object");
        assert_eq!(record.field("assignees"), Some(&Value::List(Vec::new())));
    }
    let bad = row(Table::Object, &map(task("Task", "x", json!(null))), &assigned);
    assert!(matches!(&bad, Change::Quarantine { object, .. } if *object == ObjectRef::new("object", "x")), "{bad:?}");
    let untold = row(Table::Object, &map(task("Task", "z", json!(null))), &assigned);
    assert!(matches!(untold, Change::Quarantine { .. }), "of what type the appointment is: {untold:?}");
}

#[test]
fn the_small_tables() {
    let roles = json!({"id": "h", "user_id": "u", "security_role_id": "r", "is_all_open_projects": true});
    assert_eq!(plain(Table::UserSecurityRole, roles).field("is_all_open_projects"), Some(&Value::Bool(true)));
    let grant =
        plain(Table::UserSecurityRoleProject, json!({"id": "g", "user_security_role_id": "h", "project_id": "p"}));
    assert_eq!((grant.project, grant.fields.len()), (Some(Id::from("p")), 1));
    let project = |full: Json| {
        plain(
            Table::Project,
            json!({"id": "p", "name": "film", "full_name": full, "status": "active", "is_private": false}),
        )
    };
    assert_eq!((project(json!("The Film")).name, project(json!("")).name), ("The Film".into(), "film".into()));
    assert_eq!(project(json!(null)).name, "film");
    let kind = plain(Table::ObjectType, json!({"id": "4be63b64", "name": "Asset Build"}));
    assert_eq!((kind.id, kind.name), (Id::from("assetbuild"), "Asset Build".into()));
    let group = plain(Table::Group, json!({"id": "g", "name": "G", "parent_id": null}));
    assert_eq!(group.field("parent_id"), Some(&Value::Null));
}

#[test]
fn versions_have_a_project_also_where_the_server_tells_it_by_their_asset() {
    let version = |rest: Json| {
        let mut row = map(json!({"id": "v", "task_id": null, "user_id": "u", "status_id": "s"}));
        row.extend(map(rest));
        row_of(Table::AssetVersion, row)
    };
    let asset = json!({"asset": {"parent": {"project_id": "p"}}});
    for rest in [json!({"project_id": "p"}), asset] {
        assert!(matches!(version(rest), Change::Upsert(record) if record.project == Some(Id::from("p"))));
    }
    for bad in [json!({}), json!({"project_id": null}), json!({"asset": {"parent": null}}), json!({"asset": 7})] {
        assert!(matches!(version(bad.clone()), Change::Quarantine { .. }), "{bad}");
    }
}

fn row_of(table: Table, map: Row) -> Change {
    row(table, &map, &Assigned::default())
}

#[test]
fn a_row_that_leaves_out_what_restricts_is_quarantined() {
    for (table, bad) in [
        (Table::User, json!({"id": "x", "username": "ada", "first_name": "", "last_name": "", "email": null})),
        (
            Table::User,
            json!({"id": "x", "username": "ada", "first_name": "", "last_name": "", "email": null, "is_active": "1"}),
        ),
        (Table::Project, json!({"id": "x", "name": "p", "full_name": null, "status": "active"})),
        (Table::Project, json!({"id": "x", "name": "p", "full_name": null, "status": null, "is_private": false})),
        (Table::UserSecurityRole, json!({"id": "x", "user_id": "u", "security_role_id": "r"})),
        (
            Table::UserSecurityRole,
            json!({"id": "x", "user_id": "u", "security_role_id": null, "is_all_open_projects": true}),
        ),
        (Table::SecurityRole, json!({"id": "x", "name": "r", "type": null})),
        (Table::Membership, json!({"id": "x", "user_id": "u"})),
        (Table::ApiKey, json!({"id": "x", "identifier": "k", "resource_id": null, "enabled": null})),
        (Table::ApiKey, json!({"id": "x", "identifier": "k", "resource_id": null, "roles": [5]})),
        (Table::Object, json!({"__entity_type__": "Task", "id": "x", "name": "t", "project_id": null})),
        (
            Table::Object,
            json!({"id": "x", "name": "t", "project_id": "p", "parent_id": null, "status_id": null, "type_id": null}),
        ),
    ] {
        let change = row_of(table, map(bad.clone()));
        assert!(matches!(&change, Change::Quarantine { object, .. } if object.id.is("x")), "{bad}: {change:?}");
    }
    for id in [json!(null), json!(""), json!(7)] {
        let change = row_of(Table::Group, map(json!({"id": id, "name": "G", "parent_id": null})));
        assert!(matches!(&change, Change::Quarantine { object, .. } if object.id.is_empty()), "{change:?}");
    }
}

const ALL: [Table; 17] = [
    Table::User,
    Table::ApiKey,
    Table::Group,
    Table::Membership,
    Table::SecurityRole,
    Table::UserSecurityRole,
    Table::UserSecurityRoleProject,
    Table::Project,
    Table::Status,
    Table::Type,
    Table::ObjectType,
    Table::Object,
    Table::AssetVersion,
    Table::Note,
    Table::Timelog,
    Table::List,
    Table::ReviewSession,
];

proptest! {
    #[test]
    fn no_row_panics_and_every_one_is_filed(fields in prop::collection::hash_map("(id|name|full_name|status|type|user_id|group_id|project_id|parent_id|is_active|is_private|enabled|roles|projects|__entity_type__|context_id|resource_id)", prop_oneof![Just(Json::Null), Just(json!("x")), Just(json!("")), Just(json!(7)), Just(json!(true)), Just(json!([])), Just(json!([{"id": "r"}]))], 0..12)) {
        let map: Row = fields.into_iter().collect();
        let assigned = assigned(std::slice::from_ref(&map));
        for table in ALL {
            match row(table, &map, &assigned) {
                Change::Upsert(record) => prop_assert!(!record.id.is_empty()),
                Change::Quarantine { object, problem } => prop_assert!(object.kind == table.kind() && !problem.is_empty()),
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }
}
