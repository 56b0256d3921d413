//! `stagedoor.ingest.v1`: normalised records as a stream, for trackers of which stagedoor knows nothing.
//!
//! Invariant: each request gets one response, in order; a refused one changes nothing and does not end the stream.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, Shared};
use futures_util::stream::{self, BoxStream};
use http::HeaderMap;
use prost::Message as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Code, Request, Response, Status, Streaming};

use super::convert::Reader;
use super::feed::{Accepted, Feed, Push, Refused, Step};
use super::guard::{Guard, NotLetIn};
use crate::model::change::Change;
use crate::model::id::Str;
use crate::model::schema::Schema;
use crate::proto::ingest_v1 as wire;
use crate::proto::ingest_v1::ingest_server::{Ingest, IngestServer};
use crate::proto::ingest_v1::push_request::Body;

/// The largest request, in bytes.
const MAX_MESSAGE: usize = 4 * 1024 * 1024;
/// The largest snapshot, all of its requests taken together.
const MAX_SNAPSHOT: usize = 64 * 1024 * 1024;
/// The longest id of a request, in bytes.
const LONGEST_ID: usize = 200;

/// How long the next part of a snapshot is waited for.
const SILENCE: Duration = Duration::from_secs(60);
/// How many snapshots are gathered at once.
const GATHERED: usize = 4;

/// Is there once the server is about to end.
pub type Ending = Shared<BoxFuture<'static, ()>>;

/// What records may speak of: the words of the policy in force.
#[derive(Clone, Debug)]
pub struct Words {
    pub pack: Str,
    pub schema: Arc<Schema>,
    pub roles: Vec<Str>,
}

/// The service.
#[derive(Debug)]
pub struct Service {
    feed: Arc<Feed>,
    guard: Guard,
    words: Arc<Words>,
    room: Arc<Semaphore>,
    ending: Ending,
}

/// One stream of requests.
struct Pushing {
    requests: Streaming<wire::PushRequest>,
    guard: Guard,
    headers: HeaderMap,
    feed: Arc<Feed>,
    words: Arc<Words>,
    snapshot: Option<Gathering>,
    room: Arc<Semaphore>,
    ending: Ending,
}

/// A snapshot that is not whole yet.
#[derive(Debug, Default)]
struct Gathering {
    revision: u64,
    changes: Vec<Change>,
    bytes: usize,
    /// Why it cannot be applied, when it is whole.
    refused: bool,
    _room: Option<OwnedSemaphorePermit>,
}

/// What became of a request.
enum Done {
    Applied,
    Replayed,
    Received,
}

// === impl Service ===

impl Service {
    /// Pushes into `feed` what `guard` lets in and `words` can say.
    pub fn server(feed: Arc<Feed>, guard: Guard, words: Words, ending: Ending) -> IngestServer<Self> {
        let room = Arc::new(Semaphore::new(GATHERED));
        let service = Self { feed, guard, words: Arc::new(words), room, ending };
        IngestServer::new(service).max_decoding_message_size(MAX_MESSAGE)
    }
}

#[tonic::async_trait]
impl Ingest for Service {
    type PushStream = BoxStream<'static, Result<wire::PushResponse, Status>>;

    async fn push(&self, request: Request<Streaming<wire::PushRequest>>) -> Result<Response<Self::PushStream>, Status> {
        let headers = request.metadata().as_ref().clone();
        self.guard.lets_in(&headers).await.map_err(not_let_in)?;
        let pushing = Pushing {
            guard: self.guard.clone(),
            headers,
            requests: request.into_inner(),
            feed: Arc::clone(&self.feed),
            words: Arc::clone(&self.words),
            snapshot: None,
            room: Arc::clone(&self.room),
            ending: self.ending.clone(),
        };
        Ok(Response::new(stream::unfold(Some(pushing), Pushing::next).boxed()))
    }
}

// === impl Pushing ===

impl Pushing {
    async fn next(this: Option<Self>) -> Option<(Result<wire::PushResponse, Status>, Option<Self>)> {
        let mut this = this?;
        let request = tokio::select! {
            biased;
            request = this.requests.next() => request?,
            () = this.ending.clone() => Err(Status::unavailable("the server is shutting down; push elsewhere or a little later")),
            () = tokio::time::sleep(SILENCE), if this.snapshot.is_some() => {
                Err(Status::deadline_exceeded("the next part of the snapshot did not come within 60 s"))
            }
        };
        // A token that was taken back ends its streams too.
        let request = match this.guard.lets_in(&this.headers).await {
            Ok(()) => request,
            Err(refusal) => Err(not_let_in(refusal)),
        };
        match request {
            Ok(request) => Some((Ok(this.answered(request).await), Some(this))),
            // What cannot be decoded leaves nothing to go on from.
            Err(status) => Some((Err(status), None)),
        }
    }

    async fn answered(&mut self, request: wire::PushRequest) -> wire::PushResponse {
        let bytes = request.encoded_len();
        let wire::PushRequest { id, revision, body } = request;
        let outcome = self.request(&id, revision, body, bytes).await;
        let mut response =
            wire::PushResponse { id, revision, held: self.feed.revision().unwrap_or_default(), ..Default::default() };
        match outcome {
            Ok(Done::Applied) => response.set_outcome(wire::Outcome::Applied),
            Ok(Done::Replayed) => response.set_outcome(wire::Outcome::Replayed),
            Ok(Done::Received) => response.set_outcome(wire::Outcome::Received),
            Err(refused) => {
                tracing::warn!(error = %refused, revision, "a push is refused");
                response.set_outcome(wire::Outcome::Refused);
                response.snapshot_wanted = refused.wants_snapshot();
                response.problems = match refused {
                    Refused::Invalid(problems) => problems,
                    other => vec![other.to_string()],
                };
            }
        }
        response
    }

