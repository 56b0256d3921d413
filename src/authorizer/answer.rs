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

/// The answer to one of many questions: an [`Answer`] but for its freshness.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub decision: Decision,
    pub said: Arc<Said>,
    pub cached: bool,
}

/// The answers to many questions, in their order: all from one revision.
#[derive(Clone, Debug)]
pub struct Verdicts {
    pub verdicts: Vec<Verdict>,
    pub freshness: Freshness,
}

/// The actions that apply to a resource, in their order, and how each was decided: all from one revision.
#[derive(Clone, Debug)]
pub struct Actions {
    pub verdicts: Vec<(Listed, Verdict)>,
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

// === impl Answer ===

impl Answer {
    pub(super) fn new(verdict: Verdict, freshness: Freshness) -> Self {
        let Verdict { decision, said, cached } = verdict;
        Self { decision, said, freshness, cached }
    }
}
