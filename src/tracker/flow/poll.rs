//! Listens to what changed.

use std::sync::Arc;
use std::time::SystemTime;

use futures_util::stream::BoxStream;

use super::Site;
use crate::tracker::{CatchUp, Signal, SourceError};

/// What is known of the log of events, however often the link breaks.
#[derive(Debug, Default)]
pub(super) struct Feed {}

/// Subscribes.
pub(super) async fn listen(_site: Arc<Site>) -> Result<BoxStream<'static, Signal>, SourceError> {
    Err(SourceError::Unavailable("not yet".into()))
}

/// What the log names as changed since then.
pub(super) async fn catch_up(_site: &Site, _since: SystemTime) -> Result<Option<CatchUp>, SourceError> {
    Ok(None)
}
