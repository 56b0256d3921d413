//! Sites, roles files, changes and questions by chance.

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, IteratorRandom as _};
use stagedoor::model::change::Change;
use stagedoor::model::id::ObjectRef;
use stagedoor::model::record::Record;
use stagedoor::model::value::Value;

use super::model::{ADVANCED, BACKS, Plain, Question, Row, Site, Who, snake};
use super::rules::{Condition, FieldRules, Link, Operand, Role, Rule, Rules, TypeRules};

type Fields = &'static [(&'static str, &'static str, &'static [&'static str])];

const PEOPLE: &[&str] = &["HumanUser", "ApiUser", "ClientUser"];
const WORKED: &[&str] = &["Group", "HumanUser"];

/// What the site has: type, the most rows, and fields with their data types and the types that they link to.
const TYPES: [(&str, u32, Fields); 24] = [
    (
        "Project",
        4,
        &[
            ("name", "text", &[]),
            ("is_template", "checkbox", &[]),
            ("is_template_project", "checkbox", &[]),
            ("archived", "checkbox", &[]),
            ("start_date", "date", &[]),
            ("users", "multi_entity", &["HumanUser"]),
        ],
    ),
    ("Sequence", 2, &[("code", "text", &[]), ("project", "entity", &["Project"])]),
    (
        "Shot",
        3,
        &[
            ("code", "text", &[]),
            ("project", "entity", &["Project"]),
            ("sg_sequence", "entity", &["Sequence"]),
            ("sg_status_list", "status_list", &[]),
            ("tasks", "multi_entity", &["Task"]),
            ("smart_cut_in", "number", &[]),
            ("created_by", "entity", PEOPLE),
            ("open_notes_count", "summary", &[]),
        ],
    ),
    (
        "Asset",
        3,
        &[
            ("code", "text", &[]),
            ("project", "entity", &["Project"]),
            ("linked_projects", "multi_entity", &["Project"]),
            ("sg_asset_type", "list", &[]),
            ("tasks", "multi_entity", &["Task"]),
            ("sg_keep", "checkbox", &[]),
            ("created_by", "entity", PEOPLE),
        ],
    ),
    (
        "Task",
        4,
        &[
            ("content", "text", &[]),
            ("project", "entity", &["Project"]),
            ("entity", "entity", &["Shot", "Asset"]),
            ("step", "entity", &["Step"]),
            ("task_assignees", "multi_entity", WORKED),
            ("task_reviewers", "multi_entity", WORKED),
            ("sg_status_list", "status_list", &[]),
            ("est_in_mins", "duration", &[]),
            ("milestone", "checkbox", &[]),
            ("due_date", "date", &[]),
            ("pinned", "checkbox", &[]),
            ("time_vs_est", "percent", &[]),
            ("sg_ratio", "calculated", &[]),
            ("sg_versions", "multi_entity", &["Version"]),
            ("created_by", "entity", PEOPLE),
        ],
    ),
    (
        "Version",
        3,
        &[
            ("code", "text", &[]),
            ("project", "entity", &["Project"]),
            ("entity", "entity", &["Shot", "Asset"]),
            ("sg_task", "entity", &["Task"]),
            ("user", "entity", PEOPLE),
            ("sg_status_list", "status_list", &[]),
            ("created_at", "date_time", &[]),
            ("created_by", "entity", PEOPLE),
        ],
    ),
    (
        "PublishedFile",
        2,
        &[
            ("code", "text", &[]),
            ("project", "entity", &["Project"]),
            ("version", "entity", &["Version"]),
            ("created_by", "entity", PEOPLE),
        ],
    ),
    (
        "Note",
        3,
        &[
            ("subject", "text", &[]),
            ("project", "entity", &["Project"]),
            ("user", "entity", PEOPLE),
            ("addressings_to", "multi_entity", WORKED),
            ("addressings_cc", "multi_entity", WORKED),
            ("note_links", "multi_entity", &["Shot", "Task", "Version"]),
            ("sg_note_type", "list", &[]),
            ("client_note", "checkbox", &[]),
            ("created_by", "entity", PEOPLE),
        ],
    ),
    ("Reply", 3, &[("content", "text", &[]), ("entity", "entity", &["Note", "Ticket"]), ("user", "entity", PEOPLE)]),
    (
        "TimeLog",
        2,
        &[
            ("description", "text", &[]),
            ("project", "entity", &["Project"]),
            ("entity", "entity", &["Task", "Project"]),
            ("user", "entity", PEOPLE),
            ("date", "date", &[]),
            ("duration", "duration", &[]),
            ("created_by", "entity", PEOPLE),
        ],
    ),
    ("Playlist", 1, &[("code", "text", &[]), ("project", "entity", &["Project"]), ("locked_by", "entity", PEOPLE)]),
    (
        "Ticket",
        2,
        &[
            ("title", "text", &[]),
            ("project", "entity", &["Project"]),
            ("addressings_to", "multi_entity", WORKED),
            ("tags", "tag_list", &[]),
            ("created_by", "entity", PEOPLE),
        ],
    ),
    (
        "HumanUser",
        4,
        &[
            ("id", "number", &[]),
            ("name", "text", &[]),
            ("login", "text", &[]),
            ("email", "text", &[]),
            ("sg_status_list", "status_list", &[]),
            ("permission_rule_set", "entity", &["PermissionRuleSet"]),
            ("projects", "multi_entity", &["Project"]),
            ("groups", "multi_entity", &["Group"]),
            ("department", "entity", &["Department"]),
            ("can_impersonate_this_user", "checkbox", &[]),
        ],
    ),
    (
        "ApiUser",
        2,
        &[
            ("firstname", "text", &[]),
            ("permission_rule_set", "entity", &["PermissionRuleSet"]),
            ("projects", "multi_entity", &["Project"]),
        ],
    ),
    ("Group", 3, &[("code", "text", &[]), ("users", "multi_entity", &["HumanUser"])]),
    (
        "Department",
        2,
        &[("code", "text", &[]), ("users", "multi_entity", &["HumanUser"]), ("created_by", "entity", PEOPLE)],
    ),
    ("PermissionRuleSet", 6, &[("code", "text", &[]), ("display_name", "text", &[])]),
    ("Status", 1, &[("code", "text", &[]), ("name", "text", &[])]),
    ("Step", 2, &[("code", "text", &[]), ("department", "entity", &["Department"]), ("entity_type", "text", &[])]),
    (
        "CustomEntity07",
        2,
        &[
            ("code", "text", &[]),
            ("project", "entity", &["Project"]),
            ("sg_recipients", "multi_entity", WORKED),
            ("sg_shots", "multi_entity", &["Shot"]),
            ("created_by", "entity", PEOPLE),
        ],
    ),
    ("CustomNonProjectEntity03", 1, &[("code", "text", &[]), ("sg_owner", "entity", PEOPLE)]),
    ("EventLogEntry", 0, &[("project", "entity", &["Project"]), ("description", "text", &[])]),
    // Linked to, but not served.
    ("ClientUser", 2, &[]),
    ("Delivery", 0, &[]),
];

pub(super) const EXTRA: [&str; 2] = ["CustomEntity07", "CustomNonProjectEntity03"];
/// The types that can have rows.
pub(super) const ROWS: [&str; 21] = [
    "Project",
    "Sequence",
    "Shot",
    "Asset",
    "Task",
    "Version",
    "PublishedFile",
    "Note",
    "Reply",
    "TimeLog",
    "Playlist",
    "Ticket",
    "HumanUser",
    "ApiUser",
    "Group",
    "Department",
    "PermissionRuleSet",
    "Status",
    "Step",
    "CustomEntity07",
    "CustomNonProjectEntity03",
];
const CODES: [&str; 13] =
    ["admin", "manager", "artist", "artist", "artist", "lead", "lead", "lead", "copy", "copy", "own", "own", "ghost"];
const FILE_CODES: [&str; 4] = ["artist", "lead", "copy", "own"];
const WORDS: [&str; 6] = ["alpha", "Alpha Beta", "BETA", "ket 1", "Éclair", "éclair"];
const STATUSES: [&str; 5] = ["ip", "rev", "fin", "FIN", "omt"];
const LISTED: [&str; 3] = ["Character", "prop", "Prop"];
const NUMBERS: [f64; 5] = [0.0, 60.0, 240.0, 241.0, -5.0];
const DATES: [&str; 3] = ["2026-03-01", "2026-03-02", "2025-12-31"];
const TIMES: [&str; 3] = ["2026-01-16T12:00:00Z", "2026-01-16T12:00:01Z", "2025-12-31T23:59:59Z"];
const LOGINS: [&str; 6] = ["ada", "Ada", "bo", "cy", "di", "eve"];

fn pick<T: Copy>(from: &[T], chance: &mut StdRng) -> T {
    *from.choose(chance).expect("some")
}

/// One time in so many.
fn once(in_so_many: u32, chance: &mut StdRng) -> bool {
    chance.random_range(0..in_so_many) == 0
}

fn fields(name: &str) -> Fields {
    TYPES.iter().find(|(own, ..)| *own == name).map(|(.., fields)| *fields).unwrap_or_default()
}

fn is_back(name: &str, field: &str) -> bool {
    BACKS.iter().any(|(of, own, ..)| *of == name && *own == field)
}

fn is_linking(data_type: &str) -> bool {
    matches!(data_type, "entity" | "multi_entity")
}

// === Sites ===

/// A site without rows; its schema is known.
pub(super) fn site() -> Site {
    let mut site = Site::default();
    for (name, _, fields) in TYPES {
        if name != "ClientUser" && name != "Delivery" {
            let fields = fields.iter().map(|(field, data_type, _)| ((*field).to_owned(), (*data_type).to_owned()));
            site.schema.insert(name.into(), fields.collect());
        }
    }
    site
}

fn some_link(valid: &[&str], chance: &mut StdRng) -> Link {
    let name = pick(valid, chance);
    let most = TYPES.iter().find(|(own, ..)| *own == name).map_or(1, |(_, most, _)| *most);
    (name.into(), chance.random_range(1..=most.max(1)).to_string())
}

fn value(name: &str, field: &str, data_type: &str, valid: &[&str], chance: &mut StdRng) -> Plain {
    let text = |text: &str| Plain::Text(text.into());
    match (name, field) {
        ("HumanUser", "sg_status_list") => return text(if once(15, chance) { "dis" } else { "act" }),
        ("HumanUser", "login" | "email") => return text(pick(&LOGINS, chance)),
        ("PermissionRuleSet", "code") => return text(pick(&CODES, chance)),
        ("HumanUser" | "ApiUser", "permission_rule_set") if !once(20, chance) => {
            return Plain::Link(some_link(valid, chance));
        }
        (_, "project") if !once(10, chance) => return Plain::Link(some_link(valid, chance)),
        (_, "is_template_project") => return Plain::Flag(once(4, chance)),
        (_, "is_template") => return Plain::Flag(once(6, chance)),
        _ => {}
    }
    if once(6, chance) {
        return match data_type {
            "checkbox" => Plain::Flag(false),
            "multi_entity" => Plain::Links(Vec::new()),
            _ => Plain::Null,
        };
    }
    match data_type {
        "text" => text(pick(&WORDS, chance)),
        "status_list" => text(pick(&STATUSES, chance)),
        "list" => text(pick(&LISTED, chance)),
        "number" | "duration" | "percent" => Plain::Number(pick(&NUMBERS, chance)),
        "date" => text(pick(&DATES, chance)),
        "date_time" => text(pick(&TIMES, chance)),
        "checkbox" => Plain::Flag(once(2, chance)),
        "tag_list" => Plain::Texts(some(chance, |chance| pick(&WORDS, chance).to_owned())),
        "entity" => Plain::Link(some_link(valid, chance)),
        "multi_entity" => Plain::Links(some(chance, |chance| some_link(valid, chance))),
        // Nothing that a condition can look at.
        _ => Plain::Null,
    }
}

fn some<T>(chance: &mut StdRng, mut one: impl FnMut(&mut StdRng) -> T) -> Vec<T> {
    (0..chance.random_range(0..=3)).map(|_| one(chance)).collect()
}

/// Whether the answers to most questions hang on rows of this type.
fn asks(name: &str) -> bool {
    matches!(name, "HumanUser" | "ApiUser" | "PermissionRuleSet")
}

fn row(name: &str, chance: &mut StdRng) -> Row {
    let kept = fields(name).iter().filter(|(field, ..)| *field != "id" && !is_back(name, field));
    let fields =
        kept.map(|(field, data_type, valid)| ((*field).to_owned(), value(name, field, data_type, valid, chance)));
    Row { fields: fields.collect(), trashed: once(if asks(name) { 25 } else { 8 }, chance) }
}

/// Every row that there can be.
pub(super) fn fill(site: &mut Site, chance: &mut StdRng) -> Vec<Change> {
    let mut changes: Vec<_> = site.schema.iter().map(|(name, fields)| described(name, fields)).collect();
    for (name, most, _) in TYPES.into_iter().filter(|(name, ..)| site.schema.contains_key(*name)) {
        for id in 1..=most {
            let link = (name.to_owned(), id.to_string());
            let row = row(name, chance);
            changes.push(Change::Upsert(record(&link, &row)));
            site.rows.insert(link, row);
        }
    }
    changes
}

/// Changes the site somewhere, and says what a connector would hand over. `gone` are the rows that vanished or are not
/// understood, whole or a field of them; they soon come back.
pub(super) fn change(site: &mut Site, gone: &mut BTreeSet<Link>, chance: &mut StdRng) -> Change {
    unsettled(site, gone, chance).unwrap_or_else(|| edit(site, chance).1)
}

/// A row vanishes, is not understood, or is there again; or the site's schema changes.
fn unsettled(site: &mut Site, gone: &mut BTreeSet<Link>, chance: &mut StdRng) -> Option<Change> {
    if let Some(link) = gone.iter().choose(chance).cloned().filter(|_| once(3, chance)) {
        gone.remove(&link);
        let row = row(known(&link.0), chance);
        let record = record(&link, &row);
        site.rows.insert(link, row);
        return Some(Change::Upsert(record));
    }
    if once(40, chance) {
        return Some(schema_change(site, chance));
    }
    if once(12, chance) {
        // Not understood alone: for the model it is null, or false.
        let (link, change) = edit(site, chance);
        let (Change::Upsert(mut record), Some(row)) = (change, site.rows.get_mut(&link)) else { return None };
        let field = row.fields.keys().choose(chance).cloned().expect("some field");
        record.fields.retain(|(name, _)| *name != field);
        if field == "project" {
            record.project = None;
        }
        row.fields.insert(field, Plain::Null);
        gone.insert(link);
        return Some(Change::Upsert(record));
    }
    let link = some_row(site, chance);
    if !once(12, chance) || asks(&link.0) && !once(3, chance) {
        return None;
    }
    let object = ObjectRef::new(&snake(&link.0), &link.1);
    site.rows.remove(&link);
    gone.insert(link);
    Some(if once(2, chance) { Change::Remove(object) } else { Change::Quarantine { object, problem: "odd".into() } })
}

/// A row that is there is edited, thrown away or taken out of the trash.
pub(super) fn edit(site: &mut Site, chance: &mut StdRng) -> (Link, Change) {
    let link = some_row(site, chance);
    let name = known(&link.0);
    let held = site.rows.get_mut(&link).expect("it is there");
    match chance.random_range(0..6) {
        0 if !asks(name) || once(3, chance) => held.trashed = !held.trashed,
        1 => *held = row(name, chance),
        _ => {
            let kept = fields(name).iter().filter(|(field, ..)| *field != "id" && !is_back(name, field));
            // Mostly links.
            let links = kept.clone().filter(|(_, data_type, _)| is_linking(data_type));
            let link = links.choose(chance).filter(|_| often(chance));
            let (field, data_type, valid) = link.or_else(|| kept.choose(chance)).expect("some field");
            held.fields.insert((*field).into(), value(name, field, data_type, valid, chance));
        }
    }
    let record = record(&link, held);
    (link, Change::Upsert(record))
}

fn some_row(site: &Site, chance: &mut StdRng) -> Link {
    site.rows.keys().choose(chance).expect("some row").clone()
}

fn known(name: &str) -> &'static str {
    TYPES.iter().find(|(own, ..)| *own == name).map_or("", |(own, ..)| own)
}

