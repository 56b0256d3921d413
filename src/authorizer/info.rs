//! What the server tells of itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use super::{Authorizer, State};

/// The state of the mirror at one moment.
#[derive(Clone, Debug)]
pub struct Status {
    pub state: State,
    pub revision: u64,
    pub as_of: SystemTime,
    pub age: Duration,
    pub cursor: Arc<str>,
    /// Records by kind; under `quarantined` those that could not be understood, and under `role_rules_changed` how often the
    /// tracker said since the policy was put in force that a role's rules were changed, where there are any.
    pub counts: BTreeMap<String, u64>,
    pub policy_digest: String,
    pub tracker: String,
    pub tracker_version: String,
}

impl Authorizer {
    /// Everything about the mirror. Counts records one by one: not for every call.
    pub fn status(&self) -> Status {
        let mirror = self.mirror.read();
        let moment = self.age.moment();
        let view = mirror.directory.view();
        let mut counts: BTreeMap<_, _> =
            view.counts().into_iter().map(|(kind, count)| (kind.to_string(), count)).collect();
        let quarantined = u64::try_from(view.quarantined()).unwrap_or(u64::MAX);
        if quarantined > 0 {
            counts.insert("quarantined".to_owned(), quarantined);
        }
        let rules_changed = self.rules_changed.load(Ordering::Relaxed);
        if rules_changed > 0 {
            counts.insert("role_rules_changed".to_owned(), rules_changed);
        }
        Status {
            state: self.age.state(),
            revision: mirror.directory.revision(),
            as_of: moment.as_of,
            age: moment.age.unwrap_or_default(),
            cursor: self.age.cursor(),
            counts,
            policy_digest: mirror.policy.digest.clone(),
            tracker: mirror.policy.tracker.to_string(),
            tracker_version: self.tracker_version.read().to_string(),
        }
    }

    /// The state alone: cheap.
    pub fn state(&self) -> State {
        self.age.state()
    }

    /// As of when the mirror is known to equal the tracker; the epoch before anything was loaded.
    pub fn as_of(&self) -> SystemTime {
        self.age.moment().as_of
    }

    /// The server's own bound on staleness.
    pub fn max_staleness(&self) -> Duration {
        self.options.max_staleness
    }
}
