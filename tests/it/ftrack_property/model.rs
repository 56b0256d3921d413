//! ftrack's rules once more, as plainly as they can be said: `ftrack-actions.md` part 3, read from maps.

use std::collections::{BTreeMap, BTreeSet};

use stagedoor::model::decision::Reason;

/// A workspace. What is not in a map does not exist.
#[derive(Clone, Debug, Default)]
pub(super) struct Workspace {
    pub(super) users: BTreeMap<String, bool>,
    pub(super) keys: BTreeMap<String, Key>,
    pub(super) roles: BTreeMap<String, Role>,
    /// (user, role, all open projects)
    pub(super) held: BTreeMap<String, (String, String, bool)>,
    /// (held role, project)
    pub(super) granted: BTreeMap<String, (String, String)>,
    /// (name, parent)
    pub(super) groups: BTreeMap<String, (String, Option<String>)>,
    /// (user, group)
    pub(super) members: BTreeMap<String, (String, String)>,
    pub(super) projects: BTreeMap<String, Project>,
    pub(super) statuses: BTreeMap<String, String>,
    pub(super) objects: BTreeMap<String, Object>,
    /// (project, task)
    pub(super) versions: BTreeMap<String, (String, Option<String>)>,
    /// The ids of rows that are not understood.
    pub(super) odd: BTreeSet<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) enabled: bool,
    pub(super) owner: Option<String>,
    pub(super) roles: Vec<String>,
    pub(super) projects: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Role {
    pub(super) name: String,
    pub(super) kind: String,
}

#[derive(Clone, Debug)]
pub(super) struct Project {
    pub(super) active: bool,
    pub(super) private: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) kind: String,
    pub(super) project: String,
    pub(super) status: String,
    /// Users and groups together, as the tracker's rows have them.
    pub(super) assigned: Vec<String>,
}

/// Who may set restricted statuses: kind, names or ids, and who.
#[derive(Clone, Debug)]
pub(super) struct Restriction {
    pub(super) kind: String,
    pub(super) statuses: Vec<String>,
    pub(super) allow: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) who: Who,
    pub(super) action: String,
    pub(super) field: String,
    pub(super) value: Option<String>,
    pub(super) kind: String,
    pub(super) id: String,
    pub(super) project: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) enum Who {
    Person(String),
    Bot(String),
}

/// What roles may do, by name, and the restrictions in force.
pub(super) struct Rules {
    pub(super) sets: BTreeMap<String, BTreeSet<String>>,
    pub(super) restrictions: Vec<Restriction>,
}

#[derive(Clone, Copy, PartialEq)]
enum Reach {
    Studio,
    Visible,
    Project,
    Object,
}

enum Actor {
    User(String),
    GlobalKey(String),
}

