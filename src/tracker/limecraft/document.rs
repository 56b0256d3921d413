//! Reads a snapshot: all that is wrong with it at once, or everything it says.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustc_hash::FxHashSet;

use super::json::Json;
use super::place::{Path, Problem, told, told_by_serde};
use super::records;
use super::wire::{Action, Actions, Document, Heading, Member, Production, Role, Team};
use crate::model::change::Change;
use crate::model::value::Value;

/// The largest snapshot, in bytes.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;
/// How many complaints are told; a document with more has one cause, mostly.
const TOLD: usize = 20;
/// The longest name, label, login or e-mail address, in bytes.
const LONGEST: usize = 1_000;
/// The longest name of a right.
const LONGEST_RIGHT: usize = 200;
/// The most rights of a role, member or team, and roles of a member.
const MOST_RIGHTS: usize = 2_000;
/// The most actions in one list.
const MOST_ACTIONS: usize = 10_000;

/// What a snapshot says.
#[derive(Clone, Debug, PartialEq)]
pub struct Whole {
    pub revision: u64,
    pub changes: Vec<Change>,
    /// When it was written, as it says itself; the epoch where it does not.
    pub as_of: SystemTime,
}

/// Complaints about a document, or about one object that an event carries.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    pub(super) list: Vec<Problem>,
    pub(super) more: usize,
}

/// Reads a snapshot.
///
/// # Errors
/// Where the text is no JSON of the right shape, or its ids do not fit together: a line for each complaint.
pub fn read(text: &str) -> Result<Whole, Vec<String>> {
    let document: Document = serde_json::from_str(text).map_err(|error| unfit(text, &error))?;
    let mut complaints = Complaints::default();
    check(&document, &mut complaints);
    if !complaints.list.is_empty() {
        return Err(complaints.told(text));
    }
    warn(&document);
    let revision = document.revision;
    let as_of = UNIX_EPOCH + Duration::from_millis(document.generated_at_ms.unwrap_or_default());
    Ok(Whole { revision, changes: changes(document), as_of })
}

/// What is no snapshot at all is told so, rather than by its first odd key.
fn unfit(text: &str, error: &serde_json::Error) -> Vec<String> {
    let heading: Heading = serde_json::from_str(text).unwrap_or_default();
    let Heading { source: Json(source), schema: Json(schema) } = heading;
    let mut complaints = Complaints::default();
    if let Value::Text(source) = source {
        heading_source(&source, &mut complaints);
    }
    if let Value::Number(schema) = schema {
        heading_schema(schema, &mut complaints);
    }
    if complaints.list.is_empty() { vec![told_by_serde(text, error)] } else { complaints.told(text) }
}

fn heading_source(source: &str, complaints: &mut Complaints) {
    if source != "limecraft" {
        complaints.add(Path::root().key("source"), format!("`{source}` is not `limecraft`"));
    }
}

fn heading_schema(schema: impl Into<f64>, complaints: &mut Complaints) {
    let schema = schema.into();
    if schema != 1.0 {
        complaints.add(Path::root().key("schema"), format!("schema {schema} is unknown; this version reads schema 1"));
    }
}

// === impl Complaints ===

impl Complaints {
    pub(super) fn add(&mut self, path: Path, message: impl Into<String>) {
        if self.list.len() < TOLD {
            self.list.push(Problem { path, message: message.into() });
        } else {
            self.more += 1;
        }
    }

    pub(super) fn told(self, text: &str) -> Vec<String> {
        let mut lines = told(text, self.list);
        if self.more > 0 {
            lines.push(format!("and {} more", self.more));
        }
        lines
    }

    fn short(&mut self, path: &Path, what: &str, text: &str, most: usize) {
        if text.len() > most {
            self.add(path.clone(), format!("the {what} has {} bytes; at most {most} are accepted", text.len()));
        }
    }

    fn few(&mut self, path: &Path, what: &str, found: usize, most: usize) {
        if found > most {
            self.add(path.clone(), format!("{found} {what}; at most {most} are accepted"));
        }
    }