/// A field is deleted from the site, or is there again.
fn schema_change(site: &mut Site, chance: &mut StdRng) -> Change {
    let (name, field, data_type) = pick(
        &[
            ("Task", "est_in_mins", "duration"),
            ("Task", "created_by", "entity"),
            ("Shot", "sg_sequence", "entity"),
            ("Asset", "sg_asset_type", "list"),
            ("Version", "sg_status_list", "status_list"),
        ],
        chance,
    );
    let fields = site.schema.get_mut(name).expect("a type");
    if fields.remove(field).is_none() {
        fields.insert(field.into(), data_type.into());
    }
    described(name, fields)
}

fn described(name: &str, fields: &BTreeMap<String, String>) -> Change {
    let fields = fields.iter().map(|(field, data_type)| (field.as_str().into(), Value::text(data_type)));
    Change::Upsert(Record::new("entity_type", name).with("fields", Value::Map(fields.collect())))
}

/// A row as a connector hands it over.
pub(super) fn record(link: &Link, row: &Row) -> Record {
    let mut record = Record::new(&snake(&link.0), &link.1);
    record.trashed = row.trashed;
    for (field, value) in &row.fields {
        if let ("project", Plain::Link((_, id))) = (field.as_str(), value) {
            record = record.in_project(id);
        }
        record = record.with(field, handed(value));
    }
    record
}

