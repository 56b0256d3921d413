//! The Flow connector's reading against the double of a site: everything found, and what happens when tokens end, the site
//! is slow, answers badly or does not show what it must.

pub(crate) mod double;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use stagedoor::engine::policy::Policy;
use stagedoor::model::change::{Change, Snapshot};
use stagedoor::model::id::{Id, ObjectRef, Str};
use stagedoor::model::record::Record;
use stagedoor::model::schema::{FieldDef, KindDef, Schema};
use stagedoor::model::value::Value;
use stagedoor::tracker::flow::Flow;
use stagedoor::tracker::parts::Parts;
use stagedoor::tracker::progress::Progress;
use stagedoor::tracker::secret::TokenSource;
use stagedoor::tracker::{Scope, Source as _, SourceError};

use self::double::Double;

/// What a policy might name: kind, Flow's name, fields.
const KINDS: [(&str, &str, &str); 16] = [
    ("project", "Project", "is_template is_template_project archived"),
    ("sequence", "Sequence", "code"),
    ("shot", "Shot", "sg_sequence sg_status_list no_such_field"),
    ("asset", "Asset", "linked_projects sg_keep sg_rank"),
    ("task", "Task", "entity sg_status_list task_assignees task_reviewers due_date sg_budget"),
    ("version", "Version", "entity sg_task user created_by created_at"),
    ("note", "Note", "user addressings_to addressings_cc"),
    ("reply", "Reply", "entity user"),
    ("time_log", "TimeLog", "entity user date duration"),
    ("human_user", "HumanUser", "login email sg_status_list permission_rule_set projects can_impersonate_this_user"),
    ("api_user", "ApiUser", "permission_rule_set projects"),
    ("group", "Group", "users"),
    ("department", "Department", ""),
    ("permission_rule_set", "PermissionRuleSet", "code"),
    ("status", "Status", "code"),
    ("custom_entity07", "CustomEntity07", "sg_status_list"),
];
const CHECKBOXES: [&str; 5] =
    ["is_template", "is_template_project", "archived", "sg_keep", "can_impersonate_this_user"];

/// The schema that a policy with these kinds is compiled to.
pub(crate) fn schema(kinds: &[(&str, &str, &str)]) -> Schema {
    let field = |name: &str| FieldDef { name: Str::from(name), link: true, ..FieldDef::default() };
    let kind = |(at, (kind, name, fields)): (usize, &(&str, &str, &str))| KindDef {
        name: Str::from(*kind),
        type_name: Str::from(*name),
        rowless: matches!(*name, "EventLogEntry" | "*"),
        table: u16::try_from(at).expect("a few kinds"),
        fields: fields.split_whitespace().map(field).collect(),
        ..KindDef::default()
    };
    let all = [kinds, &[("event_log_entry", "EventLogEntry", ""), ("other", "*", "")]].concat();
    Schema { kinds: all.iter().enumerate().map(kind).collect(), ..Schema::default() }
}

/// Loads; what was handed over in parts is among the changes, after the rest.
async fn load(flow: &Flow, scope: Scope) -> Result<Snapshot, SourceError> {
    let (parts, mut handed) = Parts::channel();
    let progress = Progress::logged();
    let loading = async {
        let parts = parts;
        flow.load(scope, &progress, &parts).await
    };
    let collecting = async {
        let mut changes = Vec::new();
        while let Some(part) = handed.recv().await {
            changes.extend(part);
        }
        changes
    };
    let (snapshot, parts) = tokio::join!(loading, collecting);
    let mut snapshot = snapshot?;
    snapshot.changes.extend(parts);
    Ok(snapshot)
}

/// Records by object; the last told wins.
fn records(changes: Vec<Change>) -> BTreeMap<ObjectRef, Record> {
    let mut records = BTreeMap::new();
    for change in changes {
        match change {
            Change::Upsert(record) => drop(records.insert(record.object(), record)),
            Change::Remove(object) => drop(records.remove(&object)),
            other => panic!("{other:?}"),
        }
    }
    records
}

