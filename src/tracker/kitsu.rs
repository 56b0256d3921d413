//! The Kitsu connector: REST for reading, its event stream for what changed.
//!
//! ```text
//! socket -> events -> hints ─► (supervise) ─► read -> convert ─► changes
//!                     log   ─┘                load ─┘
//! ```
//!
//! `client` asks over HTTP, `table` says where things are. An event is only ever a hint: what it names is re-read.

mod client;
mod convert;
mod events;
mod hints;
mod load;
mod log;
pub mod probe;
mod read;
mod socket;
mod table;
#[cfg(test)]
mod tests;
pub mod write;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use futures_util::stream::BoxStream;
use futures_util::try_join;
use parking_lot::RwLock;
use reqwest::Url;
use serde_json::Value;
use tokio::sync::Mutex;

use self::client::Client;
use self::convert::Types;
use self::table::Table;
use self::write::KitsuWriter;
use super::parts::Parts;
use super::progress::Progress;
use super::secret::TokenSource;
use super::{Capabilities, CatchUp, Scope, Signal, Source, SourceError};
use crate::model::change::{Change, Snapshot};
use crate::model::id::{ObjectRef, Str};

/// The line of zou releases that the pack and this connector were tested with.
const TESTED: &str = "1.0.97";

/// Where a Kitsu is and who we are to it.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address of zou's API, for example `https://kitsu.studio/api`.
    pub url: String,
    /// The site's root, under which the event stream is, for example `https://kitsu.studio`.
    pub events_url: String,
    pub token: TokenSource,
}

/// A Kitsu.
#[derive(Debug)]
pub struct Kitsu {
    client: Arc<Client>,
    site: Url,
    types: Mutex<Arc<Types>>,
    /// The entity types must be read before the next entity is.
    types_changed: Arc<AtomicBool>,
    /// The version was looked at: said once, not at every probe.
    version: RwLock<Option<Str>>,
}

// === impl Kitsu ===

impl Kitsu {
    /// A connector; nothing is asked yet.
    pub fn new(config: Config) -> Result<Self, SourceError> {
        let Config { url, events_url, token } = config;
        let (base, site) = (address("url", &url)?, address("events_url", &events_url)?);
        Ok(Self {
            client: Arc::new(Client::new(base, token)?),
            site,
            types: Mutex::default(),
            types_changed: Arc::new(AtomicBool::new(true)),
            version: RwLock::default(),
        })
    }

    /// What the guard writes with: the same token.
    pub fn writer(&self) -> KitsuWriter {
        KitsuWriter::new(Arc::clone(&self.client))
    }

    /// The entity types, read again if they changed.
    async fn types(&self) -> Result<Arc<Types>, SourceError> {
        // Held while they are read, so that nobody goes on with the old ones.
        let mut types = self.types.lock().await;
        // Taken back before asking: a change while the answer is under way is not lost.
        if self.types_changed.swap(false, Ordering::Relaxed) {
            match load::types(&self.client).await {
                Ok(read) => *types = Arc::new(read),
                Err(failure) => {
                    self.types_changed.store(true, Ordering::Relaxed);
                    return Err(failure.into());
                }
            }
        }
        Ok(Arc::clone(&types))
    }

    async fn check_identity(&self) -> Result<(), SourceError> {
        let answer = self.client.get("/auth/authenticated", &[]).await?;
        let user = answer.get("user");
        let role = user.and_then(|user| user.get("role")).and_then(Value::as_str);
        match role {
            Some("admin") => Ok(()),
            Some(other) => Err(SourceError::Refused(format!(
                "the Kitsu token belongs to a {other}, who does not see every project and person: make the bot an admin \
                 in Kitsu, or give the token of one that is (`zou create-bot --role admin`)"
            ))),
            None => Err(SourceError::Malformed("/auth/authenticated: the answer has no user with a role".into())),
        }
    }

    async fn check_version(&self) -> Result<Str, SourceError> {
        let answer = self.client.get("/", &[]).await?;
        let version = answer.get("version").and_then(Value::as_str);
        let version = Str::from(version.filter(|version| version.len() <= 40).ok_or_else(|| {
            SourceError::Malformed(
                "the root of tracker.kitsu.url does not answer as zou does: is it the address of the API?".into(),
            )
        })?);
        if self.version.read().as_ref() != Some(&version) {
            if version != TESTED {
                tracing::warn!(%version, tested = TESTED, "this version of zou was not tested with stagedoor");
            }
            *self.version.write() = Some(version.clone());
        }
        Ok(version)
    }
}

/// What a text frame of the event stream, whatever it is, says to re-read.
pub fn hinted_by(frame: &str) -> Vec<ObjectRef> {
    match socket::parse(frame) {
        Ok(socket::Packet::Event { name, data }) => hints::hints(&name, &data).objects,
        _ => Vec::new(),
    }
}

impl Source for Kitsu {
    fn name(&self) -> &'static str {
        "kitsu"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { reread: true, reconcile: true, lazy: table::LAZY }
    }

    fn table(&self, kind: &str) -> Str {
        Table::of_kind(kind).map_or_else(|| Str::from(kind), |table| Str::from(table.kind()))
    }

    async fn probe(&self) -> Result<Str, SourceError> {
        let (version, ()) = try_join!(self.check_version(), self.check_identity())?;
        Ok(version)
    }

    async fn events(&self) -> Result<BoxStream<'static, Signal>, SourceError> {
        let token = self.client.token().await?;
        // What happened to entity types while nobody listened is not known.
        self.types_changed.store(true, Ordering::Relaxed);
        events::listen(&self.site, &token, Arc::clone(&self.types_changed)).await
    }

    async fn load(&self, scope: Scope, progress: &Progress, parts: &Parts) -> Result<Snapshot, SourceError> {
        self.types_changed.store(true, Ordering::Relaxed);
        let types = self.types().await?;
        let snapshot = load::snapshot(&self.client, &types, scope, progress, parts).await?;
        // Lists tell everybody else less, without a word: what they leave out would pass for gone.
        self.check_identity().await?;
        Ok(snapshot)
    }

    async fn reread(&self, objects: &[ObjectRef]) -> Result<Vec<Change>, SourceError> {
        let types = self.types().await?;
        let mut read = read::objects(&self.client, &types, objects).await?;
        if read.changes.iter().any(is_unknown_entity) {
            // Perhaps of a type that is younger than our list.
            self.types_changed.store(true, Ordering::Relaxed);
            let types = self.types().await?;
            read = read::objects(&self.client, &types, objects).await?;
        }
        if read.left_out {
            self.check_identity().await?;
        }
        Ok(read.changes)
    }

    async fn catch_up(&self, since: SystemTime) -> Result<Option<CatchUp>, SourceError> {
        let caught = log::catch_up(&self.client, since).await?;
        Ok(caught.map(|(caught, types)| {
            if types {
                self.types_changed.store(true, Ordering::Relaxed);
            }
            caught
        }))
    }
}

fn is_unknown_entity(change: &Change) -> bool {
    matches!(change, Change::Quarantine { object, .. } if object.kind == Table::Entity.kind())
}

fn address(key: &str, text: &str) -> Result<Url, SourceError> {
    let wrong = |why: &str| {
        SourceError::Refused(format!("tracker.kitsu.{key}: `{text}` {why}; write it like https://kitsu.studio/api"))
    };
    let url = Url::parse(text).map_err(|error| wrong(&format!("is not a URL ({error})")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("is neither http nor https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(SourceError::Refused(format!("tracker.kitsu.{key} has a user or password in it; use a token")));
    }
    Ok(url)
}
