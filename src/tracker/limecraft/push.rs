//! The push door: `PUT /v1/sources/limecraft/snapshot` and `POST /v1/sources/limecraft/events`.
//!
//! ```text
//! path ─► token ─► type ─► size ─► body, bounded ─► Feed ─► the mirror has it ─► answer
//! ```
//!
//! Invariant: a body that is too large is never held in memory, and nobody's without the token is.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::extract::{Request, State};
use axum::response::Response;
use futures_util::StreamExt as _;
use http::header::{ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::json;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::{Limecraft, apply_snapshot, document, events, parse_snapshot};
use crate::tracker::ingest::feed::{Accepted, Refused};
use crate::tracker::ingest::guard::{Guard, NotLetIn};

/// How many bodies are read at once.
const AT_ONCE: usize = 4;
/// How long a sender may be silent in the middle of a body, and how long a whole body may take.
const SILENCE: Duration = Duration::from_secs(10);
const WHOLE: Duration = Duration::from_secs(120);
/// How much of a body that is too large is read and dropped, so that its sender comes to read the answer.
const DROPPED: usize = 256 * 1024 * 1024;

/// What both paths need.
#[derive(Clone, Debug)]
struct Door {
    source: Limecraft,
    guard: Guard,
    reading: Arc<Semaphore>,
}

/// Why a request is answered with an error.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("there is nothing here; PUT /v1/sources/limecraft/snapshot or POST /v1/sources/limecraft/events")]
    NotFound,
    #[error("use {allowed} here")]
    Method { allowed: &'static str },
    #[error(transparent)]
    NotLetIn(#[from] NotLetIn),
    #[error("the body must be JSON: send it with `content-type: application/json`, and not compressed")]
    Type,
    #[error("the body has more than {limit} bytes, which is the most that is accepted here{hint}")]
    TooLarge { limit: usize, hint: &'static str },
    #[error("the rest of the body did not come in time")]
    Late,
    #[error("the body ended before it was whole")]
    Cut,
    #[error("byte {0} of the body is not UTF-8; send the JSON as UTF-8")]
    Encoding(usize),
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// What can be pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Snapshot,
    Events,
}

/// The HTTP side of the door.
pub fn router(source: Limecraft, guard: Guard) -> Router {
    let door = Door { source, guard, reading: Arc::new(Semaphore::new(AT_ONCE)) };
    Router::new().fallback(answer).with_state(door)
}

async fn answer(State(door): State<Door>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match door.pushed(&parts.method, parts.uri.path(), &parts.headers, body).await {
        Ok(Accepted { revision, applied, replayed, ignored }) => {
            let told = json!({"revision": revision, "applied": applied, "replayed": replayed, "ignored": ignored});
            response(StatusCode::OK, &told)
        }
        Err(problem) => problem.into_response(),
    }
}

// === impl Door ===

impl Door {
    async fn pushed(&self, method: &Method, path: &str, headers: &HeaderMap, body: Body) -> Result<Accepted, Problem> {
        let (what, wanted) = match path {
            "/v1/sources/limecraft/snapshot" => (What::Snapshot, Method::PUT),
            "/v1/sources/limecraft/events" => (What::Events, Method::POST),
            _ => return Err(Problem::NotFound),
        };
        if *method != wanted {
            return Err(Problem::Method { allowed: if what == What::Snapshot { "PUT" } else { "POST" } });
        }
        self.guard.lets_in(headers).await?;
        if !is_json(headers) {
            return Err(Problem::Type);
        }
        let (text, _reading) = self.body(what, headers, body).await?;
        let feed = self.source.feed();
        let accepted = match what {
            What::Snapshot => {
                feed.push(move || parse_snapshot(&text), |push, whole| apply_snapshot(push, &whole)).await?
            }
            What::Events => feed.push(move || Ok(text), |push, text| events::apply(push, &text)).await?,
        };
        Ok(accepted)
    }

    async fn body(
        &self,
        what: What,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<(String, SemaphorePermit<'_>), Problem> {
        let limit = what.limit();
        let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        let mut data = body.into_data_stream();
        if announced.is_some_and(|bytes| bytes > limit) {
            drop_rest(&mut data).await;
            return Err(what.too_large());
        }
        let Ok(Ok(reading)) = timeout(WHOLE, self.reading.acquire()).await else {
            return Err(Refused::Busy.into());
        };
        let whole = async {
            let mut bytes = Vec::new();
            while let Some(chunk) = timeout(SILENCE, data.next()).await.map_err(|_| Problem::Late)? {
                let chunk = chunk.map_err(|_| Problem::Cut)?;
                if bytes.len().saturating_add(chunk.len()) > limit {
                    return Err(what.too_large());
                }
                bytes.extend_from_slice(&chunk);
            }
            Ok(bytes)
        };
        let read = timeout(WHOLE, whole).await.map_err(|_| Problem::Late).flatten();
        if let Err(Problem::TooLarge { .. }) = read {
            drop_rest(&mut data).await;
        }
        let text = String::from_utf8(read?);
        Ok((text.map_err(|error| Problem::Encoding(error.utf8_error().valid_up_to()))?, reading))
    }
}

/// Reads on without keeping anything: whoever still sends does not look for an answer.
async fn drop_rest(data: &mut BodyDataStream) {
    let dropping = async {
        let mut dropped = 0_usize;
        while let Some(Ok(chunk)) = data.next().await {
            dropped = dropped.saturating_add(chunk.len());
            if dropped > DROPPED {
                return;
            }
        }
    };
    let _answered_anyway = timeout(SILENCE, dropping).await;
}

fn is_json(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(HeaderValue::as_bytes).unwrap_or_default();
    let essence = text(CONTENT_TYPE).split(|byte| *byte == b';').next().unwrap_or_default();
    let plain = matches!(text(CONTENT_ENCODING), b"" | b"identity");
    plain && essence.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

// === impl What ===

impl What {
    fn limit(self) -> usize {
        match self {
            Self::Snapshot => document::MAX_BYTES,
            Self::Events => events::MAX_BYTES,
        }
    }

    fn too_large(self) -> Problem {
        let hint = match self {
            Self::Snapshot => "",
            Self::Events => "; send fewer events at once, or a snapshot",
        };
        Problem::TooLarge { limit: self.limit(), hint }
    }
}

// === impl Problem ===

impl Problem {
    /// The table.
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotLetIn(NotLetIn::Missing | NotLetIn::Wrong) => StatusCode::UNAUTHORIZED,
            Self::NotLetIn(NotLetIn::Unreadable) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Type => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Late => StatusCode::REQUEST_TIMEOUT,
            Self::Cut | Self::Encoding(_) | Self::Refused(Refused::Invalid(_)) => StatusCode::BAD_REQUEST,
            Self::Refused(Refused::Gap { .. } | Refused::Lost { .. } | Refused::Empty | Refused::Older { .. }) => {
                StatusCode::CONFLICT
            }
            Self::Refused(Refused::Busy | Refused::Slow { .. } | Refused::Failed(_)) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn into_response(self) -> Response {
        let status = self.status();
        let error = self.to_string();
        let mut told = json!({ "error": error });
        if let (Self::Refused(refused), Some(fields)) = (&self, told.as_object_mut()) {
            if let Refused::Invalid(problems) = refused {
                fields.insert("problems".to_owned(), json!(problems));
            }
            if let Some(revision) = refused.held() {
                fields.insert("revision".to_owned(), json!(revision));
            }
            if let Refused::Gap { got, .. } | Refused::Older { got, .. } = refused {
                fields.insert("got".to_owned(), json!(got));
            }
            if refused.wants_snapshot() {
                fields.insert("snapshot_wanted".to_owned(), json!(true));
            }
        }
        tracing::warn!(status = status.as_u16(), error, "a push is refused");
        let mut response = response(status, &told);
        let headers = response.headers_mut();
        match self {
            Self::NotLetIn(_) => drop(headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
            Self::Method { allowed } => drop(headers.insert(ALLOW, HeaderValue::from_static(allowed))),
            _ => {}
        }
        response
    }
}

fn response(status: StatusCode, told: &serde_json::Value) -> Response {
    let mut response = Response::new(Body::from(format!("{told}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
