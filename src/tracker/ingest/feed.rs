//! One pushed source: its state, its revision, who listens to it, and the rules for every push.
//!
//! ```text
//! push ─► parse ─► transaction on the store ─► signal to the supervisor ─► receipt ─► answer
//! ```
//!
//! Invariant: a push is applied as a whole or not at all, and a refused one leaves the state as it was.
//! Invariant: revisions follow each other without a gap; after a gap the source is lost until a snapshot comes.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use parking_lot::Mutex;
use rustc_hash::FxHashSet;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::recent::Recent;
use super::store::{Former, MOST, Store};
use crate::model::change::{Change, Snapshot};
use crate::model::id::{ObjectRef, Str};
use crate::model::schema::Schema;
use crate::tracker::receipt::Receipt;
use crate::tracker::{Scope, Signal};

/// How long a push waits for its turn, and then for the mirror.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the answer to a gap waits for the source to be degraded.
const LOSING: Duration = Duration::from_secs(1);

/// A source that is fed by pushes.
#[derive(Debug)]
pub struct Feed {
    schema: Arc<Schema>,
    state: Mutex<State>,
    /// Held by the push that is worked on.
    turn: Arc<Semaphore>,
    /// Whether there is a whole state that may be listened to.
    ready: watch::Sender<bool>,
}

#[derive(Debug)]
struct State {
    store: Store,
    /// `None` until the first snapshot.
    revision: Option<u64>,
    recent: Recent,
    /// An event was missed: what is held is not what the tracker has.
    lost: bool,
    /// The newest revision that was told of: what is older does not make up for what was missed.
    seen: u64,
    /// What is held is as it was then, a file says; no push has said since that nothing is missing.
    since: Option<SystemTime>,
    listener: Option<mpsc::UnboundedSender<Signal>>,
    /// Who listened until the gap, and is told of it.
    left: Option<mpsc::UnboundedSender<Signal>>,
    /// Pushes that wait for somebody to listen.
    waiting: Vec<Receipt>,
}

/// What an accepted push did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// The revision after it.
    pub revision: u64,
    /// Events, or records of a snapshot, that were applied.
    pub applied: usize,
    /// Events that were known already.
    pub replayed: usize,
    /// Events of a type that bears on nothing.
    pub ignored: usize,
}

/// Why a push is refused. Nothing of it was applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("this cannot be applied: {}", .0.first().map_or("it has problems", String::as_str))]
    Invalid(Vec<String>),
    #[error(
        "revision {got} does not follow {have}: send a snapshot; until then the mirror is degraded and no event is applied"
    )]
    Gap { have: u64, got: u64 },
    #[error("an event after revision {have} was missed: send a snapshot; until then no event is applied")]
    Lost { have: u64 },
    #[error("nothing is held yet: send a snapshot first")]
    Empty,
    #[error(
        "the snapshot's revision {got} is older than {have}, which is held or was told of: send one that is as new"
    )]
    Older { have: u64, got: u64 },
    #[error("other pushes are being worked on: send it again a little later")]
    Busy,
    #[error(
        "revision {revision} is accepted, and the mirror did not take it up in time: it will; nothing need be sent again"
    )]
    Slow { revision: u64 },
    #[error("the push could not be worked on: {0}")]
    Failed(String),
}

/// A push that is being applied to the state.
#[derive(Debug)]
pub struct Push<'s> {
    state: &'s mut State,
    formers: Vec<Former>,
    changes: Vec<Change>,
    ids: Vec<Str>,
    known: FxHashSet<Str>,
    /// The state that a snapshot replaces, and its revision.
    replaced: Option<(Store, Option<u64>)>,
    revision: Option<u64>,
    accepted: Accepted,
    heartbeat: bool,
}

/// Whether an event is to be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Next,
    /// It was applied before.
    Replay,
}

// === impl Refused ===

impl Refused {
    /// The revision that is held, where that matters to the sender.
    pub fn held(&self) -> Option<u64> {
        match self {
            Self::Gap { have, .. } | Self::Lost { have } | Self::Older { have, .. } => Some(*have),
            Self::Slow { revision } => Some(*revision),
            Self::Invalid(_) | Self::Empty | Self::Busy | Self::Failed(_) => None,
        }
    }

