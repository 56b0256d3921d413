use super::*;
use crate::engine::policy::Policy;
use crate::tracker::flow::Config;
use crate::tracker::flow::marks::{Marks, Seen};
use crate::tracker::secret::TokenSource;

const BODY: &[u8] = br#"{"timestamp":"2026-01-01T00:00:00Z","data":{}}"#;
const DIGEST: &str = "19ade0a277b9fa455b291555cc134cbe99d2e2bb";

fn signed(token: &[u8], body: &[u8]) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(token).unwrap();
    mac.update(body);
    let digits = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("sha1={digits}")
}

/// A door of which the log is followed up to event 10.
fn door() -> Door {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = Config {
        url: "http://127.0.0.1:1".into(),
        script_name: "stagedoor".into(),
        script_key: TokenSource::Value("key".into()),
        poll_interval: Duration::from_secs(1),
    };
    let policy = Policy::load("flow", None).unwrap();
    let flow = Flow::new(config, &policy.schema).unwrap();
    let row = Seen { id: 10, made: None };
    let now = Instant::now();
    flow.site.feed.follow(Marks::begin(9, &[row], now, now, 0));
    Door {
        site: flow.site,
        token: Arc::new(Token::Value("mytoken\n".into())),
        reading: Arc::new(Semaphore::new(AT_ONCE)),
        refused: Arc::default(),
    }
}

async fn sent(door: &Door, body: &[u8], signature: Option<&str>) -> Result<(), Problem> {
    let mut headers = HeaderMap::new();
    headers.extend(
        signature.map(|signature| (SIGNATURE.parse::<http::HeaderName>().unwrap(), signature.parse().unwrap())),
    );
    door.taken(&Method::POST, PATH, &headers, Body::from(body.to_vec())).await
}

#[test]
fn the_known_signature_is_right_and_no_other() {
    let header = format!("sha1={DIGEST}");
    assert!(is_signed(&header, b"mytoken", BODY));
    assert!(is_signed(&header.to_uppercase().replace("SHA1", "sha1"), b"mytoken", BODY));
    assert_eq!(signed(b"mytoken", BODY), header);
    assert!(!is_signed(&header, b"other", BODY) && !is_signed(&header, b"mytoken", b"{}"));
    for wrong in [
        "",
        "sha1=",
        "sha1=00",
        DIGEST,
        "sha256=00",
        &format!("sha1={DIGEST}0"),
        &format!("sha1={}é", DIGEST.trim_start_matches("19")),
    ] {
        assert!(!is_signed(wrong, b"mytoken", BODY), "{wrong}");
    }
}

#[test]
fn single_and_batched_deliveries_name_their_events() {
    let named = |text: &str| named(text.as_bytes());
    assert_eq!(named(r#"{"data":{"event_log_entry_id":7},"timestamp":"x"}"#), [7]);
    let batch = r#"{"timestamp":"x","data":{"deliveries":[{"event_log_entry_id":7},{"event_log_entry_id":9},{}, 3]}}"#;
    assert_eq!(named(batch), [7, 9]);
    let toggled = r#"{"data":{"event_type":"Webhook_Status_Change","event_log_entry_id":0}}"#;
    for nothing in [toggled, "", "[]", "{}", r#"{"data":[]}"#, r#"{"data":{"event_log_entry_id":"7"}}"#, "\u{ff}"] {
        assert_eq!(named(nothing), [0_u64; 0], "{nothing}");
    }
}

#[tokio::test]
async fn only_what_is_signed_is_taken_and_only_news_wake_the_poll() {
    let door = door();
    let body = br#"{"data":{"event_log_entry_id":12}}"#;
    let right = signed(b"mytoken", body);
    assert_eq!(sent(&door, body, None).await, Err(Problem::Unsigned));
    assert_eq!(sent(&door, body, Some(&signed(b"guess", body))).await, Err(Problem::Wrong));
    assert!(!door.site.feed.is_woken());
    assert_eq!(sent(&door, body, Some(&right)).await, Ok(()));
    assert!(door.site.feed.is_woken());
    assert_eq!(sent(&door, body, Some(&right)).await, Ok(()));
    let old = br#"{"data":{"event_log_entry_id":10}}"#;
    assert_eq!(sent(&door, old, Some(&signed(b"mytoken", old))).await, Ok(()));
    let toggled = br#"{"data":{"event_type":"Webhook_Status_Change","event_log_entry_id":0}}"#;
    assert_eq!(sent(&door, toggled, Some(&signed(b"mytoken", toggled))).await, Ok(()));
    assert!(!door.site.feed.is_woken(), "told already, or nothing of the log");
}

#[tokio::test]
async fn what_is_too_large_or_elsewhere_is_refused() {
    let door = door();
    let large = vec![b' '; MOST_BYTES + 1];
    assert_eq!(sent(&door, &large, Some(&signed(b"mytoken", &large))).await, Err(Problem::TooLarge));
    let taken = |method: Method, path: &'static str| {
        let door = door.clone();
        async move { door.taken(&method, path, &HeaderMap::new(), Body::empty()).await }
    };
    assert_eq!(taken(Method::POST, "/").await, Err(Problem::NotFound));
    assert_eq!(taken(Method::GET, PATH).await, Err(Problem::Method));
    let closed = Door { token: Arc::new(Token::Value(String::new())), ..door };
    let body = b"{}";
    assert_eq!(
        sent(&closed, body, Some(&signed(b"", body))).await,
        Err(Problem::Wrong),
        "an empty token lets nobody in"
    );
    let response = closed.refuse(Problem::Wrong);
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}
