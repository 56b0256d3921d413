//! Events of zou and what they say to re-read.

use serde_json::json;

use super::*;

const A: &str = "a24a6ea4-ce75-4665-a070-57453082c256";
const B: &str = "b24a6ea4-ce75-4665-a070-57453082c256";

fn objects(list: &[(&str, &str)]) -> Hints {
    Hints { objects: list.iter().map(|(kind, id)| ObjectRef::new(kind, id)).collect(), ..Hints::default() }
}

#[test]
fn each_event_names_what_to_re_read() {
    for (event, data, expected) in [
        ("person:update", json!({"person_id": A}), objects(&[("person", A)])),
        ("person:delete", json!({"person_id": A}), objects(&[("person", A)]).and_reload(true, Scope::Core)),
        ("project:new", json!({"project_id": A}), objects(&[("project", A)])),
        ("project:update", json!({"project_id": A}), objects(&[("project", A)])),
        ("project:delete", json!({"project_id": A}), objects(&[("project", A)]).and_reload(true, Scope::All)),
        ("task:assign", json!({"task_id": A, "person_id": B}), objects(&[("task", A)])),
        ("task:unassign", json!({"task_id": A, "person_id": B}), objects(&[("task", A)])),
        ("task:delete", json!({"task_id": A, "entity_id": B}), objects(&[("task", A)])),
        ("task:update", json!({"task_id": A}), objects(&[("task", A)])),
        ("task:status-changed", json!({"task_id": A}), objects(&[("task", A)])),
        ("shot:new", json!({"shot_id": A, "episode_id": null}), objects(&[("entity", A)])),
        ("asset:update", json!({"asset_id": A}), objects(&[("entity", A)])),
        ("concept-folder:new", json!({"concept_folder_id": A}), objects(&[("entity", A)])),
        ("metadata-descriptor:delete", json!({"metadata_descriptor_id": A}), objects(&[("metadata_descriptor", A)])),
        ("comment:new", json!({"comment_id": A, "task_id": B}), objects(&[("comment", A), ("task_mentions", B)])),
        (
            "comment:delete-reply",
            json!({"comment_id": A, "task_id": B}),
            objects(&[("comment", A), ("task_mentions", B)]),
        ),
        ("comment:delete", json!({"comment_id": A}), objects(&[("comment", A)])),
        ("playlist:add_entity", json!({"playlist_id": A}), objects(&[("playlist", A)])),
        ("task-status:update", json!({"task_status_id": A}), objects(&[("task_status", A)])),
        ("department:delete", json!({"department_id": A}), objects(&[("department", A)]).and_reload(true, Scope::Core)),
        ("project-status:update", json!({"project_status_id": A}), objects(&[("project_status", A)])),
        ("asset-type:update", json!({"asset_type_id": A}), Hints { types: true, ..objects(&[("entity_type", A)]) }),
    ] {
        assert_eq!(hints(event, &data), expected, "{event}");
    }
}

#[test]
fn an_event_without_a_usable_id_asks_for_a_load() {
    for (event, data, scope) in [
        ("task:new", json!({"project_id": A}), Scope::Large),
        ("task:update", json!({"task_id": "../../auth/logout"}), Scope::Large),
        ("task:update", json!({"task_id": A.to_uppercase()}), Scope::Large),
        ("project:update", json!({}), Scope::Core),
        ("person:update", json!({"person_id": 5}), Scope::Core),
        ("person:new", json!(null), Scope::Core),
        ("shot:update", json!([]), Scope::Large),
        ("project-role:update", json!({"project_role_id": A}), Scope::Core),
        ("team-link:delete", json!({}), Scope::Core),
    ] {
        assert_eq!(hints(event, &data), Hints { reload: Some(scope), ..Hints::default() }, "{event} {data}");
    }
}

#[test]
fn what_bears_on_nothing_is_ignored() {
    for event in [
        "",
        "task",
        ":",
        "main:test",
        "task:update-casting-stats",
        "shot:casting-update",
        "preview-file:update",
        "news:new",
        "time-spent:new",
        "project:set-thumbnail",
        "person:set-thumbnail",
        "project-template:update",
        "comment:acknowledge",
        "preview-room:room-people-updated",
        "budget:create",
    ] {
        let data = json!({"task_id": A, "person_id": A, "project_id": A});
        assert_eq!(hints(event, &data), Hints::default(), "{event}");
    }
}

#[test]
fn only_ids_as_zou_writes_them_are_canonical() {
    assert!(canonical(&Id::from(A)));
    for bad in
        ["", "x", "a24a6ea4-ce75-4665-a070-57453082c25/", &A.to_uppercase(), "a24a6ea4xce75-4665-a070-57453082c256"]
    {
        assert!(!canonical(&Id::from(bad)), "{bad}");
    }
}
