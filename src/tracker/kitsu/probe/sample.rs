//! Which objects are asked about: some that the person has to do with, some that he has not. Read with stagedoor's own
//! token, so that what the person cannot see is among them.

use rustc_hash::FxHashSet;
use serde_json::Value;

use super::super::client::Failure;
use super::super::hints;
use super::KitsuProbe;
use super::questions::{ENTITIES, Questions, SITE, text};
use crate::model::id::ObjectRef;
use crate::tracker::SourceError;

/// Objects that were taken already, by id.
type Taken = FxHashSet<String>;

// === impl KitsuProbe ===

impl KitsuProbe {
    /// Questions about `each` projects, and about what is in them.
    pub(super) async fn sample(&self, questions: &mut Questions<'_>, each: usize) -> Result<(), SourceError> {
        let person = text(questions.person, "id").to_owned();
        questions.site();
        let types = self.list("/data/entity-types", &[]).await?;
        let mut taken = Taken::default();
        for project in self.projects(&person, each).await? {
            questions.project(&project);
            self.entities(questions, &types, &project, &mut taken).await?;
            self.tasks(questions, &person, &project, &mut taken).await?;
            let id = text(&project, "id");
            for row in self.list("/data/playlists", &[("project_id", id), ("page", "1"), ("limit", "1")]).await? {
                questions.playlist(&row);
            }
            for row in self.descriptors(id).await?.iter().take(2) {
                questions.descriptor(row);
            }
        }
        for row in self.list("/data/comments", &[("person_id", &person), ("page", "1"), ("limit", "2")]).await? {
            if taken.insert(text(&row, "id").to_owned()) {
                questions.comment(&row);
            }
        }
        let limit = each.to_string();
        questions.person(questions.person);
        for row in self.list("/data/persons", &[("relations", "true"), ("page", "1"), ("limit", &limit)]).await? {
            if text(&row, "id") != person {
                questions.person(&row);
            }
        }
        for (kind, path, _) in SITE {
            for row in self.list(path, &[("page", "1"), ("limit", &limit)]).await? {
                questions.shared(kind, &row);
            }
        }
        Ok(())
    }

    /// Projects of which every other one is the person's, as far as there are some.
    async fn projects(&self, person: &str, each: usize) -> Result<Vec<Value>, SourceError> {
        let fields = ("fields", "id,name,description,team");
        let all = self.list("/data/projects", &[("relations", "true"), fields]).await?;
        let in_team = |row: &Value| {
            let team = row.get("team").and_then(Value::as_array);
            team.is_some_and(|team| team.iter().any(|member| member.as_str() == Some(person)))
        };
        let (own, others): (Vec<_>, Vec<_>) = all.into_iter().partition(in_team);
        let (mut own, mut others) = (own.into_iter(), others.into_iter());
        let mut list = Vec::new();
        while list.len() < each {
            let before = list.len();
            list.extend(own.next().into_iter().chain(others.next()));
            if list.len() == before {
                break;
            }
        }
        list.truncate(each);
        Ok(list)
    }

    /// One entity of each kind.
    async fn entities(
        &self,
        questions: &mut Questions<'_>,
        types: &[Value],
        project: &Value,
        taken: &mut Taken,
    ) -> Result<(), SourceError> {
        let id = text(project, "id");
        let descriptors = self.descriptors(id).await?;
        for kind in ENTITIES {
            let of_kind = types.iter().filter(|row| kind_of(text(row, "name")) == kind).map(|row| text(row, "id"));
            let ids = Value::from(of_kind.collect::<Vec<_>>()).to_string();
            let query = [("project_id", id), ("entity_type_id", ids.as_str()), ("page", "1"), ("limit", "1")];
            for row in self.list("/data/entities", &query).await? {
                if taken.insert(text(&row, "id").to_owned()) {
                    questions.entity(kind, &row, &columns(&descriptors, kind));
                }
            }
        }
        Ok(())
    }

    /// One task that is the person's, its entity, and one other; and a comment of each.
    async fn tasks(
        &self,
        questions: &mut Questions<'_>,
        person: &str,
        project: &Value,
        taken: &mut Taken,
    ) -> Result<(), SourceError> {
        let id = text(project, "id");
        let some = [("project_id", id), ("relations", "true"), ("page", "1"), ("limit", "2")];
        let own = [&some[..], &[("assignees", person)]].concat();
        let own: Vec<_> = self.list("/data/tasks", &own).await?.into_iter().take(1).collect();
        let entity = own.first().map(|task| text(task, "entity_id").to_owned());
        let mut tasks = own;
        tasks.extend(self.list("/data/tasks", &some).await?);
        tasks.retain(|task| taken.insert(text(task, "id").to_owned()));
        for task in tasks.iter().take(2) {
            self.task(questions, task).await?;
            let query = [("object_id", text(task, "id")), ("page", "1"), ("limit", "1")];
            for row in self.list("/data/comments", &query).await? {
                if taken.insert(text(&row, "id").to_owned()) {
                    questions.comment(&row);
                }
            }
        }
        match entity {
            Some(entity) if taken.insert(entity.clone()) => self.one_entity(questions, &entity).await.map(drop),
            _ => Ok(()),
        }
    }