    /// Whether only a snapshot helps.
    pub fn wants_snapshot(&self) -> bool {
        matches!(self, Self::Gap { .. } | Self::Lost { .. } | Self::Empty)
    }
}

// === impl Feed ===

impl Feed {
    /// A source that holds nothing yet.
    pub fn new(schema: Arc<Schema>) -> Arc<Self> {
        let state = State {
            store: Store::new(Arc::clone(&schema)),
            revision: None,
            recent: Recent::default(),
            lost: false,
            seen: 0,
            since: None,
            listener: None,
            left: None,
            waiting: Vec::new(),
        };
        Arc::new(Self {
            schema,
            state: Mutex::new(state),
            turn: Arc::new(Semaphore::new(1)),
            ready: watch::Sender::new(false),
        })
    }

    /// The kinds that records can be of.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Works on one push: `parse` without holding anything, then `apply` on the state. Returns once the mirror has it.
    ///
    /// # Errors
    /// Where either refuses, or the mirror does not take it up.
    pub async fn push<P: Send + 'static>(
        self: &Arc<Self>,
        parse: impl FnOnce() -> Result<P, Refused> + Send + 'static,
        apply: impl FnOnce(&mut Push<'_>, P) -> Result<(), Refused> + Send + 'static,
    ) -> Result<Accepted, Refused> {
        let turn = match tokio::time::timeout(PATIENCE, Arc::clone(&self.turn).acquire_owned()).await {
            Ok(Ok(turn)) => turn,
            Ok(Err(_)) | Err(_) => return Err(Refused::Busy),
        };
        let this = Arc::clone(self);
        // The work goes on where whoever sent it has gone, and so does its turn.
        let worked =
            tokio::task::spawn_blocking(move || (parse().and_then(|parsed| this.apply(parsed, None, apply)), turn));
        let (outcome, _turn) = worked.await.map_err(|error| Refused::Failed(error.to_string()))?;
        match outcome {
            Ok((accepted, Some(receipt))) => {
                let taken = tokio::time::timeout(PATIENCE, receipt.acknowledged()).await;
                taken.map(|()| accepted).map_err(|_| Refused::Slow { revision: accepted.revision })
            }
            Ok((accepted, None)) => Ok(accepted),
            Err(refused) => {
                if let Refused::Gap { .. } = refused {
                    let _late = tokio::time::timeout(LOSING, self.deaf()).await;
                }
                Err(refused)
            }
        }
    }

    /// Applies a push to the state and tells whoever listens. Blocks; the receipt is acknowledged by the mirror.
    /// `since`: what is applied is as it was then, and pushes will say what came after.
    ///
    /// # Errors
    /// Where `apply` refuses; everything is then as it was.
    pub fn apply<P>(
        &self,
        parsed: P,
        since: Option<SystemTime>,
        apply: impl FnOnce(&mut Push<'_>, P) -> Result<(), Refused>,
    ) -> Result<(Accepted, Option<Receipt>), Refused> {
        let mut state = self.state.lock();
        let mut push = Push {
            state: &mut state,
            formers: Vec::new(),
            changes: Vec::new(),
            ids: Vec::new(),
            known: FxHashSet::default(),
            replaced: None,
            revision: None,
            accepted: Accepted::default(),
            heartbeat: false,
        };
        let outcome = apply(&mut push, parsed).and_then(|()| push.bounded());
        let outcome = match outcome {
            Ok(()) => Ok(push.commit()),
            Err(refused) => {
                push.undo();
                Err(refused)
            }
        };
        if let Err(Refused::Gap { have, got }) = outcome {
            state.seen = state.seen.max(got);
            state.lose(&format!("revision {got} came after {have}: a snapshot is needed"));
        }
        // Replays alone have no receipt, and prove nothing.
        if let Ok((_, Some(_))) = outcome {
            state.since = since;
            if since.is_some() {
                state.part("a snapshot file was taken up: a push has to say that nothing is missing");
            }
        }
        let ready = state.revision.is_some() && !state.lost && state.since.is_none();
        drop(state);
        self.ready.send_if_modified(|was| std::mem::replace(was, ready) != ready);
        outcome
    }

    /// Listens, where there is a whole state. Whatever changes after this returned is told.
    pub fn listen(&self) -> Option<BoxStream<'static, Signal>> {
        let mut state = self.state.lock();
        if state.lost || state.since.is_some() {
            return None;
        }
        let cursor = state.cursor()?;
        let (sender, receiver) = mpsc::unbounded_channel();
        let told = |receipt| Signal::Told { changes: Vec::new(), cursor: Some(cursor.clone()), receipt };
        let _here = sender.send(told(None));
        for receipt in std::mem::take(&mut state.waiting) {
            let _here = sender.send(told(Some(receipt)));
        }
        state.listener = Some(sender);
        // Another takes over.
        let end = stream::once(async { Signal::Lost("the pushes are heard elsewhere".to_owned()) });
        Some(UnboundedReceiverStream::new(receiver).chain(end).boxed())
    }

