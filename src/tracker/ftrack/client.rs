//! Asks an ftrack server over HTTP: key, deadlines, retries, bounds. Says what went wrong and how to mend it; never says
//! the key.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use reqwest::header::{CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use reqwest::{RequestBuilder, StatusCode, Url};
use serde_json::Value as Json;

use super::answer;
use crate::tracker::SourceError;
use crate::tracker::backoff::Backoff;
use crate::tracker::http::{self, Broken, Clock, causes};
use crate::tracker::secret::{Secret, TokenSource, Words};

const READ: Duration = Duration::from_secs(60);
const WHOLE: Duration = Duration::from_secs(180);
const TRIES: u32 = 3;
/// Normalised answers are understood nevertheless.
const OPTIONS: &str = "strict:1;denormalize:1";
const MEND_KEY: &str = "give an API key of an active user with `tracker.ftrack.user` and `api_key_file`";
const MEND_URL: &str = "is tracker.ftrack.url the address of the ftrack server?";

/// The API side of one ftrack server.
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    user: String,
    key: Secret,
    /// Marks our requests and events, for whoever reads the server's. Nothing is decided by it.
    token: String,
    clock: Clock,
}

/// By what a server knows a conversation again. Whoever has it can go on with it.
#[derive(Default)]
pub(super) struct Cookie(Option<HeaderValue>);

/// Why the server did not answer as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The question itself is not accepted, however often it is asked.
    Invalid(String),
    /// The key may not do this.
    Refused(String),
    /// No answer, or one that says "later".
    Unavailable(String),
    /// An answer that is no answer to this question.
    Malformed(String),
    /// The key that was sent is not accepted.
    Key(String),
}

// === impl Client ===

impl Client {
    /// A client of the server at `base`.
    pub(super) fn new(base: Url, user: String, key: TokenSource) -> Result<Self, SourceError> {
        let http = http::client(READ, WHOLE)?;
        let words = Words { name: "API key", place: "tracker.ftrack.api_key", mend: MEND_KEY };
        let token = format!("stagedoor-{:032x}", rand::random::<u128>());
        Ok(Self { http, base, user, key: Secret::new(key, words), token, clock: Clock::default() })
    }

