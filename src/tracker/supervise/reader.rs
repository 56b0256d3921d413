//! Lets the authorizer have objects read for a decision: through the one writer, so that order is kept.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::queue::Waiter;
use crate::authorizer::{ReadError, Reader};
use crate::model::id::ObjectRef;

/// How many objects may wait to be taken up by the supervisor.
const MOST: usize = 4096;
const PATIENCE: Duration = Duration::from_secs(10);

/// An object that a decision waits for.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) object: ObjectRef,
    pub(super) waiter: Waiter,
}

/// Asks the supervisor.
#[derive(Debug)]
pub(super) struct Asks {
    sender: mpsc::Sender<Request>,
}

/// The two ends.
pub(super) fn channel() -> (Asks, mpsc::Receiver<Request>) {
    let (sender, receiver) = mpsc::channel(MOST);
    (Asks { sender }, receiver)
}

impl Reader for Asks {
    fn read(&self, objects: Vec<ObjectRef>) -> Pin<Box<dyn Future<Output = Result<(), ReadError>> + Send + '_>> {
        Box::pin(async move {
            let waits = objects.into_iter().map(|object| async move {
                let (waiter, wait) = oneshot::channel();
                let stopped = || "the connector has stopped".to_owned();
                self.sender.send(Request { object, waiter }).await.map_err(|_| stopped())?;
                wait.await.map_err(|_| stopped())?
            });
            // One that cannot be read keeps nobody from waiting for the others.
            match timeout(PATIENCE, join_all(waits)).await {
                Ok(read) => read.into_iter().collect::<Result<(), String>>().map_err(ReadError),
                Err(_) => Err(ReadError(format!("the tracker took longer than {} s", PATIENCE.as_secs()))),
            }
        })
    }
}
