//! Connects to the event hub: greeting, websocket, subscription; and the way to publish over the same connection.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::BoxStream;
use futures_util::{SinkExt, StreamExt};
use parking_lot::Mutex;
use reqwest::Url;
use serde_json::{Value as Json, json};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::Shared;
use super::client::Client;
use super::listen::{self, Listener};
use super::packet::{self, Packet};
use crate::tracker::writer::Notified;
use crate::tracker::{Signal, SourceError};

/// How often things happen on the connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// How long connecting and each step of the handshake may take.
    pub(super) step: Duration,
    /// Nothing heard from the hub itself for this long: the link is dead. It sends heartbeats more often.
    pub(super) silence: Duration,
    /// How often we ping of our own.
    pub(super) ping: Duration,
    /// How long a server that has answered pings may be silent altogether.
    pub(super) pong: Duration,
    /// When what was hinted is looked at once more.
    pub(super) look: Duration,
}

/// How many events may wait to be published.
const WAITING: usize = 64;
/// The number of the packet that subscribes.
const SUBSCRIBE: u64 = 1;

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// An event to publish, and whom to tell what the hub answered.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) event: Json,
    pub(super) told: oneshot::Sender<Result<(), String>>,
}

/// The way to the live connection, while there is one.
#[derive(Debug, Default)]
pub(super) struct Outbox(Mutex<Option<mpsc::Sender<Outgoing>>>);

impl Default for Pace {
    fn default() -> Self {
        Self {
            step: Duration::from_secs(10),
            silence: Duration::from_secs(35),
            ping: Duration::from_secs(5),
            pong: Duration::from_secs(15),
            look: Duration::from_millis(1500),
        }
    }
}

/// Connects, subscribes and returns what is heard.
pub(super) async fn listen(shared: Arc<Shared>, pace: Pace) -> Result<BoxStream<'static, Signal>, SourceError> {
    let greeting = timeout(pace.step, shared.client.greet()).await.map_err(|_| late("to greet", pace))?;
    let session = session(&greeting?)?;
    let address = address(&shared.client, &session)?;
    let config =
        WebSocketConfig::default().max_message_size(Some(packet::MOST_BYTES)).max_frame_size(Some(packet::MOST_BYTES));
    let connecting = timeout(pace.step, connect_async_with_config(address.as_str(), Some(config), true));
    let (mut socket, _) =
        connecting.await.map_err(|_| late("to connect", pace))?.map_err(|error| connecting_failed(&error))?;

    let until = Instant::now() + pace.step;
    while hear(&mut socket, until, pace).await? != Packet::Connected {}
    let hub = Hub::new(&shared.client);
    let subscribing = timeout(pace.step, socket.send(Message::text(packet::send(SUBSCRIBE, &hub.subscription()))));
    subscribing.await.map_err(|_| late("to take a message", pace))?.map_err(|error| broke(&error))?;
    let until = Instant::now() + pace.step;
    let answer = loop {
        if let Packet::Ack { number: SUBSCRIBE, answer } = hear(&mut socket, until, pace).await? {
            break answer;
        }
    };
    if let Some(why) = refused(&answer) {
        return Err(SourceError::Refused(format!("ftrack does not let the API key listen to events: {why}")));
    }
    let (sender, outgoing) = mpsc::channel(WAITING);
    *shared.outbox.0.lock() = Some(sender);
    Ok(listen::stream(Listener::new(socket, shared, outgoing, pace, SUBSCRIBE)))
}

/// Why the hub refused what we sent, if it did.
pub(super) fn refused(answer: &Json) -> Option<String> {
    let failed = answer.get("success").and_then(Json::as_bool) == Some(false) || answer.get("exception").is_some();
    let said = || answer.get("message").or_else(|| answer.get("content")).and_then(Json::as_str);
    failed.then(|| said().unwrap_or("no reason given").chars().take(200).collect())
}

// === impl Outbox ===

impl Outbox {
    /// Publishes an event over the live connection.
    ///
    /// # Errors
    /// Where it was not sent, or the hub refused it.
    pub(super) async fn publish(&self, event: Json, patience: Duration) -> Result<Notified, SourceError> {
        let unavailable = |why: &str| SourceError::Unavailable(why.to_owned());
        let gone = || unavailable("the event hub is not connected");
        let sender = self.0.lock().clone().ok_or_else(gone)?;
        let (told, answer) = oneshot::channel();
        sender.try_send(Outgoing { event, told }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => unavailable("more messages wait for the event hub than it takes"),
            mpsc::error::TrySendError::Closed(_) => gone(),
        })?;
        match timeout(patience, answer).await {
            // From here on it may have been sent.
            Err(_) | Ok(Err(_)) => Ok(Notified::Sent),
            Ok(Ok(Ok(()))) => Ok(Notified::Taken),
            Ok(Ok(Err(why))) => Err(SourceError::Refused(format!("the event hub: {why}"))),
        }
    }
}

