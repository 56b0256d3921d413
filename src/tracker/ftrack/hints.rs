//! What an event of ftrack says to re-read. An event is never taken for data: whoever is connected can send one.

use std::collections::BTreeSet;

use rustc_hash::FxHashSet;
use serde_json::{Map, Value as Json};

use super::query::is_id;
use super::table::{APPOINTMENT, LAZY, SUBTREE};
use crate::model::id::{Id, ObjectRef, Str};
use crate::tracker::Scope;

/// How many objects one event may name. Beyond that everything is loaded.
const MOST: usize = 20_000;

/// What to do about an event.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Hints {
    pub(super) objects: Vec<ObjectRef>,
    /// The event does not name all that changed: load this.
    pub(super) reload: Option<Scope>,
    /// Tables of which whatever was read on first use is to be forgotten. Told among the objects, without an id.
    forget: BTreeSet<&'static str>,
    /// Projects that are there, as the event says.
    pub(super) projects: Vec<Id>,
    /// Entity types that this version does not know and that may be about permissions.
    pub(super) telling: Vec<Str>,
    /// How many entities of other types that it does not know were left out.
    pub(super) unknown: usize,
}

/// Words in the name, keys or parents of an entity that let an unknown type pass for one about permissions.
const TELLING: [&str; 6] = ["user", "role", "group", "permission", "security", "member"];

/// Types that say nothing about who may do what here, without underscores.
const NOISE: [&str; 61] = [
    "assettype",
    "assetversionlink",
    "assetversionstatuschange",
    "assetversionstatusrulegroup",
    "attributegroup",
    "calendarevent",
    "calendareventresource",
    "collaborator",
    "component",
    "componentlocation",
    "containercomponent",
    "dashboard",
    "dashboardwidget",
    "dependency",
    "disk",
    "feed",
    "filecomponent",
    "job",
    "jobcomponent",
    "linkdashboardresource",
    "linkregister",
    "listobject",
    "listtype",
    "location",
    "manager",
    "managertype",
    "meta",
    "metadata",
    "noteannotationcomponent",
    "notecategory",
    "notecomponent",
    "notelabel",
    "notelabellink",
    "prioritytype",
    "recipient",
    "reviewsessionfolder",
    "reviewsessioninvitee",
    "reviewsessionobject",
    "reviewsessionobjectannotation",
    "reviewsessionobjectannotationcomponent",
    "reviewsessionobjectstatus",
    "sequencecomponent",
    "setting",
    "settingcomponent",
    "settingoverride",
    "socialevent",
    "socialfeed",
    "socialnotification",
    "splittaskpart",
    "statuschange",
    "statusrule",
    "statusrulegroup",
    "taskstatusrulegroup",
    "team",
    "timer",
    "trac",
    "typedcontextstatuschange",
    "userapplicationstate",
    "usersession",
    "usersetting",
    "userview",
];

/// Reads an event of the topic `ftrack.update`; of any other there is nothing to do.
pub(super) fn hints(event: &Json) -> Hints {
    let mut hints = Hints::default();
    match event.get("topic").and_then(Json::as_str) {
        Some("ftrack.update") => {}
        Some(_) => return hints,
        None => return hints.and_reload(Scope::All),
    }
    let Some(entities) = event.get("data").and_then(|data| data.get("entities")?.as_array()) else {
        return hints.and_reload(Scope::All);
    };
    for entity in entities.iter().map(Entity::new) {
        match entity {
            Some(entity) => hints = read(&entity, hints),
            None => hints = hints.and_reload(Scope::All),
        }
        if hints.objects.len() > MOST {
            return Hints { objects: Vec::new(), forget: BTreeSet::new(), ..hints.and_reload(Scope::All) };
        }
    }
    let mut met = FxHashSet::default();
    hints.objects.retain(|object| met.insert(object.clone()));
    let whole = |kind: &'static str| ObjectRef { kind: Str::const_new(kind), id: Id::EMPTY };
    hints.objects.extend(std::mem::take(&mut hints.forget).into_iter().map(whole));
    hints.projects.sort_unstable();
    hints.projects.dedup();
    hints
}