    /// The answers to operations that change nothing, one each. Tried a few times where that can help.
    pub(super) async fn ask(&self, operations: &[Json]) -> Result<Vec<Json>, Failure> {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(2));
        let mut tries = 0;
        loop {
            tries += 1;
            match self.tell(operations).await {
                Err(Failure::Unavailable(why) | Failure::Malformed(why)) if tries < TRIES => {
                    tracing::debug!(tries, why, "asking ftrack again");
                    tokio::time::sleep(backoff.delay()).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// The answers to operations that are sent once, all or none of which the server does.
    pub(super) async fn tell(&self, operations: &[Json]) -> Result<Vec<Json>, Failure> {
        self.converse(&mut Cookie::default(), operations).await
    }

    /// The same, as a part of the conversation by whose cookie the server remembers what was said before.
    pub(super) async fn converse(&self, cookie: &mut Cookie, operations: &[Json]) -> Result<Vec<Json>, Failure> {
        let body = serde_json::to_vec(operations)
            .map_err(|error| Failure::Malformed(format!("the question cannot be written: {error}")))?;
        let url = self.address("api");
        let (answer, given) = self
            .with_key(|mut headers| {
                headers.extend(cookie.0.clone().map(|cookie| (COOKIE, cookie)));
                let post = self.http.post(url.clone()).headers(headers).header(CONTENT_TYPE, "application/json");
                post.body(body.clone())
            })
            .await?;
        if !given.is_empty() {
            *cookie = given;
        }
        answer::results(&answer, operations.len())
    }

    /// What the event hub answers to a client that wants to connect.
    pub(super) async fn greet(&self) -> Result<String, Failure> {
        let url = self.address("socket.io/1/");
        let (answer, _) = self.with_key(|headers| self.http.get(url.clone()).headers(headers)).await?;
        String::from_utf8(answer).map_err(|_| Failure::Malformed("the event hub's greeting is no text".into()))
    }

    /// The address of something on the server.
    pub(super) fn address(&self, path: &str) -> Url {
        http::below(&self.base, path)
    }

    /// Who we are to the server.
    pub(super) fn user(&self) -> &str {
        &self.user
    }

    /// What marks our requests and events.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// The same moment on the server's clock, in UTC.
    pub(super) fn on_its_clock(&self, at: SystemTime) -> i64 {
        self.clock.theirs(at)
    }

    /// Sends the request, and once more where the key was refused and its file has another.
    async fn with_key(&self, request: impl Fn(HeaderMap) -> RequestBuilder) -> Result<(Vec<u8>, Cookie), Failure> {
        let mut rotated = false;
        loop {
            let key = self.key.get().await.map_err(Failure::Refused)?;
            match self.once(request(self.headers(&key)?)).await {
                Err(Failure::Key(_)) if !rotated && self.key.reload(&key).await.map_err(Failure::Refused)? => {
                    rotated = true;
                }
                outcome => return outcome,
            }
        }
    }

    async fn once(&self, request: RequestBuilder) -> Result<(Vec<u8>, Cookie), Failure> {
        let unreachable = |error| Failure::Unavailable(format!("ftrack cannot be reached: {}", causes(&error)));
        let answer = request.send().await.map_err(unreachable)?;
        self.clock.note(&answer);
        let status = answer.status();
        let cookie = Cookie::given(answer.headers());
        let body = http::body(answer).await.map_err(Failure::from);
        if let Some(told) = body.as_deref().ok().and_then(|body| answer::told(body, status)) {
            return Err(told);
        }
        if status.is_success() {
            return match body {
                Ok(body) if http::is_page(&body) => {
                    Err(Failure::Malformed(format!("a web page came, no answer of ftrack's API; {MEND_URL}")))
                }
                body => body.map(|body| (body, cookie)),
            };
        }
        let code = status.as_u16();
        Err(match status {
            StatusCode::UNAUTHORIZED => Failure::key(&format!("{code}")),
            StatusCode::FORBIDDEN => Failure::Refused(format!("ftrack refuses this to the API key ({code})")),
            status if http::is_later(status) => Failure::Unavailable(format!("ftrack answered {code}")),
            _ => Failure::Malformed(format!("ftrack answered {code}; {MEND_URL}")),
        })
    }

    fn headers(&self, key: &Arc<str>) -> Result<HeaderMap, Failure> {
        let header = |what: &str, value: &str| {
            HeaderValue::try_from(value)
                .map_err(|_| Failure::Refused(format!("the {what} has characters that none has: {MEND_KEY}")))
        };
        let mut key = header("ftrack API key", key)?;
        key.set_sensitive(true);
        let headers = [
            ("ftrack-user", header("name in tracker.ftrack.user", &self.user)?),
            ("ftrack-api-key", key),
            ("ftrack-strict-api", HeaderValue::from_static("true")),
            ("ftrack-api-options", HeaderValue::from_static(OPTIONS)),
            ("ftrack-clienttoken", header("client token", &self.token)?),
        ];
        Ok(headers.into_iter().map(|(name, value)| (HeaderName::from_static(name), value)).collect())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.base)
    }
}

// === impl Cookie ===

impl Cookie {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// What an answer's headers give, without how long and where it counts: it is used at once and at the same address.
    fn given(headers: &HeaderMap) -> Self {
        let given = headers.get_all(SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
        let all = given.collect::<Vec<_>>().join("; ");
        let mut value = HeaderValue::try_from(all).ok().filter(|value| !value.is_empty());
        value.iter_mut().for_each(|value| value.set_sensitive(true));
        Self(value)
    }
}

// === impl Failure ===

impl Failure {
    /// The key is not accepted, as the server says.
    pub(super) fn key(said: &str) -> Self {
        Self::Key(format!(
            "ftrack does not accept the API key ({said}): it is wrong, was revoked or disabled, or its user is not active; \
             {MEND_KEY}"
        ))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Invalid(why) | Self::Refused(why) | Self::Unavailable(why) | Self::Malformed(why) | Self::Key(why)) =
            self;
        f.write_str(why)
    }
}

impl From<Failure> for SourceError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Invalid(why) | Failure::Refused(why) | Failure::Key(why) => Self::Refused(why),
            Failure::Unavailable(why) => Self::Unavailable(why),
            Failure::Malformed(why) => Self::Malformed(why),
        }
    }
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::TooLarge => Self::Malformed(broken.to_string()),
            Broken::Off(_) => Self::Unavailable(broken.to_string()),
        }
    }
}
