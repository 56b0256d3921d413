//! Asks a Flow site as one person, by acting as that person. Writes are asked by batches that come to nothing, and what
//! the schema shows as not editable is taken at its word.

mod questions;
mod request;
mod shape;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;
use reqwest::StatusCode;
use rustc_hash::FxHashMap;
use serde_json::Value as Json;

use self::request::{Request, Write};
use self::shape::Shape;
use super::answer::{self, Row};
use super::client::Client;
use super::search::Search;
use super::table::{Table, Tables};
use super::{Config, address};
use crate::model::id::{ObjectRef, Str};
use crate::model::query::Subject;
use crate::model::schema::Schema;
use crate::tracker::SourceError;
use crate::tracker::probe::{Asked, Met, Pace, Probe, Unasked, Verdict};

/// By the mirror's name of a kind: the fields of which a role says something, and the values of them.
pub type Ruled = FxHashMap<Str, Vec<(Str, Vec<Str>)>>;

/// A Flow site, asked as one person.
#[derive(Debug)]
pub struct FlowProbe {
    /// As stagedoor's own script: finds what can be asked about.
    script: Client,
    tables: Tables,
    ruled: Ruled,
    person: RwLock<Option<Arc<Person>>>,
    /// What the person was shown last: a row's fields are asked about one after the other.
    shown: RwLock<Option<Shown>>,
    /// Whether an update that was not refused was seen to change nothing.
    looked: AtomicBool,
}

/// Who asks.
#[derive(Debug)]
struct Person {
    id: u64,
    projects: Vec<u64>,
    client: Client,
}

/// A row as the person was shown it; or what was said instead.
#[derive(Clone, Debug)]
struct Shown {
    kind: String,
    id: u64,
    row: Result<Arc<Row>, Verdict>,
}

// === impl FlowProbe ===

impl FlowProbe {
    /// Nothing is asked yet. `schema`: that of the policy, which says which types there are.
    ///
    /// # Errors
    /// Where the configuration's address is none.
    pub fn new(config: Config, schema: &Schema, ruled: Ruled, pace: Pace) -> Result<Self, SourceError> {
        let Config { url, script_name, script_key, poll_interval: _ } = config;
        Ok(Self {
            script: Client::new(address(&url)?, &script_name, script_key)?.paced(pace),
            tables: Tables::of(schema),
            ruled,
            looked: AtomicBool::new(false),
            person: RwLock::default(),
            shown: RwLock::default(),
        })
    }

    fn person(&self) -> Result<Arc<Person>, SourceError> {
        let met = self.person.read().clone();
        met.ok_or_else(|| SourceError::Refused("nobody was met yet as whom to ask".into()))
    }