fn read(entity: &Entity<'_>, mut hints: Hints) -> Hints {
    let removed = entity.action == "remove";
    hints.projects.extend(entity.projects().filter(|_| !(removed && matches!(&*entity.kind, "show" | "project"))));
    match &*entity.kind {
        "task" | "typedcontext" => object(entity, hints),
        "show" | "project" => {
            let hints = hints.and_one("project", entity, Scope::Core);
            match () {
                // Everything that belonged to it vanishes with it.
                () if removed => hints.and_reload(Scope::All),
                // What the key sees of it may be another part now.
                () if entity.touches(&["private", "isprivate", "is_private"]) => hints.and_reload(Scope::Large),
                () => hints,
            }
        }
        "appointment" => appointment(entity, hints),
        "user" => hints.and_one("user", entity, Scope::Core),
        "membership" => hints.and_one("membership", entity, Scope::Core),
        // Rows that named it go with it, perhaps silently.
        "group" => hints.and_one("group", entity, Scope::Core).and_reload_if(removed, Scope::Core),
        "authuserrole" | "userrole" | "usersecurityrole" => {
            hints.and_one("user_security_role", entity, Scope::Core).and_reload_if(removed, Scope::Core)
        }
        "userroleproject" | "authuserroleproject" | "usersecurityroleproject" => {
            hints.and_one("user_security_role_project", entity, Scope::Core)
        }
        "authrole" | "role" | "securityrole" => {
            hints.and_one("security_role", entity, Scope::Core).and_reload_if(removed, Scope::Core)
        }
        "status" | "taskstatus" => hints.and_one("status", entity, Scope::Core),
        "type" | "tasktype" => hints.and_one("type", entity, Scope::Core),
        // The mirror knows it by its name.
        "objecttype" => hints.and_reload(Scope::Core),
        "accesskey" | "apikey" => {
            // It may be ours, and the projects that it sees are no column of its own.
            let silent = entity.action == "update" && entity.keys().next().is_none();
            let awarded = silent || entity.keys().any(|key| key.contains("project") || key.contains("role"));
            hints.and_one("api_key", entity, Scope::Core).and_reload_if(awarded, Scope::All)
        }
        // Which projects and roles a key has; it may be ours.
        kind if kind.starts_with("accesskey") || kind.starts_with("apikey") => hints.and_reload(Scope::All),
        // Read on first use: what is not held needs no reading, and there is nothing to reload.
        "assetversion" => hints.and_lazy("assetversion", entity),
        // Its versions are in the project of what it hangs on.
        "asset" => hints.and_forget_if(entity.action != "add", "assetversion"),
        "note" => hints.and_lazy("note", entity),
        "timelog" => hints.and_lazy("timelog", entity),
        "list" => hints.and_lazy("list", entity),
        "reviewsession" => hints.and_lazy("review_session", entity),
        kind if NOISE.contains(&kind) || kind.contains("customattribute") || kind.contains("scheme") => hints,
        kind if entity.is_telling() => {
            hints.telling.push(kind.chars().take(60).collect());
            hints.and_reload(Scope::Core)
        }
        _ => {
            hints.unknown += 1;
            hints
        }
    }
}

fn object(entity: &Entity<'_>, hints: Hints) -> Hints {
    let mut hints = hints.and_one("object", entity, Scope::Large);
    let moved = entity.action == "move" || entity.touches(&["showid", "project_id", "parent_id", "parentid"]);
    if moved && !matches!(&*entity.action, "add" | "remove") {
        hints.objects.extend(entity.id().map(|id| ObjectRef { kind: Str::const_new(SUBTREE), id }));
        // What hangs on it or on what is below may be in another project now.
        hints.forget.extend(LAZY);
    }
    hints
}

fn appointment(entity: &Entity<'_>, mut hints: Hints) -> Hints {
    let types: Vec<&str> = entity.values("type").collect();
    if !types.is_empty() && types.iter().all(|kind| *kind == "allocation") {
        return hints;
    }
    let mut contexts: Vec<Id> = entity.values("context_id").filter(|id| is_id(id)).map(Id::from).collect();
    if contexts.is_empty() && entity.action == "remove" {
        contexts.extend(entity.parents().find(|parent| parent.kind == "task").and_then(|parent| parent.id()));
    }
    if !contexts.is_empty() {
        hints.objects.extend(contexts.into_iter().map(|id| ObjectRef { kind: Str::const_new("object"), id }));
        return hints;
    }
    match entity.id() {
        Some(id) if entity.action != "remove" => {
            hints.objects.push(ObjectRef { kind: Str::const_new(APPOINTMENT), id });
            hints
        }
        _ => hints.and_reload(Scope::Large),
    }
}

