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

    /// Sets the object's status, in one request. `handle`: of the history that was read just before.
    ///
    /// # Errors
    /// [`SourceError::Refused`] where the tracker will not have it, however often it is asked.
    fn set_status(
        &self,
        object: &ObjectRef,
        handle: &Str,
        status: &Id,
    ) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Tells one person something about these objects. Best effort: whether it was seen is not known.
    ///
    /// # Errors
    /// Where it was not sent; what may have been sent is not to be sent again.
    fn notify(
        &self,
        person: &Id,
        message: &str,
        objects: &[ObjectRef],
    ) -> impl Future<Output = Result<Notified, SourceError>> + Send;

    /// Whether the move was made since then; `None` where that depends on the zone of the tracker's clock, which is not
    /// known.
    fn is_since(&self, moved: &Move, since: SystemTime) -> Option<bool>;

    /// Whether this move was made by our user: by us, or by somebody who shares it.
    fn is_us(&self, moved: &Move) -> bool;
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
    /// Moves by others than the newest that may just as well be the newest: the record leaves open which was.
    pub rivals: Vec<Move>,
    /// What the tracker needs to be told to write to the object.
    pub handle: Str,
}

/// How far a message got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notified {
    /// The tracker has taken it.
    Taken,
    /// It was sent, and the tracker has not answered.
    Sent,
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
