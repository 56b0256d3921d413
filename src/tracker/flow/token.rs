//! Who we are to the site: tokens for a few minutes each, exchanged for the script's key.
//!
//! Whoever needs one while another is being fetched waits for that, or goes on with the old one while it counts.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use serde_json::Value as Json;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long before its end a token is replaced, at most.
const EARLY: Duration = Duration::from_secs(60);
/// How long a token counts where the site does not say.
const USUAL: Duration = Duration::from_secs(600);

/// The token in use.
#[derive(Debug, Default)]
pub(super) struct Pass {
    held: RwLock<Option<Held>>,
    /// Held while a token is fetched.
    pub(super) fetching: Mutex<()>,
}

/// A token and how long it counts.
#[derive(Clone)]
pub(super) struct Held {
    token: Arc<str>,
    renewed_from: Instant,
    until: Instant,
}

// === impl Pass ===

impl Pass {
    /// The token, if it need not be replaced yet.
    pub(super) fn fresh(&self) -> Option<Arc<str>> {
        self.held(|held| held.renewed_from)
    }

    /// The token, if it still counts.
    pub(super) fn valid(&self) -> Option<Arc<str>> {
        self.held(|held| held.until)
    }

    pub(super) fn hold(&self, held: Held) -> Arc<str> {
        let token = Arc::clone(&held.token);
        *self.held.write() = Some(held);
        token
    }

    /// The site does not accept this one any more.
    pub(super) fn drop(&self, refused: &str) {
        let mut held = self.held.write();
        if held.as_ref().is_some_and(|held| *held.token == *refused) {
            *held = None;
        }
    }

    fn held(&self, until: impl Fn(&Held) -> Instant) -> Option<Arc<str>> {
        let held = self.held.read();
        held.as_ref().filter(|held| Instant::now() < until(held)).map(|held| Arc::clone(&held.token))
    }
}

// === impl Held ===

impl Held {
    /// What the site gave, asked at that moment.
    pub(super) fn given(answer: &Json, asked: Instant) -> Option<Self> {
        let token = answer.get("access_token")?.as_str().filter(|token| !token.is_empty())?;
        let seconds = answer.get("expires_in").and_then(Json::as_u64).map(Duration::from_secs);
        let whole = seconds.unwrap_or(USUAL).min(USUAL.saturating_mul(6));
        let early = EARLY.min(whole / 4);
        Some(Self { token: Arc::from(token), renewed_from: asked + (whole - early), until: asked + whole })
    }

    /// The login of the person as whom the token says that the script acts.
    pub(super) fn acts_as(&self) -> Option<String> {
        let payload: Json = serde_json::from_slice(&base64(self.token.split('.').nth(1)?)?).ok()?;
        Some(payload.get("sudo_as_login")?.as_str()?.to_owned())
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { token: _, renewed_from: _, until } = self;
        write!(f, "Held(for {:?})", until.saturating_duration_since(Instant::now()))
    }
}

/// Base 64 as tokens have it.
fn base64(text: &str) -> Option<Vec<u8>> {
    let (mut bits, mut held, mut bytes) = (0_u32, 0_u32, Vec::new());
    for letter in text.trim_end_matches('=').bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'-' | b'+' => 62,
            b'_' | b'/' => 63,
            _ => return None,
        };
        bits = ((bits << 6) | u32::from(value)) & 0xFFFF;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xFF).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whom_a_token_acts_as() {
        let acts_as = |token: &str| Held::given(&json!({"access_token": token}), Instant::now()).unwrap().acts_as();
        // {"sudo_as_login":"ann"}
        assert_eq!(acts_as("e30.eyJzdWRvX2FzX2xvZ2luIjoiYW5uIn0.x").as_deref(), Some("ann"));
        for none in ["e30.e30.x", "e30.eyJzdWRvX2FzX2xvZ2luIjpudWxsfQ.x", "opaque", "a.!.c", "."] {
            assert_eq!(acts_as(none), None, "{none}");
        }
        assert_eq!(base64("aGVsbG8_").as_deref(), Some(&b"hello?"[..]));
    }
}