impl Workspace {
    pub(super) fn decide(&self, rules: &Rules, question: &Question) -> Reason {
        let actor = match &question.who {
            Who::Person(id) => match self.users.get(id) {
                None => return Reason::SubjectUnknown,
                Some(false) => return Reason::SubjectInactive,
                Some(true) => Actor::User(id.clone()),
            },
            Who::Bot(id) => match self.keys.get(id) {
                None => return Reason::SubjectUnknown,
                Some(key) if !key.enabled => return Reason::SubjectInactive,
                Some(Key { owner: None, .. }) => Actor::GlobalKey(id.clone()),
                Some(Key { owner: Some(owner), .. }) => match self.users.get(owner) {
                    None => return Reason::SubjectUnknown,
                    Some(false) => return Reason::SubjectInactive,
                    Some(true) => Actor::User(owner.clone()),
                },
            },
        };
        let action = match (question.action.as_str(), question.field.as_str()) {
            ("update", "status_id") => "set_status",
            ("update", "parent_id") => "move",
            (action, _) => action,
        };
        let kind = question.kind.as_str();
        let object_kind = ["task", "shot", "marketingasset"].contains(&kind);
        let (slug, reach, writes) = match (kind, action) {
            ("studio", "create_project") | ("project", "create") => (Some("create_projects"), Reach::Studio, false),
            ("project", "read") => (None, Reach::Visible, false),
            ("project", "update") => (Some("update_project"), Reach::Project, false),
            ("project", "delete") => (Some("delete_project"), Reach::Project, true),
            (_, "read") if object_kind || kind == "assetversion" => (None, Reach::Visible, false),
            (_, "create") if object_kind => (Some("create_objects"), Reach::Project, true),
            (_, "update") if object_kind => (Some("update_objects"), Reach::Object, true),
            (_, "move") if object_kind => (Some("move_objects"), Reach::Object, true),
            (_, "set_status") if object_kind => (Some("can_change_status_of_a_task"), Reach::Object, true),
            ("assetversion", "set_status") => (Some("can_change_status_of_a_version"), Reach::Object, true),
            _ => return Reason::ActionUnknown,
        };
        let (project, task) = match (kind, action) {
            ("studio", _) | ("project", "create") => (None, None),
            (_, "create") => match question.project.as_ref().filter(|id| self.projects.contains_key(*id)) {
                None => return Reason::ResourceUnknown,
                Some(project) => (Some(project.clone()), None),
            },
            ("project", _) if self.projects.contains_key(&question.id) => (Some(question.id.clone()), None),
            ("project", _) => return Reason::ResourceUnknown,
            ("assetversion", _) => match self.versions.get(&question.id) {
                None => return Reason::ResourceUnknown,
                Some((project, task)) => (Some(project.clone()), task.clone()),
            },
            _ => match self.objects.get(&question.id) {
                Some(object) if object.kind == kind => (Some(object.project.clone()), Some(question.id.clone())),
                _ => return Reason::ResourceUnknown,
            },
        };
        let sets_status = action == "set_status";
        let value = question.value.as_ref().filter(|_| sets_status);
        let meant: Vec<_> = value.map(|value| self.statuses_called(value)).unwrap_or_default();
        if value.is_some() && meant.is_empty() {
            return Reason::ResourceUnknown;
        }
        if !self.may(rules, &actor, slug, reach, project.as_deref(), task.as_deref()) {
            let visible = self.may(rules, &actor, None, Reach::Visible, project.as_deref(), None);
            return if reach == Reach::Studio || visible { Reason::NoGrant } else { Reason::NotMember };
        }
        let active = project.as_ref().and_then(|id| self.projects.get(id)).is_none_or(|project| project.active);
        if writes && !active {
            return Reason::Restricted;
        }
        let about = rules.restrictions.iter().filter(|restriction| sets_status && restriction.kind == kind);
        for restriction in about {
            let named = |status: &String| {
                restriction.statuses.iter().any(|name| name == status || self.statuses.get(status) == Some(name))
            };
            if meant.iter().any(named) && !self.is_allowed(rules, restriction, &actor, project.as_deref()) {
                return Reason::Restricted;
            }
        }
        Reason::Granted
    }

    fn statuses_called(&self, value: &str) -> Vec<String> {
        if self.statuses.contains_key(value) {
            return vec![value.to_owned()];
        }
        self.statuses.iter().filter(|(_, name)| *name == value).map(|(id, _)| id.clone()).collect()
    }

    fn may(
        &self,
        rules: &Rules,
        actor: &Actor,
        slug: Option<&str>,
        reach: Reach,
        project: Option<&str>,
        task: Option<&str>,
    ) -> bool {
        self.roles_of(actor).into_iter().any(|(role, held)| {
            let Some(set) = rules.sets.get(&role.name) else { return false };
            if slug.is_some_and(|slug| !set.contains(slug)) {
                return false;
            }
            if reach == Reach::Studio {
                return true;
            }
            let Some(project) = project else { return false };
            self.applies(actor, role, held.as_deref(), project)
                && match (role.kind.as_str(), reach) {
                    ("ASSIGNED", Reach::Project) => false,
                    ("ASSIGNED", Reach::Object) => task.is_some_and(|task| self.is_own_task(actor, task)),
                    _ => true,
                }
        })
    }

