//! Listens to zou's event stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::stream::{self, BoxStream};
use futures_util::{SinkExt, StreamExt};
use http::HeaderValue;
use http::header::AUTHORIZATION;
use reqwest::Url;
use rustc_hash::FxHashMap;
use tokio::net::TcpStream;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::hints::hints;
use super::socket::{self, Packet};
use super::table::Table;
use crate::model::id::ObjectRef;
use crate::tracker::{Signal, SourceError};

/// How long connecting and each step of the handshake may take.
const STEP: Duration = Duration::from_secs(5);
/// How often we ping of our own, so that a quiet feed is known to live more often than zou's 25 s tell.
const PING_EVERY: Duration = Duration::from_secs(5);

/// zou remembers the roles in a team for two minutes. A read that races a change can leave the old roles in its memory,
/// and the re-read that the change causes then sees them: so a project is looked at once more when that time is over.
const SECOND_LOOK: Duration = Duration::from_secs(125);
/// Beyond so many projects the reconcile has to do.
const MOST_LOOKS: usize = 10_000;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A connection that is in the namespace.
struct Listener {
    socket: Socket,
    /// Nothing at all heard for this long: the link is dead.
    silence: Duration,
    heard: Instant,
    ping: Interval,
    types_changed: Arc<AtomicBool>,
    /// Projects that changed, and when they are looked at once more.
    looks: FxHashMap<ObjectRef, Instant>,
}

/// Connects, enters the namespace and returns what is heard there. `types_changed` is set when entity types change.
pub(super) async fn listen(
    site: &Url,
    token: &str,
    types_changed: Arc<AtomicBool>,
) -> Result<BoxStream<'static, Signal>, SourceError> {
    let mut request = address(site)?.as_str().into_client_request().map_err(|error| {
        SourceError::Refused(format!("tracker.kitsu.events_url `{site}` cannot be connected to: {error}"))
    })?;
    let bearer = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| SourceError::Refused("the Kitsu token has characters that no token has".into()))?;
    request.headers_mut().insert(AUTHORIZATION, bearer);
    let config =
        WebSocketConfig::default().max_message_size(Some(socket::MOST_BYTES)).max_frame_size(Some(socket::MOST_BYTES));
    let connecting = timeout(STEP, connect_async_with_config(request, Some(config), true));
    let (mut socket, _) =
        connecting.await.map_err(|_| late("to connect"))?.map_err(|error| connecting_failed(&error))?;

    let silence = match handshake(&mut socket).await? {
        Packet::Open { interval, timeout } => interval + timeout,
        _ => return Err(SourceError::Malformed("the event stream does not open as Engine.IO 4 does".into())),
    };
    let entering = timeout(STEP, socket.send(Message::text(socket::ENTER)));
    entering.await.map_err(|_| late("to take a message"))?.map_err(|error| broke(&error))?;
    loop {
        match handshake(&mut socket).await? {
            Packet::Entered => break,
            Packet::Refused(why) => {
                return Err(SourceError::Refused(format!("zou does not let the token listen to events: {why}")));
            }
            Packet::Close => return Err(SourceError::Unavailable("the event stream closed while connecting".into())),
            _ => {}
        }
    }
    let mut ping = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let listener =
        Listener { socket, silence, heard: Instant::now(), ping, types_changed, looks: FxHashMap::default() };
    Ok(stream::unfold(Some(listener), |state| async move {
        let mut listener = state?;
        match listener.next().await {
            Ok(signal) => Some((signal, Some(listener))),
            Err(why) => Some((Signal::Lost(why), None)),
        }
    })
    .boxed())
}

// === impl Listener ===

impl Listener {
    /// The next signal; or why there will be none.
    async fn next(&mut self) -> Result<Signal, String> {
        loop {
            let frame = tokio::select! {
                frame = timeout_at(self.heard + self.silence, self.socket.next()) => frame,
                _ = self.ping.tick() => {
                    self.send(Message::Ping(Vec::new().into())).await?;
                    match self.second_look() {
                        objects if objects.is_empty() => continue,
                        objects => return Ok(Signal::Changed { objects, cursor: None }),
                    }
                }
            };
            let frame = frame.map_err(|_| format!("silent for {} s", self.silence.as_secs_f32()))?;
            self.heard = Instant::now();
            match frame {
                None | Some(Ok(Message::Close(_))) => return Err("closed by the server".into()),
                Some(Err(error)) => return Err(error.to_string()),
                Some(Ok(Message::Pong(_))) => return Ok(Signal::Heartbeat),
                Some(Ok(Message::Text(text))) => {
                    if let Some(signal) = self.hear(&text).await? {
                        return Ok(signal);
                    }
                }
                Some(Ok(_)) => {}
            }
        }
    }