fn handed(value: &Plain) -> Value {
    let link = |(name, id): &Link| Value::link(name, id);
    match value {
        Plain::Null => Value::Null,
        Plain::Flag(flag) => Value::Bool(*flag),
        Plain::Number(number) => Value::Number(*number),
        Plain::Text(text) => Value::text(text),
        Plain::Texts(texts) => Value::texts(texts.iter().map(String::as_str)),
        Plain::Link(one) => link(one),
        Plain::Links(links) => Value::List(links.iter().map(link).collect()),
    }
}

/// What a caller could say of a resource to be let in.
pub(super) fn told(id: &str) -> Value {
    let me = || Value::List(vec![Value::link("HumanUser", id), Value::link("HumanUser", "1")]);
    let field = |name: &str, value: Value| (name.into(), value);
    Value::Map(vec![
        field("project", Value::text("1")),
        field("linked_projects", Value::List(vec![Value::link("Project", "1")])),
        field("is_template", Value::Bool(true)),
        field("is_template_project", Value::Bool(false)),
        field("task_assignees", me()),
        field("created_by", Value::link("HumanUser", "1")),
        field("user", Value::link("HumanUser", "1")),
        field("sg_status_list", Value::text("ip")),
        field("trashed", Value::Bool(false)),
        field("id", Value::text(id)),
    ])
}

