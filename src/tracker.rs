//! The trackers: where the mirror comes from.
//!
//! A [`Source`] is the whole contract of a connector: load everything, tell that something changed, re-read it.
//! [`supervise`] drives any of them: order, coalescing, gaps, reconnects, reconciles, first-use reads.
//!
//! ```text
//! Source::events ─► supervise ─► Source::reread ─► authorizer::apply
//! ```

pub mod backoff;
mod date;
pub mod file;
pub mod flow;
pub mod ftrack;
mod http;
pub mod ingest;
pub mod kitsu;
pub mod limecraft;
pub mod parts;
pub mod probe;
pub mod progress;
pub mod receipt;
pub mod roles;
pub mod secret;
pub mod seen;
pub mod supervise;
pub mod watch;
pub mod writer;

use std::fmt;
use std::future::Future;
use std::time::{Instant, SystemTime};

use futures_util::stream::BoxStream;

use self::parts::Parts;
use self::progress::Progress;
use self::receipt::Receipt;
use crate::model::change::{Change, Snapshot};
use crate::model::id::{ObjectRef, Str};

/// A tracker, as the supervisor needs it. Implementors may write the methods as `async fn`.
///
/// Every method may be called again after it failed and while another call is under way. None retries for ever:
/// the supervisor does, with backoff.
pub trait Source: Send + Sync + 'static {
    /// The tracker's name as `ServerInfo.tracker` says it, for example `kitsu`.
    fn name(&self) -> &'static str;

    /// What of the contract this source offers.
    fn capabilities(&self) -> Capabilities;

    /// The table under whose ids objects of this kind are filed.
    fn table(&self, kind: &str) -> Str {
        Str::from(kind)
    }

    /// Proves that the tracker answers and lets this source in, and says the tracker's version.
    ///
    /// Called at each connect and every few seconds while live: cheap.
    fn probe(&self) -> impl Future<Output = Result<Str, SourceError>> + Send;

    /// Subscribes. Whatever changes after this returned is announced by the stream; its end means that the feed is lost.
    fn events(&self) -> impl Future<Output = Result<BoxStream<'static, Signal>, SourceError>> + Send;

    /// Up to when all that changed has been announced and can be read, where the stream tells of some changes too early or
    /// of all of them late: as of a later time the mirror is not known to be. `None`: the stream is as new as it is heard.
    fn sure_until(&self) -> Option<Instant> {
        None
    }

    /// Reads all objects of the scope. `except` of the snapshot is left empty: the supervisor fills it.
    ///
    /// Large tables need not be held for it: what was read of them can be handed over meanwhile. An object of such a table
    /// that is listed nowhere is re-read before it counts as gone, since pages are not one look at a table.
    fn load(
        &self,
        scope: Scope,
        progress: &Progress,
        parts: &Parts,
    ) -> impl Future<Output = Result<Snapshot, SourceError>> + Send;

    /// Reads these objects as they are now. An object that no longer exists is a [`Change::Remove`].
    ///
    /// One object can yield several changes: a project yields its record and its team.
    fn reread(&self, objects: &[ObjectRef]) -> impl Future<Output = Result<Vec<Change>, SourceError>> + Send;

    /// What the tracker's own log names as changed since then. `None`: there is no such log, or it does not reach back
    /// that far, so everything must be loaded.
    fn catch_up(&self, since: SystemTime) -> impl Future<Output = Result<Option<CatchUp>, SourceError>> + Send;
}

/// What a source can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Single objects can be re-read; otherwise every change means a load.
    pub reread: bool,
    /// Things can change without an event, so a periodic reconcile is needed.
    pub reconcile: bool,
    /// Tables that `load` leaves out: their records are read on first use and dropped when an event names them.
    pub lazy: &'static [&'static str],
}

/// How much to load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// People, projects, teams and the small tables.
    Core,
    /// Tasks and entities.
    Large,
    /// Both.
    All,
}

/// What an event stream says.
#[derive(Clone, Debug, PartialEq)]
pub enum Signal {
    /// These objects may have changed, appeared or gone. A kind may be named by its table. Without an id, all are meant
    /// that were read of a table on first use.
    Changed { objects: Vec<ObjectRef>, cursor: Option<Str> },
    /// More of this scope changed than these objects, and it is not known what: load it soon.
    Reload { scope: Scope, objects: Vec<ObjectRef> },
    /// Exactly this changed: nothing needs to be re-read. What is told before a load of everything begins is in what that
    /// load reads. A source that tells so names no objects to be re-read.
    Told { changes: Vec<Change>, cursor: Option<Str>, receipt: Option<Receipt> },
    /// Whatever the mirror has that leads to these by this field may have changed with them.
    Hanging { on: Vec<ObjectRef>, field: Str },
    /// What a role allows was changed at the tracker, which does not tell what it allows now: what is configured for it
    /// may be out of date. `said`: which role, by whom and when, as far as it is known.
    RulesChanged { objects: Vec<ObjectRef>, said: String },
    /// Nothing changed, and the feed is alive.
    Heartbeat,
    /// The feed broke, and why. The stream ends after it.
    Lost(String),
}

/// What a tracker's log names as changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CatchUp {
    pub objects: Vec<ObjectRef>,
    /// Scopes of which something changed that the log does not name.
    pub reload: Option<Scope>,
    pub cursor: Option<Str>,
}

/// Why a source could not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The tracker does not let this source in. Retried, but someone has to mend it; the text says how.
    #[error("{0}")]
    Refused(String),
    /// The tracker cannot be reached, is too slow, or answers with an error of its own.
    #[error("{0}")]
    Unavailable(String),
    /// The tracker's answer as a whole cannot be understood.
    #[error("{0}")]
    Malformed(String),
}

// === impl Scope ===

impl Scope {
    /// The scope that holds both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if self == other { self } else { Self::All }
    }

    /// Whether the scope holds people, projects and the small tables.
    pub fn core(self) -> bool {
        matches!(self, Self::Core | Self::All)
    }

    /// Whether the scope holds tasks and entities.
    pub fn large(self) -> bool {
        matches!(self, Self::Large | Self::All)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Core => "people, projects and small tables",
            Self::Large => "tasks and entities",
            Self::All => "everything",
        })
    }
}
