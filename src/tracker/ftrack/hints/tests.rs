//! Events as ftrack sends them, as it may send them, and as nobody should.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const A: &str = "a24a6ea4-ce75-4665-a070-57453082c256";

fn event(entities: Json) -> Json {
    json!({"topic": "ftrack.update", "id": "e", "data": {"entities": entities}, "source": {"user": {"id": "u"}}, "new": {}})
}

fn of(entity: Json) -> Hints {
    hints(&event(json!([entity])))
}

fn entity(kind: &str, action: &str, keys: &[&str]) -> Json {
    let changes: Map<String, Json> =
        keys.iter().map(|key| ((*key).to_owned(), json!({"old": "0", "new": "1"}))).collect();
    json!({"entityType": kind, "entityId": A, "action": action, "keys": keys, "changes": changes})
}

fn object(kind: &str) -> ObjectRef {
    ObjectRef::new(kind, A)
}

#[test]
fn each_table_is_re_read_by_its_own_id() {
    for (kind, expected) in [
        ("task", "object"),
        ("Task", "object"),
        ("show", "project"),
        ("user", "user"),
        ("membership", "membership"),
        ("group", "group"),
        ("auth_userrole", "user_security_role"),
        ("userrole", "user_security_role"),
        ("usersecurityrole", "user_security_role"),
        ("userroleproject", "user_security_role_project"),
        ("auth_role", "security_role"),
        ("role", "security_role"),
        ("securityrole", "security_role"),
        ("taskstatus", "status"),
        ("tasktype", "type"),
        ("accesskey", "api_key"),
        ("apikey", "api_key"),
        ("assetversion", "assetversion"),
        ("note", "note"),
        ("timelog", "timelog"),
        ("list", "list"),
        ("reviewsession", "review_session"),
    ] {
        for action in ["add", "update"] {
            let found = of(entity(kind, action, &["name"]));
            assert_eq!((found.objects, found.reload), (vec![object(expected)], None), "{kind} {action}");
        }
        assert!(of(entity(kind, "remove", &[])).objects.contains(&object(expected)), "{kind} remove");
    }
}

#[test]
fn what_goes_takes_along_what_named_it() {
    for (kind, scope) in [
        ("show", Some(Scope::All)),
        ("group", Some(Scope::Core)),
        ("auth_role", Some(Scope::Core)),
        ("auth_userrole", Some(Scope::Core)),
        ("user", None),
        ("task", None),
        ("membership", None),
    ] {
        assert_eq!(of(entity(kind, "remove", &[])).reload, scope, "{kind}");
    }
    assert_eq!(of(entity("objecttype", "update", &["name"])).reload, Some(Scope::Core));
}

#[test]
fn a_move_takes_along_what_is_below() {
    let below = || ObjectRef::new(SUBTREE, A);
    for (action, keys) in [
        ("move", vec![]),
        ("update", vec!["showid"]),
        ("update", vec!["name", "parent_id"]),
        ("MOVE", vec!["project_id"]),
    ] {
        let mut expected = vec![object("object"), below()];
        let mut lazy = LAZY.to_vec();
        lazy.sort_unstable();
        expected.extend(lazy.into_iter().map(|kind| ObjectRef::new(kind, "")));
        assert_eq!(of(entity("task", action, &keys)).objects, expected, "{action} {keys:?}");
    }
    for (action, keys) in
        [("add", vec!["showid", "parent_id"]), ("remove", vec!["showid"]), ("update", vec!["statusid"])]
    {
        assert_eq!(of(entity("task", action, &keys)).objects, [object("object")], "{action} {keys:?}");
    }
}

#[test]
fn an_asset_that_moves_takes_along_its_versions() {
    let versions = || vec![ObjectRef::new("assetversion", "")];
    for action in ["update", "move", "remove"] {
        let found = of(entity("asset", action, &["context_id"]));
        assert_eq!((found.objects, found.reload), (versions(), None), "{action}");
    }
    assert_eq!(of(entity("asset", "add", &["context_id"])), Hints::default());
    let many: Vec<_> = (0..3_000).map(|_| entity("task", "move", &[])).collect();
    assert_eq!(hints(&event(json!(many))).objects.len(), 2 + LAZY.len(), "each once");
}

