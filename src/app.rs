//! Wires the rooms together and runs them: what is bound, what is spawned, how it ends.
//!
//! ```text
//! check runtime (a thread per core)     background runtime (this thread)
//!   listeners, connections, checks        tracker, health, policy file, signals
//! ```
//!
//! Invariant: every port is bound before anything runs, so a bind error ends the start cleanly.

mod guard;
pub mod logs;
mod mirror;
pub mod once;
mod policy;
mod push;
pub mod shutdown;
mod source;
mod tasks;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::BoxStream;
use tokio::runtime::{Builder, Runtime};

use self::guard::Watch;
use self::policy::PolicyFile;
use self::push::PushDoor;
use self::source::Source;
use self::tasks::Tasks;
use crate::authorizer::{Authorizer, Clock};
use crate::config::Config;
use crate::ledger::Ledger;
use crate::serve::drain::Drain;
use crate::serve::health::{self, Reporter};
use crate::serve::listen::{Address, BindError, Listener};
use crate::serve::tls::{Material, TlsError};
use crate::serve::{ServeError, Services};
use crate::snapshot::Keeper;
use crate::tracker::seen;
use crate::yaml::Problems;

/// How long the last snapshot may take to be written.
const LAST_SNAPSHOT: Duration = Duration::from_secs(5);

/// How long calls may take to end once the process is told to.
const DRAIN: Duration = Duration::from_secs(10);

/// Everything bound and wired; nothing runs yet.
#[derive(Debug)]
pub struct Bound {
    /// Where it listens: with the ports that were given where 0 was asked for.
    pub addresses: Vec<Address>,
    /// Where pushes are taken, if anywhere.
    pub push_address: Option<Address>,
    check: Runtime,
    background: Runtime,
    listeners: Vec<Listener>,
    tls: Option<Material>,
    services: Services,
    reporter: Reporter,
    drain: Drain,
    authorizer: Arc<Authorizer>,
    source: Source,
    guard: Option<Watch>,
    policy: Option<PolicyFile>,
    push: Option<PushDoor>,
    keeper: Option<Arc<Keeper>>,
}

/// Why it cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the policy cannot be used:\n{0}")]
    Policy(Problems),
    #[error("the studio file cannot be used:\n{0}")]
    Studio(Problems),
    #[error("cannot read {path}: {error}")]
    Unreadable { path: String, error: std::io::Error },
    #[error("the tracker cannot be set up: {0}")]
    Tracker(String),
    #[error("the decision log cannot be written: {0}")]
    DecisionLog(std::io::Error),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("the system gives no threads or sockets: {0}")]
    System(#[from] std::io::Error),
}

/// Why it ended otherwise than it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("the task `{0}` ended, without which nothing works; this is a bug of stagedoor, please report it")]
    Early(&'static str),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("ended by a second signal before all calls were answered")]
    Aborted,
}

/// Reads what the configuration names, binds every address, wires the rooms.
///
/// # Errors
/// Where the policy, the tracker, a certificate or an address cannot be had.
pub fn build(config: Config) -> Result<Bound, StartError> {
    let Config { serve, authorizer: options, reconcile, snapshot_dir, policy, tracker, guard, decision_log, warnings } =
        config;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    // Connectors and listeners agree on one TLS; a second install is refused and changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let pack = source::pack(&tracker)?;
    let (policy, policy_file) = policy::load(&pack, policy)?;
    let push = push::config(&tracker);
    let keeper = snapshot_dir.map(|directory| Arc::new(Keeper::new(directory, source::identity(&tracker, &pack))));
    let source = Source::new(tracker, reconcile, &policy)?;
    let tls = serve.tls.as_ref().map(crate::serve::tls::Config::read).transpose()?;

    let drain = Drain::new(DRAIN);
    let check = Builder::new_multi_thread().thread_name("stagedoor-check").enable_all().build()?;
    let background = Builder::new_current_thread().enable_all().build()?;
    let entered = check.enter();
    let listeners = serve.listen.iter().map(Listener::bind).collect::<Result<Vec<_>, _>>()?;
    let addresses = listeners.iter().map(Listener::address).collect::<Result<_, _>>()?;
    let push = push.map(|config| PushDoor::bind(config, &source, &drain)).transpose()?.flatten();
    let push_address = push.as_ref().map(PushDoor::address).transpose()?;
    drop(entered);

    let authorizer = Authorizer::new(policy, options, Clock::system());
    if let Some(keeper) = &keeper {
        keeper.restore(&authorizer);
    }
    let (reporter, health) = health::health();
    let ledger = Arc::new(Ledger::open(decision_log).map_err(StartError::DecisionLog)?);
    let guard = guard.map(|config| Watch::new(config, ledger));
    let kept = guard.as_ref().map(Watch::kept);
    let services = Services::new(Arc::clone(&authorizer), kept, health, drain.clone());
    let policy = policy_file;
    Ok(Bound {
        addresses,
        push_address,
        check,
        background,
        listeners,
        tls,
        services,
        reporter,
        drain,
        authorizer,
        source,
        guard,
        policy,
        push,
        keeper,
    })
}

