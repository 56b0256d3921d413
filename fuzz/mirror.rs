//! The demo studio, behind an authorizer.
#![allow(dead_code, reason = "each target uses a part of it")]

use std::sync::Arc;
use std::time::Instant;

use stagedoor::authorizer::{Authorizer, Clock, Feed, Options};
use stagedoor::engine::policy::Policy;
use stagedoor::model::change::{Batch, Snapshot};
use stagedoor::model::id::Str;
use stagedoor::model::query::Query;
use stagedoor::tracker::file::DEMO;
use stagedoor::tracker::file::studio::{self, Vocabulary};

pub fn vocabulary(policy: &Policy) -> Vocabulary {
    let schema = Arc::clone(&policy.schema);
    Vocabulary { pack: policy.tracker.clone(), schema, roles: policy.roles().map(Str::from).collect() }
}

pub fn demo() -> Snapshot {
    let policy = Policy::load("kitsu", None).expect("compiles");
    studio::read("demo.yaml", DEMO, &vocabulary(&policy)).expect("is right")
}

pub fn live(policy: Policy, studio: Snapshot) -> Arc<Authorizer> {
    let options = Options { cache_capacity: 100, ..Options::default() };
    let authorizer = Authorizer::new(policy, options, Clock::system());
    authorizer.apply(Batch::Snapshot(studio));
    authorizer.known_equal(Instant::now());
    authorizer.feed(Feed::Live);
    authorizer
}

/// Asks in every way there is; all must agree.
pub fn ask(authorizer: &Authorizer, query: &Query<'_>) {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().expect("builds");
    }
    let mut query = query.clone();
    // Nothing comes that could be waited for.
    query.consistency.at_least_revision = 0;
    let checked = RUNTIME.with(|runtime| runtime.block_on(authorizer.check(&query)));
    let explained = RUNTIME.with(|runtime| runtime.block_on(authorizer.explain(&query)));
    assert_eq!(checked.decision, explained.answer.decision, "checked and explained: {query:?}");
    if let Some(again) = authorizer.check_now(&query) {
        assert_eq!(checked.decision, again.decision, "at first and from the cache: {query:?}");
    }
    if checked.decision.allowed() {
        assert!(explained.would_allow.is_empty() && !checked.said.rule.is_empty(), "{query:?}");
    }
}
