//! Who may push: whoever shows the token, or a certificate where the listener asks for one.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderMap;
use http::header::AUTHORIZATION;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};

/// How long it is not said again that the token cannot be read.
const HUSH: Duration = Duration::from_secs(10);

/// Where the token comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum Token {
    Value(String),
    /// Read anew for each push, so that it can be changed while the process runs.
    File(PathBuf),
}

/// Lets pushes in.
#[derive(Clone, Debug)]
pub struct Guard {
    /// `None`: the listener has asked for a certificate.
    token: Option<Arc<Token>>,
}

/// Why a push is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotLetIn {
    #[error("send the push token as `authorization: Bearer TOKEN`")]
    Missing,
    #[error("the push token is wrong; it is the content of the `token_file` of the server's `push:`")]
    Wrong,
    #[error("the server cannot read its `token_file`; nobody is let in until it can")]
    Unreadable,
}

// === impl Guard ===

impl Guard {
    /// Asks for the token; where there is none, the listener must ask for a certificate.
    pub fn new(token: Option<Token>) -> Self {
        Self { token: token.map(Arc::new) }
    }

    /// Whether a push with these headers is let in.
    ///
    /// # Errors
    /// Where the token is not the right one.
    pub async fn lets_in(&self, headers: &HeaderMap) -> Result<(), NotLetIn> {
        let Some(token) = &self.token else { return Ok(()) };
        let shown = headers.get(AUTHORIZATION).and_then(|value| bearer(value.as_bytes())).ok_or(NotLetIn::Missing)?;
        let right = token.read().await?;
        // Digests are compared, so the time it takes tells nothing of the token.
        if Sha256::digest(&right) != Sha256::digest(shown) {
            return Err(NotLetIn::Wrong);
        }
        Ok(())
    }
}

// === impl Token ===

impl Token {
    /// The token as it is now. One that is empty lets nobody in.
    ///
    /// # Errors
    /// Where there is none.
    pub async fn read(&self) -> Result<Vec<u8>, NotLetIn> {
        let token = match self {
            Self::Value(value) => value.trim().as_bytes().to_vec(),
            Self::File(path) => match tokio::fs::read(path).await {
                Ok(content) => content.trim_ascii().to_vec(),
                Err(error) => {
                    if unsaid() {
                        tracing::error!(file = %path.display(), %error, "the push token cannot be read: nobody can push");
                    }
                    return Err(NotLetIn::Unreadable);
                }
            },
        };
        if token.is_empty() { Err(NotLetIn::Wrong) } else { Ok(token) }
    }
}

/// Whether it is some time since it was said that the token cannot be read. Anybody can have it read.
fn unsaid() -> bool {
    static SAID: Mutex<Option<Instant>> = Mutex::new(None);
    let mut said = SAID.lock();
    let is_due = said.is_none_or(|at| at.elapsed() >= HUSH);
    if is_due {
        *said = Some(Instant::now());
    }
    is_due
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Value(_) => f.write_str("Value(...)"),
            Self::File(path) => write!(f, "File({})", path.display()),
        }
    }
}