    /// Waits until there is a whole state.
    pub async fn ready(&self) {
        // The sender lives as long as this does.
        let mut ready = self.ready.subscribe();
        let _closed = ready.wait_for(|ready| *ready).await;
    }

    /// The revision that is held.
    pub fn revision(&self) -> Option<u64> {
        self.state.lock().revision
    }

    /// Everything that is held; `None` before the first snapshot. Takes its time.
    pub fn snapshot(&self) -> Option<Snapshot> {
        let state = self.state.lock();
        // What is known to be old is not read again as if it were new.
        let age = state.since.map(|since| SystemTime::now().duration_since(since).unwrap_or_default());
        let held = state.revision.filter(|_| !state.lost).map(|_| state.store.snapshot());
        held.map(|held| Snapshot { age: age.unwrap_or_default(), ..held })
    }

    /// Whether what is held is as old as a file says, until a push says more.
    pub fn is_of_a_file(&self) -> bool {
        self.state.lock().since.is_some()
    }

    /// What is held of these objects.
    pub fn objects(&self, objects: &[ObjectRef]) -> Vec<Change> {
        let state = self.state.lock();
        objects.iter().flat_map(|object| state.store.object(object)).collect()
    }

    /// Waits until whoever listened has heard of the gap.
    async fn deaf(&self) {
        let left = self.state.lock().left.take();
        if let Some(left) = left {
            left.closed().await;
        }
    }
}

// === impl State ===

impl State {
    fn cursor(&self) -> Option<Str> {
        self.revision.map(|revision| compact_str::format_compact!("{revision}"))
    }

    fn lose(&mut self, why: &str) {
        if !std::mem::replace(&mut self.lost, true) {
            tracing::warn!(why, "the pushed events have a gap");
        }
        self.part(why);
    }

    /// Whoever listens has to begin anew.
    fn part(&mut self, why: &str) {
        if let Some(listener) = self.listener.take() {
            let _gone = listener.send(Signal::Lost(why.to_owned()));
            self.left = Some(listener);
        }
    }

    /// Says signals to whoever listens, the last with a receipt.
    fn tell(&mut self, signals: Vec<Signal>, changes: Vec<Change>) -> Receipt {
        let receipt = Receipt::default();
        let told = Signal::Told { changes, cursor: self.cursor(), receipt: Some(receipt.clone()) };
        let heard = self
            .listener
            .as_ref()
            .is_some_and(|listener| signals.into_iter().chain([told]).all(|signal| listener.send(signal).is_ok()));
        if !heard {
            // Whoever listens next loads everything, this included.
            self.listener = None;
            self.waiting.push(receipt.clone());
        }
        receipt
    }
}

// === impl Push ===

