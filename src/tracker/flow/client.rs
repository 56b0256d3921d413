//! Asks a Flow site over REST: token, deadlines, retries, bounds. Says what went wrong and how to mend it; never says the
//! key or a token.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::RwLock;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, RequestBuilder, StatusCode, Url};
use serde_json::Value as Json;

use super::answer::{self, Row};
use super::search::Search;
use super::token::{Held, Pass};
use crate::tracker::SourceError;
use crate::tracker::backoff::Backoff;
use crate::tracker::http::{self, Broken, Clock, causes};
use crate::tracker::probe::Pace;
use crate::tracker::secret::{Secret, TokenSource, Words};

const READ: Duration = Duration::from_secs(60);
const WHOLE: Duration = Duration::from_secs(180);
const TRIES: u32 = 3;
const JSON: &str = "application/json";
/// Conditions as a group of triples.
const HASH: &str = "application/vnd+shotgun.api3_hash+json";
const FORM: &str = "application/x-www-form-urlencoded";
const MEND_KEY: &str = "give the name and the key of a script user of the site in tracker.flow.script_name and \
                        tracker.flow.script_key_file";

/// What the script's role must be like.
pub(super) const MEND_ROLE: &str = "give the script user a permission role that sees all types, all fields and all \
                                    projects, for example API Admin";

/// The REST side of one site, as one caller.
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    script: Arc<str>,
    key: Arc<Secret>,
    /// The login of the person in whose name the script asks.
    person: Option<String>,
    pass: Pass,
    clock: Clock,
    /// Keeps its requests apart, each try and each token's too.
    pace: Option<Arc<Pace>>,
    /// When the site last answered a question that needs the token; `None` since it failed to.
    answered: RwLock<Option<Instant>>,
}

/// Why the site did not answer as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// There is no such row, type or route.
    NotFound(String),
    /// The question itself is not accepted, however often it is asked.
    Invalid(String),
    /// The script may not do this.
    Refused(String),
    /// No answer, or one that says "later".
    Unavailable(String),
    /// The site failed to answer this question; asking again at once would only add to its load.
    Failed(String),
    /// More was told than is taken at once.
    TooLarge(String),
    /// An answer that is no answer to this question.
    Malformed(String),
    /// The token that was sent is not accepted.
    Token(String),
    /// Nor is the key.
    Key(String),
}

// === impl Client ===

impl Client {
    /// A client of the site at `base`.
    pub(super) fn new(base: Url, script: &str, key: TokenSource) -> Result<Self, SourceError> {
        let http = http::client(READ, WHOLE)?;
        let words = Words { name: "script key", place: "tracker.flow.script_key", mend: MEND_KEY };
        Ok(Self {
            http,
            base,
            script: Arc::from(script),
            key: Arc::new(Secret::new(key, words)),
            person: None,
            pass: Pass::default(),
            clock: Clock::default(),
            pace: None,
            answered: RwLock::default(),
        })
    }

    /// The same, which sends no more than that.
    #[must_use]
    pub(super) fn paced(self, pace: Pace) -> Self {
        Self { pace: Some(Arc::new(pace)), ..self }
    }

    /// The same site, asked by the same script in the name of the person with this login: it may what that person may.
    pub(super) fn as_person(&self, login: &str) -> Self {
        Self {
            http: self.http.clone(),
            base: self.base.clone(),
            script: Arc::clone(&self.script),
            key: Arc::clone(&self.key),
            person: Some(login.to_owned()),
            pass: Pass::default(),
            clock: Clock::default(),
            pace: self.pace.clone(),
            answered: RwLock::default(),
        }
    }

    /// One page of rows. Tried a few times where that can help.
    pub(super) async fn search(&self, search: &Search<'_>) -> Result<Vec<Row>, Failure> {
        let path = format!("entity/{}/_search", search.kind());
        let answer = self.asked(Method::POST, &path, Some((HASH, &search.body()))).await?;
        answer::rows(&path, answer)
    }

    /// The answer to `GET path`. Tried a few times where that can help.
    pub(super) async fn get(&self, path: &str) -> Result<Json, Failure> {
        self.asked(Method::GET, path, None).await
    }

