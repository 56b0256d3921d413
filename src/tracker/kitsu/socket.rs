//! Engine.IO 4 and Socket.IO 5, as much of them as listening to one namespace needs.
//!
//! A pure function from text to packet: whatever the text, there is an answer and no panic.

use std::time::Duration;

use serde_json::Value;

/// What a client sends to enter the namespace, and what it answers to a ping.
pub(super) const ENTER: &str = "40/events,";
pub(super) const PONG: &str = "3";
/// The largest message taken: zou's own limit is a megabyte.
pub(super) const MOST_BYTES: usize = 4 << 20;

const NAMESPACE: &str = "/events";

/// A packet of the server.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Packet {
    /// The connection stands; the server pings so often and gives up after so long.
    Open { interval: Duration, timeout: Duration },
    /// The server pings.
    Ping,
    /// The server ends the connection or puts the client out of the namespace.
    Close,
    /// The client is in the namespace.
    Entered,
    /// The client is not let into the namespace, and why.
    Refused(String),
    /// Something happened.
    Event { name: String, data: Value },
    /// Of no interest.
    Other,
}

/// A text that is no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a Socket.IO packet: {0}")]
pub(super) struct NotAPacket(&'static str);

/// Reads one text frame.
pub(super) fn parse(text: &str) -> Result<Packet, NotAPacket> {
    if text.len() > MOST_BYTES {
        return Err(NotAPacket("too long"));
    }
    let mut chars = text.chars();
    let kind = chars.next().ok_or(NotAPacket("empty"))?;
    let rest = chars.as_str();
    match kind {
        '0' => open(rest),
        '1' => Ok(Packet::Close),
        '2' => Ok(Packet::Ping),
        '3' | '5' | '6' => Ok(Packet::Other),
        '4' => message(rest),
        _ => Err(NotAPacket("unknown type")),
    }
}

fn open(rest: &str) -> Result<Packet, NotAPacket> {
    let hello: Value = serde_json::from_str(rest).map_err(|_| NotAPacket("the handshake is not JSON"))?;
    let millis = |name| {
        let found = hello.get(name).and_then(Value::as_u64);
        found.filter(|millis| (1..=600_000).contains(millis)).map(Duration::from_millis)
    };
    match (millis("pingInterval"), millis("pingTimeout")) {
        (Some(interval), Some(timeout)) => Ok(Packet::Open { interval, timeout }),
        _ => Err(NotAPacket("the handshake has no sane pingInterval and pingTimeout")),
    }
}

fn message(rest: &str) -> Result<Packet, NotAPacket> {
    let mut chars = rest.chars();
    let kind = chars.next().ok_or(NotAPacket("no message type"))?;
    let (namespace, payload) = match chars.as_str() {
        rest if rest.starts_with('/') => rest.split_once(',').unwrap_or((rest, "")),
        rest => ("/", rest),
    };
    if namespace != NAMESPACE {
        return Ok(Packet::Other);
    }
    match kind {
        '0' => Ok(Packet::Entered),
        '1' => Ok(Packet::Close),
        '2' => event(payload.trim_start_matches(|c: char| c.is_ascii_digit())),
        '4' => Ok(Packet::Refused(refusal(payload))),
        '3' | '5' | '6' => Ok(Packet::Other),
        _ => Err(NotAPacket("unknown message type")),
    }
}

fn event(payload: &str) -> Result<Packet, NotAPacket> {
    let parsed: Value = serde_json::from_str(payload).map_err(|_| NotAPacket("the event is not JSON"))?;
    let Value::Array(items) = parsed else { return Err(NotAPacket("the event is no list")) };
    let mut items = items.into_iter();
    match items.next() {
        Some(Value::String(name)) => Ok(Packet::Event { name, data: items.next().unwrap_or(Value::Null) }),
        _ => Err(NotAPacket("the event has no name")),
    }
}

fn refusal(payload: &str) -> String {
    let parsed: Option<Value> = serde_json::from_str(payload).ok();
    let said =
        parsed.as_ref().and_then(|said| said.get("message")).and_then(Value::as_str).unwrap_or("no reason given");
    said.chars().take(200).collect()
}

#[cfg(test)]
mod tests;
