//! Where a load hands over what it has read of a large table before it is done, so that no second copy is held.

use tokio::sync::mpsc;

use super::SourceError;
use crate::model::change::Change;

/// How many parts may wait to be applied.
const WAITING: usize = 2;

/// The way from a load to the mirror.
#[derive(Clone, Debug)]
pub struct Parts(mpsc::Sender<Vec<Change>>);

impl Parts {
    /// The two ends.
    pub fn channel() -> (Self, mpsc::Receiver<Vec<Change>>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(sender), receiver)
    }

    /// Hands over some objects of tables that the snapshot of this load will say are complete, none of them twice; waits
    /// while others are being applied. They are applied at once, whatever becomes of the load.
    ///
    /// # Errors
    /// Where nobody waits for the load any more.
    pub async fn hand_over(&self, changes: Vec<Change>) -> Result<(), SourceError> {
        let gone = |_| SourceError::Unavailable("the load was given up".into());
        self.0.send(changes).await.map_err(gone)
    }
}
