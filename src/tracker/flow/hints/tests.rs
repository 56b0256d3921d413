//! Events of every kind, as Flow logs them, and what may pass for one.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::model::schema::{BackDef, FieldDef, KindDef, Schema};
use crate::tracker::flow::answer;

fn kind(name: &str, type_name: &str, links: &[&str], texts: &[&str]) -> KindDef {
    let field = |name: &&str, link| FieldDef { name: Str::from(*name), link, ..FieldDef::default() };
    let links = links.iter().map(|name| field(name, true));
    let fields = links.chain(texts.iter().map(|name| field(name, false))).collect();
    KindDef { name: name.into(), type_name: type_name.into(), fields, ..KindDef::default() }
}

/// Which types fields lead to on the site.
fn leads(kind: &str, field: &str) -> Option<Vec<Str>> {
    let types: &[&str] = match (kind, field) {
        ("Task", "entity") | ("Version", "entity") => &["Shot", "Asset"],
        ("Task", "task_assignees") => &["HumanUser", "Group"],
        ("Group", "users") => &["HumanUser"],
        ("HumanUser", "projects") => &["Project"],
        ("Reply", "entity") => &["Note"],
        ("Task", "created_by") => &["HumanUser", "ApiUser"],
        ("Version", "code") => &[],
        _ => return None,
    };
    Some(types.iter().copied().map(Str::from).collect())
}

fn ends() -> Ends {
    let back = |name: &str, from, field| BackDef { name: name.into(), from, field: Some(field), by_project: false };
    let mut kinds = vec![
        kind("project", "Project", &[], &["is_template"]),
        kind("shot", "Shot", &[], &["sg_status_list"]),
        kind("task", "Task", &["entity", "task_assignees", "created_by"], &["sg_status_list"]),
        kind("version", "Version", &["entity"], &["code"]),
        kind("human_user", "HumanUser", &["projects"], &["login"]),
        kind("group", "Group", &["users"], &[]),
        kind("reply", "Reply", &["entity"], &[]),
        kind("note", "Note", &[], &[]),
        kind("permission_rule_set", "PermissionRuleSet", &[], &["code"]),
        kind("status", "Status", &[], &["code"]),
        KindDef { rowless: true, ..kind("event_log_entry", "EventLogEntry", &[], &[]) },
        KindDef { rowless: true, ..kind("other", "*", &[], &[]) },
        kind("site", "", &[], &[]),
    ];
    kinds[1].backs = vec![back("tasks", 2, 0), back("sg_versions", 3, 0)];
    kinds[4].backs = vec![back("groups", 5, 0)];
    Ends::new(&Schema { kinds, ..Schema::default() }, leads)
}

/// A row of the log, as Flow shows it.
fn event(event_type: &str, attribute: Json, entity: Json, meta: Json) -> Json {
    json!({
        "type": "EventLogEntry",
        "id": 7,
        "attributes": {
            "event_type": event_type,
            "attribute_name": attribute,
            "meta": meta,
            "created_at": "2026-01-01T10:00:00Z",
        },
        "relationships": {
            "entity": {"data": entity},
            "user": {"data": {"type": "HumanUser", "id": 5, "name": "Jane\nDoe"}},
        },
    })
}

fn link_to(kind: &str, id: u64) -> Json {
    json!({"type": kind, "id": id, "name": "x"})
}

fn hinted(rows: Vec<Json>) -> Hints {
    hints(&answer::rows("test", json!({"data": rows})).unwrap(), &ends())
}