pub(super) fn asked_value(value: &Plain) -> Value {
    handed(value)
}

// === Roles files ===

/// A roles file; `built_in` is what it extends.
pub(super) fn rules(built_in: &BTreeMap<String, Role>, chance: &mut StdRng) -> Rules {
    let mut rules = Rules {
        extra_types: EXTRA.map(String::from).to_vec(),
        built_in: built_in.clone(),
        read_only: BTreeMap::from([("Task".into(), BTreeSet::from(["pinned".into(), "due_date".into()]))]),
        ..Rules::default()
    };
    for (name, ..) in TYPES.into_iter().filter(|(_, most, fields)| *most > 0 && !fields.is_empty()) {
        for at in 0..2 {
            rules.conditions.insert(format!("{name} {at}"), condition(name, 2, chance));
        }
    }
    for code in FILE_CODES {
        let mut role = role(chance);
        // Clones lead to the left, or to what is built in.
        role.clone = match code {
            "copy" => Some("lead".into()),
            "own" if once(2, chance) => Some("copy".into()),
            "own" if !built_in.is_empty() => Some(built_in.keys().choose(chance).expect("some").clone()),
            _ => None,
        };
        if role.clone.is_some() && once(2, chance) {
            role.advanced = None;
        }
        rules.roles.insert(code.into(), role);
    }
    rules
}

