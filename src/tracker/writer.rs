//! What the guard needs of a tracker: the truth about a status, putting one back, telling a person.

use std::future::Future;
use std::time::SystemTime;

use super::SourceError;
use crate::model::id::{Id, ObjectRef, Str};

/// A tracker that the guard may write to. Implementors may write the methods as `async fn`.
///
/// None of the methods retries for ever: the guard does, with backoff.
pub trait Writer: Send + Sync + 'static {
    /// The object's present status and how it came to it, read from the tracker now. `None`: there is no such object.
    fn history(&self, object: &ObjectRef) -> impl Future<Output = Result<Option<History>, SourceError>> + Send;

    /// The objects that were moved to one of these statuses since then.
    fn moved_since(
        &self,
        since: SystemTime,
        statuses: &[Id],
    ) -> impl Future<Output = Result<Vec<ObjectRef>, SourceError>> + Send;

    /// Sets the object's status, in a request of its own.
    ///
    /// # Errors
    /// [`SourceError::Refused`] where the tracker will not have it, however often it is asked.
    fn set_status(&self, object: &ObjectRef, status: &Id) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Tells one person something about these objects. Best effort: whether it was seen is not known.
    fn notify(
        &self,
        person: &Id,
        message: &str,
        objects: &[ObjectRef],
    ) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Whether the move may have been made since then: the tracker's clock is not ours, and may be in another zone.
    fn is_since(&self, moved: &Move, since: SystemTime) -> bool;

    /// Whether this move was made by us.
    fn is_own(&self, moved: &Move) -> bool;
}

/// An object's present status and the moves that led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The status that it has now; `None` where it has none.
    pub status: Option<Id>,
    /// What people call the object.
    pub name: Str,
    /// Newest first.
    pub moves: Vec<Move>,
}

/// One change of a status, as the tracker keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The tracker's id of the change itself.
    pub id: Id,
    /// Who made it; `None` where the tracker does not say, or names somebody who does not exist.
    pub by: Option<Id>,
    pub from: Option<Id>,
    pub to: Id,
    /// On the tracker's clock.
    pub at: SystemTime,
}
