//! What the authorizer needs of the tracker's side.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use crate::model::id::ObjectRef;

/// Reads objects from the tracker on demand.
pub trait Reader: Send + Sync + Debug {
    /// Reads these objects now and applies what it finds; returns once that is applied.
    fn read(&self, objects: Vec<ObjectRef>) -> Pin<Box<dyn Future<Output = Result<(), ReadError>> + Send + '_>>;
}

/// The tracker did not answer, or not in a way that could be understood.
#[derive(Clone, Debug, thiserror::Error)]
#[error("could not read from the tracker: {0}")]
pub struct ReadError(pub String);