    /// The roles that count, with the row by which they are held.
    fn roles_of(&self, actor: &Actor) -> Vec<(&Role, Option<String>)> {
        match actor {
            Actor::User(user) => {
                let held = self.held.iter().filter(|(_, (holder, ..))| holder == user);
                let roles = held.filter_map(|(id, (_, role, _))| Some((self.roles.get(role)?, Some(id.clone()))));
                roles.filter(|(role, _)| ["PROJECT", "ASSIGNED"].contains(&role.kind.as_str())).collect()
            }
            Actor::GlobalKey(key) => {
                let roles = self.keys[key].roles.iter().filter_map(|role| Some((self.roles.get(role)?, None)));
                roles.filter(|(role, _)| role.kind == "API").collect()
            }
        }
    }

    fn applies(&self, actor: &Actor, role: &Role, held: Option<&str>, project: &str) -> bool {
        let Some(at) = self.projects.get(project) else { return false };
        match (actor, held) {
            (Actor::GlobalKey(key), _) => !at.private || self.keys[key].projects.iter().any(|own| own == project),
            (Actor::User(_), Some(held)) if role.kind == "PROJECT" => {
                let granted = self.granted.values().any(|(by, on)| by == held && on == project);
                granted || self.held[held].2 && !at.private
            }
            (Actor::User(user), _) => {
                let tasks = self.objects.values().filter(|object| object.kind == "task" && object.project == project);
                let has_task = tasks.into_iter().any(|task| self.has(user, task));
                !at.private && has_task
            }
        }
    }

    fn is_own_task(&self, actor: &Actor, task: &str) -> bool {
        let Actor::User(user) = actor else { return false };
        self.objects.get(task).is_some_and(|object| object.kind == "task" && self.has(user, object))
    }

    /// Whether it is assigned to the person, or to a group that he is a direct member of.
    fn has(&self, user: &str, object: &Object) -> bool {
        let through = |group: &String| self.members.values().any(|(member, of)| member == user && of == group);
        object.assigned.iter().any(|who| who == user || through(who))
    }

    /// Whether the restriction names this person, active or not.
    pub(super) fn is_allowed_person(
        &self,
        rules: &Rules,
        restriction: &Restriction,
        person: &str,
        project: &str,
    ) -> bool {
        self.is_allowed(rules, restriction, &Actor::User(person.to_owned()), Some(project))
    }

    fn is_allowed(&self, rules: &Rules, restriction: &Restriction, actor: &Actor, project: Option<&str>) -> bool {
        restriction.allow.iter().any(|who| match (who.split_once(':').expect("has a family"), actor) {
            (("person", name), Actor::User(user)) => user == name,
            (("group", name), Actor::User(user)) => {
                let wanted: Vec<_> = match self.groups.contains_key(name) {
                    true => vec![name],
                    false => {
                        self.groups.iter().filter(|(_, (own, _))| own == name).map(|(id, _)| id.as_str()).collect()
                    }
                };
                let [wanted] = wanted[..] else { return false };
                let own = self.members.values().filter(|(member, _)| member == user).map(|(_, group)| group);
                own.into_iter().any(|group| self.is_within(group, wanted))
            }
            (("role", name), _) => self.roles_of(actor).into_iter().any(|(role, held)| {
                role.name == name
                    && rules.sets.contains_key(name)
                    && project.is_some_and(|project| self.applies(actor, role, held.as_deref(), project))
            }),
            _ => false,
        })
    }

    fn is_within(&self, group: &str, wanted: &str) -> bool {
        let mut at = Some(group.to_owned());
        for _ in 0..=self.groups.len() {
            match at {
                Some(id) if id == wanted => return true,
                Some(id) => at = self.groups.get(&id).and_then(|(_, parent)| parent.clone()),
                None => return false,
            }
        }
        false
    }
}
