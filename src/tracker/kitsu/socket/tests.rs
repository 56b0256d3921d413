//! Packets as zou sends them, and texts that are none.

use proptest::prelude::*;
use serde_json::json;

use super::*;

#[test]
fn what_zou_sends() {
    let open = r#"0{"sid":"9S","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
    let (interval, timeout) = (Duration::from_secs(25), Duration::from_secs(20));
    assert_eq!(parse(open), Ok(Packet::Open { interval, timeout }));
    assert_eq!(parse(r#"40/events,{"sid":"x"}"#), Ok(Packet::Entered));
    assert_eq!(parse("40/events"), Ok(Packet::Entered));
    assert_eq!(parse(r#"40{"sid":"x"}"#), Ok(Packet::Other));
    assert_eq!(parse(r#"44/events,{"message":"Token has expired"}"#), Ok(Packet::Refused("Token has expired".into())));
    assert_eq!(parse("41/events,"), Ok(Packet::Close));
    assert_eq!(parse("2"), Ok(Packet::Ping));
    let event = Packet::Event { name: "task:assign".into(), data: json!({"task_id": "t"}) };
    assert_eq!(parse(r#"42/events,["task:assign",{"task_id":"t"}]"#), Ok(event.clone()));
    assert_eq!(parse(r#"42/events,17["task:assign",{"task_id":"t"}]"#), Ok(event));
    assert_eq!(parse(r#"42/events,["main:test"]"#), Ok(Packet::Event { name: "main:test".into(), data: Value::Null }));
    assert_eq!(parse(r#"42/other,["a",{}]"#), Ok(Packet::Other));
}

#[test]
fn what_is_no_packet() {
    let deep = format!("42/events,{}", "[".repeat(100_000));
    for bad in [
        "",
        "9",
        "4",
        "48/events,",
        "0",
        "0{}",
        r#"0{"pingInterval":0,"pingTimeout":1}"#,
        "42/events,",
        "42/events,{}",
        "42/events,[]",
        "42/events,[1]",
        r#"42/events,["a",{"#,
        &deep,
    ] {
        assert!(parse(bad).is_err(), "{}", bad.chars().take(40).collect::<String>());
    }
    assert_eq!(parse(&"2".repeat(MOST_BYTES + 1)), Err(NotAPacket("too long")));
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*") {
        let _ = parse(&text);
    }

    #[test]
    fn nothing_that_looks_like_a_packet_panics(text in "[0-6]{1,2}(/events,)?[0-9]{0,4}[\\[{\"a-z:,0-9}\\]é]{0,40}") {
        let _ = parse(&text);
    }
}
