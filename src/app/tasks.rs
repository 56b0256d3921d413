//! The one place where tasks are spawned: named, in a span, joined, and their end noticed.

use std::future::Future;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tracing::Instrument as _;

use super::RunError;

/// The tasks of one runtime. All of them are needed: one that ends before it was asked to ends the process.
#[derive(Debug)]
pub(super) struct Tasks {
    runtime: Handle,
    running: Mutex<Vec<JoinHandle<()>>>,
    ends: UnboundedSender<Ended>,
}

/// A task that ended, by itself or by a panic.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) name: &'static str,
    pub(super) outcome: Result<(), RunError>,
}

/// Tells of the end even where the task panics.
struct Telling {
    ends: UnboundedSender<Ended>,
    ended: Option<Ended>,
}

// === impl Tasks ===

impl Tasks {
    /// No tasks yet on `runtime`, and the ends of those that will be.
    pub(super) fn new(runtime: Handle) -> (Self, UnboundedReceiver<Ended>) {
        let (ends, receiver) = unbounded_channel();
        (Self { runtime, running: Mutex::default(), ends }, receiver)
    }

    /// Starts a task.
    pub(super) fn spawn(
        &self,
        name: &'static str,
        future: impl Future<Output = Result<(), RunError>> + Send + 'static,
    ) {
        let early = Ended { name, outcome: Err(RunError::Early(name)) };
        let mut telling = Telling { ends: self.ends.clone(), ended: Some(early) };
        let task = async move {
            let outcome = future.await;
            telling.ends_with(Ended { name, outcome });
        };
        let task = self.runtime.spawn(task.instrument(tracing::info_span!("task", name)));
        self.running.lock().push(task);
    }

    /// Ends all tasks and waits until they have.
    pub(super) async fn end(self) {
        let running = self.running.into_inner();
        for task in &running {
            task.abort();
        }
        for task in running {
            // A task that panicked has told so before.
            let _ = task.await;
        }
    }
}

impl Telling {
    fn ends_with(&mut self, ended: Ended) {
        self.ended = Some(ended);
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        if let Some(ended) = self.ended.take() {
            // Nobody listens any more when the process ends as it should.
            let _ = self.ends.send(ended);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_end_is_told() {
        let (tasks, mut ends) = Tasks::new(Handle::current());
        tasks.spawn("good", async { Ok(()) });
        tasks.spawn("bad", async { Err(RunError::Aborted) });
        tasks.spawn("panicking", async { panic!("on purpose") });
        tasks.spawn("endless", std::future::pending());
        let mut told = Vec::new();
        for _ in 0..3 {
            let ended = ends.recv().await.unwrap();
            told.push((ended.name, ended.outcome.map_err(|error| error.to_string())));
        }
        told.sort();
        assert_eq!(told[0].0, "bad");
        assert_eq!(told[1], ("good", Ok(())));
        assert_eq!(told[2].0, "panicking");
        assert!(told[2].1.as_ref().unwrap_err().starts_with("the task `panicking` ended"), "{told:?}");
        tasks.end().await;
        assert_eq!(ends.recv().await.map(|ended| ended.name), Some("endless"));
        assert!(ends.recv().await.is_none(), "nothing runs any more");
    }
}
