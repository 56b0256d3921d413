//! What the engine decides, what it says about it, and what it refuses to compile.

mod buttons;
mod explain;
mod ftrack;
pub(in crate::engine) mod limecraft;
mod logic;
mod overlay;
mod permissions;
mod resolve;

use super::policy::Policy;
use super::{Explained, Outcome, Resolved};
use crate::directory::Directory;
use crate::model::change::Change;
use crate::model::decision::{Decision, Reason};
use crate::model::id::{Id, Str};
use crate::model::query::{Query, Subject};
use crate::model::record::{Member, Record};
use crate::model::value::Value;

#[test]
fn the_packs_compile() {
    let policy = Policy::load("kitsu", None).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(policy.vocabulary("task").iter().any(|(action, _)| action == "comment"));
}

/// A studio and the policy over it.
struct Studio {
    policy: Policy,
    directory: Directory,
}

impl Studio {
    /// One project with a shot that is animated: one person of each role, in the team, and `out` outside of it.
    fn new() -> Self {
        Self::under("rules: {}")
    }

    /// The same with rules of its own.
    fn under(overlay: &str) -> Self {
        let policy = kitsu(overlay);
        let mut directory = Directory::new(policy.schema.clone());
        let person = |id: &str, name: &str, role: &str| {
            let record = Record::new("person", id).named(name).with("active", true).with("is_bot", false);
            record.with("role", Value::text(role)).with("departments", Value::texts([])).with("studio_id", Value::Null)
        };
        let people = [
            person("adm", "Ada Min", "admin"),
            person("man", "Max Nager", "manager"),
            with(person("sup", "Sue Pervisor", "supervisor"), "departments", Value::texts(["lgt"])),
            person("art", "Art Ist", "user"),
            person("cli", "Cli Ent", "client"),
            person("ven", "Ven Dor", "vendor"),
            person("out", "Out Sider", "user"),
        ];
        let records = [
            Record::new("department", "anim").named("Animation"),
            Record::new("department", "lgt").named("Lighting"),
            Record::new("project_status", "open").named("Open").with("name", Value::text("Open")),
            Record::new("project", "P")
                .named("Alpha")
                .with("project_status_id", Value::text("open"))
                .with("client_allowed_statuses", Value::texts([]))
                .with("client_denied_statuses", Value::texts([])),
            Record::new("task_type", "tt").named("Animation").with("department_id", Value::text("anim")),
            status("wip", true, false),
            status("done", false, true),
            Record::new("shot", "S").named("SH010").in_project("P").with("created_by", Value::text("man")),
            task(),
        ];
        let team = ["adm", "man", "sup", "art", "cli", "ven"];
        let members = team.iter().map(|id| Member::new(Id::from(*id), None)).collect();
        directory.apply(people.into_iter().chain(records).map(Change::Upsert));
        directory.apply([Change::Team { project: Id::from("P"), members }]);
        Self { policy, directory }
    }

    fn upsert(&mut self, record: Record) {
        self.directory.apply([Change::Upsert(record)]);
    }

    /// The role of a team member in the project.
    fn role_here(&mut self, person: &str, role: &str) {
        let member = |id: &str| Member::new(Id::from(id), (id == person).then(|| Str::from(role)));
        let members = ["adm", "man", "sup", "art", "cli", "ven"].map(member).to_vec();
        self.directory.apply([Change::Team { project: Id::from("P"), members }]);
    }

    fn outcome(&self, query: &Query<'_>) -> Result<Outcome, Reason> {
        let view = self.directory.view();
        match super::resolve_told(&self.policy, view, query) {
            Resolved::Case(case) => Ok(super::decide(view, &case)),
            Resolved::Decided { decision, .. } => Err(decision.code),
            Resolved::Missing(object) => panic!("{object} is missing"),
        }
    }

    fn decision(&self, query: &Query<'_>) -> Decision {
        self.outcome(query).map_or_else(Decision::deny, |outcome| outcome.decision)
    }

    fn code(&self, person: &str, action: &str, kind: &str, id: &str) -> Reason {
        self.decision(&Query::new(Subject::Person(person), action, kind, id)).code
    }

    fn explain(&self, query: &Query<'_>) -> Explained {
        let view = self.directory.view();
        match super::resolve_told(&self.policy, view, query) {
            Resolved::Case(case) => super::explain(&self.policy, view, &case),
            other => panic!("{other:?}"),
        }
    }
}

fn kitsu(overlay: &str) -> Policy {
    let overlay = format!("extends: kitsu\n{overlay}\n");
    Policy::load("kitsu", Some(("studio.yaml", &overlay))).unwrap_or_else(|problems| panic!("{problems}"))
}

fn with(mut record: Record, field: &str, value: Value) -> Record {
    record.fields.retain(|(name, _)| name != field);
    record.with(field, value)
}

fn task() -> Record {
    let record = Record::new("task", "T").in_project("P").with("entity_id", Value::text("S"));
    let record = record.with("task_type_id", Value::text("tt")).with("task_status_id", Value::text("wip"));
    record.with("assignees", Value::texts(["art"]))
}

fn status(id: &str, artists: bool, clients: bool) -> Record {
    let record = Record::new("task_status", id).named(id).with("short_name", Value::text(id));
    record.with("is_artist_allowed", artists).with("is_client_allowed", clients)
}
