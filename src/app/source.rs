//! The tracker that the configuration names, whichever it is, driven by its supervisor.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use super::StartError;
use super::guard::Watch;
use crate::authorizer::Authorizer;
use crate::config::{self, Tracker};
use crate::engine::policy::Policy;
use crate::model::id::Str;
use crate::tracker::file::studio::{self, Vocabulary};
use crate::tracker::file::{DEMO, DEMO_NAME, File};
use crate::tracker::flow::{self, Flow};
use crate::tracker::ftrack::Ftrack;
use crate::tracker::ingest::guard::{Guard, Token};
use crate::tracker::ingest::stream::{Ending, Service, Words};
use crate::tracker::kitsu::Kitsu;
use crate::tracker::limecraft::{self, Limecraft};
use crate::tracker::seen::Seen;
use crate::tracker::supervise::{Options, Supervisor};
use crate::tracker::{self, SourceError};

/// Where the mirror comes from.
#[derive(Debug)]
pub(super) struct Source {
    tracker: Connector,
    reconcile: Duration,
}

#[derive(Debug)]
enum Connector {
    Kitsu(Box<Kitsu>),
    Ftrack(Ftrack),
    /// With what signs its webhooks, where they are taken.
    Flow {
        source: Flow,
        token: Option<Token>,
    },
    File(File),
    Limecraft {
        source: Limecraft,
        words: Words,
    },
}

/// The policy pack of the tracker; a studio file names its own.
pub(super) fn pack(tracker: &Tracker) -> Result<Str, StartError> {
    match tracker {
        Tracker::Kitsu(_) => Ok(Str::const_new("kitsu")),
        Tracker::Ftrack(_) => Ok(Str::const_new("ftrack")),
        Tracker::Flow(_) => Ok(Str::const_new("flow")),
        Tracker::Limecraft(_) => Ok(Str::const_new("limecraft")),
        Tracker::Demo => studio::pack(DEMO_NAME, DEMO).map_err(StartError::Studio),
        Tracker::File(path) => {
            let name = path.display().to_string();
            let text =
                std::fs::read_to_string(path).map_err(|error| StartError::Unreadable { path: name.clone(), error })?;
            studio::pack(&name, &text).map_err(StartError::Studio)
        }
    }
}

/// What the tracker is called in a snapshot of its mirror.
pub(super) fn identity(tracker: &Tracker, pack: &str) -> String {
    let file = |path: &PathBuf| std::path::absolute(path).unwrap_or(path.clone()).display().to_string();
    let place = match tracker {
        Tracker::Kitsu(kitsu) => kitsu.url.clone(),
        Tracker::Ftrack(ftrack) => ftrack.url.clone(),
        Tracker::Flow(flow) => flow.source.url.clone(),
        Tracker::File(path) => file(path),
        Tracker::Limecraft(limecraft) => limecraft.snapshot.as_ref().map_or("pushed".to_owned(), file),
        Tracker::Demo => DEMO_NAME.to_owned(),
    };
    format!("{pack} {place}")
}

// === impl Source ===

impl Source {
    /// Sets the connector up; nothing is asked of the tracker yet.
    pub(super) fn new(tracker: Tracker, reconcile: Duration, policy: &Policy) -> Result<Self, StartError> {
        let tracker = match tracker {
            Tracker::Kitsu(config) => {
                let kitsu = Kitsu::new(config).map_err(|error| StartError::Tracker(error.to_string()))?;
                Connector::Kitsu(Box::new(kitsu))
            }
            Tracker::Ftrack(config) => {
                Connector::Ftrack(Ftrack::new(config).map_err(|error| StartError::Tracker(error.to_string()))?)
            }
            Tracker::Flow(config::Flow { source, webhook }) => {
                let source = Flow::new(source, &Vocabulary::of(policy).schema);
                let source = source.map_err(|error| StartError::Tracker(error.to_string()))?;
                Connector::Flow { source, token: webhook.map(|webhook| webhook.token) }
            }
            Tracker::File(path) => Connector::File(File::at(path, Vocabulary::of(policy))),
            Tracker::Demo => Connector::File(File::demo(Vocabulary::of(policy))),
            Tracker::Limecraft(config::Limecraft { snapshot, push }) => {
                let Vocabulary { pack, schema, roles } = Vocabulary::of(policy);
                let source = Limecraft::new(snapshot, push.is_some(), Arc::clone(&schema));
                Connector::Limecraft { source, words: Words { pack, schema, roles } }
            }
        };
        Ok(Self { tracker, reconcile })
    }

