//! What a caller gets back: the decision, why, and how fresh.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::engine::{Listed, Said, Step};
use crate::model::decision::Decision;

/// The answer to one question.
#[derive(Clone, Debug)]
pub struct Answer {
    pub decision: Decision,
    /// The rule that decided and one sentence.
    pub said: Arc<Said>,
    pub freshness: Freshness,
    /// Whether the decision was taken from the cache.
    pub cached: bool,
}

/// The actions that apply to a resource, in their order, and how each was decided: all from one revision.
#[derive(Clone, Debug)]
pub struct Actions {
    pub answers: Vec<(Listed, Answer)>,
    pub freshness: Freshness,
}

/// How fresh an answer is.
#[derive(Clone, Debug)]
pub struct Freshness {
    /// The mirror's revision that it was read from.
    pub revision: u64,
    /// When the mirror was last known equal to the tracker; the epoch before the first load.
    pub as_of: SystemTime,
    /// Zero before the first load.
    pub age: Duration,
    /// The tracker's own position in its events, where it has one.
    pub cursor: Arc<str>,
}

/// An answer with all its reasons.
#[derive(Clone, Debug)]
pub struct Explanation {
    pub answer: Answer,
    pub steps: Vec<Step>,
    /// The nearest grants.
    pub would_allow: Vec<String>,
}
