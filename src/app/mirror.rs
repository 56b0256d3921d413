//! Follows the mirror's state: one log line for each change of it, and the health service.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::authorizer::{Authorizer, State};
use crate::serve::health::{Reporter, Standing};

/// How often the state is looked at.
const TICK: Duration = Duration::from_millis(200);

/// Looks at the state for ever.
pub(super) async fn follow(authorizer: Arc<Authorizer>, reporter: Arc<Reporter>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = State::Loading;
    let mut loaded = false;
    loop {
        ticks.tick().await;
        let state = authorizer.state();
        loaded |= state != State::Loading;
        let fresh = matches!(state, State::Live | State::Degraded);
        reporter.tell(Standing { loaded, fresh, ending: false });
        if state != last {
            log(last, state, &authorizer);
            last = state;
        }
    }
}

fn log(from: State, to: State, authorizer: &Authorizer) {
    let status = authorizer.status();
    let (revision, age_ms) = (status.revision, status.age.as_millis());
    let (from, name) = (from.name(), to.name());
    match to {
        State::Loading | State::Live => tracing::info!(from, to = name, revision, age_ms, "the mirror is {name}"),
        State::Degraded => {
            tracing::warn!(from, to = name, revision, age_ms, "the mirror is {name}: no events come, its age grows");
        }
        State::Stale => {
            tracing::error!(from, to = name, revision, age_ms, "the mirror is {name}: every check is denied");
        }
    }
}