#[test]
fn what_the_key_sees_may_be_another_part() {
    let private = of(entity("show", "update", &["private"]));
    assert_eq!((private.objects, private.reload), (vec![object("project")], Some(Scope::Large)));
    assert_eq!(of(entity("show", "update", &["status"])).reload, None);
    assert_eq!(of(entity("accesskey", "update", &["last_used"])).reload, None);
    for (kind, keys) in
        [("accesskey", vec![]), ("apikey", vec!["projects"]), ("accesskey_project", vec![]), ("apikeyrole", vec!["x"])]
    {
        assert_eq!(of(entity(kind, "update", &keys)).reload, Some(Scope::All), "{kind} {keys:?}");
    }
}

#[test]
fn an_assignment_is_its_objects() {
    let appointment = |action: &str, changes: Json| {
        let parents = json!([{"entityType": "appointment", "entityId": A}, {"entityType": "task", "entityId": "t-parent"}, {"entityType": "show", "entityId": "p"}]);
        of(
            json!({"entityType": "appointment", "entityId": A, "action": action, "changes": changes, "parents": parents}),
        )
    };
    let one = |name: &str| vec![ObjectRef::new("object", name)];
    let change = |old: Json, new: Json| json!({"old": old, "new": new});
    let assignment = change(json!(null), json!("assignment"));
    let found = appointment("add", json!({"type": assignment, "context_id": change(json!(null), json!("t-1"))}));
    assert_eq!((found.objects, found.reload, found.projects), (one("t-1"), None, vec![Id::from("p")]));
    let found = appointment("update", json!({"context_id": change(json!("t-1"), json!("t-2"))}));
    assert_eq!(found.objects, [one("t-1"), one("t-2")].concat());
    let allocation = change(json!("allocation"), json!(null));
    let found = appointment("remove", json!({"type": allocation, "context_id": change(json!("p"), json!(null))}));
    assert_eq!((found.objects, found.reload), (vec![], None), "an allocation is no assignment");
    let turned = change(json!("allocation"), json!("assignment"));
    assert_eq!(appointment("update", json!({"type": turned})).objects, [ObjectRef::new(APPOINTMENT, A)]);
    assert_eq!(
        appointment("update", json!({"resource_id": change(json!("a"), json!("b"))})).objects,
        [ObjectRef::new(APPOINTMENT, A)]
    );
    assert_eq!(appointment("remove", json!({})).objects, one("t-parent"));
    let unknown = of(json!({"entityType": "appointment", "entityId": A, "action": "remove"}));
    assert_eq!((unknown.objects, unknown.reload), (vec![], Some(Scope::Large)));
}

#[test]
fn projects_that_are_there_are_told() {
    let within = |kind: &str, action: &str| {
        of(
            json!({"entityType": kind, "entityId": A, "action": action, "parents": [{"entityType": kind, "entityId": A}, {"entityType": "show", "entityId": "p"}]}),
        )
    };
    assert_eq!(within("task", "update").projects, [Id::from("p")]);
    assert_eq!(within("task", "remove").projects, [Id::from("p")]);
    let gone = of(
        json!({"entityType": "show", "entityId": A, "action": "remove", "parents": [{"entityType": "show", "entityId": A}]}),
    );
    assert_eq!(gone.projects, []);
}

#[test]
fn ids_that_are_none_mean_that_anything_may_have_changed() {
    for id in
        [json!(null), json!(7), json!(""), json!("a b"), json!("a\") or (id is \"b"), json!({}), json!("x".repeat(100))]
    {
        let with = |kind: &str| of(json!({"entityType": kind, "entityId": id, "action": "update", "keys": ["name"]}));
        assert_eq!((with("user").objects, with("user").reload), (vec![], Some(Scope::Core)), "{id}");
        assert_eq!((with("task").objects, with("task").reload), (vec![], Some(Scope::Large)), "{id}");
        let notes = vec![ObjectRef::new("note", "")];
        assert_eq!((with("note").objects, with("note").reload), (notes, None), "all that are held: {id}");
    }
}

