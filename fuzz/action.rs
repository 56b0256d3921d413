//! `requiredRights`, `filters` and `requiredRoles` as a tracker's settings may have them: compiled, asked, listed.
//! The first line of the input is the rights, the second the roles, the rest the filters as JSON.
#![no_main]

mod mirror;

use std::borrow::Cow;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use stagedoor::authorizer::Authorizer;
use stagedoor::engine::policy::Policy;
use stagedoor::model::change::{Batch, Change, Snapshot};
use stagedoor::model::id::{Id, Str};
use stagedoor::model::query::{Query, Subject};
use stagedoor::model::record::{Member, Record};
use stagedoor::model::value::Value;

thread_local! {
    static PLATFORM: Arc<Authorizer> = platform();
}

fn platform() -> Arc<Authorizer> {
    let role = Record::new("role", "7").named("Editor").in_project("1").with("rights", Value::texts(["A"]));
    let member = Member {
        roles: vec![Id::from("7")],
        rights: vec![Str::from("B")],
        ..Member::new(Id::from("ann"), None)
    };
    let changes = vec![
        Change::Upsert(Record::new("person", "ann").with("active", true)),
        Change::Upsert(Record::new("production", "1").with("status", Value::text("Active"))),
        Change::Upsert(role),
        Change::Upsert(Record::new("right", "A")),
        Change::Team { project: Id::from("1"), members: vec![member] },
    ];
    mirror::live(Policy::load("limecraft", None).expect("compiles"), Snapshot { changes, ..Snapshot::default() })
}

fn value(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(value),
        serde_json::Value::Number(number) => Value::Number(number.as_f64().unwrap_or_default()),
        serde_json::Value::String(text) => Value::text(&text),
        serde_json::Value::Array(list) => Value::List(list.into_iter().map(value).collect()),
        serde_json::Value::Object(map) => {
            Value::Map(map.into_iter().map(|(name, inner)| (name.as_str().into(), value(inner))).collect())
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut parts = text.splitn(3, '\n');
    let mut text = || parts.next().filter(|text| !text.is_empty()).map_or(Value::Null, Value::text);
    let (rights, roles) = (text(), text());
    let filters = parts.next().and_then(|text| serde_json::from_str(text).ok()).map_or(Value::Null, value);
    let record = Record::new("action", "a").in_project("1").with("action", Value::text("a"));
    let record = record.with("of", Value::text("eo")).with("required_rights", rights);
    let record = record.with("filters", filters).with("required_roles", roles);
    PLATFORM.with(|platform| {
        platform.apply(Batch::Delta(vec![Change::Upsert(record)]));
        let object = Value::Map(vec![("objectType".into(), Value::text("Draft")), ("tags".into(), Value::texts(["x"]))]);
        for complete in [false, true] {
            let query = Query::new(Subject::Person("ann"), "a", "eo", "o");
            let query =
                Query { project: Some(Id::from("1")), properties: Some(Cow::Borrowed(&object)), complete, ..query };
            mirror::ask(platform, &query);
        }
    });
});
