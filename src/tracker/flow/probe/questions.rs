//! Which rows are asked about, and what: some that the person has to do with, some that he has not. Found as the script,
//! which sees them all.

use std::sync::Arc;

use rustc_hash::FxHashSet;
use serde_json::{Value as Json, json};

use super::super::answer::Row;
use super::super::search::Search;
use super::super::table::{PROJECT, Table};
use super::request::{Request, UNFIT};
use super::shape::Shape;
use super::{FlowProbe, Person};
use crate::model::id::{ObjectRef, Str};
use crate::tracker::SourceError;
use crate::tracker::probe::{Asked, Question, Unasked};

/// So many fields of a row are looked at, and so many values of a field.
const FIELDS: usize = 8;
const VALUES: usize = 6;

/// Types whose rows are more than data: making or retiring one writes letters, or takes much along.
const HEAVY: [&str; 8] =
    ["Project", "HumanUser", "ApiUser", "Group", "Department", "PermissionRuleSet", "Status", "Step"];

pub(super) const UNASKED: [(&str, &str); 6] = [
    ("site.*", "Flow has no request for it that only tells"),
    ("*.update without a field", "Flow has no request for a row as a whole"),
    ("*.revive", "Flow revives in no batch that could be undone"),
    ("event_log_entry.create", "nothing in it could be wrong"),
    ("create of types without a status", "nothing in it would be wrong"),
    (
        "create, delete of project, human_user, api_user, group, department, permission_rule_set, status, step",
        "a batch undoes the rows, but not what else a site does about them",
    ),
];

pub(super) fn unasked() -> Vec<Unasked> {
    UNASKED.into_iter().map(|(action, why)| Unasked { action: action.to_owned(), why: why.to_owned() }).collect()
}

type Questions = Vec<Asked<Request>>;

// === impl FlowProbe ===

impl FlowProbe {
    /// Questions about `each` rows of every type, and about what would be made in `each` projects.
    pub(super) async fn sample(&self, person: &Person, each: usize) -> Result<Questions, SourceError> {
        let mut questions = Vec::new();
        let projects = self.projects(person, each).await?;
        for table in self.tables.with_rows() {
            let Some(shape) = self.shape(&self.script, table).await? else { continue };
            for (at, row) in self.rows(person, table, &shape, each).await?.iter().enumerate() {
                questions.extend(self.about_row(table, &shape, row));
                if at == 0 {
                    questions.extend(self.fixed(person, table, &shape, row).await?);
                }
            }
            if !HEAVY.contains(&table.name.as_str()) {
                questions.extend(made(table, &shape, &projects));
            }
        }
        Ok(questions)
    }

    /// Questions about one row that the user names.
    pub(super) async fn about(&self, person: &Person, object: &ObjectRef) -> Result<Questions, SourceError> {
        let none = |why: &str| SourceError::Refused(format!("{}:{}: {why}", object.kind, object.id));
        let id: u64 = object.id.to_string().parse().map_err(|_| none("is no id of Flow's, which are numbers"))?;
        let table = self.tables.of_kind(&object.kind);
        let table = table.ok_or_else(|| none("there is nothing that could be asked about this kind"))?;
        let shape = self.shape(&self.script, table).await?;
        let shape = shape.ok_or_else(|| none("Flow does not show this entity type to the script"))?;
        let search = self.search(table, &shape).with("id", "is", id);
        let rows = self.find(search).await?;
        let row = rows.first().ok_or_else(|| none("there is no such row, or it is in the trash"))?;
        let mut questions = self.about_row(table, &shape, row);
        questions.extend(self.fixed(person, table, &shape, row).await?);
        if table.name == "Project" {
            for table in self.tables.with_rows().filter(|table| !HEAVY.contains(&table.name.as_str())) {
                if let Some(shape) = self.shape(&self.script, table).await?.filter(|shape| shape.has(PROJECT)) {
                    questions.extend(made(table, &shape, &[id]));
                }
            }
        }
        Ok(questions)
    }

    /// Projects of which every other one is the person's, as far as there are some.
    async fn projects(&self, person: &Person, each: usize) -> Result<Vec<u64>, SourceError> {
        let own = person.projects.iter().copied();
        let all = self.find(Search::of("Project", ["id"]).sized(200)).await?;
        let mut others = all.into_iter().map(|row| row.id).filter(|id| !person.projects.contains(id));
        let mut list = Vec::new();
        for own in own.map(Some).chain(std::iter::repeat_n(None, each)) {
            list.extend(own.into_iter().chain(others.next()));
        }
        list.truncate(each);
        Ok(list)
    }

    /// Rows of a type, those first that are the person's.
    async fn rows(&self, person: &Person, table: &Table, shape: &Shape, each: usize) -> Result<Vec<Row>, SourceError> {
        let search = || self.search(table, shape);
        let me = json!({"type": "HumanUser", "id": person.id});
        let mine = ["task_assignees", "user", "created_by"].map(|field| (field, &me));
        let mine = mine
            .into_iter()
            .find(|(field, _)| shape.has(field))
            .map(|(field, me)| search().with(field, "is", me.clone()));
        let own: Vec<_> = person.projects.iter().map(|id| json!({"type": "Project", "id": id})).collect();
        let own = (shape.has(PROJECT) && !own.is_empty()).then(|| search().with(PROJECT, "in", own));
        let myself = (table.name == "HumanUser").then(|| search().with("id", "is", person.id));
        let (mut rows, mut taken) = (Vec::new(), FxHashSet::default());
        let limits = [(myself, 1), (mine, 1), (own, each.div_ceil(2)), (Some(search().sorted("-id")), each)];
        for (search, most) in limits {
            let Some(search) = search else { continue };
            // More than are needed: some of them are there already.
            let size = u32::try_from(each.saturating_mul(2)).unwrap_or(u32::MAX);
            let found = self.find(search.sized(size)).await?;
            rows.extend(found.into_iter().filter(|row| taken.insert(row.id)).take(most));
        }
        rows.truncate(each);
        Ok(rows)
    }

