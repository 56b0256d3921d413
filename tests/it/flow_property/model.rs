//! Flow's decision once more, as plainly as it can be said: `flow-actions.md` part 3, line by line over maps.

use std::collections::{BTreeMap, BTreeSet};

use stagedoor::model::decision::Reason;

use super::rules::{Condition, FieldRules, Link, Operand, Role, Rule, Rules, TypeRules};

/// The advanced permissions, in the order of the permission page.
pub(super) const ADVANCED: [&str; 19] = [
    "access_admin_functionality",
    "show_webhooks",
    "hide_fields_in_projects",
    "show_all_action_menu_item_activity",
    "generate_toolkit_logs",
    "edit_global_formatting",
    "edit_work_schedules",
    "show_other_menu",
    "show_saved_filters",
    "edit_project_navigation",
    "create_project_pages",
    "edit_form_layouts",
    "edit_home_page",
    "edit_my_tasks_defaults",
    "set_project_page_defaults",
    "set_global_page_defaults",
    "see_all_projects",
    "act_as_another_user",
    "show_overlay_player",
];

const TYPES: [&str; 19] = [
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
];

/// Fields that are the other end of another type's field: type, field, that other type and its field.
pub(super) const BACKS: [(&str, &str, &str, &str); 5] = [
    ("Shot", "tasks", "Task", "entity"),
    ("Asset", "tasks", "Task", "entity"),
    ("HumanUser", "groups", "Group", "users"),
    ("Department", "users", "HumanUser", "department"),
    ("Task", "sg_versions", "Version", "sg_task"),
];

const NEVER_ON_ANY: [&str; 6] = ["id", "created_at", "created_by", "updated_at", "updated_by", "cached_display_name"];

const NEVER: [(&str, &[&str]); 10] = [
    (
        "Project",
        &["is_template", "is_template_project", "is_demo", "start_date", "end_date", "duration", "layout_project"],
    ),
    (
        "Task",
        &[
            "time_logs_sum",
            "time_vs_est",
            "time_percent_of_est",
            "dependency_violation",
            "sibling_tasks",
            "sg_versions",
            "workload_assignee_count",
        ],
    ),
    ("Version", &["viewed_by_current_user_at", "otio_playable"]),
    ("Note", &["client_note", "suppress_email_notif"]),
    ("Playlist", &["locked_at", "locked_by"]),
    ("Ticket", &["time_logs_sum"]),
    (
        "HumanUser",
        &[
            "permission_rule_set",
            "can_impersonate_this_user",
            "autodesk_account_status",
            "oxygen_user_id",
            "password_proxy",
            "merge_in_progress",
        ],
    ),
    ("ApiUser", &["permission_rule_set"]),
    ("Step", &["entity_type"]),
    ("Status", &["code"]),
];

/// What a field of a row holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Plain {
    Null,
    Flag(bool),
    Number(f64),
    Text(String),
    Texts(Vec<String>),
    Link(Link),
    Links(Vec<Link>),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Row {
    pub(super) trashed: bool,
    /// What is not here is null.
    pub(super) fields: BTreeMap<String, Plain>,
}

/// A site: what is not in a map does not exist.
#[derive(Clone, Debug, Default)]
pub(super) struct Site {
    pub(super) rows: BTreeMap<Link, Row>,
    /// Of each type its fields, and the data type of each.
    pub(super) schema: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Who {
    Person(String),
    Login(String),
    Email(String),
    Bot(String),
}

#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) who: Who,
    pub(super) action: String,
    pub(super) field: String,
    pub(super) value: Option<Plain>,
    pub(super) kind: String,
    pub(super) id: String,
    pub(super) project: Option<String>,
}

/// One value of the set that a path leads to.
#[derive(Clone, Debug, PartialEq)]
enum Atom {
    Flag(bool),
    Number(f64),
    Text(String),
    Link(Link),
}

/// `CustomEntity07` is `custom_entity07`.
pub(super) fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

