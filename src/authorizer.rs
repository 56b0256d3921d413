//! Stand-in until the authorizer lands: allows `read`, waits for revisions.
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use parking_lot::RwLock;

use crate::engine::policy::Policy;
use crate::engine::{Said, Step, StepOutcome as Outcome};
use crate::model::change::Batch;
use crate::model::decision::{Decision, Reason};
use crate::model::id::ObjectRef;
use crate::model::query::Query;

#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub max_staleness: Duration,
    pub pending_wait: Duration,
    pub cache_capacity: u64,
}
#[derive(Clone, Debug)]
pub struct Clock;
impl Clock {
    pub fn system() -> Self {
        Self
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Loading,
    Live,
    Degraded,
    Stale,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    Loading,
    Live,
    Degraded,
}
#[derive(Clone, Debug)]
pub struct Freshness {
    pub revision: u64,
    pub as_of: SystemTime,
    pub age: Duration,
    pub cursor: Arc<str>,
}
#[derive(Clone, Debug)]
pub struct Answer {
    pub decision: Decision,
    pub said: Arc<Said>,
    pub freshness: Freshness,
    pub cached: bool,
}
#[derive(Debug)]
pub struct Explanation {
    pub answer: Answer,
    pub steps: Vec<Step>,
    pub would_allow: Vec<String>,
}
#[derive(Clone, Debug)]
pub struct Status {
    pub state: State,
    pub revision: u64,
    pub as_of: SystemTime,
    pub age: Duration,
    pub cursor: Arc<str>,
    pub counts: BTreeMap<String, u64>,
    pub policy_digest: String,
    pub tracker: String,
    pub tracker_version: String,
}
#[derive(Debug)]
pub struct Applied {
    pub revision: u64,
    pub changed: usize,
    pub quarantined: usize,
}
#[derive(Debug)]
pub struct ReadError(pub String);
pub trait Reader: Send + Sync + Debug {
    fn read(&self, objects: Vec<ObjectRef>) -> Pin<Box<dyn Future<Output = Result<(), ReadError>> + Send + '_>>;
}

#[derive(Debug)]
pub struct Authorizer {
    options: Options,
    revision: AtomicU64,
    feed: RwLock<Feed>,
    policy: RwLock<Policy>,
    said: [Arc<Said>; 2],
    pub waiting: AtomicUsize,
}
struct Waiting<'a>(&'a AtomicUsize);
impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Authorizer {
    pub fn new(policy: Policy, options: Options, _: Clock) -> Arc<Self> {
        let said = |text: &str| Arc::new(Said { rule: "kitsu/task.comment#3".into(), text: text.into() });
        Arc::new(Self {
            options,
            revision: AtomicU64::new(0),
            feed: RwLock::new(Feed::Loading),
            policy: RwLock::new(policy),
            said: [said("Reading is for all."), said("No rule allows it.")],
            waiting: AtomicUsize::new(0),
        })
    }
    fn freshness(&self) -> Freshness {
        Freshness {
            revision: self.revision.load(Ordering::SeqCst),
            as_of: SystemTime::now(),
            age: Duration::ZERO,
            cursor: Arc::from(""),
        }
    }
    pub async fn check(&self, query: &Query<'_>) -> Answer {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let waiting = Waiting(&self.waiting);
        while self.revision.load(Ordering::SeqCst) < query.consistency.at_least_revision {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(waiting);
        let yes = query.action == "read";
        let code = if yes { Reason::Granted } else { Reason::NoGrant };
        Answer {
            decision: Decision::deny(code),
            said: Arc::clone(if yes { &self.said[0] } else { &self.said[1] }),
            freshness: self.freshness(),
            cached: false,
        }
    }
    pub async fn check_batch(&self, queries: &[Query<'_>]) -> Vec<Answer> {
        let mut answers = Vec::new();
        for query in queries {
            answers.push(self.check(query).await);
        }
        answers
    }
    pub async fn explain(&self, query: &Query<'_>) -> Explanation {
        Explanation {
            answer: self.check(query).await,
            steps: vec![Step { rule: "r".into(), text: "t".into(), outcome: Outcome::Held, steps: vec![] }],
            would_allow: vec!["ask nicely".into()],
        }
    }
    pub fn status(&self) -> Status {
        let f = self.freshness();
        Status {
            state: self.state(),
            revision: f.revision,
            as_of: f.as_of,
            age: f.age,
            cursor: f.cursor,
            counts: BTreeMap::from([("person".to_owned(), 3)]),
            policy_digest: self.policy.read().digest.clone(),
            tracker: self.policy.read().tracker.to_string(),
            tracker_version: "1".into(),
        }
    }
    pub fn state(&self) -> State {
        match *self.feed.read() {
            Feed::Loading => State::Loading,
            Feed::Live => State::Live,
            Feed::Degraded => State::Degraded,
        }
    }
    pub fn max_staleness(&self) -> Duration {
        self.options.max_staleness
    }
    pub fn apply(&self, _: Batch) -> Applied {
        Applied { revision: self.revision.fetch_add(1, Ordering::SeqCst) + 1, changed: 0, quarantined: 0 }
    }
    pub fn feed(&self, feed: Feed) {
        *self.feed.write() = feed;
    }
    pub fn set_policy(&self, policy: Policy) {
        *self.policy.write() = policy;
    }
}