/// The objects that one event names, as `kind id`.
fn named(event: Json) -> BTreeSet<String> {
    hinted(vec![event]).objects.iter().map(ToString::to_string).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn change(kind: &str, id: u64, attribute: &str, meta: Json) -> Json {
    let mut whole =
        json!({"type": "attribute_change", "attribute_name": attribute, "entity_type": kind, "entity_id": id});
    whole.as_object_mut().unwrap().extend(meta.as_object().unwrap().clone());
    event(&format!("Shotgun_{kind}_Change"), json!(attribute), link_to(kind, id), whole)
}

#[test]
fn a_change_of_what_is_mirrored_names_its_row() {
    let value = json!({"old_value": "wtg", "new_value": "ip"});
    assert_eq!(named(change("Task", 3, "sg_status_list", value.clone())), set(&["task 3"]));
    assert_eq!(named(change("Task", 3, "sg_color", value.clone())), set(&[]));
    assert_eq!(named(change("Task", 3, "content", value.clone())), set(&["task 3"]), "what it is called by");
    assert_eq!(named(change("Task", 3, "project", value.clone())), set(&["task 3"]));
    assert_eq!(named(change("Cut", 3, "code", value)), set(&[]));
    let transient = json!({"old_value": null, "new_value": 9, "is_transient": true});
    assert_eq!(named(change("Task", 3, "sg_status_list", transient)), set(&[]));
}

#[test]
fn new_rows_come_with_their_changes_in_any_order() {
    let meta = json!({"type": "new_entity", "entity_type": "Task", "entity_id": 3});
    let new = event("Shotgun_Task_New", Json::Null, link_to("Task", 3), meta.clone());
    let status = change("Task", 3, "sg_status_list", json!({"old_value": null, "new_value": "wtg", "in_create": true}));
    let assigned = change("Task", 3, "task_assignees", json!({"added": [link_to("HumanUser", 8)], "removed": []}));
    for rows in [vec![new.clone(), status.clone(), assigned.clone()], vec![assigned, status, new]] {
        assert_eq!(hinted(rows).objects, FxHashSet::from_iter([ObjectRef::new("task", "3")]));
    }
    let gone = event("Shotgun_Task_New", Json::Null, Json::Null, meta);
    assert_eq!(named(gone), set(&["task 3"]), "retired meanwhile: the link is empty");
}

#[test]
fn a_link_is_re_read_where_the_mirror_keeps_it() {
    let to = |kind, id| json!({"added": [link_to(kind, id)], "removed": [link_to(kind, 90)]});
    assert_eq!(named(change("Shot", 3, "tasks", to("Task", 4))), set(&["task 4", "task 90"]));
    assert_eq!(named(change("HumanUser", 3, "groups", to("Group", 4))), set(&["group 4", "group 90"]));
    assert_eq!(named(change("Project", 3, "users", to("HumanUser", 4))), set(&["human_user 4", "human_user 90"]));
    assert_eq!(named(change("HumanUser", 3, "projects", to("Project", 4))), set(&["human_user 3"]));
    assert_eq!(named(change("Group", 3, "users", to("HumanUser", 4))), set(&["group 3"]));
    let one = json!({"old_value": null, "new_value": link_to("Shot", 3)});
    assert_eq!(named(change("Task", 3, "entity", one)), set(&["task 3"]));
}

#[test]
fn a_link_whose_other_end_is_not_named_is_searched_for() {
    let hints = hinted(vec![event("Shotgun_Shot_Change", json!("tasks"), link_to("Shot", 3), Json::Null)]);
    assert!(hints.objects.is_empty());
    assert_eq!(hints.holders, FxHashSet::from_iter([Holder::new("Task", "entity", "Shot", 3)]));
    let hints = hinted(vec![event("Shotgun_Shot_Change", json!("tasks"), Json::Null, Json::Null)]);
    assert_eq!(hints, Hints { reload: Some(Scope::All), ..Hints::default() }, "a task does not say that it is listed");
    let users = |meta| hinted(vec![event("Shotgun_Project_Change", json!("users"), link_to("Project", 3), meta)]);
    let holder = Holder::new("HumanUser", "projects", "Project", 3);
    assert!(users(Json::Null).holders.contains(&holder));
    assert!(users(json!({"field_data_type": "multi_entity"})).holders.contains(&holder));
    assert_eq!(users(json!({"field_data_type": "text"})), Hints::default());
    let as_text = json!({"added": [{"type": "Task", "id": "4"}], "removed": []});
    assert_eq!(named(change("Shot", 3, "tasks", as_text)), set(&["task 4"]));
}

#[test]
fn a_back_reference_is_about_the_row_that_refers() {
    let meta = json!({
        "type": "attribute_change",
        "attribute_name": "tasks",
        "actual_attribute_changed": "Task.entity",
        "entity_type": "Task",
        "entity_id": 4,
        "added": [],
        "removed": [],
        "original_event_log_entry_id": 6,
    });
    let back = |entity| event("Shotgun_Shot_Change", json!("tasks"), entity, meta.clone());
    assert_eq!(named(back(link_to("Shot", 3))), set(&["task 4"]));
    assert_eq!(named(back(Json::Null)), set(&["task 4"]));
    let meta = json!({"actual_attribute_changed": "Project.users", "entity_type": "Project", "entity_id": 4});
    let back = event("Shotgun_HumanUser_Change", json!("projects"), link_to("HumanUser", 3), meta);
    assert_eq!(named(back), set(&["human_user 3"]), "the mirror keeps nothing of it at the project");
    let meta = json!({"actual_attribute_changed": 7, "entity_type": "Project", "entity_id": 4});
    let back = event("Shotgun_HumanUser_Change", json!("projects"), link_to("HumanUser", 3), meta);
    assert_eq!(named(back), set(&["human_user 3", "project 4"]));
}

#[test]
fn what_hangs_on_a_retired_row_and_what_refers_to_a_revived_one_is_told() {
    let meta = json!({"type": "entity_retirement", "entity_type": "Shot", "entity_id": 3, "retirement_date": "x"});
    let retired = event("Shotgun_Shot_Retirement", Json::Null, Json::Null, meta);
    let date = change("Shot", 3, "retirement_date", json!({"old_value": null, "new_value": "2026-01-01"}));
    let hints = hinted(vec![retired, date]);
    assert_eq!(hints.objects, FxHashSet::from_iter([ObjectRef::new("shot", "3")]));
    assert_eq!(hints.retired, hints.objects);
    let nothing_hangs = event("Shotgun_Group_Retirement", Json::Null, link_to("Group", 3), Json::Null);
    assert_eq!(hinted(vec![nothing_hangs]).retired.len(), 0);
    for meta in [
        json!({"entity_type": "Shot", "entity_id": 3}),
        json!({"type": "entity_revival", "entity_type": "Shot", "entity_id": 3}),
    ] {
        let hints = hinted(vec![event("Shotgun_Shot_Revival", Json::Null, link_to("Shot", 3), meta)]);
        assert_eq!(hints.objects, hints.revived);
        assert_eq!(hints.revived, FxHashSet::from_iter([ObjectRef::new("shot", "3")]));
    }
    let hints = hinted(vec![event("Shotgun_Project_Retirement", Json::Null, link_to("Project", 3), Json::Null)]);
    assert_eq!(hints.reload, Some(Scope::Large));
}

#[test]
fn changed_rules_are_told_of_with_their_role() {
    let role = json!({"type": "PermissionRuleSet", "id": 8, "name": "Artist"});
    let rows = ["NewRule", "ChangeRule"].map(|what| {
        event(&format!("Shotgun_PermissionRuleSet_{what}"), Json::Null, role.clone(), json!({"anything": 1}))
    });
    let hints = hinted(rows.to_vec());
    assert_eq!(hints.objects, FxHashSet::from_iter([ObjectRef::new("permission_rule_set", "8")]));
    assert_eq!(hints.reload, None);
    let said: Vec<_> = hints.rules.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["Artist by JaneDoe at 2026-01-01T10:00:00Z (2 times)"]);
    let hints = hinted(vec![event("Shotgun_PermissionRuleSet_DeleteRule", Json::Null, Json::Null, Json::Null)]);
    assert_eq!(hints.reload, Some(Scope::Core), "whichever role it was");
    assert_eq!(hints.rules.len(), 1);
    let many = (0..500)
        .map(|id| event("Shotgun_PermissionRuleSet_Change", Json::Null, link_to(&id.to_string(), id), json!({})));
    let mut many: Vec<_> = many.collect();
    for (id, row) in many.iter_mut().enumerate() {
        row["relationships"]["entity"]["data"]["name"] = json!(id.to_string());
    }
    assert_eq!(hinted(many).rules.len(), MOST_RULES);
}