impl Push<'_> {
    /// What is held, this push included as far as it was applied.
    pub fn store(&self) -> &Store {
        &self.state.store
    }

    /// Everything is replaced by what `changes` say.
    ///
    /// # Errors
    /// Where what is held is newer.
    pub fn replace(&mut self, revision: u64, changes: &[Change]) -> Result<(), Refused> {
        let newest = self.state.revision.map(|have| have.max(self.state.seen));
        if let Some(have) = newest.filter(|have| *have > revision) {
            return Err(Refused::Older { have, got: revision });
        }
        self.restart(revision, changes)
    }

    /// Everything is replaced by what `changes` say, whichever revision was held.
    ///
    /// # Errors
    /// None of its own.
    pub fn restart(&mut self, revision: u64, changes: &[Change]) -> Result<(), Refused> {
        let store = Store::new(Arc::clone(self.state.store.schema()));
        self.replaced = Some((std::mem::replace(&mut self.state.store, store), self.state.revision));
        self.state.revision = Some(revision);
        let mut formers = Vec::new();
        for change in changes {
            self.state.store.apply(change, &mut formers);
        }
        self.accepted.applied = self.state.store.len();
        Ok(())
    }

    /// Whether the event with this id is to be applied, its revision being the next.
    ///
    /// # Errors
    /// Where it is not the next, or nothing is held that it could change.
    pub fn step(&mut self, id: &str, revision: u64) -> Result<Step, Refused> {
        if self.state.recent.contains(id) || self.known.contains(id) {
            if self.state.revision.is_none_or(|have| revision > have) {
                let used =
                    format!("event `{id}` of revision {revision}: an older event had this id; give each its own");
                return Err(Refused::Invalid(vec![used]));
            }
            self.accepted.replayed += 1;
            return Ok(Step::Replay);
        }
        let have = self.listening()?;
        if have.checked_add(1) != Some(revision) {
            return Err(Refused::Gap { have, got: revision });
        }
        self.revision.get_or_insert(have);
        self.state.revision = Some(revision);
        self.known.insert(Str::from(id));
        self.ids.push(Str::from(id));
        self.accepted.applied += 1;
        Ok(Step::Next)
    }

    /// What the events of this push have changed so far.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// One change by the event.
    pub fn change(&mut self, change: Change) {
        self.state.store.apply(&change, &mut self.formers);
        self.changes.push(change);
    }

    /// The event bears on nothing.
    pub fn ignore(&mut self) {
        self.accepted.applied = self.accepted.applied.saturating_sub(1);
        self.accepted.ignored += 1;
    }

    /// Nothing has changed since the last push, says the sender.
    ///
    /// # Errors
    /// Where that cannot be, because something was missed.
    pub fn heartbeat(&mut self) -> Result<(), Refused> {
        self.listening()?;
        self.heartbeat = true;
        Ok(())
    }

    fn listening(&self) -> Result<u64, Refused> {
        let have = self.state.revision.ok_or(Refused::Empty)?;
        if self.state.lost { Err(Refused::Lost { have }) } else { Ok(have) }
    }

    fn bounded(&self) -> Result<(), Refused> {
        let (held, most) = (self.state.store.len(), MOST);
        if held <= most {
            return Ok(());
        }
        Err(Refused::Invalid(vec![format!("{held} records and memberships; at most {most} can be held")]))
    }

    fn undo(self) {
        self.state.store.undo(self.formers);
        if let Some(before) = self.revision {
            self.state.revision = Some(before);
        }
        if let Some((store, revision)) = self.replaced {
            self.state.store = store;
            self.state.revision = revision;
        }
    }

    /// What is done can be told. A push of nothing but replays says nothing about now.
    fn commit(self) -> (Accepted, Option<Receipt>) {
        let Self { state, changes, ids, replaced, revision, mut accepted, heartbeat, formers: _, known: _ } = self;
        ids.into_iter().for_each(|id| state.recent.add(id));
        accepted.revision = state.revision.unwrap_or_default();
        let receipt = if replaced.is_some() {
            state.lost = false;
            state.seen = 0;
            Some(state.tell(vec![Signal::Reload { scope: Scope::All, objects: Vec::new() }], Vec::new()))
        } else if revision.is_some() || heartbeat {
            Some(state.tell(Vec::new(), changes))
        } else {
            None
        };
        (accepted, receipt)
    }
}
