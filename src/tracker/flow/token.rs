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
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { token: _, renewed_from: _, until } = self;
        write!(f, "Held(for {:?})", until.saturating_duration_since(Instant::now()))
    }
}
