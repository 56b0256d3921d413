//! Listens to the event hub, whatever it sends: nothing but the end of the link ends it.

use std::sync::Arc;

use futures_util::stream::{self, BoxStream};
use futures_util::{SinkExt, StreamExt};
use rustc_hash::FxHashMap;
use serde_json::Value as Json;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout, timeout_at};
use tokio_tungstenite::tungstenite::Message;

use super::Shared;
use super::hints::{Hints, hints};
use super::hub::{self, Outgoing, Pace, Socket};
use super::packet::{self, Packet};
use crate::model::id::{ObjectRef, Str};
use crate::tracker::{Scope, Signal};

/// How many messages of ours may wait for an answer.
const UNANSWERED: usize = 256;
/// How many unknown types are told of.
const MOST_TOLD: usize = 100;

/// A connection that is subscribed.
pub(super) struct Listener {
    socket: Socket,
    shared: Arc<Shared>,
    outgoing: mpsc::Receiver<Outgoing>,
    pace: Pace,
    ping: Interval,
    /// The last sign of the hub itself, and of anybody at the other end.
    alive: Instant,
    heard: Instant,
    /// The server answers pings.
    ponged: bool,
    number: u64,
    unanswered: FxHashMap<u64, (Instant, oneshot::Sender<Result<(), String>>)>,
    strange: Strange,
}

/// What came that is not understood.
#[derive(Debug, Default)]
struct Strange {
    frames: u64,
    entities: u64,
    telling: u64,
    told: FxHashMap<Str, u64>,
}

/// What the connector hears until the link ends.
pub(super) fn stream(listener: Listener) -> BoxStream<'static, Signal> {
    stream::unfold(Some(listener), |state| async move {
        let mut listener = state?;
        match listener.next().await {
            Ok(signal) => Some((signal, Some(listener))),
            Err(why) => Some((Signal::Lost(why), None)),
        }
    })
    .boxed()
}

// === impl Listener ===