#[test]
fn the_sites_schema_and_statuses_are_read_again() {
    for what in ["DisplayColumn_New", "DisplayColumn_Change", "DisplayColumn_Delete"] {
        let hints = hinted(vec![event(&format!("Shotgun_{what}"), Json::Null, Json::Null, json!({}))]);
        assert_eq!(hints.reload, Some(Scope::Core), "{what}");
    }
    let hints = hinted(vec![event("Shotgun_Status_New", Json::Null, link_to("Status", 2), json!({}))]);
    assert_eq!((hints.reload, hints.objects.len()), (Some(Scope::Core), 1));
}

#[test]
fn a_row_of_a_join_names_what_it_joins() {
    let meta = json!({"entity_type": "GroupUserConnection", "entity_id": 9, "new_value": link_to("Group", 4)});
    let joined = event("Shotgun_GroupUserConnection_Change", json!("group"), Json::Null, meta);
    assert_eq!(named(joined), set(&["group 4"]));
    let silent = event("Shotgun_GroupUserConnection_New", Json::Null, Json::Null, json!({}));
    assert_eq!(hinted(vec![silent]).reload, Some(Scope::Core));
}

#[test]
fn rogue_rows_do_no_harm() {
    let rogue = [
        event("Shotgun_Task", Json::Null, Json::Null, Json::Null),
        event("Shotgun_Task_Retirement", Json::Null, Json::Null, Json::Null),
        event("Shotgun_Task_Change", json!("sg_status_list"), json!(7), json!([1, 2])),
        event("Shotgun_Task_Change", json!(7), Json::Null, json!({"entity_id": -3, "entity_type": 7})),
    ];
    let hints = hinted(rogue.to_vec());
    assert_eq!((hints.objects.len(), hints.strange), (0, 4));
    assert_eq!(hints.unnamed, FxHashSet::from_iter([Str::from("Task")]));
    for none in ["CRS_PlaylistShare_Create", "Shotgun_User_Login", "Toolkit_App_Startup", "Shotgun_Cut_New"] {
        assert_eq!(hinted(vec![event(none, Json::Null, Json::Null, Json::Null)]), Hints::default(), "{none}");
    }
    let empty = json!({"type": "EventLogEntry", "id": 8});
    assert_eq!(hinted(vec![empty]), Hints { strange: 1, ..Hints::default() });
    let numbers = json!({"entity_type": "Task", "entity_id": "3"});
    assert_eq!(named(event("Shotgun_Task_Retirement", Json::Null, Json::Null, numbers)), set(&["task 3"]));
}