pub(super) fn decide(site: &Site, rules: &Rules, question: &Question) -> Reason {
    Asked { site, rules, question }.granted().err().unwrap_or(Reason::Granted)
}

/// Whether a condition holds on a row, whoever asks.
pub(super) fn holds(site: &Site, me: &Link, row: &Link, condition: &Condition) -> bool {
    match condition {
        Condition::All(conditions) => conditions.iter().all(|condition| holds(site, me, row, condition)),
        Condition::Any(conditions) => conditions.iter().any(|condition| holds(site, me, row, condition)),
        Condition::Leaf { path, relation, values } => leaf(&site.reached(row, path), relation, values, me),
    }
}

fn leaf(set: &[Atom], relation: &str, values: &[Operand], me: &Link) -> bool {
    let one = &values[0];
    let some = |does: &dyn Fn(&Atom) -> bool| set.iter().any(does);
    let text = |does: &dyn Fn(&str, &str) -> bool| {
        some(&|atom| match (atom, one) {
            (Atom::Text(text), Operand::Text(part)) => does(&text.to_lowercase(), &part.to_lowercase()),
            _ => false,
        })
    };
    match relation {
        "is" if *one == Operand::Null => set.is_empty(),
        "is" => some(&|atom| equal(atom, one, me)),
        "in" => some(&|atom| values.iter().any(|value| equal(atom, value, me))),
        "contains" => text(&|text, part| text.contains(part)),
        "starts_with" => text(&|text, part| text.starts_with(part)),
        "ends_with" => text(&|text, part| text.ends_with(part)),
        "greater_than" => some(&|atom| order(atom, one).is_some_and(|order| order.is_gt())),
        "less_than" => some(&|atom| order(atom, one).is_some_and(|order| order.is_lt())),
        "between" => some(&|atom| match (order(atom, one), order(atom, &values[1])) {
            (Some(first), Some(second)) => {
                first.is_eq() || second.is_eq() || first.is_gt() && second.is_lt() || first.is_lt() && second.is_gt()
            }
            _ => false,
        }),
        "type_is" => some(&|atom| match (atom, one) {
            (Atom::Link((kind, _)), Operand::Text(name)) => kind == name,
            _ => false,
        }),
        "is_not" => !leaf(set, "is", values, me),
        "not_in" => !leaf(set, "in", values, me),
        "not_contains" => !leaf(set, "contains", values, me),
        "type_is_not" => !leaf(set, "type_is", values, me),
        other => panic!("no relation {other}"),
    }
}

fn equal(atom: &Atom, value: &Operand, me: &Link) -> bool {
    match (atom, value) {
        (Atom::Flag(one), Operand::Flag(other)) => one == other,
        #[expect(clippy::float_cmp, reason = "numbers of fields are whole")]
        (Atom::Number(one), Operand::Number(other)) => one == other,
        (Atom::Text(one), Operand::Text(other)) => one.to_lowercase() == other.to_lowercase(),
        (Atom::Link(one), Operand::Link(other)) => one == other,
        (Atom::Link(one), Operand::Me) => one == me,
        _ => false,
    }
}

/// Numbers by size; dates and times, as they are written, by their letters.
fn order(atom: &Atom, value: &Operand) -> Option<std::cmp::Ordering> {
    match (atom, value) {
        (Atom::Number(one), Operand::Number(other)) => one.partial_cmp(other),
        (Atom::Text(one), Operand::Text(other)) => Some(one.cmp(other)),
        _ => None,
    }
}

// === impl Site ===

impl Site {
    pub(super) fn live(&self, link: &Link) -> bool {
        self.rows.get(link).is_some_and(|row| !row.trashed)
    }

