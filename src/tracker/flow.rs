//! The Flow Production Tracking connector: REST for reading, its log of events for what changed.
//!
//! ```text
//! poll (webhook wakes it) -> marks, hints ─► (supervise) ─► read -> convert ─► changes
//!                           scan ─┘                         load ─┘
//! ```
//!
//! `client` asks over HTTP with the tokens of `token`, `search` says what, `answer` reads what comes, `page` goes through
//! whole tables, `site` knows which types and fields there are. An event is only ever a hint: what it names is re-read.

mod answer;
mod client;
mod convert;
mod ends;
mod hints;
mod load;
mod marks;
mod page;
mod poll;
pub mod probe;
mod read;
mod refer;
mod scan;
mod schema;
mod search;
mod sight;
mod table;
#[cfg(test)]
mod tests;
mod token;
mod trash;
pub mod webhook;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures_util::stream::BoxStream;
use reqwest::Url;

use self::client::Client;
use self::schema::Shapes;
use self::sight::Sight;
use self::table::Tables;
use super::parts::Parts;
use super::progress::Progress;
use super::secret::TokenSource;
use super::{Capabilities, CatchUp, Scope, Signal, Source, SourceError};
use crate::model::change::{Change, Snapshot};
use crate::model::id::{ObjectRef, Str};
use crate::model::schema::Schema;

/// Where a Flow site is and who we are to it.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address of the site, for example `https://studio.shotgrid.autodesk.com`.
    pub url: String,
    pub script_name: String,
    pub script_key: TokenSource,
    /// How often the log of events is read.
    pub poll_interval: Duration,
}

/// A Flow site. Copies share everything.
#[derive(Clone, Debug)]
pub struct Flow {
    site: Arc<Site>,
}

/// What reading and listening have in common.
#[derive(Debug)]
struct Site {
    client: Client,
    /// What is mirrored.
    tables: Tables,
    /// The same as the site has it.
    shapes: Shapes,
    sight: Sight,
    poll_interval: Duration,
    feed: poll::Feed,
}

// === impl Flow ===

impl Flow {
    /// A connector that mirrors what the schema names, to which the policy was compiled; nothing is asked yet.
    ///
    /// # Errors
    /// Where the address cannot be meant.
    pub fn new(config: Config, schema: &Schema) -> Result<Self, SourceError> {
        let Config { url, script_name, script_key, poll_interval } = config;
        let client = Client::new(address(&url)?, &script_name, script_key)?;
        let site = Site {
            client,
            tables: Tables::of(schema),
            shapes: Shapes::default(),
            sight: Sight::default(),
            poll_interval,
            feed: poll::Feed::of(schema),
        };
        Ok(Self { site: Arc::new(site) })
    }
}

/// What an answer of the log of events, whatever it is, says to re-read where this is mirrored.
pub fn hinted_by(answer: &str, schema: &Schema) -> Vec<ObjectRef> {
    let rows = serde_json::from_str(answer).ok().and_then(|answer| answer::rows("the log", answer).ok());
    let hints = hints::hints(&rows.unwrap_or_default(), &ends::Ends::new(schema, |_, _| None));
    hints.objects.into_iter().chain(hints.retired).chain(hints.revived).collect()
}

impl Source for Flow {
    fn name(&self) -> &'static str {
        "flow"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { reread: true, reconcile: true, lazy: &[] }
    }

    async fn probe(&self) -> Result<Str, SourceError> {
        self.site.sight.probe(&self.site.client).await
    }

    async fn events(&self) -> Result<BoxStream<'static, Signal>, SourceError> {
        poll::listen(Arc::clone(&self.site)).await
    }

    fn sure_until(&self) -> Option<Instant> {
        self.site.feed.sure_until()
    }

    async fn load(&self, scope: Scope, progress: &Progress, parts: &Parts) -> Result<Snapshot, SourceError> {
        let snapshot = load::load(&self.site, scope, progress, parts).await?;
        self.site.sight.check(&self.site.client).await?;
        Ok(snapshot)
    }

    async fn reread(&self, objects: &[ObjectRef]) -> Result<Vec<Change>, SourceError> {
        let read = read::objects(&self.site, objects).await?;
        for change in &read.changes {
            if let Change::Upsert(record) = change {
                self.site.feed.read(&record.kind, read::number(&record.id), record.trashed);
            }
        }
        if read.left_out {
            self.site.sight.check_for_all(&self.site.client).await?;
        }
        Ok(read.changes)
    }

    async fn catch_up(&self, since: SystemTime) -> Result<Option<CatchUp>, SourceError> {
        poll::catch_up(&self.site, since).await
    }
}

fn address(text: &str) -> Result<Url, SourceError> {
    let wrong = |why: &str| {
        SourceError::Refused(format!(
            "tracker.flow.url: `{text}` {why}; write it like https://studio.shotgrid.autodesk.com"
        ))
    };
    let url = Url::parse(text).map_err(|error| wrong(&format!("is not a URL ({error})")))?;
    if !url.username().is_empty() || url.password().is_some() {
        let why = "tracker.flow.url has a user or password in it; give `script_name` and `script_key_file`";
        return Err(SourceError::Refused(why.into()));
    }
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(wrong("is neither http nor https"));
    }
    Ok(url)
}