    async fn hear(&mut self, text: &str) -> Result<Option<Signal>, String> {
        match socket::parse(text) {
            Ok(Packet::Ping) => {
                self.send(Message::text(socket::PONG)).await?;
                Ok(Some(Signal::Heartbeat))
            }
            Ok(Packet::Close) => Err("closed by the server".into()),
            Ok(Packet::Refused(why)) => Err(format!("put out by the server: {why}")),
            Ok(Packet::Event { name, data }) => {
                let found = hints(&name, &data);
                if found.types {
                    self.types_changed.store(true, Ordering::Relaxed);
                }
                for object in found.objects.iter().filter(|object| object.kind == Table::Project.kind()) {
                    if self.looks.len() < MOST_LOOKS {
                        self.looks.insert(object.clone(), Instant::now() + SECOND_LOOK);
                    }
                }
                Ok(Some(match found.reload {
                    Some(scope) => Signal::Reload { scope, objects: found.objects },
                    None if found.objects.is_empty() => Signal::Heartbeat,
                    None => Signal::Changed { objects: found.objects, cursor: None },
                }))
            }
            Ok(Packet::Open { .. } | Packet::Entered | Packet::Other) => Ok(None),
            // A frame that cannot be read may have been an event: what it named is not known.
            Err(problem) => Err(problem.to_string()),
        }
    }

    fn second_look(&mut self) -> Vec<ObjectRef> {
        let now = Instant::now();
        let due: Vec<_> = self.looks.iter().filter(|(_, at)| **at <= now).map(|(object, _)| object.clone()).collect();
        for object in &due {
            self.looks.remove(object);
        }
        due
    }

    async fn send(&mut self, message: Message) -> Result<(), String> {
        match timeout(STEP, self.socket.send(message)).await {
            Ok(sent) => sent.map_err(|error| error.to_string()),
            Err(_) => Err("the server takes no more messages".into()),
        }
    }
}

/// Where the socket is: under the site's root, not under the API's.
fn address(site: &Url) -> Result<Url, SourceError> {
    let mut url = site.clone();
    let scheme = match site.scheme() {
        "http" => "ws",
        "https" => "wss",
        other => {
            return Err(SourceError::Refused(format!(
                "tracker.kitsu.events_url begins with `{other}:`; it must be http or https"
            )));
        }
    };
    url.set_scheme(scheme).map_err(|()| SourceError::Refused("tracker.kitsu.events_url has no host".into()))?;
    url.set_path(&format!("{}/socket.io/", site.path().trim_end_matches('/')));
    url.set_query(Some("EIO=4&transport=websocket"));
    Ok(url)
}

async fn handshake(socket: &mut Socket) -> Result<Packet, SourceError> {
    loop {
        let frame = timeout(STEP, socket.next()).await.map_err(|_| late("to greet"))?;
        match frame {
            Some(Ok(Message::Text(text))) => {
                return socket::parse(&text).map_err(|problem| SourceError::Malformed(problem.to_string()));
            }
            Some(Ok(Message::Close(_))) | None => {
                return Err(SourceError::Unavailable("the event stream closed while connecting".into()));
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(broke(&error)),
        }
    }
}

fn late(what: &str) -> SourceError {
    SourceError::Unavailable(format!("the event stream takes longer than {} s {what}", STEP.as_secs()))
}

fn broke(error: &Error) -> SourceError {
    SourceError::Unavailable(format!("the event stream broke while connecting: {error}"))
}

fn connecting_failed(error: &Error) -> SourceError {
    match error {
        Error::Http(answer) => {
            let status = answer.status().as_u16();
            SourceError::Unavailable(format!(
                "the event stream answered {status} to the request to connect; is tracker.kitsu.events_url the site's root, without /api?"
            ))
        }
        error => SourceError::Unavailable(format!("the event stream cannot be reached: {error}")),
    }
}

#[cfg(test)]
mod tests;