    /// What the site says of itself to everybody.
    pub(super) async fn greet(&self) -> Result<Json, Failure> {
        retried("the site", || self.once("the site", self.http.get(self.address("")).header(ACCEPT, JSON))).await
    }

    /// When the site last answered a question that needs the token; `None` where one has failed since.
    pub(super) fn answered(&self) -> Option<Instant> {
        *self.answered.read()
    }

    /// The name of the script.
    pub(super) fn script(&self) -> &str {
        &self.script
    }

    /// The same moment on the site's clock, in seconds since 1970.
    pub(super) fn on_its_clock(&self, at: SystemTime) -> i64 {
        self.clock.theirs(at)
    }

    async fn asked(&self, method: Method, path: &str, body: Option<(&str, &Json)>) -> Result<Json, Failure> {
        retried(path, || self.with_token(&method, path, body)).await
    }

    /// Sends the request, and once more with another token where the first is not accepted.
    async fn with_token(&self, method: &Method, path: &str, body: Option<(&str, &Json)>) -> Result<Json, Failure> {
        let mut renewed = false;
        loop {
            let token = self.token().await?;
            let outcome = self.once(path, self.request(method, path, body, &token)?).await;
            match &outcome {
                Ok(_) => *self.answered.write() = Some(Instant::now()),
                Err(Failure::NotFound(_) | Failure::Invalid(_) | Failure::TooLarge(_)) => {}
                Err(_) => *self.answered.write() = None,
            }
            match outcome {
                Err(Failure::Token(_)) if !renewed => {
                    self.pass.drop(&token);
                    renewed = true;
                }
                Err(Failure::Token(said)) => return Err(Failure::Key(format!("{said}; {MEND_KEY}"))),
                Err(Failure::Refused(said)) if self.person.is_none() => {
                    return Err(Failure::Refused(format!("{said}; {MEND_ROLE}")));
                }
                outcome => return outcome,
            }
        }
    }

