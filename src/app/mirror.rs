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
    let (from, to, revision, age_ms) = (name(from), name(to), status.revision, status.age.as_millis());
    match to {
        State::Loading | State::Live => tracing::info!(from, to, revision, age_ms, "the mirror is {to}"),
        State::Degraded => {
            tracing::warn!(from, to, revision, age_ms, "the mirror is degraded: its feed is down, answers get older");
        }
        State::Stale => {
            tracing::error!(from, to, revision, age_ms, "the mirror is stale: every check is denied until it is fresh");
        }
    }
}

fn name(state: State) -> &'static str {
    match state {
        State::Loading => "loading",
        State::Live => "live",
        State::Degraded => "degraded",
        State::Stale => "stale",
    }
}