impl Listener {
    pub(super) fn new(
        socket: Socket,
        shared: Arc<Shared>,
        outgoing: mpsc::Receiver<Outgoing>,
        pace: Pace,
        number: u64,
    ) -> Self {
        let now = Instant::now();
        let mut ping = interval_at(now + pace.ping, pace.ping);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            socket,
            shared,
            outgoing,
            pace,
            ping,
            alive: now,
            heard: now,
            ponged: false,
            number,
            unanswered: FxHashMap::default(),
            strange: Strange::default(),
        }
    }

    /// The next signal; or why there will be none.
    async fn next(&mut self) -> Result<Signal, String> {
        loop {
            let patience = if self.ponged { self.heard + self.pace.pong } else { self.alive + self.pace.silence };
            let frame = tokio::select! {
                frame = timeout_at(patience.min(self.alive + self.pace.silence), self.socket.next()) => frame,
                signal = self.shared.looks.due(self.pace.look) => return Ok(signal),
                Some(outgoing) = self.outgoing.recv() => {
                    self.publish(outgoing).await?;
                    continue;
                }
                _ = self.ping.tick() => {
                    self.send(Message::Ping(Vec::new().into())).await?;
                    let (now, patience) = (Instant::now(), self.pace.step);
                    self.unanswered.retain(|_, (sent, told)| *sent + patience > now && !told.is_closed());
                    continue;
                }
            };
            let frame = frame.map_err(|_| format!("silent for {} s", self.alive.elapsed().as_secs_f32()))?;
            self.heard = Instant::now();
            match frame {
                None | Some(Ok(Message::Close(_))) => return Err("closed by the server".into()),
                Some(Err(error)) => return Err(error.to_string()),
                // It proves the server, not the hub behind it.
                Some(Ok(Message::Pong(_))) => self.ponged = true,
                Some(Ok(Message::Text(text))) => {
                    if let Some(signal) = self.hear(&text).await? {
                        self.alive = Instant::now();
                        return Ok(signal);
                    }
                }
                Some(Ok(Message::Binary(_))) => return Ok(self.unreadable("a binary frame")),
                Some(Ok(_)) => {}
            }
        }
    }

    async fn hear(&mut self, text: &str) -> Result<Option<Signal>, String> {
        match packet::parse(text) {
            Ok(Packet::Heartbeat) => {
                self.send(Message::text(packet::HEARTBEAT)).await?;
                Ok(Some(Signal::Heartbeat))
            }
            Ok(Packet::Events(events)) => Ok(Some(self.events(&events))),
            Ok(Packet::Ack { number, answer }) => {
                if let Some((_, told)) = self.unanswered.remove(&number) {
                    let _nobody_waits = told.send(hub::refused(&answer).map_or(Ok(()), Err));
                }
                Ok(Some(Signal::Heartbeat))
            }
            Ok(Packet::Connected) => Ok(Some(Signal::Heartbeat)),
            Ok(Packet::Disconnected) => Err("closed by the event hub".into()),
            Ok(Packet::Error(why)) => Err(format!("put out by the event hub: {why}")),
            Ok(Packet::Other) => {
                self.strange.frames += 1;
                tracing::debug!(frames = self.strange.frames, "a packet of no interest");
                Ok(None)
            }
            Err(problem) => Ok(Some(self.unreadable(&problem.to_string()))),
        }
    }

    /// What cannot be read may have been an event: what it named is not known.
    fn unreadable(&mut self, problem: &str) -> Signal {
        self.strange.frames += 1;
        tracing::debug!(problem, frames = self.strange.frames, "a frame that cannot be read: everything is loaded");
        self.shared.looks.add_load(Scope::All);
        Signal::Reload { scope: Scope::All, objects: Vec::new() }
    }

    fn events(&mut self, events: &[Json]) -> Signal {
        let Hints { mut objects, reload, projects, telling, unknown, .. } =
            events.iter().map(hints).reduce(Hints::and).unwrap_or_default();
        for kind in telling {
            self.strange.tell(kind);
        }
        if unknown > 0 {
            self.strange.entities += u64::try_from(unknown).unwrap_or(u64::MAX);
            tracing::debug!(entities = self.strange.entities, "changes of types that nothing depends on");
        }
        let unseen = self.shared.sight.named(projects);
        objects.extend(unseen.into_iter().map(|id| ObjectRef { kind: Str::const_new("project"), id }));
        self.shared.looks.add(&objects);
        if let Some(scope) = reload {
            self.shared.looks.add_load(scope);
        }
        match reload {
            Some(scope) => Signal::Reload { scope, objects },
            None if objects.is_empty() => Signal::Heartbeat,
            None => Signal::Changed { objects, cursor: None },
        }
    }

    async fn publish(&mut self, Outgoing { event, told }: Outgoing) -> Result<(), String> {
        if self.unanswered.len() >= UNANSWERED {
            let _nobody_waits = told.send(Err("too many messages wait for an answer".into()));
            return Ok(());
        }
        self.number += 1;
        let sent = self.send(Message::text(packet::send(self.number, &event))).await;
        self.unanswered.insert(self.number, (Instant::now(), told));
        sent
    }

    async fn send(&mut self, message: Message) -> Result<(), String> {
        match timeout(self.pace.step, self.socket.send(message)).await {
            Ok(sent) => sent.map_err(|error| error.to_string()),
            Err(_) => Err("the server takes no more messages".into()),
        }
    }
}

impl Strange {
    fn tell(&mut self, kind: Str) {
        self.telling += 1;
        if self.told.len() >= MOST_TOLD && !self.told.contains_key(&kind) {
            return;
        }
        let times = self.told.entry(kind.clone()).or_default();
        *times += 1;
        if *times == 1 {
            tracing::warn!(
                kind = kind.as_str(),
                "changes of an unknown type that may be about permissions: all people and roles are re-read"
            );
        }
        tracing::debug!(
            kind = kind.as_str(),
            times,
            all = self.telling,
            "an unknown type that may be about permissions"
        );
    }
}