fn role(chance: &mut StdRng) -> Role {
    let mut advanced: BTreeSet<_> =
        ADVANCED.iter().filter(|_| once(3, chance)).map(|name| (*name).to_owned()).collect();
    if once(2, chance) {
        advanced.insert("see_all_projects".into());
    }
    let mut types = BTreeMap::new();
    types.insert("*".into(), type_rules("*", chance));
    for (name, _, fields) in TYPES {
        if !fields.is_empty() && once(2, chance) {
            types.insert(name.into(), type_rules(name, chance));
        }
    }
    // What says nothing is left out.
    types.retain(|_, TypeRules { see, create, edit, retire, fields }| {
        !fields.is_empty() || [see, create, edit, retire].into_iter().any(|rule| rule.is_some())
    });
    Role { clone: None, advanced: (!once(6, chance)).then_some(advanced), types }
}

fn type_rules(name: &str, chance: &mut StdRng) -> TypeRules {
    let mut rules = TypeRules {
        see: often(chance).then(|| if once(2, chance) { Rule::Yes } else { rule(name, chance) }),
        create: often(chance).then(|| if once(3, chance) { Rule::No } else { Rule::Yes }),
        edit: often(chance).then(|| rule(name, chance)),
        retire: often(chance).then(|| rule(name, chance)),
        fields: BTreeMap::new(),
    };
    if name == "*" {
        return rules;
    }
    for (field, data_type, _) in fields(name).iter().chain(&[("*", "", &[][..])]) {
        let status = *data_type == "status_list";
        if !once(if status { 2 } else { 3 }, chance) {
            continue;
        }
        let mut values = BTreeMap::new();
        if status || once(8, chance) && *field != "*" {
            for status in STATUSES {
                if once(3, chance) {
                    values.insert(status.into(), rule(name, chance));
                }
            }
        }
        let see = once(4, chance).then(|| rule(name, chance));
        let edit = often(chance).then(|| rule(name, chance));
        if see.is_some() || edit.is_some() || !values.is_empty() {
            rules.fields.insert((*field).into(), FieldRules { see, edit, values });
        }
    }
    rules
}