    pub(super) fn rights(&mut self, path: &Path, rights: &[String]) {
        self.few(path, "rights", rights.len(), MOST_RIGHTS);
        for (at, right) in rights.iter().enumerate() {
            if right.is_empty() {
                self.add(path.at(at), "the name of a right is empty");
            }
            self.short(&path.at(at), "name of a right", right, LONGEST_RIGHT);
        }
    }

    pub(super) fn text(&mut self, path: &Path, what: &str, text: Option<&String>) {
        self.short(path, what, text.map_or("", String::as_str), LONGEST);
    }

    pub(super) fn actions(&mut self, path: &Path, actions: &Actions) {
        let Actions { production_actions, clip_actions, eo_actions } = actions;
        let lists =
            [("productionActions", production_actions), ("clipActions", clip_actions), ("eoActions", eo_actions)];
        for (name, list) in lists {
            let path = path.key(name);
            self.few(&path, "actions", list.len(), MOST_ACTIONS);
            let mut given = FxHashSet::default();
            for (at, action) in list.iter().enumerate() {
                self.text(&path.at(at).key("label"), "label", action.label.as_ref());
                self.text(&path.at(at).key("id"), "id", action.id.as_ref());
                if let Some(id) = action.id.as_deref().filter(|id| !given.insert(*id)) {
                    self.add(path.at(at).key("id"), format!("`{id}` is the id of another action of this list already"));
                }
            }
        }
    }
}

/// The ids of a document that others refer to.
#[derive(Debug, Default)]
struct Ids {
    users: FxHashSet<i64>,
    productions: FxHashSet<i64>,
    roles: FxHashSet<i64>,
}

fn check(document: &Document, complaints: &mut Complaints) {
    let root = Path::root();
    heading_source(&document.source, complaints);
    // What a double cannot hold is not 1 either.
    heading_schema(document.schema as f64, complaints);
    complaints.rights(&root.key("rights_catalogue"), &document.rights_catalogue);
    let mut ids = Ids::default();
    for (at, user) in document.users.iter().enumerate() {
        let path = root.key("users").at(at);
        once(&mut ids.users, user.id, "user", &path, complaints);
        complaints.text(&path.key("name"), "name", user.name.as_ref());
        complaints.text(&path.key("login"), "login", user.login.as_ref());
        complaints.text(&path.key("email"), "e-mail address", user.email.as_ref());
    }
    for (at, production) in document.productions.iter().enumerate() {
        let path = root.key("productions").at(at);
        once(&mut ids.productions, production.id, "production", &path, complaints);
        check_production(production, &path, &mut ids, complaints);
    }
    let mut teams = FxHashSet::default();
    for (at, team) in document.teams.iter().enumerate() {
        let path = root.key("teams").at(at);
        once(&mut teams, team.id, "team", &path, complaints);
        let known = (|id| ids.users.contains(&id), |id| ids.productions.contains(&id));
        check_team(team, &path, known, complaints);
    }
    for (name, what, list) in
        [("eos", "editorial object", &document.eos), ("annotations", "annotation", &document.annotations)]
    {
        let mut objects = FxHashSet::default();
        for (at, object) in list.iter().enumerate() {
            let path = root.key(name).at(at);
            once(&mut objects, object.id, what, &path, complaints);
            if !ids.productions.contains(&object.production_id) {
                complaints.add(path.key("production_id"), format!("there is no production {}", object.production_id));
            }
        }
    }
}

fn once(seen: &mut FxHashSet<i64>, id: i64, what: &str, path: &Path, complaints: &mut Complaints) {
    if !seen.insert(id) {
        complaints.add(path.key("id"), format!("the {what} {id} stands twice; keep one of them"));
    }
}

fn check_production(production: &Production, path: &Path, ids: &mut Ids, complaints: &mut Complaints) {
    let Production { id: _, name, account_id: _, status: _, roles, members, actions } = production;
    complaints.text(&path.key("name"), "name", Some(name));
    let mut own = FxHashSet::default();
    for (at, role) in roles.iter().enumerate() {
        let path = path.key("roles").at(at);
        once(&mut ids.roles, role.id, "role", &path, complaints);
        own.insert(role.id);
        check_role(role, &path, complaints);
    }
    let mut people = FxHashSet::default();
    for (at, member) in members.iter().enumerate() {
        let path = path.key("members").at(at);
        if !people.insert(member.user_id) {
            complaints
                .add(path.key("user_id"), format!("the member {} stands twice; keep one of them", member.user_id));
        }
        check_member(member, &path, |id| ids.users.contains(&id), |id| own.contains(&id), complaints);
    }
    complaints.actions(&path.key("actions"), actions);
}

