//! Socket.IO 0.9, as much of it as the event hub needs.
//!
//! A pure function from text to packet: whatever the text, there is an answer and no panic.

use serde_json::{Value as Json, json};

/// What a client answers to a heartbeat.
pub(super) const HEARTBEAT: &str = "2::";
/// The largest message taken: a bulk edit names thousands of entities with all their parents.
pub(super) const MOST_BYTES: usize = 32 << 20;

const EVENT: &str = "ftrack.event";

/// A packet of the hub.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Packet {
    /// The connection stands.
    Connected,
    /// The hub lives.
    Heartbeat,
    /// The hub ends the connection.
    Disconnected,
    /// Events of ftrack, mostly one.
    Events(Vec<Json>),
    /// What the hub answers to the packet of ours with this number.
    Ack { number: u64, answer: Json },
    /// The hub refuses something, or everything.
    Error(String),
    /// Well formed, and of no interest.
    Other,
}

/// A text that is no packet, or one whose content cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a packet of the event hub: {0}")]
pub(super) struct NotAPacket(&'static str);

/// Reads one text frame: `code:id:path:data`, of which the last two may be left out.
pub(super) fn parse(text: &str) -> Result<Packet, NotAPacket> {
    if text.len() > MOST_BYTES {
        return Err(NotAPacket("too long"));
    }
    let mut parts = text.splitn(4, ':');
    let code = parts.next().unwrap_or_default();
    let (_id, path, data) = (parts.next(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if code.is_empty() || code.len() > 2 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotAPacket("it has no code"));
    }
    match code {
        "2" => Ok(Packet::Heartbeat),
        // Of another namespace.
        _ if !path.is_empty() => Ok(Packet::Other),
        "0" => Ok(Packet::Disconnected),
        "1" => Ok(Packet::Connected),
        "5" => event(data),
        "6" => ack(data),
        "7" => Ok(Packet::Error(data.chars().filter(|character| !character.is_control()).take(200).collect())),
        _ => Ok(Packet::Other),
    }
}

/// The packet that sends an event and asks for an answer.
pub(super) fn send(number: u64, event: &Json) -> String {
    format!("5:{number}+::{}", json!({"name": EVENT, "args": [event]}))
}

fn event(data: &str) -> Result<Packet, NotAPacket> {
    let mut parsed: Json = serde_json::from_str(data).map_err(|_| NotAPacket("the event is not JSON"))?;
    match parsed.get("name").and_then(Json::as_str) {
        Some(EVENT) => {}
        Some(_) => return Ok(Packet::Other),
        None => return Err(NotAPacket("the event has no name")),
    }
    match parsed.get_mut("args").and_then(Json::as_array_mut).map(std::mem::take) {
        Some(events) if !events.is_empty() && events.iter().all(Json::is_object) => Ok(Packet::Events(events)),
        _ => Err(NotAPacket("the event has no content")),
    }
}

fn ack(data: &str) -> Result<Packet, NotAPacket> {
    let (number, answer) = data.split_once('+').unwrap_or((data, ""));
    let number = number.parse().map_err(|_| NotAPacket("the answer has no number"))?;
    if answer.is_empty() {
        return Ok(Packet::Ack { number, answer: Json::Null });
    }
    let mut answer: Json = serde_json::from_str(answer).map_err(|_| NotAPacket("the answer is not JSON"))?;
    let first = answer.as_array_mut().and_then(|args| args.first_mut()).map(Json::take);
    Ok(Packet::Ack { number, answer: first.unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn packets_as_the_hub_sends_them() {
        let event = |data: Json| Packet::Events(vec![data]);
        for (text, packet) in [
            ("1::", Packet::Connected),
            ("1", Packet::Connected),
            ("2::", Packet::Heartbeat),
            ("2:::", Packet::Heartbeat),
            ("2", Packet::Heartbeat),
            ("0::", Packet::Disconnected),
            ("0", Packet::Disconnected),
            ("7:::unauthorised+reconnect", Packet::Error("unauthorised+reconnect".into())),
            ("7::", Packet::Error(String::new())),
            ("7:::a\n\u{1b}[31mb", Packet::Error("a[31mb".into())),
            ("8::", Packet::Other),
            ("42::", Packet::Other),
            ("3:::hello", Packet::Other),
            ("4:::{}", Packet::Other),
            ("5::/chat:{", Packet::Other),
            (r#"5:::{"name":"x","args":[]}"#, Packet::Other),
            (r#"5:::{"name":"ftrack.event","args":[{"a":"b:c::d"}]}"#, event(json!({"a": "b:c::d"}))),
            (r#"5:12+::{"name":"ftrack.event","args":[{}],"new":1}"#, event(json!({}))),
            (
                r#"5:::{"name":"ftrack.event","args":[{"a":1},{"b":2}]}"#,
                Packet::Events(vec![json!({"a": 1}), json!({"b": 2})]),
            ),
            ("6:::4", Packet::Ack { number: 4, answer: Json::Null }),
            ("6:::4+[]", Packet::Ack { number: 4, answer: Json::Null }),
            (r#"6:::4+[{"success":true}]"#, Packet::Ack { number: 4, answer: json!({"success": true}) }),
            (r#"6:::4+[{"message":"a+b:c"}]"#, Packet::Ack { number: 4, answer: json!({"message": "a+b:c"}) }),
        ] {
            assert_eq!(parse(text), Ok(packet), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said_to() {
        for text in [
            "",
            ":",
            "x",
            "five::",
            "555::",
            "hello",
            "5::",
            "5:::",
            "5:::{",
            "5:::[]",
            r#"5:::{"name":"ftrack.event"}"#,
            r#"5:::{"name":"ftrack.event","args":[]}"#,
            r#"5:::{"name":"ftrack.event","args":[7]}"#,
            r#"5:::{"name":"ftrack.event","args":[{},7]}"#,
            "6:::",
            "6:::x+[]",
            "6:::4+[",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_sent_can_be_read() {
        let event = json!({"topic": "t", "data": {"message": "a: \"b\""}});
        let sent = send(7, &event);
        assert!(sent.starts_with("5:7+::{"), "{sent}");
        assert_eq!(parse(&sent), Ok(Packet::Events(vec![event])));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*", digit in "[0-9]", rest in "[:+\\[\\]{}\"a-z0-9,]*") {
            let _any = parse(&text);
            let _any = parse(&format!("{digit}:{rest}"));
            let _any = parse(&format!("{digit}:::{rest}"));
        }
    }
}