    /// The values that a field of a row holds: no nulls, no links to rows in the trash.
    fn held(&self, at: &Link, field: &str) -> Vec<Atom> {
        let (kind, id) = at;
        let Some(row) = self.rows.get(at) else { return Vec::new() };
        if field == "id" {
            return vec![Atom::Number(id.parse().expect("ids are numbers"))];
        }
        if let Some((.., from, other)) = BACKS.iter().find(|(of, name, ..)| of == kind && *name == field) {
            let others = self.rows.keys().filter(|(kind, _)| kind == from).filter(|link| self.live(link));
            let here = others.filter(|link| self.held_raw(link, other).contains(at));
            return here.cloned().map(Atom::Link).collect();
        }
        let checkbox =
            self.schema.get(kind).and_then(|fields| fields.get(field)).is_some_and(|kind| kind == "checkbox");
        match row.fields.get(field).unwrap_or(&Plain::Null) {
            Plain::Null if checkbox => vec![Atom::Flag(false)],
            Plain::Null => Vec::new(),
            Plain::Flag(flag) => vec![Atom::Flag(*flag)],
            Plain::Number(number) => vec![Atom::Number(*number)],
            Plain::Text(text) => vec![Atom::Text(text.clone())],
            Plain::Texts(texts) => texts.iter().cloned().map(Atom::Text).collect(),
            Plain::Link(_) | Plain::Links(_) => {
                let links = self.held_raw(at, field).into_iter();
                links.filter(|link| self.rows.get(link).is_none_or(|row| !row.trashed)).map(Atom::Link).collect()
            }
        }
    }

    fn held_raw(&self, at: &Link, field: &str) -> Vec<Link> {
        match self.rows.get(at).and_then(|row| row.fields.get(field)) {
            Some(Plain::Link(link)) => vec![link.clone()],
            Some(Plain::Links(links)) => links.clone(),
            _ => Vec::new(),
        }
    }

    /// The links in a field, those to rows in the trash left out.
    fn links(&self, at: &Link, field: &str) -> Vec<Link> {
        let held = self.held(at, field).into_iter();
        held.filter_map(|atom| if let Atom::Link(link) = atom { Some(link) } else { None }).collect()
    }

    /// The rows, one in a line; what is null is left out.
    pub(super) fn told(&self) -> String {
        let lines = self.rows.iter().map(|((name, id), row)| {
            let trashed = if row.trashed { " (in the trash)" } else { "" };
            let fields =
                row.fields.iter().filter(|(_, value)| **value != Plain::Null && **value != Plain::Links(vec![]));
            let fields: Vec<_> = fields.map(|(field, value)| format!("{field}={value:?}")).collect();
            format!("{name} {id}{trashed}: {}\n", fields.join(" "))
        });
        lines.collect()
    }