fn often(chance: &mut StdRng) -> bool {
    !once(3, chance)
}

fn rule(name: &str, chance: &mut StdRng) -> Rule {
    // For all types: a condition that most have the field for.
    let at_home = if name == "*" { "Shot" } else { name };
    match chance.random_range(0..10) {
        0..4 => Rule::Yes,
        4 => Rule::No,
        5..7 if at_home != "EventLogEntry" => Rule::Named(format!("{at_home} {}", chance.random_range(0..2))),
        _ => Rule::When(condition(at_home, 2, chance)),
    }
}

/// A condition on rows of this type, nested at most so deep.
pub(super) fn condition(name: &str, depth: u32, chance: &mut StdRng) -> Condition {
    if depth == 0 || !once(3, chance) {
        return leaf(name, chance);
    }
    let conditions = (0..chance.random_range(1..=3)).map(|_| condition(name, depth - 1, chance)).collect();
    if once(2, chance) { Condition::All(conditions) } else { Condition::Any(conditions) }
}

fn leaf(name: &str, chance: &mut StdRng) -> Condition {
    let mut path = String::new();
    let mut at = name;
    loop {
        let comparable = fields(at).iter().filter(|(_, data_type, _)| !matches!(*data_type, "summary" | "calculated"));
        // Often the other end of a link, of which the row itself tells nothing.
        let back = comparable.clone().find(|(field, ..)| is_back(at, field)).filter(|_| once(3, chance));
        let Some((field, data_type, valid)) = back.or_else(|| comparable.choose(chance)) else {
            panic!("{at} has no fields")
        };
        path.push_str(field);
        // Where a step leads there must be something to look at.
        let next = valid.iter().filter(|name| !fields(name).is_empty()).choose(chance);
        if let Some(next) = next.filter(|_| is_linking(data_type) && path.matches('.').count() < 6 && !once(3, chance))
        {
            // Sometimes to a type that the field never links to, so that nothing is reached.
            let next = if once(15, chance) { "Note" } else { *next };
            path.push_str(&format!(".{next}."));
            at = next;
            continue;
        }
        if once(60, chance) {
            path.push_str("_nowhere");
        }
        let (relation, values) = compared(data_type, valid, chance);
        return Condition::Leaf { path, relation: relation.into(), values };
    }
}

fn compared(data_type: &str, valid: &[&str], chance: &mut StdRng) -> (&'static str, Vec<Operand>) {
    let one = |chance: &mut StdRng| operand(data_type, valid, chance);
    if once(8, chance) {
        return (pick(&["is", "is_not"], chance), vec![Operand::Null]);
    }
    let texts: &[&str] = &["is", "is_not", "in", "not_in", "contains", "starts_with", "ends_with", "not_contains"];
    let relation = match data_type {
        "text" | "list" | "status_list" | "tag_list" => pick(texts, chance),
        "number" | "duration" | "percent" | "date" | "date_time" => {
            pick(&["is", "is_not", "in", "not_in", "greater_than", "less_than", "between"], chance)
        }
        "checkbox" => pick(&["is", "is_not"], chance),
        _ => pick(&["is", "is", "is_not", "in", "not_in", "type_is", "type_is_not"], chance),
    };
    let values = match relation {
        "in" | "not_in" => (0..chance.random_range(1..=3)).map(|_| one(chance)).collect(),
        "between" => vec![one(chance), one(chance)],
        "type_is" | "type_is_not" => {
            vec![Operand::Text(pick(&["HumanUser", "Group", "Task", "Shot", "Project", "ApiUser"], chance).into())]
        }
        _ => vec![one(chance)],
    };
    (relation, values)
}