// === impl Hints ===

impl Hints {
    fn and_reload(mut self, scope: Scope) -> Self {
        self.reload = Some(self.reload.map_or(scope, |other| other.and(scope)));
        self
    }

    fn and_reload_if(self, wanted: bool, scope: Scope) -> Self {
        if wanted { self.and_reload(scope) } else { self }
    }

    /// The entity itself; where its id is none, all that it may be of.
    fn and_one(mut self, kind: &'static str, entity: &Entity<'_>, without: Scope) -> Self {
        match entity.id() {
            Some(id) => {
                self.objects.push(ObjectRef { kind: Str::const_new(kind), id });
                self
            }
            None => self.and_reload(without),
        }
    }

    fn and_lazy(mut self, kind: &'static str, entity: &Entity<'_>) -> Self {
        match entity.id() {
            Some(id) => {
                self.objects.push(ObjectRef { kind: Str::const_new(kind), id });
                self
            }
            None => self.and_forget_if(true, kind),
        }
    }

    fn and_forget_if(mut self, wanted: bool, kind: &'static str) -> Self {
        self.forget.extend(wanted.then_some(kind));
        self
    }

    /// What both say.
    pub(super) fn and(mut self, mut other: Self) -> Self {
        self.objects.append(&mut other.objects);
        self.forget.append(&mut other.forget);
        self.projects.append(&mut other.projects);
        self.telling.append(&mut other.telling);
        self.unknown += other.unknown;
        match other.reload {
            Some(scope) => self.and_reload(scope),
            None => self,
        }
    }
}

/// An entity that an event names, or a parent of one.
struct Entity<'a> {
    map: &'a Map<String, Json>,
    /// In lower case, without underscores.
    kind: String,
    action: String,
}

// === impl Entity ===

impl<'a> Entity<'a> {
    fn new(entity: &'a Json) -> Option<Self> {
        let map = entity.as_object()?;
        let text = |name| map.get(name).and_then(Json::as_str);
        let kind = text("entityType")?.chars().filter(|character| *character != '_').flat_map(char::to_lowercase);
        let action = text("action").unwrap_or_default().to_ascii_lowercase();
        Some(Self { map, kind: kind.collect(), action })
    }

    fn id(&self) -> Option<Id> {
        self.map.get("entityId")?.as_str().filter(|id| is_id(id)).map(Id::from)
    }

    /// The columns that changed, in lower case.
    fn keys(&self) -> impl Iterator<Item = String> {
        let keys = self.map.get("keys").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str);
        let changes = self.map.get("changes").and_then(Json::as_object).into_iter().flatten();
        keys.chain(changes.map(|(key, _)| key.as_str())).map(str::to_ascii_lowercase)
    }

    fn touches(&self, names: &[&str]) -> bool {
        self.keys().any(|key| names.contains(&key.as_str()))
    }

    /// The old and the new value of a column, where they are texts.
    fn values(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let change = self.map.get("changes").and_then(|changes| changes.get(name));
        ["old", "new"].into_iter().filter_map(move |which| change?.get(which)?.as_str())
    }

    fn parents(&self) -> impl Iterator<Item = Entity<'a>> {
        self.map.get("parents").and_then(Json::as_array).into_iter().flatten().filter_map(Entity::new)
    }

    /// The projects that it is in.
    fn projects(&self) -> impl Iterator<Item = Id> {
        self.parents().filter(|parent| matches!(&*parent.kind, "show" | "project")).filter_map(|parent| parent.id())
    }

    fn is_telling(&self) -> bool {
        let tells = |text: &str| TELLING.iter().any(|word| text.contains(word));
        tells(&self.kind) || self.keys().any(|key| tells(&key)) || self.parents().any(|parent| tells(&parent.kind))
    }
}

#[cfg(test)]
mod tests;