/// Who we are on the hub.
#[derive(Debug)]
pub(super) struct Hub {
    id: String,
    user: String,
    token: String,
}

// === impl Hub ===

impl Hub {
    pub(super) fn new(client: &Client) -> Self {
        Self { id: unique(), user: client.user().to_owned(), token: client.token().to_owned() }
    }

    /// An event of ours.
    pub(super) fn event(&self, topic: &str, target: &str, data: &Json) -> Json {
        let Self { id, user, token } = self;
        json!({
            "topic": topic,
            "id": unique(),
            "data": data,
            "target": target,
            "inReplyToEvent": null,
            "sent": null,
            "source": {"id": id, "applicationId": "stagedoor", "user": {"username": user}, "clientToken": token},
        })
    }

    /// Filters are applied here: what the server makes of finer expressions is not known.
    fn subscription(&self) -> Json {
        let subscriber = json!({"id": self.id, "applicationId": "stagedoor"});
        let data = json!({"subscriber": subscriber, "subscription": "topic=ftrack.update"});
        self.event("ftrack.meta.subscribe", "", &data)
    }
}

fn unique() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// The session's id in the hub's greeting: `id:heartbeat timeout:close timeout:transports`.
fn session(greeting: &str) -> Result<String, SourceError> {
    let strange = |what: &str| SourceError::Malformed(format!("the event hub's greeting {what}"));
    let mut parts = greeting.trim().split(':');
    let id = parts.next().unwrap_or_default();
    let sane = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !(1..=128).contains(&id.len()) || !id.bytes().all(sane) {
        return Err(strange("has no session id"));
    }
    match parts.nth(2) {
        Some(transports) if transports.split(',').any(|transport| transport.trim() == "websocket") => Ok(id.to_owned()),
        _ => Err(strange("offers no websocket")),
    }
}

fn address(client: &Client, session: &str) -> Result<Url, SourceError> {
    let mut url = client.address(&format!("socket.io/1/websocket/{session}"));
    let scheme = if url.scheme() == "http" { "ws" } else { "wss" };
    url.set_scheme(scheme).map_err(|()| SourceError::Refused("tracker.ftrack.url has no host".into()))?;
    Ok(url)
}

/// The next packet while connecting. Heartbeats are answered; what cannot be read is passed over.
async fn hear(socket: &mut Socket, until: Instant, pace: Pace) -> Result<Packet, SourceError> {
    loop {
        match timeout_at(until, socket.next()).await.map_err(|_| late("to answer", pace))? {
            Some(Ok(Message::Text(text))) => match packet::parse(&text) {
                Ok(Packet::Heartbeat) => {
                    socket.send(Message::text(packet::HEARTBEAT)).await.map_err(|error| broke(&error))?;
                }
                Ok(Packet::Disconnected) => return Err(closed()),
                Ok(Packet::Error(why)) => {
                    return Err(SourceError::Unavailable(format!("the event hub refuses the connection: {why}")));
                }
                Ok(packet) => return Ok(packet),
                Err(problem) => tracing::debug!(%problem, "passed over while connecting"),
            },
            Some(Ok(Message::Close(_))) | None => return Err(closed()),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(broke(&error)),
        }
    }
}

fn closed() -> SourceError {
    SourceError::Unavailable("the event hub closed the connection while connecting".into())
}

fn late(what: &str, pace: Pace) -> SourceError {
    SourceError::Unavailable(format!("the event hub takes longer than {} s {what}", pace.step.as_secs_f32()))
}

fn broke(error: &Error) -> SourceError {
    SourceError::Unavailable(format!("the event hub broke off while connecting: {error}"))
}

fn connecting_failed(error: &Error) -> SourceError {
    match error {
        Error::Http(answer) => SourceError::Unavailable(format!(
            "the event hub answered {} to the request to connect; websockets must reach tracker.ftrack.url",
            answer.status().as_u16()
        )),
        error => SourceError::Unavailable(format!("the event hub cannot be reached: {error}")),
    }
}

#[cfg(test)]
mod tests;