#[test]
fn unknown_types_that_sound_like_permissions_flush() {
    let unknown = |kind: &str, keys: &[&str], parent: &str| {
        of(
            json!({"entityType": kind, "entityId": A, "action": "update", "keys": keys, "parents": [{"entityType": parent, "entityId": A}]}),
        )
    };
    for (kind, keys, parent) in [
        ("UserPermissionSet", &["x"][..], "x"),
        ("grant", &["roleid"], "x"),
        ("grant", &["x"], "auth_role"),
        ("projectmember", &[], "x"),
        ("securitypolicy", &[], "x"),
    ] {
        let found = unknown(kind, keys, parent);
        assert_eq!((found.reload, found.telling.len()), (Some(Scope::Core), 1), "{kind} {keys:?} {parent}");
    }
    let found = unknown("weather", &["temperature"], "show");
    assert_eq!((found.reload, found.objects, found.unknown), (None, vec![], 1));
    for noise in [
        "socialfeed",
        "socialnotification",
        "team",
        "usersession",
        "timer",
        "customattributevalue",
        "reviewsessionobject",
    ] {
        let found = unknown(noise, &["userid"], "user");
        assert_eq!((found.reload, found.objects, found.unknown, found.telling), (None, vec![], 0, vec![]), "{noise}");
    }
}

#[test]
fn one_event_may_be_a_bulk_edit() {
    let many: Vec<_> = (0..5000)
        .map(|number| json!({"entityType": "task", "entityId": format!("t-{}", number % 4000), "action": "update", "keys": ["statusid"]}))
        .collect();
    let found = hints(&event(json!(many)));
    assert_eq!((found.objects.len(), found.reload), (4000, None), "each once");
    let more: Vec<_> = (0..30_000)
        .map(|number| json!({"entityType": "task", "entityId": format!("t-{number}"), "action": "update"}))
        .collect();
    let found = hints(&event(json!(more)));
    assert_eq!((found.objects.len(), found.reload), (0, Some(Scope::All)));
    let mixed = hints(&event(json!([
        entity("task", "update", &[]),
        entity("group", "remove", &[]),
        7,
        entity("user", "add", &[])
    ])));
    assert_eq!((mixed.objects.len(), mixed.reload), (3, Some(Scope::All)));
}

#[test]
fn events_without_their_parts() {
    for unreadable in [
        json!({}),
        json!(7),
        json!({"topic": "ftrack.update"}),
        json!({"topic": "ftrack.update", "data": {"entities": {}}}),
        event(json!([null])),
        event(json!([{}])),
        event(json!([{"entityType": 5}])),
    ] {
        assert_eq!(hints(&unreadable).reload, Some(Scope::All), "{unreadable}");
    }
    for other in
        [json!({"topic": "ftrack.meta.reply"}), json!({"topic": "ftrack.action.launch", "data": 7}), event(json!([]))]
    {
        assert_eq!(hints(&other), Hints::default(), "{other}");
    }
}

proptest! {
    #[test]
    fn whatever_comes_what_is_named_can_be_asked_for(kind in "[a-z_]{0,12}|task|show|user|note|asset|appointment|membership|auth_role|accesskey", action in "add|remove|update|move|[a-z]{0,5}", id in "\\PC{0,70}|[a-z0-9-]{1,40}", key in "[a-z_]{0,10}|parent_id|showid|private|context_id|type", value in "\\PC{0,20}|assignment|allocation|t-1") {
        let entity = json!({"entityType": kind, "entityId": id, "action": action, "keys": [key], "changes": {key.clone(): {"old": value, "new": null}}, "parents": [{"entityType": kind, "entityId": value}]});
        for object in hints(&event(json!([entity]))).objects {
            prop_assert!(is_id(&object.id.to_string()) || (object.id.is("") && LAZY.contains(&object.kind.as_str())), "{object}");
        }
    }
}
