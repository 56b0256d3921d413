//! The end: a signal, a drain with a deadline, then by force.
//!
//! ```text
//! signal ─► health NOT_SERVING ─► listeners closed, calls answered ─► out
//!                                      └─ deadline ─► cut      └─ second signal ─► out at once
//! ```

use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;

use super::RunError;
use super::tasks::Ended;
use crate::serve::drain::Drain;
use crate::serve::health::Reporter;

/// The signals that ask to end, as they come. Without signal handlers (`None` from the system) it never ends.
pub fn signals() -> BoxStream<'static, &'static str> {
    let asked = stream::once(async {
        let term = signal(SignalKind::terminate());
        let interrupt = signal(SignalKind::interrupt());
        if let Err(error) = term.as_ref().and(interrupt.as_ref()) {
            tracing::error!(%error, "signals cannot be listened to; end the process by force");
        }
        stream::unfold((term.ok(), interrupt.ok()), async |(mut term, mut interrupt)| {
            let (Some(terms), Some(interrupts)) = (&mut term, &mut interrupt) else {
                return std::future::pending().await;
            };
            let name = tokio::select! {
                _ = terms.recv() => "SIGTERM",
                _ = interrupts.recv() => "SIGINT",
            };
            Some((name, (term, interrupt)))
        })
    });
    asked.flatten().boxed()
}

/// Waits for the end, and carries it out.
pub(super) async fn supervise(
    mut stops: BoxStream<'static, &'static str>,
    mut servers: UnboundedReceiver<Ended>,
    mut workers: UnboundedReceiver<Ended>,
    listeners: usize,
    drain: &Drain,
    reporter: &Reporter,
) -> Result<(), RunError> {
    let mut open = listeners;
    let outcome = tokio::select! {
        Some(signal) = stops.next() => {
            tracing::info!(signal, "ending: no new connections, accepted calls are answered");
            Ok(())
        }
        Some(ended) = servers.recv() => {
            open -= 1;
            early(ended)
        }
        Some(ended) = workers.recv() => early(ended),
    };
    let began = Instant::now();
    reporter.end();
    drain.begin();
    let answered = async {
        while open > 0 && servers.recv().await.is_some() {
            open -= 1;
        }
    };
    tokio::select! {
        () = answered => {
            tracing::info!(took_ms = began.elapsed().as_millis(), "all accepted calls are answered");
        }
        () = tokio::time::sleep(drain.deadline()) => {
            tracing::warn!("calls were cut: they took longer than {} s to end", drain.deadline().as_secs());
        }
        Some(signal) = stops.next() => {
            tracing::warn!(signal, "ending at once");
            return outcome.and(Err(RunError::Aborted));
        }
    }
    outcome
}

/// A task that ends although nothing asked it to.
fn early(ended: Ended) -> Result<(), RunError> {
    let Ended { name, outcome } = ended;
    tracing::error!(task = name, "a task ended that must not");
    outcome.and(Err(RunError::Early(name)))
}