/// A row as the double has it, as a record.
fn truth(kind: &str, fields: &str, row: &Json, trashed: bool) -> Record {
    let mut record = Record::new(kind, &row["id"].to_string());
    record.trashed = trashed;
    record.project = row["project"].get("id").map(|id| Id::from(id.to_string().as_str()));
    for field in fields.split_whitespace().filter(|field| *field != "no_such_field") {
        record.fields.push((Str::from(field), value(field, &row[field])));
    }
    record
}

fn value(field: &str, told: &Json) -> Value {
    match told {
        Json::Null if CHECKBOXES.contains(&field) => Value::Bool(false),
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => Value::Number(number.as_f64().expect("a number")),
        Json::String(text) if field == "sg_budget" => Value::Number(text.parse().expect("a number")),
        Json::String(text) => Value::text(text),
        Json::Array(items) => Value::List(items.iter().map(|item| value("", item)).collect()),
        Json::Object(link) => Value::link(link["type"].as_str().expect("a type"), &link["id"].to_string()),
    }
}

async fn rows(double: &Double, name: &str, retired: bool) -> Vec<Json> {
    let rows = double.get(&format!("query?type={name}{}", if retired { "&retired=1" } else { "" })).await;
    // Nobody is shown what is written below a row that is in the trash.
    rows.as_array().expect("a list").iter().filter(|row| name != "Reply" || !row["entity"].is_null()).cloned().collect()
}