#[test]
fn more_than_can_be_named_is_loaded() {
    let added: Vec<_> = (1..=30_000).map(|id| link_to("Task", id)).collect();
    let hints = hinted(vec![change("Shot", 3, "tasks", json!({"added": &added, "removed": []}))]);
    assert_eq!(hints, Hints { reload: Some(Scope::All), ..Hints::default() });
    let rules = event("Shotgun_PermissionRuleSet_ChangeRule", Json::Null, link_to("PermissionRuleSet", 3), Json::Null);
    let hints = hinted(vec![change("Shot", 3, "tasks", json!({"added": added, "removed": []})), rules]);
    assert_eq!((hints.reload, hints.rules.len()), (Some(Scope::All), 1));
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        prop::sample::select(vec!["Task", "Shot", "HumanUser", "entity", "tasks", "7", ""]).prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        let key = prop::sample::select(vec![
            "type",
            "id",
            "name",
            "entity_type",
            "entity_id",
            "added",
            "removed",
            "old_value",
            "new_value",
            "actual_attribute_changed",
            "attribute_name",
            "is_transient",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map(key.prop_map(str::to_owned), inner, 0..6)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_comes_names_only_what_is_mirrored(
        kind in prop::sample::select(vec!["Task", "Shot", "HumanUser", "PermissionRuleSet", "DisplayColumn", "X_Connection", "Cut"]),
        action in prop::sample::select(vec!["New", "Change", "Retirement", "Revival", "ChangeRule", ""]),
        attribute in any_json(), entity in any_json(), meta in any_json(),
    ) {
        let hints = hinted(vec![event(&format!("Shotgun_{kind}_{action}"), attribute, entity, meta)]);
        for object in hints.objects.iter().chain(&hints.revived) {
            let kinds = ["project", "shot", "task", "version", "human_user", "group", "reply", "note", "permission_rule_set", "status"];
            prop_assert!(kinds.contains(&object.kind.as_str()));
            prop_assert!(object.id.to_string().parse::<u64>().unwrap() > 0);
        }
    }
}
