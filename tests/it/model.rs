//! What Kitsu would answer, written down as plainly as can be: structs, maps and one function per predicate.
//!
//! Knows neither the pack nor the engine. The names of the predicates are those of the Kitsu fact sheet, 1.4. A fact about
//! something that the studio does not hold is `None`; it never allows, nor does its opposite.

use std::collections::{BTreeMap, BTreeSet};

pub(crate) type Id = String;
/// `None`: not known.
pub(crate) type Fact = Option<bool>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Admin,
    Manager,
    Supervisor,
    Artist,
    Client,
    Vendor,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Person {
    pub(crate) active: bool,
    pub(crate) bot: bool,
    pub(crate) role: Role,
    pub(crate) login: Id,
    pub(crate) departments: BTreeSet<Id>,
    pub(crate) company: Option<Id>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Project {
    pub(crate) open: bool,
    pub(crate) isolated: bool,
    pub(crate) bots: bool,
    pub(crate) client_allowed: BTreeSet<Id>,
    pub(crate) client_denied: BTreeSet<Id>,
}

/// Who is in a project, and the role that he has there instead of his own.
pub(crate) type Team = BTreeMap<Id, Option<Role>>;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Status {
    pub(crate) artists: bool,
    pub(crate) clients: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entity {
    pub(crate) kind: &'static str,
    pub(crate) project: Id,
    pub(crate) creator: Option<Id>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Task {
    pub(crate) project: Id,
    pub(crate) entity: Id,
    pub(crate) task_type: Id,
    pub(crate) status: Id,
    pub(crate) assignees: BTreeSet<Id>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Comment {
    pub(crate) task: Id,
    pub(crate) author: Id,
    pub(crate) for_client: bool,
    pub(crate) status: Id,
    pub(crate) people: BTreeSet<Id>,
    pub(crate) departments: BTreeSet<Id>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Playlist {
    pub(crate) project: Id,
    pub(crate) for_client: bool,
    pub(crate) creator: Option<Id>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Descriptor {
    pub(crate) project: Id,
    pub(crate) entity_type: &'static str,
    pub(crate) field: &'static str,
    pub(crate) departments: BTreeSet<Id>,
}

/// People and departments mentioned in any comment of a task.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Mentions {
    pub(crate) people: BTreeSet<Id>,
    pub(crate) departments: BTreeSet<Id>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Studio {
    pub(crate) people: BTreeMap<Id, Person>,
    pub(crate) projects: BTreeMap<Id, Project>,
    pub(crate) teams: BTreeMap<Id, Team>,
    /// Task type -> its department.
    pub(crate) task_types: BTreeMap<Id, Option<Id>>,
    pub(crate) statuses: BTreeMap<Id, Status>,
    pub(crate) entities: BTreeMap<Id, Entity>,
    pub(crate) tasks: BTreeMap<Id, Task>,
    pub(crate) descriptors: BTreeMap<Id, Descriptor>,
    /// Read when first asked for: `None` is known not to exist, what is not in the map was not read yet.
    pub(crate) comments: BTreeMap<Id, Option<Comment>>,
    pub(crate) playlists: BTreeMap<Id, Option<Playlist>>,
    pub(crate) mentions: BTreeMap<Id, Mentions>,
    /// Table and id of records that the tracker sent and nobody understood.
    pub(crate) quarantined: BTreeSet<(&'static str, Id)>,
    /// People who are not understood any more, as they last were: their logins are still theirs.
    pub(crate) once: BTreeMap<Id, Person>,
}

#[derive(Clone, Debug)]
pub(crate) enum Who {
    Id(Id),
    Login(Id),
    Bot(Id),
}

#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) who: Who,
    pub(crate) kind: &'static str,
    pub(crate) action: &'static str,
    pub(crate) id: Id,
    pub(crate) field: &'static str,
    pub(crate) value: Option<Id>,
    pub(crate) project: Option<Id>,
    /// What the caller tells of a column that does not exist yet.
    pub(crate) departments: Option<BTreeSet<Id>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allow,
    Deny,
    NoSubject,
    Inactive,
    NoResource,
    Quarantined,
}

/// The kinds that are filed under one table.
pub(crate) const ENTITY_KINDS: [&str; 7] = ["asset", "shot", "sequence", "episode", "scene", "edit", "concept"];

pub(crate) fn table(kind: &str) -> &str {
    if ENTITY_KINDS.contains(&kind) { "entity" } else { kind }
}

fn all<const N: usize>(facts: [Fact; N]) -> Fact {
    if facts.contains(&Some(false)) {
        Some(false)
    } else if facts.contains(&None) {
        None
    } else {
        Some(true)
    }
}

fn any<const N: usize>(facts: [Fact; N]) -> Fact {
    not(all(facts.map(not)))
}

fn not(fact: Fact) -> Fact {
    fact.map(|fact| !fact)
}

impl Studio {
    pub(crate) fn answer(&self, question: &Question) -> Verdict {
        let (id, me) = match self.subject(&question.who) {
            Ok(found) => found,
            Err(verdict) => return verdict,
        };
        let me = Me { studio: self, id, me };
        match me.asked(question) {
            Ok(Some(true)) => Verdict::Allow,
            Ok(Some(false) | None) => Verdict::Deny,
            Err(verdict) => verdict,
        }
    }

    fn subject(&self, who: &Who) -> Result<(&Id, &Person), Verdict> {
        let found = match who {
            Who::Id(id) | Who::Bot(id) => {
                if self.quarantined.contains(&("person", id.clone())) {
                    return Err(Verdict::Quarantined);
                }
                self.people.get_key_value(id)
            }
            Who::Login(login) => {
                let mut namesakes = self.people.iter().filter(|(_, person)| person.login == *login);
                let others = self.once.values().filter(|person| person.login == *login).count();
                match (namesakes.next(), others) {
                    (None, 1) => return Err(Verdict::Quarantined),
                    (found, 0) => found.filter(|_| namesakes.next().is_none()),
                    _ => None,
                }
            }
        };
        let (id, person) = found.ok_or(Verdict::NoSubject)?;
        if matches!(who, Who::Bot(_)) && !person.bot {
            return Err(Verdict::NoSubject);
        }
        if person.active { Ok((id, person)) } else { Err(Verdict::Inactive) }
    }
}

/// The person who asks.
struct Me<'s> {
    studio: &'s Studio,
    id: &'s Id,
    me: &'s Person,
}

/// A project, if it is known which.
type In<'s> = Option<&'s Id>;

impl<'s> Me<'s> {
    fn adm(&self) -> Fact {
        Some(self.me.role == Role::Admin)
    }

    fn team(&self, project: In<'_>) -> Fact {
        let project = self.studio.understood(project?)?;
        Some(self.studio.teams.get(project).is_some_and(|team| team.contains_key(self.id)))
    }

    /// ER(p), as a test.
    fn is(&self, role: Role, project: In<'_>) -> Fact {
        if self.me.role == Role::Admin {
            return Some(role == Role::Admin);
        }
        Some(self.studio.stored_role(self.id, project)? == role)
    }

    fn acc(&self, project: In<'_>) -> Fact {
        any([self.adm(), self.team(project)])
    }

    fn team_as(&self, role: Role, project: In<'_>) -> Fact {
        all([self.team(project), self.is(role, project)])
    }

    fn mgr(&self, project: In<'_>) -> Fact {
        any([self.adm(), self.team_as(Role::Manager, project)])
    }

    fn supp(&self, project: In<'_>) -> Fact {
        any([self.mgr(project), self.team_as(Role::Supervisor, project)])
    }

    fn no_departments(&self) -> Fact {
        Some(self.me.departments.is_empty())
    }

    /// The task's department is one of mine; a task type without one is in nobody's.
    fn my_department(&self, task: Option<&Task>) -> Fact {
        let department = self.studio.task_types.get(&task?.task_type)?;
        Some(department.as_ref().is_some_and(|department| self.me.departments.contains(department)))
    }

    fn dep(&self, task: Option<&Task>) -> Fact {
        any([self.no_departments(), self.my_department(task)])
    }

    fn supd(&self, task: Option<&Task>) -> Fact {
        all([self.team_as(Role::Supervisor, project_of(task)), self.dep(task)])
    }

    fn asg(&self, task: Option<&Task>) -> Fact {
        Some(task?.assignees.contains(self.id))
    }

    fn asge(&self, entity: &Id) -> Fact {
        let mut tasks = self.studio.tasks.values().filter(|task| task.entity == *entity);
        Some(tasks.any(|task| task.assignees.contains(self.id)))
    }

    fn ent(&self, entity: Option<&Id>, project: In<'_>) -> Fact {
        any([not(self.is(Role::Vendor, project)), entity.and_then(|entity| self.asge(entity))])
    }

    fn readt(&self, task: Option<&Task>) -> Fact {
        let project = project_of(task);
        all([self.acc(project), self.ent(task.map(|task| &task.entity), project)])
    }

    fn creator(&self, entity: Option<&Id>) -> Fact {
        Some(self.studio.entities.get(entity?)?.creator.as_ref() == Some(self.id))
    }

    fn act(&self, task: Option<&Task>) -> Fact {
        let project = project_of(task);
        let reasons = any([
            self.is(Role::Manager, project),
            self.is(Role::Client, project),
            self.asg(task),
            all([self.is(Role::Supervisor, project), self.dep(task)]),
            self.creator(task.map(|task| &task.entity)),
        ]);
        any([self.adm(), all([self.team(project), reasons])])
    }

    fn ment(&self, id: &Id, task: Option<&Task>) -> Fact {
        let project = project_of(task);
        let mentioned = self.studio.mentions.get(id).map(|Mentions { people, departments }| {
            people.contains(self.id) || !departments.is_disjoint(&self.me.departments)
        });
        all([self.team(project), not(self.is(Role::Vendor, project)), mentioned])
    }

    fn stat(&self, status: &Id, project: In<'_>) -> Fact {
        let known = self.studio.statuses.get(status);
        let artists = any([not(self.is(Role::Artist, project)), known.map(|status| status.artists)]);
        // The project's own word on what clients may set wins over the status's.
        let own = project.and_then(|project| self.studio.projects.get(project));
        let own = own.map(|own| (own.client_allowed.contains(status), own.client_denied.contains(status)));
        let clients = match own {
            Some((true, _)) => Some(true),
            Some((_, true)) => Some(false),
            Some(_) => known.map(|status| status.clients),
            None => None,
        };
        all([artists, any([not(self.is(Role::Client, project)), clients])])
    }

    fn asked(&self, question: &'s Question) -> Result<Fact, Verdict> {
        let Question { kind, action, id, project, .. } = question;
        let here = project.as_ref();
        let known_here = || match here {
            Some(id) if self.studio.projects.contains_key(id) => Ok(here),
            _ => Err(Verdict::NoResource),
        };
        let create = *action == "create";
        match *kind {
            "project" if create => Ok(self.adm()),
            "project" => self.project(question),
            "concept" if create => known_here().map(|p| self.inner_circle(p)),
            "task" if create => known_here().map(|p| self.mgr(p)),
            "task" => self.task(question),
            "comment" => self.comment(question),
            "playlist" if create => known_here().map(|p| self.supp(p)),
            "playlist" => self.playlist(question),
            "metadata_descriptor" if create => known_here().map(|p| self.column(question.departments.as_ref(), p)),
            "metadata_descriptor" => {
                let found = self.studio.find("metadata_descriptor", &self.studio.descriptors, id)?;
                Ok(self.column(Some(&found.departments), Some(&found.project)))
            }
            "person" if create => Ok(self.adm()),
            "person" => self.person(question),
            "custom_action" if *action == "read" => Ok(Some(self.me.role != Role::Vendor)),
            "custom_action" => Ok(self.adm()),
            "event" => match here {
                None => Ok(Some(matches!(self.me.role, Role::Admin | Role::Manager))),
                Some(_) => known_here().map(|p| {
                    let managers = any([Some(self.me.role == Role::Manager), self.is(Role::Manager, p)]);
                    any([self.adm(), all([self.team(p), managers])])
                }),
            },
            _ if create => known_here().map(|p| self.mgr(p)),
            _ => self.entity(question),
        }
    }

    /// In the project, and neither vendor nor client there.
    fn inner_circle(&self, project: In<'_>) -> Fact {
        all([self.acc(project), not(self.is(Role::Vendor, project)), not(self.is(Role::Client, project))])
    }

    fn project(&self, question: &'s Question) -> Result<Fact, Verdict> {
        let project = self.studio.find("project", &self.studio.projects, &question.id)?;
        let p = Some(&question.id);
        Ok(match question.action {
            "read" | "read_team" | "read_tasks" => self.acc(p),
            "delete" => all([self.adm(), Some(!project.open)]),
            "read_schedule" | "read_comments" => self.inner_circle(p),
            "read_playlists" => all([self.acc(p), not(self.is(Role::Vendor, p))]),
            "update" | "manage_team" | "manage_settings" | "read_budget" | "manage_budget" => self.mgr(p),
            other => panic!("{other}"),
        })
    }

    fn entity(&self, question: &'s Question) -> Result<Fact, Verdict> {
        let Question { kind, action, id, field, .. } = question;
        let entity = self.studio.find("entity", &self.studio.entities, id)?;
        if entity.kind != *kind {
            return Err(Verdict::NoResource);
        }
        let p = Some(&entity.project);
        let creator = all([self.team(p), self.creator(Some(id))]);
        Ok(match (*action, *kind) {
            ("read", "concept") => all([self.acc(p), self.ent(Some(id), p), not(self.is(Role::Client, p))]),
            ("read", _) => all([self.acc(p), self.ent(Some(id), p)]),
            ("delete", "sequence") => self.mgr(p),
            ("delete", _) => any([self.mgr(p), creator]),
            ("update", _) => {
                let metadata = field.strip_prefix("data.").map(|name| {
                    let mut columns = self.studio.descriptors.values().filter(|column| {
                        let of_kind = match *kind {
                            "asset" => column.entity_type == "Asset",
                            "shot" => column.entity_type == "Shot",
                            "edit" => column.entity_type == "Edit",
                            _ => false,
                        };
                        of_kind && column.project == entity.project && column.field == name
                    });
                    columns.any(|column| !column.departments.is_disjoint(&self.me.departments))
                });
                let covered = any([self.no_departments(), Some(metadata == Some(true))]);
                let supervisor = all([Some(metadata.is_some()), self.team_as(Role::Supervisor, p), covered]);
                any([self.mgr(p), creator, supervisor])
            }
            other => panic!("{other:?}"),
        })
    }

    fn task(&self, question: &'s Question) -> Result<Fact, Verdict> {
        let Question { action, id, field, value, .. } = question;
        let found = self.studio.find("task", &self.studio.tasks, id)?;
        let task = Some(found);
        let p = Some(&found.project);
        let whom = match (*action, value) {
            ("assign" | "unassign" | "log_time", Some(whom)) => {
                Some(self.studio.people.get_key_value(whom).ok_or(Verdict::NoResource)?)
            }
            _ => None,
        };
        // Bots work only where they are welcome.
        let welcome = any([
            whom.map(|(_, whom)| !whom.bot),
            self.studio.projects.get(&found.project).map(|project| project.bots),
        ]);
        let about_me = whom.map(|(whom, _)| whom == self.id);
        Ok(match *action {
            "read" | "read_comments" => self.readt(task),
            "delete" => self.mgr(p),
            "publish" => self.act(task),
            "set_main_preview" => all([self.readt(task), not(self.is(Role::Client, p))]),
            "set_priority" => any([self.mgr(p), self.supd(task)]),
            "update" => {
                let scheduling = ["priority", "start_date", "due_date", "estimation", "difficulty", "data"];
                any([self.mgr(p), all([Some(scheduling.contains(field)), self.supd(task)])])
            }
            "assign" => {
                let shares = whom.map(|(_, whom)| !whom.departments.is_disjoint(&self.me.departments));
                let supervisor = any([self.no_departments(), all([self.my_department(task), shares])]);
                let allowed = any([
                    self.is(Role::Manager, p),
                    all([self.is(Role::Supervisor, p), supervisor]),
                    all([about_me, self.my_department(task)]),
                ]);
                all([any([self.adm(), all([self.team(p), allowed])]), welcome])
            }
            "unassign" => {
                let own = all([self.asg(task), about_me]);
                let allowed = any([self.is(Role::Manager, p), self.supd(task), own]);
                any([self.adm(), all([self.team(p), allowed])])
            }
            "log_time" => {
                let assigned = whom.map(|(whom, _)| found.assignees.contains(whom));
                all([any([about_me, self.mgr(p)]), assigned, welcome])
            }
            "comment" => {
                let status = match value {
                    Some(status) if !self.studio.statuses.contains_key(status) => return Err(Verdict::NoResource),
                    Some(status) => status,
                    None => &found.status,
                };
                let stays = Some(*status == found.status);
                all([any([self.act(task), all([self.ment(id, task), stays])]), self.stat(status, p)])
            }
            other => panic!("{other}"),
        })
    }

    fn comment(&self, question: &'s Question) -> Result<Fact, Verdict> {
        let Question { action, id, field, value, .. } = question;
        let held = self.studio.comments.get(id).expect("what was asked about was read");
        let comment = held.as_ref().ok_or(Verdict::NoResource)?;
        let task = self.studio.tasks.get(&comment.task);
        let p = project_of(task);
        let mine = Some(comment.author == *self.id);
        let author_role = self.studio.stored_role(&comment.author, p);
        let by_client = author_role.map(|role| role == Role::Client);
        let for_client = Some(comment.for_client);
        let readable = {
            let isolated = p.and_then(|p| self.studio.projects.get(p)).map(|project| project.isolated);
            let shown = all([any([not(isolated), mine, for_client]), any([by_client, for_client])]);
            let staff = any([self.is(Role::Manager, p), self.is(Role::Supervisor, p)]);
            let others = any([self.is(Role::Artist, p), self.is(Role::Vendor, p)]);
            let client = all([self.is(Role::Client, p), shown]);
            any([self.adm(), all([self.readt(task), any([staff, client, all([others, not(by_client)])])])])
        };
        let own = all([self.team(p), mine, readable]);
        Ok(match (*action, *field) {
            ("read", _) => readable,
            ("update", "text") => any([self.mgr(p), own]),
            ("update", "pinned") => any([self.mgr(p), all([self.supd(task), readable])]),
            ("update", "checklist") => {
                let others = all([any([all([self.team(p), self.asg(task)]), self.supd(task)]), readable]);
                any([self.mgr(p), own, others])
            }
            ("update", "task_status_id") => {
                let status = match value {
                    Some(status) if !self.studio.statuses.contains_key(status) => return Err(Verdict::NoResource),
                    Some(status) => status,
                    None => panic!("a status is asked about"),
                };
                let stays = Some(*status == comment.status);
                all([any([self.mgr(p), all([own, any([stays, self.act(task)])])]), self.stat(status, p)])
            }
            ("update", _) => self.mgr(p),
            ("delete", _) => {
                // A manager by his site-wide role is looked at as a manager, outside the team too.
                let manager = self.is(Role::Manager, p);
                any([self.adm(), all([manager, self.acc(p)]), all([not(manager), mine])])
            }
            ("reply", _) => {
                let company = self.studio.people.get(&comment.author).map(|author| author.company != self.me.company);
                let foreign = all([self.is(Role::Client, p), by_client, company]);
                let may = any([self.act(task), self.ment(&comment.task, task)]);
                let in_thread = any([self.adm(), self.is(Role::Manager, p), self.is(Role::Client, p)]);
                let thread = any([for_client, by_client]);
                all([any([mine, all([may, not(foreign)])]), any([not(thread), in_thread])])
            }
            other => panic!("{other:?}"),
        })
    }

    fn playlist(&self, question: &'s Question) -> Result<Fact, Verdict> {
        let held = self.studio.playlists.get(&question.id).expect("what was asked about was read");
        let playlist = held.as_ref().ok_or(Verdict::NoResource)?;
        let p = Some(&playlist.project);
        let for_client = Some(playlist.for_client);
        Ok(match question.action {
            "read" => {
                let client = self.is(Role::Client, p);
                all([self.acc(p), not(self.is(Role::Vendor, p)), any([not(client), for_client])])
            }
            "update" | "delete" => {
                let free = Some(playlist.creator.as_ref().is_none_or(|creator| creator == self.id));
                any([self.mgr(p), all([self.team_as(Role::Supervisor, p), free])])
            }
            "download" => {
                let client = all([self.team_as(Role::Client, p), for_client]);
                all([any([self.supp(p), client]), Some(self.me.role != Role::Vendor)])
            }
            other => panic!("{other}"),
        })
    }

    /// Whether a column with these departments may be made, changed or removed.
    fn column(&self, departments: Option<&BTreeSet<Id>>, project: In<'_>) -> Fact {
        let covered =
            departments.map(|departments| !departments.is_empty() && self.me.departments.is_subset(departments));
        any([self.mgr(project), all([self.team_as(Role::Supervisor, project), covered])])
    }

    fn person(&self, question: &'s Question) -> Result<Fact, Verdict> {
        let whom = &question.id;
        self.studio.find("person", &self.studio.people, whom)?;
        Ok(match (question.action, question.field) {
            ("read", _) if self.me.role != Role::Client => Some(true),
            ("read", _) => {
                let mut answer = Some(false);
                for (project, team) in &self.studio.teams {
                    let both = Some(team.contains_key(self.id) && team.contains_key(whom));
                    let open = self.studio.projects.get(project).map(|project| project.open);
                    answer = any([answer, all([both, open])]);
                }
                answer
            }
            ("delete", _) => all([self.adm(), Some(whom != self.id)]),
            ("update", "role" | "departments" | "active" | "is_bot" | "archived" | "studio_id") => self.adm(),
            ("update", _) => any([self.adm(), Some(whom == self.id)]),
            other => panic!("{other:?}"),
        })
    }
}

fn project_of(task: Option<&Task>) -> In<'_> {
    task.map(|task| &task.project)
}

impl Studio {
    /// The role that a person has in a project by what is stored: the project's own, else the site-wide one.
    fn stored_role(&self, person: &Id, project: In<'_>) -> Option<Role> {
        let site = self.people.get(person)?.role;
        let own = self.teams.get(self.understood(project?)?).and_then(|team| team.get(person).copied().flatten());
        Some(own.unwrap_or(site))
    }

    /// Nobody is known to be in the team of a project that could not be understood or is gone.
    fn understood<'p>(&self, project: &'p Id) -> Option<&'p Id> {
        let is_there = self.projects.contains_key(project) && !self.quarantined.contains(&("project", project.clone()));
        is_there.then_some(project)
    }

    fn find<'s, T>(&self, table: &'static str, records: &'s BTreeMap<Id, T>, id: &Id) -> Result<&'s T, Verdict> {
        if self.quarantined.contains(&(table, id.clone())) {
            return Err(Verdict::Quarantined);
        }
        records.get(id).ok_or(Verdict::NoResource)
    }
}
