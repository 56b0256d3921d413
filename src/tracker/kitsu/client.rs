//! Asks zou over HTTP: token, deadlines, retries, bounds. Says what went wrong and how to mend it; never says the token.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, Response, StatusCode, Url};
use serde_json::Value;

use crate::tracker::SourceError;
use crate::tracker::backoff::Backoff;
use crate::tracker::http::{self, Broken, Clock, causes};
use crate::tracker::probe::Pace;
use crate::tracker::secret::{Secret, TokenSource, Words};

const READ: Duration = Duration::from_secs(30);
const WHOLE: Duration = Duration::from_secs(120);
const TRIES: u32 = 3;
const MEND_TOKEN: &str = "give the token of an admin bot (`zou create-bot --role admin`) in tracker.kitsu.token_file";
pub(super) const MEND_PERSON: &str = "log in to Kitsu as that person, and give the access token in --token-file";
const MEND_URL: &str = "is tracker.kitsu.url the address of its API, which usually ends in /api?";
const MEND_ADMIN: &str =
    "stagedoor must see every project and person: make the bot an admin in Kitsu, or give the token of one that is";

/// The REST side of one zou.
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    token: Secret,
    clock: Clock,
    /// Keeps its requests apart, each try too.
    pace: Option<Arc<Pace>>,
}

/// Why zou did not answer as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// There is no such object, or no such route.
    NotFound(String),
    /// Nothing that trying again would mend.
    Refused(String),
    /// No answer, or one that says "later".
    Unavailable(String),
    /// An answer that is no answer to this question.
    Malformed(String),
    /// The token that was sent is not accepted.
    Token(String),
}

// === impl Client ===

impl Client {
    /// A client of the API at `base`, which ends where `/data/...` begins.
    pub(super) fn new(base: Url, source: TokenSource) -> Result<Self, SourceError> {
        let words = Words { name: "token", place: "tracker.kitsu.token", mend: MEND_TOKEN };
        Self::with(base, Secret::new(source, words))
    }

    /// A client that asks as the person whose token this is.
    pub(super) fn of_person(base: Url, source: TokenSource) -> Result<Self, SourceError> {
        let words = Words { name: "token", place: "the person's token", mend: MEND_PERSON };
        Self::with(base, Secret::new(source, words))
    }

    fn with(base: Url, token: Secret) -> Result<Self, SourceError> {
        Ok(Self { http: http::client(READ, WHOLE)?, base, token, clock: Clock::default(), pace: None })
    }

    /// The same, which sends no more than that.
    #[must_use]
    pub(super) fn paced(self, pace: &Arc<Pace>) -> Self {
        Self { pace: Some(Arc::clone(pace)), ..self }
    }