fn operand(data_type: &str, valid: &[&str], chance: &mut StdRng) -> Operand {
    let text = |text: &str| Operand::Text(text.into());
    match data_type {
        "text" | "tag_list" => text(pick(&["alpha", "ALPHA BETA", "b", "a", "ket 1", "ÉCLAIR", "é"], chance)),
        "list" => text(pick(&["character", "PROP", "op"], chance)),
        "status_list" => text(pick(&["act", "ip", "Fin", "r", "omt"], chance)),
        "number" | "duration" | "percent" => Operand::Number(pick(&NUMBERS, chance)),
        "date" => text(pick(&DATES, chance)),
        "date_time" => text(pick(&TIMES, chance)),
        "checkbox" => Operand::Flag(once(2, chance)),
        _ if once(2, chance) => Operand::Me,
        // A roles file names types that are served only.
        _ => match some_link(valid, chance) {
            (name, id) if name == "ClientUser" => Operand::Link(("ApiUser".into(), id)),
            link => Operand::Link(link),
        },
    }
}

// === Questions ===

pub(super) fn person(chance: &mut StdRng) -> Who {
    if once(4, chance) {
        return Who::Bot(chance.random_range(1..=2).to_string());
    }
    Who::Person(chance.random_range(1..=4).to_string())
}

pub(super) fn who(chance: &mut StdRng) -> Who {
    match chance.random_range(0..10) {
        0..2 => Who::Bot(chance.random_range(1..=2).to_string()),
        2 => Who::Login(pick(&LOGINS, chance).into()),
        3 => Who::Email(pick(&LOGINS, chance).into()),
        _ => Who::Person(chance.random_range(1..=4).to_string()),
    }
}

pub(super) fn question(chance: &mut StdRng) -> Question {
    let who = who(chance);
    if once(10, chance) {
        let mut action = pick(&ADVANCED, chance);
        let mut value = None;
        if once(2, chance) {
            action = "act_as_another_user";
            value = often(chance).then(|| Plain::Text(chance.random_range(1..=5).to_string()));
        }
        let action = if once(20, chance) { "read" } else { action };
        return Question {
            who,
            action: action.into(),
            field: String::new(),
            value,
            kind: "site".into(),
            id: String::new(),
            project: None,
        };
    }
    let (name, most, own) = match chance.random_range(0..3) {
        0 => pick(&TYPES, chance),
        _ => TYPES[chance.random_range(2..9)],
    };
    let action = match chance.random_range(0..24) {
        0..6 => "read",
        6..9 => "create",
        9..18 => "update",
        18..21 => "delete",
        21..23 => "revive",
        _ => pick(&["set_status", "Read", "see_all_projects"], chance),
    };
    let action = if name == "EventLogEntry" && often(chance) { "create" } else { action };
    let action = if action == "revive" && once(2, chance) { "update" } else { action };
    let takes_field = matches!(action, "read" | "update") || once(30, chance);
    let of_interest = own.iter().find(|(_, data_type, _)| *data_type == "status_list").filter(|_| once(3, chance));
    let field = match of_interest.or_else(|| own.choose(chance)) {
        Some((field, ..)) if takes_field && often(chance) => *field,
        _ if takes_field && once(8, chance) => "sg_nowhere",
        _ => "",
    };
    let value = match chance.random_range(0..8) {
        0..3 => None,
        3 => Some(Plain::Null),
        4 => Some(Plain::Number(5.0)),
        _ => Some(Plain::Text(pick(&["ip", "rev", "fin", "FIN", "omt", "Fin", "wtg"], chance).into())),
    };
    let creates = action == "create";
    let most = most.max(1) + u32::from(once(8, chance));
    Question {
        who,
        action: action.into(),
        field: field.into(),
        value,
        kind: if once(60, chance) { "client_users".into() } else { snake(name) },
        id: if creates { String::new() } else { chance.random_range(1..=most).to_string() },
        project: (creates && !once(5, chance)).then(|| chance.random_range(1..=5).to_string()),
    }
}