pub(super) fn check_role(role: &Role, path: &Path, complaints: &mut Complaints) {
    complaints.text(&path.key("name"), "name", Some(&role.name));
    complaints.rights(&path.key("rights"), &role.rights);
}

/// Whoever is no member yet may be unknown: invited by an e-mail address, for example.
pub(super) fn check_member(
    member: &Member,
    path: &Path,
    is_user: impl Fn(i64) -> bool,
    is_role: impl Fn(i64) -> bool,
    complaints: &mut Complaints,
) {
    let Member { user_id, state, role_ids, extra_rights } = member;
    complaints.text(&path.key("state"), "state", Some(state));
    if !records::is_member(member) {
        return;
    }
    if !is_user(*user_id) {
        complaints.add(path.key("user_id"), format!("there is no user {user_id}; list them under `users`"));
    }
    complaints.few(&path.key("role_ids"), "roles", role_ids.len(), MOST_RIGHTS);
    for (at, role) in role_ids.iter().enumerate() {
        if !is_role(*role) {
            complaints.add(path.key("role_ids").at(at), format!("this production has no role {role}"));
        }
    }
    complaints.rights(&path.key("extra_rights"), extra_rights);
}

pub(super) fn check_team(
    team: &Team,
    path: &Path,
    (is_user, is_production): (impl Fn(i64) -> bool, impl Fn(i64) -> bool),
    complaints: &mut Complaints,
) {
    let Team { id: _, name, account_id: _, user_ids, rights, production_ids } = team;
    complaints.text(&path.key("name"), "name", name.as_ref());
    complaints.rights(&path.key("rights"), rights);
    for (at, user) in user_ids.iter().enumerate() {
        if !is_user(*user) {
            complaints.add(path.key("user_ids").at(at), format!("there is no user {user}; list them under `users`"));
        }
    }
    for (at, production) in production_ids.iter().enumerate() {
        if !is_production(*production) {
            complaints.add(path.key("production_ids").at(at), format!("there is no production {production}"));
        }
    }
}

/// An `operator` beside the filters looks as if it joined them (`limecraft.md` 2.1: it does not).
fn warn(document: &Document) {
    for production in &document.productions {
        warn_operators(production.id, &production.actions);
    }
}

pub(super) fn warn_operators(production: i64, actions: &Actions) {
    let all = actions.production_actions.iter().chain(&actions.clip_actions).chain(&actions.eo_actions);
    let odd: Vec<&Action> = all.filter(|action| action.operator).collect();
    if let Some(first) = odd.first() {
        let label = first.label.as_deref().unwrap_or_default();
        let actions = odd.len();
        tracing::warn!(production, label, actions, "`operator` beside `filters` is ignored: all of them must match");
    }
}

fn changes(document: Document) -> Vec<Change> {
    let mut rights: FxHashSet<String> = document.rights_catalogue.into_iter().collect();
    let mut changes = Vec::new();
    for production in &document.productions {
        rights.extend(production.roles.iter().flat_map(|role| &role.rights).cloned());
        let members = production.members.iter().filter(|member| records::is_member(member));
        rights.extend(members.flat_map(|member| &member.extra_rights).cloned());
        changes.extend(records::of_production(production));
    }
    rights.extend(document.teams.iter().flat_map(|team| &team.rights).cloned());
    changes.extend(rights.iter().map(|right| Change::Upsert(records::right(right))));
    changes.extend(document.users.iter().map(|user| Change::Upsert(records::person(user))));
    changes.extend(document.teams.iter().map(|team| Change::Upsert(records::team(team))));
    for (kind, list) in [("eo", document.eos), ("annotation", document.annotations)] {
        changes.extend(
            list.into_iter().map(|o| Change::Upsert(records::object(kind, o.production_id, o.id, o.attributes))),
        );
    }
    changes
}