    fn request(
        &self,
        method: &Method,
        path: &str,
        body: Option<(&str, &Json)>,
        token: &str,
    ) -> Result<RequestBuilder, Failure> {
        let mut bearer = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| Failure::Malformed("the site's token has characters that no token has".into()))?;
        bearer.set_sensitive(true);
        let request = self.http.request(method.clone(), self.address(path));
        let request = request.header(AUTHORIZATION, bearer).header(ACCEPT, JSON);
        Ok(match body {
            Some((kind, body)) => request.header(CONTENT_TYPE, kind).body(body.to_string()),
            None => request,
        })
    }

    /// A token that counts; fetched by one caller at a time.
    pub(super) async fn token(&self) -> Result<Arc<str>, Failure> {
        if let Some(fresh) = self.pass.fresh() {
            return Ok(fresh);
        }
        let _fetching = match (self.pass.fetching.try_lock(), self.pass.valid()) {
            (Ok(fetching), _) => fetching,
            (Err(_), Some(valid)) => return Ok(valid),
            (Err(_), None) => self.pass.fetching.lock().await,
        };
        if let Some(fresh) = self.pass.fresh() {
            return Ok(fresh);
        }
        let mut rotated = false;
        loop {
            let key = self.key.get().await.map_err(Failure::Key)?;
            match self.exchange(&key).await {
                Ok(held) => return Ok(self.pass.hold(held)),
                Err(Failure::Key(_)) if !rotated && self.key.reload(&key).await.map_err(Failure::Key)? => {
                    rotated = true;
                }
                Err(failure) => {
                    *self.answered.write() = None;
                    return Err(failure);
                }
            }
        }
    }

    async fn exchange(&self, key: &str) -> Result<Held, Failure> {
        const PATH: &str = "auth/access_token";
        let scope = self.person.as_ref().map(|login| format!("sudo_as_login:{login}"));
        let mut form = vec![("grant_type", "client_credentials"), ("client_id", &*self.script), ("client_secret", key)];
        form.extend(scope.as_deref().map(|scope| ("scope", scope)));
        // Written as an address's query is, and sent as a body: addresses are logged.
        let mut written = self.base.clone();
        written.set_query(None);
        written.query_pairs_mut().extend_pairs(form);
        let written = written.query().unwrap_or_default().to_owned();
        let request = self.http.post(self.address(PATH)).header(ACCEPT, JSON).header(CONTENT_TYPE, FORM).body(written);
        let asked = tokio::time::Instant::now();
        match self.once(PATH, request).await {
            Ok(answer) => {
                let why = "auth/access_token: the answer has no access_token";
                let held = Held::given(&answer, asked).ok_or_else(|| Failure::Malformed(why.into()))?;
                match &self.person {
                    Some(login) if held.acts_as().as_deref() != Some(login) => Err(Failure::Refused(format!(
                        "the site gave a token that does not say that it acts as {login}: nothing is asked with it"
                    ))),
                    _ => Ok(held),
                }
            }
            Err(Failure::Token(said) | Failure::Invalid(said) | Failure::Refused(said)) => {
                let mend = match &self.person {
                    None => MEND_KEY.to_owned(),
                    Some(login) => format!(
                        "the script's role must have \"act as another user\", and the person with the login {login} must \
                         be active and allow it (can_impersonate_this_user)"
                    ),
                };
                Err(Failure::Key(format!("{said}; {mend}")))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Whatever the site answers to a request that is sent once. Nothing that it says about the caller's rights is a failure.
    pub(super) async fn answer(&self, path: &str, body: &Json) -> Result<(StatusCode, Json), Failure> {
        let kind = if path.ends_with("/_search") { HASH } else { JSON };
        let token = self.token().await?;
        let (status, body) = self.sent(path, self.request(&Method::POST, path, Some((kind, body)), &token)?).await?;
        if status == StatusCode::UNAUTHORIZED {
            self.pass.drop(&token);
        }
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }

    async fn once(&self, what: &str, request: RequestBuilder) -> Result<Json, Failure> {
        let (status, body) = self.sent(what, request).await?;
        if status == StatusCode::NO_CONTENT {
            return Ok(Json::Null);
        }
        answer::json(what, status, &body)
    }

    async fn sent(&self, what: &str, request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), Failure> {
        let unreachable =
            |error| Failure::Unavailable(format!("{what}: the site cannot be reached: {}", causes(&error)));
        if let Some(pace) = &self.pace {
            pace.turn().await;
        }
        let answer = request.send().await.map_err(unreachable)?;
        self.clock.note(&answer);
        let status = answer.status();
        let body = http::body(answer).await.map_err(|broken| match &broken {
            Broken::TooLarge => Failure::TooLarge(format!("{what}: {broken}")),
            Broken::Off(_) => Failure::Unavailable(format!("{what}: {broken}")),
        })?;
        Ok((status, body))
    }

    fn address(&self, path: &str) -> Url {
        http::below(&self.base, format!("api/v1/{path}").trim_end_matches('/'))
    }
}

/// Asks a few times, a little later each time, where no answer came.
async fn retried<F>(what: &str, ask: impl Fn() -> F) -> Result<Json, Failure>
where
    F: Future<Output = Result<Json, Failure>>,
{
    let mut backoff = Backoff::new(Duration::from_millis(300), Duration::from_secs(2));
    let mut tries = 0;
    loop {
        tries += 1;
        match ask().await {
            Err(Failure::Unavailable(why)) if tries < TRIES => {
                tracing::debug!(what, tries, why, "asking Flow again");
                tokio::time::sleep(backoff.delay()).await;
            }
            outcome => return outcome,
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({} at {})", self.script, self.base)
    }
}

// === impl Failure ===

impl Failure {
    /// Whether the site answers others, but not this question about this type.
    pub(super) fn is_about_the_type(&self) -> bool {
        matches!(self, Self::NotFound(_) | Self::Invalid(_) | Self::Refused(_))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::NotFound(why)
        | Self::Invalid(why)
        | Self::Refused(why)
        | Self::Unavailable(why)
        | Self::Failed(why)
        | Self::TooLarge(why)
        | Self::Malformed(why)
        | Self::Token(why)
        | Self::Key(why)) = self;
        f.write_str(why)
    }
}

impl From<Failure> for SourceError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(why) | Failure::Token(why) | Failure::Key(why) | Failure::Invalid(why) => {
                Self::Refused(why)
            }
            Failure::Unavailable(why) | Failure::Failed(why) => Self::Unavailable(why),
            Failure::NotFound(why) | Failure::TooLarge(why) | Failure::Malformed(why) => Self::Malformed(why),
        }
    }
}
