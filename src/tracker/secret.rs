//! A secret that a tracker asks for: given as it is, or in a file that is read again when it is refused.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::RwLock;

/// Where a token or key comes from.
#[derive(Clone)]
pub enum TokenSource {
    /// The secret itself.
    Value(String),
    /// A file that holds nothing else. It is read again when the tracker refuses it, so a rotated one is taken up.
    File(PathBuf),
}

/// A secret in use.
pub(super) struct Secret {
    source: TokenSource,
    words: Words,
    held: RwLock<Option<Arc<str>>>,
}

/// How a secret is called when something is wrong with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    /// "token"
    pub(super) name: &'static str,
    /// "tracker.kitsu.token"
    pub(super) place: &'static str,
    /// What to do where there is none.
    pub(super) mend: &'static str,
}

// === impl Secret ===

impl Secret {
    pub(super) fn new(source: TokenSource, words: Words) -> Self {
        Self { source, words, held: RwLock::new(None) }
    }

    /// The secret, read from its file at first use; or what is wrong.
    pub(super) async fn get(&self) -> Result<Arc<str>, String> {
        if let Some(held) = self.held.read().clone() {
            return Ok(held);
        }
        let read = self.read().await?;
        *self.held.write() = Some(Arc::clone(&read));
        Ok(read)
    }

    /// Whether there is another one now than that which was refused.
    pub(super) async fn reload(&self, refused: &str) -> Result<bool, String> {
        let read = self.read().await?;
        let other = *read != *refused;
        if other {
            let Words { name, place, .. } = self.words;
            tracing::info!(place, "the {name} was refused; its file has another, which is taken");
            *self.held.write() = Some(read);
        }
        Ok(other)
    }

    async fn read(&self) -> Result<Arc<str>, String> {
        let Words { name, place, mend } = self.words;
        let (text, place) = match &self.source {
            TokenSource::Value(text) => (text.clone(), place.to_owned()),
            TokenSource::File(path) => {
                let text = tokio::fs::read_to_string(path).await;
                let wrong = |error| format!("the {name} file {} cannot be read: {error}", path.display());
                (text.map_err(wrong)?, path.display().to_string())
            }
        };
        match text.trim() {
            "" => Err(format!("{place} is empty; {mend}")),
            secret => Ok(Arc::from(secret)),
        }
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => f.write_str("Value(..)"),
            Self::File(path) => write!(f, "File({})", path.display()),
        }
    }
}
