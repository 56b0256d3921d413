//! The ftrack connector: its API for reading and writing, its event hub for what changed.
//!
//! ```text
//! hub -> listen -> packet, hints ─► (supervise) ─► read -> convert ─► changes
//!            ▲                                     load ─┘
//! write ─────┘ publishes
//! ```
//!
//! `client` asks over HTTP, `answer` reads what comes, `pages` goes through whole tables, `table` says what is asked.
//! An event is only ever a hint: what it names is re-read, and looked at once more a moment later (`looks`).

mod answer;
mod audit;
mod client;
mod convert;
mod hints;
mod hub;
mod listen;
mod load;
mod looks;
mod own;
mod packet;
mod pages;
mod query;
mod read;
mod sight;
mod table;
#[cfg(test)]
mod tests;
mod write;

use std::sync::Arc;
use std::time::SystemTime;

use futures_util::stream::BoxStream;
use parking_lot::RwLock;
use reqwest::Url;
use serde_json::{Value as Json, json};
use tokio::time::Instant;

use self::client::Client;
use self::hub::{Outbox, Pace};
use self::looks::Looks;
use self::own::Own;
use self::query::Query;
use self::sight::Sight;
use self::table::{Questions, Table};
use super::parts::Parts;
use super::progress::Progress;
use super::secret::TokenSource;
use super::{Capabilities, CatchUp, Scope, Signal, Source, SourceError};
use crate::model::change::{Change, Snapshot};
use crate::model::id::{ObjectRef, Str};

/// Where an ftrack is and who we are to it.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address of the server, for example `https://studio.ftrackapp.com`.
    pub url: String,
    /// The name of the user in whose name the key acts.
    pub user: String,
    pub api_key: TokenSource,
}

/// An ftrack. Copies share everything.
#[derive(Clone, Debug)]
pub struct Ftrack {
    shared: Arc<Shared>,
    pace: Pace,
}

/// What reading, listening and writing have in common.
#[derive(Debug)]
struct Shared {
    client: Client,
    questions: Questions,
    sight: Sight,
    outbox: Outbox,
    own: Own,
    looks: Looks,
    version: RwLock<Option<Str>>,
}

// === impl Ftrack ===

impl Ftrack {
    /// A connector; nothing is asked yet.
    ///
    /// # Errors
    /// Where the address cannot be meant.
    pub fn new(config: Config) -> Result<Self, SourceError> {
        let Config { url, user, api_key } = config;
        let client = Client::new(address(&url)?, user, api_key)?;
        let shared = Shared {
            client,
            questions: Questions::default(),
            sight: Sight::default(),
            outbox: Outbox::default(),
            own: Own::default(),
            looks: Looks::default(),
            version: RwLock::default(),
        };
        Ok(Self { shared: Arc::new(shared), pace: Pace::default() })
    }
}

/// What a text frame of the event hub, whatever it is, says to re-read.
pub fn hinted_by(frame: &str) -> Vec<ObjectRef> {
    match packet::parse(frame) {
        Ok(packet::Packet::Events(events)) => events.iter().flat_map(|event| hints::hints(event).objects).collect(),
        _ => Vec::new(),
    }
}

impl Source for Ftrack {
    fn name(&self) -> &'static str {
        "ftrack"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { reread: true, reconcile: true, lazy: table::LAZY }
    }

    fn table(&self, kind: &str) -> Str {
        Table::of_kind(kind).map_or_else(|| Str::from(kind), |table| Str::const_new(table.kind()))
    }

    async fn probe(&self) -> Result<Str, SourceError> {
        self.shared.check_identity().await
    }

    async fn events(&self) -> Result<BoxStream<'static, Signal>, SourceError> {
        self.shared.questions.forget();
        hub::listen(Arc::clone(&self.shared), self.pace).await
    }

    fn sure_until(&self) -> Option<std::time::Instant> {
        self.shared.looks.sure_until().map(Instant::into_std)
    }

    async fn load(&self, scope: Scope, progress: &Progress, parts: &Parts) -> Result<Snapshot, SourceError> {
        let Shared { client, questions, sight, .. } = &*self.shared;
        let (mut snapshot, began) = (Snapshot::default(), Instant::now());
        if scope.core() {
            for (table, mut changes) in load::core(client, questions, progress).await? {
                if table == Table::Project {
                    let projects = changes.iter().filter_map(|change| match change {
                        Change::Upsert(record) => Some(record.id.clone()),
                        _ => None,
                    });
                    // What is in a project that nobody announced is not known.
                    if sight.loaded(projects) && !scope.large() {
                        self.shared.looks.owe(Scope::Large);
                    }
                }
                if !snapshot.complete.contains(&Str::const_new(table.kind())) {
                    snapshot.complete.push(Str::const_new(table.kind()));
                }
                snapshot.changes.append(&mut changes);
            }
        }
        if scope.large() {
            load::large(client, questions, progress, parts).await?;
            snapshot.complete.push(Str::const_new(Table::Object.kind()));
        }
        // Lists tell a key of fewer rights less, without a word: what they leave out would pass for gone.
        self.shared.check_identity().await?;
        if scope == Scope::All {
            self.shared.looks.loaded(began, self.pace.look);
        }
        Ok(snapshot)
    }

    async fn reread(&self, objects: &[ObjectRef]) -> Result<Vec<Change>, SourceError> {
        Ok(read::objects(&self.shared, objects).await?)
    }

    /// Nothing is replayed, and roles and memberships have no times: whatever was missed is found by a load.
    async fn catch_up(&self, _since: SystemTime) -> Result<Option<CatchUp>, SourceError> {
        Ok(None)
    }
}

// === impl Shared ===

impl Shared {
    /// The server's version, if it lets us in and shows what it must.
    async fn check_identity(&self) -> Result<Str, SourceError> {
        let roles = [("SecurityRole", Table::SecurityRole), ("UserSecurityRole", Table::UserSecurityRole)];
        let mut operations = vec![json!({"action": "query_server_information"})];
        operations.extend(roles.map(|(entity, _)| Query::all("id", entity).page(0, 1)));
        let mut answers = self.client.ask(&operations).await?.into_iter();
        let information = answers.next().unwrap_or_default();
        for ((_, table), rows) in roles.into_iter().zip(answers) {
            if answer::page(rows)?.rows.is_empty() {
                return Err(load::empty(table).into());
            }
        }
        let version = information.get("version").and_then(Json::as_str).filter(|version| version.len() <= 40);
        let version = Str::from(version.ok_or_else(|| {
            SourceError::Malformed(
                "the server at tracker.ftrack.url does not say its version: is it an ftrack server?".into(),
            )
        })?);
        self.own.note_clock(information.get("is_timezone_support_enabled").and_then(Json::as_bool));
        if self.version.read().as_ref() != Some(&version) {
            tracing::debug!(version = version.as_str(), "ftrack server");
            *self.version.write() = Some(version.clone());
        }
        Ok(version)
    }
}

fn address(text: &str) -> Result<Url, SourceError> {
    let wrong = |why: &str| {
        SourceError::Refused(format!("tracker.ftrack.url: `{text}` {why}; write it like https://studio.ftrackapp.com"))
    };
    let url = Url::parse(text).map_err(|error| wrong(&format!("is not a URL ({error})")))?;
    if !url.username().is_empty() || url.password().is_some() {
        let why = "tracker.ftrack.url has a user or password in it; give `user` and `api_key_file`";
        return Err(SourceError::Refused(why.into()));
    }
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(wrong("is neither http nor https"));
    }
    Ok(url)
}