    async fn task(&self, questions: &mut Questions<'_>, task: &Value) -> Result<(), SourceError> {
        let (id, person) = (text(task, "id"), text(questions.person, "id"));
        let team = self.list(&format!("/data/projects/{}/team", text(task, "project_id")), &[]).await?;
        let site_wide = text(questions.person, "role");
        let member = team.iter().find(|member| text(member, "id") == person);
        let role = member.map(|member| text(member, "project_role")).filter(|role| !role.is_empty());
        let role = role.filter(|_| site_wide != "admin").unwrap_or(site_wide).to_owned();
        let query = [("object_id", id), ("person_id", person), ("page", "1"), ("limit", "1")];
        let own = self.list("/data/comments", &query).await?;
        questions.task(task, &role, own.first());
        Ok(())
    }

    async fn one_entity(&self, questions: &mut Questions<'_>, id: &str) -> Result<String, SourceError> {
        let row = self.read(&format!("/data/entities/{id}"), &[]).await?;
        let kind = kind_of(text(&row, "type"));
        let columns = columns(&self.descriptors(text(&row, "project_id")).await?, kind);
        questions.entity(kind, &row, &columns);
        Ok(kind.to_owned())
    }

    /// Questions about one object that the user names.
    pub(super) async fn about(&self, questions: &mut Questions<'_>, object: &ObjectRef) -> Result<(), SourceError> {
        let (kind, id) = (object.kind.as_str(), object.id.to_string());
        let none = |why: &str| SourceError::Refused(format!("{kind}:{id}: {why}"));
        if !hints::canonical(&object.id) {
            return Err(none("is no id of Kitsu's, which are like 1f0c6a3e-8d0e-4a5c-9d3b-0a7a0c1e2f3d"));
        }
        if ENTITIES.contains(&kind) {
            let found = self.one_entity(questions, &id).await?;
            return if found == kind { Ok(()) } else { Err(none(&format!("is not of this kind, but {found}:{id}"))) };
        }
        let table = match kind {
            "project" => "/data/projects",
            "task" => "/data/tasks",
            "comment" => "/data/comments",
            "playlist" => "/data/playlists",
            "metadata_descriptor" => "/data/metadata-descriptors",
            "person" => "/data/persons",
            _ => SITE
                .into_iter()
                .find(|(name, ..)| *name == kind)
                .map(|(_, path, _)| path)
                .ok_or_else(|| none("there is nothing that could be asked about this kind"))?,
        };
        let row = self.read(&format!("{table}/{id}"), &[("relations", "true")]).await?;
        match kind {
            "project" => questions.project(&row),
            "task" => self.task(questions, &row).await?,
            "comment" => questions.comment(&row),
            "playlist" => questions.playlist(&row),
            "metadata_descriptor" => questions.descriptor(&row),
            "person" => questions.person(&row),
            _ => questions.shared(kind, &row),
        }
        Ok(())
    }

    async fn descriptors(&self, project: &str) -> Result<Vec<Value>, SourceError> {
        self.list(&format!("/data/projects/{project}/metadata-descriptors"), &[]).await
    }

    /// A list, whether it comes in pages or not.
    pub(super) async fn list(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<Value>, SourceError> {
        match self.read(path, query).await? {
            Value::Array(rows) => Ok(rows),
            Value::Object(mut page) => match page.remove("data") {
                Some(Value::Array(rows)) => Ok(rows),
                _ => Err(SourceError::Malformed(format!("{path}: the answer is no list"))),
            },
            _ => Err(SourceError::Malformed(format!("{path}: the answer is no list"))),
        }
    }

    /// Read with stagedoor's own token.
    pub(super) async fn read(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, SourceError> {
        self.ours.get(path, query).await.map_err(Failure::into)
    }
}

/// The kind of an entity by what zou calls its type: assets have types of the studio's own.
fn kind_of(name: &str) -> &'static str {
    let named = |kind: &&&str| kind.eq_ignore_ascii_case(name);
    ENTITIES.iter().find(named).copied().unwrap_or("asset")
}

/// The names of the metadata of a kind.
fn columns(descriptors: &[Value], kind: &str) -> Vec<String> {
    let of_kind = |row: &&Value| text(row, "entity_type").eq_ignore_ascii_case(kind);
    descriptors.iter().filter(of_kind).map(|row| text(row, "field_name").to_owned()).collect()
}