    /// An entity type as the site shows it to this caller; `None` where it does not.
    async fn shape(&self, client: &Client, table: &Table) -> Result<Option<Shape>, SourceError> {
        match client.get(&format!("schema/{}/fields", table.name)).await {
            Ok(answer) => Ok(Some(Shape::told(&table.name, &answer)?)),
            Err(failure) if failure.is_about_the_type() => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn read(&self, kind: &str, id: u64, fields: &[String], field: Option<&str>) -> Result<Verdict, SourceError> {
        let held = self.shown.read().clone().filter(|shown| shown.kind == kind && shown.id == id);
        let row = match held {
            Some(shown) => shown.row,
            None => {
                let row = self.show(kind, id, fields).await?;
                *self.shown.write() = Some(Shown { kind: kind.to_owned(), id, row: row.clone() });
                row
            }
        };
        Ok(match (row, field) {
            (Err(verdict), _) => verdict,
            (Ok(row), Some(field)) if row.value(field).is_none() => {
                Verdict::Refused("the field is left out".to_owned())
            }
            (Ok(_), _) => Verdict::Allowed,
        })
    }

    /// The row as the person sees it.
    async fn show(&self, kind: &str, id: u64, fields: &[String]) -> Result<Result<Arc<Row>, Verdict>, SourceError> {
        let path = format!("entity/{kind}/_search");
        let search = Search::of(kind, fields.iter().map(String::as_str)).with("id", "is", id).sized(1);
        let (status, body) = self.person()?.client.answer(&path, &search.body()).await?;
        if status.is_success() {
            let row = answer::rows(&path, body)?.into_iter().find(|row| row.id == id).map(Arc::new);
            return match row {
                Some(row) => Ok(Ok(row)),
                None => Ok(Err(self.unless_gone(kind, id, "the row is not there".to_owned()).await?)),
            };
        }
        let said = request::words(status, &body);
        request::later(status, &said)?;
        let refused = status == StatusCode::BAD_REQUEST && said.contains("by this user");
        Ok(Err(if refused { Verdict::Refused(said) } else { Verdict::Inconclusive(said) }))
    }

    /// A row that the person is not shown, or is told not to be there, may have gone since the script found it.
    async fn unless_gone(&self, kind: &str, id: u64, said: String) -> Result<Verdict, SourceError> {
        Ok(match self.now(kind, id, &["id"]).await? {
            Some(_) => Verdict::Refused(said),
            None => Verdict::Inconclusive("the row has gone meanwhile".to_owned()),
        })
    }

    /// The row as the script sees it, outside the trash.
    async fn now(&self, kind: &str, id: u64, fields: &[&str]) -> Result<Option<Row>, SourceError> {
        let search = Search::of(kind, fields.iter().copied()).with("id", "is", id).sized(1);
        Ok(self.find(search).await?.into_iter().find(|row| row.id == id))
    }

    async fn write(&self, kind: &str, requests: [&Json; 2], what: &Write) -> Result<Verdict, SourceError> {
        let before = match what {
            Write::Update { id, field, value } if !self.looked.load(Ordering::Relaxed) => {
                let row = self.now(kind, *id, &[field, "updated_at"]).await?;
                row.filter(|row| row.value(field) != Some(value))
            }
            _ => None,
        };
        let body = serde_json::json!({"requests": requests});
        let (status, body) = self.person()?.client.answer("entity/_batch", &body).await?;
        let verdict = request::meaning(what, status, &body)?;
        // That a batch is done as a whole or not at all is the site's word: it is looked at.
        if let (Some(before), Write::Update { id, field, .. }, Verdict::Allowed) = (before, what, &verdict) {
            let after = self.now(kind, *id, &[field, "updated_at"]).await?;
            let same = |name: &str| after.as_ref().is_some_and(|after| after.value(name) == before.value(name));
            if !same(field) || !same("updated_at") {
                return Err(SourceError::Malformed(format!(
                    "{kind} {id} was changed while it was asked whether its {field} might be: see in its history by whom, \
                     and put it back if it was by the person in whose name was asked; nothing more is asked"
                )));
            }
            self.looked.store(true, Ordering::Relaxed);
        }
        match (what, verdict) {
            (Write::Delete { id }, Verdict::Allowed) => match self.now(kind, *id, &["id"]).await? {
                Some(_) => Ok(Verdict::Allowed),
                None => Err(SourceError::Malformed(format!(
                    "{kind} {id} is gone after it was asked whether it might be: look into the trash; nothing more is asked"
                ))),
            },
            (Write::Delete { id } | Write::Update { id, .. }, Verdict::Refused(said))
                if status == StatusCode::NOT_FOUND =>
            {
                self.unless_gone(kind, *id, said).await
            }
            (_, verdict) => Ok(verdict),
        }
    }
}

impl Probe for FlowProbe {
    type Request = Request;

    async fn meet(&self, person: Subject<'_>) -> Result<Met, SourceError> {
        let (field, named) = match person {
            Subject::Person(id) => ("id", id),
            Subject::Login(login) => ("login", login),
            Subject::Email(email) => ("email", email),
            Subject::Bot(id) => {
                return Err(SourceError::Refused(format!("bot:{id}: nobody can act as a script; give a person")));
            }
        };
        let value = match field {
            "id" => Json::from(named.parse::<u64>().map_err(|_| {
                SourceError::Refused(format!("`{named}` is no id of Flow's, which are numbers; or write login:{named}"))
            })?),
            _ => Json::from(named),
        };
        let fields = ["login", "email", "name", "projects"];
        let rows = self.find(Search::of("HumanUser", fields).with(field, "is", value).sized(20)).await?;
        // Flow finds texts whatever their case; stagedoor does not.
        let mut same = rows.iter().filter(|row| field == "id" || row.text(field) == Some(named));
        let row = match (same.next(), same.next()) {
            (Some(row), None) => row,
            (None, _) => return Err(SourceError::Refused(format!("Flow has no person with the {field} {named}"))),
            (Some(_), Some(_)) => {
                return Err(SourceError::Refused(format!(
                    "several people in Flow have the {field} {named}; give an id"
                )));
            }
        };
        let login = row.text("login").ok_or_else(|| {
            SourceError::Refused(format!("HumanUser {} has no login, so nobody can act as that person", row.id))
        })?;
        let client = self.script.as_person(login);
        client.token().await?;
        let projects = row.value("projects").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        let projects = projects.iter().filter_map(answer::link).map(|(_, id)| id).collect();
        let met = Met { id: row.id.to_string(), name: row.text("name").unwrap_or(login).to_owned() };
        *self.person.write() = Some(Arc::new(Person { id: row.id, projects, client }));
        Ok(met)
    }

    async fn questions(&self, _: &Met, about: &[ObjectRef], each: usize) -> Result<Vec<Asked<Request>>, SourceError> {
        let person = self.person()?;
        if about.is_empty() {
            return self.sample(&person, each).await;
        }
        let mut questions = Vec::new();
        for object in about {
            questions.extend(self.about(&person, object).await?);
        }
        Ok(questions)
    }

    async fn ask(&self, request: &Request) -> Result<Verdict, SourceError> {
        match request {
            Request::Read { kind, id, fields, field } => self.read(kind, *id, fields, field.as_deref()).await,
            Request::Write { kind, first, second, what } => self.write(kind, [first, second], what).await,
            Request::Fixed => Ok(Verdict::Refused("its schema says to the person: not editable".to_owned())),
        }
    }

    fn unasked(&self) -> Vec<Unasked> {
        questions::unasked()
    }
}
