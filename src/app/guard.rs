//! The guard, where the configuration enables it: over whichever tracker can be written to.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::authorizer::Authorizer;
use crate::config;
use crate::guard::{Guard, Options};
use crate::ledger::Ledger;
use crate::serve::guard_log::Kept;
use crate::tracker::seen::Seen;
use crate::tracker::writer::Writer;

/// A guard that has no tracker yet.
#[derive(Debug)]
pub(super) struct Watch {
    config: config::Guard,
    ledger: Arc<Ledger>,
}

// === impl Watch ===

impl Watch {
    pub(super) fn new(config: config::Guard, ledger: Arc<Ledger>) -> Self {
        Self { config, ledger }
    }

    /// What the server tells of it.
    pub(super) fn kept(&self) -> Kept {
        Kept { ledger: Arc::clone(&self.ledger), dry_run: self.config.dry_run }
    }

    /// Watches a tracker for ever.
    pub(super) async fn over(self, writer: impl Writer, authorizer: Arc<Authorizer>, seen: mpsc::Receiver<Seen>) {
        let options = Options { dry_run: self.config.dry_run, ..Options::default() };
        Guard::new(writer, authorizer, self.ledger, options).run(seen).await;
    }
}
