//! Takes the site's webhooks: `POST /v1/sources/flow/webhook`. What they say is never taken for data; the log is only
//! looked at sooner, for the event that they name.
//!
//! ```text
//! path ─► type ─► size ─► body, bounded ─► signature ─► the log is looked at ─► answer
//! ```
//!
//! A signature covers the body and no time, so a body may be sent again by anybody who saw it: an event that was told
//! already does nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use futures_util::StreamExt as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use sha1::Sha1;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Flow, Site};
use crate::tracker::ingest::guard::{NotLetIn, Token};

const PATH: &str = "/v1/sources/flow/webhook";
const SIGNATURE: &str = "x-sg-signature";
/// Flow leaves values out of a delivery beyond one MiB, and sends at most fifty at once.
const MOST_BYTES: usize = 4 << 20;
/// How many bodies are read at once, and how long one may take.
const AT_ONCE: usize = 16;
const WHOLE: Duration = Duration::from_secs(5);
/// How many deliveries of a body are looked at.
const MOST: usize = 1_000;
/// How long another refusal is not worth a line.
const HUSH: Duration = Duration::from_secs(10);

/// What a delivery needs.
#[derive(Clone, Debug)]
struct Door {
    site: Arc<Site>,
    token: Arc<Token>,
    reading: Arc<Semaphore>,
    refused: Arc<Mutex<Refused>>,
}

/// How many deliveries were refused, and when that was last said.
#[derive(Debug, Default)]
struct Refused {
    times: u64,
    said: Option<Instant>,
}

/// Why a delivery is answered with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Problem {
    #[error("there is nothing here; webhooks are taken at POST {PATH}")]
    NotFound,
    #[error("use POST here")]
    Method,
    #[error(
        "the delivery is not signed: give the webhook a secret token in Flow, the content of the server's `token_file`"
    )]
    Unsigned,
    #[error(
        "the signature is not that of the server's token: give the webhook the same secret token in Flow as in `token_file`"
    )]
    Wrong,
    #[error("the server cannot read its `token_file`; nobody is let in until it can")]
    Unreadable,
    #[error("the body has more than {MOST_BYTES} bytes")]
    TooLarge,
    #[error("the body did not come whole, or not in time")]
    Cut,
    #[error("too many deliveries at once")]
    Busy,
}

/// What the site calls.
pub fn router(flow: Flow, token: Token) -> Router {
    let door = Door {
        site: flow.site,
        token: Arc::new(token),
        reading: Arc::new(Semaphore::new(AT_ONCE)),
        refused: Arc::default(),
    };
    Router::new().fallback(answer).with_state(door)
}

async fn answer(State(door): State<Door>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match door.taken(&parts.method, parts.uri.path(), &parts.headers, body).await {
        Ok(()) => status(StatusCode::NO_CONTENT, Body::empty()),
        Err(problem) => door.refuse(problem),
    }
}

/// The events of the log that a body names, whatever it is.
fn named(body: &[u8]) -> Vec<u64> {
    let Ok(whole) = serde_json::from_slice::<Json>(body) else { return Vec::new() };
    let Some(data) = whole.get("data") else { return Vec::new() };
    let many = data.get("deliveries").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let all = many.iter().take(MOST).chain(std::iter::once(data));
    all.filter_map(|delivery| delivery.get("event_log_entry_id")?.as_u64()).filter(|id| *id > 0).collect()
}

/// Whether the header is the signature of the body with this token.
fn is_signed(header: &str, token: &[u8], body: &[u8]) -> bool {
    let Some(digest) = header.strip_prefix("sha1=").and_then(bytes) else { return false };
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(token) else { return false };
    mac.update(body);
    // Takes the same time wherever the two differ.
    mac.verify_slice(&digest).is_ok()
}

/// The bytes of a hexadecimal SHA-1 digest.
fn bytes(hex: &str) -> Option<[u8; 20]> {
    let digits: &[u8; 40] = hex.as_bytes().try_into().ok()?;
    let mut digest = [0; 20];
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        let mut digits = pair.iter().map(|digit| char::from(*digit).to_digit(16));
        let (high, low) = (digits.next()??, digits.next()??);
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(digest)
}

// === impl Door ===

impl Door {
    async fn taken(&self, method: &Method, path: &str, headers: &HeaderMap, body: Body) -> Result<(), Problem> {
        if path != PATH {
            return Err(Problem::NotFound);
        }
        if *method != Method::POST {
            return Err(Problem::Method);
        }
        let signature = headers.get(SIGNATURE).and_then(|value| value.to_str().ok()).ok_or(Problem::Unsigned)?;
        let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|bytes| bytes > MOST_BYTES) {
            return Err(Problem::TooLarge);
        }
        let _reading = self.reading.try_acquire().map_err(|_| Problem::Busy)?;
        let body = timeout(WHOLE, whole(body)).await.map_err(|_| Problem::Cut)??;
        let token = self.token.read().await.map_err(|why| match why {
            NotLetIn::Unreadable => Problem::Unreadable,
            NotLetIn::Missing | NotLetIn::Wrong => Problem::Wrong,
        })?;
        if !is_signed(signature, &token, &body) {
            return Err(Problem::Wrong);
        }
        let named = named(&body);
        let news = named.iter().filter(|id| self.site.feed.expect(**id)).count();
        tracing::debug!(events = named.len(), news, "a webhook of Flow");
        Ok(())
    }

    fn refuse(&self, problem: Problem) -> Response {
        let code = problem.status();
        let times = {
            let mut refused = self.refused.lock();
            refused.times += 1;
            let is_said = refused.said.is_some_and(|at| at.elapsed() < HUSH);
            if !is_said {
                refused.said = Some(Instant::now());
            }
            (!is_said).then_some(refused.times)
        };
        if let Some(times) = times {
            tracing::warn!(status = code.as_u16(), error = %problem, times, "a webhook is refused");
        }
        let mut response = status(code, Body::from(format!("{}\n", json!({"error": problem.to_string()}))));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if problem == Problem::Method {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        }
        response
    }
}

/// A body, if it is not too large.
async fn whole(body: Body) -> Result<Vec<u8>, Problem> {
    let mut data = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = data.next().await {
        let chunk = chunk.map_err(|_| Problem::Cut)?;
        if bytes.len().saturating_add(chunk.len()) > MOST_BYTES {
            return Err(Problem::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn status(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

// === impl Problem ===

impl Problem {
    /// The table.
    fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unsigned => StatusCode::UNAUTHORIZED,
            Self::Wrong => StatusCode::FORBIDDEN,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Cut => StatusCode::BAD_REQUEST,
            Self::Unreadable | Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

#[cfg(test)]
mod tests;