    /// What is served at the address for pushes, where the tracker is one that is pushed or that calls.
    pub(super) fn door(&self, guard: Guard, ending: Ending) -> Option<Routes> {
        match &self.tracker {
            Connector::Limecraft { source, words } => {
                let ingest = Service::server(Arc::clone(source.feed()), guard.clone(), words.clone(), ending);
                Some(Routes::from(limecraft::push::router(source.clone(), guard)).add_service(ingest))
            }
            Connector::Flow { source, token: Some(token) } => {
                Some(Routes::from(flow::webhook::router(source.clone(), token.clone())))
            }
            Connector::Flow { token: None, .. } | Connector::Kitsu(_) | Connector::Ftrack(_) | Connector::File(_) => {
                None
            }
        }
    }

    /// The guard over this tracker, where it can be written to.
    pub(super) fn guard(
        &self,
        watch: Watch,
        authorizer: Arc<Authorizer>,
        seen: mpsc::Receiver<Seen>,
    ) -> Option<BoxFuture<'static, ()>> {
        match &self.tracker {
            Connector::Kitsu(kitsu) => Some(watch.over(kitsu.writer(), authorizer, seen).boxed()),
            Connector::Ftrack(ftrack) => Some(watch.over(ftrack.clone(), authorizer, seen).boxed()),
            Connector::Flow { .. } | Connector::File(_) | Connector::Limecraft { .. } => None,
        }
    }

    /// Loads the mirror from the tracker, once.
    pub(super) async fn load_once(self, authorizer: Arc<Authorizer>) -> Result<(), SourceError> {
        let options = Options::default();
        match self.tracker {
            Connector::Kitsu(kitsu) => Supervisor::new(*kitsu, authorizer, options).load_once().await,
            Connector::Ftrack(ftrack) => Supervisor::new(ftrack, authorizer, options).load_once().await,
            Connector::Flow { source, token: _ } => Supervisor::new(source, authorizer, options).load_once().await,
            Connector::File(file) => Supervisor::new(file, authorizer, options).load_once().await,
            Connector::Limecraft { source, words: _ } => Supervisor::new(source, authorizer, options).load_once().await,
        }
    }

    /// Keeps the mirror equal to the tracker, for ever; tells `seen` what is seen of it.
    pub(super) async fn run(self, authorizer: Arc<Authorizer>, seen: Option<mpsc::Sender<Seen>>) {
        let options = Options { reconcile: self.reconcile, ..Options::default() };
        // The task that this runs in is aborted when the process ends.
        let never = CancellationToken::new();
        match self.tracker {
            Connector::Kitsu(kitsu) => watched(*kitsu, authorizer, options, seen).run(never).await,
            Connector::Ftrack(ftrack) => watched(ftrack, authorizer, options, seen).run(never).await,
            Connector::Flow { source, token: _ } => Supervisor::new(source, authorizer, options).run(never).await,
            Connector::File(file) => Supervisor::new(file, authorizer, options).run(never).await,
            Connector::Limecraft { source, words: _ } => Supervisor::new(source, authorizer, options).run(never).await,
        }
    }
}

/// A supervisor that tells what it sees, if anybody wants to know.
fn watched<S: tracker::Source>(
    source: S,
    authorizer: Arc<Authorizer>,
    options: Options,
    seen: Option<mpsc::Sender<Seen>>,
) -> Supervisor<S> {
    let mut supervisor = Supervisor::new(source, authorizer, options);
    seen.into_iter().for_each(|seen| supervisor.tell(seen));
    supervisor
}
