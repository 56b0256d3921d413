//! The mirror loaded once and written to the disk: what `stagedoor snapshot` does.

use std::path::PathBuf;

use tokio::runtime::Builder;

use super::source::Source;
use super::{StartError, policy, source};
use crate::authorizer::{Authorizer, Clock};
use crate::config::Config;
use crate::snapshot::{Keeper, Problem, Written};
use crate::tracker::SourceError;

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum OnceError {
    #[error("`snapshot_dir:` is missing in the configuration: name the directory in which the snapshot is kept")]
    NoDirectory,
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("nothing was loaded from the tracker: {0}")]
    Load(#[from] SourceError),
    #[error("no snapshot is written: {0}")]
    Write(#[from] Problem),
}

/// Loads the mirror that the configuration describes, once, and writes its snapshot; returns where that is.
///
/// # Errors
/// Where the configuration cannot be used, the tracker not be loaded or the file not be written.
pub fn snapshot(config: Config) -> Result<(PathBuf, Written), OnceError> {
    let Config { authorizer: options, reconcile, snapshot_dir, policy, tracker, warnings, .. } = config;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let directory = snapshot_dir.ok_or(OnceError::NoDirectory)?;
    // A second install is refused and changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let pack = source::pack(&tracker)?;
    let (policy, _) = policy::load(&pack, policy)?;
    let keeper = Keeper::new(directory, source::identity(&tracker, &pack));
    keeper.prepare()?;
    let source = Source::new(tracker, reconcile, &policy)?;
    let authorizer = Authorizer::new(policy, options, Clock::system());
    let runtime = Builder::new_current_thread().enable_all().build().map_err(StartError::System)?;
    let loaded = runtime.block_on(source.load_once(std::sync::Arc::clone(&authorizer)));
    runtime.shutdown_background();
    loaded?;
    let written = keeper.write(&authorizer)?;
    Ok((keeper.file().to_owned(), written))
}
