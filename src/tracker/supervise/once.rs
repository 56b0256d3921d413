//! A load and nothing else: for whoever only writes down what it finds.

use super::large::Why;
use super::{Done, Scope, Source, SourceError, Supervisor, large, within};
use futures_util::StreamExt as _;

impl<S: Source> Supervisor<S> {
    /// Loads everything and ends. Nothing is retried.
    ///
    /// # Errors
    /// Where the tracker does not let itself be loaded.
    pub async fn load_once(mut self) -> Result<(), SourceError> {
        let version = within(self.options.patience, self.source.probe()).await?;
        self.authorizer.set_tracker_version(&version);
        self.want(Scope::All, Why::Gap);
        self.load();
        while !self.loaded || !self.doubts.is_empty() {
            tokio::select! {
                Some(done) = self.jobs.next() => match done {
                    Done::Loaded(Err(error)) | Done::Reread { found: Err(error), .. } => return Err(error),
                    done => self.finished(done),
                },
                Some(changes) = large::next_part(&mut self.loading) => self.part(changes),
            }
            self.clear_doubts();
        }
        Ok(())
    }
}