    fn text(&self, at: &Link, field: &str) -> Option<String> {
        match self.held(at, field).into_iter().next() {
            Some(Atom::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn flag(&self, at: &Link, field: &str) -> bool {
        self.held(at, field) == [Atom::Flag(true)]
    }

    /// The set that a path leads to: `field`, or `field.Type.field` and so on.
    fn reached(&self, from: &Link, path: &str) -> Vec<Atom> {
        let mut rows = vec![from.clone()];
        let mut parts = path.split('.');
        let mut field = parts.next().expect("a field");
        while let (Some(kind), Some(next)) = (parts.next(), parts.next()) {
            let links = rows.iter().flat_map(|row| self.links(row, field));
            rows = links.filter(|(own, _)| own == kind).collect();
            field = next;
        }
        rows.iter().flat_map(|row| self.held(row, field)).collect()
    }

    fn has_field(&self, kind: &str, field: &str) -> bool {
        self.schema.get(kind).is_some_and(|fields| fields.contains_key(field))
    }

    fn has_path(&self, kind: &str, path: &str) -> bool {
        let parts: Vec<_> = path.split('.').collect();
        let mut kind = kind;
        for step in parts.chunks(2) {
            if !self.has_field(kind, step[0]) {
                return false;
            }
            kind = step.get(1).unwrap_or(&kind);
        }
        true
    }

    fn has_paths(&self, kind: &str, condition: &Condition) -> bool {
        match condition {
            Condition::All(conditions) | Condition::Any(conditions) => {
                conditions.iter().all(|condition| self.has_paths(kind, condition))
            }
            Condition::Leaf { path, .. } => self.has_path(kind, path),
        }
    }

    /// Whether the type has a project.
    fn in_projects(&self, kind: &str) -> bool {
        kind == "Reply" || self.has_field(kind, "project")
    }
}

// === The decision ===

struct Asked<'a> {
    site: &'a Site,
    rules: &'a Rules,
    question: &'a Question,
}

type Step = Result<(), Reason>;

impl Asked<'_> {
    fn granted(&self) -> Step {
        let Question { action, field, kind, .. } = self.question;
        let me = self.subject()?;
        let name = self.words()?;
        let role = self.role(&me).ok_or(Reason::NoGrant)?;
        let advanced = role.advanced.clone().unwrap_or_default();
        if kind == "site" {
            return self.site_action(&advanced);
        }
        let row = self.row(&name)?;
        self.project(&me, &row, advanced.contains("see_all_projects"))?;
        let own = Own { asked: self, me: &me, role: &role };
        if action != "create" {
            self.see(&own, &row)?;
        }
        match action.as_str() {
            "read" => Ok(()),
            "create" => {
                own.must(&own.operation(&name, "create"), &row)?;
                if name == "EventLogEntry" && !advanced.contains("generate_toolkit_logs") {
                    return Err(Reason::NoGrant);
                }
                if name == "PermissionRuleSet" { Err(Reason::Restricted) } else { Ok(()) }
            }
            "delete" => {
                own.must(&own.operation(&name, "retire"), &row)?;
                let template = name == "Project" && self.site.flag(&row, "is_template_project");
                if name == "PermissionRuleSet" || template { Err(Reason::Restricted) } else { Ok(()) }
            }
            "revive" => {
                if !advanced.contains("access_admin_functionality") {
                    return Err(Reason::NoGrant);
                }
                own.must(&own.operation(&name, "retire"), &row)?;
                if name == "PermissionRuleSet" { Err(Reason::Restricted) } else { Ok(()) }
            }
            "update" if field.is_empty() => own.must(&own.operation(&name, "edit"), &row),
            "update" => self.update_field(&own, &row),
            other => panic!("no action {other}"),
        }
    }

    fn subject(&self) -> Result<Link, Reason> {
        let person = |field: &str, text: &String| {
            let people = self.site.rows.keys().filter(|link| link.0 == "HumanUser" && self.site.live(link));
            let found: Vec<_> =
                people.filter(|link| self.site.text(link, field).as_ref() == Some(text)).cloned().collect();
            if found.len() == 1 { found.first().cloned() } else { None }
        };
        let found = match &self.question.who {
            Who::Person(id) => Some(("HumanUser".to_owned(), id.clone())),
            Who::Bot(id) => Some(("ApiUser".to_owned(), id.clone())),
            Who::Login(text) => person("login", text),
            Who::Email(text) => person("email", text),
        };
        let me = found.filter(|link| self.site.live(link)).ok_or(Reason::SubjectUnknown)?;
        if me.0 == "HumanUser" && !self.active(&me) {
            return Err(Reason::SubjectInactive);
        }
        Ok(me)
    }

    fn active(&self, person: &Link) -> bool {
        self.site.text(person, "sg_status_list").as_deref() == Some("act")
    }

    /// Flow's name of the type that is asked about; `site` where none is.
    fn words(&self) -> Result<String, Reason> {
        let Question { action, field, kind, .. } = self.question;
        let unknown = Err(Reason::ActionUnknown);
        if kind == "site" {
            let known = ADVANCED.contains(&action.as_str()) && field.is_empty();
            return if known { Ok("site".into()) } else { unknown };
        }
        if !["read", "create", "update", "delete", "revive"].contains(&action.as_str()) {
            return unknown;
        }
        let known = TYPES.iter().copied().chain(self.rules.extra_types.iter().map(String::as_str));
        let log = Some("EventLogEntry").filter(|_| action == "create");
        let Some(name) = known.chain(log).find(|name| snake(name) == *kind) else { return unknown };
        if !field.is_empty() {
            let takes_field = action == "read" || action == "update";
            if !takes_field || !self.site.has_field(name, field) {
                return unknown;
            }
        }
        Ok(name.to_owned())
    }

    fn role(&self, me: &Link) -> Option<Role> {
        let set = self.site.links(me, "permission_rule_set").into_iter().next()?;
        self.rules.role(&self.site.text(&set, "code")?)
    }

    fn site_action(&self, advanced: &BTreeSet<String>) -> Step {
        let Question { action, value, .. } = self.question;
        if !advanced.contains(action) {
            return Err(Reason::NoGrant);
        }
        if let ("act_as_another_user", Some(Plain::Text(id))) = (action.as_str(), value) {
            let other = ("HumanUser".to_owned(), id.clone());
            if !self.site.live(&other) {
                return Err(Reason::ResourceUnknown);
            }
            if !self.active(&other) || !self.site.flag(&other, "can_impersonate_this_user") {
                return Err(Reason::Restricted);
            }
        }
        Ok(())
    }

    /// The row that is asked about; for `create` one that is not there.
    fn row(&self, name: &str) -> Result<Link, Reason> {
        let Question { action, id, project, .. } = self.question;
        let row = (name.to_owned(), id.clone());
        if action == "create" {
            if self.site.in_projects(name) {
                let project = project.as_ref().ok_or(Reason::Indeterminate)?;
                if !self.site.live(&("Project".to_owned(), project.clone())) {
                    return Err(Reason::ResourceUnknown);
                }
            }
            return Ok(row);
        }
        match self.site.rows.get(&row) {
            Some(found) if found.trashed == (action == "revive") => Ok(row),
            _ => Err(Reason::ResourceUnknown),
        }
    }

    fn project(&self, me: &Link, row: &Link, sees_all: bool) -> Step {
        let name = row.0.as_str();
        if sees_all || name != "Project" && !self.site.in_projects(name) {
            return Ok(());
        }
        let mut mine = self.site.links(me, "projects");
        mine.extend(
            self.site.rows.keys().filter(|link| link.0 == "Project" && self.site.flag(link, "is_template")).cloned(),
        );
        mine.retain(|project| self.site.live(project));
        let theirs = if self.question.action == "create" {
            if name == "Project" {
                return Ok(());
            }
            self.question.project.iter().map(|id| ("Project".to_owned(), id.clone())).collect()
        } else {
            self.projects(row)
        };
        if theirs.iter().any(|project| mine.contains(project)) { Ok(()) } else { Err(Reason::NotMember) }
    }

    /// The projects of a row.
    fn projects(&self, row: &Link) -> Vec<Link> {
        match row.0.as_str() {
            "Project" => vec![row.clone()],
            "Reply" => {
                let entities = self.site.links(row, "entity");
                entities.iter().filter(|entity| entity.0 != "Reply").flat_map(|entity| self.projects(entity)).collect()
            }
            "Asset" => [self.site.links(row, "project"), self.site.links(row, "linked_projects")].concat(),
            _ => self.site.links(row, "project"),
        }
    }

    fn see(&self, own: &Own<'_>, row: &Link) -> Step {
        own.must(&own.operation(&row.0, "see"), row)?;
        if row.0 == "Reply" {
            let entities = self.site.links(row, "entity");
            // What is not there cannot be seen.
            if entities.is_empty() {
                return Err(Reason::NoGrant);
            }
            for entity in entities {
                own.must(&own.operation(&entity.0, "see"), &entity)?;
            }
        }
        if !self.question.field.is_empty() {
            own.must(&own.field(&row.0, &self.question.field, "see"), row)?;
        }
        Ok(())
    }

    fn update_field(&self, own: &Own<'_>, row: &Link) -> Step {
        let Question { field, value, .. } = self.question;
        if own.operation(&row.0, "edit") == Rule::No {
            return Err(Reason::NoGrant);
        }
        if self.never_editable(&row.0, field) {
            return Err(Reason::Restricted);
        }
        let edit = own.field(&row.0, field, "edit");
        let values = own.values(&row.0, field);
        match value {
            Some(Plain::Text(text)) if values.contains_key(text) => match own.must(&values[text], row) {
                Err(Reason::NoGrant) => Err(Reason::Restricted),
                other => other,
            },
            Some(_) => own.must(&edit, row),
            None => {
                let all: Vec<_> = values.values().chain([&edit]).map(|rule| own.must(rule, row)).collect();
                if all.contains(&Err(Reason::InvalidPolicy)) {
                    Err(Reason::InvalidPolicy)
                } else if all.iter().all(Result::is_ok) {
                    Ok(())
                } else if all.iter().all(Result::is_err) {
                    Err(Reason::NoGrant)
                } else {
                    Err(Reason::Indeterminate)
                }
            }
        }
    }

    fn never_editable(&self, name: &str, field: &str) -> bool {
        let data_type = self.site.schema[name][field].as_str();
        NEVER_ON_ANY.contains(&field)
            || ["calculated", "summary", "pivot_column"].contains(&data_type)
            || self.rules.read_only.get(name).is_some_and(|fields| fields.contains(field))
            || name == "PermissionRuleSet"
            || name == "Shot" && field.starts_with("smart_")
            || NEVER.iter().any(|(of, fields)| *of == name && fields.contains(&field))
    }
}

/// A role's rules, as they bear on whoever asks.
struct Own<'a> {
    asked: &'a Asked<'a>,
    me: &'a Link,
    role: &'a Role,
}