async fn differences(double: &Double, mut found: BTreeMap<ObjectRef, Record>) -> Vec<String> {
    let mut differences = Vec::new();
    for (kind, name, fields) in KINDS {
        for trashed in [false, true] {
            for row in rows(double, name, trashed).await {
                let expected = truth(kind, fields, &row, trashed);
                match found.remove(&expected.object()) {
                    Some(mut record) => {
                        record.name = Str::default();
                        if record != expected {
                            differences.push(format!("{record:?}\nis not\n{expected:?}"));
                        }
                    }
                    None => differences.push(format!("not found: {expected:?}")),
                }
            }
        }
    }
    found.retain(|object, _| object.kind != "entity_type");
    differences.extend(found.into_keys().map(|object| format!("too many: {object}")));
    differences
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of Flow: run tests/run"]
async fn everything_is_found_live_and_in_the_trash() {
    let double = Double::start(&[]);
    let flow = double.flow(&schema(&KINDS));
    assert_eq!(flow.probe().await.expect("it answers"), "v8.80.0.0 (build double)");
    let mut snapshot = load(&flow, Scope::All).await.expect("it loads");
    snapshot.complete.sort();
    let mut complete: Vec<Str> = KINDS.iter().map(|(kind, ..)| Str::from(*kind)).collect();
    complete.push(Str::from("entity_type"));
    complete.sort();
    assert_eq!(snapshot.complete, complete);
    let found = records(snapshot.changes);
    assert!(found.values().filter(|record| record.trashed).count() > 10);
    let named = |kind, id| found[&ObjectRef::new(kind, id)].name.clone();
    assert_eq!((named("project", "1").as_str(), named("api_user", "3").as_str()), ("The Film", "stagedoor"));
    // What the site's schema has stands in one record for each type, the log's too.
    let types = found.keys().filter(|object| object.kind == "entity_type").count();
    assert_eq!(types, KINDS.len() + 1);
    let task = &found[&ObjectRef::new("entity_type", "Task")];
    let fields = task.field("fields").expect("it has fields");
    assert_eq!(fields.get("task_assignees"), Some(&Value::text("multi_entity")));
    assert_eq!(fields.get("no_such_field"), None);
    assert!(found[&ObjectRef::new("entity_type", "EventLogEntry")].field("fields").is_some());
    let differences = differences(&double, found).await;
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The policy of the double's own roles.
fn policy() -> Policy {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/flow/roles.yaml");
    let text = std::fs::read_to_string(file).expect("the double has roles");
    Policy::load("flow", Some(("roles.yaml", &text))).expect("they compile")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of Flow: run tests/run"]
async fn the_mirror_holds_what_the_policy_of_the_site_looks_at() {
    let double = Double::start(&[]);
    let policy = policy();
    let flow = double.flow(&policy.schema);
    let found = records(load(&flow, Scope::All).await.expect("it loads").changes);
    for kind in policy.schema.kinds.iter().filter(|kind| !kind.type_name.is_empty() && !kind.rowless) {
        let fields = &found[&ObjectRef::new("entity_type", &kind.type_name)].fields[0].1;
        let records: Vec<_> = found.values().filter(|record| record.kind == kind.name).collect();
        assert!(!records.is_empty(), "{}", kind.name);
        for field in kind.fields.iter().filter(|field| fields.get(&field.name).is_some()) {
            let untold = records.iter().find(|record| record.field(&field.name).is_none());
            assert!(untold.is_none(), "{} of {untold:?}", field.name);
        }
    }
    let ann = &found[&ObjectRef::new("human_user", "1")];
    assert_eq!(ann.field("sg_status_list"), Some(&Value::text("act")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of Flow: run tests/run"]
async fn both_scopes_together_are_everything() {
    let double = Double::start(&[]);
    let flow = double.flow(&schema(&KINDS));
    let core = load(&flow, Scope::Core).await.expect("it loads");
    let large = load(&flow, Scope::Large).await.expect("it loads");
    assert!(core.complete.contains(&Str::from("project")) && !core.complete.contains(&Str::from("reply")));
    assert!(large.complete.contains(&Str::from("reply")) && large.complete.contains(&Str::from("task")));
    assert!(large.complete.iter().all(|kind| !core.complete.contains(kind)));
    let found = records(core.changes.into_iter().chain(large.changes).collect());
    let differences = differences(&double, found).await;
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of Flow: run tests/run"]
async fn many_rows_come_in_few_pages() {
    let double = Double::start(&[]);
    double.post("generate", json!({"tasks": 11_000, "projects": 3, "people": 50, "per_shot": 2})).await;
    // Rows without lists are read five thousand at a time.
    let flow = double.flow(&schema(&[("task", "Task", "sg_status_list entity"), ("shot", "Shot", "tasks")]));
    let found = records(load(&flow, Scope::Large).await.expect("it loads").changes);
    for (kind, name, size) in [("task", "Task", 5000), ("shot", "Shot", 2000)] {
        for retired in [true, false] {
            let ids = rows(&double, name, retired).await.len();
            let records = found.values().filter(|record| record.kind == kind && record.trashed == retired);
            assert_eq!(records.count(), ids, "{name}");
        }
        let live = u64::try_from(rows(&double, name, false).await.len()).expect("a number");
        assert_eq!(double.counts().await.of(&format!("search {name}")), live.div_ceil(size) + 1, "one for the trash");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of Flow: run tests/run"]
async fn a_token_that_ends_in_the_middle_is_renewed_once_for_all() {
    let double = Double::start(&["--token-life", "1", "--latency", "0.05"]);
    let flow = double.flow(&schema(&KINDS));
    for _ in 0..2 {
        let found = records(load(&flow, Scope::All).await.expect("it loads").changes);
        let differences = differences(&double, found).await;
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    }
    let counts = double.counts().await;
    assert!((2..=12).contains(&counts.of("token")), "{counts:?}");

    // The site ends it before its time, while many ask.
    double.post("settings", json!({"token_life": 600, "latency": 0.2})).await;
    flow.reread(&[ObjectRef::new("task", "1")]).await.expect("it answers");
    double.post("tokens", json!({"expire": true})).await;
    let before = double.counts().await.of("token");
    let objects = KINDS.map(|(kind, ..)| ObjectRef::new(kind, "1"));
    let asked = (0..6).map(|_| flow.reread(&objects));
    for read in futures_util::future::join_all(asked).await {
        assert_eq!(records(read.expect("it answers")).len(), objects.len());
    }
    assert_eq!(double.counts().await.of("token"), before + 1, "one for all who asked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of Flow: run tests/run"]
async fn a_site_that_fails_for_a_while_is_asked_again_and_not_stormed() {
    let double = Double::start(&[]);
    let flow = double.flow(&schema(&KINDS));
    flow.probe().await.expect("it answers");
    for error in ["502", "503", "504", "drop"] {
        double.post("faults", json!({"what": "search", "error": error, "times": 2})).await;
        let found = records(load(&flow, Scope::All).await.expect(error).changes);
        assert!(differences(&double, found).await.is_empty(), "{error}");
        // What fails for good is told after a few tries.
        double.delete("record").await;
        double.post("faults", json!({"what": "search Task", "error": error, "times": null})).await;
        let told = flow.reread(&[ObjectRef::new("task", "1")]).await.expect_err(error);
        assert!(matches!(&told, SourceError::Unavailable(_)), "{told}");
        assert_eq!(double.counts().await.of("search Task"), 3, "{error}");
        double.delete("faults").await;
        assert_eq!(records(flow.reread(&[ObjectRef::new("task", "1")]).await.expect(error)).len(), 1);
    }
    // Neither is asked again at once.
    for error in ["500", "429"] {
        double.delete("record").await;
        double.post("faults", json!({"what": "search Task", "error": error, "times": 1})).await;
        let told = flow.reread(&[ObjectRef::new("task", "1")]).await.expect_err(error);
        assert!(matches!(&told, SourceError::Unavailable(why) if why.contains(error)), "{told}");
        assert_eq!(double.counts().await.of("search Task"), 1, "{error}");
    }
    double.post("faults", json!({"what": "search Task", "error": "garbled", "times": 1})).await;
    let told = flow.reread(&[ObjectRef::new("task", "1")]).await.expect_err("garbled");
    assert!(matches!(&told, SourceError::Malformed(_)), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of Flow: run tests/run"]
async fn a_slow_site_is_waited_for() {
    let double = Double::start(&["--latency", "3"]);
    let flow = double.flow(&schema(&KINDS));
    let asked = Instant::now();
    flow.probe().await.expect("it answers");
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(14), "a token, then all questions at once, then one about projects: {took:?}");
    let asked = Instant::now();
    let objects = KINDS.map(|(kind, ..)| ObjectRef::new(kind, "1"));
    assert_eq!(records(flow.reread(&objects).await.expect("it answers")).len(), objects.len());
    assert!(asked.elapsed() < Duration::from_secs(30), "{:?}", asked.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of Flow: run tests/run"]
async fn a_change_costs_two_requests_at_most() {
    let double = Double::start(&[]);
    let flow = double.flow(&schema(&KINDS));
    load(&flow, Scope::Core).await.expect("it loads");
    let counted = async |objects: &[(&str, &str)]| {
        double.delete("record").await;
        let objects: Vec<_> = objects.iter().map(|(kind, id)| ObjectRef::new(kind, id)).collect();
        let changes = flow.reread(&objects).await.expect("it answers");
        assert_eq!(changes.len(), objects.len());
        (double.counts().await.of("requests"), changes)
    };
    load(&flow, Scope::Large).await.expect("it loads");
    let trashed = rows(&double, "Task", true).await[0]["id"].to_string();
    assert_eq!(counted(&[("task", "1"), ("task", "2"), ("task", "3")]).await.0, 1);
    let (requests, changes) = counted(&[("task", "1"), ("task", &trashed)]).await;
    assert_eq!(requests, 2);
    assert!(changes.iter().any(|change| matches!(change, Change::Upsert(record) if record.trashed)));
    assert_eq!(counted(&[("task", "1"), ("shot", "1")]).await.0, 2, "one for each type");
    // What no site would have as an id is asked of nobody.
    let (requests, changes) = counted(&[("task", "01"), ("task", "x"), ("task", ""), ("unknown", "1")]).await;
    assert_eq!(requests, 0);
    assert!(changes.iter().all(|change| matches!(change, Change::Remove(_))));
    // What is found nowhere is gone, if the script still sees what it must; that was looked at a moment ago.
    tokio::time::sleep(Duration::from_millis(3_300)).await;
    let (requests, changes) = counted(&[("task", "99999")]).await;
    assert!(requests > 2, "{requests}");
    assert_eq!(changes, [Change::Remove(ObjectRef::new("task", "99999"))]);
    // A site that has just answered need not be asked whether it does.
    double.delete("record").await;
    flow.probe().await.expect("it answers");
    assert_eq!(double.counts().await.of("requests"), 0);
    let read = flow.reread(&[ObjectRef::new("entity_type", "Task"), ObjectRef::new("entity_type", "Nothing")]).await;
    let read = read.expect("it answers");
    assert!(matches!(&read[..], [Change::Remove(_), Change::Upsert(_)] | [Change::Upsert(_), Change::Remove(_)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of Flow: run tests/run"]
async fn who_is_not_let_in_or_does_not_see_enough_is_told_what_to_do() {
    let double = Double::start(&[]);
    let schema = schema(&KINDS);
    let key = |text: &str| TokenSource::Value(text.to_owned());
    let told = async |script: &str, key: TokenSource, needs: &[&str]| {
        let told = double.flow_as(script, key, &schema).probe().await.expect_err(script);
        assert!(matches!(told, SourceError::Refused(_)), "{told:?}");
        let told = told.to_string();
        for part in needs {
            assert!(told.contains(part), "{script}: `{told}` lacks `{part}`");
        }
        assert!(!told.contains("-key") || told.contains("script_key"), "no key is told: {told}");
    };
    told("stagedoor", key("wrong-secret"), &["authenticate", "script_key_file"]).await;
    told("nobody", key("nobody-key"), &["authenticate", "script_name"]).await;
    told("retired-script", key("retired-script-key"), &["script_name"]).await;
    told("ingest", key("ingest-key"), &["HumanUser", "role", "API Admin"]).await;

    // A role that sees every type, and projects only as they are assigned.
    let roles = "extends: flow\nroles:\n  api_ingest: {types: {\"*\": {see: yes}}}\n  \
                 api_reader: {advanced: [see_all_projects], types: {\"*\": {see: yes}}}\n  \
                 api_admin: {advanced: [see_all_projects], types: {\"*\": {see: yes}, Task: {see: no}}}\n";
    let answer = reqwest::Client::new().post(format!("{}/double/roles", double.address)).body(roles).send().await;
    assert!(answer.expect("the double answers").status().is_success());
    told("ingest", key("ingest-key"), &["1 projects", "See Assigned Projects Only", "API Admin"]).await;

    // The same role where the list is empty: templates are all that it sees, which is not everything.
    double.mutate(&json!([["update", "ApiUser", 2, {"projects": []}]])).await;
    told("ingest", key("ingest-key"), &["0 projects", "See Assigned Projects Only", "API Admin"]).await;

    // One that is assigned to some and sees the others is not restricted.
    double.mutate(&json!([["update", "ApiUser", 3, {"projects": ["Project:1"]}]])).await;
    double.flow(&schema).probe().await.expect("it sees all");

    // One type that is not shown is left out, with its record; nothing else is.
    let flow = double.flow_as("pipeline", key("pipeline-key"), &schema);
    let snapshot = load(&flow, Scope::All).await.expect("it loads");
    assert!(snapshot.complete.contains(&Str::from("task")), "there are none that it could know of");
    let found = records(snapshot.changes);
    assert!(!found.contains_key(&ObjectRef::new("entity_type", "Task")));
    assert!(found.keys().all(|object| object.kind != "task"));
    assert!(found.contains_key(&ObjectRef::new("shot", "1")));
    let read = flow.reread(&[ObjectRef::new("task", "1"), ObjectRef::new("shot", "1")]).await.expect("it answers");
    assert!(read.iter().any(|change| matches!(change, Change::Quarantine { object, .. } if object.kind == "task")));
    assert!(read.iter().any(|change| matches!(change, Change::Upsert(record) if record.kind == "shot")));

    // Another server.
    let other = double.flow_as("stagedoor", key("stagedoor-key"), &schema);
    double.post("api", json!({"mode": "down"})).await;
    assert!(matches!(other.probe().await, Err(SourceError::Unavailable(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of Flow: run tests/run"]
async fn a_key_that_was_changed_is_taken_from_its_file() {
    let double = Double::start(&[]);
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("key");
    std::fs::write(&file, "old-key\n").expect("written");
    let flow = double.flow_as("stagedoor", TokenSource::File(file.clone()), &schema(&KINDS));
    assert!(matches!(flow.probe().await, Err(SourceError::Refused(_))));
    std::fs::write(&file, "stagedoor-key\n").expect("written");
    flow.probe().await.expect("it lets the new one in");
    let record = double.get("record").await.to_string();
    assert!(!record.contains("stagedoor-key") && !record.contains("old-key"), "no key stands in an address");
}