    /// The answer to `GET path?query` as JSON. Tried a few times where that can help.
    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Failure> {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(2));
        let mut rotated = false;
        let mut tries = 0;
        loop {
            tries += 1;
            let token = self.token().await?;
            match self.once(Method::GET, path, query, None, &token).await {
                Err(Failure::Token(_)) if !rotated && self.reload_token(&token).await? => rotated = true,
                Err(Failure::Token(said)) => return Err(Failure::Refused(said)),
                Err(Failure::Unavailable(why) | Failure::Malformed(why)) if tries < TRIES => {
                    tracing::debug!(path, tries, why, "asking zou again");
                    tokio::time::sleep(backoff.delay()).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// The answer to `POST path` as JSON. Not tried again: it may have come through though no answer came.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let mut rotated = false;
        loop {
            let token = self.token().await?;
            match self.once(Method::POST, path, &[], Some(body), &token).await {
                Err(Failure::Token(_)) if !rotated && self.reload_token(&token).await? => rotated = true,
                Err(Failure::Token(said)) => return Err(Failure::Refused(said)),
                outcome => return outcome,
            }
        }
    }

    /// Whatever zou answers to one request, never tried again: the status, and the answer's first `most` bytes.
    pub(super) async fn answer(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
        most: usize,
    ) -> Result<(StatusCode, Vec<u8>), Failure> {
        let token = self.token().await?;
        let mut answer = self.send(method, path, query, body, &token).await?;
        let mut read = Vec::new();
        while read.len() < most {
            match answer.chunk().await {
                Ok(Some(chunk)) => read.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => {
                    return Err(Failure::Unavailable(format!("{path}: the answer broke off: {}", causes(&error))));
                }
            }
        }
        Ok((answer.status(), read))
    }

    /// The token, read from its file at first use.
    pub(super) async fn token(&self) -> Result<Arc<str>, Failure> {
        self.token.get().await.map_err(Failure::Refused)
    }

    /// Whether there is another token now than the one that was refused.
    async fn reload_token(&self, refused: &str) -> Result<bool, Failure> {
        self.token.reload(refused).await.map_err(Failure::Refused)
    }

    /// The same moment on zou's clock.
    pub(super) fn on_its_clock(&self, at: SystemTime) -> i64 {
        self.clock.theirs(at)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
        token: &str,
    ) -> Result<Response, Failure> {
        let mut url = http::below(&self.base, path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut bearer = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| Failure::Refused(format!("the Kitsu token has characters that no token has: {MEND_TOKEN}")))?;
        bearer.set_sensitive(true);
        let mut request = self.http.request(method, url).header(AUTHORIZATION, bearer);
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(pace) = &self.pace {
            pace.turn().await;
        }
        let answer = request
            .send()
            .await
            .map_err(|error| Failure::Unavailable(format!("{path}: zou cannot be reached: {}", causes(&error))))?;
        self.clock.note(&answer);
        Ok(answer)
    }

    async fn once(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
        token: &str,
    ) -> Result<Value, Failure> {
        let answer = self.send(method, path, query, body, token).await?;
        let status = answer.status();
        let read = http::body(answer).await.map_err(|broken| match &broken {
            Broken::TooLarge => Failure::Malformed(format!("{path}: {broken}")),
            Broken::Off(_) => Failure::Unavailable(format!("{path}: {broken}")),
        });
        if status.is_success() {
            let read = read?;
            return serde_json::from_slice(&read).map_err(|error| match http::is_page(&read) {
                true => Failure::Malformed(format!("{path}: a web page came, not JSON; {MEND_URL}")),
                false => Failure::Malformed(format!("{path}: the answer is not JSON: {error}")),
            });
        }
        let said = read.as_deref().map(message).unwrap_or_default();
        Err(match status {
            StatusCode::UNAUTHORIZED | StatusCode::UNPROCESSABLE_ENTITY => Failure::Token(format!(
                "zou does not accept the token ({}{said}): it is wrong, has expired, was revoked, or its bot is not active; {MEND_TOKEN}",
                status.as_u16()
            )),
            StatusCode::FORBIDDEN => {
                Failure::Refused(format!("{path}: zou refuses this to the token's owner (403{said}); {MEND_ADMIN}"))
            }
            // What it makes of a write: a cap, a rule of its own.
            StatusCode::BAD_REQUEST if body.is_some() => {
                Failure::Refused(format!("{path}: zou refuses this (400{said})"))
            }
            // Only zou's own 404 says that an object is gone; a proxy's says nothing.
            StatusCode::NOT_FOUND if read.is_ok_and(|read| is_zous_error(&read)) => {
                Failure::NotFound(format!("{path}: zou has no such thing (404{said})"))
            }
            status if http::is_later(status) => {
                Failure::Unavailable(format!("{path}: zou answered {}{said}", status.as_u16()))
            }
            status => Failure::Malformed(format!("{path}: zou answered {}{said}; {MEND_URL}", status.as_u16())),
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.base)
    }
}

impl From<Failure> for SourceError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(why) | Failure::Token(why) => Self::Refused(why),
            Failure::Unavailable(why) => Self::Unavailable(why),
            Failure::NotFound(why) | Failure::Malformed(why) => Self::Malformed(why),
        }
    }
}

/// What zou said in an error, shortened.
fn message(body: &[u8]) -> String {
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    let text = parsed.as_ref().and_then(|said| said.get("message").or_else(|| said.get("msg"))).and_then(Value::as_str);
    text.map(|text| format!(", {}", text.chars().take(200).collect::<String>())).unwrap_or_default()
}

/// Whether the body is as zou words its errors (`app/__init__.py`, 1.0.97).
fn is_zous_error(body: &[u8]) -> bool {
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    parsed.is_some_and(|said| said.get("error") == Some(&Value::Bool(true)))
}