impl Own<'_> {
    /// A type's operation: that of the type, else that of `*`, else no.
    fn operation(&self, name: &str, operation: &str) -> Rule {
        let of = |rules: &TypeRules| match operation {
            "see" => rules.see.clone(),
            "create" => rules.create.clone(),
            "edit" => rules.edit.clone(),
            "retire" => rules.retire.clone(),
            other => panic!("no operation {other}"),
        };
        let given = |name: &str| self.role.types.get(name).and_then(of);
        given(name).or_else(|| given("*")).unwrap_or(Rule::No)
    }

    /// A field's `see` or `edit`: that of the field, else that of `*` in `fields`, else that of the type.
    fn field(&self, name: &str, field: &str, operation: &str) -> Rule {
        let of = |rules: &FieldRules| match operation {
            "see" => rules.see.clone(),
            "edit" => rules.edit.clone(),
            other => panic!("no operation {other}"),
        };
        let given = |field: &str| self.role.types.get(name)?.fields.get(field).and_then(of);
        given(field).or_else(|| given("*")).unwrap_or_else(|| self.operation(name, operation))
    }

    fn values(&self, name: &str, field: &str) -> BTreeMap<String, Rule> {
        let field = self.role.types.get(name).and_then(|rules| rules.fields.get(field));
        field.map(|rules| rules.values.clone()).unwrap_or_default()
    }

    /// A rule that is `no`, or whose condition does not hold, denies.
    fn must(&self, rule: &Rule, row: &Link) -> Step {
        let Some(condition) = self.asked.rules.condition(rule) else {
            return if *rule == Rule::Yes { Ok(()) } else { Err(Reason::NoGrant) };
        };
        if !self.asked.site.has_paths(&row.0, condition) {
            return Err(Reason::InvalidPolicy);
        }
        if holds(self.asked.site, self.me, row, condition) { Ok(()) } else { Err(Reason::NoGrant) }
    }
}