// === impl Bound ===

impl Bound {
    /// Runs until `stops` asks to end: at first gently, a second time at once. Blocks.
    ///
    /// # Errors
    /// Where it ended otherwise than asked.
    pub fn run(self, stops: BoxStream<'static, &'static str>) -> Result<(), RunError> {
        let Self {
            addresses,
            push_address,
            check,
            background,
            listeners,
            tls,
            services,
            reporter,
            drain,
            authorizer,
            source,
            guard,
            policy,
            push,
            keeper,
        } = self;
        let (servers, server_ends) = Tasks::new(check.handle().clone());
        let (workers, worker_ends) = Tasks::new(background.handle().clone());
        for listener in listeners {
            let (services, tls) = (services.clone(), tls.clone());
            servers.spawn("serve", async move { services.serve(listener, tls).await.map_err(RunError::from) });
        }
        drop(services);
        let listening = addresses.len() + usize::from(push.is_some());
        if let Some(door) = push {
            servers.spawn("push", door.serve(drain.clone()));
        }
        if let Some(address) = push_address {
            tracing::info!(%address, "pushes are taken");
        }
        for address in &addresses {
            tracing::info!(%address, "listening");
        }
        let reporter = Arc::new(reporter);
        workers.spawn("mirror", endless(mirror::follow(Arc::clone(&authorizer), Arc::clone(&reporter))));
        let mut seen = None;
        if let Some(watch) = guard {
            let (sender, receiver) = seen::channel();
            if let Some(watching) = source.guard(watch, Arc::clone(&authorizer), receiver) {
                seen = Some(sender);
                workers.spawn("guard", endless(watching));
            }
        }
        workers.spawn("tracker", endless(source.run(Arc::clone(&authorizer), seen)));
        if let Some(file) = policy {
            workers.spawn("policy", endless(file.follow(Arc::clone(&authorizer))));
        }
        if let Some(keeper) = &keeper {
            workers.spawn("snapshot", endless(Arc::clone(keeper).follow(Arc::clone(&authorizer))));
        }
        let end = shutdown::supervise(stops, server_ends, worker_ends, listening, &drain, &reporter);
        let outcome = background.block_on(end);
        background.block_on(workers.end());
        if let (Some(keeper), Ok(())) = (keeper, &outcome) {
            // A disk that hangs does not keep the process.
            let (sender, done) = std::sync::mpsc::channel();
            std::thread::spawn(move || {
                keeper.finish(&authorizer);
                let _nobody_waits = sender.send(());
            });
            let _hangs = done.recv_timeout(LAST_SNAPSHOT);
        }
        // Connections that the drain did not end are cut here.
        check.shutdown_timeout(Duration::from_millis(100));
        background.shutdown_background();
        outcome
    }
}

async fn endless(task: impl Future<Output = ()>) -> Result<(), RunError> {
    task.await;
    Ok(())
}