    fn search<'a>(&'a self, table: &'a Table, shape: &'a Shape) -> Search<'a> {
        let fields = shape.fields.keys().map(String::as_str);
        Search::of(
            &table.name,
            self.fields(table, shape).chain(fields.filter(|name| *name == PROJECT)).collect::<Vec<_>>(),
        )
    }

    /// The fields that are asked about: what names a row, its status, and those of which a role says something.
    fn fields<'a>(&'a self, table: &Table, shape: &'a Shape) -> impl Iterator<Item = &'a str> {
        let ruled = self.ruled(table).iter().map(|(name, _)| name.as_str());
        let status = shape.status().map(|(name, _)| name);
        let first = std::iter::once(shape.named_by()).chain(status);
        let mut seen = FxHashSet::default();
        first.chain(ruled).filter(|name| shape.has(name)).filter(move |name| seen.insert(*name)).take(FIELDS)
    }

    fn ruled(&self, table: &Table) -> &[(Str, Vec<Str>)] {
        self.ruled.get(&table.kind).map(Vec::as_slice).unwrap_or_default()
    }

    fn about_row(&self, table: &Table, shape: &Shape, row: &Row) -> Questions {
        let kind = table.name.as_str();
        let named_by = shape.named_by();
        let about = |action: &str, field: &str| Question {
            action: action.to_owned(),
            field: field.to_owned(),
            kind: table.kind.to_string(),
            id: row.id.to_string(),
            name: row.text(named_by).unwrap_or_default().to_owned(),
            ..Question::default()
        };
        let fields: Arc<[String]> = self.fields(table, shape).map(str::to_owned).collect();
        let read = |field: Option<&str>| Request::Read {
            kind: kind.to_owned(),
            id: row.id,
            fields: Arc::clone(&fields),
            field: field.map(str::to_owned),
        };
        let mut questions = vec![Asked { question: about("read", ""), request: read(None) }];
        for name in self.fields(table, shape) {
            // What the script is not shown cannot be compared.
            let Some(value) = row.value(name) else { continue };
            questions.push(Asked { question: about("read", name), request: read(Some(name)) });
            let field = shape.fields.get(name).cloned().unwrap_or_default();
            let now = field.written(value);
            let ruled = self.ruled(table).iter().find(|(ruled, _)| ruled == name).map(|(_, values)| values.as_slice());
            let ruled =
                ruled.unwrap_or_default().iter().map(Str::to_string).filter(|value| field.values.contains(value));
            let others =
                ruled.chain(field.values.iter().cloned()).map(Json::from).filter(|other| Some(other) != now.as_ref());
            let mut values: Vec<Json> = Vec::new();
            for value in now.iter().cloned().chain(others) {
                if values.len() < VALUES && !values.contains(&value) {
                    values.push(value);
                }
            }
            for value in values {
                let request = Request::update(kind, row.id, name, &value, named_by);
                questions.push(Asked { question: Question { value: Some(value), ..about("update", name) }, request });
            }
        }
        let placed = shape.has(PROJECT) || kind == "Reply";
        if placed && !HEAVY.contains(&kind) {
            questions.push(Asked { question: about("delete", ""), request: Request::delete(kind, row.id, named_by) });
        }
        questions
    }

    /// The fields that the schema shows to the person as not to be edited: that much is certain.
    async fn fixed(&self, person: &Person, table: &Table, shape: &Shape, row: &Row) -> Result<Questions, SourceError> {
        let Some(theirs) = self.shape(&person.client, table).await? else { return Ok(Vec::new()) };
        let certain = theirs.fields.iter().filter(|(name, field)| !field.editable && shape.has(name));
        let question = |name: &str| Question {
            action: "update".to_owned(),
            field: name.to_owned(),
            kind: table.kind.to_string(),
            id: row.id.to_string(),
            name: row.text(shape.named_by()).unwrap_or_default().to_owned(),
            ..Question::default()
        };
        Ok(certain.map(|(name, _)| Asked { question: question(name), request: Request::Fixed }).collect())
    }

    pub(super) async fn find(&self, search: Search<'_>) -> Result<Vec<Row>, SourceError> {
        let rows = self.script.search(&search).await?;
        Ok(rows.into_iter().filter(|row| row.id > 0).collect())
    }
}

/// What would be made in these projects, or at the site: a row with a status that there is not.
fn made(table: &Table, shape: &Shape, projects: &[u64]) -> Questions {
    let Some((status, _)) = shape.status() else { return Vec::new() };
    let question = |project: String| Question {
        action: "create".to_owned(),
        kind: table.kind.to_string(),
        project,
        ..Question::default()
    };
    if !shape.has(PROJECT) {
        let request = Request::create(&table.name, json!({status: UNFIT}), shape.named_by());
        return vec![Asked { question: question(String::new()), request }];
    }
    let within = |id: &u64| {
        let data = json!({PROJECT: {"type": "Project", "id": id}, status: UNFIT});
        Asked { question: question(id.to_string()), request: Request::create(&table.name, data, shape.named_by()) }
    };
    projects.iter().map(within).collect()
}
