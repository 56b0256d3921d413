//! The tracker that the configuration names, whichever it is.

use std::sync::Arc;
use std::time::Duration;

use super::StartError;
use crate::authorizer::{Authorizer, Feed};
use crate::config::Tracker;
use crate::engine::policy::Policy;

/// Stand-in until the trackers land.
#[derive(Debug)]
pub(super) struct Source;

pub(super) fn pack(_: &Tracker) -> Result<&'static str, StartError> {
    Ok("kitsu")
}

impl Source {
    pub(super) fn new(_: Tracker, _: Duration, _: &Policy) -> Result<Self, StartError> {
        Ok(Self)
    }

    pub(super) async fn run(self, authorizer: Arc<Authorizer>) {
        authorizer.known_equal(std::time::Instant::now());
        authorizer.feed(Feed::Live);
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            authorizer.heard(None);
        }
    }
}