    async fn request(&mut self, id: &str, revision: u64, body: Option<Body>, bytes: usize) -> Result<Done, Refused> {
        match body {
            Some(Body::SnapshotBegin(wire::SnapshotBegin { pack })) => {
                // What was begun before and not ended is given up.
                self.snapshot = Some(Gathering { revision, refused: true, ..Gathering::default() });
                if self.words.pack != pack {
                    return invalid(format!(
                        "these are records for the pack `{pack}`, and `{}` is in force",
                        self.words.pack
                    ));
                }
                let room = Arc::clone(&self.room).try_acquire_owned().map_err(|_| Refused::Busy)?;
                self.snapshot = Some(Gathering { revision, _room: Some(room), ..Gathering::default() });
                Ok(Done::Received)
            }
            Some(Body::Changes(changes)) => match self.snapshot.take() {
                Some(gathering) => {
                    let (gathering, outcome) = gather(gathering, changes, bytes, &self.words);
                    self.snapshot = Some(gathering);
                    outcome
                }
                None => self.delta(id, revision, changes).await,
            },
            Some(Body::SnapshotEnd(wire::SnapshotEnd {})) => self.whole(revision).await,
            Some(Body::Heartbeat(wire::Heartbeat {})) => {
                self.feed.push(|| Ok(()), |push, ()| push.heartbeat()).await.map(|_| Done::Applied)
            }
            None => invalid("a request says one of snapshot_begin, changes, snapshot_end and heartbeat"),
        }
    }

    async fn delta(&self, id: &str, revision: u64, changes: wire::Changes) -> Result<Done, Refused> {
        if id.is_empty() || id.len() > LONGEST_ID {
            return invalid(format!("`id` has between 1 and {LONGEST_ID} bytes"));
        }
        let (id, words) = (id.to_owned(), Arc::clone(&self.words));
        let parse = move || read(changes, &words);
        let apply = move |push: &mut Push<'_>, changes: Vec<Change>| {
            if push.step(&id, revision)? == Step::Next {
                changes.iter().for_each(|change| push.change(change.clone()));
                return fitting(push.store().dangling(&changes));
            }
            Ok(())
        };
        let Accepted { replayed, .. } = self.feed.push(parse, apply).await?;
        Ok(if replayed > 0 { Done::Replayed } else { Done::Applied })
    }

    async fn whole(&mut self, revision: u64) -> Result<Done, Refused> {
        let Some(Gathering { revision: begun, changes, bytes: _, refused, _room }) = self.snapshot.take() else {
            return invalid("no snapshot was begun");
        };
        if refused {
            return invalid("parts of this snapshot were refused, so nothing of it is applied; begin it again");
        }
        if revision != begun {
            return invalid(format!("the snapshot began with revision {begun} and ends with {revision}"));
        }
        let apply = move |push: &mut Push<'_>, changes: Vec<Change>| {
            push.replace(revision, &changes)?;
            fitting(push.store().dangling(&changes))
        };
        self.feed.push(move || Ok(changes), apply).await?;
        Ok(Done::Applied)
    }
}

fn not_let_in(refusal: NotLetIn) -> Status {
    let code = match refusal {
        NotLetIn::Missing | NotLetIn::Wrong => Code::Unauthenticated,
        NotLetIn::Unreadable => Code::Unavailable,
    };
    Status::new(code, refusal.to_string())
}

fn invalid<T>(problem: impl Into<String>) -> Result<T, Refused> {
    Err(Refused::Invalid(vec![problem.into()]))
}

fn fitting(problems: Vec<String>) -> Result<(), Refused> {
    if problems.is_empty() { Ok(()) } else { Err(Refused::Invalid(problems)) }
}

fn read(changes: wire::Changes, words: &Words) -> Result<Vec<Change>, Refused> {
    let mut reader = Reader { schema: &words.schema, roles: &words.roles, problems: Vec::new() };
    let changes = reader.changes(changes);
    fitting(reader.problems).map(|()| changes)
}

/// One more part of a snapshot. Where one is refused, the rest is not kept.
fn gather(
    mut gathering: Gathering,
    changes: wire::Changes,
    bytes: usize,
    words: &Words,
) -> (Gathering, Result<Done, Refused>) {
    gathering.bytes = gathering.bytes.saturating_add(bytes);
    let outcome = if gathering.refused {
        invalid("an earlier part of this snapshot was refused; begin it again")
    } else if gathering.bytes > MAX_SNAPSHOT {
        invalid(format!("the snapshot has more than {MAX_SNAPSHOT} bytes"))
    } else {
        read(changes, words).map(|mut changes| gathering.changes.append(&mut changes))
    };
    if outcome.is_err() {
        gathering = Gathering { revision: gathering.revision, refused: true, ..Gathering::default() };
    }
    (gathering, outcome.map(|()| Done::Received))
}
