//! What connectors that ask over HTTP have in common: deadlines, bounded bodies, the server's clock, errors in few words.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use reqwest::header::DATE;
use reqwest::{Client, Response, StatusCode, Url};

use super::{SourceError, date};

/// No answer that a connector asks for is larger, unless something is wrong.
const MOST_BYTES: usize = 64 << 20;
const CONNECT: Duration = Duration::from_secs(5);

/// Why a body could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    TooLarge,
    Off(String),
}

/// By how many seconds the server's clock is ahead of ours, as its last answer said.
#[derive(Debug, Default)]
pub(super) struct Clock(AtomicI64);

/// A client that waits so long for the next bytes, and so long for a whole answer. It follows no redirects: they would
/// carry what is asked, and with what secret, to somebody else.
pub(super) fn client(read: Duration, whole: Duration) -> Result<Client, SourceError> {
    Client::builder()
        .connect_timeout(CONNECT)
        .read_timeout(read)
        .timeout(whole)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("stagedoor/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| SourceError::Refused(format!("the HTTP client cannot be set up: {}", causes(&error))))
}

/// The address of something on the server; `path` begins where the base ends.
pub(super) fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{}", base.path().trim_end_matches('/'), path.trim_start_matches('/')));
    url
}

/// An answer's body, up to what an answer may have.
pub(super) async fn body(mut answer: Response) -> Result<Vec<u8>, Broken> {
    let mut body = Vec::new();
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= MOST_BYTES => body.extend_from_slice(&chunk),
            Ok(Some(_)) => return Err(Broken::TooLarge),
            Ok(None) => return Ok(body),
            Err(error) => return Err(Broken::Off(causes(&error))),
        }
    }
}

/// Whether the status says that the same question may be answered later.
pub(super) fn is_later(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

/// Whether a body is a web page: a portal's, or what is served for every address but the API's.
pub(super) fn is_page(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'<')
}

/// An error's deepest cause, without the URL: `reqwest` says everything three times otherwise.
pub(super) fn causes(error: &dyn Error) -> String {
    let mut deepest = error;
    while let Some(cause) = deepest.source() {
        deepest = cause;
    }
    deepest.to_string()
}

// === impl Clock ===

impl Clock {
    pub(super) fn note(&self, answer: &Response) {
        let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok()).and_then(date::parse_http);
        if let Some(theirs) = date {
            self.0.store(theirs.saturating_sub(date::seconds(SystemTime::now())), Ordering::Relaxed);
        }
    }

    /// The same moment on the server's clock, in seconds since 1970.
    pub(super) fn theirs(&self, at: SystemTime) -> i64 {
        date::seconds(at).saturating_add(self.0.load(Ordering::Relaxed))
    }
}

// === impl Broken ===

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(f, "the answer is larger than {MOST_BYTES} bytes"),
            Self::Off(why) => write!(f, "the answer broke off: {why}"),
        }
    }
}
